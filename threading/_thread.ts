/**
 * Threads without objects: the low-level module under `threading`. Use `threading` unless you port code that does not.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/_thread.html | _thread}.
 *
 * @example
 * ```ts no-eval
 * import { allocateLock, startNewThread } from "@batteries/concurrent/_thread";
 * import type { Lock } from "@batteries/concurrent/threading";
 *
 * export function work(done: Lock): void {
 *   done.release();
 * }
 *
 * if (import.meta.main) {
 *   const done = allocateLock();
 *   await done.acquire();
 *   startNewThread(work, [done]);
 *   await done.acquire();
 * }
 * ```
 *
 * @module
 */
// Runs in threads only; see the same kind of import in _core/mod.ts.
import "./_start.ts";
import { ThreadError } from "./errors.ts";
import { ThreadExit } from "./except_hook.ts";
import { Lock } from "./lock.ts";
import { Thread } from "./thread.ts";

export { getIdent, getNativeId, stackSize } from "./thread.ts";
export { TIMEOUT_MAX } from "./_core/mod.ts";

/** The class of the locks of {@linkcode allocateLock}. Stands for Python's `_thread.LockType`. */
export const LockType: typeof Lock = Lock;

/** What goes wrong with threads. Stands for Python's `_thread.error`. */
export const error: typeof ThreadError = ThreadError;

/**
 * Starts a daemon thread.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/_thread.html#thread.start_new_thread | _thread.start_new_thread}.
 *
 * @param fn What it calls: an exported function, as a `Thread`'s target.
 * @param args What it is called with.
 * @returns The identifier of the thread.
 * @throws {TypeError} When `fn` is not a function or `args` not an array.
 * @throws {PicklingError} When `fn` is a closure, bound, native or not exported, or an argument cannot travel.
 */
export function startNewThread<A extends unknown[]>(
  fn: (...args: A) => unknown,
  args?: A,
): number {
  if (typeof fn !== "function") {
    throw new TypeError(
      `Cannot start a thread: the first argument must be a function, got ${typeof fn}`,
    );
  }
  const thread = new Thread<A>({ target: fn, args, daemon: true });
  thread.start();
  return thread.ident!;
}

/**
 * Makes an unlocked lock.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/_thread.html#thread.allocate_lock | _thread.allocate_lock}.
 */
export function allocateLock(): Lock {
  return new Lock();
}

/**
 * Ends the calling thread silently, by throwing: `finally` blocks run.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/_thread.html#thread.exit | _thread.exit}.
 */
export function exit(): never {
  throw new ThreadExit("The thread was asked to exit");
}

/**
 * Sends a signal to this process, as Ctrl-C does. Needs `--allow-run`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/_thread.html#thread.interrupt_main | _thread.interrupt_main}.
 *
 * @param signal Which signal.
 * @throws {TypeError} When `signal` is not a string.
 * @throws {RangeError} When there is no such signal.
 * @throws {Deno.errors.NotCapable} When run permission is missing.
 */
export function interruptMain(signal: Deno.Signal = "SIGINT"): void {
  if (typeof signal !== "string" && typeof signal !== "number") {
    throw new TypeError(
      `Cannot interrupt the main thread: signal must be a name such as "SIGINT", got ${
        signal === null ? "null" : typeof signal
      }`,
    );
  }
  // A number would be taken for one of the operating system's, 0 for none at all.
  if (typeof signal === "number") throw noSuchSignal(signal);
  if (Deno.permissions.querySync({ name: "run" }).state !== "granted") {
    throw new Deno.errors.NotCapable("Cannot interrupt the main thread: run with --allow-run");
  }
  try {
    Deno.kill(Deno.pid, signal);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw noSuchSignal(signal, error);
  }
}

function noSuchSignal(signal: unknown, cause?: unknown): RangeError {
  return new RangeError(
    `Cannot interrupt the main thread: there is no signal ${signal}; give a name such as "SIGINT"`,
    { cause },
  );
}
