/**
 * Waiting for several futures: {@linkcode wait}, {@linkcode waitSync}, {@linkcode asCompleted}.
 *
 * @module
 */
import {
  type Limit,
  limitOf,
  now,
  remaining,
  TimeoutError,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { laterLimitOf } from "./_later_limit.ts";
import { Future, hasFailed, houseOf, pump, whenDone } from "./future.ts";

/** {@linkcode wait} returns when a future has finished or was cancelled. */
export const FIRST_COMPLETED = "FIRST_COMPLETED";
/** {@linkcode wait} returns when a future has failed, or all are done. */
export const FIRST_EXCEPTION = "FIRST_EXCEPTION";
/** {@linkcode wait} returns when all futures are done. */
export const ALL_COMPLETED = "ALL_COMPLETED";

/** When {@linkcode wait} returns. */
export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED;

/** Options of {@linkcode wait}. */
export interface FuturesWaitOptions extends WaitOptions {
  /** When to return; {@linkcode ALL_COMPLETED} by default. */
  returnWhen?: ReturnWhen;
}

/**
 * What {@linkcode wait} returns.
 *
 * @typeParam T The results of the futures.
 * @typeParam F The futures, which may be of several kinds.
 */
export interface DoneAndNotDone<T, F extends Future<T> = Future<T>> {
  /** Futures that are done, cancelled ones included. */
  done: Set<F>;
  /** The others. */
  notDone: Set<F>;
}

/** A future that is done: the very same object, typed so that `for await` does not unwrap it. */
export interface DoneFuture<T> extends Omit<Future<T>, "then"> {}

/** {@linkcode DoneFuture} of each kind of future. */
export type DoneOf<F> = F extends Future<infer T> ? DoneFuture<T> : never;

type Any = Future<unknown>;

function futuresOf<F extends Any>(fs: Iterable<F>, what: string): Set<F> {
  if (typeof (fs as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== "function") {
    throw new TypeError(`Cannot call ${what}: an iterable of futures is needed`);
  }
  const futures = new Set(fs);
  for (const future of futures) {
    if (!(future instanceof Future)) {
      throw new TypeError(`Cannot call ${what}: all items must be futures, got ${typeof future}`);
    }
  }
  return futures;
}

/** Counts futures as they become done, each once: waiting for many must not look at all of them for each. */
class Watch {
  /** Set when there is nothing to wait for any more. */
  readonly over: Future<void> = new Future();
  readonly #forgets: (() => void)[] = [];
  #left: number;

  constructor(futures: ReadonlySet<Any>, when: ReturnWhen) {
    this.#left = futures.size;
    if (futures.size === 0) this.#end();
    for (const future of futures) {
      this.#forgets.push(whenDone(future, () => {
        this.#left--;
        const enough = when === FIRST_COMPLETED || when === FIRST_EXCEPTION && hasFailed(future);
        if (enough || this.#left === 0) this.#end();
      }));
    }
  }

  #end(): void {
    if (!this.over.done()) this.over.setResult();
  }

  [Symbol.dispose](): void {
    for (const forget of this.#forgets) forget();
  }
}

function split<T, F extends Future<T>>(futures: ReadonlySet<F>): DoneAndNotDone<T, F> {
  const done = new Set<F>();
  const notDone = new Set<F>();
  for (const future of futures) (future.done() ? done : notDone).add(future);
  return { done, notDone };
}

function whenOf(options: FuturesWaitOptions | undefined, what: string): ReturnWhen {
  const when = options?.returnWhen ?? ALL_COMPLETED;
  if (when === FIRST_COMPLETED || when === FIRST_EXCEPTION || when === ALL_COMPLETED) return when;
  throw new RangeError(
    `Cannot call ${what}: returnWhen must be FIRST_COMPLETED, FIRST_EXCEPTION or ALL_COMPLETED, got ${when}`,
  );
}

/**
 * Waits for several futures, of one executor or many.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/concurrent.futures.html#concurrent.futures.wait | concurrent.futures.wait}.
 *
 * @param fs The futures; one that comes twice counts once.
 * @param options How long to wait, and for what.
 * @returns Which are done and which are not. Running out of time is no error.
 * @throws {RangeError} When `returnWhen` is none of the three.
 * @throws The signal's reason, when it is aborted.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Future, wait } from "@batteries/concurrent/futures";
 *
 * const [a, b] = [new Future<number>(), new Future<number>()];
 * a.setResult(1);
 * const { done, notDone } = await wait([a, b], { timeout: 10 });
 * assertEquals([done.has(a), notDone.has(b)], [true, true]);
 * ```
 */
export async function wait<T, F extends Future<T> = Future<T>>(
  fs: Iterable<F>,
  options?: FuturesWaitOptions,
): Promise<DoneAndNotDone<T, F>> {
  const limit = limitOf(options, "wait");
  const when = whenOf(options, "wait");
  const futures = futuresOf(fs, "wait");
  using watch = new Watch(futures, when);
  await isDone(watch.over, limit);
  return split<T, F>(futures);
}

/**
 * As {@linkcode wait}, blocking the calling thread. `signal` is looked at once, at the call.
 *
 * @param fs The futures; one that comes twice counts once.
 * @param options How long to wait, and for what.
 * @returns Which are done and which are not. Running out of time is no error.
 * @throws {RangeError} When `returnWhen` is none of the three.
 */
export function waitSync<T, F extends Future<T> = Future<T>>(
  fs: Iterable<F>,
  options?: FuturesWaitOptions,
): DoneAndNotDone<T, F> {
  const limit = limitOf(options, "waitSync");
  const when = whenOf(options, "waitSync");
  const futures = futuresOf(fs, "waitSync");
  using watch = new Watch(futures, when);
  const houses = byHouse(futures);
  while (!watch.over.done() && limit.deadline !== -Infinity) {
    if (!pumpAll(houses, limit)) break;
  }
  return split<T, F>(futures);
}

/** How long executors that hear of their tasks in different ways are waited for in turns, in milliseconds. */
const TURN = 2;

function byHouse(futures: Iterable<Any>): Map<unknown, Set<Any>> {
  const houses = new Map<unknown, Set<Any>>();
  for (const future of futures) {
    const house = houseOf(future);
    const some = houses.get(house);
    if (some === undefined) houses.set(house, new Set([future]));
    else some.add(future);
  }
  return houses;
}

/**
 * Blocks until there is news of futures, or time has run out (`false`): one of each house is pumped for all. Those that nobody can set
 * are passed over while there are others.
 */
function pumpAll(houses: Map<unknown, Set<Any>>, limit: Limit): boolean {
  const firsts: Any[] = [];
  let idle: Any | undefined;
  for (const [house, pending] of houses) {
    const first = firstPending(pending);
    if (first === undefined) houses.delete(house);
    else if (house === null) idle = first;
    else firsts.push(first);
  }
  if (firsts.length <= 1) return pump(firsts[0] ?? idle!, limit);
  for (const first of firsts) {
    pump(first, { ...limit, deadline: Math.min(limit.deadline, now() + TURN) });
    if (first.done()) return true;
  }
  return remaining(limit.deadline) > 0;
}

function firstPending(futures: Set<Any>): Any | undefined {
  for (const future of futures) {
    if (!future.done()) return future;
    futures.delete(future);
  }
}

/** Waits for a future; `false` when time has run out. */
async function isDone(future: Future<void>, limit: Limit): Promise<boolean> {
  if (future.done()) return true;
  if (limit.deadline === -Infinity) return false;
  const left = remaining(limit.deadline);
  try {
    await future.result({ signal: limit.signal, timeout: left === Infinity ? undefined : left });
    return true;
  } catch (error) {
    if (error instanceof TimeoutError && error !== limit.signal?.reason) return false;
    throw error;
  }
}

/**
 * Gives futures as they become done, of one executor or many; first those that are done already.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/concurrent.futures.html#concurrent.futures.as_completed | concurrent.futures.as_completed}.
 *
 * @param fs The futures; one that comes twice is given once.
 * @param options How long to wait in all, from the call.
 * @returns The futures, which are done; `result()` gives or throws at once.
 * @throws {TimeoutError} From `next()`, when time has run out.
 * @throws The signal's reason, from `next()`, when it is aborted.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { asCompleted, Future } from "@batteries/concurrent/futures";
 *
 * const [a, b] = [new Future<string>(), new Future<string>()];
 * b.setResult("b");
 * a.setResult("a");
 * for await (const future of asCompleted([a, b])) {
 *   assertEquals((await future.result()).length, 1);
 * }
 * ```
 */
export function asCompleted<T, F extends Future<T> = Future<T>>(
  fs: Iterable<F>,
  options?: WaitOptions,
): AsyncIterableIterator<DoneOf<F>> {
  const futures: Set<Any> = futuresOf(fs, "asCompleted");
  const results = new Completed(futures, laterLimitOf(options, "asCompleted"));
  return results as unknown as AsyncIterableIterator<DoneOf<F>>;
}

/** Not a generator: its `yield` would await the futures, which are thenable. */
class Completed<T> implements AsyncIterableIterator<DoneFuture<T>> {
  readonly #limit: Limit;
  readonly #forgets: (() => void)[];
  /** Those that are done, in that order, of which the first were given. */
  #ready: Future<T>[] = [];
  #given = 0;
  readonly #total: number;
  #left: number;
  /** Set as soon as there is something to give. */
  #news = new Future<void>();

  constructor(futures: Set<Future<T>>, limit: Limit) {
    this.#limit = limit;
    this.#left = this.#total = futures.size;
    this.#forgets = [...futures].map((future) =>
      whenDone(future as Any, () => {
        this.#ready.push(future);
        if (!this.#news.done()) this.#news.setResult();
      })
    );
  }

  async next(): Promise<IteratorResult<DoneFuture<T>>> {
    const { signal } = this.#limit;
    if (signal?.aborted && this.#left > 0) {
      this.#end();
      throw signal.reason;
    }
    for (;;) {
      if (this.#given < this.#ready.length) {
        const future = this.#ready[this.#given++];
        this.#left--;
        if (this.#given >= 1024) {
          this.#ready = this.#ready.slice(this.#given);
          this.#given = 0;
        }
        return { done: false, value: future };
      }
      if (this.#left === 0) return { done: true, value: undefined };
      if (this.#news.done()) this.#news = new Future();
      try {
        if (await isDone(this.#news, this.#limit)) continue;
        if (this.#left === 0) continue;
        throw new TimeoutError(`${this.#left} of ${this.#total} futures were not done in time`);
      } catch (error) {
        this.#end();
        throw error;
      }
    }
  }

  return(): Promise<IteratorResult<DoneFuture<T>>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  #end(): void {
    for (const forget of this.#forgets) forget();
    this.#forgets.length = 0;
    this.#left = 0;
    this.#ready = [];
    this.#given = 0;
    // Others may wait in a call of next() of their own.
    if (!this.#news.done()) this.#news.setResult();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
