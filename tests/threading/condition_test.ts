import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { Context } from "@batteries/concurrent/contextvars";
import { Condition, Lock, RLock, ThreadError } from "@batteries/concurrent/threading";
import { testCondition } from "../contracts/condition.ts";
import { settled } from "../contracts/world.ts";
import { threads } from "./_world.ts";

testCondition(threads, {
  condition: (lock) => new Condition(lock as Lock | RLock | undefined),
  lock: () => new Lock(),
  rlock: () => new RLock(),
});

Deno.test("threading Condition: a flow that waits on an RLock owns it again, as deep as before, and nobody else does", async () => {
  const condition = new Condition();
  let waits = false;
  const waiter = new Context().run(async () => {
    await condition.acquire();
    await condition.acquire();
    waits = true;
    assertEquals(await condition.wait(), true);
    assert(condition.locked());
    // Another flow of this thread owns nothing.
    new Context().run(() => assertThrows(() => condition.release(), ThreadError));
    condition.release();
    assert(condition.locked());
    condition.release();
  });
  const notifier = new Context().run(async () => {
    await condition.acquire();
    assert(waits);
    condition.notify();
    // Notified, but the lock is this flow's until it lets go.
    assertEquals(await condition.acquire({ timeout: 0 }), true);
    condition.release();
    condition.release();
  });
  await Promise.all([waiter, notifier]);
  assertFalse(condition.locked());
});

Deno.test("threading Condition: waitSync under a hold of an async flow gives it back to that flow", async () => {
  const condition = new Condition();
  await condition.acquire();
  await condition.acquire();
  assertEquals(condition.waitSync({ timeout: 1 }), false);
  assertEquals(await condition.acquire({ timeout: 0 }), true);
  for (let i = 0; i < 3; i++) condition.release();
  assertFalse(condition.locked());
});

Deno.test("threading Condition: flows that wait on one RLock come back one by one and leave it free", async () => {
  const condition = new Condition();
  let inside = 0;
  let back = 0;
  const flows = Array.from({ length: 5 }, () =>
    new Context().run(async () => {
      await condition.acquire();
      await condition.acquire();
      assertEquals(await condition.wait(), true);
      assertEquals(++inside, 1);
      await settled(Promise.resolve());
      inside--;
      back++;
      condition.release();
      condition.release();
    }));
  // They enter one after the other: who holds the lock once all have asked for it, finds all of them waiting.
  await condition.acquire();
  condition.notifyAll();
  condition.release();
  await Promise.all(flows);
  assertEquals(back, 5);
  assertFalse(condition.locked());
});

Deno.test("threading Condition: plain async tasks, which are one flow, wait on its own lock and are notified", async () => {
  for (const wake of ["notifyAll", "one by one"]) {
    const condition = new Condition();
    const results: boolean[] = [];
    const tasks = Array.from({ length: 5 }, async () => {
      await condition.acquire();
      results.push(await condition.wait());
      condition.release();
    });
    while (results.length < 5) {
      using _held = await condition.hold();
      if (wake === "notifyAll") condition.notifyAll();
      else condition.notify();
    }
    await Promise.all(tasks);
    assertEquals(results, [true, true, true, true, true]);
    assertFalse(condition.locked());
    assertThrows(() => condition.release(), ThreadError);
    assertThrows(() => condition.notify(), ThreadError);
    assertEquals(condition.acquireSync({ timeout: 0 }), true);
    condition.release();
  }
});

Deno.test("threading Condition: a task that acquired beside one that waits then, notifies and releases, once", async () => {
  const condition = new Condition();
  const waiter = (async () => {
    await condition.acquire();
    const notified = await condition.wait();
    condition.release();
    return notified;
  })();
  // Both have acquired before either goes on; then the first one waits, which gives the lock up for both.
  await condition.acquire();
  condition.notify();
  condition.release();
  assertThrows(() => condition.release(), ThreadError);
  assertThrows(() => condition.notify(), ThreadError);
  assertEquals(await waiter, true);
  assertFalse(condition.locked());
});

Deno.test("threading Condition: who has not acquired, has nothing from a task of its flow that waits", async () => {
  const condition = new Condition();
  const waiter = (async () => {
    using _held = await condition.hold();
    return await condition.wait();
  })();
  assertFalse(await settled(waiter));
  assertThrows(() => condition.notify(), ThreadError);
  assertThrows(() => condition.release(), ThreadError);
  await assertRejects(() => condition.wait(), ThreadError);
  await condition.acquire();
  condition.notify();
  condition.release();
  assertEquals(await waiter, true);
  assertFalse(condition.locked());
});

Deno.test("threading Condition: plain async tasks that run out of time or are aborted leave its own lock free", async () => {
  const condition = new Condition();
  const controller = new AbortController();
  const tasks = [
    { timeout: 1 },
    { signal: controller.signal },
    { timeout: 0 },
    { signal: controller.signal },
    { timeout: 2 },
  ].map(async (options) => {
    using _held = await condition.hold();
    return await condition.wait(options).catch((error) => error);
  });
  assertFalse(await settled(tasks[1]));
  controller.abort("enough");
  assertEquals(await Promise.all(tasks), [false, "enough", false, "enough", false]);
  assertFalse(condition.locked());
  assertEquals(condition.acquireSync({ timeout: 0 }), true);
  condition.release();
});
