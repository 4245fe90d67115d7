/**
 * {@linkcode ContextVar} and the {@linkcode Token} that undoes one {@linkcode ContextVar.set}.
 *
 * @module
 */

import { kindOf, showAs } from "./_show.ts";
import { ABSENT, type Bindings, current, tellApart } from "./_store.ts";
import { LookupError } from "./errors.ts";

/** Options of {@linkcode ContextVar}. */
export interface ContextVarOptions<T> {
  /** What `get()` returns where the variable has no value. That the property is there counts, so `undefined` is a default too. */
  default: T;
}

/**
 * A variable with one value per context: the request being served, the user on whose behalf code runs, the precision of a
 * calculation. Its value follows `await`, timers, microtasks and callbacks.
 *
 * - `set` changes the value in the current context only; a plain async call shares its caller's context, so the caller sees the
 *   change after `await`.
 * - `Context.run` gives a call a context of its own: what it sets is not seen outside.
 * - Declare variables at the top of a module. Contexts keep the variables that they have values for alive.
 *
 * Stands for Python's `contextvars.ContextVar`.
 *
 * @typeParam T The type of the values.
 *
 * @example
 * ```ts
 * import { ContextVar, copyContext } from "@batteries/concurrent/contextvars";
 * import { assertEquals } from "@std/assert";
 *
 * const user = new ContextVar("user", { default: "nobody" });
 *
 * async function greet(): Promise<string> {
 *   await new Promise((resolve) => setTimeout(resolve, 1));
 *   return `Hello, ${user.get()}`;
 * }
 * async function serve(name: string): Promise<string> {
 *   user.set(name);
 *   return await greet();
 * }
 *
 * const answers = await Promise.all(["Ada", "Ben"].map((name) => copyContext().run(serve, name)));
 * assertEquals(answers, ["Hello, Ada", "Hello, Ben"]);
 * assertEquals(user.get(), "nobody");
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/contextvars.html#contextvars.ContextVar}
 */
export class ContextVar<T> {
  readonly #name: string;
  readonly #hasDefault: boolean;
  readonly #default: T | undefined;

  /**
   * Creates a variable without values.
   *
   * @param name What the variable is called in messages and when it is printed.
   * @param options `{ default }`: what `get()` returns where there is no value.
   * @throws {TypeError} when `name` is not a string or `options` not an object.
   */
  constructor(name: string, options?: ContextVarOptions<T>) {
    if (typeof name !== "string") {
      throw new TypeError(`Cannot create a ContextVar: name must be a string, got ${kindOf(name)}`);
    }
    if (options !== undefined && (typeof options !== "object" || options === null)) {
      throw new TypeError(
        `Cannot create ContextVar "${name}": options must be an object such as { default: 1 }, got ${
          kindOf(options)
        }`,
      );
    }
    tellApart();
    this.#name = name;
    this.#hasDefault = options !== undefined && "default" in options;
    this.#default = options?.default;
  }

  /** The name that the variable was created with. */
  get name(): string {
    return this.#name;
  }

  /**
   * The value in the current context, else the default of the variable.
   *
   * @throws {LookupError} when there is neither.
   *
   * @example
   * ```ts
   * import { ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const depth = new ContextVar("depth", { default: 0 });
   * assertEquals(depth.get(), 0);
   * depth.set(3);
   * assertEquals(depth.get(), 3);
   * ```
   */
  get(): T;
  /**
   * The value in the current context, else `fallback`, which goes before the default of the variable.
   *
   * @example
   * ```ts
   * import { ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const user = new ContextVar<string>("user");
   * assertEquals(user.get(null), null);
   * ```
   */
  get<D>(fallback: D): T | D;
  get<D>(fallback?: D): T | D {
    const value = current().get(this);
    if (value !== ABSENT) return value as T;
    if (arguments.length > 0) return fallback as D;
    if (this.#hasDefault) return this.#default as T;
    throw new LookupError(
      `Cannot get ContextVar "${this.#name}": it has no value in this context and no default; set it first, or call get(fallback)`,
    );
  }

  /**
   * Gives the variable a value in the current context.
   *
   * @returns The token that takes the change back: at `reset(token)`, or at the end of the block with `using`.
   *
   * @example
   * ```ts
   * import { ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const precision = new ContextVar("precision", { default: 2 });
   * {
   *   using _token = precision.set(10);
   *   assertEquals(precision.get(), 10);
   * }
   * assertEquals(precision.get(), 2);
   * ```
   */
  set(value: T): Token<T> {
    const bindings = current();
    const before = bindings.get(this);
    bindings.set(this, value);
    return makeToken(this, before === ABSENT ? Token.MISSING : before as T, bindings);
  }

  /**
   * Gives the variable the value that it had before the `set` that returned `token`, in the context of that `set`. A refused call
   * does not use the token up.
   *
   * @throws {TypeError} when `token` is not a {@linkcode Token}.
   * @throws {Error} when the token has been used already.
   * @throws {RangeError} when the token belongs to another variable, or was made in another context than the current one.
   *
   * @example
   * ```ts
   * import { ContextVar } from "@batteries/concurrent/contextvars";
   * import { assertEquals } from "@std/assert";
   *
   * const user = new ContextVar<string>("user");
   * const token = user.set("Ada");
   * user.reset(token);
   * assertEquals(user.get("nobody"), "nobody");
   * ```
   */
  reset(token: Token<T>): void {
    useToken(token, this);
  }

  static {
    showAs<ContextVar<unknown>>(
      this,
      (v) => v.#hasDefault ? { name: v.#name, default: v.#default } : { name: v.#name },
    );
  }
}

/** What only this file may ask of a token: set by {@linkcode Token} below. */
let makeToken: <T>(
  variable: ContextVar<T>,
  oldValue: T | typeof Token.MISSING,
  home: Bindings,
) => Token<T>;
let useToken: <T>(token: Token<T>, variable: ContextVar<T>) => void;
const KEY = Symbol("only ContextVar.set makes tokens");

/**
 * What {@linkcode ContextVar.set} returns: it takes that one change back, once. As a `Disposable` it does so at the end of a
 * `using` block.
 *
 * Stands for Python's `contextvars.Token`.
 *
 * @typeParam T The type of the variable's values.
 *
 * @example
 * ```ts
 * import { ContextVar, Token } from "@batteries/concurrent/contextvars";
 * import { assertEquals, assertStrictEquals } from "@std/assert";
 *
 * const user = new ContextVar<string>("user");
 * const first = user.set("Ada");
 * const second = user.set("Ben");
 * assertStrictEquals(first.oldValue, Token.MISSING);
 * assertEquals(second.oldValue, "Ada");
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/contextvars.html#contextvars.Token}
 */
export class Token<T> implements Disposable {
  /** The {@linkcode Token.oldValue} of a token whose `set` found no value. */
  static readonly MISSING: unique symbol = Symbol("Token.MISSING");

  readonly #variable: ContextVar<T>;
  readonly #oldValue: T | typeof Token.MISSING;
  readonly #home: Bindings;
  #used = false;

  private constructor(
    key: typeof KEY,
    variable: ContextVar<T>,
    oldValue: T | typeof Token.MISSING,
    home: Bindings,
  ) {
    if (key !== KEY) {
      throw new TypeError("Cannot create a Token: only ContextVar.set makes tokens");
    }
    this.#variable = variable;
    this.#oldValue = oldValue;
    this.#home = home;
  }

  /** The variable whose `set` made this token. */
  get var(): ContextVar<T> {
    return this.#variable;
  }

  /** The value before that `set`, or {@linkcode Token.MISSING} when there was none. */
  get oldValue(): T | typeof Token.MISSING {
    return this.#oldValue;
  }

  /**
   * Resets the variable, as `token.var.reset(token)` does. A token that has been used already is left alone.
   *
   * @throws {RangeError} when the current context is another one than that of the `set`.
   */
  [Symbol.dispose](): void {
    if (!this.#used) this.#use(this.#variable);
  }

  #use(variable: ContextVar<T>): void {
    const name = variable.name;
    if (this.#used) {
      throw new Error(`Cannot reset ContextVar "${name}": the token has already been used`);
    }
    if (this.#variable !== variable) {
      throw new RangeError(
        `Cannot reset ContextVar "${name}": the token was made by a different ContextVar, "${this.#variable.name}"`,
      );
    }
    if (this.#home !== current()) {
      throw new RangeError(
        `Cannot reset ContextVar "${name}": the token was made in a different Context; reset it where it was set`,
      );
    }
    this.#used = true;
    const oldValue = this.#oldValue;
    if (oldValue === Token.MISSING) this.#home.delete(variable);
    else this.#home.set(variable, oldValue);
  }

  static {
    makeToken = (variable, oldValue, home) => new Token(KEY, variable, oldValue, home);
    useToken = (token, variable) => {
      if (typeof token !== "object" || token === null || !(#used in token)) {
        throw new TypeError(
          `Cannot reset ContextVar "${variable.name}": the argument must be a Token from its set(), got ${
            kindOf(token)
          }`,
        );
      }
      token.#use(variable);
    };
    showAs<Token<unknown>>(
      this as unknown as { readonly name: string; readonly prototype: Token<unknown> },
      (t) => ({ var: t.#variable, oldValue: t.#oldValue, used: t.#used }),
    );
  }
}
