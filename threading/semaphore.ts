/**
 * {@linkcode Semaphore} and {@linkcode BoundedSemaphore}.
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
  type Limit,
  limitOf,
  MAX_PERMITS,
  register,
  release,
  type Revocable,
  revocable,
  type Rule,
  runSync,
  SEMAPHORE_WORDS,
  semaphoreRule,
  STATE,
  type WaitOptions,
} from "./_core/mod.ts";
import { hold, holdSync } from "./_holdable.ts";

/** How many permits there may be, plus 1; 0 in new memory. */
const BOUND = STATE + 1;

/**
 * A semaphore: a number of permits that are acquired and released.
 *
 * Those who wait are served in the order they came. Sharing with threads and both forms of waiting are as for {@linkcode Lock}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#semaphore-objects | threading.Semaphore}.
 *
 * @example At most three downloads at a time
 * ```ts
 * import { Semaphore } from "@batteries/concurrent/threading";
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
  readonly #cell: Cell;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #rule: Rule;
  readonly #revocable: Revocable;

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
    this.#cell = cell(SEMAPHORE_WORDS);
    this.#words = this.#cell.words;
    if (this.#words[BOUND] === 0) {
      this.#words[STATE] = value << 1;
      this.#words[BOUND] = (this._isBounded() ? value : MAX_PERMITS) + 1;
    }
    this.#rule = semaphoreRule(this.#words[BOUND] - 1);
    this.#revocable = revocable(this.#cell, this.#rule);
  }

  static {
    register(Semaphore, {
      name: "Semaphore",
      module: import.meta.url,
      reduce: (semaphore) => semaphore.#words.buffer,
      revive: (buffer) => adopt(buffer as SharedArrayBuffer, () => new Semaphore()),
    });
  }

  /** The memory, for the reducer of a subclass. @internal */
  protected _buffer(): SharedArrayBuffer {
    return this.#words.buffer;
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
    if (this.#grab()) return true;
    const body = this.#body(limit);
    return await callAsync(this.#cell.site, limit, body, this.#revocable) === GRANTED;
  }

  /**
   * As {@linkcode Semaphore.acquire}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds), or `blocking: false` to try once.
   * @returns Whether a permit was taken; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   */
  acquireSync(options?: AcquireOptions): boolean {
    const limit = limitOf(options, "Semaphore.acquireSync");
    return this.#grab() || callSync(this.#cell.site, limit, this.#body(limit)) === GRANTED;
  }

  #body(limit: Limit): (waiter: number) => ReturnType<typeof acquire> {
    return (waiter) => acquire(this.#cell, this.#rule, waiter, limit);
  }

  /** The fast path: a permit is left and nobody waits. */
  #grab(): boolean {
    for (;;) {
      const seen = Atomics.load(this.#words, STATE);
      if ((seen & 1) === 1 || seen === 0) return false;
      if (Atomics.compareExchange(this.#words, STATE, seen, seen - 2) === seen) return true;
    }
  }

  /**
   * Gives permits back; the first of those who wait get them. Anybody may call this.
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
      throw new RangeError(`Cannot release ${n} permits: n must be an integer of at least 1`);
    }
    if (n > MAX_PERMITS || !this.#give(n)) {
      throw new RangeError(
        `Cannot release ${n} permit${
          n === 1 ? "" : "s"
        }: the ${this.constructor.name} holds at most ${
          this.#words[BOUND] - 1
        }; it was released more often than acquired`,
      );
    }
  }

  /** The fast path where nobody waits; whoever waits has set bit 0. */
  #give(n: number): boolean {
    const seen = Atomics.load(this.#words, STATE);
    const given = this.#rule.give(seen, n);
    if ((seen & 1) === 0 && given !== -1) {
      if (Atomics.compareExchange(this.#words, STATE, seen, given) === seen) return true;
    }
    return runSync(this.#cell.site, release(this.#cell, this.#rule, n));
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

/**
 * A semaphore that never holds more permits than it was made with: a release too many is an error, not a bug that shows elsewhere.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.BoundedSemaphore | threading.BoundedSemaphore}.
 *
 * @example
 * ```ts
 * import { assertThrows } from "@std/assert";
 * import { BoundedSemaphore } from "@batteries/concurrent/threading";
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
      name: "BoundedSemaphore",
      module: import.meta.url,
      reduce: (semaphore) => semaphore._buffer(),
      revive: (buffer) => adopt(buffer as SharedArrayBuffer, () => new BoundedSemaphore()),
    });
  }

  /** Whether the first value is also the largest. @internal */
  protected override _isBounded(): boolean {
    return true;
  }
}
