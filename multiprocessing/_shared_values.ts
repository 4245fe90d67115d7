/**
 * Values and arrays in shared memory, without a lock: `RawValue` and `RawArray`.
 *
 * Relies on `_arena.ts` for the memory: it is given back when the object, what came of it in other processes and all views are gone.
 *
 * @module
 */
import { register } from "../threading/_core/mod.ts";
import {
  allot,
  exposed,
  type Place,
  type PlaceHandle,
  reducePlace,
  revivePlace,
} from "./_arena.ts";
import {
  bytesOf,
  type ElementOf,
  type Form,
  formFrom,
  formOf,
  type InitOf,
  type Row,
  type TypeData,
  type ValueType,
  type ViewOf,
} from "./_types.ts";
import { showAs } from "./_show.ts";

/** What may be written to an element of a shared text: a byte, as a number, or as text or bytes of length 1. */
export type TextElement = number | string | Uint8Array;

/** Where the elements of a shared object lie. */
export interface Held {
  readonly form: Form;
  readonly count: number;
  readonly place: Place;
  readonly row: Row;
}

interface Parts {
  readonly type: TypeData;
  readonly count: number;
  readonly place: PlaceHandle;
}

function newHeld(form: Form, count: number, what: string): Held {
  return held(form, count, allot(Math.max(1, Math.ceil(form.size * count / 4)), what));
}

function held(form: Form, count: number, place: Place): Held {
  // Fields of a structure are handed out as objects of their own: they keep their buffer, and that keeps the place.
  const { buffer, byteOffset } = typeof form.data === "string"
    ? { buffer: place.words.buffer, byteOffset: place.words.byteOffset }
    : exposed(place);
  return { form, count, place, row: form.row(buffer, byteOffset, count) };
}

function reduce({ form, count, place }: Held): Parts {
  return { type: form.data, count, place: reducePlace(place) };
}

function revive(parts: unknown, what: string): Held {
  const { type, count, place } = parts as Parts;
  return held(formFrom(type), count, revivePlace(place, what));
}

/** The bytes of an object. */
function bytesIn({ form, count, place }: Held): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(place.words.buffer, place.words.byteOffset, form.size * count);
}

/** What every shared value and array without a lock is. Only {@linkcode RawValue} and {@linkcode RawArray} make them, and `copy`. */
export abstract class RawObject {
  readonly #held: Held;

  /** @internal */
  constructor(held: Held) {
    this.#held = held;
  }

  /** @internal */
  static _heldBy(object: RawObject): Held {
    return object.#held;
  }
}

const heldBy = RawObject._heldBy;

/** A single shared value. Made by {@linkcode RawValue}. */
export class SharedValue<T = unknown> extends RawObject {
  static {
    showAs(SharedValue<unknown>, ({ value }) => ({ value }));
    register(SharedValue, {
      name: "multiprocessing.RawValue",
      module: import.meta.url,
      spans: "processes",
      reduce: (value) => reduce(heldBy(value)),
      revive: (parts) => new SharedValue(revive(parts, "receive a shared value")),
    });
  }

  /** What it is now. Of a structure: an object whose fields are live. A read or write of anything else is one step. */
  get value(): T {
    const { form, row } = heldBy(this);
    const value = row.read(0);
    return (form.data === "c" ? Uint8Array.of(value as number) : value) as T;
  }

  set value(value: T) {
    heldBy(this).row.write(0, value, "set a shared value");
  }
}

/** A shared array. Made by {@linkcode RawArray}. `E` are its elements, `V` the typed array over them, `I` what may be written. */
export class SharedArray<E = unknown, V = unknown, I = E> extends RawObject implements Iterable<E> {
  #view: V | undefined;

  static {
    showAs(SharedArray<unknown>, ({ length }) => ({ length }));
    register(SharedArray, {
      name: "multiprocessing.RawArray",
      module: import.meta.url,
      spans: "processes",
      reduce: (array) => reduce(heldBy(array)),
      revive: (parts) => elements(revive(parts, "receive a shared array")),
    });
  }

  /** How many elements it has. */
  get length(): number {
    return heldBy(this).count;
  }

  /** The element at an index, counted from the end when negative; `undefined` when there is none. */
  at(index: number): E | undefined {
    const place = this.#place(index);
    return place === undefined ? undefined : heldBy(this).row.read(place) as E;
  }

  /** The element at an index, counted from the end when negative. @throws {RangeError} When there is none. */
  get(index: number): E {
    return heldBy(this).row.read(this.#must(index, "get")) as E;
  }

  /**
   * Writes the element at an index, counted from the end when negative.
   *
   * @throws {RangeError} When there is none.
   * @throws {TypeError} When the value has the wrong type.
   */
  set(index: number, value: I): void {
    const place = this.#must(index, "set");
    heldBy(this).row.write(place, value, "set an element of a shared array");
  }

  /** A copy of some elements, as `Array.prototype.slice` takes them. */
  slice(start?: number, end?: number): E[] {
    const places = Array.from({ length: this.length }, (_, place) => place).slice(start, end);
    return places.map((place) => heldBy(this).row.read(place) as E);
  }

  /** The elements, one after another, each read when its turn comes. */
  *[Symbol.iterator](): IterableIterator<E> {
    const { count, row } = heldBy(this);
    for (let place = 0; place < count; place++) yield row.read(place) as E;
  }

  /** A typed array over the elements themselves, no copy; of structures, and of `c`, over their bytes. */
  getObj(): V {
    return this.#view ??= this.#makeView() as V;
  }

  #makeView(): ArrayBufferView {
    const { form, count, place } = heldBy(this);
    const { buffer, byteOffset } = exposed(place);
    const length = typeof form.data === "string" ? count : count * form.size;
    return new form.array(buffer, byteOffset, length);
  }

  #place(index: number): number | undefined {
    const place = index < 0 ? index + this.length : index;
    return Number.isInteger(place) && place >= 0 && place < this.length ? place : undefined;
  }

  #must(index: number, act: string): number {
    const place = this.#place(index);
    if (place !== undefined) return place;
    throw new RangeError(
      `Cannot ${act} element ${index} of a shared array: it has ${this.length} elements`,
    );
  }
}

/** A shared array of bytes that hold a text. Made by {@linkcode RawArray} of type `c`. */
export class SharedString extends SharedArray<number, Uint8Array<SharedArrayBuffer>, TextElement> {
  /**
   * The bytes before the first 0. A text (as UTF-8) or bytes may be assigned; a 0 follows them, if there is room.
   *
   * @throws {RangeError} When it is assigned more bytes than there are.
   */
  get value(): Uint8Array<ArrayBuffer> {
    const bytes = this.raw;
    const end = bytes.indexOf(0);
    return end < 0 ? bytes : bytes.slice(0, end);
  }

  set value(value: string | Uint8Array) {
    const bytes = this.#fitting(value);
    const target = bytesIn(heldBy(this));
    target.set(bytes);
    if (bytes.length < target.length) target[bytes.length] = 0;
  }

  /**
   * All the bytes. A text (as UTF-8) or bytes may be assigned; those behind them stay.
   *
   * @throws {RangeError} When it is assigned more bytes than there are.
   */
  get raw(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(bytesIn(heldBy(this)));
  }

  set raw(value: string | Uint8Array) {
    bytesIn(heldBy(this)).set(this.#fitting(value));
  }

  #fitting(value: string | Uint8Array): Uint8Array {
    if (typeof value !== "string" && !(value instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot set the text of a shared array: it takes a string or a Uint8Array, got ${
          value === null ? "null" : typeof value
        }`,
      );
    }
    const bytes = bytesOf(value);
    if (bytes.length <= this.length) return bytes;
    throw new RangeError(
      `Cannot set the text of a shared array: it has ${this.length} bytes, got ${bytes.length}`,
    );
  }
}

function elements(held: Held): SharedArray {
  return held.form.data === "c" ? new SharedString(held) as SharedArray : new SharedArray(held);
}

/** What a value of a type is read as: one byte of text is bytes still. */
export type ValueOf<T> = T extends "c" ? Uint8Array<ArrayBuffer> : ElementOf<T>;

/** The array of a type. */
export type RawArrayOf<T extends ValueType> = T extends "c" ? SharedString
  : SharedArray<ElementOf<T>, ViewOf<T>, InitOf<T>>;

/**
 * A value in shared memory without a lock: one read or write of it is one step, adding to it is not.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.sharedctypes.RawValue | RawValue}.
 *
 * @param type What it is: a code, a typed array's constructor or a `Struct`.
 * @param init What it is at first; 0 by default.
 * @throws {TypeError} When the type is none, or `init` is of another.
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RawValue } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const total = RawValue("d", 2.5);
 * total.value *= 2;
 * assertEquals(total.value, 5);
 * ```
 */
export function RawValue<const T extends ValueType>(
  type: T,
  init?: InitOf<T>,
): SharedValue<ValueOf<T>> {
  const form = formOf(type, "make a shared value");
  const value = new SharedValue(newHeld(form, 1, "make a shared value"));
  if (init !== undefined) heldBy(value).row.write(0, init, "make a shared value");
  return value as SharedValue<ValueOf<T>>;
}

/**
 * An array in shared memory without a lock.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.sharedctypes.RawArray | RawArray}.
 *
 * @param type What its elements are: a code, a typed array's constructor or a `Struct`. With `c` it has `value` and `raw` as well.
 * @param sizeOrInit How many elements, all 0; or what they are at first. A string is one for `c` and `u`.
 * @throws {TypeError} When the type is none, or an element is of another.
 * @throws {RangeError} When the size is no integer from 0 on.
 * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { RawArray } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const squares = RawArray("i", 4);
 * for (let i = 0; i < squares.length; i++) squares.set(i, i * i);
 * assertEquals([...squares], [0, 1, 4, 9]);
 * assertEquals(squares.getObj().indexOf(9), 3);
 * ```
 */
export function RawArray<const T extends ValueType>(
  type: T,
  sizeOrInit: number | Iterable<InitOf<T>> | (T extends "c" ? string | Uint8Array : never),
): RawArrayOf<T> {
  const what = "make a shared array";
  const form = formOf(type, what);
  if (typeof sizeOrInit === "number") {
    if (!Number.isSafeInteger(sizeOrInit) || sizeOrInit < 0) {
      throw new RangeError(
        `Cannot ${what}: its size must be an integer from 0 on, got ${sizeOrInit}`,
      );
    }
    return elements(newHeld(form, sizeOrInit, what)) as unknown as RawArrayOf<T>;
  }
  const init = listOf(sizeOrInit, form, what);
  const held = newHeld(form, init.length, what);
  init.forEach((value, i) => held.row.write(i, value, `${what} with element ${i}`));
  return elements(held) as unknown as RawArrayOf<T>;
}

function listOf(init: unknown, form: Form, what: string): unknown[] {
  if (form.data === "c" && typeof init === "string") return [...bytesOf(init)];
  if (typeof (init as Iterable<unknown> | null)?.[Symbol.iterator] === "function") {
    return [...init as Iterable<unknown>];
  }
  throw new TypeError(
    `Cannot ${what}: it takes a size or the elements, got ${init === null ? "null" : typeof init}`,
  );
}

/** The same in memory of its own. */
export function copyOf(object: RawObject): RawObject {
  const from = heldBy(object);
  const held = newHeld(from.form, from.count, "copy a shared object");
  bytesIn(held).set(bytesIn(from));
  return object instanceof SharedArray ? elements(held) : new SharedValue(held);
}
