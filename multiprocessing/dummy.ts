/**
 * The `multiprocessing` API on threads: the same program, with threads instead of processes.
 *
 * Threads start faster, need no permission but `--allow-read`, and share what threads share: the locks and queues here are those of
 * `threading` and `queue`. They cannot be terminated.
 *
 * | here | is |
 * | --- | --- |
 * | {@linkcode Process} | a `Thread` with `pid` and `exitcode` |
 * | {@linkcode Pool} | a `ThreadPool` |
 * | {@linkcode Queue}, {@linkcode JoinableQueue} | `Queue` of `queue` |
 * | {@linkcode Lock}, {@linkcode RLock}, {@linkcode Semaphore} … | those of `threading` |
 * | {@linkcode Pipe} | two ends between threads |
 * | {@linkcode Value}, {@linkcode Array} | in memory that threads share |
 * | {@linkcode Manager} | makes plain local objects |
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#module-multiprocessing.dummy | multiprocessing.dummy}.
 *
 * @example
 * ```ts no-eval
 * import { Process, Queue } from "@batteries/concurrent/multiprocessing/dummy";
 *
 * export function work(queue: Queue<number>): void {
 *   queue.putNowait(42);
 * }
 *
 * if (import.meta.main) {
 *   const queue = new Queue<number>();
 *   const process = new Process({ target: work, args: [queue] });
 *   process.start();
 *   console.log(await queue.get()); // 42
 *   await process.join();
 * }
 * ```
 *
 * @module
 */
export {
  activeChildren,
  currentProcess,
  DummyProcess as Process,
  type DummyProcessOptions as ProcessOptions,
} from "./_dummy_process.ts";
export { DummyConnection as Connection, DummyPipe as Pipe } from "./_dummy_connection.ts";
export {
  DummyArray as Array,
  type DummySharedOptions as SharedOptions,
  DummyValue as Value,
} from "./_dummy_values.ts";
export type {
  ArrayOf,
  Synchronized,
  SynchronizedArray,
  SynchronizedBase,
  SynchronizedString,
} from "./_synchronized.ts";
export type {
  RawArrayOf,
  RawObject,
  SharedArray,
  SharedString,
  SharedValue,
  TextElement,
  ValueOf,
} from "./_shared_values.ts";
export {
  type ArrayConstructor,
  type ElementOf,
  type Fields,
  type FieldType,
  type InitOf,
  Struct,
  type StructType,
  type TypeCode,
  type ValueType,
  type ViewOf,
} from "./_types.ts";
export { ready, type Waitable } from "./_ready.ts";
export type { Limit } from "../threading/_core/mod.ts";
// What pools and shared values of processes are made of, for their types only.
export type { Lock as ProcessLock, RLock as ProcessRLock } from "./synchronize.ts";
export type {
  AnyIterable,
  AsyncResult,
  Callbacks,
  ChunkOptions,
  MapResult,
  Permissions,
  Pool as ProcessPool,
  PoolCalls,
  PoolOptions,
  PoolStats,
  Progress,
  RunOptions,
  StartMethod,
  TimeStats,
} from "./pool.ts";
export { DummyManager, Manager, Namespace } from "./_dummy_manager.ts";
export { type PoolFactory, ThreadPoolFactory as Pool } from "./_pool_factory.ts";
export { ThreadPool, type ThreadPoolOptions } from "./pool.ts";
export { cpuCount, freezeSupport } from "./process.ts";
export { Empty, Full, Queue, Queue as JoinableQueue, SimpleQueue } from "../queue/mod.ts";
export {
  type AcquireOptions,
  Barrier,
  type BarrierOptions,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
  Thread,
  type WaitOptions,
} from "../threading/mod.ts";
export {
  AuthenticationError,
  BufferTooShort,
  EOFError,
  ProcessError,
  TimeoutError,
} from "./errors.ts";
