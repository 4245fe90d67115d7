/**
 * The tree: every process of a program can call objects that live in any other.
 *
 * The processes of a program are a tree. Each is linked to the one that started it and to those it started (`_link.ts`), and to nobody
 * else: a restricted child can talk to its parent only, and the parent relays. An {@linkcode Address} is the path of child numbers from
 * the top. A frame for another node goes down to the child that its address begins with, else up.
 *
 * On it, objects that live in the process that made them, their home:
 * - {@linkcode offer} makes a {@linkcode Service} of this process callable. Its {@linkcode Handle}, plain data, is sent to others by
 *   whatever way, and {@linkcode redeem} makes a {@linkcode Remote} of it there.
 * - Whoever has a Remote holds the object, until it lets go, is collected, or its process ends. Holding is counted per node.
 *
 * Guarantees
 * - What one node calls and tells at one home is begun in that order.
 * - A call is answered, or rejects because its home has ended or because the caller has no handle. Nothing else is promised of it when
 *   somebody dies: it may have been carried out.
 * - Only holders reach a service: a node without a handle is told the same as if there were none, and no node can speak for another that
 *   is not below it.
 * - When a node ends, every home learns of it (`gone`), after everything that the node had sent, and every call at it rejects.
 * - The event loop is held open while calls are pending, and by nothing else of the tree.
 *
 * A handle on its way ("in transit") holds the object as well:
 * 1. Whoever makes the handle names the transit, by a random text, and registers it at the home: by a frame of its own, which the home
 *    gets before anything that lets go of the sender's own hold.
 * 2. The receiver redeems the transit. That may reach the home first, by another branch of the tree.
 * 3. Then whatever the receiver sends to that object waits at the home until the registration is there, or whoever should have sent it
 *    has ended.
 * A transit that nobody redeems holds the object until its sender ends, or until somebody who has the handle says that it will not arrive
 * ({@linkcode discardHandle}).
 *
 * A thread is a node as well, below the main thread of its process (`_thread_link.ts`), and ends with its target: what it held is let go,
 * what it offered is gone, even though its worker, and this module in it, will be another thread.
 *
 * @module
 */
import {
  decode,
  decodeError,
  decodeSync,
  encode,
  encodeError,
  ended,
  isMain,
  life,
  nameIt,
  type Parcel,
} from "../threading/_core/values.ts";
import { type Link, NOTE, readU32, u32 } from "./_link.ts";
import { whoAmI } from "./_self.ts";
import { canReach, identIn, linkDown, linkUp, type ThreadLink } from "./_thread_link.ts";

/** Where a process stands in the tree: "" is the program's first, "/2" its third child, "/2/0" the first child of that. */
export type Address = string;

/** Where this thread stands. */
export function address(): Address {
  return life.address;
}

/** An object of this process that others may call. It looks methods up by itself: nothing is reached by name on a prototype. */
export interface Service {
  /**
   * Does what `from` asks for; what it returns or throws is the answer. `signal`: the caller gave up, or ended. Also called for what is
   * told, whose answer nobody gets.
   */
  call(method: string, args: unknown[], from: Address, signal: AbortSignal): unknown;
  /**
   * Takes what is told with bytes as its one argument, the cheapest way: in the turn in which it arrives, in order with the calls. Must
   * not throw. Without it, and for what has to wait its turn, there is `call`.
   */
  hear?(method: string, bytes: Uint8Array<ArrayBuffer>): void;
  /** `from` has its first handle. */
  arrived?(from: Address): void;
  /** `from` has no handle any more: it let go of the last, or it ended. Calls of the ended are aborted first. */
  gone?(from: Address): void;
  /** Nobody else has a handle any more, and none is on its way. There may be new ones later. */
  unheld?(): void;
}

/** A reference to an object, on its way to one other process: plain data, to be redeemed once. */
export interface Handle {
  readonly home: Address;
  readonly id: number;
  readonly transit: string;
}

/** This process's own object, as others may get it. */
export interface Offer {
  /** A handle for one receiver. */
  handle(): Handle;
}

/** What {@linkcode Remote.call} takes beside the method. */
export interface CallOptions {
  /** Gives up: the call rejects with its reason, and the service's `signal` is aborted. */
  readonly signal?: AbortSignal;
}

/** An object of another process (or of this one, when its handle came home). */
export interface Remote {
  readonly home: Address;
  readonly id: number;
  /**
   * Calls a method and gives its result. Arguments that are a `Uint8Array` go as raw bytes.
   *
   * @throws {PicklingError} when an argument cannot go to another process: nothing was called.
   * @throws {HomeGoneError} when the process where the object lived has ended.
   * @throws What the method throws.
   */
  call(method: string, args: unknown[], options?: CallOptions): Promise<unknown>;
  /** Calls a method without waiting, in order with the other calls. What it returns or throws is lost. */
  tell(method: string, args: unknown[]): void;
  /** A handle for one more receiver. */
  handle(): Handle;
  /** Lets go. Later calls throw. */
  let(): void;
}

/** The process where an object lived has ended, or it holds the object no longer. */
export class HomeGoneError extends Error {
  static {
    nameIt(this, "HomeGoneError");
  }
}

/** What a frame is. */
export const TAG = {
  CALL: 1,
  TELL: 2,
  ABORT: 3,
  RESULT: 4,
  FAILURE: 5,
  /** The answer of whoever cannot deliver a call: its home has ended, or the caller holds nothing there. */
  NOBODY: 6,
  TRANSIT: 7,
  REDEEM: 8,
  LET: 9,
  /** From neighbour to neighbour: the node of this address has ended, and all below it. */
  GONE: 10,
  /** From neighbour to neighbour: for `onNotes`. */
  NOTE,
  /** A transit will not be redeemed. */
  DISCARD: 12,
} as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

interface Frame {
  readonly tag: number;
  readonly to: Address;
  readonly from: Address;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Services that somebody else holds, or that are on their way to somebody. */
const homes = new Map<number, Home>();
let nextId = 0;

/** A call of ours that waits for its answer. */
interface Pending {
  readonly to: Address;
  readonly link: Link;
  /** Kept: a Remote that is collected lets go. */
  readonly remote: Remote;
  resolve(value: Promise<unknown>): void;
  reject(error: unknown): void;
}

const pending = new Map<number, Pending>();
let nextCall = 0;

/** Links to children by their number, and to threads by `t` and their identifier. */
const children = new Map<string, Link>();
/** To the parent, or from a thread to its main thread. */
let up: Link | undefined;
/** The address by which this thread is a part of the tree now. */
let openAs: Address | undefined;

/** Below `top`, or `top` itself. */
function isUnder(address: Address, top: Address): boolean {
  return address === top || address.startsWith(`${top}/`);
}

/** Takes up the link to the parent, once; in a thread, once for each that its worker is. */
function open(): void {
  if (openAs === address()) return;
  openAs = address();
  if (isMain()) up = whoAmI().up;
  else {
    up = linkUp(import.meta.url);
    ended.add(leaveTree);
  }
  const link = up;
  link?.open((frame) => arrive(read(frame), link, undefined));
}

/** This thread has ended, and with it the node that it was; its worker may go on as another. */
function leaveTree(): void {
  // Nobody is left to be told.
  pending.clear();
  for (const link of children.values()) link.close();
  children.clear();
  up = undefined;
  inboxes.clear();
  // Everybody else is below the top.
  for (const home of [...homes.values()]) home.ended("");
}

/** A frame of another thread: see `FrameTaker`. */
export function takeFrame(frame: Uint8Array<ArrayBuffer>, ident: number): void {
  open();
  // It may have ended since; then that is told next.
  const link = isMain() ? children.get(`t${ident}`) ?? addThread(ident) : up;
  (link as ThreadLink | undefined)?.take(frame);
}

/** A thread of this process has ended: see `FrameTaker`. */
export function threadOver(ident: number): void {
  const link = children.get(`t${ident}`);
  if (link === undefined) return;
  children.delete(`t${ident}`);
  link.close();
  over(`${address()}/t${ident}`, link);
}

/** On the main thread: the link to a thread that others have heard of; `undefined` when there is none, or it has ended. */
function threadLink(part: string): Link | undefined {
  const ident = identIn(part);
  return ident !== undefined && canReach(ident) ? addThread(ident) : undefined;
}

function addThread(ident: number): Link {
  const link = linkDown(ident, import.meta.url);
  const below = `${address()}/t${ident}`;
  children.set(`t${ident}`, link);
  link.open((frame) => arrive(read(frame), link, below));
  return link;
}

/** A child of this process is linked: from now on it is a part of the tree. */
export function attach(number: number, link: Link): void {
  open();
  const below = `${address()}/${number}`;
  children.set(String(number), link);
  link.open((frame) => arrive(read(frame), link, below));
  link.ended.then(() => {
    children.delete(String(number));
    over(below, link);
  });
}

/** Hears what children say to the library itself; see `note` in `_link.ts`. */
export function onNotes(handler: (text: string, from: Address) => void): void {
  onNote = handler;
}

let onNote: (text: string, from: Address) => void = () => {};

function head(tag: number, to: Address, from: Address): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(3 + to.length + from.length);
  bytes[0] = tag;
  bytes[1] = to.length;
  bytes[2] = from.length;
  encoder.encodeInto(to + from, bytes.subarray(3));
  return bytes;
}

function read(bytes: Uint8Array<ArrayBuffer>): Frame & { bytes: Uint8Array<ArrayBuffer> } {
  const middle = 3 + bytes[1];
  const end = middle + bytes[2];
  return {
    tag: bytes[0],
    to: decoder.decode(bytes.subarray(3, middle)),
    from: decoder.decode(bytes.subarray(middle, end)),
    body: bytes.subarray(end),
    bytes,
  };
}

/** The link that leads to an address; `undefined` when the way is broken. */
function way(to: Address): Link | undefined {
  const here = address();
  if (!isUnder(to, here)) return up;
  const [part] = to.slice(here.length + 1).split("/");
  const known = children.get(part);
  return known === undefined && isMain() ? threadLink(part) : known;
}

/** Sends to another node, or to this one. Gives the link that it took. */
function send(tag: number, to: Address, ...body: Uint8Array[]): Link | undefined {
  open();
  const link = way(to);
  link?.send(head(tag, to, address()), ...body);
  return link;
}

/** A frame came in by `link`; `below` is the address of the child there, `undefined` for the parent. */
function arrive(
  frame: Frame & { bytes: Uint8Array<ArrayBuffer> },
  link: Link,
  below: Address | undefined,
): void {
  const { tag, to, from } = frame;
  // Nobody speaks for somebody else.
  if (below === undefined ? isUnder(from, address()) : !isUnder(from, below)) return;
  if (tag === TAG.NOTE) return onNote(decoder.decode(frame.body), from);
  if (tag === TAG.GONE) {
    const dead = decoder.decode(frame.body);
    if (below === undefined || isUnder(dead, below)) over(dead, link);
    return;
  }
  if (to === address()) return handle(frame);
  const next = way(to);
  // Not back to where it came from: that node has gone.
  if (next !== undefined && next !== link) next.send(frame.bytes);
  else if (tag === TAG.CALL) send(TAG.NOBODY, from, frame.body.subarray(0, 4));
}

function handle({ tag, to, from, body }: Frame): void {
  switch (tag) {
    case TAG.CALL:
    case TAG.TELL:
    case TAG.ABORT:
    case TAG.TRANSIT:
    case TAG.REDEEM:
    case TAG.LET:
    case TAG.DISCARD: {
      const home = homes.get(readU32(body, 4));
      if (home !== undefined) return home.take({ tag, to, from, body });
      if (tag === TAG.CALL) send(TAG.NOBODY, from, body.subarray(0, 4));
      return;
    }
    default:
      return answered(tag, readU32(body, 0), from, body.subarray(4));
  }
}

/** A node has ended, and with it all below it; the news came from `source`. */
function over(dead: Address, source: Link): void {
  for (const link of [up, ...children.values()]) {
    if (link !== undefined && link !== source) {
      link.send(head(TAG.GONE, "", address()), encoder.encode(dead));
    }
  }
  for (const [call, { to }] of [...pending]) {
    if (isUnder(to, dead)) answered(TAG.NOBODY, call, to, new Uint8Array());
  }
  // What it had sent comes first.
  const last = [...inboxes].flatMap(([sender, begun]) => isUnder(sender, dead) ? [begun] : []);
  const tell = () => {
    for (const home of [...homes.values()]) home.ended(dead);
  };
  if (last.length === 0) tell();
  else Promise.all(last).then(tell);
}

function answered(tag: number, call: number, from: Address, body: Uint8Array<ArrayBuffer>): void {
  const waiting = pending.get(call);
  if (waiting === undefined || waiting.to !== from && tag !== TAG.NOBODY) return;
  pending.delete(call);
  waiting.link.unref();
  switch (tag) {
    case TAG.RESULT:
      return waiting.resolve(decode(body));
    case TAG.FAILURE:
      return void failureIn(body).then(waiting.reject);
    case TAG.NOBODY:
      return waiting.reject(goneError(waiting.to));
  }
}

async function failureIn(body: Uint8Array<ArrayBuffer>): Promise<unknown> {
  try {
    return await decodeError(await decode(body) as Parcel);
  } catch (error) {
    return error;
  }
}

function goneError(to: Address): HomeGoneError {
  const [, ident] = /\/t(\d+)$/.exec(to) ?? [];
  const what = ident === undefined ? "process" : "thread";
  const who = to === "" ? "the program's first process" : `${what} ${ident ?? to}`;
  return new HomeGoneError(
    `Cannot call an object of ${who}: that ${what} has ended, or holds the object no longer`,
  );
}

// ---- At home -----------------------------------------------------------------------------------------------------------------------

/** What senders have sent and was not begun yet, by sender: decoding may have to import modules, and order is kept. */
const inboxes = new Map<Address, Promise<void>>();

/** Does `act` when all that `from` sent before has been begun: at once, if nothing is waiting and it does not wait itself. */
function after(from: Address, act: () => void | Promise<void>): void {
  const before = inboxes.get(from);
  const begun = before === undefined ? act() : before.then(act);
  if (begun === undefined) return;
  inboxes.set(from, begun);
  begun.then(() => inboxes.get(from) === begun && inboxes.delete(from));
}

/** An offered service, and who holds it. */
class Home implements Offer {
  readonly id = ++nextId;
  readonly service: Service;
  /** How many handles each node has redeemed and not let go. */
  readonly #holders = new Map<Address, number>();
  /** Transits, and who registered them. */
  readonly #transits = new Map<string, Address>();
  /** Transits that were redeemed before they were registered: what the redeemers sent since. */
  readonly #early = new Map<string, { readonly from: Address; readonly frames: Frame[] }>();
  /** Transits that were discarded before they were registered, if they were not redeemed. */
  readonly #discarded = new Set<string>();
  /** Running calls by caller and number. */
  readonly #running = new Map<string, AbortController>();

  constructor(service: Service) {
    this.service = service;
  }

  handle(): Handle {
    open();
    const transit = newTransit();
    this.#transits.set(transit, address());
    homes.set(this.id, this);
    return { home: address(), id: this.id, transit };
  }

  take(frame: Frame): void {
    const { tag, from, body } = frame;
    for (const early of this.#early.values()) {
      if (early.from === from) return void early.frames.push(frame);
    }
    switch (tag) {
      case TAG.TRANSIT:
        return this.#register(decoder.decode(body.subarray(8)), from);
      case TAG.REDEEM:
        return this.#redeem(decoder.decode(body.subarray(8)), from);
      case TAG.DISCARD:
        return this.discard(decoder.decode(body.subarray(8)));
      case TAG.LET:
        // Behind the calls that came before it.
        return void after(from, () => this.let(from, readU32(body, 8)));
      case TAG.ABORT:
        return this.#running.get(`${from} ${readU32(body, 0)}`)?.abort(
          new DOMException("The caller has given up", "AbortError"),
        );
      case TAG.TELL:
      case TAG.CALL:
        return this.#begin(frame);
    }
  }

  #register(transit: string, from: Address): void {
    if (!this.#holders.has(from) || this.#discarded.delete(transit)) return;
    this.#transits.set(transit, from);
    this.#replay(transit);
  }

  #redeem(transit: string, from: Address): void {
    if (this.#transits.delete(transit)) return this.arrive(from);
    const sender = senderOf(transit);
    if (this.#holders.has(sender)) this.#early.set(transit, { from, frames: [] });
    this.#tidy();
  }

  #replay(transit: string): void {
    const early = this.#early.get(transit);
    if (early === undefined) return;
    this.#early.delete(transit);
    if (this.#transits.delete(transit) && early.from !== address()) this.arrive(early.from);
    for (const frame of early.frames) this.take(frame);
  }

  arrive(from: Address): void {
    const count = this.#holders.get(from) ?? 0;
    this.#holders.set(from, count + 1);
    if (count === 0) this.service.arrived?.(from);
  }

  /** Takes a transit that came back to its home. */
  comeHome(transit: string): void {
    if (!this.#transits.delete(transit) && this.#holders.has(senderOf(transit))) {
      // Its registration is still on the way, and to be forgotten when it comes.
      this.#early.set(transit, { from: address(), frames: [] });
    }
    this.#tidy();
  }

  /** A transit will not be redeemed, unless it has been. */
  discard(transit: string): void {
    const sender = senderOf(transit);
    if (!this.#transits.delete(transit) && sender !== address() && this.#holders.has(sender)) {
      this.#discarded.add(transit);
    }
    this.#tidy();
  }

  let(from: Address, count: number): void {
    const left = (this.#holders.get(from) ?? 0) - count;
    if (left > 0) this.#holders.set(from, left);
    else if (this.#holders.delete(from)) this.service.gone?.(from);
    this.#tidy();
  }

  ended(dead: Address): void {
    for (const [key, controller] of [...this.#running]) {
      if (!isUnder(key.slice(0, key.lastIndexOf(" ")), dead)) continue;
      controller.abort(new DOMException("The caller has ended", "AbortError"));
    }
    for (const [transit, early] of [...this.#early]) {
      if (isUnder(early.from, dead)) this.#early.delete(transit);
      else if (isUnder(senderOf(transit), dead)) this.#replay(transit);
    }
    for (const [transit, from] of [...this.#transits]) {
      if (isUnder(from, dead)) this.#transits.delete(transit);
    }
    for (const from of [...this.#holders.keys()]) {
      if (isUnder(from, dead) && this.#holders.delete(from)) this.service.gone?.(from);
    }
    this.#tidy();
  }

  /** Nobody holds it: it may be collected here. */
  #tidy(): void {
    if (this.#holders.size + this.#transits.size + this.#early.size > 0) return;
    this.#discarded.clear();
    if (homes.delete(this.id)) this.service.unheld?.();
  }

  #begin({ tag, from, body }: Frame): void {
    const call = readU32(body, 0);
    if (!this.#holders.has(from)) {
      if (tag === TAG.CALL) send(TAG.NOBODY, from, body.subarray(0, 4));
      return;
    }
    if (tag === TAG.TELL && this.service.hear !== undefined && !inboxes.has(from)) {
      const told = readBytes(body.subarray(8));
      if (told !== undefined) return this.service.hear(told.method, told.bytes);
    }
    const controller = new AbortController();
    const key = `${from} ${call}`;
    if (tag === TAG.CALL) this.#running.set(key, controller);
    after(from, async () => {
      let result: unknown;
      try {
        const [method, args] = await readCall(body.subarray(8));
        result = this.service.call(method, args, from, controller.signal);
      } catch (error) {
        result = Promise.reject(error);
      }
      // Not awaited here: the next may begin.
      this.#answer(tag, key, call, from, result);
    });
  }

  async #answer(
    tag: number,
    key: string,
    call: number,
    from: Address,
    result: unknown,
  ): Promise<void> {
    let answer: Uint8Array;
    let kind: number = TAG.RESULT;
    try {
      answer = encode(await result, "return", this.#answer, { root: "result" });
    } catch (error) {
      kind = TAG.FAILURE;
      answer = encode(encodeError(error), "throw", this.#answer);
    }
    if (tag !== TAG.CALL) return;
    this.#running.delete(key);
    send(kind, from, u32(call), answer);
  }
}

/** Makes a service of this process callable. It is kept while somebody else has a handle; otherwise, who offered it has to keep it. */
export function offer(service: Service): Offer {
  return new Home(service);
}

/** The service that a handle means, if this process is its home and somebody could still have it; the handle is used up. */
export function cameHome(handle: Handle): Service | undefined {
  if (handle.home !== address()) return undefined;
  const home = homes.get(handle.id);
  home?.comeHome(handle.transit);
  return home?.service;
}

/** The handle will not arrive, unless it has: nothing is on its way any more. Whoever has it may say so. */
export function discardHandle({ home, id, transit }: Handle): void {
  if (home === address()) homes.get(id)?.discard(transit);
  else send(TAG.DISCARD, home, u32(0), u32(id), encoder.encode(transit));
}

let transits = 0;

/** Says who made it, and cannot be guessed. */
function newTransit(): string {
  const [a, b] = crypto.getRandomValues(new Uint32Array(2));
  return `${address()}!${++transits}.${a.toString(36)}${b.toString(36)}`;
}

function senderOf(transit: string): Address {
  return transit.slice(0, transit.indexOf("!"));
}

// ---- Far away ----------------------------------------------------------------------------------------------------------------------

/** What a node has of an object elsewhere. */
interface Hold {
  readonly home: Address;
  readonly id: number;
  /** The node. */
  readonly holder: Address;
}

const forgotten = new FinalizationRegistry<Hold>(letGo);

function letGo({ home, id, holder }: Hold): void {
  // What an earlier thread of this worker held was let go at its end.
  if (holder === address()) send(TAG.LET, home, u32(0), u32(id), u32(1));
}

/** The object of a handle; each handle is redeemed once. */
export function redeem(handle: Handle): Remote {
  const { home, id, transit } = handle;
  if (home === address()) return new Near(handle);
  send(TAG.REDEEM, home, u32(0), u32(id), encoder.encode(transit));
  return new Far(home, id);
}

class Far implements Remote {
  readonly home: Address;
  readonly id: number;
  readonly holder: Address = address();
  #held = true;

  constructor(home: Address, id: number) {
    this.home = home;
    this.id = id;
    const { holder } = this;
    forgotten.register(this, { home, id, holder }, this);
  }

  async call(method: string, args: unknown[], options?: CallOptions): Promise<unknown> {
    this.#mustHold();
    const { home, id } = this;
    const signal = options?.signal;
    signal?.throwIfAborted();
    const body = writeCall(method, args, this.call);
    const call = nextCall = (nextCall + 1) >>> 0;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const link = send(TAG.CALL, home, u32(call), u32(id), ...body);
    if (link === undefined) throw goneError(home);
    pending.set(call, { to: home, link, remote: this, resolve, reject });
    link.ref();
    if (signal === undefined) return await promise;
    const abort = () => {
      if (!pending.delete(call)) return;
      link.unref();
      send(TAG.ABORT, home, u32(call), u32(id));
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  tell(method: string, args: unknown[]): void {
    this.#mustHold();
    send(TAG.TELL, this.home, u32(0), u32(this.id), ...writeCall(method, args, this.tell));
  }

  handle(): Handle {
    this.#mustHold();
    const transit = newTransit();
    send(TAG.TRANSIT, this.home, u32(0), u32(this.id), encoder.encode(transit));
    return { home: this.home, id: this.id, transit };
  }

  let(): void {
    if (!this.#held) return;
    this.#held = false;
    forgotten.unregister(this);
    letGo(this);
  }

  #mustHold(): void {
    if (!this.#held) throw new Error("Cannot call an object of another process: it was let go");
    if (this.holder === address()) return;
    throw new Error(
      "Cannot call an object of another process: the thread that had received it has ended",
    );
  }
}

/** A handle that came home. */
class Near implements Remote {
  readonly home: Address;
  readonly id: number;
  #object: Home | undefined;

  constructor({ home, id, transit }: Handle) {
    this.home = home;
    this.id = id;
    this.#object = homes.get(id);
    this.#object?.arrive(home);
    this.#object?.comeHome(transit);
  }

  async call(method: string, args: unknown[], options?: CallOptions): Promise<unknown> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    const controller = new AbortController();
    const result = this.#service().call(method, args, this.home, controller.signal);
    if (signal === undefined) return await result;
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = () => {
      controller.abort(signal.reason);
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([result, promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  tell(method: string, args: unknown[]): void {
    const service = this.#service();
    (async () => await service.call(method, args, this.home, new AbortController().signal))()
      .catch(() => {});
  }

  handle(): Handle {
    this.#service();
    return this.#object!.handle();
  }

  let(): void {
    this.#object?.let(this.home, 1);
    this.#object = undefined;
  }

  #service(): Service {
    if (this.#object === undefined) throw goneError(this.home);
    return this.#object.service;
  }
}

// ---- A call on the wire: how many parts, the method, and the arguments; each with its length -----------------------------------------

/** All arguments in one part, but for those that are bytes: each of them, and its like, in a part of its own. */
function writeCall(
  method: string,
  args: unknown[],
  door: (...args: never[]) => unknown,
): Uint8Array[] {
  const name = encoder.encode(method);
  const apart = args.some((arg) => arg instanceof Uint8Array);
  const list = apart
    ? args.map((arg, i) => encode(arg, `call ${method} with`, door, { root: `args[${i}]` }))
    : [encode(args, `call ${method} with`, door, { root: "args" })];
  const parts: Uint8Array[] = [Uint8Array.of(apart ? 1 : 0, name.length), name];
  for (const part of list) parts.push(u32(part.length), part);
  return parts;
}

async function readCall(body: Uint8Array): Promise<[method: string, args: unknown[]]> {
  const apart = body[0] === 1;
  let at = 2 + body[1];
  const method = decoder.decode(body.subarray(2, at));
  const list: unknown[] = [];
  while (at < body.length) {
    const length = readU32(body, at);
    list.push(await decode(body.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return [method, apart ? list : list[0] as unknown[]];
}

/** A call whose one argument is bytes. */
function readBytes(
  body: Uint8Array,
): { method: string; bytes: Uint8Array<ArrayBuffer> } | undefined {
  const at = 2 + body[1];
  if (body[0] !== 1 || at + 4 + readU32(body, at) !== body.length) return undefined;
  const bytes = decodeSync(body.subarray(at + 4));
  if (!(bytes instanceof Uint8Array)) return undefined;
  return { method: decoder.decode(body.subarray(2, at)), bytes: bytes as Uint8Array<ArrayBuffer> };
}
