/**
 * The fast path of packing: tells whether structured clone can carry a value as it is, without copying anything.
 *
 * It follows the value the way structured clone does, recursively, so that the depth it sees is the depth structured clone will
 * recurse. Whatever it cannot vouch for, it leaves to the builder: specials, things to refuse, own accessors (which would be
 * evaluated here and once more by structured clone) and anything deep. Accessors on the elements of an array are the one exception,
 * since looking for them costs more than cloning the array: those are evaluated twice.
 *
 * @module
 */

import { entriesOf, itemsOf, kindOf, staysInProcess } from "./pickle_kinds.ts";

/** Structured clone overflows the stack between 2,000 and 5,000 levels; the caller may have used some of it. */
export const DEPTH = 200;

/** Objects looked at before they are remembered: a small value never pays for the set, a cycle ends soon after. */
const UNREMEMBERED = 64;

/** Whether structured clone carries `value` as it is; with `away`, to another process. */
export function isClean(value: unknown, transfer?: ReadonlySet<object>, away = false): boolean {
  if (value === null || typeof value !== "object") return isPrimitive(value);
  try {
    return new Scan(transfer, away).object(value, 0);
  } catch {
    return false; // an accessor threw, or the stack is nearly full: the builder says where, or manages
  }
}

function isPrimitive(value: unknown): boolean {
  return typeof value !== "function" && typeof value !== "symbol";
}

class Scan {
  readonly #transfer: ReadonlySet<object> | undefined;
  readonly #away: boolean;
  #seen: Set<object> | undefined;
  #count = 0;

  constructor(transfer: ReadonlySet<object> | undefined, away: boolean) {
    this.#transfer = transfer;
    this.#away = away;
  }

  object(value: object, depth: number): boolean {
    if (depth > DEPTH) return false;
    if (++this.#count > UNREMEMBERED) {
      this.#seen ??= new Set();
      if (this.#seen.has(value)) return true;
      this.#seen.add(value);
    }
    switch (kindOf(value, this.#transfer)) {
      case "plain":
        return this.#properties(value, depth);
      case "array":
        return this.#items(Object.values(value), depth);
      case "map":
        return this.#items(entriesOf(value as Map<unknown, unknown>), depth);
      case "set":
        return this.#items(itemsOf(value as Set<unknown>), depth);
      case "leaf":
        return !this.#away || !staysInProcess(value, "leaf");
      default:
        return false;
    }
  }

  #properties(value: object, depth: number): boolean {
    const keys = Object.keys(value);
    for (let i = 0; i < keys.length; i++) {
      const found = Object.getOwnPropertyDescriptor(value, keys[i])!;
      if (found.get !== undefined || found.set !== undefined) return false;
      if (!this.#any(found.value, depth)) return false;
    }
    return true;
  }

  #items(values: readonly unknown[], depth: number): boolean {
    for (const item of values) if (!this.#any(item, depth)) return false;
    return true;
  }

  #any(value: unknown, depth: number): boolean {
    return typeof value === "object" && value !== null
      ? this.object(value, depth + 1)
      : isPrimitive(value);
  }
}
