/**
 * Pipes: two ends, and the processes that hold them.
 *
 * A pipe lives in the process that made it, its home. There each direction is an {@linkcode Inbox} with a limit; an end elsewhere is a
 * handle on the tree (`_tree.ts`), whose calls put messages in and take them out. So a message goes by way of the home.
 *
 * Guarantees
 * - A message is put in and taken out whole, whoever dies meanwhile.
 * - Every process that was given an end holds it until it closes it or ends; an end that is on its way to a process is held as well. When
 *   nobody holds the writing end any more, readers get what is left and then the end; when nobody holds the reading end, writers are
 *   refused, and what was not read is gone.
 * - A direction takes {@linkcode CAPACITY} bytes; who sends more waits until there is room.
 * - A call that waits for a process elsewhere holds the event loop open.
 *
 * @module
 */
import { broken, type Channel, closed, ended } from "./_channel.ts";
import { Fifo } from "./_fifo.ts";
import { Inbox } from "./_inbox.ts";
import { expire } from "./_ready.ts";
import {
  type Address,
  address,
  cameHome,
  type Handle,
  HomeGoneError,
  type Offer,
  offer,
  redeem,
  type Remote,
  type Service,
} from "./_tree.ts";
import type { Limit } from "../threading/_core/mod.ts";

/** How many bytes wait in one direction before senders wait: about as many as in a pipe of the kernel. */
const CAPACITY = 256 * 1024;
/** What a message costs beside its bytes. */
const OVERHEAD = 32;

/** A message that waits for room. */
interface Sending {
  readonly size: number;
  /** Whether it has room, and its sender knows. */
  admitted: boolean;
  admit(): void;
  refuse(): void;
}

/** One direction of a pipe. */
class Way {
  readonly inbox = new Inbox();
  /** The bytes of the messages that have room. */
  #load = 0;
  readonly #waiting = new Fifo<Sending>();
  #isBroken = false;

  send(message: Uint8Array): Promise<void> {
    if (this.#isBroken) return Promise.reject(broken());
    return new Promise((resolve, reject) => {
      const size = message.length + OVERHEAD;
      const sending: Sending = {
        size,
        admitted: false,
        admit: resolve,
        refuse: () => reject(broken()),
      };
      if (this.inbox.put(message, () => this.#taken(sending))) return resolve();
      this.#waiting.push(sending);
      this.#admit();
    });
  }

  #taken(sending: Sending): void {
    if (sending.admitted) {
      this.#load -= sending.size;
    } else if (this.#waiting.remove(sending)) {
      sending.admit();
    }
    this.#admit();
  }

  #admit(): void {
    for (let first; (first = this.#waiting.first) !== undefined;) {
      if (this.#load + first.size > CAPACITY) return;
      this.#load += first.size;
      first.admitted = true;
      first.admit();
      this.#waiting.shift();
    }
  }

  /** Nobody can send any more. */
  writersGone(): void {
    this.inbox.end(ended);
  }

  /** Nobody can receive any more. */
  readersGone(): void {
    this.#isBroken = true;
    this.inbox.abandon(() => closed("receive"));
    for (const sending of this.#waiting.drain()) sending.refuse();
  }
}

/** Ends that somebody elsewhere holds, or that are on their way, by the number of their handles. */
const abroad = new Map<number, End>();

/** One end of a pipe, at its home. */
class End implements Service {
  readonly reads: Way | undefined;
  readonly writes: Way | undefined;
  /** What both ends know: whether one of them ever went to somebody else. */
  readonly #pipe: { travelled: boolean };
  readonly #offer: Offer = offer(this);
  #id: number | undefined;
  /** Connections of this process. */
  #holds = 0;
  /** Connections elsewhere that have received. */
  readonly #far = new Map<string, object>();
  #isAbroad = false;

  constructor(reads: Way | undefined, writes: Way | undefined, pipe: { travelled: boolean }) {
    this.reads = reads;
    this.writes = writes;
    this.#pipe = pipe;
  }

  get travelled(): boolean {
    return this.#pipe.travelled;
  }

  handle(): Handle {
    const handle = this.#offer.handle();
    this.#pipe.travelled = this.#isAbroad = true;
    abroad.set(this.#id = handle.id, this);
    return handle;
  }

  hold(): Channel {
    this.#holds++;
    return new NearChannel(this);
  }

  letGo(): void {
    this.#holds--;
    this.#look();
  }

  unheld(): void {
    this.#isAbroad = false;
    if (this.#id !== undefined) abroad.delete(this.#id);
    this.#look();
  }

  #look(): void {
    if (this.#holds > 0 || this.#isAbroad) return;
    this.reads?.readersGone();
    this.writes?.writersGone();
  }

  call(method: string, args: unknown[], from: Address, signal: AbortSignal): unknown {
    switch (method) {
      case "send":
        return this.writes!.send(args[0] as Uint8Array);
      case "receive":
        return this.reads!.inbox.receive(args[1] as number ?? Infinity, this.#owner(from, args[0]));
      case "ready":
        return this.reads!.inbox.ready;
      case "poll":
        return this.reads!.inbox.poll({ deadline: Infinity, signal });
      case "close":
        return this.#withdraw(`${from} ${args[0]}`);
      default:
        throw new TypeError(`Cannot call ${method} of a pipe: there is no such method`);
    }
  }

  gone(from: Address): void {
    for (const key of [...this.#far.keys()]) if (key.startsWith(`${from} `)) this.#withdraw(key);
  }

  /** Stands for one connection elsewhere. */
  #owner(from: Address, channel: unknown): object {
    const key = `${from} ${channel}`;
    let owner = this.#far.get(key);
    if (owner === undefined) this.#far.set(key, owner = {});
    return owner;
  }

  /** What a connection elsewhere waits to receive, goes to the next. */
  #withdraw(key: string): void {
    const owner = this.#far.get(key);
    if (owner === undefined) return;
    this.#far.delete(key);
    this.reads?.inbox.withdraw(owner, () => closed("receive"));
  }
}

/** An end in the process that made the pipe. */
class NearChannel implements Channel {
  readonly #end: End;
  #closed = false;

  constructor(end: End) {
    this.#end = end;
  }

  send(message: Uint8Array): Promise<void> {
    return this.#held(this.#end.writes!.send(message));
  }

  receive(longest: number): Promise<Uint8Array> {
    return this.#held(this.#end.reads!.inbox.receive(longest, this));
  }

  poll(limit: Limit): Promise<boolean> {
    const { inbox } = this.#end.reads!;
    if (limit.deadline === -Infinity) return Promise.resolve(inbox.ready);
    return this.#held(inbox.poll(limit, this));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end.reads?.inbox.withdraw(this, () => closed("receive"));
    this.#end.letGo();
  }

  reduce(): unknown {
    return this.#end.handle();
  }

  /** Nobody but a process elsewhere may be able to end the wait, and waiting for that is not waiting in vain. */
  #held<T>(call: Promise<T>): Promise<T> {
    return this.#end.travelled ? holdOpen(call) : call;
  }
}

let holding = 0;
let holder: ReturnType<typeof setInterval> | undefined;

/** Holds the event loop open until `call` is settled. */
async function holdOpen<T>(call: Promise<T>): Promise<T> {
  if (holding++ === 0) holder = setInterval(() => {}, 2 ** 30);
  try {
    return await call;
  } finally {
    if (--holding === 0) clearInterval(holder);
  }
}

/** A message of this size goes in one write. */
const SHORT = 16 * 1024;

let channels = 0;

/**
 * An end in another process than the pipe's home.
 *
 * A short message with no other under way counts as sent when it is handed to the link, which writes it in the same turn: so who asks and
 * waits for the answer makes one trip and not two. That the other end was closed meanwhile is noticed by the next message, and a process
 * that leaves by `Deno.exit()` has still sent what it was told it had. With more under way each waits to be taken in at the home.
 */
class FarChannel implements Channel {
  readonly #remote: Remote;
  readonly #number = ++channels;
  readonly #closing = new AbortController();
  readonly #receiving = new Set<(error: Error) => void>();
  #underWay = 0;
  #failure: (() => Error) | undefined;

  constructor(remote: Remote) {
    this.#remote = remote;
  }

  send(message: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure());
    const early = message.length <= SHORT && this.#underWay === 0;
    const sending = this.#send(message);
    if (!early) return sending;
    // Told by the next.
    sending.catch(() => {});
    return Promise.resolve();
  }

  async #send(message: Uint8Array): Promise<void> {
    this.#underWay++;
    try {
      await this.#remote.call("send", [message]);
    } catch (error) {
      this.#failure = () => broken(error);
      throw broken(error);
    } finally {
      this.#underWay--;
    }
  }

  receive(longest: number): Promise<Uint8Array> {
    const args = longest === Infinity ? [this.#number] : [this.#number, longest];
    return new Promise((resolve, reject) => {
      this.#receiving.add(reject);
      this.#remote.call("receive", args).then((message) => {
        this.#receiving.delete(reject);
        resolve(message as Uint8Array);
      }, (error) => {
        this.#receiving.delete(reject);
        reject(error instanceof HomeGoneError ? ended() : error);
      });
    });
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
    this.#closing.abort(closed("receive"));
    for (const reject of this.#receiving) reject(closed("receive"));
    this.#remote.tell("close", [this.#number]);
    this.#remote.let();
  }

  reduce(): unknown {
    return this.#remote.handle();
  }
}

/** What an end is made from elsewhere. */
export function revivePipe(parts: unknown): Channel {
  const handle = parts as Handle;
  const end = handle.home === address() ? abroad.get(handle.id) : undefined;
  if (end === undefined) return new FarChannel(redeem(handle));
  // Held here before it is no longer on its way.
  const channel = end.hold();
  cameHome(handle);
  return channel;
}

/** The two ends of a new pipe, each held once. The first reads only, and the second writes only, unless it is `duplex`. */
export function makePipe(duplex: boolean): [Channel, Channel] {
  const pipe = { travelled: false };
  const there = new Way();
  const back = duplex ? new Way() : undefined;
  return [new End(there, back, pipe).hold(), new End(back, there, pipe).hold()];
}
