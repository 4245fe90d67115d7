/**
 * {@linkcode Event}.
 *
 * @module
 */
import {
  adopt,
  callAsync,
  callSync,
  type Cell,
  cell,
  event,
  EVENT_WORDS,
  FLAG,
  GRANTED,
  type Limit,
  limitOf,
  register,
  runSync,
  type WaitOptions,
} from "./_core/mod.ts";

/**
 * A flag that anybody can set and clear, and wait for.
 *
 * `set` lets everybody go who waits at that moment, even when the flag is cleared right after it. Sharing with threads and both
 * forms of waiting are as for {@linkcode Lock}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#event-objects | threading.Event}.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { Event } from "@batteries/concurrent/threading";
 *
 * const ready = new Event();
 * const waiting = ready.wait({ timeout: 1000 });
 * ready.set();
 * assert(await waiting);
 * ```
 */
export class Event {
  readonly #cell: Cell;
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** Makes an event that is not set. */
  constructor() {
    this.#cell = cell(EVENT_WORDS);
    this.#words = this.#cell.words;
  }

  static {
    register(Event, {
      name: "Event",
      module: import.meta.url,
      reduce: (event) => event.#words.buffer,
      revive: (buffer) => adopt(buffer as SharedArrayBuffer, () => new Event()),
    });
  }

  /** Whether the flag is set. */
  isSet(): boolean {
    return Atomics.load(this.#words, FLAG) !== 0;
  }

  /** Sets the flag and lets everybody go who waits for it. */
  set(): void {
    // Under the lot's lock: were the flag written before, somebody could see it, clear it and wait, and be let go by this very set.
    if (!this.isSet()) runSync(this.#cell.site, event.set(this.#cell));
  }

  /** Clears the flag. */
  clear(): void {
    Atomics.store(this.#words, FLAG, 0);
  }

  /**
   * Waits until the flag is set.
   *
   * @param options How long to wait (`timeout` in milliseconds, `signal`).
   * @returns `true`; `false` when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large.
   * @throws The signal's reason, when it is aborted.
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    const limit = limitOf(options, "Event.wait");
    return this.isSet() ||
      await callAsync(this.#cell.site, limit, this.#body(limit)) === GRANTED;
  }

  /**
   * As {@linkcode Event.wait}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds).
   * @returns `true`; `false` when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large.
   */
  waitSync(options?: WaitOptions): boolean {
    const limit = limitOf(options, "Event.waitSync");
    return this.isSet() || callSync(this.#cell.site, limit, this.#body(limit)) === GRANTED;
  }

  #body(limit: Limit): (waiter: number) => ReturnType<typeof event.wait> {
    return (waiter) => event.wait(this.#cell, waiter, limit);
  }
}
