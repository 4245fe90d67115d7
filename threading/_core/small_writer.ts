/**
 * Writes small plain data: for other processes (`small.ts`), and for other threads (`queue/_compact.ts`). They differ in how the names
 * of an object's properties are told, and in how much those who read trust the bytes.
 *
 * | first byte | what follows |
 * | ---------- | ------------ |
 * | INTEGER | 4 bytes |
 * | FLOAT | 8 bytes |
 * | ASCII, WIDE | how many characters (2 bytes), the text |
 * | TRUE, FALSE, UNDEFINED, NULL | nothing |
 * | OBJECT | the names of its properties, its values in that order |
 * | ARRAY | how many items (2 bytes), the items |
 *
 * Guarantees: what is written can be read as structured clone would bring it. Written are objects and arrays of primitives and of each
 * other, as long as they are few and short, none comes twice, and nothing but their own data hangs on them.
 *
 * @module
 */
import { isProxy } from "./proxies.ts";

/** First bytes. */
export const INTEGER = 1;
export const FLOAT = 2;
export const ASCII = 3;
export const WIDE = 4;
export const TRUE = 5;
export const FALSE = 6;
export const UNDEFINED = 7;
export const NULL = 8;
export const OBJECT = 9;
export const ARRAY = 10;

/** How deep a value may go. */
export const DEEP = 8;
/** Objects of a value, which are compared one by one to see that none comes twice. */
const FEW = 24;
/** Items of an array. */
const MOST_ITEMS = 256;

/** Bytes of a value for another process, at most: they come first in the memory. Behind them is what goes to other threads. */
export const AWAY = 512;
/** What was written last. The next value for the same side is written into the same memory. */
export const bytes: Uint8Array<ArrayBuffer> = new Uint8Array(AWAY + 64 * 1024);
/** The same, to write numbers. */
export const view: DataView<ArrayBuffer> = new DataView(bytes.buffer);
/** The objects of the value so far; of a length that never changes, which is cheaper than an array that grows. */
const seen: (object | undefined)[] = new Array(FEW).fill(undefined);
let objects = 0;
/** Where the next byte goes. */
let at = 0;
let limit = 0;
let writeNames: WriteNames;
let busy = false;

/** Writes the names of an object's properties at a place of {@linkcode bytes}, if that ends before `limit`. Gives where it ends; 0: not so. */
export type WriteNames = (names: readonly string[], at: number, limit: number) => number;

const { prototype: ObjectPrototype } = Object;
const { prototype: ArrayPrototype } = Array;

/** Begins to write, from the byte `from` to `to` at most; {@linkcode end} has to follow. `false` while something is being written. */
export function begin(from: number, to: number, names: WriteNames): boolean {
  // An accessor of the value may be the caller.
  if (busy) return false;
  busy = true;
  at = from;
  limit = to;
  writeNames = names;
  return true;
}

/** Gives where the next byte would go. */
export function end(): number {
  while (objects > 0) seen[--objects] = undefined;
  busy = false;
  return at;
}

/** Steps over so many bytes, and gives where they are; -1 when there is no room for them. */
export function leave(length: number): number {
  if (at + length > limit) return -1;
  at += length;
  return at - length;
}

/** Whether `object` is not in the value yet, and there is room for more. */
export function isNew(object: object): boolean {
  if (objects === FEW) return false;
  for (let i = 0; i < objects; i++) if (seen[i] === object) return false;
  seen[objects++] = object;
  return true;
}

/** Writes a value, `depth` objects deep; `false` when it is not for this codec. */
export function write(value: unknown, depth: number): boolean {
  // Room for anything but text.
  if (at + 9 > limit) return false;
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
      return writeText(value);
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

function writeText(text: string): boolean {
  const { length } = text;
  const start = at + 3;
  if (start + length * 2 > limit) return false;
  view.setUint16(at + 1, length, true);
  let all = 0;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    all |= unit;
    bytes[start + i] = unit;
  }
  if (all < 0x80) {
    bytes[at] = ASCII;
    at = start + length;
    return true;
  }
  bytes[at] = WIDE;
  for (let i = 0; i < length; i++) view.setUint16(start + 2 * i, text.charCodeAt(i), true);
  at = start + 2 * length;
  return true;
}

function writeObject(value: object, depth: number): boolean {
  if (depth > DEEP || isProxy(value) || !isNew(value)) return false;
  const proto = Object.getPrototypeOf(value);
  if (proto === ArrayPrototype) return writeArray(value as unknown[], depth);
  if (proto !== ObjectPrototype) return false;
  const names = Object.keys(value);
  const start = at;
  const next = writeNames(names, start + 1, limit);
  if (next === 0) return false;
  bytes[start] = OBJECT;
  at = next;
  for (let i = 0; i < names.length; i++) {
    if (!write((value as Record<string, unknown>)[names[i]], depth)) return false;
  }
  return true;
}

function writeArray(array: unknown[], depth: number): boolean {
  const { length } = array;
  if (length > MOST_ITEMS || at + 3 + length > limit) return false;
  // Holes, and properties that are no items, are for others.
  if (Object.keys(array).length !== length) return false;
  bytes[at] = ARRAY;
  view.setUint16(at + 1, length, true);
  at += 3;
  for (let i = 0; i < length; i++) if (!write(array[i], depth)) return false;
  return true;
}
