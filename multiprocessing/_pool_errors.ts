/**
 * The errors of pools.
 *
 * @module
 */
import { nameIt, registerError } from "../threading/_core/mod.ts";
import { ProcessError } from "./errors.ts";

/**
 * The worker that ran a call has ended before the call did: it was killed, ran out of memory, or the call ended it. Other calls are not
 * touched, and another worker takes its place.
 *
 * Python's pools lose the call then, and whoever waits for it waits for ever.
 *
 * @example
 * ```ts
 * import { WorkerLostError } from "@batteries/concurrent/multiprocessing/pool";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new WorkerLostError("Cannot finish the call: PoolWorker-1 was killed", 1234, -9);
 * assertEquals([error.pid, error.exitcode], [1234, -9]);
 * ```
 */
export class WorkerLostError extends ProcessError {
  static {
    nameIt(this, "WorkerLostError");
  }
  /** The number of the process; `undefined` for a thread. */
  readonly pid: number | undefined;
  /** The exit code, or minus the number of the signal that ended it; `undefined` for a thread. */
  readonly exitcode: number | undefined;

  /** Makes the error for a worker. */
  constructor(message: string, pid?: number, exitcode?: number) {
    super(message);
    this.pid = pid;
    this.exitcode = exitcode;
  }
}

registerError(WorkerLostError, import.meta.url);
