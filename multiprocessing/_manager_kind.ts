/**
 * Kinds of objects: what proxies of each can do, in a table of its own. Nothing is looked up by name on an object of the language.
 *
 * @module
 */
import type { Caller } from "./_manager_caller.ts";

/** Does what a proxy asks of an object. */
// deno-lint-ignore no-explicit-any -- each table knows what its objects are
export type Method = (object: any, args: any[], caller: Caller) => unknown;

/** A kind of object. */
export interface Kind {
  /** Its name, by which the proxy class is found. */
  readonly name: string;
  /** Whether an object is of this kind. */
  is(object: unknown): boolean;
  /** Where the class that it stands for ends: what a subclass defines nearer than this is the subclass's. */
  readonly base: object;
  readonly methods: ReadonlyMap<string, Method>;
  /** What a copy of the object is. */
  // deno-lint-ignore no-explicit-any -- as above
  copy(object: any): unknown;
}

/** A kind. */
export function kindOf(
  name: string,
  is: (object: unknown) => boolean,
  base: object,
  methods: Record<string, Method>,
  copy: Kind["copy"] = (object) => object,
): Kind {
  return { name, is, base, methods: new Map(Object.entries(methods)), copy };
}

/** Methods that are carried out as they are. */
export function methods<T extends object>(...names: (keyof T & string)[]): Record<string, Method> {
  return Object.fromEntries(names.map((name) => [
    name,
    (object, args) => object[name](...args),
  ]));
}
