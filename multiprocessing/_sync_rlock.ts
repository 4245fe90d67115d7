/**
 * {@linkcode RLock}.
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
import { BLOCKING, currentFlow, NO_FLOW, SuspendedHolds } from "../threading/_flows.ts";
import { hold, holdSync } from "../threading/_holdable.ts";
import { ThreadError } from "../threading/mod.ts";
import { FarMutex, serveMutex } from "./_sync_far.ts";
import { INHERITED, TAKEN, type Taken } from "./_sync_mutex.ts";
import { LOCK_WORDS, NearMutex } from "./_sync_near.ts";
import type { MutexPort } from "./_sync_ports.ts";
import { newSeat } from "./_sync_seat.ts";
import { ABORTED } from "./_sync_steps.ts";
import { discard, type Kind, type Parts, reduce, revive } from "./_sync_travel.ts";
import { showAs } from "./_show.ts";

const kind: Kind<NearMutex, FarMutex> = {
  name: "RLock",
  near: (seat) => new NearMutex(seat),
  far: FarMutex,
  serve: serveMutex,
};

/** What is behind the next lock, when it is not a new one. */
let arrived: NearMutex | FarMutex | undefined;

/** Of the holder's words: which flow of the holding thread owns the lock ({@linkcode NO_FLOW}, {@linkcode BLOCKING} or a number). */
const FLOW = 0;
/** Of the holder's words: how many times it has acquired the lock. */
const COUNT = 1;

/**
 * A reentrant lock between processes: its owner may acquire it again, and has to release it as often.
 *
 * - The owner of a `Sync` hold is the thread; of an async hold, the asynchronous flow: the current context. Each
 *   `context.run(asyncFunction)` and each thread is a flow of its own, plain async calls share their caller's. A `Sync` hold and an
 *   async hold are different owners, even in one thread.
 * - Only the owner may release it.
 * - When the owner's thread ends, however it does, the next one who acquires the lock gets it, once and not as often as the dead one
 *   had it; {@linkcode RLock.ownerDied} tells it.
 * - Order, travelling and permissions are those of {@linkcode Lock}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.RLock | multiprocessing.RLock}.
 *
 * @example
 * ```ts
 * import { RLock } from "@batteries/concurrent/multiprocessing";
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
  readonly #port: MutexPort;
  readonly #suspended = new SuspendedHolds();
  #died = false;

  /** Makes an unlocked lock. */
  constructor() {
    this.#port = arrived ?? new NearMutex(newSeat(LOCK_WORDS, "make an RLock"));
  }

  static {
    showAs(RLock, (lock) => ({ locked: lock.locked() }));
    register(RLock, {
      name: "multiprocessing.RLock",
      module: import.meta.url,
      spans: "processes",
      reduce: (lock) => reduce(kind, lock.#port as NearMutex | FarMutex),
      discard,
      revive: (parts) => {
        try {
          arrived = revive(kind, parts as Parts);
          return new RLock();
        } finally {
          arrived = undefined;
        }
      },
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
    return this.#enter(flow) || await this.#acquire(flow, limit);
  }

  /** Reentry, or the free lock, in the turn of the call: tasks of one flow go on in the order in which they acquired. */
  #enter(flow: number): boolean {
    return this.#again(flow) || this.#port.grabInTurn() && this.#own(flow);
  }

  async #acquire(flow: number, limit: Limit): Promise<boolean> {
    return this.#conclude(await this.#port.acquire(limit), limit) && this.#own(flow);
  }

  /**
   * As {@linkcode RLock.acquire}, blocking the calling thread, which becomes the owner. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds), or `blocking: false` to try once.
   * @returns Whether the lock was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  acquireSync(options?: AcquireOptions): boolean {
    const limit = options === undefined ? FOREVER : limitOf(options, "RLock.acquireSync");
    return this.#again(BLOCKING) || this.#acquireSync(BLOCKING, limit);
  }

  #acquireSync(flow: number, limit: Limit): boolean {
    if (this.#port.grab()) return this.#own(flow);
    return this.#conclude(this.#port.acquireSync(limit), limit) && this.#own(flow);
  }

  #again(flow: number): boolean {
    if (!this.#ownedBy(flow)) return false;
    this.#port.own[COUNT]++;
    return true;
  }

  #conclude(taken: Taken, limit: Limit): boolean {
    if (taken === ABORTED) throw limit.signal!.reason;
    if (taken === INHERITED) this.#died = true;
    return taken >= TAKEN;
  }

  #own(flow: number): true {
    const { own } = this.#port;
    own[FLOW] = flow;
    own[COUNT] = 1;
    return true;
  }

  #ownedBy(flow: number): boolean {
    return this.#port.own[FLOW] === flow && this.#port.isMine();
  }

  #owner(): number {
    if (this.#ownedBy(BLOCKING)) return BLOCKING;
    const flow = currentFlow();
    return this.#ownedBy(flow) ? flow : NO_FLOW;
  }

  /**
   * Undoes one `acquire`; the last one frees the lock.
   *
   * @throws {ThreadError} When the caller is not the owner.
   */
  release(): void {
    if (this.#owner() !== NO_FLOW) {
      if (--this.#port.own[COUNT] === 0) this.#letGo();
      return;
    }
    if (this.#suspended.release(currentFlow())) return;
    throw new ThreadError(
      `Cannot release the RLock: ${
        this.locked()
          ? "its owner is another process, thread or asynchronous flow"
          : "it is not locked"
      }`,
    );
  }

  #letGo(): void {
    // Before the lock is free or somebody else's: from then on the word is theirs.
    this.#port.own[FLOW] = NO_FLOW;
    this.#port.release();
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
      this.#suspended.suspend(flow, this.#port.own[COUNT]);
      this.#letGo();
    }
    return flow;
  }

  /** For conditions: undoes {@linkcode RLock._releaseSave}. @internal */
  async _acquireRestore(flow: number): Promise<void> {
    if (!this.#enter(flow)) await this.#acquire(flow, FOREVER);
    this.#resume(flow);
  }

  /** For conditions: undoes {@linkcode RLock._releaseSave}. @internal */
  _acquireRestoreSync(flow: number): void {
    if (!this.#again(flow)) this.#acquireSync(flow, FOREVER);
    this.#resume(flow);
  }

  /** One that has waited holds the lock once, and takes what else is its own. */
  #resume(flow: number): void {
    this.#port.own[COUNT] += this.#suspended.resume(flow) - 1;
  }
}
