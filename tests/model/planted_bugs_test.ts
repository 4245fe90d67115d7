/** Bugs that are easily made, put in on purpose: the explorer has to find each of them, and to show it again by its string. */

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { FOREVER } from "../../threading/_core/clock.ts";
import {
  ADD,
  GIVE,
  LOAD,
  load,
  OR,
  type Slow,
  STORE,
  store,
  TAKE,
  WAKE,
  wakeUp,
} from "../../threading/_core/drive.ts";
import { discharge, engage, HEAD } from "../../threading/_core/lot.ts";
import * as barrier from "../../threading/_core/primitives/barrier.ts";
import * as condition from "../../threading/_core/primitives/condition.ts";
import * as event from "../../threading/_core/primitives/event.ts";
import { MUTEX } from "../../threading/_core/primitives/mutex.ts";
import {
  acquire,
  revocable,
  type Rule,
  STATE,
  WAITERS,
} from "../../threading/_core/primitives/permits.ts";
import {
  A_BLOCKED,
  A_PARK,
  A_SKIPPED,
  A_UNCLAIMED,
  ASYNC,
  SYNC,
  W_STATE,
  WAITING,
} from "../../threading/_core/words.ts";
import { explore, replay, sample, type Scenario, ScheduleError } from "./explorer.ts";
import { ModelBarrier, ModelCondition, ModelEvent, ModelLock } from "./objects.ts";
import { blockOnce } from "./steps.ts";
import { ABORTABLE, LIMITED, type Op, pause, type Plant, type World } from "./world.ts";

/** Explores, then tries `count` schedules at random; gives what was found. */
function hunt(scenario: Scenario, count: number): ScheduleError | undefined {
  try {
    explore(scenario, { most: 1000, mostMoves: 100_000 });
    sample(scenario, count, 7);
    return undefined;
  } catch (error) {
    assertInstanceOf(error, ScheduleError);
    return error;
  }
}

/** The bug is found, its string shows the same failure, and without the bug the same scenario passes. */
function mustFind(scenario: Scenario, says: RegExp, sound?: Scenario): void {
  const found = hunt(scenario, 40_000);
  assert(found !== undefined, `${scenario.name}: the bug was not found`);
  assert(says.test(found.message), found.message);
  const again = assertThrows(() => replay(scenario, found.schedule), ScheduleError);
  assertEquals(again.message, found.message);
  const healthy = sound ?? { ...scenario, plant: undefined, quirks: soundQuirks(scenario) };
  assertEquals(hunt(healthy, 1500)?.message, undefined, "the scenario itself is sound");
}

function soundQuirks({ quirks }: Scenario): Scenario["quirks"] {
  return quirks?.atOnce === true ? { atOnce: true } : undefined;
}

/** Two threads that take a lock a turn each. */
function turns(plant?: () => Plant, rule?: Rule, limit = FOREVER, form = SYNC): Scenario {
  return {
    name: "two threads, one lock",
    plant,
    build(world) {
      const lock = new ModelLock(world, "lock", rule);
      for (const [name, l] of [["first", FOREVER], ["second", limit]] as const) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          yield* lock.turn(agent, form, l);
        });
      }
      return () => lock.checkEnd(0);
    },
  };
}

/** A task of A waits for the lock of B while A blocks and needs B to get the lock. */
function blocking(plant?: () => Plant): Scenario {
  return {
    name: "an agent blocks while its task waits",
    quirks: { atOnce: true },
    plant,
    build(world) {
      const lock = new ModelLock(world, "lock");
      const gate = new ModelLock(world, "gate");
      const [a, b] = [world.agent(), world.agent()];
      for (const { at } of [lock, gate]) world.words[at + STATE] = b.site.agent << 1;
      world.strand(a, "task", function* () {
        yield* lock.turn(a, ASYNC);
      });
      world.strand(a, "blocks", function* () {
        yield* gate.turn(a, SYNC);
      });
      world.strand(b, "holder", function* () {
        yield* lock.release(b);
        yield* lock.turn(b, SYNC);
        yield* gate.release(b);
      });
      return () => {
        lock.checkEnd(0);
        gate.checkEnd(0);
      };
    },
  };
}

/** Whether the step is on this word of some agent. */
function on(world: World, op: Op, word: number): boolean {
  return world.agents.some(({ site }) => op.at === site.agent + word);
}

function onWaiterState(world: World, op: Op): boolean {
  return op.kind === LOAD &&
    world.agents.some(({ site }) =>
      op.at === site.waiter + W_STATE || site.pending.has(op.at - W_STATE)
    );
}

Deno.test("planted: release wakes nobody", () => {
  mustFind(turns(() => (op) => op.kind === WAKE ? 0 : undefined), /Deadlock/);
});

Deno.test("planted: the lot without its lock", () => {
  // Where nothing is locked, only the moves between plain stretches can clash.
  const plant = () => (op: Op) => op.kind === TAKE || op.kind === GIVE ? 0 : undefined;
  mustFind(turns(plant), /./);
});

Deno.test("planted: a rule that loses the bit that says that somebody waits", () => {
  const forgetful: Rule = { take: (s, agent) => s >> 1 === 0 ? agent << 1 : -1, give: MUTEX.give };
  const scenario = (rule: Rule): Scenario => ({
    ...blocking(),
    name: "a lock is taken while tasks of a blocked agent wait",
    build(world) {
      const lock = new ModelLock(world, "lock", rule);
      const gate = new ModelLock(world, "gate");
      const [a, b] = [world.agent(), world.agent()];
      for (const { at } of [lock, gate]) world.words[at + STATE] = b.site.agent << 1;
      world.strand(a, "task", function* () {
        yield* lock.turn(a, ASYNC);
      });
      world.strand(a, "blocks", function* () {
        yield* gate.turn(a, SYNC);
      });
      world.strand(b, "holder", function* () {
        yield* lock.release(b);
        yield* lock.turn(b, SYNC);
        yield* gate.release(b);
      });
      return () => lock.checkEnd(0);
    },
  });
  mustFind(scenario(forgetful), /Deadlock/, scenario(MUTEX));
});

Deno.test("planted: a waiter enters the lot without setting the bit", () => {
  const plant = (): Plant => ({ kind, at }, _strand, { words }) =>
    kind === OR ? words[at] : undefined;
  mustFind(turns(plant), /Bit 0/);
});

Deno.test("planted: the last waiter that gives up leaves the bit set", () => {
  const scenario = (plant?: () => Plant) => turns(plant, MUTEX, LIMITED);
  const plant = () => ({ kind, a }: Op, { agent }: { agent: { current: unknown } }) =>
    kind === STORE && agent.current !== undefined && a > 1 && (a & WAITERS) === 0 ? 0 : undefined;
  mustFind(scenario(plant), /Bit 0|Deadlock|state/);
});

Deno.test("planted: settle takes a grant that came with the time-out for none", () => {
  const plant = (): Plant => {
    const locked = new Set<unknown>();
    return (op, strand, world) => {
      if (op.kind === TAKE) locked.add(strand);
      if (op.kind === GIVE) locked.delete(strand);
      return locked.has(strand) && onWaiterState(world, op) ? WAITING : undefined;
    };
  };
  mustFind(turns(plant, MUTEX, LIMITED), /./);
  mustFind(turns(plant, MUTEX, LIMITED, ASYNC), /./);
});

Deno.test("planted: a wake-up before the state it tells of", () => {
  const scenario = (early: boolean): Scenario => ({
    name: early ? "wakes, then grants" : "grants, then wakes",
    plant: early ? () => (op) => op.kind === WAKE && op.b !== 7 ? 0 : undefined : undefined,
    build(world) {
      const lock = new ModelLock(world);
      const [a, b] = [world.agent(), world.agent()];
      world.words[lock.at + STATE] = b.site.agent << 1;
      world.strand(a, "waits", function* () {
        yield* lock.turn(a, SYNC);
      });
      world.strand(b, "releases", function* () {
        if (early) {
          const step = wakeUp(world.words, a.site.agent, SYNC);
          step.b = 7;
          yield step;
        }
        yield* lock.release(b);
      });
      return () => lock.checkEnd(0);
    },
  });
  mustFind(scenario(true), /Deadlock/, scenario(false));
});

Deno.test("planted: block does not look at what is unclaimed", () => {
  const plant = () => (op: Op, _: unknown, world: World) =>
    op.kind === LOAD && on(world, op, A_UNCLAIMED) ? 0 : undefined;
  mustFind(blocking(plant), /Deadlock/);
});

Deno.test("planted: block looks at what is unclaimed before it says that it blocks", () => {
  const plant = () => {
    let held: { at: number; first: number } | undefined;
    return (op: Op, _: unknown, world: World): number | undefined => {
      if (op.kind === STORE && op.a === 1 && on(world, op, A_BLOCKED)) {
        // The look comes first; its answer is given when it is asked for.
        held = { at: op.at, first: world.words[op.at - A_BLOCKED + A_UNCLAIMED] };
        return undefined;
      }
      if (held === undefined || op.kind !== LOAD || op.at !== held.at - A_BLOCKED + A_UNCLAIMED) {
        return undefined;
      }
      const { first } = held;
      held = undefined;
      return first;
    };
  };
  mustFind(blocking(plant), /Deadlock/);
});

Deno.test("planted: who grants does not say so before it looks whether the agent blocks", () => {
  const plant = () => (op: Op, _: unknown, world: World) =>
    op.kind === ADD && on(world, op, A_UNCLAIMED) ? 0 : undefined;
  mustFind(blocking(plant), /Deadlock/);
});

Deno.test("planted: who grants does not look whether the agent blocks", () => {
  const plant = () => (op: Op, strand: { agent: { site: { agent: number } } }, world: World) =>
    op.kind === LOAD && on(world, op, A_BLOCKED) && op.at !== strand.agent.site.agent + A_BLOCKED
      ? 0
      : undefined;
  mustFind(blocking(plant), /Deadlock/);
});

/** B releases while A blocks once: A's task, which was passed over, must get the lock when A goes on. */
function passedOver(plant?: () => Plant): Scenario {
  return {
    name: "a task is passed over while its agent blocks once",
    plant,
    build(world) {
      const lock = new ModelLock(world);
      const [a, b] = [world.agent(), world.agent()];
      world.words[lock.at + STATE] = b.site.agent << 1;
      world.strand(a, "task", function* () {
        yield* lock.turn(a, ASYNC);
      });
      world.strand(a, "blocks", () => blockOnce(a));
      world.strand(b, "releases", function* () {
        yield* lock.release(b);
      });
      return () => lock.checkEnd(0);
    },
  };
}

Deno.test("planted: unblock forgets those who were passed over", () => {
  const plant = () => (op: Op, _: unknown, world: World) =>
    op.kind === LOAD && on(world, op, A_SKIPPED) ? 0 : undefined;
  mustFind(passedOver(plant), /Deadlock/);
});

Deno.test("planted: who passes a task over does not look again whether its agent still blocks", () => {
  const plant = () => {
    let skipped = false;
    return (op: Op, _: unknown, world: World): number | undefined => {
      if (op.kind === STORE && on(world, op, A_SKIPPED) && op.a === 1) skipped = true;
      else if (op.kind === LOAD && on(world, op, A_BLOCKED) && skipped) {
        skipped = false;
        return 1;
      }
      return undefined;
    };
  };
  mustFind(passedOver(plant), /Deadlock/);
});

Deno.test("planted: a task does not say that it picked its permit up", () => {
  const plant = () => (op: Op, _: unknown, world: World) =>
    op.kind === ADD && op.a === -1 && on(world, op, A_UNCLAIMED) ? 0 : undefined;
  mustFind(passedOver(plant), /not 0 at the end/);
});

Deno.test("planted: a task's agent listens to the bell before the task can be woken", () => {
  const scenario = passedOver();
  mustFind({ ...scenario, quirks: { listensFirst: true } }, /Deadlock/, scenario);
});

Deno.test("planted: a call puts its waiter out of service a turn after it picked the permit up", () => {
  const scenario = (late: boolean): Scenario => ({
    name: "two tasks of an agent that blocks once",
    build(world) {
      const [one, two] = [new ModelLock(world, "one"), new ModelLock(world, "two")];
      const [a, b] = [world.agent(), world.agent()];
      for (const { at } of [one, two]) world.words[at + STATE] = b.site.agent << 1;
      world.strand(a, "first", function* () {
        if (late) yield* lateCall();
        else yield* one.acquire(a, ASYNC);
        yield* one.visit();
        yield* one.release(a);
      });
      function* lateCall(): Slow<void> {
        const cell = one.cell(a);
        const waiter = engage(a.site, ASYNC, revocable(cell, MUTEX));
        yield* acquire(cell, MUTEX, waiter, FOREVER);
        yield pause(world);
        discharge(a.site, waiter);
      }
      world.strand(a, "second", function* () {
        yield* two.turn(a, ASYNC);
      });
      world.strand(a, "blocks", () => blockOnce(a));
      world.strand(b, "holder", function* () {
        yield* one.release(b);
        yield* two.release(b);
        yield* one.turn(b, SYNC);
      });
      return () => one.checkEnd(0);
    },
  });
  mustFind(scenario(true), /./, scenario(false));
});

/** One waits for a flag under a condition; the other sets it and notifies. */
function flagged(wait: (parts: Parts) => Slow<void>, plant?: () => Plant): Scenario {
  return {
    name: "one waits for a flag, the other sets it and notifies",
    plant,
    build(world) {
      const lock = new ModelLock(world);
      const changed = new ModelCondition(world, lock);
      const flag = world.room("flag", 1);
      const [a, b] = [world.agent(), world.agent()];
      world.strand(a, "waits", function* () {
        yield* lock.acquire(a, SYNC);
        if ((yield load(world.words, flag)) === 0) yield* wait({ world, lock, changed, agent: a });
        yield* lock.release(a);
      });
      world.strand(b, "notifies", function* () {
        yield* lock.acquire(b, SYNC);
        yield store(world.words, flag, 1);
        yield* changed.notify(b);
        yield* lock.release(b);
      });
      return () => changed.checkEnd();
    },
  };
}

interface Parts {
  readonly world: World;
  readonly lock: ModelLock;
  readonly changed: ModelCondition;
  readonly agent: ReturnType<World["agent"]>;
}

function* properWait({ changed, agent }: Parts): Slow<void> {
  yield* changed.wait(agent, SYNC);
}

Deno.test("planted: a condition lets go of the lock before it enters the lot", () => {
  mustFind(
    flagged(function* ({ world, lock, changed, agent }) {
      const cell = world.cell(agent, changed.at);
      const waiter = engage(agent.site, SYNC);
      yield* lock.release(agent);
      yield* condition.enter(cell, waiter);
      yield* condition.wait(cell, waiter, FOREVER);
      discharge(agent.site, waiter);
      yield* lock.acquire(agent, SYNC);
    }),
    /Deadlock/,
    flagged(properWait),
  );
});

Deno.test("planted: notify finds nobody", () => {
  const plant = () => (op: Op, { name }: { name: string }) =>
    op.kind === LOAD && name === "B:notifies" && op.at % 8 === HEAD ? 0 : undefined;
  mustFind(flagged(properWait, plant), /Deadlock/);
});

/** Two set and wait; how the event is set is given. */
function setting(set: (world: World, event: ModelEvent, agent: Parts["agent"]) => Slow<void>) {
  const scenario: Scenario = {
    name: "one sets, one clears and waits, one waits",
    build(world) {
      const flag = new ModelEvent(world);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      let outcome = "";
      world.strand(a, "sets", () => set(world, flag, a));
      world.strand(b, "clears and waits", function* () {
        yield* flag.clear();
        outcome = yield* flag.wait(b, SYNC, LIMITED);
      });
      world.strand(c, "waits", function* () {
        yield* flag.wait(c, SYNC, LIMITED);
      });
      return () => {
        flag.checkEnd();
        if (outcome === "got" && world.words[flag.at + event.FLAG] === 0) {
          throw new Error("It was let go by a set that came before the clear");
        }
      };
    },
  };
  return scenario;
}

Deno.test("planted: set writes the flag before it takes the lot's lock", () => {
  mustFind(
    setting(function* (world, flag, agent) {
      yield store(world.words, flag.at + event.FLAG, 1);
      if ((yield load(world.words, flag.at + HEAD)) !== 0) {
        yield* event.releaseAll(world.cell(agent, flag.at));
      }
    }),
    /before the clear/,
    setting((_, flag, agent) => flag.set(agent)),
  );
});

Deno.test("planted: set looks for waiters before it writes the flag", () => {
  const scenario = (sound: boolean): Scenario => ({
    name: "one sets, one waits",
    build(world) {
      const flag = new ModelEvent(world);
      const [a, b] = [world.agent(), world.agent()];
      world.strand(a, "sets", function* () {
        if (sound) return yield* flag.set(a);
        const somebody = (yield load(world.words, flag.at + HEAD)) !== 0;
        yield store(world.words, flag.at + event.FLAG, 1);
        if (somebody) yield* event.releaseAll(world.cell(a, flag.at));
      });
      world.strand(b, "waits", function* () {
        yield* flag.wait(b, SYNC);
      });
      return () => flag.checkEnd();
    },
  });
  mustFind(scenario(false), /Deadlock/, scenario(true));
});

/** One party; another resets and then comes itself. `numbered`: leaders are told their round when they are made to lead. */
function resetting(numbered: boolean): Scenario {
  return {
    name: "one party; reset by another, which then comes itself",
    build(world) {
      const meeting = new ModelBarrier(world, 1);
      const [a, b] = [world.agent(), world.agent()];
      let late: unknown;
      world.strand(a, "leads", function* () {
        if (numbered) return void (yield* meeting.wait(a, SYNC));
        const cell = meeting.cell(a);
        const settled = yield* barrier.arrive(cell, a.site.waiter, FOREVER);
        if (settled !== barrier.LEAD) return discharge(a.site, a.site.waiter);
        const round = yield load(world.words, meeting.at + barrier.ROUND);
        yield* barrier.finish(cell, round);
        discharge(a.site, a.site.waiter);
      });
      world.strand(b, "resets and comes", function* () {
        yield* meeting.reset(b);
        late = yield* meeting.wait(b, SYNC);
      });
      return () => {
        meeting.checkEnd();
        assertEquals(late, 0, "who comes after the reset gets through");
      };
    },
  };
}

Deno.test("planted: a barrier's leader reads its round when it is no longer under the lock", () => {
  mustFind(resetting(false), /gets through/, resetting(true));
});

Deno.test("planted: two that lock in opposite order", () => {
  const scenario = (opposite: boolean): Scenario => ({
    name: "two threads, two locks",
    build(world) {
      const locks = [new ModelLock(world, "one"), new ModelLock(world, "two")];
      for (const order of [[0, 1], opposite ? [1, 0] : [0, 1]]) {
        const agent = world.agent();
        world.strand(agent, `locks ${order}`, function* () {
          for (const i of order) yield* locks[i].acquire(agent, SYNC);
          for (const i of order) yield* locks[i].release(agent);
        });
      }
      return () => locks.forEach((lock) => lock.checkEnd(0));
    },
  });
  mustFind(scenario(true), /Deadlock/, scenario(false));
});

Deno.test("planted: a lost update without a lock", () => {
  const scenario: Scenario = {
    name: "two threads add 1 by reading and writing",
    build(world) {
      const sum = world.room("sum", 1);
      for (let i = 0; i < 2; i++) {
        world.strand(world.agent(), "adds", function* () {
          const seen = yield load(world.words, sum);
          yield store(world.words, sum, seen + 1);
        });
      }
      return () => assertEquals(world.words[sum], 2, "no update is lost");
    },
  };
  const found = hunt(scenario, 1000);
  assert(found !== undefined && /no update is lost/.test(found.message));
});

Deno.test("explorer: pruning reaches every outcome that there is", () => {
  const outcomes = (preemptions?: number): string[] => {
    const seen = new Set<string>();
    const scenario: Scenario = {
      name: "store buffering with three threads",
      build(world) {
        const x = world.room("x", 1);
        const y = world.room("y", 1);
        const read: number[] = [];
        for (const [name, mine, other] of [["a", x, y], ["b", y, x]] as const) {
          world.strand(world.agent(), name, function* () {
            yield store(world.words, mine, 1);
            read.push(yield load(world.words, other));
            yield store(world.words, mine, 2);
          });
        }
        world.strand(world.agent(), "c", function* () {
          read.push(10 + (yield load(world.words, x)));
          read.push(20 + (yield load(world.words, y)));
        });
        return () => {
          seen.add([...read].sort((one, other) => one - other).join());
        };
      },
    };
    assert(explore(scenario, { preemptions }).complete);
    return [...seen].sort();
  };
  const everything = outcomes(1000);
  assertEquals(outcomes(), everything);
  assert(everything.length > 10, `${everything.length} outcomes`);
});

Deno.test("explorer: pruning finds the same ends of waiting calls as no pruning", () => {
  const ends = (preemptions?: number): string[] => {
    const seen = new Set<string>();
    const scenario: Scenario = {
      name: "two threads with limits, one lock",
      build(world) {
        const lock = new ModelLock(world);
        const results = ["", ""];
        for (const [i, form, limit] of [[0, SYNC, LIMITED], [1, ASYNC, ABORTABLE]] as const) {
          const agent = world.agent();
          world.strand(agent, `${i}`, function* () {
            results[i] = yield* lock.turn(agent, form, limit);
            results[i] += world.words[agent.site.agent + A_PARK];
          });
        }
        return () => {
          seen.add(results.join());
        };
      },
    };
    explore(scenario, { preemptions, most: 50_000 });
    return [...seen].sort();
  };
  assertEquals(ends(), ends(4));
});
