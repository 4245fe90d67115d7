/**
 * {@linkcode RLock}.
 *
 * @module
 */
import { type Context, currentContext } from "../contextvars/context.ts";
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
import { hold, holdSync } from "./_holdable.ts";
import { ThreadError } from "./errors.ts";

/** Which flow of the holding agent owns the lock: {@linkcode NOBODY}, {@linkcode BLOCKING} or an asynchronous flow's number. */
const FLOW = STATE + MUTEX_WORDS;
/** How many times it has acquired the lock. Both words are the holder's. */
const COUNT = FLOW + 1;

const NOBODY = 0;
const BLOCKING = 1;

const flows = new WeakMap<Context, number>();
let lastFlow = BLOCKING;

/** The number of the calling asynchronous flow, which is its context. */
function currentFlow(): number {
  const context = currentContext();
  let flow = flows.get(context);
  if (flow === undefined) flows.set(context, flow = ++lastFlow);
  return flow;
}

/**
 * The holds of a flow of which some tasks wait for a condition. The first that waits gives the lock up for all of them, for a count
 * does not say whose holds it counts; from then on it is as if each other task still had its own:
 *
 * - it may wait, notify and release on the strength of it, as long as `holds` exceeds `waiters`;
 * - whoever comes back from waiting takes one hold with it, the last one what is left.
 */
interface Suspended {
  holds: number;
  waiters: number;
}

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
  /** By flow. Invariant: `0 < waiters <= holds`. */
  readonly #suspended: Map<number, Suspended> = new Map();

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
    return this.#ownedBy(flow) ? flow : NOBODY;
  }

  /**
   * Undoes one `acquire`; the last one gives the lock to the first of those who wait.
   *
   * @throws {ThreadError} When the caller is not the owner.
   */
  release(): void {
    if (this.#owner() === NOBODY) {
      const suspended = this.#spare();
      if (suspended !== undefined) {
        suspended.holds--;
        return;
      }
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
    words[FLOW] = NOBODY;
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

  /** The suspended holds of the calling flow, if some of them are of tasks that do not wait. */
  #spare(): Suspended | undefined {
    const suspended = this.#suspended.get(currentFlow());
    return suspended && suspended.holds > suspended.waiters ? suspended : undefined;
  }

  /** For conditions: whether the caller owns the lock. @internal */
  _isOwned(): boolean {
    return this.#owner() !== NOBODY || this.#spare() !== undefined;
  }

  /** For conditions: lets go of the lock however often it was acquired; gives the flow. The caller owns it. @internal */
  _releaseSave(): number {
    if (this.#owner() === NOBODY) {
      this.#spare()!.waiters++;
      return currentFlow();
    }
    const flow = this.#words[FLOW];
    const suspended = this.#suspended.get(flow) ?? { holds: 0, waiters: 0 };
    suspended.holds += this.#words[COUNT];
    suspended.waiters++;
    this.#suspended.set(flow, suspended);
    this.#letGo();
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
    const suspended = this.#suspended.get(flow)!;
    const taken = suspended.waiters === 1 ? suspended.holds : 1;
    this.#words[COUNT] += taken - 1;
    suspended.holds -= taken;
    suspended.waiters--;
    if (suspended.waiters === 0) this.#suspended.delete(flow);
  }
}
