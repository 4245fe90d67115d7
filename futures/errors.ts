/**
 * The error classes of `futures`.
 *
 * @module
 */
import { nameIt, registerError } from "../threading/_core/mod.ts";

/** Raised by the result of a future that was cancelled. Stands for Python's `concurrent.futures.CancelledError`. */
export class CancelledError extends Error {
  static {
    nameIt(this, "CancelledError");
  }
}

/** Raised when something is asked of a future that its state does not allow. Stands for Python's `concurrent.futures.InvalidStateError`. */
export class InvalidStateError extends Error {
  static {
    nameIt(this, "InvalidStateError");
  }
}

/** Raised when something is asked of an executor that it can no longer do, such as to submit after `shutdown`. Stands for Python's `RuntimeError`. */
export class RuntimeError extends Error {
  static {
    nameIt(this, "RuntimeError");
  }
}

/** Raised for the tasks of an executor whose workers failed. Stands for Python's `concurrent.futures.BrokenExecutor`. */
export class BrokenExecutor extends RuntimeError {
  static {
    nameIt(this, "BrokenExecutor");
  }
}

/** Raised when a worker of a thread pool failed: its initializer threw, or it ended. Stands for Python's `concurrent.futures.thread.BrokenThreadPool`. */
export class BrokenThreadPool extends BrokenExecutor {
  static {
    nameIt(this, "BrokenThreadPool");
  }
}

const CLASSES = [
  CancelledError,
  InvalidStateError,
  RuntimeError,
  BrokenExecutor,
  BrokenThreadPool,
];
for (const type of CLASSES) registerError(type, import.meta.url);

export { MemoryError } from "../multiprocessing/errors.ts";
export { TimeoutError } from "../threading/_core/mod.ts";
