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
 * | BYTES, BUFFER | in lists only: how long (4 bytes); the bytes lie behind the rest |
 *
 * A list is what a function is called with, or what it returned. One of numbers is nothing but the numbers.
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

/** Whole `Uint8Array`s and `ArrayBuffer`s, in lists only: their length (4 bytes); they themselves lie behind the rest. */
const BYTES = 11;
const BUFFER = 12;

/** Bytes of the largest value, and of the largest list. */
const LARGEST = 2048;
const LARGEST_LIST = 64 * 1024;
/** Objects of a value, which are compared one by one to see that none comes twice. */
const FEW = 24;
/** How deep a value may go. */
const DEEP = 8;

/** What {@linkcode compact} has written last. */
export const bytes: Uint8Array<ArrayBuffer> = new Uint8Array(LARGEST_LIST);
/** The same, by four bytes. */
export const integers: Int32Array<ArrayBuffer> = new Int32Array(bytes.buffer);
const view = new DataView(bytes.buffer);
/** The objects of the value so far; of a length that never changes, which is cheaper than an array that grows. */
const seen: (object | undefined)[] = new Array(FEW).fill(undefined);
let objects = 0;
/** Where the next byte goes, or comes from. */
let at = 0;
let limit = LARGEST;
let busy = false;

const { prototype: ObjectPrototype } = Object;
const { prototype: ArrayPrototype } = Array;

/** Writes `value` into {@linkcode bytes} and gives how many they are; 0 when it is not for this codec. */
export function compact(value: object): number {
  // An accessor of the value may be the caller.
  if (busy) return 0;
  busy = true;
  at = 0;
  limit = LARGEST;
  try {
    return writeObject(value, 0) ? at : 0;
  } finally {
    while (objects > 0) seen[--objects] = undefined;
    busy = false;
  }
}

function write(value: unknown, depth: number): boolean {
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
  if (at + 3 + length * 2 > limit) return false;
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
  if (shape === undefined || at + 5 > limit) return false;
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
  if (length > 256 || at + 3 > limit || Object.keys(array).length !== length) return false;
  bytes[at] = ARRAY;
  view.setUint16(at + 1, length, true);
  at += 3;
  for (let i = 0; i < length; i++) if (!write(array[i], depth)) return false;
  return true;
}

/** Any values. */
export const ANY = 0;
/** 32-bit integers, four bytes each. */
export const INTEGERS = 1;
/** Numbers, eight bytes each. */
export const FLOATS = 2;

/** What {@linkcode compactList} has prepared last. */
export const list: {
  kind: typeof ANY | typeof INTEGERS | typeof FLOATS;
  /** Bytes in all. */
  length: number;
  /** Bytes that lie in {@linkcode bytes}, of ANY. */
  head: number;
  items: readonly unknown[];
} = { kind: ANY, length: 0, head: 0, items: [] };
let tails: Uint8Array[] = [];

/**
 * Prepares a list without holes, for {@linkcode placeList}, which has to come next; `false` when it is not for this codec.
 *
 * It may be longer than what {@linkcode compact} takes, and hold bytes.
 */
export function compactList(items: readonly unknown[]): boolean {
  const kind = kindOf(items);
  if (kind !== ANY) return prepared(kind, items, 0, items.length * (kind === INTEGERS ? 4 : 8));
  if (busy) return false;
  busy = true;
  at = 0;
  limit = LARGEST_LIST;
  tails = [];
  try {
    for (let i = 0; i < items.length; i++) if (!writeItem(items[i])) return false;
  } finally {
    while (objects > 0) seen[--objects] = undefined;
    busy = false;
  }
  let length = at;
  for (const tail of tails) length = aligned(length) + tail.length;
  return prepared(kind, items, at, length);
}

function prepared(
  kind: typeof list.kind,
  items: readonly unknown[],
  head: number,
  length: number,
): true {
  list.kind = kind;
  list.items = items;
  list.head = head;
  list.length = length;
  return true;
}

function kindOf(items: readonly unknown[]): typeof list.kind {
  let kind: typeof list.kind = INTEGERS;
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (typeof item !== "number") return ANY;
    if ((item | 0) !== item || (item === 0 && 1 / item < 0)) kind = FLOATS;
  }
  return kind;
}

function aligned(length: number): number {
  return (length + 7) & ~7;
}

function writeItem(item: unknown): boolean {
  if (typeof item !== "object" || item === null) return write(item, 0);
  const whole = wholeOf(item);
  if (whole === undefined) return write(item, 0);
  const { buffer } = whole;
  if (objects === FEW || at + 5 > limit) return false;
  // Two views of one buffer must arrive as such.
  for (let i = 0; i < objects; i++) if (seen[i] === buffer) return false;
  seen[objects++] = buffer;
  bytes[at] = buffer === item ? BUFFER : BYTES;
  view.setUint32(at + 1, whole.length, true);
  at += 5;
  tails.push(whole);
  return true;
}

/** The bytes of an `ArrayBuffer`, or of a `Uint8Array` that is the whole of one; `undefined` for all else. */
function wholeOf(item: object): Uint8Array<ArrayBuffer> | undefined {
  if (isProxy(item)) return undefined;
  const proto = Object.getPrototypeOf(item);
  const isBuffer = proto === ArrayBuffer.prototype && item instanceof ArrayBuffer;
  if (!isBuffer && !(proto === Uint8Array.prototype && item instanceof Uint8Array)) {
    return undefined;
  }
  const buffer = isBuffer ? item : (item as Uint8Array<ArrayBuffer>).buffer;
  if (!isPlainBuffer(buffer)) return undefined;
  if (isBuffer) return new Uint8Array(buffer);
  return item.byteLength === buffer.byteLength ? item as Uint8Array<ArrayBuffer> : undefined;
}

/** Not one that can grow, is gone, or only looks like one. */
function isPlainBuffer(buffer: unknown): boolean {
  try {
    return lengthOf.call(buffer) >= 0 && !isResizable.call(buffer) && !isDetached.call(buffer);
  } catch {
    return false;
  }
}

const [lengthOf, isResizable, isDetached] = ["byteLength", "resizable", "detached"].map((name) =>
  Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, name)!.get!
);

/** The same memory in four ways. */
export interface Views {
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Writes what {@linkcode compactList} has prepared; `start`, in bytes, is a multiple of eight. */
export function placeList(to: Views, start: number): void {
  const { kind, items, head } = list;
  if (kind === INTEGERS) {
    for (let i = 0, word = start >> 2; i < items.length; i++) to.words[word++] = items[i] as number;
  } else if (kind === FLOATS) {
    for (let i = 0, two = start >> 3; i < items.length; i++) to.doubles[two++] = items[i] as number;
  } else {
    if (head > 512) to.bytes.set(bytes.subarray(0, head), start);
    // By fours: for so few bytes that is four times as fast as set().
    else for (let i = 0, word = start >> 2; i << 2 < head; i++) to.words[word++] = integers[i];
    let next = head;
    for (const tail of tails) {
      next = aligned(next);
      to.bytes.set(tail, start + next);
      next += tail.length;
    }
    tails = [];
  }
  list.items = [];
}

/** Where the next of the bytes behind the rest begin. */
let behind = 0;

/** The list that {@linkcode placeList} has written. */
export function expandList(
  from: Views,
  start: number,
  kind: number,
  count: number,
  head: number,
): unknown[] {
  const items: unknown[] = [];
  if (kind === INTEGERS) {
    for (let i = 0, word = start >> 2; i < count; i++) items.push(from.words[word++]);
  } else if (kind === FLOATS) {
    for (let i = 0, two = start >> 3; i < count; i++) items.push(from.doubles[two++]);
  } else {
    source = from.bytes as typeof bytes;
    numbers = from.view as typeof view;
    at = start;
    behind = start + aligned(head);
    for (let i = 0; i < count; i++) items.push(read());
  }
  return items;
}

function readBytes(): Uint8Array<ArrayBuffer> {
  const length = numbers.getUint32(at, true);
  at += 4;
  const whole = new Uint8Array(length);
  whole.set(source.subarray(behind, behind + length));
  behind += aligned(length);
  return whole;
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
    case BYTES:
      return readBytes();
    case BUFFER:
      return readBytes().buffer;
    default:
      throw new TypeError("Unknown kind of value");
  }
}

function readString(width: number): string {
  const length = numbers.getUint16(at, true) * width;
  at += 2 + length;
  return readText(source, width, at - length, length);
}
