/** `ThreadPool`: the contract, and what threads alone can do. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { Pool, ThreadPool, WorkerLostError } from "@batteries/concurrent/multiprocessing/pool";
import { Event, Lock } from "@batteries/concurrent/threading";
import { testPool } from "../contracts/pool.ts";
import { exit, identity, pid, square } from "../fixtures/multiprocessing/pool_tasks.ts";

testPool({
  name: "ThreadPool",
  make: (options) => new ThreadPool(options),
  event: () => new Event(),
  stops: false,
});

Deno.test("ThreadPool: its workers, are threads of this process and share memory and locks with it", async () => {
  await using pool = new ThreadPool(2);
  assertInstanceOf(pool, Pool);
  assertEquals(await pool.apply(pid), Deno.pid);
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const same = await pool.apply(identity<Int32Array>, [shared]);
  same[0] = 5;
  assertEquals(shared[0], 5);
  const lock = await pool.apply(identity<Lock>, [new Lock()]);
  assert(lock.acquireSync());
  lock.release();
  pool.close();
  await pool.join();
});

Deno.test("ThreadPool: a call that ends its thread, fails alone and the thread is replaced", async () => {
  const pool = new ThreadPool(1);
  for (let i = 0; i < 3; i++) {
    const results = [1, 2, 3].map((n) => pool.applyAsync(square, [n]));
    await assertRejects(() => pool.apply(exit, [3]), WorkerLostError, "thread ended itself");
    assertEquals(await Promise.all(results.map((result) => result.get())), [1, 4, 9]);
  }
  pool.close();
  await pool.join();
});

Deno.test("ThreadPool: permissions and memoryLimit, are refused with where they can be had", () => {
  for (const options of [{ permissions: "none" }, { memoryLimit: 64 }]) {
    assertThrows(() => new ThreadPool(options as never), TypeError, "use a Pool");
  }
});
