/**
 * What this process is to the one that started it: written by `_child.ts` before anything of the user's runs, read by the rest of the
 * package, which may be loaded long after.
 *
 * This file imports only types: it is among the few that every child loads before the user's code.
 *
 * @module
 */
import type { Link } from "./_link.ts";

/** What this process is. */
export interface Self {
  /** Where it stands in the tree: "" for the program's first process. No two nodes of one program ever have the same address. */
  readonly address: string;
  /** The way to the parent. */
  readonly up: Link | undefined;
  /** The job that it was given, if it is a child. */
  readonly job: ChildJob | undefined;
}

/** What a child is told when it starts. JSON carries it. */
export interface ChildJob {
  readonly address: string;
  /** What the child says first on its socket, so that the parent knows it. */
  readonly token: string;
  readonly parent: { readonly pid: number; readonly name: string };
  readonly name: string;
  /** The part of default names that says whose child it is: "1:2" for the second of the first. */
  readonly identity: string;
  readonly daemon: boolean;
  /** In hexadecimal. */
  readonly authkey: string;
  /** The permission flags of its command line, but for what is lent. */
  readonly permissions: readonly string[];
  /** Permissions that it has only until it has its link. */
  readonly lent: readonly Deno.PermissionDescriptor[];
  /** How the package is set up: start method, logging. */
  readonly settings: Settings;
  readonly work: Work;
}

/** What a child is to do. */
export interface Work {
  /** The modules that it imports for this. */
  readonly modules: readonly string[];
  /** Whether one of them may be a script that starts processes when it is imported. */
  readonly guard: boolean;
  /** A plain function and plain arguments, for which the child need not load the library. `false`: see `start` of `process.ts`. */
  readonly simple: SimpleCall | false;
}

/** An export to call. With `source`, only if that is its text. */
export interface SimpleCall {
  readonly module: string;
  readonly path: readonly string[];
  readonly source: string | undefined;
  readonly args: readonly (string | number | boolean | null)[];
}

/** A way to start processes. */
export type StartMethod = "spawn" | "forkserver";

/** What children inherit of the package's settings. */
export interface Settings {
  readonly method?: StartMethod;
  readonly executable?: string;
  readonly level?: number;
  readonly toStderr?: boolean;
  readonly preload?: readonly string[];
}

let self: Self = { address: "", up: undefined, job: undefined };
let bytes: Uint8Array<ArrayBuffer> | undefined;
let importing: string | undefined;

/** What this process is. */
export function whoAmI(): Self {
  return self;
}

/** This process becomes a child. `start`: what more it was given, see `process.ts`. */
export function become(what: Self, start?: Uint8Array<ArrayBuffer>): void {
  self = what;
  bytes = start;
}

/** The bytes that came with the job. */
export function startBytes(): Uint8Array<ArrayBuffer> | undefined {
  return bytes;
}

/** The module that is being imported for this child, if any: it may start no processes. */
export function moduleInImport(): string | undefined {
  return importing;
}

/** Begins, or ends, an import for this child. */
export function importsNow(url: string | undefined): void {
  importing = url;
}

/** What a child does when its target has ended, before it ends itself: waits for children and threads. */
export const endings: Set<() => Promise<void>> = new Set();
