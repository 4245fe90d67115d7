/**
 * What executors are asked for: the same as pools.
 *
 * @module
 */
export {
  mayStop,
  mustBeCalled,
  mustMove,
  type RunOptions,
  takeAway,
  termsOf,
  wholeNumber,
} from "../multiprocessing/_terms.ts";
