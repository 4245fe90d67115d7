/**
 * The error classes of context variables. They are named here, and not with the helper of `threading`, because this package stands
 * below every other one.
 *
 * @module
 */

/**
 * Raised by {@linkcode ContextVar.get} where there is neither a value nor a default. Stands for Python's built-in `LookupError`.
 *
 * @example
 * ```ts
 * import { ContextVar, LookupError } from "@batteries/concurrent/contextvars";
 * import { assertThrows } from "@std/assert";
 *
 * const user = new ContextVar<string>("user");
 * assertThrows(() => user.get(), LookupError);
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/contextvars.html#contextvars.ContextVar.get}
 */
export class LookupError extends Error {
  static {
    nameIt(this, "LookupError");
  }
}

/**
 * Raised when something is used in a state that does not allow it, such as a context that is entered twice. The same class
 * wherever this library exports it. Stands for the `RuntimeError` of Python's `threading` and `contextvars`.
 *
 * @example
 * ```ts
 * import { Context, ThreadError } from "@batteries/concurrent/contextvars";
 * import { assertThrows } from "@std/assert";
 *
 * const context = new Context();
 * assertThrows(() => context.run(() => context.run(() => {})), ThreadError);
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/contextvars.html#contextvars.Context}
 */
export class ThreadError extends Error {
  static {
    nameIt(this, "ThreadError");
  }
}

/** Puts the class name on the prototype, where it shows in stacks without being an own property that would travel. */
function nameIt(errorClass: abstract new (...args: never[]) => Error, name: string): void {
  Object.defineProperty(errorClass.prototype, "name", {
    value: name,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}
