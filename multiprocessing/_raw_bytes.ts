/**
 * Values that are bytes, and so many that the copy which `encode` makes of them is better saved.
 *
 * @module
 */
import { encode } from "../threading/_core/mod.ts";

/** From so many bytes on, making the copy costs more than asking whether it is needed. */
const MANY = 16 * 1024;

/** Whether a value is plain bytes and many of them: what `encode` makes of those is {@linkcode rawBytesHead} and they themselves. */
export function isRawBytes(value: unknown): value is Uint8Array {
  if (!ArrayBuffer.isView(value) || value.byteLength < MANY) return false;
  const { buffer } = value;
  return Object.getPrototypeOf(value) === Uint8Array.prototype && buffer instanceof ArrayBuffer &&
    !buffer.resizable;
}

let head: Uint8Array | undefined;

/** How the encoded form of bytes begins. */
export function rawBytesHead(): Uint8Array {
  return head ??= encode(new Uint8Array(), "send", rawBytesHead);
}
