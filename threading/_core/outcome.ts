/**
 * How a call ended, as it crosses between threads and processes: with a value, or with an error.
 *
 * Guarantees: {@linkcode encodeError} and {@linkcode decodeError} never fail. An error always arrives, as an error of its class where
 * the other side has it, with its text, its stack, and all of its properties that can travel.
 *
 * @module
 */

import { classNamed, classNamedSync, shellOf } from "./error_form.ts";
import type { AnyFunction, ErrorForm, ErrorSpecial, Parcel } from "./parcel.ts";
import { pack, unpack, unpackSync } from "./pickle.ts";
import { build } from "./pickle_build.ts";
import { isErrorLike } from "./pickle_kinds.ts";
import { describe } from "./pickle_refusals.ts";

export { registerError } from "./error_form.ts";

/** What was thrown, on the wire. */
export type EncodedError = Parcel;

/** How a call ended. */
export type Outcome =
  | { readonly ok: true; readonly value: Parcel }
  | { readonly ok: false; readonly error: EncodedError };

/** Options of {@linkcode encodeError}. */
export interface EncodeErrorOptions {
  /** Where it was thrown, such as `"thread Thread-1 (work)"`; shown as the last line of its stack. */
  readonly from?: string;
  /** As for `pack`. */
  readonly door?: AnyFunction;
  /** As for `pack`. */
  readonly away?: boolean;
}

/** What was thrown, for the wire; what is no error travels as it is, or as an error that describes it. Never throws. */
export function encodeError(thrown: unknown, options?: EncodeErrorOptions): EncodedError {
  const door = options?.door ?? encodeError;
  const away = options?.away ?? false;
  const sender = { what: "throw", root: "value", door, away };
  try {
    if (!isErrorLike(thrown)) return pack(thrown, sender.what, door, { away });
    return signed(build(thrown, sender), options?.from);
  } catch {
    // Not an error and not to be sent, or a Proxy that stands for an error.
  }
  const error = isErrorLike(thrown)
    ? copyOf(thrown)
    : new Error(`${describe(thrown)} was thrown, which cannot travel`);
  return signed(build(error, sender), options?.from);
}

/** A true error with the text of what only looks like one. */
function copyOf(thrown: Error): Error {
  return shellOf(
    { classes: [], name: undefined, message: describe(thrown), stack: undefined },
    undefined,
  );
}

/** Adds the line that says where the stack comes from. */
function signed(parcel: Parcel, from: string | undefined): Parcel {
  if (from === undefined || parcel.root === undefined) return parcel;
  const special = parcel.specials![parcel.root] as ErrorSpecial;
  const stack = special.form.stack ??
    `${special.form.name ?? "Error"}: ${special.form.message ?? ""}`;
  const form = { ...special.form, stack: `${stack}\n    at --- ${from} ---` };
  Object.assign(special, { form });
  return parcel;
}

/** What was thrown, from the wire. Never rejects. */
export async function decodeError(encoded: EncodedError): Promise<unknown> {
  try {
    return await unpack(encoded);
  } catch (error) {
    const form = formIn(encoded);
    return form === undefined ? error : shellOf(form, await classNamed(form));
  }
}

/** {@linkcode decodeError} without waiting: a class that is not loaded here is replaced by its nearest base. Never throws. */
export function decodeErrorSync(encoded: EncodedError): unknown {
  try {
    return unpackSync(encoded);
  } catch (error) {
    const form = formIn(encoded);
    return form === undefined ? error : shellOf(form, classNamedSync(form));
  }
}

/** What is certain of an error whose properties fail to arrive. */
function formIn({ root, specials }: EncodedError): ErrorForm | undefined {
  const special = root === undefined ? undefined : specials?.[root];
  return special?.kind === "error" ? special.form : undefined;
}
