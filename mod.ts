/**
 * Python's *Concurrent Execution* chapter for Deno: each package as a namespace.
 *
 * | namespace | import of its own | stands for |
 * | --- | --- | --- |
 * | {@linkcode threading} | `@batteries/concurrent/threading` | `threading`: threads that run exported functions, locks, events, barriers |
 * | {@linkcode multiprocessing} | `@batteries/concurrent/multiprocessing` | `multiprocessing`: processes, and what they share |
 * | {@linkcode futures} | `@batteries/concurrent/futures` | `concurrent.futures`: calls that run elsewhere, and their results |
 * | {@linkcode queue} | `@batteries/concurrent/queue` | `queue`: queues between tasks and threads |
 * | {@linkcode subprocess} | `@batteries/concurrent/subprocess` | `subprocess`: other programs as children |
 * | {@linkcode sched} | `@batteries/concurrent/sched` | `sched`: calling functions at their time, in order |
 * | {@linkcode contextvars} | `@batteries/concurrent/contextvars` | `contextvars`: values that follow one flow of work |
 *
 * {@linkcode leaks} tells what was opened and not closed.
 *
 * Importing one package by its own name loads nothing of those above it. `_thread` has only its own name,
 * `@batteries/concurrent/_thread`.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { threading } from "@batteries/concurrent";
 *
 * const ready = new threading.Event();
 * ready.set();
 * assert(await ready.wait());
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/concurrency.html}
 *
 * @module
 */
export { type Leak, leaks } from "./threading/_core/mod.ts";
export * as contextvars from "./contextvars/mod.ts";
export * as futures from "./futures/mod.ts";
export * as multiprocessing from "./multiprocessing/mod.ts";
export * as queue from "./queue/mod.ts";
export * as sched from "./sched/mod.ts";
export * as subprocess from "./subprocess/mod.ts";
export * as threading from "./threading/mod.ts";
