/**
 * {@linkcode ProcessPoolExecutor}.
 *
 * @module
 */
import { type Ended, type Limit, remaining } from "../threading/_core/mod.ts";
import { Crew, type Job, type Order, type Policy } from "../multiprocessing/_crew.ts";
import { heapFlags, outOfMemory, TimeLimit } from "../multiprocessing/_crew_limit.ts";
import { ProcessTrade } from "../multiprocessing/_crew_processes.ts";
import { isWell, ofWhat } from "../multiprocessing/_crew_protocol.ts";
import type { Permissions } from "../multiprocessing/mod.ts";
import { BrokenProcessPool } from "./_broken_process_pool.ts";
import { type ExecutorStats, Tally } from "./_stats.ts";
import { mayStop, mustMove, type RunOptions, takeAway, wholeNumber } from "./_terms.ts";
import { RuntimeError } from "./errors.ts";
import { checkShutdown, Executor, type ShutdownOptions } from "./executor.ts";
import { bind, conclude, Future, type Origin } from "./future.ts";

type AnyFunction = (...args: never[]) => unknown;

/** Options of {@linkcode ProcessPoolExecutor}. */
export interface ProcessPoolExecutorOptions {
  /** The most processes; by default as many as the machine has processors. */
  maxWorkers?: number;
  /** What `getContext` of `multiprocessing` gives: how the processes start. */
  mpContext?: { getStartMethod(): "spawn" | "forkserver" };
  /** An exported function that each process calls first. When it throws, the pool is broken. */
  // deno-lint-ignore no-explicit-any
  initializer?: (...args: any[]) => unknown;
  /** What the initializer is called with. */
  initargs?: unknown[];
  /** How many calls, or chunks of calls, a process runs before another takes its place; for ever by default. */
  maxTasksPerChild?: number | null;
  /** What the processes may do: as this one (`"inherit"`, the default), nothing (`"none"`), or what is listed; never more. */
  permissions?: Permissions;
  /**
   * The most memory that the JavaScript heap of each process may take, in MiB, 8 at least. A call that needs more fails with a
   * {@linkcode MemoryError}, and no other. The contents of `ArrayBuffer`s do not count.
   */
  memoryLimit?: number;
}

let executors = 0;

/** The processes of an executor that nobody can use any more end when its calls are done. */
const forgotten = new FinalizationRegistry<Crew<unknown>>((crew) => crew.close());

/**
 * Runs calls of exported functions in processes that it keeps for them.
 *
 * - Processes start when there is work and no free one, up to `maxWorkers`, and are used again. An executor that is never used costs
 *   nothing; one that is idle or forgotten does not keep the program alive.
 * - Arguments and results are copied, but for the shareable objects of `multiprocessing`. What cannot travel fails alone.
 * - A process that dies breaks the pool: all its futures, and later calls, fail with a {@linkcode BrokenProcessPool} that has the pid
 *   and the exit code. One that a call of {@linkcode Executor.with} was stopped in, or that was out of memory, is just replaced.
 * - `resultSync` and `waitSync` of futures that are not done need `--allow-ffi`, and processes that may do what this one may.
 *
 * Needs `--allow-run`, `--allow-read`, `--allow-write` and `--allow-net`. Stands for Python's
 * {@link https://docs.python.org/3.14/library/concurrent.futures.html#processpoolexecutor | concurrent.futures.ProcessPoolExecutor}.
 *
 * @example
 * ```ts no-eval
 * import { ProcessPoolExecutor } from "@batteries/concurrent/futures";
 *
 * export function isPrime(n: number): boolean {
 *   for (let i = 2; i * i <= n; i++) if (n % i === 0) return false;
 *   return n > 1;
 * }
 *
 * if (import.meta.main) {
 *   await using executor = new ProcessPoolExecutor();
 *   console.log(await executor.submit(isPrime, 112272535095293));
 *   for await (const prime of executor.map(isPrime, [1, 2, 3, 4])) console.log(prime);
 * }
 * ```
 *
 * @example A sandbox
 * ```ts no-eval
 * import { ProcessPoolExecutor } from "@batteries/concurrent/futures";
 *
 * export function curious(): string {
 *   return Deno.readTextFileSync("/etc/passwd");
 * }
 *
 * if (import.meta.main) {
 *   await using executor = new ProcessPoolExecutor({ permissions: "none", memoryLimit: 64 });
 *   const future = executor.with({ timeout: 100 }).submit(curious);
 *   console.log(await future.exception()); // NotCapable
 * }
 * ```
 */
export class ProcessPoolExecutor extends Executor {
  readonly #crew: Crew<unknown>;
  readonly #tally = new Tally();
  #shut = false;

  /**
   * Makes an executor.
   *
   * @param options Its options, or the most processes.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When a number is out of range.
   * @throws {PicklingError} When the initializer or its arguments cannot travel.
   */
  constructor(options: number | ProcessPoolExecutorOptions = {}) {
    super();
    const given = read(options);
    const { mpContext, initializer, initargs, maxTasksPerChild, permissions, memoryLimit } = given;
    const trade = new ProcessTrade({
      name: `${new.target.name}-${executors++}`,
      daemon: false,
      method: mpContext?.getStartMethod(),
      permissions,
      flags: heapFlags(memoryLimit),
    });
    this.#crew = new Crew({
      size: given.maxWorkers ?? navigator.hardwareConcurrency,
      trade,
      policy: policyFor(memoryLimit),
      maxTasks: maxTasksPerChild ?? undefined,
      initializer,
      initargs,
      door: new.target as unknown as AnyFunction,
    }) as Crew<unknown>;
    forgotten.register(this, this.#crew);
  }

  /** Submits one call, or a chunk of calls. @internal */
  protected override _send(
    fn: (...args: never[]) => unknown,
    args: unknown[],
    chunk: number,
    terms: RunOptions | undefined,
    door: (...args: never[]) => unknown,
  ): Future<unknown> {
    if (this.#shut) throw new RuntimeError("Cannot submit: the executor was shut down");
    mustMove(terms?.transfer, "to another process");
    const call = new Call(this.#crew, this.#tally, fn, chunk, terms);
    call.submit(args, door);
    return call.future;
  }

  /** How the executor does. */
  override stats(): ExecutorStats {
    return this.#tally.told(this.#crew.workers, this.#crew.count());
  }

  /** See {@linkcode Executor.shutdown}. */
  override async shutdown(options: ShutdownOptions = {}): Promise<void> {
    checkShutdown(options);
    this.#shut = true;
    if (options.cancelFutures === true) this.#crew.withdraw({ butNext: true });
    this.#crew.close();
    if (options.wait !== false) await this.#crew.join();
  }

  /**
   * Terminates the processes (`SIGTERM`; what does not end by that in a second is killed) and waits for their end. Calls that have not
   * started are cancelled, those that run fail with a {@linkcode BrokenProcessPool}, and no more are taken.
   *
   * Stands for Python's `ProcessPoolExecutor.terminate_workers`.
   */
  async terminateWorkers(): Promise<void> {
    await this.#endWorkers("terminate");
  }

  /**
   * {@linkcode ProcessPoolExecutor.terminateWorkers} that kills them at once (`SIGKILL`).
   *
   * Stands for Python's `ProcessPoolExecutor.kill_workers`.
   */
  async killWorkers(): Promise<void> {
    await this.#endWorkers("kill");
  }

  async #endWorkers(how: "terminate" | "kill"): Promise<void> {
    this.#shut = true;
    this.#crew.withdraw();
    const what = how === "kill" ? "killWorkers" : "terminateWorkers";
    this.#crew.end(
      how,
      () => new BrokenProcessPool(`Cannot finish the call: its process was ended by ${what}`),
    );
    await this.#crew.join();
  }
}

/** A call: the crew's order, and what its future knows of the executor. One object, since there may be many thousands. */
class Call implements Order, Origin {
  readonly fn: AnyFunction;
  readonly form: number;
  readonly future = new Future<unknown>();
  readonly #crew: Crew<unknown>;
  readonly #tally: Tally;
  readonly #limit: TimeLimit | undefined;
  readonly #transfer: Transferable[] | undefined;
  readonly #submitted = performance.now();
  #job: Job<unknown> | undefined;

  constructor(
    crew: Crew<unknown>,
    tally: Tally,
    fn: AnyFunction,
    form: number,
    terms: RunOptions | undefined,
  ) {
    this.#crew = crew;
    this.#tally = tally;
    this.fn = fn;
    this.form = form;
    this.#transfer = terms?.transfer;
    this.#limit = mayStop(terms)
      ? new TimeLimit(terms!, (why) => crew.stop(this.#job!, why))
      : undefined;
  }

  submit(args: unknown[], door: AnyFunction): void {
    this.#job = this.#crew.submit(this, args, door);
    bind(this.future, this);
    this.#limit?.start();
  }

  get alone(): boolean {
    return this.#limit !== undefined;
  }

  get tells(): boolean {
    return this.#limit !== undefined;
  }

  packed(): void {
    takeAway(this.#transfer);
  }

  sent(): void {
    this.#limit?.sent();
  }

  began(): void {
    this.#limit?.began();
  }

  withdraw(): void {
    this.future.cancel();
  }

  ended(ended: Ended, ran: number): void {
    this.#limit?.end();
    this.#tally.ended(isWell(ended, this.form));
    this.#tally.took(this.#submitted, ran);
    conclude(this.future, ended);
  }

  running(): boolean {
    return this.#job?.place === "sent";
  }

  cancel(): boolean {
    const cancelled = this.#crew.cancel(this.#job!);
    if (cancelled) this.#limit?.end();
    return cancelled;
  }

  get house(): unknown {
    return Crew;
  }

  pump(limit: Limit): boolean {
    this.#crew.pump(limit);
    return remaining(limit.deadline) > 0;
  }
}

function policyFor(memoryLimit: number | undefined): Policy {
  return {
    onDeath: "break",
    died: (ending, name) => {
      const { pid, exitcode } = ending;
      const how = exitcode! < 0
        ? `was ended by signal ${-exitcode!}`
        : `ended with exit code ${exitcode}`;
      const text = `${name}: process ${pid} ${how}${ofWhat(ending)}`;
      return new BrokenProcessPool(text, pid, exitcode);
    },
    broken: (why) => {
      const { pid, exitcode } = why as Partial<BrokenProcessPool>;
      return new BrokenProcessPool(
        `Cannot finish the call: the process pool is broken. ${why.message}`,
        pid,
        exitcode,
        { cause: why },
      );
    },
    pardons: (ending) => outOfMemory(ending, memoryLimit),
  };
}

function read(options: number | ProcessPoolExecutorOptions): ProcessPoolExecutorOptions {
  const given = typeof options === "number" ? { maxWorkers: options } : options;
  const wrong = (what: string) => new TypeError(`Cannot make an executor: ${what}`);
  if (typeof given !== "object" || given === null) {
    throw wrong("options must be a number or an object");
  }
  const { maxWorkers, mpContext, initializer, initargs, maxTasksPerChild, memoryLimit } = given;
  const what = "make an executor";
  wholeNumber(maxWorkers, "maxWorkers", what);
  wholeNumber(maxTasksPerChild ?? undefined, "maxTasksPerChild", what);
  wholeNumber(memoryLimit, "memoryLimit, in MiB,", what, { least: 8 });
  if (initializer !== undefined && typeof initializer !== "function") {
    throw wrong(`initializer must be a function, got ${typeof initializer}`);
  }
  if (initargs !== undefined && !Array.isArray(initargs)) throw wrong("initargs must be an array");
  if (mpContext !== undefined && typeof mpContext?.getStartMethod !== "function") {
    throw wrong("mpContext must be what getContext() of multiprocessing gives");
  }
  return given;
}
