/**
 * `Pool` as a class that can be called without `new`, as `multiprocessing.Pool` and `multiprocessing.dummy.Pool` are in Python.
 *
 * @module
 */
import { Pool, type PoolOptions, ThreadPool, type ThreadPoolOptions } from "./pool.ts";

/** A class of pools that may be called with `new` or without. */
export interface PoolFactory<P, O> {
  /** Makes a pool and starts its workers. `options`: its options, or how many workers there are. */
  new (options?: number | O): P;
  /** The same. */
  (options?: number | O): P;
  /** What its pools have in common. */
  readonly prototype: P;
}

/** A Proxy, so that `instanceof` and `extends` go on working. */
function callable<P extends object, O>(
  type: new (options?: number | O) => P,
): PoolFactory<P, O> {
  return new Proxy(type, {
    apply: (_, __, [options]: [(number | O)?]) => new type(options),
  }) as unknown as PoolFactory<P, O>;
}

/** {@linkcode Pool} of processes. Stands for Python's `multiprocessing.Pool`. */
export const ProcessPoolFactory: PoolFactory<Pool, PoolOptions> = callable(Pool);

/** {@linkcode ThreadPool}. Stands for Python's `multiprocessing.dummy.Pool`. */
export const ThreadPoolFactory: PoolFactory<ThreadPool, ThreadPoolOptions> = callable(ThreadPool);
