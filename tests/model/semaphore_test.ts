/** Every interleaving of small programs on a semaphore: never more inside than permits, none lost, none made up. */

import { FOREVER, type Limit } from "../../threading/_core/clock.ts";
import { STATE } from "../../threading/_core/primitives/permits.ts";
import { ASYNC, SYNC } from "../../threading/_core/words.ts";
import type { Scenario } from "./explorer.ts";
import { CALLS, ModelLock, ModelSemaphore } from "./objects.ts";
import { all, some } from "./report.ts";
import { blockOnce } from "./steps.ts";
import { ABORTABLE, LIMITED } from "./world.ts";

type Call = typeof CALLS[number];

const [sync, syncLimited, plain, limited, abortable] = CALLS;

/** Threads that take a permit each and give it back. */
function visitors(permits: number, calls: readonly Call[]): Scenario {
  return {
    name: `${permits} permits: ${calls.map(({ name }) => name).join(" | ")}`,
    build(world) {
      const semaphore = new ModelSemaphore(world, permits);
      for (const { name, form, limit } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          const outcome = yield* semaphore.turn(agent, form, limit);
          if (outcome !== "got" && limit === FOREVER) throw new Error(`It was ${outcome}`);
        });
      }
      return () => semaphore.checkEnd(permits << 1);
    },
  };
}

Deno.test("semaphore: two threads and one permit, every pair of calls", () => {
  all(
    "semaphore, 2 threads",
    CALLS.flatMap((one, i) => CALLS.slice(i).map((other) => visitors(1, [one, other]))),
  );
});

Deno.test("semaphore: three threads", () => {
  some("semaphore, 3 threads", [
    visitors(1, [sync, plain, sync]),
    visitors(1, [sync, limited, abortable]),
    visitors(2, [sync, sync, sync]),
    visitors(2, [plain, sync, plain]),
    visitors(2, [syncLimited, limited, abortable]),
  ], 2000);
});

/** Takers of permits that are made by `release(count)`. Whoever runs out of time leaves a permit over. */
function handedOut(count: number, calls: readonly Call[]): Scenario {
  return {
    name: `release(${count}) to ${calls.map(({ name }) => name).join(" | ")}`,
    build(world) {
      const semaphore = new ModelSemaphore(world, 0);
      let taken = 0;
      for (const { name, form, limit } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          const outcome = yield* semaphore.acquire(agent, form, limit);
          if (outcome === "got") taken++;
          else if (limit === FOREVER) throw new Error(`It was ${outcome}`);
        });
      }
      const giver = world.agent();
      world.strand(giver, "gives", function* () {
        yield* semaphore.release(giver, count);
      });
      return () => semaphore.checkEnd(count - taken << 1);
    },
  };
}

Deno.test("semaphore: release(n) reaches n waiters", () => {
  all("semaphore, release(2) to 2", [
    handedOut(2, [sync, sync]),
    handedOut(2, [sync, plain]),
    handedOut(2, [plain, plain]),
    handedOut(2, [limited, sync]),
    handedOut(2, [abortable, plain]),
    handedOut(2, [syncLimited, limited]),
  ]);
  some("semaphore, release(3) to 3", [
    handedOut(3, [sync, plain, sync]),
    handedOut(3, [limited, sync, abortable]),
  ], 2000);
});

Deno.test("semaphore: a permit for somebody who ran out of time at that moment, goes to the next", () => {
  const scenario = (calls: readonly Call[]): Scenario => ({
    name: `one permit, ${calls.map(({ name }) => name).join(" | ")}; who gets it passes it on`,
    build(world) {
      const semaphore = new ModelSemaphore(world, 1);
      const giver = world.agent();
      world.words[semaphore.at + STATE] = 0;
      for (const { name, form, limit } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          yield* semaphore.turn(agent, form, limit);
        });
      }
      world.strand(giver, "gives", function* () {
        yield* semaphore.release(giver);
      });
      return () => semaphore.checkEnd(2);
    },
  });
  all("semaphore, give up and pass on", [
    scenario([syncLimited, sync]),
    scenario([limited, plain]),
    scenario([abortable, sync]),
  ]);
});

/** A task of A waits for a permit and A blocks on a gate that B opens when it had a permit itself. */
function blockedAgent(limit: Limit, form: number): Scenario {
  return {
    quirks: { atOnce: true },
    name: `an agent blocks while its tasks wait, deadline ${limit.deadline}, form ${form}`,
    build(world) {
      const semaphore = new ModelSemaphore(world, 1);
      const gate = new ModelLock(world, "gate");
      const [a, b] = [world.agent(), world.agent()];
      world.words[semaphore.at + STATE] = 0;
      world.words[gate.at + STATE] = b.site.agent << 1;
      world.strand(a, "task", function* () {
        yield* semaphore.turn(a, ASYNC, limit);
      });
      world.strand(a, "another", function* () {
        yield* semaphore.turn(a, ASYNC);
      });
      world.strand(a, "blocks", function* () {
        yield* gate.turn(a, SYNC);
      });
      world.strand(b, "gives", function* () {
        yield* semaphore.release(b);
        yield* semaphore.turn(b, form);
        yield* gate.release(b);
      });
      return () => {
        semaphore.checkEnd(2);
        gate.checkEnd(0);
      };
    },
  };
}

Deno.test("semaphore: an agent that blocks keeps no permit for its tasks from anybody", () => {
  some("semaphore, blocked agent", [
    blockedAgent(FOREVER, SYNC),
    blockedAgent(LIMITED, SYNC),
    blockedAgent(ABORTABLE, ASYNC),
  ], 2500);
});

Deno.test("semaphore: an agent that blocks again and again while permits are given out", () => {
  const scenario = (blocks: number): Scenario => ({
    name: `blocks ${blocks} times`,
    build(world) {
      const semaphore = new ModelSemaphore(world, 2);
      const [a, b] = [world.agent(), world.agent()];
      world.words[semaphore.at + STATE] = 0;
      world.strand(a, "task", function* () {
        yield* semaphore.acquire(a, ASYNC);
      });
      world.strand(a, "blocks", function* () {
        for (let i = 0; i < blocks; i++) yield* blockOnce(a);
      });
      world.strand(b, "gives", function* () {
        yield* semaphore.release(b);
      });
      return () => semaphore.checkEnd(0);
    },
  });
  all("semaphore, block and unblock", [scenario(1), scenario(2)]);
});
