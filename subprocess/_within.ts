/**
 * Waiting for a promise no longer than a limit.
 *
 * @module
 */

import { type Limit, now, timerUntil } from "../threading/_core/clock.ts";

/**
 * The value of `promise`, or `expired()` thrown once the limit's deadline has passed, or the signal's reason. Leaves no timer and no
 * listener behind. The promise itself goes on.
 */
export function within<T>(promise: Promise<T>, limit: Limit, expired: () => Error): Promise<T> {
  const { deadline, signal } = limit;
  if (deadline === Infinity && signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    let settled = false;
    const timer = { stop: () => {} };
    const settle = (act: () => void) => {
      settled = true;
      timer.stop();
      signal?.removeEventListener("abort", onAbort);
      act();
    };
    const onAbort = () => settle(() => reject(signal!.reason));
    promise.then((value) => settle(() => resolve(value)), (error) => settle(() => reject(error)));
    signal?.addEventListener("abort", onAbort, { once: true });
    // In a later turn, so that a promise that is settled already wins over a limit of 0.
    const soonest = Math.max(deadline, now() + 0.001);
    timer.stop = timerUntil(soonest, () => settle(() => reject(expired())));
    if (settled) timer.stop();
  });
}
