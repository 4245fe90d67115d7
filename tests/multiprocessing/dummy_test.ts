/** `dummy`: the API of `multiprocessing` on threads. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import * as dummy from "@batteries/concurrent/multiprocessing/dummy";
import { wait } from "@batteries/concurrent/multiprocessing/connection";
import * as queue from "@batteries/concurrent/queue";
import * as threading from "@batteries/concurrent/threading";
import {
  addMany,
  echo,
  fill,
  namesItself,
  putSquares,
  sendAfter,
  Worker,
} from "../fixtures/multiprocessing/dummy_parties.ts";
import { square } from "../fixtures/multiprocessing/pool_tasks.ts";

Deno.test("dummy.Process: runs its target in a thread and tells how it stands", async () => {
  const results = new dummy.Queue<number>();
  const process = new dummy.Process({ target: putSquares, args: [results, 4] });
  assertInstanceOf(process, threading.Thread);
  assert(/^Process-\d+$/.test(process.name), process.name);
  assertEquals([process.pid, process.exitcode, process.isAlive()], [null, null, false]);
  process.start();
  assert(typeof process.pid === "number");
  const got = [];
  for (let i = 0; i < 4; i++) got.push(await results.get());
  await process.join();
  assertEquals(got, [0, 1, 4, 9]);
  assertEquals([process.exitcode, process.isAlive()], [0, false]);
  process.close();
  assertEquals(dummy.activeChildren(), []);
});

Deno.test("dummy.Process: a subclass runs its run, with its own fields", async () => {
  const results = new dummy.Queue<unknown>();
  const process = new Worker(results, 7);
  process.start();
  assertEquals(await results.get(), ["Worker", 7]);
  await process.join();
});

Deno.test("dummy.activeChildren and currentProcess: tell the threads that run", async () => {
  const [names, go] = [new dummy.Queue<string>(), new dummy.Event()];
  const process = new dummy.Process({ target: namesItself, args: [names, go], name: "Bob" });
  process.start();
  assertEquals(await names.get(), "Bob");
  assertEquals(dummy.activeChildren(), [process as dummy.Process]);
  assertThrows(() => process.close(), RangeError);
  go.set();
  await process.join();
  assertEquals(dummy.activeChildren(), []);
  assertEquals(dummy.currentProcess().name, "MainThread");
  dummy.freezeSupport();
});

Deno.test("dummy: its locks and queues, are those of threading and queue", () => {
  for (
    const name of [
      "Lock",
      "RLock",
      "Semaphore",
      "BoundedSemaphore",
      "Condition",
      "Event",
      "Barrier",
    ] as const
  ) {
    assert(Object.is(dummy[name], threading[name]), name);
  }
  assert(Object.is(dummy.Queue, queue.Queue));
  assert(Object.is(dummy.JoinableQueue, queue.Queue));
});

Deno.test("dummy.Pool: with new or without, is a pool of threads", async () => {
  for (const pool of [dummy.Pool(2), new dummy.Pool({ processes: 2 })]) {
    assertInstanceOf(pool, dummy.ThreadPool);
    assertInstanceOf(pool, dummy.Pool);
    assertEquals(await pool.map(square, [1, 2, 3]), [1, 4, 9]);
    pool.close();
    await pool.join();
  }
});

Deno.test("dummy.Value and Array: are the same memory in every thread", async () => {
  const counter = dummy.Value("i", 0);
  const point = dummy.Value(dummy.Struct({ x: "d", y: "i" }), { x: 1.5 }, { lock: false });
  const numbers = dummy.Array("d", 4);
  const text = dummy.Array("c", 10);
  const processes = [1, 2].map(() =>
    new dummy.Process({ target: addMany, args: [counter, point, 500] })
  );
  for (const process of processes) process.start();
  const filler = new dummy.Process({ target: fill, args: [numbers, text] });
  filler.start();
  for (const process of [...processes, filler]) await process.join();
  assertEquals(counter.value, 1000);
  assertEquals(point.value.x, 2.5);
  assertEquals([...numbers], [0, 0.5, 1, 1.5]);
  assertEquals(numbers.getObj().length, 4);
  assertEquals(new TextDecoder().decode(text.value), "filled");
  assertInstanceOf(counter.getLock(), threading.RLock);
  const lock = new threading.Lock();
  assert(Object.is(dummy.Value("d", 1, { lock }).getLock(), lock));
  assertEquals(dummy.Array("i", [3, 1, 2], { lock: false }).slice().sort(), [1, 2, 3]);
  assertThrows(() => dummy.Array("i", -1), RangeError);
  assertThrows(() => dummy.Value("z" as never), TypeError);
  assertThrows(() => dummy.Value("i", "1" as never), TypeError);
});

Deno.test("dummy.Pipe: carries objects and bytes both ways, locks too, to the end", async () => {
  const [here, there] = dummy.Pipe<unknown>();
  const process = new dummy.Process({ target: echo, args: [there] });
  process.start();
  const lock = new threading.Lock();
  for (const value of [1, "two", { three: [4n, new Map([[5, new Date(6)]])] }]) {
    await here.send(value);
    assertEquals(await here.recv(), value);
  }
  await here.send(lock);
  const same = await here.recv() as threading.Lock;
  assert(same.acquireSync());
  assert(lock.locked());
  await here.send("stop");
  await process.join();
  await assertRejects(() => here.recv(), dummy.EOFError);
  await assertRejects(() => here.send(1), Deno.errors.BrokenPipe);
  here.close();
  await assertRejects(() => here.recv(), Deno.errors.BadResource);
});

Deno.test("dummy.Pipe: sends bytes, from any part, into any part", async () => {
  const [a, b] = dummy.Pipe();
  const hello = new TextEncoder().encode("hello world");
  await a.sendBytes(hello, 6);
  assertEquals(await b.recvBytes(), hello.slice(6));
  await a.sendBytes(hello, 0, 5);
  const room = new Uint8Array(8);
  assertEquals(await b.recvBytesInto(room, 2), 5);
  assertEquals(room, new Uint8Array([0, 0, ...hello.slice(0, 5), 0]));
  await a.sendBytes(hello);
  const error = await assertRejects(() => b.recvBytesInto(room), dummy.BufferTooShort);
  assertEquals(error.data, hello);
  await assertRejects(() => a.sendBytes(hello, 12), RangeError);
  await assertRejects(() => a.sendBytes(hello, 4, 8), RangeError);
  await assertRejects(() => b.recvBytes(-1), RangeError);
  await a.sendBytes(hello);
  await assertRejects(() => b.recvBytes(3), Deno.errors.InvalidData);
});

Deno.test("dummy.Pipe: polls, one way or both, and can be waited for", async () => {
  const [reader, writer] = dummy.Pipe<number>({ duplex: false });
  assertEquals([reader.readable, reader.writable], [true, false]);
  assertEquals([writer.readable, writer.writable], [false, true]);
  await assertRejects(() => reader.send(1), Deno.errors.BadResource);
  await assertRejects(() => writer.recv(), Deno.errors.BadResource);
  assertEquals(await reader.poll(), false);
  assertEquals(await reader.poll({ timeout: 10 }), false);
  const go = new dummy.Event();
  const process = new dummy.Process({ target: sendAfter, args: [writer, go] });
  process.start();
  const polls = [reader.poll({ timeout: 60_000 }), wait([reader])] as const;
  go.set();
  assertEquals(await polls[0], true);
  assertEquals(await polls[1], [reader]);
  assertEquals(await reader.recv(), 42);
  await process.join();
  assertEquals(await reader.poll({ timeout: 60_000 }), true);
  assertEquals(await Array.fromAsync(reader), []);
  const reason = new Error("enough");
  const [other] = dummy.Pipe();
  const signal = AbortSignal.timeout(5);
  await assertRejects(() => other.poll({ signal }), DOMException);
  await assertRejects(() => other.poll({ signal: AbortSignal.abort(reason) }), Error, "enough");
  assertThrows(() => new dummy.Connection(), TypeError);
});

Deno.test("dummy.Manager: makes plain objects of this thread", async () => {
  const manager = await dummy.Manager();
  const dict = manager.dict([["a", 1]]);
  assertInstanceOf(dict, Map);
  assertEquals(manager.dict({ a: 1 }), dict);
  assertEquals(manager.list("abc"), ["a", "b", "c"]);
  assertEquals(manager.set([1, 1]), new Set([1]));
  const namespace = manager.Namespace({ x: 1 });
  namespace.y = 2;
  assertEquals([namespace.get("x"), namespace.y, namespace.has("z")], [1, 2, false]);
  assert(namespace.delete("x"));
  assertEquals({ ...namespace }, { y: 2 });
  assertInstanceOf(manager.Lock(), threading.Lock);
  assertInstanceOf(manager.Queue(), queue.Queue);
  assertEquals(manager.Value("i", 3).value, 3);
  assertEquals([...manager.Array("i", 2)], [0, 0]);
  const pool = manager.Pool(1);
  assertEquals(await pool.apply(square, [2]), 4);
  pool.close();
  await pool.join();
  await manager.shutdown();
});
