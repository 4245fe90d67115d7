/**
 * {@linkcode Context}: a set of values of context variables, and who may run in it. The last three functions are for the packages
 * above, which carry contexts to other threads; `mod.ts` does not export them.
 *
 * @module
 */

import { kindOf, showAs } from "./_show.ts";
import { ABSENT, areToldApart, Bindings, current, runIn, tellApart } from "./_store.ts";
import { ContextVar } from "./context_var.ts";
import { ThreadError } from "./errors.ts";

// What the functions below may do with the private part of a context: set by the class.
let bindingsOf: (context: Context) => Bindings;
let contextAround: (bindings: Bindings) => Context;

/**
 * Context variables with their values. Code always runs in one context, the current one: {@linkcode ContextVar.get} reads it and
 * {@linkcode ContextVar.set} changes it.
 *
 * - `new Context()` is empty; {@linkcode copyContext} copies the current one, in constant time.
 * - {@linkcode Context.run} makes the context the current one for a call and all that the call starts: promises, timers, callbacks.
 * - A context is *entered* while the synchronous part of `run` lasts; it cannot be entered twice at a time. After that it may
 *   be entered again, even while async work of an earlier `run` still goes on in it.
 * - It is a read-only mapping. Its iterators show the variables as they were when the iterator was made.
 *
 * Stands for Python's `contextvars.Context`.
 *
 * @example
 * ```ts
 * import { Context, ContextVar, copyContext } from "@batteries/concurrent/contextvars";
 * import { assertEquals } from "@std/assert";
 *
 * const user = new ContextVar("user", { default: "nobody" });
 * user.set("Ada");
 *
 * const context = copyContext();
 * context.run(() => user.set("Ben"));
 *
 * assertEquals(user.get(), "Ada");
 * assertEquals(context.get(user), "Ben");
 * assertEquals(new Context().run(() => user.get()), "nobody");
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/contextvars.html#contextvars.Context}
 */
export class Context implements Iterable<ContextVar<unknown>> {
  #bindings: Bindings;

  /**
   * Creates an empty context.
   *
   * @throws {TypeError} when it is given arguments.
   */
  constructor() {
    if (arguments.length > 0) {
      throw new TypeError(
        `Cannot create a Context: it takes no arguments, got ${arguments.length}; set variables inside its run()`,
      );
    }
    this.#bindings = new Bindings();
    this.#bindings.face = this;
  }

  /**
   * A new context with the same variables and values. Takes constant time, however many there are.
   *
   * @example
   * ```ts
   * import { Context, ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const user = new ContextVar<string>("user");
   * const first = new Context();
   * first.run(() => user.set("Ada"));
   * const second = first.copy();
   * second.run(() => user.set("Ben"));
   * assertEquals([first.get(user), second.get(user)], ["Ada", "Ben"]);
   * ```
   */
  copy(): Context {
    return contextAround(this.#bindings.copy());
  }

  /**
   * Enters the context, calls `fn(...args)` and leaves it again, however the call ends. Promises, timers and callbacks that the
   * call leaves behind go on in the context.
   *
   * @returns What `fn` returned.
   * @throws {TypeError} when `fn` is not a function.
   * @throws {ThreadError} when the context is entered already.
   * @throws What `fn` throws.
   *
   * @example
   * ```ts
   * import { ContextVar, copyContext } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const request = new ContextVar("request", { default: 0 });
   * async function handle(id: number): Promise<number> {
   *   request.set(id);
   *   await Promise.resolve();
   *   return request.get();
   * }
   * assertEquals(await Promise.all([copyContext().run(handle, 1), copyContext().run(handle, 2)]), [1, 2]);
   * assertEquals(request.get(), 0);
   * ```
   */
  run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R {
    const bindings = this.#bindings;
    if (typeof fn !== "function") {
      throw new TypeError(
        `Cannot run in the Context: the first argument must be a function, got ${kindOf(fn)}`,
      );
    }
    if (bindings.entered) {
      throw new ThreadError(
        "Cannot enter the Context: it is already entered; run in a copy() of it instead",
      );
    }
    bindings.entered = true;
    try {
      return runIn(bindings, fn, args);
    } finally {
      bindings.entered = false;
    }
  }

  /**
   * The value of `variable` in this context, else `undefined`. Defaults of variables play no part.
   *
   * @throws {TypeError} when `variable` is not a {@linkcode ContextVar}.
   *
   * @example
   * ```ts
   * import { Context, ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const user = new ContextVar("user", { default: "nobody" });
   * assertEquals(new Context().get(user), undefined);
   * ```
   */
  get<T>(variable: ContextVar<T>): T | undefined;
  /**
   * The value of `variable` in this context, else `fallback`. Defaults of variables play no part.
   *
   * @throws {TypeError} when `variable` is not a {@linkcode ContextVar}.
   *
   * @example
   * ```ts
   * import { Context, ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const user = new ContextVar("user", { default: "nobody" });
   * assertEquals(new Context().get(user, "?"), "?");
   * ```
   */
  get<T, D>(variable: ContextVar<T>, fallback: D): T | D;
  get<T, D>(variable: ContextVar<T>, fallback?: D): T | D | undefined {
    checkKey(variable, "get");
    const value = this.#bindings.get(variable);
    return value === ABSENT ? fallback : value as T;
  }

  /**
   * Whether `variable` has a value in this context.
   *
   * @throws {TypeError} when `variable` is not a {@linkcode ContextVar}.
   *
   * @example
   * ```ts
   * import { Context, ContextVar } from "@batteries/concurrent/contextvars";
   * import { assert } from "@std/assert";
   *
   * const user = new ContextVar<string>("user");
   * const context = new Context();
   * context.run(() => user.set("Ada"));
   * assert(context.has(user));
   * assert(!new Context().has(user));
   * ```
   */
  has(variable: ContextVar<unknown>): boolean {
    checkKey(variable, "has");
    return this.#bindings.get(variable) !== ABSENT;
  }

  /** The number of variables that have a value in this context. */
  get size(): number {
    return this.#bindings.size;
  }

  /** The variables that have a value in this context. */
  keys(): IterableIterator<ContextVar<unknown>> {
    return this.#bindings.keys() as IterableIterator<ContextVar<unknown>>;
  }

  /** The values in this context, in the order of {@linkcode Context.keys}. */
  values(): IterableIterator<unknown> {
    return this.#bindings.values();
  }

  /**
   * The variables that have a value in this context, each with its value.
   *
   * @example
   * ```ts
   * import { Context, ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const user = new ContextVar<string>("user");
   * const context = new Context();
   * context.run(() => user.set("Ada"));
   * assertEquals([...context.entries()], [[user, "Ada"]]);
   * ```
   */
  entries(): IterableIterator<[ContextVar<unknown>, unknown]> {
    return this.#bindings.entries() as IterableIterator<[ContextVar<unknown>, unknown]>;
  }

  /** Iterates over the variables, as {@linkcode Context.keys} does. */
  [Symbol.iterator](): IterableIterator<ContextVar<unknown>> {
    return this.keys();
  }

  static {
    bindingsOf = (context) => context.#bindings;
    contextAround = (bindings) => {
      if (bindings.face !== undefined) return bindings.face as Context;
      const context = new Context();
      context.#bindings = bindings;
      bindings.face = context;
      return context;
    };
    showAs(this, (context) => new Map([...context.entries()].map(([v, value]) => [v.name, value])));
  }
}

/**
 * A copy of the current context. Takes constant time, however many variables it has.
 *
 * Stands for Python's `contextvars.copy_context`.
 *
 * @example
 * ```ts
 * import { ContextVar, copyContext } from "@batteries/concurrent/contextvars";
 * import { assertEquals } from "@std/assert";
 *
 * const user = new ContextVar<string>("user");
 * user.set("Ada");
 * const context = copyContext();
 * user.set("Ben");
 * assertEquals(context.get(user), "Ada");
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/contextvars.html#contextvars.copy_context}
 */
export function copyContext(): Context {
  return contextAround(current().copy());
}

/**
 * The current context itself, not a copy: the root of this thread where none was entered. It is the same object each time, so its
 * identity names a flow.
 */
export function currentContext(): Context {
  tellApart();
  return contextAround(current());
}

/** A context with the given values: how one that travelled is built on the far side. */
export function contextOf(entries: Iterable<readonly [ContextVar<unknown>, unknown]>): Context {
  const context = new Context();
  const bindings = bindingsOf(context);
  for (const [variable, value] of entries) bindings.set(variable, value);
  return context;
}

/**
 * Calls `fn(...args)` in `context` without entering it: for callbacks that go on in the context of the flow that left them, which
 * may be running them from inside.
 */
export function runInContext<A extends unknown[], R>(
  context: Context,
  fn: (...args: A) => R,
  ...args: A
): R {
  return runIn(bindingsOf(context), fn, args);
}

/** Calls `fn(...args)` in an empty context; in whatever context there is, as long as nobody can know. */
export function runInEmptyContext<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): R {
  return areToldApart() ? runIn(new Bindings(), fn, args) : fn(...args);
}

/** Whether no variable has a value in the current context: then it need not be copied. */
export function isContextEmpty(): boolean {
  return current().size === 0;
}

function checkKey(variable: ContextVar<unknown>, method: string): void {
  if (!(variable instanceof ContextVar)) {
    throw new TypeError(
      `Cannot call Context.${method}: the first argument must be a ContextVar, got ${
        kindOf(variable)
      }`,
    );
  }
}
