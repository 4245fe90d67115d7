/** Pools whose worker was stopped (`SIGSTOP`): it is there, and does nothing. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ProcessPoolExecutor } from "@batteries/concurrent/futures";
import { Pool, TimeoutError } from "@batteries/concurrent/multiprocessing/pool";
import { pid, square } from "../fixtures/multiprocessing/pool_tasks.ts";

/** Stops a process and waits until it stands still. */
async function stop(pid: number): Promise<void> {
  Deno.kill(pid, "SIGSTOP");
  for (;;) {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    if (stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Whether a process is there. */
function isThere(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}

Deno.test("with: a call whose worker never begins it, fails in the end, and its worker is replaced", async () => {
  await using pool = new Pool(1);
  await using executor = new ProcessPoolExecutor(1);
  const pids = [await pool.apply(pid), await executor.submit(pid)];
  const begun = performance.now();
  for (const pid of pids) await stop(pid);
  const late = [
    pool.with({ timeout: 100 }).apply(square, [2]),
    executor.with({ timeout: 100 }).submit(square, 2).result(),
  ];
  // What waits behind it goes to the next worker.
  const behind = [pool.apply(square, [3]), executor.submit(square, 3).result()];
  // Together: either may be the first.
  await Promise.all(late.map((call) => assertRejects(() => call, TimeoutError, "before it ran")));
  assert(performance.now() - begun > 10_000);
  assertEquals(await Promise.all(behind), [9, 9]);
  assertEquals(pids.map(isThere), [false, false]);
});

Deno.test("with: a call whose worker never begins it, fails in the end also for who is blocked", async () => {
  await using pool = new Pool(1);
  await stop(await pool.apply(pid));
  const late = pool.with({ timeout: 100 }).applyAsync(square, [2]);
  const behind = pool.applyAsync(square, [3]);
  assertThrows(() => late.getSync(), TimeoutError, "before it ran");
  assertEquals(behind.getSync(), 9);
});
