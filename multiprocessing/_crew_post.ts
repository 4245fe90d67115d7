/**
 * What a thread hears of all its crews whose workers have lanes (`_crew_lane.ts`): without blocking while some of them expect answers,
 * or blocking, for who waits for a future.
 *
 * Guarantees
 * - Whatever workers have said before they ended is heard before their end.
 * - Nothing is under way with the system, and the event loop is not held, while no crew expects anything; see {@linkcode quiet}.
 * - A blocked thread hears of the end of a worker within a slice of `_sync_waiting.ts`.
 *
 * @module
 */
import { bellOfCrews } from "./_crew_lane.ts";
import { blockFor, listenTo, soon } from "./_crew_listen.ts";
import { paced } from "./_pace.ts";
import { ended } from "../threading/_core/life.ts";
import { type Limit, now } from "../threading/_core/mod.ts";

/** Somebody who has a lane. */
export interface Party {
  /** Whether there is something to be heard, or room for what waits to be said. */
  readonly hasNews: boolean;
  /** Hears it. */
  hear(): void;
  /** Looks whether it has ended, and tells its crew; for a thread that is blocked. */
  look(): void;
  /**
   * For who can be woken by a socket, which is quicker than by another thread: from now on {@linkcode wake} is called when there is
   * something to be heard. `false` when there is something already.
   */
  doze?(): boolean;
  /** Whether it can do that now. */
  readonly canDoze?: boolean;
}

/** How long answers gather where there is enough to do, in milliseconds. */
const REST = 1;
/** Microtasks after which whoever waited for something has gone on. */
const HOPS = 12;
/** How long ends go unnoticed by a blocked thread, in milliseconds. */
const LOOK = 20;

const parties = new Set<Party>();
/** Who expects something. */
const expecting = new Set<object>();
let listening: Promise<void> | undefined;
let waiting: AbortController | undefined;
let resting = false;
let looked = 0;

/** Is heard from now on. */
export function join(party: Party): void {
  ended.add(forget);
  parties.add(party);
  // While there was nobody, or nobody but who dozed, nothing was listened to.
  wake();
}

/** Is heard no more. */
export function leave(party: Party): void {
  parties.delete(party);
}

/** Somebody expects something, or does not any more. */
export function expect(who: object, some: boolean): void {
  if (some) expecting.add(who);
  else expecting.delete(who);
  if (expecting.size === 0) waiting?.abort();
  else listening ??= listen();
}

/** This thread has ended; its worker may become another, which has none of its crews. */
function forget(): void {
  parties.clear();
  expecting.clear();
  waiting?.abort();
}

/** There is something to be heard of somebody who dozed. */
export function wake(): void {
  if (expecting.size > 0) listening ??= listen();
}

/** There is enough to do for a while: answers need not be heard one by one. */
export function rest(): void {
  resting = true;
}

/** Resolves when nothing is under way any more; only for who expects nothing. */
export async function quiet(): Promise<void> {
  if (expecting.size === 0) await listening;
}

function hasNews(): boolean {
  for (const party of parties) if (party.hasNews) return true;
  return false;
}

function hearAll(): void {
  for (const party of parties) if (party.hasNews) party.hear();
}

function canDoze(): boolean {
  for (const party of parties) if (party.canDoze !== true) return false;
  return true;
}

/** Whether all of them doze. Whoever was told to and has something after all is woken once too often. */
function dozeAll(): boolean {
  for (const party of parties) if (!party.doze!()) return false;
  return true;
}

async function listen(): Promise<void> {
  try {
    while (expecting.size > 0) {
      // Before this thread blocks, what led here has its say: who has just got a result may have the next call to make.
      for (let hop = 0; hop < HOPS; hop++) await undefined;
      if (expecting.size === 0) break;
      if (hasNews()) {
        hearAll();
        // Whoever was waiting goes on, and may have more to be done.
        await paced(undefined);
        continue;
      }
      if (resting) {
        resting = false;
        await new Promise((resolve) => setTimeout(resolve, REST));
        continue;
      }
      if (soon(bellOfCrews(), hasNews)) continue;
      if (canDoze()) {
        if (dozeAll()) break;
        continue;
      }
      waiting = new AbortController();
      try {
        await listenTo(bellOfCrews(), hasNews, { deadline: Infinity, signal: waiting.signal });
      } catch {
        // Nothing is expected any more, or was not for a moment.
      }
      waiting = undefined;
    }
  } finally {
    listening = undefined;
  }
}

/** Hears what there is, or blocks until there is something, or a worker has ended, or time has run out. */
export function pump(limit: Limit): void {
  resting = false;
  if (hasNews() || limit.deadline > now() && soon(bellOfCrews(), hasNews)) return hearAll();
  lookAtAll();
  if (hasNews()) return hearAll();
  const deadline = Math.min(limit.deadline, now() + LOOK);
  blockFor(bellOfCrews(), hasNews, { deadline, signal: undefined }, () => {});
  hearAll();
}

/** Ends ring no bell. */
function lookAtAll(): void {
  if (now() - looked < LOOK) return;
  looked = now();
  for (const party of [...parties]) party.look();
}
