/** What the actors of the stress test do, on the main thread and in workers alike. Each body counts what it did. */

import type {
  Barrier,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
} from "@batteries/concurrent/threading";

/** What all actors of one run share. */
export interface Things {
  readonly lock: Lock;
  readonly rlock: RLock;
  readonly semaphore: Semaphore;
  readonly condition: Condition;
  /** The lock of `condition`. */
  readonly conditionLock: Lock;
  readonly events: readonly Event[];
  readonly barrier: Barrier;
  readonly words: Int32Array<SharedArrayBuffer>;
}

/** Words that they count in. Those of the events and of the barrier come behind. */
export const PLAIN = 0;
export const INSIDE = 1;
export const CROWDED = 2;
export const ITEMS = 3;
export const PRODUCED = 4;
export const CONSUMED = 5;
export const FIRST_FREE = 8;

/** How one actor waits. */
export type Colour = "sync" | "async" | "limitedSync" | "limitedAsync" | "abortedAsync";

/** One actor's part. */
export interface Part {
  readonly body: keyof typeof bodies;
  readonly colour: Colour;
  readonly seed: number;
  readonly iterations: number;
  /** How many actors there are in all, which of them this is, and how many permits the semaphore has. */
  readonly actors: number;
  readonly index: number;
  readonly permits: number;
}

type Random = () => number;

function isSync(colour: Colour): boolean {
  return colour === "sync" || colour === "limitedSync";
}

/** Something with both colours of `acquire`. */
interface Gate {
  acquire(options?: { timeout?: number; signal?: AbortSignal }): Promise<boolean>;
  acquireSync(options?: { timeout?: number }): boolean;
}

/** Acquires in the actor's colour; `false` when it gave up. */
async function enter(gate: Gate, colour: Colour, random: Random): Promise<boolean> {
  switch (colour) {
    case "sync":
      return gate.acquireSync();
    case "limitedSync":
      return gate.acquireSync({ timeout: random() * 2 });
    case "async":
      return await gate.acquire();
    case "limitedAsync":
      return await gate.acquire({ timeout: random() * 2 });
    case "abortedAsync": {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort("enough"), random() * 3);
      try {
        return await gate.acquire({ signal: controller.signal });
      } catch (reason) {
        if (reason !== "enough") throw reason;
        return false;
      } finally {
        clearTimeout(timer);
      }
    }
  }
}

/** Adds 1 in two steps, which only mutual exclusion makes one. */
function count(words: Int32Array): void {
  const seen = words[PLAIN];
  for (let i = 0; i < 20; i++) Atomics.pause();
  words[PLAIN] = seen + 1;
}

async function lock({ lock, words }: Things, part: Part, random: Random): Promise<number> {
  let got = 0;
  for (let i = 0; i < part.iterations; i++) {
    if (await enter(lock, part.colour, random)) {
      count(words);
      got++;
      lock.release();
    }
    if (i % 8 === 0) await null;
  }
  return got;
}

async function rlock({ rlock, words }: Things, part: Part, random: Random): Promise<number> {
  let got = 0;
  for (let i = 0; i < part.iterations; i++) {
    if (await enter(rlock, part.colour, random)) {
      const again = isSync(part.colour) ? rlock.acquireSync() : await rlock.acquire();
      if (!again) throw new Error("It could not reenter");
      count(words);
      rlock.release();
      got++;
      rlock.release();
    }
    if (i % 8 === 0) await null;
  }
  return got;
}

async function semaphore(
  { semaphore, words }: Things,
  part: Part,
  random: Random,
): Promise<number> {
  let got = 0;
  for (let i = 0; i < part.iterations; i++) {
    if (await enter(semaphore, part.colour, random)) {
      if (Atomics.add(words, INSIDE, 1) >= part.permits) Atomics.add(words, CROWDED, 1);
      if (!isSync(part.colour)) await null;
      Atomics.sub(words, INSIDE, 1);
      got++;
      semaphore.release();
    }
    if (i % 8 === 0) await null;
  }
  return got;
}

/** Even actors put items, odd ones take as many; `limited` ones look again now and then. */
async function condition(things: Things, part: Part, random: Random): Promise<number> {
  const { condition, conditionLock: lock, words } = things;
  const sync = isSync(part.colour);
  const limit = () => part.colour.startsWith("limited") ? { timeout: random() * 2 } : undefined;
  for (let i = 0; i < part.iterations; i++) {
    if (sync) lock.acquireSync();
    else await lock.acquire();
    if (part.index % 2 === 0) {
      words[ITEMS]++;
      words[PRODUCED]++;
      if (random() < 0.5) condition.notify();
      else condition.notifyAll();
    } else {
      while (words[ITEMS] === 0) {
        if (sync) condition.waitSync(limit());
        else await condition.wait(limit());
      }
      words[ITEMS]--;
      words[CONSUMED]++;
    }
    lock.release();
  }
  return part.iterations;
}

/** The last to arrive at an event sets the next. */
async function event({ events, words }: Things, part: Part, random: Random): Promise<number> {
  for (let round = 0; round + 1 < events.length; round++) {
    switch (part.colour) {
      case "sync":
        events[round].waitSync();
        break;
      case "limitedSync":
        while (!events[round].waitSync({ timeout: random() * 2 }));
        break;
      case "limitedAsync":
        while (!await events[round].wait({ timeout: random() * 2 }));
        break;
      default:
        await events[round].wait();
    }
    if (Atomics.add(words, FIRST_FREE + round, 1) === part.actors - 1) events[round + 1].set();
  }
  return events.length - 1;
}

/** Counts which index it was given in each round. */
async function barrier({ barrier, words }: Things, part: Part): Promise<number> {
  for (let round = 0; round < part.iterations; round++) {
    const index = isSync(part.colour) ? barrier.waitSync() : await barrier.wait();
    Atomics.add(words, FIRST_FREE + index, 1);
    // Between two rounds nobody may be a round ahead of anybody by more than one.
    const before = Atomics.add(words, INSIDE, 1);
    if (Math.abs(Math.floor(before / part.actors) - round) > 1) Atomics.add(words, CROWDED, 1);
  }
  return part.iterations;
}

export const bodies = { lock, rlock, semaphore, condition, event, barrier };

/** Plays a part. */
export function play(things: Things, part: Part, random: Random): Promise<number> {
  return bodies[part.body](things, part, random);
}
