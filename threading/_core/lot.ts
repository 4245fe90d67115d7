/**
 * The parking lot: the one queue of waiters that every primitive is built on. It gives them order, time-outs, aborts and addressed
 * wake-ups; a primitive adds the rule of who may go.
 *
 * A primitive's memory starts with its lot: a lock word, the first and the last waiter. The queue is touched under the lock only;
 * waiters that end up in it are `WAITING` and leave it by being granted or by withdrawing, both under the lock.
 *
 * Order: first come, first served, except that asynchronous waiters of a blocked agent are passed over while it is blocked (they
 * could not run anyway, and its own `Sync` call may be waiting behind them).
 *
 * @module
 */
import type { Limit } from "./clock.ts";
import { add, give, load, park, type Slow, store, take, wakeUp } from "./drive.ts";
import { allocate } from "./heap.ts";
import {
  ABORTED,
  ANY,
  dismiss,
  enlist,
  LOOK,
  type Revocable,
  type Site,
  type Step,
  tell,
  TIMED_OUT,
  type Woken,
} from "./park.ts";
import { TAKEN } from "./section.ts";
import {
  A_BLOCKED,
  A_SKIPPED,
  A_SPARE,
  A_STOP,
  A_UNCLAIMED,
  ASYNC,
  DEATHS,
  GRANTED,
  SYNC,
  W_AGENT,
  W_DATA,
  W_FORM,
  W_NEXT,
  W_PREV,
  W_STATE,
  WAITER_WORDS,
  WAITING,
} from "./words.ts";

/** Words of a lot. Its lock word. */
export const LOCK = 0;
/** First waiter, or 0. */
export const HEAD = 1;
/** Last waiter, or 0. */
export const TAIL = 2;
/** The primitive's own words start here. */
export const OWN = 3;

/** One primitive's memory as one agent sees it. */
export interface Cell {
  readonly site: Site;
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Index of the lot's first word. */
  readonly at: number;
  /** Index of the lock word, where several lots share one; by default the lot's own. */
  readonly lock?: number;
}

/** How {@linkcode settle} ended: granted ({@linkcode GRANTED} or a state above it), or one of the two below. */
export type Settled = number;
/** The deadline came first. */
export const LATE = -TIMED_OUT;
/** The signal came first. */
export const ABANDONED = -ABORTED;
/** Told to `withdraw` only: the waiter's agent ends, so it must not be in the lot any more, whatever the primitive would prefer. */
export const VANISHED = -3;

/** Takes a waiter of the given form into service. */
export function engage(site: Site, form: number, revocable?: Revocable): number {
  if (form === SYNC) return site.waiter;
  const { words } = site.ground;
  let waiter = words[site.agent + A_SPARE];
  if (waiter !== 0) words[site.agent + A_SPARE] = words[waiter + W_NEXT];
  else {
    waiter = allocate(site.ground, WAITER_WORDS, site.agent);
    words[waiter + W_AGENT] = site.agent;
    words[waiter + W_FORM] = ASYNC;
  }
  enlist(site, waiter, revocable);
  return waiter;
}

/** Puts a waiter out of service: its call is about to return. */
export function discharge(site: Site, waiter: number): void {
  dismiss(site, waiter);
}

/** The step that takes the lot's lock. */
export function takeLot(cell: Cell): Step {
  return take(cell.words, cell.lock ?? cell.at + LOCK, cell.site.agent);
}

/** The step that gives it back. */
export function giveLot(cell: Cell): Step {
  return give(cell.words, cell.lock ?? cell.at + LOCK);
}

/** Takes the lot's lock. */
export function* lockLot(cell: Cell): Slow<void> {
  yield takeLot(cell);
}

/** Gives the lot's lock back. */
export function* unlockLot(cell: Cell): Slow<void> {
  yield giveLot(cell);
}

/** Puts a waiter at the end. Under the lock. */
export function enqueue(cell: Cell, waiter: number): void {
  const records = cell.site.ground.words;
  const last = cell.words[cell.at + TAIL];
  records[waiter + W_NEXT] = 0;
  records[waiter + W_PREV] = last;
  if (last === 0) cell.words[cell.at + HEAD] = waiter;
  else records[last + W_NEXT] = waiter;
  cell.words[cell.at + TAIL] = waiter;
  Atomics.store(records, waiter + W_STATE, WAITING);
}

/** Puts a waiter at the front. Under the lock. */
export function enqueueFirst(cell: Cell, waiter: number): void {
  const records = cell.site.ground.words;
  const first = cell.words[cell.at + HEAD];
  records[waiter + W_NEXT] = first;
  records[waiter + W_PREV] = 0;
  if (first === 0) cell.words[cell.at + TAIL] = waiter;
  else records[first + W_PREV] = waiter;
  cell.words[cell.at + HEAD] = waiter;
  Atomics.store(records, waiter + W_STATE, WAITING);
}

/** Takes a waiter out. Under the lock. */
export function unlink(cell: Cell, waiter: number): void {
  const records = cell.site.ground.words;
  const next = records[waiter + W_NEXT];
  const prev = records[waiter + W_PREV];
  if (prev === 0) cell.words[cell.at + HEAD] = next;
  else records[prev + W_NEXT] = next;
  if (next === 0) cell.words[cell.at + TAIL] = prev;
  else records[next + W_PREV] = prev;
}

/** The first waiter, or 0. Under the lock. */
export function first(cell: Cell): number {
  return cell.words[cell.at + HEAD];
}

/** The waiter behind `waiter`, or 0. Under the lock. */
export function after(cell: Cell, waiter: number): number {
  return cell.site.ground.words[waiter + W_NEXT];
}

/**
 * The first waiter that can use a permit now, or 0. For an asynchronous one its agent's `A_UNCLAIMED` has been raised, which the
 * waiter lowers when it picks the permit up (see `block` in park.ts for the race). Under the lock.
 */
export function* firstAwake(cell: Cell): Slow<number> {
  const records = cell.site.ground.words;
  let asleep = 0;
  for (let waiter = first(cell); waiter !== 0; waiter = records[waiter + W_NEXT]) {
    if (records[waiter + W_FORM] === SYNC) return waiter;
    const agent = records[waiter + W_AGENT];
    if (agent === asleep) continue;
    if ((yield load(records, agent + A_STOP)) === TAKEN) {
      unlink(cell, waiter);
      continue;
    }
    for (;;) {
      yield add(records, agent + A_UNCLAIMED, 1);
      if ((yield load(records, agent + A_BLOCKED)) === 0) return waiter;
      yield add(records, agent + A_UNCLAIMED, -1);
      yield store(records, agent + A_SKIPPED, 1);
      if ((yield load(records, agent + A_BLOCKED)) === 1) break;
    }
    asleep = agent;
  }
  return 0;
}

/**
 * Grants: tells the waiters, which the caller has taken out of the lot, `state` and `data`. Under the lock, and after the
 * primitive's own words say what the grant says, since a waiter goes on at once. Returns whom to {@linkcode rouse}.
 */
export function grant(
  cell: Cell,
  waiters: readonly number[],
  state: number = GRANTED,
  data: (index: number) => number = () => 0,
): Grant[] {
  const { ground } = cell.site;
  return waiters.map((waiter, index) => {
    // Read before: once told, a waiter may be gone.
    const agent = ground.words[waiter + W_AGENT];
    const form = ground.words[waiter + W_FORM];
    ground.words[waiter + W_DATA] = data(index);
    tell(ground, waiter, state);
    return { agent, form };
  });
}

/** Grants everybody in the lot. Under the lock. */
export function grantAll(cell: Cell, state: number = GRANTED): Grant[] {
  const waiters: number[] = [];
  for (let waiter = first(cell); waiter !== 0; waiter = first(cell)) {
    unlink(cell, waiter);
    waiters.push(waiter);
  }
  return grant(cell, waiters, state);
}

/** Who has to be woken for a grant. */
export interface Grant {
  readonly agent: number;
  readonly form: number;
}

/** Wakes those who were granted. After the lock is given back, so that they do not run into it. */
export function* rouse(cell: Cell, grants: readonly Grant[]): Slow<void> {
  for (const { agent, form } of grants) yield wakeUp(cell.site.ground.words, agent, form);
}

/**
 * Waits for a grant. `withdraw` is called under the lock after the waiter has left the lot because of the limit. A grant that came
 * at the same moment wins: it is never lost. `woken` is for a caller that has parked the waiter once already.
 *
 * `repair` is called when somebody was killed, who may have held what the waiter waits for: more often than `deaths` says, which is
 * from before the caller looked.
 */
export function* settle(
  cell: Cell,
  waiter: number,
  limit: Limit,
  withdraw?: (settled: Settled, cell: Cell) => Slow<void>,
  woken?: Woken,
  repair?: (cell: Cell) => Slow<void>,
  deaths: number = ANY,
): Slow<Settled> {
  const records = cell.site.ground.words;
  const pending = waiter === cell.site.waiter ? undefined : cell.site.pending.get(waiter);
  if (pending !== undefined) pending.abandon = () => leaveLot(cell, waiter, withdraw);
  for (;; woken = undefined) {
    if (woken === undefined) {
      if (repair !== undefined) {
        const known = deaths;
        deaths = yield load(records, DEATHS);
        if (deaths !== known) yield* repair(cell);
      }
      woken = (yield park(records, waiter, limit, deaths)) as Woken;
    }
    let state = yield load(records, waiter + W_STATE);
    if (state !== WAITING) return state;
    if (woken === LOOK) continue;
    state = yield* leaveLot(cell, waiter, withdraw, -woken);
    return state === WAITING ? -woken : state;
  }
}

/** Takes the waiter out of the lot unless it has been granted; gives the state that it found. */
function* leaveLot(
  cell: Cell,
  waiter: number,
  withdraw: ((settled: Settled, cell: Cell) => Slow<void>) | undefined,
  settled: Settled = VANISHED,
): Slow<number> {
  yield* lockLot(cell);
  const state = yield load(cell.site.ground.words, waiter + W_STATE);
  if (state === WAITING) {
    unlink(cell, waiter);
    if (withdraw !== undefined) yield* withdraw(settled, cell);
  }
  yield* unlockLot(cell);
  return state;
}

/**
 * The agent ends: takes its asynchronous waiters out of every lot, and passes on what they were granted and did not pick up, so
 * that nothing is ever given to somebody who is not there.
 */
export function* abandonAll(site: Site): Slow<void> {
  yield* block(site);
  for (const { abandon } of [...site.pending.values()]) if (abandon !== undefined) yield* abandon();
}

/** An asynchronous waiter picks up a permit of {@linkcode firstAwake}. */
export function* claim(cell: Cell, waiter: number): Slow<void> {
  const records = cell.site.ground.words;
  if (records[waiter + W_FORM] === ASYNC) {
    yield add(records, cell.site.agent + A_UNCLAIMED, -1);
  }
}

/**
 * The agent is about to block: from here on nobody gives permits to its asynchronous waiters, and those they were given and could
 * not pick up go back, so that none lies idle while the event loop stands still.
 *
 * The race, with G granting a permit to a waiter of agent M while M blocks:
 * 1. G adds to `A_UNCLAIMED`, then reads `A_BLOCKED`; M writes `A_BLOCKED`, then reads `A_UNCLAIMED`.
 * 2. So either G sees M blocked and passes the waiter over, or M sees that something is unclaimed and takes it back (waiting, on the
 *    lot's lock, for a G that is in the middle of it).
 */
export function* block(site: Site): Slow<void> {
  const records = site.ground.words;
  yield store(records, site.agent + A_BLOCKED, 1);
  if ((yield load(records, site.agent + A_UNCLAIMED)) === 0) return;
  // Backwards, since each goes to the front of its queue.
  for (const { waiter, revocable } of [...site.pending.values()].reverse()) {
    if (revocable !== undefined) yield* revocable.revoke(waiter);
  }
}

/**
 * The agent runs on: its asynchronous waiters count again, and what was left lying because they did not is handed out.
 *
 * The race, with G passing over a waiter of agent M while M unblocks: G writes `A_SKIPPED` and then looks at `A_BLOCKED` again (and
 * grants after all when it is 0); M clears `A_BLOCKED` and then reads `A_SKIPPED`. One of them sees the other.
 */
export function* unblock(site: Site): Slow<void> {
  const records = site.ground.words;
  yield store(records, site.agent + A_BLOCKED, 0);
  if ((yield load(records, site.agent + A_SKIPPED)) === 0) return;
  yield store(records, site.agent + A_SKIPPED, 0);
  for (const { revocable } of [...site.pending.values()]) {
    if (revocable !== undefined) yield* revocable.distribute();
  }
}
