/**
 * What a pool and its workers tell each other: two queues, a bell, and words in shared memory.
 *
 * @module
 */
import { type EncodedError, pack, type Parcel, type Reference } from "../threading/_core/mod.ts";
import type { ContextEntry } from "../threading/_context.ts";
import type { Event } from "../threading/mod.ts";
import type { Queue } from "../queue/mod.ts";

/**
 * A task in the pool's queue. `slot` is its word in the states; `fn` the number of a deposit, which is a {@linkcode FunctionDeposit};
 * `chunk` is 0 for one call, and for a chunk of `map` how many of the arguments belong to each call; `packed` says what the arguments
 * are; `watch`, that the submitter wants to know when the task starts.
 */
export type Task = [
  id: number,
  slot: number,
  fn: number,
  context: ContextEntry[] | 0,
  chunk: number,
  packed: typeof PLAIN | typeof PARCELED | typeof DEPOSITED,
  args: unknown,
  watch: 0 | 1,
];

/** The arguments themselves. */
export const PLAIN = 0;
/** Their parcel. */
export const PARCELED = 1;
/** The number of a deposit, which is their parcel: something of it is moved, not copied. */
export const DEPOSITED = 2;

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
  | [id: number, ran: number, kind: typeof BROKEN, error: EncodedError]
  /** The task has started, at that time on the clock of {@linkcode commonNow}. */
  | [id: number, at: number, kind: typeof STARTED, nothing: undefined]
  /** Another thread submits a call to the pool. */
  | [pool: number, ran: number, kind: typeof VISIT, visit: Visit]
  /** A task waits for another. */
  | [pool: number, ran: number, kind: typeof WAITS, waits: Waits];

/** How other threads reach a pool: by the inbox of the thread that has it. */
export interface Door {
  /** The identifier of that thread. */
  readonly home: number;
  readonly pool: number;
  readonly answers: Queue<Answer>;
  readonly bell: Event;
}

/** Where the answers for a thread go. */
export interface Guest {
  readonly answers: Queue<Answer>;
  readonly bell: Event;
}

/** A call that another thread submits; see {@linkcode Task} for the rest. */
export interface Visit {
  readonly thread: number;
  /** The thread's number for it. */
  readonly id: number;
  /** With its first call. */
  readonly guest: Guest | undefined;
  readonly key: number;
  readonly entries: Task[3];
  readonly chunk: number;
  readonly packed: Task[5];
  readonly args: unknown;
  readonly timeout: number | undefined;
}

/** A task of the pool waits for a {@linkcode Visit}. */
export interface Waits {
  readonly thread: number;
  readonly id: number;
  /** The task. */
  readonly within: number;
}

/** Kinds of answers. */
export const VALUE = 0;
export const PARCEL = 1;
export const ERROR = 2;
export const BROKEN = 3;
export const STARTED = 4;
export const VISIT = 5;
export const WAITS = 6;

/** Milliseconds on a clock that all threads share. */
export function commonNow(): number {
  return performance.timeOrigin + performance.now();
}

/** What the deposit of a function holds. */
export type FunctionDeposit = Reference;

/** States of a task. None: a worker has thrown a cancelled task away, or never had one. */
export const FREE = 0;
/** In the queue; a worker changes it to RUNNING, the submitter to CANCELLED, whoever is first. */
export const QUEUED = 1;
/** With the number of the worker; see {@linkcode runningIn}. */
export const RUNNING = 2;
export const CANCELLED = 3;
/** The worker has the result: too late to stop the task. */
export const FINISHED = 4;
/** The worker is about to be killed: it does nothing more, so that no other task of its is hit. */
export const STOPPED = 5;

const STATE_BITS = 3;

/** The state of a task that a worker runs. */
export function runningIn(worker: number): number {
  return RUNNING | worker << STATE_BITS;
}

/** Whether that is such a state. */
export function isRunning(state: number): boolean {
  return (state & 2 ** STATE_BITS - 1) === RUNNING;
}

/** The worker of such a state. */
export function workerOf(state: number): number {
  return state >> STATE_BITS;
}

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
