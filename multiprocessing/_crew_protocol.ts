/**
 * What a crew and its workers tell each other, whatever the workers are: see `_crew.ts`.
 *
 * @module
 */
import type { EncodedError, Ended, Limit, Parcel, Reference } from "../threading/_core/mod.ts";

/** Anything callable. */
export type AnyFunction = (...args: never[]) => unknown;

/** A task's form: one call, of which the list of values is the arguments. */
export const CALL = 0;
/** A task's form: many calls; each value is the list of arguments of one. A form above 0 is how many values each call takes. */
export const SPREAD = -1;

/** An answer's kind: what the call returned, or for many calls a {@linkcode ChunkResult}. */
export const VALUE = 0;
/** An answer's kind: what the call threw, encoded. */
export const ERROR = 1;

/** What many calls have given: the values up to the first that failed, and its error. */
export interface ChunkResult {
  readonly values: unknown[];
  readonly error?: EncodedError;
}

/** Whether a call has ended without an error, or all of many have. */
export function isWell(ended: Ended, form: number): boolean {
  return "value" in ended &&
    (form === CALL || (ended.value as ChunkResult | undefined)?.error === undefined);
}

/** How values travel to the workers of one kind and back. `B` is what a value travels as. */
export interface Codec<B> {
  /** @throws {PicklingError} when it cannot travel. */
  pack(value: unknown, what: string, root: string, door: AnyFunction): B;
  /** @throws {PicklingError} when a module would have to be imported first. */
  unpackNow(body: B): unknown;
  unpackSoon(body: B): Promise<unknown>;
  packError(error: EncodedError): B;
  unpackError(body: B): EncodedError;
  /** Whether it leaves the process. */
  readonly away: boolean;
}

/** The kinds of letter to a worker. */
export const LEARN = 0;
export const TASK = 1;
export const FINISH = 2;
/** A task whose beginning is to be told. */
export const TOLD_TASK = 4;
/** Tasks that were not begun are wanted back. */
export const RECALL = 5;
/** The first letter. The initializer's number, 0 when there is none, and its arguments. */
export const BEGIN = 3;

/** What a worker is told. Functions have numbers; a worker learns each before the first task of it. */
export type Letter<B> =
  | readonly [kind: typeof LEARN, key: number, reference: Reference]
  | readonly [
    kind: typeof TASK | typeof TOLD_TASK,
    id: number,
    key: number,
    form: number,
    body: B,
    group: number,
  ]
  | readonly [kind: typeof BEGIN, key: number, body: B | undefined]
  | readonly [kind: typeof FINISH | typeof RECALL];

/** What else a worker says, in the numbers of an answer's kind: it takes tasks. */
export const READY = 2;
/** Its initializer has thrown. */
export const FAILED = 3;
/** A task whose beginning was to be told has begun. */
export const BEGAN = 4;
/** Tasks that it gives back. */
export const RETURNED = 5;
/** What nobody has caught there, as text: the worker is about to end of it. */
export const UNCAUGHT = 6;

/** A task as a worker takes it up. */
export interface Task<B> {
  readonly id: number;
  readonly key: number;
  readonly form: number;
  readonly body: B;
  /** Tasks of one group, but 0, are of use only together: an answer may wait for that of the next. */
  readonly group?: number;
  /** Called when all that it needs is loaded; the call is made when what it gives has resolved. */
  readonly begins?: () => Promise<void>;
}

/** How a task has ended: `ran` is in milliseconds. */
export interface Answer<B> {
  readonly id: number;
  readonly ran: number;
  readonly kind: typeof VALUE | typeof ERROR;
  readonly body: B;
}

/** How a worker has ended. */
export interface Ending {
  /** The process's number, `undefined` for a thread. */
  readonly pid: number | undefined;
  /** Minus the signal's number when a signal ended it; `undefined` for a thread. */
  readonly exitcode: number | undefined;
  /** The error that has ended it, if it said so, as text. */
  readonly uncaught?: string;
}

/** Why a worker has ended, for a message: " of an error that nobody caught: …", or nothing. */
export function ofWhat({ uncaught }: Ending): string {
  return uncaught === undefined ? "" : `, of an error that nobody caught: ${uncaught}`;
}

/** A worker, as its crew sees it. */
export interface Hand<B> {
  readonly pid: number | undefined;
  readonly name: string;
  /** It was stopped, and is in the middle of what cannot be stopped. */
  readonly isStuck: boolean;
  /** Sends a letter, at the next {@linkcode Hand.push} at the latest. */
  send(letter: Letter<B>): void;
  push(): void;
  /** It has enough to do for a while: answers need not be heard one by one. */
  rest?(): void;
  /** Asks for the tasks back that it has not begun: {@linkcode Boss.returned} tells which. */
  recall(): void;
  /** Ends it, whatever it does. Threads end when they can: they cannot be stopped. */
  stop(how: "terminate" | "kill"): void;
  /** Resolves when it has ended; holds the event loop open meanwhile. */
  join(): Promise<void>;
}

/** What a crew hears of a worker. */
export interface Boss<B> {
  /** It takes tasks. */
  ready(): void;
  /** Its initializer has thrown. */
  failed(error: EncodedError): void;
  /** A task whose beginning was to be told has begun. */
  began(id: number): void;
  answered(answer: Answer<B>): void;
  returned(ids: readonly number[]): void;
  /** It is about to end of an error that nobody has caught. */
  uncaught(text: string): void;
  /** It is gone, and nothing more is heard of it. */
  ended(ending: Ending): void;
}

/** Makes the workers of one kind. */
export interface Trade<B> {
  readonly codec: Codec<B>;
  /**
   * Starts a worker. `references`: functions that it is going to call, as far as they are known.
   *
   * @throws when that is not possible.
   */
  hire(boss: Boss<B>, references: readonly Reference[]): Hand<B>;
  /** Answers are awaited from now on, or no more: the event loop has to be held open meanwhile. */
  expect?(some: boolean): void;
  /** Blocks until workers, of this crew or of others of this thread, have said something or ended, or time has run out. */
  pump?(limit: Limit): void;
  /** Resolves when nothing is under way any more, if nothing is expected. */
  quiet?(): Promise<void>;
}

/** What a thread's values travel as. */
export type ThreadBody = Parcel;
