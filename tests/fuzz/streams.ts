/**
 * A socket that gives given bytes, in pieces of any length, and what a reader of frames should make of them: the simplest reader there is.
 *
 * @module
 */
import type { Dice } from "./bytes.ts";

/** The peer's half of a socket: gives the bytes, then its end. Nothing that is written to it goes anywhere. */
export class Script {
  readonly #bytes: Uint8Array;
  readonly #dice: Dice;
  #at = 0;
  /** Whether its user has closed it. */
  closed = false;
  /** The largest piece of memory that it was asked to fill. */
  largest = 0;

  constructor(bytes: Uint8Array, dice: Dice) {
    this.#bytes = bytes;
    this.#dice = dice;
  }

  /** It as a socket. */
  get conn(): Deno.UnixConn {
    return this as unknown as Deno.UnixConn;
  }

  read(into: Uint8Array): Promise<number | null> {
    this.largest = Math.max(this.largest, into.buffer.byteLength);
    if (this.#at === this.#bytes.length) return Promise.resolve(null);
    const count = Math.min(
      1 + this.#dice.below(this.#dice.once(4) ? 8 : 4096),
      into.length,
      this.#bytes.length - this.#at,
    );
    into.set(this.#bytes.subarray(this.#at, this.#at + count));
    this.#at += count;
    return Promise.resolve(count);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.closed = true;
  }

  ref(): void {}
  unref(): void {}
}

/** Where a frame's length stands, and which lengths are believed. */
export interface Header {
  /** The length, and how many bytes it took to say so; `undefined` while there are too few. */
  read(view: DataView, at: number): { length: number; size: number } | undefined;
  /** Lengths that end the stream. */
  refuses(length: number): boolean;
}

/** The whole frames at the beginning of a stream. */
export function framesOf(bytes: Uint8Array<ArrayBuffer>, header: Header): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const frames: Uint8Array[] = [];
  for (let at = 0;;) {
    const head = header.read(view, at);
    if (head === undefined || header.refuses(head.length)) return frames;
    const end = at + head.size + head.length;
    if (end > bytes.length) return frames;
    frames.push(bytes.subarray(at + head.size, end));
    at = end;
  }
}

/** Four bytes, the lower first. */
export const LITTLE = (least: number): Header => ({
  read: (view, at) =>
    at + 4 > view.byteLength ? undefined : { length: view.getUint32(at, true), size: 4 },
  refuses: (length) => length < least || length >= 2 ** 31,
});

/** CPython's: four bytes with a sign, the higher first; -1: eight bytes follow. */
export const NETWORK: Header = {
  read(view, at) {
    if (at + 4 > view.byteLength) return undefined;
    const length = view.getInt32(at);
    if (length !== -1) return { length, size: 4 };
    if (at + 12 > view.byteLength) return undefined;
    return { length: Number(view.getBigUint64(at + 4)), size: 12 };
  },
  refuses: (length) => length < 0 || length > 2 ** 33,
};
