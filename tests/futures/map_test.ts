/** Executor.map: order, laziness, several iterables, chunks, errors in their place, and all ways to leave. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Executor,
  Future,
  type Progress,
  RuntimeError,
  ThreadPoolExecutor,
  TimeoutError,
} from "@batteries/concurrent/futures";
import { Event, PicklingError } from "@batteries/concurrent/threading";
import {
  add,
  addLater,
  describe,
  double,
  echo,
  hold,
  join,
  Point,
  Refusal,
  refusesFive,
} from "../fixtures/futures/tasks.ts";
import { all } from "../contracts/world.ts";

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

function* naturals(log?: number[]): Generator<number> {
  try {
    for (let n = 0;; n++) {
      log?.push(n);
      yield n;
    }
  } finally {
    log?.push(-1);
  }
}

async function* soon<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await Promise.resolve();
    yield item;
  }
}

Deno.test("map: results come in order, of every way to give items and every chunksize", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const expected = range(50).map((n) => n * 2);
  for (const chunksize of [undefined, 1, 3, 50, 1000]) {
    for (const buffersize of [undefined, 1, 7, 1000]) {
      for (const items of [range(50), new Set(range(50)), soon(range(50))]) {
        assertEquals(
          await Array.fromAsync(executor.map(double, items, { chunksize, buffersize })),
          expected,
        );
      }
    }
  }
});

Deno.test("map: several iterables, synchronous and not, end with the shortest", async () => {
  await using executor = new ThreadPoolExecutor(2);
  for (const chunksize of [1, 2]) {
    const options = { chunksize, buffersize: 4 };
    assertEquals(await all(executor.map(add, [1, 2, 3], naturals(), options)), [1, 3, 5]);
    assertEquals(await all(executor.map(add, naturals(), soon([5, 6]), options)), [5, 7]);
    assertEquals(
      await all(executor.map(describe, [1, 2], "ab", soon([true, false]), options)),
      ["1 a true", "2 b false"],
    );
    assertEquals(await all(executor.map(join, ["a"], ["b"], ["c"], ["d"], ["e"], options)), [
      "abcde",
    ]);
  }
  assertEquals(await all(executor.map(add, [1, 2], [3, 4])), [4, 6]);
  assertEquals(await all(executor.map(echo<string>, "né")), ["n", "é"]);
});

Deno.test("map: without any iterable, gives nothing and calls nothing", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const map = (...args: unknown[]): AsyncIterable<number> =>
    Reflect.apply(executor.map, executor, args);
  assertEquals(await all(map(double)), []);
  assertEquals(await all(map(double, { buffersize: 2 })), []);
  assertThrows(() => map(double, { buffersize: 0 }), RangeError, "buffersize");
  assertEquals(executor.stats().done, 0);
});

Deno.test("map: nothing in, nothing out", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const items of [[], soon<number>([])]) {
    assertEquals(await all(executor.map(double, items)), []);
  }
  assertEquals(await all(executor.map(add, [], naturals())), []);
  assertEquals(executor.stats().workers, 0);
});

Deno.test("map: values and promises go through chunks as through single calls", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const chunksize of [1, 10]) {
    const points = await all(
      executor.map(Point.scale, [new Point(1, 2), new Point(3, 4)], [2, 3], { chunksize }),
    );
    assertEquals(points, [new Point(2, 4), new Point(9, 12)]);
    assert(points.every((point) => point instanceof Point));
    assertEquals(await all(executor.map(addLater, [1, 2], [3, 4], { chunksize })), [4, 6]);
  }
});

Deno.test("map: an error comes at its place, with its class, and ends the iteration", async () => {
  await using executor = new ThreadPoolExecutor(2);
  for (const chunksize of [1, 3, 4, 6, 20]) {
    for (const items of [range(20), soon(range(20))]) {
      const results = executor.map(refusesFive, items, { chunksize });
      const seen = await all(results);
      assertEquals(seen.slice(0, 5), [0, 1, 2, 3, 4]);
      assert(seen[5] instanceof Refusal && seen[5].code === 42);
      assertEquals(seen.length, 6);
      assertEquals(await results.next(), { done: true, value: undefined });
    }
  }
});

Deno.test("map: synchronous iterables are read at the call, buffersize items at most", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const chunksize of [1, 2, 100]) {
    const log: number[] = [];
    const results = executor.map(double, naturals(log), { buffersize: 4, chunksize });
    assertEquals(log, [0, 1, 2, 3]);
    assertEquals((await results.next()).value, 0);
    assert(log.length <= 5, `${log}`);
    for (let n = 1; n < 20; n++) {
      assertEquals((await results.next()).value, n * 2);
      assert(log.length <= n + 5, `${n}: ${log}`);
    }
    await results.return!();
    assertEquals([log.at(-1), await results.next()], [-1, { done: true, value: undefined }]);
  }
  const list = range(100);
  const lazy = executor.map(double, list);
  list.length = 0;
  assertEquals((await all(lazy)).length, 100);
});

Deno.test("map: an asynchronous source is read ahead, and one that is slow holds no result back", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const chunksize of [1, 2]) {
    const more = new Future<void>();
    const slow = (async function* () {
      yield* [1, 2];
      await more;
      yield* [3, 4];
    })();
    const results = executor.map(double, slow, { chunksize });
    assertEquals([await results.next(), await results.next()].map(({ value }) => value), [2, 4]);
    const third = results.next();
    more.setResult();
    assertEquals([(await third).value, (await results.next()).value], [6, 8]);
    assertEquals((await results.next()).done, true);
  }
  // A source that waits for the results of what it gave before.
  let got: Future<number> = new Future();
  const fed = (async function* () {
    for (let n = 1; n < 100;) {
      yield n;
      n = await got;
      got = new Future();
    }
  })();
  const seen: number[] = [];
  for await (const n of executor.map(double, fed)) {
    seen.push(n);
    got.setResult(n);
  }
  assertEquals(seen, [2, 4, 8, 16, 32, 64, 128]);
});

Deno.test("map: an endless asynchronous source is read as far ahead as buffersize allows", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const [chunksize, buffersize] of [[1, 3], [2, 5], [10, 5]]) {
    let read = 0;
    let left = false;
    const source = (async function* () {
      try {
        for (;;) yield read++;
      } finally {
        left = true;
      }
    })();
    const results = executor.map(double, source, { buffersize, chunksize });
    for (let n = 0; n < 20; n++) {
      assertEquals((await results.next()).value, n * 2);
      assert(read <= n + 2 + buffersize + 1, `${read} read, ${n + 1} taken`);
    }
    await results.return!();
    assertEquals(await results.next(), { done: true, value: undefined });
    while (!left) await Promise.resolve();
  }
});

Deno.test("map: an error of a source read at the call is thrown by it; one read later comes after the results before it", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const failing = function* () {
    yield 1;
    yield 2;
    throw new RangeError("dry");
  };
  assertThrows(() => executor.map(double, failing()), RangeError, "dry");
  for (const chunksize of [1, 2]) {
    for (const items of [failing(), soon(failing())]) {
      const seen = await all(executor.map(double, items, { buffersize: 1, chunksize }));
      assertEquals(seen.slice(0, 2), [2, 4]);
      assert(seen[2] instanceof RangeError);
      assertEquals(seen.length, 3);
    }
  }
  const mixed = await all(executor.map(echo, [1, () => 1] as unknown[], { buffersize: 1 }));
  assertEquals([mixed[0], mixed[1] instanceof PicklingError], [1, true]);
  const later = await all(executor.map(echo, soon([1, () => 1] as unknown[])));
  assertEquals([later[0], later[1] instanceof PicklingError], [1, true]);
});

Deno.test("map: leaving the loop early cancels what has not started, and leaves the source", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const log: number[] = [];
  for await (const n of executor.map(double, naturals(log), { buffersize: 5 })) {
    if (n === 4) break;
  }
  assertEquals(log.at(-1), -1);
  const [begun, may, gate] = [new Event(), new Event(), new Event()];
  const results = executor.map(hold, [begun, gate, gate, gate], [may, may, may, may]);
  const waiting = results.next();
  await begun.wait();
  await results.return!();
  assertEquals(executor.stats().queued, 0);
  may.set();
  assertEquals((await results.next()).done, true);
  const last = await waiting;
  assert(last.done || typeof last.value === "string");
  await executor.submit(add, 1, 2);
  assertEquals(gate.isSet(), false);
});

Deno.test("map: timeout counts from the call, then all that has not started is cancelled", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const chunksize of [1, 2]) {
    const [begun, may, gate] = [new Event(), new Event(), new Event()];
    const args = [[begun, gate, gate], [may, may, may], { timeout: 20, chunksize }] as const;
    const results = executor.map(hold, ...args);
    await begun.wait();
    await assertRejects(() => results.next(), TimeoutError);
    assertEquals(executor.stats().queued, 0);
    assertEquals((await results.next()).done, true);
    may.set();
  }
  const never = (async function* () {
    yield 1;
    await new Promise(() => {});
  })();
  // Time counts from here on, also while others keep the thread from the processor.
  const results = executor.map(double, never, { timeout: 2000 });
  const seen: unknown[] = [(await results.next()).value];
  seen.push(await results.next().catch((error) => error instanceof TimeoutError));
  assertEquals(seen, [2, true]);
  assertEquals(await all(executor.map(double, range(5), { timeout: 60_000 })), [0, 2, 4, 6, 8]);
});

Deno.test("map: an abort rejects with the reason and cancels what has not started", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const reason = new Error("enough");
  const [begun, may, gate] = [new Event(), new Event(), new Event()];
  const controller = new AbortController();
  const results = executor.map(hold, [begun, gate], [may, may], { signal: controller.signal });
  const waiting = results.next();
  await begun.wait();
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => waiting), reason);
  assertEquals(executor.stats().queued, 0);
  may.set();
  const between = new AbortController();
  const numbers = executor.map(double, range(10), { signal: between.signal, chunksize: 5 });
  assertEquals((await numbers.next()).value, 0);
  between.abort(reason);
  assertStrictEquals(await assertRejects(() => numbers.next()), reason);
  const log: number[] = [];
  const none = executor.map(double, naturals(log), { signal: between.signal });
  assertStrictEquals(await assertRejects(() => none.next()), reason);
  assertEquals(await none.next(), { done: true, value: undefined });
  assertEquals(log, []);
});

Deno.test("map: several calls of next at a time get results in order", async () => {
  await using executor = new ThreadPoolExecutor(2);
  for (const chunksize of [1, 3]) {
    const results = executor.map(double, range(4), { chunksize });
    const six = await Promise.all(range(6).map(() => results.next()));
    assertEquals(six.map(({ done, value }) => done ? "done" : value), [
      0,
      2,
      4,
      6,
      "done",
      "done",
    ]);
  }
});

Deno.test("map: after shutdown what was sent is given, and a lazy one that would send more fails at once", async () => {
  const executor = new ThreadPoolExecutor(1);
  const full = executor.map(double, range(5));
  const lazy = executor.map(double, naturals(), { buffersize: 2 });
  await executor.shutdown();
  assertEquals(await all(full), [0, 2, 4, 6, 8]);
  // It sends the next call before it gives a result, as in Python.
  const [first] = await all(lazy);
  assert(first instanceof RuntimeError);
});

Deno.test("map: progress counts calls, failed ones and chunks too, and knows the total once it is known", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const [chunksize, steps] of [[1, 7], [3, 3]]) {
    for (const items of [range(7), soon(range(7))]) {
      const seen: Progress[] = [];
      const progress = (each: Progress) => seen.push(each);
      await all(executor.map(double, items, { chunksize, progress }));
      // One more when the end of the source is found after the last call has ended.
      const late = seen.findIndex(({ done, total }) => done === 7 && total === undefined) !== -1;
      assertEquals(seen.length, steps + (late ? 1 : 0));
      assertEquals(seen.at(-1), { done: 7, total: 7, failed: 0 });
      assertEquals(seen.map(({ done }) => done), seen.map(({ done }) => done).toSorted());
    }
  }
  const few: Progress[] = [];
  const lazy = { buffersize: 2, progress: (each: Progress) => few.push(each) };
  assertEquals((await all(executor.map(double, range(5), lazy))).length, 5);
  assertEquals([few[0].total, few.at(-1)], [undefined, { done: 5, total: 5, failed: 0 }]);
  for (const chunksize of [1, 10]) {
    const seen: Progress[] = [];
    await all(
      executor.map(refusesFive, range(8), { chunksize, progress: (each) => seen.push(each) }),
    );
    assert(seen.some(({ failed }) => failed === 1));
  }
  // Not a terminal: quiet.
  assertEquals(await all(executor.map(double, [1], { progress: true })), [2]);
});

Deno.test("map: bad input is refused at the call", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const map = (...args: unknown[]) => () => Reflect.apply(executor.map, executor, args);
  for (const chunksize of [0, -1, 1.5, NaN]) {
    assertThrows(() => executor.map(double, [1], { chunksize }), RangeError, "chunksize");
    assertThrows(
      () => executor.map(double, [1], { buffersize: chunksize }),
      RangeError,
      "buffersize",
    );
  }
  assertThrows(map(double, [1], { chunksize: "1" }), TypeError);
  assertThrows(map(double, [1], { buffersize: null }), TypeError);
  assertThrows(map(double, [1], { progress: 5 }), TypeError, "progress");
  assertThrows(map(double, [1], 5), TypeError);
  assertThrows(map(double, 5), TypeError, "iterable");
  assertThrows(map(double, null), TypeError, "iterable");
  assertThrows(map(double, { length: 3 }), TypeError, "iterable");
  assertThrows(map(() => 1, [1]), PicklingError, "submit");
  assertThrows(map(() => 1, []), PicklingError, "submit");
  assertThrows(map(() => 1, soon([1])), PicklingError, "submit");
  assertThrows(map(undefined, []), TypeError, "function");
  assertThrows(() => executor.map(double, [1], { timeout: NaN }), RangeError);
  assertEquals(executor.stats().queued, 0);
});

Deno.test("map: an executor that is shut down between two results, ends a lazy map at once with RuntimeError", async () => {
  const executor = new ThreadPoolExecutor(1);
  const results = executor.map(double, [1, 2, 3, 4], { buffersize: 2 });
  assertEquals(await results.next(), { done: false, value: 2 });
  const ended = executor.shutdown();
  await assertRejects(() => results.next(), RuntimeError, "shut down");
  assertEquals(await results.next(), { done: true, value: undefined });
  await ended;
});

Deno.test("map: an executor that defines only submit, calls what it likes, and chunksize has no effect", async () => {
  class Here extends Executor {
    override submit<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Future<Awaited<R>> {
      const future = new Future<Awaited<R>>();
      future.setResult(fn(...args) as Awaited<R>);
      return future;
    }
  }
  const executor = new Here();
  const offset = 10;
  const results = executor.map((n: number) => n + offset, [1, 2, 3], { chunksize: 2 });
  assertEquals(await Array.fromAsync(results), [11, 12, 13]);
  const map = (...args: unknown[]) => () => Reflect.apply(executor.map, executor, args);
  assertThrows(map(5, []), TypeError, "a function is needed, got number");
  assertThrows(map(double, [1], { chunksize: 0 }), RangeError, "chunksize");
});
