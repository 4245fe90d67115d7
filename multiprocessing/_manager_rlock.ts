/**
 * What a manager has instead of `threading.RLock` and `threading.Condition`: there the owner is a flow of this process, here it is a
 * client of the server.
 *
 * Everything happens in one thread, so nothing comes between a look and a step. Who waits is served in the order of coming.
 *
 * A client that ends keeps what it has locked, as in Python: locks of a manager belong to its server. But it leaves no wait behind: a
 * call that waits is withdrawn, and a wait for a condition does not lock again for somebody who is gone.
 *
 * @module
 */
import { Lock, ThreadError } from "../threading/mod.ts";
import { type Limit, timerUntil } from "../threading/_core/mod.ts";
import type { Caller } from "./_manager_caller.ts";

/** Waits in order: each is let go by `next`, or leaves by its limit. */
class Line {
  readonly #waiting = new Set<() => void>();

  /** Whether it was let go before its time was up. Rejects with the reason of the signal. */
  wait({ deadline, signal }: Limit): Promise<boolean> {
    if (deadline === -Infinity) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(go);
        stop?.();
        signal?.removeEventListener("abort", abort);
      };
      const go = () => {
        leave();
        resolve(true);
      };
      const abort = () => {
        leave();
        reject(signal!.reason);
      };
      const stop = deadline === Infinity ? undefined : timerUntil(deadline, () => {
        leave();
        resolve(false);
      });
      this.#waiting.add(go);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets the first go; whether there was one. */
  next(): boolean {
    for (const go of this.#waiting) {
      go();
      return true;
    }
    return false;
  }
}

/** A reentrant lock that belongs to a client. */
export class ClientRLock {
  readonly #line = new Line();
  #owner: object | undefined;
  #count = 0;
  /** Given to somebody who has been let go and not run on yet. */
  #given = false;

  /** Whether it was locked, once more or for the first time. */
  async acquire(caller: Caller, limit: Limit): Promise<boolean> {
    if (this.#owner === caller.client) {
      this.#count++;
      return true;
    }
    if (this.locked()) {
      // The lock is handed over: nobody who comes meanwhile takes it away.
      if (!await this.#line.wait(limit)) return false;
      this.#given = false;
      if (caller.gone) {
        this.#pass();
        return false;
      }
    }
    this.#owner = caller.client;
    this.#count = 1;
    return true;
  }

  /** Undoes one `acquire`. */
  release(caller: Caller): void {
    if (this.#owner !== caller.client) {
      throw new ThreadError(
        `Cannot release the RLock: ${
          this.#owner === undefined
            ? "it is not locked"
            : "its owner is another client of the manager"
        }`,
      );
    }
    if (--this.#count === 0) this.#pass();
  }

  #pass(): void {
    this.#owner = undefined;
    this.#count = 0;
    this.#given = this.#line.next();
  }

  /** Whether somebody has it. */
  locked(): boolean {
    return this.#owner !== undefined || this.#given;
  }

  /** Whether the caller has it. */
  ownedBy(caller: Caller): boolean {
    return this.#owner === caller.client;
  }

  /** Unlocks it however often it was locked, and gives how often. */
  unlock(): number {
    const count = this.#count;
    this.#pass();
    return count;
  }

  /** Locks it again as often as it was. */
  async relock(caller: Caller, count: number): Promise<void> {
    if (await this.acquire(caller, FOREVER)) this.#count = count;
  }
}

const FOREVER: Limit = { deadline: Infinity, signal: undefined };

/** A lock without an owner, in the form that conditions need. */
class PlainLock {
  readonly #lock: Lock;

  constructor(lock: Lock) {
    this.#lock = lock;
  }

  acquire(_caller: Caller, { deadline, signal }: Limit): Promise<boolean> {
    return this.#lock.acquire(
      deadline === Infinity ? { signal } : { timeout: deadline - performance.now(), signal },
    );
  }

  release(_caller: Caller): void {
    this.#lock.release();
  }

  locked(): boolean {
    return this.#lock.locked();
  }

  ownedBy(_caller: Caller): boolean {
    return this.#lock.locked();
  }

  unlock(): number {
    this.#lock.release();
    return 1;
  }

  async relock(caller: Caller, _count: number): Promise<void> {
    await this.#lock.acquire();
    if (caller.gone) this.#lock.release();
  }
}

/** A condition whose lock belongs to a client. */
export class ClientCondition {
  readonly #lock: ClientRLock | PlainLock;
  readonly #line = new Line();

  /** With a lock of its own, or with that one. */
  constructor(lock: unknown = new ClientRLock()) {
    if (lock instanceof Lock) this.#lock = new PlainLock(lock);
    else if (lock instanceof ClientRLock) this.#lock = lock;
    else {
      throw new TypeError(
        "Cannot make a Condition: lock must be a Lock or an RLock of the same manager",
      );
    }
  }

  /** Locks its lock. */
  acquire(caller: Caller, limit: Limit): Promise<boolean> {
    return this.#lock.acquire(caller, limit);
  }

  /** Unlocks its lock. */
  release(caller: Caller): void {
    this.#lock.release(caller);
  }

  /** Whether its lock is locked. */
  locked(): boolean {
    return this.#lock.locked();
  }

  /** Unlocks, waits to be notified, and locks again, whatever happened; whether it was notified. */
  async wait(caller: Caller, limit: Limit): Promise<boolean> {
    this.#mustOwn(caller, "wait for");
    // In the line before the lock is free: no notification falls between.
    const notified = this.#line.wait(limit);
    const count = this.#lock.unlock();
    try {
      return await notified;
    } finally {
      if (!caller.gone) await this.#lock.relock(caller, count);
    }
  }

  /** Lets the first `n` go that wait. */
  notify(caller: Caller, n = 1): void {
    this.#mustOwn(caller, "notify");
    if (typeof n !== "number") {
      throw new TypeError(`Cannot notify: n must be a number, got ${typeof n}`);
    }
    if (!Number.isInteger(n) && n !== Infinity || n < 0) {
      throw new RangeError(`Cannot notify ${n} waiters: n must be an integer of 0 or more`);
    }
    for (let i = 0; i < n; i++) if (!this.#line.next()) return;
  }

  #mustOwn(caller: Caller, act: string): void {
    if (this.#lock.ownedBy(caller)) return;
    throw new ThreadError(`Cannot ${act} the Condition: the caller does not hold its lock`);
  }
}
