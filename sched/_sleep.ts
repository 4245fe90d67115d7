/**
 * How a scheduler waits: for the time, if it has no `delayfunc` for that, and for what actions return.
 *
 * Guarantees: a wait for the time may end early, so whoever waits looks at the clock again; an abort ends any wait at once, and no
 * timer or listener outlives its wait.
 *
 * @module
 */

import { Event, TIMEOUT_MAX } from "../threading/mod.ts";

/** The longest delay that `setTimeout` takes, 24.8 days; it treats a longer one as none. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** The waits of one scheduler that can be ended early. */
export class Sleepers {
  readonly #wakes = new Set<() => void>();

  /** Waits for `ms` milliseconds, a {@linkcode Sleepers.wakeAll} or the abort of `signal`; it does not tell which. */
  sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", wake);
        this.#wakes.delete(wake);
        resolve();
      };
      // Rounded up: timers count whole milliseconds, and waking before the time would mean another, empty round.
      const timer = setTimeout(wake, Math.min(Math.ceil(ms), LONGEST_TIMEOUT));
      signal?.addEventListener("abort", wake);
      this.#wakes.add(wake);
    });
  }

  /** Ends every wait that goes on now. */
  wakeAll(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}

/** Lets timers, input and output have their turn. A microtask would not, and a timer of 0 ms would cost two. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/**
 * Blocks the thread for `ms` milliseconds. It waits on an event, as Python's scheduler does, and not on a word of its own: a blocked
 * main thread goes on serving its threads, which could not start others otherwise.
 */
export function sleepSync(ms: number): void {
  if (ms > 0) new Event().waitSync({ timeout: Math.min(ms, TIMEOUT_MAX) });
}

/** What `result` comes to, or the rejection of `signal` where that comes first; then the other outcome is dropped. */
export function unlessAborted(result: unknown, signal: AbortSignal | undefined): unknown {
  if (signal === undefined || !isThenable(result)) return result;
  return new Promise((resolve, reject) => {
    const stop = () => settle(() => reject(signal.reason));
    const settle = (how: () => void) => {
      signal.removeEventListener("abort", stop);
      how();
    };
    signal.addEventListener("abort", stop);
    // Listened to in any case, so that a rejection that comes too late is not one that nobody handles.
    Promise.resolve(result).then(
      (value) => settle(() => resolve(value)),
      (error) => settle(() => reject(error)),
    );
    // An action may abort the signal before it returns its promise: that event is over.
    if (signal.aborted) stop();
  });
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === "function";
}
