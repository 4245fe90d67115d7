/**
 * Small plain data in a form of our own: half the price of JSON, both ways, since the names of an object's properties are sent as one
 * number (see `shapes.ts` in the engine room).
 *
 * `small_writer.ts` in the engine room has the form of most; an object's names are the number of its shape (4 bytes). In lists there are
 * bytes too: BYTES or BUFFER, and how long (4 bytes); they themselves lie behind the rest.
 *
 * A list is what a function is called with, or what it returned. One of numbers is nothing but the numbers.
 *
 * Guarantees: what {@linkcode compact} takes arrives as structured clone would bring it.
 *
 * @module
 */
import { isProxy, shapeAt, shapeOf } from "../threading/_core/mod.ts";
import {
  ARRAY,
  ASCII,
  AWAY,
  begin,
  bytes as memory,
  end,
  FALSE,
  FLOAT,
  INTEGER,
  isNew,
  leave,
  NULL,
  OBJECT,
  TRUE,
  UNDEFINED,
  view,
  WIDE,
  write,
} from "../threading/_core/small_writer.ts";
import { readText } from "./_text.ts";

/** Whole `Uint8Array`s and `ArrayBuffer`s, in lists only. */
const BYTES = 11;
const BUFFER = 12;

/** Bytes of the largest value, and of the largest list. */
const LARGEST = 2048;
const LARGEST_LIST = 64 * 1024;

/** What {@linkcode compact} has written last. */
export const bytes: Uint8Array<ArrayBuffer> = memory.subarray(AWAY);
/** The same, by four bytes. */
export const integers: Int32Array<ArrayBuffer> = new Int32Array(memory.buffer, AWAY);

/** Writes `value` into {@linkcode bytes} and gives how many they are; 0 when it is not for this codec. */
export function compact(value: object): number {
  if (!begin(AWAY, AWAY + LARGEST, writeShape)) return 0;
  let isWritten = false;
  let length = 0;
  try {
    isWritten = write(value, -1);
  } finally {
    length = end() - AWAY;
  }
  return isWritten ? length : 0;
}

function writeShape(names: readonly string[], at: number, limit: number): number {
  const shape = shapeOf(names);
  if (shape === undefined || at + 4 > limit) return 0;
  view.setInt32(at, shape.id, true);
  return at + 4;
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
  if (!begin(AWAY, AWAY + LARGEST_LIST, writeShape)) return false;
  tails = [];
  let head = 0;
  try {
    for (let i = 0; i < items.length; i++) if (!writeItem(items[i])) return false;
  } finally {
    head = end() - AWAY;
  }
  let length = head;
  for (const tail of tails) length = aligned(length) + tail.length;
  return prepared(kind, items, head, length);
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
  // Two views of one buffer must arrive as such.
  if (!isNew(buffer)) return false;
  const at = leave(5);
  if (at < 0) return false;
  memory[at] = buffer === item ? BUFFER : BYTES;
  view.setUint32(at + 1, whole.length, true);
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
/** Where the next byte comes from. */
let at = 0;

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
