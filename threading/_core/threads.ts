/**
 * The directory of live threads, in shared memory: any thread can list them, name them and wait for them, whoever started them.
 *
 * A thread is known by its record and its identifier. A record is used again when its thread has finished, but only for another
 * thread, and the identifier in it tells them apart: a stale pair is a finished thread.
 *
 * @module
 */
import { FOREVER, type Limit } from "./clock.ts";
import { runSync, type Slow } from "./drive.ts";
import { allocate, free } from "./heap.ts";
import { OWN, type Settled } from "./lot.ts";
import { giveWord, takeWord } from "./park.ts";
import { EVENT_WORDS, FLAG, releaseAll, set, wait } from "./primitives/event.ts";
import { enterSection, leaveSection } from "./section.ts";
import { cellAt, here, isMain } from "./site.ts";
import {
  NATIVES,
  NEXT_IDENT,
  NEXT_NAME,
  THREADS_FREE,
  THREADS_HEAD,
  THREADS_LOCK,
} from "./words.ts";

// A thread's record starts with a lot: those who join it.
/** Its identifier while it lives, 0 in a free record. */
const T_IDENT = OWN;
/** The same, but kept until the record is used again. */
const T_LAST_IDENT = OWN + 1;
const T_DAEMON = OWN + 2;
const T_NAME = OWN + 3;
const T_NAME_LENGTH = OWN + 4;
const T_NEXT = OWN + 5;
const T_PREV = OWN + 6;
/** A second lot, with its flag: those who want to know the operating system's identifier. The flag is the identifier. */
const T_NATIVE_LOT = OWN + 7;
const T_NATIVE = T_NATIVE_LOT + FLAG;
const THREAD_WORDS = T_NATIVE_LOT + OWN + EVENT_WORDS;

/** Identifier of the main thread. */
export const MAIN_IDENT = 1;

/** A thread that was started: a place in shared memory and who it was. */
export interface ThreadKey {
  readonly record: number;
  readonly ident: number;
}

/** What the directory says of a live thread. */
export interface ThreadEntry extends ThreadKey {
  readonly name: string;
  readonly daemon: boolean;
}

/** Enters a thread that is about to start. */
export function enter(name: string, daemon: boolean): ThreadKey {
  const { ground, agent } = here();
  const ident = Atomics.add(ground.words, NEXT_IDENT, 1);
  return locked(() => enterAs(ident, name, daemon, ground.words, agent));
}

function enterAs(
  ident: number,
  name: string,
  daemon: boolean,
  words: Int32Array<SharedArrayBuffer>,
  agent: number,
): ThreadKey {
  let record = words[THREADS_FREE];
  if (record !== 0) words[THREADS_FREE] = words[record + T_NEXT];
  else record = allocate(here().ground, THREAD_WORDS, agent);
  if (words[NATIVES] === 0) words[NATIVES] = allocate(here().ground, 2 * KEPT_NATIVES, agent);
  words[record + T_DAEMON] = Number(daemon);
  words[record + T_NATIVE] = 0;
  writeName(record, name);
  const first = words[THREADS_HEAD];
  words[record + T_NEXT] = first;
  words[record + T_PREV] = 0;
  if (first !== 0) words[first + T_PREV] = record;
  words[THREADS_HEAD] = record;
  Atomics.store(words, record + T_LAST_IDENT, ident);
  Atomics.store(words, record + T_IDENT, ident);
  return { record, ident };
}

/** Takes the directory's lock and makes sure that the main thread is in it. */
function locked<R>(body: () => R): R {
  const { ground: { words }, agent } = here();
  takeWord(words, THREADS_LOCK, agent);
  try {
    if (words[THREADS_HEAD] === 0 && isMain()) {
      enterAs(MAIN_IDENT, "MainThread", false, words, agent);
    }
    return body();
  } finally {
    giveWord(words, THREADS_LOCK);
  }
}

/** The thread has finished: whoever joins it goes on. Does nothing for one that has finished before. */
export function finish(key: ThreadKey): void {
  enterSection();
  try {
    finishNow(key);
  } finally {
    leaveSection();
  }
}

function finishNow({ record, ident }: ThreadKey): void {
  const { site, words } = cellAt(record);
  const mine = locked(() => {
    if (words[record + T_IDENT] !== ident) return false;
    const next = words[record + T_NEXT];
    const prev = words[record + T_PREV];
    if (prev === 0) words[THREADS_HEAD] = next;
    else words[prev + T_NEXT] = next;
    if (next !== 0) words[next + T_PREV] = prev;
    Atomics.store(words, record + T_IDENT, 0);
    freeName(record);
    return true;
  });
  if (!mine) return;
  runSync(site, set(cellAt(record), T_IDENT, 0));
  runSync(site, releaseAll(cellAt(record + T_NATIVE_LOT)));
  locked(() => {
    words[record + T_NEXT] = words[THREADS_FREE];
    words[THREADS_FREE] = record;
  });
}

/** The main thread has finished: its threads may outlive it. It stays in the directory. */
export function finishMain(): void {
  const main = listThreads().find(({ ident }) => ident === MAIN_IDENT)!;
  runSync(here(), set(cellAt(main.record), T_IDENT, 0));
}

/** Whether the thread has not finished. */
export function isLive({ record, ident }: ThreadKey): boolean {
  return Atomics.load(here().ground.words, record + T_IDENT) === ident;
}

/** Waits until the thread has finished. */
export function finished(
  { record, ident }: ThreadKey,
  waiter: number,
  limit: Limit,
): Slow<Settled> {
  return wait(cellAt(record), waiter, limit, T_IDENT, (value) => value !== ident);
}

/** The live threads, oldest first. */
export function listThreads(): ThreadEntry[] {
  const { words } = here().ground;
  return locked(() => {
    const entries: ThreadEntry[] = [];
    for (let record = words[THREADS_HEAD]; record !== 0; record = words[record + T_NEXT]) {
      // Not T_IDENT: the main thread may have finished.
      const ident = words[record + T_LAST_IDENT];
      const daemon = words[record + T_DAEMON] === 1;
      entries.push({ record, ident, name: readName(record), daemon });
    }
    return entries.reverse();
  });
}

/** The name of a live thread; `undefined` when it has finished. */
export function nameOf(key: ThreadKey): string | undefined {
  return locked(() => isLive(key) ? readName(key.record) : undefined);
}

/** Names a live thread anew. */
export function rename(key: ThreadKey, name: string): void {
  locked(() => {
    if (!isLive(key)) return;
    freeName(key.record);
    writeName(key.record, name);
  });
}

/** How many identifiers are kept beyond the life of a thread's record: its creator may ask late. */
const KEPT_NATIVES = 4096;

/** Where the pair of a thread's identifier and the operating system's is kept, until a thread started much later needs the place. */
function keptAt(ident: number): number {
  return here().ground.words[NATIVES] + 2 * (ident % KEPT_NATIVES);
}

/** The operating system's identifier of the thread; 0 while it has not said, and when it was too long ago. */
export function nativeOf({ record, ident }: ThreadKey): number {
  const { words } = here().ground;
  const native = Atomics.load(words, record + T_NATIVE);
  if (Atomics.load(words, record + T_LAST_IDENT) === ident) return native;
  const at = keptAt(ident);
  if (Atomics.load(words, at) !== ident) return 0;
  const kept = Atomics.load(words, at + 1);
  return Atomics.load(words, at) === ident ? kept : 0;
}

/** Waits until the thread has said what {@linkcode nativeOf} gives, or has ended without a word. */
export function nativeSaid({ record, ident }: ThreadKey, waiter: number): Slow<Settled> {
  const { words } = here().ground;
  return wait(
    cellAt(record + T_NATIVE_LOT),
    waiter,
    FOREVER,
    FLAG,
    (native) => native !== 0 || Atomics.load(words, record + T_IDENT) !== ident,
  );
}

/** Says what {@linkcode nativeOf} gives. The caller is the thread itself. */
export function setNative({ record, ident }: ThreadKey, native: number): void {
  const { words } = here().ground;
  const at = keptAt(ident);
  // Whoever finds the identifier before and after it has read the rest has read what belongs to it.
  Atomics.store(words, at, 0);
  Atomics.store(words, at + 1, native);
  Atomics.store(words, at, ident);
  runSync(here(), set(cellAt(record + T_NATIVE_LOT), FLAG, native));
}

/** The number for the next thread that has no name. */
export function nextNumber(): number {
  return Atomics.add(here().ground.words, NEXT_NAME, 1) + 1;
}

function wordsFor(length: number): number {
  return Math.max(1, Math.ceil(length / 2));
}

function writeName(record: number, name: string): void {
  const { ground, agent } = here();
  const pointer = allocate(ground, wordsFor(name.length), agent);
  const units = new Uint16Array(ground.buffer, pointer * 4, name.length);
  for (let i = 0; i < name.length; i++) units[i] = name.charCodeAt(i);
  ground.words[record + T_NAME] = pointer;
  ground.words[record + T_NAME_LENGTH] = name.length;
}

function readName(record: number): string {
  const { ground } = here();
  const length = ground.words[record + T_NAME_LENGTH];
  const units = new Uint16Array(ground.buffer, ground.words[record + T_NAME] * 4, length);
  let name = "";
  for (const unit of units) name += String.fromCharCode(unit);
  return name;
}

function freeName(record: number): void {
  const { ground, agent } = here();
  const length = ground.words[record + T_NAME_LENGTH];
  free(ground, ground.words[record + T_NAME], wordsFor(length), agent);
}
