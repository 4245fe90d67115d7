/**
 * `Value` and `Array` of `dummy`: those of `sharedctypes` in memory that only the threads of this process share, so that they need no
 * permission; with locks of `threading`.
 *
 * @module
 */
import { register } from "../threading/_core/mod.ts";
import { Lock, RLock } from "../threading/mod.ts";
import type { Arena, Place } from "./_arena.ts";
import {
  type Held,
  type RawArrayOf,
  RawObject,
  SharedArray,
  SharedString,
  SharedValue,
  type ValueOf,
} from "./_shared_values.ts";
import {
  type ArrayOf,
  Synchronized,
  SynchronizedArray,
  type SynchronizedBase,
  SynchronizedString,
} from "./_synchronized.ts";
import type { Lock as ProcessLock } from "./synchronize.ts";
import {
  bytesOf,
  type Form,
  formFrom,
  formOf,
  type InitOf,
  type TypeData,
  type ValueType,
} from "./_types.ts";

/** How a value or array of `dummy` is made. */
export interface DummySharedOptions {
  /** `true`, or absent: a new `RLock` of `threading`. A lock: that one. `false`: none. */
  lock?: boolean | Lock | RLock;
}

/** A block that is a buffer of its own. Only what a shared object asks of a place is there. */
function placeIn(memory: SharedArrayBuffer): Place {
  const system = { ground: () => ({ memory }) };
  return {
    arena: { memory, system } as unknown as Arena,
    words: new Int32Array(memory),
    at: 0,
    address: () => 0,
  };
}

function heldIn(form: Form, count: number, memory: SharedArrayBuffer): Held {
  return { form, count, place: placeIn(memory), row: form.row(memory, 0, count) };
}

function newHeld(form: Form, count: number): Held {
  const bytes = Math.max(8, Math.ceil(form.size * count / 8) * 8);
  return heldIn(form, count, new SharedArrayBuffer(bytes));
}

interface Parts {
  readonly type: TypeData;
  readonly count: number;
  readonly memory: SharedArrayBuffer;
}

function reduce(object: RawObject): Parts {
  const { form, count, place } = RawObject._heldBy(object);
  return { type: form.data, count, memory: place.arena.memory };
}

function revive(parts: unknown): Held {
  const { type, count, memory } = parts as Parts;
  return heldIn(formFrom(type), count, memory);
}

class ThreadValue extends SharedValue {}
class ThreadArray extends SharedArray {}
class ThreadString extends SharedString {}
class LockedValue extends Synchronized {}
class LockedArray extends SynchronizedArray {}
class LockedString extends SynchronizedString {}

function travels(
  type: abstract new (...args: never[]) => RawObject,
  name: string,
  make: (held: Held) => RawObject,
): void {
  register(type, {
    name: `multiprocessing.dummy.${name}`,
    module: import.meta.url,
    reduce,
    revive: (parts) => make(revive(parts)),
  });
}

travels(ThreadValue, "RawValue", (held) => new ThreadValue(held));
travels(ThreadArray, "RawArray", (held) => new ThreadArray(held));
travels(ThreadString, "RawString", (held) => new ThreadString(held) as RawObject);

/** Objects with a lock, by what they were made of. */
const made = new WeakMap<SynchronizedBase, { object: RawObject; lock: Lock | RLock }>();

for (const [name, type] of Object.entries({ LockedValue, LockedArray, LockedString })) {
  register(type as abstract new (...args: never[]) => SynchronizedBase, {
    name: `multiprocessing.dummy.${name}`,
    module: import.meta.url,
    reduce: (shared) => made.get(shared),
    revive: (parts) => {
      const { object, lock } = parts as { object: RawObject; lock: Lock | RLock };
      return wrap(object, lock);
    },
  });
}

function wrap(object: RawObject, lock: Lock | RLock): SynchronizedBase {
  const type = object instanceof ThreadString
    ? LockedString
    : object instanceof ThreadArray
    ? LockedArray
    : LockedValue;
  // What a shared object asks of its lock, those of threading have, too.
  const shared: SynchronizedBase = new type(object, lock as unknown as ProcessLock);
  made.set(shared, { object, lock });
  return shared;
}

function lockOf({ lock }: DummySharedOptions, what: string): Lock | RLock | undefined {
  if (lock === false) return undefined;
  if (lock === undefined || lock === true) return new RLock();
  if (lock instanceof Lock || lock instanceof RLock) return lock;
  throw new TypeError(`Cannot ${what}: lock must be a Lock or an RLock of threading, or a boolean`);
}

/**
 * A value that the threads of this process share, with a lock.
 *
 * @param type What it is: a code, a typed array's constructor or a `Struct`.
 * @param init What it is at first; 0 by default.
 * @param options Which lock; a new `RLock` of `threading` by default.
 * @throws {TypeError} When the type is none, or `init` or the lock is of another.
 *
 * @example
 * ```ts
 * import { Value } from "@batteries/concurrent/multiprocessing/dummy";
 * import { assertEquals } from "@std/assert";
 *
 * const counter = Value("i", 41);
 * {
 *   using _held = counter.holdSync();
 *   counter.value += 1;
 * }
 * assertEquals(counter.value, 42);
 * ```
 */
export function DummyValue<const T extends ValueType>(
  type: T,
  init: InitOf<T> | undefined,
  options: { lock: false },
): SharedValue<ValueOf<T>>;
/** The same with a lock. */
export function DummyValue<const T extends ValueType>(
  type: T,
  init?: InitOf<T>,
  options?: DummySharedOptions,
): Synchronized<ValueOf<T>>;
export function DummyValue<const T extends ValueType>(
  type: T,
  init?: InitOf<T>,
  options: DummySharedOptions = {},
): Synchronized<ValueOf<T>> | SharedValue<ValueOf<T>> {
  const what = "make a Value";
  const lock = lockOf(options, what);
  const held = newHeld(formOf(type, what), 1);
  if (init !== undefined) held.row.write(0, init, what);
  const value = new ThreadValue(held);
  if (lock === undefined) return value as SharedValue<ValueOf<T>>;
  return wrap(value, lock) as Synchronized<ValueOf<T>>;
}

/**
 * An array that the threads of this process share, with a lock.
 *
 * @param type What its elements are: a code, a typed array's constructor or a `Struct`. With `c` it has `value` and `raw` as well.
 * @param sizeOrInit How many elements, all 0; or what they are at first. A string is one for `c` and `u`.
 * @param options Which lock; a new `RLock` of `threading` by default.
 * @throws {TypeError} When the type is none, or an element or the lock is of another.
 * @throws {RangeError} When the size is no integer from 0 on.
 */
export function DummyArray<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
  options: { lock: false },
): RawArrayOf<T>;
/** The same with a lock. */
export function DummyArray<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
  options?: DummySharedOptions,
): ArrayOf<T>;
export function DummyArray<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
  options: DummySharedOptions = {},
): ArrayOf<T> | RawArrayOf<T> {
  const what = "make an Array";
  const lock = lockOf(options, what);
  const form = formOf(type, what);
  const held = filled(form, sizeOrInit, what);
  const array: RawObject = form.data === "c"
    ? new ThreadString(held) as RawObject
    : new ThreadArray(held);
  if (lock === undefined) return array as unknown as RawArrayOf<T>;
  return wrap(array, lock) as unknown as ArrayOf<T>;
}

function filled(form: Form, sizeOrInit: unknown, what: string): Held {
  if (typeof sizeOrInit === "number") {
    if (Number.isSafeInteger(sizeOrInit) && sizeOrInit >= 0) return newHeld(form, sizeOrInit);
    throw new RangeError(
      `Cannot ${what}: its size must be an integer from 0 on, got ${sizeOrInit}`,
    );
  }
  if (typeof (sizeOrInit as Iterable<unknown> | null)?.[Symbol.iterator] !== "function") {
    throw new TypeError(`Cannot ${what}: it takes a size or the elements`);
  }
  const list = form.data === "c" && typeof sizeOrInit === "string"
    ? [...bytesOf(sizeOrInit)]
    : [...sizeOrInit as Iterable<unknown>];
  const held = newHeld(form, list.length);
  list.forEach((value, i) => held.row.write(i, value, `${what} with element ${i}`));
  return held;
}
