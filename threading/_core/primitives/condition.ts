/**
 * The condition: a lot and nothing else. Whoever waits or notifies holds the condition's lock, so a waiter is in the lot before it
 * lets go of the lock and no notification can fall between the two.
 *
 * A waiter that was notified keeps the notification whatever happens to it on its way back to the lock.
 *
 * @module
 */
import type { Limit } from "../clock.ts";
import { load, type Slow } from "../drive.ts";
import {
  after,
  type Cell,
  enqueue,
  first,
  grant,
  HEAD,
  lockLot,
  rouse,
  settle,
  type Settled,
  unlink,
  unlockLot,
} from "../lot.ts";
import { TAKEN } from "../section.ts";
import { A_BLOCKED, A_STOP, SYNC, W_AGENT, W_FORM, W_STATE, WAITING } from "../words.ts";

/** Enters the lot. The caller holds the lock; it lets go of it next and then calls {@linkcode wait}. */
export function* enter(cell: Cell, waiter: number): Slow<void> {
  yield* lockLot(cell);
  enqueue(cell, waiter);
  yield* unlockLot(cell);
}

/**
 * Leaves the lot again, because the caller could not let go of the lock. A waiter that was notified meanwhile passes that on.
 */
export function* leave(cell: Cell, waiter: number): Slow<void> {
  yield* lockLot(cell);
  const waits = (yield load(cell.site.ground.words, waiter + W_STATE)) === WAITING;
  if (waits) unlink(cell, waiter);
  yield* unlockLot(cell);
  if (!waits) yield* notify(cell, 1);
}

/** Waits to be notified. */
export function wait(cell: Cell, waiter: number, limit: Limit): Slow<Settled> {
  return settle(cell, waiter, limit);
}

/** Notifies up to `count` waiters, oldest first; those of blocked agents' event loops only when there is nobody else. */
export function* notify(cell: Cell, count: number): Slow<void> {
  if ((yield load(cell.words, cell.at + HEAD)) === 0) return;
  const records = cell.site.ground.words;
  yield* lockLot(cell);
  const chosen: number[] = [];
  for (const anybody of [false, true]) {
    let waiter = first(cell);
    while (waiter !== 0 && chosen.length < count) {
      const next = after(cell, waiter);
      if ((yield load(records, records[waiter + W_AGENT] + A_STOP)) === TAKEN) {
        unlink(cell, waiter);
        waiter = next;
        continue;
      }
      const awake = anybody || records[waiter + W_FORM] === SYNC ||
        (yield load(records, records[waiter + W_AGENT] + A_BLOCKED)) === 0;
      if (awake) {
        unlink(cell, waiter);
        chosen.push(waiter);
      }
      waiter = next;
    }
  }
  const grants = grant(cell, chosen);
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}
