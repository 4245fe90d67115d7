/**
 * Items as they lie in shared memory: a tag and bytes.
 *
 * Cheapest first: numbers and strings as they are; bytes as they are; small plain data in a form of our own; plain data that JSON
 * carries exactly as JSON; what else has no
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
import { bytes as compacted, compact, expandBytes } from "./_compact.ts";
import { isAscii, readText, writeText } from "./_text.ts";

/** The function of this library that the user called: stacks in errors begin above it. */
export type Door = (...args: never[]) => unknown;

/** An item, stowed. Which of the fields counts depends on the tag. */
export interface Cargo {
  readonly tag: number;
  readonly number: number;
  readonly text: string;
  readonly bytes: Uint8Array;
  /** The item itself, of a cargo that was opened where it lay. */
  readonly value?: unknown;
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
/** Plain data in the form of _compact.ts. */
export const COMPACT = 13;
/** From here on, `number` is that of a deposit: a {@linkcode Parcel}. */
export const DEPOSIT = 14;
/** A cargo that was opened where it lay: its item is `value`. */
const OPENED = -1;
/** As COMPACT, `number` bytes, where that codec has written them: until the next item is stowed, or {@linkcode keep} takes them. */
export const FRESH = -2;
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
        const length = compact(item);
        if (length !== 0) return simple(FRESH, length);
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
  writeText(text, widthOf(tag), bytes, 0);
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

/** Whether there is something in `value` that the engine's serialization would copy or lose. */
export function hasHandles(value: unknown, seen: Set<object> = new Set()): boolean {
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

/** A cargo that was opened where it lay. */
export function opened(value: unknown): Cargo {
  return { tag: OPENED, number: 0, text: "", bytes: NO_BYTES, value };
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
        : simple(tag, 0, readText(bytes, widthOf(tag), 0, bytes.length)),
    );
    // What is not text may go on using the bytes.
    if (widthOf(tag) !== 0) bytes.buffer.transfer(0);
    return opened;
  }
  switch (cargo.tag) {
    case OPENED:
      return { value: cargo.value };
    case FRESH:
      return { value: expandBytes(compacted.subarray(0, cargo.number)) };
    case COMPACT:
      return { value: expandBytes(cargo.bytes) };
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
  if (cargo.tag === FRESH) return simple(COMPACT, 0, "", compacted.slice(0, cargo.number));
  return hasBytes(cargo.tag) ? { ...cargo, bytes: cargo.bytes.slice() } : cargo;
}
