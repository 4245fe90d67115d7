/**
 * What a pool and its workers tell each other: two queues, a bell, and words in shared memory.
 *
 * @module
 */
import { type EncodedError, pack, type Parcel, type Reference } from "../threading/_core/mod.ts";
import type { ContextEntry } from "../threading/_context.ts";

/**
 * A task in the pool's queue. `slot` is its word in the states; `fn` the number of a deposit, which is a {@linkcode FunctionDeposit};
 * `chunk` is 0 for one call, and for a chunk of `map` how many of the arguments belong to each call; `packed` says that the arguments are a parcel.
 */
export type Task = [
  id: number,
  slot: number,
  fn: number,
  context: ContextEntry[] | 0,
  chunk: number,
  packed: 0 | 1,
  args: unknown,
];

/**
 * An answer in the submitter's queue: which task, how long it ran in milliseconds, and what `kind` says.
 *
 * What needs a module to come back to life travels as a parcel: the queue gives its items without waiting, and a module may have to
 * be awaited.
 */
export type Answer =
  | [id: number, ran: number, kind: typeof VALUE, value: unknown]
  | [id: number, ran: number, kind: typeof PARCEL, parcel: Parcel]
  | [id: number, ran: number, kind: typeof ERROR, error: EncodedError]
  /** A worker could not begin, or ended on its own. The identifier is that of the pool. */
  | [id: number, ran: number, kind: typeof BROKEN, error: EncodedError];

/** Kinds of answers. */
export const VALUE = 0;
export const PARCEL = 1;
export const ERROR = 2;
export const BROKEN = 3;

/** What the deposit of a function holds. */
export type FunctionDeposit = Reference;

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

/**
 * The parcel of a value, or `undefined` when it can travel as it is.
 *
 * @throws {PicklingError} when it cannot travel.
 */
export function parcelOf(
  value: unknown,
  what: string,
  root: string,
  door: (...args: never[]) => unknown,
): Parcel | undefined {
  if (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol") {
    return undefined;
  }
  const parcel = pack(value, what, door, { root });
  return parcel.specials === undefined && parcel.value === value ? undefined : parcel;
}
