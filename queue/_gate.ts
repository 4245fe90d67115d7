/**
 * The gate of a queue: who may put and who may get, and who waits. It knows how many items there are, not what they are; the items
 * lie in a store, which is touched under the gate's lock only.
 *
 * One lock word, three lots: getters, putters, joiners. Words behind them:
 *
 * | word | meaning |
 * | ---- | ------- |
 * | COUNT | items in the store |
 * | OFFERED | of these, the last ones, how many belong to putters that wait for room |
 * | DUE | how many were granted to getters that have not picked them up |
 * | FLYING | of these, how many to getters that block: they are being woken |
 * | ROOM | granted to putters that have not filled it |
 * | MAXSIZE | 0 is unbounded; never changes |
 * | UNFINISHED | items that were put and not reported done |
 * | SHUT | 1 after `shutdown()`: nothing is put any more |
 * | LOOKOUT | agent of the getter that is not in the lot and looks for an item before it goes to sleep, or 0 |
 * | PASSED | items that such getters took in a row while others were in the lot |
 * | WATCH | agent of the putter that does the same for room, or 0 |
 * | FLIER | agent of the last of those whom FLYING counts, until it has picked its item up |
 *
 * | PACE | how often who looks out looks, or, below 0, how many calls do not look at all; see `#look` |
 *
 * All change under the lock only, but for LOOKOUT and WATCH, which are set without it and cleared under it, and PACE, a mere hint.
 *
 * **Waiting to put.** Where the store keeps the order of entry, a putter that has to wait leaves its item in the store, behind
 * those that are in the queue: an offer. Who makes room counts the first of them as being in the queue and tells its putter; so the
 * item moves without the putter, whose wake-up is only the news. Who gives up takes its item out again, under the lock. The putters'
 * lot is at any time: those with an offer, in the order of their items, then those without one (their item does not fit without
 * moving the store, or one without an offer is before them, or the queue is of another kind); these are granted a place and put
 * their item themselves. While there are offers the store does not move, so who has one can always find it.
 *
 * **Waiting to get.** A grant is a right to one item, not a certain item: the item is chosen when it is picked up, so a priority
 * queue gives the smallest of that moment. What was granted to a getter that blocks takes no room any more: it is as good as gone.
 *
 * **Few wake-ups.** One costs as much as moving ten items. So while a getter is being woken (FLIER) and there is room, nobody else
 * is; it wakes the next one itself, when it picks its item up and there are more. And while a getter looks out, the one item that
 * it looks for is left to it. Waiters are granted in the order they came, but one who comes meanwhile may take what is there:
 * through LOOKOUT {@linkcode MOST_PASSED} times in a row, through FLIER as long as a wake-up takes. Who was killed is waited for by nobody: the others look again when they are told of it.
 *
 * Invariants when the lock is free, `items` being COUNT - OFFERED - DUE and `places` MAXSIZE - (COUNT - OFFERED - FLYING) - ROOM:
 * - `items > 0` while a getter waits that could use an item now, only when a getter that is awake or being woken will come to the
 *   lock and go through {@linkcode Gate.grants}; and then not with `places <= 0`, but for one item that is left to the lookout.
 * - `places > 0` only when no putter waits that could use a place now. So whoever comes and finds a place may take it, and overtakes
 *   nobody but asynchronous waiters of blocked agents.
 * - Once SHUT is 1, nobody waits to put, and nobody waits to get while no item is left that is not due. So whoever changes one of
 *   these words, or puts a waiter back, ends with {@linkcode Gate.grants}, which sees to both.
 * - Joiners wait only while UNFINISHED is not 0. They are let go under the same lock that made it 0: a joiner that came after the
 *   next `put` is not let go by the last `taskDone` before.
 *
 * @module
 */
import {
  A_STATUS,
  A_UNCLAIMED,
  add,
  after,
  callAsync,
  callSync,
  cas,
  type Cell,
  claim,
  DEAD,
  DEATHS,
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
  store,
  SYNC,
  take,
  takeWord,
  unlink,
  unlockLot,
  W_AGENT,
  W_DATA,
  W_FORM,
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
const FLYING = 15;
/** See the head of this file; the store reads it. */
export const OFFERED = 16;
const LOOKOUT = 17;
const PASSED = 18;
const WATCH = 19;
const FLIER = 20;
const PACE = 21;
/** The store's own words start here. Even, since one of them is a double. */
export const STORE = 22;
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
/** Grant, to a putter: its offer is in the queue. */
const ACCEPTED = GRANTED + 2;

/** Stores the item of a putter that has to wait; `false` when that cannot be done now. When it throws, nothing has changed. */
export type Offer = () => boolean;

/** Takes offers out of a store: `count` in a row, the last of which is followed by `behind` others. */
export type Retract = (count: number, behind: number) => void;

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

  readonly #retract: Retract;

  /** `words` are those of a gate that was made elsewhere; by default new ones. `retract` is the store's, where it knows offers. */
  constructor(
    maxsize: number,
    words?: Int32Array<SharedArrayBuffer>,
    retract: Retract = () => {},
    site: Site = here(),
  ) {
    this.#retract = retract;
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
    const { words } = this;
    return Atomics.load(words, COUNT) - words[OFFERED] - words[DUE];
  }

  #places(): number {
    const { words } = this;
    const maxsize = words[MAXSIZE];
    if (maxsize === 0) return Infinity;
    return maxsize - Atomics.load(words, COUNT) + words[OFFERED] + words[FLYING] - words[ROOM];
  }

  /** Puts if there is room now. `push` stores the item; when it throws, nothing has changed. */
  tryPut(push: () => void): Passed {
    return this.#tryPut(push, false);
  }

  #tryPut(push: () => void, watched: boolean): Passed {
    const { words } = this;
    // Up to the wake-ups: who was granted something and is not woken would sleep on.
    enterSection();
    takeWord(words, LOCK, this.site.agent);
    let passed: Passed;
    let rings: Grant[] = NOBODY;
    try {
      if (watched) words[WATCH] = 0;
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
      if (watched) leaveSection();
    }
    return passed;
  }

  /** Gets if there is an item now. `pop` takes it out of the store. */
  tryGet(pop: () => void): Passed {
    return this.#tryGet(pop, false);
  }

  #tryGet(pop: () => void, lookout: boolean): Passed {
    const { words } = this;
    // Up to the wake-ups: who was granted something and is not woken would sleep on.
    enterSection();
    takeWord(words, LOCK, this.site.agent);
    let passed: Passed;
    let changed = lookout;
    let rings: Grant[] = NOBODY;
    try {
      if (lookout) words[LOOKOUT] = 0;
      passed = this.#mayGet();
      if (passed === DONE) {
        pop();
        words[COUNT]--;
        changed = true;
        if (lookout) this.#countPassed();
      }
    } finally {
      if (changed && this.#anybody()) rings = runSync(this.site, this.grants());
      giveWord(words, LOCK);
      if (rings !== NOBODY) runSync(this.site, rouse(this.#getters, rings));
      leaveSection();
      if (lookout) leaveSection();
    }
    return passed;
  }

  #anybody(): boolean {
    return this.words[GETTERS + HEAD] !== 0 || this.words[PUTTERS + HEAD] !== 0;
  }

  /** A lookout has taken an item. Under the lock. */
  #countPassed(): void {
    if (this.words[GETTERS + HEAD] !== 0) this.words[PASSED]++;
  }

  #mayPut(): Passed {
    return this.words[SHUT] !== 0 ? CLOSED : this.#places() > 0 ? DONE : NOT_NOW;
  }

  #mayGet(): Passed {
    return this.#items() > 0 ? DONE : this.words[SHUT] !== 0 ? CLOSED : NOT_NOW;
  }

  /** Waits for room and puts, blocking the calling thread. */
  putSync(limit: Limit, push: () => void, offer?: Offer): Passed {
    const looks = this.#looks(PUTTERS);
    if (looks > 0 && this.#stand(WATCH)) {
      this.#look(looks, () => this.#places() > 0);
      if (this.#tryPut(push, true) === DONE) return DONE;
    }
    return passedOf(
      callSync(this.site, limit, (waiter) => this.putting(waiter, limit, push, offer)),
    );
  }

  /** How often the next call may look. Where others are in its lot, only if that has just paid. */
  #looks(lot: number): number {
    const { words } = this;
    const pace = words[PACE];
    if (pace > 0) return pace === MOST_LOOKS || words[lot + HEAD] === 0 ? pace : 0;
    words[PACE] = pace < 0 ? pace + 1 : MOST_LOOKS;
    return 0;
  }

  /**
   * Looks out for a moment before its caller sleeps. Two threads that keep pace with each other then never sleep; where that does not
   * work, since there are more threads than processors, all soon look less, and then only now and then. All sides share one pace: it
   * takes two to keep it.
   */
  #look(looks: number, ready: () => boolean): void {
    for (let look = 0; look < looks; look++) {
      if (ready()) {
        this.words[PACE] = MOST_LOOKS;
        return;
      }
      for (let i = 0; i < 8; i++) Atomics.pause();
    }
    const crowd = this.#anybody();
    const left = looks - (crowd ? MOST_LOOKS >> 1 : MOST_LOOKS >> 3);
    this.words[PACE] = left > 0 ? left : -REST;
  }

  /** Begins to look out, unless somebody else does: opens the section that `#tryPut` or `#tryGet` ends, which clears the word. */
  #stand(word: number): boolean {
    enterSection();
    const { words, site } = this;
    const seen = Atomics.load(words, word);
    if (seen === 0 || !runSync(site, this.#lives(seen))) {
      if (Atomics.compareExchange(words, word, seen, site.agent) === seen) return true;
    }
    leaveSection();
    return false;
  }

  /** Waits for room and puts. */
  async put(limit: Limit, push: () => void, offer?: Offer): Promise<Passed> {
    const body = (waiter: number) => this.putting(waiter, limit, push, offer);
    return passedOf(await callAsync(this.site, limit, body, this.puttersRevocable));
  }

  /** Waits for an item and gets it, blocking the calling thread. */
  getSync(limit: Limit, pop: () => void): Passed {
    const looks = this.#looks(GETTERS);
    if (looks > 0 && this.#stand(LOOKOUT)) {
      this.#look(looks, () => this.#items() > 0);
      if (this.#tryGet(pop, true) === DONE) return DONE;
    }
    return passedOf(callSync(this.site, limit, (waiter) => this.getting(waiter, limit, pop)));
  }

  /** Waits for an item and gets it. */
  async get(limit: Limit, pop: () => void): Promise<Passed> {
    const body = (waiter: number) => this.getting(waiter, limit, pop);
    return passedOf(await callAsync(this.site, limit, body, this.gettersRevocable));
  }

  /** {@linkcode Gate.put} as a slow path; with a deadline of `-Infinity`, {@linkcode Gate.tryPut}. */
  *putting(waiter: number, limit: Limit, push: () => void, offer?: Offer): Slow<Settled> {
    const { words } = this;
    const lot = this.#putters;
    const act = () => {
      push();
      words[COUNT]++;
      words[UNFINISHED]++;
    };
    for (;;) {
      yield* lockLot(lot);
      const passed = this.#mayPut();
      if (passed === DONE) return yield* this.#finish(act);
      if (passed === CLOSED || limit.deadline === -Infinity) {
        yield* unlockLot(lot);
        return passed === CLOSED ? LOOK_AGAIN : LATE;
      }
      try {
        this.#enqueuePutter(waiter, offer);
      } finally {
        yield* unlockLot(lot);
      }
      const settled = yield* settle(lot, waiter, limit, () => this.#withdraw(waiter));
      if (settled === ACCEPTED) return GRANTED;
      if (settled === LOOK_AGAIN) continue;
      if (settled !== GRANTED) return settled;
      yield* lockLot(lot);
      words[ROOM]--;
      yield* claim(lot, waiter);
      // What was granted may be gone: a shutdown ends putting.
      if (this.#mayPut() === DONE) return yield* this.#finish(act);
      yield* unlockLot(lot);
    }
  }

  /** Puts a putter into the lot, with an offer if that can be. Under the lock. */
  #enqueuePutter(waiter: number, offer: Offer | undefined): void {
    const { words } = this;
    const last = words[PUTTERS + TAIL];
    const inOrder = last === 0 ? words[ROOM] === 0 : this.#hasOffer(last);
    const offered = inOrder && offer !== undefined && offer();
    if (offered) {
      words[COUNT]++;
      words[OFFERED]++;
    }
    this.site.ground.words[waiter + W_DATA] = offered ? 1 : 0;
    enqueue(this.#putters, waiter);
  }

  #hasOffer(waiter: number): boolean {
    return this.site.ground.words[waiter + W_DATA] === 1;
  }

  /** A putter has left the lot without having been granted anything. Under the lock. */
  // deno-lint-ignore require-yield -- a slow path like others
  *#withdraw(waiter: number): Slow<void> {
    if (!this.#hasOffer(waiter)) return;
    let behind = 0;
    for (
      let next = after(this.#putters, waiter);
      next !== 0 && this.#hasOffer(next);
      next = after(this.#putters, next)
    ) behind++;
    this.#takeBack(1, behind);
  }

  #takeBack(count: number, behind: number): void {
    this.#retract(count, behind);
    this.words[OFFERED] -= count;
    this.words[COUNT] -= count;
  }

  /**
   * {@linkcode Gate.get} as a slow path; with a deadline of `-Infinity`, {@linkcode Gate.tryGet}. A `lookout` looks before it waits,
   * as {@linkcode Gate.getSync} does.
   */
  *getting(waiter: number, limit: Limit, pop: () => void, lookout = false): Slow<Settled> {
    const { words } = this;
    const lot = this.#getters;
    const act = () => {
      pop();
      words[COUNT]--;
    };
    if (lookout && (yield cas(words, LOOKOUT, 0, this.site.agent)) === 0) {
      yield load(words, COUNT);
      yield* lockLot(lot);
      yield store(words, LOOKOUT, 0);
      if (this.#mayGet() === DONE) {
        return yield* this.#finish(() => {
          act();
          this.#countPassed();
        });
      }
      yield* unlockLot(lot);
    }
    for (;;) {
      const deaths = yield load(this.site.ground.words, DEATHS);
      yield* lockLot(lot);
      const passed = this.#mayGet();
      if (passed === DONE) return yield* this.#finish(act);
      if (passed === CLOSED || limit.deadline === -Infinity) {
        yield* unlockLot(lot);
        return passed === CLOSED ? LOOK_AGAIN : LATE;
      }
      enqueue(lot, waiter);
      yield* unlockLot(lot);
      const again = () => this.#grantAgain();
      const settled = yield* settle(lot, waiter, limit, undefined, undefined, again, deaths);
      if (settled === LOOK_AGAIN) continue;
      if (settled !== GRANTED) return settled;
      yield* lockLot(lot);
      words[DUE]--;
      if (this.#blocks(waiter)) {
        words[FLYING]--;
        if (words[FLIER] === this.site.agent) words[FLIER] = 0;
      }
      yield* claim(lot, waiter);
      // What was granted may be gone: an immediate shutdown throws items away.
      if (this.#mayGet() === DONE) return yield* this.#finish(act);
      yield* unlockLot(lot);
    }
  }

  /** Somebody was killed, for whom an item may have been left. */
  *#grantAgain(): Slow<void> {
    yield* lockLot(this.#getters);
    const rings = yield* this.grants();
    yield* unlockLot(this.#getters);
    yield* rouse(this.#getters, rings);
  }

  #blocks(waiter: number): boolean {
    return this.site.ground.words[waiter + W_FORM] === SYNC;
  }

  /** Moves the item and lets others profit, then gives the lock back. */
  *#finish(act: () => void): Slow<Settled> {
    let rings: Grant[] = NOBODY;
    try {
      act();
      return GRANTED;
    } finally {
      // After a failure too: what this call was granted is somebody else's now.
      rings = yield* this.grants();
      yield give(this.words, LOCK);
      yield* rouse(this.#getters, rings);
    }
  }

  /** Gives items to getters and places to putters, and sends those away who wait for what will not come. Under the lock. */
  *grants(): Slow<Grant[]> {
    let rings: Grant[] = NOBODY;
    for (;;) {
      // In turns: what was handed over leaves room, and what is accepted can be handed over.
      const getters = yield* this.#grantItems();
      const putters = yield* this.#grantPlaces();
      if (getters === NOBODY && putters === NOBODY) break;
      rings = rings.concat(getters, putters);
    }
    const { words } = this;
    if (words[SHUT] === 0) return rings;
    if (words[GETTERS + HEAD] !== 0 && this.#items() <= 0) {
      rings = rings.concat(this.#release(this.#getters, LOOK_AGAIN));
    }
    if (words[PUTTERS + HEAD] !== 0) {
      rings = rings.concat(this.#release(this.#putters, LOOK_AGAIN));
    }
    return rings;
  }

  *#grantItems(): Slow<Grant[]> {
    const lot = this.#getters;
    if (first(lot) === 0 || this.#items() <= 0) return NOBODY;
    const { words } = this;
    const records = this.site.ground.words;
    const lookout = (yield* this.#lives(yield load(words, LOOKOUT))) &&
      words[PASSED] < MOST_PASSED;
    const chosen: number[] = [];
    while (this.#items() > 0) {
      if (lookout && this.#items() === 1) break;
      if (this.#places() > 0 && (lookout || (yield* this.#lives(words[FLIER])))) break;
      const waiter = yield* firstAwake(lot);
      if (waiter === 0) break;
      words[DUE]++;
      if (this.#blocks(waiter)) {
        words[FLYING]++;
        words[FLIER] = records[waiter + W_AGENT];
      }
      words[PASSED] = 0;
      unlink(lot, waiter);
      chosen.push(waiter);
    }
    return chosen.length === 0 ? NOBODY : grant(lot, chosen);
  }

  /** Whether this is an agent, and was not killed. */
  *#lives(agent: number): Slow<boolean> {
    return agent !== 0 && (yield load(this.site.ground.words, agent + A_STATUS)) !== DEAD;
  }

  *#grantPlaces(): Slow<Grant[]> {
    const lot = this.#putters;
    if (first(lot) === 0) return NOBODY;
    const { words } = this;
    const accepted: number[] = [];
    const granted: number[] = [];
    while (words[SHUT] === 0 && this.#places() > 0) {
      let waiter = first(lot);
      if (waiter === 0) break;
      if (this.#hasOffer(waiter)) {
        words[OFFERED]--;
        words[UNFINISHED]++;
        accepted.push(waiter);
      } else {
        // Here all are without an offer.
        waiter = yield* firstAwake(lot);
        if (waiter === 0) break;
        words[ROOM]++;
        granted.push(waiter);
      }
      unlink(lot, waiter);
    }
    if (accepted.length === 0 && granted.length === 0) return NOBODY;
    return grant(lot, accepted, ACCEPTED).concat(grant(lot, granted));
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
      if (words[OFFERED] > 0) this.#takeBack(words[OFFERED], 0);
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

/** How many items a lookout may take in a row while others wait. */
const MOST_PASSED = 16;

/** How often who looks out looks at most: some 20 microseconds in all, longer than it takes to wake the other side. */
const MOST_LOOKS = 64;
/** How many calls do not look when it was in vain too often. */
const REST = 64;

const HEAD = 1;
const TAIL = 2;
const NOBODY: Grant[] = [];

function passedOf(settled: Settled): Passed {
  return settled === GRANTED ? DONE : settled === LATE ? NOT_NOW : CLOSED;
}
