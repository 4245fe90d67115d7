/**
 * Waiting for a promise no longer than a limit.
 *
 * @module
 */

import { type Limit, remaining } from "../threading/_core/clock.ts";

/** The longest delay that `setTimeout` keeps. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * The value of `promise`, or `expired()` thrown once the limit's deadline has passed, or the signal's reason. Leaves no timer and no
 * listener behind. The promise itself goes on.
 */
export function within<T>(promise: Promise<T>, limit: Limit, expired: () => Error): Promise<T> {
  const { deadline, signal } = limit;
  if (deadline === Infinity && signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      act();
    };
    const onAbort = () => settle(() => reject(signal!.reason));
    const onTimer = () => {
      const left = remaining(deadline);
      if (left > 0) timer = setTimeout(onTimer, Math.min(left, LONGEST_TIMER));
      else settle(() => reject(expired()));
    };
    // Subscribed before the timer starts, so that a promise that is settled already wins over a limit of 0.
    promise.then((value) => settle(() => resolve(value)), (error) => settle(() => reject(error)));
    signal?.addEventListener("abort", onAbort, { once: true });
    if (deadline !== Infinity) {
      timer = setTimeout(onTimer, Math.min(Math.max(remaining(deadline), 0), LONGEST_TIMER));
    }
  });
}
