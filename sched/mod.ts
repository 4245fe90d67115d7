/**
 * A general purpose event scheduler: calls functions at their time, by priority among equal times. Stands for Python's `sched`.
 *
 * | name | what it is |
 * | --- | --- |
 * | {@linkcode Scheduler} | the queue of events and the clock; `run` and `runSync` run them |
 * | {@linkcode ScheduledEvent} | one entry, by which it can be cancelled |
 *
 * The clock and the wait can be replaced, which makes simulations and tests exact: they take no time. Everything stays
 * in the thread that made the scheduler, so actions may be closures. Needs no permissions.
 *
 * @example A periodic job that stops on a signal
 * ```ts
 * import { Scheduler } from "@batteries/concurrent/sched";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const scheduler = new Scheduler();
 * const stop = new AbortController();
 * const start = performance.now();
 * let beats = 0;
 * function beat(): void {
 *   beats++;
 *   // From the start, not from now: so the jobs do not drift.
 *   scheduler.enterabs(start + beats * 10, 1, beat);
 *   if (beats === 3) stop.abort(new Error("Enough"));
 * }
 * scheduler.enterabs(start, 1, beat);
 * await assertRejects(() => scheduler.run({ signal: stop.signal }), Error, "Enough");
 * assertEquals(beats, 3);
 * assertEquals(scheduler.queue.length, 1);
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/sched.html}
 *
 * @module
 */

export type { ScheduledEvent } from "./event.ts";
export {
  type LooseAction,
  type RunOptions,
  type RunSyncOptions,
  Scheduler,
  type SchedulerOptions,
} from "./scheduler.ts";
