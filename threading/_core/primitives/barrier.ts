/**
 * The barrier: the lot holds those who have arrived. Words behind it:
 *
 * | word | meaning |
 * | ---- | ------- |
 * | PARTIES | how many make a round; never changes |
 * | ARRIVED | how many waiters of the lot count for the current round |
 * | MODE | FILLING; ACTING: a round is complete and its last thread runs the action; BROKEN |
 * | ROUND | counts every change that ends an ACTING, so that an action that was overtaken by `reset` or `abort` is told apart |
 *
 * All of them change under the lot's lock only. Whoever arrives while the mode is ACTING waits in the lot, behind the current
 * round, and counts for the next one. A round ends at once for everybody, so there is nothing to drain.
 *
 * Should more than a whole further round have arrived during an action, one of its waiters is granted {@linkcode LEAD}: it is the
 * last of that round and runs the action.
 *
 * A time-out breaks the barrier, an abort only leaves it; when the round is complete and its action runs, an abort comes too late.
 *
 * @module
 */
import type { Limit } from "../clock.ts";
import { load, type Slow, store } from "../drive.ts";
import {
  ABANDONED,
  after,
  type Cell,
  enqueue,
  enqueueFirst,
  first,
  type Grant,
  grant,
  grantAll,
  LATE,
  lockLot,
  OWN,
  rouse,
  settle,
  type Settled,
  unlink,
  unlockLot,
} from "../lot.ts";
import { W_DATA } from "../words.ts";

/** Words that a barrier needs behind its lot. */
export const BARRIER_WORDS = 4;
/** See the table above. */
export const PARTIES = OWN;
/** See the table above. */
export const ARRIVED = OWN + 1;
/** See the table above. */
export const MODE = OWN + 2;
/** See the table above. */
export const ROUND = OWN + 3;

/** Modes. */
export const FILLING = 0;
/** See {@linkcode FILLING}. */
export const ACTING = 1;
/** See {@linkcode FILLING}. */
export const BROKEN = 2;

/** What `W_DATA` of a waiter in the lot says: the round that is filling or acting, or the one after. */
const CURRENT = 0;
const NEXT = 1;

/** Grant: the round is complete; `W_DATA` is the waiter's index. */
export const PASSED = 2;
/** Grant: the barrier is broken. */
export const BROKE = 3;
/**
 * Grant, or result of {@linkcode arrive}: the caller is the last of its round; it runs the action and calls {@linkcode finish} with
 * the round, which `W_DATA` says.
 */
export const LEAD = 4;

/**
 * Arrives and waits. Gives {@linkcode PASSED}, {@linkcode BROKE}, {@linkcode LEAD}, or how the limit ended it. One that ran out of
 * time breaks the barrier, one that was aborted only leaves.
 */
export function* arrive(cell: Cell, waiter: number, limit: Limit): Slow<Settled> {
  const { words, at } = cell;
  yield* lockLot(cell);
  if (words[at + MODE] === BROKEN) {
    yield* unlockLot(cell);
    return BROKE;
  }
  const last = words[at + MODE] === FILLING && words[at + ARRIVED] === words[at + PARTIES] - 1;
  if (last) {
    words[at + MODE] = ACTING;
    // Read here, under the lock: later the round may have been reset, and another be acting.
    cell.site.ground.words[waiter + W_DATA] = words[at + ROUND];
    yield* unlockLot(cell);
    return LEAD;
  }
  enqueue(cell, waiter);
  const early = words[at + MODE] === ACTING;
  cell.site.ground.words[waiter + W_DATA] = early ? NEXT : CURRENT;
  if (!early) words[at + ARRIVED]++;
  let settled: Settled = LATE;
  if (limit.deadline === -Infinity) {
    unlink(cell, waiter);
    const grants = yield* leave(cell, true);
    yield* unlockLot(cell);
    yield* rouse(cell, grants);
  } else {
    yield* unlockLot(cell);
    let grants: Grant[] = [];
    let stays = false;
    const withdraw = function* (woken: Settled): Slow<void> {
      stays = mustStay(cell, waiter, woken);
      if (stays) enqueueFirst(cell, waiter);
      else grants = yield* leave(cell, woken === LATE);
    };
    settled = yield* settle(cell, waiter, limit, withdraw);
    if (stays) settled = yield* settle(cell, waiter, { ...limit, signal: undefined }, withdraw);
    yield* rouse(cell, grants);
  }
  return settled;
}

/** The index of a waiter that was granted {@linkcode PASSED}; the round of one that {@linkcode LEAD}s. */
export function indexOf(cell: Cell, waiter: number): number {
  return cell.site.ground.words[waiter + W_DATA];
}

/**
 * Whether an abort comes too late: the waiter was counted for a round that is complete, and would be missing from it. It is granted
 * as soon as the action has run. A time-out never comes too late: should the leader's thread have ended, only that helps.
 */
function mustStay(cell: Cell, waiter: number, woken: Settled): boolean {
  return woken === ABANDONED && cell.words[cell.at + MODE] === ACTING &&
    cell.site.ground.words[waiter + W_DATA] === CURRENT;
}

/** A waiter has left the lot without being granted. Under the lock. */
function* leave(cell: Cell, late: boolean): Slow<Grant[]> {
  const { words, at } = cell;
  if (late) return yield* smash(cell);
  if (words[at + MODE] === FILLING) words[at + ARRIVED]--;
  return [];
}

/** Breaks the barrier. Under the lock. */
function* smash(cell: Cell): Slow<Grant[]> {
  const { words, at } = cell;
  yield store(words, at + MODE, BROKEN);
  words[at + ROUND]++;
  return turnAway(cell);
}

/** Tells everybody in the lot that the barrier broke. Under the lock. */
function turnAway(cell: Cell): Grant[] {
  cell.words[cell.at + ARRIVED] = 0;
  return grantAll(cell, BROKE);
}

/**
 * The last of a round has run the action. `round` is what {@linkcode indexOf} said when it was made to lead. Gives `false`
 * when the barrier was broken or reset meanwhile; otherwise lets the round go and starts the next.
 */
export function* finish(cell: Cell, round: number): Slow<boolean> {
  const { words, at } = cell;
  yield* lockLot(cell);
  if (words[at + ROUND] !== round || words[at + MODE] !== ACTING) {
    yield* unlockLot(cell);
    return false;
  }
  const leaving: number[] = [];
  for (
    let waiter = first(cell);
    waiter !== 0 && cell.site.ground.words[waiter + W_DATA] === CURRENT;
    waiter = first(cell)
  ) {
    unlink(cell, waiter);
    leaving.push(waiter);
  }
  words[at + ROUND]++;
  let grants = grant(cell, leaving, PASSED, (index) => index);
  grants = grants.concat(yield* nextRound(cell));
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
  return true;
}

/** Counts those who arrived during the action; a whole round of them has its last waiter lead. Under the lock. */
function* nextRound(cell: Cell): Slow<Grant[]> {
  const { words, at } = cell;
  const records = cell.site.ground.words;
  const parties = words[at + PARTIES];
  let arrived = 0;
  for (let waiter = first(cell); waiter !== 0; waiter = after(cell, waiter)) {
    records[waiter + W_DATA] = CURRENT;
    arrived++;
    if (arrived < parties) continue;
    words[at + ARRIVED] = parties - 1;
    yield store(words, at + MODE, ACTING);
    unlink(cell, waiter);
    return grant(cell, [waiter], LEAD, () => words[at + ROUND]);
  }
  words[at + ARRIVED] = arrived;
  yield store(words, at + MODE, FILLING);
  return [];
}

/** Breaks the barrier for everybody, now and until it is reset. */
export function* abort(cell: Cell): Slow<void> {
  yield* lockLot(cell);
  const grants = yield* smash(cell);
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}

/** Makes the barrier whole and empty; whoever is waiting gets {@linkcode BROKE}. */
export function* reset(cell: Cell): Slow<void> {
  yield* lockLot(cell);
  cell.words[cell.at + ROUND]++;
  const grants = turnAway(cell);
  yield store(cell.words, cell.at + MODE, FILLING);
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}

/** How many are waiting for the current round. */
export function* waiting(cell: Cell): Slow<number> {
  return (yield load(cell.words, cell.at + MODE)) === BROKEN
    ? 0
    : yield load(cell.words, cell.at + ARRIVED);
}
