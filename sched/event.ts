/**
 * {@linkcode ScheduledEvent}: one entry of a scheduler's queue.
 *
 * @module
 */

/**
 * What `Scheduler.enter` and `enterabs` return: an action with its time. It is frozen; its identity is what `cancel` goes by.
 *
 * Stands for the events of Python's `sched`.
 *
 * @example
 * ```ts
 * import { Scheduler, type ScheduledEvent } from "@batteries/concurrent/sched";
 * import { assertEquals } from "@std/assert";
 *
 * const event: ScheduledEvent = new Scheduler().enterabs(1000, 1, Math.max, [1, 2]);
 * assertEquals([event.time, event.priority, event.sequence], [1000, 1, 0]);
 * assertEquals(event.action(...event.argument), 2);
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.queue}
 */
export interface ScheduledEvent {
  /** When the action is to be called, on the clock of the scheduler's `timefunc`: milliseconds by default. */
  readonly time: number;
  /** Lower numbers go first among events of equal time. */
  readonly priority: number;
  /** How many events had been entered before: decides among events of equal time and priority. */
  readonly sequence: number;
  /** What is called. */
  readonly action: (...args: unknown[]) => unknown;
  /** The arguments of the call. */
  readonly argument: readonly unknown[];
}

/** The order in which events are run; the scheduler's heap keeps those that are equal here in the order of entry. */
export function compareEvents(a: ScheduledEvent, b: ScheduledEvent): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.priority !== b.priority) return a.priority < b.priority ? -1 : 1;
  return 0;
}
