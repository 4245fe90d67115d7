/** `ProcessPoolExecutor`. CPython's: `test_concurrent_futures/{executor,test_process_pool,test_init,test_deadlock,test_shutdown}.py`. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  asCompleted,
  BrokenExecutor,
  BrokenProcessPool,
  CancelledError,
  MemoryError,
  type Permissions,
  ProcessPoolExecutor,
  RuntimeError,
  ThreadPoolExecutor,
  TimeoutError,
  wait,
  waitSync,
} from "@batteries/concurrent/futures";
import { Event, Queue, Value } from "@batteries/concurrent/multiprocessing";
import { Queue as ThreadQueue } from "@batteries/concurrent/queue";
import { PicklingError, Thread } from "@batteries/concurrent/threading";
import {
  attempt,
  beginAndWait,
  closure,
  exit,
  exitingInitializer,
  failingInitializer,
  fails,
  hog,
  identity,
  killSelf,
  leavesError,
  length,
  mark,
  marked,
  multiply,
  never,
  pid,
  spin,
  spinTelling,
  square,
  unlessThree,
  waitFor,
  waitForSync,
} from "../fixtures/multiprocessing/pool_tasks.ts";
import { nested, openOrWait, putWaitPut, useInThread } from "../fixtures/futures/process_tasks.ts";

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
const squares = (n: number) => numbers(n).map((i) => i * i);

function isThere(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}

Deno.test("ProcessPoolExecutor: calls, run in other processes, which are used again", async () => {
  await using executor = new ProcessPoolExecutor(4);
  const first = await executor.submit(pid);
  assertNotEquals(first, Deno.pid);
  assertEquals(await executor.submit(multiply, 6, 7), 42);
  assertEquals(await executor.submit(pid), first);
  assertEquals(executor.stats().workers, 1);
  const { done, failed, busy, queued, runTime, waitTime } = executor.stats();
  assertEquals([done, failed, busy, queued, runTime.count], [3, 0, 0, 0, 3]);
  assert(waitTime.mean > 0 && runTime.max >= runTime.min);
});

Deno.test("ProcessPoolExecutor: an executor that is never used, starts nothing", async () => {
  const executor = new ProcessPoolExecutor();
  assertEquals(executor.stats().workers, 0);
  await executor.shutdown();
});

Deno.test("ProcessPoolExecutor: errors, come with class, cause and the process's stack", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const error = await executor.submit(fails).exception();
  assertInstanceOf(error, TypeError);
  assertEquals((error.cause as Error).message, "for a reason");
  assert(/pool_tasks\.ts/.test(error.stack!) && /process ProcessPoolExecutor/.test(error.stack!));
});

Deno.test("ProcessPoolExecutor: map, in chunks of any size and with several iterables, gives results in order", async () => {
  await using executor = new ProcessPoolExecutor(2);
  assertEquals(await Array.fromAsync(executor.map(square, numbers(50))), squares(50));
  for (const chunksize of [6, 40, 500]) {
    assertEquals(
      await Array.fromAsync(executor.map(multiply, numbers(100), numbers(100), { chunksize })),
      squares(100),
    );
  }
  assertThrows(() => executor.map(square, [1], { chunksize: -1 }), RangeError);
  const results = executor.map(unlessThree, numbers(10), { chunksize: 5 });
  for (const n of [0, 1, 4]) assertEquals((await results.next()).value, n);
  await assertRejects(() => results.next(), RangeError, "Somebody said 3");
  assertEquals((await results.next()).done, true);
  const progress: number[] = [];
  await Array.fromAsync(
    executor.map(square, numbers(10), { progress: ({ done }) => void progress.push(done) }),
  );
  assertEquals(progress.at(-1), 10);
});

Deno.test("ProcessPoolExecutor: wait and asCompleted, see its futures", async () => {
  await using executor = new ProcessPoolExecutor(2);
  const gate = new Event();
  const slow = executor.submit(waitFor, gate, 1);
  const quick = executor.submit(square, 2);
  const { done, notDone } = await wait([slow, quick], { returnWhen: "FIRST_COMPLETED" });
  assertEquals([done.has(quick), notDone.has(slow)], [true, true]);
  assert(slow.running());
  gate.set();
  const seen: unknown[] = [];
  for await (const future of asCompleted([slow, quick])) seen.push(await future.result());
  assertEquals(seen, [4, 1]);
});

Deno.test("ProcessPoolExecutor: resultSync, without what it takes, throws instead of blocking for ever", async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1, permissions: "none" });
  const future = executor.submit(square, 3);
  assertThrows(() => future.resultSync(), Deno.errors.NotSupported, "await it");
  assertEquals(await future, 9);
  assertEquals(future.resultSync(), 9);
});

Deno.test("ProcessPoolExecutor: a callback that blocks for a call whose answer came together with its own, gets it", async () => {
  await using executor = new ProcessPoolExecutor(1);
  await executor.submit(square, 1);
  for (let round = 0; round < 20; round++) {
    const seen: number[] = [];
    const futures = numbers(50).map((n) => executor.submit(square, n));
    futures[0].addDoneCallback(() => seen.push(futures[49].resultSync()));
    futures[10].addDoneCallback(() => seen.push(executor.submit(square, 100).resultSync()));
    assertEquals(await Promise.all(futures), squares(50));
    assertEquals(seen.sort(), [10_000, 2401].sort());
  }
});

Deno.test("ProcessPoolExecutor: a blocked thread, hears of a process that dies, with pid and exit code", async () => {
  for (const [end, exitcode] of [[killSelf, -9], [exit, 99]] as const) {
    await using executor = new ProcessPoolExecutor(2);
    const dying = end === exit ? executor.submit(exit, 99) : executor.submit(killSelf);
    const error = dying.exceptionSync();
    assertInstanceOf(error, BrokenProcessPool);
    assertEquals(error.exitcode, exitcode);
    assert(error.pid! > 0);
    assertThrows(() => executor.submit(square, 1), BrokenProcessPool);
  }
});

Deno.test("ProcessPoolExecutor: a blocked thread, stops a call that is out of time, and replaces its process", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const [told, begun] = [Value("i"), new Event()];
  const future = executor.with({ timeout: 100 }).submit(spinTelling, told, begun);
  const behind = executor.submit(square, 4);
  assertThrows(() => future.resultSync(), TimeoutError, "100 ms");
  assertEquals(behind.resultSync(), 16);
});

Deno.test("ProcessPoolExecutor: a blocked thread, has calls taken back that were sent behind one that waits", async () => {
  await using executor = new ProcessPoolExecutor(2);
  const gate = new Event();
  // Known to be quick: sent ahead.
  waitSync(numbers(200).map(() => executor.submit(openOrWait, gate, 9)));
  const waiting = numbers(20).map((n) => executor.submit(openOrWait, gate, n));
  assertEquals(waiting.slice(1).map((future) => future.resultSync()), numbers(20).slice(1));
  assertEquals(waiting[0].done(), false);
  gate.set();
  assertEquals(waiting[0].resultSync(), 0);
});

Deno.test("ProcessPoolExecutor: in threads, works there, and what one leaves does not disturb the next", async () => {
  const results = new ThreadQueue<number>();
  for (let i = 0; i < 3; i++) {
    const thread = new Thread({ target: useInThread, args: [results] });
    thread.start();
    assertEquals([await results.get(), await results.get()], [9, 16]);
    await thread.join();
  }
});

Deno.test("waitSync: of futures of threads and of processes, sees both", async () => {
  await using processes = new ProcessPoolExecutor(1);
  await using threads = new ThreadPoolExecutor(1);
  const gate = new Event();
  const late = processes.submit(waitFor, gate, 1);
  const quick = threads.submit(square, 2);
  const first = waitSync<number>([late, quick], { returnWhen: "FIRST_COMPLETED" });
  assertEquals([first.done.has(quick), first.notDone.has(late)], [true, true]);
  const other = threads.submit(identity<number>, 7);
  gate.set();
  const { done } = waitSync<number>([late, other, quick]);
  assertEquals(done.size, 3);
});

Deno.test("ProcessPoolExecutor: cancel, takes back what no process has", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const [begun, gate] = [new Event(), new Event()];
  const first = executor.submit(beginAndWait, begun, gate, 1);
  const others = numbers(5).map((n) => executor.submit(square, n));
  await begun.wait();
  assertEquals(first.cancel(), false);
  assertEquals(others.map((future) => future.cancel()), others.map(() => true));
  gate.set();
  assertEquals(await first, 1);
  await assertRejects(async () => await others[0], CancelledError);
});

Deno.test("ProcessPoolExecutor: what cannot travel, fails alone", async () => {
  await using executor = new ProcessPoolExecutor(1);
  assertThrows(() => executor.submit(() => 1), PicklingError);
  assertThrows(() => executor.submit(identity<unknown>, () => 1), PicklingError);
  assertThrows(() => executor.submit(identity<unknown>, new SharedArrayBuffer(4)), PicklingError);
  for (let i = 0; i < 5; i++) {
    await assertRejects(async () => await executor.submit(closure), PicklingError);
  }
  assertThrows(() => executor.submit(identity<unknown>, executor), PicklingError);
  assertEquals(await executor.submit(square, 3), 9);
});

Deno.test("ProcessPoolExecutor: a process that dies, breaks the pool for all, with pid and exit code", async () => {
  for (const [end, exitcode] of [[killSelf, -9], [exit, 99]] as const) {
    await using executor = new ProcessPoolExecutor(2);
    const gate = new Event();
    const waiting = executor.submit(waitFor, gate, 1);
    const dying = end === exit ? executor.submit(exit, 99) : executor.submit(killSelf);
    const queued = numbers(3).map(() => executor.submit(waitFor, gate, 1));
    const errors = [];
    for (const future of [waiting, dying, ...queued]) {
      const error = await future.exception();
      assertInstanceOf(error, BrokenProcessPool);
      assertEquals(error.exitcode, exitcode);
      assert(error.pid! > 0 && !isThere(error.pid!));
      errors.push(error);
    }
    assertEquals(new Set(errors).size, errors.length);
    const later = assertThrows(() => executor.submit(square, 1), BrokenProcessPool);
    assertInstanceOf(later, BrokenExecutor);
    assertEquals(later.exitcode, exitcode);
  }
});

Deno.test("ProcessPoolExecutor: an idle process that is killed, breaks the pool", async () => {
  await using executor = new ProcessPoolExecutor(1);
  Deno.kill(await executor.submit(pid), "SIGKILL");
  await assertRejects(async () => {
    for (;;) await executor.submit(square, 2);
  }, BrokenProcessPool);
});

Deno.test("ProcessPoolExecutor: an error that a call has left behind and nobody caught, breaks the pool and is named", async () => {
  await using executor = new ProcessPoolExecutor(1);
  assertEquals(await executor.submit(leavesError, false), undefined);
  await assertRejects(
    async () => {
      for (;;) await executor.submit(square, 2);
    },
    BrokenProcessPool,
    "TypeError: left behind",
  );
});

Deno.test("ProcessPoolExecutor: an initializer, runs in each process; one that fails or exits breaks the pool", async () => {
  {
    await using executor = new ProcessPoolExecutor({
      maxWorkers: 1,
      initializer: mark,
      initargs: ["marked"],
    });
    assertEquals(await executor.submit(marked), ["marked"]);
  }
  for (const initializer of [failingInitializer, exitingInitializer]) {
    await using executor = new ProcessPoolExecutor({
      maxWorkers: 2,
      initializer,
      initargs: ["no"],
    });
    const futures = numbers(4).map((n) => executor.submit(square, n));
    for (const future of futures) await assertRejects(async () => await future, BrokenProcessPool);
    assertThrows(() => executor.submit(square, 1), BrokenProcessPool);
  }
});

Deno.test("ProcessPoolExecutor: maxTasksPerChild, replaces processes, and queued calls are not stranded", async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1, maxTasksPerChild: 3 });
  const pids = [];
  for (let i = 0; i < 4; i++) pids.push(await executor.submit(pid));
  assertEquals([pids[1], pids[2]], [pids[0], pids[0]]);
  assertNotEquals(pids[3], pids[0]);
  for (const [maxWorkers, maxTasksPerChild, calls] of [[1, 2, 6], [2, 2, 8], [3, 1, 6]]) {
    const some = new ProcessPoolExecutor({ maxWorkers, maxTasksPerChild });
    const futures = numbers(calls).map((n) => some.submit(square, n));
    await some.shutdown();
    assertEquals(await Promise.all(futures), squares(calls));
  }
});

Deno.test("ProcessPoolExecutor: shutdown, finishes what was submitted, or cancels it, and refuses more", async () => {
  const executor = new ProcessPoolExecutor(1);
  const gate = new Event();
  const first = executor.submit(waitFor, gate, 1);
  const others = numbers(3).map((n) => executor.submit(square, n));
  await executor.shutdown({ wait: false });
  assertThrows(() => executor.submit(square, 1), RuntimeError, "shut down");
  assertThrows(() => executor.map(square, [1]), RuntimeError);
  gate.set();
  assertEquals(await Promise.all([first, ...others]), [1, 0, 1, 4]);
  await executor.shutdown();

  const cancelling = new ProcessPoolExecutor(1);
  const [begun, open] = [new Event(), new Event()];
  const running = cancelling.submit(beginAndWait, begun, open, 5);
  const queued = numbers(3).map((n) => cancelling.submit(square, n));
  await begun.wait();
  const over = cancelling.shutdown({ cancelFutures: true });
  open.set();
  await over;
  assertEquals(await running, 5);
  assertEquals(queued.map((future) => future.cancelled()), [true, true, true]);
});

Deno.test("ProcessPoolExecutor: cancelFutures, before any process runs, lets the calls go on for which processes start", async () => {
  const executor = new ProcessPoolExecutor(2);
  const futures = numbers(30).map((n) => executor.submit(square, n));
  await executor.shutdown({ cancelFutures: true });
  assertEquals(await Promise.all(futures.slice(0, 2)), [0, 1]);
  assertEquals(futures.slice(2).every((future) => future.cancelled()), true);
});

Deno.test("ProcessPoolExecutor: terminateWorkers and killWorkers, end processes that block", async () => {
  for (const how of ["terminateWorkers", "killWorkers"] as const) {
    const executor = new ProcessPoolExecutor(1);
    const [queue, gate] = [new Queue<string | number>(), new Event()];
    const future = executor.submit(putWaitPut, queue, gate);
    const queued = executor.submit(square, 2);
    const child = await queue.get() as number;
    await executor[how]();
    assert(!isThere(child));
    await assertRejects(async () => await future, BrokenProcessPool, how);
    assert(queued.cancelled());
    assertThrows(() => executor.submit(square, 1), RuntimeError);
    assertEquals(queue.empty(), true);
    await executor[how]();
    queue.close();
  }
  const unused = new ProcessPoolExecutor(1);
  await unused.killWorkers();
  assertThrows(() => unused.submit(square, 1), RuntimeError);
});

Deno.test("ProcessPoolExecutor: a call that is out of time or aborted, is ended for good, the others untouched", async () => {
  await using executor = new ProcessPoolExecutor(2);
  const gate = new Event();
  const sibling = executor.submit(waitFor, gate, 3);
  for (const stuck of ["spin", "never", "wait"] as const) {
    const told = Value("i");
    const begun = new Event();
    const limited = executor.with({ timeout: 150 });
    const future = stuck === "spin"
      ? limited.submit(spinTelling, told, begun)
      : stuck === "never"
      ? limited.submit(never, begun)
      : limited.submit(waitForSync, new Event(), 1);
    await assertRejects(async () => await future, TimeoutError, "150 ms");
    if (told.value !== 0) assert(!isThere(told.value));
    assertEquals(await executor.submit(square, 4), 16);
  }
  const controller = new AbortController();
  const [told, begun] = [Value("i"), new Event()];
  const future = executor.with({ signal: controller.signal }).submit(spinTelling, told, begun);
  await begun.wait();
  const reason = new Error("enough");
  controller.abort(reason);
  assertEquals(await future.exception(), reason);
  assert(!isThere(told.value));
  assertEquals(sibling.done(), false);
  gate.set();
  assertEquals(await sibling, 3);
  assertEquals(await Array.fromAsync(executor.map(square, numbers(10))), squares(10));
});

Deno.test("ProcessPoolExecutor: with, of calls that have not started, that end in time, and that move memory", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const controller = new AbortController();
  const [begun, gate] = [new Event(), new Event()];
  const first = executor.submit(beginAndWait, begun, gate, 1);
  const late = executor.with({ signal: controller.signal, timeout: 10_000 }).submit(square, 2);
  const waiting = executor.with({ timeout: 1 }).submit(square, 3);
  await begun.wait();
  controller.abort(new Error("enough"));
  await assertRejects(async () => await late, Error, "enough");
  gate.set();
  assertEquals(await first, 1);
  // Its time counts from its own start, however long it waited; but it is short.
  await waiting.exception();
  const aborted = executor.with({ signal: AbortSignal.abort(new Error("at once")) });
  await assertRejects(async () => await aborted.submit(spin), Error, "at once");
  const limited = executor.with({ timeout: 60_000 });
  assertEquals(await Array.fromAsync(limited.map(square, numbers(5))), squares(5));
  const buffer = new ArrayBuffer(1000);
  assertEquals(await executor.with({ transfer: [buffer] }).submit(length, buffer), 1000);
  assert(buffer.detached);
  const { port1, port2 } = new MessageChannel();
  assertThrows(() => executor.with({ transfer: [port1] }).submit(square, 1), PicklingError);
  port1.close();
  port2.close();
});

Deno.test("ProcessPoolExecutor and ThreadPoolExecutor: stats, count a chunk of a map with a call that fails as failed", async () => {
  for (const Kind of [ProcessPoolExecutor, ThreadPoolExecutor]) {
    await using executor = new Kind(1);
    const results = executor.map(unlessThree, [1, 2, 3, 4, 5], { chunksize: 2 });
    assertEquals([(await results.next()).value, (await results.next()).value], [1, 4]);
    await assertRejects(() => results.next(), RangeError, "said 3");
    const well = executor.map(unlessThree, [1, 2, 4, 5, 6], { chunksize: 3 });
    assertEquals(await Array.fromAsync(well), [1, 4, 16, 25, 36]);
    const { done, failed } = executor.stats();
    assertEquals(failed, 1, Kind.name);
    // The last chunk of the first map may have been taken back.
    assert(done === 3 || done === 4, Kind.name);
  }
});

Deno.test("ProcessPoolExecutor: memoryLimit, fails the call that needs more and no other", async () => {
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1, memoryLimit: 48 });
  const before = executor.submit(square, 2);
  const hungry = executor.submit(hog);
  const after = numbers(5).map((n) => executor.submit(square, n));
  assertEquals(await before, 4);
  await assertRejects(async () => await hungry, MemoryError, "48 MiB");
  assertEquals(await Promise.all(after), squares(5));
});

const KINDS = ["read", "write", "net", "env", "sys", "run", "ffi"];

Deno.test("ProcessPoolExecutor: permissions, each kind is given only when it was asked for", async () => {
  const cases: [Permissions, string[]][] = [
    ["none", []],
    ...KINDS.map((kind) => [{ [kind]: true }, [kind]] as [Permissions, string[]]),
    [{ read: ["/etc/hostname"], env: ["HOME"] }, ["read", "env"]],
    [{ read: ["/etc/passwd"], env: ["PATH"], run: ["false"] }, []],
  ];
  for (const [permissions, done] of cases) {
    await using executor = new ProcessPoolExecutor({ maxWorkers: 1, permissions });
    const results = await Array.fromAsync(executor.map(attempt, KINDS));
    assertEquals(results, KINDS.map((kind) => done.includes(kind) ? "done" : "NotCapable"));
  }
});

Deno.test("ProcessPoolExecutor: a call, may start processes of its own", async () => {
  await using executor = new ProcessPoolExecutor(1);
  assertEquals(await executor.submit(nested, 5), 25);
});

Deno.test("ProcessPoolExecutor: bad options, are refused", () => {
  for (const maxWorkers of [0, -1, 1.5, NaN]) {
    assertThrows(() => new ProcessPoolExecutor({ maxWorkers }), RangeError);
  }
  for (const maxTasksPerChild of [0, -1, 1.5]) {
    assertThrows(() => new ProcessPoolExecutor({ maxTasksPerChild }), RangeError);
  }
  assertThrows(() => new ProcessPoolExecutor({ memoryLimit: 1 }), RangeError);
  const bad = [
    "2",
    null,
    { maxWorkers: "2" },
    { initializer: 1 },
    { initargs: 1 },
    { mpContext: {} },
    { permissions: "some" },
    { memoryLimit: "64" },
  ];
  for (const options of bad) {
    assertThrows(() => new ProcessPoolExecutor(options as never), TypeError);
  }
  assertThrows(() => new ProcessPoolExecutor({ initializer: () => 1 }), PicklingError);
});
