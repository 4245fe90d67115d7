/**
 * {@linkcode Lock}.
 *
 * @module
 */
import {
  acquire,
  type AcquireOptions,
  adopt,
  callAsync,
  callSync,
  type Cell,
  cell,
  GRANTED,
  holder,
  limitOf,
  mayHold,
  MUTEX,
  MUTEX_WORDS,
  ownerDied,
  register,
  release,
  type Revocable,
  revocable,
  runSync,
  STATE,
  type WaitOptions,
} from "./_core/mod.ts";
import { hold, holdSync } from "./_holdable.ts";
import { ThreadError } from "./errors.ts";

/**
 * A mutual exclusion lock. One holder at a time, among all threads and all asynchronous tasks that share it.
 *
 * - `acquire` waits without blocking the event loop, `acquireSync` blocks the calling thread (the main thread too); both may wait
 *   for the same lock at the same time.
 * - Those who wait are served in the order they came. An asynchronous waiter of a thread that is blocked in a `Sync` call is passed
 *   over until the thread runs again.
 * - It is not reentrant and has no owner: any thread may release it.
 * - It can be handed to a thread as an argument, in a result or through a queue, and is the same lock there.
 * - Uncontended, acquiring and releasing are one atomic operation each.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#lock-objects | threading.Lock}.
 *
 * @example Guarding a stretch of code
 * ```ts
 * import { Lock } from "@batteries/concurrent/threading";
 *
 * const lock = new Lock();
 * {
 *   using _held = await lock.hold();
 *   // Only one task of one thread is in here at a time.
 * }
 * ```
 */
export class Lock {
  readonly #cell: Cell;
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** The state word while this thread holds the lock and nobody waits. */
  readonly #mine: number;
  readonly #revocable: Revocable;

  /** Makes an unlocked lock. */
  constructor() {
    this.#cell = cell(MUTEX_WORDS);
    this.#words = this.#cell.words;
    this.#mine = this.#cell.site.agent << 1;
    this.#revocable = revocable(this.#cell, MUTEX);
    mayHold(this.#cell);
  }

  static {
    register(Lock, {
      name: "Lock",
      module: import.meta.url,
      reduce: (lock) => lock.#words.buffer,
      revive: (buffer) => adopt(buffer as SharedArrayBuffer, () => new Lock()),
    });
  }

  /**
   * Waits until the lock is free and takes it.
   *
   * @param options How long to wait (`timeout` in milliseconds, `signal`), or `blocking: false` to try once.
   * @returns Whether the lock was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   * @throws The signal's reason, when it is aborted.
   *
   * @example With a time-out
   * ```ts
   * import { assert } from "@std/assert";
   * import { Lock } from "@batteries/concurrent/threading";
   *
   * const lock = new Lock();
   * assert(await lock.acquire({ timeout: 100 }));
   * assert(!await lock.acquire({ timeout: 1 }));
   * lock.release();
   * ```
   */
  async acquire(options?: AcquireOptions): Promise<boolean> {
    if (options === undefined && this.#grab()) return true;
    const limit = limitOf(options, "Lock.acquire");
    if (this.#grab()) return true;
    const body = (waiter: number) => acquire(this.#cell, MUTEX, waiter, limit);
    return await callAsync(this.#cell.site, limit, body, this.#revocable) === GRANTED;
  }

  /**
   * As {@linkcode Lock.acquire}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds), or `blocking: false` to try once.
   * @returns Whether the lock was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   *
   * @example
   * ```ts
   * import { assert } from "@std/assert";
   * import { Lock } from "@batteries/concurrent/threading";
   *
   * const lock = new Lock();
   * assert(lock.acquireSync());
   * assert(!lock.acquireSync({ blocking: false }));
   * lock.release();
   * ```
   */
  acquireSync(options?: AcquireOptions): boolean {
    if (options === undefined && this.#grab()) return true;
    const limit = limitOf(options, "Lock.acquireSync");
    if (options !== undefined && this.#grab()) return true;
    const body = (waiter: number) => acquire(this.#cell, MUTEX, waiter, limit);
    return callSync(this.#cell.site, limit, body) === GRANTED;
  }

  #grab(): boolean {
    return Atomics.compareExchange(this.#words, STATE, 0, this.#mine) === 0;
  }

  /**
   * Gives the lock back; the first of those who wait gets it. Any thread may call this.
   *
   * @throws {ThreadError} When the lock is not locked.
   */
  release(): void {
    if (Atomics.compareExchange(this.#words, STATE, this.#mine, 0) === this.#mine) return;
    if (!runSync(this.#cell.site, release(this.#cell, MUTEX, 1))) {
      throw new ThreadError("Cannot release the Lock: it is not locked");
    }
  }

  /** Whether somebody holds the lock now. */
  locked(): boolean {
    return holder(this.#cell) !== 0;
  }

  /**
   * Whether the lock came to its present holder because the one before was stopped for good, as by the time-out of
   * `executor.with(…)`, in the middle of what it did: what the lock guards may be half changed. Tells it once.
   *
   * @returns `true` on the first call after the lock was handed on.
   *
   * @example
   * ```ts
   * import { assert } from "@std/assert";
   * import { Lock } from "@batteries/concurrent/threading";
   *
   * const lock = new Lock();
   * using _held = lock.holdSync();
   * assert(!lock.ownerDied());
   * ```
   */
  ownerDied(): boolean {
    return ownerDied(this.#cell);
  }

  /**
   * Takes the lock for the length of a `using` block.
   *
   * @param options How long to wait.
   * @returns A guard that releases the lock when it is disposed of.
   * @throws {TimeoutError} When time ran out.
   *
   * @example
   * ```ts
   * import { assert } from "@std/assert";
   * import { Lock } from "@batteries/concurrent/threading";
   *
   * const lock = new Lock();
   * {
   *   using _held = await lock.hold({ timeout: 1000 });
   *   assert(lock.locked());
   * }
   * assert(!lock.locked());
   * ```
   */
  hold(options?: WaitOptions): Promise<Disposable> {
    return hold(this, options);
  }

  /**
   * As {@linkcode Lock.hold}, blocking the calling thread.
   *
   * @param options How long to wait.
   * @returns A guard that releases the lock when it is disposed of.
   * @throws {TimeoutError} When time ran out.
   */
  holdSync(options?: WaitOptions): Disposable {
    return holdSync(this, options);
  }

  /** For conditions: whether the lock is held, as near as a lock without an owner can tell. @internal */
  _isOwned(): boolean {
    return this.locked();
  }

  /** For conditions: lets go of the lock. @internal */
  _releaseSave(): undefined {
    this.release();
  }

  /** For conditions: undoes {@linkcode Lock._releaseSave}. @internal */
  async _acquireRestore(_saved: undefined): Promise<void> {
    await this.acquire();
  }

  /** For conditions: undoes {@linkcode Lock._releaseSave}. @internal */
  _acquireRestoreSync(_saved: undefined): void {
    this.acquireSync();
  }
}
