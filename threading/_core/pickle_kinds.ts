/**
 * What an object is, for the purpose of sending it; and the two lists that classes of this library enter themselves in.
 *
 * Guarantees: an object is called a leaf only when structured clone carries all of it, and a class that structured clone would
 * silently empty (`URL`, `Event`, a class with `#private` fields only) is `"refused"`. The look-up of a registered class is one
 * property read, because the entry stands on its prototype.
 *
 * Relies on: the internal slots of built-in classes, asked through their own getters, since `Symbol.toStringTag` can be anything.
 *
 * @module
 */

import { isProxy } from "./proxies.ts";

/**
 * The method of an instance that gives what to send of it; with {@linkcode setState} as a static method of its exported class,
 * instances arrive as instances of that class.
 */
export const getState: unique symbol = Symbol("getState");

/** The static method that makes an instance of what {@linkcode getState} gave. */
export const setState: unique symbol = Symbol("setState");

/** How the objects of one class become a handle on the same thing elsewhere. */
export interface Reducer<T> {
  /** Unique among all reducers: what the far side looks up. */
  readonly name: string;
  /** `import.meta.url` of the module that registers it: the far side imports it before it revives. */
  readonly module: string;
  /** How far its handles reach: only `"processes"` may leave the process; without it, they are for its threads. */
  readonly spans?: "processes";
  /** The parts to send, packed in their turn. */
  reduce(value: T): unknown;
  /**
   * What {@linkcode Reducer.reduce} gave will not arrive, or whoever was to get it has ended: takes back what was done for its way. Parts
   * that have arrived after all are none of its business. Must not throw.
   */
  discard?(parts: unknown): void;
  /** The handle, from the parts as they arrived. */
  revive(parts: unknown): T;
}

type Entry =
  | { readonly reducer: Reducer<object>; readonly why?: undefined }
  | { readonly reducer?: undefined; readonly why: string };

const entry = Symbol("how it travels");
const reducers = new Map<string, Reducer<object>>();

/**
 * Makes the instances of `type`, and of its subclasses that are not registered themselves, travel as handles.
 *
 * @throws {TypeError} when the class or the name is registered already.
 */
export function register<T extends object>(
  type: abstract new (...args: never[]) => T,
  reducer: Reducer<T>,
): void {
  if (reducers.has(reducer.name)) {
    throw new TypeError(
      `Cannot register a reducer named '${reducer.name}': the name is taken, choose another`,
    );
  }
  enter(type, { reducer: reducer as unknown as Reducer<object> });
  reducers.set(reducer.name, reducer as unknown as Reducer<object>);
}

/**
 * Makes the instances of `type` and its subclasses stay where they are: packing one throws a `PicklingError` that says `why`.
 *
 * @throws {TypeError} when the class is registered already.
 */
export function refuse(type: abstract new (...args: never[]) => object, why: string): void {
  enter(type, { why });
}

/** The reducer of that name, once its module has been imported. */
export function reducerNamed(name: string): Reducer<object> | undefined {
  return reducers.get(name);
}

function enter(type: abstract new (...args: never[]) => object, value: Entry): void {
  if (Object.hasOwn(type.prototype, entry)) {
    throw new TypeError(`Cannot register class ${type.name}: it is registered already`);
  }
  Object.defineProperty(type.prototype, entry, { value });
}

/** What to do with an object. */
export type Kind =
  | "plain" // own enumerable data, as a plain object
  | "array"
  | "map"
  | "set"
  | "leaf" // structured clone carries it
  | "error"
  | "shareable"
  | "instance" // of a class with [getState]
  | "refused";

type Loose = Record<PropertyKey, unknown>;

const { getPrototypeOf, keys } = Object;
const tagOf = Object.prototype.toString;

/** Proxies of this library's own classes: looking at them runs no code but ours. */
const ours = new WeakSet<object>();

/** Lets a `Proxy` of this library travel as what its class is registered as. */
export function vouchFor(proxy: object): void {
  ours.add(proxy);
}

/** What `value` is. Runs no code of the user's, except accessors for `Symbol.toStringTag` and `[getState]`. */
export function kindOf(value: object, transfer?: ReadonlySet<object>): Kind {
  if (transfer !== undefined && transfer.has(value)) return "leaf";
  if (isProxy(value) && !ours.has(value)) return "refused";
  const proto = getPrototypeOf(value);
  if (proto === Object.prototype || proto === null) {
    const tag = tagOf.call(value);
    if (tag === "[object Object]" && (value as Loose)[getState] === undefined) return "plain";
  } else if (proto === Array.prototype && Array.isArray(value)) {
    return "array";
  }
  const found = (value as Loose)[entry] as Entry | undefined;
  const stateful = (value as Loose)[getState] !== undefined;
  if (found !== undefined && !(stateful && isNearer(value, getState, entry))) {
    return found.reducer === undefined ? "refused" : "shareable";
  }
  if (stateful) return "instance";
  if (isErrorLike(value)) return "error";
  if (Array.isArray(value)) return "array";
  if (ArrayBuffer.isView(value)) return isSpoilt(value) ? "refused" : "leaf";
  return branded(value, proto);
}

/** The content of a `Map`, keys and values by turns, whatever its class made of its methods. */
export function entriesOf(map: Map<unknown, unknown>): unknown[] {
  const list: unknown[] = [];
  mapForEach.call(map, (value, key) => list.push(key, value));
  return list;
}

/** The content of a `Set`, whatever its class made of its methods. */
export function itemsOf(set: Set<unknown>): unknown[] {
  const list: unknown[] = [];
  setForEach.call(set, (value) => list.push(value));
  return list;
}

const mapForEach = Map.prototype.forEach;
const setForEach = Set.prototype.forEach;

/** Whether the memory of a view was given away, or its buffer has become too short for it: nobody can clone it then. */
function isSpoilt(view: ArrayBufferView): boolean {
  const { buffer } = view;
  if (!(buffer instanceof ArrayBuffer)) return false;
  if (buffer.detached) return true;
  if (!buffer.resizable) return false;
  try {
    // Each throws for a view out of bounds, and only then.
    if (view instanceof DataView) viewLength(view);
    else Uint8Array.prototype.at.call(view as Uint8Array, 0);
    return false;
  } catch {
    return true;
  }
}

/** What a registered object is reduced with. */
export function reducerOf(value: object): Reducer<object> {
  return ((value as Loose)[entry] as { reducer: Reducer<object> }).reducer;
}

/** Tags of the leaves whose data is all there is to them. */
const DATA = new Set([
  "[object Date]",
  "[object RegExp]",
  "[object Boolean]",
  "[object Number]",
  "[object String]",
  "[object BigInt]",
  "[object ArrayBuffer]",
]);

/** Whether `value`, of that kind, is something that only the threads of one process can have in common. */
export function staysInProcess(value: object, kind: Kind): boolean {
  if (kind === "shareable") return reducerOf(value).spans !== "processes";
  if (kind !== "leaf") return false;
  return ArrayBuffer.isView(value)
    ? !(value.buffer instanceof ArrayBuffer)
    : !DATA.has(tagOf.call(value));
}

/** Whether `first` stands nearer to `value` on its prototype chain than `second`. */
function isNearer(value: object, first: symbol, second: symbol): boolean {
  for (let at: object | null = value; at !== null; at = getPrototypeOf(at)) {
    if (Object.hasOwn(at, second)) return false;
    if (Object.hasOwn(at, first)) return true;
  }
  return false;
}

/** Whether `value` is an error, or inherits from one; never throws. */
export function isErrorLike(value: unknown): value is Error {
  try {
    return isError(value) || value instanceof Error;
  } catch {
    return false;
  }
}

const isError = (Error as unknown as { isError(value: unknown): boolean }).isError;

/** Each tag with the test of the internal slot behind it. The tests throw or answer false. */
const brands: Readonly<Record<string, readonly [Kind, (value: unknown) => unknown]>> = {
  "[object Map]": ["map", getter(Map, "size")],
  "[object Set]": ["set", getter(Set, "size")],
  "[object Date]": ["leaf", method(Date, "getTime")],
  "[object RegExp]": ["leaf", getter(RegExp, "source")],
  "[object Boolean]": ["leaf", method(Boolean, "valueOf")],
  "[object Number]": ["leaf", method(Number, "valueOf")],
  "[object String]": ["leaf", method(String, "valueOf")],
  "[object BigInt]": ["leaf", method(BigInt, "valueOf")],
  "[object ArrayBuffer]": ["leaf", (value) => {
    // Throws for what is no ArrayBuffer. A detached one cannot be cloned.
    if (detached(value) === true) throw new TypeError();
  }],
  "[object SharedArrayBuffer]": ["leaf", getter(SharedArrayBuffer, "byteLength")],
};

const viewLength = getter(DataView, "byteLength");
const detached = getter(ArrayBuffer, "detached");

function branded(value: object, proto: object | null): Kind {
  const tag = tagOf.call(value);
  const brand = Object.hasOwn(brands, tag) ? brands[tag] : undefined;
  if (brand !== undefined) {
    try {
      brand[1](value);
      return brand[0];
    } catch {
      // Not what its tag says.
    }
  }
  return isPlatformLeaf(value, tag) ? "leaf" : dataKind(value, proto, tag);
}

/** Classes of the web platform that Deno clones, asked by name so that none of them is loaded for it. */
function isPlatformLeaf(value: object, tag: string): boolean {
  switch (tag) {
    case "[object Blob]":
    case "[object File]":
      return value instanceof Blob;
    case "[object CryptoKey]":
      return value instanceof CryptoKey;
    case "[object WebAssembly.Module]":
      return value instanceof WebAssembly.Module;
    case "[object WebAssembly.Memory]":
      return value instanceof WebAssembly.Memory &&
        (value.buffer as ArrayBufferLike) instanceof SharedArrayBuffer;
    default:
      return false;
  }
}

/** An object without internal slots that we know travels as its own enumerable data, if it has any. */
function dataKind(value: object, proto: object | null, tag: string): Kind {
  if (proto === null) return isNamespace(value, tag) ? "refused" : "plain";
  if (value === globalThis || tag === "[object Arguments]" || isPlatform(value)) return "refused";
  if (keys(value).length > 0) return "plain";
  // An empty object of another realm, or one with only a tag of its own.
  return getPrototypeOf(proto) === null && Object.hasOwn(proto, "isPrototypeOf") &&
      Reflect.ownKeys(value).length === 0
    ? "plain"
    : "refused";
}

/** A module namespace: the only ordinary-looking object whose tag is own, fixed and hidden, and that cannot be extended. */
function isNamespace(value: object, tag: string): boolean {
  if (tag !== "[object Module]" || Object.isExtensible(value)) return false;
  const own = Object.getOwnPropertyDescriptor(value, Symbol.toStringTag);
  return own !== undefined && !own.writable && !own.configurable && !own.enumerable;
}

/** Whether the class of `value` itself, not a base, is one of the runtime's: what it holds lies behind its properties. */
function isPlatform(value: object): boolean {
  const type = classOf(value);
  if (type === undefined) return UNCLONEABLE.test(tagOf.call(value));
  return type !== Object && (globalThis as unknown as Loose)[type.name] === type ||
    UNCLONEABLE.test(tagOf.call(value));
}

/** Objects of the language with internal slots, whose classes are no globals. */
const UNCLONEABLE =
  /^\[object (?:(?:Async)?Generator|(?:.* )?Iterator(?: Helper)?|Temporal\..*|Intl\..*)\]$/;

/** The class that made `value`, when its prototype says so. */
export function classOf(value: object): (abstract new (...args: never[]) => object) | undefined {
  const proto = getPrototypeOf(value);
  if (proto === null) return undefined;
  const type = Object.getOwnPropertyDescriptor(proto, "constructor")?.value;
  return typeof type === "function" && type.prototype === proto ? type : undefined;
}

function getter(type: { prototype: object }, key: string): (value: unknown) => unknown {
  const get = Object.getOwnPropertyDescriptor(type.prototype, key)!.get!;
  return (value) => get.call(value);
}

function method(type: { prototype: object }, key: string): (value: unknown) => unknown {
  const found = Object.getOwnPropertyDescriptor(type.prototype, key)!.value;
  return (value) => found.call(value);
}

/** Why a `"refused"` object cannot travel, when its own class of this library said so. */
export function whyRefused(value: object): string | undefined {
  return isProxy(value) && !ours.has(value)
    ? undefined
    : ((value as Loose)[entry] as Entry | undefined)?.why;
}
