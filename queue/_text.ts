/**
 * Text as it lies in shared memory: one byte for each character where all of them are below U+0080, else two.
 *
 * @module
 */

/** Whether one byte is enough for each character. */
export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

/** Writes `text`, with `width` bytes for a character. */
export function writeText(text: string, width: number, bytes: Uint8Array, at: number): void {
  if (width === 1) {
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

/** Reads `length` bytes of text that {@linkcode writeText} wrote. */
export function readText(bytes: Uint8Array, width: number, at: number, length: number): string {
  return width === 1 ? readAscii(bytes, at, length) : readWide(bytes, at, length >> 1);
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
