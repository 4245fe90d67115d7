/**
 * Turns functions, classes and exported objects into data, and back on the far side.
 *
 * What it is: a {@linkcode Reference} names a module and an export of it. {@linkcode locate} finds it for a function that the user
 * just passes, in layers from cheap to dear, all of them synchronous: what `task()` named; the texts and the namespaces of the
 * calling modules and the main module; those of the modules they import; the engine's own knowledge where permission to ask for
 * it was given. {@linkcode resolve} imports the module and gives the function.
 *
 * Guarantees: a function arrives as itself or not at all. Where identity could not be checked (a module that is still being
 * evaluated), the far side compares name and source text and refuses none and several. Never asks for a permission, never awaits
 * on the calling side: `import()` of a module from inside its own top-level await would wait for itself.
 *
 * Relies on: the far side importing the same text, so that functions have the same names and sources there.
 *
 * @module
 */

import { PicklingError } from "./errors.ts";
import { dataAt, type Namespace, namespaceOf, offersOf, remember } from "./namespaces.ts";
import { type Reference, refusal, Seeker } from "./seek.ts";
import { know, mustKnow } from "./trust.ts";
import { Wanted } from "./wanted.ts";

export type { Reference } from "./seek.ts";
export { setMainModule } from "./call_site.ts";

// deno-lint-ignore ban-types -- any callable thing, classes included
type AnyFunction = Function;

const located = new WeakMap<object, Reference>();
/** URL → name → function, for what `task()` named in this thread. */
const tasks = new Map<string, Map<string, AnyFunction>>();

/**
 * Names a function explicitly, so that it can be passed to other threads and processes without being exported, and returns it.
 * Never needed for a plain exported function or a static method of an exported class.
 *
 * Call it at the top level of the module: the other side makes the same call when it imports the module. Stands for what
 * Python's `pickle` does by qualified name (https://docs.python.org/3.14/library/pickle.html#what-can-be-pickled-and-unpickled).
 *
 * @example A function that is not exported
 * ```ts
 * import { task } from "@batteries/concurrent/threading";
 * import { assertEquals } from "@std/assert";
 *
 * const double = task(import.meta, function double(n: number) {
 *   return n * 2;
 * });
 * assertEquals(double(21), 42);
 * ```
 *
 * @param meta the `import.meta` of the module that the function stands in.
 * @param fn the function; it needs a name, and no other task of the module may have the same.
 * @returns `fn` itself.
 * @throws {TypeError} when `meta` is not an `import.meta`, or `fn` is not a function or has no name.
 * @throws {RangeError} when another function of the module has been named so.
 */
export function task<F extends (...args: never[]) => unknown>(meta: ImportMeta, fn: F): F {
  const url = (meta as ImportMeta | null | undefined)?.url;
  if (typeof url !== "string") {
    throw new TypeError(
      `Cannot name a task: the first argument must be import.meta, got ${describe(meta)}`,
    );
  }
  if (typeof fn !== "function") {
    throw new TypeError(
      `Cannot name a task: the second argument must be a function, got ${describe(fn)}`,
    );
  }
  const { name } = fn;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `Cannot name a task: the function has no name; write task(import.meta, function work() { … })`,
    );
  }
  let named = tasks.get(url);
  if (named === undefined) tasks.set(url, named = new Map());
  const other = named.get(name);
  if (other !== undefined && other !== fn) {
    throw new RangeError(
      `Cannot name a task '${name}': another function of ${url} has that name; give each task its own`,
    );
  }
  named.set(name, fn);
  located.set(fn, { how: "task", module: url, name });
  return fn;
}

/**
 * Finds the module and the export of a function or class.
 *
 * @param what begins messages: `"start a thread with"`.
 * @param door the function of this library that the user called; the frames above it are the user's.
 * @throws {TypeError} when `fn` is not a function.
 * @throws {PicklingError} when it is known already that the far side cannot have it.
 */
export function locate(fn: AnyFunction, what: string, door: AnyFunction): Reference {
  const known = located.get(fn);
  if (known !== undefined) return known;
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot ${what} ${describe(fn)}: a function is needed`);
  }
  const wanted = new Wanted(fn);
  wanted.refuseByNature(what);
  const seeker = new Seeker(wanted, door);
  const reference = seeker.seek();
  if (reference === undefined) throw refusal(wanted, what, seeker.miss());
  located.set(fn, reference);
  for (const url of modulesOf(reference)) know(url);
  return reference;
}

/**
 * Imports the module and gives the function or class that the reference means.
 *
 * @throws {PicklingError} when the module has no such export.
 * @throws Whatever importing the module throws.
 */
export async function resolve(reference: Reference): Promise<AnyFunction> {
  const namespaces: Namespace[] = [];
  for (const url of modulesOf(reference)) namespaces.push(await importOnce(url));
  return pick(reference, namespaces);
}

/**
 * {@linkcode resolve} without awaiting.
 *
 * @throws {PicklingError} when the module has no such export, or cannot be had synchronously.
 */
export function resolveSync(reference: Reference): AnyFunction {
  if (reference.how === "task") return pick(reference, []);
  const namespaces = modulesOf(reference).map((url) => {
    mustKnow(url);
    const namespace = namespaceOf(url);
    if (namespace !== undefined) return namespace;
    throw new PicklingError(
      `Cannot load ${url} synchronously: it is still being evaluated, awaits at its top level or is not a local file; ` +
        `use the asynchronous form of the call, or import the module first`,
    );
  });
  return pick(reference, namespaces);
}

/** The modules in which it is looked for. */
export function modulesOf(reference: Reference): readonly string[] {
  return reference.how === "search" ? reference.modules : [reference.module];
}

async function importOnce(url: string): Promise<Namespace> {
  mustKnow(url);
  let namespace: Namespace;
  try {
    namespace = await import(url);
  } catch (error) {
    if (!isNoFile(url)) throw error;
    throw new PicklingError(
      `Cannot import ${url}: that program is no file; put what threads and processes run into a module of its own, not into deno eval, the REPL or standard input`,
      { cause: error },
    );
  }
  know(url);
  remember(url, namespace);
  return namespace;
}

/** Whether it is what Deno calls a program that it was given as text: nobody else can import that. */
export function isNoFile(url: string): boolean {
  return url === "[eval]" || /\$deno\$(eval|stdin|repl)\.\w+$/.test(url);
}

function pick(reference: Reference, namespaces: readonly Namespace[]): AnyFunction {
  if (reference.how === "task") {
    const fn = tasks.get(reference.module)?.get(reference.name);
    if (fn !== undefined) return fn;
    throw new PicklingError(
      `Cannot find the task '${reference.name}': importing ${reference.module} did not run task(import.meta, ${reference.name}); ` +
        `call it at the top level of the module`,
    );
  }
  if (reference.how === "export") {
    const fn = walk(namespaces[0], reference.path);
    if (typeof fn === "function") return fn;
    throw new PicklingError(
      `Cannot find '${
        reference.path.join(".")
      }': it is not exported from ${reference.module} on this side; ` +
        `export it whether or not import.meta.main is true`,
    );
  }
  return bySource(reference, namespaces);
}

function walk(namespace: Namespace, path: readonly string[]): unknown {
  let value: unknown = namespace;
  for (const key of path) {
    if ((typeof value !== "object" && typeof value !== "function") || value === null) {
      return undefined;
    }
    value = dataAt(value, key);
  }
  return value;
}

/**
 * The one function whose own name and source text are the wanted ones. Of several, the one exported under that name; if there is
 * none, the one with that source text. Functions reached by two paths count once.
 */
function bySource(
  { modules, name, source }: Reference & { how: "search" },
  namespaces: readonly Namespace[],
): AnyFunction {
  const exact = new Set<AnyFunction>();
  const exported = new Set<AnyFunction>();
  const alike = new Set<AnyFunction>();
  let nameExists = false;
  for (const namespace of namespaces) {
    for (const { path, value } of offersOf(namespace)) {
      if (typeof value !== "function") continue;
      const isNamed = dataAt(value, "name") === name;
      const isExported = path[path.length - 1] === name;
      if (isNamed || isExported) nameExists = true;
      if (Function.prototype.toString.call(value) !== source) continue;
      alike.add(value);
      if (isNamed) exact.add(value);
      if (isNamed && isExported) exported.add(value);
    }
  }
  const label = name === "" ? "an anonymous function" : `'${name}'`;
  const where = modules.join(" or ");
  for (const found of [exact, exported]) if (found.size === 1) return [...found][0];
  if (exact.size === 0 && alike.size === 1 && !nameExists) return [...alike][0];
  if (exact.size > 1 || alike.size > 1) {
    throw new PicklingError(
      `Cannot find ${label}: ${
        Math.max(exact.size, alike.size)
      } exports of ${where} have the same source text; ` +
        `name the right one with task(import.meta, fn)`,
    );
  }
  throw new PicklingError(
    `Cannot find ${label}: it is not exported from ${where}${
      nameExists ? " (what is exported under that name is another function)" : ""
    }; closures and private functions cannot travel: export it, or name it with task(import.meta, fn)`,
  );
}

/**
 * Finds an object that is an export of a module, such as a context variable: by identity where that can be checked, else by a
 * search for `name` that the far side decides. `null` when no module can have it.
 */
export function locateObject(value: object, name: string, door: AnyFunction): Reference | null {
  const known = located.get(value);
  if (known !== undefined) return known;
  const reference = new Seeker(new Wanted(value, name), door).seek();
  if (reference !== undefined) located.set(value, reference);
  return reference ?? null;
}

/** The export that {@linkcode locateObject} meant and `matches` accepts; `undefined` when none or several fit. */
export async function resolveObject(
  reference: Reference,
  matches: (candidate: unknown) => boolean,
): Promise<unknown | undefined> {
  if (reference.how === "task") return undefined;
  if (reference.how === "export") {
    const value = walk(await importOnce(reference.module), reference.path);
    return matches(value) ? value : undefined;
  }
  const fitting = new Set<object>();
  const exported = new Set<object>();
  for (const url of reference.modules) {
    for (const { path, value } of offersOf(await importOnce(url))) {
      if (!matches(value)) continue;
      fitting.add(value);
      if (path[path.length - 1] === reference.name) exported.add(value);
    }
  }
  for (const found of [fitting, exported]) if (found.size === 1) return [...found][0];
  return undefined;
}

/** What a wrong argument is, for messages. */
function describe(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? Object.prototype.toString.call(value) : typeof value;
}
