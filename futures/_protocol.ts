/**
 * What a pool and its workers tell each other: blocks of a ring, and mail for what is rare.
 *
 * @module
 */
import type { EncodedError, Reference } from "../threading/_core/mod.ts";
import type { Event } from "../threading/mod.ts";
import type { Queue } from "../queue/mod.ts";
import type { Letter } from "./_payload.ts";

/** A piece of mail: the number of whom it is for, what it is, and its contents. */
export type Mail =
  /** A worker could not begin, or ended on its own. */
  | [pool: number, kind: typeof BROKEN, error: EncodedError]
  /** A worker has taken a task, at that time on the clock of {@linkcode commonNow}; `Infinity` when its clock is known to be wrong. */
  | [pool: number, kind: typeof STARTED, started: Started]
  /** Another thread submits a call to the pool. */
  | [pool: number, kind: typeof VISIT, visit: Visit]
  /** It takes the call back, or has it stopped. */
  | [pool: number, kind: typeof STOP, call: Call]
  /** A task waits for another. */
  | [pool: number, kind: typeof WAITS, waits: Waits]
  /** A worker had something ended for lack of memory; the identifier of its thread. */
  | [pool: number, kind: typeof SPENT, ident: number]
  /** To who has submitted such a call: its result or its error. */
  | [visit: number, kind: typeof RESULT, letter: Letter]
  | [visit: number, kind: typeof ERROR, error: EncodedError];

/** Kinds of mail. */
export const BROKEN = 0;
export const STARTED = 1;
export const VISIT = 2;
export const WAITS = 3;
export const RESULT = 4;
export const ERROR = 5;
export const SPENT = 6;
export const STOP = 7;

/** How a thread is reached. */
export interface Address {
  readonly mail: Queue<Mail>;
  /** Rung after mail was put, and after an answer when `words` say so; see _inbox.ts. */
  readonly bell: Event;
  readonly words: SharedArrayBuffer;
}

/** Sends a piece of mail. */
export function send({ mail, bell }: Address, item: Mail): void {
  mail.putNowait(item);
  bell.set();
}

/** How other threads reach a pool: by the inbox of the thread that has it. */
export interface Door {
  /** The identifier of that thread. */
  readonly home: number;
  readonly pool: number;
  readonly address: Address;
}

/** A task, by the two numbers that its block has. */
export interface Started {
  readonly index: number;
  readonly serial: number;
  readonly at: number;
}

/** A call of another thread: the number of its isolate, and that isolate's for the call. */
export interface Call {
  readonly thread: number;
  readonly id: number;
}

/** A call that another thread submits. */
export interface Visit extends Call {
  /** With its first call. */
  readonly guest: Address | undefined;
  readonly key: number;
  readonly chunk: number;
  readonly args: Letter;
  readonly timeout: number | undefined;
  /** Whether there may be a `STOP`. */
  readonly stoppable: boolean;
}

/** A task of the pool waits for a {@linkcode Visit}. */
export interface Waits extends Call {
  /** The serial number of the task. */
  readonly within: number;
}

/**
 * Milliseconds on a clock that all threads share, unless somebody has set the machine's clock meanwhile, or the machine has slept: a
 * thread's clock begins where that of the machine stood when the thread was made, and then goes on by itself.
 */
export function commonNow(): number {
  return performance.timeOrigin + performance.now();
}

/** What the deposit of a function holds. */
export type FunctionDeposit = Reference;

/** States of a task. None: a worker has thrown a cancelled task away, or never had one. */
export const FREE = 0;
/** In the ring; a worker changes it to RUNNING, the submitter to CANCELLED, whoever is first. */
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
