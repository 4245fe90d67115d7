/**
 * {@linkcode RLock}.
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
  FOREVER,
  GRANTED,
  holder,
  type Limit,
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
import { BLOCKING, currentFlow, NO_FLOW, SuspendedHolds } from "./_flows.ts";
import { hold, holdSync } from "./_holdable.ts";
import { ThreadError } from "./errors.ts";

/** Which flow of the holding agent owns the lock: {@linkcode NO_FLOW}, {@linkcode BLOCKING} or an asynchronous flow's number. */
const FLOW = STATE + MUTEX_WORDS;
/** How many times it has acquired the lock. Both words are the holder's. */
const COUNT = FLOW + 1;

/**
 * A reentrant lock: its owner may acquire it again, and has to release it as often.
 *
 * - The owner of a `Sync` hold is the thread; of an async hold, the asynchronous flow: the current context. Each
 *   `context.run(asyncFunction)` and each thread is a flow of its own, plain async calls share their caller's. A `Sync` hold and an
 *   async hold are different owners, even on one thread.
 * - Only the owner may release it.
 * - Order, sharing and waiting are those of {@linkcode Lock}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#rlock-objects | threading.RLock}.
 *
 * @example
 * ```ts
 * import { RLock } from "@batteries/concurrent/threading";
 *
 * const lock = new RLock();
 * async function outer() {
 *   using _held = await lock.hold();
 *   await inner();
 * }
 * async function inner() {
 *   using _held = await lock.hold();
 * }
 * await outer();
 * ```
 */
export class RLock {
  readonly #cell: Cell;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #revocable: Revocable;
  readonly #suspended = new SuspendedHolds();

  /** Makes an unlocked lock. */
  constructor() {
    this.#cell = cell(MUTEX_WORDS + 2);
    this.#words = this.#cell.words;
    this.#revocable = revocable(this.#cell, MUTEX);
    mayHold(this.#cell);
  }

  static {
    register(RLock, {
      name: "RLock",
      module: import.meta.url,
      reduce: (lock) => lock.#words.buffer,
      revive: (buffer) => adopt(buffer as SharedArrayBuffer, () => new RLock()),
    });
  }

  /**
   * Waits until the lock is free and takes it, or takes it once more when the calling flow has it already.
   *
   * @param options How long to wait (`timeout` in milliseconds, `signal`), or `blocking: false` to try once.
   * @returns Whether the lock was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   * @throws The signal's reason, when it is aborted.
   */
  async acquire(options?: AcquireOptions): Promise<boolean> {
    const limit = limitOf(options, "RLock.acquire");
    const flow = currentFlow();
    return this.#enter(flow) || await this.#acquire(flow, 1, limit);
  }

  /**
   * As {@linkcode RLock.acquire}, blocking the calling thread, which becomes the owner. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds), or `blocking: false` to try once.
   * @returns Whether the lock was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   */
  acquireSync(options?: AcquireOptions): boolean {
    const limit = limitOf(options, "RLock.acquireSync");
    return this.#enter(BLOCKING) || this.#acquireSync(1, limit);
  }

  /** The fast path: reentry, or the free lock. */
  #enter(flow: number): boolean {
    const words = this.#words;
    const mine = this.#cell.site.agent << 1;
    if (this.#ownedBy(flow)) {
      words[COUNT]++;
      return true;
    }
    if (Atomics.compareExchange(words, STATE, 0, mine) !== 0) return false;
    return this.#own(flow, 1);
  }

  async #acquire(flow: number, count: number, limit: Limit): Promise<boolean> {
    const body = (waiter: number) => acquire(this.#cell, MUTEX, waiter, limit);
    const settled = await callAsync(this.#cell.site, limit, body, this.#revocable);
    return settled === GRANTED && this.#own(flow, count);
  }

  #acquireSync(count: number, limit: Limit): boolean {
    const body = (waiter: number) => acquire(this.#cell, MUTEX, waiter, limit);
    return callSync(this.#cell.site, limit, body) === GRANTED && this.#own(BLOCKING, count);
  }

  #own(flow: number, count: number): true {
    this.#words[FLOW] = flow;
    this.#words[COUNT] = count;
    return true;
  }

  #ownedBy(flow: number): boolean {
    return holder(this.#cell) === this.#cell.site.agent && this.#words[FLOW] === flow;
  }

  #owner(): number {
    if (this.#ownedBy(BLOCKING)) return BLOCKING;
    const flow = currentFlow();
    return this.#ownedBy(flow) ? flow : NO_FLOW;
  }

  /**
   * Undoes one `acquire`; the last one gives the lock to the first of those who wait.
   *
   * @throws {ThreadError} When the caller is not the owner.
   */
  release(): void {
    if (this.#owner() === NO_FLOW) {
      if (this.#suspended.release(currentFlow())) return;
      throw new ThreadError(
        `Cannot release the RLock: ${
          this.locked() ? "its owner is another thread or asynchronous flow" : "it is not locked"
        }`,
      );
    }
    if (--this.#words[COUNT] === 0) this.#letGo();
  }

  #letGo(): void {
    const words = this.#words;
    const mine = this.#cell.site.agent << 1;
    // Before the lock is free or somebody else's: from then on the word is theirs.
    words[FLOW] = NO_FLOW;
    if (Atomics.compareExchange(words, STATE, mine, 0) === mine) return;
    runSync(this.#cell.site, release(this.#cell, MUTEX, 1));
  }

  /** Whether somebody holds the lock now. */
  locked(): boolean {
    return holder(this.#cell) !== 0;
  }

  /** See {@linkcode Lock.ownerDied}. */
  ownerDied(): boolean {
    return ownerDied(this.#cell);
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
   * As {@linkcode RLock.hold}, blocking the calling thread.
   *
   * @param options How long to wait.
   * @returns A guard that releases the lock when it is disposed of.
   * @throws {TimeoutError} When time ran out.
   */
  holdSync(options?: WaitOptions): Disposable {
    return holdSync(this, options);
  }

  /** For conditions: whether the caller owns the lock. @internal */
  _isOwned(): boolean {
    return this.#owner() !== NO_FLOW || this.#suspended.hasSpare(currentFlow());
  }

  /** For conditions: lets go of the lock however often it was acquired; gives the flow. The caller owns it. @internal */
  _releaseSave(): number {
    const owner = this.#owner();
    const flow = owner === NO_FLOW ? currentFlow() : owner;
    if (owner === NO_FLOW) this.#suspended.join(flow);
    else {
      this.#suspended.suspend(flow, this.#words[COUNT]);
      this.#letGo();
    }
    return flow;
  }

  /** For conditions: undoes {@linkcode RLock._releaseSave}. @internal */
  async _acquireRestore(flow: number): Promise<void> {
    if (!this.#enter(flow)) await this.#acquire(flow, 1, FOREVER);
    this.#resume(flow);
  }

  /** For conditions: undoes {@linkcode RLock._releaseSave}. @internal */
  _acquireRestoreSync(flow: number): void {
    if (!this.#enter(flow)) {
      this.#acquireSync(1, FOREVER);
      this.#words[FLOW] = flow;
    }
    this.#resume(flow);
  }

  /** One that has waited holds the lock once, and takes what else is its own. */
  #resume(flow: number): void {
    this.#words[COUNT] += this.#suspended.resume(flow) - 1;
  }
}
