/**
 * A small heap on the ground: blocks of powers of two with a free list each, under one lock word. Holds the records of agents,
 * waiters and threads.
 *
 * @module
 */
import { giveWord, takeWord } from "./park.ts";
import {
  A_ALIVE,
  A_BLOCKED,
  A_LOCKS,
  A_PENDING,
  A_REQUESTS,
  A_SECTION,
  A_SKIPPED,
  A_STACK,
  A_STATUS,
  A_STOP,
  A_UNCLAIMED,
  A_WAITER,
  AGENT_WORDS,
  AGENTS_FREE,
  type Ground,
  GROUND_BYTES,
  HEAP_CLASSES,
  HEAP_FREE,
  HEAP_LOCK,
  HEAP_TOP,
  SYNC,
  W_AGENT,
  W_FORM,
} from "./words.ts";

/**
 * Allocates `count` zeroed words, rounded up to a power of two.
 *
 * @throws {RangeError} when the ground is full.
 */
export function allocate(ground: Ground, count: number, holder: number): number {
  const sizeClass = sizeClassOf(count);
  const { words } = ground;
  takeWord(words, HEAP_LOCK, holder);
  try {
    const free = words[HEAP_FREE + sizeClass];
    if (free !== 0) {
      words[HEAP_FREE + sizeClass] = words[free];
      words.fill(0, free, free + (1 << sizeClass));
      return free;
    }
    const top = words[HEAP_TOP];
    if (top + (1 << sizeClass) > words.length) {
      throw new RangeError(
        `Out of shared memory: all ${GROUND_BYTES >> 20} MiB for waiters and threads are in use`,
      );
    }
    words[HEAP_TOP] = top + (1 << sizeClass);
    return top;
  } finally {
    giveWord(words, HEAP_LOCK);
  }
}

/** Gives back what {@linkcode allocate} returned for the same `count`. */
export function free(ground: Ground, pointer: number, count: number, holder: number): void {
  const sizeClass = sizeClassOf(count);
  const { words } = ground;
  takeWord(words, HEAP_LOCK, holder);
  words[pointer] = words[HEAP_FREE + sizeClass];
  words[HEAP_FREE + sizeClass] = pointer;
  giveWord(words, HEAP_LOCK);
}

function sizeClassOf(count: number): number {
  const sizeClass = 32 - Math.clz32(Math.max(count, 1) - 1);
  if (sizeClass >= HEAP_CLASSES) throw new RangeError(`Cannot allocate ${count} words at once`);
  return sizeClass;
}

/** What starts anew with each agent that has the record. */
const FRESH = [
  A_ALIVE,
  A_STACK,
  A_BLOCKED,
  A_UNCLAIMED,
  A_SKIPPED,
  A_REQUESTS,
  A_STATUS,
  A_SECTION,
  A_STOP,
  A_PENDING,
  A_LOCKS,
];

/** Makes an agent's record, with its blocking waiter. */
export function makeAgent(ground: Ground, holder: number): number {
  const { words } = ground;
  takeWord(words, HEAP_LOCK, holder);
  const used = words[AGENTS_FREE];
  if (used !== 0) words[AGENTS_FREE] = words[used + A_REQUESTS];
  giveWord(words, HEAP_LOCK);
  if (used !== 0) {
    // Its counters go on and its unused waiters stay: somebody may still be about to wake the agent that had the record before.
    for (const word of FRESH) Atomics.store(words, used + word, 0);
    return used;
  }
  const agent = allocate(ground, AGENT_WORDS, holder);
  words[agent + A_WAITER + W_AGENT] = agent;
  words[agent + A_WAITER + W_FORM] = SYNC;
  return agent;
}

/** Keeps the record of an agent that no longer exists for the next one. */
export function freeAgent(ground: Ground, agent: number, holder: number): void {
  const { words } = ground;
  takeWord(words, HEAP_LOCK, holder);
  // By a word that nobody else writes any more: a late grant may still touch the stack.
  words[agent + A_REQUESTS] = words[AGENTS_FREE];
  words[AGENTS_FREE] = agent;
  giveWord(words, HEAP_LOCK);
}
