/**
 * Stretches that a kill must not tear. A killable worker (see killable.ts) may be ended at any moment; what it changes in shared
 * memory in several steps it changes in a *section*.
 *
 * The worker W and the killer K, each writing its own word before it reads the other's:
 * 1. W writes `A_SECTION`, then reads `A_STOP`; K writes `A_STOP`, then reads `A_SECTION`.
 * 2. So either W sees that it is to stop, and does not begin the section, or K sees W in it and waits until it has left.
 * 3. On leaving W reads `A_STOP` again. Where it is to stop, there is its safe point.
 * 4. At the safe point W changes `A_STOP` from `STOP` to `SETTLING`; K, which has seen W outside of a section, to `TAKEN`. Whoever is
 *    first decides: W takes its waiters out of their lots, passes on what they were granted, writes `SETTLED` and sleeps until it is
 *    dead; or K kills it at once, and W does nothing but sleep.
 *
 * A slow path is one section from its start to its end, its sleep included (parkSync comes back when it is to stop), and the stretch
 * from one await to the next. All other agents pay one comparison.
 *
 * While modules are imported it is *loading*, which may last over many awaits: Deno ends the whole process, in a panic of its own, when a
 * worker is terminated while a module of Deno's, such as `node:fs`, is evaluated in it for the first time. So K waits for the end of that,
 * or for a safe point in between: there nothing of Deno's is being evaluated.
 *
 * @module
 */
import { A_PENDING, A_SECTION, A_STATUS, A_STOP, DEAD } from "./words.ts";

/** Value of `A_STOP`: the worker is to end. */
export const STOP = 1;
/** Value of `A_STOP`: nothing of the worker is left in any lot. */
export const SETTLED = 2;
/** Value of `A_STOP`: the worker is taking its waiters out. */
export const SETTLING = 3;
/** Value of `A_STOP`: the worker is killed where it stands; nothing is given to its waiters any more, which are still in their lots. */
export const TAKEN = 4;

interface Guard {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly agent: number;
  /** The safe point: gives everything back, if `first`, and sleeps for ever. */
  readonly end: (first: boolean) => never;
}

/** Bit of `A_SECTION`: in a section. */
export const IN_SECTION = 1;
/** Bit of `A_SECTION`: modules are being imported. */
export const LOADING = 2;

let guarded: Guard | undefined;
let depth = 0;
let loading = 0;

/** From now on this worker may be killed. `end` is called at a safe point when it is to stop, and does not return. */
export function guard(
  words: Int32Array<SharedArrayBuffer>,
  agent: number,
  end: (first: boolean) => never,
): void {
  guarded = { words, agent, end };
}

function stop({ words, agent, end }: Guard): never {
  guarded = undefined;
  return end(Atomics.compareExchange(words, agent + A_STOP, STOP, SETTLING) === STOP);
}

/** Begins a section. They nest. */
export function enterSection(): void {
  if (guarded !== undefined) enter(guarded);
}

function enter(guard: Guard): void {
  if (depth++ > 0) return;
  const { words, agent } = guard;
  tell(guard);
  if (Atomics.load(words, agent + A_STOP) !== 0) stop(guard);
}

/** Where this worker is, for who wants to kill it. */
function tell({ words, agent }: Guard): void {
  Atomics.store(
    words,
    agent + A_SECTION,
    (depth > 0 ? IN_SECTION : 0) | (loading > 0 ? LOADING : 0),
  );
}

/** Ends a section. */
export function leaveSection(): void {
  if (guarded !== undefined) leave(guarded);
}

function leave(guard: Guard): void {
  if (--depth > 0) return;
  const { words, agent } = guard;
  if (Atomics.load(words, agent + A_STOP) === 0) tell(guard);
  if (Atomics.load(words, agent + A_STOP) !== 0) stop(guard);
}

/** Imports modules, or does what may import some: see the head of this file. */
export async function whileLoading<R>(body: () => Promise<R>): Promise<R> {
  if (guarded === undefined) return await body();
  load(guarded, 1);
  try {
    return await body();
  } finally {
    load(guarded, -1);
  }
}

function load(guard: Guard, change: 1 | -1): void {
  loading += change;
  if (depth > 0) return;
  const { words, agent } = guard;
  if (change > 0 || Atomics.load(words, agent + A_STOP) === 0) tell(guard);
  if (Atomics.load(words, agent + A_STOP) !== 0) stop(guard);
}

/** Whether this worker is to stop. */
export function mustStop(): boolean {
  return guarded !== undefined &&
    Atomics.load(guarded.words, guarded.agent + A_STOP) !== 0;
}

/** Tells the killer how many asynchronous waiters there are that only this worker can take out of their lots. */
export function tellPending(count: number): void {
  if (guarded !== undefined) Atomics.store(guarded.words, guarded.agent + A_PENDING, count);
}

let ground: Int32Array<SharedArrayBuffer> | undefined;

/** Where the agents of this process stand. */
export function setGround(words: Int32Array<SharedArrayBuffer>): void {
  ground = words;
}

/** Whether an agent was killed, in memory of locks that only know its pointer. */
export function wasKilled(agent: number): boolean {
  return ground !== undefined && agent !== 0 && isDead(ground, agent);
}

/** Whether an agent was killed. */
export function isDead(words: Int32Array<SharedArrayBuffer>, agent: number): boolean {
  return Atomics.load(words, agent + A_STATUS) === DEAD;
}
