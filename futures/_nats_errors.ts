/**
 * The error classes of `futures/nats`.
 *
 * @module
 */
import { nameIt, registerError } from "../threading/_core/mod.ts";
import { RuntimeError } from "./errors.ts";

/**
 * Raised for a call that is no longer on the server and has left no result: the server has lost its storage, or somebody has emptied
 * its streams. It may have run.
 */
export class TaskLostError extends RuntimeError {
  static {
    nameIt(this, "TaskLostError");
  }
}

/** Raised for a call that was given to worker after worker, each of which ended, or was not heard of again, before the call did. */
export class PoisonTaskError extends RuntimeError {
  static {
    nameIt(this, "PoisonTaskError");
  }
}

/** Raised for a call that the worker may not, or cannot, make: its module is not on the worker's list, or does not export it. */
export class UnknownTaskError extends RuntimeError {
  static {
    nameIt(this, "UnknownTaskError");
  }
}

/** Raised for a call for which there is no room, by an executor with `whenFull: "fail"`. */
export class QueueFullError extends RuntimeError {
  static {
    nameIt(this, "QueueFullError");
  }
}

for (const type of [TaskLostError, PoisonTaskError, UnknownTaskError, QueueFullError]) {
  registerError(type, import.meta.url);
}
