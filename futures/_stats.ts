/**
 * What `executor.stats()` tells.
 *
 * @module
 */

/** Times in milliseconds of tasks that have ended. */
export interface TimeStats {
  /** How many tasks. */
  count: number;
  /** Their mean; 0 without tasks. */
  mean: number;
  /** The shortest; 0 without tasks. */
  min: number;
  /** The longest; 0 without tasks. */
  max: number;
}

/** How an executor does. */
export interface ExecutorStats {
  /** Threads, or processes, that were started. */
  workers: number;
  /** Tasks that run now. */
  busy: number;
  /** Tasks that wait for a thread. */
  queued: number;
  /** Tasks that have ended well. */
  done: number;
  /** Tasks that have failed. */
  failed: number;
  /** How long tasks ran. */
  runTime: TimeStats;
  /** How long tasks waited, and travelled. */
  waitTime: TimeStats;
}

/** Times as they are told, out of times as they are counted. */
export function statsOf(
  { count, total, min, max }: { count: number; total: number; min: number; max: number },
): TimeStats {
  return { count, mean: count === 0 ? 0 : total / count, min: count === 0 ? 0 : min, max };
}
