/**
 * Small plain data as bytes, for other processes: a quarter of the price of JSON, both ways. `small_writer.ts` has the form.
 *
 * Names are a block: how long it is (1 byte), and for each name its length (1 byte) and characters. They go along with every object, so
 * that two sides need agree on nothing, whoever joins late or was killed; what they cost is little, since a writer has the block ready
 * and a reader finds the names of a block that it has seen by comparing its bytes.
 *
 * Guarantees
 * - What {@linkcode writeSmall} takes arrives as structured clone would bring it.
 * - {@linkcode readSmall} of bytes that are no value throws. It keeps a bounded number of blocks, whatever comes.
 *
 * @module
 */
import {
  ARRAY,
  ASCII,
  AWAY,
  begin,
  bytes,
  DEEP,
  end as endWriting,
  FALSE,
  FLOAT,
  INTEGER,
  NULL,
  OBJECT,
  TRUE,
  UNDEFINED,
  WIDE,
  write,
} from "./small_writer.ts";

/** Bytes of the largest value. */
export const LARGEST: number = AWAY;
/** Bytes of the longest block of names. */
const LONGEST_BLOCK = 255;

/**
 * Writes a value, an object or text, behind a first byte, `tag`; `undefined` when it is not for this codec. The next call writes into
 * the same memory.
 */
export function writeSmall(
  tag: number,
  value: object | string,
): Uint8Array<ArrayBuffer> | undefined {
  if (!begin(1, LARGEST, writeBlock)) return undefined;
  bytes[0] = tag;
  let isWritten = false;
  let length = 0;
  try {
    isWritten = write(value, -1);
  } finally {
    length = endWriting();
  }
  return isWritten ? part(length) : undefined;
}

/** Beginnings of the memory, by their length: to make one costs more than to write most values. */
const parts: Uint8Array<ArrayBuffer>[] = [];

function part(length: number): Uint8Array<ArrayBuffer> {
  return parts[length] ??= bytes.subarray(0, length);
}

function writeBlock(names: readonly string[], at: number, limit: number): number {
  const block = blockOf(names);
  if (block === undefined) return 0;
  const { length } = block;
  if (at + length > limit) return 0;
  for (let i = 0; i < length; i++) bytes[at + i] = block[i];
  return at + length;
}

/** Blocks that were written. What is used most is found first: whatever is found moves up by one. */
const written: { readonly names: readonly string[]; readonly block: Uint8Array }[] = [];
/** How many are kept: looked through one by one. */
const MOST_WRITTEN = 32;

/** The block of these names; `undefined` when they are too long, or not set like others (`__proto__`; numbers, which have an order). */
function blockOf(names: readonly string[]): Uint8Array | undefined {
  for (let i = 0; i < written.length; i++) {
    const known = written[i];
    if (!same(known.names, names)) continue;
    if (i > 0) {
      written[i] = written[i - 1];
      written[i - 1] = known;
    }
    return known.block;
  }
  const block = makeBlock(names);
  if (block === undefined) return undefined;
  written[Math.min(written.length, MOST_WRITTEN - 1)] = { names, block };
  return block;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function makeBlock(names: readonly string[]): Uint8Array | undefined {
  let length = 0;
  for (const name of names) {
    if (name === "__proto__" || /^\d|[^ -~]/.test(name)) return undefined;
    length += 1 + name.length;
  }
  if (length === 0 || length > LONGEST_BLOCK) return undefined;
  const block = [length];
  for (const name of names) {
    block.push(name.length);
    for (let i = 0; i < name.length; i++) block.push(name.charCodeAt(i));
  }
  return Uint8Array.from(block);
}

/** What is read, from `next` to `end`. */
let source: Uint8Array = bytes;
let next = 0;
let end = 0;

/**
 * The value that {@linkcode writeSmall} has written, behind the tag.
 *
 * @throws {TypeError} when it is none.
 */
export function readSmall(from: Uint8Array): unknown {
  source = from;
  next = 1;
  end = from.length;
  try {
    const value = read(0);
    if (next !== end) throw malformed();
    return value;
  } finally {
    source = bytes;
  }
}

function read(depth: number): unknown {
  switch (source[next++]) {
    case INTEGER:
      take(4);
      return source[next - 4] | source[next - 3] << 8 | source[next - 2] << 16 |
        source[next - 1] << 24;
    case FLOAT:
      take(8);
      for (let i = 0; i < 8; i++) floatBytes[i] = source[next - 8 + i];
      return float[0];
    case ASCII:
      return readAscii(readCount());
    case WIDE:
      return readWide(readCount());
    case TRUE:
      return true;
    case FALSE:
      return false;
    case UNDEFINED:
      return undefined;
    case NULL:
      return null;
    case OBJECT:
      return readObject(depth);
    case ARRAY:
      return readArray(depth);
    default:
      throw malformed();
  }
}

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

/** Steps over so many bytes, which must be there. */
function take(count: number): void {
  next += count;
  if (next > end) throw malformed();
}

function readCount(): number {
  take(2);
  return source[next - 2] | source[next - 1] << 8;
}

/** Up to here, characters are cheapest made into a string by one call with so many arguments. */
const SHORT = 64;
const units: number[] = [];
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function readAscii(length: number): string {
  const start = next;
  take(length);
  if (length > SHORT) return decoder.decode(source.subarray(start, next));
  units.length = length;
  for (let i = 0; i < length; i++) units[i] = source[start + i];
  return String.fromCharCode(...units);
}

function readWide(length: number): string {
  if (length > LARGEST) throw malformed();
  const start = next;
  take(2 * length);
  units.length = length;
  for (let i = 0; i < length; i++) {
    units[i] = source[start + 2 * i] | source[start + 2 * i + 1] << 8;
  }
  return String.fromCharCode(...units);
}

function readArray(depth: number): unknown[] {
  const length = readCount();
  if (depth > DEEP || length > end - next) throw malformed();
  const array: unknown[] = [];
  for (let i = 0; i < length; i++) array.push(read(depth + 1));
  return array;
}

function readObject(depth: number): Record<string, unknown> {
  const start = next;
  take(1);
  take(source[start]);
  if (depth > DEEP) throw malformed();
  const { names, empty } = namesIn(start, next);
  const object: Record<string, unknown> = { ...empty };
  for (let i = 0; i < names.length; i++) object[names[i]] = read(depth + 1);
  return object;
}

/** A block that was read. */
interface Known {
  readonly block: Uint8Array;
  readonly names: readonly string[];
  /** An object with these properties and no values, to be copied. */
  readonly empty: Readonly<Record<string, unknown>>;
}

/** The blocks that were read last, each at a place that its bytes say. */
const known: (Known | undefined)[] = new Array(256).fill(undefined);

function namesIn(from: number, to: number): Known {
  const length = to - from;
  const sum = length + source[from + 2] * 7 + source[from + (length >> 1)] * 31 +
    source[to - 1] * 113;
  const place = sum & 0xff;
  const found = known[place];
  if (found !== undefined && isAt(from, found.block, length)) return found;
  return known[place] = learn(source.slice(from, to));
}

function isAt(from: number, block: Uint8Array, length: number): boolean {
  if (block.length !== length) return false;
  for (let i = 0; i < length; i++) if (block[i] !== source[from + i]) return false;
  return true;
}

function learn(block: Uint8Array): Known {
  const names: string[] = [];
  for (let i = 1; i < block.length; i += 1 + block[i]) {
    const name = block.subarray(i + 1, i + 1 + block[i]);
    if (name.length !== block[i]) throw malformed();
    names.push(decoder.decode(name));
  }
  const empty = Object.fromEntries(names.map((name) => [name, undefined]));
  if (names.length === 0 || names.includes("__proto__")) throw malformed();
  return { block, names, empty };
}

function malformed(): TypeError {
  return new TypeError("The bytes are no small value");
}
