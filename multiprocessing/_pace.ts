/**
 * How long a call looks out before it sleeps, and how long calls that never sleep go on before the event loop turns.
 *
 * @module
 */
import { now } from "../threading/_core/mod.ts";

/** The longest look out, in milliseconds: about what a sleep and a wake-up cost. */
const LONGEST = 0.1;
/** Shorter ones are no use. */
const SHORTEST = LONGEST / 32;
/** A sleep that was over so soon would have been worth looking out. */
const SOON = 0.25;

/** With one processor, what is looked out for cannot happen meanwhile. */
let alone: boolean | undefined;

/**
 * Looks out for what another process is about to do. Two processes that keep pace with each other then never sleep, which costs them
 * much more than the look. Each look in vain halves the next one, down to none at all; one that paid off, or a sleep that was short,
 * brings them back.
 */
export class Lookout {
  #length = LONGEST;

  /** Blocks the calling thread until `happened`, for some microseconds; gives whether it did. */
  until(happened: () => boolean): boolean {
    if (this.#length === 0 || (alone ??= navigator.hardwareConcurrency === 1)) return false;
    const end = now() + this.#length;
    do {
      for (let i = 0; i < 8; i++) Atomics.pause();
      if (happened()) {
        this.#length = LONGEST;
        return true;
      }
    } while (now() < end);
    this.#length = this.#length > SHORTEST ? this.#length / 2 : 0;
    return false;
  }

  /** A sleep is over that began then. */
  slept(since: number): void {
    if (now() - since < SOON) this.#length = LONGEST;
  }
}

/** How long a thread may do without its event loop, in milliseconds. */
const BREATH = 4;
/** Every so many turns there is one in which the runtime looks for everything that has come, which takes it a millisecond or two. */
const DEEP = 16;

let turned = 0;
let turns = 0;
let turning: Promise<void> | undefined;

/** The event loop has turned. */
export function hasTurned(): void {
  turned = now();
  turns = 0;
}

/**
 * What a call gives that did not have to wait: at once, or, when there were only such calls for a while, after a turn of the event loop.
 * Otherwise they could go on for ever, with timers, signals and the news of other processes waiting. `done` is `result` or a promise
 * of it.
 */
export function paced<T>(result: T): T | Promise<T> {
  if (turning === undefined) {
    if (turned === 0) turned = now();
    if (now() - turned < BREATH) return result;
    turning = turn();
  }
  return turning.then(() => result);
}

async function turn(): Promise<void> {
  const deep = ++turns % DEEP === 0;
  await new Promise<void>((resolve) => {
    if (deep) setTimeout(resolve, 0);
    else setImmediate(resolve);
  });
  turned = now();
  turning = undefined;
}
