/**
 * {@linkcode Barrier}.
 *
 * @module
 */
import {
  adopt,
  bagOf,
  barrier,
  BARRIER_WORDS,
  callAsync,
  callSync,
  type Cell,
  cell,
  deadlineOf,
  type Limit,
  limitOf,
  register,
  runSync,
  type WaitOptions,
} from "./_core/mod.ts";
import { BrokenBarrierError } from "./errors.ts";

/** Options of {@linkcode Barrier}. */
export interface BarrierOptions {
  /**
   * Called once per round, by the last one that arrives, before the others go on. When it throws, the barrier breaks. It has to be
   * exported, as a thread's target has, only when the barrier is handed to a thread.
   */
  action?: () => void;
  /** Milliseconds that each `wait` waits when it says nothing else. */
  timeout?: number;
}

/** The most parties that a barrier takes. */
const MAX_PARTIES = 2 ** 30;

/**
 * A meeting point: everybody waits until a fixed number of parties has arrived, then all go on, and it can be used again.
 *
 * - A wait that runs out of time breaks the barrier: all get a {@linkcode BrokenBarrierError}, and so does everybody who comes
 *   later, until `reset`. A wait that is aborted only leaves.
 * - Sharing with threads and both forms of waiting are as for {@linkcode Lock}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#barrier-objects | threading.Barrier}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Barrier } from "@batteries/concurrent/threading";
 *
 * const barrier = new Barrier(2);
 * const places = await Promise.all([barrier.wait(), barrier.wait()]);
 * assertEquals(places, [0, 1]);
 * ```
 */
export class Barrier {
  readonly #cell: Cell;
  readonly #action: (() => void) | undefined;
  readonly #timeout: number | undefined;

  /**
   * Makes a barrier.
   *
   * @param parties How many have to arrive, at least 1.
   * @param options An action for each round, and the default time-out.
   * @throws {TypeError} When `parties` is not a number or an option has the wrong type.
   * @throws {RangeError} When `parties` is not an integer of at least 1, or `timeout` is `NaN` or too large.
   */
  constructor(parties: number, options: BarrierOptions = {}) {
    if (typeof parties !== "number") {
      throw new TypeError(
        `Cannot make a Barrier: parties must be a number, got ${typeof parties}`,
      );
    }
    if (!Number.isInteger(parties) || parties < 1 || parties > MAX_PARTIES) {
      throw new RangeError(
        `Cannot make a Barrier: parties must be an integer of at least 1, got ${parties}`,
      );
    }
    bagOf(options, "make a Barrier", "{ timeout: 500 }");
    const { action, timeout } = options;
    if (action !== undefined && typeof action !== "function") {
      throw new TypeError(
        `Cannot make a Barrier: action must be a function, got ${typeof action}`,
      );
    }
    if (timeout !== undefined) deadlineOf(timeout, "new Barrier");
    this.#cell = cell(BARRIER_WORDS);
    this.#cell.words[barrier.PARTIES] = parties;
    this.#action = action;
    this.#timeout = timeout;
  }

  static {
    register(Barrier, {
      name: "Barrier",
      module: import.meta.url,
      reduce: (barrier) => [
        barrier.#cell.words.buffer,
        barrier.parties,
        barrier.#action,
        barrier.#timeout,
      ],
      revive: (parts) => {
        const [buffer, parties, action, timeout] = parts as [
          SharedArrayBuffer,
          number,
          (() => void) | undefined,
          number | undefined,
        ];
        return adopt(buffer, () => new Barrier(parties, { action, timeout }));
      },
    });
  }

  /**
   * Arrives, and waits until all parties have.
   *
   * @param options How long to wait; without `timeout` the barrier's own holds.
   * @returns A number from 0 to `parties - 1`, a different one for each party.
   * @throws {BrokenBarrierError} When the barrier is broken or reset, before or during the wait.
   * @throws What the action throws, to the party that ran it; the signal's reason, when it is aborted.
   */
  async wait(options?: WaitOptions): Promise<number> {
    const limit = this.#limit(options, "Barrier.wait");
    const { site } = this.#cell;
    let index = 0;
    const settled = await callAsync(
      site,
      limit,
      (waiter) => this.#arrive(waiter, limit, (i) => index = i),
    );
    return this.#conclude(settled, index);
  }

  /**
   * As {@linkcode Barrier.wait}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait; without `timeout` the barrier's own holds.
   * @returns A number from 0 to `parties - 1`, a different one for each party.
   * @throws {BrokenBarrierError} When the barrier is broken or reset, before or during the wait.
   */
  waitSync(options?: WaitOptions): number {
    const limit = this.#limit(options, "Barrier.waitSync");
    const { site } = this.#cell;
    let index = 0;
    const settled = callSync(
      site,
      limit,
      (waiter) => this.#arrive(waiter, limit, (i) => index = i),
    );
    return this.#conclude(settled, index);
  }

  #limit(options: WaitOptions | undefined, what: string): Limit {
    const limit = limitOf(options, what);
    if (this.#timeout === undefined || options?.timeout !== undefined) return limit;
    return { deadline: deadlineOf(this.#timeout, what), signal: limit.signal };
  }

  *#arrive(
    waiter: number,
    limit: Limit,
    tell: (index: number) => void,
  ): ReturnType<typeof barrier.arrive> {
    const settled = yield* barrier.arrive(this.#cell, waiter, limit);
    if (settled === barrier.PASSED || settled === barrier.LEAD) {
      tell(barrier.indexOf(this.#cell, waiter));
    }
    return settled;
  }

  #conclude(settled: number, index: number): number {
    if (settled === barrier.LEAD) return this.#lead(index);
    if (settled === barrier.PASSED) return index;
    throw new BrokenBarrierError(
      settled === barrier.BROKE
        ? "The barrier is broken: a party ran out of time, or somebody called abort or reset"
        : "The barrier is broken: not all parties arrived in time",
    );
  }

  /** The last of a round, whose number was told with the grant, runs the action and lets the others go. */
  #lead(round: number): number {
    try {
      this.#action?.();
    } catch (error) {
      this.abort();
      throw error;
    }
    if (!runSync(this.#cell.site, barrier.finish(this.#cell, round))) {
      throw new BrokenBarrierError("The barrier was aborted or reset while its action ran");
    }
    return this.parties - 1;
  }

  /** Makes the barrier whole and empty. Whoever is waiting gets a {@linkcode BrokenBarrierError}. */
  reset(): void {
    runSync(this.#cell.site, barrier.reset(this.#cell));
  }

  /** Breaks the barrier, for everybody who waits and everybody who comes later, until {@linkcode Barrier.reset}. */
  abort(): void {
    runSync(this.#cell.site, barrier.abort(this.#cell));
  }

  /** How many parties make a round. */
  get parties(): number {
    return this.#cell.words[barrier.PARTIES];
  }

  /** How many are waiting now. */
  get nWaiting(): number {
    return runSync(this.#cell.site, barrier.waiting(this.#cell));
  }

  /** Whether the barrier is broken. */
  get broken(): boolean {
    return Atomics.load(this.#cell.words, barrier.MODE) === barrier.BROKEN;
  }
}
