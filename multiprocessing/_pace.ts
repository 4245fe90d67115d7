/**
 * How long a call looks out before it sleeps, and how long calls that never sleep go on before the event loop turns.
 *
 * @module
 */
import { now } from "../threading/_core/values.ts";

/**
 * How long it is looked out, in milliseconds: longer than a sleeper takes to wake up and answer. Else two that have slept once would go on
 * sleeping, each for the other, although both are awake most of the time.
 */
const LOOK = 0.08;
/** How long the thread sleeps then: about what it takes to wake a process on a busy machine. */
const NAP = 0.5;
/** How much of its time a thread may wait in these ways, and how much of that it can save up, in milliseconds. */
const SHARE = 1 / 4;
const SAVED = 2;
/** What a sleep costs of that which brought what was waited for. */
const PAID = 1 / 4;

let budget = SAVED;
/** It was used up, and is saved until there is enough to wait until another that waits without blocking has woken. */
let isSaving = false;
let counted = 0;
/** With one processor, what is looked out for cannot happen meanwhile. */
let alone: boolean | undefined;

/**
 * Blocks the calling thread for a moment until `happened`: some microseconds in which it looks, and then, with `nap`, some hundred in
 * which the operating system wakes it. Gives whether it did. `nap` waits until a moment, and gives the same.
 *
 * Two processes that keep pace with each other then never wait without blocking, which takes each of them several times as long: there
 * is another thread to be woken first. Looks that pay off are free. All else has a budget; when that is used up it has to grow first.
 * Without `looks` there is only the nap.
 */
export function lookOut(
  happened: () => boolean,
  nap?: (until: number) => boolean,
  looks = true,
): boolean {
  const start = now();
  budget = Math.min(SAVED, budget + (start - counted) * SHARE);
  counted = start;
  if (isSaving && budget < SAVED / 2) return false;
  isSaving = budget < LOOK;
  if (isSaving) return false;
  if (looks && !(alone ??= navigator.hardwareConcurrency === 1)) {
    const end = start + LOOK;
    do {
      for (let i = 0; i < 8; i++) Atomics.pause();
      if (happened()) return true;
    } while (now() < end);
  }
  const did = nap?.(start + Math.min(budget, NAP)) ?? false;
  budget -= (now() - start) * (did ? PAID : 1);
  return did;
}

/** After so many milliseconds, and so many calls, the event loop gets a turn. */
const BREATH = 32;
const CALLS = 64;

let calls = 0;
let turned = 0;
let turning: Promise<void> | undefined;

/**
 * What a call gives that did not have to wait: at once, or, now and then, after a turn of the event loop. Otherwise such calls could go on
 * for ever, with timers, signals and the news of other processes waiting. A turn takes a millisecond or two: in a quicker one (of
 * `setImmediate`, or a message port) the runtime does not look what has come from outside.
 */
export function paced<T>(result: T): T | Promise<T> {
  if (turning === undefined) {
    if (++calls < CALLS) return result;
    const time = now();
    if (turned === 0) turned = time;
    if (time - turned < BREATH) return result;
    turning = turn();
  }
  return turning.then(() => result);
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  turned = now();
  calls = 0;
  turning = undefined;
}
