/**
 * Small plain data in a form of our own: half the price of JSON, both ways, since the names of an object's properties are sent as one
 * number (see `shapes.ts` in the engine room).
 *
 * | first byte | what follows |
 * | ---------- | ------------ |
 * | INTEGER | 4 bytes |
 * | FLOAT | 8 bytes |
 * | ASCII, WIDE | how many characters (2 bytes), the text |
 * | TRUE, FALSE, UNDEFINED, NULL | nothing |
 * | OBJECT | number of its shape (4 bytes), its values in that order |
 * | ARRAY | how many items (2 bytes), the items |
 *
 * Guarantees: what {@linkcode compact} takes arrives as structured clone would bring it. It takes objects and arrays of primitives and
 * of each other, as long as they are few and short, none comes twice, and nothing but their own data hangs on them.
 *
 * @module
 */
import { isProxy, shapeAt, shapeOf } from "../threading/_core/mod.ts";
import { readText, writeText } from "./_text.ts";

const INTEGER = 1;
const FLOAT = 2;
const ASCII = 3;
const WIDE = 4;
const TRUE = 5;
const FALSE = 6;
const UNDEFINED = 7;
const NULL = 8;
const OBJECT = 9;
const ARRAY = 10;

/** Bytes of the largest value. */
const LARGEST = 2048;
/** Objects of a value, which are compared one by one to see that none comes twice. */
const FEW = 24;
/** How deep a value may go. */
const DEEP = 8;

/** What {@linkcode compact} has written last. */
export const bytes: Uint8Array<ArrayBuffer> = new Uint8Array(LARGEST);
/** The same, by four bytes. */
export const integers: Int32Array<ArrayBuffer> = new Int32Array(bytes.buffer);
const view = new DataView(bytes.buffer);
/** The objects of the value so far; of a length that never changes, which is cheaper than an array that grows. */
const seen: (object | undefined)[] = new Array(FEW).fill(undefined);
let objects = 0;
/** Where the next byte goes, or comes from. */
let at = 0;
let busy = false;

const { prototype: ObjectPrototype } = Object;
const { prototype: ArrayPrototype } = Array;

/** Writes `value` into {@linkcode bytes} and gives how many they are; 0 when it is not for this codec. */
export function compact(value: object): number {
  // An accessor of the value may be the caller.
  if (busy) return 0;
  busy = true;
  at = 0;
  try {
    return writeObject(value, 0) ? at : 0;
  } finally {
    while (objects > 0) seen[--objects] = undefined;
    busy = false;
  }
}

function write(value: unknown, depth: number): boolean {
  // Room for anything but text.
  if (at + 9 > LARGEST) return false;
  switch (typeof value) {
    case "number":
      if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
        bytes[at] = INTEGER;
        view.setInt32(at + 1, value, true);
        at += 5;
      } else {
        bytes[at] = FLOAT;
        view.setFloat64(at + 1, value, true);
        at += 9;
      }
      return true;
    case "string":
      return writeString(value);
    case "boolean":
      bytes[at++] = value ? TRUE : FALSE;
      return true;
    case "undefined":
      bytes[at++] = UNDEFINED;
      return true;
    case "object":
      if (value !== null) return writeObject(value, depth + 1);
      bytes[at++] = NULL;
      return true;
    default:
      return false;
  }
}

function writeString(value: string): boolean {
  const { length } = value;
  if (at + 3 + length * 2 > LARGEST) return false;
  view.setUint16(at + 1, length, true);
  const start = at + 3;
  let all = 0;
  for (let i = 0; i < length; i++) {
    const unit = value.charCodeAt(i);
    all |= unit;
    bytes[start + i] = unit;
  }
  if (all <= 0x7f) {
    bytes[at] = ASCII;
    at = start + length;
  } else {
    bytes[at] = WIDE;
    writeText(value, 2, bytes, start);
    at = start + length * 2;
  }
  return true;
}

function writeObject(value: object, depth: number): boolean {
  if (depth > DEEP || objects === FEW || isProxy(value)) return false;
  for (let i = 0; i < objects; i++) if (seen[i] === value) return false;
  seen[objects++] = value;
  const proto = Object.getPrototypeOf(value);
  if (proto === ArrayPrototype) return writeArray(value as unknown[], depth);
  if (proto !== ObjectPrototype) return false;
  const names = Object.keys(value);
  const shape = shapeOf(names);
  if (shape === undefined || at + 5 > LARGEST) return false;
  bytes[at] = OBJECT;
  view.setInt32(at + 1, shape.id, true);
  at += 5;
  for (let i = 0; i < names.length; i++) {
    if (!write((value as Record<string, unknown>)[names[i]], depth)) return false;
  }
  return true;
}

function writeArray(array: unknown[], depth: number): boolean {
  const { length } = array;
  // Holes, and properties that are no items, are for others.
  if (length > 256 || at + 3 > LARGEST || Object.keys(array).length !== length) return false;
  bytes[at] = ARRAY;
  view.setUint16(at + 1, length, true);
  at += 3;
  for (let i = 0; i < length; i++) if (!write(array[i], depth)) return false;
  return true;
}

let source = bytes;
let numbers = view;

/** The value that begins at `start` in `from`; `words` is a view of the same bytes. */
export function expand(from: Uint8Array, words: DataView, start: number): unknown {
  source = from as typeof bytes;
  numbers = words as typeof view;
  at = start;
  return read();
}

/** The value that is in `from`, from beginning to end. */
export function expandBytes(from: Uint8Array): unknown {
  return expand(from, new DataView(from.buffer, from.byteOffset, from.byteLength), 0);
}

function read(): unknown {
  switch (source[at++]) {
    case INTEGER:
      at += 4;
      return numbers.getInt32(at - 4, true);
    case FLOAT:
      at += 8;
      return numbers.getFloat64(at - 8, true);
    case ASCII:
      return readString(1);
    case WIDE:
      return readString(2);
    case TRUE:
      return true;
    case FALSE:
      return false;
    case UNDEFINED:
      return undefined;
    case NULL:
      return null;
    case OBJECT: {
      const { names, empty } = shapeAt(numbers.getInt32(at, true));
      at += 4;
      const object: Record<string, unknown> = { ...empty };
      for (let i = 0; i < names.length; i++) object[names[i]] = read();
      return object;
    }
    case ARRAY: {
      const length = numbers.getUint16(at, true);
      at += 2;
      const array: unknown[] = [];
      for (let i = 0; i < length; i++) array.push(read());
      return array;
    }
    default:
      throw new TypeError("Unknown kind of value");
  }
}

function readString(width: number): string {
  const length = numbers.getUint16(at, true) * width;
  at += 2 + length;
  return readText(source, width, at - length, length);
}
