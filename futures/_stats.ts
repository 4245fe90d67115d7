/**
 * What `executor.stats()` tells: the same as that of pools.
 *
 * @module
 */
export { type ExecutorStats, Tally, type TimeStats } from "../multiprocessing/_stats.ts";
