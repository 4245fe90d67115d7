/**
 * What `connection.wait` asks the objects that it waits for.
 *
 * @module
 */
import { type Limit, remaining } from "../threading/_core/mod.ts";

/** The longest delay that `setTimeout` keeps. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * The method by which `connection.wait` waits for an object: resolves to `true` as soon as the object is ready, to `false` once the
 * limit's deadline has passed, and rejects with the reason of the limit's signal. With `ONCE` it tells how things are now.
 */
export const ready: unique symbol = Symbol("ready");

/** An object that `connection.wait` can wait for: a connection, a listener, the sentinel of a process. */
export interface Waitable {
  [ready](limit: Limit): Promise<boolean>;
}

/**
 * Whether `event` happens within `limit`. It leaves no timer and no listener behind; `event` itself goes on. An event that has
 * happened already wins over a limit that has passed.
 */
export function happens(event: Promise<unknown>, limit: Limit): Promise<boolean> {
  return new Promise<boolean>((resolve, reject) => {
    const stop = expire(limit, () => resolve(false), reject);
    event.then(() => {
      stop();
      resolve(true);
    }, (error) => {
      stop();
      reject(error);
    });
  });
}

/**
 * Calls `late` once the deadline of `limit` has passed, or `aborted` with the reason of its signal. The returned function calls it
 * off. Neither is called before this has returned.
 */
export function expire(
  { deadline, signal }: Limit,
  late: () => void,
  aborted: (reason: unknown) => void,
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  };
  const onAbort = () => {
    stop();
    aborted(signal!.reason);
  };
  const onTimer = () => {
    const left = remaining(deadline);
    if (left > 0) {
      timer = setTimeout(onTimer, Math.min(left, LONGEST_TIMER));
    } else {
      stop();
      late();
    }
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  if (deadline !== Infinity) {
    timer = setTimeout(onTimer, Math.min(Math.max(remaining(deadline), 0), LONGEST_TIMER));
  }
  return stop;
}
