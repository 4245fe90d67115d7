/**
 * A queue whose words this process has: who may put and who may get, and how they wait. The items lie in a {@linkcode Ring}.
 *
 * Words before those of the ring, all changed by anybody:
 *
 * | word    | meaning                                                                      |
 * | ------- | ---------------------------------------------------------------------------- |
 * | LOCK    | a lock of `_sync_mutex.ts`: held for the length of one operation of the ring |
 * | ITEMS   | changes when an item came while somebody waited for one                      |
 * | GETTERS | how many wait for an item                                                    |
 * | ROOM    | changes when an item went while somebody waited for room                     |
 * | PUTTERS | how many wait for room                                                       |
 * | DONE    | changes when all items were done while somebody joined                       |
 * | JOINERS | how many join                                                                |
 * | MAXSIZE | never changes; 0: any number                                                 |
 * | START   | never changes: where in the memory's object the ring's pages begin           |
 *
 * ITEMS and ROOM have a bit TOLD: somebody was woken, and nobody who waits has looked since. Who finds it set wakes nobody: waking
 * costs a call of the system, and whoever is woken takes a while to come, in which many an item may be put. Who puts sets it, who waits
 * clears it.
 *
 * Guarantees
 * - No wake-up is lost:
 *   1. Who waits counts himself in GETTERS, then clears TOLD and reads ITEMS, then looks for an item, then sleeps unless ITEMS has
 *      changed. Before he leaves, with or without an item, he tells the next one if there are more.
 *   2. Who puts puts, then looks at GETTERS, then changes ITEMS and sets TOLD, then wakes one. If TOLD was set, somebody is on his way
 *      to step 1, who will see the item, and tell the next.
 *   Either 2 sees the waiter, who then does not sleep on or is woken; or it looked before 1 counted, and the waiter sees the item.
 *   It is the same with room. All who join are told at once.
 * - Counts are taken back by who made them. One who was killed leaves his behind: then others are woken where nobody sleeps, at a
 *   microsecond each, and nothing else. What a death takes away of wake-ups, the slices of the sleepers bring back.
 * - Calls of this isolate that wait without blocking are served in the order they came.
 *
 * Relies on: the slices and the lines of `_sync_waiting.ts`; a lock that can be taken over at any moment, which the ring allows.
 *
 * @module
 */
import { BRIEF, FOREVER, type Limit, now, ONCE } from "../threading/_core/mod.ts";
import { Ring, RING_WORDS, type RingMemory } from "./_ring.ts";
import * as mutex from "./_sync_mutex.ts";
import { ABORTED, add, ALL, cas, LATE, load, type Seat, sleep, type Slow } from "./_sync_steps.ts";
import { isAwaited, runAsync, runSync, wakeAll } from "./_sync_waiting.ts";

export const LOCK = 1;
const ITEMS = 2;
const GETTERS = 3;
const ROOM = 4;
const PUTTERS = 5;
const DONE = 6;
const JOINERS = 7;
const MAXSIZE = 8;
export const START = 9;
/** How many words a queue has. */
export const QUEUE_WORDS = RING_WORDS;

/** Bit 0 of ITEMS and ROOM. */
const TOLD = 1;
/** What the rest of them counts in. */
const CHANGE = 2;

/** A result that may take its time. */
export type Later<T> = T | Promise<T>;

/** There was no item, and none came in time. */
export const NONE: unique symbol = Symbol("none");

/** What is made of the bytes of an item, before it returns: their memory is used again. */
export type Open<R> = (bytes: Uint8Array<ArrayBuffer>) => R;

/**
 * A queue without a size takes everything, but who fills it faster than others empty it pays for new memory all the time. So, where the
 * ring would become larger than is kept, a `put` waits until there is room, for as long as somebody takes something out every so many
 * milliseconds.
 */
const PATIENCE = 2;

/** See the head of this file. */
export class Store {
  readonly seat: Seat;
  readonly maxsize: number;
  readonly ring: Ring;
  readonly #words: Int32Array;
  readonly #at: number;

  /** A queue over the words at `seat`, which `begin` or another's `begin` has made one. */
  constructor(seat: Seat, memory: RingMemory) {
    this.seat = seat;
    this.#words = seat.words;
    this.#at = seat.at;
    this.maxsize = seat.words[seat.at + MAXSIZE];
    this.ring = new Ring(seat.words.subarray(seat.at, seat.at + QUEUE_WORDS), memory);
  }

  /** Makes an empty queue, before anybody else knows of it. */
  static begin(seat: Seat, memory: RingMemory, maxsize: number): Store {
    seat.words[seat.at + MAXSIZE] = maxsize;
    const store = new Store(seat, memory);
    store.ring.begin();
    return store;
  }

  get full(): boolean {
    return this.maxsize !== 0 && this.ring.size >= this.maxsize;
  }

  /** Puts an item in if there is room; with `back`, as the first, whether there is room or not. `head` is its beginning, if any. */
  tryPut(item: Uint8Array, back = false, head?: Uint8Array): boolean {
    if (!back && this.full) return false;
    this.#take();
    try {
      if (!back && this.full) return false;
      this.ring.push(item, back, head);
    } finally {
      this.#give();
    }
    this.#tell(GETTERS, ITEMS);
    return true;
  }

  /** Takes the first item out, if there is one, and gives what `open` makes of it, at once and without the lock. */
  tryGet<R>(open: Open<R>): R | typeof NONE {
    if (this.ring.size === 0) return NONE;
    this.#take();
    let item: Uint8Array<ArrayBuffer> | undefined;
    try {
      item = this.ring.pop();
    } finally {
      this.#give();
    }
    if (item === undefined) return NONE;
    this.#tell(PUTTERS, ROOM);
    return open(item);
  }

  /** Waits for room and puts; `false` when time ran out. Bytes with a head, or no more than `BRIEF`, may be changed by the caller then. */
  put(item: Uint8Array, limit: Limit, head?: Uint8Array): Later<boolean> {
    const length = item.length + (head?.length ?? 0);
    const inLine = this.#isAwaited(ROOM, limit);
    if (!inLine && this.#takes(length, limit) && this.tryPut(item, false, head)) return true;
    if (limit.deadline === -Infinity) return false;
    const bytes = head === undefined && item.length > BRIEF ? item : joined(head ?? NOTHING, item);
    return runAsync(this.putting(bytes, limit), { seat: this.seat, at: ROOM, limit });
  }

  /** As {@linkcode Store.put}, blocking the calling thread. */
  putSync(item: Uint8Array, limit: Limit, head?: Uint8Array): boolean {
    const length = item.length + (head?.length ?? 0);
    if (this.#takes(length, limit) && this.tryPut(item, false, head)) return true;
    if (limit.deadline === -Infinity) return false;
    if (this.#linger(() => !this.full && this.#takes(length, limit))) {
      if (this.tryPut(item, false, head)) return true;
    }
    return runSync(this.putting(item, limit, head));
  }

  /** Waits for an item and takes it; {@linkcode NONE} when time ran out. See {@linkcode Store.tryGet}. */
  get<R>(limit: Limit, open: Open<R>): Later<R | typeof NONE> {
    if (!this.#isAwaited(ITEMS, limit)) {
      let item = this.tryGet(open);
      if (item !== NONE || limit.deadline === -Infinity) return item;
      if (this.#linger(() => this.ring.size > 0)) item = this.tryGet(open);
      if (item !== NONE) return item;
    }
    return runAsync(this.getting(limit, open), { seat: this.seat, at: ITEMS, limit });
  }

  /** As {@linkcode Store.get}, blocking the calling thread. */
  getSync<R>(limit: Limit, open: Open<R>): R | typeof NONE {
    let item = this.tryGet(open);
    if (item !== NONE || limit.deadline === -Infinity) return item;
    if (this.#linger(() => this.ring.size > 0)) item = this.tryGet(open);
    return item !== NONE ? item : runSync(this.getting(limit, open));
  }

  /** One item is done; `false` when none was left to be done. */
  taskDone(): boolean {
    this.#take();
    let all: boolean;
    try {
      if (!this.ring.done()) return false;
      all = this.ring.unfinished === 0;
    } finally {
      this.#give();
    }
    if (all) this.#tellJoiners();
    return true;
  }

  /** Waits until all items are done; `false` when time ran out. */
  join(limit: Limit): Later<boolean> {
    return runAsync(this.joining(limit));
  }

  /** As {@linkcode Store.join}, blocking the calling thread. */
  joinSync(limit: Limit): boolean {
    return runSync(this.joining(limit));
  }

  /** {@linkcode Store.put} as an algorithm. */
  *putting(item: Uint8Array, limit: Limit, head?: Uint8Array): Slow<boolean> {
    const length = item.length + (head?.length ?? 0);
    for (;;) {
      const before = this.ring.head;
      // The ring may grow, but not while somebody is making room in it.
      const patience = { deadline: now() + PATIENCE, signal: limit.signal };
      const eager = this.full || patience.deadline > limit.deadline;
      const put = () =>
        (eager || this.#takes(length, limit)) && this.tryPut(item, false, head) ? true : NONE;
      if ((yield* this.#waiting(PUTTERS, ROOM, eager ? limit : patience, put)) === true) {
        return true;
      }
      if (eager) return false;
      if (this.ring.head !== before) continue;
      if (this.tryPut(item, false, head)) return true;
    }
  }

  /** {@linkcode Store.get} as an algorithm. */
  *getting<R>(limit: Limit, open: Open<R>): Slow<R | typeof NONE> {
    return yield* this.#waiting(GETTERS, ITEMS, limit, () => this.tryGet(open));
  }

  /** {@linkcode Store.join} as an algorithm. */
  *joining(limit: Limit): Slow<boolean> {
    const { ring } = this;
    const zeros = ring.zeros;
    // They may have been done for a moment only: a put that came right after does not hold back who has waited before it.
    const done = () => ring.unfinished === 0 || ring.zeros !== zeros || NONE;
    if (done() === true) return true;
    return (yield* this.#waiting(JOINERS, DONE, limit, done)) === true;
  }

  /** Step 1 of the head of this file, until `attempt` gives something. */
  *#waiting<R>(
    counter: number,
    word: number,
    limit: Limit,
    attempt: () => R | typeof NONE,
  ): Slow<R | typeof NONE> {
    const { seat } = this;
    yield add(seat, counter, 1);
    try {
      for (;;) {
        let seen = yield load(seat, word);
        while ((seen & TOLD) !== 0) {
          const was = yield cas(seat, word, seen, seen & ~TOLD);
          seen = was === seen ? seen & ~TOLD : was;
        }
        const result = attempt();
        if (result !== NONE) return result;
        const why = yield sleep(seat, word, seen, limit);
        if (why === ABORTED) throw limit.signal!.reason;
        if (why === LATE) return NONE;
      }
    } finally {
      yield add(seat, counter, -1);
      this.#passOn(word);
    }
  }

  /** Whether an item of that length may be put now. It always may by who cannot wait. */
  #takes(length: number, limit: Limit): boolean {
    return limit.deadline === -Infinity || !this.seat.ground.sleeps || this.ring.hasRoom(length);
  }

  /** One who has waited leaves, with or without anything: if there is more, the next one is told. */
  #passOn(word: number): void {
    if (word === DONE || (word === ITEMS ? this.ring.size === 0 : this.full)) return;
    Atomics.and(this.#words, this.#at + word, ~TOLD);
    this.#tell(word === ITEMS ? GETTERS : PUTTERS, word);
  }

  /** Step 2 of the head of this file, after the putting. */
  #tell(counter: number, word: number): void {
    const words = this.#words;
    const at = this.#at + word;
    if (Atomics.load(words, this.#at + counter) <= 0) return;
    for (;;) {
      const seen = Atomics.load(words, at);
      if ((seen & TOLD) !== 0) return;
      if (Atomics.compareExchange(words, at, seen, seen + CHANGE | TOLD) === seen) break;
    }
    wakeAll(this.seat, at, 1);
  }

  /** All items are done: everybody goes who joins. */
  #tellJoiners(): void {
    if (Atomics.load(this.#words, this.#at + JOINERS) <= 0) return;
    Atomics.add(this.#words, this.#at + DONE, CHANGE);
    wakeAll(this.seat, this.#at + DONE, ALL);
  }

  /** Whether others of this isolate wait without blocking, and the caller may go behind them. */
  #isAwaited(word: number, limit: Limit): boolean {
    return limit.deadline !== -Infinity && isAwaited(this.seat, word);
  }

  /**
   * Looks out for a moment before it sleeps: two processes that keep pace with each other then never sleep, which costs both of them
   * more than the look.
   */
  #linger(ready: () => boolean): boolean {
    if (!this.seat.ground.sleeps) return false;
    for (let look = 0; look < LOOKS; look++) {
      if (ready()) return true;
      for (let i = 0; i < 8; i++) Atomics.pause();
    }
    return false;
  }

  /**
   * Takes the lock, blocking the calling thread: it is held for microseconds. If it takes longer, its holder may have died, which is
   * found out before sleeping.
   */
  #take(): void {
    const words = this.#words;
    const at = this.#at + LOCK;
    const mine = this.seat.me << 1;
    for (let look = 0; look < LOOKS; look++) {
      if (Atomics.compareExchange(words, at, mutex.FREE, mine) === mutex.FREE) return;
      for (let i = 0; i < 8; i++) Atomics.pause();
    }
    if (runSync(mutex.acquire(this.seat, ONCE, LOCK)) < mutex.TAKEN) {
      runSync(mutex.acquire(this.seat, FOREVER, LOCK));
    }
  }

  #give(): void {
    const words = this.#words;
    const was = Atomics.exchange(words, this.#at + LOCK, mutex.FREE);
    if ((was & mutex.WAITERS) !== 0) wakeAll(this.seat, this.#at + LOCK, 1);
  }
}

/** How often {@linkcode Store} looks: some microseconds in all. */
const LOOKS = 64;

const NOTHING = new Uint8Array();

function joined(head: Uint8Array, item: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + item.length);
  bytes.set(head);
  bytes.set(item, head.length);
  return bytes;
}
