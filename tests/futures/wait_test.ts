/** wait, waitSync and asCompleted: the cases of CPython's test_wait and test_as_completed. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  ALL_COMPLETED,
  asCompleted,
  CancelledError,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  Future,
  RuntimeError,
  ThreadPoolExecutor,
  TimeoutError,
  wait,
  waitSync,
} from "@batteries/concurrent/futures";
import { Event } from "@batteries/concurrent/threading";
import { double, hold, Refusal, refuses } from "../fixtures/futures/tasks.ts";

const ex = () => new ThreadPoolExecutor(2);

/** A task that holds a thread of its own pool, running. */
async function held(): Promise<
  { future: Future<string>; may: Event; pool: ThreadPoolExecutor }
> {
  const pool = new ThreadPoolExecutor(1);
  const [begun, may] = [new Event(), new Event()];
  const future = pool.submit(hold, begun, may);
  await begun.wait();
  return { future: future as Future<string>, may, pool };
}

Deno.test("wait: 20 futures that come twice are waited for once, all done", async () => {
  await using executor = ex();
  const future = executor.submit(double, 21);
  const { done, notDone } = await wait([future, future, future, future]);
  assertEquals([[...done], [...notDone].length], [[future], 0]);
  assertStrictEquals(await future, 42);
});

Deno.test("wait: no futures are done at once", async () => {
  for (const returnWhen of [FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED] as const) {
    const { done, notDone } = await wait([], { returnWhen });
    assertEquals([done.size, notDone.size], [0, 0]);
    assertEquals(waitSync([], { returnWhen }).done.size, 0);
  }
});

for (const colour of ["wait", "waitSync"] as const) {
  const waits = async <T>(...args: Parameters<typeof wait<T>>) =>
    colour === "wait" ? await wait<T>(...args) : waitSync<T>(...args);

  Deno.test(`${colour}: FIRST_COMPLETED ends with the first, of whichever executor`, async () => {
    const one = await held();
    await using executor = ex();
    const quick = executor.submit(double, 1) as Future<unknown>;
    const { done, notDone } = await waits<unknown>([one.future, quick, new Future()], {
      returnWhen: FIRST_COMPLETED,
    });
    assertEquals([done.has(quick), done.size, notDone.size], [true, 1, 2]);
    one.may.set();
    await one.pool.shutdown();
  });

  Deno.test(`${colour}: FIRST_COMPLETED with one that is done does not wait`, async () => {
    const ready = new Future<unknown>();
    ready.setResult(1);
    const { done, notDone } = await waits<unknown>([new Future(), ready], {
      returnWhen: FIRST_COMPLETED,
    });
    assertEquals([done.has(ready), done.size, notDone.size], [true, 1, 1]);
  });

  Deno.test(`${colour}: FIRST_EXCEPTION ends with the first that fails, not with the first`, async () => {
    const one = await held();
    await using executor = new ThreadPoolExecutor(1);
    const good = executor.submit(double, 1) as Future<unknown>;
    const bad = executor.submit(refuses, "no") as Future<unknown>;
    const { done, notDone } = await waits<unknown>([one.future, good, bad], {
      returnWhen: FIRST_EXCEPTION,
    });
    assertEquals([done.has(good), done.has(bad), notDone.has(one.future)], [true, true, true]);
    one.may.set();
    await one.pool.shutdown();
  });

  Deno.test(`${colour}: FIRST_EXCEPTION: a cancelled future is done, and no failure`, async () => {
    const gone = new Future<unknown>();
    gone.cancel();
    const failed = new Future<unknown>();
    failed.setException(new Error("x"));
    const open = new Future<unknown>();
    const first = await waits<unknown>([gone, open], { returnWhen: FIRST_EXCEPTION, timeout: 1 });
    assertEquals([first.done.has(gone), first.notDone.has(open)], [true, true]);
    const second = await waits<unknown>([gone, failed, open], { returnWhen: FIRST_EXCEPTION });
    assertEquals([second.done.size, second.notDone.size], [2, 1]);
  });

  Deno.test(`${colour}: ALL_COMPLETED waits for results, errors and cancelled ones`, async () => {
    await using executor = new ThreadPoolExecutor(1);
    const gone = new Future<unknown>();
    gone.cancel();
    const futures = [executor.submit(double, 1), executor.submit(refuses, "no"), gone];
    const { done, notDone } = await waits<unknown>(futures as Future<unknown>[]);
    assertEquals([done.size, notDone.size], [3, 0]);
  });

  Deno.test(`${colour}: running out of time is no error, and tells what is done`, async () => {
    const one = await held();
    const ready = new Future<unknown>();
    ready.setResult(1);
    for (const timeout of [0, -5, 10]) {
      const { done, notDone } = await waits<unknown>([one.future, ready], { timeout });
      assertEquals([[...done].length, notDone.has(one.future)], [1, true]);
      assert(done.has(ready));
    }
    one.may.set();
    await one.pool.shutdown();
  });

  Deno.test(`${colour}: 20,000 futures of two executors`, async () => {
    await using a = new ThreadPoolExecutor(1);
    await using b = new ThreadPoolExecutor(1);
    const futures = Array.from({ length: 20_000 }, (_, i) => (i % 2 ? a : b).submit(double, i));
    const { done, notDone } = await waits<unknown>(futures);
    assertEquals([done.size, notDone.size], [20_000, 0]);
    assertEquals(futures.map((future) => future.resultSync())[19_999], 39_998);
  });

  Deno.test(`${colour}: bad input is refused`, async () => {
    await assertRejects(async () => await waits<unknown>([1 as never]), TypeError, "futures");
    await assertRejects(async () => await waits<unknown>(1 as never), TypeError, "iterable");
    await assertRejects(
      async () => await waits<unknown>([], { returnWhen: "SOON" as never }),
      RangeError,
    );
    await assertRejects(async () => await waits<unknown>([], { timeout: NaN }), RangeError);
  });
}

Deno.test("wait: an abort rejects with the reason", async () => {
  const controller = new AbortController();
  const waiting = wait([new Future()], { signal: controller.signal });
  const reason = new TimeoutError("mine");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  assertStrictEquals(
    await assertRejects(() => wait([new Future()], { signal: controller.signal })),
    reason,
  );
});

Deno.test("waitSync: waiting for ever for what only this thread can set is refused", () => {
  assertThrows(() => waitSync([new Future()]), RuntimeError);
});

Deno.test("waitSync: a callback of a task may set what is waited for", async () => {
  await using executor = ex();
  const own = new Future<number>();
  const task = executor.submit(double, 4);
  task.addDoneCallback((future) => own.setResult(future.resultSync()));
  const { done } = waitSync([own, task]);
  assertEquals([done.size, own.resultSync()], [2, 8]);
});

Deno.test("asCompleted: gives all, of several executors, each once, those that are done first", async () => {
  const one = await held();
  await using executor = ex();
  const ready = new Future<unknown>();
  ready.setResult("ready");
  const gone = new Future<unknown>();
  gone.cancel();
  const quick = executor.submit(double, 1) as Future<unknown>;
  const bad = executor.submit(refuses, "no") as Future<unknown>;
  const all: Future<unknown>[] = [one.future, quick, ready, bad, gone, ready, quick];
  const seen: unknown[] = [];
  for await (const future of asCompleted(all)) {
    assert(future.done());
    seen.push(future);
    if (seen.length === 4) one.may.set();
  }
  assertEquals(seen.length, 5);
  assertStrictEquals(seen[0], ready);
  assertStrictEquals(seen[1], gone);
  assertStrictEquals(seen[4], one.future);
  assertEquals(new Set(seen), new Set(all));
  await one.pool.shutdown();
});

Deno.test("asCompleted: what it gives is done: result and exception do not wait", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const futures = [executor.submit(double, 1), executor.submit(refuses, "no")];
  const seen: unknown[] = [];
  for await (const future of asCompleted(futures as Future<unknown>[])) {
    const error = await future.exception();
    seen.push(error === null ? await future.result({ timeout: 0 }) : error instanceof Refusal);
  }
  assertEquals(seen, [2, true]);
});

Deno.test("asCompleted: time counts from the call; after it has run out there is nothing more", async () => {
  const one = await held();
  const ready = new Future<unknown>();
  ready.setResult(1);
  for (const timeout of [0, 10]) {
    const results = asCompleted<unknown>([one.future, ready], { timeout });
    assertStrictEquals((await results.next()).value, ready);
    await assertRejects(() => results.next(), TimeoutError, "1 of 2 futures");
    assertEquals((await results.next()).done, true);
  }
  one.may.set();
  await one.pool.shutdown();
});

Deno.test("asCompleted: an abort rejects with the reason", async () => {
  const controller = new AbortController();
  const results = asCompleted([new Future()], { signal: controller.signal });
  const next = results.next();
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => next), reason);
  const done = new Future<number>();
  done.setResult(1);
  const late = asCompleted([done], { signal: controller.signal });
  assertStrictEquals(await assertRejects(() => late.next()), reason);
  assertEquals(await late.next(), { done: true, value: undefined });
});

Deno.test("asCompleted: several calls of next at a time get a future each, and all end", async () => {
  const futures = [new Future<number>(), new Future<number>()];
  const results = asCompleted(futures);
  const three = [results.next(), results.next(), results.next()];
  futures[1].setResult(1);
  futures[0].cancel();
  const given = await Promise.all(three);
  assertEquals(given.map(({ done }) => done), [false, false, true]);
  assertEquals(new Set(given.slice(0, 2).map(({ value }) => value)), new Set(futures));
});

Deno.test("asCompleted: none, leaving early, and bad input", async () => {
  assertEquals((await asCompleted([]).next()).done, true);
  const futures = [new Future<number>(), new Future<number>()];
  futures[0].setResult(0);
  for await (const future of asCompleted(futures)) {
    assertStrictEquals(future, futures[0]);
    break;
  }
  assertThrows(() => asCompleted([1 as never]), TypeError);
  assertThrows(() => asCompleted([], { timeout: NaN }), RangeError);
});

Deno.test("wait: a cancelled task of an executor is done", async () => {
  const one = await held();
  const queued = one.pool.submit(double, 1);
  assertEquals([queued.cancel(), one.future.cancel(), one.future.running()], [true, false, true]);
  const { done } = await wait<unknown>([queued]);
  assertEquals(done.size, 1);
  await assertRejects(() => queued, CancelledError);
  one.may.set();
  await one.pool.shutdown();
});
