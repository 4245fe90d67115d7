/**
 * How processes wait for what lies in a ring: those who receive from a pipe and send into it (`_ring_guard.ts`), and those who get from a
 * queue and put into it (`_queue_store.ts`), with time-outs, and deaths between any two steps.
 *
 * The waiting is the code itself, step by step. What it does to a ring under the lock is one move, and so is what it tells when it leaves.
 * A party that only gives tells step by step, as `Guard.tell` does: change them together.
 */

import { assertEquals } from "@std/assert";
import { FOREVER, type Limit } from "../../threading/_core/mod.ts";
import { OwnPages } from "../../multiprocessing/_queue_memory.ts";
import { NONE as NO_ITEM, QUEUE_WORDS, Store } from "../../multiprocessing/_queue_store.ts";
import { Guard, NONE, type Wish } from "../../multiprocessing/_ring_guard.ts";
import {
  add,
  ALL,
  CAS,
  cas,
  LOAD,
  load,
  type Seat,
  SLEEP,
  type Slow,
  WAKE,
  wake,
} from "../../multiprocessing/_sync_steps.ts";
import { type Bounds, explore, sample, type Scenario, ScheduleError } from "./explorer.ts";
import { type Life, LIMITED, type Plant, ProcessWorld } from "./process_world.ts";

type Scene = Scenario<ProcessWorld>;

interface Options {
  readonly plant?: () => Plant;
  readonly slices?: number;
}

function scene(
  name: string,
  build: (world: ProcessWorld) => () => void,
  { plant, slices }: Options = {},
): Scene {
  return { name, world: () => new ProcessWorld({ plant: plant?.(), slices }), build };
}

/** Code that is one move writes words that are not recorded: so nothing is pruned, but the changes of turns are bounded. */
const BOUNDS: Bounds = { preemptions: 3, most: 15_000, mostMoves: 400_000 };

function runs(name: string, scenes: readonly Scene[]): void {
  let schedules = 0;
  for (const each of scenes) {
    schedules += explore(each, BOUNDS).schedules + sample(each, 1500).schedules;
  }
  console.log(`${name}: ${schedules} schedules of ${scenes.length} scenarios`);
}

// ---- Pipes -----------------------------------------------------------------------------------------------------------------------------

const LOCK = 0;
const ITEMS = 1;
const GETTERS = 2;
const ROOM = 3;
const SENDERS = 4;
const COUNT = 5;
const ENDED = 6;
const GOT = 7;
const WORDS = 8;
const TOLD = 1;
const CHANGE = 2;

/** How `Guard.tell` would do it step by step. */
function* telling(seat: Seat, counter: number, word: number, count: number): Slow<void> {
  if ((yield load(seat, counter)) <= 0) return;
  for (;;) {
    const seen = yield load(seat, word);
    if ((seen & TOLD) !== 0 && count === 1) return;
    if ((yield cas(seat, word, seen, (seen + CHANGE) | TOLD)) === seen) break;
  }
  yield wake(seat, word, count);
}

/** Sends messages that need no room. */
function* gives(seat: Seat, messages: number): Life {
  for (let n = 0; n < messages; n++) {
    yield add(seat, COUNT, 1);
    yield* telling(seat, GETTERS, ITEMS, 1);
  }
}

/** Nobody sends any more. */
function* ends(seat: Seat): Life {
  yield add(seat, ENDED, 1);
  yield* telling(seat, GETTERS, ITEMS, ALL);
}

function reception(guard: Guard, more = true): Wish<"message" | "end"> {
  const { words, at } = guard.seat;
  return {
    word: ITEMS,
    counter: GETTERS,
    attempt() {
      if (words[at + COUNT] === 0) return words[at + ENDED] === 0 ? NONE : "end";
      words[at + COUNT]--;
      words[at + GOT]++;
      guard.tell(SENDERS, ROOM, ALL);
      return "message";
    },
    more: () => more && (words[at + COUNT] > 0 || words[at + ENDED] > 0),
    idle() {},
  };
}

/** Receives so many messages, or until the end. */
function* takes(seat: Seat, messages: number, limit: Limit = FOREVER, more = true): Life {
  const guard = new Guard(seat, LOCK);
  for (let n = 0; n < messages; n++) {
    const got = yield* guard.waiting(reception(guard, more), limit);
    if (got === "end" || got === NONE) return;
  }
}

/** Sends a message and waits until no more than that lies there. */
function* sends(seat: Seat, messages: number, most: number): Life {
  const guard = new Guard(seat, LOCK);
  for (let n = 0; n < messages; n++) {
    yield add(seat, COUNT, 1);
    yield* telling(seat, GETTERS, ITEMS, 1);
    yield* guard.waiting({
      word: ROOM,
      counter: SENDERS,
      attempt: () => seat.words[seat.at + COUNT] <= most || NONE,
      more: () => false,
      idle() {},
    }, FOREVER);
  }
}

type Party = (seat: Seat) => Life;

interface Cast {
  readonly mortal?: readonly Party[];
  readonly others: readonly Party[];
  /** How many messages are left in the end, where nobody dies. */
  readonly left?: number;
}

function pipe(name: string, { mortal = [], others, left = 0 }: Cast, options?: Options): Scene {
  return scene(`pipe: ${name}`, (world) => {
    const at = world.room(WORDS);
    for (const party of mortal) world.participant(at, party, { mortal: true });
    for (const party of others) world.participant(at, party);
    return () => {
      if (world.participants.some(({ dead }) => dead)) return;
      assertEquals(world.words[at + COUNT], left, "Messages are left");
      assertEquals([GETTERS, SENDERS].map((word) => world.words[at + word]), [0, 0]);
    };
  }, options);
}

const give = (n: number): Party => (seat) => gives(seat, n);
const take = (n: number, limit?: Limit): Party => (seat) => takes(seat, n, limit);
const send = (n: number, most: number): Party => (seat) => sends(seat, n, most);

Deno.test("model of pipes: whoever waits for a message, gets one or the end, and nobody sleeps beside one", () => {
  runs("pipes", [
    pipe("one receives what another sends", { others: [take(2), give(2)] }),
    pipe("two receive, one sends", { others: [take(1), take(1), give(2)] }),
    pipe("two receive, two send", { others: [take(1), take(1), give(1), give(1)] }),
    pipe("one receives twice, one once", { others: [take(2), take(1), give(3)] }),
    pipe("the end reaches all", { others: [take(9), take(9), ends] }),
    pipe("messages, then the end", {
      others: [take(9), take(9), function* (seat) {
        yield* gives(seat, 1);
        yield* ends(seat);
      }],
    }),
    pipe("a sender waits for room", { others: [send(2, 0), take(2)] }),
    pipe("two senders wait for room", { others: [send(1, 0), send(1, 0), take(2)] }),
    pipe("sleeps that end early", { others: [take(2), give(2)] }, { slices: 1 }),
  ]);
});

Deno.test("model of pipes: who runs out of time, takes no wake-up with it", () => {
  runs("pipes, late", [
    scene("pipe: one may be late, the other gets a message", (world) => {
      const at = world.room(WORDS);
      for (const party of [take(1, LIMITED), take(1), give(2)]) world.participant(at, party);
      return () => {};
    }),
  ]);
});

Deno.test("model of pipes: who is killed, keeps no message from others", () => {
  runs("pipes, deaths", [
    pipe("a receiver dies", { mortal: [take(1)], others: [take(1), give(2)] }),
    pipe("one of three receivers dies", { mortal: [take(1)], others: [take(1), take(1), give(3)] }),
    pipe("a sender dies, another goes on", {
      mortal: [give(1)],
      others: [take(1), give(1)],
      left: 1,
    }),
  ]);
});

// ---- Queues ----------------------------------------------------------------------------------------------------------------------------

interface Play {
  readonly put?: number;
  readonly get?: number;
  readonly limit?: Limit;
  readonly mortal?: boolean;
}

function queue(name: string, maxsize: number, plays: readonly Play[], options?: Options): Scene {
  return scene(`queue: ${name}`, (world) => {
    const at = world.room(QUEUE_WORDS);
    const memory = new OwnPages();
    let first: Store | undefined;
    let serial = 0;
    const put: number[] = [];
    const got: number[] = [];
    for (const { put: puts = 0, get: gets = 0, limit = FOREVER, mortal } of plays) {
      world.participant(at, function* (seat): Life {
        first ??= Store.begin(seat, memory, maxsize);
        const store = new Store(seat, memory);
        for (let n = 0; n < puts; n++) {
          const item = ++serial;
          if (yield* store.putting(Uint8Array.of(item), limit)) put.push(item);
        }
        for (let n = 0; n < gets; n++) {
          const item = yield* store.getting(limit, ([item]) => item);
          if (item !== NO_ITEM) got.push(item as number);
        }
      }, { mortal });
    }
    world.invariants.push(() => {
      if (maxsize > 0 && first!.ring.size > maxsize) throw new Error("More than it holds");
    });
    return () => {
      const left: number[] = [];
      while (first!.ring.size > 0) left.push(first!.ring.pop()![0]);
      if (new Set([...got, ...left]).size !== got.length + left.length) {
        throw new Error("An item came twice");
      }
      if (world.participants.some(({ dead }) => dead)) return;
      assertEquals([...got, ...left].sort(), put.sort(), "An item is lost");
    };
  }, options);
}

Deno.test("model of queues of processes: nobody sleeps beside an item or a place, none is lost or doubled", () => {
  runs("queues", [
    queue("one puts, one gets", 0, [{ put: 2 }, { get: 2 }]),
    queue("one puts, two get", 0, [{ put: 2 }, { get: 1 }, { get: 1 }]),
    queue("two put, two get, room for one", 1, [{ put: 1 }, { put: 1 }, { get: 1 }, { get: 1 }]),
    queue("room for one, two items", 1, [{ put: 2 }, { get: 2 }]),
    queue("room for one, three items, two getters", 1, [{ put: 3 }, { get: 1 }, { get: 2 }]),
    queue("room for two, two putters", 2, [{ put: 2 }, { put: 2 }, { get: 4 }]),
    queue("a getter may be late", 1, [{ put: 2 }, { get: 1, limit: LIMITED }, { get: 1 }]),
    queue("a putter may be late", 1, [{ put: 1, limit: LIMITED }, { put: 1 }, { get: 1 }]),
    queue("there and back", 1, [{ put: 1, get: 1 }, { get: 1, put: 1 }]),
    queue("sleeps that end early", 1, [{ put: 2 }, { get: 2 }], { slices: 1 }),
  ]);
});

Deno.test("model of queues of processes: whoever is killed, keeps nothing from others", () => {
  runs("queues, deaths", [
    queue("a getter dies", 0, [{ get: 1, mortal: true }, { get: 1 }, { put: 2 }]),
    queue("a putter dies", 1, [{ put: 1, mortal: true }, { put: 2 }, { get: 2 }]),
    queue("a getter dies, putters find room", 1, [{ get: 1, mortal: true }, { put: 2 }, {
      get: 1,
    }]),
    queue("both sides have a mortal one", 2, [
      { get: 1, mortal: true },
      { put: 1, mortal: true },
      { get: 1 },
      { put: 2 },
    ]),
  ]);
});

// ---- Planted bugs ----------------------------------------------------------------------------------------------------------------------

/** A schedule in which the bug shows is found; without it there is none. */
function finds(name: string, build: (options?: Options) => Scene, plant: () => Plant): void {
  Deno.test(`model of rings: the planted bug is found, ${name}`, () => {
    sample(build(), 1000);
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

const twoReceive = (options?: Options) =>
  pipe("bug", { others: [take(1), take(1), give(2)] }, options);
const oneReceives = (options?: Options) => pipe("bug", { others: [take(2), give(2)] }, options);
const smallQueue = (options?: Options) =>
  queue("bug", 1, [{ put: 1 }, { put: 1 }, { get: 1 }, { get: 1 }], options);

finds("who waits does not compare the word again", oneReceives, () => (step, _who, world) => {
  if (step.kind === SLEEP) step.a = world.words[step.seat.at + step.at];
  return undefined;
});
finds("who gives wakes nobody", oneReceives, () => (step) => {
  return step.kind === WAKE ? 0 : undefined;
});
finds("who waits does not take back that it was told", twoReceive, () => (step) => {
  return step.kind === CAS && step.b < step.a ? step.a : undefined;
});
finds("who waits is not counted", oneReceives, () => (step) => {
  return step.kind === LOAD && step.at === GETTERS ? 0 : undefined;
});
finds("who was told of one message of two tells nobody", (options) =>
  pipe("bug", {
    others: options === undefined ? [take(1), take(1), give(2)] : [
      (seat) => takes(seat, 1, FOREVER, false),
      (seat) => takes(seat, 1, FOREVER, false),
      give(2),
    ],
  }), () => () => undefined);
finds("who gets from a full queue wakes nobody who puts", smallQueue, () => (step, who, world) => {
  // Its own wake-ups are one move with what it takes: they are undone when it goes on.
  if (step.kind !== SLEEP && who.index >= 2) {
    for (const other of world.participants.slice(0, 2)) other.woken = false;
  }
  return undefined;
});
