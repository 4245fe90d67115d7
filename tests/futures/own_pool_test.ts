/** Tasks that submit to the executor that runs them, and those that would wait for ever. */

import { assertEquals, assertRejects } from "@std/assert";
import { RuntimeError, ThreadPoolExecutor } from "@batteries/concurrent/futures";
import { Barrier, Event, Thread } from "@batteries/concurrent/threading";
import { callWhen } from "../fixtures/futures/guests.ts";
import {
  abortThere,
  double,
  fibonacci,
  mapThere,
  meetAndWait,
  shutItDown,
  submitAndBlock,
  submitAndLeave,
  submitAndWait,
  submitFailing,
  waitNotForEver,
} from "../fixtures/futures/own_pool_tasks.ts";

Deno.test("own pool: calls of calls, get their results, awaited and blocking", async () => {
  await using executor = new ThreadPoolExecutor(2);
  assertEquals(await executor.submit(submitAndWait, 4, executor), 8);
  assertEquals(await executor.submit(submitAndBlock, 5, executor), 10);
  assertEquals(await executor.submit(mapThere, executor), [2, 4, 6]);
  assertEquals(await executor.submit(submitFailing, executor), "true inner");
});

Deno.test("own pool: a main thread that is blocked in resultSync, passes calls on", async () => {
  await using executor = new ThreadPoolExecutor(2);
  assertEquals(executor.submit(submitAndWait, 4, executor).resultSync(), 8);
});

Deno.test("own pool: a tree of calls with a thread for each, ends", async () => {
  await using executor = new ThreadPoolExecutor(8);
  assertEquals(await executor.submit(fibonacci, 3, executor), 2);
});

for (const task of [submitAndWait, submitAndBlock]) {
  Deno.test(`own pool: ${task.name} with a single thread, is told of the deadlock`, async () => {
    await using executor = new ThreadPoolExecutor(1);
    const future = executor.submit(task as typeof submitAndWait, 1, executor);
    await assertRejects(() => future.result(), RuntimeError, "Deadlock");
    assertEquals(await executor.submit(double, 2), 4);
  });
}

Deno.test("own pool: two threads that both wait for a third call, are told of the deadlock, one of them", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const barrier = new Barrier(2);
  const results = await Promise.all(
    [1, 2].map(() => executor.submit(meetAndWait, barrier, executor)),
  );
  assertEquals(results.sort(), ["2", "RuntimeError"]);
});

Deno.test("own pool: a wait with a limit and a call that does not wait, are no deadlock", async () => {
  await using executor = new ThreadPoolExecutor(1);
  assertEquals(await executor.submit(waitNotForEver, 1, executor), "TimeoutError");
  assertEquals(await executor.submit(submitAndLeave, 1, executor), 1);
});

Deno.test("own pool: a signal in another thread, stops the calls of that thread, with its reason", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const begun = new Event();
  assertEquals(await executor.submit(abortThere, executor, begun), [2, true, true, true]);
  assertEquals(await executor.submit(double, 2), 4);
});

Deno.test("own pool: shutdown from within, is refused", async () => {
  await using executor = new ThreadPoolExecutor(1);
  await assertRejects(
    () => executor.submit(shutItDown, executor).result(),
    RuntimeError,
    "own thread",
  );
});

Deno.test("own pool: an executor handed to a call of another, takes calls too", async () => {
  await using first = new ThreadPoolExecutor(1);
  await using second = new ThreadPoolExecutor(1);
  assertEquals(await first.submit(submitAndWait, 4, second), 8);
  assertEquals(await first.submit(submitAndBlock, 5, second), 10);
});

Deno.test("own pool: a thread that was given an executor, can call it although the thread that has it has no calls of its own", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const told = new Int32Array(new SharedArrayBuffer(16));
  const go = new Event();
  const threads = [0, 1, 2].map((at) =>
    new Thread({ target: callWhen, args: [executor, go, told, at] })
  );
  for (const thread of threads) thread.start();
  // Nothing but their end is awaited here.
  go.set();
  for (const thread of threads) await thread.join();
  assertEquals([...told], [2, 4, 6, 0]);
  // Calls of its own come and go in between.
  assertEquals(await executor.submit(double, 5), 10);
  const last = new Thread({ target: callWhen, args: [executor, go, told, 3] });
  last.start();
  await last.join();
  assertEquals([...told], [2, 4, 6, 8]);
});

Deno.test("own pool: a thread that calls an executor that was shut down, is told so", async () => {
  const executor = new ThreadPoolExecutor(1);
  assertEquals(await executor.submit(double, 1), 2);
  const told = new Int32Array(new SharedArrayBuffer(4));
  const go = new Event();
  const thread = new Thread({ target: callWhen, args: [executor, go, told, 0] });
  thread.start();
  await executor.shutdown();
  go.set();
  await thread.join();
  assertEquals([...told], [-1]);
});
