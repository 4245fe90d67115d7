/**
 * What goes on the wire instead of a value: plain data that structured clone takes, described here completely so that another codec
 * (bytes between processes) can be written from this page.
 *
 * Most values are their own parcel: `{ value }`. A value that holds something structured clone refuses or silently empties is
 * rebuilt: each such thing is taken out of its slot, `null` is left there, `specials` says what it was, and `places` where it
 * belongs. A slot is named by identity (`holder[key]`, where `holder` is an object of the same message), because structured clone
 * keeps identity within one message and no user data can be mistaken for a marker.
 *
 * Relies on: a parcel travels whole, in one message. Its fields may be moved into another object, its parts may not be cloned apart.
 *
 * @module
 */

import type { Reference } from "./reference.ts";

/** Anything callable, classes included. */
// deno-lint-ignore ban-types -- that is what it means here
export type AnyFunction = Function;

/** A value on the wire: always acceptable to structured clone. */
export interface Parcel {
  /** The value itself, or its rebuilt copy; unused where `root` is set. */
  readonly value: unknown;
  /** What is to be put in its slots on arrival, in the order in which it can be revived. */
  readonly specials?: readonly Special[];
  /** The slots that wait for them. It comes last, when every holder has been written: it adds no depth. */
  readonly places?: readonly Place[];
  /** The index of the special that is the value itself. */
  readonly root?: number;
}

/** A slot that waits for the special of that index: `holder[key]`. A holder may be a special, whose slots are its parts. */
export type Place = readonly [special: number, holder: object, key: string | number];

/** What structured clone cannot carry, as data. The union is closed. */
export type Special =
  | ShareableSpecial
  | FunctionSpecial
  | InstanceSpecial
  | ErrorSpecial
  | EntriesSpecial
  | LinkSpecial;

/** An object whose class is registered with a reducer: the far side gets a handle on the same thing. */
export interface ShareableSpecial {
  readonly kind: "shareable";
  /** The reducer's name. */
  readonly name: string;
  /** The module that registers it. */
  readonly module: string;
  /** What `reduce` gave. */
  parts: unknown;
}

/** A function or a class, by reference. */
export interface FunctionSpecial {
  readonly kind: "function";
  readonly reference: Reference;
}

/** An instance of an exported class that has `[getState]()` and `static [setState](state)`. */
export interface InstanceSpecial {
  readonly kind: "instance";
  /** The class. */
  readonly reference: Reference;
  /** What `[getState]()` gave. */
  state: unknown;
}

/** An error. It always arrives: what of its properties cannot travel is left out. */
export interface ErrorSpecial {
  readonly kind: "error";
  readonly form: ErrorForm;
  /** Its own enumerable properties, such as `code`. */
  readonly shown: Record<string, unknown>;
  /** Its own properties that are not enumerable: `cause`, `errors`, `error`, `suppressed`. */
  readonly hidden: Record<string, unknown>;
}

/** The content of a `Map` (keys and values by turns) or a `Set` that travels empty and in its place. */
export interface EntriesSpecial {
  readonly kind: "entries";
  readonly of: Map<unknown, unknown> | Set<unknown>;
  readonly list: unknown[];
}

/**
 * An object or array that is reached by a second way, or lies too deep for the recursion of structured clone. Every other container
 * of a rebuilt value lies in exactly one slot, which bounds the depth of what is on the wire.
 */
export interface LinkSpecial {
  readonly kind: "link";
  readonly value: object;
}

/** The part of an error that is text, and where its class is found. */
export interface ErrorForm {
  /** The class and its bases, up to the first that every thread has: the far side takes the first it can get. */
  readonly classes: readonly ErrorClassForm[];
  readonly name: string | undefined;
  readonly message: string | undefined;
  readonly stack: string | undefined;
}

/** How an error class is named. */
export type ErrorClassForm =
  | { readonly how: "builtin"; readonly name: string }
  | { readonly how: "registered"; readonly name: string; readonly module: string }
  | { readonly how: "reference"; readonly reference: Reference };
