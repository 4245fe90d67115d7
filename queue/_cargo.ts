/**
 * Items as they lie in shared memory: a tag and bytes.
 *
 * Cheapest first: numbers and strings as they are; bytes as they are; plain data that JSON carries exactly as JSON; what else has no
 * handle in it in the engine's own serialization; and handles (shared memory, above all), or what is too big for the ring, as the
 * number of a deposit with the main thread.
 *
 * Guarantees: an item arrives as `pack` and structured clone would bring it, whatever way it takes. {@linkcode stow} does all that
 * may fail, or run the user's code, before the queue is locked.
 *
 * @module
 */
import {
  deposit,
  deserialize,
  discard,
  jsonOf,
  pack,
  type Parcel,
  serialize,
  unpack,
  unpackSync,
  withdraw,
} from "../threading/_core/mod.ts";

/** The function of this library that the user called: stacks in errors begin above it. */
export type Door = (...args: never[]) => unknown;

/** An item, stowed. Which of the fields counts depends on the tag. */
export interface Cargo {
  readonly tag: number;
  readonly number: number;
  readonly text: string;
  readonly bytes: Uint8Array;
}

export const UNDEFINED = 0;
const NULL = 1;
const TRUE = 2;
const FALSE = 3;
/** `number`. */
export const NUMBER = 4;
/** `text`, of characters up to U+007F; so are JSON and bigints in digits. */
export const ASCII = 5;
/** `text`, any. */
export const WIDE = 6;
const ASCII_JSON = 7;
const WIDE_JSON = 8;
const BIGINT = 9;
/** From here on, `bytes`. */
export const BYTES = 10;
/** A value that nothing has to be revived in, in the engine's serialization. */
const VALUE = 11;
/** A {@linkcode Parcel}, in the engine's serialization. */
const PARCEL = 12;
/** From here on, `number` is that of a deposit: a {@linkcode Parcel}. */
export const DEPOSIT = 13;
/**
 * From here on, the deposit is an `ArrayBuffer`: bytes that are too big for the shelf, to be opened under the tag that is left when
 * this is taken off. It is handed on and never shared, since what is shared goes only when every thread's garbage collector has
 * noticed, and they do not see how large it is.
 */
const BIG = 16;

/** Bytes above which an item gets memory of its own. */
const LARGEST = 256 * 1024;

const NO_BYTES = new Uint8Array(0);

function simple(tag: number, number = 0, text = "", bytes: Uint8Array = NO_BYTES): Cargo {
  return { tag, number, text, bytes };
}

/** How the text of a cargo is written: 1 or 2 bytes for a character, 0 when there is none. */
export function widthOf(tag: number): 0 | 1 | 2 {
  switch (tag) {
    case ASCII:
    case ASCII_JSON:
    case BIGINT:
      return 1;
    case WIDE:
    case WIDE_JSON:
      return 2;
    default:
      return 0;
  }
}

/** Whether a cargo is the bytes in `bytes`. */
export function hasBytes(tag: number): boolean {
  return tag >= BYTES && tag < DEPOSIT;
}

/** Whether a cargo is the number in `number`. */
export function hasNumber(tag: number): boolean {
  return tag === NUMBER || tag >= DEPOSIT;
}

/**
 * Makes the cargo of an item.
 *
 * @throws {PicklingError} when it cannot travel.
 */
export function stow(item: unknown, door: Door): Cargo {
  switch (typeof item) {
    case "undefined":
      return simple(UNDEFINED);
    case "boolean":
      return simple(item ? TRUE : FALSE);
    case "number":
      return simple(NUMBER, item);
    case "string":
      return stowText(item, ASCII, WIDE);
    case "bigint":
      return stowText(String(item), BIGINT, BIGINT);
    case "object":
      if (item === null) return simple(NULL);
      if (Object.getPrototypeOf(item) === Uint8Array.prototype) {
        const bytes = item as Uint8Array;
        if (bytes.buffer instanceof ArrayBuffer && !bytes.buffer.detached) {
          return stowBytes(BYTES, bytes);
        }
      } else {
        const text = jsonOf(item);
        if (text !== undefined) return stowText(text, ASCII_JSON, WIDE_JSON);
      }
  }
  return stowParcel(pack(item, "put into a queue shared with threads", door, { root: "item" }));
}

function stowText(text: string, ascii: number, wide: number): Cargo {
  return stowAs(isAscii(text) ? ascii : wide, text);
}

function stowAs(tag: number, text: string): Cargo {
  if (text.length * 2 <= LARGEST) return simple(tag, 0, text);
  const bytes = new Uint8Array(text.length * widthOf(tag));
  writeText(text, tag, bytes, 0);
  return stowBig(tag, bytes);
}

function stowBytes(tag: number, bytes: Uint8Array): Cargo {
  return bytes.length <= LARGEST ? simple(tag, 0, "", bytes) : stowBig(tag, bytes);
}

function stowBig(tag: number, bytes: Uint8Array): Cargo {
  const { buffer } = bytes.slice();
  return simple(BIG + tag, deposit(buffer, [buffer]));
}

function stowParcel(parcel: Parcel): Cargo {
  const [tag, body] = parcel.specials === undefined ? [VALUE, parcel.value] : [PARCEL, parcel];
  if (hasHandles(body)) return simple(DEPOSIT, deposit(parcel));
  return stowBytes(tag, serialize(body));
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Whether there is something in `value` that the engine's serialization would copy or lose. */
function hasHandles(value: unknown, seen: Set<object> = new Set()): boolean {
  if (typeof value !== "object" || value === null || seen.has(value)) return false;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return !(value.buffer instanceof ArrayBuffer);
  if (value instanceof Map) {
    return [...value].some(([key, item]) => hasHandles(key, seen) || hasHandles(item, seen));
  }
  if (value instanceof Set) return [...value].some((item) => hasHandles(item, seen));
  switch (Object.prototype.toString.call(value)) {
    case "[object Object]":
    case "[object Array]":
      return Object.values(value).some((item) => hasHandles(item, seen));
    case "[object Date]":
    case "[object RegExp]":
    case "[object Number]":
    case "[object String]":
    case "[object Boolean]":
    case "[object BigInt]":
    case "[object ArrayBuffer]":
      return false;
    default:
      return true;
  }
}

/** The item of a cargo. */
export async function unstow(cargo: Cargo): Promise<unknown> {
  const opened = open(cargo);
  return opened.parcel === undefined ? opened.value : await unpack(opened.parcel);
}

/**
 * {@linkcode unstow} without waiting.
 *
 * @throws {PicklingError} when a module that it needs cannot be had without waiting.
 */
export function unstowSync(cargo: Cargo): unknown {
  const opened = open(cargo);
  return opened.parcel === undefined ? opened.value : unpackSync(opened.parcel);
}

/** The item, for a cargo that stays where it is. Waits for the main thread when it is a deposit. */
export function peek(cargo: Cargo): unknown {
  const opened = open(cargo, true);
  return opened.parcel === undefined ? opened.value : unpackSync(opened.parcel);
}

function open(cargo: Cargo, keep = false): { value?: unknown; parcel?: Parcel } {
  if (cargo.tag >= BIG) {
    const bytes = new Uint8Array(withdraw(cargo.number, keep) as ArrayBuffer);
    const tag = cargo.tag - BIG;
    const opened = open(
      widthOf(tag) === 0
        ? simple(tag, 0, "", bytes)
        : simple(tag, 0, readText(bytes, tag, 0, bytes.length)),
    );
    // What is not text may go on using the bytes.
    if (widthOf(tag) !== 0) bytes.buffer.transfer(0);
    return opened;
  }
  switch (cargo.tag) {
    case UNDEFINED:
      return { value: undefined };
    case NULL:
      return { value: null };
    case TRUE:
      return { value: true };
    case FALSE:
      return { value: false };
    case NUMBER:
      return { value: cargo.number };
    case ASCII:
    case WIDE:
      return { value: cargo.text };
    case ASCII_JSON:
    case WIDE_JSON:
      return { value: JSON.parse(cargo.text) };
    case BIGINT:
      return { value: BigInt(cargo.text) };
    case BYTES:
      return { value: cargo.bytes };
    case VALUE:
      return { value: deserialize(cargo.bytes) };
    case PARCEL:
      return { parcel: deserialize(cargo.bytes) as Parcel };
    case DEPOSIT:
      return { parcel: withdraw(cargo.number, keep) as Parcel };
    default:
      throw new TypeError(`Unknown cargo ${cargo.tag}`);
  }
}

/** The item will not be delivered. */
export function dump(cargo: Cargo): void {
  if (cargo.tag >= DEPOSIT) discard(cargo.number);
}

/** Makes a cargo independent of the item, which its owner may change while the cargo waits. */
export function keep(cargo: Cargo): Cargo {
  return hasBytes(cargo.tag) ? { ...cargo, bytes: cargo.bytes.slice() } : cargo;
}

/** Writes the text of a cargo. */
export function writeText(text: string, tag: number, bytes: Uint8Array, at: number): void {
  if (widthOf(tag) === 1) {
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    return;
  }
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[at + 2 * i] = unit;
    bytes[at + 2 * i + 1] = unit >> 8;
  }
}

/** Characters that one call can make into a string. */
const CHUNK = 4096;
const units = new Uint16Array(CHUNK);
/** Up to here, characters are cheapest made into a string by one call with so many arguments. */
const SHORT = 64;
const short: number[] = [];
const decoder = new TextDecoder();
let scratch = new Uint8Array(1024);

/** Reads `length` bytes of text. */
export function readText(bytes: Uint8Array, tag: number, at: number, length: number): string {
  return widthOf(tag) === 1 ? readAscii(bytes, at, length) : readWide(bytes, at, length >> 1);
}

function readAscii(bytes: Uint8Array, at: number, length: number): string {
  if (length <= SHORT) {
    short.length = length;
    for (let i = 0; i < length; i++) short[i] = bytes[at + i];
    return String.fromCharCode(...short);
  }
  // Decoders refuse shared memory.
  if (scratch.length < length) scratch = new Uint8Array(length * 2);
  scratch.set(bytes.subarray(at, at + length));
  return decoder.decode(scratch.subarray(0, length));
}

/** Unit by unit, since a decoder would replace half a surrogate pair. */
function readWide(bytes: Uint8Array, at: number, count: number): string {
  let text = "";
  for (let start = 0; start < count; start += CHUNK) {
    const end = Math.min(CHUNK, count - start);
    for (let i = 0; i < end; i++) {
      const from = at + (start + i) * 2;
      units[i] = bytes[from] | bytes[from + 1] << 8;
    }
    text += String.fromCharCode.apply(null, units.subarray(0, end) as unknown as number[]);
  }
  return text;
}
