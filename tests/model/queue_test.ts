/** Every interleaving of small programs on the gate of a queue: nothing lost, nothing doubled, nobody parked while he could go. */

import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { FOREVER, type Limit, ONCE } from "../../threading/_core/clock.ts";
import { add, type Slow, STORE, store, WAKE, wakeUp } from "../../threading/_core/drive.ts";
import {
  abandonAll,
  type Grant,
  lockLot,
  type Settled,
  unlockLot,
} from "../../threading/_core/lot.ts";
import type { Site } from "../../threading/_core/park.ts";
import * as event from "../../threading/_core/primitives/event.ts";
import {
  A_SKIPPED,
  A_STATUS,
  ASYNC,
  DEAD,
  DEATHS,
  GRANTED,
  SYNC,
} from "../../threading/_core/words.ts";
import { Gate, type Retract } from "../../queue/_gate.ts";
import { explore, replay, sample, type Scenario, ScheduleError } from "./explorer.ts";
import { CALLS } from "./objects.ts";
import { FLIER, type GateClass, JOINERS, LOOKOUT, ModelQueue } from "./queue_object.ts";
import { all, some } from "./report.ts";
import { ABORTABLE, type Agent, LIMITED, type Plant, type World } from "./world.ts";

type Call = typeof CALLS[number];

const [sync, syncLimited, plain, limited, abortable] = CALLS;

/** Producers of one item each, the last of whom closes the queue, and consumers that take items until then. */
function flow(
  maxsize: number,
  producers: readonly Call[],
  consumers: readonly Call[],
  gate?: GateClass,
  each = 1,
): Scenario {
  return {
    name: `maxsize ${maxsize}: ${names(producers)} put ${each}, ${names(consumers)} take`,
    build(world) {
      const queue = new ModelQueue(world, maxsize, gate);
      const busy = world.room("busy", 1);
      world.words[busy] = producers.length;
      producers.forEach(({ name, form, limit }, i) => {
        const agent = world.agent();
        world.strand(agent, `puts, ${name}`, function* () {
          for (let n = 0; n < each; n++) {
            const outcome = yield* queue.putItem(agent, form, 10 * i + n, limit);
            if (outcome !== "got" && limit === FOREVER) throw new Error(`put: ${outcome}`);
          }
          if ((yield add(world.words, busy, -1)) === 1) yield* queue.close(agent);
        });
      });
      let patient = false;
      for (const { name, form, limit } of consumers) {
        const agent = world.agent();
        patient ||= limit === FOREVER;
        world.strand(agent, `takes, ${name}`, function* () {
          const outcome = yield* queue.drain(agent, form, limit);
          if (outcome !== "closed" && limit === FOREVER) throw new Error(`get: ${outcome}`);
        });
      }
      return () => {
        queue.checkEnd();
        if (patient) assertEquals(queue.store, [], "who waits for ever leaves nothing");
      };
    },
  };
}

function names(calls: readonly Call[]): string {
  return calls.map(({ name }) => name).join(" | ");
}

Deno.test("queue: one producer and one consumer, every pair of calls", () => {
  for (const maxsize of [0, 1]) {
    all(
      `queue, maxsize ${maxsize}, 2 threads`,
      [sync, plain].flatMap((taker) =>
        CALLS.map((putter) => flow(maxsize, [putter], [taker], undefined, 2))
      ),
    );
    // Who gives up leaves items behind, so there has to be room for all.
    all(
      `queue, maxsize ${maxsize}, 2 threads, impatient consumer`,
      [syncLimited, limited, abortable].flatMap((taker) =>
        CALLS.map((putter) => flow(maxsize, [putter], [taker]))
      ),
    );
  }
});

Deno.test("queue: three threads", () => {
  some("queue, 3 threads", [
    flow(1, [sync, plain], [sync]),
    flow(1, [plain, limited], [plain]),
    flow(1, [syncLimited, abortable], [sync]),
    flow(1, [sync], [sync, plain], undefined, 2),
    flow(1, [plain], [limited, sync], undefined, 2),
    flow(0, [sync], [abortable, plain], undefined, 2),
    flow(0, [plain, sync], [plain]),
  ], 1500);
});

/** Three wait to put into a full queue, some of whom give up; the queue is emptied, and what was put comes out in order. */
function offered(
  calls: readonly Call[],
  gate?: GateClass,
  offers: readonly boolean[] = [true, true, true],
): Scenario {
  return {
    name: `offers of ${names(calls)}, made: ${offers}`,
    build(world) {
      const queue = new ModelQueue(world, 1, gate);
      const taker = world.agent();
      const busy = world.room("busy", 1);
      world.words[busy] = calls.length;
      prefill(world, queue, 99);
      calls.forEach(({ name, form, limit }, i) => {
        const agent = world.agent();
        world.strand(agent, `puts ${i}, ${name}`, function* () {
          const outcome = yield* queue.putItem(agent, form, i, limit, offers[i]);
          if (outcome !== "got") {
            assert(!queue.taken.includes(i) && !queue.store.includes(i), "given up and put");
          }
          if ((yield add(world.words, busy, -1)) === 1) yield* queue.close(agent);
        });
      });
      world.strand(taker, "takes", function* () {
        yield* queue.drain(taker, SYNC);
      });
      return () => {
        queue.checkEnd();
        assertEquals(queue.store, []);
      };
    },
  };
}

Deno.test("queue: offers are accepted in their order, or taken back, or made by none", () => {
  some("queue, offers", [
    offered([sync, syncLimited]),
    offered([limited, sync]),
    offered([syncLimited, sync, sync]),
    offered([sync, syncLimited, plain]),
    offered([abortable, limited, syncLimited]),
    offered([sync, plain, sync], undefined, [true, false, true]),
    offered([limited, sync, syncLimited], undefined, [false, true, true]),
    offered([syncLimited, abortable, plain], undefined, [true, true, false]),
  ], 1500);
});

/** Somebody waits to put into a full queue, somebody waits to get (of it, or of an empty one), and a third closes it. */
function closed(put: Call, get: Call, immediate: boolean, full: boolean): Scenario {
  return {
    name: `shutdown(${immediate}) of a ${full ? "full" : "empty"} queue: ${put.name}, ${get.name}`,
    build(world) {
      const queue = new ModelQueue(world, 1);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      if (full) prefill(world, queue, 99);
      world.strand(a, "puts", function* () {
        yield* queue.putItem(a, put.form, 1, put.limit);
        yield* queue.putItem(a, put.form, 2, put.limit);
      });
      world.strand(b, "takes", function* () {
        yield* queue.drain(b, get.form, get.limit);
      });
      world.strand(c, "closes", function* () {
        yield* queue.close(c, immediate);
        const outcome = yield* queue.putItem(c, SYNC, 3, ONCE);
        if (outcome !== "closed") throw new Error(`A put after the end: ${outcome}`);
      });
      return () => {
        queue.checkEnd();
        if (get.limit === FOREVER) assertEquals(queue.store, []);
      };
    },
  };
}

/** An item is there from the beginning. */
function prefill(world: World, queue: ModelQueue, item: number): void {
  queue.store.push(item);
  queue.put.push(item);
  world.words[queue.at + 9]++;
  world.words[queue.at + 13]++;
}

Deno.test("queue: shutdown, at every moment, ends every wait", () => {
  const pairs: [Call, Call][] = [
    [sync, sync],
    [plain, plain],
    [sync, plain],
    [plain, sync],
    [limited, abortable],
    [syncLimited, limited],
  ];
  some(
    "queue, shutdown",
    pairs.flatMap(([put, get]) =>
      [true, false].flatMap((immediate) =>
        [true, false].map((full) => closed(put, get, immediate, full))
      )
    ),
    700,
  );
});

/** Two put an item each and wait until both are done; the second sees that its own is. */
function joined(form: number, gate?: GateClass, limit: Limit = FOREVER): Scenario {
  return {
    name: `join, form ${form}`,
    build(world) {
      const queue = new ModelQueue(world, 0, gate);
      const [a, b] = [world.agent(), world.agent()];
      prefill(world, queue, 1);
      world.strand(a, "works", function* () {
        for (let i = 0; i < 2; i++) {
          const item = yield* queue.getItem(a, form);
          if (typeof item === "string") throw new Error(item);
          yield* queue.report(a, item);
        }
      });
      world.strand(b, "joins", function* () {
        yield* queue.putItem(b, form, 2);
        const outcome = yield* queue.join(b, form, limit);
        if (outcome === "got" && !queue.done.has(2)) throw new Error("Joined before it was done");
        if (outcome !== "got" && limit === FOREVER) throw new Error(`join: ${outcome}`);
      });
      return () => queue.checkEnd();
    },
  };
}

Deno.test("queue: join ends when all is done, and not before", () => {
  all("queue, join", [
    joined(SYNC),
    joined(ASYNC),
    joined(SYNC, undefined, LIMITED),
    joined(ASYNC, undefined, LIMITED),
    joined(ASYNC, undefined, ABORTABLE),
  ]);
});

/** Tasks of A wait to get, then A blocks in a `Sync` get of its own; B puts what all need, and closes. */
function blocking(limit: Limit, gate?: GateClass, plant?: () => Plant): Scenario {
  return {
    quirks: { atOnce: true },
    plant,
    name: `an agent blocks while its task waits to get, deadline ${limit.deadline}`,
    build(world) {
      const queue = new ModelQueue(world, 0, gate);
      const [a, b] = [world.agent(), world.agent()];
      world.strand(a, "task", function* () {
        yield* queue.drain(a, ASYNC, limit);
      });
      world.strand(a, "blocks", function* () {
        yield* queue.getItem(a, SYNC);
      });
      world.strand(b, "puts and closes", function* () {
        yield* queue.putItem(b, SYNC, 1);
        yield* queue.putItem(b, SYNC, 2);
        yield* queue.close(b);
      });
      return () => queue.checkEnd();
    },
  };
}

/** The same with two who wait to put into a full queue. */
function blockingPut(limit: Limit, gate?: GateClass): Scenario {
  return {
    quirks: { atOnce: true },
    name: `an agent blocks while its task waits to put, deadline ${limit.deadline}`,
    build(world) {
      const queue = new ModelQueue(world, 1, gate);
      const [a, b] = [world.agent(), world.agent()];
      prefill(world, queue, 99);
      world.strand(a, "task", function* () {
        yield* queue.putItem(a, ASYNC, 1, limit);
      });
      world.strand(a, "blocks", function* () {
        yield* queue.putItem(a, SYNC, 2);
      });
      world.strand(b, "takes", function* () {
        yield* queue.getItem(b, SYNC);
        yield* queue.getItem(b, SYNC);
        yield* queue.close(b, true);
      });
      return () => queue.checkEnd();
    },
  };
}

Deno.test("queue: an agent that blocks keeps nothing for its tasks, and they lose nothing", () => {
  some("queue, blocked agent", [
    ...[FOREVER, LIMITED, ABORTABLE].map((limit) => blocking(limit)),
    ...[FOREVER, LIMITED, ABORTABLE].map((limit) => blockingPut(limit)),
  ], 2500);
});

Deno.test("queue: an agent that ends leaves what it was granted to others", () => {
  const scenario: Scenario = {
    quirks: { atOnce: true },
    name: "a task waits to get, its thread ends, another comes",
    build(world) {
      const queue = new ModelQueue(world, 1);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      world.strand(a, "task", function* () {
        yield* queue.getItem(a, ASYNC);
      });
      world.strand(a, "ends", function* () {
        yield* abandonAll(a.site);
        world.bury(a);
      });
      world.strand(b, "puts", function* () {
        yield* queue.putItem(b, SYNC, 1);
        yield* queue.putItem(b, SYNC, 2);
      });
      world.strand(c, "takes", function* () {
        yield* queue.getItem(c, SYNC);
      });
      return () => queue.checkEnd();
    },
  };
  some("queue, vanished", [scenario], 4000);
});

/** Somebody who was to take the item, and is awake or being woken, is killed in the middle of it. Another waits. */
function left(word: number, form: number, wakes = true): Scenario {
  return {
    name: `an item is left to an agent that is killed, word ${word}, form ${form}`,
    build(world) {
      const queue = new ModelQueue(world, 0);
      queue.lookouts = false;
      const [victim, killer, a, b] = [0, 1, 2, 3].map(() => world.agent());
      world.words[queue.at + word] = victim.site.agent;
      world.strand(killer, "kills", () => killTorn(world, killer, victim, wakes));
      world.strand(a, "puts", function* () {
        yield* queue.putItem(a, SYNC, 1);
      });
      world.strand(b, "takes", function* () {
        assertEquals(yield* queue.getItem(b, form), 1);
      });
      return () => {
        assertEquals(queue.store, []);
      };
    },
  };
}

/** What bootstrap.ts does when a worker has died in a section. */
function* killTorn(world: World, killer: Agent, victim: Agent, wakes: boolean): Slow<void> {
  const { words } = world;
  world.bury(victim);
  yield store(words, victim.site.agent + A_STATUS, DEAD);
  yield add(words, DEATHS, 1);
  if (!wakes) return;
  for (const { site } of world.agents) {
    if (site === killer.site || site === victim.site) continue;
    yield wakeUp(words, site.agent, SYNC);
    yield wakeUp(words, site.agent, ASYNC);
  }
}

Deno.test("queue: an item that was left to one who is killed goes to who waits", () => {
  const words = [LOOKOUT, FLIER];
  all("queue, killed", words.flatMap((word) => [left(word, SYNC), left(word, ASYNC)]));
});

// Bugs that are easily made, put in on purpose.

function hunt(scenario: Scenario): ScheduleError | undefined {
  try {
    explore(scenario, { most: 1000, mostMoves: 100_000 });
    sample(scenario, 20_000, 7);
    return undefined;
  } catch (error) {
    assertInstanceOf(error, ScheduleError);
    return error;
  }
}

function mustFind(scenario: Scenario, says: RegExp): void {
  const found = hunt(scenario);
  assert(found !== undefined, `${scenario.name}: the bug was not found`);
  assert(says.test(found.message), found.message);
  const again = assertThrows(() => replay(scenario, found.schedule), ScheduleError);
  assertEquals(again.message, found.message);
}

Deno.test("planted: nobody is told of the one who was killed", () => {
  for (const word of [LOOKOUT, FLIER]) mustFind(left(word, SYNC, false), /Deadlock/);
});

/** Grants nothing. */
class Silent extends Gate {
  // deno-lint-ignore require-yield -- that is the bug
  override *grants(): Slow<Grant[]> {
    return [];
  }
}

Deno.test("planted: who puts or takes grants nothing to those who wait", () => {
  mustFind(flow(1, [sync], [sync], Silent, 2), /sleeps beside|Deadlock|closed/);
  mustFind(flow(1, [plain], [plain], Silent, 2), /Deadlock|closed|though there is room/);
});

/** Grants before shutdown only. */
class Forgetful extends Gate {
  override *grants(): Slow<Grant[]> {
    return this.shut ? [] : yield* super.grants();
  }
}

Deno.test("planted: a getter that was put back is not told that the queue was closed", () => {
  mustFind(blocking(FOREVER, Forgetful), /closed|Deadlock/);
});

/** Lets joiners go when it has given the lock back. */
class Late extends Gate {
  override *reporting(): Slow<boolean> {
    const { words } = this;
    const joiners = { site: this.site, words, at: JOINERS, lock: 0 };
    yield* lockLot(joiners);
    const left = --words[13];
    yield* unlockLot(joiners);
    if (left === 0) yield* event.releaseAll(joiners, GRANTED);
    return left >= 0;
  }
}

Deno.test("planted: joiners are let go after the lock was given back", () => {
  mustFind(joined(SYNC, Late), /before it was done|waits for nothing/);
});

Deno.test("planted: nobody is woken", () => {
  const plant = (): Plant => (op) => op.kind === WAKE ? 0 : undefined;
  mustFind({ ...flow(1, [sync], [sync], undefined, 2), plant }, /Deadlock/);
});

Deno.test("planted: who was passed over is not noted", () => {
  const plant = (): Plant => (op, _strand, world) =>
    op.kind === STORE && op.a === 1 &&
      world.agents.some(({ site }) => op.at === site.agent + A_SKIPPED)
      ? 1
      : undefined;
  mustFind(blocking(FOREVER, undefined, plant), /Deadlock/);
});

/** Takes its offer back as if it were the last. */
class Careless extends Gate {
  constructor(
    maxsize: number,
    words?: Int32Array<SharedArrayBuffer>,
    retract: Retract = () => {},
    site?: Site,
  ) {
    super(maxsize, words, (count) => retract(count, 0), site);
  }
}

Deno.test("planted: who gives up takes somebody else's offer back", () => {
  mustFind(offered([syncLimited, sync, sync], Careless), /not those of the waiters|given up/);
});

/** A getter that was woken wakes nobody else. */
class Selfish extends Gate {
  #getting = false;

  override *getting(
    waiter: number,
    limit: Limit,
    pop: () => void,
    lookout?: boolean,
  ): Slow<Settled> {
    this.#getting = true;
    try {
      return yield* super.getting(waiter, limit, pop, lookout);
    } finally {
      this.#getting = false;
    }
  }

  override *grants(): Slow<Grant[]> {
    return this.#getting ? [] : yield* super.grants();
  }
}

Deno.test("planted: a getter that was being woken does not wake the next one", () => {
  mustFind(flow(0, [sync], [sync, sync], Selfish, 2), /sleeps beside|Deadlock|closed/);
});

/** A lookout goes without saying so. */
class Sneaking extends Gate {
  override *getting(
    waiter: number,
    limit: Limit,
    pop: () => void,
    lookout?: boolean,
  ): Slow<Settled> {
    const slow = super.getting(waiter, limit, pop, lookout);
    let next = slow.next(0);
    while (!next.done) {
      const { kind, words, at, a } = next.value;
      const says = kind === STORE && words === this.words && at === LOOKOUT && a === 0;
      next = slow.next(says ? 0 : yield next.value);
    }
    return next.value;
  }
}

Deno.test("planted: an item is left to a lookout that is not there any more", () => {
  mustFind(flow(0, [sync], [sync, sync], Sneaking, 2), /Deadlock|closed|Word 17/);
});
