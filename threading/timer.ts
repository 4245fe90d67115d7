/**
 * {@linkcode Timer}.
 *
 * @module
 */
import { bagOf, deadlineOf, locate, task } from "./_core/mod.ts";
import { Event } from "./event.ts";
import { Thread } from "./thread.ts";

/** Options of {@linkcode Timer}. */
export interface TimerOptions<A extends unknown[] = unknown[]> {
  /** What the function is called with. */
  args?: A;
}

/**
 * A thread that waits and then calls a function, unless it is cancelled first.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#timer-objects | threading.Timer}.
 *
 * @example
 * ```ts no-eval
 * import { Timer } from "@batteries/concurrent/threading";
 *
 * export function hello(name: string): void {
 *   console.log(`hello, ${name}`);
 * }
 *
 * if (import.meta.main) {
 *   const timer = new Timer(30_000, hello, { args: ["world"] });
 *   timer.start();
 *   timer.cancel(); // before the 30 seconds are over
 * }
 * ```
 *
 * @typeParam A The parameters of the function.
 */
export class Timer<A extends unknown[] = unknown[]> extends Thread {
  /** How long to wait, in milliseconds. */
  readonly interval: number;
  /** What is called then. */
  readonly function: (...args: never[]) => unknown;
  /** What it is called with. */
  readonly args: A;
  /** Set when the function has been called or will not be. */
  readonly finished: Event;

  /**
   * Makes a timer that has not been started.
   *
   * @param interval How long to wait, in milliseconds.
   * @param fn What to call then: an exported function, as a thread's target.
   * @param options What to call it with.
   * @throws {TypeError} When an argument has the wrong type.
   * @throws {RangeError} When `interval` is `NaN` or too large.
   * @throws {PicklingError} When `fn` is a closure, bound, native, or not exported.
   */
  constructor(interval: number, fn: (...args: A) => unknown, options: TimerOptions<A> = {}) {
    super();
    deadlineOf(interval, "new Timer");
    if (typeof fn !== "function") {
      throw new TypeError(
        `Cannot make a Timer: the second argument must be a function, got ${typeof fn}`,
      );
    }
    bagOf(options, "make a Timer", "{ args: [1] }");
    if (options.args !== undefined && !Array.isArray(options.args)) {
      throw new TypeError("Cannot make a Timer: args must be an array");
    }
    locate(fn, "start a timer with", new.target);
    this.interval = interval;
    this.function = fn;
    this.args = options.args ?? [] as unknown[] as A;
    this.finished = new Event();
  }

  static {
    task(import.meta, Timer as unknown as () => void);
  }

  /** Stops the timer, if it is still waiting; before `start()` too. */
  cancel(): void {
    this.finished.set();
  }

  /** Waits and calls the function. Runs in the thread. */
  override async run(): Promise<void> {
    if (await this.finished.wait({ timeout: this.interval })) return;
    try {
      await this.function(...this.args as unknown[] as never[]);
    } finally {
      this.finished.set();
    }
  }
}
