/**
 * {@linkcode Condition}.
 *
 * @module
 */
import {
  type AcquireOptions,
  type Limit,
  limitOf,
  register,
  remaining,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { hold, holdSync } from "../threading/_holdable.ts";
import { ThreadError } from "../threading/mod.ts";
import { FarTable, serveTable } from "./_sync_far.ts";
import { Lock } from "./_sync_lock.ts";
import { TAKEN, type Taken } from "./_sync_mutex.ts";
import { NearTable } from "./_sync_near.ts";
import type { Entered, TablePort } from "./_sync_ports.ts";
import { RLock } from "./_sync_rlock.ts";
import { newSeat } from "./_sync_seat.ts";
import { TABLE_WORDS } from "./_sync_slots.ts";
import { ABORTED } from "./_sync_steps.ts";
import { discard, type Kind, type Parts, reduce, revive } from "./_sync_travel.ts";
import { showAs } from "./_show.ts";

const kind: Kind<NearTable, FarTable> = {
  name: "Condition",
  near: (seat) => new NearTable(seat),
  far: FarTable,
  serve: serveTable,
};

/** What is behind the next condition, when it is not a new one. */
let arrived: NearTable | FarTable | undefined;

/** What a condition needs of its lock. Both kinds keep what they have to remember in `saved`. */
interface Owned {
  _isOwned(): boolean;
  _releaseSave(): unknown;
  _acquireRestore(saved: unknown): Promise<void>;
  _acquireRestoreSync(saved: unknown): void;
}

/**
 * A condition variable between processes: lets whoever holds its lock wait until another holder says that something has changed.
 *
 * - `wait` lets go of the lock, however often it was acquired, and holds it again before it returns or rejects.
 * - `notify(n)` wakes the `n` waiters that came first, in whichever process they are. Those that have ended do not count. A notification
 *   is never lost: a waiter that timed out or was aborted at the same moment counts as notified.
 * - The lock of its own is an {@linkcode RLock}, as in Python: plain async calls of one flow are one owner and do not exclude each other.
 *   Between asynchronous tasks of one flow that are to exclude each other, give it a {@linkcode Lock}, as in the example.
 * - Several conditions may share one lock. Waiting, the owner's death, travelling and permissions are those of {@linkcode Lock}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Condition | multiprocessing.Condition}.
 *
 * @example Waiting for an item
 * ```ts
 * import { Condition, Lock } from "@batteries/concurrent/multiprocessing";
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
  readonly #port: TablePort;
  readonly #lock: Lock | RLock;

  /**
   * Makes a condition on a lock of its own, an {@linkcode RLock}, or on one that is given.
   *
   * @param lock The lock to use.
   * @throws {TypeError} When `lock` is something else.
   */
  constructor(lock: Lock | RLock = new RLock()) {
    if (!(lock instanceof Lock || lock instanceof RLock)) {
      throw new TypeError(
        `Cannot make a Condition: lock must be a Lock or an RLock of multiprocessing, got ${lock}`,
      );
    }
    this.#lock = lock;
    this.#port = arrived ?? new NearTable(newSeat(TABLE_WORDS, "make a Condition"));
  }

  static {
    showAs(Condition, (condition) => ({ locked: condition.locked() }));
    register(Condition, {
      name: "multiprocessing.Condition",
      module: import.meta.url,
      spans: "processes",
      reduce: (condition) => reduce(kind, condition.#port as NearTable | FarTable, condition.#lock),
      discard,
      revive: (parts) => {
        try {
          arrived = revive(kind, parts as Parts);
          return new Condition((parts as Parts).extra as Lock | RLock);
        } finally {
          arrived = undefined;
        }
      },
    });
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

  /** As {@linkcode Lock.ownerDied}: tells it once when the lock was got because its owner had ended, by a `wait` too. */
  ownerDied(): boolean {
    return this.#lock.ownerDied();
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
    const [entered, saved] = this.#enter(limit);
    let taken: Taken;
    try {
      taken = await entered.wait();
    } finally {
      await this.#owned._acquireRestore(saved);
    }
    if (taken === TAKEN || await entered.leave()) return true;
    if (taken === ABORTED) throw limit.signal!.reason;
    return false;
  }

  /** Enters the table and then lets go of the lock: whoever notifies from now on finds this caller. */
  #enter(limit: Limit): [entered: Entered, saved: unknown] {
    const entered = this.#port.enter(limit);
    return [entered, this.#owned._releaseSave()];
  }

  /**
   * As {@linkcode Condition.wait}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait for the notification.
   * @returns `true` when notified, `false` when time ran out.
   * @throws {ThreadError} When the caller does not hold the lock.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  waitSync(options?: WaitOptions): boolean {
    const limit = limitOf(options, "Condition.waitSync");
    this.#mustOwn("wait");
    return this.#waitSync(limit);
  }

  #waitSync(limit: Limit): boolean {
    this.#port.canBlock();
    const [entered, saved] = this.#enter(limit);
    const taken = entered.waitSync();
    this.#owned._acquireRestoreSync(saved);
    return taken === TAKEN || entered.leaveSync();
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
    this.#port.notify(n);
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
