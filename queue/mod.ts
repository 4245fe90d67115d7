/**
 * Queues between asynchronous tasks, between threads, and between both: Python's `queue` for Deno.
 *
 * | | |
 * | --- | --- |
 * | {@linkcode Queue} | first in, first out |
 * | {@linkcode LifoQueue} | last in, first out |
 * | {@linkcode PriorityQueue} | smallest first |
 * | {@linkcode SimpleQueue} | first in, first out, any number of items, nothing else |
 *
 * Hand a queue to a thread as an argument, and it is the same queue there. `put` and `get` give promises, `putSync` and `getSync`
 * block the calling thread; both may be used on one queue at the same time. Times are in milliseconds.
 *
 * @example Two threads that share the work
 * ```ts no-eval
 * import { Queue } from "@batteries/concurrent/queue";
 * import { Thread } from "@batteries/concurrent/threading";
 *
 * export function worker(jobs: Queue<number>, results: Queue<number>): void {
 *   for (let n = jobs.getSync(); n !== 0; n = jobs.getSync()) results.putSync(n * n);
 * }
 *
 * if (import.meta.main) {
 *   const jobs = new Queue<number>();
 *   const results = new Queue<number>();
 *   for (const _ of [1, 2]) new Thread({ target: worker, args: [jobs, results] }).start();
 *   for (const n of [1, 2, 3, 0, 0]) await jobs.put(n);
 *   for (const _ of [1, 2, 3]) console.log(await results.get());
 * }
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/queue.html}
 *
 * @module
 */
export { Empty, Full, ShutDown } from "./errors.ts";
export { LifoQueue } from "./lifo_queue.ts";
export { PriorityQueue, type PriorityQueueOptions } from "./priority_queue.ts";
export { Queue } from "./queue.ts";
export { SimpleQueue } from "./simple_queue.ts";
export type { WaitOptions } from "../threading/_core/mod.ts";
