/** What holds for a condition on a lock of its own, whose owner is the asynchronous flow. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import type { ConditionLike } from "../fixtures/threading/condition_parties.ts";
import type { NewFlow } from "./rlock.ts";
import { settled, type World } from "./world.ts";

/** Registers the tests of a condition and the flows of one thread. */
export function testConditionFlows(
  world: World,
  make: () => ConditionLike,
  newFlow: NewFlow,
): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} Condition: ${name}`, body);

  test("a flow that waits on an RLock owns it again, as deep as before, and nobody else does", async () => {
    const condition = make();
    let waits = false;
    const waiter = newFlow(async () => {
      await condition.acquire();
      await condition.acquire();
      waits = true;
      assertEquals(await condition.wait(), true);
      assert(condition.locked());
      // Another flow of this thread owns nothing.
      newFlow(() => assertThrows(() => condition.release(), world.errors.notHeld));
      condition.release();
      assert(condition.locked());
      condition.release();
    });
    const notifier = newFlow(async () => {
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

  test("waitSync under a hold of an async flow gives it back to that flow", async () => {
    const condition = make();
    await condition.acquire();
    await condition.acquire();
    assertEquals(condition.waitSync({ timeout: 1 }), false);
    assertEquals(await condition.acquire({ timeout: 0 }), true);
    for (let i = 0; i < 3; i++) condition.release();
    assertFalse(condition.locked());
  });

  test("flows that wait on one RLock come back one by one and leave it free", async () => {
    const condition = make();
    let inside = 0;
    let back = 0;
    const flows = Array.from({ length: 5 }, () =>
      newFlow(async () => {
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

  test("plain async tasks, which are one flow, wait on its own lock and are notified", async () => {
    for (const wake of ["notifyAll", "one by one"]) {
      const condition = make();
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
      assertThrows(() => condition.release(), world.errors.notHeld);
      assertThrows(() => condition.notify(), world.errors.notHeld);
      assertEquals(condition.acquireSync({ timeout: 0 }), true);
      condition.release();
    }
  });

  test("a task that acquired beside one that waits then, notifies and releases, once", async () => {
    const condition = make();
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
    assertThrows(() => condition.release(), world.errors.notHeld);
    assertThrows(() => condition.notify(), world.errors.notHeld);
    assertEquals(await waiter, true);
    assertFalse(condition.locked());
  });

  test("who has not acquired, has nothing from a task of its flow that waits", async () => {
    const condition = make();
    const waiter = (async () => {
      using _held = await condition.hold();
      return await condition.wait();
    })();
    assertFalse(await settled(waiter));
    assertThrows(() => condition.notify(), world.errors.notHeld);
    assertThrows(() => condition.release(), world.errors.notHeld);
    await assertRejects(() => condition.wait(), world.errors.notHeld);
    await condition.acquire();
    condition.notify();
    condition.release();
    assertEquals(await waiter, true);
    assertFalse(condition.locked());
  });

  test("plain async tasks that run out of time or are aborted leave its own lock free", async () => {
    const condition = make();
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
}
