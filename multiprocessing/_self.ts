/**
 * What this process is to the one that started it: written by `_child.ts` before anything of the user's runs, read by the rest of the
 * package, which may be loaded long after.
 *
 * A thread knows the same as its process did when the thread started.
 *
 * This file and what it imports are among the few that every child loads before the user's code.
 *
 * @module
 */
import type { Link } from "./_link.ts";
import { endings, life } from "../threading/_core/life.ts";

/** What this process is. */
export interface Self {
  /**
   * Where it stands in the tree: "" for the main thread of the program's first process. No two nodes of one program ever have the same
   * address.
   */
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

let up: Link | undefined;
let bytes: Uint8Array<ArrayBuffer> | undefined;
let importing: string | undefined;

/** What threads know of their process. */
export interface About {
  readonly job?: ChildJob;
  /** What was set in this process. */
  readonly settings?: Settings;
  /** The name that it was given in this process. */
  readonly name?: string;
}

/** What this process's threads are told, too. */
export function about(): About {
  return life.about as About | undefined ?? {};
}

/** Changes a part of it. */
export function tellAbout(some: About): void {
  life.about = { ...about(), ...some };
}

/** What this process is. In a thread: without the way to the parent, which its main thread has. */
export function whoAmI(): Self {
  return { address: life.address, up, job: about().job };
}

/** This process becomes a child. `start`: what more it was given, see `process.ts`. */
export function become(
  what: Self & { readonly job: ChildJob },
  start?: Uint8Array<ArrayBuffer>,
): void {
  up = what.up;
  bytes = start;
  life.address = what.address;
  life.secret = Uint8Array.fromHex(what.job.authkey);
  tellAbout({ job: what.job });
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

export { endings };
