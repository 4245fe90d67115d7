/**
 * A client's link to a manager's server: calls and their answers, and what the client holds there.
 *
 * There is one for all proxies of a server that are in this thread. Calls are numbered; they are begun in the order in which they were
 * made and answered in any.
 *
 * Guarantees
 * - Every call is answered: by the server, or with an `EOFError` when it ends or is shut down.
 * - Only calls that wait for their answer keep the event loop going.
 * - References are counted where they live. The server counts each that it sends, and this side how many it has received; when the last
 *   proxy goes, that many are given back. One that is on its way at that moment is not among them, so it does not hang on the count of
 *   another.
 * - A link that holds nothing closes.
 *
 * @module
 */
import { decodeError, nameIt, type Parcel, registerError } from "../threading/_core/mod.ts";
import { gateTo } from "./_manager_gate.ts";
import { type Key, knock, type Passes, passesOf, passFor } from "./_manager_door.ts";
import {
  type CallHow,
  type Destination,
  destinationNow,
  encodeTo,
  type Hold,
  type ManagerAddress,
  type Token,
  type Travel,
} from "./_manager_hold.ts";
import type { PlaceHandle } from "./_arena.ts";
import { draftLane, hasLanes } from "./_crew_lane.ts";
import { Wire } from "./_manager_socket.ts";
import {
  encodedBody,
  ERROR,
  HELLO,
  type Hello,
  jsonBody,
  LANE,
  LANE_TAKEN,
  LANE_USED,
  laneIn,
  NO_SIGNAL,
  numberOf,
  readHello,
  REDEEM,
  restOf,
  RESULT,
  sendCall,
  sendCancel,
  sendLane,
  sendRelease,
  sendTicket,
  tagOf,
  TRANSIT,
  valueIn,
} from "./_manager_wire.ts";
import { AuthenticationError, EOFError } from "./errors.ts";

interface Call {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const PLAINLY: CallHow = {};
/** Calls after which a link gets a lane. */
const OFTEN = 50;

/** Links of this thread by server, the latest of each. */
const links = new Map<string, ManagerLink>();
/** Links of this thread by session. */
const sessions = new Map<string, ManagerLink>();

/** The hold on the object of a proxy that came in: over the link that it came by, over one that is there, or over a new one. */
export function holdOn({ token, session, way }: Travel, authkey: () => Uint8Array): Hold {
  const link = session === undefined ? links.get(token.server) : sessions.get(session);
  if (link !== undefined) return link.hold(token, way?.ticket);
  if (way === undefined) return ManagerLink.nowhere(token.server).hold(token, undefined);
  const key: Key = way.pass === undefined
    ? { kind: "authkey", bytes: authkey() }
    : { kind: way.wary === true ? "wary" : "pass", bytes: way.pass };
  return ManagerLink.toward(token.server, way.address, key).hold(token, way.ticket);
}

/** Lets go of a server that was shut down. */
export function closeLinksTo(server: string): void {
  links.get(server)?.end("the manager was shut down");
}

/** See the head of this file. */
export class ManagerLink implements Destination {
  readonly address: ManagerAddress;
  #server: string;
  #wire: Wire | undefined;
  /** What was sent before there was a link. */
  #early: ((wire: Wire) => void)[] = [];
  #failure: ((act: string) => Error) | undefined;
  #passes: Passes | undefined;
  #session = "";
  readonly #calls = new Map<number, Call>();
  #lastCall = 0;
  /** Calls so far. */
  #made = 0;
  /** Whether it has the authkey. */
  #full = false;
  #draft: ReturnType<typeof draftLane> | undefined;
  readonly #holds = new Map<number, FarHold>();
  /** Managers that use it. */
  #managers = 0;
  #hello: ((hello: Hello) => void) | undefined;

  private constructor(server: string, address: ManagerAddress) {
    this.#server = server;
    this.address = address;
  }

  /** A link whose client may do everything, for a manager, which is to {@linkcode ManagerLink.leave} it. */
  static async connect(address: ManagerAddress, authkey: Uint8Array): Promise<ManagerLink> {
    const link = new ManagerLink("", address);
    link.#managers = 1;
    await link.#open({ kind: "authkey", bytes: authkey });
    links.set(link.#server, link);
    return link;
  }

  /** A link for a proxy that came in. It can be used at once; whether it can be had, its calls will tell. */
  static toward(server: string, address: ManagerAddress, key: Key): ManagerLink {
    const link = new ManagerLink(server, address);
    links.set(server, link);
    link.#open(key).catch((cause) => {
      const lasting = cause instanceof AuthenticationError ||
        cause instanceof Deno.errors.NotCapable || cause instanceof EOFError;
      link.#fail((act) =>
        lasting ? cause : new EOFError(
          `Cannot ${act}: the manager that has the object has ended, or cannot be reached from here`,
          { cause },
        )
      );
    });
    return link;
  }

  /** For a proxy that says no way. */
  static nowhere(server: string): ManagerLink {
    const link = new ManagerLink(server, "");
    link.#fail((act) =>
      new EOFError(
        `Cannot ${act}: this process is not connected to the manager that has the object`,
      )
    );
    return link;
  }

  /** The server. */
  get server(): string {
    return this.#server;
  }

  /** Others on the network may read what goes there. */
  get open(): boolean {
    return typeof this.address !== "string";
  }

  /** What proxies take along, so that their receivers get in. */
  get passes(): Passes | undefined {
    return this.#passes;
  }

  async #open(key: Key): Promise<void> {
    const hello = Promise.withResolvers<Hello>();
    this.#hello = hello.resolve;
    const wire = new Wire(await knock(this.address, key), (frame) => this.#receive(frame));
    wire.ref();
    wire.ended.then(() => {
      this.end("its server has ended");
      hello.reject(this.#failure!("connect to the manager"));
    });
    const { server, session } = await hello.promise;
    const passes = await passesOf(key, server);
    wire.unref();
    if (this.#failure !== undefined) return wire.close();
    if (this.#server !== "" && server !== this.#server) {
      wire.close();
      throw new EOFError(
        "Cannot reach the object of a proxy: its manager has ended, and another one serves at the same address",
      );
    }
    this.#full = key.kind === "authkey";
    this.#server = server;
    this.#session = session;
    sessions.set(session, this);
    this.#passes = passes;
    this.#wire = wire;
    if (this.#calls.size > 0) wire.ref();
    for (const send of this.#early.splice(0)) send(wire);
    this.#closeIfIdle();
  }

  #send(send: (wire: Wire) => void): void {
    if (this.#wire !== undefined) send(this.#wire);
    else if (this.#failure === undefined) this.#early.push(send);
  }

  /**
   * Calls a method of an object there; object 0 is the server. Begun before this returns. `what` gives what a message calls the method.
   */
  call(
    object: number,
    what: (name: string) => string,
    name: string,
    args: readonly unknown[],
    how: CallHow = PLAINLY,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure(`call ${what(name)}`);
      const call = this.#number();
      const body = jsonBody(args) ?? encodeTo(
        this,
        () => encodedBody(args, `call ${what(name)} with`, this.call, "args"),
      );
      const { signal, signalAt = NO_SIGNAL, exact = false } = how;
      if (this.#wire !== undefined) sendCall(this.#wire, call, object, name, signalAt, body);
      else this.#early.push((wire) => sendCall(wire, call, object, name, signalAt, body));
      const settle: Call = { resolve, reject };
      const abortable = signal && this.#abortable(call, signal, exact, settle);
      this.#calls.set(call, abortable ?? settle);
      if (this.#calls.size === 1) this.#wire?.ref();
    });
  }

  /** A call that `signal` may end. */
  #abortable(number: number, signal: AbortSignal, exact: boolean, call: Call): Call {
    const giveUp = () => {
      this.#send((wire) => sendCancel(wire, number));
      if (!exact && this.#take(number) !== undefined) call.reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    return {
      resolve(value) {
        signal.removeEventListener("abort", giveUp);
        call.resolve(value);
      },
      reject(error) {
        signal.removeEventListener("abort", giveUp);
        // The server knows only that it was cancelled; the caller's reason need not travel.
        call.reject(error instanceof CancelledByCaller ? signal.reason : error);
      },
    };
  }

  /** Who calls so often has a lane: no system call, and nobody to be woken, between a call and its answer. */
  #offerLane(): void {
    const wire = this.#wire;
    if (wire === undefined || !this.#full || this.open || !hasLanes()) return;
    this.#draft = draftLane();
    sendLane(wire, LANE, this.#draft.handle);
  }

  #useLane(bell: PlaceHandle): void {
    const wire = this.#wire;
    if (wire === undefined || this.#draft === undefined) return;
    const lane = this.#draft.open(bell);
    this.#draft = undefined;
    wire.takeFrom(lane);
    void wire.sendBy(lane.out, () => sendLane(wire, LANE_USED));
  }

  #number(): number {
    if (++this.#made === OFTEN) this.#offerLane();
    do this.#lastCall = (this.#lastCall + 1) >>> 0; while (this.#calls.has(this.#lastCall));
    return this.#lastCall;
  }

  /** The call of that number, which is over. */
  #take(number: number): Call | undefined {
    const call = this.#calls.get(number);
    if (call === undefined) return undefined;
    this.#calls.delete(number);
    if (this.#calls.size === 0) {
      this.#wire?.unref();
      this.#closeIfIdle();
    }
    return call;
  }

  #receive(frame: Uint8Array): void {
    const number = numberOf(frame);
    switch (tagOf(frame)) {
      case HELLO:
        return this.#hello?.(readHello(frame));
      case LANE_TAKEN:
        return this.#useLane(laneIn(frame) as PlaceHandle);
      case RESULT: {
        const value = valueIn(restOf(frame));
        if (!(value instanceof Promise)) return this.#take(number)?.resolve(value);
        // Decoded also when nobody wants it any more: references in it are given back when they are collected.
        return void value.then(
          (value) => this.#take(number)?.resolve(value),
          (error) => this.#take(number)?.reject(error),
        );
      }
      case ERROR:
        return void this.#failed(number, restOf(frame));
    }
  }

  async #failed(number: number, body: Uint8Array): Promise<void> {
    let error: unknown;
    try {
      error = await decodeError(await valueIn(body) as Parcel);
    } catch (failure) {
      error = failure;
    }
    this.#take(number)?.reject(error);
  }

  /** This thread's hold on an object there. `ticket`: the reference was on its way under it; without one the server has counted it. */
  hold(token: Token, ticket: string | undefined): Hold {
    let hold = this.#holds.get(token.object);
    if (hold === undefined) this.#holds.set(token.object, hold = new FarHold(this, token));
    hold.received++;
    if (ticket !== undefined) {
      this.#send((wire) => sendTicket(wire, REDEEM, token.object, ticket));
    }
    return hold;
  }

  /** Announces that a reference is on its way. */
  announce(object: number, ticket: string): void {
    this.#send((wire) => sendTicket(wire, TRANSIT, object, ticket));
  }

  /** Gives references back. */
  release(hold: FarHold): void {
    const { object } = hold.token;
    if (this.#holds.get(object) !== hold) return;
    this.#holds.delete(object);
    const { received } = hold;
    this.#send((wire) => sendRelease(wire, object, received));
    this.#closeIfIdle();
  }

  /** One more manager uses it. */
  enter(): void {
    this.#managers++;
  }

  /** One manager less. */
  leave(): void {
    this.#managers--;
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    if (this.#managers > 0 || this.#holds.size > 0 || this.#calls.size > 0) return;
    const wire = this.#wire;
    if (wire === undefined) return;
    // What was sent last may have to reach the server: a reference on its way, say.
    wire.flush().then(() => {
      if (this.#managers + this.#holds.size + this.#calls.size === 0) {
        this.end("it holds nothing there any more");
      }
    });
  }

  /** Ends the link; `why` follows "Cannot call it: ". */
  end(why: string): void {
    this.#fail((act) => new EOFError(`Cannot ${act}: ${why}`));
  }

  #fail(failure: (act: string) => Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    if (links.get(this.#server) === this) links.delete(this.#server);
    sessions.delete(this.#session);
    this.#early = [];
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#wire?.close();
    for (const { reject } of calls) reject(failure("finish the call"));
  }
}

/** What the server answers a call that its caller gave up and that had not taken anything. */
export class CancelledByCaller extends Error {
  static {
    nameIt(this, "CancelledByCaller");
  }
}

registerError(CancelledByCaller, import.meta.url);

/** A hold on an object of another process, or of another thread. */
class FarHold implements Hold {
  readonly token: Token;
  readonly #link: ManagerLink;
  #proxies = 0;
  /** References that came here. */
  received = 0;

  constructor(link: ManagerLink, token: Token) {
    this.#link = link;
    this.token = token;
  }

  call(name: string, args: readonly unknown[], how?: CallHow): Promise<unknown> {
    return this.#link.call(this.token.object, this.#what, name, args, how);
  }

  #what = (name: string) => `${this.token.typeid}.${name}`;

  travel(): Travel {
    const to = destinationNow();
    const link = this.#link;
    if (to?.server === link.server) return { token: this.token };
    const ticket = crypto.randomUUID();
    link.announce(this.token.object, ticket);
    const pass = passFor(to?.open === true ? undefined : link.passes);
    const gate = to === undefined ? gateTo(this) : undefined;
    return { token: this.token, way: { address: link.address, ticket, ...pass, gate } };
  }

  take(): void {
    this.#proxies++;
  }

  drop(): void {
    if (--this.#proxies === 0) this.#link.release(this);
  }
}
