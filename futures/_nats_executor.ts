/**
 * {@linkcode NatsExecutor}.
 *
 * @module
 */
import { opened } from "../threading/_core/mod.ts";
import { Client } from "./_nats_client.ts";
import { type NatsOptions, number, settingsOf } from "./_nats_link.ts";
import { TaskModules } from "./_nats_names.ts";
import { encodeListFor } from "./_nats_values.ts";
import type { ExecutorStats } from "./_stats.ts";
import { mustMove, type RunOptions, takeAway } from "./_terms.ts";
import { RuntimeError } from "./errors.ts";
import { checkShutdown, Executor, type ShutdownOptions } from "./executor.ts";
import type { Future } from "./future.ts";

/** Options of {@linkcode NatsExecutor}. */
export interface NatsExecutorOptions extends NatsOptions {
  /**
   * The modules whose functions may be submitted, by the names that the workers have for them: `{ tasks:
   * import.meta.resolve("./tasks.ts") }`. No URL goes over the wire.
   */
  tasks: Readonly<Record<string, string | URL>>;
  /** The most calls that are handed over and have no result; 10,000 by default. */
  maxPending?: number;
  /**
   * What becomes of calls beyond `maxPending`, or beyond what the queue holds: they wait here (`"wait"`, the default), or their futures
   * fail with a `QueueFullError` (`"fail"`).
   */
  whenFull?: "wait" | "fail";
  /**
   * How many workers may be lost over a call, 3 by default: then its future fails with a `PoisonTaskError`. With 0 no call is ever begun
   * twice.
   */
  maxWorkerLosses?: number;
}

/**
 * Runs calls of exported functions in workers on any machines, by way of a NATS server with JetStream.
 *
 * - A call runs *at least once*, or its future fails: when a worker is lost, another one gets its calls after the lease. The first
 *   result is the one that counts, and the server sees to that. Let calls be such that running twice does no harm, or use
 *   `maxWorkerLosses: 0`.
 * - What was handed over survives the death of workers, of the server, and of a cluster's leader. What the server has lost fails with a
 *   `TaskLostError`; no future waits for ever while the server can be reached.
 * - Workers run what is on their list of modules and nothing else. Arguments, results and errors are copied; classes and functions in
 *   them go by name, where both sides have a name for their module.
 * - `cancel()` takes back a call that no worker is known to have begun. To end one that runs, use {@linkcode Executor.with}: there the
 *   server decides whether the stop or the result was first.
 * - It connects when the first call is submitted, and keeps the program alive from then on: shut it down.
 * - Results come in through the event loop: `resultSync` and `waitSync` of its futures throw while a call is not done.
 *
 * Needs `--allow-net` for the servers. Python has nothing of the kind; it is an executor like
 * {@link https://docs.python.org/3.14/library/concurrent.futures.html#executor-objects | those of concurrent.futures}.
 *
 * @example Options are checked at once
 * ```ts
 * import { NatsExecutor } from "@batteries/concurrent/nats";
 * import { assertThrows } from "@std/assert";
 *
 * const tasks = { tasks: "file:///srv/tasks.ts" };
 * assertThrows(() => new NatsExecutor({ tasks, maxPending: 0 }), RangeError);
 * const executor = new NatsExecutor({ tasks, servers: "nats://127.0.0.1:4222", name: "thumbnails" });
 * await executor.shutdown(); // never used: it has never connected
 * ```
 */
export class NatsExecutor extends Executor {
  readonly #client: Client;
  readonly #modules: TaskModules;
  readonly #name: string;
  #closed: (() => void) | undefined;

  /**
   * Makes an executor.
   *
   * @param options Where the server is, and which functions may be submitted.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When a number or a name is out of range.
   */
  constructor(options: NatsExecutorOptions) {
    super();
    const what = "make an executor";
    const settings = settingsOf(options, what);
    const { tasks, whenFull = "wait" } = options;
    if (typeof tasks !== "object" || tasks === null || Object.keys(tasks).length === 0) {
      throw new TypeError(
        'Cannot make an executor: tasks must name at least one module, such as { tasks: import.meta.resolve("./tasks.ts") }',
      );
    }
    if (whenFull !== "wait" && whenFull !== "fail") {
      throw new RangeError(
        `Cannot make an executor: whenFull must be "wait" or "fail", got ${
          JSON.stringify(whenFull)
        }`,
      );
    }
    this.#modules = new TaskModules(tasks, what);
    this.#name = settings.name;
    this.#client = new Client({
      settings,
      modules: this.#modules,
      maxPending: number(options.maxPending, 10_000, 1, "maxPending", what),
      whenFull,
      maxWorkerLosses: number(options.maxWorkerLosses, 3, 0, "maxWorkerLosses", what),
    });
  }

  /**
   * Connects now, to learn at once of a server that is not there or refuses.
   *
   * @throws {RuntimeError} When the server cannot be reached in time, or refuses.
   */
  async connect(): Promise<void> {
    if (this.#client.closed) throw new RuntimeError("Cannot connect: the executor was shut down");
    this.#note();
    await this.#client.open();
  }

  /** Refuses a function that could not be submitted. @internal */
  protected override _mustTake(fn: (...args: never[]) => unknown): void {
    this.#modules.nameOf(fn, "submit", Executor.prototype.map);
  }

  /** Submits one call, or a chunk of calls. @internal */
  protected override _send(
    fn: (...args: never[]) => unknown,
    args: unknown[],
    chunk: number,
    terms: RunOptions | undefined,
    door: (...args: never[]) => unknown,
  ): Future<unknown> {
    if (this.#client.closed) throw new RuntimeError("Cannot submit: the executor was shut down");
    const name = this.#modules.nameOf(fn, "submit", door);
    mustMove(terms?.transfer, "to another machine");
    const root = chunk === 0 ? "args" : "items";
    const bytes = encodeListFor(this.#modules, args, "submit", root, door);
    takeAway(terms?.transfer);
    this.#note();
    return this.#client.submit(name, bytes, chunk, terms);
  }

  /** For `leaks()`. */
  #note(): void {
    this.#closed ??= opened(`NatsExecutor ${this.#name}`, Executor.prototype.submit);
  }

  /** How the executor does. `workers` are those that have begun a call of its. */
  override stats(): ExecutorStats {
    return this.#client.stats();
  }

  /** See {@linkcode Executor.shutdown}. Calls that wait for a worker are waited for too, unless they are cancelled. */
  override async shutdown(options: ShutdownOptions = {}): Promise<void> {
    checkShutdown(options);
    if (options.cancelFutures === true) this.#client.cancelAll();
    this.#client.close();
    this.#closed?.();
    if (options.wait !== false) await this.#client.join();
  }
}
