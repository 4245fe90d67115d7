/**
 * The options of `executor.with`: the same as those of pools.
 *
 * @module
 */
export { mayStop, type RunOptions, termsOf } from "../multiprocessing/_terms.ts";
