/**
 * The memory that a pool shares with its workers: calls on their way there, and what becomes of them on the way back.
 *
 * Each call has a *block*, in which its arguments lie, and later its result. The thread that has the pool makes blocks and frees them;
 * a block is named by the index of its first word.
 * - There: the owner writes a block, then its name into a ring of names, then adds 1 to `TAIL`. A worker reads a name at `HEAD` and
 *   then moves `HEAD` on by compare-exchange: only then the block is its own. A ring that is too small is left for one of twice the
 *   size, with the names in it copied, and never written again: a worker that still reads there fails at `HEAD`, or reads the truth.
 * - Back: the worker writes the result over the arguments and links the block into the stack `ANSWERS`. The owner takes the whole
 *   stack at once.
 * So nobody ever waits for another here, and a worker that is killed between any two steps has taken a call and done nothing else.
 *
 * Who has nothing to do looks around for a moment, then takes some short naps, and then sleeps, on a semaphore:
 * 1. One worker at a time looks (`LOOKING`). It ends that before it takes a block, and before it looks for the last time.
 * 2. A worker that is going to sleep adds 1 to `PARKED`, then looks once more. If there is something, it takes its 1 back; if somebody
 *    was faster, a permit is on its way, and is taken too.
 * 3. The owner adds to `TAIL`, then reads `LOOKING`, then takes 1 from `PARKED` and releases a permit: unless there is just that one
 *    block, and somebody who looks.
 *
 * To wake a worker costs the owner as much as ten short calls. So it does not where calls are short and one worker is awake, if another
 * naps (`NAPPING`): that one looks by itself within {@linkcode NAP}, whatever the one that is awake has come upon.
 * 1. A worker adds 1 to `NAPPING`, then looks, then naps; afterwards it takes its 1 back, and then looks again.
 * 2. The owner adds to `TAIL`, then reads `NAPPING`. If that is not 0, whoever naps has not looked for the last time yet.
 * A nap that a wake-up ends is a sleep as any other. It blocks the worker, so its event loop has a turn after each.
 *
 * `tests/model/pool_hand_off_test.ts` has all this once more, step by step, and tries the orders of the steps: change them together.
 *
 * @module
 */
import type { Views } from "../queue/_compact.ts";
import { Semaphore } from "../threading/mod.ts";
import { commonNow } from "./_protocol.ts";

// Words of the header, each far from the others: they are written by different threads.
const HEAD = 16;
const TAIL = 32;
/** Where the ring lies: its length less 1, and the names. */
const RING = 33;
/** 0; {@linkcode AT_END}: the workers end when the ring is empty; {@linkcode AT_ONCE}. */
const SHUT = 34;
const ANSWERS = 48;
const LOOKING = 64;
/** How long the next worker looks, in microseconds, and when, on the common clock, the last one gave up: a double. */
const MOMENT = 66;
const GAVE_UP = 68;
const PARKED = 80;
/** How many of these nap. */
const NAPPING = 81;
/** Workers that are not among these. */
const AWAKE = 82;
const HEADER = 96;

/** The workers end when there are no more blocks. */
export const AT_END = 1;
/** The workers take no more blocks. */
export const AT_ONCE = 2;

/** Words of a block: how the call stands; see _protocol.ts. */
export const B_STATE = 0;
/** The next of the answers. */
export const B_NEXT = 1;
/** Bytes that its payload may have. Never changes. */
export const B_ROOM = 2;
/** The owner's number of the call, which is used again, and one that is not. */
export const B_INDEX = 3;
export const B_SERIAL = 4;
/** What the payload is; see _payload.ts. */
export const B_FORM = 5;
export const B_COUNT = 6;
/** Bytes of the payload. */
export const B_LENGTH = 7;
export const B_HEAD = 8;
/** The number of the function's deposit. */
export const B_KEY = 9;
/** Of a chunk of `map`, how many arguments each call has; 0 for a single call. */
export const B_CHUNK = 10;
/** Whether the owner wants to know when the call starts; then {@linkcode CALLED}, and how many milliseconds later it was. */
export const B_WATCH = 11;
/** In place of the last two: how long it ran in milliseconds, as a double. */
export const B_RAN = 10;
const BLOCK = 12;
/** In `B_WATCH`: the owner wants to know. */
export const WATCHED = 1;
/** The function was called. Before that the worker imports what the call needs. */
export const CALLED = 2;

const FIRST_BYTES = 64 * 1024;
/** Address space. Memory costs what was written to. */
const MOST_BYTES = 2 ** 30;
/** Bytes of the smallest block. */
const SMALLEST = 64;
const FIRST_NAMES = 256;
/** Bytes in use above which payloads that are not small go another way. */
const CROWDED = 64 * 1024 * 1024;
const SMALL = 4096;
/** Bytes of the largest payload. */
const LARGEST = 4 * 1024 * 1024;

/** Milliseconds of work that are worth waking a worker for, when there is one that does it, and one that looks soon. */
const WORTH = 0.1;

/** What a worker needs of a ring. */
export interface RingEnds {
  readonly buffer: SharedArrayBuffer;
  /** Where workers sleep. */
  readonly parked: Semaphore;
}

/** One thread's views of the memory, of fixed length: twice as fast as those that follow it when it grows. */
class Side implements Views {
  readonly ends: RingEnds;
  words!: Int32Array;
  doubles!: Float64Array;
  bytes!: Uint8Array;
  view!: DataView;

  constructor(ends: RingEnds) {
    this.ends = ends;
    this.look();
  }

  protected look(): void {
    const { buffer } = this.ends;
    const { byteLength } = buffer;
    this.words = new Int32Array(buffer, 0, byteLength >> 2);
    this.doubles = new Float64Array(buffer, 0, byteLength >> 3);
    this.bytes = new Uint8Array(buffer, 0, byteLength);
    this.view = new DataView(buffer, 0, byteLength);
  }

  /** Where the payload of a block begins, in bytes. */
  payload(block: number): number {
    return (block + BLOCK) << 2;
  }

  /** Whether no block waits. */
  get empty(): boolean {
    return Atomics.load(this.words, HEAD) === Atomics.load(this.words, TAIL);
  }

  get shut(): number {
    return Atomics.load(this.words, SHUT);
  }
}

/** The side of the thread that has the pool. */
export class Ring extends Side {
  #top = HEADER;
  /** Bytes in blocks that are in use. */
  #used = 0;
  /** Free blocks, by the power of two of their size. */
  readonly #free: number[][] = [];
  /** How long calls take of late, in milliseconds. */
  #usual = Infinity;
  /** Answers that were taken off the stack and not handled, linked. */
  #taken = 0;

  constructor() {
    super({
      buffer: new SharedArrayBuffer(FIRST_BYTES, { maxByteLength: MOST_BYTES }),
      parked: new Semaphore(0),
    });
    this.words[RING] = this.#newNames(FIRST_NAMES);
    this.words[MOMENT] = MOST / 8;
  }

  #take(bytes: number): number {
    const at = this.#top;
    const end = (at << 2) + bytes;
    if (end > this.bytes.length) {
      let larger = this.bytes.length;
      while (larger < end) larger *= 2;
      if (larger > MOST_BYTES) {
        throw new RangeError(
          `Cannot submit: the calls that wait take ${
            MOST_BYTES / 2 ** 20
          } MiB already; submit fewer at a time, or use map with a buffersize`,
        );
      }
      this.ends.buffer.grow(larger);
      this.look();
    }
    this.#top = at + (bytes >> 2);
    return at;
  }

  #newNames(count: number): number {
    const at = this.#take((count + 16) << 2);
    this.words[at] = count - 1;
    return at;
  }

  /** Whether a payload of so many bytes may lie here. */
  takes(bytes: number): boolean {
    return bytes <= SMALL || (bytes <= LARGEST && this.#used < CROWDED);
  }

  /**
   * A block with room for so many bytes.
   *
   * @throws {RangeError} when the memory is full.
   */
  make(bytes: number): number {
    const size = Math.max(SMALLEST, bytes + (BLOCK << 2));
    const power = 32 - Math.clz32(size - 1);
    const block = this.#free[power]?.pop() ?? this.#take(1 << power);
    this.words[block + B_ROOM] = (1 << power) - (BLOCK << 2);
    this.#used += 1 << power;
    return block;
  }

  /** Nobody knows the block any more. */
  free(block: number): void {
    const size = this.words[block + B_ROOM] + (BLOCK << 2);
    this.#used -= size;
    (this.#free[31 - Math.clz32(size)] ??= []).push(block);
  }

  /** Hands a block to the workers. */
  publish(block: number): void {
    const tail = this.words[TAIL];
    const waiting = tail - Atomics.load(this.words, HEAD) | 0;
    if (waiting > this.words[this.words[RING]]) this.#widen(tail, waiting);
    const { words } = this;
    const ring = words[RING];
    words[ring + 1 + (tail & words[ring])] = block;
    Atomics.store(words, TAIL, tail + 1 | 0);
    const left = tail + 1 - Atomics.load(words, HEAD) | 0;
    if (left === 1 && Atomics.load(words, LOOKING) !== 0) return;
    if (
      left * this.#usual < WORTH && Atomics.load(words, NAPPING) > 0 &&
      Atomics.load(words, AWAKE) > 0
    ) return;
    this.#wake();
  }

  #widen(tail: number, waiting: number): void {
    const old = this.words[RING];
    const wide = this.#newNames((this.words[old] + 1) * 2);
    const { words } = this;
    for (let i = tail - waiting | 0; i !== tail; i = i + 1 | 0) {
      words[wide + 1 + (i & words[wide])] = words[old + 1 + (i & words[old])];
    }
    Atomics.store(words, RING, wide);
  }

  /** Wakes a worker; `false` when none sleeps. */
  #wake(): boolean {
    if (!unpark(this.words)) return false;
    this.ends.parked.release();
    return true;
  }

  /** The workers are to end. */
  shutDown(how: typeof AT_END | typeof AT_ONCE): void {
    if (this.shut < how) Atomics.store(this.words, SHUT, how);
    while (this.#wake());
  }

  /** Whether there are answers. */
  get answered(): boolean {
    return this.#taken !== 0 || Atomics.load(this.words, ANSWERS) !== 0;
  }

  /** Takes what there is off the stack, the oldest first; for {@linkcode nextAnswer}. */
  takeAnswers(): void {
    if (this.#taken !== 0) return;
    const { words } = this;
    for (let block = Atomics.exchange(words, ANSWERS, 0); block !== 0;) {
      const next = words[block + B_NEXT];
      words[block + B_NEXT] = this.#taken;
      this.#taken = block;
      block = next;
    }
  }

  /** The next of the answers that were taken; 0 when there is none. */
  nextAnswer(): number {
    const block = this.#taken;
    if (block !== 0) this.#taken = this.words[block + B_NEXT];
    return block;
  }

  /** A worker has died in the middle of a call. */
  lost(): void {
    Atomics.sub(this.words, AWAKE, 1);
  }

  /** A call has run for so long. */
  learn(ran: number): void {
    this.#usual = this.#usual === Infinity ? ran : this.#usual + (ran - this.#usual) / 16;
  }
}

/**
 * How long a worker looks around before it sleeps, in microseconds: twice as long when a block comes soon after the last one gave up,
 * since the other side may have had to be woken itself; half as long when it comes later.
 */
const MOST = 400;
const LEAST = 5;
/** Milliseconds. */
const SOON = 1;

/** Milliseconds of a nap, and how many there are before a worker sleeps for good. */
const NAP = 1;
const NAPS = 8;

/** The side of a worker. */
export class WorkerSide extends Side {
  readonly #mark: number;
  readonly #naps: number;
  /** How many turns the event loop has had here. */
  turns = 0;

  /** `mark` is not 0, and another for each worker; `naps`: whether it may block for a moment. */
  constructor(ends: RingEnds, mark: number, naps: boolean) {
    super(ends);
    this.#mark = mark;
    this.#naps = naps ? NAPS : 0;
  }

  /** Takes a block, 0 when none waits. */
  takeNow(): number {
    for (;;) {
      if (this.shut === AT_ONCE) return 0;
      const head = Atomics.load(this.words, HEAD);
      if (head === Atomics.load(this.words, TAIL)) return 0;
      const ring = Atomics.load(this.words, RING);
      if (ring >= this.words.length || ring + this.words[ring] + 1 >= this.words.length) {
        this.look();
      }
      const { words } = this;
      const block = words[ring + 1 + (head & words[ring])];
      if (Atomics.compareExchange(words, HEAD, head, head + 1 | 0) !== head) continue;
      if (
        block >= words.length || this.payload(block) + words[block + B_ROOM] > this.bytes.length
      ) {
        this.look();
      }
      return block;
    }
  }

  /** The same, when one comes within a moment: to sleep and be woken costs more than to look around. */
  takeSoon(): number {
    const block = this.takeNow();
    if (block !== 0 || this.shut !== 0) return block;
    const { words } = this;
    if (Atomics.compareExchange(words, LOOKING, 0, this.#mark) !== 0) return 0;
    const until = performance.now() + words[MOMENT] / 1000;
    let some = false;
    do {
      for (let i = 0; i < 4 && !(some = !this.empty); i++) Atomics.pause();
    } while (!some && this.shut === 0 && performance.now() < until);
    if (!some) this.doubles[GAVE_UP >> 1] = commonNow();
    Atomics.store(words, LOOKING, 0);
    return this.takeNow();
  }

  /** The same, however long it takes; 0 when the worker is to end. */
  async take(): Promise<number> {
    for (let naps = 0;; naps++) {
      if (naps < this.#naps) this.#nap();
      else await this.#park();
      // In this order: blocks are published before the ring is shut.
      const { shut } = this;
      const block = this.takeNow();
      if (block !== 0) this.#learn();
      if (block !== 0 || shut !== 0) return block;
      if (naps < this.#naps) {
        await new Promise((resolve) => setImmediate(resolve));
        this.turns++;
      }
    }
  }

  /** Sleeps until it is woken. */
  async #park(): Promise<void> {
    Atomics.sub(this.words, AWAKE, 1);
    Atomics.add(this.words, PARKED, 1);
    const stay = this.empty && this.shut === 0;
    if (stay || !unpark(this.words)) await this.ends.parked.acquire();
    this.turns++;
    Atomics.add(this.words, AWAKE, 1);
  }

  /** The same, but not for longer than {@linkcode NAP}. */
  #nap(): void {
    const { words } = this;
    const { parked } = this.ends;
    Atomics.sub(words, AWAKE, 1);
    Atomics.add(words, PARKED, 1);
    Atomics.add(words, NAPPING, 1);
    const woken = this.empty && this.shut === 0 && parked.acquireSync({ timeout: NAP });
    Atomics.sub(words, NAPPING, 1);
    if (!woken && !unpark(words)) parked.acquireSync();
    Atomics.add(words, AWAKE, 1);
  }

  /** The worker begins. */
  begin(): void {
    Atomics.add(this.words, AWAKE, 1);
  }

  #learn(): void {
    const { words } = this;
    const soon = commonNow() - this.doubles[GAVE_UP >> 1] < SOON;
    words[MOMENT] = soon ? Math.min(MOST, words[MOMENT] * 2) : Math.max(LEAST, words[MOMENT] >> 1);
  }

  /** Puts a block on the stack of answers. */
  answer(block: number): void {
    const { words } = this;
    for (;;) {
      const first = Atomics.load(words, ANSWERS);
      words[block + B_NEXT] = first;
      if (Atomics.compareExchange(words, ANSWERS, first, block) === first) return;
    }
  }
}

function unpark(words: Int32Array): boolean {
  for (;;) {
    const parked = Atomics.load(words, PARKED);
    if (parked === 0) return false;
    if (Atomics.compareExchange(words, PARKED, parked, parked - 1) === parked) return true;
  }
}
