/** What is promised when workers, servers and the leader of a cluster are killed: with real signals, on real processes. */
import { assert, assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { PoisonTaskError, TaskLostError } from "@batteries/concurrent/nats";
import {
  endsItsThread,
  killsItsWorker,
  marked,
  spinFor,
  square,
  threadAfter,
  untilThere,
} from "../fixtures/nats/tasks.ts";
import {
  executorFor,
  freePort,
  held,
  leaderOf,
  Server,
  test,
  until,
  WorkerProcess,
} from "./_cluster.ts";

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/**
 * Milliseconds: the shortest that there is. On a starved machine a worker may be silent for longer, which counts as a loss. So where it is
 * counted how often something has run, the lease is longer, or what is asked is true all the same.
 */
const LEASE = 1_000;

/** A file that tasks leave their marks in. */
class Marks implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "nats-marks-" });
  readonly file = `${this.folder}/marks`;
  readonly gate = `${this.folder}/gate`;

  /** Those that are there in full: a file is there before its first line is. */
  get lines(): string[] {
    try {
      return Deno.readTextFileSync(this.file).split("\n").slice(0, -1);
    } catch {
      return [];
    }
  }

  open(): void {
    Deno.writeTextFileSync(this.gate, "");
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Submits calls of {@linkcode marked}, and does something when so many have ended. Gives what the futures gave. */
async function run(
  url: string,
  marks: Marks,
  { calls, time, when, then, replicas, lease = LEASE }: {
    calls: number;
    time: number;
    when: number;
    then: () => Promise<void> | void;
    replicas?: number;
    lease?: number;
  },
): Promise<number[]> {
  const executor = executorFor(url, { lease, replicas });
  let ended = 0;
  const futures = range(calls).map((n) => executor.submit(marked, marks.file, n, time));
  for (const future of futures) future.addDoneCallback(() => ended++);
  await until(`${when} of ${calls} calls have ended`, () => ended >= when);
  await then();
  const values = await Promise.all(futures.map((future) => future.result({ timeout: 60_000 })));
  assertEquals(ended, calls); // each is settled once
  await executor.shutdown();
  return values;
}

const squares = (n: number) => range(n).map((i) => i * i);
const numbers = (lines: string[]) => lines.map(Number).sort((a, b) => a - b);

test("a worker that is killed, loses no call: others run what it had", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  const workers = await Promise.all(
    range(3).map(() =>
      WorkerProcess.start({ servers: server.url, args: ["--lease", String(2 * LEASE)] })
    ),
  );
  try {
    const values = await run(server.url, marks, {
      calls: 300,
      time: 10,
      when: 60,
      then: () => workers[0].kill(),
    });
    assertEquals(values, squares(300));
    const times = numbers(marks.lines);
    assertEquals([...new Set(times)], range(300));
    // What the dead one had, and what a starved machine has taken from others: not all of it.
    assert(times.length < 400, `${times.length} runs`);
  } finally {
    for (const worker of workers) await worker[Symbol.asyncDispose]();
  }
});

test("a server that is killed and started again, loses no call", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  await using _a = await WorkerProcess.start({
    servers: server.url,
    args: ["--lease", String(LEASE)],
  });
  const values = await run(server.url, marks, {
    calls: 300,
    time: 5,
    when: 60,
    then: async () => {
      await server.kill();
      await server.start();
    },
  });
  assertEquals(values, squares(300));
  assertEquals([...new Set(numbers(marks.lines))], range(300));
});

test("a server that comes back without its storage, fails what it had, and goes on", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  const executor = executorFor(server.url, { lease: LEASE });
  const futures = range(50).map((n) => executor.submit(square, n));
  await executor.connect();
  await until("calls are on the server", async () => (await held(server.url)).tasks === 50);
  await server.kill();
  await Deno.remove(server.storage, { recursive: true });
  await server.start();
  for (const future of futures) {
    assertInstanceOf(await future.exception({ timeout: 30_000 }), TaskLostError);
  }
  await using _worker = await WorkerProcess.start({ servers: server.url });
  assertEquals(await executor.submit(square, 5).result({ timeout: 30_000 }), 25);
  assertEquals(marks.lines, []);
  await executor.shutdown();
});

test("a cluster of three whose leader is killed, loses no call", async () => {
  using marks = new Marks();
  const all = range(3).map(freePort);
  const servers = await Promise.all(
    all.map((own) => Server.start({ cluster: { name: "test", own, all } })),
  );
  try {
    const urls = servers.map(({ url }) => url).join(",");
    await until(
      "the cluster has a leader",
      () =>
        servers.some((server) =>
          server.log().includes("Self is new JetStream cluster metadata leader")
        ),
      20_000,
    );
    const worker = await WorkerProcess.start({
      servers: urls,
      args: ["--lease", String(LEASE), "--replicas", "3"],
      concurrency: 4,
    });
    await using _worker = worker;
    const values = await run(urls, marks, {
      calls: 400,
      time: 5,
      when: 80,
      replicas: 3,
      then: async () => {
        const leader = await leaderOf(urls);
        await servers[all.indexOf(Number(leader.slice(1)))].kill();
      },
    });
    assertEquals(values, squares(400));
    assertEquals([...new Set(numbers(marks.lines))], range(400));
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
  }
});

test("a call that kills its worker, is given up after so many, and the queue goes on", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  await using executor = executorFor(server.url, { lease: LEASE, maxWorkerLosses: 1 });
  const poison = executor.submit(killsItsWorker, marks.file);
  while (!poison.done()) {
    // One place: a worker that is killed leaves no request behind, which would have an old server count one time too few (docs/nats.md).
    await using worker = await WorkerProcess.start({ servers: server.url, concurrency: 1 });
    await Promise.race([worker.ended(), poison.exception({ timeout: 30_000 })]);
  }
  const error = await poison.exception();
  assertInstanceOf(error, PoisonTaskError);
  assertMatch(error!.message, /killsItsWorker was given to \d workers.*maxWorkerLosses is 1/);
  // Two; one when a hand-over was not heard of; three when the server has miscounted all the same.
  const runs = marks.lines.length;
  assert(runs >= 1 && runs <= 3, `${runs} runs`);
  await using _worker = await WorkerProcess.start({ servers: server.url });
  assertEquals(await executor.submit(square, 3), 9);
});

test("with maxWorkerLosses 0, no call is begun twice", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  await using executor = executorFor(server.url, { lease: LEASE, maxWorkerLosses: 0 });
  await executor.connect();
  const first = await WorkerProcess.start({ servers: server.url });
  const future = executor.submit(untilThere, marks.file, marks.gate);
  await until("it runs", () => marks.lines.length === 1);
  first.kill();
  await first.ended();
  await using _second = await WorkerProcess.start({ servers: server.url });
  assertInstanceOf(await future.exception({ timeout: 30_000 }), PoisonTaskError);
  assertEquals(marks.lines.length, 1);
  assertEquals(await executor.submit(square, 3), 9);
});

test("a call that ends its thread, is given up, and its neighbours do not notice", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  await using _worker = await WorkerProcess.start({ servers: server.url });
  await using executor = executorFor(server.url, { maxWorkerLosses: 2 });
  const neighbour = executor.submit(untilThere, `${marks.file}-2`, marks.gate);
  await until("it runs", () => neighbour.running());
  const error = await executor.submit(endsItsThread, marks.file).exception({ timeout: 30_000 });
  assertInstanceOf(error, PoisonTaskError);
  assertEquals(marks.lines.length, 3);
  assertEquals(neighbour.done(), false);
  marks.open();
  await neighbour;
  assertEquals(await executor.submit(square, 3), 9);
});

test("quick calls that share a thread with one that ends it, run once, though no worker may be lost over them", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  await using _worker = await WorkerProcess.start({ servers: server.url, concurrency: 16 });
  await using executor = executorFor(server.url, { maxWorkerLosses: 0 });
  for (let round = 0; round < 5; round++) {
    await Promise.all(range(100).map(() => executor.submit(square, 1)));
    const good = range(40).map((n) => executor.submit(threadAfter, marks.file, `${round}.${n}`));
    const bad = executor.submit(threadAfter, marks.file, `${round}.bad`, "exit");
    const more = range(40).map((n) => executor.submit(threadAfter, marks.file, `${round}+${n}`));
    assertInstanceOf(await bad.exception({ timeout: 30_000 }), PoisonTaskError);
    await Promise.all([...good, ...more]);
  }
  assertEquals(marks.lines.length, 5 * 81);
  assertEquals(new Set(marks.lines).size, 5 * 81);
});

test("a worker that stands still for longer than the lease, loses its calls, and its late results are refused", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  await using first = await WorkerProcess.start({
    servers: server.url,
    args: ["--lease", String(LEASE)],
    concurrency: 1,
  });
  await using executor = executorFor(server.url);
  const future = executor.submit(untilThere, marks.file, marks.gate);
  await until("it runs", () => marks.lines.length === 1);
  first.kill("SIGSTOP");
  await using second = await WorkerProcess.start({ servers: server.url, concurrency: 1 });
  await until("the other runs it", () => marks.lines.length === 2);
  marks.open();
  assertEquals(await future, second.pid);
  first.kill("SIGCONT");
  // It goes on and ends its call; the server has no room for that, and it takes others.
  second.kill("SIGTERM");
  await second.ended();
  assertEquals(await executor.submit(square, 3).result({ timeout: 30_000 }), 9);
  assertEquals(marks.lines.map(Number), [first.pid, second.pid]);
  assertEquals(executor.stats().done, 2);
});

test("a call that computes for longer than the lease, runs once", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  const options = { servers: server.url, args: ["--lease", String(3 * LEASE)] };
  await using _a = await WorkerProcess.start(options);
  await using _b = await WorkerProcess.start(options);
  await using executor = executorFor(server.url);
  assertEquals(await executor.submit(spinFor, marks.file, 7 * LEASE), "done");
  assertEquals(marks.lines, ["spin"]);
});

test("workers that are told to end one after the other, finish what they run: no call runs twice", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  const start = () => WorkerProcess.start({ servers: server.url });
  let old = await start();
  const values = await run(server.url, marks, {
    calls: 300,
    time: 10,
    when: 30,
    lease: 30_000,
    then: async () => {
      for (let i = 0; i < 2; i++) {
        const next = await start();
        old.kill("SIGTERM");
        assertEquals((await old.ended()).code, 0);
        old = next;
      }
    },
  });
  await old[Symbol.asyncDispose]();
  assertEquals(values, squares(300));
  assertEquals(numbers(marks.lines), range(300));
});

test("a worker whose time to end is over, gives back what it runs", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  const first = await WorkerProcess.start({ servers: server.url, args: ["--drain-timeout", "0"] });
  await using executor = executorFor(server.url);
  const future = executor.submit(untilThere, marks.file, marks.gate);
  await until("it runs", () => marks.lines.length === 1);
  first.kill("SIGTERM");
  assertEquals((await first.ended()).code, 0);
  await using second = await WorkerProcess.start({ servers: server.url });
  await until("the other runs it", () => marks.lines.length === 2);
  marks.open();
  assertEquals(await future.result({ timeout: 30_000 }), second.pid);
});

test("a stop against a finish, has one winner: what the future says is what the server has stored", async () => {
  using marks = new Marks();
  await using server = await Server.start();
  await using _worker = await WorkerProcess.start({ servers: server.url, concurrency: 4 });
  await using executor = executorFor(server.url);
  const reason = new Error("stopped");
  const random = (n: number) => Math.floor(Math.random() * n);
  const outcomes = await Promise.all(
    range(200).map(async (n) => {
      const controller = new AbortController();
      const future = executor.with({ signal: controller.signal }).submit(
        marked,
        marks.file,
        n,
        random(5),
      );
      await new Promise((resolve) => setTimeout(resolve, random(400)));
      controller.abort(reason);
      const error = await future.exception({ timeout: 30_000 });
      if (error === null) assertEquals(await future, n * n);
      else assertEquals(error, reason);
      return error === null;
    }),
  );
  const finished = outcomes.filter(Boolean).length;
  assertEquals(executor.stats().done, finished);
  // The same with cancel(): it says at once which.
  const cancelled = await Promise.all(
    range(200).map(async (n) => {
      const future = executor.submit(marked, marks.file, n, random(5));
      await new Promise((resolve) => setTimeout(resolve, random(400)));
      const taken = future.cancel();
      assertEquals(future.cancelled(), taken);
      if (!taken) assertEquals(await future.result({ timeout: 30_000 }), n * n);
      return taken;
    }),
  );
  assertEquals(executor.stats().done, finished + cancelled.filter((taken) => !taken).length);
  assertEquals(await executor.submit(square, 3), 9);
});
