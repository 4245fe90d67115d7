/** Every interleaving of small programs on a reentrant lock: one flow inside at a time, however often it entered. */

import { FOREVER, type Limit } from "../../threading/_core/clock.ts";
import type { Slow } from "../../threading/_core/drive.ts";
import type { Scenario } from "./explorer.ts";
import { ModelRLock } from "./objects.ts";
import { all, some } from "./report.ts";
import { blockOnce } from "./steps.ts";
import { ABORTABLE, type Agent, LIMITED, pause, type World } from "./world.ts";

const BLOCKING = 1;

interface Flow {
  /** Which thread. */
  readonly home: number;
  /** 1 for a thread's `Sync` calls. */
  readonly flow: number;
  readonly limit: Limit;
}

/** Enters twice, leaves twice; a task is away from its thread for a turn while it is inside. */
function* visitTwice(
  world: World,
  lock: ModelRLock,
  agent: Agent,
  { flow, limit }: Flow,
): Slow<void> {
  if ((yield* lock.acquire(agent, flow, limit)) !== "got") {
    if (limit === FOREVER) throw new Error("It did not wait");
    return;
  }
  if ((yield* lock.acquire(agent, flow)) !== "got") throw new Error("It could not reenter");
  yield* lock.visit();
  if (!(yield* lock.release(agent, flow))) throw new Error("It is not the owner");
  if (flow !== BLOCKING) yield pause(world);
  yield* lock.visit();
  if (!(yield* lock.release(agent, flow))) throw new Error("It is not the owner any more");
  if (yield* lock.release(agent, flow)) throw new Error("It could release once too often");
}

function flows(list: readonly Flow[]): Scenario {
  return {
    name: list.map(({ home, flow, limit }) => `${home}:${flow}/${limit.deadline}`).join(" | "),
    build(world) {
      const lock = new ModelRLock(world);
      const agents: Agent[] = [];
      for (const flow of list) {
        agents[flow.home] ??= world.agent();
        const agent = agents[flow.home];
        world.strand(agent, `flow ${flow.flow}`, () => visitTwice(world, lock, agent, flow));
      }
      return () => lock.checkEnd(0);
    },
  };
}

const thread = (home: number, limit = FOREVER): Flow => ({ home, flow: BLOCKING, limit });
const task = (home: number, flow: number, limit = FOREVER): Flow => ({ home, flow, limit });

Deno.test("rlock: two threads, two tasks, one of each", () => {
  all("rlock, 2 flows", [
    flows([thread(0), thread(1)]),
    flows([thread(0), task(1, 2)]),
    flows([task(0, 2), task(1, 2)]),
    flows([task(0, 2), task(0, 3)]),
    flows([thread(0), thread(1, LIMITED)]),
    flows([task(0, 2), task(1, 2, ABORTABLE)]),
    flows([task(0, 2, LIMITED), task(0, 3, ABORTABLE)]),
  ]);
});

Deno.test("rlock: tasks of one thread and another thread", () => {
  some("rlock, 3 flows", [
    flows([task(0, 2), task(0, 3), thread(1)]),
    flows([task(0, 2), task(0, 3, LIMITED), thread(1, LIMITED)]),
    flows([task(0, 2, ABORTABLE), task(1, 2), thread(2)]),
  ], 2500);
});

Deno.test("rlock: a flow that was granted the lock owns it, though its thread blocks first", () => {
  const scenario: Scenario = {
    name: "a task waits, its thread blocks once, another thread comes and goes",
    build(world) {
      const lock = new ModelRLock(world);
      const [a, b] = [world.agent(), world.agent()];
      world.strand(a, "task", () => visitTwice(world, lock, a, task(0, 2)));
      world.strand(a, "blocks", () => blockOnce(a));
      world.strand(b, "thread", () => visitTwice(world, lock, b, thread(1)));
      return () => lock.checkEnd(0);
    },
  };
  some("rlock, blocked thread", [scenario], 5000);
});
