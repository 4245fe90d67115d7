/**
 * {@linkcode Event}.
 *
 * @module
 */
import { type Limit, limitOf, register, type WaitOptions } from "../threading/_core/mod.ts";
import { FarFlag, serveFlag } from "./_sync_far.ts";
import { FLAG_WORDS } from "./_sync_flag.ts";
import { TAKEN, type Taken } from "./_sync_mutex.ts";
import { NearFlag } from "./_sync_near.ts";
import type { FlagPort } from "./_sync_ports.ts";
import { newSeat } from "./_sync_seat.ts";
import { ABORTED } from "./_sync_steps.ts";
import { discard, type Kind, type Parts, reduce, revive } from "./_sync_travel.ts";
import { showAs } from "./_show.ts";

const kind: Kind<NearFlag, FarFlag> = {
  name: "Event",
  near: (seat) => new NearFlag(seat),
  far: FarFlag,
  serve: serveFlag,
};

/** What is behind the next event, when it is not a new one. */
let arrived: NearFlag | FarFlag | undefined;

/**
 * A flag that any process can set and clear, and wait for.
 *
 * `set` lets everybody go who waits at that moment, even when the flag is cleared right after it. Travelling and permissions are those
 * of `Lock`. In a process without `--allow-ffi`, `isSet` may be late: it answers from the last news, which asking renews.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Event | multiprocessing.Event}.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { Event } from "@batteries/concurrent/multiprocessing";
 *
 * const ready = new Event();
 * const waiting = ready.wait({ timeout: 1000 });
 * ready.set();
 * assert(await waiting);
 * ```
 */
export class Event {
  readonly #port: FlagPort;

  /** Makes an event that is not set. */
  constructor() {
    this.#port = arrived ?? new NearFlag(newSeat(FLAG_WORDS, "make an Event"));
  }

  static {
    showAs(Event, (event) => ({ set: event.isSet() }));
    register(Event, {
      name: "multiprocessing.Event",
      module: import.meta.url,
      spans: "processes",
      reduce: (event) => reduce(kind, event.#port as NearFlag | FarFlag),
      discard,
      revive: (parts) => {
        try {
          arrived = revive(kind, parts as Parts);
          return new Event();
        } finally {
          arrived = undefined;
        }
      },
    });
  }

  /** Whether the flag is set. */
  isSet(): boolean {
    return this.#port.isSet();
  }

  /** Sets the flag and lets everybody go who waits for it. */
  set(): void {
    this.#port.set();
  }

  /** Clears the flag. */
  clear(): void {
    this.#port.clear();
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
    return conclude(await this.#port.wait(limit), limit);
  }

  /**
   * As {@linkcode Event.wait}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait (`timeout` in milliseconds).
   * @returns `true`; `false` when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  waitSync(options?: WaitOptions): boolean {
    const limit = limitOf(options, "Event.waitSync");
    return conclude(this.#port.waitSync(limit), limit);
  }
}

function conclude(taken: Taken, limit: Limit): boolean {
  if (taken === ABORTED) throw limit.signal!.reason;
  return taken === TAKEN;
}
