/**
 * What `mod.ts` and every context offer, but `getContext`.
 *
 * @module
 */
export {
  activeChildren,
  cpuCount,
  currentProcess,
  freezeSupport,
  parentProcess,
  type Permissions,
  Process,
  type ProcessOptions,
  type Sentinel,
} from "./process.ts";
export {
  type ContextMethods,
  getAllStartMethods,
  getStartMethod,
  type GetStartMethodOptions,
  setExecutable,
  setForkserverPreload,
  setStartMethod,
  type SetStartMethodOptions,
  type StartMethod,
} from "./context.ts";
export { Connection, Pipe } from "./_connection.ts";
export { ready, type Waitable } from "./_ready.ts";
export { JoinableQueue, Queue, SimpleQueue } from "./queues.ts";
export {
  Barrier,
  type BarrierOptions,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
} from "./synchronize.ts";
export { Array, RawArray, RawValue, Value } from "./sharedctypes.ts";
export type * from "./sharedctypes.ts";
export type * from "./managers.ts";
export { Manager } from "./_manager_late.ts";
export type * from "./pool.ts";
export { type PoolFactory, ProcessPoolFactory as Pool } from "./_pool_factory.ts";
export { getLogger, type Logger, type LogLevel, logToStderr } from "./logging.ts";
export {
  AuthenticationError,
  BufferTooShort,
  EOFError,
  ProcessError,
  TimeoutError,
} from "./errors.ts";
export { getState, PicklingError, setState, task } from "../threading/_core/mod.ts";
export type { AcquireOptions, Limit, WaitOptions } from "../threading/_core/mod.ts";
