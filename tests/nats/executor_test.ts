/** `NatsExecutor`, where it is more than an executor: names, sizes, limits, and a server that is not there. */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { leaks } from "@batteries/concurrent";
import { RuntimeError } from "@batteries/concurrent/futures";
import {
  NatsExecutor,
  type NatsExecutorOptions,
  natsWorker,
  QueueFullError,
} from "@batteries/concurrent/nats";
import { PicklingError } from "@batteries/concurrent/threading";
import { applyTo, bytes, echo, Point, square, sum } from "../fixtures/nats/tasks.ts";
import { add } from "../fixtures/futures/executor_tasks.ts";
import {
  executorFor,
  held,
  Server,
  TASKS,
  test,
  until,
  untilEmpty,
  WorkerProcess,
} from "./_cluster.ts";

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

Deno.test("nats: bad options, are refused at once", async () => {
  const tasks = { tasks: TASKS };
  const bad: [unknown, typeof TypeError | typeof RangeError][] = [
    [undefined, TypeError],
    [null, TypeError],
    [{}, TypeError],
    [{ tasks: {} }, TypeError],
    [{ tasks: { a: "./relative.ts" } }, TypeError],
    [{ tasks: { "a b": TASKS } }, RangeError],
    [{ tasks: { __proto__x$: TASKS } }, RangeError],
    [{ tasks, servers: [] }, TypeError],
    [{ tasks, servers: 5 }, TypeError],
    [{ tasks, name: "a.b" }, RangeError],
    [{ tasks, name: "" }, RangeError],
    [{ tasks, name: 5 }, TypeError],
    [{ tasks, lease: 5 }, RangeError],
    [{ tasks, lease: "5" }, TypeError],
    [{ tasks, maxPending: 0 }, RangeError],
    [{ tasks, maxWorkerLosses: -1 }, RangeError],
    [{ tasks, whenFull: "drop" }, RangeError],
    [{ tasks, auth: { user: "me" } }, TypeError],
    [{ tasks, tls: "yes" }, TypeError],
    [{ tasks, create: 1 }, TypeError],
    [{ tasks, replicas: 1.5 }, RangeError],
  ];
  for (const [options, type] of bad) {
    assertThrows(() => new NatsExecutor(options as NatsExecutorOptions), type);
  }
  await assertRejects(() => natsWorker({ tasks: {} }), TypeError);
  await assertRejects(() => natsWorker({ tasks, concurrency: 0 }), RangeError);
  await assertRejects(() => natsWorker({ tasks, isolate: "none" as never }), RangeError);
  await assertRejects(() => natsWorker({ tasks, onConnection: "tell" as never }), TypeError);
});

Deno.test("nats: an executor whose server is not there, fails its calls in time and says what to do", async () => {
  const executor = executorFor("nats://127.0.0.1:1", { connectTimeout: 300 });
  await assertRejects(() => executor.connect(), RuntimeError, "nats-server -js");
  const error = await executor.submit(square, 1).exception();
  assertInstanceOf(error, RuntimeError);
  assertMatch(error!.message, /127\.0\.0\.1:1 within 300 ms/);
  await executor.shutdown();
  await assertRejects(() => executor.connect(), RuntimeError, "shut down");
});

test("an executor whose server keeps nothing, fails its calls and says what to do", async () => {
  await using server = await Server.start({ jetstream: false });
  const executor = executorFor(server.url);
  await assertRejects(() => executor.connect(), RuntimeError, "nats-server -js");
  const error = await executor.submit(square, 1).exception();
  assertInstanceOf(error, RuntimeError);
  await executor.shutdown();
});

Deno.test("nats: an executor that is never used, connects to nothing and is no leak", async () => {
  const executor = executorFor("nats://127.0.0.1:1");
  assertEquals(leaks().filter(({ what }) => what.startsWith("Nats")), []);
  await executor.shutdown();
  assertThrows(() => executor.submit(square, 1), RuntimeError);
});

test("functions and classes of named modules, travel in values; those of others are refused", async () => {
  await using server = await Server.start();
  await using _worker = await WorkerProcess.start({ servers: server.url });
  await using executor = executorFor(server.url);
  const flipped: Point = await executor.submit(Point.flip, new Point(1, 2));
  assertInstanceOf(flipped, Point);
  assertEquals([flipped.x, flipped.y], [2, 1]);
  const applied: number = await executor.submit(applyTo, square, 7);
  assertEquals(applied, 49);
  assertThrows(() => executor.submit(add, 1, 2), PicklingError, "executor_tasks.ts");
  assertThrows(() => executor.submit(applyTo, add as never, 2), PicklingError, "executor_tasks.ts");
  assertEquals(leaks().some(({ what }) => what === "NatsExecutor default"), true);
  const points = await Array.fromAsync(
    executor.map(Point.flip, range(5).map((n) => new Point(n, 0)), { chunksize: 2 }),
  );
  assertEquals(points.map(({ y }) => y), range(5));
  assertEquals(executor.stats().workers, 1);
});

test("arguments and results that are too long for a message, go through the object store and leave it", async () => {
  await using server = await Server.start();
  await using _worker = await WorkerProcess.start({ servers: server.url });
  {
    await using executor = executorFor(server.url);
    const given = new Uint8Array(3_000_000).fill(1);
    assertEquals(await executor.submit(sum, given), 3_000_000);
    assertEquals((await executor.submit(bytes, 3_000_000)).length, 3_000_000);
    const back = await Promise.all(range(4).map(() => executor.submit(echo<Uint8Array>, given)));
    assertEquals(back.map(({ length }) => length), Array(4).fill(3_000_000));
    const all = executor.map(bytes, [400_000, 400_001, 400_002, 400_003], { chunksize: 4 });
    const lengths = (await Array.fromAsync(all)).map(({ length }) => length);
    assertEquals(lengths, [400_000, 400_001, 400_002, 400_003]);
  }
  await untilEmpty(server.url);
});

test("calls beyond maxPending, wait or fail, as was chosen", async () => {
  await using server = await Server.start();
  const failing = executorFor(server.url, { maxPending: 5, whenFull: "fail" });
  const waiting = executorFor(server.url, { maxPending: 5 });
  const some = range(12).map((n) => failing.submit(square, n));
  const all = range(200).map((n) => waiting.submit(square, n));
  const full = some.filter((future) => future.done());
  assertEquals(full.length, 7);
  for (const future of full) assertInstanceOf(await future.exception(), QueueFullError);
  await using _worker = await WorkerProcess.start({ servers: server.url });
  assertEquals(await Promise.all(some.slice(0, 5)), range(5).map((n) => n * n));
  assertEquals(await Promise.all(all), range(200).map((n) => n * n));
  assertEquals(await failing.submit(square, 3), 9);
  await failing.shutdown();
  await waiting.shutdown();
});

test("calls beyond what the queue holds, wait or fail, as was chosen", async () => {
  await using server = await Server.start();
  const failing = executorFor(server.url, { maxQueued: 10, whenFull: "fail" });
  const waiting = executorFor(server.url, { maxQueued: 10 });
  const some = range(15).map((n) => failing.submit(square, n));
  const results = await Promise.all(some.slice(10).map((future) => future.exception()));
  for (const error of results) assertInstanceOf(error, QueueFullError);
  const all = range(30).map((n) => waiting.submit(square, n));
  await using _worker = await WorkerProcess.start({ servers: server.url });
  assertEquals(await Promise.all(some.slice(0, 10)), range(10).map((n) => n * n));
  assertEquals(await Promise.all(all), range(30).map((n) => n * n));
  await failing.shutdown();
  await waiting.shutdown();
});

test("calls that are cancelled or aborted before a worker is there, never run", async () => {
  await using server = await Server.start();
  const executor = executorFor(server.url);
  await executor.connect();
  const cancelled = range(20).map((n) => executor.submit(square, n));
  const controller = new AbortController();
  const submitter = executor.with({ signal: controller.signal });
  const aborted = range(20).map((n) => submitter.submit(square, n));
  const kept = executor.submit(square, 5);
  assertEquals(cancelled.map((future) => future.cancel()), Array(20).fill(true));
  const reason = new Error("enough");
  controller.abort(reason);
  for (const future of aborted) assertEquals(await future.exception(), reason);
  await until("one is left", async () => (await held(server.url)).tasks === 1);
  await using _worker = await WorkerProcess.start({ servers: server.url });
  assertEquals(await kept, 25);
  const { done, workers } = executor.stats();
  assertEquals([done, workers], [1, 1]);
  assert(cancelled.every((future) => future.cancelled()));
  await executor.shutdown();
  await untilEmpty(server.url);
});

test("two executors and two queues on one server, do not notice each other", async () => {
  await using server = await Server.start();
  await using _a = await WorkerProcess.start({ servers: server.url, args: ["--name", "a"] });
  await using _b = await WorkerProcess.start({ servers: server.url, args: ["--name", "b"] });
  await using first = executorFor(server.url, { name: "a" });
  await using second = executorFor(server.url, { name: "a" });
  await using third = executorFor(server.url, { name: "b" });
  const all = [first, second, third].map((executor, i) =>
    range(50).map((n) => executor.submit(echo<number>, i * 1000 + n))
  );
  const results = await Promise.all(all.map((futures) => Promise.all(futures)));
  assertEquals(results, [0, 1, 2].map((i) => range(50).map((n) => i * 1000 + n)));
  assertEquals([first, second, third].map((executor) => executor.stats().done), [50, 50, 50]);
});

test("a worker in a program of one's own, runs calls until it is stopped", async () => {
  await using server = await Server.start();
  const worker = await natsWorker({ servers: server.url, tasks: { tasks: TASKS }, concurrency: 2 });
  const executor = executorFor(server.url);
  assertEquals(await executor.submit(square, 6), 36);
  await until("it is idle", () => worker.busy === 0);
  await executor.shutdown();
  await worker.stop();
  await worker.stop();
});
