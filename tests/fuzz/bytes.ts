/**
 * Bytes that nobody has written: random ones, and sound ones that were damaged. The same seed gives the same.
 *
 * @module
 */
import { randomFrom } from "../model/explorer.ts";

/** Numbers that lengths and counts are likely to be wrong about. */
const TELLING = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Random choices. */
export class Dice {
  readonly #random: () => number;

  /** The dice of a seed. */
  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  /** Whether it happens that happens once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of these. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** That many random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** A text of up to so many characters of all widths, now and then with half a surrogate pair. */
  text(longest: number): string {
    const kinds = [0x7f, 0x7f, 0x7ff, 0xffff];
    return Array.from(
      { length: this.below(longest + 1) },
      () => String.fromCharCode(this.below(this.pick(kinds) + 1)),
    ).join("");
  }
}

/** `sound` with one to four damages; or, now and then, bytes that have nothing to do with it. */
export function damaged(sound: Uint8Array, others: readonly Uint8Array[], dice: Dice): Uint8Array {
  if (dice.once(16)) return dice.bytes(dice.below(dice.once(8) ? 4096 : 64));
  let bytes = sound.slice();
  for (let left = 1 + dice.below(4); left > 0; left--) bytes = damage(bytes, others, dice);
  return bytes;
}

function damage(
  bytes: Uint8Array<ArrayBuffer>,
  others: readonly Uint8Array[],
  dice: Dice,
): Uint8Array<ArrayBuffer> {
  const { length } = bytes;
  const at = dice.below(length + 1);
  switch (dice.below(8)) {
    case 0:
      if (at < length) bytes[at] ^= 1 << dice.below(8);
      return bytes;
    case 1:
      if (at < length) bytes[at] = dice.below(256);
      return bytes;
    case 2:
      return bytes.slice(0, at);
    case 3:
      return joined(bytes.subarray(0, at), dice.bytes(1 + dice.below(16)), bytes.subarray(at));
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + dice.below(8)));
    case 5: {
      // A part comes twice.
      const end = Math.min(length, at + dice.below(64));
      return joined(bytes.subarray(0, end), bytes.subarray(at));
    }
    case 6: {
      const width = dice.pick([1, 2, 4, 8]);
      if (at + width > length) return bytes;
      const telling = BigInt.asUintN(8 * width, BigInt(dice.pick(TELLING) + dice.below(3) - 1));
      for (let i = 0; i < width; i++) {
        const place = dice.once(2) ? i : width - 1 - i;
        bytes[at + place] = Number(telling >> BigInt(8 * i) & 0xffn);
      }
      return bytes;
    }
    default: {
      const other = dice.pick(others);
      return joined(bytes.subarray(0, at), other.subarray(dice.below(other.length + 1)));
    }
  }
}

/** The parts one after another. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
