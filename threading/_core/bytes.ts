/**
 * Values as bytes, for what no message port carries: sockets, and memory that processes share.
 *
 * A tag and a body. Cheapest first: constants and numbers; text; bytes and numeric arrays as they lie in memory; small plain data
 * (`small.ts`); plain data that JSON carries exactly; what else structured clone carries, in the engine's own serialization; and what
 * needs more, as a `Parcel`.
 *
 * Guarantees
 * - A value arrives as `pack` and structured clone would bring it, whatever way it takes.
 * - {@linkcode encode} refuses at the call what cannot leave the process: shared memory, blobs, the primitives of `threading`.
 * - {@linkcode decode} of bytes that {@linkcode encode} did not make throws and does no harm, but it may import modules and look up
 *   what they export: bytes of a stranger must not come here before he has said who he is.
 *
 * @module
 */
import { PicklingError } from "./errors.ts";
import type { AnyFunction, Parcel } from "./parcel.ts";
import { discardParcel, pack, type PackOptions, unpack, unpackSync } from "./pickle.ts";
import { deserialize, jsonOf, serialize } from "./plain.ts";
import { LARGEST, readSmall, writeSmall } from "./small.ts";

const UNDEFINED = 0;
const NULL = 1;
const TRUE = 2;
const FALSE = 3;
/** Eight bytes, the lower first. */
const NUMBER = 4;
/** UTF-8. */
const TEXT = 5;
/** UTF-16, for text that UTF-8 cannot carry: half a surrogate pair. */
const WIDE = 6;
/** JSON in UTF-8. */
const JSON_TEXT = 7;
/** Digits. */
const BIGINT = 8;
const BYTES = 9;
/** One byte that says which, and the items in the order of this machine. */
const NUMBERS = 10;
const VALUE = 11;
const PARCEL = 12;
/** See `small.ts`. */
const SMALL = 13;

const numeric = [
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;

type Numeric = InstanceType<(typeof numeric)[number]>;

const encoder = new TextEncoder();
// Not the default: a byte order mark is a character like any other.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

const constants = [UNDEFINED, NULL, TRUE, FALSE].map((tag) => Uint8Array.of(tag));

/** Eight bytes behind the tag. */
const numberBytes = Uint8Array.of(NUMBER, 0, 0, 0, 0, 0, 0, 0, 0);

/** Text up to this length is cheapest written character by character. */
const SHORT_TEXT = 64;
/** Text up to this length is encoded in a buffer that is kept. */
const SHORT = 1024;
const scratch = new Uint8Array(SHORT * 3 + 1);

/**
 * The bytes of `value`, in memory of their own. `what` is the act, for messages: `"send"`; `door` is the library function that the
 * user called, at which stacks begin.
 *
 * @throws {PicklingError} when something in the value cannot go to another process.
 */
export function encode(
  value: unknown,
  what: string,
  door: AnyFunction,
  options?: Pick<PackOptions, "root">,
): Uint8Array<ArrayBuffer> {
  const short = encodeShort(value);
  return short === undefined ? encodeLong(value, what, door, options) : short.slice();
}

/** What {@linkcode encodeBriefly} gives is in memory of its own if it has more bytes than this. */
export const BRIEF: number = LARGEST;

/**
 * {@linkcode encode} for who is done with the bytes, or has copied them, before this is called again: what is short lies in memory that
 * is kept, since memory of its own costs more than all the rest. They may not be changed, but their first byte says for good whether
 * there is something to {@linkcode discardEncoded}.
 *
 * @throws {PicklingError} when something in the value cannot go to another process.
 */
export function encodeBriefly(
  value: unknown,
  what: string,
  door: AnyFunction,
  options?: Pick<PackOptions, "root">,
): Uint8Array<ArrayBuffer> {
  return encodeShort(value) ?? encodeLong(value, what, door, options);
}

/** What is short, in memory that is kept; `undefined` when it is not. */
function encodeShort(value: unknown): Uint8Array<ArrayBuffer> | undefined {
  switch (typeof value) {
    case "undefined":
      return constants[UNDEFINED];
    case "boolean":
      return constants[value ? TRUE : FALSE];
    case "number":
      float[0] = value;
      for (let i = 0; i < 8; i++) numberBytes[1 + i] = floatBytes[i];
      return numberBytes;
    case "string":
      return value.length <= SHORT_TEXT ? writeSmall(SMALL, value) : undefined;
    case "object":
      if (value === null) return constants[NULL];
      return ArrayBuffer.isView(value) ? undefined : writeSmall(SMALL, value);
  }
}

function encodeLong(
  value: unknown,
  what: string,
  door: AnyFunction,
  options?: Pick<PackOptions, "root">,
): Uint8Array<ArrayBuffer> {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? encodeText(TEXT, value) : encodeWide(value);
    case "bigint":
      return encodeText(BIGINT, String(value));
    case "object": {
      if (ArrayBuffer.isView(value)) {
        const bytes = encodeView(value);
        if (bytes !== undefined) return bytes;
      } else {
        const text = jsonOf(value as object);
        if (text !== undefined) return encodeText(JSON_TEXT, text);
      }
    }
  }
  const parcel = pack(value, what, door, { ...options, away: true });
  if (parcel.specials === undefined) return join(VALUE, serialize(parcel.value));
  try {
    return join(PARCEL, serialize(parcel));
  } catch (error) {
    discardParcel(parcel);
    throw error;
  }
}

/** Whether there may be something in the bytes that was reduced for its way. */
export function hasObjects(bytes: Uint8Array): boolean {
  return bytes[0] === PARCEL;
}

/** Bytes that {@linkcode encode} has made, or others, will not arrive: what was reduced for them is discarded. */
export function discardEncoded(bytes: Uint8Array): void {
  if (!hasObjects(bytes)) return;
  let parcel: Parcel;
  try {
    parcel = parcelIn(bytes);
  } catch {
    return; // no value
  }
  discardParcel(parcel);
}

function join(tag: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = tag;
  bytes.set(body, 1);
  return bytes;
}

function encodeText(tag: number, text: string): Uint8Array<ArrayBuffer> {
  if (text.length > SHORT) return join(tag, encoder.encode(text));
  scratch[0] = tag;
  return scratch.slice(0, 1 + encoder.encodeInto(text, scratch.subarray(1)).written);
}

function encodeWide(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(1 + text.length * 2);
  bytes[0] = WIDE;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[1 + 2 * i] = unit;
    bytes[2 + 2 * i] = unit >> 8;
  }
  return bytes;
}

/** The bytes of a plain array of numbers; of a stranger one, or one whose memory is shared or gone, `undefined`. */
function encodeView(view: ArrayBufferView): Uint8Array<ArrayBuffer> | undefined {
  const { buffer } = view;
  if (!(buffer instanceof ArrayBuffer) || buffer.detached || buffer.resizable) return undefined;
  const proto = Object.getPrototypeOf(view);
  if (proto === Uint8Array.prototype) return join(BYTES, view as Uint8Array);
  const kind = numeric.findIndex((type) => type.prototype === proto);
  if (kind === -1) return undefined;
  const body = new Uint8Array(buffer, view.byteOffset, view.byteLength);
  const bytes = new Uint8Array(2 + body.length);
  bytes[0] = NUMBERS;
  bytes[1] = kind;
  bytes.set(body, 2);
  return bytes;
}

/**
 * The value of `bytes`, which may be a part of what a socket gave: nothing of the value lies in them afterwards.
 *
 * @throws {PicklingError} when something that the value needs is not found here, or when the bytes are no value.
 */
export async function decode(bytes: Uint8Array): Promise<unknown> {
  return bytes[0] === PARCEL ? await unpack(parcelIn(bytes)) : open(bytes);
}

/**
 * {@linkcode decode} without waiting.
 *
 * @throws {PicklingError} also when a module that the value needs cannot be had without waiting.
 */
export function decodeSync(bytes: Uint8Array): unknown {
  return bytes[0] === PARCEL ? unpackSync(parcelIn(bytes)) : open(bytes);
}

function parcelIn(bytes: Uint8Array): Parcel {
  const parcel = valueIn(bytes) as Parcel | null;
  if (typeof parcel !== "object" || parcel === null || !Array.isArray(parcel.specials)) {
    throw malformed();
  }
  return parcel;
}

function open(bytes: Uint8Array): unknown {
  switch (bytes[0]) {
    case UNDEFINED:
      return undefined;
    case NULL:
      return null;
    case TRUE:
      return true;
    case FALSE:
      return false;
    case NUMBER:
      if (bytes.length !== 9) throw malformed();
      for (let i = 0; i < 8; i++) floatBytes[i] = bytes[1 + i];
      return float[0];
    case TEXT:
      return textIn(bytes);
    case WIDE:
      return wideIn(bytes);
    case JSON_TEXT:
      return attempt(() => JSON.parse(textIn(bytes)));
    case BIGINT:
      return attempt(() => BigInt(textIn(bytes)));
    case BYTES:
      return new Uint8Array(bytes.subarray(1));
    case NUMBERS:
      return numbersIn(bytes);
    case VALUE:
      return valueIn(bytes);
    case SMALL:
      return smallIn(bytes);
    default:
      throw malformed();
  }
}

function textIn(bytes: Uint8Array): string {
  return attempt(() => decoder.decode(bytes.subarray(1)));
}

function wideIn(bytes: Uint8Array): string {
  const units = new Uint16Array((bytes.length - 1) >> 1);
  for (let i = 0; i < units.length; i++) units[i] = bytes[1 + 2 * i] | bytes[2 + 2 * i] << 8;
  let text = "";
  for (let at = 0; at < units.length; at += 4096) {
    text += String.fromCharCode(...units.subarray(at, at + 4096));
  }
  return text;
}

function numbersIn(bytes: Uint8Array): Numeric {
  const type = numeric[bytes[1]];
  // A copy: it lies where such items may lie.
  const { buffer } = new Uint8Array(bytes.subarray(2));
  if (type === undefined || buffer.byteLength % type.BYTES_PER_ELEMENT !== 0) throw malformed();
  return new type(buffer);
}

function valueIn(bytes: Uint8Array): unknown {
  return attempt(() => deserialize(bytes.subarray(1)));
}

function smallIn(bytes: Uint8Array): unknown {
  try {
    return readSmall(bytes);
  } catch (cause) {
    throw malformed(cause);
  }
}

function attempt<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw malformed(cause);
  }
}

function malformed(cause?: unknown): PicklingError {
  return new PicklingError(
    "Cannot decode a value: the bytes are not what this library sends; make sure that both sides run the same version",
    { cause },
  );
}
