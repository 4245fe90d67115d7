/**
 * Pipes: two ends, and the processes that hold them.
 *
 * A pipe has a home, the process that made it, which knows who holds which end: an end elsewhere is a handle on the tree (`_tree.ts`).
 * Its messages are in two rings (`_pipe_way.ts`). With `--allow-ffi` every holder has them mapped, and messages go from process to
 * process without the home. A holder that may not map them, and all of them in a program that may not, calls the home, which puts
 * messages in and takes them out on its behalf.
 *
 * Guarantees
 * - A message is put in and taken out whole, whoever dies meanwhile.
 * - Every process that was given an end holds it until it closes it or ends; an end that is on its way to a process is held as well. When
 *   nobody holds the writing end any more, readers get what is left and then the end; when nobody holds the reading end, writers are
 *   refused, and what was not read is gone. The home decides that and says so in the ring. That is never too early: who holds an end puts
 *   its messages into the ring before it lets go, and letting go reaches the home later.
 * - When the home has ended, the pipe has ended for everybody; what is in the ring can still be received.
 * - A direction takes a quarter of a MiB; who sends more waits until there is room.
 * - A call that waits for a process elsewhere holds the event loop open.
 *
 * @module
 */
import type { PlaceHandle } from "./_arena.ts";
import { broken, BYTES, type Channel, closed, ended, kept, type Take } from "./_channel.ts";
import { canShare, type Later, Way } from "./_pipe_way.ts";
import { expire } from "./_ready.ts";
import {
  type Address,
  address,
  cameHome,
  discardHandle,
  type Handle,
  HomeGoneError,
  type Offer,
  offer,
  redeem,
  type Remote,
  type Service,
} from "./_tree.ts";
import { discardEncoded, type Limit } from "../threading/_core/mod.ts";

/** An end on its way. */
interface Sent {
  readonly handle: Handle;
  readonly places: Places;
  /** Whether the hold that it brings is counted in the ways. What a holder sends that has not mapped them is not; its own stays. */
  readonly counted: boolean;
}

/** The ways of an end, for whoever can map them. */
interface Places {
  readonly reads: PlaceHandle | undefined;
  readonly writes: PlaceHandle | undefined;
}

class Ways {
  readonly reads: Way | undefined;
  readonly writes: Way | undefined;

  constructor(reads: Way | undefined, writes: Way | undefined) {
    this.reads = reads;
    this.writes = writes;
  }

  hold(): void {
    this.reads?.hold("reading");
    this.writes?.hold("writing");
  }

  let(): void {
    this.reads?.let("reading");
    this.writes?.let("writing");
  }
}

/** Ends that somebody elsewhere holds, or that are on their way, by the number of their handles. */
const abroad = new Map<number, End>();

/** One end of a pipe, at its home. */
class End implements Service {
  readonly ways: Ways;
  readonly #offer: Offer = offer(this);
  #id: number | undefined;
  /** Connections of this process. */
  #holds = 0;
  #isAbroad = false;

  constructor(reads: Way | undefined, writes: Way | undefined) {
    this.ways = new Ways(reads, writes);
  }

  send(): Sent {
    const { reads, writes } = this.ways;
    const places = { reads: reads?.reduce(), writes: writes?.reduce() };
    const handle = this.#offer.handle();
    this.ways.hold();
    for (const way of [reads, writes]) if (way !== undefined) way.travelled = true;
    this.#isAbroad = true;
    abroad.set(this.#id = handle.id, this);
    return { handle, places, counted: true };
  }

  /** One more hold of this process's, which is counted already. */
  hold(): Channel {
    this.#holds++;
    return new MappedChannel(this.ways, { let: () => this.letGo(), send: () => this.send() });
  }

  letGo(): void {
    this.#holds--;
    this.ways.let();
    this.#look();
  }

  unheld(): void {
    this.#isAbroad = false;
    if (this.#id !== undefined) abroad.delete(this.#id);
    this.#look();
  }

  #look(): void {
    if (this.#holds > 0 || this.#isAbroad) return;
    this.ways.reads?.breakOff();
    this.ways.writes?.end();
  }

  call(method: string, args: unknown[], _from: Address, signal: AbortSignal): unknown {
    const { reads, writes } = this.ways;
    switch (method) {
      case "send":
        return writes!.sendFor(args[0] as Uint8Array, signal);
      case "receive":
        return reads!.receiveFor(args[0] as number ?? Infinity, BYTES, signal);
      case "ready":
        return reads!.ready;
      case "poll":
        return reads!.pollFor(signal);
      case "look":
        return this.#lookAround();
      default:
        throw new TypeError(`Cannot call ${method} of a pipe: there is no such method`);
    }
  }

  gone(): void {
    // It may have done something, and not lived to say so.
    this.#lookAround();
  }

  #lookAround(): void {
    this.ways.reads?.look();
    this.ways.writes?.look();
  }
}

/** How an end is held. */
interface Hold {
  let(): void;
  send(): Sent;
}

/** An end whose ways this process has. */
class MappedChannel implements Channel {
  readonly #ways: Ways;
  readonly #hold: Hold;
  readonly #closing = new AbortController();

  constructor(ways: Ways, hold: Hold) {
    this.#ways = ways;
    this.#hold = hold;
  }

  send(message: Uint8Array, _mine: boolean, head?: Uint8Array): Later<void> {
    return this.#ways.writes!.send(message, head);
  }

  receive<R>(longest: number, take: Take<R>): Later<R> {
    return this.#ways.reads!.receive(longest, take, this.#closing.signal);
  }

  poll({ deadline, signal }: Limit): Later<boolean> {
    const closing = this.#closing.signal;
    return this.#ways.reads!.poll({
      deadline,
      signal: signal === undefined || deadline === -Infinity
        ? closing
        : AbortSignal.any([signal, closing]),
    });
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closed("receive"));
    this.#hold.let();
  }

  reduce(): unknown {
    return this.#hold.send();
  }
}

/** An end elsewhere, whose ways this process can map. */
function mapped(remote: Remote, places: Places, counted: boolean): Channel {
  let isHeld = true;
  const tellHome = () => {
    if (isHeld) remote.tell("look", []);
  };
  const map = (place: PlaceHandle | undefined) =>
    place === undefined ? undefined : Way.revive(place, tellHome);
  const ways = new Ways(map(places.reads), map(places.writes));
  if (ways.reads !== undefined) ways.reads.sibling = ways.writes;
  if (ways.writes !== undefined) ways.writes.sibling = ways.reads;
  if (!counted) ways.hold();
  return new MappedChannel(ways, {
    let: () => {
      ways.let();
      isHeld = false;
      remote.let();
    },
    send: () => {
      const handle = remote.handle();
      ways.hold();
      return { handle, places, counted: true };
    },
  });
}

/** A message of this size goes in one write. */
const SHORT = 16 * 1024;

/**
 * An end elsewhere that the home serves.
 *
 * A short message with no other under way counts as sent when it is handed to the link, which writes it in the same turn: so who asks and
 * waits for the answer makes one trip and not two. That the other end was closed meanwhile is noticed by the next message, and a process
 * that leaves by `Deno.exit()` has still sent what it was told it had. With more under way each waits to be taken in at the home.
 */
class ServedChannel implements Channel {
  readonly #remote: Remote;
  readonly #places: Places;
  readonly #closing = new AbortController();
  #underWay = 0;
  #failure: (() => Error) | undefined;

  constructor(remote: Remote, places: Places) {
    this.#remote = remote;
    this.#places = places;
  }

  send(bytes: Uint8Array, mine: boolean, head?: Uint8Array): Later<void> {
    if (this.#failure !== undefined) throw this.#failure();
    const message = kept(bytes, mine, head);
    const early = message.length <= SHORT && this.#underWay === 0;
    const sending = this.#send(message);
    if (!early) return sending;
    // Told by the next.
    sending.catch(() => {});
  }

  async #send(message: Uint8Array): Promise<void> {
    this.#underWay++;
    try {
      await this.#remote.call("send", [message]);
    } catch (error) {
      this.#failure = () => broken(error);
      discardEncoded(message);
      throw broken(error);
    } finally {
      this.#underWay--;
    }
  }

  async receive<R>(longest: number, take: Take<R>): Promise<R> {
    const args = longest === Infinity ? [] : [longest];
    const { signal } = this.#closing;
    let message: unknown;
    try {
      message = await this.#remote.call("receive", args, { signal });
    } catch (error) {
      throw error instanceof HomeGoneError ? ended() : error;
    }
    return take.open(message as Uint8Array);
  }

  async poll(limit: Limit): Promise<boolean> {
    try {
      if (limit.deadline === -Infinity) return await this.#remote.call("ready", []) as boolean;
      return await this.#poll(limit);
    } catch (error) {
      if (error instanceof HomeGoneError) return true;
      throw error;
    }
  }

  async #poll(limit: Limit): Promise<boolean> {
    const giveUp = new AbortController();
    const late = Symbol("late");
    const stop = expire(limit, () => giveUp.abort(late), (reason) => giveUp.abort(reason));
    const signal = AbortSignal.any([giveUp.signal, this.#closing.signal]);
    try {
      return await this.#remote.call("poll", [], { signal }) as boolean;
    } catch (error) {
      if (error === late) return false;
      throw error;
    } finally {
      stop();
    }
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closed("receive"));
    this.#remote.let();
  }

  reduce(): Sent {
    return { handle: this.#remote.handle(), places: this.#places, counted: false };
  }
}

/** What an end was to be made from elsewhere will not arrive. */
export function discardPipe(parts: unknown): void {
  discardHandle((parts as Sent).handle);
}

/** What an end is made from elsewhere. */
export function revivePipe(parts: unknown): Channel {
  const { handle, places, counted } = parts as Sent;
  const end = handle.home === address() ? abroad.get(handle.id) : undefined;
  if (end !== undefined) {
    // Held here before it is no longer on its way.
    if (!counted) end.ways.hold();
    const channel = end.hold();
    cameHome(handle);
    return channel;
  }
  const remote = redeem(handle);
  if (canShare() && (places.reads ?? places.writes) !== undefined) {
    try {
      return mapped(remote, places, counted);
    } catch (error) {
      // The home has ended: who calls it is told.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return new ServedChannel(remote, places);
}

/** The two ends of a new pipe, each held once. The first reads only, and the second writes only, unless it is `duplex`. */
export function makePipe(duplex: boolean): [Channel, Channel] {
  const there = Way.make();
  const back = duplex ? Way.make() : undefined;
  const ends = [new End(there, back), new End(back, there)] as const;
  for (const { ways } of ends) ways.hold();
  return [ends[0].hold(), ends[1].hold()];
}
