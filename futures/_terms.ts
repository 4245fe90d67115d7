/**
 * The options of `executor.with`: the same as those of pools.
 *
 * @module
 */
export {
  mayStop,
  mustMove,
  type RunOptions,
  takeAway,
  termsOf,
} from "../multiprocessing/_terms.ts";
