/**
 * What types a manager's server makes, and how that is told to the process it runs in.
 *
 * @module
 */

/** A class whose arguments nobody here knows. */
// deno-lint-ignore no-explicit-any -- a constructor takes anything here
export type AnyClass = new (...args: any[]) => object;

/** What makes the objects of a type: a class, or a function that gives one. */
// deno-lint-ignore no-explicit-any -- any arguments
export type Maker = ((...args: any[]) => unknown) | (abstract new (...args: any[]) => unknown);

/** One registered type. */
export interface TypeEntry {
  /** Makes an object; without it, `create` takes the object itself as its one argument. */
  readonly callable: Maker | undefined;
  /** The methods that proxies may call; without it, the public ones. */
  readonly exposed: readonly string[] | undefined;
  /** The types that results of methods are turned into proxies of. */
  readonly methodToTypeid: Readonly<Record<string, string>> | undefined;
  /** The class of its proxies, when it is not the one of its kind. */
  readonly proxytype: AnyClass | undefined;
}

/** Registered types by their names. */
export type Registry = ReadonlyMap<string, TypeEntry>;

/** Calls, or constructs with, what makes the objects of a type. */
export function make(maker: Maker, args: readonly unknown[]): unknown {
  return isClass(maker)
    ? new (maker as new (...args: unknown[]) => unknown)(...args)
    : (maker as (...args: unknown[]) => unknown)(...args);
}

/** Whether `maker` is called with `new`: classes are, and the built-in ones, which do not say so. */
function isClass(maker: Maker): boolean {
  const text = Function.prototype.toString.call(maker);
  return /^class\b/.test(text) ||
    text.endsWith("{ [native code] }") && maker.prototype?.constructor === maker;
}
