/** `Pool`: the contract, and how it fares when its workers do not. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  activeChildren,
  Array as SharedArray,
  Event,
  getContext,
  Value,
} from "@batteries/concurrent/multiprocessing";
import {
  MemoryError,
  Pool,
  ProcessError,
  WorkerLostError,
} from "@batteries/concurrent/multiprocessing/pool";
import { ProcessPoolFactory } from "../../multiprocessing/_pool_factory.ts";
import { testPool } from "../contracts/pool.ts";
import {
  attempt,
  countThenKill,
  exit,
  exitingInitializer,
  hog,
  killAtThirty,
  killSelf,
  leavesError,
  mark,
  marked,
  pid,
  spinTelling,
  square,
} from "../fixtures/multiprocessing/pool_tasks.ts";

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

testPool({
  name: "Pool",
  make: (options) => new Pool(options),
  event: () => new Event(),
  stops: true,
});

/** Whether a process is there. */
function isThere(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}

Deno.test("Pool: its workers, are other processes, kept from call to call", async () => {
  const pool = new Pool({ processes: 1 });
  const first = await pool.apply(pid);
  assertNotEquals(first, Deno.pid);
  assertEquals(await pool.map(pid as (n: number) => number, [1, 2, 3]), [first, first, first]);
  pool.close();
  await pool.join();
  assert(!isThere(first));
});

Deno.test("Pool: a worker that is killed in a call, fails it with pid and exit code, is replaced, and no other call is touched", async () => {
  const pool = new Pool(2);
  for (let i = 0; i < 3; i++) {
    const results = numbers(20).map((n) => pool.applyAsync(square, [n]));
    const lost = pool.applyAsync(killSelf);
    const more = numbers(20).map((n) => pool.applyAsync(square, [n]));
    const error = await assertRejects(() => lost.get(), WorkerLostError, "signal 9");
    assertEquals(error.exitcode, -9);
    assert(!isThere(error.pid!));
    const all = await Promise.all([...results, ...more].map((result) => result.get()));
    assertEquals(all, [...numbers(20), ...numbers(20)].map((n) => n * n));
  }
  pool.close();
  await pool.join();
});

Deno.test("Pool: a worker that is killed among quick calls sent ahead, fails the one that it ran and no other", async () => {
  const pool = new Pool(1);
  for (let i = 0; i < 5; i++) {
    const results = numbers(60).map((n) => pool.applyAsync(killAtThirty, [n]));
    for (const [n, result] of results.entries()) {
      if (n === 30) await assertRejects(() => result.get(), WorkerLostError);
      else assertEquals(await result.get(), n * n);
    }
  }
  pool.close();
  await pool.join();
});

Deno.test("Pool: a worker that is killed from outside, in a call or idle, is replaced", async () => {
  const pool = new Pool(1);
  const idle = await pool.apply(pid);
  Deno.kill(idle, "SIGKILL");
  const told = Value("i");
  const begun = new Event();
  let result = pool.applyAsync(spinTelling, [told, begun]);
  // Which of the two has it depends on who was faster.
  try {
    await Promise.race([begun.wait(), result.get()]);
  } catch (error) {
    assertInstanceOf(error, WorkerLostError);
    result = pool.applyAsync(spinTelling, [told, begun]);
    await begun.wait();
  }
  assertNotEquals(told.value, idle);
  Deno.kill(told.value, "SIGTERM");
  const error = await assertRejects(() => result.get(), WorkerLostError);
  assertEquals(error.exitcode, -15);
  assertNotEquals(await pool.apply(pid), error.pid);
  pool.close();
  await pool.join();
});

Deno.test("Pool: a call that exits, fails with the exit code", async () => {
  const pool = new Pool(1);
  for (const code of [0, 3]) {
    const error = await assertRejects(() => pool.apply(exit, [code]), WorkerLostError);
    assertEquals(error.exitcode, code);
  }
  assertEquals(await pool.map(square, numbers(5)), [0, 1, 4, 9, 16]);
  pool.close();
  await pool.join();
});

Deno.test("Pool: map and imap with a call that kills its worker, fail in the right place", async () => {
  const pool = new Pool(2);
  await assertRejects(() => pool.map(killAtThirty, numbers(60)), WorkerLostError);
  await assertRejects(() => pool.map(killAtThirty, numbers(60), { chunksize: 1 }), WorkerLostError);
  const results = pool.imap(killAtThirty, numbers(40));
  for (let n = 0; n < 40; n++) {
    if (n === 30) await assertRejects(() => results.next(), WorkerLostError);
    else assertEquals((await results.next()).value, n * n);
  }
  pool.close();
  await pool.join();
});

Deno.test("Pool: a map whose worker is killed, fails, and makes no call twice", async () => {
  const pool = new Pool(1);
  // Quick ones before, so that calls are sent ahead.
  await pool.map(square, numbers(300), { chunksize: 1 });
  const counts = SharedArray("i", 300);
  const calls = numbers(300).map((n) => [counts, n, 250] as const);
  const other = pool.mapAsync(square, numbers(50), { chunksize: 1 });
  const lost = pool.starmapAsync(countThenKill, calls as never, { chunksize: 1 });
  const after = pool.mapAsync(square, numbers(50), { chunksize: 1 });
  const error = await assertRejects(() => lost.get(), WorkerLostError);
  assertEquals(error.exitcode, -9);
  assertEquals(await other.get(), numbers(50).map((n) => n * n));
  assertEquals(await after.get(), numbers(50).map((n) => n * n));
  assertEquals(counts.get(250), 1);
  assert(counts.slice().every((count) => count <= 1));
  pool.close();
  await pool.join();
});

Deno.test("Pool: an initializer that ends its process, breaks the pool", async () => {
  const pool = new Pool({ processes: 2, initializer: exitingInitializer });
  const error = await assertRejects(() => pool.apply(square, [1]), ProcessError, "exit code 5");
  assertInstanceOf(error.cause, WorkerLostError);
  await pool.terminate();
});

Deno.test("Pool: maxtasksperchild, replaces each worker after so many calls", async () => {
  const pool = new Pool({ processes: 1, maxtasksperchild: 2, initializer: mark, initargs: [1] });
  const pids = [];
  for (let i = 0; i < 6; i++) pids.push(await pool.apply(pid));
  assertEquals([pids[0], pids[2], pids[4]], [pids[1], pids[3], pids[5]]);
  assertEquals(new Set(pids).size, 3);
  assertEquals(await pool.apply(marked), [1]);
  const many = await Promise.all(numbers(9).map(() => pool.applyAsync(pid).get()));
  assertEquals(new Set(many).size, 5);
  pool.close();
  await pool.join();
  for (const bad of [0, -1, 1.5]) {
    assertThrows(() => new Pool({ processes: 1, maxtasksperchild: bad }), RangeError);
  }
});

Deno.test("Pool: terminate, ends workers that spin", async () => {
  const pool = new Pool(2);
  const spins = [1, 2].map(() => ({ told: Value("i"), begun: new Event() }));
  const results = spins.map(({ told, begun }) => pool.applyAsync(spinTelling, [told, begun]));
  for (const { begun } of spins) await begun.wait();
  await pool.terminate();
  await pool.join();
  for (const result of results) await assertRejects(() => result.get(), ProcessError);
  for (const { told } of spins) assert(!isThere(told.value));
});

Deno.test("Pool: its permissions, are those that were asked for", async () => {
  const kinds = ["read", "write", "net", "env", "sys", "run", "ffi"];
  const pool = new Pool({ processes: 1, permissions: "none" });
  assertEquals(await pool.apply(square, [4]), 16);
  assertEquals(await pool.map(attempt, kinds), kinds.map(() => "NotCapable"));
  pool.close();
  await pool.join();
  const some = new Pool({ processes: 1, permissions: { env: ["HOME"], sys: true } });
  assertEquals(
    await some.map(attempt, kinds),
    kinds.map((kind) => kind === "env" || kind === "sys" ? "done" : "NotCapable"),
  );
  some.close();
  await some.join();
  assertThrows(() => new Pool({ permissions: "some" as never }), TypeError);
});

Deno.test("Pool: with new or without, is the same class", async () => {
  const pool = ProcessPoolFactory(1);
  assertInstanceOf(pool, Pool);
  assertInstanceOf(pool, ProcessPoolFactory);
  assertThrows(() => new ProcessPoolFactory({ processes: 0 }), RangeError);
  assertThrows(() => new Pool({ context: 1 as never }), TypeError);
  assertEquals(await pool.apply(square, [3]), 9);
  pool.close();
  await pool.join();
});

Deno.test("Pool: its workers, are among activeChildren, with name and pid, until they have ended", async () => {
  const before = activeChildren().length;
  const pool = new Pool(2);
  const children = activeChildren();
  assertEquals(children.length, before + 2);
  const pids = new Set(await pool.map(pid as (n: number) => number, numbers(20), { chunksize: 1 }));
  for (const each of pids) assert(children.some((child) => child.pid === each));
  for (const { name, daemon } of children) assert(/^PoolWorker-/.test(name) && daemon);
  await pool.terminate();
  assertEquals(activeChildren().length, before);
});

Deno.test("Pool: of a context, is a Pool, with new or without", async () => {
  const context = getContext("spawn");
  for (const pool of [context.Pool(1), new context.Pool({ processes: 1 })]) {
    assertInstanceOf(pool, Pool);
    assertEquals(await pool.apply(square, [3]), 9);
    await pool.terminate();
  }
});

Deno.test("Pool: memoryLimit, fails the call that needs more and no other", async () => {
  const pool = new Pool({ processes: 1, memoryLimit: 48 });
  const hungry = pool.applyAsync(hog);
  const after = pool.mapAsync(square, numbers(5));
  await assertRejects(() => hungry.get(), MemoryError, "48 MiB");
  assertEquals(await after.get(), [0, 1, 4, 9, 16]);
  pool.close();
  await pool.join();
  assertThrows(() => new Pool({ memoryLimit: 1 }), RangeError);
});

Deno.test("Pool: an error that nobody caught in a worker, is named by who it hits", async () => {
  const pool = new Pool(1);
  const result = pool.applyAsync(leavesError, [true]);
  await assertRejects(() => result.get(), WorkerLostError, "TypeError: left behind");
  assertEquals(await pool.apply(square, [3]), 9);
  pool.close();
  await pool.join();
});
