/** Every interleaving of small programs on a condition: no notification is lost, and the lock is held after every wait. */

import { FOREVER, type Limit } from "../../threading/_core/clock.ts";
import { add, load, type Slow } from "../../threading/_core/drive.ts";
import { STATE } from "../../threading/_core/primitives/permits.ts";
import { ASYNC, SYNC } from "../../threading/_core/words.ts";
import type { Scenario } from "./explorer.ts";
import { CALLS, ModelCondition, ModelLock, type Outcome } from "./objects.ts";
import { all, some } from "./report.ts";
import type { Agent, World } from "./world.ts";

type Call = typeof CALLS[number];

const [sync, syncLimited, plain, limited, abortable] = CALLS;

/** A heap of items under a condition. */
class Store {
  readonly world: World;
  readonly lock: ModelLock;
  readonly condition: ModelCondition;
  readonly items: number;

  constructor(world: World) {
    this.world = world;
    this.lock = new ModelLock(world);
    this.condition = new ModelCondition(world, this.lock);
    this.items = world.room("store", 1, ["items"]);
  }

  /** Takes an item, or gives up at the limit. */
  *take(agent: Agent, { form, limit }: Call): Slow<Outcome> {
    yield* this.lock.acquire(agent, form);
    let outcome: Outcome = "got";
    while ((yield load(this.world.words, this.items)) === 0 && outcome === "got") {
      outcome = yield* this.condition.wait(agent, form, limit);
      const holder = this.world.words[this.lock.at + STATE] >> 1;
      if (holder !== agent.site.agent) throw new Error("wait returned without the lock");
      yield* this.lock.visit();
    }
    const some = (yield load(this.world.words, this.items)) > 0;
    if (some) yield add(this.world.words, this.items, -1);
    yield* this.lock.release(agent);
    return some ? "got" : outcome;
  }

  /** Puts items and notifies for each, or once for all. */
  *put(agent: Agent, form: number, count: number, atOnce: boolean): Slow<void> {
    for (let i = 0; i < (atOnce ? 1 : count); i++) {
      yield* this.lock.acquire(agent, form);
      yield add(this.world.words, this.items, atOnce ? count : 1);
      yield* this.condition.notify(agent, atOnce ? count : 1);
      yield* this.lock.release(agent);
    }
  }

  checkEnd(items: number): void {
    this.condition.checkEnd();
    const left = this.world.words[this.items];
    if (left !== items) throw new Error(`${left} items are left, not ${items}`);
  }
}

function takers(calls: readonly Call[], atOnce: boolean, own = true): Scenario {
  return {
    name: `${calls.map(({ name }) => name).join(" | ")}, ${atOnce ? "one" : "several"} notify`,
    build(world) {
      const store = new Store(world);
      const home = world.agent();
      let taken = 0;
      for (const call of calls) {
        const agent = own ? world.agent() : home;
        world.strand(agent, call.name, function* () {
          const outcome = yield* store.take(agent, call);
          if (outcome === "got") taken++;
          else if (call.limit === FOREVER) throw new Error(`It was ${outcome}`);
        });
      }
      const giver = own ? home : world.agent();
      world.strand(giver, "puts", function* () {
        yield* store.put(giver, SYNC, calls.length, atOnce);
      });
      return () => store.checkEnd(calls.length - taken);
    },
  };
}

Deno.test("condition: notify reaches a waiter", () => {
  all("condition, 1 taker", CALLS.map((call) => takers([call], true)));
});

Deno.test("condition: notify(2) and two notifies reach two waiters", () => {
  const plainPairs = [[sync, sync], [sync, plain], [plain, plain]];
  all(
    "condition, 2 takers, at most 2 pre-emptions",
    plainPairs.map((pair) => takers(pair, true)),
    { preemptions: 2 },
  );
  some("condition, 2 takers", [
    ...plainPairs.map((pair) => takers(pair, true)),
    takers([syncLimited, sync], false),
    takers([limited, plain], false),
    takers([abortable, sync], false),
    takers([limited, abortable], true),
    takers([sync, plain], false),
  ], 1500);
});

Deno.test("condition: tasks of one thread", () => {
  some("condition, tasks of one thread", [
    takers([plain, plain], true, false),
    takers([limited, plain], false, false),
    takers([abortable, limited], false, false),
  ], 1500);
});

Deno.test("condition: three waiters", () => {
  some("condition, 3 takers", [
    takers([sync, plain, limited], false),
    takers([syncLimited, abortable, sync], false),
  ], 1500);
});

Deno.test("condition: notify passes over the tasks of a blocked thread while there is somebody else", () => {
  const scenario = (limit: Limit): Scenario => ({
    quirks: { atOnce: true },
    name: `a task of A waits, and A's Sync call waits too, deadline ${limit.deadline}`,
    build(world) {
      const lock = new ModelLock(world);
      const condition = new ModelCondition(world, lock);
      const waiting = world.room("waiting", 1);
      const [a, b] = [world.agent(), world.agent()];
      world.strand(a, "task", function* () {
        yield* lock.acquire(a, ASYNC);
        yield* condition.wait(a, ASYNC, limit);
        yield* lock.release(a);
      });
      world.strand(a, "blocks", function* () {
        yield* lock.acquire(a, SYNC);
        yield add(world.words, waiting, 1);
        const outcome = yield* condition.wait(a, SYNC);
        if (outcome !== "got") throw new Error(`It was ${outcome}`);
        yield* lock.release(a);
        // Now that it runs again, the task is let go too.
        yield* lock.acquire(a, SYNC);
        yield* condition.notify(a, 1);
        yield* lock.release(a);
        yield add(world.words, waiting, 1);
      });
      world.strand(b, "notifies once somebody blocks", function* () {
        for (;;) {
          yield* lock.acquire(b, SYNC);
          const ready = (yield load(world.words, waiting)) > 0;
          if (ready) yield* condition.notify(b, 1);
          yield* lock.release(b);
          if (ready) return;
        }
      });
      return () => condition.checkEnd();
    },
  });
  // With a limit only: the task may come after all notifications, and would then rightly wait for ever.
  some("condition, blocked thread", [scenario(limited.limit), scenario(abortable.limit)], 2000);
});

Deno.test("condition: a lock that cannot be let go of leaves nobody in the queue", () => {
  const scenario = (call: Call): Scenario => ({
    name: `another thread releases the lock before ${call.name} waits`,
    build(world) {
      const lock = new ModelLock(world);
      const condition = new ModelCondition(world, lock);
      const [a, b] = [world.agent(), world.agent()];
      world.words[lock.at + STATE] = a.site.agent << 1;
      world.strand(a, "waits", function* () {
        yield* condition.wait(a, call.form, call.limit);
        yield* lock.release(a);
      });
      world.strand(b, "releases", function* () {
        yield* lock.release(b);
      });
      return () => condition.checkEnd();
    },
  });
  all("condition, released by another", [scenario(syncLimited), scenario(limited)]);
});
