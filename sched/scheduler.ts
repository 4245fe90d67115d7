/**
 * {@linkcode Scheduler}.
 *
 * The state is one heap of events; `run` holds nothing across a wait. It decides anew each time it looks: the first event is
 * due, and is taken out before its action is called; or it is not, and stays while `run` waits. So whatever an action, a
 * `delayfunc` or anybody else does to the queue meanwhile is seen at the next look, and whatever throws or aborts leaves a queue to
 * go on with.
 *
 * @module
 */

import { Heap, type HeapNode } from "../queue/_heap.ts";
import { bagOf, limitOf, now, typeName } from "../threading/_core/mod.ts";
import { isThenable, Sleepers, sleepSync, turn, unlessAborted } from "./_sleep.ts";
import { compareEvents, type ScheduledEvent } from "./event.ts";

/** Options of {@linkcode Scheduler}. */
export interface SchedulerOptions {
  /** Tells the time, in any unit that `delayfunc` takes. By default `performance.now`: milliseconds. */
  timefunc?: () => number;
  /**
   * Waits for that many units of time; what it returns is awaited by `run`. It may return early, and it may change the queue. It
   * is also called with 0 after each action, to let other work have its turn. By default a wait that an earlier event ends.
   */
  delayfunc?: (time: number) => Promise<unknown> | unknown;
}

/** Options of {@linkcode Scheduler.run}. */
export interface RunOptions {
  /** `false`: call the actions that are due and do not wait for the others. */
  blocking?: boolean;
  /** Stops `run` at once: it rejects with `signal.reason`, and the events that have not begun stay queued. */
  signal?: AbortSignal;
}

/** Options of {@linkcode Scheduler.runSync}. */
export interface RunSyncOptions {
  /** `false`: call the actions that are due and do not wait for the others. */
  blocking?: boolean;
}

/** Any function: what its arguments are is the caller's business. */
// deno-lint-ignore no-explicit-any
export type LooseAction = (...args: any[]) => unknown;

/** What there is to do: call an event's action, wait for `ms`, or nothing. */
type Step = { event: ScheduledEvent } | { ms: number } | undefined;

/**
 * Calls functions at their time: an event queue with a clock.
 *
 * - Events are run in the order of their time; at equal times the lower `priority` number goes first, then the one entered first.
 * - One action runs at a time. When actions take longer than there is time, later ones are late; none is dropped.
 * - Actions may enter and cancel events. Actions are called in the thread of `run` and may be closures.
 * - An action that throws, or whose promise rejects, ends `run` with that error. Its event is done with; the others stay queued and
 *   `run` may be called again.
 * - Times are milliseconds of `performance.now` unless `timefunc` and `delayfunc` say otherwise. Delays may be of any length.
 *
 * Stands for Python's `sched.scheduler`. A scheduler belongs to one thread.
 *
 * @example
 * ```ts
 * import { Scheduler } from "@batteries/concurrent/sched";
 * import { assertEquals } from "@std/assert";
 *
 * const scheduler = new Scheduler();
 * const said: string[] = [];
 * const say = (text: string) => said.push(text);
 * scheduler.enter(20, 1, say, ["third"]);
 * scheduler.enter(10, 2, say, ["second"]);
 * scheduler.enter(5, 1, say, ["first"]);
 * await scheduler.run();
 * assertEquals(said, ["first", "second", "third"]);
 * ```
 *
 * @example Simulated time
 * ```ts
 * import { Scheduler } from "@batteries/concurrent/sched";
 * import { assertEquals } from "@std/assert";
 *
 * let time = 0;
 * const scheduler = new Scheduler({ timefunc: () => time, delayfunc: (ms) => void (time += ms) });
 * const calls: number[] = [];
 * function tick(): void {
 *   calls.push(time);
 *   if (calls.length < 3) scheduler.enter(86_400_000, 1, tick);
 * }
 * scheduler.enter(0, 1, tick);
 * scheduler.runSync();
 * assertEquals(calls, [0, 86_400_000, 172_800_000]);
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler}
 */
export class Scheduler {
  readonly #timefunc: () => number;
  readonly #delayfunc: ((time: number) => Promise<unknown> | unknown) | undefined;
  readonly #heap = new Heap<ScheduledEvent>(compareEvents);
  /** The place of each event in the heap; it has exactly the events of the heap. */
  readonly #places = new Map<ScheduledEvent, HeapNode<ScheduledEvent>>();
  readonly #sleepers = new Sleepers();
  #entered = 0;

  /**
   * Creates a scheduler without events.
   *
   * @throws {TypeError} when `options` is not an object, or one of the functions is not a function.
   */
  constructor(options: SchedulerOptions = {}) {
    bagOf(options, "create a Scheduler", "{ timefunc, delayfunc }");
    const { timefunc = now, delayfunc } = options;
    for (const [name, fn] of Object.entries({ timefunc, delayfunc })) {
      if (typeof fn !== "function" && fn !== undefined) {
        throw new TypeError(
          `Cannot create a Scheduler: ${name} must be a function, got ${typeName(fn)}`,
        );
      }
    }
    this.#timefunc = timefunc;
    this.#delayfunc = delayfunc;
  }

  /**
   * Enters an event for an absolute `time` on the clock of `timefunc`. A time that has passed already is due at once.
   *
   * @param time When to call `action`; `Infinity` is never.
   * @param priority Lower numbers go first among events of equal time.
   * @param action What to call. `run` awaits what it returns.
   * @param argument The arguments of the call; they are taken over now.
   * @returns The event, by which {@linkcode Scheduler.cancel} can take it back.
   * @throws {TypeError} when an argument has the wrong type.
   * @throws {RangeError} when `time` or `priority` is `NaN`.
   *
   * @example
   * ```ts
   * import { Scheduler } from "@batteries/concurrent/sched";
   * import { assertEquals } from "@std/assert";
   *
   * const scheduler = new Scheduler();
   * const order: string[] = [];
   * const time = performance.now() + 5;
   * scheduler.enterabs(time, 2, () => order.push("then this"));
   * scheduler.enterabs(time, 1, () => order.push("this"));
   * await scheduler.run();
   * assertEquals(order, ["this", "then this"]);
   * ```
   *
   * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.enterabs}
   */
  enterabs<A extends unknown[]>(
    time: number,
    priority: number,
    action: (...args: A) => unknown,
    argument?: A,
  ): ScheduledEvent;
  /** As above, for an array of arguments whose length the compiler cannot know: only its being an array is checked. */
  enterabs<const B extends readonly unknown[]>(
    time: number,
    priority: number,
    action: LooseAction,
    argument: number extends B["length"] ? B : never,
  ): ScheduledEvent;
  enterabs(
    time: number,
    priority: number,
    action: LooseAction,
    argument?: readonly unknown[],
  ): ScheduledEvent {
    return this.#enter("Scheduler.enterabs", time, priority, action, argument);
  }

  /**
   * Enters an event for `delay` units of time from now; otherwise as {@linkcode Scheduler.enterabs}.
   *
   * @param delay How long from now, in milliseconds by default; 0 or less is due at once.
   * @param priority Lower numbers go first among events of equal time.
   * @param action What to call. `run` awaits what it returns.
   * @param argument The arguments of the call; they are taken over now.
   * @throws {TypeError} when an argument has the wrong type.
   * @throws {RangeError} when `delay` or `priority` is `NaN`.
   *
   * @example
   * ```ts
   * import { Scheduler } from "@batteries/concurrent/sched";
   * import { assertEquals } from "@std/assert";
   *
   * const scheduler = new Scheduler();
   * const seen: number[] = [];
   * scheduler.enter(5, 1, (a: number, b: number) => seen.push(a + b), [1, 2]);
   * await scheduler.run();
   * assertEquals(seen, [3]);
   * ```
   *
   * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.enter}
   */
  enter<A extends unknown[]>(
    delay: number,
    priority: number,
    action: (...args: A) => unknown,
    argument?: A,
  ): ScheduledEvent;
  /** As above, for an array of arguments whose length the compiler cannot know: only its being an array is checked. */
  enter<const B extends readonly unknown[]>(
    delay: number,
    priority: number,
    action: LooseAction,
    argument: number extends B["length"] ? B : never,
  ): ScheduledEvent;
  enter(
    delay: number,
    priority: number,
    action: LooseAction,
    argument?: readonly unknown[],
  ): ScheduledEvent {
    checkNumber("Scheduler.enter", "delay", delay);
    return this.#enter("Scheduler.enter", this.#now() + delay, priority, action, argument);
  }

  /**
   * Takes an event out of the queue. An event whose action has begun is no longer in it.
   *
   * @throws {TypeError} when `event` is not an object.
   * @throws {RangeError} when `event` is not in the queue: already run, cancelled before, or of another scheduler.
   *
   * @example
   * ```ts
   * import { Scheduler } from "@batteries/concurrent/sched";
   * import { assert, assertThrows } from "@std/assert";
   *
   * const scheduler = new Scheduler();
   * const event = scheduler.enter(1000, 1, () => {});
   * scheduler.cancel(event);
   * assert(scheduler.empty());
   * assertThrows(() => scheduler.cancel(event), RangeError);
   * ```
   *
   * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.cancel}
   */
  cancel(event: ScheduledEvent): void {
    if (typeof event !== "object" || event === null) {
      throw new TypeError(
        `Cannot call Scheduler.cancel: event must be what enter() or enterabs() returned, got ${
          typeName(event)
        }`,
      );
    }
    const place = this.#places.get(event);
    if (place === undefined) {
      throw new RangeError(
        "Cannot cancel the event: it is not in the queue; it has been run or cancelled, or belongs to another scheduler",
      );
    }
    const first = this.#heap.peek() === event;
    this.#heap.remove(place);
    this.#places.delete(event);
    if (first) this.#sleepers.wakeAll();
  }

  /**
   * Whether the queue has no events.
   *
   * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.empty}
   */
  empty(): boolean {
    return this.#heap.size === 0;
  }

  /**
   * The events to come, in the order in which they will be run: a new array each time.
   *
   * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.queue}
   */
  get queue(): ScheduledEvent[] {
    return this.#heap.toSorted();
  }

  /**
   * Runs the events, each at its time, until there are none left; what an action returns is awaited before the next one begins.
   *
   * An abort of `signal` rejects at once, even while an action's promise is pending. That action goes on by itself, and what it
   * comes to is dropped; the events that have not begun stay queued.
   *
   * @returns `undefined`; with `blocking: false` the time to the next event, in milliseconds by default, if there is one.
   * @throws {TypeError} when an option has the wrong type.
   * @throws What an action or `delayfunc` throws or rejects with, or the reason of `signal`.
   *
   * @example
   * ```ts
   * import { Scheduler } from "@batteries/concurrent/sched";
   * import { assert, assertEquals } from "@std/assert";
   *
   * const scheduler = new Scheduler();
   * const done: string[] = [];
   * scheduler.enter(0, 1, async () => {
   *   await Promise.resolve();
   *   done.push("due");
   * });
   * scheduler.enter(60_000, 1, () => done.push("not due"));
   * const wait = await scheduler.run({ blocking: false });
   * assertEquals(done, ["due"]);
   * assert(wait !== undefined && wait > 0 && wait <= 60_000);
   * ```
   *
   * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.run}
   */
  async run(options?: RunOptions): Promise<number | undefined> {
    const { blocking, signal } = readOptions(options, "Scheduler.run");
    for (let step = this.#next(); step !== undefined; step = this.#next()) {
      if ("event" in step) {
        const { action, argument } = step.event;
        await unlessAborted(action(...argument), signal);
        await this.#delay(0, signal);
      } else if (blocking) {
        await this.#delay(step.ms, signal);
      } else {
        return step.ms;
      }
      // Before the next look takes an event out: an abort must not lose one.
      signal?.throwIfAborted();
    }
  }

  /**
   * Does what {@linkcode Scheduler.run} does and blocks the thread meanwhile. What actions return is not awaited: promises that
   * they leave go on when the thread is free again.
   *
   * @returns `undefined`; with `blocking: false` the time to the next event, in milliseconds by default, if there is one.
   * @throws {TypeError} when an option has the wrong type, or `delayfunc` returns a promise before the time has come: waiting for
   * it takes `run`.
   * @throws What an action or `delayfunc` throws.
   *
   * @example
   * ```ts
   * import { Scheduler } from "@batteries/concurrent/sched";
   * import { assert } from "@std/assert";
   *
   * const scheduler = new Scheduler();
   * const start = performance.now();
   * scheduler.enter(10, 1, () => {});
   * scheduler.runSync();
   * assert(performance.now() - start >= 10);
   * ```
   *
   * @see {@link https://docs.python.org/3.14/library/sched.html#sched.scheduler.run}
   */
  runSync(options?: RunSyncOptions): number | undefined {
    const { blocking } = readOptions(options, "Scheduler.runSync");
    for (let step = this.#next(); step !== undefined; step = this.#next()) {
      if ("event" in step) {
        const { action, argument } = step.event;
        action(...argument);
        this.#delaySync(0);
      } else if (blocking) {
        this.#delaySync(step.ms);
      } else {
        return step.ms;
      }
    }
  }

  /** Looks at the first event and takes it out when it is due. The caller must call its action at once. */
  #next(): Step {
    const event = this.#heap.peek();
    if (event === undefined) return undefined;
    const time = this.#now();
    // `timefunc` may have changed the queue.
    if (this.#heap.peek() !== event) return this.#next();
    if (event.time > time) return { ms: event.time - time };
    this.#heap.pop();
    this.#places.delete(event);
    return { event };
  }

  #enter(
    call: string,
    time: number,
    priority: number,
    action: LooseAction,
    argument: readonly unknown[] | undefined,
  ): ScheduledEvent {
    checkNumber(call, "time", time);
    checkNumber(call, "priority", priority);
    if (typeof action !== "function") {
      throw new TypeError(
        `Cannot call ${call}: action must be a function, got ${typeName(action)}`,
      );
    }
    if (argument !== undefined && !Array.isArray(argument)) {
      throw new TypeError(
        `Cannot call ${call}: argument must be an array of the action's arguments, got ${
          typeName(argument)
        }`,
      );
    }
    const event: ScheduledEvent = Object.freeze({
      time,
      priority,
      sequence: this.#entered++,
      action,
      argument: Object.freeze([...argument ?? []]),
    });
    this.#places.set(event, this.#heap.push(event));
    if (this.#heap.peek() === event) this.#sleepers.wakeAll();
    return event;
  }

  #now(): number {
    const timefunc = this.#timefunc;
    const time = timefunc();
    checkNumber("timefunc of the Scheduler", "its result", time);
    return time;
  }

  /** Between the look at the queue that gave `ms` and the sleep nothing else runs, so that no wake-up is missed. */
  #delay(ms: number, signal: AbortSignal | undefined): Promise<unknown> | unknown {
    const delayfunc = this.#delayfunc;
    if (delayfunc !== undefined) return unlessAborted(delayfunc(ms), signal);
    return ms === 0 ? turn() : this.#sleepers.sleep(ms, signal);
  }

  #delaySync(ms: number): void {
    const delayfunc = this.#delayfunc;
    if (delayfunc === undefined) return sleepSync(ms);
    const start = this.#now();
    // A delayfunc that is an async function may still have done its work when it returns, as one on a simulated clock does.
    if (isThenable(delayfunc(ms)) && this.#now() < start + ms) {
      throw new TypeError(
        "Cannot wait in Scheduler.runSync: delayfunc returned a promise, which takes await Scheduler.run()",
      );
    }
  }
}

function readOptions(
  options: RunOptions | undefined,
  call: string,
): { blocking: boolean; signal: AbortSignal | undefined } {
  const { signal } = limitOf(options, call);
  return { blocking: options?.blocking !== false, signal };
}

function checkNumber(call: string, what: string, value: number): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot call ${call}: ${what} must be a number, got ${typeName(value)}`);
  }
  if (Number.isNaN(value)) throw new RangeError(`Cannot call ${call}: ${what} must not be NaN`);
}
