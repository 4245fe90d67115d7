/**
 * Processes that run exported functions of your modules, and what they share: connections, queues, locks, memory, values.
 *
 * | for | there is |
 * | --- | -------- |
 * | running a function in a process of its own | {@linkcode Process} |
 * | messages between processes | {@linkcode Pipe}, {@linkcode Queue}; `Listener` and `Client` in `./multiprocessing/connection` |
 *
 * The other process imports the module that exports the function, with `import.meta.main` false there; so a script that starts
 * processes when it is run guards that with `if (import.meta.main)`.
 *
 * Needs `--allow-run`, `--allow-read`, `--allow-write` and `--allow-net`; what lies in shared memory also needs `--allow-ffi`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html | multiprocessing}.
 *
 * @example A process and its answer
 * ```ts no-eval
 * import { Pipe, Process } from "@batteries/concurrent/multiprocessing";
 * import type { Connection } from "@batteries/concurrent/multiprocessing/connection";
 *
 * export async function work(end: Connection<number[]>) {
 *   await end.send([42]);
 * }
 *
 * if (import.meta.main) {
 *   const [here, there] = Pipe<number[]>();
 *   await using process = new Process({ target: work, args: [there] });
 *   process.start();
 *   console.log(await here.recv());
 *   await process.join();
 * }
 * ```
 *
 * @module
 */
import { type ContextMethods, contextOf, type StartMethod } from "./context.ts";
import * as names from "./_exports.ts";

export * from "./_exports.ts";

/** All of `multiprocessing`, with one start method: what {@linkcode getContext} gives. */
export type Context =
  & Omit<typeof names, keyof ContextMethods>
  & ContextMethods
  & { getContext(method?: StartMethod): Context };

/**
 * All of `multiprocessing`, with `method` as its start method: `getContext("forkserver").Process` starts that way, whatever
 * `setStartMethod` has said. Without `method`, with the one that holds now.
 *
 * Stands for `multiprocessing.get_context`.
 *
 * @throws {RangeError} When there is no such method here; `"fork"` above all, which copies a running program.
 *
 * @example
 * ```ts
 * import { getContext } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * const context = getContext("forkserver");
 * assertEquals(context.getStartMethod(), "forkserver");
 * ```
 */
export function getContext(method?: StartMethod): Context {
  return contextOf(all, method) as Context;
}

const all = { ...names, getContext };
