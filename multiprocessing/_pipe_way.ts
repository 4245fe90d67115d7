/**
 * One direction of a pipe: messages in a ring (`_ring.ts`), those who send and those who receive.
 *
 * With `--allow-ffi` the ring lies in memory that the holders of both ends map, and messages go from one to the other without anybody
 * between them; else it is the home's own.
 *
 * Words before those of the ring:
 *
 * | word    | meaning                                                                   | who changes it         |
 * | ------- | ------------------------------------------------------------------------- | ---------------------- |
 * | LOCK    | held for one operation of the ring                                        | anybody                |
 * | ITEMS   | changes when a message came, or the end, while somebody waited            | anybody                |
 * | GETTERS | how many wait for messages                                                | they                   |
 * | ROOM    | changes when a message went, or all readers, while somebody waited        | anybody                |
 * | SENDERS | how many wait for room                                                    | they                   |
 * | ENDED   | 1: nobody can send any more                                               | the home; who finds it |
 * | BROKEN  | 1: nobody can receive any more                                            | gone                   |
 * | HOME    | the thread that made the pipe                                             | nobody                 |
 * | START   | of `_queue_memory.ts`                                                     | nobody                 |
 * | READERS | how many hold the reading end, or more: who is killed is still counted  | they                   |
 * | WRITERS | the same for the writing end                                             | they                   |
 * | LONGEST | of the messages that were received, in bytes                              | who receives           |
 * | SERVED  | how many wait at the home without the operating system (`_pipe_line.ts`)  | the home               |
 *
 * Guarantees
 * - A message is put in and taken out whole, whoever is killed meanwhile. It is put in at the call: what was given to send is delivered
 *   though its sender closes its end, or ends.
 * - A send is over when no more than {@linkcode CAPACITY} bytes are waiting up to its own last one, or as many as the longest message had
 *   that was received, up to {@linkcode MOST}: so the next of several long messages is put in while one is taken out. Until then it
 *   waits, and so should who sends: the ring takes what it is given, and grows for it. It becomes small again when it is empty.
 * - After ENDED, what is left can be received; the flag is set after the last message, and looked at before the ring is found empty.
 * - The home decides when nobody holds an end any more. Where the counts tell the last holder the same, he says so himself: who hears of
 *   his letting go by another way finds it done.
 * - When the home has ended, that is found out within a slice of `_sync_waiting.ts` by who waits.
 * - Calls that wait for the same in one thread are served in the order they came.
 *
 * @module
 */
import type { PlaceHandle } from "./_arena.ts";
import { broken, ended, type Take } from "./_channel.ts";
import { tooLong } from "./_inbox.ts";
import { lookOut, paced } from "./_pace.ts";
import { Line } from "./_pipe_line.ts";
import { type Bed, makeBed, OwnPages, reviveBed } from "./_queue_memory.ts";
import { Ring, RING_WORDS } from "./_ring.ts";
import { Guard, NONE, type Wish } from "./_ring_guard.ts";
import { reduceSeat } from "./_sync_seat.ts";
import { ALL } from "./_sync_steps.ts";
import { isAwaited, isWaiting, runAsync, runSync } from "./_sync_waiting.ts";
import { discardEncoded, FOREVER, hasObjects, type Limit, now } from "../threading/_core/mod.ts";
import { hasPlatform, resizes } from "../threading/_core/platform/mod.ts";

const LOCK = 1;
const ITEMS = 2;
const GETTERS = 3;
const ROOM = 4;
const SENDERS = 5;
const ENDED = 6;
const BROKEN = 7;
const HOME = 8;
const SERVED = 10;
const READERS = 11;
const WRITERS = 12;
const LONGEST = 13;

/** How many bytes wait in one direction before senders wait: about as many as in a pipe of the kernel. */
const CAPACITY = 256 * 1024;
/** The same where messages are long. */
const MOST = 4 * 1024 * 1024;

/** How long the home is believed to live without a look, in milliseconds. */
const BELIEF = 100;

/** A result that may take its time. */
export type Later<T> = T | Promise<T>;

/** Whether messages can lie where other processes reach them. */
export function canShare(): boolean {
  return hasPlatform() && resizes;
}

/** See the head of this file. */
export class Way {
  readonly #words: Int32Array;
  readonly #ring: Ring;
  /** Of memory that is shared. */
  readonly #guard: Guard | undefined;
  /** What the words are known by elsewhere. */
  #handle: PlaceHandle | undefined;
  readonly #bed: Bed | undefined;
  readonly #isHome: boolean;
  readonly #tellHome: () => void;
  /** Those who wait at the home without the operating system: whoever it serves, and itself as long as nothing has travelled. */
  readonly #receivers = new Line((change) => this.#serve(change));
  readonly #senders = new Line((change) => this.#serve(change));
  readonly #isReady = (): boolean => this.#ring.size > 0 || this.#is(ENDED);
  #believed = 0;
  /** Whether anybody elsewhere can do what is waited for here. */
  travelled = false;
  /** The other direction of the same pipe, where it came from its home. */
  sibling: Way | undefined;

  private constructor(bed: Bed | undefined, handle?: PlaceHandle, tellHome?: () => void) {
    this.#bed = bed;
    this.#handle = handle;
    this.#isHome = handle === undefined;
    this.travelled = !this.#isHome;
    this.#tellHome = tellHome ?? (() => this.look());
    const { seat } = bed ?? {};
    this.#words = seat?.words ?? new Int32Array(RING_WORDS);
    this.#guard = seat === undefined ? undefined : new Guard(seat, LOCK);
    this.#ring = new Ring(this.#words, bed?.memory ?? new OwnPages());
  }

  /** A new one, whose home this is. */
  static make(): Way {
    const way = new Way(canShare() ? makeBed("make a Pipe") : undefined);
    way.#ring.begin();
    if (way.#bed !== undefined) way.#words[HOME] = way.#bed.seat.me;
    return way;
  }

  /** One that came from its home, which hears of `tellHome` when it has to look. */
  static revive(handle: PlaceHandle, tellHome: () => void): Way {
    return new Way(reviveBed(handle, "receive an end of a Pipe"), handle, tellHome);
  }

  /** The words as data, if others can map them: for any number of receivers while the home keeps this. */
  reduce(): PlaceHandle | undefined {
    if (this.#bed === undefined || this.#handle !== undefined) return this.#handle;
    this.#handle = reduceSeat(this.#bed.seat);
    // It has arrived: what keeps the words is the home, and not that a handle is on its way.
    if (this.#handle !== undefined) reviveBed(this.#handle, "send an end of a Pipe");
    return this.#handle;
  }

  /** Whether receiving would not wait. */
  get ready(): boolean {
    if (this.#isReady()) return true;
    if (this.#isHome || now() - this.#believed < BELIEF) return false;
    this.#believed = now();
    this.#lookAfterHome();
    return this.#is(ENDED);
  }

  /**
   * Puts a message in, which begins with `head`, if any; they are copied. Resolves when there was room for it.
   *
   * @throws {Deno.errors.BrokenPipe} when nobody can receive it any more.
   */
  send(message: Uint8Array, head?: Uint8Array): Later<void> {
    const mark = this.#push(message, head);
    if (this.#isAdmitted(mark)) return paced(undefined);
    const wish = this.#admission(mark);
    if (this.#soon(wish) !== NONE) return paced(undefined);
    return this.#wait(wish, FOREVER, this.#senders, false) as Promise<unknown> as Promise<void>;
  }

  /**
   * Takes the next message out, and gives what `take` makes of it.
   *
   * @throws {EOFError} when there is none and nobody can send any more.
   * @throws {Deno.errors.InvalidData} when it has more than `longest` bytes; it is gone.
   * @throws The reason of the signal.
   */
  receive<R>(longest: number, take: Take<R>, signal: AbortSignal): Later<R> {
    const wish = this.#reception(longest, take);
    if (this.#isFirst) {
      let got = wish.attempt();
      if (got === NONE) got = this.#soon(wish);
      if (got !== NONE) return paced(got);
    }
    const limit = { deadline: Infinity, signal };
    return this.#wait(wish, limit, this.#receivers, true) as Promise<R>;
  }

  /**
   * Whether receiving would not wait, at once or within the limit.
   *
   * @throws The reason of the signal.
   */
  poll(limit: Limit): Later<boolean> {
    if (this.ready) return paced(true);
    if (limit.deadline === -Infinity) return paced(false);
    const wish = this.#arrival();
    if (this.#soon(wish) !== NONE) return paced(true);
    return this.#wait(wish, limit, this.#receivers, true).then((got) => got !== NONE);
  }

  /** {@linkcode Way.send} for somebody who waits for the answer elsewhere; nothing here is held open. At the home. */
  async sendFor(message: Uint8Array, signal: AbortSignal): Promise<void> {
    const mark = this.#push(message);
    await this.#senders.wait(this.#admission(mark).attempt, { deadline: Infinity, signal });
  }

  /** {@linkcode Way.receive} in the same way. */
  async receiveFor<R>(longest: number, take: Take<R>, signal: AbortSignal): Promise<R> {
    const { attempt } = this.#reception(longest, take);
    return await this.#receivers.wait(attempt, { deadline: Infinity, signal }) as R;
  }

  /** {@linkcode Way.poll} in the same way. */
  async pollFor(signal: AbortSignal): Promise<boolean> {
    const { attempt } = this.#arrival();
    return await this.#receivers.wait(attempt, { deadline: Infinity, signal }) === true;
  }

  /** One more holds an end, or will when it arrives. */
  hold(end: "reading" | "writing"): void {
    Atomics.add(this.#words, end === "reading" ? READERS : WRITERS, 1);
  }

  /** One less holds it. */
  let(end: "reading" | "writing"): void {
    const left = Atomics.sub(this.#words, end === "reading" ? READERS : WRITERS, 1) - 1;
    if (left > 0) return;
    if (end === "reading") this.breakOff();
    else this.end();
  }

  /** Nobody can send any more. */
  end(): void {
    Atomics.store(this.#words, ENDED, 1);
    this.#guard?.tell(GETTERS, ITEMS, ALL);
    this.#changed();
  }

  /** Nobody can receive any more: what was not is gone. */
  breakOff(): void {
    Atomics.store(this.#words, BROKEN, 1);
    const unread: Uint8Array[] = [];
    this.#guard?.take();
    try {
      this.#ring.clear((message) => {
        if (hasObjects(message)) unread.push(message.slice());
      });
    } finally {
      this.#guard?.give();
    }
    for (const message of unread) discardEncoded(message);
    this.#guard?.tell(SENDERS, ROOM, ALL);
    this.#changed();
  }

  /** Something may have happened for those who wait at the home. */
  look(): void {
    this.#receivers.look();
    this.#senders.look();
  }

  #is(flag: number): boolean {
    return Atomics.load(this.#words, flag) !== 0;
  }

  #isAdmitted(mark: number): boolean {
    const waiting = ((mark - this.#ring.taken) | 0) * Ring.UNIT;
    return waiting <= CAPACITY || waiting <= Atomics.load(this.#words, LONGEST) + Ring.UNIT;
  }

  #push(message: Uint8Array, head?: Uint8Array): number {
    if (this.#is(BROKEN)) throw broken();
    let mark: number;
    this.#guard?.take();
    try {
      this.#ring.push(message, false, head);
      mark = this.#ring.mark;
    } finally {
      this.#guard?.give();
    }
    this.#guard?.tell(GETTERS, ITEMS, 1);
    this.#changed();
    return mark;
  }

  /** A message of that mark has room. */
  #admission(mark: number): Wish<true> {
    return {
      word: ROOM,
      counter: SENDERS,
      attempt: () => {
        if (this.#isAdmitted(mark)) return true;
        if (this.#is(BROKEN)) throw broken();
        return NONE;
      },
      // Each waits for something of its own: all are woken.
      more: () => false,
      idle: () => this.#lookAfterHome(),
    };
  }

  /** A message is received, or the end. */
  #reception<R>(longest: number, take: Take<R>): Wish<R> {
    return {
      word: ITEMS,
      counter: GETTERS,
      attempt: () => this.#receive(longest, take),
      more: this.#isReady,
      idle: () => this.#lookAfterHome(),
    };
  }

  /** There is something to receive. */
  #arrival(): Wish<true> {
    return {
      word: ITEMS,
      counter: GETTERS,
      attempt: () => this.#isReady() || NONE,
      more: this.#isReady,
      idle: () => this.#lookAfterHome(),
    };
  }

  #receive<R>(longest: number, take: Take<R>): R | typeof NONE {
    // Before the ring: see the head of this file.
    const isEnded = this.#is(ENDED);
    const message = this.#ring.size > 0 ? this.#pop(take.own) : undefined;
    if (message === undefined) {
      if (isEnded) throw ended();
      return NONE;
    }
    this.#guard?.tell(SENDERS, ROOM, ALL);
    this.#changed();
    if (message.length > longest) throw tooLong(message.length, longest);
    return take.open(message);
  }

  #pop(own: boolean): Uint8Array<ArrayBuffer> | undefined {
    this.#guard?.take();
    try {
      const message = this.#ring.pop(own);
      const length = Math.min(message?.length ?? 0, MOST);
      if (length > this.#words[LONGEST]) Atomics.store(this.#words, LONGEST, length);
      return message;
    } finally {
      this.#guard?.give();
    }
  }

  /** Does what is wished for if another process makes it possible right now. */
  #soon<R>(wish: Wish<R>): R | typeof NONE {
    const guard = this.#guard;
    if (guard === undefined || !this.travelled) return NONE;
    let got: R | typeof NONE = NONE;
    const happened = () => (got = wish.attempt()) !== NONE;
    const nap = (deadline: number) =>
      (got = runSync(guard.waiting(wish, { deadline, signal: undefined }))) !== NONE;
    // Others would wait as long as this one.
    lookOut(happened, isWaiting() ? undefined : nap);
    return got;
  }

  /** Whether nobody of this thread waits for messages. */
  get #isFirst(): boolean {
    return this.#receivers.isEmpty &&
      (this.#guard === undefined || !isAwaited(this.#guard.seat, ITEMS));
  }

  /**
   * Waits in the operating system; or in line, where nothing is shared, or nobody else has anything of the pipe yet, or others wait there
   * already.
   */
  #wait<R>(wish: Wish<R>, limit: Limit, line: Line, inOrder: boolean): Promise<R | typeof NONE> {
    const guard = this.#guard;
    if (guard === undefined || !this.travelled || !line.isEmpty) {
      const waiting = line.wait(wish.attempt, limit);
      return this.travelled ? holdOpen(waiting) : waiting;
    }
    const place = inOrder ? { seat: guard.seat, at: wish.word, limit } : undefined;
    return Promise.resolve(runAsync(guard.waiting(wish, limit), place));
  }

  /** One more or less waits at the home. */
  #serve(change: 1 | -1): void {
    Atomics.add(this.#words, SERVED, change);
  }

  #changed(): void {
    if (Atomics.load(this.#words, SERVED) > 0) this.#tellHome();
  }

  /** Has the home ended, the pipe has ended for everybody. */
  #lookAfterHome(): void {
    if (this.#isHome || !this.#guard!.seat.ground.isGone(this.#words[HOME])) return;
    this.#endAll();
    if (this.sibling !== undefined) this.sibling.#endAll();
  }

  #endAll(): void {
    for (const flag of [ENDED, BROKEN]) Atomics.store(this.#words, flag, 1);
    this.#guard!.tell(GETTERS, ITEMS, ALL);
    this.#guard!.tell(SENDERS, ROOM, ALL);
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
