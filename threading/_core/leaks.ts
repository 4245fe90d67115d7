/**
 * What has been opened and not been closed, for {@linkcode leaks}. Each thread has a list of its own.
 *
 * @module
 */

import type { AnyFunction } from "./parcel.ts";

/** Something that was opened and is still open. */
export interface Leak {
  /** Its class, and what tells it from others: `"SharedMemory /psm_1a2b"`. */
  readonly what: string;
  /** Where it was made: the stack of the call, one frame a line, the user's first. */
  readonly madeAt: string;
}

// The stacks are made into text when somebody asks.
const open = new Set<{ what: string; made: Error }>();

/**
 * Enters something in the list. `door` is the library function that the user called, at which stacks begin. Gives what takes it out
 * again, which may be called more than once.
 */
export function opened(what: string, door: AnyFunction): () => void {
  const entry = { what, made: new Error() };
  Error.captureStackTrace(entry.made, door);
  open.add(entry);
  return () => void open.delete(entry);
}

/**
 * What this thread has opened and not closed: executors, pools, processes, children, managers, connections, listeners and shared
 * memory, each with where it was made, the oldest first. An empty list at the end of a test says that it has given back everything.
 *
 * Our addition: Python says it by a `ResourceWarning`.
 *
 * @returns A list of its own; looking changes nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { leaks, subprocess } from "@batteries/concurrent";
 *
 * {
 *   await using cat = new subprocess.Popen(["cat"], { stdin: subprocess.PIPE });
 *   assertEquals(leaks().map((leak) => leak.what), [`Popen cat (pid ${cat.pid})`]);
 * }
 * assertEquals(leaks(), []);
 * ```
 */
export function leaks(): Leak[] {
  return [...open].map(({ what, made }) => ({
    what,
    madeAt: (made.stack ?? "").split("\n").slice(1).map((line) => line.trim()).join("\n"),
  }));
}
