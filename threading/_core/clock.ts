/**
 * The one place that reads the time and turns a user's `{ timeout, signal, blocking }` into a limit.
 *
 * Guarantees: the deadline is computed once, at the door, from a monotonic clock; whatever waits later only asks
 * {@linkcode remaining}. A limit is validated before anything is changed, so a refused call loses nothing.
 *
 * @module
 */

import { bagOf, isBag } from "./options.ts";

/** How long a call may wait. Every waiting call of this library takes these options. */
export interface WaitOptions {
  /**
   * The longest time to wait, in milliseconds. Absent: for ever; `0` or less: try once and do not wait. `NaN` and values over
   * `TIMEOUT_MAX` are a `RangeError`.
   */
  timeout?: number;
  /**
   * Ends the wait early: the call rejects with `signal.reason` and leaves nothing behind. `Sync` calls look at it once, at the
   * call.
   */
  signal?: AbortSignal;
}

/** {@linkcode WaitOptions} of calls that can also be asked not to wait at all. */
export interface AcquireOptions extends WaitOptions {
  /** `false`: try once and do not wait. With a `timeout` it is a `RangeError`, as in Python. */
  blocking?: boolean;
}

/** The longest `timeout` that a call takes, in milliseconds (CPython's 9,223,372,036 seconds). */
export const TIMEOUT_MAX = 9_223_372_036_000;

/** When to stop waiting. */
export interface Limit {
  /** On the clock of {@linkcode now}: `Infinity` waits for ever, `-Infinity` does not wait at all. */
  readonly deadline: number;
  /** The caller's signal, not aborted when the limit was made. */
  readonly signal: AbortSignal | undefined;
}

/** No limit at all: the frozen result of a call without options. */
export const FOREVER: Limit = Object.freeze({ deadline: Infinity, signal: undefined });

/** Do not wait. */
export const ONCE: Limit = Object.freeze({ deadline: -Infinity, signal: undefined });

/** Monotonic milliseconds since some fixed moment of this thread. Never compare two threads' values. */
export function now(): number {
  return performance.now();
}

/** Milliseconds left until `deadline`; 0 or less when it has passed. */
export function remaining(deadline: number): number {
  return deadline === Infinity || deadline === -Infinity ? deadline : deadline - performance.now();
}

/**
 * Reads and checks the options of a waiting call. `what` names the call in messages, such as `"Lock.acquire"`.
 *
 * @throws {TypeError} when an option has the wrong type.
 * @throws {RangeError} when `timeout` is `NaN` or over {@linkcode TIMEOUT_MAX}, or is given with `blocking: false`.
 * @throws The signal's reason, when it is already aborted.
 */
export function limitOf(options: AcquireOptions | undefined, what: string): Limit {
  if (options === undefined) return FOREVER;
  if (!isBag(options)) bagOf(options, `call ${what}`, "{ timeout: 500 }");
  const { timeout, signal, blocking } = options;
  const deadline = timeout === undefined ? Infinity : deadlineOf(timeout, what);
  if (blocking !== undefined && typeof blocking !== "boolean") {
    throw new TypeError(`Cannot call ${what}: blocking must be a boolean, got ${typeof blocking}`);
  }
  if (blocking === false && timeout !== undefined) {
    throw new RangeError(
      `Cannot call ${what} with both blocking: false and a timeout: leave one of them out`,
    );
  }
  if (signal !== undefined) {
    if (!(signal instanceof AbortSignal)) {
      throw new TypeError(
        `Cannot call ${what}: signal must be an AbortSignal, got ${typeof signal}`,
      );
    }
    signal.throwIfAborted();
  }
  if (signal === undefined && deadline === Infinity) return blocking === false ? ONCE : FOREVER;
  return { deadline: blocking === false ? -Infinity : deadline, signal };
}

/**
 * The moment `timeout` milliseconds from now; `-Infinity` when it is 0 or less.
 *
 * @throws {TypeError} when it is not a number.
 * @throws {RangeError} when it is `NaN` or over {@linkcode TIMEOUT_MAX}.
 */
export function deadlineOf(timeout: number, what: string): number {
  if (typeof timeout !== "number") {
    throw new TypeError(
      `Cannot call ${what}: timeout must be a number of milliseconds, got ${typeof timeout}`,
    );
  }
  if (Number.isNaN(timeout) || timeout > TIMEOUT_MAX) {
    throw new RangeError(
      `Cannot call ${what}: timeout must be at most TIMEOUT_MAX (${TIMEOUT_MAX} ms), got ${timeout}; leave it out to wait for ever`,
    );
  }
  return timeout <= 0 ? -Infinity : performance.now() + timeout;
}

/** The longest delay that a timer takes; it treats a longer one as none. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Calls `fn` when `deadline` has passed, however far off it is; at once, before this returns, when it has passed already. Returns
 * what takes this back.
 */
export function timerUntil(deadline: number, fn: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = deadline === Infinity;
  const look = () => {
    const left = remaining(deadline);
    if (left <= 0) {
      over = true;
      return fn();
    }
    timer = setTimeout(look, Math.min(Math.ceil(left), LONGEST_TIMER));
    // Making a timer may run microtasks (it does under `deno test`), and one of them may have taken this back.
    if (over) clearTimeout(timer);
  };
  if (!over) look();
  return () => {
    over = true;
    clearTimeout(timer);
  };
}
