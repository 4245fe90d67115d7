/**
 * {@linkcode ThreadPoolExecutor} and {@linkcode InterpreterPoolExecutor}.
 *
 * @module
 */
import { canStopThreads, locate, register } from "../threading/_core/mod.ts";
import { Handle } from "./_handle.ts";
import { Pool } from "./_pool.ts";
import type { Door } from "./_protocol.ts";
import type { ExecutorStats } from "./_stats.ts";
import { mayStop, mustBeCalled, wholeNumber } from "./_terms.ts";
import { RuntimeError } from "./errors.ts";
import { checkShutdown, Executor, type RunOptions, type ShutdownOptions } from "./executor.ts";
import type { Future } from "./future.ts";
import { ProcessPoolExecutor } from "./process_pool_executor.ts";

/** Options of {@linkcode ThreadPoolExecutor}. */
export interface ThreadPoolExecutorOptions {
  /** The most threads; by default the number of processors plus 4, and 32 at most. */
  maxWorkers?: number;
  /** What the threads' names begin with. */
  threadNamePrefix?: string;
  /** An exported function that each thread calls first. When it throws, the pool is broken. */
  // deno-lint-ignore no-explicit-any
  initializer?: (...args: any[]) => unknown;
  /** What the initializer is called with. */
  initargs?: unknown[];
  /**
   * The most memory that the JavaScript heap of each thread may take, in MiB, 8 at least. A call that needs more fails with a
   * {@linkcode MemoryError}, and the others go on.
   *
   * The contents of `ArrayBuffer`s do not count. Where the initializer, or what a call has left behind, needs more, the pool is broken, or
   * another call fails that runs in the same thread at the moment.
   */
  memoryLimit?: number;
}

/** What Deno itself needs in a thread, in MiB. */
const LEAST_MEMORY = 8;

let executors = 0;
/** How the executor that is being made is reached, when it comes from another thread. */
let arriving: Door | undefined;

/** The threads of an executor that nobody can use any more end when its calls are done. */
const forgotten = new FinalizationRegistry<Pool>((pool) => {
  pool.close();
  void pool.join();
});

/**
 * Runs calls of exported functions in threads that it keeps for them.
 *
 * - Threads start when there is work and no free one, up to `maxWorkers`, and are used again. An executor that is never used costs
 *   nothing; one that is forgotten does not keep the program alive once its calls are done.
 * - Arguments and results are copied, but for shareable objects. What cannot travel fails alone.
 * - A call runs in a copy of its submitter's context.
 * - An executor belongs to the thread that made it. It can be handed to its own calls, which may submit to it: the thread that made
 *   it passes their calls on, as long as it has calls in flight itself and does not block in anything but a wait for futures. A call
 *   that waits for another while all threads run calls that do so would wait for ever: it gets a {@linkcode RuntimeError}. Futures
 *   of such calls cannot be cancelled, but they can be stopped, by {@linkcode Executor.with}; `stats` and `shutdown` are for the thread
 *   that made the executor.
 * - Calls that are in flight when a thread's target ends are lost: leave an `await using` block first. The main thread waits for
 *   them.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/concurrent.futures.html#threadpoolexecutor | concurrent.futures.ThreadPoolExecutor}.
 *
 * @example
 * ```ts no-eval
 * import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
 *
 * export function isPrime(n: number): boolean {
 *   for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
 *   return n > 1;
 * }
 *
 * if (import.meta.main) {
 *   await using executor = new ThreadPoolExecutor();
 *   console.log(await executor.submit(isPrime, 97));
 *   for await (const prime of executor.map(isPrime, [1, 2, 3, 4])) console.log(prime);
 * }
 * ```
 */
export class ThreadPoolExecutor extends Executor {
  readonly #pool: Pool | Handle;
  /** Makes what calls run in that must be stoppable, or all with a memoryLimit, where threads cannot be stopped. */
  readonly #makeInstead: () => Executor;
  readonly #capped: boolean;
  #instead: Executor | undefined;

  static {
    register(ThreadPoolExecutor, {
      name: "ThreadPoolExecutor",
      module: import.meta.url,
      reduce: (executor) => executor.#pool.door,
      revive: (door) => {
        arriving = door as Door;
        try {
          return new ThreadPoolExecutor();
        } finally {
          arriving = undefined;
        }
      },
    });
  }

  /**
   * Makes an executor.
   *
   * @param options Its options, or the most threads.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When `maxWorkers` is not an integer of at least 1.
   * @throws {PicklingError} When the initializer cannot travel.
   */
  constructor(options: number | ThreadPoolExecutorOptions = {}) {
    super();
    if (arriving !== undefined) {
      this.#pool = new Handle(arriving);
      this.#makeInstead = () => this;
      this.#capped = false;
      return;
    }
    const given = typeof options === "number" ? { maxWorkers: options } : options;
    if (typeof given !== "object" || given === null) {
      throw new TypeError("Cannot make an executor: options must be a number or an object");
    }
    if ("permissions" in given && given.permissions !== undefined) {
      throw new TypeError(
        "Cannot make an executor: threads have the permissions of their program; use ProcessPoolExecutor({ permissions }) for fewer",
      );
    }
    const name = new.target.name;
    const { initializer, initargs, threadNamePrefix } = given;
    if (initializer !== undefined) {
      mustBeCalled(initializer, "use as an initializer");
      locate(initializer, "use as an initializer", new.target);
    }
    if (initargs !== undefined && !Array.isArray(initargs)) {
      throw new TypeError("Cannot make an executor: initargs must be an array");
    }
    if (threadNamePrefix !== undefined && typeof threadNamePrefix !== "string") {
      throw new TypeError(
        `Cannot make an executor: threadNamePrefix must be a string, got ${typeof threadNamePrefix}`,
      );
    }
    const what = "make an executor";
    const maxWorkers = wholeNumber(given.maxWorkers, "maxWorkers", what) ??
      Math.min(32, navigator.hardwareConcurrency + 4);
    const range = { least: LEAST_MEMORY, most: 2 ** 20 };
    const memoryLimit = wholeNumber(given.memoryLimit, "memoryLimit, in MiB,", what, range);
    this.#makeInstead = () =>
      new ProcessPoolExecutor({ maxWorkers, initializer, initargs, memoryLimit });
    this.#capped = memoryLimit !== undefined;
    this.#pool = new Pool({
      maxWorkers,
      prefix: threadNamePrefix || `${name}-${executors++}`,
      initializer,
      initargs: initargs ?? [],
      memoryLimit,
      door: ThreadPoolExecutor as unknown as () => void,
    });
    forgotten.register(this, this.#pool);
  }

  /** Submits one call, or a chunk of calls. @internal */
  protected override _send(
    fn: (...args: never[]) => unknown,
    args: unknown[],
    chunk: number,
    terms: RunOptions | undefined,
    door: (...args: never[]) => unknown,
  ): Future<unknown> {
    if ((this.#capped || mayStop(terms)) && this.#isOpen && !canStopThreads()) {
      this.#instead ??= this.#makeInstead();
      return this.#instead["_send"](fn, args, chunk, terms, door);
    }
    return this.#pool.submit(fn, args, chunk, door, terms);
  }

  get #isOpen(): boolean {
    return this.#pool instanceof Pool && !this.#pool.closed;
  }

  /** How the executor does. */
  override stats(): ExecutorStats {
    const pool = this.#pool;
    if (pool instanceof Handle) {
      throw new RuntimeError(
        "Cannot tell the stats of an executor of another thread: ask in its own thread",
      );
    }
    return this.#capped && this.#instead !== undefined ? this.#instead.stats() : pool.stats();
  }

  /** See {@linkcode Executor.shutdown}. */
  override async shutdown(options: ShutdownOptions = {}): Promise<void> {
    checkShutdown(options);
    if (this.#pool instanceof Handle) return this.#pool.close();
    if (options.cancelFutures === true) this.#pool.cancelAll();
    this.#pool.close();
    const instead = this.#instead?.shutdown(options);
    if (options.wait !== false) await this.#pool.join();
    await instead;
  }
}

/**
 * The name that Python 3.14 gives to a pool whose threads have an interpreter each. Here every thread has: it is a
 * {@linkcode ThreadPoolExecutor}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/concurrent.futures.html#interpreterpoolexecutor | concurrent.futures.InterpreterPoolExecutor}.
 */
export class InterpreterPoolExecutor extends ThreadPoolExecutor {}
