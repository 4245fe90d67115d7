/**
 * Sleeping until there is news of a crew, blocking or not.
 *
 * @module
 */
import type { Bell } from "./_crew_lane.ts";
import { lookOut } from "./_pace.ts";
import { NONE, type Wish } from "./_ring_guard.ts";
import { isWaiting, runAsync, runSync } from "./_sync_waiting.ts";
import { FOREVER, type Limit } from "../threading/_core/values.ts";

function wishFor({ word, counter }: Bell, happened: () => boolean, idle: () => void): Wish<true> {
  return { word, counter, attempt: () => happened() || NONE, more: () => false, idle };
}

const nothing = () => {};

/** How many looks in a row that pay make up for one that does not, and how much is remembered. */
const COST = 4;
const MOST = 8;
/** After so many moments without a look there is one, to see whether it pays by now. */
const AGAIN = 64;

let paid = MOST;
let moments = 0;

/**
 * Blocks for a moment; whether it happened. See `_pace.ts`. It looks only while that pays: where others want the processors, who looks
 * keeps the one from running that it waits for.
 */
export function soon(bell: Bell, happened: () => boolean): boolean {
  let napped = false;
  const nap = (deadline: number) => {
    napped = true;
    const limit = { deadline, signal: undefined };
    return runSync(bell.guard.waiting(wishFor(bell, happened, nothing), limit)) !== NONE;
  };
  const looks = paid > 0 || ++moments % AGAIN === 0;
  // Others would wait as long as this one.
  const did = lookOut(happened, isWaiting() ? undefined : nap, looks);
  if (looks) paid = did && !napped ? Math.min(paid + 1, MOST) : Math.max(paid - COST, 0);
  return did;
}

/**
 * Waits for something that whoever rings the bell makes happen; holds the event loop open meanwhile.
 *
 * @throws The reason of the limit's signal.
 */
export async function listenTo(
  bell: Bell,
  happened: () => boolean,
  limit: Limit = FOREVER,
): Promise<void> {
  await runAsync(bell.guard.waiting(wishFor(bell, happened, nothing), limit));
}

/** The same, blocking. `idle`: called now and then. */
export function blockFor(
  bell: Bell,
  happened: () => boolean,
  limit: Limit,
  idle: () => void,
): void {
  runSync(bell.guard.waiting(wishFor(bell, happened, idle), limit));
}
