/**
 * An event in one word.
 *
 * | bits    | meaning                                    | who changes it                                |
 * | ------- | ------------------------------------------ | --------------------------------------------- |
 * | 0       | the flag                                   | `set` and `clear`                             |
 * | 1       | somebody may sleep                         | who is about to sleep sets it, `set` clears it |
 * | 2 to 31 | how often the flag was set, modulo 2^30    | `set`                                         |
 *
 * Who waits remembers the count: when it has changed, the flag was set, though it may have been cleared since.
 *
 * @module
 */
import type { Limit } from "../threading/_core/mod.ts";
import { ABORTED, ALL, cas, LATE, load, type Seat, sleep, type Slow, wake } from "./_sync_steps.ts";
import { TAKEN, type Taken } from "./_sync_mutex.ts";

/** The word. */
export const FLAG = 0;
/** How many words an event has. */
export const FLAG_WORDS = 1;
/** Bit 0. */
export const SET = 1;

const WAITERS = 2;
const COUNT = 4;

/** Sets the flag and lets everybody go who waits. */
export function* set(seat: Seat): Slow<void> {
  for (;;) {
    const seen = yield load(seat, FLAG);
    if ((seen & SET) !== 0) return;
    const next = (seen & ~WAITERS) + COUNT | SET;
    if ((yield cas(seat, FLAG, seen, next)) !== seen) continue;
    if ((seen & WAITERS) !== 0) yield wake(seat, FLAG, ALL);
    return;
  }
}

/** Clears the flag. */
export function* clear(seat: Seat): Slow<void> {
  for (;;) {
    const seen = yield load(seat, FLAG);
    if ((seen & SET) === 0) return;
    if ((yield cas(seat, FLAG, seen, seen & ~SET)) === seen) return;
  }
}

/** Waits until the flag is set. */
export function* wait(seat: Seat, limit: Limit): Slow<Taken> {
  let seen = yield load(seat, FLAG);
  if ((seen & SET) !== 0) return TAKEN;
  const count = seen & ~WAITERS;
  for (;;) {
    if ((seen & ~(WAITERS | SET)) !== count) return TAKEN;
    if (limit.deadline === -Infinity) return LATE;
    const asleep = seen | WAITERS;
    if (seen === asleep || (yield cas(seat, FLAG, seen, asleep)) === seen) {
      const why = yield sleep(seat, FLAG, asleep, limit);
      if (why === LATE || why === ABORTED) return why;
    }
    seen = yield load(seat, FLAG);
  }
}
