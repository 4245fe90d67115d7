/**
 * {@linkcode Condition}.
 *
 * @module
 */
import {
  type AcquireOptions,
  adopt,
  callAsync,
  callSync,
  type Cell,
  cell,
  condition,
  type Limit,
  limitOf,
  register,
  remaining,
  runSync,
  type WaitOptions,
} from "./_core/mod.ts";
import { hold, holdSync } from "./_holdable.ts";
import { ThreadError } from "./errors.ts";
import { Lock } from "./lock.ts";
import { RLock } from "./rlock.ts";

/** What a condition needs of its lock. Both kinds keep what they have to remember in `saved`. */
interface Owned {
  _isOwned(): boolean;
  _releaseSave(): unknown;
  _acquireRestore(saved: unknown): Promise<void>;
  _acquireRestoreSync(saved: unknown): void;
}

/** What the lock remembers while it is let go; absent while it is held. */
type Saved = { readonly lock: unknown } | undefined;

/**
 * A condition variable: lets whoever holds its lock wait until another holder says that something has changed.
 *
 * - `wait` lets go of the lock, however often it was acquired, and holds it again before it returns or rejects.
 * - `notify` wakes the waiters that came first. A notification is never lost: a waiter that timed out or was aborted at the same
 *   moment counts as notified.
 * - The lock of its own is an {@linkcode RLock}, as in Python: plain async calls of one flow are one owner and do not exclude each
 *   other, though each may wait and notify once it has acquired. Between asynchronous tasks of one flow that are to exclude each
 *   other, give it a {@linkcode Lock}, as in the example.
 * - Several conditions may share one lock. Sharing with threads and both forms of waiting are as for {@linkcode Lock}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#condition-objects | threading.Condition}.
 *
 * @example Waiting for an item
 * ```ts
 * import { Condition, Lock } from "@batteries/concurrent/threading";
 *
 * const items: string[] = [];
 * const changed = new Condition(new Lock());
 *
 * async function take(): Promise<string> {
 *   using _held = await changed.hold();
 *   await changed.waitFor(() => items.length > 0);
 *   return items.shift()!;
 * }
 *
 * const taken = take();
 * {
 *   using _held = await changed.hold();
 *   items.push("an item");
 *   changed.notify();
 * }
 * await taken;
 * ```
 */
export class Condition {
  readonly #cell: Cell;
  readonly #lock: Lock | RLock;

  /**
   * Makes a condition on a lock of its own, an {@linkcode RLock}, or on one that is given.
   *
   * @param lock The lock to use.
   * @throws {TypeError} When `lock` is something else.
   */
  constructor(lock: Lock | RLock = new RLock()) {
    if (!(lock instanceof Lock || lock instanceof RLock)) {
      throw new TypeError(`Cannot make a Condition: lock must be a Lock or an RLock, got ${lock}`);
    }
    this.#lock = lock;
    this.#cell = cell(0);
  }

  static {
    register(Condition, {
      name: "Condition",
      module: import.meta.url,
      reduce: (condition) => [condition.#cell.words.buffer, condition.#lock],
      revive: (parts) => {
        const [buffer, lock] = parts as [SharedArrayBuffer, Lock | RLock];
        return adopt(buffer, () => new Condition(lock));
      },
    });
  }

  /** See {@linkcode Lock.ownerDied}: that of the condition's lock. */
  ownerDied(): boolean {
    return this.#lock.ownerDied();
  }

  get #owned(): Owned {
    return this.#lock as Owned;
  }

  /**
   * Acquires the lock.
   *
   * @param options As for {@linkcode Lock.acquire}.
   * @returns Whether the lock was taken; `false` only when time ran out.
   */
  acquire(options?: AcquireOptions): Promise<boolean> {
    return this.#lock.acquire(options);
  }

  /**
   * Acquires the lock, blocking the calling thread.
   *
   * @param options As for {@linkcode Lock.acquireSync}.
   * @returns Whether the lock was taken; `false` only when time ran out.
   */
  acquireSync(options?: AcquireOptions): boolean {
    return this.#lock.acquireSync(options);
  }

  /**
   * Releases the lock.
   *
   * @throws {ThreadError} When the lock may not be released by the caller.
   */
  release(): void {
    this.#lock.release();
  }

  /** Whether somebody holds the lock now. */
  locked(): boolean {
    return this.#lock.locked();
  }

  /**
   * Takes the lock for the length of a `using` block.
   *
   * @param options How long to wait.
   * @returns A guard that releases the lock when it is disposed of.
   * @throws {TimeoutError} When time ran out.
   */
  hold(options?: WaitOptions): Promise<Disposable> {
    return hold(this, options);
  }

  /**
   * As {@linkcode Condition.hold}, blocking the calling thread.
   *
   * @param options How long to wait.
   * @returns A guard that releases the lock when it is disposed of.
   * @throws {TimeoutError} When time ran out.
   */
  holdSync(options?: WaitOptions): Disposable {
    return holdSync(this, options);
  }

  /**
   * Lets go of the lock, waits to be notified, and takes the lock again, for which it waits however long it takes.
   *
   * @param options How long to wait for the notification.
   * @returns `true` when notified, `false` when time ran out.
   * @throws {ThreadError} When the caller does not hold the lock.
   * @throws The signal's reason, when it is aborted; the lock is held again by then.
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    const limit = limitOf(options, "Condition.wait");
    this.#mustOwn("wait");
    return await this.#wait(limit);
  }

  async #wait(limit: Limit): Promise<boolean> {
    let saved: Saved;
    const body = (waiter: number) => this.#waiting(waiter, limit, (lock) => saved = lock);
    try {
      return await callAsync(this.#cell.site, limit, body) > 0;
    } finally {
      if (saved !== undefined) await this.#owned._acquireRestore(saved.lock);
    }
  }

  /** Enters the lot, then lets go of the lock, before anything is waited for. */
  *#waiting(
    waiter: number,
    limit: Limit,
    letGo: (saved: Saved) => void,
  ): ReturnType<typeof condition.wait> {
    yield* condition.enter(this.#cell, waiter);
    try {
      letGo({ lock: this.#owned._releaseSave() });
    } catch (error) {
      // Somebody else has released the lock meanwhile.
      yield* condition.leave(this.#cell, waiter);
      throw error;
    }
    return yield* condition.wait(this.#cell, waiter, limit);
  }

  /**
   * As {@linkcode Condition.wait}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait for the notification.
   * @returns `true` when notified, `false` when time ran out.
   * @throws {ThreadError} When the caller does not hold the lock.
   */
  waitSync(options?: WaitOptions): boolean {
    const limit = limitOf(options, "Condition.waitSync");
    this.#mustOwn("wait");
    return this.#waitSync(limit);
  }

  #waitSync(limit: Limit): boolean {
    let saved: Saved;
    const body = (waiter: number) => this.#waiting(waiter, limit, (lock) => saved = lock);
    try {
      return callSync(this.#cell.site, limit, body) > 0;
    } finally {
      if (saved !== undefined) this.#owned._acquireRestoreSync(saved.lock);
    }
  }

  /**
   * Waits until `predicate` returns something truthy. It is called with the lock held, in the calling task.
   *
   * @param predicate What to wait for.
   * @param options How long to wait in all.
   * @returns What `predicate` returned last: truthy, or not when time ran out.
   * @throws {ThreadError} When the caller does not hold the lock.
   * @throws What `predicate` throws; the signal's reason, when it is aborted. The lock is held either way.
   */
  async waitFor<T>(predicate: () => T, options?: WaitOptions): Promise<T> {
    const limit = limitOf(options, "Condition.waitFor");
    mustBeCallable(predicate, "Condition.waitFor");
    this.#mustOwn("waitFor");
    for (;;) {
      const result = predicate();
      if (result || remaining(limit.deadline) <= 0) return result;
      limit.signal?.throwIfAborted();
      await this.#wait(limit);
    }
  }

  /**
   * As {@linkcode Condition.waitFor}, blocking the calling thread.
   *
   * @param predicate What to wait for.
   * @param options How long to wait in all.
   * @returns What `predicate` returned last: truthy, or not when time ran out.
   * @throws {ThreadError} When the caller does not hold the lock.
   */
  waitForSync<T>(predicate: () => T, options?: WaitOptions): T {
    const limit = limitOf(options, "Condition.waitForSync");
    mustBeCallable(predicate, "Condition.waitForSync");
    this.#mustOwn("waitFor");
    for (;;) {
      const result = predicate();
      if (result || remaining(limit.deadline) <= 0) return result;
      this.#waitSync(limit);
    }
  }

  /**
   * Wakes up to `n` waiters, those that came first. They go on when they get the lock.
   *
   * @param n How many at most.
   * @throws {ThreadError} When the caller does not hold the lock.
   * @throws {TypeError} When `n` is not a number.
   * @throws {RangeError} When `n` is negative or not an integer.
   */
  notify(n = 1): void {
    if (typeof n !== "number") {
      throw new TypeError(`Cannot notify: n must be a number, got ${typeof n}`);
    }
    if (!(Number.isInteger(n) || n === Infinity) || n < 0) {
      throw new RangeError(`Cannot notify ${n} waiters: n must be an integer of 0 or more`);
    }
    this.#mustOwn("notify");
    runSync(this.#cell.site, condition.notify(this.#cell, n));
  }

  /**
   * Wakes all waiters.
   *
   * @throws {ThreadError} When the caller does not hold the lock.
   */
  notifyAll(): void {
    this.notify(Infinity);
  }

  #mustOwn(what: string): void {
    if (!this.#owned._isOwned()) {
      throw new ThreadError(`Cannot ${what} on the Condition: acquire its lock first`);
    }
  }
}

function mustBeCallable(predicate: unknown, what: string): void {
  if (typeof predicate !== "function") {
    throw new TypeError(
      `Cannot call ${what}: predicate must be a function, got ${typeof predicate}`,
    );
  }
}
