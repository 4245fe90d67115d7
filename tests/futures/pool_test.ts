/** Thread pools: what goes in, what comes out, and how they end. */

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
  BrokenExecutor,
  BrokenThreadPool,
  CancelledError,
  Executor,
  Future,
  InterpreterPoolExecutor,
  InvalidStateError,
  ProcessPoolExecutor,
  RuntimeError,
  ThreadPoolExecutor,
  TimeoutError,
} from "@batteries/concurrent/futures";
import { enumerate, Event, Lock, PicklingError } from "@batteries/concurrent/threading";
import {
  add,
  addLater,
  cannotPrepare,
  changeColour,
  closes,
  colour,
  double,
  echo,
  givesClosure,
  hold,
  holdAsync,
  leave,
  leaveSoon,
  never,
  Point,
  prepare,
  prepareLater,
  Refusal,
  refuses,
  refusesLater,
  setEvent,
  threadName,
  throwsNull,
  throwsText,
  underLock,
  whatIsPrepared,
  whichColour,
} from "../fixtures/futures/tasks.ts";
import { lives, Local } from "../fixtures/futures/only_in_main.ts";
import { exchange, exchangeLater } from "../fixtures/futures/lazy_context.ts";
import { copyContext } from "@batteries/concurrent/contextvars";

Deno.test("submit: results of functions, async functions and static methods", async () => {
  await using executor = new ThreadPoolExecutor({ maxWorkers: 2 });
  assert(executor instanceof Executor);
  assertEquals(
    await Promise.all([
      executor.submit(add, 1, 2),
      executor.submit(addLater, 3, 4),
      executor.submit(Point.scale, new Point(1, 2), 3).then((point) => point.norm()),
    ]),
    [3, 7, Math.hypot(3, 6)],
  );
});

Deno.test("submit: values of every kind go there and back, by whichever colour they are waited for", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const values = [
    undefined,
    null,
    -0,
    "é 🦕",
    10n,
    [1, [2]],
    { a: new Map([[1, new Set([2])]]) },
    new Date(5),
    new Uint8Array([1, 2]),
    { deep: [new Point(1, 2)] },
    new Refusal("as a value"),
  ];
  for (const value of values) {
    const future = executor.submit(echo, value as unknown);
    const sync = executor.submit(echo, value as unknown).resultSync();
    for (const back of [await future, sync]) {
      assertEquals(Object.prototype.toString.call(back), Object.prototype.toString.call(value));
      if (value instanceof Error) assertInstanceOf(back, Refusal);
      else assertEquals(back, value);
    }
  }
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const back = await executor.submit(echo, shared);
  shared[0] = 7;
  assertEquals(back[0], 7);
});

Deno.test("submit: arguments are those of the moment of the call", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const list = [1];
  const first = executor.submit(echo, list);
  list.push(2);
  const second = executor.submit(echo, list);
  list.push(3);
  assertEquals([await first, await second], [[1], [1, 2]]);
});

Deno.test("submit: big arguments and results, while both threads are busy with others", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const bytes = new Uint8Array(8 * 2 ** 20).fill(7);
  const text = "é🦕".repeat(500_000);
  const list = Array.from({ length: 100_000 }, (_, i) => ({ i }));
  for (const colour of ["async", "sync"]) {
    const futures = [bytes, text, list, bytes].map((value) =>
      executor.submit(echo<unknown>, value)
    );
    const back = colour === "async"
      ? await Promise.all(futures)
      : futures.map((future) => future.resultSync());
    assertEquals(back.map((value) => (value as unknown[]).length), [
      bytes.length,
      text.length,
      list.length,
      bytes.length,
    ]);
    assertEquals((back[0] as Uint8Array).every((byte) => byte === 7), true);
    assertStrictEquals(back[1], text);
    assertEquals(back[2], list);
  }
});

Deno.test("submit: locks and events are the same in the thread", async () => {
  await using executor = new ThreadPoolExecutor(3);
  const lock = new Lock();
  const cell = new Int32Array(new SharedArrayBuffer(4));
  await Promise.all(Array.from({ length: 60 }, () => executor.submit(underLock, lock, cell)));
  assertEquals(cell[0], 60);
});

Deno.test("submit: what cannot travel is refused at the call, and the pool goes on, from the first call on", async () => {
  await using executor = new ThreadPoolExecutor(1);
  assertThrows(() => executor.submit(echo, () => 1), PicklingError);
  assertThrows(() => executor.submit(() => 1), PicklingError, "submit");
  assertThrows(() => executor.submit(add.bind(null, 1), 2), PicklingError);
  assertThrows(() => executor.submit(never, new Future()), PicklingError, "Future belongs");
  assertThrows(() => executor.submit(5 as never), TypeError);
  assertStrictEquals(await executor.submit(add, 1, 1), 2);
  assertThrows(() => executor.submit(echo, { deep: [Symbol("x")] } as unknown), PicklingError);
  assertThrows(
    () => executor.map(echo, [1, () => 1] as unknown[]),
    PicklingError,
  );
  assertStrictEquals(await executor.submit(add, 1, 1), 2);
  assertEquals(executor.stats().workers, 1);
});

Deno.test("submit: a result that cannot travel fails its task alone", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const bad = executor.submit(givesClosure);
  const good = executor.submit(add, 1, 2);
  await assertRejects(() => bad, PicklingError, "closures");
  assertStrictEquals(await good, 3);
  assertThrows(() => executor.submit(givesClosure).resultSync(), PicklingError);
});

Deno.test("submit: a module that the thread cannot import fails the calls that need it, and no others", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (let i = 0; i < 2; i++) {
    const needs = [executor.submit(lives), executor.submit(echo<unknown>, [new Local()])];
    const fine = executor.submit(add, 1, 2);
    for (const future of needs) await assertRejects(() => future, EvalError, "not in this thread");
    assertStrictEquals(await fine, 3);
  }
});

Deno.test("errors: class, message, own properties, cause and the stack of the other side arrive", async () => {
  await using executor = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "smith" });
  for (
    const error of [
      await assertRejects(() => executor.submit(refuses, "no"), Refusal, "no"),
      await executor.submit(refuses, "no").exception() as Refusal,
      assertThrows(() => executor.submit(refuses, "no").resultSync(), Refusal, "no"),
    ]
  ) {
    assertEquals([error.name, error.code], ["Refusal", 42]);
    assertInstanceOf(error.cause, RangeError);
    assertMatch(error.stack!, /at refuses .*tasks\.ts/);
    assertMatch(error.stack!, /--- thread smith_0 ---/);
  }
  await assertRejects(() => executor.submit(refusesLater, "later"), Refusal, "later");
  assertStrictEquals(await executor.submit(throwsNull).then(() => 1, (error) => error), null);
  assertStrictEquals(await executor.submit(throwsText).then(() => 1, (error) => error), "text");
  assertEquals(executor.stats().failed, 6);
});

Deno.test("errors: one that is being decoded when the thread blocks is there", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const [bad, after] = [executor.submit(refuses, "no"), executor.submit(add, 1, 2)];
  assertStrictEquals(after.resultSync(), 3);
  assertThrows(() => bad.resultSync(), Refusal);
});

Deno.test("resultSync: right after an await of the same pool, a thousand times", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (let i = 0; i < 1000; i++) {
    assertStrictEquals(await executor.submit(double, i), i * 2);
    assertStrictEquals(executor.submit(double, i).resultSync(), i * 2);
    const pending = executor.submit(double, i);
    if (i % 3 === 0) await Promise.resolve();
    assertStrictEquals(pending.resultSync({ timeout: 60_000 }), i * 2);
  }
});

Deno.test("resultSync: time runs out, the call goes on", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const [begun, may] = [new Event(), new Event()];
  const future = executor.submit(hold, begun, may);
  begun.waitSync();
  assertThrows(() => future.resultSync({ timeout: 5 }), TimeoutError);
  assertThrows(() => future.exceptionSync({ timeout: 0 }), TimeoutError);
  await assertRejects(() => future.result({ timeout: 5 }), TimeoutError);
  assertEquals([future.running(), future.done()], [true, false]);
  may.set();
  assertMatch(future.resultSync(), /_0$/);
});

Deno.test("Future of a task: running, cancel and done follow the worker", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const [begun, may] = [new Event(), new Event()];
  const first = executor.submit(hold, begun, may);
  const second = executor.submit(add, 1, 2);
  await begun.wait();
  assertEquals([first.running(), first.cancel(), first.done()], [true, false, false]);
  assertEquals([second.running(), second.done()], [false, false]);
  let calls = 0;
  second.addDoneCallback(() => calls++);
  assertEquals([second.cancel(), second.cancel(), second.cancelled(), calls], [
    true,
    true,
    true,
    1,
  ]);
  assertThrows(() => second.setResult(1), InvalidStateError);
  await assertRejects(() => second, CancelledError);
  assertEquals(executor.stats().queued, 0);
  may.set();
  await first;
  assertEquals([first.running(), first.cancel(), first.done()], [false, false, true]);
});

Deno.test("cancel: places of cancelled tasks are used again, and no other task is lost", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (let round = 0; round < 20; round++) {
    const [begun, may] = [new Event(), new Event()];
    const blocking = executor.submit(hold, begun, may);
    await begun.wait();
    const futures = Array.from({ length: 200 }, (_, i) => executor.submit(double, i));
    futures.forEach((future, i) => i % 3 === 0 && assert(future.cancel()));
    may.set();
    await blocking;
    const rest = await Promise.allSettled(futures);
    rest.forEach((each, i) => {
      if (i % 3 === 0) assertEquals(each.status, "rejected");
      else assertEquals(each, { status: "fulfilled", value: i * 2 });
    });
  }
});

Deno.test("cancel: beside errors that are being decoded, only what was asked for is cancelled", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (let i = 0; i < 100; i++) {
    const bad = executor.submit(refuses, "no");
    const good = executor.submit(add, 1, i);
    await Promise.resolve();
    bad.cancel();
    assertStrictEquals(await good, 1 + i);
  }
});

Deno.test("workers: none before the first call, one for calls in a row, and at most maxWorkers", async () => {
  const executor = new ThreadPoolExecutor({ maxWorkers: 3 });
  assertEquals(executor.stats().workers, 0);
  for (let i = 0; i < 30; i++) await executor.submit(add, i, 1);
  for (let i = 0; i < 30; i++) executor.submit(add, i, 1).resultSync();
  assertEquals(executor.stats().workers, 1);
  const may = new Event();
  const begun = Array.from({ length: 3 }, () => new Event());
  const held = begun.map((event) => executor.submit(hold, event, may));
  for (const event of begun) await event.wait();
  const queued = Array.from({ length: 20 }, (_, i) => executor.submit(double, i));
  const { workers, busy, queued: waiting } = executor.stats();
  assertEquals({ workers, busy, waiting }, { workers: 3, busy: 3, waiting: 20 });
  may.set();
  assertEquals(new Set(await Promise.all(held)).size, 3);
  await Promise.all(queued);
  const { done, failed, runTime, waitTime } = executor.stats();
  assertEquals([done, failed, runTime.count], [83, 0, 83]);
  assert(runTime.min <= runTime.mean && runTime.mean <= runTime.max);
  assert(waitTime.max >= waitTime.min);
  await executor.shutdown();
});

Deno.test("workers: a task that awaits holds its worker, and tasks that wait for each other need two", async () => {
  await using executor = new ThreadPoolExecutor(2);
  const [begun, may] = [new Event(), new Event()];
  const waiting = executor.submit(holdAsync, begun, may);
  await begun.wait();
  await executor.submit(setEvent, may);
  assertMatch(await waiting, /^ThreadPoolExecutor-\d+_0$/);
});

Deno.test("names: prefix and number; InterpreterPoolExecutor has its own", async () => {
  await using named = new ThreadPoolExecutor({ maxWorkers: 1, threadNamePrefix: "SpecialPool" });
  assertEquals(await named.submit(threadName), "SpecialPool_0");
  await using interpreters = new InterpreterPoolExecutor(1);
  assertInstanceOf(interpreters, ThreadPoolExecutor);
  assertMatch(await interpreters.submit(threadName), /^InterpreterPoolExecutor-\d+_0$/);
});

Deno.test("options: what is not one is refused", () => {
  for (const maxWorkers of [0, -1, 1.5, NaN, Infinity]) {
    assertThrows(() => new ThreadPoolExecutor({ maxWorkers }), RangeError, "maxWorkers");
    assertThrows(() => new ThreadPoolExecutor(maxWorkers), RangeError, "maxWorkers");
  }
  const bad: [unknown, typeof TypeError | typeof PicklingError][] = [
    ["4", TypeError],
    [null, TypeError],
    [{ maxWorkers: "4" }, TypeError],
    [{ initializer: 5 }, TypeError],
    [{ initializer: () => 1 }, PicklingError],
    [{ initializer: prepare, initargs: 5 }, TypeError],
    [{ initializer: prepare, initargs: [() => 1] }, PicklingError],
    [{ threadNamePrefix: 5 }, TypeError],
  ];
  for (const [options, type] of bad) {
    assertThrows(() => new ThreadPoolExecutor(options as never), type as typeof TypeError);
  }
});

Deno.test("initializer: each thread calls it first, an async one too, with what it was given", async () => {
  for (const initializer of [prepare, prepareLater]) {
    await using executor = new ThreadPoolExecutor({
      maxWorkers: 2,
      initializer,
      initargs: [{ n: 5 }],
    });
    const futures = Array.from({ length: 8 }, () => executor.submit(whatIsPrepared));
    for (const future of futures) assertEquals(await future, { n: 5 });
  }
});

Deno.test("initializer: one that throws breaks the pool: tasks and later calls get a BrokenThreadPool with its cause", async () => {
  for (const colour of ["async", "sync"]) {
    const executor = new ThreadPoolExecutor({ maxWorkers: 2, initializer: cannotPrepare });
    const futures = [executor.submit(add, 1, 2), executor.submit(add, 3, 4)];
    for (const future of futures) {
      const error = colour === "async" ? await future.exception() : future.exceptionSync();
      assertInstanceOf(error, BrokenThreadPool);
      assertInstanceOf(error, BrokenExecutor);
      assertInstanceOf(error.cause, Refusal);
      assert(error.message.includes("not today"));
    }
    assertThrows(() => executor.submit(add, 1, 2), BrokenThreadPool, "not today");
    assertThrows(() => executor.map(double, [1]), BrokenThreadPool);
    assertEquals(executor.stats().failed, 2);
    await executor.shutdown();
    assertThrows(() => executor.submit(add, 1, 2), RuntimeError);
  }
});

Deno.test("a worker that leaves breaks the pool, hangs nothing, and leaves other pools alone", async () => {
  await using other = new ThreadPoolExecutor(1);
  const executor = new ThreadPoolExecutor(1);
  const futures = [executor.submit(leave, 3), executor.submit(add, 1, 2)];
  const fine = other.submit(add, 1, 2);
  for (const future of futures) await assertRejects(() => future, BrokenThreadPool);
  assertThrows(() => executor.submit(add, 1, 2), BrokenThreadPool);
  await executor.shutdown();
  assertStrictEquals(await fine, 3);

  const closing = new ThreadPoolExecutor(1);
  const last = [closing.submit(closes), closing.submit(add, 1, 2)];
  await assertRejects(() => last[1], BrokenThreadPool);
  assert(last[0].done());
  await closing.shutdown();

  const idle = new ThreadPoolExecutor(1);
  await idle.submit(leaveSoon);
  for (;;) {
    try {
      await idle.submit(add, 1, 2);
    } catch (error) {
      assertInstanceOf(error, BrokenThreadPool);
      break;
    }
  }
  await idle.shutdown();
});

Deno.test("shutdown: waits for what runs and what is queued; then nothing can be submitted", async () => {
  const executor = new ThreadPoolExecutor(2);
  const futures = Array.from({ length: 50 }, (_, i) => executor.submit(addLater, i, 0));
  const down = executor.shutdown();
  assertThrows(() => executor.submit(add, 1, 2), RuntimeError, "shut down");
  assertThrows(() => executor.map(double, [1]), RuntimeError, "shut down");
  await down;
  assert(futures.every((future) => future.done()));
  assertEquals(futures.map((future) => future.resultSync()).at(-1), 49);
  await executor.shutdown();
});

Deno.test("shutdown: bad options are refused, and nothing is shut down", async () => {
  for (const Pool of [ThreadPoolExecutor, ProcessPoolExecutor]) {
    const executor = new Pool(1);
    const shutdown = (options: unknown) => () => executor.shutdown(options as { wait: boolean });
    await assertRejects(shutdown({ wait: 1 }), TypeError, "wait must be a boolean, got number");
    await assertRejects(shutdown({ cancelFutures: "yes" }), TypeError, "cancelFutures");
    await assertRejects(shutdown(true), TypeError, "{ cancelFutures: true }");
    executor.submit(double, 1).cancel();
    await executor.shutdown({ wait: undefined });
  }
});

Deno.test("shutdown({ wait: false }): returns at once, and the calls are finished", async () => {
  const executor = new ThreadPoolExecutor(1);
  const [begun, may] = [new Event(), new Event()];
  const running = executor.submit(hold, begun, may);
  const queued = executor.submit(add, 1, 2);
  await begun.wait();
  await executor.shutdown({ wait: false });
  assertEquals([running.done(), queued.done()], [false, false]);
  may.set();
  assertMatch(await running, /_0$/);
  assertStrictEquals(await queued, 3);
  await executor.shutdown();
});

Deno.test("shutdown({ cancelFutures: true }): what runs ends well, what waits is cancelled", async () => {
  for (const wait of [true, false]) {
    const executor = new ThreadPoolExecutor(1);
    const [begun, may] = [new Event(), new Event()];
    const running = executor.submit(hold, begun, may);
    const queued = Array.from({ length: 5 }, () => executor.submit(add, 1, 2));
    await begun.wait();
    const down = executor.shutdown({ wait, cancelFutures: true });
    assertEquals(queued.map((future) => future.cancelled()), Array(5).fill(true));
    assertEquals(running.cancelled(), false);
    may.set();
    await down;
    assertMatch(await running, /_0$/);
    await executor.shutdown();
  }
});

Deno.test("shutdown({ cancelFutures: true }): right after submit, the first calls go on, for which threads start", async () => {
  const executor = new ThreadPoolExecutor(2);
  const [begun, may] = [new Event(), new Event()];
  // They wait, or quick threads would have done them all before the shutdown.
  const futures = Array.from({ length: 30 }, () => executor.submit(hold, begun, may));
  const down = executor.shutdown({ cancelFutures: true });
  may.set();
  await down;
  assertEquals(futures.map((future) => future.cancelled()), futures.map((_, n) => n >= 2));
  for (const future of futures.slice(0, 2)) assertMatch(await future, /_[01]$/);
});

Deno.test("shutdown: of what was never used costs nothing; cancelling may come later than closing", async () => {
  const unused = new ThreadPoolExecutor();
  await unused.shutdown({ cancelFutures: true });
  assertEquals(unused.stats().workers, 0);

  const executor = new ThreadPoolExecutor(1);
  const [begun, may] = [new Event(), new Event()];
  const running = executor.submit(hold, begun, may);
  const queued = executor.submit(add, 1, 2);
  await begun.wait();
  await executor.shutdown({ wait: false });
  void executor.shutdown({ wait: false, cancelFutures: true });
  assert(queued.cancelled());
  may.set();
  await running;
  await executor.shutdown();
});

Deno.test("shutdown: all threads have ended, those that had nothing to do too", async () => {
  const executor = new ThreadPoolExecutor({ maxWorkers: 3, threadNamePrefix: "mortal" });
  await Promise.all(Array.from({ length: 30 }, () => executor.submit(addLater, 1, 2)));
  const mortals = () => enumerate().filter(({ name }) => name.startsWith("mortal"));
  assertEquals(mortals().length, executor.stats().workers);
  await executor.shutdown();
  assertEquals(mortals(), []);
});

Deno.test("await using: leaving the block waits for the calls", async () => {
  let future: Future<number>;
  {
    await using executor = new ThreadPoolExecutor(1);
    future = executor.submit(addLater, 1, 2);
  }
  assertEquals([future.done(), future.resultSync()], [true, 3]);
});

Deno.test("context: a variable that the first call in a thread makes, is empty for those that follow", async () => {
  for (const task of [exchange, exchangeLater]) {
    await using executor = new ThreadPoolExecutor(1);
    const found = [];
    for (const n of [1, 2, 3]) found.push(await executor.submit(task as typeof exchange, n));
    assertEquals(found, [null, null, null]);
  }
});

Deno.test("context: a call runs in a copy of its submitter's", async () => {
  await using executor = new ThreadPoolExecutor(1);
  await copyContext().run(async () => {
    colour.set("red");
    assertEquals(await executor.submit(whichColour), "red");
    assertEquals(await executor.submit(changeColour), "changed");
    assertEquals(await executor.submit(whichColour), "red");
    assertEquals(await Array.fromAsync(executor.map(whichColour as (n: number) => string, [1])), [
      "red",
    ]);
  });
  assertEquals(await executor.submit(whichColour), "none");
});

Deno.test("callbacks of tasks come in order, in the submitting thread, with errors and cancelled ones too", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const seen: unknown[] = [];
  const good = executor.submit(add, 1, 2);
  const bad = executor.submit(refuses, "no");
  for (const n of [1, 2]) good.addDoneCallback((future) => seen.push([n, future.resultSync()]));
  bad.addDoneCallback((future) => seen.push(future.exceptionSync() instanceof Refusal));
  await executor.shutdown();
  assertEquals(seen, [[1, 3], [2, 3], true]);
});

Deno.test("callbacks of tasks may submit, and may block for what they submit", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const colour of ["async", "sync"]) {
    const seen: number[] = [];
    const first = executor.submit(add, 1, 2);
    first.addDoneCallback((future) => {
      seen.push(executor.submit(double, future.resultSync()).resultSync());
    });
    if (colour === "async") await first;
    else first.resultSync();
    assertEquals(seen, [6]);
  }
});

Deno.test("ThreadPoolExecutor: permissions, are refused with where they can be had", () => {
  const options = { permissions: "none" } as unknown as number;
  assertThrows(() => new ThreadPoolExecutor(options), TypeError, "ProcessPoolExecutor");
});
