/**
 * A barrier.
 *
 * | word     | meaning                                                                        | who changes it             |
 * | -------- | ------------------------------------------------------------------------------ | -------------------------- |
 * | `GUARD`  | a robust lock (`_sync_mutex.ts`) around everything that is changed here        |                            |
 * | `STATE`  | the round `<< 2 \| mode`; who waits sleeps on it                               | under the guard            |
 * | `LEADER` | who runs the action, while the mode is `ACTING`                                | under the guard            |
 * | `ARRIVED`| how many wait in this round                                                    | under the guard            |
 * | `ENDED`  | a ring: how the last rounds ended, each as the round `<< 1 \| whether it failed` | under the guard            |
 * | `PLACES` | a bit per party: the places that are taken in this round                       | under the guard            |
 *
 * | mode      | meaning                          | next                                                                       |
 * | --------- | -------------------------------- | -------------------------------------------------------------------------- |
 * | `FILLING` | fewer than all parties have come | the last comes: `ACTING`; out of time, `abort`: `BROKEN`                   |
 * | `ACTING`  | the last one runs the action     | done, `reset`: `FILLING`, the next round; failed, dead, `abort`: `BROKEN`  |
 * | `BROKEN`  | everybody is turned away         | `reset`: `FILLING`, the next round                                         |
 *
 * - A round ends once, and how it ended is written before `STATE` moves on. Who has slept through the end of his round reads it there.
 * - A party has its place from the moment it arrives, so that those who leave in between leave no two with the same one.
 * - Who comes while the action runs waits for its end outside the round.
 * - A leader that has ended is found by those who sleep: they break the barrier. So is a party that died in the middle of a change, with
 *   the guard in its hand; or the next one who comes finds it, and breaks the barrier. A party that died while it waited has arrived.
 *
 * @module
 */
import { FOREVER, type Limit } from "../threading/_core/mod.ts";
import {
  ABORTED,
  ALL,
  gone,
  LATE,
  load,
  type Seat,
  sleep,
  SLICE,
  type Slow,
  store,
  wake,
} from "./_sync_steps.ts";
import { acquire, FREE, INHERITED, ownerIn, release } from "./_sync_mutex.ts";

/** The lock around all changes. */
export const GUARD = 0;
/** The round and the mode. */
export const STATE = 1;
const LEADER = 2;
/** How many have arrived in this round. */
export const ARRIVED = 3;
/** How many make a round. */
export const PARTIES = 4;
const ENDED = 5;
const RING = 16;
const PLACES = ENDED + RING;

/** The most parties that a barrier takes. */
export const MAX_PARTIES = 2 ** 20;

/** See the table. */
export const FILLING = 0;
/** See the table. */
export const ACTING = 1;
/** See the table. */
export const BROKEN = 2;
const MODE = 3;
const ONE_ROUND = 4;

/** How many words a barrier has. */
export function barrierWords(parties: number): number {
  return PLACES + Math.ceil(parties / 32);
}

/** The round went through. */
export const PASSED = 0;
/** The caller is the last one: it runs the action, and calls {@linkcode finish}. */
export const LEAD = 1;
/** The barrier is broken, was reset, or has just been broken by the caller, who ran out of time. */
export const BROKE = 2;
/** The caller gave up. */
export const GAVE_UP = 3;

/** How {@linkcode arrive} ended. */
export interface Arrival {
  readonly how: number;
  /** The caller's place, when it passed or leads. */
  readonly place: number;
  /** The round, for {@linkcode finish}. */
  readonly round: number;
}

function* enter(seat: Seat): Slow<void> {
  if ((yield* acquire(seat, FOREVER, GUARD)) !== INHERITED) return;
  const state = yield load(seat, STATE);
  yield* breakNow(seat, state & ~MODE);
}

function* leave(seat: Seat): Slow<void> {
  yield* release(seat, GUARD);
}

/** Under the guard. */
function* empty(seat: Seat): Slow<void> {
  yield store(seat, ARRIVED, 0);
  const parties = yield load(seat, PARTIES);
  for (let i = 0; i < parties; i += 32) yield store(seat, PLACES + (i >>> 5), 0);
}

/** Under the guard: the round fails, and the barrier stays broken. */
function* breakNow(seat: Seat, round: number): Slow<void> {
  yield* empty(seat);
  yield store(seat, STATE, round | BROKEN);
  yield wake(seat, STATE, ALL);
}

/** Under the guard: the round ends, and the next one begins. */
function* nextRound(seat: Seat, round: number, failed: boolean): Slow<void> {
  yield* empty(seat);
  yield store(seat, ENDED + (round / ONE_ROUND & RING - 1), round | (failed ? 1 : 0));
  yield store(seat, STATE, round + ONE_ROUND | FILLING);
  yield wake(seat, STATE, ALL);
}

/** Under the guard: the first free place. */
function* takePlace(seat: Seat): Slow<number> {
  for (let i = 0;; i++) {
    const taken = yield load(seat, PLACES + i);
    if (taken === -1) continue;
    const bit = 31 - Math.clz32(~taken & -~taken);
    yield store(seat, PLACES + i, taken | 1 << bit);
    return i * 32 + bit;
  }
}

/** Arrives, and waits for the end of the round. */
export function* arrive(seat: Seat, limit: Limit): Slow<Arrival> {
  for (;;) {
    yield* enter(seat);
    const state = yield load(seat, STATE);
    const round = state & ~MODE;
    if ((state & MODE) === BROKEN) {
      yield* leave(seat);
      return { how: BROKE, place: 0, round };
    }
    if ((state & MODE) === ACTING) {
      yield* leave(seat);
      const why = yield* sleepThrough(seat, state, limit);
      if (why === LATE) {
        yield* abort(seat);
        return { how: BROKE, place: 0, round };
      }
      if (why === ABORTED) return { how: GAVE_UP, place: 0, round };
      continue;
    }
    const place = yield* takePlace(seat);
    const arrived = (yield load(seat, ARRIVED)) + 1;
    yield store(seat, ARRIVED, arrived);
    if (arrived === (yield load(seat, PARTIES))) {
      yield store(seat, LEADER, seat.me);
      yield store(seat, STATE, round | ACTING);
      yield* leave(seat);
      return { how: LEAD, place, round };
    }
    if (limit.deadline === -Infinity) {
      yield* breakNow(seat, round);
      yield* leave(seat);
      return { how: BROKE, place, round };
    }
    yield* leave(seat);
    return { how: yield* awaitEnd(seat, round, place, limit), place, round };
  }
}

/**
 * Sleeps until the state is another, or a slice is over: then a leader that is found dead, or a party that died while it changed
 * something, breaks the barrier.
 */
function* sleepThrough(seat: Seat, state: number, limit: Limit): Slow<number> {
  const why = yield sleep(seat, STATE, state, limit);
  if (why !== SLICE) return why;
  if ((state & MODE) === ACTING && (yield gone(seat, yield load(seat, LEADER))) === 1) {
    yield* breakRound(seat, state & ~MODE);
  }
  const guard = yield load(seat, GUARD);
  if (guard !== FREE && (yield gone(seat, ownerIn(guard))) === 1) {
    yield* enter(seat);
    yield* leave(seat);
  }
  return why;
}

/** Waits for the end of the round in which the caller has arrived. */
function* awaitEnd(seat: Seat, round: number, place: number, limit: Limit): Slow<number> {
  for (;;) {
    const state = yield load(seat, STATE);
    if ((state & ~MODE) !== round) {
      const ended = yield load(seat, ENDED + (round / ONE_ROUND & RING - 1));
      return ended === round ? PASSED : BROKE;
    }
    if ((state & MODE) === BROKEN) return BROKE;
    // All have come: it is only the action that is waited for, without limit, as in CPython.
    const acting = (state & MODE) === ACTING;
    const why = yield* sleepThrough(
      seat,
      state,
      acting ? { deadline: Infinity, signal: limit.signal } : limit,
    );
    if (why === LATE && (yield* breakRound(seat, round))) return BROKE;
    if (why === ABORTED && (acting || (yield* giveUp(seat, round, place)))) return GAVE_UP;
  }
}

/** Out of time: breaks the barrier, unless the round is complete by now. */
function* breakRound(seat: Seat, round: number): Slow<boolean> {
  yield* enter(seat);
  const state = yield load(seat, STATE);
  const dead = state === (round | ACTING) && (yield gone(seat, yield load(seat, LEADER))) === 1;
  const breaks = state === (round | FILLING) || dead;
  if (breaks) yield* breakNow(seat, round);
  yield* leave(seat);
  return breaks;
}

/** Takes a party out of a round that is not complete. */
function* giveUp(seat: Seat, round: number, place: number): Slow<boolean> {
  yield* enter(seat);
  const waits = (yield load(seat, STATE)) === (round | FILLING);
  if (waits) {
    const at = PLACES + (place >>> 5);
    yield store(seat, at, (yield load(seat, at)) & ~(1 << (place & 31)));
    yield store(seat, ARRIVED, (yield load(seat, ARRIVED)) - 1);
  }
  yield* leave(seat);
  return waits;
}

/** The leader has run the action: lets the others go. `false` when the barrier was aborted or reset meanwhile. */
export function* finish(seat: Seat, round: number): Slow<boolean> {
  yield* enter(seat);
  const finishes = (yield load(seat, STATE)) === (round | ACTING) &&
    (yield load(seat, LEADER)) === seat.me;
  if (finishes) yield* nextRound(seat, round, false);
  yield* leave(seat);
  return finishes;
}

/** Breaks the barrier. */
export function* abort(seat: Seat): Slow<void> {
  yield* enter(seat);
  yield* breakNow(seat, (yield load(seat, STATE)) & ~MODE);
  yield* leave(seat);
}

/** Makes the barrier whole and empty; those who wait fail. */
export function* reset(seat: Seat): Slow<void> {
  yield* enter(seat);
  const state = yield load(seat, STATE);
  const idle = (state & MODE) === FILLING && (yield load(seat, ARRIVED)) === 0;
  if (!idle) yield* nextRound(seat, state & ~MODE, true);
  yield* leave(seat);
}

/** How many wait now. */
export function waiting(seat: Seat): number {
  const { words, at } = seat;
  switch (Atomics.load(words, at + STATE) & MODE) {
    case FILLING:
      return Atomics.load(words, at + ARRIVED);
    case ACTING:
      return words[at + PARTIES] - 1;
    default:
      return 0;
  }
}

/** Whether it is broken now. */
export function isBroken(seat: Seat): boolean {
  return (Atomics.load(seat.words, seat.at + STATE) & MODE) === BROKEN;
}

/** `seat`'s participant has ended: a round that it led fails. */
export function* abandon(seat: Seat): Slow<void> {
  yield* enter(seat);
  const state = yield load(seat, STATE);
  if ((state & MODE) === ACTING && (yield load(seat, LEADER)) === seat.me) {
    yield* breakNow(seat, state & ~MODE);
  }
  yield* leave(seat);
}
