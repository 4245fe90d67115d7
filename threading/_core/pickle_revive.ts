/**
 * The receiving side: puts the specials of a parcel into the slots that wait for them.
 *
 * In this order, which the sender's order of the table relies on:
 * 1. Everything that has to be imported is imported. After that nothing is awaited, so nobody sees a half-made value.
 * 2. What needs no parts: links, functions, and errors without their properties.
 * 3. Down the table: shareables and instances from their parts, contents of maps and sets, properties of errors.
 *
 * @module
 */

import { classNamed, classNamedSync, type ErrorClass, hide, shellOf } from "./error_form.ts";
import { PicklingError } from "./errors.ts";
import type {
  AnyFunction,
  ErrorSpecial,
  Parcel,
  Place,
  ShareableSpecial,
  Special,
} from "./parcel.ts";
import { namespaceOf } from "./namespaces.ts";
import { reducerNamed, setState } from "./pickle_kinds.ts";
import { resolve, resolveSync } from "./reference.ts";
import { mustKnow } from "./trust.ts";

/** What a special needs from a module: the function, the class. */
type Imported = ReadonlyMap<Special, unknown>;

/** Imports what the specials need. Rejects with the error of the module that fails, or of `resolve`. */
export async function importAll(specials: readonly Special[]): Promise<Imported> {
  const imported = new Map<Special, unknown>();
  await Promise.all(specials.map(async (special) => {
    switch (special.kind) {
      case "function":
      case "instance":
        imported.set(special, await resolve(special.reference));
        break;
      case "error":
        imported.set(special, await classNamed(special.form));
        break;
      case "shareable":
        if (reducerNamed(special.name) === undefined) {
          mustKnow(special.module);
          await import(special.module);
        }
    }
  }));
  return imported;
}

/**
 * {@linkcode importAll} from what is loaded, or can be loaded without waiting.
 *
 * @throws {PicklingError} when a module cannot be had that way.
 */
export function importAllSync(specials: readonly Special[]): Imported {
  const imported = new Map<Special, unknown>();
  for (const special of specials) {
    switch (special.kind) {
      case "function":
      case "instance":
        imported.set(special, resolveSync(special.reference));
        break;
      case "error":
        imported.set(special, classNamedSync(special.form));
        break;
      case "shareable":
        if (reducerNamed(special.name) === undefined) requireModule(special);
    }
  }
  return imported;
}

function requireModule({ name, module }: ShareableSpecial): void {
  mustKnow(module);
  if (namespaceOf(module) === undefined) {
    throw new PicklingError(
      `Cannot receive a ${name} in a Sync call: its module ${module} is not loaded here; import it first, or use the async form of the call`,
    );
  }
}

/** The value of a parcel with specials, of which `imported` is what they need. */
export function revive(parcel: Parcel, imported: Imported): unknown {
  const specials = parcel.specials ?? [];
  const made: unknown[] = [];
  const slots = slotsOf(parcel);
  const set = (index: number, value: unknown): void => {
    made[index] = value;
    for (const [, holder, key] of slots[index] ?? []) {
      (holder as Record<string | number, unknown>)[key] = value;
    }
  };
  specials.forEach((special, index) => {
    if (special.kind === "link") set(index, special.value);
    else if (special.kind === "function") set(index, imported.get(special));
    else if (special.kind === "error") {
      set(index, shellOf(special.form, imported.get(special) as ErrorClass));
    }
  });
  specials.forEach((special, index) => {
    if (special.kind === "shareable") set(index, reducer(special).revive(special.parts));
    else if (special.kind === "instance") {
      set(index, makeInstance(imported.get(special), special.state));
    } else if (special.kind === "entries") fill(special.of, special.list);
    else if (special.kind === "error") complete(made[index] as Error, special);
  });
  return parcel.root === undefined ? parcel.value : made[parcel.root];
}

/** The places of a parcel by special. */
function slotsOf({ places }: Parcel): Place[][] {
  const slots: Place[][] = [];
  for (const place of places ?? []) (slots[place[0]] ??= []).push(place);
  return slots;
}

function reducer({ name, module }: ShareableSpecial): NonNullable<ReturnType<typeof reducerNamed>> {
  const found = reducerNamed(name);
  if (found === undefined) {
    throw new PicklingError(
      `Cannot receive a ${name}: ${module} does not register it; make sure that both sides run the same version`,
    );
  }
  return found;
}

function makeInstance(type: unknown, state: unknown): unknown {
  const make = (type as { [setState]?: (state: unknown) => unknown } | undefined)?.[setState];
  if (typeof make !== "function") {
    throw new PicklingError(
      `Cannot receive an instance of ${
        (type as AnyFunction | undefined)?.name
      }: the class has no static [setState](state) on this side; make sure that both sides run the same version`,
    );
  }
  return make.call(type, state);
}

function fill(of: Map<unknown, unknown> | Set<unknown>, list: readonly unknown[]): void {
  if (of instanceof Map) {
    for (let i = 0; i < list.length; i += 2) of.set(list[i], list[i + 1]);
  } else {
    for (const value of list) of.add(value);
  }
}

function complete(error: Error, { shown, hidden }: ErrorSpecial): void {
  for (const key of Object.keys(shown)) {
    Object.defineProperty(error, key, {
      value: shown[key],
      writable: true,
      enumerable: true,
      configurable: true,
    });
  }
  for (const key of Object.keys(hidden)) hide(error, key, hidden[key]);
}
