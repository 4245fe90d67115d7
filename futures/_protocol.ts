/**
 * What a pool and its workers tell each other: two queues, and words in shared memory.
 *
 * @module
 */
import type { EncodedError, Reference } from "../threading/_core/mod.ts";
import type { ContextEntry } from "../threading/_context.ts";

/** A task in the pool's queue. `slot` is its word in the states; `fn` the number of a deposit, which is a {@linkcode Reference}. */
export type Task = [
  id: number,
  slot: number,
  fn: number,
  context: ContextEntry[] | 0,
  chunk: 0 | 1,
  ...args: unknown[],
];

/** An answer in the submitter's queue: how long the task ran in milliseconds, and its value or, in the fourth place, its error. */
export type Answer =
  | [id: number, ran: number, value: unknown]
  | [id: number, ran: number, value: 0, error: EncodedError]
  /** A worker could not begin, or ended on its own. The identifier is that of the pool. */
  | [id: number, ran: number, value: 0, error: EncodedError, broken: true];

/** What the deposit of a function holds. */
export type FunctionDeposit = Reference;

/** Words of a pool's control block: workers that wait for a task and were not counted on yet. */
export const IDLE = 0;
/** Workers whose task waits for another task of the same pool. */
export const WAITING = 1;
/** How many workers there may be. */
export const LIMIT = 2;
export const CONTROL_WORDS = 4;

/** States of a task. None: a worker has thrown a cancelled task away, or never had one. */
export const FREE = 0;
/** In the queue; a worker changes it to RUNNING, the submitter to CANCELLED, whoever is first. */
export const QUEUED = 1;
export const RUNNING = 2;
export const CANCELLED = 3;

/** Of one chunk of `map`: the results, and the error that ended it. */
export interface ChunkResult {
  readonly values: unknown[];
  readonly error?: EncodedError;
}
