/**
 * Where the values of context variables live, and which of these places is the current one. The only file that touches
 * `AsyncLocalStorage`.
 *
 * One `AsyncLocalStorage` holds one mutable {@linkcode Bindings} object. That it is mutable is what makes a plain `await` behave as
 * in Python: caller and callee hold the same object, so what one sets the other sees, whereas `AsyncLocalStorage.enterWith` would
 * be forgotten at the callee's first `await`. A new object is made only where Python makes a new context: `Context()` and `copy()`.
 *
 * Guarantees: there is always a current object (this thread's root, where none was entered); `copy` takes constant time whatever
 * the number of variables; an iterator shows the variables as they were when it was made.
 *
 * Relies on: `AsyncLocalStorage` following promises, timers, microtasks and runtime callbacks; object identity of the variables.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

/** What {@linkcode Bindings.get} answers for a variable without a value: `undefined` is a value. */
export const ABSENT: unique symbol = Symbol("absent");

const EMPTY: Map<object, unknown> = new Map();

/** The values of one context. Internal: users hold it wrapped in a `Context`. */
export class Bindings {
  /** True during the synchronous part of a `Context.run`. */
  entered = false;

  /** The `Context` around this object, once there is one; kept here so that it is always the same. */
  face: object | undefined;

  // The map may belong to several objects and to iterators; then `#shared` is true for each owner, and whoever wants to write
  // clones it first. Nobody learns that the others are gone: at worst one clone too many is made.
  #vars: Map<object, unknown>;
  #shared: boolean;

  // The variable read or written last, and what `get` answers for it. It lies here and not in the variable, because here it keeps
  // no value alive that the map does not keep alive anyway.
  #lastKey: object | undefined;
  #lastValue: unknown;

  // Most contexts stay empty: they share one map.
  constructor(vars: Map<object, unknown> = EMPTY, shared = true) {
    this.#vars = vars;
    this.#shared = shared;
  }

  get size(): number {
    return this.#vars.size;
  }

  /** The value of `key`, or {@linkcode ABSENT}. */
  get(key: object): unknown {
    if (key === this.#lastKey) return this.#lastValue;
    const found = this.#vars.get(key);
    const value = found !== undefined || this.#vars.has(key) ? found : ABSENT;
    this.#lastKey = key;
    return this.#lastValue = value;
  }

  set(key: object, value: unknown): void {
    this.#own().set(key, value);
    this.#lastKey = key;
    this.#lastValue = value;
  }

  delete(key: object): void {
    this.#own().delete(key);
    this.#lastKey = key;
    this.#lastValue = ABSENT;
  }

  copy(): Bindings {
    return new Bindings(this.#share(), true);
  }

  keys(): IterableIterator<object> {
    return this.#share().keys();
  }

  values(): IterableIterator<unknown> {
    return this.#share().values();
  }

  entries(): IterableIterator<[object, unknown]> {
    return this.#share().entries();
  }

  #share(): Map<object, unknown> {
    this.#shared = true;
    return this.#vars;
  }

  #own(): Map<object, unknown> {
    if (this.#shared) {
      this.#vars = new Map(this.#vars);
      this.#shared = false;
    }
    return this.#vars;
  }
}

const storage = new AsyncLocalStorage<Bindings>();
const root = new Bindings();

let apart = false;

/** From now on contexts can be told apart in this thread: there is a variable, or something that belongs to a context. */
export function tellApart(): void {
  apart = true;
}

/** Whether they can. As long as not, whoever would make a context only so that it is another saves the microsecond that it takes. */
export function areToldApart(): boolean {
  return apart;
}

/** What code running now reads and writes: the object entered by the innermost {@linkcode runIn}, or this thread's root. */
export function current(): Bindings {
  return storage.getStore() ?? root;
}

/** Makes `bindings` current while `fn` runs, and for everything that it starts and leaves behind. */
export function runIn<A extends unknown[], R>(
  bindings: Bindings,
  fn: (...args: A) => R,
  args: A,
): R {
  return storage.run(bindings, fn, ...args);
}
