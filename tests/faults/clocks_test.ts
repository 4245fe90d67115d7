/** The machine's clock is set forward and back, by hours, all the time: whatever has a limit keeps it. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ProcessPoolExecutor,
  ThreadPoolExecutor,
  TimeoutError,
} from "@batteries/concurrent/futures";
import { Process } from "@batteries/concurrent/multiprocessing";
import { SyncManager } from "@batteries/concurrent/multiprocessing/managers";
import { Empty, Queue } from "@batteries/concurrent/queue";
import { Scheduler } from "@batteries/concurrent/sched";
import { run, TimeoutExpired } from "@batteries/concurrent/subprocess";
import { Event, Lock } from "@batteries/concurrent/threading";
import { idle } from "../fixtures/faults/parties.ts";
import { beginAndWait } from "../fixtures/futures/executor_tasks.ts";
import { doubleAfter, spin } from "../fixtures/futures/clock_tasks.ts";

const HOUR = 3_600_000;

/** In this thread, each look at the machine's clock finds it hours on or back. */
function jumping(): Disposable {
  const Real = globalThis.Date;
  let looks = 0;
  const jump = () => (++looks % 2 === 0 ? 5 : -3) * HOUR;
  // `new Date()` too, which does not ask `now`.
  const construct = (_: typeof Real, args: unknown[]) =>
    Reflect.construct(Real, args.length > 0 ? args : [Real.now() + jump()]);
  class Jumping extends Real {
    static override now(): number {
      return Real.now() + jump();
    }
  }
  globalThis.Date = new Proxy(Jumping, { construct }) as DateConstructor;
  return {
    [Symbol.dispose]() {
      globalThis.Date = Real;
    },
  };
}

/** Whether it took as long as it may, on a clock that does not jump; a busy machine may take longer. */
async function takes(ms: number, body: () => unknown): Promise<void> {
  const begun = performance.now();
  await body();
  const took = performance.now() - begun;
  assert(took > ms - 2, `${took} ms`);
}

Deno.test("a clock that jumps: locks, events, queues and schedulers keep their limits, blocked or not", async () => {
  using _ = jumping();
  const lock = new Lock();
  lock.acquireSync();
  const queue = new Queue<number>();
  await takes(30, async () => assertEquals(await lock.acquire({ timeout: 30 }), false));
  await takes(30, () => assertEquals(lock.acquireSync({ timeout: 30 }), false));
  await takes(30, async () => assertEquals(await new Event().wait({ timeout: 30 }), false));
  await takes(30, () => assertRejects(() => queue.get({ timeout: 30 }), Empty));
  await takes(30, () => assertThrows(() => queue.getSync({ timeout: 30 }), Empty));
  // What is not over yet is not given up.
  const got = queue.get({ timeout: HOUR });
  const waited = lock.acquire({ timeout: HOUR });
  await new Promise((resolve) => setTimeout(resolve, 20));
  queue.putSync(7);
  lock.release();
  assertEquals(await got, 7);
  assertEquals(await waited, true);
  const order: number[] = [];
  const scheduler = new Scheduler();
  for (const ms of [40, 10, 20]) scheduler.enter(ms, 1, () => void order.push(ms));
  await takes(40, () => scheduler.run());
  assertEquals(order, [10, 20, 40]);
});

Deno.test("a clock that jumps: calls of pools have their time, and no more, and so has who waits for them", async () => {
  using _ = jumping();
  for (const Kind of [ThreadPoolExecutor, ProcessPoolExecutor]) {
    await using executor = new Kind(1);
    assertEquals(await executor.with({ timeout: HOUR }).submit(doubleAfter, 2, 50), 4);
    const folder = await Deno.makeTempDir();
    const gated = executor.submit(beginAndWait, `${folder}/begun`, `${folder}/gate`, 6);
    await takes(20, () => assertRejects(() => gated.result({ timeout: 20 }), TimeoutError));
    await Deno.writeTextFile(`${folder}/gate`, "");
    assertEquals(await gated.result({ timeout: HOUR }), 6);
    await Deno.remove(folder, { recursive: true });
    const late = executor.with({ timeout: 50 }).submit(spin);
    await takes(50, () => assertRejects(() => late.result(), TimeoutError, "50 ms"));
  }
});

Deno.test("a clock that jumps: processes, programs and managers are waited for as long as was said", async () => {
  using _ = jumping();
  const process = new Process({ target: idle, daemon: true });
  process.start();
  await takes(30, () => process.join({ timeout: 30 }));
  assertEquals(process.exitcode, null);
  process.kill();
  await process.join({ timeout: HOUR });
  assert(process.exitcode !== null);
  const program = [
    Deno.execPath(),
    "eval",
    "await new Promise((resolve) => setTimeout(resolve, 3600000))",
  ];
  await takes(30, () => assertRejects(() => run(program, { timeout: 30 }), TimeoutExpired));
  await using manager = new SyncManager();
  await manager.start();
  const queue = await manager.Queue<number>();
  await takes(30, () => assertRejects(() => queue.get({ timeout: 30 })));
  await queue.put(1);
  assertEquals(await queue.get({ timeout: HOUR }), 1);
});
