/**
 * Threads that run your exported functions, and what they need to work together: Python's `threading` for Deno.
 *
 * | | |
 * | --- | --- |
 * | {@linkcode Thread}, {@linkcode Timer} | call an exported function in a worker, with no worker file |
 * | {@linkcode Lock}, {@linkcode RLock}, {@linkcode Condition} | one at a time, and waiting for changes |
 * | {@linkcode Semaphore}, {@linkcode BoundedSemaphore} | so many at a time |
 * | {@linkcode Event}, {@linkcode Barrier} | waiting for something, or for each other |
 * | {@linkcode Local} | values of one's own in each thread |
 * | {@linkcode serializeIterator}, {@linkcode synchronizedIterator}, {@linkcode concurrentTee} | one iterator, many consumers |
 *
 * Everything that can wait has two forms: `acquire()` gives a promise and never blocks the event loop, `acquireSync()` blocks the
 * calling thread, the main thread too. Both forms work on the same object at the same time, from any thread. All of these objects
 * are shared, not copied, when they are handed to a thread. Times are in milliseconds.
 *
 * @example
 * ```ts no-eval
 * import { Barrier, Thread } from "@batteries/concurrent/threading";
 *
 * export function worker(id: number, barrier: Barrier): void {
 *   console.log(`${id} is ready`);
 *   barrier.waitSync();
 *   console.log(`${id} goes on`);
 * }
 *
 * if (import.meta.main) {
 *   const barrier = new Barrier(2);
 *   for (const id of [1, 2]) new Thread({ target: worker, args: [id, barrier] }).start();
 * }
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/threading.html}
 *
 * @module
 */
// Runs in threads only; see the same kind of import in _core/mod.ts.
import "./_start.ts";
export { type AcquireOptions, task, TIMEOUT_MAX, type WaitOptions } from "./_core/mod.ts";
export { Barrier, type BarrierOptions } from "./barrier.ts";
export { Condition } from "./condition.ts";
export { BrokenBarrierError, PicklingError, ThreadError, TimeoutError } from "./errors.ts";
export { Event } from "./event.ts";
export { type ExceptHook, excepthook, ExceptHookArgs, setExcepthook } from "./except_hook.ts";
export { concurrentTee, serializeIterator, synchronizedIterator } from "./iterators.ts";
export { Local } from "./local.ts";
export { Lock } from "./lock.ts";
export { RLock } from "./rlock.ts";
export { BoundedSemaphore, Semaphore } from "./semaphore.ts";
export {
  activeCount,
  currentThread,
  enumerate,
  getIdent,
  getNativeId,
  mainThread,
  stackSize,
  Thread,
  type ThreadOptions,
} from "./thread.ts";
export { Timer, type TimerOptions } from "./timer.ts";
export {
  getprofile,
  gettrace,
  setprofile,
  setprofileAllThreads,
  settrace,
  settraceAllThreads,
  type TraceFrame,
  type TraceFunction,
} from "./trace.ts";
