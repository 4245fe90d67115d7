/**
 * Values crossing between threads and processes: structured clone, with what structured clone drops.
 *
 * {@linkcode pack} turns a value into a {@linkcode Parcel} on the sending side, the message port (or a byte codec) clones it, and
 * {@linkcode unpack} gives the value on the receiving side. Besides what structured clone carries, these travel: registered
 * shareables, as handles on the same thing; functions and classes, by reference; instances of exported classes with
 * {@linkcode getState}; errors of any class with all that hangs on them.
 *
 * Guarantees:
 * - What would silently arrive empty is refused at the call, with where it is and what to do.
 * - A value that structured clone carries as it is, is not copied here: the parcel refers to it, and the transport clones it.
 * - Identity and cycles are kept; depth does not matter.
 * - Instances of other classes arrive as plain objects of their own enumerable properties, and symbol keys are dropped, as by
 *   structured clone.
 *
 * @module
 */

import { importAll, importAllSync, revive } from "./pickle_revive.ts";
import type { AnyFunction, Parcel } from "./parcel.ts";
import { build } from "./pickle_build.ts";
import { reducerNamed } from "./pickle_kinds.ts";
import { isClean } from "./pickle_scan.ts";

export { getState, type Reducer, refuse, register, setState, vouchFor } from "./pickle_kinds.ts";
export type { Parcel, Special } from "./parcel.ts";

/** Options of {@linkcode pack}. */
export interface PackOptions {
  /** What the value is called in messages, such as `"args"`, which gives `args[0].url`; `"value"` by default. */
  readonly root?: string;
  /** What the transport is going to transfer: left alone wherever it stands. */
  readonly transfer?: Iterable<object>;
  /** Whether the value goes to another process, which refuses what only threads can share. */
  readonly away?: boolean;
}

/**
 * The parcel of `value`. `what` is the act, for messages: `"start a thread with"`. `door` is the library function that the user
 * called, at which stacks begin.
 *
 * What the user's own code throws (`[getState]()`) comes through as it is.
 *
 * @throws {PicklingError} when something in the value cannot travel.
 */
export function pack(
  value: unknown,
  what: string,
  door: AnyFunction,
  options?: PackOptions,
): Parcel {
  const transfer = options?.transfer === undefined ? undefined : new Set(options.transfer);
  const away = options?.away ?? false;
  if (isClean(value, transfer, away)) return { value };
  return build(value, { what, root: options?.root ?? "value", door, transfer, away });
}

/** The parcel will not arrive: what was reduced for it is discarded. The parcel may be a copy. */
export function discardParcel({ specials }: Parcel): void {
  for (const special of specials ?? []) {
    if (special.kind === "shareable") reducerNamed(special.name)?.discard?.(special.parts);
  }
}

/**
 * The value of a parcel, once the modules that it needs are imported. Rejects with a `PicklingError` when something is not found
 * there, or with the error of a module that fails.
 */
export async function unpack(parcel: Parcel): Promise<unknown> {
  if (parcel.specials === undefined) return parcel.value;
  return revive(parcel, await importAll(parcel.specials));
}

/**
 * {@linkcode unpack} without waiting.
 *
 * @throws {PicklingError} when a module that the parcel needs cannot be had without waiting.
 */
export function unpackSync(parcel: Parcel): unknown {
  if (parcel.specials === undefined) return parcel.value;
  return revive(parcel, importAllSync(parcel.specials));
}
