/**
 * {@linkcode Executor}.
 *
 * @module
 */
import { bagOf, locate, refuse } from "../threading/_core/mod.ts";
import { mapArguments, MapIterator, type MapOptions, type Sender } from "./_map.ts";
import { found } from "./_found.ts";
import type { ExecutorStats } from "./_stats.ts";
import { mustBeCalled, type RunOptions, termsOf } from "./_terms.ts";
import type { Future } from "./future.ts";

export type { MapOptions } from "./_map.ts";
export type { Progress } from "./_progress.ts";
export type { ExecutorStats, TimeStats } from "./_stats.ts";
export type { RunOptions } from "./_terms.ts";

type AnyFunction = (...args: never[]) => unknown;

/** An iterable, or an async one. */
export type AnyIterable<T> = Iterable<T> | AsyncIterable<T>;

/** The iterables for a function's parameters. */
export type Iterables<A extends unknown[]> = { [I in keyof A]: AnyIterable<A[I]> };

/**
 * Runs calls somewhere else, now or later. What all executors have in common.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/concurrent.futures.html#executor-objects | concurrent.futures.Executor}.
 */
export abstract class Executor implements AsyncDisposable {
  static {
    refuse(
      Executor,
      "an executor belongs to the thread that made it; make one in the other thread, or send the calls' arguments and submit here",
    );
  }

  /**
   * Schedules a call.
   *
   * @param fn What to call: an exported function of any module, or a static method of an exported class. It may be async.
   * @param args What to call it with. Copied, but for shareable objects.
   * @returns The future of its result.
   * @throws {RuntimeError} After `shutdown`.
   * @throws {TypeError} When `fn` is no function, or a class.
   * @throws {PicklingError} When the function or an argument cannot travel.
   */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    return this.#call(fn, args, 0) as Future<Awaited<R>>;
  }

  /**
   * The same executor for calls that can be stopped for good, or that take something over.
   *
   * A call that runs out of its time, or is aborted, is ended wherever it is: in a loop, blocked in a `Sync` call, awaiting. Its
   * `finally` blocks do not run; locks that it held go on to others, who can ask {@linkcode threading.Lock.ownerDied}. All other calls
   * go on untouched.
   *
   * @param options What holds for each call.
   * @returns `submit` and `map` with that.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When `timeout` is `NaN` or too large.
   *
   * @example
   * ```ts no-eval
   * import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
   *
   * export function forever(): never {
   *   for (;;);
   * }
   *
   * if (import.meta.main) {
   *   await using executor = new ThreadPoolExecutor();
   *   const future = executor.with({ timeout: 100 }).submit(forever);
   *   console.log(await future.exception()); // TimeoutError
   * }
   * ```
   */
  with(options: RunOptions): Submitter {
    const terms = termsOf(options);
    const { transfer } = terms;
    return new OnTerms(
      this.#sender((fn, args, chunk) => this.#call(fn, args, chunk, terms)),
      this.#sender((fn, args, chunk) => {
        const moved = transfer === undefined
          ? terms
          : { ...terms, transfer: found(transfer, args) };
        return this.#call(fn, args, chunk, moved);
      }),
    );
  }

  /**
   * Calls a function for each item, or for the first items of several iterables, then the second ones, and so on until the shortest
   * ends. Results come in order.
   *
   * Synchronous iterables are read at the call, `buffersize` items at most. An error of a call comes at its place and ends the
   * iteration; so do running out of time, an abort, and leaving the loop: what has not started is then cancelled.
   *
   * @param fn What to call, as for `submit`.
   * @param iterable The items; further iterables are further parameters, and the last argument may be options.
   * @returns The results.
   * @throws {RuntimeError} After `shutdown`.
   * @throws {PicklingError} When the function or an item cannot travel.
   */
  map<A, R>(
    fn: (a: A) => R,
    iterable: AnyIterable<A>,
    options?: MapOptions,
  ): AsyncIterableIterator<Awaited<R>>;
  /** The same for several iterables. */
  map<A, B, R>(
    fn: (a: A, b: B) => R,
    a: AnyIterable<A>,
    b: AnyIterable<B>,
    options?: MapOptions,
  ): AsyncIterableIterator<Awaited<R>>;
  /** The same for several iterables. */
  map<A, B, C, R>(
    fn: (a: A, b: B, c: C) => R,
    a: AnyIterable<A>,
    b: AnyIterable<B>,
    c: AnyIterable<C>,
    options?: MapOptions,
  ): AsyncIterableIterator<Awaited<R>>;
  /** The same for any number of iterables. */
  map<A extends unknown[], R>(
    fn: (...args: A) => R,
    ...rest: [...Iterables<A>, MapOptions?]
  ): AsyncIterableIterator<Awaited<R>>;
  map(
    fn: (...args: never[]) => unknown,
    ...rest: unknown[]
  ): AsyncIterableIterator<never> {
    const { sources, options } = mapArguments(rest);
    const sender = this.#sender((fn, args, chunk) => this.#call(fn, args, chunk));
    return new MapIterator(fn, sources, options, sender) as AsyncIterableIterator<never>;
  }

  /** An executor that defines only `submit` may call what it likes, in one piece each: `chunksize` has no effect then, as in Python. */
  #sender(send: Sender["send"]): Sender {
    const own = this._send === Executor.prototype._send;
    const mustTake = own
      ? mustBeFunction
      : (fn: (...args: never[]) => unknown) => this._mustTake(fn);
    return { send, takesChunks: !own, mustTake };
  }

  /** Refuses a function that `_send` would refuse, without a call. @internal */
  protected _mustTake(fn: (...args: never[]) => unknown): void {
    mustBeCalled(fn, "submit");
    locate(fn, "submit", Executor.prototype.map);
  }

  #call(fn: AnyFunction, args: unknown[], chunk: number, terms?: RunOptions): Future<unknown> {
    const door = chunk === 0 ? Executor.prototype.submit : Executor.prototype.map;
    return this._send(fn, args, chunk, terms, door);
  }

  /**
   * Submits one call, or a chunk of calls: `chunk` is then how many arguments each has. What an executor has to define, or `submit`.
   * `door`: what was called of it, where the stacks of refusals begin.
   *
   * @internal
   */
  protected _send(
    fn: (...args: never[]) => unknown,
    args: unknown[],
    _chunk: number,
    terms: RunOptions | undefined,
    _door: (...args: never[]) => unknown,
  ): Future<unknown> {
    const what = terms !== undefined ? "use with" : "submit";
    if (what !== "submit" || this.submit === Executor.prototype.submit) {
      throw new TypeError(`Cannot ${what}: ${this.constructor.name} does not define that`);
    }
    return this.submit(fn as (...args: unknown[]) => unknown, ...args);
  }

  /**
   * How the executor does.
   *
   * @throws {TypeError} When the executor does not define it; all of this package do.
   */
  stats(): ExecutorStats {
    throw new TypeError(`Cannot tell the stats: ${this.constructor.name} does not define that`);
  }

  /**
   * Takes no more calls, and frees what the executor holds once those it has are done.
   *
   * @param options `wait: false` returns at once; `cancelFutures: true` cancels the calls that have not started.
   * @throws {TypeError} When an option has the wrong type.
   */
  shutdown(_options?: ShutdownOptions): Promise<void> {
    return Promise.resolve();
  }

  /** Leaving an `await using` block: {@linkcode Executor.shutdown}, and waits for all calls. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }
}

/** What {@linkcode Executor.with} gives: an executor's `submit` and `map`, on terms. */
export interface Submitter {
  /** See {@linkcode Executor.submit}. */
  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>>;
  /** See {@linkcode Executor.map}. */
  readonly map: Executor["map"];
}

class OnTerms implements Submitter {
  readonly #one: Sender;
  readonly #many: Sender;

  /** What sends single calls, and what sends those of `map`, of which each moves what is in its own items. */
  constructor(one: Sender, many: Sender) {
    this.#one = one;
    this.#many = many;
  }

  submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
    return this.#one.send(fn, args, 0) as Future<Awaited<R>>;
  }

  map(fn: (...args: never[]) => unknown, ...rest: unknown[]): AsyncIterableIterator<never> {
    const { sources, options } = mapArguments(rest);
    return new MapIterator(fn, sources, options, this.#many) as AsyncIterableIterator<never>;
  }
}

function mustBeFunction(fn: unknown): void {
  if (typeof fn !== "function") {
    throw new TypeError(
      `Cannot map: a function is needed, got ${fn === null ? "null" : typeof fn}`,
    );
  }
}

/** Options of `shutdown`. */
export interface ShutdownOptions {
  /** Whether to wait for the calls; `true` by default. */
  wait?: boolean;
  /** Whether to cancel the calls that have not started; `false` by default. */
  cancelFutures?: boolean;
}

/** @throws {TypeError} when an option has the wrong type. */
export function checkShutdown(options: ShutdownOptions): ShutdownOptions {
  bagOf(options, "shut down", "{ cancelFutures: true }");
  const { wait, cancelFutures } = options;
  for (const [name, value] of Object.entries({ wait, cancelFutures })) {
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(`Cannot shut down: ${name} must be a boolean, got ${typeof value}`);
    }
  }
  return options;
}
