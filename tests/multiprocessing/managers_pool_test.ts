import { assert, assertEquals, assertRejects } from "@std/assert";
import { Process } from "@batteries/concurrent/multiprocessing";
import { PoolProxy, SyncManager } from "@batteries/concurrent/multiprocessing/managers";
import { TimeoutError } from "@batteries/concurrent/threading";
import {
  addUp,
  endPool,
  neverEnds,
  OddError,
  square,
  throwOdd,
} from "../fixtures/multiprocessing/manager_parties.ts";

Deno.test("SyncManager: a pool, calls functions in processes of the server", async () => {
  await using manager = new SyncManager();
  await manager.start();
  const pool = await manager.Pool({ processes: 2 });
  assert(pool instanceof PoolProxy);
  assertEquals(await pool.apply(square, [7]), 49);
  assertEquals(await pool.map(square, [1, 2, 3]), [1, 4, 9]);
  assertEquals(await pool.map(square, new Set([1, 2, 3]), { chunksize: 2 }), [1, 4, 9]);
  assertEquals(await pool.starmap(addUp, [[1, 2], [3, 4]]), [3, 7]);
  assertEquals(await Array.fromAsync(pool.imap(square, [1, 2, 3])), [1, 4, 9]);
  assertEquals((await Array.fromAsync(pool.imapUnordered(square, [1, 2]))).toSorted(), [1, 4]);
  const result = await pool.applyAsync(square, [5]);
  assertEquals(await result.get(), 25);
  assertEquals([await result.ready(), await result.successful()], [true, true]);
  const all = await pool.mapAsync(square, [4, 5]);
  await all.wait();
  assertEquals(await all.get(), [16, 25]);
  await assertRejects(() => pool.apply(throwOdd), OddError, "from a worker");
  const endless = await pool.applyAsync(neverEnds);
  await assertRejects(() => endless.get({ timeout: 1 }), TimeoutError);
  await pool.terminate();
  await pool.join();
  await assertRejects(() => pool.apply(square, [1]), RangeError);
});

Deno.test("SyncManager: a pool, is ended from another process", async () => {
  await using manager = new SyncManager();
  await manager.start();
  const pool = await manager.Pool(1);
  const process = new Process({ target: endPool, args: [pool] });
  process.start();
  await process.join();
  assertEquals(process.exitcode, 0);
  await pool.join();
});
