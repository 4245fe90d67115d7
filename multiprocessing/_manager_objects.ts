/**
 * What a proxy may call on an object: the table of its kind, and the public methods of a class of the user's.
 *
 * Nothing is reached by name on what the language gives every object: `constructor` and everything of `Object.prototype` are nobody's
 * public methods, and an object of a known kind is only called through the table of its kind.
 *
 * @module
 */
import type { Caller } from "./_manager_caller.ts";
import { array, dict, list, namespace, set, value } from "./_manager_containers.ts";
import { type Kind, kindOf, type Method } from "./_manager_kind.ts";
import {
  barrier,
  condition,
  event,
  flowRLock,
  iterator,
  lock,
  queue,
  rlock,
  semaphore,
  simpleQueue,
} from "./_manager_waiting.ts";

const kinds: Kind[] = [
  dict,
  list,
  set,
  namespace,
  value,
  array,
  lock,
  flowRLock,
  rlock,
  semaphore,
  condition,
  event,
  barrier,
  queue,
  simpleQueue,
  iterator,
];

/** Adds a kind, for a package above. */
export function addKind(kind: Kind): void {
  kinds.unshift(kind);
}

/** Objects of classes that nobody here knows. */
const other: Kind = kindOf("object", () => true, Object.prototype, {});

/** The kind of an object. */
export function kindFor(object: unknown): Kind {
  return kinds.find((kind) => kind.is(object)) ?? other;
}

/** Names that are no methods of an object, whatever stands there. */
const NEVER = new Set(["constructor", "__proto__", "prototype"]);

/** The names of the methods that the object has beside those of its kind: those that do not begin with `_`. */
export function publicMethods(object: unknown, kind: Kind): string[] {
  const names = new Set<string>();
  for (const at of ownLayers(object, kind)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === "function" && isPublic(name) && !kind.methods.has(name)) names.add(name);
    }
  }
  return [...names];
}

function isPublic(name: string): boolean {
  return !name.startsWith("_") && !NEVER.has(name);
}

/** Prototypes of the language at which a class of the user's ends. */
const grounds = new Set<object>([
  Object.prototype,
  Function.prototype,
  Iterator.prototype,
  Object.getPrototypeOf(Object.getPrototypeOf(async function* () {}).prototype),
]);

/** The object, and its prototypes down to where its kind begins. */
function* ownLayers(object: unknown, kind: Kind): Generator<object> {
  if (typeof object !== "object" && typeof object !== "function" || object === null) return;
  for (
    let at: object | null = object;
    at !== null && at !== kind.base && !grounds.has(at);
    at = Object.getPrototypeOf(at)
  ) yield at;
}

/** The method of the user's that has this name; `undefined` when there is none. */
function ownMethod(
  object: unknown,
  kind: Kind,
  name: string,
): ((...args: unknown[]) => unknown) | undefined {
  if (NEVER.has(name)) return undefined;
  for (const at of ownLayers(object, kind)) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found === undefined) continue;
    return typeof found.value === "function" ? found.value : undefined;
  }
  return undefined;
}

/** What carries out the method of that name; `undefined` when the object has none. */
export function methodOf(object: unknown, kind: Kind, name: string): Method | undefined {
  const known = kind.methods.get(name);
  if (known !== undefined) return known;
  const own = ownMethod(object, kind, name);
  if (own === undefined) return undefined;
  return (object: unknown, args: unknown[], _caller: Caller) => own.apply(object, args);
}
