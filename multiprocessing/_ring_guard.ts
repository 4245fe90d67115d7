/**
 * The lock of a ring in memory that processes share, and those who sleep until there is something in it for them.
 *
 * Guarantees
 * - The lock of an owner that has ended is taken over; the ring is whole at every moment, so there is nothing to mend.
 * - No wake-up is lost, for any word on which some sleep and the count of those who do:
 *   1. Who waits adds himself to the count, then reads the word, then tries, then sleeps unless the word has changed.
 *   2. Who changes things changes them, then looks at the count, then changes the word, then wakes.
 *   Either 2 sees the waiter, who then does not sleep on or is woken; or 1 counted later than 2 looked, and sees the change.
 * - Many changes in a row cost one wake-up: bit 0 of the word says that it was changed and somebody woken who has not looked yet. Who
 *   looks takes the bit back first.
 * - A count is taken back by who made it. One who was killed leaves his behind: then others are woken where nobody sleeps, at a
 *   microsecond each, and nothing else. What a death takes away of wake-ups, the slices of the sleepers bring back.
 *
 * Relies on: the slices and the lines of `_sync_waiting.ts`.
 *
 * @module
 */
import { FOREVER, type Limit, ONCE } from "../threading/_core/values.ts";
import * as mutex from "./_sync_mutex.ts";
import {
  ABORTED,
  add,
  type ALL,
  cas,
  LATE,
  load,
  type Seat,
  sleep,
  SLICE,
  type Slow,
} from "./_sync_steps.ts";
import { runSync, wakeAll } from "./_sync_waiting.ts";

/** Not yet: see {@linkcode Guard.waiting}. */
export const NONE: unique symbol = Symbol("none");

const TOLD = 1;
/** What the rest of a word counts in. */
const CHANGE = 2;
/** How often it is looked at a lock that another process holds, which takes some microseconds in all. */
const LOOKS = 64;

/** What somebody waits for. */
export interface Wish<R> {
  /** The word that changes, and how many wait for it. */
  readonly word: number;
  readonly counter: number;
  /** Does what is waited for, if it can be done now. */
  attempt(): R | typeof NONE;
  /** Whether another one could do the same now: then he is told, for the wake-up may have been his. */
  more(): boolean;
  /** Has slept long without a change. */
  idle(): void;
}

/** See the head of this file. */
export class Guard {
  readonly seat: Seat;
  readonly #words: Int32Array;
  readonly #lock: number;

  /** The guard of a ring at `seat`, whose lock is that word of it. */
  constructor(seat: Seat, lock: number) {
    this.seat = seat;
    this.#words = seat.words;
    this.#lock = lock;
  }

  /**
   * Takes the lock, blocking the calling thread: it is held for as long as a message is copied. If it takes longer, its holder may have
   * died, which is found out before sleeping.
   */
  take(): void {
    const { seat } = this;
    const at = seat.at + this.#lock;
    const mine = seat.me << 1;
    for (let look = 0; look < LOOKS; look++) {
      if (Atomics.compareExchange(this.#words, at, mutex.FREE, mine) === mutex.FREE) return;
      for (let i = 0; i < 8; i++) Atomics.pause();
    }
    if (runSync(mutex.acquire(seat, ONCE, this.#lock)) < mutex.TAKEN) {
      runSync(mutex.acquire(seat, FOREVER, this.#lock));
    }
  }

  /** Gives it back. */
  give(): void {
    const at = this.seat.at + this.#lock;
    const was = Atomics.exchange(this.#words, at, mutex.FREE);
    if ((was & mutex.WAITERS) !== 0) wakeAll(this.seat, at, 1);
  }

  /** Step 2 of the head of this file: wakes one of those who wait, or all of them. */
  tell(counter: number, word: number, count: 1 | typeof ALL): void {
    const words = this.#words;
    const { at: start } = this.seat;
    if (Atomics.load(words, start + counter) <= 0) return;
    const at = start + word;
    for (;;) {
      const seen = Atomics.load(words, at);
      if ((seen & TOLD) !== 0 && count === 1) return;
      if (Atomics.compareExchange(words, at, seen, (seen + CHANGE) | TOLD) === seen) break;
    }
    wakeAll(this.seat, at, count);
  }

  /** Step 1 of the head of this file, until the attempt gives something; {@linkcode NONE} when time ran out. */
  *waiting<R>(wish: Wish<R>, limit: Limit): Slow<R | typeof NONE> {
    const { seat } = this;
    const { counter, word } = wish;
    yield add(seat, counter, 1);
    try {
      for (;;) {
        let seen = yield load(seat, word);
        while ((seen & TOLD) !== 0) {
          const was = yield cas(seat, word, seen, seen & ~TOLD);
          seen = was === seen ? seen & ~TOLD : was;
        }
        const result = wish.attempt();
        if (result !== NONE) return result;
        const why = yield sleep(seat, word, seen, limit);
        if (why === ABORTED) throw limit.signal!.reason;
        if (why === LATE) return NONE;
        if (why === SLICE) wish.idle();
      }
    } finally {
      yield add(seat, counter, -1);
      if (wish.more()) {
        Atomics.and(this.#words, seat.at + word, ~TOLD);
        this.tell(counter, word, 1);
      }
    }
  }
}
