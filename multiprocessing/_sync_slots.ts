/**
 * Who waits for a condition: a table that is touched under the condition's lock only, but for the claims of those who were notified.
 *
 * A slot is a *run*: waiters of one isolate that came one after the other, with nobody else's between them. Tickets order the runs.
 *
 * | word of a slot | meaning                                                            | who changes it                          |
 * | -------------- | ------------------------------------------------------------------ | --------------------------------------- |
 * | `OWNER`        | the isolate                                                        | who enters, under the lock              |
 * | `TICKET`       | the run's place in the order                                       | who enters, under the lock              |
 * | `COUNTS`       | waiting `<< 16 \| notified and not yet claimed`; 0: the slot is free | under the lock; claims, without it      |
 *
 * - A notification moves one from the upper to the lower half, in one step, and wakes the isolate. Whoever of its run comes first
 *   claims it. So `notify(n)` reaches exactly `n` waiters; runs of isolates that have ended are passed over and freed.
 * - A waiter that gives up claims what it can at once. Else it takes itself out when it has the lock again, and counts as notified if
 *   a notification has come meanwhile: none is lost.
 * - `COUNTS` is written last when a slot is made, and alone when it is used: a death between any two steps leaves a table that says
 *   what is so, but for the dead one's own run.
 *
 * @module
 */
import type { Limit } from "../threading/_core/mod.ts";
import {
  ABORTED,
  add,
  ALL,
  cas,
  gone,
  LATE,
  load,
  NOBODY,
  type Seat,
  sleep,
  type Slow,
  store,
  wake,
} from "./_sync_steps.ts";
import { TAKEN, type Taken } from "./_sync_mutex.ts";

/** The last ticket. */
const LAST = 0;
/** No slot from this one on is in use. */
const HIGH = 1;
const FIRST = 2;

const OWNER = 0;
const TICKET = 1;
const COUNTS = 2;
const SLOT_WORDS = 3;

/** How many runs there may be at a time: more than isolates can wait in earnest. */
const SLOTS = 512;
/** How many words a table has. */
export const TABLE_WORDS: number = FIRST + SLOTS * SLOT_WORDS;

const ONE_WAITING = 1 << 16;
const NOTIFIED = 0xffff;
const MOST = 0x7ffe;

function countsOf(slot: number): number {
  return FIRST + slot * SLOT_WORDS + COUNTS;
}

/** Enters the table, under the lock; gives the slot. */
export function* enter(seat: Seat): Slow<number> {
  const high = yield load(seat, HIGH);
  let free = -1;
  let newest = -1;
  let mine = -1;
  let newestTicket = 0;
  for (let slot = 0; slot < high; slot++) {
    const counts = yield load(seat, countsOf(slot));
    if (counts === 0) {
      if (free < 0) free = slot;
      continue;
    }
    const ticket = yield load(seat, FIRST + slot * SLOT_WORDS + TICKET);
    if ((yield load(seat, FIRST + slot * SLOT_WORDS + OWNER)) === seat.me) {
      if (counts >>> 16 < MOST) mine = slot;
    }
    if (newest < 0 || (ticket - newestTicket | 0) > 0) {
      newest = slot;
      newestTicket = ticket;
    }
  }
  // A run with unclaimed notifications is closed: who comes now may not claim them.
  if (newest >= 0 && newest === mine && ((yield load(seat, countsOf(mine))) & NOTIFIED) === 0) {
    yield add(seat, countsOf(mine), ONE_WAITING);
    return mine;
  }
  if (free < 0 && high < SLOTS) {
    free = high;
    yield store(seat, HIGH, high + 1);
  }
  if (free < 0) free = yield* freeOne(seat);
  if (free < 0) {
    // The table is full. The isolate's own run will do, out of its place.
    if (mine < 0) return -1;
    yield add(seat, countsOf(mine), ONE_WAITING);
    return mine;
  }
  const at = FIRST + free * SLOT_WORDS;
  yield store(seat, at + OWNER, seat.me);
  yield store(seat, at + TICKET, (yield add(seat, LAST, 1)) + 1 | 0);
  yield store(seat, at + COUNTS, ONE_WAITING);
  return free;
}

/** Frees the slots of those who have ended; gives one, or -1. */
function* freeOne(seat: Seat): Slow<number> {
  let free = -1;
  for (let slot = 0; slot < SLOTS; slot++) {
    const owner = yield load(seat, FIRST + slot * SLOT_WORDS + OWNER);
    if (owner === seat.me || (yield gone(seat, owner)) === 0) continue;
    yield store(seat, countsOf(slot), 0);
    free = slot;
  }
  return free;
}

/** Waits, without the lock, to be notified. */
export function* wait(seat: Seat, slot: number, limit: Limit): Slow<Taken> {
  const at = countsOf(slot);
  for (;;) {
    const seen = yield load(seat, at);
    if ((seen & NOTIFIED) > 0) {
      if ((yield cas(seat, at, seen, seen - 1)) === seen) return TAKEN;
      continue;
    }
    const why = yield sleep(seat, at, seen, limit);
    if (why === LATE || why === ABORTED) return why;
  }
}

/** Takes a waiter that gave up out of the table, under the lock; `true` when it had been notified after all. */
export function* leave(seat: Seat, slot: number): Slow<boolean> {
  const at = countsOf(slot);
  for (;;) {
    const seen = yield load(seat, at);
    const waits = seen >= ONE_WAITING;
    if ((yield cas(seat, at, seen, waits ? seen - ONE_WAITING : seen - 1)) === seen) return !waits;
  }
}

/** Notifies up to `count` waiters, those that came first, under the lock; gives how many. */
export function* notify(seat: Seat, count: number): Slow<number> {
  let left = count;
  while (left > 0) {
    const slot = yield* firstWaiting(seat);
    if (slot < 0) break;
    const at = countsOf(slot);
    const owner = yield load(seat, FIRST + slot * SLOT_WORDS + OWNER);
    if (owner !== seat.me && (yield gone(seat, owner)) === 1) {
      yield store(seat, at, 0);
      continue;
    }
    for (;;) {
      const seen = yield load(seat, at);
      const told = Math.min(left, seen >>> 16);
      if ((yield cas(seat, at, seen, seen - told * ONE_WAITING + told)) !== seen) continue;
      left -= told;
      break;
    }
    // All of the run are of one isolate: at most its blocked call and its event loop sleep here.
    yield wake(seat, at, ALL);
  }
  return count === Infinity ? 0 : count - left;
}

/** The first run in which somebody waits, or -1. */
function* firstWaiting(seat: Seat): Slow<number> {
  const high = yield load(seat, HIGH);
  let first = -1;
  let firstTicket = 0;
  let used = false;
  for (let slot = 0; slot < high; slot++) {
    const counts = yield load(seat, countsOf(slot));
    used ||= counts !== 0;
    if (counts < ONE_WAITING) continue;
    const ticket = yield load(seat, FIRST + slot * SLOT_WORDS + TICKET);
    if (first < 0 || (ticket - firstTicket | 0) < 0) {
      first = slot;
      firstTicket = ticket;
    }
  }
  if (!used && high > 0) yield store(seat, HIGH, 0);
  return first;
}

/** `seat`'s participant has ended: nobody is to be notified in its runs. Without the lock. */
export function* abandon(seat: Seat): Slow<void> {
  const high = yield load(seat, HIGH);
  for (let slot = 0; slot < high; slot++) {
    // A slot that is freed and made again by another in between has another owner.
    yield cas(seat, FIRST + slot * SLOT_WORDS + OWNER, seat.me, NOBODY);
  }
}
