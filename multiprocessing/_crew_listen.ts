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

/** Blocks for a moment; whether it happened. See `_pace.ts`. */
export function soon(bell: Bell, happened: () => boolean): boolean {
  const nap = (deadline: number) => {
    const limit = { deadline, signal: undefined };
    return runSync(bell.guard.waiting(wishFor(bell, happened, nothing), limit)) !== NONE;
  };
  // Others would wait as long as this one.
  return lookOut(happened, isWaiting() ? undefined : nap);
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
