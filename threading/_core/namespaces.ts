/**
 * Looks into modules that are already there, synchronously: their namespace objects, and their source texts.
 *
 * Guarantees: never asks for a permission, never awaits, and never gives the namespace of a second copy of a module (another
 * spelling of its URL, a query, a symbolic link). Whatever cannot be had is `undefined`.
 *
 * Relies on Deno's `require()` handing out the namespace of an evaluated ES module. The first use costs 15-30 ms, because it wakes
 * `process`; {@linkcode isWarm} tells whether that has been paid.
 *
 * @module
 */

import { type ModuleScan, scanModule } from "./exports.ts";

type Require = ((path: string) => unknown) & { resolve(path: string): string };

interface ModuleApi {
  createRequire(from: string): Require;
}

/** A namespace as `import()` of the same URL would give it: a CommonJS module stands under `default`. */
export type Namespace = Readonly<Record<string, unknown>>;

let requireFrom: ((from: string) => Require) | undefined;
let requireRoot: Require | undefined;
const requiredHere = new Map<string, Namespace>();
const imported = new Map<string, Namespace>();
const scans = new Map<string, ModuleScan>();

/** A module that Node and Deno have built in, without importing it at load time. */
export function builtin<T>(name: string): T | undefined {
  const { process } = globalThis as unknown as {
    process?: { getBuiltinModule?(name: string): T };
  };
  return process?.getBuiltinModule?.(name);
}

/** Whether {@linkcode namespaceOf} is cheap by now. */
export function isWarm(): boolean {
  return requireRoot !== undefined;
}

/** Remembers what `import()` of the URL gave, for {@linkcode namespaceOf}. */
export function remember(url: string, namespace: Namespace): void {
  imported.set(url, namespace);
}

/** The namespace of an evaluated module, or `undefined` when it cannot be had now. */
export function namespaceOf(url: string): Namespace | undefined {
  const known = imported.get(url) ?? requiredHere.get(url);
  if (known !== undefined) return known;
  const path = url.startsWith("node:") ? url : toPath(url);
  if (path === undefined) return undefined;
  const require = root();
  if (require === undefined) return undefined;
  try {
    // `require()` follows symbolic links and spells the URL in its own way: it would evaluate a second copy of the module.
    if (path !== url && (require.resolve(path) !== path || toUrl(path) !== url)) return undefined;
    const value = require(path);
    const namespace = isNamespace(value) ? value : { default: value };
    requiredHere.set(url, namespace);
    return namespace;
  } catch {
    // Still being evaluated, or with a top-level await below it.
    return undefined;
  }
}

/** Whether the object is a module namespace. */
export function isNamespace(value: unknown): value is Namespace {
  return typeof value === "object" && value !== null &&
    Object.prototype.toString.call(value) === "[object Module]";
}

/** What the text of the module says, or `undefined` when it may not be read. */
export function scanOf(url: string): ModuleScan | undefined {
  const known = scans.get(url);
  if (known !== undefined) return known;
  const text = textOf(url);
  if (text === undefined) return undefined;
  const scan = scanModule(text);
  scans.set(url, scan);
  return scan;
}

function textOf(url: string): string | undefined {
  try {
    const { protocol, pathname } = new URL(url);
    if (protocol === "data:") return textOfData(pathname);
    if (protocol !== "file:" || !/\.[cm]?[jt]sx?$/i.test(pathname)) return undefined;
    const path = toPath(url.replace(/[?#].*$/s, ""));
    if (path === undefined || !mayRead(path)) return undefined;
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function textOfData(pathname: string): string {
  const comma = pathname.indexOf(",");
  const body = decodeURIComponent(pathname.slice(comma + 1));
  if (!/;base64$/i.test(pathname.slice(0, comma))) return body;
  return new TextDecoder().decode(Uint8Array.from(atob(body), (c) => c.charCodeAt(0)));
}

function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

/** The file of a URL, or `undefined`. Several URLs can mean one file. */
function toPath(url: string): string | undefined {
  if (!url.startsWith("file:///") || /[?#]/.test(url)) return undefined;
  try {
    const path = decodeURIComponent(url.slice("file://".length));
    return Deno.build.os === "windows" ? path.slice(1).replaceAll("/", "\\") : path;
  } catch {
    return undefined;
  }
}

/** The URL that `specifier` means in the module `from`, or `undefined`. */
export function resolveSpecifier(specifier: string, from: string): string | undefined {
  try {
    if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, from).href;
    // Goes through the import map of the program, which applies to this module too.
    return import.meta.resolve(specifier);
  } catch {
    return resolveInNodeModules(specifier, from);
  }
}

function resolveInNodeModules(specifier: string, from: string): string | undefined {
  const path = toPath(from);
  if (path === undefined || root() === undefined) return undefined;
  try {
    return toUrl(requireFrom!(path).resolve(specifier));
  } catch {
    return undefined;
  }
}

/** The URL of a file, spelled as `require()` spells it. */
function toUrl(path: string): string | undefined {
  return builtin<{ pathToFileURL(path: string): URL }>("node:url")?.pathToFileURL(path).href;
}

function root(): Require | undefined {
  if (requireRoot === undefined) {
    requireFrom = builtin<ModuleApi>("node:module")?.createRequire;
    requireRoot = requireFrom?.("file:///");
  }
  return requireRoot;
}

/** One function or object that a module offers. */
export interface Offer {
  readonly path: readonly string[];
  readonly value: object;
}

/** What a module offers: its exports, then what lies one level down in them. Runs no getter. */
export function* offersOf(namespace: Namespace): Generator<Offer> {
  const exported: Offer[] = [];
  for (const key of Object.keys(namespace)) {
    const value = dataAt(namespace, key);
    if (isObject(value)) exported.push({ path: [key], value });
  }
  // `export default` of a CommonJS module holds what other modules export.
  exported.sort((a, b) => Number(a.path[0] === "default") - Number(b.path[0] === "default"));
  yield* exported;
  for (const { path, value } of exported) {
    if (Array.isArray(value) || ArrayBuffer.isView(value)) continue;
    for (const key of keysOf(value)) {
      const inner = dataAt(value, key);
      if (isObject(inner)) yield { path: [...path, key], value: inner };
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "function" || (typeof value === "object" && value !== null);
}

function keysOf(value: object): string[] {
  try {
    return Object.getOwnPropertyNames(value).filter((key) =>
      key !== "prototype" && key !== "caller" && key !== "arguments"
    );
  } catch {
    return [];
  }
}

/** The value of an own data property; `undefined` for a getter, and for a binding that is not initialized yet. */
export function dataAt(holder: object, key: string): unknown {
  try {
    return Object.getOwnPropertyDescriptor(holder, key)?.value;
  } catch {
    return undefined;
  }
}
