/** An agent that ends while its tasks wait or have been granted something: nothing is given to somebody who is not there. */

import { assertEquals } from "@std/assert";
import { abandonAll } from "../../threading/_core/lot.ts";
import { STATE } from "../../threading/_core/primitives/permits.ts";
import { ASYNC, SYNC } from "../../threading/_core/words.ts";
import type { Scenario } from "./explorer.ts";
import {
  CALLS,
  ModelBarrier,
  ModelEvent,
  ModelLock,
  ModelSemaphore,
  waitersOf,
} from "./objects.ts";
import { all, some } from "./report.ts";
import type { Agent, World } from "./world.ts";

const [, , plain, limited, abortable] = CALLS;

function* end(world: World, agent: Agent): ReturnType<typeof abandonAll> {
  yield* abandonAll(agent.site);
  world.bury(agent);
}

Deno.test("vanished: a lock that was granted to a task of a thread that ends, goes on to others", () => {
  const scenario = (form: number): Scenario => ({
    quirks: { atOnce: true },
    name: `a task waits for a lock, its thread ends, another comes, form ${form}`,
    build(world) {
      const lock = new ModelLock(world);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      world.words[lock.at + STATE] = b.site.agent << 1;
      for (const { limit } of [plain, abortable]) {
        world.strand(a, "task", function* () {
          yield* lock.turn(a, ASYNC, limit);
        });
      }
      world.strand(a, "ends", () => end(world, a));
      world.strand(b, "releases", function* () {
        yield* lock.release(b);
      });
      world.strand(c, "comes", function* () {
        yield* lock.turn(c, form);
      });
      return () => lock.checkEnd(0);
    },
  });
  some("vanished, lock", [scenario(SYNC), scenario(ASYNC)], 6000);
});

Deno.test("vanished: permits of a semaphore come back", () => {
  const scenario: Scenario = {
    quirks: { atOnce: true },
    name: "two tasks wait for permits, their thread ends",
    build(world) {
      const semaphore = new ModelSemaphore(world, 2);
      const [a, b] = [world.agent(), world.agent()];
      world.words[semaphore.at + STATE] = 0;
      for (const { limit } of [plain, limited]) {
        world.strand(a, "task", function* () {
          yield* semaphore.turn(a, ASYNC, limit);
        });
      }
      world.strand(a, "ends", () => end(world, a));
      world.strand(b, "gives and takes", function* () {
        yield* semaphore.release(b, 2);
        yield* semaphore.turn(b, SYNC);
      });
      return () => semaphore.checkEnd(4);
    },
  };
  some("vanished, semaphore", [scenario], 6000);
});

Deno.test("vanished: an event and a barrier forget the waiter", () => {
  const event: Scenario = {
    name: "a task waits for an event, its thread ends, the event is set",
    build(world) {
      const event = new ModelEvent(world);
      const [a, b] = [world.agent(), world.agent()];
      world.strand(a, "task", function* () {
        yield* event.wait(a, ASYNC);
      });
      world.strand(a, "ends", () => end(world, a));
      world.strand(b, "sets", () => event.set(b));
      return () => event.checkEnd();
    },
  };
  const barrier: Scenario = {
    name: "a task waits at a barrier for two, its thread ends; two others meet",
    build(world) {
      const barrier = new ModelBarrier(world, 2);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      world.strand(a, "task", function* () {
        yield* barrier.wait(a, ASYNC);
      });
      world.strand(a, "ends", () => end(world, a));
      for (const agent of [b, c]) {
        world.strand(agent, "meets", function* () {
          yield* barrier.wait(agent, SYNC, limited.limit);
        });
      }
      return () => {
        for (const waiter of waitersOf(world, barrier.at)) {
          assertEquals(world.words[waiter + 3] === a.site.agent, false, "a waiter of nobody");
        }
      };
    },
  };
  all("vanished, event", [event]);
  some("vanished, barrier", [barrier], 5000);
});
