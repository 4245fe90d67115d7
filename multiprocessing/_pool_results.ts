/**
 * What the asynchronous calls of a pool give at once: {@linkcode AsyncResult} and {@linkcode MapResult}.
 *
 * @module
 */
import {
  type Ended,
  type Limit,
  limitOf,
  refuse,
  remaining,
  TimeoutError,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { happens } from "./_ready.ts";
import { ProcessError } from "./errors.ts";
import { showAs } from "./_show.ts";

/** What a call of a pool may be followed by. */
export interface Callbacks<T> {
  /** Called with the result, before whoever waits for it goes on. It should return soon. */
  callback?: (result: T) => void;
  /** Called with the error instead, when there is one. */
  errorCallback?: (error: Error) => void;
}

/** Hears of the workers of a pool while the thread is blocked. */
export interface Pumped {
  pump(limit: Limit): void;
  count(): { readonly pending: number };
}

/** Says who has the call. */
export let tie: (result: AsyncResult<unknown>, crew: Pumped) => void;
/** Ends a result. */
export let settle: (result: AsyncResult<unknown>, ended: Ended) => void;

/**
 * The result of a call of a pool that has not ended yet.
 *
 * One that nobody looks at is never an unhandled rejection: its error stays in it.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.pool.AsyncResult | multiprocessing.pool.AsyncResult}.
 *
 * @example
 * ```ts no-eval
 * import { Pool } from "@batteries/concurrent/multiprocessing/pool";
 *
 * export function square(n: number): number {
 *   return n * n;
 * }
 *
 * if (import.meta.main) {
 *   await using pool = new Pool({ processes: 2 });
 *   const result = pool.applyAsync(square, [10]);
 *   console.log(await result.get({ timeout: 60_000 })); // 100
 * }
 * ```
 *
 * @typeParam T The result.
 */
export class AsyncResult<T> {
  // What is private does not tell T: a result of any type is an AsyncResult<unknown>.
  #ended: Ended | undefined;
  #callbacks: Callbacks<never> | undefined;
  readonly #end = Promise.withResolvers<void>();
  #crew: Pumped | undefined;

  static {
    showAs(AsyncResult<unknown>, (result) => result.#ended ?? { ready: false });
    refuse(
      AsyncResult,
      "a result belongs to the thread that has the pool; send what its get() gives instead",
    );
    tie = (result, crew) => result.#crew = crew;
    settle = (result, ended) => result.#settle(ended);
  }

  /** Pools make results. */
  constructor(callbacks?: Callbacks<T>) {
    this.#callbacks = callbacks;
  }

  /**
   * Waits for the result.
   *
   * @param options How long to wait.
   * @returns The result.
   * @throws {TimeoutError} When time ran out. The call goes on.
   * @throws What the call threw; the signal's reason, when it is aborted.
   */
  async get(options?: WaitOptions): Promise<T> {
    const limit = limitOf(options, "AsyncResult.get");
    if (this.#ended === undefined && !await happens(this.#end.promise, limit)) throw notInTime();
    return this.#value();
  }

  /**
   * As {@linkcode AsyncResult.get}, blocking the calling thread. `signal` is looked at once, at the call. For a pool of processes it needs
   * `--allow-ffi`, and processes that may do what this one may.
   *
   * @param options How long to wait.
   * @returns The result.
   * @throws {TimeoutError} When time ran out. The call goes on.
   * @throws What the call threw.
   */
  getSync(options?: WaitOptions): T {
    this.#block(limitOf(options, "AsyncResult.getSync"));
    if (this.#ended === undefined) throw notInTime();
    return this.#value();
  }

  /**
   * Waits until the call has ended, however it did, or time has run out: {@linkcode AsyncResult.ready} tells which.
   *
   * @param options How long to wait.
   * @throws The signal's reason, when it is aborted.
   */
  async wait(options?: WaitOptions): Promise<void> {
    const limit = limitOf(options, "AsyncResult.wait");
    if (this.#ended === undefined) await happens(this.#end.promise, limit);
  }

  /**
   * As {@linkcode AsyncResult.wait}, blocking the calling thread; see {@linkcode AsyncResult.getSync}.
   *
   * @param options How long to wait.
   */
  waitSync(options?: WaitOptions): void {
    this.#block(limitOf(options, "AsyncResult.waitSync"));
  }

  #block(limit: Limit): void {
    while (this.#ended === undefined) {
      const isLate = remaining(limit.deadline) <= 0;
      if (this.#crew === undefined || this.#crew.count().pending === 0) {
        if (isLate) return;
        throw new ProcessError(
          "Cannot wait for the result by blocking: the items are still being read, which takes the event loop; await it",
        );
      }
      // Also for who does not wait, and asks again and again: what has come is heard.
      this.#crew.pump(limit);
      if (isLate) return;
    }
  }

  #value(): T {
    const ended = this.#ended!;
    if ("error" in ended) throw ended.error;
    return ended.value as T;
  }

  /** Whether the call has ended. */
  ready(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * Whether the call has ended without an error.
   *
   * @throws {RangeError} When it has not ended.
   */
  successful(): boolean {
    if (this.#ended === undefined) {
      throw new RangeError("Cannot tell whether the call was successful: it has not ended");
    }
    return "value" in this.#ended;
  }

  #settle(ended: Ended): void {
    if (this.#ended !== undefined) return;
    this.#ended = ended;
    const { callback, errorCallback } = this.#callbacks ?? {};
    this.#callbacks = undefined;
    callBack(() => {
      if ("value" in ended) callback?.(ended.value as never);
      else errorCallback?.(ended.error as Error);
    });
    this.#end.resolve();
  }
}

/** Calls what the user gave. What it throws is nobody's to catch: it is told on standard error. */
export function callBack(body: () => void): void {
  try {
    body();
  } catch (error) {
    const text = `Exception in a callback of a Pool:\n${Deno.inspect(error, { colors: false })}\n`;
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}

function notInTime(): TimeoutError {
  return new TimeoutError("The result of the pool was not there in time");
}

/** Says how many chunks there are. */
export let expectChunks: (result: MapResult<unknown>, chunks: number) => void;
/** Puts in what a chunk has given. */
export let settleChunk: (result: MapResult<unknown>, chunk: number, ended: Ended) => void;

/**
 * The results of `mapAsync` and `starmapAsync`: a list, once all calls have ended. When some have failed, the error of the first of
 * them in the order of the items.
 *
 * Stands for Python's `multiprocessing.pool.MapResult`.
 *
 * @typeParam R One result.
 */
export class MapResult<R> extends AsyncResult<R[]> {
  #chunks: (unknown[] | undefined)[] = [];
  #left = Infinity;
  #failed: { readonly chunk: number; readonly error: unknown } | undefined;

  static {
    expectChunks = (result, chunks) => {
      result.#chunks = Array(chunks);
      result.#left = chunks;
      if (chunks === 0) settle(result, { value: [] });
    };
    settleChunk = (result, chunk, ended) => result.#settleChunk(chunk, ended);
  }

  #settleChunk(chunk: number, ended: Ended): void {
    if ("value" in ended) this.#chunks[chunk] = ended.value as unknown[];
    else if (this.#failed === undefined || chunk < this.#failed.chunk) {
      this.#failed = { chunk, error: ended.error };
    }
    if (--this.#left > 0) return;
    if (this.#failed !== undefined) settle(this, { error: this.#failed.error });
    else settle(this, { value: (this.#chunks as unknown[][]).flat(1) });
    this.#chunks = [];
  }
}
