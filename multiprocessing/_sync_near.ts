/**
 * Locks whose words this process has mapped.
 *
 * @module
 */
import type { Limit } from "../threading/_core/mod.ts";
import * as flag from "./_sync_flag.ts";
import * as mutex from "./_sync_mutex.ts";
import type { Cas } from "./_quick.ts";
import * as permits from "./_sync_permits.ts";
import * as rounds from "./_sync_rounds.ts";
import * as slots from "./_sync_slots.ts";
import type {
  Entered,
  FlagPort,
  Later,
  MutexPort,
  PermitsPort,
  Quick,
  RoundsPort,
  TablePort,
} from "./_sync_ports.ts";
import type { Home } from "./_sync_seat.ts";
import type { Seat, Slow } from "./_sync_steps.ts";
import { isAwaited, runAsync, runSync, wakeAll } from "./_sync_waiting.ts";

/** Refuses what would block this thread where the operating system cannot be asked to. */
function canBlock({ ground }: Seat): void {
  if (!ground.sleeps) ground.sleep(0, 0, 0);
}

/** A lock and the two words of its holder. */
export const LOCK_WORDS = 3;

/** Takes the lock; what a dead holder had noted is gone in the same turn. */
function* acquireClean(seat: Seat, limit: Limit): Slow<mutex.Taken> {
  const taken = yield* mutex.acquire(seat, limit);
  if (taken === mutex.INHERITED) seat.words.fill(0, seat.at + 1, seat.at + LOCK_WORDS);
  return taken;
}

/** See {@linkcode MutexPort}. */
export class NearMutex implements MutexPort {
  readonly seat: Home;
  readonly own: Int32Array;
  readonly quick: Quick;
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #sleeps: boolean;

  constructor(seat: Home) {
    this.seat = seat;
    this.#words = seat.words;
    this.#index = seat.at + mutex.STATE;
    this.#sleeps = seat.ground.sleeps;
    this.quick = seat.quick(this.#index);
    this.own = seat.words.subarray(this.#index + 1, this.#index + LOCK_WORDS);
  }

  grab(): boolean {
    return this.#sleeps && this.#take();
  }

  grabInTurn(): boolean {
    return !isAwaited(this.seat, mutex.STATE) && this.#take();
  }

  #take(): boolean {
    const { cas, at, self } = this.quick;
    return cas(at, mutex.FREE, (self.number || this.seat.me) << 1) === mutex.FREE;
  }

  acquire(limit: Limit): Later<mutex.Taken> {
    const { seat } = this;
    return runAsync(acquireClean(seat, limit), { seat, at: mutex.STATE, limit });
  }

  acquireSync(limit: Limit): mutex.Taken {
    canBlock(this.seat);
    return runSync(acquireClean(this.seat, limit));
  }

  release(): boolean {
    const { cas, at, self } = this.quick;
    const mine = self.number << 1;
    if (mine !== 0 && cas(at, mine, mutex.FREE) === mine) return true;
    const was = Atomics.exchange(this.#words, this.#index, mutex.FREE);
    if ((was & mutex.WAITERS) !== 0) wakeAll(this.seat, this.#index, 1);
    return was !== mutex.FREE;
  }

  isMine(): boolean {
    // What this thread has written last, it reads; what others write meanwhile does not make it the owner.
    return mutex.ownerIn(this.#words[this.#index]) === (this.quick.self.number || this.seat.me);
  }

  locked(): boolean {
    return Atomics.load(this.#words, this.#index) !== mutex.FREE;
  }
}

/** See {@linkcode PermitsPort}. */
export class NearPermits implements PermitsPort {
  readonly seat: Home;
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #cas: Cas;
  readonly #at: number;
  readonly #sleeps: boolean;

  constructor(seat: Home) {
    this.seat = seat;
    this.#words = seat.words;
    this.#index = seat.at + permits.VALUE;
    const { cas, at } = seat.quick(this.#index);
    this.#cas = cas;
    this.#at = at;
    this.#sleeps = seat.ground.sleeps;
  }

  grab(): boolean {
    return this.#sleeps && this.#take();
  }

  grabInTurn(): boolean {
    return !isAwaited(this.seat, permits.VALUE) && this.#take();
  }

  #take(): boolean {
    const words = this.#words;
    const index = this.#index;
    for (;;) {
      // A guess: the compare-exchange tells.
      let seen = words[index];
      if (seen < 2 && (seen = Atomics.load(words, index)) < 2) return false;
      if (this.#cas(this.#at, seen, seen - 2) === seen) return true;
    }
  }

  acquire(limit: Limit): Later<mutex.Taken> {
    const { seat } = this;
    return runAsync(permits.acquire(seat, limit), { seat, at: permits.VALUE, limit });
  }

  acquireSync(limit: Limit): mutex.Taken {
    canBlock(this.seat);
    return runSync(permits.acquire(this.seat, limit));
  }

  release(count: number): boolean {
    const seen = this.#words[this.#index];
    if ((seen & 1) === 0 && (seen >>> 1) + count <= this.bound) {
      const next = seen + 2 * count;
      if (this.#cas(this.#at, seen, next) === seen) return true;
    }
    return runSync(permits.release(this.seat, count));
  }

  get bound(): number {
    return this.#words[this.seat.at + permits.BOUND];
  }

  value(): number {
    return Atomics.load(this.#words, this.#index) >>> 1;
  }
}

/** See {@linkcode FlagPort}. */
export class NearFlag implements FlagPort {
  readonly seat: Home;

  constructor(seat: Home) {
    this.seat = seat;
  }

  isSet(): boolean {
    return (Atomics.load(this.seat.words, this.seat.at + flag.FLAG) & flag.SET) !== 0;
  }

  set(): void {
    runSync(flag.set(this.seat));
  }

  clear(): void {
    runSync(flag.clear(this.seat));
  }

  wait(limit: Limit): Later<mutex.Taken> {
    return runAsync(flag.wait(this.seat, limit));
  }

  waitSync(limit: Limit): mutex.Taken {
    canBlock(this.seat);
    return runSync(flag.wait(this.seat, limit));
  }
}

/** See {@linkcode TablePort}. */
export class NearTable implements TablePort {
  readonly seat: Home;

  constructor(seat: Home) {
    this.seat = seat;
  }

  canBlock(): void {
    canBlock(this.seat);
  }

  enter(limit: Limit): Entered {
    const { seat } = this;
    const slot = runSync(slots.enter(seat));
    if (slot < 0) {
      throw new RangeError(
        "Cannot wait for the Condition: too many threads and processes wait for it",
      );
    }
    return {
      wait: () => runAsync(slots.wait(seat, slot, limit)),
      waitSync: () => runSync(slots.wait(seat, slot, limit)),
      leave: () => runSync(slots.leave(seat, slot)),
      leaveSync: () => runSync(slots.leave(seat, slot)),
    };
  }

  notify(count: number): void {
    runSync(slots.notify(this.seat, count));
  }
}

/** See {@linkcode RoundsPort}. */
export class NearRounds implements RoundsPort {
  readonly seat: Home;

  constructor(seat: Home) {
    this.seat = seat;
  }

  get parties(): number {
    return this.seat.words[this.seat.at + rounds.PARTIES];
  }

  arrive(limit: Limit): Later<rounds.Arrival> {
    return runAsync(rounds.arrive(this.seat, limit));
  }

  arriveSync(limit: Limit): rounds.Arrival {
    canBlock(this.seat);
    return runSync(rounds.arrive(this.seat, limit));
  }

  finish(round: number): boolean {
    return runSync(rounds.finish(this.seat, round));
  }

  abort(): void {
    runSync(rounds.abort(this.seat));
  }

  reset(): void {
    runSync(rounds.reset(this.seat));
  }

  waiting(): number {
    return rounds.waiting(this.seat);
  }

  isBroken(): boolean {
    return rounds.isBroken(this.seat);
  }
}
