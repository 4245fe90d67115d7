/** Waiters of a thread that ends its worker under them: nothing is ever given to somebody who is not there. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { Condition, Lock, Thread } from "@batteries/concurrent/threading";
import { until } from "../contracts/world.ts";
import { makeKit, waitAndLeave } from "../fixtures/threading/sharing_parties.ts";

for (const how of ["close", "exit"] as const) {
  for (let time = 1; time <= 3; time++) {
    Deno.test(`waiters of a thread that ends its worker (${how}) are passed over by every primitive, time ${time}`, async () => {
      const kit = { ...makeKit(), condition: new Condition(new Lock()) };
      const { lock, rlock, condition, semaphore, event, barrier } = kit;
      const words = new Int32Array(new SharedArrayBuffer(16));
      lock.acquireSync();
      rlock.acquireSync();
      const thread = new Thread({ target: waitAndLeave, args: [kit, words, how], daemon: true });
      thread.start();
      await thread.join({ timeout: 60_000 });
      assertEquals([thread.isAlive(), words[0]], [false, 1]);

      const behind = lock.acquire({ timeout: 60_000 });
      lock.release();
      assertEquals(await behind, true);
      lock.release();
      assertFalse(lock.locked());

      rlock.release();
      assertFalse(rlock.locked());

      const mine = condition.acquire().then(() => condition.wait({ timeout: 60_000 }));
      await until("this task waits", () => !condition.locked());
      assert(condition.acquireSync({ timeout: 60_000 }));
      condition.notify();
      condition.release();
      assertEquals(await mine, true);
      condition.release();

      semaphore.release();
      assertEquals(semaphore.acquireSync({ blocking: false }), true);
      assertEquals(semaphore.acquireSync({ blocking: false }), false);

      assertEquals([barrier.nWaiting, barrier.broken], [0, false]);
      assertEquals(await Promise.all([barrier.wait(), barrier.wait()]), [0, 1]);
      event.set();
      assertEquals(await event.wait(), true);
    });
  }
}
