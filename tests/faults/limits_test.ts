/** Machines that have no more to give, peers that do not answer, and clocks that jump. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { type Future, ProcessPoolExecutor, TimeoutError } from "@batteries/concurrent/futures";
import { Event, Pipe, Pool, Process, Queue } from "@batteries/concurrent/multiprocessing";
import { SyncManager } from "@batteries/concurrent/multiprocessing/managers";
import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
import { Scheduler } from "@batteries/concurrent/sched";
import { PIPE, run, TimeoutExpired } from "@batteries/concurrent/subprocess";
import { consume, idle, type Item, itemOf, receive, work } from "../fixtures/faults/parties.ts";
import { spin } from "../fixtures/multiprocessing/pool_tasks.ts";
import { until } from "../contracts/world.ts";
import { waitUntil } from "../multiprocessing/_world.ts";
import { FakeClock } from "../sched/fake_clock.ts";

const linux = Deno.build.os === "linux";

function inShm(): string[] {
  return [...Deno.readDirSync("/dev/shm")].map(({ name }) => name);
}

Deno.test({
  name: "SharedMemory: more than /dev/shm has, is an error that says so and leaves nothing",
  ignore: !linux,
  fn() {
    const df = new Deno.Command("df", { args: ["--output=size", "-B1", "/dev/shm"] }).outputSync();
    const size = Number(new TextDecoder().decode(df.stdout).trim().split("\n").at(-1));
    const name = `faults-${crypto.randomUUID()}`;
    const error = assertThrows(
      () => new SharedMemory({ name, create: true, size: size + 4096 }),
      Error,
    ) as Error & { code?: string };
    assertEquals(error.code, "ENOSPC", error.message);
    assert(!inShm().includes(name));
    // What there is room for, is had.
    using small = new SharedMemory({ name, create: true, size: 4096 });
    small.buf[0] = 1;
    small.unlink();
  },
});

for (const most of [24, 40]) {
  Deno.test({
    name:
      `descriptors: with ${most} of them, all used up, is told by errors and goes on when there are some`,
    ignore: !linux,
    async fn() {
      const program = import.meta.resolve("../fixtures/faults/few_descriptors.ts");
      const command = new Deno.Command("sh", {
        args: [
          "-c",
          `ulimit -n ${most + 30}; exec "$0" run -A --no-check "$1"`,
          Deno.execPath(),
          program,
        ],
        env: { NO_COLOR: "1" },
      });
      const { code, stdout, stderr } = await command.output();
      const text = new TextDecoder();
      assertEquals(code, 0, text.decode(stderr));
      const { without, again } = JSON.parse(text.decode(stdout));
      for (const said of without) assert(!said.includes("without a word"), said);
      assert(without[0] !== "done", "a process was started without a descriptor");
      assertEquals(again, ["done", "done", "done"]);
    },
  });
}

/** Runs a shell's commands where it may mount what nobody else sees. */
function inOwnMounts(commands: string, ...args: string[]): Deno.Command {
  return new Deno.Command("unshare", {
    args: ["--map-root-user", "--mount", "sh", "-ec", commands, ...args],
    env: { NO_COLOR: "1" },
  });
}

function mayMount(): boolean {
  if (!linux) return false;
  try {
    return inOwnMounts("mount -t tmpfs none /mnt").outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "disk: a full one for temporary files, is told by errors and left as it was",
  ignore: !mayMount(),
  async fn() {
    const program = import.meta.resolve("../fixtures/faults/full_disk.ts");
    const { code, stdout, stderr } = await inOwnMounts(
      `mount -t tmpfs -o size=16k none /mnt
      export TMPDIR=/mnt
      head -c 16384 /dev/zero > /mnt/filler
      "$0" run -A --no-check "$1" /mnt/filler
      ls -A /mnt`,
      Deno.execPath(),
      program,
    ).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stderr));
    const [said, ...left] = text.decode(stdout).trim().split("\n");
    const { without: { lock, ...starts }, again } = JSON.parse(said);
    assertEquals(lock, "done");
    for (
      const [name, { code, message }] of Object.entries<{ code: string; message: string }>(starts)
    ) {
      assertEquals(code, "ENOSPC", `${name}: ${message}`);
      assertMatch(message, /^Cannot start .*: there is no room .*TMPDIR/, name);
    }
    assertEquals(again, { process: "done", executor: "done", pool: "done", manager: "done" });
    assertEquals(left, []);
  },
});

/** Stops a process, and waits until it stands: until then it might still do something. */
function halt(pid: number): void {
  Deno.kill(pid, "SIGSTOP");
  if (!linux) return;
  waitUntil(`${pid} is stopped`, () => / T /.test(Deno.readTextFileSync(`/proc/${pid}/stat`)));
}

function stop(pid: number): Disposable {
  halt(pid);
  return {
    [Symbol.dispose]() {
      Deno.kill(pid, "SIGCONT");
    },
  };
}

Deno.test("a Pipe whose reader is stopped: sending waits, gives up when told, and goes on with the reader", async () => {
  const [reader, writer] = Pipe<Item>({ duplex: false });
  const process = new Process({ target: receive, args: [reader], daemon: true });
  process.start();
  reader.close();
  await writer.send(itemOf(0, 0));
  let sent = 0;
  let done = false;
  const sending = (async () => {
    for (; sent < 300; sent++) await writer.send(itemOf(0, 19));
    done = true;
  })();
  {
    using _ = stop(process.pid!);
    let last = -1;
    // It stands still when nothing was sent for some turns.
    for (let still = 0; still < 20 && !done;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      still = sent === last ? still + 1 : 0;
      last = sent;
    }
    assert(!done, "30 MB were sent to nobody");
  }
  await sending;
  process.kill();
  await process.join();
  writer.close();
});

Deno.test("a Queue whose consumer is stopped: full, it times out and loses nothing", async () => {
  const queue = new Queue<Item>(2);
  const process = new Process({ target: consume, args: [queue, true], daemon: true });
  process.start();
  await queue.put(itemOf(0, 0));
  await until("it takes", () => queue.empty());
  // Asleep, it has no lock. One that is stopped with the queue's lock keeps others waiting until it goes on, whatever their time-out.
  await until("it waits", () => / S /.test(Deno.readTextFileSync(`/proc/${process.pid}/stat`)));
  {
    using _ = stop(process.pid!);
    let put = 0;
    await assertRejects(async () => {
      for (;; put++) await queue.put(itemOf(0, put), { timeout: 100 });
    });
    assertEquals(put, 2);
  }
  for (let n = 0; n < 20; n++) await queue.put(itemOf(0, n));
  await until("it goes on", () => queue.empty());
  process.kill();
  await process.join();
  queue.close();
});

Deno.test("a worker that is stopped in a call: the call is out of time, and the next has another worker", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const { pid } = await executor.submit(work, 1, 10);
  const begun = new Event();
  // The time counts from the call's beginning, so it has to have begun.
  const future = executor.with({ timeout: 5000 }).submit(spin, begun);
  await begun.wait();
  halt(pid);
  const error = await future.exception();
  assert(error instanceof TimeoutError, String(error));
  const next = await executor.submit(work, 3, 10);
  assertEquals(next.square, 9);
  assert(next.pid !== pid);
});

Deno.test("a worker that is stopped before a call: an abort ends the call and the worker, and the next has another", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const { pid } = await executor.submit(work, 1, 10);
  halt(pid);
  const controller = new AbortController();
  const future = executor.with({ signal: controller.signal }).submit(work, 2, 10);
  // In the next turn it has been sent.
  await new Promise((resolve) => setTimeout(resolve, 0));
  controller.abort(new Error("enough"));
  assertEquals((await future.exception())?.message, "enough");
  const next = await executor.submit(work, 3, 10);
  assertEquals(next.square, 9);
  assert(next.pid !== pid);
});

Deno.test({
  name:
    "a worker that is stopped: a call that is aborted before it was sent ends at once, and the worker does the next when it goes on",
  ignore: !linux,
  async fn() {
    await using executor = new ProcessPoolExecutor(1);
    const { pid } = await executor.submit(work, 1, 10);
    let next: Future<{ pid: number; square: number }>;
    {
      using _ = stop(pid);
      const controller = new AbortController();
      const future = executor.with({ signal: controller.signal }).submit(work, 2, 10);
      controller.abort(new Error("enough"));
      assertEquals((await future.exception())?.message, "enough");
      next = executor.submit(work, 3, 10);
    }
    assertEquals(await next, { pid, square: 9 });
  },
});

Deno.test({
  name: "a Process that is stopped: join gives up when told, terminate has to wait, kill ends it",
  ignore: Deno.build.os === "windows",
  async fn() {
    const process = new Process({ target: idle, daemon: true });
    process.start();
    halt(process.pid!);
    await process.join({ timeout: 50 });
    assertEquals(process.exitcode, null);
    process.terminate();
    await process.join({ timeout: 50 });
    assertEquals(process.exitcode, null);
    process.kill();
    await process.join();
    assertEquals(process.exitcode, -9);
  },
});

Deno.test({
  name: "workers that are stopped: terminateWorkers and terminate end them, and joins come back",
  ignore: Deno.build.os === "windows",
  async fn() {
    const executor = new ProcessPoolExecutor(1);
    const first = await executor.submit(work, 1, 10);
    halt(first.pid);
    await executor.terminateWorkers();
    const pool = new Pool({ processes: 1 });
    const second = await pool.apply(work, [1, 10]);
    halt(second.pid);
    pool.terminate();
    await pool.join();
    for (const { pid } of [first, second]) assertThrows(() => Deno.kill(pid, "SIGCONT"));
  },
});

Deno.test({
  name: "a program that is stopped: run with a timeout kills it",
  ignore: Deno.build.os === "windows",
  async fn() {
    const stops = ["sh", "-c", "kill -STOP $$; echo never"];
    await assertRejects(() => run(stops, { timeout: 200, stdout: PIPE }), TimeoutExpired);
  },
});

Deno.test("a manager that is stopped while a call is aborted: goes on, the call ends and no item is lost", async () => {
  await using manager = new SyncManager();
  await manager.start();
  const queue = await manager.Queue<number>();
  const list = await manager.list<number>();
  const failure = await list.get(0).catch((error: Error) => error) as Error;
  const pid = Number(failure.stack!.match(/--- manager process (\d+) ---/)![1]);
  const controller = new AbortController();
  let call: Promise<unknown>;
  {
    using _ = stop(pid);
    call = queue.get({ signal: controller.signal }).catch((error) => error);
    controller.abort(new Error("enough"));
  }
  await queue.put(7);
  const outcome = await call;
  if (outcome instanceof Error) {
    assertEquals(outcome.message, "enough");
    assertEquals(await queue.get(), 7);
  } else {
    // Call, abort and item have come to the server at once: then the item wins.
    assertEquals(outcome, 7);
  }
  assert(await queue.empty());
});

Deno.test("a clock that jumps on: everything that is due is run once, in order", async () => {
  const clock = new FakeClock();
  const ran: number[] = [];
  const scheduler = new Scheduler({ timefunc: clock.time, delayfunc: clock.sleep });
  for (const at of [5000, 10, 3_600_000, 20]) {
    scheduler.enter(at, 1, () => void ran.push(at));
  }
  const running = scheduler.run();
  await clock.asleep();
  clock.advance(10_000_000);
  await running;
  assertEquals(ran, [10, 20, 5000, 3_600_000]);
});

Deno.test("a clock that jumps back: nothing is run twice or too early, what is due later waits longer", async () => {
  let time = 1_000_000;
  const ran: string[] = [];
  const delays: number[] = [];
  const scheduler = new Scheduler({
    timefunc: () => time,
    delayfunc(ms: number) {
      delays.push(ms);
      // Somebody sets the clock back while it sleeps, once.
      time += delays.length === 1 ? -500 : ms;
      return Promise.resolve();
    },
  });
  scheduler.enterabs(1_000_100, 1, () => void ran.push(`a at ${time}`));
  scheduler.enterabs(1_000_200, 1, () => void ran.push(`b at ${time}`));
  await scheduler.run();
  assertEquals(ran, ["a at 1000100", "b at 1000200"]);
  assertStringIncludes(delays.join(), "600");
});
