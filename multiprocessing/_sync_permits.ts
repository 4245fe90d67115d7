/**
 * A semaphore in two words.
 *
 * | word    | meaning                                                                                  | who changes it               |
 * | ------- | ---------------------------------------------------------------------------------------- | ---------------------------- |
 * | `VALUE` | permits left `<< 1`; bit 0: somebody may sleep                                            | anybody, by compare-exchange |
 * | `BOUND` | the most permits that there may be                                                        | the maker                    |
 *
 * - Bit 0 is set by who is about to sleep, which happens only while no permit is left. A release of `n` permits clears it and wakes
 *   `n`. Who has slept takes his permit with the bit set, for others may sleep still.
 * - The bit may be gone while somebody sleeps and permits are left, when two releases follow each other. Then somebody is awake who
 *   has slept: he sets the bit when he takes his permit, and wakes the next one if permits are left.
 *
 * A semaphore has no owner: the permit of somebody who ended is gone with him, as in CPython.
 *
 * @module
 */
import type { Limit } from "../threading/_core/mod.ts";
import { ABORTED, cas, LATE, load, type Seat, sleep, type Slow, wake } from "./_sync_steps.ts";
import { TAKEN, type Taken } from "./_sync_mutex.ts";

/** Permits and the waiters bit. */
export const VALUE = 0;
/** The most there may be. */
export const BOUND = 1;
/** How many words a semaphore has. */
export const PERMITS_WORDS = 2;
/** The most permits that any semaphore counts. */
export const MAX_PERMITS = 2 ** 30 - 1;

const WAITERS = 1;
const ONE = 2;

/** Takes a permit. */
export function* acquire(seat: Seat, limit: Limit): Slow<Taken> {
  let bit = 0;
  for (;;) {
    const seen = yield load(seat, VALUE);
    if (seen >= ONE) {
      const left = seen - ONE | bit;
      if ((yield cas(seat, VALUE, seen, left)) !== seen) continue;
      if (bit !== 0 && left >= ONE) yield wake(seat, VALUE, 1);
      return TAKEN;
    }
    if (limit.deadline === -Infinity) return LATE;
    if (seen === 0 && (yield cas(seat, VALUE, 0, WAITERS)) !== 0) continue;
    const why = yield sleep(seat, VALUE, WAITERS, limit);
    // No permit is left and the bit is set: the next release wakes somebody.
    if (why === LATE || why === ABORTED) return why;
    bit = WAITERS;
  }
}

/** Gives `count` permits back; `false`, and nothing is changed, when there would be too many. */
export function* release(seat: Seat, count: number): Slow<boolean> {
  const bound = seat.words[seat.at + BOUND];
  for (;;) {
    const seen = yield load(seat, VALUE);
    const value = (seen >>> 1) + count;
    if (value > bound) return false;
    if ((yield cas(seat, VALUE, seen, value << 1)) !== seen) continue;
    if ((seen & WAITERS) !== 0) yield wake(seat, VALUE, count);
    return true;
  }
}
