/**
 * The event: a flag, and everybody who waits for it. One word behind the lot: 1 is set.
 *
 * A waiter enters the lot and then finds the flag clear, under the lock; who sets the flag writes it and then looks for waiters:
 * one of them sees the other.
 *
 * @module
 */
import type { Limit } from "../clock.ts";
import { load, type Slow, store } from "../drive.ts";
import {
  type Cell,
  enqueue,
  first,
  grant,
  HEAD,
  LATE,
  lockLot,
  OWN,
  rouse,
  settle,
  type Settled,
  unlink,
  unlockLot,
} from "../lot.ts";
import { GRANTED } from "../words.ts";

/** Words that an event needs behind its lot. */
export const EVENT_WORDS = 1;
/** The flag. */
export const FLAG = OWN;

/** Waits until the flag is set; or, for other owners of a lot, until the word at `word` passes `over`. */
export function* wait(
  cell: Cell,
  waiter: number,
  limit: Limit,
  word: number = FLAG,
  over: (value: number) => boolean = (flag) => flag !== 0,
): Slow<Settled> {
  yield* lockLot(cell);
  enqueue(cell, waiter);
  const done = over(yield load(cell.words, cell.at + word));
  const leave = done || limit.deadline === -Infinity;
  if (leave) unlink(cell, waiter);
  yield* unlockLot(cell);
  if (leave) return done ? GRANTED : LATE;
  return yield* settle(cell, waiter, limit);
}

/** Writes `value`, after which `over` is true, and lets everybody go. */
export function* set(cell: Cell, word: number = FLAG, value = 1): Slow<void> {
  yield store(cell.words, cell.at + word, value);
  if ((yield load(cell.words, cell.at + HEAD)) !== 0) yield* releaseAll(cell);
}

/** Lets everybody go who waits now. */
export function* releaseAll(cell: Cell): Slow<void> {
  yield* lockLot(cell);
  const waiters: number[] = [];
  for (let waiter = first(cell); waiter !== 0; waiter = first(cell)) {
    unlink(cell, waiter);
    waiters.push(waiter);
  }
  const grants = grant(cell, waiters);
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}
