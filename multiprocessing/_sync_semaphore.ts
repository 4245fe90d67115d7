/**
 * {@linkcode Semaphore} and {@linkcode BoundedSemaphore}.
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
import { FarPermits, servePermits } from "./_sync_far.ts";
import { TAKEN, type Taken } from "./_sync_mutex.ts";
import { NearPermits } from "./_sync_near.ts";
import { BOUND, MAX_PERMITS, PERMITS_WORDS, VALUE } from "./_sync_permits.ts";
import type { PermitsPort } from "./_sync_ports.ts";
import { newSeat } from "./_sync_seat.ts";
import { ABORTED } from "./_sync_steps.ts";
import { discard, type Kind, type Parts, reduce, revive } from "./_sync_travel.ts";
import { showAs } from "./_show.ts";

const kind: Kind<NearPermits, FarPermits> = {
  name: "Semaphore",
  near: (seat) => new NearPermits(seat),
  far: FarPermits,
  serve: servePermits,
};

/** What is behind the next semaphore, when it is not a new one. */
let arrived: NearPermits | FarPermits | undefined;

function receive<T>(parts: unknown, make: () => T): T {
  try {
    arrived = revive(kind, parts as Parts);
    if (arrived instanceof FarPermits) arrived.bound = (parts as Parts).extra as number;
    return make();
  } finally {
    arrived = undefined;
  }
}

/**
 * A semaphore between processes: a number of permits that are acquired and released.
 *
 * - A permit has no owner: one that a process had when it ended is gone with it.
 * - Waiting, travelling and permissions are those of `Lock`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Semaphore | multiprocessing.Semaphore}.
 *
 * @example At most three downloads at a time
 * ```ts
 * import { Semaphore } from "@batteries/concurrent/multiprocessing";
 *
 * const slots = new Semaphore(3);
 * async function download(url: string): Promise<string> {
 *   using _slot = await slots.hold();
 *   return await Promise.resolve(`the text of ${url}`);
 * }
 * await Promise.all(["a", "b", "c", "d"].map(download));
 * ```
 */
export class Semaphore {
  readonly #port: PermitsPort;

  /**
   * Makes a semaphore.
   *
   * @param value How many permits it has at first, up to 1,073,741,823.
   * @throws {TypeError} When `value` is not a number.
   * @throws {RangeError} When `value` is negative, not an integer, or too large.
   */
  constructor(value = 1) {
    if (typeof value !== "number") {
      throw new TypeError(
        `Cannot make a ${new.target.name}: value must be a number, got ${typeof value}`,
      );
    }
    if (!Number.isInteger(value) || value < 0 || value > MAX_PERMITS) {
      throw new RangeError(
        `Cannot make a ${new.target.name}: value must be an integer from 0 to ${MAX_PERMITS}, got ${value}`,
      );
    }
    if (arrived !== undefined) this.#port = arrived;
    else {
      const seat = newSeat(PERMITS_WORDS, `make a ${new.target.name}`);
      seat.words[seat.at + VALUE] = value << 1;
      seat.words[seat.at + BOUND] = this._isBounded() ? value : MAX_PERMITS;
      this.#port = new NearPermits(seat);
    }
  }

  static {
    showAs(Semaphore, (semaphore) => ({ value: semaphore.getValue() }));
    register(Semaphore, {
      name: "multiprocessing.Semaphore",
      module: import.meta.url,
      spans: "processes",
      reduce: (semaphore) => semaphore._parts(),
      discard,
      revive: (parts) => receive(parts, () => new Semaphore()),
    });
  }

  /** The semaphore as data. @internal */
  protected _parts(): unknown {
    return reduce(kind, this.#port as NearPermits | FarPermits, this.#port.bound);
  }

  /** Whether the first value is also the largest. @internal */
  protected _isBounded(): boolean {
    return false;
  }

  /**
   * Waits for a permit and takes it.
   *
   * @param options How long to wait (`timeout` in milliseconds, `signal`), or `blocking: false` to try once.
   * @returns Whether a permit was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   * @throws The signal's reason, when it is aborted.
   */
  async acquire(options?: AcquireOptions): Promise<boolean> {
    const limit = limitOf(options, "Semaphore.acquire");
    if (this.#port.grabInTurn()) return true;
    return conclude(await this.#port.acquire(limit), limit);
  }

  /**
   * As {@linkcode Semaphore.acquire}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds), or `blocking: false` to try once.
   * @returns Whether a permit was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  acquireSync(options?: AcquireOptions): boolean {
    const limit = options === undefined ? FOREVER : limitOf(options, "Semaphore.acquireSync");
    if (this.#port.grab()) return true;
    return conclude(this.#port.acquireSync(limit), limit);
  }

  /**
   * Gives permits back. Anybody may call this.
   *
   * @param n How many.
   * @throws {TypeError} When `n` is not a number.
   * @throws {RangeError} When `n` is not an integer of at least 1, or the semaphore would hold more than it can.
   */
  release(n = 1): void {
    if (typeof n !== "number") {
      throw new TypeError(`Cannot release a semaphore: n must be a number, got ${typeof n}`);
    }
    if (!Number.isInteger(n) || n < 1) {
      throw new RangeError(
        `Cannot release a semaphore: n must be an integer of at least 1, got ${n}`,
      );
    }
    if (!this.#port.release(n)) {
      throw new RangeError(
        `Cannot release the ${this.constructor.name}: it holds at most ${this.#port.bound}; it was released more often than acquired`,
      );
    }
  }

  /** How many permits are left now. Stands for CPython's `get_value()`. */
  getValue(): number {
    return this.#port.value();
  }

  /** Whether no permit is left now. */
  locked(): boolean {
    return this.#port.value() === 0;
  }

  /**
   * Takes a permit for the length of a `using` block.
   *
   * @param options How long to wait.
   * @returns A guard that releases the permit when it is disposed of.
   * @throws {TimeoutError} When time ran out.
   */
  hold(options?: WaitOptions): Promise<Disposable> {
    return hold(this, options);
  }

  /**
   * As {@linkcode Semaphore.hold}, blocking the calling thread.
   *
   * @param options How long to wait.
   * @returns A guard that releases the permit when it is disposed of.
   * @throws {TimeoutError} When time ran out.
   */
  holdSync(options?: WaitOptions): Disposable {
    return holdSync(this, options);
  }
}

function conclude(taken: Taken, limit: Limit): boolean {
  if (taken === ABORTED) throw limit.signal!.reason;
  return taken === TAKEN;
}

/**
 * A semaphore between processes that never holds more permits than it was made with: a release too many is an error.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.BoundedSemaphore | multiprocessing.BoundedSemaphore}.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { BoundedSemaphore } from "@batteries/concurrent/multiprocessing";
 *
 * const slots = new BoundedSemaphore(2);
 * await slots.acquire();
 * slots.release();
 * assertThrows(() => slots.release(), RangeError);
 * ```
 */
export class BoundedSemaphore extends Semaphore {
  static {
    register(BoundedSemaphore, {
      name: "multiprocessing.BoundedSemaphore",
      module: import.meta.url,
      spans: "processes",
      reduce: (semaphore) => semaphore._parts(),
      discard,
      revive: (parts) => receive(parts, () => new BoundedSemaphore()),
    });
  }

  /** Whether the first value is also the largest. @internal */
  protected override _isBounded(): boolean {
    return true;
  }
}
