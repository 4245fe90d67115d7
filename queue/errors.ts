/**
 * The error classes of `queue`.
 *
 * @module
 */
import { nameIt, registerError } from "../threading/_core/mod.ts";

/** Raised by `get` when there is no item, and none came in time. Stands for Python's `queue.Empty`. */
export class Empty extends Error {
  static {
    nameIt(this, "Empty");
  }
}

/** Raised by `put` when there is no room, and none came in time. Stands for Python's `queue.Full`. */
export class Full extends Error {
  static {
    nameIt(this, "Full");
  }
}

/** Raised by `put` and `get` of a queue that was shut down. Stands for Python's `queue.ShutDown`. */
export class ShutDown extends Error {
  static {
    nameIt(this, "ShutDown");
  }
}

for (const type of [Empty, Full, ShutDown]) registerError(type, import.meta.url);
