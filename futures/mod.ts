/**
 * Calls that run somewhere else, and their results: Python's `concurrent.futures` for Deno.
 *
 * | | |
 * | --- | --- |
 * | {@linkcode ThreadPoolExecutor} | runs calls in threads that it keeps |
 * | {@linkcode ProcessPoolExecutor} | runs calls in processes that it keeps |
 * | {@linkcode Future} | the result of a call that has not ended yet |
 * | {@linkcode wait}, {@linkcode asCompleted} | waiting for several |
 *
 * @example
 * ```ts no-eval
 * import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
 *
 * export function square(n: number): number {
 *   return n * n;
 * }
 *
 * if (import.meta.main) {
 *   await using executor = new ThreadPoolExecutor();
 *   console.log(await executor.submit(square, 4)); // 16
 *   console.log(await Array.fromAsync(executor.map(square, [1, 2, 3])));
 * }
 * ```
 *
 * @see {@link https://docs.python.org/3.14/library/concurrent.futures.html}
 *
 * @module
 */
export {
  BrokenExecutor,
  BrokenThreadPool,
  CancelledError,
  InvalidStateError,
  MemoryError,
  RuntimeError,
  TimeoutError,
} from "./errors.ts";
export { BrokenProcessPool } from "./_broken_process_pool.ts";
export {
  type AnyIterable,
  Executor,
  type ExecutorStats,
  type Iterables,
  type MapOptions,
  type Progress,
  type RunOptions,
  type ShutdownOptions,
  type Submitter,
  type TimeStats,
} from "./executor.ts";
export { Future } from "./future.ts";
export type { Permissions } from "../multiprocessing/mod.ts";
export { ProcessPoolExecutor, type ProcessPoolExecutorOptions } from "./process_pool_executor.ts";
export {
  InterpreterPoolExecutor,
  ThreadPoolExecutor,
  type ThreadPoolExecutorOptions,
} from "./thread_pool_executor.ts";
export {
  ALL_COMPLETED,
  asCompleted,
  type DoneAndNotDone,
  type DoneFuture,
  type DoneOf,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type FuturesWaitOptions,
  type ReturnWhen,
  wait,
  waitSync,
} from "./wait.ts";
export { task, type WaitOptions } from "../threading/_core/mod.ts";
