/** Methods of CPython's `_test_multiprocessing.py` that no other file has. Each names the method that it stands for. */
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  type Connection,
  currentProcess,
  Event,
  getContext,
  Pipe,
  Process,
  Semaphore,
  SimpleQueue,
} from "@batteries/concurrent/multiprocessing";
import { BaseManager, SyncManager } from "@batteries/concurrent/multiprocessing/managers";
import { Pool, ThreadPool } from "@batteries/concurrent/multiprocessing/pool";
import {
  closeStream,
  set,
  tellPlace,
  UpperCaser,
  watchParent,
  writeAtEnd,
} from "../fixtures/multiprocessing/cpython_parties.ts";

/** What came through a pipe whose other end a process had, which has ended well. */
async function received<T>(
  target: (end: Connection<T>, ...args: never[]) => unknown,
  ...args: unknown[]
): Promise<T[]> {
  const [reader, writer] = Pipe<T>({ duplex: false });
  using _reader = reader;
  const process = new Process({
    target: target as (...args: unknown[]) => unknown,
    args: [writer, ...args],
  });
  process.start();
  writer.close();
  const all = await Array.fromAsync(reader);
  await process.join();
  assertEquals(process.exitcode, 0);
  return all;
}

// ---- _TestProcess --------------------------------------------------------------------------------------------------------------------

Deno.test("Process: processes that start processes, tell in turn where they are (test_recursion)", async () => {
  assertEquals(await received<number[]>(tellPlace, []), [
    [],
    [0],
    [0, 0],
    [0, 1],
    [1],
    [1, 0],
    [1, 1],
  ]);
});

Deno.test("parentProcess: in a child, is alive, can be waited for, and has no end to see (test_parent_process)", async () => {
  const { pid, name } = currentProcess();
  assertEquals(await received<unknown[]>(watchParent), [[pid, name, true, null, 0]]);
});

Deno.test("currentProcess: closed, is as before", () => {
  currentProcess().close();
  assertEquals([currentProcess().isAlive(), currentProcess().exitcode], [true, null]);
});

for (const stream of ["stdout", "stderr"] as const) {
  Deno.test(`Process: a target that closes ${stream}, ends with 0 (test_error_on_stdio_flush)`, async () => {
    const event = new Event();
    const process = new Process({ target: closeStream, args: [event, stream] });
    process.start();
    await process.join();
    assertEquals([event.isSet(), process.exitcode], [true, 0]);
  });
}

Deno.test("Process: its end, is told to who listens to unload (test_atexit)", async () => {
  const path = await Deno.makeTempFile();
  try {
    const process = new Process({ target: writeAtEnd, args: [path] });
    process.start();
    await process.join();
    assertEquals(await Deno.readTextFile(path), "deadbeef");
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("Process: a subclass with a pipe of its own, answers through it (test_subclassing)", async () => {
  const process = new UpperCaser();
  process.daemon = true;
  process.start();
  assertEquals([await process.submit("hello"), await process.submit("world")], ["HELLO", "WORLD"]);
  await process.stop();
  await process.join();
  assertEquals(process.exitcode, 0);
});

// ---- queues, semaphores, contexts ----------------------------------------------------------------------------------------------------

Deno.test("SimpleQueue: closed, used before or not, does not tell whether it is empty (test_empty_exceptions)", async () => {
  const [unused, used] = [new SimpleQueue<number>(), new SimpleQueue<number>()];
  await used.put(1);
  for (const queue of [unused, used]) {
    queue.close();
    queue.close();
    assertThrows(() => queue.empty(), RangeError, "SimpleQueue is closed");
    await assertRejects(() => queue.put(1), RangeError, "SimpleQueue is closed");
    await assertRejects(() => queue.get(), RangeError, "SimpleQueue is closed");
  }
});

Deno.test("Semaphore: its value, counts what is left (test_semaphore)", async () => {
  const semaphore = new Semaphore(2);
  const values = [semaphore.getValue()];
  for (const wanted of [true, true, false]) {
    assertEquals(await semaphore.acquire({ blocking: false }), wanted);
    values.push(semaphore.getValue());
  }
  semaphore.release(3);
  assertEquals([...values, semaphore.getValue()], [2, 1, 0, 0, 3]);
});

for (const method of ["spawn", "forkserver"] as const) {
  Deno.test(`getContext: of the ${method} context, is that context (TestStartMethod.test_context)`, () => {
    const context = getContext(method);
    assertStrictEquals(context.getContext(), context);
    assertStrictEquals(context.getContext("spawn"), getContext("spawn"));
    // deno-lint-ignore no-explicit-any -- what the types refuse
    assertThrows(() => context.getContext("fork" as any), RangeError);
    assertThrows(() => context.setStartMethod(null), RangeError);
  });
}

// ---- managers ------------------------------------------------------------------------------------------------------------------------

Deno.test("SyncManager: dicts and sets, know Python's other methods (TestSyncManagerTypes)", async () => {
  await using manager = new SyncManager();
  await manager.start();
  const letters = await manager.set(["a", "b", "c"]);
  const abcd = await manager.set(new Set(["a", "b", "c", "d"]));
  assertEquals(
    [await letters.issubset(abcd), await letters.issubset(["a", "b"])],
    [true, false],
  );
  assertEquals(
    [await letters.issuperset(["a"]), await letters.issuperset(abcd)],
    [true, false],
  );
  assertEquals(
    [await letters.isdisjoint(["d", "e"]), await letters.isdisjoint(["a"])],
    [true, false],
  );
  const dict = await manager.dict({ foo: 5 });
  assertEquals(await dict.fromkeys(["bar"], 6), new Map([["bar", 6]]));
  assertEquals(await dict.fromkeys(["bar"]), new Map([["bar", null]]));
  assertEquals(await dict.size(), 1);
});

Deno.test("SyncManager: lists and sets of what is not iterable, are refused in words (test_set_init)", async () => {
  await using manager = new SyncManager();
  await manager.start();
  // deno-lint-ignore no-explicit-any -- what the types refuse
  const wrong = [1234, { a: 1 }] as any[];
  for (const source of wrong) {
    for (const kind of ["list", "set"] as const) {
      await assertRejects(
        () => manager[kind](source),
        TypeError,
        `Cannot make a ${kind}: an iterable is needed, such as an array, got ${typeof source}`,
      );
    }
  }
  assertEquals(await (await manager.set(new Map([["a", 1]]).keys())).getvalue(), new Set(["a"]));
});

Deno.test("BaseManager: start with what is no options, is refused (test_manager_initializer)", async () => {
  const manager = new SyncManager();
  // deno-lint-ignore no-explicit-any -- what the types refuse
  await assertRejects(() => manager.start(1 as any), TypeError, "options must be an object");
  // deno-lint-ignore no-explicit-any -- what the types refuse
  await assertRejects(() => manager.start({ initializer: 1 } as any), TypeError, "initializer");
  await manager.start();
  await manager.shutdown();
});

Deno.test("BaseManager: any port, is another for its server here and the one it starts (test_rapid_restart)", async () => {
  class Any extends BaseManager {}
  const manager = new Any({ address: { hostname: "127.0.0.1", port: 0 } });
  const server = await manager.getServer();
  await manager.start();
  try {
    const ports = [server.address, manager.address].map((at) => (at as Deno.NetAddr).port);
    assert(ports[0] > 0 && ports[1] > 0 && ports[0] !== ports[1], ports.join());
  } finally {
    await manager.shutdown();
    await server.shutdown();
  }
});

// ---- pools ---------------------------------------------------------------------------------------------------------------------------

for (const Kind of [Pool, ThreadPool]) {
  Deno.test(`${Kind.name}: closed at once, has called its initializer when it is joined (test_pool_initializer)`, async () => {
    const event = new Event();
    const pool = new Kind({ processes: 1, initializer: set, initargs: [event] });
    pool.close();
    await pool.join();
    assert(event.isSet());
  });
}
