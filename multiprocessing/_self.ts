/**
 * What this process is to the one that started it: written by `_child.ts` before anything of the user's runs, read by the rest of the
 * package, which may be loaded long after.
 *
 * This file imports only types: it is among the few that every child loads before the user's code.
 *
 * @module
 */
import type { Link } from "./_link.ts";

/** What a child knows of itself. Numbers are not used again: no two nodes of one program ever have the same address. */
export interface Self {
  /** Where it stands in the tree: "" for the program's first process. */
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
  readonly daemon: boolean;
  /** In hexadecimal. */
  readonly authkey: string;
  /** The permission flags of the command line; `undefined` in a child that has them all. */
  readonly permissions: readonly string[] | undefined;
  /** What its permissions hold beside them and it gives back once it has its link. */
  readonly lent: readonly Deno.PermissionDescriptor[];
  readonly settings: Readonly<Record<string, unknown>>;
  /** Modules that it needs, in the order in which they are imported. */
  readonly modules: readonly string[];
  /** Whether one of them may be a script that starts processes when it is imported. */
  readonly guard: boolean;
  /** The exported function that it calls, when nothing more than that is to be known: module and path. */
  readonly simple: readonly [module: string, ...path: string[]] | undefined;
  /** Otherwise, and for arguments that JSON does not carry, the bytes of a `Start` of `process.ts`, in base 64. */
  readonly start: string | undefined;
  readonly args: readonly unknown[];
}

let self: Self = { address: "", up: undefined, job: undefined };
let importing: string | undefined;

/** What this process, or this worker, is. */
export function whoAmI(): Self {
  return self;
}

/** This process becomes a child; a worker, a node below its main thread. */
export function become(what: Self): void {
  self = what;
}

/** The module that is being imported for this child, if any: it may start no processes. */
export function moduleInImport(): string | undefined {
  return importing;
}

/** Begins, or ends, an import for this child. */
export function importsNow(url: string | undefined): void {
  importing = url;
}
