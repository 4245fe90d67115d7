/** Every interleaving of small programs on a lock: mutual exclusion, order, nothing lost, nothing left behind. */

import { FOREVER, type Limit } from "../../threading/_core/clock.ts";
import { ASYNC, SYNC } from "../../threading/_core/words.ts";
import type { Scenario } from "./explorer.ts";
import { CALLS, ModelLock } from "./objects.ts";
import { all, some } from "./report.ts";
import { blockOnce, nudgeStep } from "./steps.ts";
import { ABORTABLE, LIMITED } from "./world.ts";

interface Call {
  readonly name: string;
  readonly form: number;
  readonly limit: Limit;
}

/** Threads that each take the lock `turns` times. */
function contenders(calls: readonly Call[], turns = 1): Scenario {
  return {
    name: `${calls.map(({ name }) => name).join(" | ")}, ${turns} each`,
    build(world) {
      const lock = new ModelLock(world);
      for (const { name, form, limit } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          for (let turn = 0; turn < turns; turn++) {
            const outcome = yield* lock.turn(agent, form, limit);
            if (outcome !== "got" && limit === FOREVER) throw new Error(`It was ${outcome}`);
          }
        });
      }
      return () => lock.checkEnd(0);
    },
  };
}

/** Pairs of calls, each pair once. */
function pairs(): Call[][] {
  return CALLS.flatMap((one, i) => CALLS.slice(i).map((other) => [one, other]));
}

Deno.test("mutex: two threads, every pair of calls, one turn each", () => {
  all("mutex, 2 threads, 1 turn", pairs().map((calls) => contenders(calls)));
});

Deno.test("mutex: two threads, two turns each", () => {
  const [sync, , plain] = CALLS;
  all("mutex, 2 threads, 2 turns", [
    contenders([sync, sync], 2),
    contenders([sync, plain], 2),
    contenders([plain, plain], 2),
  ]);
  some("mutex, 2 threads, 2 turns, limits", pairs().map((calls) => contenders(calls, 2)), 800);
});

Deno.test("mutex: three threads", () => {
  const [sync, syncLimited, plain, limited, abortable] = CALLS;
  all("mutex, 3 threads", [
    contenders([sync, sync, sync]),
    contenders([sync, plain, sync]),
    contenders([plain, plain, plain]),
  ]);
  some("mutex, 3 threads with limits", [
    contenders([sync, syncLimited, limited]),
    contenders([plain, limited, abortable]),
    contenders([syncLimited, abortable, syncLimited]),
    contenders([sync, plain, abortable], 2),
  ], 2000);
});

Deno.test("mutex: tasks of one thread", () => {
  const tasks = (limits: readonly Limit[]): Scenario => ({
    name: `tasks of one thread and another thread, deadlines ${limits.map((l) => l.deadline)}`,
    build(world) {
      const lock = new ModelLock(world);
      const [home, abroad] = [world.agent(), world.agent()];
      limits.forEach((limit, i) =>
        world.strand(home, `task ${i}`, function* () {
          yield* lock.turn(home, ASYNC, limit);
        })
      );
      world.strand(abroad, "thread", function* () {
        yield* lock.turn(abroad, SYNC);
      });
      return () => lock.checkEnd(0);
    },
  });
  all("mutex, 2 tasks + 1 thread", [
    tasks([FOREVER, FOREVER]),
    tasks([FOREVER, LIMITED]),
    tasks([ABORTABLE, FOREVER]),
  ]);
});

/**
 * B holds the lock, a task of A waits for it, and A blocks until C says so, which C does when it had the lock. The permit must
 * not lie with A's task: it goes on to C, and comes back.
 */
function blockedAgent(limit: Limit, form: number): Scenario {
  return {
    quirks: { atOnce: true },
    name:
      `an agent blocks while its task waits, deadline ${limit.deadline}, the other's form ${form}`,
    build(world) {
      const lock = new ModelLock(world, "lock");
      const gate = new ModelLock(world, "gate");
      const [a, b] = [world.agent(), world.agent()];
      world.words[lock.at + 3] = b.site.agent << 1;
      world.words[gate.at + 3] = b.site.agent << 1;
      world.strand(a, "task", function* () {
        yield* lock.turn(a, ASYNC, limit);
      });
      world.strand(a, "blocks", function* () {
        yield* gate.acquire(a, SYNC);
        yield* gate.release(a);
      });
      world.strand(b, "holder", function* () {
        yield* lock.release(b);
        yield* lock.turn(b, form);
        yield* gate.release(b);
      });
      return () => {
        lock.checkEnd(0);
        gate.checkEnd(0);
      };
    },
  };
}

Deno.test("mutex: an agent that blocks keeps no permit for its tasks from anybody", () => {
  some("mutex, blocked agent", [
    blockedAgent(FOREVER, SYNC),
    blockedAgent(FOREVER, ASYNC),
    blockedAgent(LIMITED, SYNC),
    blockedAgent(ABORTABLE, SYNC),
  ], 2500);
});

Deno.test("mutex: release never leaves a Sync caller waiting for a task of its own thread", () => {
  all("mutex, one thread alone", [{
    name: "release, then acquire again before the task can",
    quirks: { atOnce: true },
    build(world) {
      const lock = new ModelLock(world);
      const agent = world.agent();
      world.words[lock.at + 3] = agent.site.agent << 1;
      for (const task of ["one", "another"]) {
        world.strand(agent, task, function* () {
          yield* lock.turn(agent, ASYNC);
        });
      }
      world.strand(agent, "main", function* () {
        yield* lock.release(agent);
        yield* lock.turn(agent, SYNC);
        yield* lock.turn(agent, SYNC);
      });
      return () => lock.checkEnd(0);
    },
  }]);
});

Deno.test("mutex: permits of several locks go back when their agent blocks, but not those that were picked up", () => {
  some("mutex, two locks of a blocked agent", [{
    name: "two tasks wait for a lock each while their agent blocks",
    build(world) {
      const one = new ModelLock(world, "one");
      const two = new ModelLock(world, "two");
      const [a, b] = [world.agent(), world.agent()];
      for (const lock of [one, two]) world.words[lock.at + 3] = b.site.agent << 1;
      for (const lock of [one, two]) {
        world.strand(a, lock === one ? "first" : "second", function* () {
          yield* lock.turn(a, ASYNC);
        });
      }
      world.strand(a, "blocks", function* () {
        yield* blockOnce(a);
      });
      world.strand(b, "holder", function* () {
        yield* one.release(b);
        yield* two.release(b);
        yield* one.turn(b, SYNC);
      });
      return () => {
        one.checkEnd(0);
        two.checkEnd(0);
      };
    },
  }], 8000);
});

Deno.test("mutex: a lock that was released again before its waiter picked it up, is free", () => {
  all("mutex, released twice", [{
    name: "release twice, then block",
    build(world) {
      const lock = new ModelLock(world);
      const agent = world.agent();
      let outcome = "";
      world.words[lock.at + 3] = agent.site.agent << 1;
      world.strand(agent, "task", function* () {
        outcome = yield* lock.acquire(agent, ASYNC);
      });
      world.strand(agent, "main", function* () {
        yield* lock.release(agent);
        yield* lock.release(agent);
        yield* blockOnce(agent);
      });
      return () => {
        // The task waits before the releases and was granted the lock between them, or comes after both and has it.
        if (outcome !== "got") throw new Error(`The task was ${outcome}`);
        const state = world.words[lock.at + 3];
        if (state !== 0 && state !== agent.site.agent << 1) throw new Error(`State ${state}`);
      };
    },
  }]);
});

Deno.test("mutex: a waiter that is woken for nothing sleeps on", () => {
  const scenario = (form: number, limit: Limit): Scenario => ({
    name: `spurious wake-ups, form ${form}, deadline ${limit.deadline}`,
    build(world) {
      const lock = new ModelLock(world);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      world.words[lock.at + 3] = b.site.agent << 1;
      world.strand(a, "waits", function* () {
        yield* lock.turn(a, form, limit);
      });
      world.strand(b, "holds", function* () {
        yield* lock.release(b);
      });
      world.strand(c, "nudges", function* () {
        yield nudgeStep(world, a, form);
        yield nudgeStep(world, a, form);
      });
      return () => lock.checkEnd(0);
    },
  });
  all("mutex, nudged", [
    scenario(SYNC, FOREVER),
    scenario(SYNC, LIMITED),
    scenario(ASYNC, FOREVER),
    scenario(ASYNC, ABORTABLE),
  ]);
});
