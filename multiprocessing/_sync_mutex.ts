/**
 * A lock in one word, robust against the death of its owner.
 *
 * | the word                | meaning                               | who changes it                                                   |
 * | ----------------------- | ------------------------------------- | ---------------------------------------------------------------- |
 * | 0                       | free                                  | anybody, by compare-exchange                                     |
 * | owner `<< 1`            | held, nobody sleeps                   | its release; who is about to sleep sets bit 0; who finds it dead |
 * | owner `<< 1 \| WAITERS` | held, somebody may sleep              | its release, which wakes one; who finds the owner dead           |
 *
 * - Bit 0 is set by who is about to sleep, and goes with the release. Who has slept takes the lock with the bit set, for others may
 *   sleep still. So a held lock on which somebody sleeps has the bit, or somebody is awake who will set it or take the lock.
 * - An owner that has ended is found by who tries once and by who has slept a slice. He takes the lock over by a compare-exchange
 *   from the very word he has seen, and is told ({@linkcode INHERITED}).
 * - Nobody queues: who comes at the right moment may overtake a sleeper. (Asynchronous waiters of one isolate queue among themselves,
 *   in `_sync_ground.ts`.)
 *
 * @module
 */
import type { Limit } from "../threading/_core/mod.ts";
import {
  ABORTED,
  cas,
  gone,
  LATE,
  load,
  NOBODY,
  type Seat,
  sleep,
  SLICE,
  type Slow,
  swap,
  wake,
} from "./_sync_steps.ts";

/** The word of the lock. */
export const STATE = 0;
/** How many words a lock has. */
export const MUTEX_WORDS = 1;
/** Nobody's. */
export const FREE = 0;
/** Bit 0 of a held lock: somebody may sleep. */
export const WAITERS = 1;

/** The lock was free and is the caller's. */
export const TAKEN = 4;
/** The lock's owner had ended, and it is the caller's now. */
export const INHERITED = 5;
/** {@linkcode TAKEN}, {@linkcode INHERITED}, `LATE` or `ABORTED`. */
export type Taken = number;

/** The owner in a held word. */
export function ownerIn(word: number): number {
  return word >>> 1;
}

/** Takes the lock. */
export function* acquire(seat: Seat, limit: Limit, state: number = STATE): Slow<Taken> {
  const once = limit.deadline === -Infinity;
  let suspicious = once;
  let bit = 0;
  for (;;) {
    const seen = yield load(seat, state);
    if (seen === FREE) {
      if ((yield cas(seat, state, FREE, seat.me << 1 | bit)) === FREE) return TAKEN;
      continue;
    }
    const owner = ownerIn(seen);
    if (owner === NOBODY || suspicious && (yield gone(seat, owner)) === 1) {
      const mine = seat.me << 1 | seen & WAITERS | bit;
      if ((yield cas(seat, state, seen, mine)) === seen) return INHERITED;
      continue;
    }
    if (once) return LATE;
    const asleep = seen | WAITERS;
    if (seen !== asleep && (yield cas(seat, state, seen, asleep)) !== seen) continue;
    const why = yield sleep(seat, state, asleep, limit);
    // The word has the bit: its release wakes somebody, whether or not a wake-up was spent on this caller.
    if (why === LATE || why === ABORTED) return why;
    bit = WAITERS;
    suspicious = why === SLICE;
  }
}

/** Gives the lock back, whoever holds it; `false` when nobody does. */
export function* release(seat: Seat, state: number = STATE): Slow<boolean> {
  const was = yield swap(seat, state, FREE);
  if (was === FREE) return false;
  if ((was & WAITERS) !== 0) yield wake(seat, state, 1);
  return true;
}

/** `seat`'s participant has ended: whoever comes next finds its lock abandoned, without asking the operating system. */
export function* abandon(seat: Seat, state: number = STATE): Slow<void> {
  for (;;) {
    const seen = yield load(seat, state);
    if (ownerIn(seen) !== seat.me) return;
    if ((yield cas(seat, state, seen, NOBODY << 1 | WAITERS)) !== seen) continue;
    return void (yield wake(seat, state, 1));
  }
}
