/**
 * The types of shared values: codes as in Python, typed arrays, and structures of them; where their bytes are, and how those are read
 * and written.
 *
 * Guarantees: every read and every write of a simple element is a single access of its size, so nobody ever sees half of one. Relies on
 * typed arrays for that: what is read through a `DataView` may be put together byte by byte.
 *
 * @module
 */

/** The codes of simple types. `c` is a byte of text, `u` a character; `l L q Q` have 64 bits and are `bigint`s. */
export type TypeCode =
  | "c"
  | "b"
  | "B"
  | "u"
  | "h"
  | "H"
  | "i"
  | "I"
  | "l"
  | "L"
  | "q"
  | "Q"
  | "f"
  | "d";

/** The typed arrays whose elements can be shared. */
export type ArrayConstructor =
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Uint8ClampedArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | BigInt64ArrayConstructor
  | BigUint64ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor;

/** What a field of a structure can be. */
export type FieldType = TypeCode | ArrayConstructor | StructType;

/** The fields of a structure, in order. */
export type Fields = { readonly [name: string]: FieldType };

/** A structure's type, as {@linkcode Struct} makes it. */
export interface StructType<F extends Fields = Fields> {
  /** Its fields, in order. */
  readonly fields: F;
  /** How many bytes one has, with those between its fields. */
  readonly size: number;
  /** What its beginning is a multiple of, in bytes. */
  readonly alignment: number;
}

/** What a shared value, or the elements of a shared array, can be. */
export type ValueType = TypeCode | ArrayConstructor | StructType;

/** What is read from an element of a type. */
export type ElementOf<T> = T extends "l" | "L" | "q" | "Q" ? bigint
  : T extends "u" ? string
  : T extends TypeCode ? number
  : T extends BigInt64ArrayConstructor | BigUint64ArrayConstructor ? bigint
  : T extends StructType<infer F> ? { -readonly [K in keyof F]: ElementOf<F[K]> }
  : number;

/** What can be written to an element of a type: of a structure, some fields by name, or all in order. */
export type InitOf<T> = T extends "c" ? number | string | Uint8Array
  : T extends StructType<infer F>
    ? { readonly [K in keyof F]?: InitOf<F[K]> } | readonly InitOf<F[keyof F]>[]
  : ElementOf<T>;

/** The typed array over the elements of a type. */
export type ViewOf<T> = T extends "c" | "B" | StructType ? Uint8Array<SharedArrayBuffer>
  : T extends "b" ? Int8Array<SharedArrayBuffer>
  : T extends "h" ? Int16Array<SharedArrayBuffer>
  : T extends "H" ? Uint16Array<SharedArrayBuffer>
  : T extends "i" ? Int32Array<SharedArrayBuffer>
  : T extends "I" | "u" ? Uint32Array<SharedArrayBuffer>
  : T extends "l" | "q" ? BigInt64Array<SharedArrayBuffer>
  : T extends "L" | "Q" ? BigUint64Array<SharedArrayBuffer>
  : T extends "f" ? Float32Array<SharedArrayBuffer>
  : T extends "d" ? Float64Array<SharedArrayBuffer>
  : T extends Uint8ClampedArrayConstructor ? Uint8ClampedArray<SharedArrayBuffer>
  : T extends Int8ArrayConstructor ? Int8Array<SharedArrayBuffer>
  : T extends Uint8ArrayConstructor ? Uint8Array<SharedArrayBuffer>
  : T extends Int16ArrayConstructor ? Int16Array<SharedArrayBuffer>
  : T extends Uint16ArrayConstructor ? Uint16Array<SharedArrayBuffer>
  : T extends Int32ArrayConstructor ? Int32Array<SharedArrayBuffer>
  : T extends Uint32ArrayConstructor ? Uint32Array<SharedArrayBuffer>
  : T extends BigInt64ArrayConstructor ? BigInt64Array<SharedArrayBuffer>
  : T extends BigUint64ArrayConstructor ? BigUint64Array<SharedArrayBuffer>
  : T extends Float32ArrayConstructor ? Float32Array<SharedArrayBuffer>
  : T extends Float64ArrayConstructor ? Float64Array<SharedArrayBuffer>
  : Uint8Array<SharedArrayBuffer>;

/** A type as data, for sending it. */
export type TypeData = string | readonly (readonly [name: string, type: TypeData])[];

/** What is done with a type's bytes, wherever they are. */
export interface Form {
  readonly data: TypeData;
  readonly size: number;
  readonly alignment: number;
  /** The typed array for `getObj()`. */
  readonly array: AnyArray;
  /** Elements one after another, the first at that byte. */
  row(buffer: ArrayBufferLike, at: number, count: number): Row;
}

/** Elements, to be read and written. Who has a row looks after the indices. */
export interface Row {
  read(index: number): unknown;
  /** @throws {TypeError} when the value has the wrong type; nothing is written then. */
  write(index: number, value: unknown, what: string): void;
}

// deno-lint-ignore no-explicit-any
type AnyArray = new (buffer: any, from: number, length: number) => ArrayBufferView;

type Raw = number | bigint;

interface Simple {
  readonly array: AnyArray & { readonly BYTES_PER_ELEMENT: number };
  /** What of a user's value goes into the array. */
  readonly accept: (value: unknown, what: string) => Raw;
  /** What of the array's goes to the user; absent: the same. */
  readonly give?: (raw: Raw) => unknown;
}

/** `e` stands for nothing that a user writes: it is `Uint8ClampedArray` as data. */
const SIMPLE: Readonly<Record<string, Simple>> = {
  c: { array: Uint8Array, accept: byteOfText },
  b: { array: Int8Array, accept: integer },
  B: { array: Uint8Array, accept: integer },
  e: { array: Uint8ClampedArray, accept: number },
  u: {
    array: Uint32Array,
    accept: codePoint,
    give: (raw) => raw ? String.fromCodePoint(Number(raw)) : "",
  },
  h: { array: Int16Array, accept: integer },
  H: { array: Uint16Array, accept: integer },
  i: { array: Int32Array, accept: integer },
  I: { array: Uint32Array, accept: integer },
  l: { array: BigInt64Array, accept: bigInteger },
  L: { array: BigUint64Array, accept: bigInteger },
  q: { array: BigInt64Array, accept: bigInteger },
  Q: { array: BigUint64Array, accept: bigInteger },
  f: { array: Float32Array, accept: number },
  d: { array: Float64Array, accept: number },
};

const BY_ARRAY = new Map<unknown, string>([
  [Int8Array, "b"],
  [Uint8Array, "B"],
  [Uint8ClampedArray, "e"],
  [Int16Array, "h"],
  [Uint16Array, "H"],
  [Int32Array, "i"],
  [Uint32Array, "I"],
  [BigInt64Array, "q"],
  [BigUint64Array, "Q"],
  [Float32Array, "f"],
  [Float64Array, "d"],
]);

class SimpleForm implements Form {
  readonly data: string;
  readonly size: number;
  readonly alignment: number;
  readonly array: AnyArray;
  readonly #how: Simple;

  constructor(code: string, how: Simple) {
    this.data = code;
    this.size = this.alignment = how.array.BYTES_PER_ELEMENT;
    this.array = how.array;
    this.#how = how;
  }

  row(buffer: ArrayBufferLike, at: number, count: number): Row {
    const view = new this.array(buffer, at, count) as unknown as Raw[];
    const { accept, give } = this.#how;
    return {
      read: (index) => give === undefined ? view[index] : give(view[index]),
      write: (index, value, what) => void (view[index] = accept(value, what)),
    };
  }
}

interface Field {
  readonly form: Form;
  readonly offset: number;
}

/** Structures lie as C lays them out: each field on a multiple of its alignment, in the order given. */
class StructForm implements Form {
  readonly data: TypeData;
  readonly size: number;
  readonly alignment: number;
  readonly array = Uint8Array;
  readonly #fields: ReadonlyMap<string, Field>;

  constructor(forms: readonly (readonly [string, Form])[]) {
    const fields = new Map<string, Field>();
    let end = 0;
    for (const [name, form] of forms) {
      const offset = roundUp(end, form.alignment);
      fields.set(name, { form, offset });
      end = offset + form.size;
    }
    this.data = forms.map(([name, { data }]) => [name, data] as const);
    this.alignment = Math.max(1, ...forms.map(([, form]) => form.alignment));
    this.size = Math.max(this.alignment, roundUp(end, this.alignment));
    this.#fields = fields;
  }

  row(buffer: ArrayBufferLike, at: number, count: number): Row {
    void count;
    return {
      read: (index) => this.#live(buffer, at + index * this.size),
      write: (index, value, what) => this.#write(buffer, at + index * this.size, value, what),
    };
  }

  /** An object whose properties are the fields. */
  #live(buffer: ArrayBufferLike, at: number): unknown {
    const live = {};
    for (const [name, { form, offset }] of this.#fields) {
      const row = form.row(buffer, at + offset, 1);
      Object.defineProperty(live, name, {
        get: () => row.read(0),
        set: (value) => row.write(0, value, `set field ${name}`),
        enumerable: true,
      });
    }
    return Object.freeze(live);
  }

  #write(buffer: ArrayBufferLike, at: number, value: unknown, what: string): void {
    if (typeof value !== "object" || value === null) {
      throw new TypeError(
        `Cannot ${what}: a structure takes an object with some of its fields, or an array of them in order, got ${
          value === null ? "null" : typeof value
        }`,
      );
    }
    const given = Array.isArray(value) ? this.#named(value, what) : Object.entries(value);
    for (const [name] of given) {
      if (this.#fields.has(name)) continue;
      throw new TypeError(
        `Cannot ${what}: the structure has no field '${name}', it has ${
          [...this.#fields.keys()].join(", ")
        }`,
      );
    }
    // All of it is tried elsewhere first: a value that is refused changes nothing.
    const draft = new ArrayBuffer(this.size);
    for (const [target, start] of [[draft, 0], [buffer, at]] as const) {
      for (const [name, part] of given) {
        const { form, offset } = this.#fields.get(name)!;
        form.row(target, start + offset, 1).write(0, part, `${what}.${name}`);
      }
    }
  }

  #named(values: readonly unknown[], what: string): [string, unknown][] {
    const names = [...this.#fields.keys()];
    if (values.length <= names.length) return values.map((value, i) => [names[i], value]);
    throw new TypeError(
      `Cannot ${what}: the structure has ${names.length} fields, got ${values.length}`,
    );
  }
}

function roundUp(number: number, step: number): number {
  return Math.ceil(number / step) * step;
}

const structs = new WeakMap<object, Form>();

/**
 * The type of a structure with those fields, for `Value`, `Array` and their kin. It lies in memory as C's would.
 *
 * Stands for a `ctypes.Structure` of Python.
 *
 * @param fields The fields in order: each a code, a typed array's constructor or another structure.
 * @throws {TypeError} When a field's type is none of these, or there is no field.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Struct, Value } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const Point = Struct({ x: "d", y: "d" });
 * const point = Value(Point, { x: 1 });
 * point.value.y = point.value.x + 1;
 * assertEquals(point.value.y, 2);
 * ```
 */
export function Struct<const F extends Fields>(fields: F): StructType<F> {
  if (typeof fields !== "object" || fields === null) {
    throw new TypeError(
      `Cannot make a Struct: fields must be an object such as { x: "d", y: "i" }, got ${
        fields === null ? "null" : typeof fields
      }`,
    );
  }
  const names = Object.keys(fields);
  if (names.length === 0) throw new TypeError("Cannot make a Struct: it needs a field");
  const form = new StructForm(
    names.map((name) => [name, formOf(fields[name], `make a Struct with field '${name}'`)]),
  );
  return structOf({ ...fields }, form);
}

function structOf<F extends Fields>(fields: F, form: Form): StructType<F> {
  const struct = Object.freeze({
    fields: Object.freeze(fields),
    size: form.size,
    alignment: form.alignment,
  });
  structs.set(struct, form);
  return struct;
}

const forms = new Map<string, Form>();

/** What is done with the bytes of a type. */
export function formOf(type: unknown, what: string): Form {
  const struct = typeof type === "object" && type !== null ? structs.get(type) : undefined;
  if (struct !== undefined) return struct;
  const code = typeof type === "string" && type !== "e" ? type : BY_ARRAY.get(type);
  if (code !== undefined && Object.hasOwn(SIMPLE, code)) return formFrom(code);
  throw new TypeError(
    `Cannot ${what}: a type is one of the codes ${
      Object.keys(SIMPLE).filter((code) => code !== "e").join(" ")
    }, a typed array's constructor, or a Struct, got ${
      typeof type === "string" ? `'${type}'` : typeof type === "function" ? type.name : typeof type
    }`,
  );
}

/** The same for a type as data. */
export function formFrom(data: TypeData): Form {
  if (typeof data !== "string") {
    return new StructForm(data.map(([name, part]) => [name, formFrom(part)]));
  }
  let form = forms.get(data);
  if (form === undefined) forms.set(data, form = new SimpleForm(data, SIMPLE[data]));
  return form;
}

function wrong(what: string, wants: string, value: unknown): TypeError {
  const got = typeof value === "number" ? `${value}` : value === null ? "null" : typeof value;
  return new TypeError(`Cannot ${what}: ${wants}, got ${got}`);
}

/** Too large ones lose their upper bits, as in C and in typed arrays. */
function integer(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isInteger(value)) return value;
  throw wrong(what, "it takes an integer", value);
}

function bigInteger(value: unknown, what: string): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw wrong(what, "it takes a bigint", value);
}

function number(value: unknown, what: string): number {
  if (typeof value === "number") return value;
  throw wrong(what, "it takes a number", value);
}

function codePoint(value: unknown, what: string): number {
  if (typeof value === "string" && [...value].length <= 1) return value.codePointAt(0) ?? 0;
  throw wrong(what, "it takes a text of one character", value);
}

function byteOfText(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 256) {
    return value;
  }
  if (typeof value === "string" || value instanceof Uint8Array) {
    const bytes = bytesOf(value);
    if (bytes.length === 1) return bytes[0];
  }
  throw wrong(what, "it takes one byte: a number below 256, a text or a Uint8Array of one", value);
}

/** Text as bytes. */
export function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}
