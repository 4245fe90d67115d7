/**
 * The error classes that the engine room itself throws; `threading` and the packages above re-export them.
 *
 * @module
 */

/**
 * Raised when a function or a value cannot travel to another thread or process. The message names what it was and how to mend
 * it. Stands for Python's `pickle.PicklingError`.
 */
export class PicklingError extends Error {
  static {
    nameIt(this, "PicklingError");
  }
}

/**
 * Raised when a call that reports a result, such as `Lock.hold` or `Future.result`, runs out of time. The same class wherever this
 * library exports it. Stands for Python's built-in `TimeoutError`.
 */
export class TimeoutError extends Error {
  static {
    nameIt(this, "TimeoutError");
  }
}

/** Puts the class name on the prototype, where it shows in stacks without being an own property that would travel. */
export function nameIt(errorClass: abstract new (...args: never[]) => Error, name: string): void {
  Object.defineProperty(errorClass.prototype, "name", {
    value: name,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
