/**
 * The contract of executors, wherever their calls run. CPython's: `test_concurrent_futures/{executor,test_wait,test_as_completed,
 * test_shutdown,test_init}.py`.
 *
 * What a call waits for is a file ({@linkcode Gates}): threads, processes and workers of a cluster on this machine all see it.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  ALL_COMPLETED,
  asCompleted,
  BrokenExecutor,
  CancelledError,
  type Executor,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  type Future,
  InvalidStateError,
  type Progress,
  RuntimeError,
  TimeoutError,
  wait,
  waitSync,
} from "@batteries/concurrent/futures";
import { PicklingError } from "@batteries/concurrent/threading";
import {
  add,
  awaitForEver,
  beginAndWait,
  cannotPrepare,
  echo,
  Figures,
  givesBytes,
  givesClosure,
  joined,
  opened,
  prepare,
  Refusal,
  refuses,
  refusesLater,
  refusesThree,
  spin,
  square,
  squareLater,
  sumOf,
  throwsNull,
  throwsText,
  whatIsPrepared,
} from "../fixtures/futures/executor_tasks.ts";
import { all } from "./world.ts";

/** Where the calls' functions are, for executors whose workers have to know. */
export const TASKS: string = new URL("../fixtures/futures/executor_tasks.ts", import.meta.url).href;

/** How an executor is to be made. */
export interface Wanted {
  readonly maxWorkers: number;
  readonly initializer?: (...args: never[]) => unknown;
  readonly initargs?: unknown[];
}

/** What an executor can do. */
export interface Abilities {
  /** Its futures can be waited for by blocking, with calls that are not done. Default: yes. */
  readonly blocks?: boolean;
  /** Errors arrive as those of the task's own class. Default: yes; if not, as an `Error` with its name. */
  readonly ownClasses?: boolean;
  /** It takes an initializer. Default: yes. */
  readonly initializers?: boolean;
  /** A call that runs can be ended for good. Default: yes. */
  readonly stops?: boolean;
  /** With one worker, calls begin in the order in which they were submitted, and one that has not begun can be taken back. Default: yes. */
  readonly ordered?: boolean;
  /** What tests are skipped for, when they are. */
  readonly skip?: string;
}

/** Files that calls make, and wait for. */
class Gates implements Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "executor-contract-" });
  #count = 0;

  path(): string {
    return `${this.#folder}/${this.#count++}`;
  }

  open(path: string): void {
    Deno.writeTextFileSync(path, "");
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const squares = (n: number) => range(n).map((i) => i * i);

/** Registers the tests that every executor must pass. `make` gives a new one, whose workers it need not have. */
export function executorContract(
  name: string,
  make: (wanted: Wanted) => Executor | Promise<Executor>,
  abilities: Abilities = {},
): void {
  const {
    blocks = true,
    ownClasses = true,
    initializers = true,
    stops = true,
    ordered = true,
    skip,
  } = abilities;

  const test = (
    text: string,
    body: (executor: Executor, gates: Gates) => Promise<void>,
    { workers = 2, when = true }: { workers?: number; when?: boolean } = {},
  ) => {
    if (!when) return;
    const title = skip === undefined ? `${name}: ${text}` : `${name}: ${text} (skipped: ${skip})`;
    Deno.test({
      name: title,
      ignore: skip !== undefined,
      fn: async () => {
        using gates = new Gates();
        await using executor = await make({ maxWorkers: workers });
        await body(executor, gates);
      },
    });
  };

  /** A call that runs and waits. */
  const held = async (executor: Executor, gates: Gates, value = 7) => {
    const [begun, gate] = [gates.path(), gates.path()];
    const future = executor.submit(beginAndWait<number>, begun, gate, value);
    await opened(begun);
    // The file may be here before the word that the call runs: another machine has written it.
    while (!future.running()) await new Promise((resolve) => setTimeout(resolve, 1));
    return { future, gate };
  };

  test("submit, gives results of functions, async ones, and static methods", async (executor) => {
    const futures = [
      executor.submit(add, 2, 8),
      executor.submit(squareLater, 3),
      executor.submit(Figures.twice, 21),
    ];
    assertEquals(await Promise.all(futures), [10, 9, 42]);
    assertEquals(await executor.submit(joined), "");
    assertEquals(await executor.submit(joined, "a", "b", "c", "d"), "abcd");
    assertEquals(futures.map((future) => future.done()), [true, true, true]);
  });

  test("submit, brings values of every kind there and back", async (executor) => {
    const cycle: { me?: unknown } = {};
    cycle.me = cycle;
    const values = [
      undefined,
      null,
      true,
      -0,
      NaN,
      -Infinity,
      "é 🦕",
      "",
      2n ** 70n,
      [1, [2], {}],
      { a: new Map<unknown, unknown>([[1, new Set([2])], ["k", null]]) },
      new Date(5),
      /x+/gi,
      new Uint8Array([1, 2]),
      new Float64Array([1.5]).buffer,
      [undefined, null],
    ];
    const futures = values.map((value) => executor.submit(echo<unknown>, value));
    for (const [i, future] of futures.entries()) {
      const back = await future;
      assertEquals(back, values[i]);
      assert(
        Object.is(Object.getPrototypeOf(Object(back)), Object.getPrototypeOf(Object(values[i]))),
      );
      if (typeof back === "number") assert(Object.is(back, values[i]));
    }
    const back = await executor.submit(echo<unknown>, cycle) as typeof cycle;
    assertStrictEquals(back.me, back);
    const error = await executor.submit(echo<unknown>, new RangeError("as a value")) as Error;
    assertInstanceOf(error, RangeError);
    assertEquals(error.message, "as a value");
  });

  test("submit, takes arguments as they are at the call", async (executor) => {
    const list = [1];
    const first = executor.submit(echo<number[]>, list);
    list.push(2);
    const second = executor.submit(echo<number[]>, list);
    list.push(3);
    assertEquals([await first, await second], [[1], [1, 2]]);
  });

  test("submit, of a megabyte there and back, while others go on", async (executor) => {
    const bytes = new Uint8Array(2 ** 20).fill(3);
    const sums = range(4).map(() => executor.submit(sumOf, bytes));
    const small = range(20).map((n) => executor.submit(square, n));
    const back = executor.submit(givesBytes, 2 ** 20);
    assertEquals(await Promise.all(sums), Array(4).fill(3 * 2 ** 20));
    assertEquals(await Promise.all(small), squares(20));
    assertEquals(await executor.submit(sumOf, await back), 7 * 2 ** 20);
    assertEquals(bytes.length, 2 ** 20);
  });

  test("submit, of a thousand calls, gives each its own result", async (executor) => {
    const futures = range(1000).map((n) => executor.submit(square, n));
    assertEquals(await Promise.all(futures), squares(1000));
  });

  test("what cannot travel, is refused at the call, and alone", async (executor) => {
    const local = () => 1;
    const refuse = <E extends Error>(call: () => unknown, type: new (message?: string) => E) =>
      assertThrows(call, type);
    refuse(() => executor.submit(local), PicklingError);
    refuse(() => executor.submit(add.bind(null, 1), 2), PicklingError);
    refuse(() => executor.submit(Math.max, 1, 2), PicklingError);
    refuse(() => executor.submit(echo<unknown>, () => 1), PicklingError);
    refuse(() => executor.submit(echo<unknown>, { deep: [Symbol("x")] }), PicklingError);
    for (const none of [undefined, null, 5, "add", {}]) {
      refuse(() => executor.submit(none as never), TypeError);
    }
    assertEquals(await executor.submit(add, 1, 1), 2);
  });

  test("a result that cannot travel, fails its call alone", async (executor) => {
    const bad = executor.submit(givesClosure);
    const good = executor.submit(add, 1, 2);
    await assertRejects(() => bad.result(), PicklingError);
    assertEquals(await good, 3);
    for (let i = 0; i < 5; i++) {
      await assertRejects(() => executor.submit(givesClosure).result(), PicklingError);
    }
    assertEquals(await executor.submit(add, 2, 2), 4);
  });

  test("errors, come with class, message, cause, properties and the other side's stack", async (executor) => {
    const future = executor.submit(refuses, "no");
    const error = await future.exception() as Refusal;
    if (ownClasses) assertInstanceOf(error, Refusal);
    assertInstanceOf(error, Error);
    assertEquals([error.name, error.message, error.code], ["Refusal", "no", 42]);
    assertInstanceOf(error.cause, RangeError);
    assertEquals((error.cause as Error).message, "the cause");
    assertMatch(error.stack!, /executor_tasks\.ts/);
    assertStrictEquals(await assertRejects(() => future.result()), error);
    const later = await executor.submit(refusesLater, "later").exception();
    assertEquals(later?.message, "later");
    assertEquals(await executor.submit(throwsText).then(() => 1, (error) => error), "text");
    assertEquals(await executor.submit(throwsNull).then(() => 1, (error) => error), null);
    assertEquals(await executor.submit(add, 1, 2).exception(), null);
  });

  test("two calls at a time, both run with two workers", async (executor, gates) => {
    const [a, b, gate] = [gates.path(), gates.path(), gates.path()];
    const futures = [a, b].map((begun) => executor.submit(beginAndWait<string>, begun, gate, "ok"));
    await Promise.all([opened(a), opened(b)]);
    gates.open(gate);
    assertEquals(await Promise.all(futures), ["ok", "ok"]);
  });

  test("no more calls run than there are workers", async (executor, gates) => {
    const gate = gates.path();
    const begun = range(4).map(() => gates.path());
    const futures = begun.map((path, i) => executor.submit(beginAndWait<number>, path, gate, i));
    const seen: string[] = [];
    const all = begun.map(async (path) => void seen.push(await opened(path).then(() => path)));
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 2));
    const rest = begun.filter((path) => !seen.includes(path));
    for (const path of rest) assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
    assertEquals(seen.length, 2);
    gates.open(gate);
    assertEquals(await Promise.all(futures), range(4));
    await Promise.all(all);
  });

  // ---- Futures -------------------------------------------------------------------------------------------------------------------

  test(
    "a future, tells how its call stands, and times out without harm",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      assertEquals([future.running(), future.done(), future.cancelled()], [true, false, false]);
      assertEquals(future.cancel(), false);
      await assertRejects(() => future.result({ timeout: 10 }), TimeoutError);
      await assertRejects(() => future.exception({ timeout: 0 }), TimeoutError);
      await assertRejects(() => future.result({ timeout: NaN }), RangeError);
      const reason = new Error("enough");
      await assertRejects(
        () => future.result({ signal: AbortSignal.abort(reason) }),
        Error,
        "enough",
      );
      gates.open(gate);
      assertEquals(await future.result({ timeout: 60_000 }), 7);
      assertEquals([future.running(), future.done(), future.cancelled()], [false, true, false]);
      assertEquals([future.cancel(), await future.exception()], [false, null]);
      assertThrows(() => future.setResult(8), InvalidStateError);
      assertEquals(await future, 7);
    },
    { workers: 1 },
  );

  test(
    "callbacks, are called once each, in order, with the future, and an error in one is no harm",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      const seen: unknown[] = [];
      future.addDoneCallback((each) => seen.push(["first", each === future, each.done()]));
      future.addDoneCallback((each) => seen.push(["second", each === future, each.done()]));
      gates.open(gate);
      await future;
      assertEquals(seen, [["first", true, true], ["second", true, true]]);
      future.addDoneCallback(() => seen.push("late"));
      assertEquals(seen.length, 3);
      const failed = executor.submit(refuses, "no");
      const names: unknown[] = [];
      failed.addDoneCallback((each) =>
        void each.exception().then((error) => names.push(error?.name))
      );
      await failed.exception();
      await Promise.resolve();
      assertEquals(names, ["Refusal"]);
    },
  );

  test("callbacks, may submit", async (executor) => {
    const again = Promise.withResolvers<Future<number>>();
    executor.submit(square, 2).addDoneCallback(() => again.resolve(executor.submit(square, 3)));
    // A promise that is resolved with a future takes its result.
    assertEquals(await again.promise as unknown, 9);
  });

  test(
    "cancel, takes back what has not begun, and no other call is lost",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      const queued = range(20).map((n) => executor.submit(square, n));
      let called = 0;
      queued[0].addDoneCallback((each) => called += each.cancelled() ? 1 : 0);
      const cancelled = queued.filter((_, i) => i % 2 === 0).map((each) => each.cancel());
      assertEquals(cancelled, Array(10).fill(true));
      assertEquals([queued[0].cancel(), queued[0].cancelled(), queued[0].done()], [
        true,
        true,
        true,
      ]);
      assertEquals(called, 1);
      await assertRejects(() => queued[0].result(), CancelledError);
      await assertRejects(() => queued[0].exception(), CancelledError);
      gates.open(gate);
      assertEquals(await future, 7);
      const rest = await Promise.allSettled(queued);
      assertEquals(
        rest.map((each) => each.status === "fulfilled" ? each.value : "-"),
        range(20).map((i) => i % 2 === 0 ? "-" : i * i),
      );
    },
    { workers: 1, when: ordered },
  );

  test("wait and asCompleted, see its futures", async (executor, gates) => {
    const { future, gate } = await held(executor, gates);
    const quick = executor.submit(square, 3);
    const fs = [future, quick];
    const first = await wait(fs, { returnWhen: FIRST_COMPLETED });
    assertEquals([first.done.has(quick), first.notDone.has(future)], [true, true]);
    const failing: Future<number> = executor.submit(refuses, "no");
    const failed = await wait([future, failing], { returnWhen: FIRST_EXCEPTION });
    assertEquals([failed.done.has(failing), failed.notDone.has(future)], [true, true]);
    const late = await wait([future, quick], { timeout: 10 });
    assertEquals([late.done.size, late.notDone.size], [1, 1]);
    const seen: unknown[] = [];
    for await (const each of asCompleted([future, quick, quick])) {
      seen.push(await each.result());
      gates.open(gate);
    }
    assertEquals(seen, [9, 7]);
    const whole = await wait(fs, { returnWhen: ALL_COMPLETED });
    assertEquals([whole.done.size, whole.notDone.size], [2, 0]);
    const never = asCompleted([executor.submit(square, 1)], { timeout: 0 });
    await all(never);
  });

  test(
    "asCompleted, whose time is up, gives what is done and throws TimeoutError",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      const quick = executor.submit(square, 3);
      await quick;
      const seen = await all(asCompleted([future, quick], { timeout: 20 }));
      assertEquals(seen.length, 2);
      assertStrictEquals(seen[0], quick);
      assertInstanceOf(seen[1], TimeoutError);
      gates.open(gate);
    },
  );

  // ---- Blocking ------------------------------------------------------------------------------------------------------------------

  test(
    "resultSync, of the first call, of many, and of one that fails, blocks until they are done",
    async (executor) => {
      assertEquals(executor.submit(add, 1, 2).resultSync(), 3);
      const futures = range(300).map((n) => executor.submit(square, n));
      assertEquals(futures.map((future) => future.resultSync()), squares(300));
      const failing = executor.submit(refuses, "no");
      const error = assertThrows(() => failing.resultSync(), Error, "no") as Refusal;
      assertEquals([error.name, error.code], ["Refusal", 42]);
      assertStrictEquals(failing.exceptionSync(), error);
      assertEquals(executor.submit(squareLater, 5).resultSync(), 25);
      assertEquals(executor.submit(givesBytes, 2 ** 20).resultSync().length, 2 ** 20);
      assertEquals(executor.submit(sumOf, new Uint8Array(2 ** 20).fill(1)).resultSync(), 2 ** 20);
      assertThrows(() => executor.submit(givesClosure).resultSync(), PicklingError);
      await executor.submit(add, 1, 1);
    },
    { when: blocks },
  );

  test("resultSync and await, take turns on the same executor", async (executor) => {
    for (let i = 0; i < 200; i++) {
      assertEquals(await executor.submit(square, i), i * i);
      assertEquals(executor.submit(square, i).resultSync(), i * i);
      const pending = executor.submit(square, i);
      if (i % 3 === 0) await Promise.resolve();
      assertEquals(pending.resultSync({ timeout: 60_000 }), i * i);
    }
  }, { when: blocks });

  test(
    "resultSync and exceptionSync, whose time is up, leave the call alone",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      assertThrows(() => future.resultSync({ timeout: 20 }), TimeoutError);
      assertThrows(() => future.exceptionSync({ timeout: 0 }), TimeoutError);
      assertEquals(future.running(), true);
      gates.open(gate);
      assertEquals(future.resultSync(), 7);
      assertEquals(future.exceptionSync(), null);
    },
    { when: blocks },
  );

  test(
    "waitSync, waits for the first, for an exception, for all, and no longer than it may",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      const quick = executor.submit(square, 3);
      const first = waitSync([future, quick], { returnWhen: FIRST_COMPLETED });
      assertEquals([first.done.has(quick), first.notDone.has(future)], [true, true]);
      const failing: Future<number> = executor.submit(refuses, "no");
      const failed = waitSync([future, failing], { returnWhen: FIRST_EXCEPTION });
      assertEquals([failed.done.has(failing), failed.notDone.has(future)], [true, true]);
      const late = waitSync([future], { timeout: 20 });
      assertEquals([late.done.size, late.notDone.size], [0, 1]);
      const more = range(100).map((n) => executor.submit(square, n));
      gates.open(gate);
      const whole = waitSync([future, ...more]);
      assertEquals([whole.done.size, whole.notDone.size], [101, 0]);
      assertEquals(await Promise.all(more), squares(100));
    },
    { when: blocks },
  );

  test(
    "callbacks of a blocking wait, may submit and block for what they submit",
    async (executor) => {
      const seen: number[] = [];
      const first = executor.submit(add, 1, 2);
      first.addDoneCallback((each) => {
        seen.push(executor.submit(square, each.resultSync()).resultSync());
      });
      assertEquals(first.resultSync(), 3);
      await first;
      assertEquals(seen, [9]);
    },
    { when: blocks },
  );

  // ---- map -----------------------------------------------------------------------------------------------------------------------

  test("map, gives results in order, of several iterables, in chunks of any size", async (executor) => {
    assertEquals(await all(executor.map(square, range(30))), squares(30));
    for (const chunksize of [1, 7, 40, 500]) {
      const results = executor.map(add, range(50), range(60), { chunksize });
      assertEquals(await all(results), range(50).map((n) => 2 * n));
    }
    assertEquals(await all(executor.map(squareLater, new Set([3, 2, 1]), { chunksize: 2 })), [
      9,
      4,
      1,
    ]);
    assertEquals(await all(executor.map(square, [])), []);
    async function* later() {
      for (const n of range(5)) {
        await Promise.resolve();
        yield n;
      }
    }
    assertEquals(await all(executor.map(square, later())), squares(5));
  });

  test("map, gives an error in its place, and ends with it", async (executor) => {
    for (const chunksize of [1, 2, 10]) {
      const results = executor.map(refusesThree, range(6), { chunksize });
      const seen = await all(results);
      assertEquals(seen.slice(0, 3), [0, 1, 2]);
      assertInstanceOf(seen[3], RangeError);
      assertEquals([(seen[3] as Error).message, seen.length], ["three", 4]);
      assertEquals((await results.next()).done, true);
    }
  });

  test("map, whose time is up, or that is aborted, rejects and ends", async (executor, gates) => {
    const gate = gates.path();
    const call = (options: { timeout?: number; signal?: AbortSignal }) =>
      executor.map(
        beginAndWait<number>,
        [gates.path(), gates.path()],
        [gate, gate],
        [1, 2],
        options,
      );
    const late = call({ timeout: 50 });
    await assertRejects(() => late.next(), TimeoutError);
    assertEquals((await late.next()).done, true);
    gates.open(gate);
    const reason = new Error("enough");
    const aborted = call({ signal: AbortSignal.abort(reason) });
    assertStrictEquals(await assertRejects(() => aborted.next()), reason);
    assertEquals(await all(executor.map(square, range(5), { timeout: 60_000 })), squares(5));
  });

  test("map with buffersize, reads no further than that ahead of what is taken", async (executor) => {
    const read: number[] = [];
    function* source() {
      for (let n = 0;; n++) {
        read.push(n);
        yield n;
      }
    }
    const results = executor.map(square, source(), { buffersize: 4 });
    assertEquals(read, range(4));
    assertEquals((await results.next()).value, 0);
    assert(read.length <= 5, String(read));
    await results.return!();
    assertEquals((await results.next()).done, true);
  });

  test("map with progress, tells of every call, and of those that failed", async (executor) => {
    const told: Progress[] = [];
    const progress = (each: Progress) => void told.push({ ...each });
    await all(executor.map(square, range(10), { progress, chunksize: 3 }));
    assertEquals(told.at(-1), { done: 10, failed: 0, total: 10 });
    told.length = 0;
    await all(executor.map(refusesThree, [1, 2, 3], { progress }));
    assertEquals(told.at(-1)?.failed, 1);
  });

  test("map, of bad input, is refused at the call", async (executor) => {
    for (const chunksize of [0, -1, 1.5, NaN]) {
      assertThrows(() => executor.map(square, [1], { chunksize }), RangeError);
    }
    assertThrows(() => executor.map(square, [1], { buffersize: 0 }), RangeError);
    assertThrows(() => executor.map(square, 5 as never), TypeError);
    const local = (n: number) => n;
    assertThrows(() => executor.map(local, [1]), PicklingError);
    assertThrows(() => executor.map(local, []), PicklingError);
    assertEquals(await executor.submit(add, 1, 1), 2);
  });

  // ---- Ends ----------------------------------------------------------------------------------------------------------------------

  test("shutdown, waits for what was submitted, and refuses more", async (executor) => {
    const futures = range(10).map((n) => executor.submit(squareLater, n));
    const down = executor.shutdown();
    assertThrows(() => executor.submit(square, 1), RuntimeError);
    assertThrows(() => executor.map(square, [1]), RuntimeError);
    await down;
    assertEquals(futures.map((future) => future.done()), Array(10).fill(true));
    assertEquals(await Promise.all(futures), squares(10));
    await executor.shutdown();
  });

  test(
    "shutdown({ wait: false }), returns at once, and the calls are finished",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      const queued = executor.submit(square, 3);
      await executor.shutdown({ wait: false });
      assertEquals(future.done(), false);
      gates.open(gate);
      assertEquals([await future, await queued], [7, 9]);
    },
    { workers: 1 },
  );

  test(
    "shutdown({ cancelFutures: true }), lets what runs end, and cancels what waits",
    async (executor, gates) => {
      const { future, gate } = await held(executor, gates);
      const queued = range(5).map((n) => executor.submit(square, n));
      const down = executor.shutdown({ cancelFutures: true });
      assertEquals(queued.map((each) => each.cancelled()), Array(5).fill(true));
      gates.open(gate);
      await down;
      assertEquals(await future, 7);
    },
    { workers: 1, when: ordered },
  );

  test("shutdown, of one that was never used, and with bad options", async (executor) => {
    await assertRejects(() => executor.shutdown({ wait: 1 } as never), TypeError);
    await assertRejects(() => executor.shutdown(true as never), TypeError);
    await assertRejects(() => executor.shutdown([true] as never), TypeError);
    assertEquals(await executor.submit(square, 2), 4);
    await executor.shutdown();
  });

  test("stats, count what is done and what has failed", async (executor) => {
    assertEquals([executor.stats().done, executor.stats().failed], [0, 0]);
    await Promise.all(range(5).map((n) => executor.submit(square, n)));
    await executor.submit(refuses, "no").exception();
    const { busy, queued, done, failed, runTime, waitTime } = executor.stats();
    assertEquals({ busy, queued, done, failed, count: runTime.count }, {
      busy: 0,
      queued: 0,
      done: 5,
      failed: 1,
      count: 6,
    });
    assert(runTime.min <= runTime.mean && runTime.mean <= runTime.max);
    assert(waitTime.max >= waitTime.min);
  });

  test(
    "with, ends a call that is out of time or aborted, and no other",
    async (executor, gates) => {
      const sibling = await held(executor, gates);
      for (const task of [spin, awaitForEver]) {
        const begun = gates.path();
        const late = executor.with({ timeout: 100 }).submit(task, begun);
        await assertRejects(() => late.result(), TimeoutError, "100 ms");
        const controller = new AbortController();
        const again = gates.path();
        const aborted = executor.with({ signal: controller.signal }).submit(task, again);
        await opened(again);
        const reason = new Error("enough");
        controller.abort(reason);
        assertStrictEquals(await aborted.exception(), reason);
        assertEquals(await executor.submit(square, 4), 16);
      }
      assertEquals(sibling.future.done(), false);
      gates.open(sibling.gate);
      assertEquals(await sibling.future, 7);
      const limited = executor.with({ timeout: 60_000 });
      assertEquals(await all(limited.map(square, range(4))), squares(4));
      const before = executor.with({ signal: AbortSignal.abort(new Error("before")) });
      await assertRejects(() => before.submit(square, 1).result(), Error, "before");
      assertThrows(() => executor.with({ timeout: NaN }), RangeError);
      assertThrows(() => executor.with(null as never), TypeError);
    },
    { when: stops },
  );

  if (!initializers || skip !== undefined) return;

  Deno.test(`${name}: an initializer, is called first in each worker, with its arguments`, async () => {
    const wanted = { maxWorkers: 2, initializer: prepare, initargs: [{ n: 5 }] };
    await using executor = await make(wanted);
    const futures = range(6).map(() => executor.submit(whatIsPrepared));
    assertEquals(await Promise.all(futures), Array(6).fill({ n: 5 }));
  });

  Deno.test(`${name}: an initializer that throws, breaks the executor, whose calls say why`, async () => {
    for (const colour of blocks ? ["async", "Sync"] : ["async"]) {
      await using executor = await make({ maxWorkers: 2, initializer: cannotPrepare });
      const futures = range(3).map((n) => executor.submit(square, n));
      for (const future of futures) {
        const error = colour === "Sync" ? future.exceptionSync() : await future.exception();
        assertInstanceOf(error, BrokenExecutor);
        assertMatch(error.message, /not today/);
      }
      assertThrows(() => executor.submit(square, 1), BrokenExecutor);
    }
  });
}
