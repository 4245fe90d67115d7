/**
 * What a contract needs of the package that it is run on: a way to start parties (threads, processes) and words to count on.
 *
 * A contract is one body per kind of object. It is a function that takes a {@linkcode World} and how to make the object, and
 * registers its tests, once per colour where it makes a difference. What the parties run lies in `tests/fixtures/threading/`, as
 * exported functions that know nothing but the object's methods.
 *
 * No test of a contract proves anything by sleeping. That somebody waits is read off his operating system thread
 * ({@linkcode untilBlocked}) or follows from the order of calls; that somebody goes on is waited for with {@linkcode until}.
 *
 * @module
 */
import { assert } from "@std/assert";

/** Which form of a call a party uses. `mixed`: async for the even ones, Sync for the odd ones. */
export type Colour = "async" | "Sync" | "mixed";
/** Every colour. */
export const COLOURS: readonly Colour[] = ["async", "Sync", "mixed"];
/** What one party does. */
export type Form = "async" | "Sync";
/** Both forms. */
export const FORMS: readonly Form[] = ["async", "Sync"];

/** The form of the party with that number. */
export function formOf(colour: Colour, index: number): Form {
  return colour === "mixed" ? FORMS[index % 2] : colour;
}

/** Words that the parties of one test share. */
export type Board = Int32Array;

/** An error class. */
// deno-lint-ignore no-explicit-any
export type ErrorClass = abstract new (...args: any[]) => Error;

/** Somebody else who runs an exported function. */
export interface Party {
  /** Waits for the end. */
  join(options?: { timeout?: number }): Promise<void>;
  /** Waits for the end, on this thread. */
  joinSync(options?: { timeout?: number }): void;
  /** Whether the end has not come. */
  isAlive(): boolean;
  /** Where the operating system says what its thread does, on Linux; else `undefined`. */
  status(): string | undefined;
}

/** A package under test. */
export interface World {
  /** Stands at the front of the tests' names. */
  readonly name: string;
  /** Whether parties that wait for a lock are served in the order they came. Absent: they are. */
  readonly inOrder?: boolean;
  /** New words, all 0. */
  board(length: number): Board;
  /** Starts a party. It must not keep the program alive. */
  start<A extends unknown[]>(fn: (...args: A) => unknown, ...args: A): Party;
  /** What this package throws where another may throw something else. */
  readonly errors: {
    /** A release without a hold. */
    readonly notHeld: ErrorClass;
    /** A release of another's RLock. */
    readonly notOwner: ErrorClass;
    /** `wait` and `notify` without the lock. */
    readonly withoutLock: ErrorClass;
    /** `hold` out of time. */
    readonly timeout: ErrorClass;
    /** A broken barrier. */
    readonly broken: ErrorClass;
  };
}

/** Longer than anything takes, so that what should end and does not fails instead of lasting for ever. */
export const AGES = 60_000;
/** The shortest wait there is. */
export const BRIEF = 1;

/** Words of every board: how many parties are about to do what the test is about. */
export const READY = 0;
/** How many have done all they had to do; a party that fails never gets there. */
export const DONE = 1;
/** The first word that a test may use as it likes. */
export const FREE = 2;

/** A turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/** Waits until something is so. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const start = performance.now(); !isSo();) {
    assert(performance.now() - start < AGES, `Waited in vain until ${what}`);
    await turn();
  }
}

/** Waits until a word has the value, or more. */
export function untilWord(board: Board, at: number, value: number): Promise<void> {
  return until(
    `word ${at} is ${value}, not ${board[at]}`,
    () => Atomics.load(board, at) >= value,
  );
}

/**
 * Waits until the party's thread sleeps in the operating system, or has ended. Called when the party has said that it is about to
 * wait, so that nothing else is left that it would sleep in. Where there is no `/proc`, it only gives the party time, and the test
 * shows less.
 */
export async function untilBlocked(party: Party): Promise<void> {
  const status = party.status();
  if (status === undefined) return await turn();
  let asleep = 0;
  await until(`${status} sleeps`, () => {
    asleep = sleeps(status) ? asleep + 1 : 0;
    return asleep === 3 || !party.isAlive();
  });
}

function sleeps(status: string): boolean {
  try {
    const text = Deno.readTextFileSync(status);
    return text[text.lastIndexOf(")") + 2] === "S";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Waits for the end of all parties and sees that each did all it had to. */
export async function finish(parties: readonly Party[], board: Board): Promise<void> {
  for (const party of parties) {
    await party.join({ timeout: AGES });
    assert(!party.isAlive(), "A party has not come to its end: it waits for something lost");
  }
  assert(
    Atomics.load(board, DONE) === parties.length,
    `${board[DONE]} of ${parties.length} parties did all they had to`,
  );
}

/** Whether a promise has settled by now. Gives what is under way a turn of the event loop to arrive. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const mark = () => {
    done = true;
  };
  promise.then(mark, mark);
  await turn();
  return done;
}

/** All that an iterator gives, and what it throws. */
export async function all(results: AsyncIterable<unknown>): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const result of results) seen.push(result);
  } catch (error) {
    seen.push(error);
  }
  return seen;
}
