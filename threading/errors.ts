/**
 * The error classes of `threading`.
 *
 * @module
 */
import { nameIt } from "./_core/mod.ts";

/**
 * Raised by `Barrier.wait` when the barrier is broken, or breaks while the caller waits. Stands for Python's
 * `threading.BrokenBarrierError`.
 */
export class BrokenBarrierError extends Error {
  static {
    nameIt(this, "BrokenBarrierError");
  }
}

export { ThreadError } from "../contextvars/mod.ts";
export { PicklingError, TimeoutError } from "./_core/mod.ts";
