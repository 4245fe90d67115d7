/**
 * {@linkcode Barrier}.
 *
 * @module
 */
import {
  bagOf,
  deadlineOf,
  type Limit,
  limitOf,
  register,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { BrokenBarrierError } from "../threading/mod.ts";
import { FarRounds, serveRounds } from "./_sync_far.ts";
import { NearRounds } from "./_sync_near.ts";
import type { RoundsPort } from "./_sync_ports.ts";
import {
  type Arrival,
  barrierWords,
  GAVE_UP,
  LEAD,
  MAX_PARTIES,
  PARTIES,
  PASSED,
} from "./_sync_rounds.ts";
import { newSeat } from "./_sync_seat.ts";
import { discard, type Kind, type Parts, reduce, revive } from "./_sync_travel.ts";
import { showAs } from "./_show.ts";

const kind: Kind<NearRounds, FarRounds> = {
  name: "Barrier",
  near: (seat) => new NearRounds(seat),
  far: FarRounds,
  serve: serveRounds,
};

/** What is behind the next barrier, when it is not a new one. */
let arrived: NearRounds | FarRounds | undefined;

/** What a barrier takes along beside its words. */
interface Extra {
  readonly parties: number;
  readonly action: (() => void) | undefined;
  readonly timeout: number | undefined;
}

/** Options of {@linkcode Barrier}. */
export interface BarrierOptions {
  /**
   * Called once per round, by the last one that arrives, in its process, before the others go on. When it throws, the barrier breaks. It
   * has to be exported, as a target has, only when the barrier is sent somewhere.
   */
  action?: () => void;
  /** Milliseconds that each `wait` waits when it says nothing else. */
  timeout?: number;
}

/**
 * A meeting point of processes: everybody waits until a fixed number of parties has arrived, then all go on, and it can be used again.
 *
 * - A wait that runs out of time breaks the barrier: all get a `BrokenBarrierError`, and so does everybody who comes later, until
 *   `reset`. A wait that is aborted only leaves.
 * - A party whose process ends while it runs the action breaks the barrier. One that ends while it waits has arrived.
 * - Waiting, travelling and permissions are those of `Lock`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Barrier | multiprocessing.Barrier}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Barrier } from "@batteries/concurrent/multiprocessing";
 *
 * const barrier = new Barrier(2);
 * const places = await Promise.all([barrier.wait(), barrier.wait()]);
 * assertEquals(places, [0, 1]);
 * ```
 */
export class Barrier {
  readonly #port: RoundsPort;
  readonly #action: (() => void) | undefined;
  readonly #timeout: number | undefined;

  /**
   * Makes a barrier.
   *
   * @param parties How many have to arrive, from 1 to 1,048,576.
   * @param options An action for each round, and the default time-out.
   * @throws {TypeError} When `parties` is not a number or an option has the wrong type.
   * @throws {RangeError} When `parties` is not an integer in its range, or `timeout` is `NaN` or too large.
   */
  constructor(parties: number, options: BarrierOptions = {}) {
    if (typeof parties !== "number") {
      throw new TypeError(
        `Cannot make a Barrier: parties must be a number, got ${typeof parties}`,
      );
    }
    if (!Number.isInteger(parties) || parties < 1 || parties > MAX_PARTIES) {
      throw new RangeError(
        `Cannot make a Barrier: parties must be an integer from 1 to ${MAX_PARTIES}, got ${parties}`,
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
    this.#action = action;
    this.#timeout = timeout;
    if (arrived !== undefined) this.#port = arrived;
    else {
      const seat = newSeat(barrierWords(parties), "make a Barrier");
      seat.words[seat.at + PARTIES] = parties;
      this.#port = new NearRounds(seat);
    }
  }

  static {
    showAs(Barrier, ({ parties, nWaiting, broken }) => ({ parties, nWaiting, broken }));
    register(Barrier, {
      name: "multiprocessing.Barrier",
      module: import.meta.url,
      spans: "processes",
      reduce: (barrier) => {
        const extra: Extra = {
          parties: barrier.parties,
          action: barrier.#action,
          timeout: barrier.#timeout,
        };
        return reduce(kind, barrier.#port as NearRounds | FarRounds, extra);
      },
      discard,
      revive: (parts) => {
        const { parties, action, timeout } = (parts as Parts).extra as Extra;
        try {
          arrived = revive(kind, parts as Parts);
          if (arrived instanceof FarRounds) arrived.parties = parties;
          return new Barrier(parties, { action, timeout });
        } finally {
          arrived = undefined;
        }
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
    let arrival = this.#port.arrive(limit);
    // Who is last goes on at once: what the caller does next comes after the action.
    if (arrival instanceof Promise) arrival = await arrival;
    if (arrival.how !== LEAD) return conclude(arrival, limit);
    this.#act();
    const finishes = this.#port.finish(arrival.round);
    return mustFinish(typeof finishes === "boolean" ? finishes : await finishes, arrival);
  }

  /**
   * As {@linkcode Barrier.wait}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait; without `timeout` the barrier's own holds.
   * @returns A number from 0 to `parties - 1`, a different one for each party.
   * @throws {BrokenBarrierError} When the barrier is broken or reset, before or during the wait.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  waitSync(options?: WaitOptions): number {
    const limit = this.#limit(options, "Barrier.waitSync");
    const arrival = this.#port.arriveSync(limit);
    if (arrival.how !== LEAD) return conclude(arrival, limit);
    this.#act();
    return mustFinish(this.#port.finish(arrival.round) as boolean, arrival);
  }

  #limit(options: WaitOptions | undefined, what: string): Limit {
    const limit = limitOf(options, what);
    if (this.#timeout === undefined || options?.timeout !== undefined) return limit;
    return { deadline: deadlineOf(this.#timeout, what), signal: limit.signal };
  }

  #act(): void {
    try {
      this.#action?.();
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Makes the barrier whole and empty. Whoever is waiting gets a `BrokenBarrierError`. */
  reset(): void {
    this.#port.reset();
  }

  /** Breaks the barrier, for everybody who waits and everybody who comes later, until {@linkcode Barrier.reset}. */
  abort(): void {
    this.#port.abort();
  }

  /** How many parties make a round. */
  get parties(): number {
    return this.#port.parties;
  }

  /** How many are waiting now. */
  get nWaiting(): number {
    return this.#port.waiting();
  }

  /** Whether the barrier is broken. */
  get broken(): boolean {
    return this.#port.isBroken();
  }
}

function conclude({ how, place }: Arrival, limit: Limit): number {
  if (how === PASSED) return place;
  if (how === GAVE_UP) throw limit.signal!.reason;
  throw new BrokenBarrierError(
    "The barrier is broken: a party ran out of time or ended, or somebody called abort or reset",
  );
}

function mustFinish(finishes: boolean, { place }: Arrival): number {
  if (finishes) return place;
  throw new BrokenBarrierError("The barrier was aborted or reset while its action ran");
}
