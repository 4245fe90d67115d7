/**
 * The event: a flag, and everybody who waits for it. One word behind the lot: 1 is set.
 *
 * A waiter finds the flag clear and enters the lot, and who sets the flag writes it and empties the lot, both under the lock: a
 * waiter that came after the flag was cleared again is not let go by the `set` before. Clearing takes no lock.
 *
 * @module
 */
import type { Limit } from "../clock.ts";
import { load, type Slow, store } from "../drive.ts";
import {
  type Cell,
  enqueue,
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
  yield* lockLot(cell);
  yield store(cell.words, cell.at + word, value);
  const grants = grantAll(cell);
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}

/** Lets everybody go who waits now; `state` is what they are told. */
export function* releaseAll(cell: Cell, state: number = GRANTED): Slow<void> {
  yield* lockLot(cell);
  const grants = grantAll(cell, state);
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}
