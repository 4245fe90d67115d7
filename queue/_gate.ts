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
 * All change under the lock only. Invariant when the lock is free: `COUNT - DUE > 0` only when no getter waits that could use an
 * item now, and likewise for room and putters; so whoever comes and finds an item that is not due may take it, and overtakes
 * nobody but asynchronous waiters of blocked agents.
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
  readonly #site: Site;
  readonly #getters: Cell;
  readonly #putters: Cell;
  readonly #joiners: Cell;
  readonly #gettersRevocable: Revocable;
  readonly #puttersRevocable: Revocable;

  constructor(maxsize: number, buffer?: SharedArrayBuffer) {
    this.words = new Int32Array(buffer ?? new SharedArrayBuffer(GATE_WORDS * 4));
    this.#site = here();
    const lot = (at: number): Cell => ({ site: this.#site, words: this.words, at, lock: LOCK });
    this.#getters = lot(GETTERS);
    this.#putters = lot(PUTTERS);
    this.#joiners = lot(JOINERS);
    this.words[MAXSIZE] = maxsize;
    this.#gettersRevocable = this.#revocable(this.#getters, DUE, () => this.#items());
    this.#puttersRevocable = this.#revocable(this.#putters, ROOM, () => this.#places());
  }

  /** Items that nobody has a right to. */
  get size(): number {
    return this.#items();
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

  /** Takes the lock for a stretch of plain code. */
  locked<R>(body: () => R): R {
    takeWord(this.words, LOCK, this.#site.agent);
    try {
      return body();
    } finally {
      giveWord(this.words, LOCK);
    }
  }

  /** Puts if there is room now. `push` stores the item; when it throws, nothing has changed. */
  tryPut(push: () => void): Passed {
    const { words } = this;
    takeWord(words, LOCK, this.#site.agent);
    let passed: Passed;
    let rings: Grant[] = NOBODY;
    try {
      passed = this.#mayPut();
      if (passed === DONE) {
        push();
        words[COUNT]++;
        words[UNFINISHED]++;
        if (words[GETTERS + HEAD] !== 0) rings = runSync(this.#site, this.#grantItems());
      }
    } finally {
      giveWord(words, LOCK);
    }
    if (rings !== NOBODY) runSync(this.#site, rouse(this.#getters, rings));
    return passed;
  }

  /** Gets if there is an item now. `pop` takes it out of the store. */
  tryGet(pop: () => void): Passed {
    const { words } = this;
    takeWord(words, LOCK, this.#site.agent);
    let passed: Passed;
    let rings: Grant[] = NOBODY;
    try {
      passed = this.#mayGet();
      if (passed === DONE) {
        pop();
        words[COUNT]--;
        if (words[PUTTERS + HEAD] !== 0) rings = runSync(this.#site, this.#grantPlaces());
      }
    } finally {
      giveWord(words, LOCK);
    }
    if (rings !== NOBODY) runSync(this.#site, rouse(this.#putters, rings));
    return passed;
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
    return passedOf(callSync(this.#site, limit, (waiter) => this.#put(waiter, limit, push)));
  }

  /** Waits for room and puts. */
  async put(limit: Limit, push: () => void): Promise<Passed> {
    const body = (waiter: number) => this.#put(waiter, limit, push);
    return passedOf(await callAsync(this.#site, limit, body, this.#puttersRevocable));
  }

  /** Waits for an item and gets it, blocking the calling thread. */
  getSync(limit: Limit, pop: () => void): Passed {
    if (this.#linger(() => this.#items() > 0)) {
      const passed = this.tryGet(pop);
      if (passed !== NOT_NOW) return passed;
    }
    return passedOf(callSync(this.#site, limit, (waiter) => this.#get(waiter, limit, pop)));
  }

  /** Waits for an item and gets it. */
  async get(limit: Limit, pop: () => void): Promise<Passed> {
    const body = (waiter: number) => this.#get(waiter, limit, pop);
    return passedOf(await callAsync(this.#site, limit, body, this.#gettersRevocable));
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

  *#put(waiter: number, limit: Limit, push: () => void): Slow<Settled> {
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

  *#get(waiter: number, limit: Limit, pop: () => void): Slow<Settled> {
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
      rings = [...yield* this.#grantItems(), ...yield* this.#grantPlaces()];
      yield give(this.words, LOCK);
      yield* rouse(this.#getters, rings);
    }
  }

  /** Gives items to getters. Under the lock. */
  #grantItems(): Slow<Grant[]> {
    return this.#grantAll(this.#getters, DUE, () => this.#items());
  }

  /** Gives places to putters. Under the lock. */
  #grantPlaces(): Slow<Grant[]> {
    return this.#grantAll(this.#putters, ROOM, () => this.#places());
  }

  *#grantAll(lot: Cell, granted: number, available: () => number): Slow<Grant[]> {
    if (first(lot) === 0) return NOBODY;
    const chosen: number[] = [];
    while (available() > 0) {
      const waiter = yield* firstAwake(lot);
      if (waiter === 0) break;
      this.words[granted]++;
      unlink(lot, waiter);
      chosen.push(waiter);
    }
    return chosen.length === 0 ? NOBODY : grant(lot, chosen);
  }

  /** See {@linkcode Revocable}. */
  #revocable(lot: Cell, granted: number, available: () => number): Revocable {
    const { words } = this;
    const site = this.#site;
    const grantAll = () => this.#grantAll(lot, granted, available);
    return {
      *revoke(waiter) {
        yield take(words, LOCK, site.agent);
        let rings: Grant[] = NOBODY;
        if ((yield load(site.ground.words, waiter + W_STATE)) === GRANTED) {
          yield add(site.ground.words, site.agent + A_UNCLAIMED, -1);
          words[granted]--;
          enqueueFirst(lot, waiter);
          rings = yield* grantAll();
        }
        yield give(words, LOCK);
        yield* rouse(lot, rings);
      },
      *distribute() {
        yield take(words, LOCK, site.agent);
        const rings = yield* grantAll();
        yield give(words, LOCK);
        yield* rouse(lot, rings);
      },
    };
  }

  /** One item is done; `false` when none was left to be done. */
  taskDone(): boolean {
    const { words } = this;
    const left = this.locked(() => words[UNFINISHED] === 0 ? -1 : --words[UNFINISHED]);
    if (left === 0) this.#releaseJoiners();
    return left >= 0;
  }

  #releaseJoiners(): void {
    runSync(this.#site, event.releaseAll(this.#joiners));
  }

  /** Waits until all items are done; `false` when time has run out. */
  async join(limit: Limit): Promise<boolean> {
    if (this.words[UNFINISHED] === 0) return true;
    return await callAsync(this.#site, limit, (waiter) => this.#join(waiter, limit)) === GRANTED;
  }

  /** As {@linkcode Gate.join}, blocking the calling thread. */
  joinSync(limit: Limit): boolean {
    if (this.words[UNFINISHED] === 0) return true;
    return callSync(this.#site, limit, (waiter) => this.#join(waiter, limit)) === GRANTED;
  }

  #join(waiter: number, limit: Limit): Slow<Settled> {
    return event.wait(this.#joiners, waiter, limit, UNFINISHED - JOINERS, (left) => left === 0);
  }

  /** Closes the queue. `clear`, for an immediate shutdown, empties the store. */
  shutdown(clear?: () => void): void {
    const { words } = this;
    this.locked(() => {
      words[SHUT] = 1;
      if (clear === undefined) return;
      clear();
      words[UNFINISHED] = Math.max(0, words[UNFINISHED] - words[COUNT]);
      words[COUNT] = 0;
    });
    runSync(this.#site, event.releaseAll(this.#getters, LOOK_AGAIN));
    runSync(this.#site, event.releaseAll(this.#putters, LOOK_AGAIN));
    if (words[UNFINISHED] === 0) this.#releaseJoiners();
  }
}

/** How often {@linkcode Gate} looks: some microseconds in all. */
const LOOKS = 64;

const HEAD = 1;
const NOBODY: Grant[] = [];

function passedOf(settled: Settled): Passed {
  return settled === GRANTED ? DONE : settled === LATE ? NOT_NOW : CLOSED;
}
