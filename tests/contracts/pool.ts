/** The contract of pools, of processes and of threads. CPython's: `_TestPool` of `_test_multiprocessing.py`. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  AsyncResult,
  type Pool,
  type PoolOptions,
  ProcessError,
  type Progress,
  TimeoutError,
} from "@batteries/concurrent/multiprocessing/pool";
import { PicklingError } from "@batteries/concurrent/threading";
import {
  beginAndWait,
  closure,
  failingInitializer,
  fails,
  type Gate,
  identity,
  length,
  mark,
  marked,
  multiply,
  open,
  Point,
  SaidWhen,
  spin,
  square,
  squareLater,
  unless,
  unlessThree,
  waitFor,
} from "../fixtures/multiprocessing/pool_tasks.ts";

/** Anything that has the methods of a pool. */
export interface PoolWorld {
  readonly name: string;
  make(options?: number | PoolOptions): Pool;
  event(): Gate;
  /** Whether calls can be stopped. */
  readonly stops: boolean;
}

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
const squares = (n: number) => numbers(n).map((i) => i * i);

function* failingAt(total: number, when: number): Generator<number> {
  for (let i = 0; i < total; i++) {
    if (i === when) throw new SaidWhen(when);
    yield i;
  }
}

/** Registers the tests that every pool must pass. */
export function testPool({ name, make, event, stops }: PoolWorld): void {
  const test = (text: string, body: () => Promise<void>) => Deno.test(`${name}: ${text}`, body);

  /** A pool that is closed and joined afterwards. */
  const withPool = async (size: number | PoolOptions, body: (pool: Pool) => Promise<void>) => {
    const pool = make(size);
    try {
      await body(pool);
    } finally {
      pool.close();
      await pool.join();
    }
  };

  test("apply, gives what the function returns, async ones and static methods included", () =>
    withPool(2, async (pool) => {
      assertEquals(await pool.apply(square, [5]), 25);
      assertEquals(await pool.apply(squareLater, [6]), 36);
      assertEquals(await pool.apply(multiply, [6, 7]), 42);
      assertEquals(await pool.apply(Point.double, [4]), 8);
      assertEquals(await pool.apply(marked), []);
    }));

  test("apply, brings errors with class, cause, properties and the worker's stack", () =>
    withPool(1, async (pool) => {
      const error = await assertRejects(() => pool.apply(fails), TypeError, "on purpose");
      assertEquals((error.cause as Error).message, "for a reason");
      assert(error.stack!.includes("pool_tasks.ts"), error.stack);
      const said = await assertRejects(() => pool.apply(unless, [3, 3]), SaidWhen);
      assertEquals(said.when, 3);
    }));

  test("map and starmap, give results in order, in chunks of any size", () =>
    withPool(2, async (pool) => {
      assertEquals(await pool.map(square, numbers(10)), squares(10));
      for (const chunksize of [1, 7, 20, 500]) {
        assertEquals(await pool.map(square, numbers(100), { chunksize }), squares(100));
      }
      const pairs = numbers(100).map((i) => [i, 99 - i] as [number, number]);
      const products = pairs.map(([a, b]) => a * b);
      assertEquals(await pool.starmap(multiply, pairs), products);
      assertEquals(await pool.starmap(multiply, pairs, { chunksize: 20 }), products);
      assertEquals(await pool.starmapAsync(multiply, pairs).get(), products);
      assertEquals(await pool.mapAsync(squareLater, new Set(numbers(10))).get(), squares(10));
    }));

  test("map, of nothing, gives nothing at once", () =>
    withPool(1, async (pool) => {
      assertEquals(await pool.map(square, []), []);
      assertEquals(await pool.mapAsync(square, [], { chunksize: 1 }).get({ timeout: 1 }), []);
      assertEquals(await Array.fromAsync(pool.imap(square, [])), []);
      assertEquals(await Array.fromAsync(pool.imapUnordered(square, [])), []);
    }));

  test("map, over an async iterable, reads it first", () =>
    withPool(2, async (pool) => {
      async function* source() {
        for (const n of numbers(20)) {
          await Promise.resolve();
          yield n;
        }
      }
      assertEquals(await pool.map(square, source()), squares(20));
      assertEquals(await Array.fromAsync(pool.imap(square, source())), squares(20));
      async function* failing() {
        yield 1;
        await Promise.resolve();
        throw new SaidWhen(1);
      }
      await assertRejects(() => pool.map(square, failing()), SaidWhen);
    }));

  test("map, whose calls fail, waits for all and gives the first error in the order of the items", () =>
    withPool(2, async (pool) => {
      const gate = event();
      const result = pool.starmapAsync(
        unless,
        [[1, 1], [2, 2], [3, 0]] as [number, number][],
        { chunksize: 1 },
      );
      const last = pool.applyAsync(open, [gate]);
      const error = await assertRejects(() => result.get(), SaidWhen);
      assertEquals(error.when, 1);
      assertEquals(result.successful(), false);
      assert(await last.get());
    }));

  test("map, over an iterable that throws, throws that, and again", () =>
    withPool(1, async (pool) => {
      for (const when of [0, 3, 3]) {
        await assertRejects(() => pool.map(square, failingAt(10, when)), SaidWhen);
        assertThrows(() => pool.mapAsync(square, failingAt(10, when)), SaidWhen);
      }
      assertEquals(await pool.apply(square, [3]), 9);
    }));

  test("callbacks, are called before whoever waits goes on", () =>
    withPool(1, async (pool) => {
      const said: unknown[] = [];
      const callbacks = {
        callback: (value: unknown) => said.push(value),
        errorCallback: (error: Error) => said.push(error.name),
      };
      await pool.mapAsync(square, [3], callbacks).wait();
      await pool.mapAsync(unlessThree, [3], callbacks).wait();
      await pool.applyAsync(square, [2], callbacks).get();
      assertEquals(said, [[9], "SaidWhen", 4]);
    }));

  test("a result, tells how it stands, times out without being lost, and is aborted", () =>
    withPool(1, async (pool) => {
      const gate = event();
      const result = pool.applyAsync(waitFor, [gate, 7]);
      assertInstanceOf(result, AsyncResult);
      assertEquals(result.ready(), false);
      assertThrows(() => result.successful(), RangeError);
      await assertRejects(() => result.get({ timeout: 10 }), TimeoutError);
      await assertRejects(() => result.get({ timeout: 0 }), TimeoutError);
      await result.wait({ timeout: 10 });
      const reason = new Error("enough");
      await assertRejects(() => result.get({ signal: AbortSignal.abort(reason) }), Error, "enough");
      await assertRejects(() => result.get({ timeout: NaN }), RangeError);
      gate.set();
      assertEquals(await result.get(), 7);
      assertEquals([result.ready(), result.successful()], [true, true]);
    }));

  test("imap, gives results in order, and the end again and again", () =>
    withPool(2, async (pool) => {
      assertEquals(await Array.fromAsync(pool.imap(square, numbers(10))), squares(10));
      const results = pool.imap(square, numbers(1000), { chunksize: 100 });
      for (const n of squares(1000)) assertEquals(await results.next(), { done: false, value: n });
      for (const _ of [1, 2]) assertEquals((await results.next()).done, true);
    }));

  test("imap, asked for the next result with a limit, gives up in time and loses none", () =>
    withPool(2, async (pool) => {
      for (const how of ["imap", "imapUnordered"] as const) {
        const gate = event();
        const results = pool[how](identityOrWait, [{ gate, value: 1 }]);
        await assertRejects(() => results.next({ timeout: 0 }), TimeoutError, "in time");
        await assertRejects(() => results.next({ timeout: 10 }), TimeoutError);
        await assertRejects(() => results.next({ timeout: NaN }), RangeError);
        const stop = new AbortController();
        const [first, second] = [results.next({ signal: stop.signal }), results.next()];
        stop.abort(new SaidWhen(1));
        await assertRejects(() => first, SaidWhen);
        gate.set();
        assertEquals((await second).value, 1);
        assertEquals((await results.next({ timeout: 0 })).done, true);
      }
    }));

  test("imap, over more than it reads ahead, gives all of it", () =>
    withPool(2, async (pool) => {
      assertEquals(
        await Array.fromAsync(pool.imap(square, numbers(5000), { chunksize: 3 })),
        squares(5000),
      );
    }));

  test("imap, over an endless iterable, reads only so far ahead, and ends it", () =>
    withPool(2, async (pool) => {
      let given = 0;
      let ended = false;
      function* endless() {
        try {
          for (;;) yield given++;
        } finally {
          ended = true;
        }
      }
      let taken = 0;
      for await (const n of pool.imap(square, endless())) {
        assertEquals(n, taken * taken);
        if (++taken === 10) break;
      }
      assert(ended);
      assert(given < 20_000, String(given));
    }));

  test("imap, over an iterable that throws, gives what came before in whole chunks", () =>
    withPool(2, async (pool) => {
      for (const [chunksize, before] of [[1, 7], [2, 6], [4, 4]]) {
        const results = pool.imap(square, failingAt(20, 7), { chunksize });
        for (const n of squares(before)) assertEquals((await results.next()).value, n);
        await assertRejects(() => results.next(), SaidWhen);
        assertEquals((await results.next()).done, true);
      }
    }));

  test("imap, with a call that fails, goes on behind it", () =>
    withPool(2, async (pool) => {
      const results = pool.imap(unlessThree, numbers(5));
      for (const n of [0, 1, 4]) assertEquals((await results.next()).value, n);
      await assertRejects(() => results.next(), SaidWhen);
      assertEquals((await results.next()).value, 16);
      assertEquals((await results.next()).done, true);
    }));

  test("imapUnordered, gives every result once", () =>
    withPool(2, async (pool) => {
      for (const chunksize of [1, 53]) {
        const results = await Array.fromAsync(
          pool.imapUnordered(square, numbers(1000), { chunksize }),
        );
        assertEquals(results.sort((a, b) => a - b), squares(1000));
      }
      await assertRejects(
        () => Array.fromAsync(pool.imapUnordered(square, failingAt(20, 7), { chunksize: 2 })),
        SaidWhen,
      );
    }));

  test("imapUnordered, gives a result that is there while an earlier call waits", () =>
    withPool(2, async (pool) => {
      const gate = event();
      const results = pool.imapUnordered(
        identityOrWait,
        [{ gate, value: 1 }, { value: 2 }, { value: 3 }],
      );
      const early = [(await results.next()).value, (await results.next()).value];
      assertEquals(early.sort(), [2, 3]);
      gate.set();
      assertEquals((await results.next()).value, 1);
      assertEquals((await results.next()).done, true);
    }));

  test("what cannot travel, fails alone", () =>
    withPool(2, async (pool) => {
      const local = () => 1;
      assertThrows(() => pool.applyAsync(local), PicklingError);
      await assertRejects(() => pool.apply(identity<unknown>, [() => 1]), PicklingError, "args[0]");
      await assertRejects(() => pool.map(identity<unknown>, [1, () => 1]), PicklingError);
      assertThrows(() => pool.imap(local, [1]), PicklingError);
      await assertRejects(() => pool.map(local, []), PicklingError);
      assertThrows(() => pool.mapAsync(local, []), PicklingError);
      assertThrows(() => pool.starmapAsync(local, (async function* () {})()), PicklingError);
      for (let i = 0; i < 20; i++) await assertRejects(() => pool.apply(closure), PicklingError);
      const results = pool.imap(identity<unknown>, [1, () => 1, 3]);
      assertEquals((await results.next()).value, 1);
      await assertRejects(() => results.next(), PicklingError);
      assertEquals((await results.next()).value, 3);
      assertEquals(await pool.apply(square, [3]), 9);
    }));

  test("calls that wait for each other, both run: none is held back behind one that waits", () =>
    withPool(2, async (pool) => {
      const [first, second] = [event(), event()];
      // Known to be quick: sent ahead.
      await pool.map(opensAndWaits, numbers(200).map(() => undefined), { chunksize: 1 });
      const jobs = [
        ...numbers(10).map(() => undefined),
        { open: undefined, wait: first },
        ...numbers(40).map(() => undefined),
        { open: first, wait: undefined },
        { open: undefined, wait: second },
        { open: second, wait: undefined },
        ...numbers(10).map(() => undefined),
      ];
      await pool.map(opensAndWaits, jobs, { chunksize: 1 });
    }));

  test("getSync and waitSync, block for results, and take turns with await", () =>
    withPool(2, async (pool) => {
      assertEquals(pool.applyAsync(square, [5]).getSync(), 25);
      assertEquals(pool.mapAsync(square, numbers(500), { chunksize: 1 }).getSync(), squares(500));
      const error = assertThrows(() => pool.applyAsync(fails).getSync(), TypeError);
      assertEquals((error.cause as Error).message, "for a reason");
      const gate = event();
      const late = pool.applyAsync(waitFor, [gate, 7]);
      late.waitSync({ timeout: 10 });
      assertEquals(late.ready(), false);
      assertThrows(() => late.getSync({ timeout: 10 }), TimeoutError);
      assertThrows(() => late.getSync({ timeout: 0 }), TimeoutError);
      assertEquals(await pool.apply(square, [3]), 9);
      gate.set();
      assertEquals(late.getSync(), 7);
      late.waitSync();
      const later = pool.mapAsync(
        square,
        (async function* () {
          await Promise.resolve();
          yield 1;
        })(),
      );
      assertThrows(() => later.getSync(), ProcessError, "await it");
      assertEquals(await later.get(), [1]);
    }));

  test("map with progress, tells how far it is; stats count what has ended", () =>
    withPool(2, async (pool) => {
      const told: Progress[] = [];
      const progress = (each: Progress) => void told.push(each);
      await pool.map(square, numbers(10), { chunksize: 3, progress });
      assertEquals(told.at(-1), { done: 10, failed: 0, total: 10 });
      await Array.fromAsync(pool.imapUnordered(square, numbers(4), { progress }));
      assertEquals(told.at(-1), { done: 4, failed: 0, total: 4 });
      await assertRejects(() => pool.map(unlessThree, [3], { progress }), SaidWhen);
      assertEquals(told.at(-1), { done: 1, failed: 1, total: 1 });
      await assertRejects(() => pool.map(square, [1], { progress: 1 as never }), TypeError);
      const { workers, busy, queued, done, failed, runTime } = pool.stats();
      assertEquals({ workers, busy, queued, done, failed, count: runTime.count }, {
        workers: 2,
        busy: 0,
        queued: 0,
        done: 8,
        failed: 1,
        count: 9,
      });
    }));

  test("with, ends calls that are out of time or aborted, where they can be stopped, and no other", () =>
    withPool(2, async (pool) => {
      for (const bad of [null, { timeout: "1" }, { signal: 1 }, { transfer: 1 }]) {
        assertThrows(() => pool.with(bad as never), TypeError);
      }
      assertThrows(() => pool.with({ timeout: NaN }), RangeError);
      if (!stops) {
        assertThrows(
          () => pool.with({ timeout: 1 }),
          Deno.errors.NotSupported,
          "cannot be stopped",
        );
        return;
      }
      const buffer = new ArrayBuffer(1000);
      assertEquals(await pool.with({ transfer: [buffer] }).apply(length, [buffer]), 1000);
      assert(buffer.detached);
      const gate = event();
      const sibling = pool.applyAsync(waitFor, [gate, 7]);
      const limited = pool.with({ timeout: 100 });
      await assertRejects(() => limited.apply(spin), TimeoutError, "100 ms");
      await assertRejects(() => limited.map(waitForEach, [event()]), TimeoutError);
      assertThrows(() => limited.applyAsync(spin).getSync(), TimeoutError);
      const controller = new AbortController();
      const begun = event();
      const aborted = pool.with({ signal: controller.signal }).applyAsync(spin, [begun]);
      await begun.wait();
      controller.abort(new Error("enough"));
      await assertRejects(() => aborted.get(), Error, "enough");
      assertEquals(await pool.apply(square, [3]), 9);
      const plenty = pool.with({ timeout: 60_000 });
      assertEquals(await Array.fromAsync(plenty.imap(square, numbers(5))), squares(5));
      assertEquals(await plenty.starmap(multiply, [[2, 3]]), [6]);
      gate.set();
      assertEquals(await sibling.get(), 7);
    }));

  test("an initializer, runs in each worker before its first call", () =>
    withPool({ processes: 2, initializer: mark, initargs: [1, { two: 2 }] }, async (pool) => {
      for (const _ of numbers(4)) assertEquals(await pool.apply(marked), [1, { two: 2 }]);
    }));

  test("an initializer that fails, breaks the pool and is named", async () => {
    const pool = make({ processes: 2, initializer: failingInitializer, initargs: ["no luck"] });
    const error = await assertRejects(() => pool.apply(square, [2]), ProcessError, "no luck");
    assertInstanceOf((error.cause as Error).cause, SyntaxError);
    await assertRejects(() => pool.apply(square, [2]), ProcessError, "no luck");
    pool.close();
    await pool.join();
  });

  test("imap over an endless iterable in a pool that breaks, ends it", async () => {
    const pool = make({ processes: 1, initializer: failingInitializer, initargs: ["no luck"] });
    let ended = false;
    function* endless() {
      try {
        for (let n = 0;; n++) yield n;
      } finally {
        ended = true;
      }
    }
    const results = pool.imap(square, endless());
    await assertRejects(() => results.next(), ProcessError, "no luck");
    pool.close();
    await pool.join();
    assert(ended);
  });

  test("one that breaks, fails calls whose items are still to come, and later ones", async () => {
    const pool = make({ processes: 1, initializer: failingInitializer, initargs: ["no luck"] });
    // Whatever the items come from holds the event loop.
    const source = setInterval(() => {}, 60_000);
    const never: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }),
    };
    const refused = (call: () => Promise<unknown>) => assertRejects(call, ProcessError, "no luck");
    const mapped = pool.mapAsync(square, never);
    const iterated = pool.imap(square, never);
    const unordered = pool.imapUnordered(square, never);
    await refused(() => mapped.get());
    await refused(() => iterated.next());
    await refused(() => unordered.next());
    await refused(() => pool.map(square, never));
    for (const call of ["mapAsync", "imap", "imapUnordered"] as const) {
      assertThrows(() => pool[call](square, never), ProcessError, "no luck");
    }
    pool.close();
    await pool.join();
    clearInterval(source);
  });

  test("bad options, are refused", async () => {
    for (const processes of [0, -1, 1.5, NaN]) assertThrows(() => make({ processes }), RangeError);
    for (const bad of ["2", null, { processes: "2" }, { initializer: 1 }, { initargs: 1 }]) {
      assertThrows(() => make(bad as never), TypeError);
    }
    assertThrows(() => make({ initializer: () => 1 }), PicklingError);
    await withPool(1, async (pool) => {
      await assertRejects(() => pool.map(square, 5 as never), TypeError);
      await assertRejects(() => pool.map(square, [1], 5 as never), TypeError);
      for (const chunksize of [0, -1, 0.5]) {
        await assertRejects(() => pool.map(square, [1], { chunksize }), RangeError);
        assertThrows(() => pool.imap(square, [1], { chunksize }), RangeError);
      }
      await assertRejects(() => pool.apply(square, 5 as never), TypeError);
      await assertRejects(() => pool.apply(undefined as never), TypeError);
      await assertRejects(() => pool.starmap(multiply, [5] as never), TypeError);
    });
  });

  test("close, refuses later calls and lets the others end; join wants it first", async () => {
    const pool = make(2);
    const gate = event();
    const result = pool.applyAsync(waitFor, [gate, 3]);
    const results = pool.imap(square, numbers(3000));
    await assertRejects(() => pool.join(), RangeError, "running");
    pool.close();
    pool.close();
    assertThrows(() => pool.applyAsync(square, [1]), RangeError, "closed");
    assertThrows(() => pool.imap(square, [1]), RangeError);
    await assertRejects(() => pool.map(square, [1]), RangeError);
    gate.set();
    await pool.join();
    await pool.join();
    assertEquals(await result.get(), 3);
    assertEquals(await Array.fromAsync(results), squares(3000));
  });

  test("terminate, ends at once and fails what has not ended", async () => {
    const pool = make(2);
    const [begun, gate] = [event(), event()];
    const first = pool.applyAsync(beginAndWait, [begun, gate, 1]);
    const others = pool.mapAsync(waitForEach, numbers(1000).map(() => gate), { chunksize: 1 });
    await begun.wait();
    await pool.terminate();
    await assertRejects(() => first.get(), ProcessError, "terminated");
    await assertRejects(() => others.get(), ProcessError, "terminated");
    assertThrows(() => pool.applyAsync(square, [1]), RangeError);
    gate.set();
    await pool.join();
  });

  test("leaving a using block, terminates", async () => {
    let pool: Pool;
    let result: AsyncResult<number>;
    const gate = event();
    {
      await using block = make(1);
      pool = block;
      assertEquals(await pool.apply(square, [2]), 4);
      result = pool.applyAsync(waitFor, [gate, 1]);
    }
    assertThrows(() => pool.applyAsync(square, [1]), RangeError);
    await assertRejects(() => result.get(), ProcessError);
    gate.set();
    await pool.join();
  });

  test("a pool, does not travel", () =>
    withPool(1, async (pool) => {
      await assertRejects(() => pool.apply(identity<unknown>, [pool]), PicklingError);
      const result = pool.applyAsync(square, [1]);
      await assertRejects(() => pool.apply(identity<unknown>, [result]), PicklingError);
      await result.get();
    }));
}

interface Job {
  readonly open: Gate | undefined;
  readonly wait: Gate | undefined;
}

/** Runs in workers. */
export async function opensAndWaits(job: Job | undefined): Promise<void> {
  job?.open?.set();
  await job?.wait?.wait();
}

/** Runs in workers. */
export async function waitForEach(gate: Gate): Promise<void> {
  await gate.wait();
}

/** Runs in workers. */
export async function identityOrWait(
  { gate, value }: { gate?: Gate; value: number },
): Promise<number> {
  await gate?.wait();
  return value;
}
