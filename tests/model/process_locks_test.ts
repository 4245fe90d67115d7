/** Every interleaving of small programs on the locks of `multiprocessing`, with time-outs, aborts and deaths at every moment. */

import { assertEquals } from "@std/assert";
import { FOREVER, type Limit, ONCE } from "../../threading/_core/mod.ts";
import * as flag from "../../multiprocessing/_sync_flag.ts";
import * as mutex from "../../multiprocessing/_sync_mutex.ts";
import * as permits from "../../multiprocessing/_sync_permits.ts";
import * as rounds from "../../multiprocessing/_sync_rounds.ts";
import * as slots from "../../multiprocessing/_sync_slots.ts";
import {
  add,
  ALL,
  CAS,
  GONE,
  gone,
  LATE,
  load,
  type Seat,
  SLEEP,
  sleep,
  store,
  WAKE,
  wake,
} from "../../multiprocessing/_sync_steps.ts";
import { explore, sample, type Scenario, ScheduleError } from "./explorer.ts";
import { ABORTABLE, type Life, LIMITED, type Plant, ProcessWorld } from "./process_world.ts";
import { all, some } from "./report.ts";

type Scene = Scenario<ProcessWorld>;

/** Every schedule of the scenes that have few enough, the first and random ones of the others. */
function most(name: string, scenes: readonly Scene[], small: readonly string[]): void {
  const isSmall = ({ name }: Scene) => small.some((end) => name.endsWith(`: ${end}`));
  assertEquals(scenes.filter(isSmall).length, small.length);
  all(name, scenes.filter(isSmall));
  some(`${name}, in part`, scenes.filter((scene) => !isSmall(scene)), 3000);
}

/** A scene of participants that share one object. */
function scene(
  name: string,
  build: (world: ProcessWorld) => () => void,
  options: { plant?: () => Plant; slices?: number } = {},
): Scene {
  return {
    name,
    world: () => new ProcessWorld({ plant: options.plant?.(), slices: options.slices }),
    build,
  };
}

// ---- Lock --------------------------------------------------------------------------------------------------------------------------

/** A word beside the lock: who is inside. */
const INSIDE = 1;

/** Acquires, is inside, releases. Whoever inherits finds who was inside. */
function* turn(seat: Seat, limit: Limit, told: { inherited: number }): Life {
  const taken = yield* mutex.acquire(seat, limit);
  if (taken < mutex.TAKEN) return;
  const inside = yield load(seat, INSIDE);
  if (taken === mutex.INHERITED) told.inherited++;
  else if (inside !== 0) throw new Error("Two are inside");
  yield store(seat, INSIDE, seat.me);
  if ((yield load(seat, INSIDE)) !== seat.me) throw new Error("Somebody else came inside");
  yield store(seat, INSIDE, 0);
  if (!(yield* mutex.release(seat))) throw new Error("The lock was not locked");
}

interface Party {
  readonly limit?: Limit;
  readonly mortal?: boolean;
  readonly turns?: number;
}

function lockScene(
  name: string,
  parties: Party[],
  options: { plant?: () => Plant; slices?: number } = {},
): Scene {
  return scene(`Lock: ${name}`, (world) => {
    const at = world.room(2);
    const told = { inherited: 0 };
    for (const { limit = FOREVER, mortal = false, turns = 1 } of parties) {
      world.participant(at, function* (seat) {
        for (let i = 0; i < turns; i++) yield* turn(seat, limit, told);
      }, { mortal });
    }
    return () => {
      const dead = world.participants.filter((who) => who.dead).length;
      if (told.inherited > dead) throw new Error("More were told of a death than died");
      const state = world.words[at];
      if (state >> 1 !== 0 && !world.isGone(state >> 1)) {
        throw new Error("A living one holds it at the end");
      }
    };
  }, options);
}

const [late, abortable, once] = [{ limit: LIMITED }, { limit: ABORTABLE }, { limit: ONCE }];
const mortal = { mortal: true };

const LOCKS: Scene[] = [
  lockScene("three take turns", [{}, {}, {}]),
  lockScene("two take two turns each", [{ turns: 2 }, { turns: 2 }]),
  lockScene("one may run out of time", [{}, {}, late]),
  lockScene("one may be aborted", [{}, abortable, {}]),
  lockScene("one tries once", [{}, {}, once]),
  lockScene("time-outs and aborts", [{}, late, abortable]),
  lockScene("two, one may die", [mortal, {}]),
  lockScene("two, one may run out of time", [late, {}]),
  lockScene("one may die", [mortal, {}, {}]),
  lockScene("two may die", [mortal, mortal, {}]),
  lockScene("one may die, another only tries", [mortal, once, {}]),
  lockScene("one may die, another runs out of time", [mortal, late, {}]),
  lockScene("two, and sleeps that end early", [{ turns: 2 }, {}], { slices: 2 }),
  lockScene("one may die, and sleeps that end early", [mortal, {}], { slices: 2 }),
];

Deno.test("model Lock of processes: every schedule, excludes, loses no wake-up and survives deaths", () => {
  most("Lock of processes", LOCKS, [
    "two take two turns each",
    "one may die, and sleeps that end early",
    "two, one may die",
    "two, one may run out of time",
  ]);
});

Deno.test("model Lock of processes: four parties, in random schedules with deaths and time-outs", () => {
  some("Lock of processes, at random", [
    lockScene("four", [{ turns: 2 }, mortal, late, {}]),
    lockScene("four, two mortal", [mortal, mortal, {}, { turns: 2 }], { slices: 1 }),
  ], 4000);
});

// ---- Semaphore ------------------------------------------------------------------------------------------------------------------------

const USED = 2;

function permitScene(
  name: string,
  value: number,
  parties: (Party & { gives?: number })[],
  options: { plant?: () => Plant; slices?: number } = {},
): Scene {
  return scene(`Semaphore: ${name}`, (world) => {
    const at = world.room(3);
    world.words[at + permits.VALUE] = value << 1;
    world.words[at + permits.BOUND] = 100;
    let most = value;
    for (const { limit = FOREVER, mortal = false, turns = 1, gives } of parties) {
      world.participant(at, function* (seat): Life {
        if (gives !== undefined) {
          most += gives;
          yield* permits.release(seat, gives);
          return;
        }
        for (let i = 0; i < turns; i++) {
          if ((yield* permits.acquire(seat, limit)) !== mutex.TAKEN) continue;
          if ((yield add(seat, USED, 1)) >= most) throw new Error("More inside than permits");
          yield add(seat, USED, -1);
          yield* permits.release(seat, 1);
        }
      }, { mortal });
    }
    return () => {
      const left = world.words[at] >> 1;
      const dead = world.participants.filter((who) => who.dead).length;
      if (left > most || left < most - dead) throw new Error(`${left} permits are left`);
    };
  }, options);
}

Deno.test("model Semaphore of processes: every schedule, counts right and loses no wake-up", () => {
  most("Semaphore of processes", [
    permitScene("one permit, three", 1, [{}, {}, {}]),
    permitScene("two permits, three", 2, [{}, {}, {}]),
    permitScene("one permit, two turns", 1, [{ turns: 2 }, { turns: 2 }]),
    permitScene("one may run out of time", 1, [{}, {}, late]),
    permitScene("one may be aborted", 1, [{}, {}, abortable]),
    permitScene("one tries once", 1, [{}, {}, once]),
    permitScene("none at first, two come at once", 0, [{}, {}, { gives: 2 }]),
    permitScene("none at first, two come one by one", 0, [{}, {}, { gives: 1 }, { gives: 1 }]),
    permitScene("a giver and one who gives up", 0, [late, {}, { gives: 1 }]),
    permitScene("sleeps that end early", 1, [{ turns: 2 }, {}], { slices: 1 }),
  ], ["one permit, two turns"]);
});

Deno.test("model Semaphore of processes: a waiter that dies of its wake-up, leaves the permit to another", () => {
  // The mortal one only waits: what it would take is lost with it, unless it dies before it takes it.
  some("Semaphore of processes, deaths", [
    scene("Semaphore: a waiter dies", (world) => {
      const at = world.room(3);
      world.words[at + permits.BOUND] = 100;
      world.participant(at, function* (seat): Life {
        yield* permits.acquire(seat, FOREVER);
        yield* permits.release(seat, 1);
      }, { mortal: true });
      world.participant(at, function* (seat): Life {
        if ((yield* permits.acquire(seat, LIMITED)) === mutex.TAKEN) {
          yield* permits.release(seat, 1);
        }
      });
      world.participant(at, function* (seat): Life {
        yield* permits.release(seat, 2);
        yield* permits.acquire(seat, FOREVER);
      });
      return () => {};
    }),
  ], 4000);
});

// ---- Event ----------------------------------------------------------------------------------------------------------------------------

Deno.test("model Event of processes: every schedule, a set lets everybody go who waits, also when it is cleared at once", () => {
  const waits = (limit: Limit) =>
    function* (seat: Seat): Life {
      const taken = yield* flag.wait(seat, limit);
      if (taken !== mutex.TAKEN && limit === FOREVER) throw new Error("It gave up without limit");
    };
  const sets = function* (seat: Seat): Life {
    yield* flag.set(seat);
  };
  all("Event of processes", [
    ...[[FOREVER, FOREVER], [LIMITED, FOREVER], [ABORTABLE, FOREVER], [ONCE, FOREVER]].map((
      limits,
    ) =>
      scene("Event: two wait, one sets", (world) => {
        const at = world.room(1);
        for (const limit of limits) world.participant(at, waits(limit));
        world.participant(at, sets);
        return () => {};
      })
    ),
    scene("Event: set and clear while two wait", (world) => {
      const at = world.room(2);
      // They wait before it is set: word 1 counts them.
      for (let i = 0; i < 2; i++) {
        world.participant(at, function* (seat): Life {
          const taken = yield* flag.wait(seat, LIMITED);
          if (taken === LATE) yield add(seat, 1, 1);
        });
      }
      world.participant(at, function* (seat): Life {
        yield* flag.set(seat);
        yield* flag.clear(seat);
      });
      return () => {};
    }),
    scene("Event: who waited before the set goes on, though it is cleared", (world) => {
      const at = world.room(1);
      const sleeper = world.participant(at, waits(FOREVER));
      let slept = false;
      world.participant(at, function* (seat): Life {
        slept = sleeper.asleep;
        yield* flag.set(seat);
        yield* flag.clear(seat);
        // Whoever came too late is let go now.
        yield* flag.set(seat);
      });
      return () => void slept;
    }),
    scene("Event: the setter dies", (world) => {
      const at = world.room(1);
      world.participant(at, waits(FOREVER));
      world.participant(at, sets, { mortal: true });
      world.participant(at, sets);
      return () => {};
    }),
    scene("Event: set, clear, set, with sleeps that end early", (world) => {
      const at = world.room(1);
      world.participant(at, waits(FOREVER));
      world.participant(at, function* (seat): Life {
        yield* flag.clear(seat);
        yield* flag.set(seat);
        yield* flag.clear(seat);
        yield* flag.set(seat);
      });
      return () => {};
    }, { slices: 2 }),
  ], { most: 400_000 });
});

// ---- Condition ------------------------------------------------------------------------------------------------------------------------

/** The lock's word, and words beside it, before the table. */
const WAITED = 1;
const TOLD = 2;
const TABLE = 3;

/** The table of the object whose lock is at `seat.at`. */
function tableOf(seat: Seat): Seat {
  return { ...seat, at: seat.at + TABLE };
}

/** Waits once, as the class does. */
function* waitOnce(
  seat: Seat,
  limit: Limit,
  entered: Set<number>,
  who: number,
): Life {
  const table = tableOf(seat);
  yield* mutex.acquire(seat, FOREVER);
  const slot = yield* slots.enter(table);
  yield add(seat, WAITED, 1);
  entered.add(who);
  yield* mutex.release(seat);
  yield wake(seat, WAITED, ALL);
  const taken = yield* slots.wait(table, slot, limit);
  yield* mutex.acquire(seat, FOREVER);
  const notified = taken === mutex.TAKEN || (yield* slots.leave(table, slot));
  if (notified) yield add(seat, TOLD, 1);
  yield* mutex.release(seat);
}

/** Waits until all who live of the first `count` have entered. */
function* untilWaiting(seat: Seat, world: ProcessWorld, entered: Set<number>, count: number): Life {
  for (;;) {
    const seen = yield load(seat, WAITED);
    let missing = 0;
    for (let i = 0; i < count; i++) {
      if (!entered.has(i) && (yield gone(seat, world.participants[i].seat.me)) === 0) missing++;
    }
    if (missing === 0) return;
    yield sleep(seat, WAITED, seen, FOREVER);
  }
}

interface Waiters {
  readonly limits: Limit[];
  readonly mortals?: number;
  /** All in one process. */
  readonly together?: boolean;
  /** What the notifier does when all have entered; a last notification of all comes after it. */
  readonly notify: number[];
  readonly plant?: () => Plant;
  readonly slices?: number;
}

function conditionScene(
  name: string,
  { limits, mortals = 0, together = false, notify, plant, slices: early }: Waiters,
): Scene {
  return scene(`Condition: ${name}`, (world) => {
    const at = world.room(TABLE + slots.TABLE_WORDS);
    let given = 0;
    const entered = new Set<number>();
    limits.forEach((limit, i) =>
      world.participant(at, (seat) => waitOnce(seat, limit, entered, i), {
        mortal: i < mortals,
        as: together && i > 0 ? world.participants[0] : undefined,
      })
    );
    world.participant(at, function* (seat): Life {
      yield* untilWaiting(seat, world, entered, limits.length);
      yield* mutex.acquire(seat, FOREVER);
      let waiting = limits.every((limit) => limit === FOREVER) && mortals === 0
        ? limits.length
        : -1;
      for (const n of [...notify, limits.length]) {
        const told = yield* slots.notify(tableOf(seat), n);
        given += told;
        if (waiting < 0) continue;
        if (told !== Math.min(n, waiting)) throw new Error(`notify(${n}) told ${told}`);
        waiting -= told;
      }
      yield* mutex.release(seat);
    });
    return () => {
      const deaths = world.participants.filter((who) => who.dead).length;
      const told = world.words[at + TOLD];
      if (told > given) throw new Error(`${told} were notified, ${given} notifications were given`);
      if (deaths === 0 && told !== given) {
        throw new Error(`${given} notifications were given, ${told} arrived`);
      }
    };
  }, { plant, slices: early });
}

/** One notification is given, and one more if the first waiter lives: it has to reach the second one when the first one is dead. */
function skipsTheDead(plant?: () => Plant): Scene {
  return scene("Condition: a notification is not spent on the dead", (world) => {
    const at = world.room(TABLE + slots.TABLE_WORDS);
    const entered = new Set<number>();
    const waits = (who: number) => (seat: Seat) => waitOnce(seat, FOREVER, entered, who);
    const first = world.participant(at, waits(0), { mortal: true });
    world.participant(at, waits(1));
    world.participant(at, function* (seat): Life {
      yield* untilWaiting(seat, world, entered, 2);
      yield* mutex.acquire(seat, FOREVER);
      const dead = yield gone(seat, first.seat.me);
      yield* slots.notify(tableOf(seat), 1);
      if (dead === 0) yield* slots.notify(tableOf(seat), 1);
      yield* mutex.release(seat);
    });
    return () => {};
  }, { plant });
}

const CONDITIONS: Scene[] = [
  conditionScene("two wait, notified one by one", { limits: [FOREVER, FOREVER], notify: [1] }),
  conditionScene("two of one process", { limits: [FOREVER, FOREVER], together: true, notify: [1] }),
  conditionScene("one may run out of time", { limits: [LIMITED, FOREVER], notify: [1] }),
  conditionScene("one may be aborted", { limits: [ABORTABLE, FOREVER], notify: [1] }),
  conditionScene("one of two of a process may run out of time", {
    limits: [LIMITED, FOREVER],
    together: true,
    notify: [1],
  }),
  conditionScene("sleeps that end early", { limits: [FOREVER], notify: [1], slices: 1 }),
  skipsTheDead(),
];

Deno.test("model Condition of processes: every schedule, no notification is lost or doubled, the dead are passed over", () => {
  some("Condition of processes", CONDITIONS, 3000);
});

Deno.test("model Condition of processes: three waiters, in random schedules with deaths and time-outs", () => {
  some("Condition of processes, at random", [
    conditionScene("three", { limits: [LIMITED, FOREVER, ABORTABLE], notify: [1, 1] }),
    conditionScene("three, one mortal", {
      limits: [FOREVER, FOREVER, LIMITED],
      mortals: 1,
      notify: [2],
    }),
    conditionScene("three, two mortal", {
      limits: [LIMITED, FOREVER, FOREVER],
      mortals: 2,
      notify: [1],
    }),
  ], 3000);
});

// ---- Barrier ----------------------------------------------------------------------------------------------------------------------------

interface Comer {
  readonly limit?: Limit;
  readonly mortal?: boolean;
  /** What else it does: instead of arriving. */
  readonly does?: "abort" | "reset";
  readonly times?: number;
  readonly fails?: boolean;
}

function barrierScene(
  name: string,
  parties: number,
  comers: Comer[],
  expect: (results: string[]) => void = () => {},
  options: { plant?: () => Plant; slices?: number } = {},
): Scene {
  return scene(`Barrier: ${name}`, (world) => {
    const at = world.room(rounds.barrierWords(parties));
    world.words[at + rounds.PARTIES] = parties;
    const places = new Map<number, number[]>();
    const results: string[] = [];
    for (const { limit = FOREVER, mortal = false, does, times = 1, fails = false } of comers) {
      world.participant(at, function* (seat): Life {
        if (does !== undefined) return yield* rounds[does](seat);
        for (let i = 0; i < times; i++) {
          const { how, place, round } = yield* rounds.arrive(seat, limit);
          if (how === rounds.LEAD) {
            if (fails) yield* rounds.abort(seat);
            const finished = !fails && (yield* rounds.finish(seat, round));
            results.push(finished ? "passed" : "broke");
            if (finished) pass(round, place);
          } else {
            results.push(["passed", "", "broke", "gave up"][how]);
            if (how === rounds.PASSED) pass(round, place);
          }
        }
      }, { mortal });
    }
    const pass = (round: number, place: number) => {
      const passed = places.get(round) ?? [];
      if (passed.includes(place)) throw new Error(`Place ${place} was given twice`);
      places.set(round, [...passed, place]);
    };
    return () => {
      const deaths = world.participants.filter((who) => who.dead).length;
      for (const [round, passed] of places) {
        const aborted = results.filter((result) => result === "gave up").length;
        if (passed.length < parties - deaths - aborted) {
          throw new Error(`Round ${round} let ${passed.length} of ${parties} pass`);
        }
        if (passed.some((place) => place >= parties)) throw new Error("There is no such place");
      }
      expect(results);
    };
  }, options);
}

function equals(...expected: string[]): (results: string[]) => void {
  return (results) => assertEquals(results.toSorted(), expected);
}

const BARRIERS: Scene[] = [
  barrierScene("two", 2, [{}, {}], equals("passed", "passed")),
  barrierScene("two, twice", 2, [{ times: 2 }, { times: 2 }], equals(...Array(4).fill("passed"))),
  barrierScene("one may run out of time", 2, [{ limit: LIMITED }, {}]),
  barrierScene("one may not wait", 2, [{ limit: ONCE }, {}]),
  barrierScene("one may be aborted, another comes", 2, [{ limit: ABORTABLE }, { limit: LIMITED }]),
  barrierScene("abort", 2, [{}, {}, { does: "abort" }]),
  barrierScene("reset of two that both may run out of time", 2, [
    { limit: LIMITED },
    { limit: LIMITED },
    { does: "reset" },
  ]),
  barrierScene("the action fails", 2, [{ fails: true }, { fails: true }], equals("broke", "broke")),
  barrierScene("one may die, the other one's time is limited", 2, [
    { mortal: true },
    { limit: LIMITED },
  ]),
  barrierScene("two, and sleeps that end early", 2, [{}, {}], equals("passed", "passed"), {
    slices: 1,
  }),
];

Deno.test("model Barrier of processes: every schedule, a round ends one way for all, and each place is given once", () => {
  most("Barrier of processes", BARRIERS, [
    "two",
    "one may run out of time",
    "one may not wait",
    "one may be aborted, another comes",
    "the action fails",
  ]);
});

Deno.test("model Barrier of processes: a leader that dies breaks it, and nobody hangs", () => {
  // Whoever leads is mortal, whoever waits has no limit: when the leader dies, the others have to find out.
  some("Barrier of processes, deaths", [
    barrierScene("the leader dies", 2, [{ mortal: true }, { limit: LIMITED }, { limit: LIMITED }]),
    barrierScene("three, one mortal", 3, [{}, { limit: LIMITED }, {
      mortal: true,
      limit: LIMITED,
    }]),
  ], 4000);
  const deaths = scene("Barrier: the leader dies in its action", (world) => {
    // Words behind the barrier's own: one that says whether the mortal one is done, and one that never changes.
    const DONE = rounds.barrierWords(2);
    const NEVER = DONE + 1;
    const at = world.room(NEVER + 1);
    world.words[at + rounds.PARTIES] = 2;
    world.participant(at, function* (seat): Life {
      const { how, round } = yield* rounds.arrive(seat, FOREVER);
      if (how === rounds.LEAD) yield* rounds.finish(seat, round);
    });
    const leader = world.participant(at, function* (seat): Life {
      const { how } = yield* rounds.arrive(seat, FOREVER);
      // For ever in its action, until it dies.
      if (how === rounds.LEAD) yield sleep(seat, NEVER, 0, FOREVER);
      yield store(seat, DONE, 1);
      yield wake(seat, DONE, ALL);
    }, { mortal: true });
    // Ends the wait for one that died before it had begun to arrive, and that one only.
    world.participant(at, function* (seat): Life {
      while ((yield load(seat, DONE)) === 0) {
        if ((yield gone(seat, leader.seat.me)) === 1) {
          const guard = yield load(seat, rounds.GUARD);
          const within = guard !== mutex.FREE && mutex.ownerIn(guard) === leader.seat.me;
          if (within || (yield load(seat, rounds.STATE)) !== rounds.FILLING) return;
          return yield* rounds.abort(seat);
        }
        yield sleep(seat, DONE, 0, FOREVER);
      }
    });
    return () => {};
  });
  some("Barrier of processes, a leader dies", [deaths], 6000);
});

// ---- Planted bugs -----------------------------------------------------------------------------------------------------------------------

/** A schedule in which the bug shows is found. */
function finds(name: string, scenes: Scene[]): void {
  Deno.test(`model of processes: the planted bug is found, ${name}`, () => {
    let found = 0;
    for (const scene of scenes) {
      try {
        explore(scene, { most: 60_000 });
        sample(scene, 2000);
      } catch (error) {
        if (!(error instanceof ScheduleError)) throw error;
        found++;
      }
    }
    assertEquals(found > 0, true, "It was not found");
  });
}

finds("a release that wakes nobody", [
  lockScene("bug", [{}, {}], { plant: () => (step) => step.kind === WAKE ? 0 : undefined }),
]);
finds("who has slept takes the lock without the waiters bit", [
  lockScene("bug", [{}, {}, {}], {
    plant: () => (step) => {
      if (step.kind === CAS && step.a === mutex.FREE) step.b &= ~mutex.WAITERS;
      return undefined;
    },
  }),
]);
finds("nobody asks whether the owner lives", [
  lockScene("bug", [mortal, {}], { plant: () => (step) => step.kind === GONE ? 0 : undefined }),
]);
finds("a living owner is taken for a dead one", [
  lockScene("bug", [{}, {}], {
    plant: () => (step) => step.kind === GONE ? 1 : undefined,
    slices: 1,
  }),
]);
finds("a sleeper does not compare the word", [
  lockScene("bug", [{}, {}], {
    plant: () => (step, _who, world) => {
      if (step.kind === SLEEP) step.a = world.words[step.seat.at + step.at];
      return undefined;
    },
  }),
]);
finds("who takes a permit and leaves some does not wake the next", [
  permitScene("bug", 0, [{}, {}, { gives: 1 }, { gives: 1 }], {
    plant: () => (step, who) => step.kind === WAKE && who.index < 2 ? 0 : undefined,
  }),
]);
finds("a notification goes to the dead", [
  skipsTheDead(() => (step, who) => step.kind === GONE && who.index === 2 ? 0 : undefined),
]);
