import { assert, assertEquals } from "@std/assert";
import { Semaphore } from "@batteries/concurrent/threading";

// Under `deno test`, setInterval and setTimeout run the microtasks that are waiting before they return.

Deno.test("Semaphore.acquire: a grant that comes while the waiter's first timer is being made, wakes it", async () => {
  const slots = new Semaphore(1);
  const done: string[] = [];
  const use = async (name: string) => {
    await slots.acquire();
    await Promise.resolve();
    slots.release();
    done.push(name);
  };
  await Promise.all(["a", "b", "c"].map(use));
  assertEquals(done, ["a", "b", "c"]);
});

Deno.test("Semaphore.acquire: a grant that comes while its time-out is being set, leaves no timer behind", async () => {
  const slots = new Semaphore(1);
  const use = async () => {
    assert(await slots.acquire({ timeout: 1e6 }));
    await Promise.resolve();
    slots.release();
  };
  await Promise.all([use(), use(), use()]);
});
