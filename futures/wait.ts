/**
 * Waiting for several futures: {@linkcode wait}, {@linkcode waitSync}, {@linkcode asCompleted}.
 *
 * @module
 */
import {
  type Limit,
  limitOf,
  remaining,
  TimeoutError,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { Future, hasFailed, pump, whenDone } from "./future.ts";

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

/** What {@linkcode wait} returns. */
export interface DoneAndNotDone<T> {
  /** Futures that are done, cancelled ones included. */
  done: Set<Future<T>>;
  /** The others. */
  notDone: Set<Future<T>>;
}

/** A future that is done: the very same object, typed so that `for await` does not unwrap it. */
export interface DoneFuture<T> extends Omit<Future<T>, "then"> {}

type Any = Future<unknown>;

function futuresOf<T>(fs: Iterable<Future<T>>, what: string): Set<Future<T>> {
  const futures = new Set(fs);
  for (const future of futures) {
    if (!(future instanceof Future)) {
      throw new TypeError(`Cannot call ${what}: all items must be futures, got ${typeof future}`);
    }
  }
  return futures;
}

function isOver(futures: ReadonlySet<Any>, when: ReturnWhen): boolean {
  let pending = 0;
  for (const future of futures) {
    if (!future.done()) pending++;
    else if (when === FIRST_COMPLETED) return true;
    else if (when === FIRST_EXCEPTION && hasFailed(future)) return true;
  }
  return pending === 0;
}

function split<T>(futures: ReadonlySet<Future<T>>): DoneAndNotDone<T> {
  const done = new Set<Future<T>>();
  const notDone = new Set<Future<T>>();
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
export async function wait<T>(
  fs: Iterable<Future<T>>,
  options?: FuturesWaitOptions,
): Promise<DoneAndNotDone<T>> {
  const limit = limitOf(options, "wait");
  const when = whenOf(options, "wait");
  const futures = futuresOf(fs, "wait");
  while (!isOver(futures as Set<Any>, when)) {
    if (!await change(futures as Set<Any>, limit)) break;
  }
  return split(futures);
}

/**
 * As {@linkcode wait}, blocking the calling thread. `signal` is looked at once, at the call.
 *
 * @param fs The futures; one that comes twice counts once.
 * @param options How long to wait, and for what.
 * @returns Which are done and which are not. Running out of time is no error.
 * @throws {RangeError} When `returnWhen` is none of the three.
 */
export function waitSync<T>(
  fs: Iterable<Future<T>>,
  options?: FuturesWaitOptions,
): DoneAndNotDone<T> {
  const limit = limitOf(options, "waitSync");
  const when = whenOf(options, "waitSync");
  const futures = futuresOf(fs, "waitSync");
  while (!isOver(futures as Set<Any>, when) && limit.deadline !== -Infinity) {
    // Whatever future is asked: all pools of a thread have one inbox.
    const pending = [...futures as Set<Any>].filter((future) => !future.done());
    if (!pump(pending[0], limit)) break;
  }
  return split(futures);
}

/** Waits until one of the futures that are not done becomes so; `false` when time has run out. */
function change(futures: ReadonlySet<Any>, limit: Limit): Promise<boolean> {
  if (limit.deadline === -Infinity) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const forgets: (() => void)[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (settle: () => void) => {
      for (const forget of forgets) forget();
      clearTimeout(timer);
      limit.signal?.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = () => end(() => reject(limit.signal!.reason));
    const onTimer = () => {
      const left = remaining(limit.deadline);
      if (left <= 0) end(() => resolve(false));
      else timer = setTimeout(onTimer, Math.min(left, 2 ** 31 - 1));
    };
    for (const future of futures) {
      if (!future.done()) forgets.push(whenDone(future, () => end(() => resolve(true))));
    }
    if (limit.signal?.aborted) return onAbort();
    limit.signal?.addEventListener("abort", onAbort);
    if (limit.deadline !== Infinity) onTimer();
  });
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
export function asCompleted<T>(
  fs: Iterable<Future<T>>,
  options?: WaitOptions,
): AsyncIterableIterator<DoneFuture<T>> {
  return new Completed(futuresOf(fs, "asCompleted"), limitOf(options, "asCompleted"));
}

/** Not a generator: its `yield` would await the futures, which are thenable. */
class Completed<T> implements AsyncIterableIterator<DoneFuture<T>> {
  readonly #limit: Limit;
  readonly #ready: Future<T>[] = [];
  readonly #forgets: (() => void)[];
  #left: number;
  /** Set as soon as there is something to give. */
  #news = new Future<void>();

  constructor(futures: Set<Future<T>>, limit: Limit) {
    this.#limit = limit;
    this.#left = futures.size;
    this.#forgets = [...futures].map((future) =>
      whenDone(future as Any, () => {
        this.#ready.push(future);
        if (!this.#news.done()) this.#news.setResult();
      })
    );
  }

  async next(): Promise<IteratorResult<DoneFuture<T>>> {
    for (;;) {
      const future = this.#ready.shift();
      if (future !== undefined) {
        this.#left--;
        return { done: false, value: future };
      }
      if (this.#left === 0) return { done: true, value: undefined };
      this.#news = new Future();
      if (!await change(new Set([this.#news as Any]), this.#limit)) {
        throw new TimeoutError(`${this.#left} futures were not done in time`);
      }
    }
  }

  return(): Promise<IteratorResult<DoneFuture<T>>> {
    for (const forget of this.#forgets) forget();
    this.#left = 0;
    this.#ready.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
