/**
 * What the public classes of `synchronize.ts` ask of the thing behind them. It is either near, words that this process has mapped
 * (`_sync_near.ts`), or far, an object of another process that is called over the tree (`_sync_far.ts`).
 *
 * @module
 */
import type { Identity } from "./_arena.ts";
import type { Cas } from "./_quick.ts";
import type { Limit } from "../threading/_core/mod.ts";
import type { Taken } from "./_sync_mutex.ts";
import type { Arrival } from "./_sync_rounds.ts";

/** A result that may take its time. */
export type Later<T> = T | Promise<T>;

/**
 * A shortcut for who has the words: the word of a lock is changed from 0 to `self.number << 1` to take it, and back. With `self.number`
 * 0, or when that fails, the port has to be asked.
 */
export interface Quick {
  readonly cas: Cas;
  /** Where the word is, in bytes from the beginning of its arena. */
  readonly at: number;
  readonly self: Identity;
}

/** A lock that is not reentrant. */
export interface MutexPort {
  readonly quick: Quick;
  /** Takes the lock if it is free. */
  grab(): boolean;
  /** The same, if nobody of this isolate waits for it without blocking. */
  grabInTurn(): boolean;
  acquire(limit: Limit): Later<Taken>;
  acquireSync(limit: Limit): Taken;
  /** `false` when it is not held. */
  release(): boolean;
  /** Whether this isolate holds it. */
  isMine(): boolean;
  locked(): boolean;
  /** Two words that the holder may use for itself: the same ones for every handle of this isolate. */
  readonly own: Int32Array;
}

/** A semaphore. */
export interface PermitsPort {
  grab(): boolean;
  grabInTurn(): boolean;
  acquire(limit: Limit): Later<Taken>;
  acquireSync(limit: Limit): Taken;
  /** `false` when there would be too many. */
  release(count: number): boolean;
  readonly bound: number;
  value(): number;
}

/** An event. */
export interface FlagPort {
  isSet(): boolean;
  set(): void;
  clear(): void;
  wait(limit: Limit): Later<Taken>;
  waitSync(limit: Limit): Taken;
}

/** One who waits for a condition: made while its lock is held, which is let go before `wait`. */
export interface Entered {
  wait(): Later<Taken>;
  waitSync(): Taken;
  /** With the lock held again, after a wait without success: whether it was notified after all. */
  leave(): Later<boolean>;
  leaveSync(): boolean;
}

/** Those who wait for a condition. */
export interface TablePort {
  /** Throws where this thread cannot be blocked. */
  canBlock(): void;
  enter(limit: Limit): Entered;
  notify(count: number): void;
}

/** A barrier. */
export interface RoundsPort {
  readonly parties: number;
  arrive(limit: Limit): Later<Arrival>;
  arriveSync(limit: Limit): Arrival;
  /** The leader has run the action: `false` when the round is no more. */
  finish(round: number): Later<boolean>;
  abort(): void;
  reset(): void;
  waiting(): number;
  isBroken(): boolean;
}
