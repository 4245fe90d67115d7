/**
 * {@linkcode Lock}.
 *
 * @module
 */
import {
  type AcquireOptions,
  FOREVER,
  type Limit,
  limitOf,
  register,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { hold, holdSync } from "../threading/_holdable.ts";
import { ThreadError } from "../threading/mod.ts";
import type { Identity } from "./_arena.ts";
import type { Cas } from "./_quick.ts";
import { FarMutex, serveMutex } from "./_sync_far.ts";
import { INHERITED, TAKEN, type Taken } from "./_sync_mutex.ts";
import { LOCK_WORDS, NearMutex } from "./_sync_near.ts";
import type { MutexPort } from "./_sync_ports.ts";
import { newSeat } from "./_sync_seat.ts";
import { ABORTED } from "./_sync_steps.ts";
import { isWaiting } from "./_sync_waiting.ts";
import { discard, type Kind, type Parts, reduce, revive } from "./_sync_travel.ts";
import { showAs } from "./_show.ts";

const kind: Kind<NearMutex, FarMutex> = {
  name: "Lock",
  near: (seat) => new NearMutex(seat),
  far: FarMutex,
  serve: serveMutex,
};

/** What is behind the next lock, when it is not a new one. */
let arrived: NearMutex | FarMutex | undefined;

/**
 * A lock that at most one holder has at a time, in this and all other processes that it is handed to.
 *
 * - Anybody may release it, not only who acquired it, and there is no owner who could acquire it twice.
 * - `await lock.acquire()` and `lock.acquireSync()` work on the same lock at the same time. Who waits without blocking is served in the
 *   order of the calls within one thread; between threads and processes there is no order.
 * - The holder is the thread that acquired it. When that ends, however it does, the next one who acquires the lock gets it, and
 *   {@linkcode Lock.ownerDied} tells it.
 * - It may be sent to another process or thread like any other value, and means the same lock there.
 * - Without `--allow-ffi` only what does not block works: the process that made the lock acts for the others.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Lock | multiprocessing.Lock}.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { Lock } from "@batteries/concurrent/multiprocessing";
 *
 * const lock = new Lock();
 * {
 *   using _held = await lock.hold();
 *   assert(lock.locked());
 * }
 * assert(!lock.locked());
 * ```
 */
export class Lock {
  readonly #port: MutexPort;
  // What is in the port's `quick`, one step nearer.
  readonly #cas: Cas;
  readonly #at: number;
  readonly #self: Identity;
  #died = false;

  /** Makes an unlocked lock. */
  constructor() {
    this.#port = arrived ?? new NearMutex(newSeat(LOCK_WORDS, "make a Lock"));
    const { cas, at, self } = this.#port.quick;
    this.#cas = cas;
    this.#at = at;
    this.#self = self;
  }

  static {
    showAs(Lock, (lock) => ({ locked: lock.locked() }));
    register(Lock, {
      name: "multiprocessing.Lock",
      module: import.meta.url,
      spans: "processes",
      reduce: (lock) => reduce(kind, lock.#port as NearMutex | FarMutex),
      discard,
      revive: (parts) => {
        try {
          arrived = revive(kind, parts as Parts);
          return new Lock();
        } finally {
          arrived = undefined;
        }
      },
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
   * import { Lock } from "@batteries/concurrent/multiprocessing";
   *
   * const lock = new Lock();
   * assert(await lock.acquire({ timeout: 100 }));
   * assert(!await lock.acquire({ timeout: 1 }));
   * lock.release();
   * ```
   */
  acquire(options?: AcquireOptions): Promise<boolean> {
    if (options === undefined && !isWaiting() && this.#grab()) return Promise.resolve(true);
    return this.#acquire(options);
  }

  async #acquire(options?: AcquireOptions): Promise<boolean> {
    const limit = limitOf(options, "Lock.acquire");
    if (this.#port.grabInTurn()) return true;
    return this.#conclude(await this.#port.acquire(limit), limit);
  }

  /**
   * As {@linkcode Lock.acquire}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds), or `blocking: false` to try once.
   * @returns Whether the lock was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  acquireSync(options?: AcquireOptions): boolean {
    if (options === undefined && this.#grab()) return true;
    const limit = options === undefined ? FOREVER : limitOf(options, "Lock.acquireSync");
    if (this.#port.grab()) return true;
    return this.#conclude(this.#port.acquireSync(limit), limit);
  }

  /** Takes the lock, if nothing stands in the way; `false` says nothing. */
  #grab(): boolean {
    const mine = this.#self.number << 1;
    return mine !== 0 && this.#cas(this.#at, 0, mine) === 0;
  }

  #conclude(taken: Taken, limit: Limit): boolean {
    if (taken === ABORTED) throw limit.signal!.reason;
    if (taken === INHERITED) this.#died = true;
    return taken >= TAKEN;
  }

  /**
   * Gives the lock back. Anybody may call this.
   *
   * @throws {ThreadError} When the lock is not locked.
   */
  release(): void {
    const mine = this.#self.number << 1;
    if (mine !== 0 && this.#cas(this.#at, mine, 0) === mine) return;
    if (!this.#port.release()) {
      throw new ThreadError("Cannot release the Lock: it is not locked");
    }
  }

  /** Whether somebody holds the lock now. */
  locked(): boolean {
    return this.#port.locked();
  }

  /**
   * Whether an `acquire` of this object got the lock because its owner had ended without releasing it: what the lock protects may be
   * half done. Tells it once: asked again, it is `false`, until it happens again.
   */
  ownerDied(): boolean {
    const died = this.#died;
    this.#died = false;
    return died;
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
