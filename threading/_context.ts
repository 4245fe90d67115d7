/**
 * Context variables that travel to a thread: those that are exports of a module, with the values that can travel.
 *
 * @module
 */
import { type Context, ContextVar } from "../contextvars/mod.ts";
import { contextOf } from "../contextvars/context.ts";
import {
  locateObject,
  pack,
  type Parcel,
  PicklingError,
  type Reference,
  resolveObject,
  unpack,
} from "./_core/mod.ts";

/** One variable and its value. */
export interface ContextEntry {
  readonly variable: Reference;
  readonly name: string;
  readonly value: Parcel;
}

/** What of a context can travel. */
export function entriesOf(context: Context, door: () => void): ContextEntry[] {
  const entries: ContextEntry[] = [];
  if (context.size === 0) return entries;
  for (const [variable, value] of context.entries()) {
    const reference = locateObject(variable, variable.name, door);
    if (reference === null) continue;
    try {
      const parcel = pack(value, "send a context variable with", door);
      entries.push({ variable: reference, name: variable.name, value: parcel });
    } catch (error) {
      if (!(error instanceof PicklingError)) throw error;
    }
  }
  return entries;
}

/** The context that arrived. Variables that are not found here, and values that do not arrive, are left out. */
export async function contextFrom(entries: readonly ContextEntry[]): Promise<Context> {
  const arrived: [ContextVar<unknown>, unknown][] = [];
  for (const { variable, name, value } of entries) {
    try {
      const found = await resolveObject(
        variable,
        (candidate) => candidate instanceof ContextVar && candidate.name === name,
      );
      if (found instanceof ContextVar) arrived.push([found, await unpack(value)]);
    } catch {
      // Its module fails to load here, or the value's class does: the thread runs without it.
    }
  }
  return contextOf(arrived);
}
