/**
 * Text mode: bytes ↔ strings in any encoding that `TextDecoder` knows.
 *
 * Decoding is done over the whole output at once, so a character that two reads split is no case. Encoding inverts the decoder: the
 * web platform writes UTF-8 only, and a table of what each byte means serves every single-byte encoding.
 *
 * @module
 */

import { SubprocessError } from "./errors.ts";
import type { DecodeErrors, PopenOptions } from "./options.ts";

/** A checked text mode. */
export interface TextMode {
  /** A label of `TextDecoder`. */
  readonly encoding: string;
  /** What happens to bytes that are not in the encoding. */
  readonly errors: DecodeErrors;
}

/**
 * Reads `text`, `encoding`, `errors` and `universalNewlines`; `undefined` when output stays bytes.
 *
 * @throws {TypeError} when an option has the wrong type.
 * @throws {RangeError} when the encoding or the error handling is unknown.
 * @throws {SubprocessError} when `text` and `universalNewlines` contradict each other.
 */
export function textModeOf(options: PopenOptions, what: string): TextMode | undefined {
  const { text, universalNewlines, encoding, errors } = options;
  if (text !== undefined && universalNewlines !== undefined && text !== universalNewlines) {
    throw new SubprocessError(
      `Cannot call ${what} with text: ${text} and universalNewlines: ${universalNewlines}: they mean the same, give one`,
    );
  }
  if (encoding !== undefined && typeof encoding !== "string") {
    throw new TypeError(`Cannot call ${what}: encoding must be a string, got ${typeof encoding}`);
  }
  if (errors !== undefined && !["strict", "replace", "ignore"].includes(errors)) {
    const wrong = `Cannot call ${what}: errors must be "strict", "replace" or "ignore", got ${
      String(errors)
    }`;
    throw typeof errors === "string" ? new RangeError(wrong) : new TypeError(wrong);
  }
  if (!text && !universalNewlines && encoding === undefined && errors === undefined) {
    return undefined;
  }
  const mode: TextMode = { encoding: encoding ?? "utf-8", errors: errors ?? "strict" };
  try {
    new TextDecoder(mode.encoding);
  } catch (cause) {
    throw new RangeError(
      `Cannot call ${what}: encoding must be a label of TextDecoder, got "${mode.encoding}"`,
      { cause },
    );
  }
  return mode;
}

/**
 * The text of a child's whole output, with `\r\n` and `\r` turned into `\n`.
 *
 * @throws {TypeError} when `errors` is `"strict"` and the bytes are not in the encoding.
 */
export function decode(bytes: Uint8Array<ArrayBuffer>, mode: TextMode): string {
  const text = mode.errors === "ignore" ? decodeIgnoring(bytes, mode) : decodeAll(bytes, mode);
  return text.includes("\r") ? text.replaceAll("\r\n", "\n").replaceAll("\r", "\n") : text;
}

function decodeAll(bytes: Uint8Array<ArrayBuffer>, mode: TextMode): string {
  const fatal = mode.errors === "strict";
  try {
    return new TextDecoder(mode.encoding, { fatal, ignoreBOM: keepsMark(mode.encoding) }).decode(
      bytes,
    );
  } catch (cause) {
    throw new TypeError(
      `Cannot decode the child's output as ${mode.encoding}: it holds bytes that are not; give the right encoding, errors: "replace", or read bytes`,
      { cause },
    );
  }
}

/** Python keeps a byte order mark of UTF-8 as a character, and takes that of UTF-16 away. */
function keepsMark(encoding: string): boolean {
  return !/^\s*utf-?16\s*$/i.test(encoding);
}

/**
 * The decoder can only replace, so what was replaced is taken away again. A replacement character that the child has really written
 * must stay: the bytes are cut at those first, which in UTF-8 and UTF-16 is always between characters.
 */
function decodeIgnoring(bytes: Uint8Array<ArrayBuffer>, mode: TextMode): string {
  const name = new TextDecoder(mode.encoding).encoding;
  const written = name === "utf-8"
    ? [0xef, 0xbf, 0xbd]
    : name === "utf-16le"
    ? [0xfd, 0xff]
    : name === "utf-16be"
    ? [0xff, 0xfd]
    : undefined;
  const decoder = new TextDecoder(name, { ignoreBOM: true });
  const strip = (part: Uint8Array<ArrayBuffer>) => decoder.decode(part).replaceAll("\ufffd", "");
  if (written === undefined) return strip(bytes);
  const parts: string[] = [];
  const step = name === "utf-8" ? 1 : 2;
  let from = 0;
  for (let at = 0; at + written.length <= bytes.length; at += step) {
    if (written.every((byte, i) => bytes[at + i] === byte)) {
      parts.push(strip(bytes.subarray(from, at)));
      from = at + written.length;
      at = from - step;
    }
  }
  parts.push(strip(bytes.subarray(from)));
  const text = parts.join("\ufffd");
  return keepsMark(mode.encoding) ? text : text.replace(/^\ufeff/, "");
}

/**
 * The bytes of `input`: bytes as they are, a string in the encoding of the text mode, UTF-8 without one.
 *
 * @throws {TypeError} when `input` is neither a string nor bytes, or the encoding can be read but not written.
 * @throws {RangeError} when the encoding has no byte for a character.
 */
export function encode(
  input: string | Uint8Array,
  mode: TextMode | undefined,
  what: string,
): Uint8Array {
  if (input instanceof Uint8Array) return input;
  if (typeof input !== "string") {
    throw new TypeError(
      `Cannot call ${what}: input must be a string or a Uint8Array, got ${typeof input}`,
    );
  }
  const name = new TextDecoder(mode?.encoding).encoding;
  if (name === "utf-8") return new TextEncoder().encode(input);
  if (name === "utf-16le" || name === "utf-16be") return encodeUtf16(input, name === "utf-16le");
  return encodeByTable(input, name, what);
}

function encodeUtf16(text: string, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), littleEndian);
  return bytes;
}

function encodeByTable(text: string, name: string, what: string): Uint8Array {
  const decoder = new TextDecoder(name);
  const table = new Map<string, number>();
  for (let byte = 255; byte >= 0; byte--) {
    const char = decoder.decode(Uint8Array.of(byte));
    if (char.length === 1 && char !== "\ufffd") table.set(char, byte);
  }
  if (/^(gb|big5|euc|shift|iso-2022|replacement|x-user)/.test(name)) {
    throw new TypeError(
      `Cannot call ${what}: text can be read in ${name} but not written; give input as bytes`,
    );
  }
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const byte = table.get(text[i]);
    if (byte === undefined) {
      throw new RangeError(
        `Cannot call ${what}: ${name} has no byte for ${JSON.stringify(text[i])}`,
      );
    }
    bytes[i] = byte;
  }
  return bytes;
}
