/**
 * One error as text and class names, and back. What hangs on the error (`cause`, own properties) is the business of `pickle`.
 *
 * Guarantees: {@linkcode formOf} never throws, whatever the getters of a hostile error do, and {@linkcode shellOf} always makes a
 * true error (`Error.isError`), by a constructor of the language and never by the user's.
 *
 * @module
 */

import { PicklingError, TimeoutError } from "./errors.ts";
import type { AnyFunction, ErrorClassForm, ErrorForm } from "./parcel.ts";
import { classOf } from "./pickle_kinds.ts";
import { isOurs } from "./call_site.ts";
import { isWarm, namespaceOf, offersOf, resolveSpecifier, scanOf } from "./namespaces.ts";
import { locate, type Reference, resolve, resolveSync } from "./reference.ts";
import { mustKnow } from "./trust.ts";

/** A class of errors. */
export type ErrorClass = abstract new (...args: never[]) => object;

const BUILTIN = [
  "Error",
  "TypeError",
  "RangeError",
  "SyntaxError",
  "ReferenceError",
  "EvalError",
  "URIError",
  "AggregateError",
  "SuppressedError",
  "DOMException",
] as const;

const registered = new Map<string, ErrorClass>();
const known = new WeakMap<object, readonly ErrorClassForm[]>();

/**
 * Makes errors of exactly this class arrive as errors of it in every thread. `module` is the `import.meta.url` of the module that
 * registers it: the other side imports it when it does not know the class.
 *
 * @throws {TypeError} when another class of that name is registered by that module.
 */
export function registerError(
  type: abstract new (...args: never[]) => Error,
  module: string,
): void {
  const key = `${module}#${type.name}`;
  if ((registered.get(key) ?? type) !== type) {
    throw new TypeError(
      `Cannot register error class ${type.name}: its module registered another one`,
    );
  }
  registered.set(key, type);
  known.set(type, [{ how: "registered", name: type.name, module }]);
}

registerError(PicklingError, new URL("./errors.ts", import.meta.url).href);
registerError(TimeoutError, new URL("./errors.ts", import.meta.url).href);

/** The text of `error`, and where to find its class. Never throws. `door` as for `locate`. */
export function formOf(error: Error, door: AnyFunction): ErrorForm {
  const stack = textOf(error, "stack");
  return {
    classes: classesOf(error, stack, door),
    name: textOf(error, "name"),
    message: textOf(error, "message"),
    stack,
  };
}

/** A property that ought to be text; undefined when it is not, or when reading it throws. */
function textOf(error: Error, key: "name" | "message" | "stack"): string | undefined {
  try {
    const value: unknown = error[key];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

function classesOf(
  error: Error,
  stack: string | undefined,
  door: AnyFunction,
): readonly ErrorClassForm[] {
  const forms: ErrorClassForm[] = [];
  try {
    for (let at: object | null = error; at !== null; at = Object.getPrototypeOf(at)) {
      const type = classOf(at);
      if (type === undefined || type === Object) continue;
      let found = known.get(type);
      if (found === undefined) known.set(type, found = findForms(type, stack, door));
      forms.push(...found);
      if (found.length > 0 && found[0].how !== "reference") break;
    }
  } catch {
    // A Proxy whose traps throw: what was found so far will do.
  }
  return forms;
}

function findForms(
  type: ErrorClass,
  stack: string | undefined,
  door: AnyFunction,
): readonly ErrorClassForm[] {
  if (builtinNamed(type.name) === type) return [{ how: "builtin", name: type.name }];
  const references: Reference[] = [];
  try {
    references.push(locate(type, "send an error of class", door));
  } catch {
    // Not exported, or not by a module near the caller; the library may be all that is left of the call.
  }
  // Where an error was made tells more than who sends it, and the check by identity more than a guess. While namespaces are cold,
  // a search is no guess: the text of the calling module names the class.
  if (references.length === 0 || references[0].how === "search" && isWarm()) {
    const near = exportNear(type, stack);
    if (near !== undefined) references.unshift(near);
  }
  return references.map((reference) => ({ how: "reference", reference }));
}

/** The export of `type` by the modules on the stack, or by those that they import. */
function exportNear(type: ErrorClass, stack: string | undefined): Reference | undefined {
  const near = new Set(modulesOn(stack));
  for (const url of [...near]) {
    for (const { specifier, dynamic } of scanOf(url)?.imports ?? []) {
      const imported = dynamic ? undefined : resolveSpecifier(specifier, url);
      if (imported !== undefined) near.add(imported);
    }
  }
  for (const module of near) {
    const namespace = namespaceOf(module);
    if (namespace === undefined) continue;
    for (const { path, value } of offersOf(namespace)) {
      if (value === type) return { how: "export", module, path };
    }
  }
}

/** The URLs of the modules that a stack names, the throwing one first. Stacks show the paths of files decoded. */
function modulesOn(stack: string | undefined): string[] {
  const urls: string[] = [];
  for (
    const [, place] of (stack ?? "").matchAll(
      /^ +at .*?((?:file|https?|data|blob):.*):\d+:\d+\)?$/gm,
    )
  ) {
    try {
      const url = place.startsWith("file:") ? new URL(place.replaceAll("%", "%25")).href : place;
      if (!isOurs(url)) urls.push(url);
    } catch {
      // Not a URL after all.
    }
  }
  return urls;
}

function builtinNamed(name: string): ErrorClass | undefined {
  if ((BUILTIN as readonly string[]).includes(name)) {
    return (globalThis as unknown as Record<string, ErrorClass>)[name];
  }
  return Object.hasOwn(Deno.errors, name)
    ? (Deno.errors as unknown as Record<string, ErrorClass>)[name]
    : undefined;
}

/** The class that a form names, imported if need be; undefined when it cannot be had. Never rejects. */
export async function classNamed(form: ErrorForm): Promise<ErrorClass | undefined> {
  for (const each of form.classes) {
    try {
      if (each.how === "registered" && !registered.has(`${each.module}#${each.name}`)) {
        mustKnow(each.module);
        await import(each.module);
      }
      const type = each.how === "reference" ? await resolve(each.reference) : knownClass(each);
      if (isErrorClass(type)) return type;
    } catch {
      // Its module cannot be loaded here, or exports it no more: the next is a base of it.
    }
  }
}

/** {@linkcode classNamed} from what is loaded already. Never throws. */
export function classNamedSync(form: ErrorForm): ErrorClass | undefined {
  for (const each of form.classes) {
    try {
      const type = each.how === "reference" ? resolveSync(each.reference) : knownClass(each);
      if (isErrorClass(type)) return type;
    } catch {
      // As above.
    }
  }
}

function knownClass(form: Exclude<ErrorClassForm, { how: "reference" }>): unknown {
  return form.how === "builtin"
    ? builtinNamed(form.name)
    : registered.get(`${form.module}#${form.name}`);
}

function isErrorClass(type: unknown): type is ErrorClass {
  return type === Error || typeof type === "function" && type.prototype instanceof Error;
}

/** An error of class `type` with the text of `form`. The constructor of a class that is not built in is not run. */
export function shellOf(form: ErrorForm, type: ErrorClass | undefined): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0; // the stack that counts is the one that came along
  let error: Error;
  try {
    error = inherits(type, DOMException)
      ? new DOMException(form.message, form.name)
      : new Error(form.message);
  } finally {
    Error.stackTraceLimit = limit;
  }
  const prototype = (type ?? Error).prototype;
  if (Object.getPrototypeOf(error) !== prototype) Object.setPrototypeOf(error, prototype);
  if (form.name !== undefined) correct(error, "name", form.name);
  if (form.message !== undefined) correct(error, "message", form.message);
  hide(error, "stack", form.stack ?? `${form.name ?? "Error"}: ${form.message ?? ""}`);
  return error;
}

function inherits(type: ErrorClass | undefined, base: typeof DOMException): boolean {
  return type !== undefined && (type === base || type.prototype instanceof base);
}

/** Gives the error what its class does not give it by itself. A getter of the class that throws counts as not giving it. */
function correct(error: Error, key: "name" | "message", value: string): void {
  if (textOf(error, key) !== value) hide(error, key, value);
}

/** Sets a property as errors have them: own, writable, not enumerable. */
export function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

const HIDDEN = ["cause", "errors", "error", "suppressed"];

/** The properties of an error that travel besides its text: what is enumerable, and what built-in classes hide. Never throws. */
export function ownKeys(error: Error): string[] {
  try {
    const keys = new Set(Object.keys(error));
    for (const key of HIDDEN) if (Object.hasOwn(error, key)) keys.add(key);
    for (const key of ["name", "message", "stack"]) keys.delete(key);
    return [...keys];
  } catch {
    return [];
  }
}

/** Whether `key` is an own property of the error that does not show. */
export function isHidden(error: Error, key: string): boolean {
  return !Object.prototype.propertyIsEnumerable.call(error, key);
}
