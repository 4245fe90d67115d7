/**
 * Permits: what locks and semaphores have in common. One state word behind the lot; the rule of the primitive says what it means.
 *
 * | bit 0 | the rest | meaning | who changes it |
 * | ----- | -------- | ------- | -------------- |
 * | 0 | any | nobody waits | anybody, by compare-exchange (the fast path) |
 * | 1 | no permit left | somebody waits | the holder of the lot's lock only |
 * | 1 | permits left | all who wait are asynchronous waiters of blocked agents | the holder of the lot's lock only |
 *
 * Bit 0 is set by a waiter before it enters the lot and cleared with the last one that leaves it, both under the lot's lock. The
 * fast path expects it clear, so from the moment it is set everybody comes through the lot: a permit that is given back goes
 * straight to the first who can use it, and nobody can overtake.
 *
 * @module
 */
import type { Limit } from "../clock.ts";
import { add, cas, load, or, park, type Slow, store, wakeUp } from "../drive.ts";
import {
  type Cell,
  claim,
  enqueue,
  enqueueFirst,
  first,
  firstAwake,
  giveLot,
  type Grant,
  grant,
  LATE,
  lockLot,
  OWN,
  rouse,
  settle,
  type Settled,
  takeLot,
  unlink,
  unlockLot,
} from "../lot.ts";
import { ANY, type Revocable, tell, type Woken } from "../park.ts";
import { TAKEN } from "../section.ts";
import {
  A_STATUS,
  A_STOP,
  A_UNCLAIMED,
  DEAD,
  DEATHS,
  GRANTED,
  SYNC,
  W_AGENT,
  W_FORM,
  W_STATE,
  WAITING,
} from "../words.ts";

/** The state word. */
export const STATE = OWN;
/** 1 after the permit of a holder that was killed has been given to somebody else. Where there are holders only. */
export const DIED = STATE + 1;
/** Bit 0: somebody waits. */
export const WAITERS = 1;

/** What the state word of a primitive means. Bit 0 is passed through. */
export interface Rule {
  /** The state after a permit went to `agent`, or -1 when there is none. */
  take(state: number, agent: number): number;
  /** The state after `count` permits came back, or -1 when that is not allowed. */
  give(state: number, count: number): number;
  /** The agent that holds the permit, or 0; absent where permits have no holder. */
  holder?(state: number): number;
}

/** Waits for a permit. Gives {@linkcode GRANTED}, or why not. */
export function* acquire(cell: Cell, rule: Rule, waiter: number, limit: Limit): Slow<Settled> {
  const { words, site } = cell;
  const at = cell.at + STATE;
  const deaths = rule.holder === undefined ? ANY : yield load(site.ground.words, DEATHS);
  yield takeLot(cell);
  // From here on the state is ours: whoever comes finds bit 0 and waits for the lot's lock.
  let seen = yield or(words, at, WAITERS);
  let taken = rule.take(seen, site.agent);
  if (taken === -1 && first(cell) === 0 && (yield* isHeldByDead(cell, rule, seen))) {
    yield store(words, cell.at + DIED, 1);
    seen = rule.give(seen, 1);
    taken = rule.take(seen, site.agent);
  }
  if (taken !== -1 || limit.deadline === -Infinity) {
    const state = taken === -1 ? seen : taken;
    yield store(words, at, first(cell) === 0 ? state & ~WAITERS : state | WAITERS);
    yield giveLot(cell);
    return taken === -1 ? LATE : GRANTED;
  }
  enqueue(cell, waiter);
  yield giveLot(cell);
  const heal = rule.holder === undefined ? undefined : (cell: Cell) => repair(cell, rule);
  if (waiter === site.waiter) {
    // What settle would do, for a thread that is granted when it wakes up for the first time.
    const records = site.ground.words;
    const woken = (yield park(records, waiter, limit, deaths)) as Woken;
    const state = yield load(records, waiter + W_STATE);
    return state !== WAITING
      ? state
      : yield* settle(cell, waiter, limit, withdraw, woken, heal, deaths);
  }
  const settled = yield* settle(cell, waiter, limit, withdraw, undefined, heal, deaths);
  if (settled === GRANTED) yield* claim(cell, waiter);
  return settled;
}

function* isHeldByDead(cell: Cell, rule: Rule, state: number): Slow<boolean> {
  const holder = rule.holder?.(state) ?? 0;
  return holder !== 0 && (yield load(cell.site.ground.words, holder + A_STATUS)) === DEAD;
}

/** Passes on the permit of a holder that was killed. */
function* repair(cell: Cell, rule: Rule): Slow<void> {
  yield* lockLot(cell);
  const seen = yield load(cell.words, cell.at + STATE);
  let grants: Grant[] = [];
  // Without bit 0 nobody waits any more, and whoever comes next looks for itself.
  if ((seen & WAITERS) === 1 && (yield* isHeldByDead(cell, rule, seen))) {
    yield store(cell.words, cell.at + DIED, 1);
    grants = yield* distribute(cell, rule, rule.give(seen, 1));
  }
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}

/** The last waiter that leaves switches the fast path on again. */
function* withdraw(_settled: Settled, cell: Cell): Slow<void> {
  if (first(cell) !== 0) return;
  const seen = yield load(cell.words, cell.at + STATE);
  yield store(cell.words, cell.at + STATE, seen & ~WAITERS);
}

/** Gives `count` permits back; `false` when the rule does not allow it. */
export function* release(cell: Cell, rule: Rule, count: number): Slow<boolean> {
  const { words } = cell;
  const at = cell.at + STATE;
  yield takeLot(cell);
  for (;;) {
    const seen = yield load(words, at);
    const given = rule.give(seen, count);
    if (given === -1 || (seen & WAITERS) === 0) {
      if (given !== -1 && (yield cas(words, at, seen, given)) !== seen) continue;
      yield giveLot(cell);
      return given !== -1;
    }
    const records = cell.site.ground.words;
    const waiter = first(cell);
    if (count === 1 && records[waiter + W_FORM] === SYNC && rule.take(seen, 1) === -1) {
      // What distribute would do, without its lists: one permit, and a blocked thread in front that has been waiting for it.
      const agent = records[waiter + W_AGENT];
      unlink(cell, waiter);
      const state = rule.take(given, agent);
      yield store(words, at, first(cell) === 0 ? state & ~WAITERS : state | WAITERS);
      tell(cell.site.ground, waiter, GRANTED);
      yield giveLot(cell);
      yield wakeUp(records, agent, SYNC);
      return true;
    }
    const grants = yield* distribute(cell, rule, given);
    yield giveLot(cell);
    yield* rouse(cell, grants);
    return true;
  }
}

/** Hands permits to those who can use them and writes the state word. Under the lock, with bit 0 set. */
function* distribute(cell: Cell, rule: Rule, state: number): Slow<Grant[]> {
  const records = cell.site.ground.words;
  let granted: number[] = [];
  for (;;) {
    while (rule.take(state, 1) !== -1) {
      const waiter = yield* firstAwake(cell);
      if (waiter === 0) break;
      state = rule.take(state, records[waiter + W_AGENT]);
      unlink(cell, waiter);
      granted.push(waiter);
    }
    yield store(
      cell.words,
      cell.at + STATE,
      first(cell) === 0 ? state & ~WAITERS : state | WAITERS,
    );
    const alive = yield* living(cell, granted);
    if (alive.length === granted.length) return grant(cell, granted);
    for (let i = alive.length; i < granted.length; i++) state = rule.give(state, 1);
    granted = alive;
  }
}

/**
 * Those of the waiters whose agents are not being killed.
 *
 * The race, with G granting a permit to a waiter of agent M while K kills M: G writes who holds the permit and then looks whether M is
 * being killed; K says that it is, and then wakes those who wait, who look who holds the permit. So G takes the permit back, or they
 * do.
 */
function* living(cell: Cell, waiters: number[]): Slow<number[]> {
  const records = cell.site.ground.words;
  const alive: number[] = [];
  for (const waiter of waiters) {
    const stop = records[waiter + W_FORM] === SYNC
      ? 0 // Asleep in a section: it is not killed before it has left the lot.
      : yield load(records, records[waiter + W_AGENT] + A_STOP);
    if (stop !== TAKEN) alive.push(waiter);
  }
  return alive;
}

/** What happens to asynchronous waiters of this primitive when their agent blocks and unblocks. */
export function revocable(cell: Cell, rule: Rule): Revocable {
  return {
    revoke: (waiter) => takeBack(cell, rule, waiter),
    distribute: () => handOut(cell, rule),
  };
}

function* takeBack(cell: Cell, rule: Rule, waiter: number): Slow<void> {
  const records = cell.site.ground.words;
  const at = cell.at + STATE;
  yield* lockLot(cell);
  let grants: Grant[] = [];
  if ((yield load(records, waiter + W_STATE)) === GRANTED) {
    for (;;) {
      const seen = yield load(cell.words, at);
      const given = rule.give(seen, 1) | WAITERS;
      // Somebody may have released what the waiter was granted, as anybody may release a lock: then there is nothing to take
      // back, and the waiter finds that it was granted something.
      if (rule.take(given, cell.site.agent) !== (seen | WAITERS)) break;
      if ((seen & WAITERS) === 0 && (yield cas(cell.words, at, seen, seen | WAITERS)) !== seen) {
        continue;
      }
      yield add(records, cell.site.agent + A_UNCLAIMED, -1);
      enqueueFirst(cell, waiter);
      grants = yield* distribute(cell, rule, given);
      break;
    }
  }
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}

function* handOut(cell: Cell, rule: Rule): Slow<void> {
  yield* lockLot(cell);
  const seen = yield load(cell.words, cell.at + STATE);
  const grants = (seen & WAITERS) === 1 ? yield* distribute(cell, rule, seen) : [];
  yield* unlockLot(cell);
  yield* rouse(cell, grants);
}
