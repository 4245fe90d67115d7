/**
 * Locks between processes: those of {@link https://jsr.io/@batteries/concurrent/doc/threading | threading}, in memory that processes
 * share. Stands for Python's `multiprocessing.synchronize`.
 *
 * @module
 */
export { Lock } from "./_sync_lock.ts";
export { RLock } from "./_sync_rlock.ts";
export { Condition } from "./_sync_condition.ts";
export { BoundedSemaphore, Semaphore } from "./_sync_semaphore.ts";
export { Event } from "./_sync_event.ts";
export { Barrier, type BarrierOptions } from "./_sync_barrier.ts";
