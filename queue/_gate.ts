/**
 * The gate of a queue: who may put and who may get, and who waits. It knows how many items there are, not what they are; the items
 * lie in a store, which is touched under the gate's lock only.
 *
 * One lock word, three lots: getters, putters, joiners. Words behind them:
 *
 * | word | meaning |
 * | ---- | ------- |
 * | COUNT | items in the store |
 * | DUE | of these, how many were granted to getters that have not picked them up |
 * | ROOM | granted to putters that have not filled it |
 * | MAXSIZE | 0 is unbounded; never changes |
 * | UNFINISHED | items that were put and not reported done |
 * | SHUT | 1 after `shutdown()`: nothing is put any more |
 *
 * All change under the lock only. Invariants when the lock is free:
 * - `COUNT - DUE > 0` only when no getter waits that could use an item now, and likewise for room and putters; so whoever comes and
 *   finds an item that is not due may take it, and overtakes nobody but asynchronous waiters of blocked agents.
 * - Once SHUT is 1, nobody waits to put, and nobody waits to get while no item is left that is not due. So whoever changes one of
 *   these words, or puts a waiter back, ends with {@linkcode Gate.grants}, which sees to both.
 * - Joiners wait only while UNFINISHED is not 0. They are let go under the same lock that made it 0: a joiner that came after the
 *   next `put` is not let go by the last `taskDone` before.
 *
 * A grant is a right to one item or one place, not a certain item: the item is chosen when it is picked up, so a priority queue
 * gives the smallest of that moment.
 *
 * @module
 */
import {
  A_UNCLAIMED,
  add,
  callAsync,
  callSync,
  type Cell,
  claim,
  enqueue,
  enqueueFirst,
  enterSection,
  event,
  first,
  firstAwake,
  give,
  giveWord,
  type Grant,
  grant,
  GRANTED,
  here,
  LATE,
  leaveSection,
  type Limit,
  load,
  lockLot,
  type Revocable,
  rouse,
  runSync,
  settle,
  type Settled,
  type Site,
  type Slow,
  take,
  takeWord,
  unlink,
  unlockLot,
  W_STATE,
} from "../threading/_core/mod.ts";

const LOCK = 0;
/** Where the lots are; each starts with an unused lock word of its own. */
const GETTERS = 0;
const PUTTERS = 3;
const JOINERS = 6;
const COUNT = 9;
const DUE = 10;
const ROOM = 11;
const MAXSIZE = 12;
const UNFINISHED = 13;
const SHUT = 14;
/** The store's own words start here. */
export const STORE = 16;
const GATE_WORDS = STORE + 8;

/** What {@linkcode Gate.put} and {@linkcode Gate.get} end with. */
export type Passed = typeof DONE | typeof NOT_NOW | typeof CLOSED;
/** It was put, or taken. */
export const DONE = 0;
/** There is no room, or no item, and time has run out. */
export const NOT_NOW = 1;
/** The queue was shut down. */
export const CLOSED = 2;

/** Grant: things have changed for everybody; look again. */
const LOOK_AGAIN = GRANTED + 1;

/** See the head of this file. */
export class Gate {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly site: Site;
  readonly #getters: Cell;
  readonly #putters: Cell;
  readonly #joiners: Cell;
  /** What becomes of waiting getters, and of waiting putters, when their agent blocks. */
  readonly gettersRevocable: Revocable;
  readonly puttersRevocable: Revocable;

  /** `words` are those of a gate that was made elsewhere; by default new ones. */
  constructor(maxsize: number, words?: Int32Array<SharedArrayBuffer>, site: Site = here()) {
    this.words = words ?? new Int32Array(new SharedArrayBuffer(GATE_WORDS * 4));
    this.site = site;
    const lot = (at: number): Cell => ({ site: this.site, words: this.words, at, lock: LOCK });
    this.#getters = lot(GETTERS);
    this.#putters = lot(PUTTERS);
    this.#joiners = lot(JOINERS);
    this.words[MAXSIZE] = maxsize;
    this.gettersRevocable = this.#revocable(this.#getters, DUE);
    this.puttersRevocable = this.#revocable(this.#putters, ROOM);
  }

  /** Items that nobody has a right to. */
  get size(): number {
    return Math.max(0, this.#items());
  }

  get full(): boolean {
    return this.#places() <= 0;
  }

  get shut(): boolean {
    return this.words[SHUT] !== 0;
  }

  #items(): number {
    return Atomics.load(this.words, COUNT) - this.words[DUE];
  }

  #places(): number {
    const maxsize = this.words[MAXSIZE];
    return maxsize === 0 ? Infinity : maxsize - this.words[COUNT] - this.words[ROOM];
  }

  /** Puts if there is room now. `push` stores the item; when it throws, nothing has changed. */
  tryPut(push: () => void): Passed {
    const { words } = this;
    // Up to the wake-ups: who was granted something and is not woken would sleep on.
    enterSection();
    takeWord(words, LOCK, this.site.agent);
    let passed: Passed;
    let rings: Grant[] = NOBODY;
    try {
      passed = this.#mayPut();
      if (passed === DONE) {
        push();
        words[COUNT]++;
        words[UNFINISHED]++;
        if (this.#anybody()) rings = runSync(this.site, this.grants());
      }
    } finally {
      giveWord(words, LOCK);
      if (rings !== NOBODY) runSync(this.site, rouse(this.#getters, rings));
      leaveSection();
    }
    return passed;
  }

  /** Gets if there is an item now. `pop` takes it out of the store. */
  tryGet(pop: () => void): Passed {
    const { words } = this;
    // Up to the wake-ups: who was granted something and is not woken would sleep on.
    enterSection();
    takeWord(words, LOCK, this.site.agent);
    let passed: Passed;
    let rings: Grant[] = NOBODY;
    try {
      passed = this.#mayGet();
      if (passed === DONE) {
        pop();
        words[COUNT]--;
        if (this.#anybody()) rings = runSync(this.site, this.grants());
      }
    } finally {
      giveWord(words, LOCK);
      if (rings !== NOBODY) runSync(this.site, rouse(this.#getters, rings));
      leaveSection();
    }
    return passed;
  }

  #anybody(): boolean {
    return this.words[GETTERS + HEAD] !== 0 || this.words[PUTTERS + HEAD] !== 0;
  }

  #mayPut(): Passed {
    return this.words[SHUT] !== 0 ? CLOSED : this.#places() > 0 ? DONE : NOT_NOW;
  }

  #mayGet(): Passed {
    return this.#items() > 0 ? DONE : this.words[SHUT] !== 0 ? CLOSED : NOT_NOW;
  }

  /** Waits for room and puts, blocking the calling thread. */
  putSync(limit: Limit, push: () => void): Passed {
    if (this.#linger(() => this.#places() > 0)) {
      const passed = this.tryPut(push);
      if (passed !== NOT_NOW) return passed;
    }
    return passedOf(callSync(this.site, limit, (waiter) => this.putting(waiter, limit, push)));
  }

  /** Waits for room and puts. */
  async put(limit: Limit, push: () => void): Promise<Passed> {
    const body = (waiter: number) => this.putting(waiter, limit, push);
    return passedOf(await callAsync(this.site, limit, body, this.puttersRevocable));
  }

  /** Waits for an item and gets it, blocking the calling thread. */
  getSync(limit: Limit, pop: () => void): Passed {
    if (this.#linger(() => this.#items() > 0)) {
      const passed = this.tryGet(pop);
      if (passed !== NOT_NOW) return passed;
    }
    return passedOf(callSync(this.site, limit, (waiter) => this.getting(waiter, limit, pop)));
  }

  /** Waits for an item and gets it. */
  async get(limit: Limit, pop: () => void): Promise<Passed> {
    const body = (waiter: number) => this.getting(waiter, limit, pop);
    return passedOf(await callAsync(this.site, limit, body, this.gettersRevocable));
  }

  /**
   * Looks out for a moment before it sleeps. Two threads that keep pace with each other then never sleep: to fall asleep and be woken
   * costs ten times as much as the look, to both sides.
   */
  #linger(ready: () => boolean): boolean {
    for (let look = 0; look < LOOKS; look++) {
      if (ready()) return true;
      for (let i = 0; i < 8; i++) Atomics.pause();
    }
    return false;
  }

  /** {@linkcode Gate.put} as a slow path; with a deadline of `-Infinity`, {@linkcode Gate.tryPut}. */
  *putting(waiter: number, limit: Limit, push: () => void): Slow<Settled> {
    return yield* this.#pass(
      this.#putters,
      waiter,
      limit,
      () => this.#mayPut(),
      ROOM,
      (granted) => {
        push();
        this.words[COUNT]++;
        this.words[UNFINISHED]++;
        return granted;
      },
    );
  }

  /** {@linkcode Gate.get} as a slow path; with a deadline of `-Infinity`, {@linkcode Gate.tryGet}. */
  *getting(waiter: number, limit: Limit, pop: () => void): Slow<Settled> {
    return yield* this.#pass(this.#getters, waiter, limit, () => this.#mayGet(), DUE, (granted) => {
      pop();
      this.words[COUNT]--;
      return granted;
    });
  }

  /**
   * The way of every waiting call: go if it may, else wait for a grant and use it.
   *
   * @param granted The word that counts grants of this lot that were not used yet.
   * @param act Moves the item, under the lock.
   */
  *#pass(
    lot: Cell,
    waiter: number,
    limit: Limit,
    may: () => Passed,
    granted: number,
    act: (passed: Settled) => Settled,
  ): Slow<Settled> {
    for (;;) {
      yield* lockLot(lot);
      const passed = may();
      if (passed === DONE) return yield* this.#finish(act);
      if (passed === CLOSED || limit.deadline === -Infinity) {
        yield* unlockLot(lot);
        return passed === CLOSED ? LOOK_AGAIN : LATE;
      }
      enqueue(lot, waiter);
      yield* unlockLot(lot);
      const settled = yield* settle(lot, waiter, limit);
      if (settled === LOOK_AGAIN) continue;
      if (settled !== GRANTED) return settled;
      yield* lockLot(lot);
      this.words[granted]--;
      yield* claim(lot, waiter);
      // What was granted may be gone: an immediate shutdown throws items away, and any shutdown ends putting.
      if (may() === DONE) return yield* this.#finish(act);
      yield* unlockLot(lot);
    }
  }

  /** Moves the item and lets others profit, then gives the lock back. */
  *#finish(act: (passed: Settled) => Settled): Slow<Settled> {
    let rings: Grant[] = NOBODY;
    try {
      return act(GRANTED);
    } finally {
      // After a failed push too: the place that it was granted is somebody else's now.
      rings = yield* this.grants();
      yield give(this.words, LOCK);
      yield* rouse(this.#getters, rings);
    }
  }

  /** Gives items to getters and places to putters, and sends those away who wait for what will not come. Under the lock. */
  *grants(): Slow<Grant[]> {
    const getters = yield* this.#grantAll(this.#getters, DUE);
    const putters = yield* this.#grantAll(this.#putters, ROOM);
    return getters.length === 0
      ? putters
      : putters.length === 0
      ? getters
      : getters.concat(putters);
  }

  *#grantAll(lot: Cell, granted: number): Slow<Grant[]> {
    if (first(lot) === 0) return NOBODY;
    const chosen: number[] = [];
    while (this.#available(granted)) {
      const waiter = yield* firstAwake(lot);
      if (waiter === 0) break;
      this.words[granted]++;
      unlink(lot, waiter);
      chosen.push(waiter);
    }
    const grants = chosen.length === 0 ? NOBODY : grant(lot, chosen);
    if (this.words[SHUT] === 0 || this.#available(granted) || first(lot) === 0) return grants;
    return grants.concat(this.#release(lot, LOOK_AGAIN));
  }

  /** Whether there is something to grant. */
  #available(granted: number): boolean {
    return granted === DUE ? this.#items() > 0 : this.words[SHUT] === 0 && this.#places() > 0;
  }

  /** Lets everybody go who is in a lot. Under the lock. */
  #release(lot: Cell, state: number): Grant[] {
    const waiters: number[] = [];
    for (let waiter = first(lot); waiter !== 0; waiter = first(lot)) {
      unlink(lot, waiter);
      waiters.push(waiter);
    }
    return grant(lot, waiters, state);
  }

  /** See {@linkcode Revocable}. */
  #revocable(lot: Cell, granted: number): Revocable {
    const { words } = this;
    const site = this.site;
    const grants = () => this.grants();
    return {
      *revoke(waiter) {
        yield take(words, LOCK, site.agent);
        let rings: Grant[] = NOBODY;
        if ((yield load(site.ground.words, waiter + W_STATE)) === GRANTED) {
          yield add(site.ground.words, site.agent + A_UNCLAIMED, -1);
          words[granted]--;
          enqueueFirst(lot, waiter);
          rings = yield* grants();
        }
        yield give(words, LOCK);
        yield* rouse(lot, rings);
      },
      *distribute() {
        yield take(words, LOCK, site.agent);
        const rings = yield* grants();
        yield give(words, LOCK);
        yield* rouse(lot, rings);
      },
    };
  }

  /** One item is done; `false` when none was left to be done. */
  taskDone(): boolean {
    enterSection();
    takeWord(this.words, LOCK, this.site.agent);
    const rings = this.#report();
    giveWord(this.words, LOCK);
    if (rings !== undefined && rings.length > 0) runSync(this.site, rouse(this.#joiners, rings));
    leaveSection();
    return rings !== undefined;
  }

  /** {@linkcode Gate.taskDone} as a slow path. */
  *reporting(): Slow<boolean> {
    yield* lockLot(this.#joiners);
    const rings = this.#report();
    yield* unlockLot(this.#joiners);
    if (rings !== undefined) yield* rouse(this.#joiners, rings);
    return rings !== undefined;
  }

  /** Counts one item as done and gives the joiners whom that lets go; `undefined` when none was left. Under the lock. */
  #report(): Grant[] | undefined {
    if (this.words[UNFINISHED] === 0) return undefined;
    return --this.words[UNFINISHED] === 0 ? this.#release(this.#joiners, GRANTED) : NOBODY;
  }

  /** Waits until all items are done; `false` when time has run out. */
  async join(limit: Limit): Promise<boolean> {
    if (this.words[UNFINISHED] === 0) return true;
    return await callAsync(this.site, limit, (waiter) => this.joining(waiter, limit)) === GRANTED;
  }

  /** As {@linkcode Gate.join}, blocking the calling thread. */
  joinSync(limit: Limit): boolean {
    if (this.words[UNFINISHED] === 0) return true;
    return callSync(this.site, limit, (waiter) => this.joining(waiter, limit)) === GRANTED;
  }

  /** {@linkcode Gate.join} as a slow path. */
  joining(waiter: number, limit: Limit): Slow<Settled> {
    return event.wait(this.#joiners, waiter, limit, UNFINISHED - JOINERS, (left) => left === 0);
  }

  /** Closes the queue. `clear`, for an immediate shutdown, empties the store. */
  shutdown(clear?: () => void): void {
    runSync(this.site, this.closing(clear));
  }

  /** {@linkcode Gate.shutdown} as a slow path. */
  *closing(clear?: () => void): Slow<void> {
    const { words } = this;
    yield* lockLot(this.#getters);
    let rings: Grant[] = NOBODY;
    try {
      words[SHUT] = 1;
      if (clear !== undefined) {
        clear();
        words[UNFINISHED] = Math.max(0, words[UNFINISHED] - words[COUNT]);
        words[COUNT] = 0;
        if (words[UNFINISHED] === 0) rings = this.#release(this.#joiners, GRANTED);
      }
    } finally {
      rings = rings.concat(yield* this.grants());
      yield* unlockLot(this.#getters);
      yield* rouse(this.#getters, rings);
    }
  }
}

/** How often {@linkcode Gate} looks: some microseconds in all. */
const LOOKS = 64;

const HEAD = 1;
const NOBODY: Grant[] = [];

function passedOf(settled: Settled): Passed {
  return settled === GRANTED ? DONE : settled === LATE ? NOT_NOW : CLOSED;
}
