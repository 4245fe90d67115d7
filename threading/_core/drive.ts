/**
 * One algorithm, driven three ways. A slow path is a generator that yields each operation on a word that others may touch at the
 * same time; a driver carries the operations out: {@linkcode runSync} at once and sleeping where it must, {@linkcode runAsync} at
 * once and awaiting only the parks, and the explorer of `tests/model/` one at a time in every order there is.
 *
 * What is done under a lot's lock to words that only its holder touches is plain code between the yields.
 *
 * @module
 */
import type { Limit } from "./clock.ts";
import { enterSection, leaveSection } from "./section.ts";
import { giveWord, parkAsync, parkSync, type Site, type Step, takeWord, wake } from "./park.ts";

/** Kinds of {@linkcode Step}. */
export const LOAD = 0;
/** See {@linkcode LOAD}. */
export const STORE = 1;
/** See {@linkcode LOAD}. */
export const CAS = 2;
/** See {@linkcode LOAD}. */
export const ADD = 3;
/** See {@linkcode LOAD}. */
export const SWAP = 4;
/** See {@linkcode LOAD}. */
export const TAKE = 5;
/** See {@linkcode LOAD}. */
export const GIVE = 6;
/** See {@linkcode LOAD}. */
export const PARK = 7;
/** See {@linkcode LOAD}. */
export const WAKE = 8;
/** See {@linkcode LOAD}. */
export const OR = 9;

/** A slow path: yields steps, is sent their results, returns `R`. */
export type Slow<R> = Generator<Step, R, number>;

// The driver is done with a step before it asks for the next one, so one object serves them all.
const step: Step = {
  kind: LOAD,
  words: new Int32Array(new SharedArrayBuffer(0)),
  at: 0,
  a: 0,
  b: 0,
  limit: undefined,
};

function make(kind: number, words: Int32Array<SharedArrayBuffer>, at: number, a = 0, b = 0): Step {
  step.kind = kind;
  step.words = words;
  step.at = at;
  step.a = a;
  step.b = b;
  return step;
}

/** Reads a word. */
export function load(words: Int32Array<SharedArrayBuffer>, at: number): Step {
  return make(LOAD, words, at);
}
/** Writes `a`. */
export function store(words: Int32Array<SharedArrayBuffer>, at: number, a: number): Step {
  return make(STORE, words, at, a);
}
/** Writes `b` if the word is `a`; gives what it was. */
export function cas(words: Int32Array<SharedArrayBuffer>, at: number, a: number, b: number): Step {
  return make(CAS, words, at, a, b);
}
/** Adds `a`; gives what it was. */
export function add(words: Int32Array<SharedArrayBuffer>, at: number, a: number): Step {
  return make(ADD, words, at, a);
}
/** Writes `a`; gives what it was. */
export function swap(words: Int32Array<SharedArrayBuffer>, at: number, a: number): Step {
  return make(SWAP, words, at, a);
}
/** Sets the bits of `a`; gives what it was. */
export function or(words: Int32Array<SharedArrayBuffer>, at: number, a: number): Step {
  return make(OR, words, at, a);
}
/** Takes a lock word, for the agent `holder`. */
export function take(words: Int32Array<SharedArrayBuffer>, at: number, holder: number): Step {
  return make(TAKE, words, at, holder);
}
/** Gives a lock word back. */
export function give(words: Int32Array<SharedArrayBuffer>, at: number): Step {
  return make(GIVE, words, at);
}
/**
 * Sleeps until the state of waiter `at` is no longer `WAITING`, the limit ends it, or there are more `deaths` than that; gives a
 * `Woken`.
 */
export function park(
  words: Int32Array<SharedArrayBuffer>,
  at: number,
  limit: Limit,
  deaths: number,
): Step {
  step.limit = limit;
  return make(PARK, words, at, deaths);
}
/** Wakes agent `at` for a waiter of form `a`. */
export function wakeUp(words: Int32Array<SharedArrayBuffer>, at: number, a: number): Step {
  return make(WAKE, words, at, a);
}

function perform(site: Site, step: Step): number {
  switch (step.kind) {
    case LOAD:
      return Atomics.load(step.words, step.at);
    case STORE:
      return Atomics.store(step.words, step.at, step.a);
    case CAS:
      return Atomics.compareExchange(step.words, step.at, step.a, step.b);
    case ADD:
      return Atomics.add(step.words, step.at, step.a);
    case SWAP:
      return Atomics.exchange(step.words, step.at, step.a);
    case OR:
      return Atomics.or(step.words, step.at, step.a);
    case TAKE:
      takeWord(step.words, step.at, step.a);
      return 0;
    case GIVE:
      giveWord(step.words, step.at);
      return 0;
    case PARK:
      return parkSync(site, step.at, step.limit!, step.a);
    case WAKE:
      wake(site, step.at, step.a);
      return 0;
    default:
      throw new TypeError(`Unknown step ${step.kind}`);
  }
}

/** Drives a slow path that may sleep, or one that never parks. */
export function runSync<R>(site: Site, slow: Slow<R>): R {
  enterSection();
  try {
    let next = slow.next(0);
    while (!next.done) {
      let result: number;
      try {
        result = perform(site, next.value);
      } catch (error) {
        // So that its `finally` blocks run.
        next = slow.throw(error);
        continue;
      }
      next = slow.next(result);
    }
    return next.value;
  } finally {
    leaveSection();
  }
}

/**
 * Drives a slow path for a promise. It runs at once up to the first park, so calls take their places in the order they were made.
 * Being an async function, it comes back from each park in its caller's asynchronous context.
 */
export async function runAsync<R>(site: Site, slow: Slow<R>): Promise<R> {
  enterSection();
  try {
    let next = slow.next(0);
    while (!next.done) {
      const step = next.value;
      if (step.kind !== PARK) {
        next = slow.next(perform(site, step));
        continue;
      }
      const woken = parkAsync(site, step.at, step.limit!, step.a);
      leaveSection();
      const why = await woken;
      enterSection();
      next = slow.next(why);
    }
    return next.value;
  } finally {
    leaveSection();
  }
}
