import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { Process } from "@batteries/concurrent/multiprocessing";
import {
  type BaseProxy,
  DictProxy,
  type ListProxy,
  QueueProxy,
  SyncManager,
} from "@batteries/concurrent/multiprocessing/managers";
import { Empty, Full, ShutDown } from "@batteries/concurrent/queue";
import {
  BrokenBarrierError,
  PicklingError,
  ThreadError,
  TimeoutError,
} from "@batteries/concurrent/threading";
import * as parties from "../fixtures/multiprocessing/manager_parties.ts";

/** A started manager. */
async function managed(): Promise<SyncManager> {
  const manager = new SyncManager();
  await manager.start();
  return manager;
}

/** Hands the proxy to a process, which has to end well. */
async function inProcess<P extends BaseProxy>(
  target: (proxy: P) => Promise<void>,
  proxy: P,
): Promise<void> {
  const process = new Process({ target, args: [proxy] });
  process.start();
  await process.join();
  assertEquals(process.exitcode, 0);
}

Deno.test("SyncManager: a dict, does what a Map and what Python's dict does", async () => {
  await using manager = await managed();
  const dict = await manager.dict<number, string>();
  for (let i = 65; i < 70; i++) await dict.set(i, String.fromCharCode(i));
  const all = new Map([[65, "A"], [66, "B"], [67, "C"], [68, "D"], [69, "E"]]);
  assertEquals(await dict.copy(), all);
  assertEquals(await dict.getvalue(), all);
  assertEquals(await dict.keys(), [...all.keys()]);
  assertEquals(await dict.values(), [...all.values()]);
  assertEquals(await dict.entries(), [...all]);
  assertEquals(await Array.fromAsync(dict), [...all]);
  assertEquals([await dict.has(65), await dict.has(1)], [true, false]);
  assertEquals([await dict.get(1), await dict.get(1, "none")], [undefined, "none"]);
  assertEquals(await dict.pop(65), "A");
  await assertRejects(() => dict.pop(65), RangeError);
  assertEquals([await dict.pop(65, "gone"), await dict.pop(65, undefined)], ["gone", undefined]);
  assertEquals([await dict.setdefault(66, "x"), await dict.setdefault(1, "x")], ["B", "x"]);
  await dict.update(new Map([[2, "y"]]));
  await dict.update(dict);
  assertEquals(await dict.popitem(), [2, "y"]);
  assertEquals([await dict.delete(1), await dict.delete(1)], [true, false]);
  assertEquals([await dict.size(), await dict.length()], [4, 4]);
  await dict.clear();
  assertEquals(await dict.size(), 0);
  await assertRejects(() => dict.popitem(), RangeError);
  assertEquals(await (await manager.dict({ a: 1 })).getvalue(), new Map([["a", 1]]));
  assertEquals(await (await manager.dict([["a", 1]])).getvalue(), new Map([["a", 1]]));
});

Deno.test("SyncManager: a list, does what an array and what Python's list does", async () => {
  await using manager = await managed();
  const list = await manager.list([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(await list.slice(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(await list.slice(2, 4), [2, 3]);
  assertEquals([await list.get(2), await list.get(-1), await list.at(99)], [2, 9, undefined]);
  await assertRejects(() => list.get(10), RangeError);
  await assertRejects(() => list.set(-11, 0), RangeError);
  const other = await manager.list<unknown>();
  await other.extend("ab");
  await other.extend(new Set([1]));
  await other.extend(list);
  assertEquals(await other.length(), 13);
  assertEquals(await other.splice(2), [1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals(await other.concat([5], list).then((all) => all.length), 13);
  assertEquals(await other.push("c", "d"), 4);
  await other.insert(1, "x");
  await other.remove("c");
  await assertRejects(() => other.remove("c"), RangeError);
  assertEquals(await other.getvalue(), ["a", "x", "b", "d"]);
  assertEquals([await other.index("b"), await other.indexOf("z")], [2, -1]);
  await assertRejects(() => other.index("z"), RangeError);
  assertEquals([await other.includes("x"), await other.count("a")], [true, 1]);
  await other.delete(0);
  assertEquals([await other.pop(), await other.pop(0), await other.shift()], ["d", "x", "b"]);
  assertEquals([await other.pop(), await other.shift()], [undefined, undefined]);
  await assertRejects(() => other.pop(3), RangeError);
  const numbers = await manager.list([10, 9, 1]);
  await numbers.sort();
  assertEquals(await numbers.getvalue(), [1, 9, 10]);
  assertEquals(await numbers.toSorted({ reverse: true }), [10, 9, 1]);
  await numbers.reverse();
  assertEquals(await numbers.join("-"), "10-9-1");
  assertEquals(await numbers.entries(), [[0, 10], [1, 9], [2, 1]]);
  const long = await manager.list(Array.from({ length: 200 }, (_, i) => i));
  const seen = await Array.fromAsync(long);
  assertEquals(seen, Array.from({ length: 200 }, (_, i) => i));
  await long.clear();
  assertEquals(await long.length(), 0);
});

Deno.test("SyncManager: a set, does what a Set and what Python's set does", async () => {
  await using manager = await managed();
  const set = await manager.set([1, 2]);
  await set.add(3);
  await set.add(3);
  assertEquals([await set.size(), await set.has(3)], [3, true]);
  const other = await manager.set([3, 4]);
  assertEquals(await set.union(other), new Set([1, 2, 3, 4]));
  assertEquals(await set.intersection([3, 9]), new Set([3]));
  assertEquals(await set.difference(other), new Set([1, 2]));
  assertEquals(await set.symmetricDifference(other), new Set([1, 2, 4]));
  assertEquals(
    [await set.isSubsetOf([1, 2, 3]), await set.isSupersetOf([1]), await set.isDisjointFrom([9])],
    [true, true, true],
  );
  await set.update([7], other);
  await set.differenceUpdate([7]);
  await set.remove(1);
  await assertRejects(() => set.remove(1), RangeError);
  await set.discard(1);
  assertEquals(await set.getvalue(), new Set([2, 3, 4]));
  assertEquals(await Array.fromAsync(set), [2, 3, 4]);
  assertEquals(await set.pop(), 2);
});

Deno.test("SyncManager: Namespace, Value and Array, keep what is set", async () => {
  await using manager = await managed();
  const namespace = await manager.Namespace({ name: "Bob" });
  await namespace.set("job", "Builder");
  await namespace.set("__proto__", "a name like any other");
  assertEquals([await namespace.get("name"), await namespace.get("job")], ["Bob", "Builder"]);
  assert(await namespace.delete("job"));
  assertEquals(await namespace.keys(), ["name", "__proto__"]);
  assertEquals([await namespace.has("job"), await namespace.get("job", 0)], [false, 0]);
  const value = await manager.Value("i", 1);
  await value.set(2);
  assertEquals([await value.get(), await value.value, await value.getvalue()], [2, 2, 2]);
  const array = await manager.Array("i", [0, 1]);
  await array.set(-1, 5);
  assertEquals(await array.getvalue(), new Int32Array([0, 5]));
  assertEquals(await Array.fromAsync(array), [0, 5]);
  assertEquals(await array.length(), 2);
  await assertRejects(() => array.set(0, 2 ** 40), RangeError);
  await assertRejects(() => array.get(2), RangeError);
  assertEquals(await (await manager.Array(BigInt64Array, 2)).values(), [0n, 0n]);
  await assertRejects(() => manager.Array("z" as "i", []), RangeError);
});

Deno.test("SyncManager: a proxy in a dict or a list, is the same object wherever it is taken out", async () => {
  await using manager = await managed();
  const pets = await manager.dict<string, number>({ ferrets: 2, hamsters: 4 });
  const supplies = await manager.dict<string, number>({ water: 10, feed: 3 });
  const both = await manager.dict<string, DictProxy<string, number>>({ pets, supplies });
  assertEquals(await (await both.get("supplies"))!.get("water"), 10);
  await (await both.get("supplies"))!.set("blankets", 5);
  assertEquals(await supplies.get("blankets"), 5);
  await both.clear();
  assertEquals(await pets.get("hamsters"), 4);

  const list = await manager.list([pets, supplies]);
  await (await list.get(0)).set("marmots", 1);
  assertEquals(await pets.get("marmots"), 1);
  const outer = await manager.list<unknown>([[88, 99], list]);
  assertEquals(await outer.get(0), [88, 99]);
  const inner = await outer.get(-1) as typeof list;
  assertEquals(await (await inner.get(-1)).get("feed"), 3);
  const copies = await list.getvalue();
  assertInstanceOf(copies[0], DictProxy);
  assertEquals([await list.indexOf(supplies), await list.includes(copies[0])], [1, true]);

  const queues = await manager.list([await manager.Queue<number>()]);
  await (await queues.get(0)).put(123);
  assertInstanceOf(await queues.get(0), QueueProxy);
  assertEquals(await (await queues.get(0)).get(), 123);

  const self = await manager.list<unknown>();
  await self.append(self);
  assertEquals(await (await self.get(0) as typeof self).length(), 1);
});

Deno.test("SyncManager: an inner list, outlives the proxies that it was put in by", async () => {
  await using manager = await managed();
  const outer = await manager.list<ListProxy<number>>();
  {
    using inner = await manager.list([1]);
    await outer.append(inner);
  }
  assertEquals(await manager.numberOfObjects(), 1);
  assertEquals(await (await outer.get(0)).getvalue(), [1]);
  assertEquals(await manager.numberOfObjects(), 2);
});

Deno.test("SyncManager: each type, is used from another process", async () => {
  await using manager = await managed();
  const dict = await manager.dict<string, number>({ foo: 5 });
  await inProcess(parties.useDict, dict);
  assertEquals(await dict.size(), 0);
  const list = await manager.list([5]);
  await inProcess(parties.useList, list);
  assertEquals(await list.length(), 0);
  for (const make of ["Queue", "JoinableQueue"] as const) {
    const queue = await manager[make]<number>(2);
    await queue.put(5);
    await queue.put(6);
    await inProcess(parties.useQueue, queue);
    assertEquals([await queue.empty(), await queue.full()], [true, false]);
  }
  const event = await manager.Event();
  await event.set();
  await inProcess(parties.useEvent, event);
  assert(!await event.isSet());
  const value = await manager.Value("i", 1);
  await inProcess(parties.useValue, value);
  assertEquals(await value.get(), 2);
  const array = await manager.Array("i", [0, 1]);
  await inProcess(parties.useArray, array);
  assertEquals(await array.get(0), 9);
  const namespace = await manager.Namespace({ x: 0, y: 1 });
  await inProcess(parties.useNamespace, namespace);
  assertEquals(await namespace.get("x"), "seen");
  const barrier = await manager.Barrier(5);
  await inProcess(parties.useBarrier, barrier);
});

Deno.test("SyncManager: locks and semaphores, stay acquired when the process that did so has ended", async () => {
  await using manager = await managed();
  const lock = await manager.Lock();
  await inProcess(parties.acquireOnly, lock);
  assert(!await lock.acquire({ blocking: false }));
  await lock.release();
  await assertRejects(() => lock.release(), ThreadError);
  await inProcess(parties.acquireAndRelease, lock);
  assert(!await lock.locked());
  await inProcess(parties.acquireAndRelease, await manager.RLock());
  await inProcess(parties.acquireAndRelease, await manager.Condition());
  for (const make of ["Semaphore", "BoundedSemaphore"] as const) {
    const semaphore = await manager[make]();
    await inProcess(parties.acquireOnly, semaphore);
    assert(!await semaphore.acquire({ timeout: 1 }));
    await semaphore.release();
    assert(await semaphore.acquire());
  }
  const bounded = await manager.BoundedSemaphore(1);
  await assertRejects(() => bounded.release(), RangeError);
  await assertRejects(() => manager.Semaphore(-1), RangeError);
});

Deno.test("SyncManager: processes that count under a lock, lose nothing", async () => {
  await using manager = await managed();
  const counter = await manager.Value("i", 0);
  const lock = await manager.Lock();
  const processes = [1, 2, 3].map(() => {
    const process = new Process({ target: parties.countUp, args: [counter, lock, 50] });
    process.start();
    return process;
  });
  for (const process of processes) await process.join();
  assertEquals(await counter.get(), 150);
});

Deno.test("SyncManager: an RLock, belongs to the process that has it", async () => {
  await using manager = await managed();
  const lock = await manager.RLock();
  assert(await lock.acquire());
  assert(await lock.acquire({ timeout: 1 }));
  await inProcess(parties.findTaken, lock);
  await lock.release();
  await inProcess(parties.findTaken, lock);
  await lock.release();
  assert(!await lock.locked());
  await assertRejects(() => lock.release(), ThreadError);
  await inProcess(parties.acquireAndRelease, lock);
  assert(await lock.acquire({ blocking: false }));
});

Deno.test("SyncManager: a Condition, gives and takes its lock", async () => {
  await using manager = await managed();
  const lock = await manager.Lock();
  const condition = await manager.Condition(lock);
  const items = await manager.list<number>();
  await assertRejects(() => condition.wait(), ThreadError);
  await assertRejects(() => condition.notify(), ThreadError);
  {
    await using _held = await condition.hold();
    assert(await lock.locked());
    assert(!await condition.wait({ timeout: 1 }));
    assert(await lock.locked());
  }
  const consumer = (async () => {
    await using _held = await condition.hold();
    assertEquals(await condition.waitFor(async () => await items.length() === 2), true);
    return await items.getvalue();
  })();
  for (const item of [1, 2]) {
    await using _held = await condition.hold();
    await items.append(item);
    await condition.notifyAll();
  }
  assertEquals(await consumer, [1, 2]);
  await using _held = await condition.hold();
  assertEquals(await condition.waitFor(() => 0, { timeout: 5 }), 0);
  await assertRejects(() => condition.notify(-1), RangeError);
  await assertRejects(() => manager.Condition({} as never), TypeError);
});

Deno.test("SyncManager: a Barrier, lets its parties through and breaks", async () => {
  await using manager = await managed();
  const barrier = await manager.Barrier(2);
  assertEquals((await Promise.all([barrier.wait(), barrier.wait()])).toSorted(), [0, 1]);
  await assertRejects(() => barrier.wait({ timeout: 1 }), BrokenBarrierError);
  assertEquals([await barrier.broken(), await barrier.nWaiting()], [true, 0]);
  await barrier.reset();
  const waiting = assertRejects(() => barrier.wait(), BrokenBarrierError);
  await barrier.abort();
  await waiting;
});

Deno.test("SyncManager: a queue, waits, runs out of time, and shuts down", async () => {
  await using manager = await managed();
  const queue = await manager.JoinableQueue<number>(1);
  assertEquals(await queue.maxsize(), 1);
  await assertRejects(() => queue.get({ timeout: 1 }), Empty);
  await assertRejects(() => queue.getNowait(), Empty);
  await queue.put(1);
  await assertRejects(() => queue.put(2, { timeout: 1 }), Full);
  await assertRejects(() => queue.putNowait(2), Full);
  const put = queue.put(2);
  assertEquals([await queue.get(), await queue.get()], [1, 2]);
  await put;
  await assertRejects(() => queue.join({ timeout: 1 }), TimeoutError);
  await queue.taskDone();
  await queue.taskDone();
  await queue.join();
  await assertRejects(() => queue.taskDone(), RangeError);
  await queue.put(3);
  await queue.shutdown();
  assertEquals(await Array.fromAsync(queue), [3]);
  await assertRejects(() => queue.put(1), ShutDown);
  assert(await queue.isShutdown());
});

Deno.test("Proxy: a call that is aborted, rejects with the reason and has taken nothing", async () => {
  await using manager = await managed();
  const queue = await manager.Queue<number>();
  const lock = await manager.Lock();
  await lock.acquire();
  const reason = new Error("enough");
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [
    queue.get({ signal }),
    lock.acquire({ signal }),
    queue.callmethod("get", [{ signal }]),
  ].map((call) => call.then(() => "given", (error) => error));
  // In order: by now they wait.
  assertEquals(await queue.qsize(), 0);
  controller.abort(reason);
  for (const call of calls) assertStrictEquals(await call, reason);
  await queue.put(7);
  assertEquals(await queue.get(), 7);
  await lock.release();
  assert(await lock.acquire({ blocking: false }));
  await assertRejects(() => lock.acquire({ signal }), Error, "enough");
});

Deno.test("Proxy: bad options, are refused at the call", async () => {
  await using manager = await managed();
  const lock = await manager.Lock();
  await assertRejects(() => lock.acquire({ timeout: NaN }), RangeError);
  await assertRejects(() => lock.acquire({ blocking: false, timeout: 1 }), RangeError);
  await assertRejects(() => lock.acquire({ timeout: "1" as unknown as number }), TypeError);
  assert(await lock.acquire({ blocking: false }));
  assert(!await lock.acquire({ timeout: 0 }));
  await assertRejects(() => lock.hold({ timeout: 1 }), TimeoutError);
});

Deno.test("Proxy: what cannot travel, is refused at the call and the manager goes on", async () => {
  await using manager = await managed();
  const list = await manager.list<unknown>();
  await assertRejects(() => list.append(() => {}), PicklingError);
  await assertRejects(() => list.append(new URL("http://a.b")), PicklingError);
  await assertRejects(() => list.append(manager), PicklingError);
  const lock = await manager.Lock();
  await assertRejects(() => lock.getvalue(), PicklingError);
  await list.append(new Map([[1, { two: new Date(3) }]]));
  assertEquals(await list.get(0), new Map([[1, { two: new Date(3) }]]));
  const bytes = new Uint8Array(3 << 20).fill(7);
  await list.append(bytes);
  assertEquals(await list.get(1), bytes);
});

Deno.test("Proxy: a thousand calls at once, are all answered", async () => {
  await using manager = await managed();
  const dict = await manager.dict<number, number>();
  const queue = await manager.Queue<number>();
  const waiting = Array.from({ length: 1000 }, () => queue.get());
  await Promise.all(Array.from({ length: 1000 }, (_, i) => dict.set(i, i)));
  const read = await Promise.all(Array.from({ length: 1000 }, (_, i) => dict.get(i)));
  assertEquals(read, Array.from({ length: 1000 }, (_, i) => i));
  await Promise.all(Array.from({ length: 1000 }, (_, i) => queue.put(i)));
  assertEquals(await Promise.all(waiting), Array.from({ length: 1000 }, (_, i) => i));
});

Deno.test("Proxy: many calls one after the other, with values of every size, all come back, in order with those that wait", async () => {
  await using manager = await managed();
  const dict = await manager.dict<number, Uint8Array | string | number>();
  const queue = await manager.Queue<number>();
  const waiting = queue.get();
  for (let i = 0; i < 300; i++) {
    const value = i % 50 === 0
      ? new Uint8Array(400_000).fill(i)
      : i % 7 === 0
      ? "é".repeat(i * 100)
      : i;
    // Not awaited: the next call comes behind it.
    void dict.set(i, value);
    assertEquals(await dict.get(i), value);
  }
  assertEquals(await dict.size(), 300);
  const controller = new AbortController();
  const given = queue.get({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  await queue.put(5);
  assertEquals(await waiting, 5);
});

Deno.test("Proxy: calls that are not awaited, are begun in the order in which they were made", async () => {
  await using manager = await managed();
  const list = await manager.list<unknown>();
  const inner = await manager.list([1]);
  // A proxy in an argument takes longer to decode than a number.
  const calls = Array.from({ length: 100 }, (_, i) => list.append(i % 2 === 0 ? inner : i));
  const length = list.length();
  assertEquals(await length, 100);
  await Promise.all(calls);
  assertEquals(
    (await list.getvalue()).filter((item) => typeof item === "number"),
    Array.from({ length: 50 }, (_, i) => 2 * i + 1),
  );
});
