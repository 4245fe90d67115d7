/**
 * Shared values and arrays together with a lock: `Value`, `Array` and `synchronized`.
 *
 * The lock is the user's to take: single reads and writes do without, `value += 1` is two of them.
 *
 * @module
 */
import { type AcquireOptions, register, type WaitOptions } from "../threading/_core/mod.ts";
import {
  copyOf,
  RawArray,
  type RawArrayOf,
  RawObject,
  RawValue,
  SharedArray,
  SharedString,
  type SharedValue,
  type TextElement,
  type ValueOf,
} from "./_shared_values.ts";
import { type Lock, RLock } from "./synchronize.ts";
import type { ElementOf, InitOf, ValueType, ViewOf } from "./_types.ts";
import { showAs } from "./_show.ts";

/** What a shared object with a lock is made with. */
export interface SharedOptions {
  /** `true`, `null` or absent: a new `RLock`. A lock: that one. `false`: none, as `RawValue` and `RawArray`. */
  lock?: boolean | Lock | RLock | null;
}

interface Parts {
  readonly object: RawObject;
  readonly lock: Lock | RLock;
}

/**
 * What all shared objects with a lock have: the lock's methods.
 *
 * Stands for Python's `SynchronizedBase`.
 */
export abstract class SynchronizedBase {
  readonly #object: RawObject;
  readonly #lock: Lock | RLock;

  /** @internal */
  constructor(object: RawObject, lock: Lock | RLock) {
    this.#object = object;
    this.#lock = lock;
  }

  static {
    register(SynchronizedBase, {
      name: "multiprocessing.Synchronized",
      module: import.meta.url,
      spans: "processes",
      reduce: (shared): Parts => ({ object: shared.#object, lock: shared.#lock }),
      revive: (parts) => wrap((parts as Parts).object, (parts as Parts).lock),
    });
  }

  /** @internal */
  static _objectOf(shared: SynchronizedBase): RawObject {
    return shared.#object;
  }

  /** The lock that goes with the object. */
  getLock(): Lock | RLock {
    return this.#lock;
  }

  /**
   * Takes the lock.
   *
   * @param options How long to wait (`timeout` in milliseconds, `signal`), or `blocking: false` to try once.
   * @returns Whether it was taken; `false` only when time ran out.
   */
  acquire(options?: AcquireOptions): Promise<boolean> {
    return this.#lock.acquire(options);
  }

  /** As {@linkcode SynchronizedBase.acquire}, blocking the calling thread. */
  acquireSync(options?: AcquireOptions): boolean {
    return this.#lock.acquireSync(options);
  }

  /** Gives the lock back. @throws {ThreadError} When the caller does not hold it. */
  release(): void {
    this.#lock.release();
  }

  /**
   * Takes the lock for the length of a `using` block.
   *
   * @throws {TimeoutError} When time ran out.
   */
  hold(options?: WaitOptions): Promise<Disposable> {
    return this.#lock.hold(options);
  }

  /** As {@linkcode SynchronizedBase.hold}, blocking the calling thread. */
  holdSync(options?: WaitOptions): Disposable {
    return this.#lock.holdSync(options);
  }
}

/**
 * A shared value and its lock.
 *
 * Stands for what Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Value | Value} returns.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Value } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const counter = Value("i");
 * {
 *   using _held = await counter.hold();
 *   counter.value += 1; // nobody else is between reading and writing
 * }
 * assertEquals(counter.value, 1);
 * ```
 */
export class Synchronized<T = unknown> extends SynchronizedBase {
  readonly #value: SharedValue<T>;

  static {
    showAs(Synchronized<unknown>, ({ value }) => ({ value }));
  }

  /** @internal */
  constructor(object: RawObject, lock: Lock | RLock) {
    super(object, lock);
    this.#value = object as SharedValue<T>;
  }

  /** What it is now. Of a structure: an object whose fields are live. A read or write of anything else is one step, without the lock. */
  get value(): T {
    return this.#value.value;
  }

  set value(value: T) {
    this.#value.value = value;
  }

  /** The value without the lock. */
  getObj(): SharedValue<T> {
    return this.#value;
  }
}

/**
 * A shared array and its lock. `E` are its elements, `V` the typed array over them, `I` what may be written.
 *
 * Stands for what Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Array | Array} returns.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Array as SharedArray } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const numbers = SharedArray("d", [0.5, 1.5]);
 * {
 *   using _held = numbers.holdSync();
 *   numbers.set(0, numbers.get(0) + numbers.get(1));
 * }
 * assertEquals(numbers.slice(), [2, 1.5]);
 * ```
 */
export class SynchronizedArray<E = unknown, V = unknown, I = E> extends SynchronizedBase
  implements Iterable<E> {
  readonly #array: SharedArray<E, V, I>;

  static {
    showAs(SynchronizedArray<unknown>, ({ length }) => ({ length }));
  }

  /** @internal */
  constructor(object: RawObject, lock: Lock | RLock) {
    super(object, lock);
    this.#array = object as SharedArray<E, V, I>;
  }

  /** How many elements it has. */
  get length(): number {
    return this.#array.length;
  }

  /** The element at an index, counted from the end when negative; `undefined` when there is none. */
  at(index: number): E | undefined {
    return this.#array.at(index);
  }

  /** The element at an index, counted from the end when negative. @throws {RangeError} When there is none. */
  get(index: number): E {
    return this.#array.get(index);
  }

  /**
   * Writes the element at an index, counted from the end when negative.
   *
   * @throws {RangeError} When there is none.
   * @throws {TypeError} When the value has the wrong type.
   */
  set(index: number, value: I): void {
    this.#array.set(index, value);
  }

  /** A copy of some elements, as `Array.prototype.slice` takes them. */
  slice(start?: number, end?: number): E[] {
    return this.#array.slice(start, end);
  }

  /** The elements, one after another. */
  [Symbol.iterator](): Iterator<E> {
    return this.#array[Symbol.iterator]();
  }

  /** A typed array over the elements themselves, no copy; of structures, and of `c`, over their bytes. */
  getObj(): V {
    return this.#array.getObj();
  }
}

/** A shared text and its lock: a {@linkcode SynchronizedArray} of bytes with `value` and `raw`. */
export class SynchronizedString
  extends SynchronizedArray<number, Uint8Array<SharedArrayBuffer>, TextElement> {
  readonly #text: SharedString;

  /** @internal */
  constructor(object: RawObject, lock: Lock | RLock) {
    super(object, lock);
    this.#text = object as SharedString;
  }

  /**
   * The bytes before the first 0. A text (as UTF-8) or bytes may be assigned; a 0 follows them, if there is room.
   *
   * @throws {RangeError} When it is assigned more bytes than there are.
   */
  get value(): Uint8Array<ArrayBuffer> {
    return this.#text.value;
  }

  set value(value: string | Uint8Array) {
    this.#text.value = value;
  }

  /**
   * All the bytes. A text (as UTF-8) or bytes may be assigned; those behind them stay.
   *
   * @throws {RangeError} When it is assigned more bytes than there are.
   */
  get raw(): Uint8Array<ArrayBuffer> {
    return this.#text.raw;
  }

  set raw(value: string | Uint8Array) {
    this.#text.raw = value;
  }
}

/** The array of a type, with a lock. */
export type ArrayOf<T extends ValueType> = T extends "c" ? SynchronizedString
  : SynchronizedArray<ElementOf<T>, ViewOf<T>, InitOf<T>>;

function wrap(object: RawObject, lock: Lock | RLock): SynchronizedBase {
  if (object instanceof SharedString) return new SynchronizedString(object, lock);
  return object instanceof SharedArray
    ? new SynchronizedArray(object, lock)
    : new Synchronized(object, lock);
}

/** The lock that `lock` asks for; `undefined` for none. */
function lockOf(lock: unknown, what: string): Lock | RLock | undefined {
  if (lock === false) return undefined;
  if (lock === undefined || lock === null || lock === true) return new RLock();
  if (typeof lock === "object") {
    const { acquire, release } = lock as Partial<Lock>;
    if (typeof acquire === "function" && typeof release === "function") return lock as Lock;
  }
  throw new TypeError(
    `Cannot ${what}: lock must be a Lock or an RLock of multiprocessing, or a boolean, got ${typeof lock}`,
  );
}

/**
 * A value in shared memory, for several processes and threads, with a lock.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Value | multiprocessing.Value}.
 *
 * @param type What it is: a code, a typed array's constructor or a `Struct`.
 * @param init What it is at first; 0 by default.
 * @param options Which lock; a new `RLock` by default.
 * @throws {TypeError} When the type is none, or `init` or the lock is of another.
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Struct, Value } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const point = Value(Struct({ x: "d", y: "d" }), { x: 1.5 });
 * point.value.y = 2;
 * assertEquals(point.value.x * point.value.y, 3);
 * ```
 */
export function Value<const T extends ValueType>(
  type: T,
  init: InitOf<T> | undefined,
  options: { lock: false },
): SharedValue<ValueOf<T>>;
/** The same with a lock. */
export function Value<const T extends ValueType>(
  type: T,
  init?: InitOf<T>,
  options?: { lock?: true | Lock | RLock | null },
): Synchronized<ValueOf<T>>;
/** The same with a lock or without, as the options say. */
export function Value<const T extends ValueType>(
  type: T,
  init?: InitOf<T>,
  options?: SharedOptions,
): Synchronized<ValueOf<T>> | SharedValue<ValueOf<T>>;
export function Value<const T extends ValueType>(
  type: T,
  init?: InitOf<T>,
  options: SharedOptions = {},
): Synchronized<ValueOf<T>> | SharedValue<ValueOf<T>> {
  const lock = lockOf(options.lock, "make a Value");
  const value = RawValue(type, init);
  if (lock === undefined) return value;
  return new Synchronized<ValueOf<T>>(value, lock);
}

/**
 * An array in shared memory, for several processes and threads, with a lock.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Array | multiprocessing.Array}.
 *
 * @param type What its elements are: a code, a typed array's constructor or a `Struct`. With `c` it has `value` and `raw` as well.
 * @param sizeOrInit How many elements, all 0; or what they are at first. A string is one for `c` and `u`.
 * @param options Which lock; a new `RLock` by default.
 * @throws {TypeError} When the type is none, or an element or the lock is of another.
 * @throws {RangeError} When the size is no integer from 0 on.
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Array as SharedArray } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const name = SharedArray("c", 10);
 * name.value = "howdy";
 * assertEquals(new TextDecoder().decode(name.value), "howdy");
 * ```
 */
function SharedArrayOf<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
  options: { lock: false },
): RawArrayOf<T>;
/** The same with a lock. */
function SharedArrayOf<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
  options?: { lock?: true | Lock | RLock | null },
): ArrayOf<T>;
/** The same with a lock or without, as the options say. */
function SharedArrayOf<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
  options?: SharedOptions,
): ArrayOf<T> | RawArrayOf<T>;
function SharedArrayOf<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
  options: SharedOptions = {},
): ArrayOf<T> | RawArrayOf<T> {
  const lock = lockOf(options.lock, "make an Array");
  const array = RawArray(type, sizeOrInit);
  return lock === undefined ? array : wrap(array, lock) as ArrayOf<T>;
}

// Inside this file the name is JavaScript's own.
export { SharedArrayOf as Array };

/**
 * Adds a lock to what `RawValue` or `RawArray` gave.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.sharedctypes.synchronized | synchronized}.
 *
 * @param object The shared value or array.
 * @param lock Its lock; a new `RLock` by default.
 * @throws {TypeError} When the object is no shared value or array, or has a lock already, or the lock is none.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RawValue, synchronized } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const raw = RawValue("i", 1);
 * const value = synchronized(raw);
 * {
 *   using _held = value.holdSync();
 *   value.value += 1;
 * }
 * assertEquals(raw.value, 2);
 * ```
 */
export function synchronized(object: SharedString, lock?: GivenLock): SynchronizedString;
/** The same for an array. */
export function synchronized<E, V, I>(
  object: SharedArray<E, V, I>,
  lock?: GivenLock,
): SynchronizedArray<E, V, I>;
/** The same for a value. */
export function synchronized<T>(object: SharedValue<T>, lock?: GivenLock): Synchronized<T>;
export function synchronized(object: unknown, lock?: GivenLock): SynchronizedBase {
  if (!(object instanceof RawObject)) {
    throw new TypeError(
      object instanceof SynchronizedBase
        ? "Cannot call synchronized: the object has a lock already, see its getLock()"
        : "Cannot call synchronized: it takes what RawValue or RawArray gave",
    );
  }
  const inOptions = typeof lock === "object" && lock !== null && "lock" in lock;
  const taken = lockOf(inOptions ? lock.lock : lock, "call synchronized");
  if (taken === undefined) {
    throw new TypeError("Cannot call synchronized: it needs a lock, got false");
  }
  return wrap(object, taken);
}

/** A lock, alone as in Python, or in an options bag as for `Value` and `Array`. */
export type GivenLock = Lock | RLock | null | { lock?: Lock | RLock | null };

/**
 * A copy of a shared value or array in memory of its own, without a lock.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.sharedctypes.copy | copy}.
 *
 * @param object What `Value`, `Array`, `RawValue` or `RawArray` gave.
 * @throws {TypeError} When it is something else.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { copy, RawArray } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const first = RawArray("i", [1, 2, 3]);
 * const second = copy(first);
 * first.set(0, 10);
 * assertEquals(second.get(0), 1);
 * ```
 */
export function copy(object: SharedString | SynchronizedString): SharedString;
/** The same for an array. */
export function copy<E, V, I>(
  object: SharedArray<E, V, I> | SynchronizedArray<E, V, I>,
): SharedArray<E, V, I>;
/** The same for a value. */
export function copy<T>(object: SharedValue<T> | Synchronized<T>): SharedValue<T>;
export function copy(object: unknown): RawObject {
  if (object instanceof RawObject) return copyOf(object);
  if (object instanceof SynchronizedBase) return copyOf(SynchronizedBase._objectOf(object));
  throw new TypeError("Cannot copy: it takes a shared value or array, see Value and Array");
}
