/**
 * How long a call looks out before it sleeps, and how long calls that never sleep go on before the event loop turns.
 *
 * @module
 */
import { now } from "../threading/_core/mod.ts";

/** How long it is looked out, in milliseconds: less than what a sleep and a wake-up cost. */
const LOOK = 0.03;
/** How long the thread sleeps then: about what it takes to wake a process on a busy machine. */
const NAP = 0.5;
/** How much of its time a thread may wait in these ways, and how much of that it can save up, in milliseconds. */
const SHARE = 1 / 4;
const SAVED = 2;

let budget = SAVED;
let counted = 0;
/** With one processor, what is looked out for cannot happen meanwhile. */
let alone: boolean | undefined;

/**
 * Blocks the calling thread for a moment until `happened`: some microseconds in which it looks, and then, with `nap`, some hundred in
 * which the operating system wakes it. Gives whether it did. `nap` waits until a moment, and gives the same.
 *
 * Two processes that keep pace with each other then never wait without blocking, which takes each of them several times as long: there
 * is another thread to be woken first. Looks that pay off are free. All else has a budget; when that is used up there are only short
 * looks, and none at all, until it has grown again.
 */
export function lookOut(happened: () => boolean, nap?: (until: number) => boolean): boolean {
  const start = now();
  budget = Math.min(SAVED, budget + (start - counted) * SHARE);
  counted = start;
  if (budget < LOOK) return false;
  if (!(alone ??= navigator.hardwareConcurrency === 1)) {
    const end = start + LOOK;
    do {
      for (let i = 0; i < 8; i++) Atomics.pause();
      if (happened()) return true;
    } while (now() < end);
  }
  const did = nap?.(start + Math.min(budget, NAP)) ?? false;
  budget -= now() - start;
  return did;
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
