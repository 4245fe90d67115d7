/**
 * The words of objects that processes share, and the steps that are taken on them.
 *
 * Each algorithm of `_sync_mutex.ts`, `_sync_permits.ts` … is written once, as a generator that yields every operation on a word
 * which others may touch at the same time. `_sync_ground.ts` drives it blocking or awaiting; the explorer of `tests/model/` drives it
 * one step at a time, in every order, and lets participants die between any two of them.
 *
 * What the algorithms rely on, and all that they rely on:
 *
 * - A word is changed first, and whoever may sleep on it is woken then. A sleeper says which value it has seen, and does not fall
 *   asleep when the word has another.
 * - A wake-up may go to somebody who dies of it. So nobody sleeps longer than a slice: then he looks again, and whether the owner of
 *   what he waits for still lives. A slice mends what a death broke; without deaths no algorithm needs one.
 * - A word says all there is to know. Nobody is granted anything while asleep: who wakes up looks, and takes.
 *
 * @module
 */
import type { Limit } from "../threading/_core/mod.ts";

/** The words of one object, as one participant sees them. */
export interface Seat {
  readonly words: Int32Array;
  /** Where the object's first word lies. */
  readonly at: number;
  /** Who the participant is: a number from 1 to 2^30 - 1 that nobody else has or ever gets. */
  readonly me: number;
  readonly ground: Ground;
}

/** What the operating system does for the words of an object. */
export interface Ground {
  /** A name of a word that no other word of this isolate has. */
  address(index: number): number;
  /** Whether a participant has ended. Once it is true it stays so. */
  isGone(who: number): boolean;
  /** Sleeps on the calling thread while the word has the value `seen`, for at most `ms`. May come back at any time. */
  sleep(index: number, seen: number, ms: number): void;
  /** Wakes up to `count` of those that sleep on the word, in any process. */
  wake(index: number, count: number): void;
  /** Whether {@linkcode Ground.sleep} works, and with it waiting in the operating system. */
  readonly sleeps: boolean;
}

/** A participant that has ended for certain. */
export const NOBODY = 2 ** 30 - 1;

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
export const SLEEP = 5;
/** See {@linkcode LOAD}. */
export const WAKE = 6;
/** See {@linkcode LOAD}. */
export const GONE = 7;

/** One operation. */
export interface Step {
  kind: number;
  seat: Seat;
  /** Which word of the object. */
  at: number;
  a: number;
  b: number;
  limit: Limit | undefined;
}

/** Why a sleep ended: the word has changed. */
export const CHANGED = 0;
/** A slice is over, or somebody has woken the sleeper, and the word is the same. */
export const SLICE = 1;
/** The word is the same and the time is up. */
export const LATE = 2;
/** The word is the same and the caller gave up. */
export const ABORTED = 3;

/** The longest sleep in milliseconds without looking whether somebody has died. */
export const SLICE_MS = 100;
/** Wakes everybody. */
export const ALL = 0x7fffffff;

/** An algorithm: yields steps, is sent their results, returns `R`. */
export type Slow<R> = Generator<Step, R, number>;

// The driver is done with a step before it asks for the next one, so one object serves them all.
const step: Step = { kind: LOAD, seat: undefined!, at: 0, a: 0, b: 0, limit: undefined };

function make(kind: number, seat: Seat, at: number, a: number, b: number): Step {
  step.kind = kind;
  step.seat = seat;
  step.at = at;
  step.a = a;
  step.b = b;
  return step;
}

/** Reads a word. */
export function load(seat: Seat, at: number): Step {
  return make(LOAD, seat, at, 0, 0);
}
/** Writes `a`. */
export function store(seat: Seat, at: number, a: number): Step {
  return make(STORE, seat, at, a, 0);
}
/** Writes `b` if the word is `a`; gives what it was. */
export function cas(seat: Seat, at: number, a: number, b: number): Step {
  return make(CAS, seat, at, a, b);
}
/** Adds `a`; gives what it was. */
export function add(seat: Seat, at: number, a: number): Step {
  return make(ADD, seat, at, a, 0);
}
/** Writes `a`; gives what it was. */
export function swap(seat: Seat, at: number, a: number): Step {
  return make(SWAP, seat, at, a, 0);
}
/** Sleeps while the word is `seen`; gives {@linkcode CHANGED}, {@linkcode SLICE}, {@linkcode LATE} or {@linkcode ABORTED}. */
export function sleep(seat: Seat, at: number, seen: number, limit: Limit): Step {
  step.limit = limit;
  return make(SLEEP, seat, at, seen, 0);
}
/** Wakes up to `count` of those that sleep on the word. */
export function wake(seat: Seat, at: number, count: number): Step {
  return make(WAKE, seat, at, count, 0);
}
/** Whether the participant `who` has ended: 1 or 0. */
export function gone(seat: Seat, who: number): Step {
  return make(GONE, seat, 0, who, 0);
}
