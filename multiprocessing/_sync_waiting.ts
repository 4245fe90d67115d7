/**
 * Waiting on words that processes share: the two drivers of the algorithms, and the one place where an isolate's asynchronous waiters
 * wait.
 *
 * Asynchronous waiters queue by word, in the order they came. When a word has changed, or a slice is over, the first of its queue goes
 * on; the next ones follow until one has to wait again. All words on which somebody waits are waited for by *one* call to the operating
 * system, made on another thread; a word of this isolate's own, the bell, is always among them, so that the call can be ended when
 * there is another word to wait for, or none.
 *
 * - A waiter that times out or is aborted looks at its word first: if it has changed, the algorithm looks, and may take what is there.
 * - Who changes a word here that others of this isolate wait for, looks on their behalf in a microtask; the operating system is asked
 *   to wake somebody as well, so nobody depends on how long this turn takes.
 * - While this isolate is blocked in a `Sync` call its call for the asynchronous waiters is taken back, for a wake-up that it would get
 *   could not be used. So a blocked caller never loses a wake-up to an asynchronous waiter of its own thread.
 * - An isolate that computes for long without turning its event loop can sit on a wake-up. The others find out at the end of a slice.
 * - The program is kept alive while somebody waits, and by nothing here when nobody does.
 *
 * @module
 */
import { FOREVER, type Limit, now, remaining } from "../threading/_core/values.ts";
import {
  ABORTED,
  ADD,
  CAS,
  CHANGED,
  GONE,
  LATE,
  LOAD,
  type Seat,
  SLEEP,
  SLICE,
  SLICE_MS,
  type Slow,
  type Step,
  STORE,
  SWAP,
  WAKE,
} from "./_sync_steps.ts";

/** Waits on words in the operating system, for an isolate's asynchronous waiters. */
export interface Kernel {
  /** The isolate's own word. */
  readonly bell: { readonly words: Int32Array; readonly index: number; readonly address: number };
  /** How many words besides the bell one call takes. */
  readonly most: number;
  /** Resolves when a word was woken or has changed, or time is up, or earlier. */
  waitAny(words: { address: number; value: number }[], ms: number): Promise<void>;
  /** Wakes the sleepers on a word. */
  wake(address: number, count: number): void;
}

// ---- Drivers -----------------------------------------------------------------------------------------------------------------------

function perform(step: Step): number {
  const { seat, kind } = step;
  const { words } = seat;
  const index = seat.at + step.at;
  switch (kind) {
    case LOAD:
      return Atomics.load(words, index);
    case STORE:
      return Atomics.store(words, index, step.a);
    case CAS:
      return Atomics.compareExchange(words, index, step.a, step.b);
    case ADD:
      return Atomics.add(words, index, step.a);
    case SWAP:
      return Atomics.exchange(words, index, step.a);
    case WAKE:
      wakeAll(seat, index, step.a);
      return 0;
    case GONE:
      return step.a !== seat.me && seat.ground.isGone(step.a) ? 1 : 0;
    default:
      throw new TypeError(`Unknown step ${kind}`);
  }
}

/** Wakes sleepers on a word, in whichever form they wait, here and elsewhere. */
export function wakeAll(seat: Seat, index: number, count: number): void {
  seat.ground.wake(index, count);
  queues.get(seat.ground.address(index))?.lookSoon();
}

/** Drives an algorithm on the calling thread. */
export function runSync<R>(slow: Slow<R>): R {
  tellWhoWaitsLong();
  let next = slow.next(0);
  while (!next.done) {
    const step = next.value;
    next = slow.next(step.kind === SLEEP ? sleepSync(step) : perform(step));
  }
  return next.value;
}

function sleepSync({ seat, at, a: seen, limit }: Step): number {
  const { words, ground } = seat;
  const index = seat.at + at;
  if (Atomics.load(words, index) !== seen) return CHANGED;
  const left = remaining(limit!.deadline);
  if (left <= 0) return LATE;
  takeBack();
  ground.sleep(index, seen, Math.min(left, SLICE_MS));
  if (Atomics.load(words, index) !== seen) return CHANGED;
  return remaining(limit!.deadline) <= 0 ? LATE : SLICE;
}

/** The word for which a call would wait, when others of this isolate wait for it already. */
export interface Line {
  readonly seat: Seat;
  readonly at: number;
  readonly limit: Limit;
}

/**
 * Drives an algorithm without blocking. It runs at once up to the first sleep, so calls take their places in the order they were made;
 * one that does not have to sleep gives its result and no promise. With a `line` it is not begun before those are served who came
 * before it.
 */
export function runAsync<R>(slow: Slow<R>, line?: Line): R | Promise<R> {
  tellWhoWaitsLong();
  const waiter = new Waiter(slow);
  const waits = line !== undefined && line.limit.deadline !== -Infinity &&
    isAwaited(line.seat, line.at);
  if (waits) waiter.lineUp(line);
  else if (!waiter.run(CHANGED)) return waiter.result as R;
  return new Promise<R>((resolve, reject) => {
    waiter.settle(resolve as (result: unknown) => void, reject);
  });
}

// ---- Asynchronous waiters ------------------------------------------------------------------------------------------------------------

/** For so long, an end that is known already may wait for the call to be over. A turn of a busy machine's event loop is shorter. */
const LONG_MS = 50;
/** The longest time that a timer of the event loop counts. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** An algorithm that waits without blocking. */
class Waiter {
  readonly #slow: Slow<unknown>;
  result: unknown;
  /** The value of the word on which it sleeps. */
  seen = 0;
  /** It has not begun. */
  fresh = false;
  /** Where it sleeps. */
  queue: Queue | undefined;
  #limit: Limit = FOREVER;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listens = false;
  #resolve: (result: unknown) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(slow: Slow<unknown>) {
    this.#slow = slow;
  }

  /** Who is told how it ends, if it has to sleep. */
  settle(resolve: (result: unknown) => void, reject: (error: unknown) => void): void {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Goes to the end of the line before it has done anything. */
  lineUp({ seat, at, limit }: Line): void {
    this.fresh = true;
    this.#wait(queueOf(seat, seat.at + at), limit);
  }

  /** Goes on after a sleep, to the next one or the end; whether it sleeps again. Before the first sleep it throws what goes wrong. */
  run(result: number): boolean {
    const first = this.queue === undefined;
    this.fresh = false;
    try {
      let next = this.#slow.next(result);
      while (!next.done) {
        const step = next.value;
        if (step.kind !== SLEEP) next = this.#slow.next(perform(step));
        else {
          const why = this.#mustSleep(step);
          if (why === undefined) return true;
          next = this.#slow.next(why);
        }
      }
      this.result = next.value;
    } catch (error) {
      this.#finish();
      if (first) throw error;
      whenQuiet(() => this.#reject(error));
      return false;
    }
    this.#finish();
    if (!first) whenQuiet(() => this.#resolve(this.result));
    return false;
  }

  /** Goes to sleep, or says why not. */
  #mustSleep({ seat, at, a: seen, limit }: Step): number | undefined {
    const index = seat.at + at;
    if (Atomics.load(seat.words, index) !== seen) return CHANGED;
    if (remaining(limit!.deadline) <= 0) return LATE;
    if (limit!.signal?.aborted) return ABORTED;
    this.seen = seen;
    this.#wait(queueOf(seat, index), limit!);
    return undefined;
  }

  #wait(queue: Queue, limit: Limit): void {
    if (queue !== this.queue) {
      this.queue?.remove(this);
      this.queue = queue;
      queue.add(this);
    }
    if (limit === this.#limit) return;
    this.#forget();
    this.#limit = limit;
    this.#arm();
    limit.signal?.addEventListener("abort", this.#giveUp);
    this.#listens = limit.signal !== undefined;
  }

  #arm = (): void => {
    const left = remaining(this.#limit.deadline);
    if (left === Infinity) return;
    this.#timer = setTimeout(this.#timeOut, Math.min(Math.max(left, 0), LONGEST_TIMER));
  };

  #timeOut = (): void => {
    this.#timer = undefined;
    if (remaining(this.#limit.deadline) > 0) this.#arm();
    else this.run(this.queue!.hasChanged(this) ? CHANGED : LATE);
  };

  #giveUp = (): void => {
    this.run(this.queue!.hasChanged(this) ? CHANGED : ABORTED);
  };

  #forget(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#listens) this.#limit.signal!.removeEventListener("abort", this.#giveUp);
    this.#listens = false;
  }

  #finish(): void {
    this.#forget();
    this.queue?.remove(this);
  }
}

/** The asynchronous waiters of this isolate on one word. */
class Queue {
  readonly seat: Seat;
  readonly index: number;
  readonly address: number;
  readonly #waiters = new Set<Waiter>();
  #willLook = false;

  constructor(seat: Seat, index: number, address: number) {
    this.seat = seat;
    this.index = index;
    this.address = address;
  }

  get first(): Waiter | undefined {
    for (const waiter of this.#waiters) return waiter;
    return undefined;
  }

  add(waiter: Waiter): void {
    this.#waiters.add(waiter);
    if (this.#waiters.size === 1) begin(this);
  }

  remove(waiter: Waiter): void {
    const wasFirst = this.first === waiter;
    if (!this.#waiters.delete(waiter)) return;
    if (this.#waiters.size === 0) end(this);
    // What the first one leaves is the next one's.
    else if (wasFirst) this.lookSoon();
  }

  hasChanged(waiter: Waiter): boolean {
    return waiter.fresh || Atomics.load(this.seat.words, this.index) !== waiter.seen;
  }

  /** Lets waiters go on, first come first served, until one sleeps again; with `slice`, the first one even if nothing has changed. */
  look(slice = false): void {
    let why = slice ? SLICE : CHANGED;
    for (const waiter of this.#waiters) {
      if (this.hasChanged(waiter)) why = CHANGED;
      else if (why === CHANGED) return;
      if (waiter.run(why) && waiter.queue === this && !this.hasChanged(waiter)) return;
      why = CHANGED;
    }
  }

  lookSoon(): void {
    if (this.#willLook) return;
    this.#willLook = true;
    queueMicrotask(() => {
      this.#willLook = false;
      this.look();
    });
  }
}

// ---- What all of them wait for -------------------------------------------------------------------------------------------------------

/** By the address of the word. */
const queues = new Map<number, Queue>();
/** How many of them lie in memory on which the operating system can wait. */
let shared = 0;
let kernel: Kernel | undefined;
/** The loop is running; a call is under way, and which words it waits for; it has been asked to end. */
let running = false;
let listening: Set<number> | undefined;
let rung = false;
/** What to do when the call is over, and since when the first of them waits for that. */
let afterwards: (() => void)[] = [];
let quietSince = 0;
/** Looks after the words on which the operating system cannot wait. */
let watch: ReturnType<typeof setInterval> | undefined;

/** Says how to wait in the operating system. */
export function useKernel(made: Kernel): void {
  kernel ??= made;
}

function queueOf(seat: Seat, index: number): Queue {
  const address = seat.ground.address(index);
  return queues.get(address) ?? new Queue(seat, index, address);
}

/** Whether somebody of this isolate waits asynchronously on the word: who comes later goes behind them. */
export function isAwaited(seat: Seat, at: number): boolean {
  tellWhoWaitsLong();
  return queues.size > 0 && queues.has(seat.ground.address(seat.at + at));
}

/** Whether anybody of this isolate waits asynchronously. */
export function isWaiting(): boolean {
  return queues.size > 0;
}

function begin(queue: Queue): void {
  queues.set(queue.address, queue);
  if (!queue.seat.ground.sleeps) {
    watch ??= setInterval(lookAtOwn, SLICE_MS);
    return;
  }
  shared++;
  // There will be something under way for longer.
  tellNow();
  if (!running) {
    running = true;
    queueMicrotask(attend);
  } else if (listening !== undefined && !listening.has(queue.address)) ring();
}

function end(queue: Queue): void {
  queues.delete(queue.address);
  if (!queue.seat.ground.sleeps) {
    if (queues.size === shared) {
      clearInterval(watch);
      watch = undefined;
    }
    return;
  }
  shared--;
  if (shared === 0 && listening !== undefined) ring();
}

function lookAtOwn(): void {
  for (const queue of [...queues.values()]) if (!queue.seat.ground.sleeps) queue.look(true);
}

/** Ends the call that is under way. */
function ring(): void {
  if (rung) return;
  rung = true;
  const { bell } = kernel!;
  Atomics.add(bell.words, bell.index, 1);
  kernel!.wake(bell.address, 1);
}

/**
 * Tells a waiter how it ended; the last one when the call is over that was made for it, so that nothing is under way any more for a
 * program, or a test, that goes on then. Not later than when somebody else waits, though, or when an isolate that goes on making calls
 * has not let its event loop turn for long: tasks that take turns without that would wait in vain.
 */
function whenQuiet(tell: () => void): void {
  if (shared > 0 || listening === undefined) return tell();
  if (afterwards.length === 0) quietSince = now();
  afterwards.push(tell);
}

function tellWhoWaitsLong(): void {
  if (afterwards.length > 0 && now() - quietSince > LONG_MS) tellNow();
}

function tellNow(): void {
  if (afterwards.length === 0) return;
  const told = afterwards;
  afterwards = [];
  for (const tell of told) tell();
}

/** Before this thread blocks: no wake-up shall go to a call whose answer cannot be read. */
function takeBack(): void {
  if (listening !== undefined) ring();
}

/** Waits, and looks, for as long as there is somebody to wait for. */
async function attend(): Promise<void> {
  const { bell, most, waitAny } = kernel!;
  let sliceBegan = now();
  let from = 0;
  try {
    while (shared > 0) {
      const value = Atomics.load(bell.words, bell.index);
      const words = [{ address: bell.address, value }];
      listening = new Set();
      // With more words than one call takes, each call takes others, and is shorter.
      const all = [...queues.values()].filter(({ seat }) => seat.ground.sleeps);
      const windows = Math.ceil(all.length / most);
      from = windows > 1 ? (from + most) % all.length : 0;
      for (let i = 0; i < Math.min(most, all.length); i++) {
        const { address, first, seat, index } = all[(from + i) % all.length];
        listening.add(address);
        words.push({
          address,
          value: first!.fresh ? Atomics.load(seat.words, index) : first!.seen,
        });
      }
      await waitAny.call(kernel, words, Math.max(1, SLICE_MS / windows));
      listening = undefined;
      rung = false;
      tellNow();
      const slice = now() - sliceBegan >= SLICE_MS;
      if (slice) sliceBegan = now();
      for (const queue of [...queues.values()]) if (queue.seat.ground.sleeps) queue.look(slice);
    }
  } finally {
    tellNow();
    listening = undefined;
    running = false;
    rung = false;
  }
}
