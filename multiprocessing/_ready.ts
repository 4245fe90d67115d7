/**
 * What `connection.wait` asks the objects that it waits for.
 *
 * @module
 */
import { type Limit, now, timerUntil } from "../threading/_core/mod.ts";

/**
 * The method by which `connection.wait` waits for an object: resolves to `true` as soon as the object is ready, to `false` once the
 * limit's deadline has passed, and rejects with the reason of the limit's signal. With `ONCE` it tells how things are now.
 */
export const ready: unique symbol = Symbol("ready");

/** An object that `connection.wait` can wait for: a connection, a listener, the sentinel of a process. */
export interface Waitable {
  /** See {@linkcode ready}. */
  [ready](limit: Limit): Promise<boolean>;
}

/**
 * Whether `event` happens within `limit`. It leaves no timer and no listener behind; `event` itself goes on. An event that has
 * happened already wins over a limit that has passed.
 */
export function happens(event: Promise<unknown>, limit: Limit): Promise<boolean> {
  return new Promise<boolean>((resolve, reject) => {
    let over = false;
    let stop = () => {};
    const settle = (act: () => void) => () => {
      over = true;
      stop();
      act();
    };
    event.then(settle(() => resolve(true)), (error) => settle(() => reject(error))());
    stop = expire(limit, () => resolve(false), reject);
    if (over) stop();
  });
}

/**
 * Calls `late` once the deadline of `limit` has passed, or `aborted` with the reason of its signal, and nothing more. The returned
 * function calls it off. Neither is called before this has returned, but microtasks may run.
 */
export function expire(
  { deadline, signal }: Limit,
  late: () => void,
  aborted: (reason: unknown) => void,
): () => void {
  if (deadline === Infinity && signal === undefined) return () => {};
  const stop = () => {
    stopTimer();
    signal?.removeEventListener("abort", onAbort);
  };
  const onAbort = () => {
    stop();
    aborted(signal!.reason);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  // Not at once, even where it has passed.
  const stopTimer = timerUntil(Math.max(deadline, now() + 1), () => {
    signal?.removeEventListener("abort", onAbort);
    late();
  });
  return stop;
}
