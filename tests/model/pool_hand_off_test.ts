/**
 * How calls go from a pool to its threads and back (`futures/_ring.ts`, `_worker.ts`, `_inbox.ts`): who submits, takes back, stops and
 * shuts down, and workers that look around, nap and sleep.
 *
 * There it is plain code, for speed. So it is written here once more, step by step, with the same words and in the same order: change them
 * together. Left out is how memory is had and widened. A semaphore is a count of permits. Short calls only, for then the owner wakes nobody
 * where it need not.
 */

import { assertEquals } from "@std/assert";
import { FOREVER } from "../../threading/_core/mod.ts";
import {
  add,
  CAS,
  cas,
  LATE,
  load,
  type Seat,
  sleep,
  type Slow,
  STORE,
  store,
  swap,
  WAKE,
  wake,
} from "../../multiprocessing/_sync_steps.ts";
import { explore, sample, type Scenario, ScheduleError } from "./explorer.ts";
import { type Life, LIMITED, type Plant, ProcessWorld } from "./process_world.ts";

type Scene = Scenario<ProcessWorld>;

const HEAD = 0;
const TAIL = 1;
const SHUT = 2;
const ANSWERS = 3;
const LOOKING = 4;
const PARKED = 5;
const NAPPING = 6;
const AWAKE = 7;
/** Of the semaphore. */
const PERMITS = 8;
const ASLEEP = 9;
const BELL = 10;
/** How many workers that were killed are to be replaced. */
const REPLACE = 11;
const NAMES = 12;
/** Blocks: the state, and the next of the answers. */
const BLOCKS = 20;
const STATE = 0;
const NEXT = 1;
const BLOCK = 2;
const WORDS = BLOCKS + 8 * BLOCK;

const FREE = 0;
const QUEUED = 1;
const RUNNING = 2;
const CANCELLED = 3;
const FINISHED = 4;
const STOPPED = 5;
const running = (me: number) => RUNNING | me << 3;

const AT_END = 1;
const AT_ONCE = 2;

/** What happens in a schedule, for the end of it. */
interface Log {
  /** How often each block was run. */
  readonly ran: number[];
  /** How each has ended. */
  readonly ended: string[];
}

function* permit(seat: Seat, limited: boolean): Slow<boolean> {
  for (;;) {
    const permits = yield load(seat, PERMITS);
    if (permits > 0) {
      if ((yield cas(seat, PERMITS, permits, permits - 1)) === permits) return true;
      continue;
    }
    if ((yield sleep(seat, PERMITS, permits, limited ? LIMITED : FOREVER)) !== LATE) continue;
    return false;
  }
}

function* release(seat: Seat): Slow<void> {
  yield add(seat, PERMITS, 1);
  yield wake(seat, PERMITS, 1);
}

/** `unpark` of _ring.ts. */
function* unpark(seat: Seat): Slow<boolean> {
  for (;;) {
    const parked = yield load(seat, PARKED);
    if (parked === 0) return false;
    if ((yield cas(seat, PARKED, parked, parked - 1)) === parked) return true;
  }
}

function* isEmpty(seat: Seat): Slow<boolean> {
  const head = yield load(seat, HEAD);
  return head === (yield load(seat, TAIL));
}

// ---- A worker --------------------------------------------------------------------------------------------------------------------------

function* takeNow(seat: Seat): Slow<number> {
  for (;;) {
    if ((yield load(seat, SHUT)) === AT_ONCE) return 0;
    const head = yield load(seat, HEAD);
    if (head === (yield load(seat, TAIL))) return 0;
    const block = yield load(seat, NAMES + head);
    if ((yield cas(seat, HEAD, head, head + 1)) === head) return block;
  }
}

/** It looks once: how long it looks is for the schedule to say. */
function* takeSoon(seat: Seat): Slow<number> {
  const block = yield* takeNow(seat);
  if (block !== 0 || (yield load(seat, SHUT)) !== 0) return block;
  if ((yield cas(seat, LOOKING, 0, seat.me)) !== 0) return 0;
  yield* isEmpty(seat);
  yield store(seat, LOOKING, 0);
  return yield* takeNow(seat);
}

function* nap(seat: Seat): Slow<void> {
  yield add(seat, AWAKE, -1);
  yield add(seat, PARKED, 1);
  yield add(seat, NAPPING, 1);
  const woken = (yield* isEmpty(seat)) && (yield load(seat, SHUT)) === 0 &&
    (yield* permit(seat, true));
  yield add(seat, NAPPING, -1);
  if (!woken && !(yield* unpark(seat))) yield* permit(seat, false);
  yield add(seat, AWAKE, 1);
}

function* park(seat: Seat): Slow<void> {
  yield add(seat, AWAKE, -1);
  yield add(seat, PARKED, 1);
  const stay = (yield* isEmpty(seat)) && (yield load(seat, SHUT)) === 0;
  if (stay || !(yield* unpark(seat))) yield* permit(seat, false);
  yield add(seat, AWAKE, 1);
}

function* take(seat: Seat, naps: number): Slow<number> {
  for (let napped = 0;; napped++) {
    if (napped < naps) yield* nap(seat);
    else yield* park(seat);
    const shut = yield load(seat, SHUT);
    const block = yield* takeNow(seat);
    if (block !== 0 || shut !== 0) return block;
  }
}

function* works(seat: Seat, log: Log, naps: number): Life {
  yield add(seat, AWAKE, 1);
  for (;;) {
    let block = yield* takeNow(seat);
    if (block === 0) block = yield* takeSoon(seat);
    if (block === 0) block = yield* take(seat, naps);
    if (block === 0) return;
    const mine = running(seat.me);
    if ((yield cas(seat, block + STATE, QUEUED, mine)) !== QUEUED) {
      yield store(seat, block + STATE, FREE);
      continue;
    }
    log.ran[block]++;
    // Who has stopped it kills it: it does nothing more.
    if ((yield cas(seat, block + STATE, mine, FINISHED)) !== mine) return;
    for (;;) {
      const first = yield load(seat, ANSWERS);
      yield store(seat, block + NEXT, first);
      if ((yield cas(seat, ANSWERS, first, block)) === first) break;
    }
    if ((yield cas(seat, ASLEEP, 1, 0)) !== 1) continue;
    yield add(seat, BELL, 1);
    yield wake(seat, BELL, 1);
  }
}

/** A worker that is made when another was killed; none, when the pool ends before. */
function* replaces(seat: Seat, log: Log, naps: number): Life {
  for (;;) {
    const wanted = yield load(seat, REPLACE);
    if (wanted === 1) return yield* works(seat, log, naps);
    if (wanted !== 0) return;
    yield sleep(seat, REPLACE, wanted, FOREVER);
  }
}

// ---- The owner -------------------------------------------------------------------------------------------------------------------------

function* wakeOne(seat: Seat): Slow<boolean> {
  if (!(yield* unpark(seat))) return false;
  yield* release(seat);
  return true;
}

function* publish(seat: Seat, block: number): Slow<void> {
  const tail = yield load(seat, TAIL);
  yield store(seat, block + STATE, QUEUED);
  yield store(seat, NAMES + tail, block);
  yield store(seat, TAIL, tail + 1);
  const left = tail + 1 - (yield load(seat, HEAD));
  if (left === 1 && (yield load(seat, LOOKING)) !== 0) return;
  if ((yield load(seat, NAPPING)) > 0 && (yield load(seat, AWAKE)) > 0) return;
  yield* wakeOne(seat);
}

function* shutDown(seat: Seat, how: number): Slow<void> {
  yield store(seat, SHUT, how);
  while (yield* wakeOne(seat));
}

/** Takes a call back, or stops it; whether one of the two was done. */
function* ends(seat: Seat, log: Log, block: number, stops: boolean): Slow<boolean> {
  if ((yield cas(seat, block + STATE, QUEUED, CANCELLED)) === QUEUED) {
    log.ended[block] += "cancelled";
    return true;
  }
  if (!stops) return false;
  const state = yield load(seat, block + STATE);
  if ((state & 7) !== RUNNING) return false;
  if ((yield cas(seat, block + STATE, state, STOPPED)) !== state) return false;
  log.ended[block] += "stopped";
  yield add(seat, AWAKE, -1);
  yield store(seat, REPLACE, 1);
  yield wake(seat, REPLACE, 1);
  return true;
}

interface Plan {
  readonly calls: number;
  /** The first calls are taken back, or stopped, after all were submitted. */
  readonly cancels?: number;
  readonly stops?: number;
  /** The pool is shut down at once, before the answers have come. */
  readonly breaks?: boolean;
}

function* owns(seat: Seat, log: Log, { calls, cancels = 0, stops = 0, breaks }: Plan): Life {
  let expected = calls;
  for (let n = 0; n < calls; n++) yield* publish(seat, BLOCKS + n * BLOCK);
  for (let n = 0; n < cancels + stops; n++) {
    if (yield* ends(seat, log, BLOCKS + n * BLOCK, n >= cancels)) expected--;
  }
  if (breaks) yield* shutDown(seat, AT_ONCE);
  else {
    while (expected > 0) {
      const seen = yield load(seat, BELL);
      yield store(seat, ASLEEP, 1);
      if ((yield load(seat, ANSWERS)) === 0) yield sleep(seat, BELL, seen, FOREVER);
      yield store(seat, ASLEEP, 0);
      for (let block = yield swap(seat, ANSWERS, 0); block !== 0;) {
        const next = yield load(seat, block + NEXT);
        if ((yield load(seat, block + STATE)) !== FINISHED) throw new Error("Not a result");
        log.ended[block] += "done";
        expected--;
        block = next;
      }
    }
    yield* shutDown(seat, AT_END);
  }
  // A worker that would replace another is not made any more.
  if ((yield cas(seat, REPLACE, 0, 2)) === 0) yield wake(seat, REPLACE, 1);
}

// ---- Scenarios -------------------------------------------------------------------------------------------------------------------------

interface Options {
  readonly plant?: () => Plant;
}

function pool(
  name: string,
  workers: readonly number[],
  plan: Plan,
  { plant }: Options = {},
): Scene {
  return {
    name: `pool: ${name}`,
    world: () => new ProcessWorld({ plant: plant?.() }),
    build(world) {
      const at = world.room(WORDS);
      const log: Log = { ran: Array(WORDS).fill(0), ended: Array(WORDS).fill("") };
      world.participant(at, (seat) => owns(seat, log, plan));
      for (const naps of workers) world.participant(at, (seat) => works(seat, log, naps));
      if (plan.stops !== undefined) world.participant(at, (seat) => replaces(seat, log, 0));
      return () => {
        for (let n = 0; n < plan.calls; n++) {
          const block = BLOCKS + n * BLOCK;
          const [ran, ended] = [log.ran[block], log.ended[block]];
          if (ran > 1) throw new Error(`Call ${n} was run ${ran} times`);
          if (ended === "" && plan.breaks) continue;
          if (!["done", "cancelled", "stopped"].includes(ended)) {
            throw new Error(`Call ${n} has ended so: "${ended}"`);
          }
          if (ended === "done" && ran !== 1) throw new Error(`Call ${n} is done, and was not run`);
          if (ended === "cancelled" && ran !== 0) throw new Error(`Call ${n} was run all the same`);
        }
        const counts = [PARKED, NAPPING, PERMITS].map((word) => world.words[at + word]);
        assertEquals(counts, [0, 0, 0], "Sleepers, nappers and permits are left");
      };
    },
  };
}

const BOUNDS = { preemptions: 3, most: 3000, mostMoves: 400_000 };

function runs(name: string, scenes: readonly Scene[]): void {
  let schedules = 0;
  for (const each of scenes) {
    schedules += explore(each, BOUNDS).schedules + sample(each, 1000).schedules;
  }
  console.log(`${name}: ${schedules} schedules of ${scenes.length} scenarios`);
}

Deno.test("model of a pool: each call is run once, nobody sleeps beside one, and the pool ends", () => {
  runs("pool", [
    pool("a call, a worker that sleeps", [0], { calls: 1 }),
    pool("two calls, a worker that sleeps", [0], { calls: 2 }),
    pool("two calls, a worker that naps", [1], { calls: 2 }),
    pool("two calls, two workers that sleep", [0, 0], { calls: 2 }),
    pool("two calls, two workers that nap", [1, 1], { calls: 2 }),
    pool("three calls, one sleeps, one naps", [0, 2], { calls: 3 }),
  ]);
});

Deno.test("model of a pool: what is taken back is not run, what is stopped takes its worker alone with it", () => {
  runs("pool, cancelled and stopped", [
    pool("a call is taken back", [0], { calls: 1, cancels: 1 }),
    pool("the first of two is taken back", [1], { calls: 2, cancels: 1 }),
    pool("both are taken back", [0, 1], { calls: 2, cancels: 2 }),
    pool("a call is stopped", [0], { calls: 1, stops: 1 }),
    pool("the first of two is stopped", [0], { calls: 2, stops: 1 }),
    pool("the first of three is stopped, beside another worker", [0, 1], { calls: 3, stops: 1 }),
    pool("one is taken back, one stopped", [0, 0], { calls: 3, cancels: 1, stops: 1 }),
  ]);
});

Deno.test("model of a pool: shut down at once, its workers end", () => {
  runs("pool, broken", [
    pool("two calls, a worker that sleeps", [0], { calls: 2, breaks: true }),
    pool("two calls, two workers, one naps", [0, 1], { calls: 2, breaks: true }),
    pool("no call", [0, 1], { calls: 0, breaks: true }),
  ]);
});

// ---- Planted bugs ----------------------------------------------------------------------------------------------------------------------

/** A schedule in which the bug shows is found; without it there is none. */
function finds(name: string, build: (options?: Options) => Scene, plant: () => Plant): void {
  Deno.test(`model of a pool: the planted bug is found, ${name}`, () => {
    sample(build(), 500);
    let found = false;
    try {
      explore(build({ plant }), BOUNDS);
      sample(build({ plant }), 3000);
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      found = true;
    }
    assertEquals(found, true, "It was not found");
  });
}

const two = (options?: Options) => pool("bug", [0, 0], { calls: 2 }, options);
const one = (options?: Options) => pool("bug", [0], { calls: 2 }, options);
const napper = (options?: Options) => pool("bug", [1], { calls: 2 }, options);
const back = (options?: Options) => pool("bug", [0], { calls: 1, cancels: 1 }, options);
const stopped = (options?: Options) => pool("bug", [0], { calls: 2, stops: 1 }, options);

finds("two workers take the same block", two, () => (step) => {
  // HEAD is written without a comparison.
  if (step.kind !== CAS || step.at !== HEAD) return undefined;
  step.seat.words[step.seat.at + HEAD] = step.b;
  return step.a;
});
finds("a worker that goes to sleep does not look again", one, () => {
  const parked = new Set<number>();
  return (step, who) => {
    const { words, at } = step.seat;
    if (step.at === PARKED && who.index > 0) parked.add(who.index);
    else if (step.at === TAIL && parked.delete(who.index)) return words[at + HEAD];
    return undefined;
  };
});
finds("a worker runs what was taken back", back, () => (step, who) => {
  if (step.kind !== CAS || step.a !== QUEUED || who.index === 0) return undefined;
  step.seat.words[step.seat.at + step.at] = step.b;
  return QUEUED;
});
finds("a worker answers though its call was stopped", stopped, () => (step, who) => {
  if (step.kind !== CAS || step.b !== FINISHED || who.index === 0) return undefined;
  step.seat.words[step.seat.at + step.at] = FINISHED;
  return step.a;
});
finds("an answer overwrites another", two, () => (step) => {
  if (step.kind !== CAS || step.at !== ANSWERS) return undefined;
  step.seat.words[step.seat.at + ANSWERS] = step.b;
  return step.a;
});
finds("who owns the pool says that it sleeps after it has looked", one, () => {
  let late: (() => void) | undefined;
  return (step, who) => {
    if (who.index !== 0) return undefined;
    if (step.kind === STORE && step.at === ASLEEP && step.a === 1) {
      const { words, at } = step.seat;
      late = () => words[at + ASLEEP] = 1;
      return 0;
    }
    if (step.at === BELL && step.kind !== 0) late?.();
    return undefined;
  };
});
finds("shutting down wakes nobody", one, () => {
  let shut = false;
  return (step, who) => {
    if (who.index === 0 && step.at === SHUT && step.kind === STORE) shut = true;
    return shut && step.kind === WAKE && step.at === PERMITS ? 0 : undefined;
  };
});
finds("a worker whose nap is over leaves the permit that is on its way", napper, () => {
  let napped = false;
  return (step, who) => {
    if (who.index === 0) return undefined;
    if (step.at === NAPPING && step.a === -1) napped = true;
    // unpark says that nobody was faster.
    if (napped && step.at === PARKED && step.kind === 0) {
      napped = false;
      step.seat.words[step.seat.at + PARKED]++;
    }
    return undefined;
  };
});
