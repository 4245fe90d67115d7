/**
 * {@linkcode Future}.
 *
 * @module
 */
import {
  type Limit,
  limitOf,
  refuse,
  remaining,
  TimeoutError,
  timerUntil,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { Event } from "../threading/mod.ts";
import { CancelledError, InvalidStateError, RuntimeError } from "./errors.ts";

/** How a future stands. Only the arrows of CPython's documentation lead from one to another. */
type State =
  | "pending"
  | "running"
  /** Before and after whoever would run it has been told. */
  | "cancelled"
  | "cancelled and notified"
  | "finished"
  | "failed";

/** What an executor does for the futures of its tasks. */
export interface Origin {
  /** Whether a worker has the task. */
  running(): boolean;
  /** Takes the task back; `false` when a worker has it. */
  cancel(): boolean;
  /**
   * Blocks until news of some task has come in, or time has run out (`false`).
   *
   * @throws {RuntimeError} when it would wait for ever.
   */
  pump(limit: Limit): boolean;
  /** Executors that hear of their tasks together have the same: one's `pump` is all the others'. */
  readonly house?: unknown;
  /** Called when somebody begins to wait for the future without limit. */
  awaited?(): void;
}

/** Ties a future to an executor's task. */
export let bind: <T>(future: Future<T>, origin: Origin) => void;
/** Sets a future's outcome, whatever its executor knew of it. */
export let conclude: <T>(
  future: Future<T>,
  outcome: { value: T } | { error: unknown },
) => void;
/** The same for a result. */
export let succeed: <T>(future: Future<T>, value: T) => void;
/** Calls `fn` when the future is done; unlike a callback of the user's it is called at once, and can be taken back. */
export let whenDone: (future: Future<unknown>, fn: () => void) => () => void;
/** Blocks until news of the future's executor has come in. */
export let pump: (future: Future<unknown>, limit: Limit) => boolean;
/** Of the executor that has the future's task: futures of one house are pumped together. `null` when no executor has it. */
export let houseOf: (future: Future<unknown>) => unknown;
/** Whether the future's task failed, and was not cancelled. */
export let hasFailed: (future: Future<unknown>) => boolean;

/**
 * The result of a call that has not ended yet. `await future` gives the result or throws the error.
 *
 * - Executors make futures; `new Future()` is for those who write one.
 * - A future that nobody looks at is never an unhandled rejection: its error stays in it.
 * - Callbacks are called in the order in which they were added, in the thread that has the future.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/concurrent.futures.html#future-objects | concurrent.futures.Future}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Future } from "@batteries/concurrent/futures";
 *
 * const future = new Future<number>();
 * future.setResult(42);
 * assertEquals(await future, 42);
 * ```
 *
 * @typeParam T The result.
 */
export class Future<T> implements PromiseLike<T> {
  // What is private does not tell T: a Future<string> is a Future<unknown>, and several kinds can be waited for together.
  #at: State = "pending";
  /** The result, or what was thrown. */
  #outcome: unknown = undefined;
  #origin: Origin | undefined;
  // Who waits goes on before callbacks are called, as in Python. Most futures are awaited once, and have neither others that wait nor
  // a callback. There may be many thousands of them, so what most do not need is not there.
  /** What `then` goes on with. */
  #awaited: PromiseWithResolvers<unknown> | undefined;
  #waiters: (() => void) | Set<() => void> | undefined;
  #callbacks: ((future: never) => void)[] | undefined;

  static {
    refuse(
      Future,
      "a Future belongs to the thread that submitted the task; send the result instead",
    );
    bind = (future, origin) => {
      future.#origin = origin;
    };
    conclude = (future, outcome) => {
      if ("value" in outcome) succeed(future, outcome.value);
      else if (!future.done()) future.#end("failed", outcome.error);
    };
    succeed = (future, value) => {
      if (!future.done()) future.#end("finished", value);
    };
    whenDone = (future, fn) => {
      if (future.done()) {
        fn();
        return () => {};
      }
      future.#addWaiter(fn);
      return () => future.#removeWaiter(fn);
    };
    pump = (future, limit) => future.#pump(limit);
    // Its state is private: `console.log` would show empty braces.
    Object.defineProperty(Future.prototype, Symbol.for("Deno.customInspect"), {
      value(this: Future<unknown>, inspect: typeof Deno.inspect, options: Deno.InspectOptions) {
        return `${this.constructor.name} ${inspect(this.#shown(), options)}`;
      },
      configurable: true,
      writable: true,
    });
    houseOf = (future) => future.#origin === undefined ? null : future.#origin.house;
    hasFailed = (future) => future.#at === "failed";
  }

  /**
   * Takes the call back, if it has not started.
   *
   * @returns Whether it is cancelled.
   */
  cancel(): boolean {
    if (this.cancelled()) return true;
    if (this.#at !== "pending" || this.#origin?.cancel() === false) return false;
    this.#end(this.#origin === undefined ? "cancelled" : "cancelled and notified", undefined);
    return true;
  }

  /** Whether the call was cancelled. */
  cancelled(): boolean {
    return this.#at === "cancelled" || this.#at === "cancelled and notified";
  }

  /** Whether the call is running now. */
  running(): boolean {
    return this.#at === "running" || (this.#at === "pending" && this.#origin?.running() === true);
  }

  /** Whether the call has ended, or was cancelled. */
  done(): boolean {
    return this.#at !== "pending" && this.#at !== "running";
  }

  /**
   * Waits for the result.
   *
   * @param options How long to wait.
   * @returns The result.
   * @throws {TimeoutError} When time ran out. The call goes on.
   * @throws {CancelledError} When the call was cancelled.
   * @throws What the call threw; the signal's reason, when it is aborted.
   */
  async result(options?: WaitOptions): Promise<T> {
    await this.#wait(limitOf(options, "Future.result"));
    return this.#value();
  }

  /**
   * As {@linkcode Future.result}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait.
   * @returns The result.
   * @throws {TimeoutError} When time ran out. The call goes on.
   * @throws {CancelledError} When the call was cancelled.
   * @throws {RuntimeError} When the wait could never end.
   * @throws What the call threw.
   */
  resultSync(options?: WaitOptions): T {
    this.#waitSync(limitOf(options, "Future.resultSync"));
    return this.#value();
  }

  /**
   * Waits for the call to end.
   *
   * @param options How long to wait.
   * @returns What the call threw, or `null`.
   * @throws {TimeoutError} When time ran out. The call goes on.
   * @throws {CancelledError} When the call was cancelled.
   * @throws The signal's reason, when it is aborted.
   */
  async exception(options?: WaitOptions): Promise<Error | null> {
    await this.#wait(limitOf(options, "Future.exception"));
    return this.#error();
  }

  /**
   * As {@linkcode Future.exception}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait.
   * @returns What the call threw, or `null`.
   * @throws {TimeoutError} When time ran out. The call goes on.
   * @throws {CancelledError} When the call was cancelled.
   * @throws {RuntimeError} When the wait could never end.
   */
  exceptionSync(options?: WaitOptions): Error | null {
    this.#waitSync(limitOf(options, "Future.exceptionSync"));
    return this.#error();
  }

  /**
   * Calls a function when the call has ended or was cancelled; at once when that is so already. An error in it is reported and ends
   * nothing.
   *
   * @param fn What to call, with the future.
   * @throws {TypeError} When `fn` is not a function.
   */
  addDoneCallback(fn: (future: Future<T>) => void): void {
    if (typeof fn !== "function") {
      throw new TypeError(`Cannot add a callback: it must be a function, got ${typeof fn}`);
    }
    if (this.done()) this.#call(fn);
    else (this.#callbacks ??= []).push(fn);
  }

  /**
   * For executors: the call is about to start.
   *
   * @returns `false` when it was cancelled, and must not start.
   * @throws {InvalidStateError} When it was asked before, or the call has ended.
   */
  setRunningOrNotifyCancel(): boolean {
    if (this.#at === "cancelled") {
      this.#at = "cancelled and notified";
      return false;
    }
    if (this.#at !== "pending") throw this.#wrongState("start the call of");
    this.#at = "running";
    return true;
  }

  /**
   * For executors: the call has returned.
   *
   * @param value What it returned.
   * @throws {InvalidStateError} When it has ended already.
   */
  setResult(value: T): void {
    if (this.done()) throw this.#wrongState("set the result of");
    this.#end("finished", value);
  }

  /**
   * For executors: the call has thrown.
   *
   * @param error What it threw.
   * @throws {InvalidStateError} When it has ended already.
   */
  setException(error: Error): void {
    if (this.done()) throw this.#wrongState("set the exception of");
    this.#end("failed", error);
  }

  /** Makes `await future` work. */
  then<R1 = T, R2 = never>(
    onFulfilled?: ((value: T) => R1 | PromiseLike<R1>) | null,
    // deno-lint-ignore no-explicit-any -- as PromiseLike has it
    onRejected?: ((reason: any) => R2 | PromiseLike<R2>) | null,
  ): Promise<R1 | R2> {
    return this.#promise().then(onFulfilled, onRejected);
  }

  #promise(): Promise<T> {
    if (this.#awaited === undefined) {
      if (this.#at === "finished") return Promise.resolve(this.#outcome as T);
      if (this.done()) return Promise.reject(this.#thrown());
      this.#awaited = Promise.withResolvers();
    }
    if (!this.done()) this.#origin?.awaited?.();
    return this.#awaited.promise as Promise<T>;
  }

  #addWaiter(fn: () => void): void {
    const waiters = this.#waiters;
    if (waiters === undefined) this.#waiters = fn;
    else if (typeof waiters === "function") this.#waiters = new Set([waiters, fn]);
    else waiters.add(fn);
  }

  #removeWaiter(fn: () => void): void {
    const waiters = this.#waiters;
    if (waiters === fn) this.#waiters = undefined;
    else if (typeof waiters === "object") waiters.delete(fn);
  }

  #shown(): Record<string, unknown> {
    if (this.#at === "finished") return { state: "finished", result: this.#outcome };
    if (this.#at === "failed") return { state: "finished", exception: this.#outcome };
    return { state: this.#told() };
  }

  #wrongState(what: string): InvalidStateError {
    return new InvalidStateError(`Cannot ${what} a future that is ${this.#told()}`);
  }

  #told(): string {
    return this.running() ? "running" : this.cancelled() ? "cancelled" : this.#at;
  }

  #end(at: State, outcome: unknown): void {
    this.#at = at;
    this.#outcome = outcome;
    const awaited = this.#awaited;
    if (awaited !== undefined) {
      if (at === "finished") awaited.resolve(outcome);
      else awaited.reject(this.#thrown());
    }
    const waiters = this.#waiters;
    const callbacks = this.#callbacks;
    this.#waiters = undefined;
    this.#callbacks = undefined;
    if (typeof waiters === "function") waiters();
    else if (waiters !== undefined) { for (const waiter of waiters) waiter(); }
    if (callbacks !== undefined) { for (const callback of callbacks) this.#call(callback); }
  }

  #call(callback: (future: never) => void): void {
    try {
      callback(this as never);
    } catch (error) {
      const text = `Exception in a callback of a Future:\n${
        Deno.inspect(error, { colors: false })
      }\n`;
      Deno.stderr.writeSync(new TextEncoder().encode(text));
    }
  }

  #value(): T {
    if (this.#at === "finished") return this.#outcome as T;
    throw this.#thrown();
  }

  #thrown(): unknown {
    if (this.#at === "failed") return this.#outcome;
    return new CancelledError("The call was cancelled before it started");
  }

  #error(): Error | null {
    if (this.cancelled()) throw this.#thrown();
    if (this.#at !== "failed") return null;
    // `throw null` must not look like success.
    const error = this.#outcome;
    return (error ?? new Error(`The call threw ${error}`, { cause: error })) as Error;
  }

  async #wait(limit: Limit): Promise<void> {
    if (this.done()) return;
    if (limit.deadline === -Infinity) throw notInTime();
    if (limit.deadline === Infinity && limit.signal === undefined) this.#origin?.awaited?.();
    await new Promise<void>((resolve, reject) => {
      const timer: { stop?: () => void } = {};
      const leave = () => {
        forget();
        timer.stop?.();
        limit.signal?.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        leave();
        reject(limit.signal!.reason);
      };
      const forget = whenDone(this as Future<unknown>, () => {
        leave();
        resolve();
      });
      limit.signal?.addEventListener("abort", onAbort);
      timer.stop = timerUntil(limit.deadline, () => {
        leave();
        reject(notInTime());
      });
      // It may have ended while the timer was made.
      if (this.done()) timer.stop();
    });
  }

  #waitSync(limit: Limit): void {
    if (limit.deadline === Infinity && !this.done()) this.#origin?.awaited?.();
    while (!this.done()) {
      if (limit.deadline === -Infinity || !this.#pump(limit)) {
        if (this.done()) return;
        throw notInTime();
      }
    }
  }

  #pump(limit: Limit): boolean {
    if (this.#origin !== undefined) return this.#origin.pump(limit);
    if (limit.deadline === Infinity) {
      throw new RuntimeError(
        "Cannot wait for the future: only this thread can set its result, and it would be blocked for ever",
      );
    }
    const left = remaining(limit.deadline);
    // Nobody sets it: a sleep, in which the main thread goes on serving its threads.
    if (left > 0) new Event().waitSync({ timeout: left });
    return false;
  }
}

function notInTime(): TimeoutError {
  return new TimeoutError("The call did not end in time");
}
