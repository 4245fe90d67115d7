/** `executor.with(…)`: calls that are stopped for good. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  BrokenThreadPool,
  MemoryError,
  ThreadPoolExecutor,
  TimeoutError,
} from "@batteries/concurrent/futures";
import { Event, Lock, PicklingError } from "@batteries/concurrent/threading";
import { PriorityQueue, Queue } from "@batteries/concurrent/queue";
import {
  block,
  bomb,
  BOMBS,
  bombSoon,
  byRank,
  deepSum,
  double,
  doubleAfter,
  flood,
  holding,
  idle,
  leaveBomb,
  never,
  putCompared,
  type Ranked,
  relay,
  spin,
  stubborn,
  sum,
  ticks,
  waitForBombs,
} from "../fixtures/futures/stop_tasks.ts";
import { leave } from "../fixtures/futures/tasks.ts";
import { three } from "../fixtures/futures/slow_import.ts";
import { four } from "../fixtures/futures/endless_import.ts";

const HOWS = ["spin", "block", "idle", "never"] as const;

/** Waits until the counter stands still, and says for how long it was looked at. */
async function standsStill(counter: Int32Array): Promise<void> {
  const seen = Atomics.load(counter, 0);
  assert(seen > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(Atomics.load(counter, 0), seen);
}

Deno.test("with({ signal }): calls that end their threads, again and again, break their pool and hold up nobody", async () => {
  // A thread that is just ending must not be cut off while it says so: that once happened to one in fifteen.
  for (let round = 0; round < 30; round++) {
    const executor = new ThreadPoolExecutor(1);
    const { signal } = new AbortController();
    const stoppable = executor.with({ signal });
    assertEquals(await stoppable.submit(double, 2), 4);
    await assertRejects(() => stoppable.submit(leave, 3).result(), BrokenThreadPool);
    await executor.shutdown();
  }
});

Deno.test("with: a call that runs in a loop, is stopped by its time-out and runs no more", async () => {
  await using executor = new ThreadPoolExecutor(1);
  // Time counts from the call's start, and to import its module is a part of it.
  await executor.with({ timeout: 60_000 }).submit(double, 1);
  const counter = new Int32Array(new SharedArrayBuffer(4));
  // Long enough that a thread which others keep from the processor has begun before.
  const future = executor.with({ timeout: 2000 }).submit(ticks, counter);
  await assertRejects(() => future.result(), TimeoutError, "2000 ms");
  await standsStill(counter);
  assertEquals(await executor.submit(double, 4), 8);
});

Deno.test("with: calls that never end, are stopped by a signal with its reason, whatever they do", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const held = new Lock();
  held.acquireSync();
  for (const task of [spin, block, idle, never, stubborn]) {
    const begun = new Event();
    const controller = new AbortController();
    const future = executor.with({ signal: controller.signal })
      .submit(task as typeof block, begun, held);
    await begun.wait();
    assert(future.running());
    const reason = new Error("enough");
    controller.abort(reason);
    const error = await future.exception();
    assertEquals(error, reason, task.name);
    assertEquals(await executor.submit(double, 4), 8, task.name);
  }
  held.release();
  assert(!held.locked());
  assert(held.acquireSync({ timeout: 60_000 }), "a waiter that is gone was given the lock");
});

Deno.test("with: a lock that a stopped call held, goes to who waits or comes, and says so once", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const other = new Lock();
  other.acquireSync();
  for (const how of HOWS) {
    for (const waits of [true, false]) {
      const mine = new Lock();
      const begun = new Event();
      const controller = new AbortController();
      const future = executor.with({ signal: controller.signal })
        .submit(holding, how, mine, begun, other);
      await begun.wait();
      assert(mine.locked());
      const waiting = waits ? mine.acquire() : undefined;
      controller.abort();
      await assertRejects(() => future.result(), DOMException);
      assert(await (waiting ?? mine.acquire()), how);
      assertEquals([mine.ownerDied(), mine.ownerDied()], [true, false], how);
      mine.release();
      assert(mine.acquireSync({ blocking: false }));
      assert(!mine.ownerDied());
    }
  }
  other.release();
});

Deno.test("with: siblings and the tasks behind a stopped one, are untouched", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const gate = new Event();
  const begun = new Event();
  const sibling = executor.submit(doubleAfter, 21, gate);
  const controller = new AbortController();
  const victim = executor.with({ signal: controller.signal }).submit(spin, begun);
  await begun.wait();
  const behind = [1, 2, 3].map((n) => executor.submit(double, n));
  const stoppedEarly = executor.with({ signal: controller.signal }).submit(double, 5);
  controller.abort(new Error("stop"));
  await assertRejects(() => victim.result(), Error, "stop");
  await assertRejects(() => stoppedEarly.result(), Error, "stop");
  assertEquals(await Promise.all(behind), [2, 4, 6]);
  gate.set();
  assertEquals(await sibling, 42);
});

Deno.test("with: a call that ends in time, gives its result, and the time of others does not count", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const limited = executor.with({ timeout: 60_000 });
  const gate = new Event();
  const first = executor.submit(doubleAfter, 1, gate);
  const results = [2, 3].map((n) => limited.submit(double, n));
  gate.set();
  assertEquals(await Promise.all([first, ...results]), [2, 4, 6]);
  assertEquals(await Array.fromAsync(limited.map(double, [1, 2, 3], { chunksize: 2 })), [2, 4, 6]);
});

Deno.test("with: a main thread that is blocked in resultSync, stops a call that is out of time", async () => {
  const executor = new ThreadPoolExecutor(1);
  const future = executor.with({ timeout: 50 }).submit(spin);
  const behind = executor.submit(double, 4);
  assertThrows(() => future.resultSync(), TimeoutError);
  assertEquals(behind.resultSync(), 8);
  await executor.shutdown();
});

Deno.test("with: map, ends with the call that is out of time, and the pool goes on", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const results: number[] = [];
  const begun = new Event();
  await assertRejects(
    async () => {
      const iterator = executor.with({ timeout: 100 }).map(never, [begun, begun]);
      for await (const _ of iterator) results.push(0);
    },
    TimeoutError,
  );
  assertEquals(results, []);
  assertEquals(await executor.submit(double, 1), 2);
});

Deno.test("with: queues that a stopped call used, go on without it", async () => {
  await using executor = new ThreadPoolExecutor(2);
  for (let round = 0; round < 5; round++) {
    const from = new Queue<number>(4);
    const to = new Queue<number>(4);
    const controller = new AbortController();
    const on = executor.with({ signal: controller.signal });
    const futures = [on.submit(flood, from), on.submit(relay, from, to)];
    for (let i = 0; i < 100; i++) assertEquals(await to.get(), i);
    controller.abort();
    for (const future of futures) await assertRejects(() => future.result(), DOMException);
    // Whatever they left is in order, and both queues can be filled and emptied.
    for (const queue of [from, to]) {
      while (!queue.empty()) await queue.get({ timeout: 60_000 });
      for (let i = 0; i < 4; i++) await queue.put(i, { timeout: 60_000 });
      for (let i = 0; i < 4; i++) assertEquals(await queue.get({ timeout: 60_000 }), i);
    }
  }
});

Deno.test("with: a call that is stopped in a compare function of a queue, leaves the queue to others", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const queue = new PriorityQueue<Ranked>(0, { compare: byRank });
  queue.putNowait({ rank: 1 });
  const begun = new Event();
  const controller = new AbortController();
  const future = executor.with({ signal: controller.signal }).submit(putCompared, queue, begun);
  await begun.wait();
  controller.abort();
  await assertRejects(() => future.result(), DOMException);
  queue.putNowait({ rank: 0 });
  assertEquals([await queue.get(), await queue.get()], [{ rank: 0 }, { rank: 1 }]);
  assert(queue.empty());
});

Deno.test("with: a signal that is aborted already, fails the call before it starts", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const reason = new Error("before");
  const future = executor.with({ signal: AbortSignal.abort(reason) }).submit(double, 1);
  assertEquals(await future.exception(), reason);
  assertEquals(executor.stats().workers, 0);
});

Deno.test("with: transfer, moves the buffer and does not copy it", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const buffer = new Uint8Array(1000).fill(2).buffer;
  assertEquals(await executor.with({ transfer: [buffer] }).submit(sum, buffer), 2000);
  assert(buffer.detached);
});

Deno.test("with: transfer, of views, of parts and of what is no argument, lets go here; what is refused stays", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const whole = new Uint8Array(1000).fill(2);
  const part = new Uint8Array(1000).fill(3).subarray(0, 10);
  const other = new ArrayBuffer(8);
  assertEquals(
    await executor.with({ transfer: [whole.buffer, other] }).submit(sum, whole.buffer),
    2000,
  );
  assertEquals([whole.length, other.detached], [0, true]);
  const moving = executor.with({ transfer: [part.buffer] });
  assertEquals(await moving.submit(sum, part.buffer), 3000);
  assertEquals(part.length, 0);
  assertThrows(() => moving.submit(sum, new ArrayBuffer(8)));
  const kept = new ArrayBuffer(8);
  const unable = (() => 0) as never;
  assertThrows(() => executor.with({ transfer: [kept] }).submit(sum, unable), PicklingError);
  assertEquals(kept.detached, false);
});

Deno.test("with: transfer with map, each call moves what is in its items, when it is sent", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const buffers = [1, 2, 3].map((n) => new Uint8Array(1000).fill(n).buffer);
  const other = new ArrayBuffer(8);
  const moving = executor.with({ transfer: [...buffers, other] });
  const sums = moving.map(sum, buffers, { buffersize: 1 });
  assertEquals(buffers.map(({ detached }) => detached), [true, false, false]);
  assertEquals(await Array.fromAsync(sums), [1000, 2000, 3000]);
  assertEquals([...buffers, other].map(({ detached }) => detached), [true, true, true, false]);

  const views = [4, 5].map((n) => ({ deep: [new Map([[n, new Uint8Array(10).fill(n)]])] }));
  const held = views.map(({ deep }, i) => deep[0].get(4 + i)!.buffer as ArrayBuffer);
  const deepSums = executor.with({ transfer: held }).map(deepSum, views, { chunksize: 2 });
  assertEquals(await Array.fromAsync(deepSums), [40, 50]);
  assertEquals(held.map(({ detached }) => detached), [true, true]);

  // What is gone cannot go again.
  const twice = new ArrayBuffer(8);
  const again = executor.with({ transfer: [twice] });
  assertThrows(() => again.map(sum, [twice, twice]), PicklingError);
});

Deno.test("with: a time-out, does not count the import of the call's module", async () => {
  await using executor = new ThreadPoolExecutor(1);
  // The import takes longer; the call takes nothing, but may be kept from the processor.
  assertEquals(await executor.with({ timeout: 2000 }).submit(three), 3);
  assert(executor.stats().runTime.max < 2000);
});

Deno.test("with: an import that does not end, is stopped by a signal, and by a time-out in the end", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const controller = new AbortController();
  const begun = performance.now();
  const late = executor.with({ timeout: 10 }).submit(four);
  const aborted = executor.with({ signal: controller.signal }).submit(four);
  while (!aborted.running()) await new Promise((resolve) => setTimeout(resolve, 5));
  const reason = new Error("enough");
  controller.abort(reason);
  assertEquals(await aborted.exception(), reason);
  assertEquals(await executor.submit(double, 4), 8);
  await assertRejects(() => late.result(), TimeoutError, "import its modules");
  assert(performance.now() - begun > 10_000);
  assertEquals(await executor.submit(double, 5), 10);
});

Deno.test("with: a worker that a stopped call took with it, is replaced before the next call", async () => {
  await using executor = new ThreadPoolExecutor(1);
  await assertRejects(() => executor.with({ timeout: 20 }).submit(spin).result(), TimeoutError);
  assertEquals(executor.stats().workers, 1);
  while (executor.stats().workers === 1) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(await executor.submit(double, 4), 8);
  assertEquals(executor.stats().workers, 2);
});

Deno.test("with: wrong options, are refused at the call", async () => {
  await using executor = new ThreadPoolExecutor(1);
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  const use = (options: any) => () => executor.with(options);
  assertThrows(use(null), TypeError, "options must be an object");
  assertThrows(use({ timeout: "1" }), TypeError, "timeout must be a number");
  assertThrows(use({ timeout: NaN }), RangeError, "timeout");
  assertThrows(use({ signal: {} }), TypeError, "signal must be an AbortSignal");
  assertThrows(use({ transfer: 1 }), TypeError, "transfer must be an array");
});

Deno.test("memoryLimit: a call that exceeds it, fails alone with MemoryError", async () => {
  await using executor = new ThreadPoolExecutor({ maxWorkers: 2, memoryLimit: 48 });
  const gate = new Event();
  const sibling = executor.submit(doubleAfter, 21, gate);
  const error = await executor.submit(bomb).exception();
  assertInstanceOf(error, MemoryError);
  assertEquals(error.message.includes("48 MiB"), true);
  assertEquals(await executor.submit(double, 4), 8);
  gate.set();
  assertEquals(await sibling, 42);
});

for (const [where, task] of Object.entries(BOMBS)) {
  Deno.test(`memoryLimit: a call that exceeds it ${where}, fails with MemoryError, also for who is blocked`, async () => {
    await using executor = new ThreadPoolExecutor({ maxWorkers: 1, memoryLimit: 48 });
    const future = executor.submit(task);
    const behind = executor.submit(double, 2);
    assertInstanceOf(await future.exception(), MemoryError);
    assertEquals(await behind, 4);
    const second = executor.submit(task);
    assertThrows(() => second.resultSync({ timeout: 120_000 }), MemoryError);
    assertEquals(executor.submit(double, 4).resultSync({ timeout: 120_000 }), 8);
  });
}

Deno.test("memoryLimit: a thread that is blocked, is told of its own pool's calls", async () => {
  await using executor = new ThreadPoolExecutor(1);
  assertEquals(await executor.submit(waitForBombs), ["MemoryError", "MemoryError"]);
});

Deno.test("memoryLimit: an initializer that exceeds it, and what a call left behind, break the pool or the call that runs, and say so", async () => {
  {
    await using executor = new ThreadPoolExecutor({
      maxWorkers: 1,
      memoryLimit: 48,
      initializer: bombSoon,
    });
    const error = await executor.submit(double, 4).exception();
    assertInstanceOf(error, BrokenThreadPool);
    assertInstanceOf(error.cause, MemoryError);
  }
  await using executor = new ThreadPoolExecutor({ maxWorkers: 1, memoryLimit: 48 });
  const gate = new Event();
  await executor.submit(leaveBomb, gate);
  gate.set();
  // Nobody can tell whose memory it was: where a call runs at that moment, it is the one that fails, and the pool goes on.
  let told: unknown;
  for (const start = performance.now(); told === undefined;) {
    assert(performance.now() - start < 60_000, "Waited in vain until somebody was told");
    try {
      told = await executor.submit(double, 4).exception();
    } catch (error) {
      told = error;
    }
  }
  if (!(told instanceof MemoryError)) {
    assertInstanceOf(told, BrokenThreadPool);
    assertThrows(() => executor.submit(double, 4), BrokenThreadPool);
  }
});

Deno.test("memoryLimit: what is not a number of MiB, is refused", () => {
  for (const memoryLimit of [0, -1, 1.5, NaN, 2 ** 21]) {
    assertThrows(() => new ThreadPoolExecutor({ memoryLimit }), RangeError, "memoryLimit");
  }
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => new ThreadPoolExecutor({ memoryLimit: "1" as any }), TypeError);
});
