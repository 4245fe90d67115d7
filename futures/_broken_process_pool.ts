/**
 * {@linkcode BrokenProcessPool}.
 *
 * @module
 */
import { nameIt, registerError } from "../threading/_core/mod.ts";
import { BrokenExecutor } from "./errors.ts";

/**
 * Raised for the calls of a process pool whose worker has died: it was killed, a call ended it, or its initializer failed. Each call
 * has an error of its own. Stands for Python's `concurrent.futures.process.BrokenProcessPool`.
 *
 * @example
 * ```ts
 * import { BrokenExecutor, BrokenProcessPool } from "@batteries/concurrent/futures";
 * import { assertInstanceOf } from "@std/assert";
 *
 * assertInstanceOf(new BrokenProcessPool("A worker was killed", 1234, -9), BrokenExecutor);
 * ```
 */
export class BrokenProcessPool extends BrokenExecutor {
  static {
    nameIt(this, "BrokenProcessPool");
  }
  /** The number of the process that died; `undefined` when none did. */
  readonly pid: number | undefined;
  /** Its exit code, or minus the number of the signal that ended it. */
  readonly exitcode: number | undefined;

  /** Makes the error for a worker. */
  constructor(message: string, pid?: number, exitcode?: number, options?: ErrorOptions) {
    super(message, options);
    this.pid = pid;
    this.exitcode = exitcode;
  }
}

registerError(BrokenProcessPool, import.meta.url);
