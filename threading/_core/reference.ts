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

import { callers, isOurs } from "./call_site.ts";
import { PicklingError } from "./errors.ts";
import type { Declaration, Exported, ModuleScan } from "./exports.ts";
import {
  dataAt,
  isWarm,
  type Namespace,
  namespaceOf,
  offersOf,
  remember,
  resolveSpecifier,
  scanOf,
} from "./namespaces.ts";

export { setMainModule } from "./call_site.ts";

/** A function, class or exported object as data. */
export type Reference =
  /** Identity was verified: `["work"]`, `["default"]`, `["Job", "run"]`. */
  | { readonly how: "export"; readonly module: string; readonly path: readonly string[] }
  /** Named by `task(import.meta, fn)`. */
  | { readonly how: "task"; readonly module: string; readonly name: string }
  /** The far side decides by name and source text. */
  | {
    readonly how: "search";
    readonly modules: readonly string[];
    readonly name: string;
    readonly source: string;
  };

// deno-lint-ignore ban-types -- any callable thing, classes included
type AnyFunction = Function;

/** How many modules the search through imports of imports reads at most. */
const MODULE_LIMIT = 500;

const located = new WeakMap<object, Reference>();
/** URL → name → function, for what `task()` named in this thread. */
const tasks = new Map<string, Map<string, AnyFunction>>();

/**
 * Names `fn` as a task of the module that `meta` belongs to, and returns it. The far side runs the same call when it imports the
 * module, so the function need not be exported.
 *
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
  const reference = hunt(wanted, what, door);
  located.set(fn, reference);
  return reference;
}

/** What is looked for: a function by identity, name and source, or another object by identity and name. */
class Wanted {
  readonly value: object;
  readonly name: string;
  /** The source text of a function; empty for other objects. */
  readonly source: string;
  readonly kind: "function" | "class" | "arrow" | "object";

  constructor(value: object, name?: string) {
    this.value = value;
    if (typeof value === "function") {
      const own = dataAt(value, "name");
      this.name = typeof own === "string" ? own : "";
      this.source = Function.prototype.toString.call(value);
      this.kind = /^class\b/.test(this.source)
        ? "class"
        : /^(?:async\s+)?function\b/.test(this.source)
        ? "function"
        : "arrow";
    } else {
      this.name = name ?? "";
      this.source = "";
      this.kind = "object";
    }
  }

  get label(): string {
    return this.name === "" ? "an anonymous function" : `'${this.name}'`;
  }

  refuseByNature(what: string): void {
    const { name, source } = this;
    if (!/\{\s*\[native code\]\s*\}\s*$/.test(source)) return;
    if (name.startsWith("bound ")) {
      throw new PicklingError(
        `Cannot ${what} '${
          name.slice(6)
        }': it is bound to an object with bind(), which cannot travel; ` +
          `export a function that makes the call, and pass the object as an argument`,
      );
    }
    // The source text of a native function has its name; that of a Proxy has none.
    if (name !== "" && !source.includes(name)) {
      throw new PicklingError(
        `Cannot ${what} '${name}': it is a Proxy, which cannot travel; pass the function itself, or export one that calls it`,
      );
    }
    throw new PicklingError(
      `Cannot ${what} ${this.label}: it is native code (or a Proxy), which belongs to no module; ` +
        `export a function that calls it`,
    );
  }
}

/** What the text of a module says about the wanted thing. */
type Verdict =
  /** It has an export (or a member of one) that is called and made like it. */
  | "named"
  /** It has exports of which the text does not tell what they hold. */
  | "maybe"
  | "no";

function verdictOf(scan: ModuleScan, wanted: Wanted): Verdict {
  let verdict: Verdict = "no";
  for (const entry of scan.exports) {
    const one = verdictOn(entry, wanted);
    if (one === "named") return "named";
    if (one === "maybe") verdict = "maybe";
  }
  return verdict === "no" && scan.assigned.has(wanted.name) ? "maybe" : verdict;
}

function verdictOn(entry: Exported, wanted: Wanted): Verdict {
  const { name } = wanted;
  const { declaration } = entry;
  if (declaration === undefined) {
    // Passed on from another module, which is looked into as well.
    return name !== "" && (entry.name === name || entry.imported === name) ? "named" : "no";
  }
  switch (declaration.kind) {
    case "plain":
      return "no";
    case "unknown":
      return name !== "" && (entry.name === name || declaration.name === name) ? "named" : "maybe";
    case "object":
      return memberVerdict(declaration, wanted);
    case "class":
      if (wanted.kind === "class" && declaration.name === name) return "named";
      return memberVerdict(declaration, wanted);
    default:
      return wanted.kind === declaration.kind && declaration.name === name ? "named" : "no";
  }
}

function memberVerdict(declaration: Declaration, wanted: Wanted): Verdict {
  if (wanted.name !== "" && declaration.members.has(wanted.name)) return "named";
  // An anonymous function may be the value of any member.
  return declaration.open || (wanted.name === "" && declaration.members.size > 0) ? "maybe" : "no";
}

/** What came out of looking at a set of modules. */
interface Findings {
  /** Their text has the name; their namespace could not be had. */
  named: string[];
  /** It may be there; their namespace could not be had. */
  doubtful: string[];
  /** It is not there. */
  excluded: string[];
}

function hunt(wanted: Wanted, what: string, door: AnyFunction): Reference {
  const start = callers(door);
  const found = seek(wanted, start);
  if (found !== null && "how" in found) return found;
  throw refusal(wanted, what, start);
}

function seek(wanted: Wanted, start: readonly string[]): Reference | null {
  const findings: Findings = { named: [], doubtful: [], excluded: [] };
  const asked = new Set(start);
  let level: string[] = [...start];
  for (let depth = 0; level.length > 0; depth++) {
    const reference = seekIn(level, wanted, depth, findings);
    if (reference !== undefined) return reference;
    // What the text names and nobody could check is good enough only where no nearer module is in doubt.
    if (findings.named.length > 0) break;
    level = importsOf(level, depth, asked, wanted, findings);
  }
  const modules = findings.named.length > 0 ? findings.named : findings.doubtful;
  if (modules.length > 0) return searchIn(modules, wanted);
  for (const url of findings.excluded) {
    const path = pathIn(url, wanted);
    if (path !== undefined) return { how: "export", module: url, path };
  }
  return null;
}

function searchIn(modules: readonly string[], wanted: Wanted): Reference {
  return { how: "search", modules, name: wanted.name, source: wanted.source };
}

/** Looks at the modules of one level; a reference when that settles it. */
function seekIn(
  level: readonly string[],
  wanted: Wanted,
  depth: number,
  findings: Findings,
): Reference | undefined {
  const named: string[] = [];
  const maybe: string[] = [];
  for (const url of level) {
    const scan = scanOf(url);
    const verdict = scan === undefined ? "maybe" : verdictOf(scan, wanted);
    if (verdict === "named") named.push(url);
    else if (verdict === "maybe") maybe.push(url);
    else findings.excluded.push(url);
  }
  // The cheap way: the calling module says so itself, and waking `process` would cost 15 ms.
  if (depth === 0 && named.length === 1 && !isWarm() && !hasRival(named[0], wanted)) {
    return searchIn(named, wanted);
  }
  for (const [urls, undecided] of [[named, findings.named], [maybe, findings.doubtful]] as const) {
    for (const url of urls) {
      const path = pathIn(url, wanted);
      if (path !== undefined) return { how: "export", module: url, path };
      if (namespaceOf(url) === undefined) undecided.push(url);
    }
  }
  return undefined;
}

/** Whether the module at hand also imports something that could be called like this. */
function hasRival(url: string, wanted: Wanted): boolean {
  for (const { specifier, names, whole } of scanOf(url)?.imports ?? []) {
    if (names.includes(wanted.name)) return true;
    if (!whole) continue;
    const other = resolveSpecifier(specifier, url);
    if (other === undefined || isOurs(other)) continue;
    const scan = scanOf(other);
    if (scan === undefined || verdictOf(scan, wanted) === "named") return true;
  }
  return false;
}

function pathIn(url: string, wanted: Wanted): readonly string[] | undefined {
  const namespace = namespaceOf(url);
  if (namespace === undefined) return undefined;
  for (const { path, value } of offersOf(namespace)) {
    if (value === wanted.value) return path;
  }
  return undefined;
}

/** The modules that these import and nobody has looked at. */
function importsOf(
  level: readonly string[],
  depth: number,
  asked: Set<string>,
  wanted: Wanted,
  findings: Findings,
): string[] {
  const next: string[] = [];
  for (const from of level) {
    for (const { specifier, names, dynamic } of scanOf(from)?.imports ?? []) {
      if (asked.size >= MODULE_LIMIT) return next;
      const url = resolveSpecifier(specifier, from);
      if (url === undefined || asked.has(url)) continue;
      const scan = scanOf(url);
      if (dynamic) {
        // It may not be loaded, and must not be loaded just to look: the far side decides, if the name fits.
        asked.add(url);
        if (scan !== undefined && verdictOf(scan, wanted) === "named") findings.named.push(url);
        continue;
      }
      // Deeper down only local files are followed.
      if (depth > 0 && !(url.startsWith("file:") && scan !== undefined)) continue;
      if (depth === 0 && scan === undefined && isOurs(url) && !names.includes(wanted.name)) {
        continue;
      }
      asked.add(url);
      next.push(url);
    }
  }
  return next;
}

function refusal(wanted: Wanted, what: string, start: readonly string[]): PicklingError {
  const where = start[0] ?? "any module that could be looked into";
  if (wanted.name === "") {
    return new PicklingError(
      `Cannot ${what} an anonymous function: it is not exported from ${where}; ` +
        `closures and private functions cannot travel: give it a name and export it, or name it with task(import.meta, fn)`,
    );
  }
  return new PicklingError(
    `Cannot ${what} '${wanted.name}': it is not exported from ${where}; ` +
      `closures and private functions cannot travel: export it, or name it with task(import.meta, fn)`,
  );
}

/**
 * Imports the module and gives the function or class that the reference means.
 *
 * @throws {PicklingError} when the module has no such export.
 * @throws Whatever importing the module throws.
 */
export async function resolve(reference: Reference): Promise<AnyFunction> {
  const modules = reference.how === "search" ? reference.modules : [reference.module];
  const namespaces: Namespace[] = [];
  for (const url of modules) namespaces.push(await importOnce(url));
  return pick(reference, namespaces);
}

/**
 * {@linkcode resolve} without awaiting.
 *
 * @throws {PicklingError} when the module has no such export, or cannot be had synchronously.
 */
export function resolveSync(reference: Reference): AnyFunction {
  if (reference.how === "task") return pick(reference, []);
  const modules = reference.how === "search" ? reference.modules : [reference.module];
  const namespaces = modules.map((url) => {
    const namespace = namespaceOf(url);
    if (namespace !== undefined) return namespace;
    throw new PicklingError(
      `Cannot load ${url} synchronously: it is still being evaluated, awaits at its top level or is not a local file; ` +
        `use the asynchronous form of the call, or import the module first`,
    );
  });
  return pick(reference, namespaces);
}

async function importOnce(url: string): Promise<Namespace> {
  const namespace: Namespace = await import(url);
  remember(url, namespace);
  return namespace;
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
  const reference = seek(new Wanted(value, name), callers(door));
  if (reference !== null) located.set(value, reference);
  return reference;
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
