/**
 * The limit of an iteration.
 *
 * @module
 */
import { type Limit, limitOf, type WaitOptions } from "../threading/_core/mod.ts";

/**
 * As `limitOf`, for what gives an async iterator: bad options are refused at the call, but a signal that is aborted already is told by
 * `next()`, like one that is aborted later.
 *
 * @throws {TypeError} when an option has the wrong type.
 * @throws {RangeError} when `timeout` is `NaN` or too large.
 */
export function laterLimitOf(options: WaitOptions | undefined, what: string): Limit {
  const signal = options?.signal;
  if (!(signal instanceof AbortSignal)) return limitOf(options, what);
  return { deadline: limitOf({ ...options, signal: undefined }, what).deadline, signal };
}
