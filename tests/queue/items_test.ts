/** Items between threads: of every kind and size, in every order. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { LifoQueue, PriorityQueue, Queue, SimpleQueue } from "@batteries/concurrent/queue";
import { Event, Lock, PicklingError, Thread } from "@batteries/concurrent/threading";
import {
  byFirst,
  byFirstOrAnswer,
  dropAll,
  echo,
  echoAsync,
  END,
  juggle,
  move,
  Point,
  putAll,
  putBoth,
  refusals,
  touch,
} from "../fixtures/queue/items.ts";

const MIB = 2 ** 20;

function byN(a: unknown, b: unknown): number {
  return (a as { n: number }).n - (b as { n: number }).n;
}

function start<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Thread<A> {
  const thread = new Thread({ target, args, daemon: true });
  thread.start();
  return thread;
}

/** Makes a queue one that is shared with threads. */
async function shared<Q>(queue: Q): Promise<Q> {
  await start(touch, queue).join();
  return queue;
}

function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, x = 1; i < length; i++) bytes[i] = x = x * 1103515245 + 12345 & 0x7fffffff;
  return bytes;
}

const cyclic: { self?: unknown; map: Map<unknown, unknown> } = { map: new Map() };
cyclic.self = cyclic;
cyclic.map.set("back", cyclic);
const twice = { shared: {} };

const PLAIN: unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -0,
  1.5,
  NaN,
  -Infinity,
  2 ** 53,
  "",
  "text",
  "é 🦕 \ud800 \u2028",
  '\0"\\\n',
  12345678901234567890n,
  -1n,
  [],
  {},
  [undefined, null],
  // deno-lint-ignore no-sparse-arrays -- that is the case
  [1, , 3],
  { a: undefined },
  { "": 1, "__proto__x": 2, "10": 3, é: "🦕" },
  JSON.parse(`{"__proto__": {"x": 1}}`),
  { nested: [{ deep: [[[[[[[[[["bottom"]]]]]]]]]] }] },
  { n: -0, m: NaN, d: new Date(0), r: /x/gi, b: 1n },
  new Map<unknown, unknown>([[1, new Set([2])], ["k", { v: [3] }]]),
  new Date(1e12),
  /ab+c/u,
  new Uint8Array([1, 2, 3]),
  new Uint8Array(new ArrayBuffer(8), 2, 3),
  new Float64Array([0.5, -0]),
  new ArrayBuffer(5),
  [twice.shared, twice.shared],
  "x".repeat(300_000),
  "é".repeat(300_000),
  noise(64 * 1024),
  noise(MIB + 1),
  Array.from({ length: 5000 }, (_, i) => ({ i, text: `item ${i}` })),
];

for (
  const [name, there, back, target] of [
    ["Sync", new Queue<unknown>(), new Queue<unknown>(), echo],
    ["async", new Queue<unknown>(2), new Queue<unknown>(1), echoAsync],
  ] as const
) {
  Deno.test(`items: values of every kind come back from a thread as they went, ${name}`, async () => {
    const thread = start(target, there, back);
    for (const item of PLAIN) {
      await there.put(item);
      const got = await back.get();
      assertEquals(got, item);
      if (typeof item === "number") assert(Object.is(got, item));
      if (ArrayBuffer.isView(item)) assertEquals(got!.constructor, item.constructor);
    }
    await there.put(cyclic);
    const ring = await back.get() as typeof cyclic;
    assertStrictEquals(ring.self, ring);
    assertStrictEquals(ring.map.get("back"), ring);
    await there.put([twice.shared, twice.shared]);
    const [one, other] = await back.get() as object[];
    assertStrictEquals(one, other);
    if (name === "async") there.shutdown();
    else await there.put(END);
    await thread.join();
  });
}

Deno.test("items: errors, instances, functions, primitives and queues travel inside items", async () => {
  const there = new Queue<unknown>();
  const back = new Queue<unknown>();
  const thread = start(echo, there, back);
  const send = async (item: unknown) => {
    await there.put(item);
    return await back.get();
  };
  const error = await send(new RangeError("out", { cause: new TypeError("why") })) as Error;
  assertInstanceOf(error, RangeError);
  assertInstanceOf(error.cause, TypeError);
  const point = await send({ at: new Point(7) }) as { at: Point };
  assertInstanceOf(point.at, Point);
  assertEquals(point.at.x, 7);
  assertStrictEquals(await send(byFirst), byFirst);
  const event = new Event();
  const [same] = await send([event]) as Event[];
  event.set();
  assert(same.isSet());
  const inner = new Queue<unknown>();
  inner.putNowait("inside");
  const { queue } = await send({ queue: inner }) as { queue: Queue<unknown> };
  assertInstanceOf(queue, Queue);
  queue.putNowait("more");
  assertEquals([inner.getNowait(), inner.getNowait()], ["inside", "more"]);
  const words = new Int32Array(new SharedArrayBuffer(8));
  const sameWords = await send(new Map([["words", words]])) as Map<string, Int32Array>;
  words[1] = 5;
  assertEquals(sameWords.get("words")![1], 5);
  await there.put(END);
  await thread.join();
});

Deno.test("items: 64 MiB, as bytes and as text, arrive whole", async () => {
  const there = new Queue<unknown>();
  const back = new Queue<unknown>();
  const thread = start(echo, there, back);
  const bytes = noise(64 * MIB);
  await there.put(bytes);
  const got = await back.get() as Uint8Array;
  assertEquals(got.length, bytes.length);
  for (let i = 0; i < got.length; i += 4093) assertEquals(got[i], bytes[i]);
  const text = "0123456789abcdef".repeat(2 * MIB);
  there.putSync(text);
  assert(back.getSync() === text);
  await there.put(END);
  await thread.join();
});

Deno.test("items: what was put is what arrives, whatever becomes of the original while it waits", async () => {
  const queue = await shared(new Queue<unknown>(1));
  const bytes = new Uint8Array([1]);
  const object = { n: 1 };
  queue.putNowait(bytes);
  bytes[0] = 9;
  const waiting = queue.put(bytes);
  bytes[0] = 8;
  assertEquals(await queue.get(), new Uint8Array([1]));
  await waiting;
  assertEquals(await queue.get(), new Uint8Array([9]));
  queue.putNowait(object);
  const later = queue.put(object);
  object.n = 2;
  assertEquals(await queue.get(), { n: 1 });
  await later;
  assertEquals(await queue.get(), { n: 1 });
});

Deno.test("items: a queue that holds items when it is handed to a thread, hands them over in their order", async () => {
  const cases: [Queue<number>, number[]][] = [
    [new Queue(), [3, 1, 2]],
    [new LifoQueue(), [2, 1, 3]],
    [new PriorityQueue(), [1, 2, 3]],
  ];
  for (const [queue, expected] of cases) {
    for (const item of [3, 1, 2]) queue.putNowait(item);
    const out = new Queue<unknown>();
    assertEquals(queue.qsize(), 3);
    await start(move, queue as PriorityQueue<unknown>, out, 3).join();
    assertEquals([out.getNowait(), out.getNowait(), out.getNowait()], expected);
    assert(queue.empty());
  }
});

Deno.test("items: one that cannot travel keeps a queue local, with all its items", async () => {
  const queue = new Queue<unknown>();
  const fn = () => 1;
  const object = {};
  queue.putNowait(object);
  queue.putNowait(fn);
  const thread = new Thread({ target: touch, args: [queue] });
  assertThrows(() => thread.start(), PicklingError);
  assertStrictEquals(queue.getNowait(), object);
  assertStrictEquals(queue.getNowait(), fn);
  queue.putNowait(fn);
  assertStrictEquals(await queue.get(), fn);
});

Deno.test("items: a compare that cannot travel keeps a PriorityQueue local, with all its items", () => {
  const queue = new PriorityQueue<{ n: number }>(0, { compare: (a, b) => a.n - b.n });
  const [one, two] = [{ n: 1 }, { n: 2 }];
  queue.putNowait(two);
  queue.putNowait(one);
  const thread = new Thread({ target: touch, args: [queue] });
  assertThrows(() => thread.start(), PicklingError);
  assertStrictEquals(queue.getNowait(), one);
  assertStrictEquals(queue.getNowait(), two);
});

Deno.test("items: a queue that holds itself can be handed to a thread", async () => {
  const queue = new Queue<unknown>();
  queue.putNowait(queue);
  await shared(queue);
  const inner = await queue.get() as Queue<unknown>;
  inner.putNowait("round");
  assertEquals(queue.getNowait(), "round");
});

Deno.test("items: one that cannot travel is refused at put, on both sides, and the queue goes on", async () => {
  const queue = await shared(new Queue<unknown>(1));
  const fn = () => 1;
  await assertRejects(() => queue.put(fn), PicklingError, "item");
  assertThrows(() => queue.putSync({ a: [fn] }), PicklingError, "item.a[0]");
  assertThrows(() => queue.putNowait(Symbol("s")), PicklingError);
  const error = await queue.put({
    get boom() {
      throw new RangeError("mine");
    },
  }).catch((e) => e);
  assertEquals(error.message, "mine");
  assert(queue.empty());
  const names = new Queue<unknown>();
  await start(refusals, queue, names).join();
  assertEquals(
    [names.getNowait(), names.getNowait(), names.getNowait()],
    Array(3).fill("PicklingError"),
  );
  queue.putNowait(1);
  assertEquals(queue.getNowait(), 1);
  queue.taskDone();
  await queue.join();
});

Deno.test("items: one that waited to be put when the queue was handed over, travels or is refused then", async () => {
  const queue = new Queue<unknown>(1);
  queue.putNowait(1);
  const good = queue.put("good");
  const bad = queue.put(() => 1);
  bad.catch(() => {});
  await shared(queue);
  assertEquals(await queue.get(), 1);
  await good;
  assertEquals(await queue.get(), "good");
  await assertRejects(() => bad, PicklingError);
  queue.putNowait(2);
  assertEquals(queue.getNowait(), 2);
});

Deno.test("items: a PriorityQueue keeps its order between threads, equal ones first come, first served", async () => {
  const random = noise(4000);
  const keys = Array.from({ length: 1000 }, (_, i) => random[4 * i] % 50);
  const items = keys.map((key, i) => [key, `item ${i}`] as [number, string]);
  const expected = items.toSorted(byFirst);
  for (const compare of [undefined, byFirst]) {
    const local = new PriorityQueue<[number, string]>(0, { compare });
    for (const item of items) local.putNowait(item);
    const remote = new PriorityQueue<[number, string]>(0, { compare });
    await start(putAll, remote as Queue<unknown>, items).join();
    const out = new Queue<unknown>();
    const mover = start(move, remote as PriorityQueue<unknown>, out, 500);
    await mover.join();
    const got: unknown[] = [];
    while (!out.empty()) got.push(out.getNowait());
    while (!remote.empty()) got.push(remote.getNowait());
    const here: unknown[] = [];
    while (!local.empty()) here.push(local.getNowait());
    if (compare !== undefined) assertEquals(here, expected);
    assertEquals(got, here);
  }
});

Deno.test("items: a PriorityQueue compares items that are no bytes, from several threads at once", async () => {
  const queue = await shared(new PriorityQueue<[number, unknown]>(0, { compare: byFirst }));
  const lock = new Lock();
  const threads = [0, 1, 2].map(() => start(juggle, queue, lock, 30));
  // The main thread wants the queue's lock all the time, while the others want something of it.
  for (let i = 0; i < 200; i++) {
    queue.putNowait([i % 17, lock]);
    queue.getNowait();
    if (i % 10 === 0) await new Promise((go) => setTimeout(go, 0));
  }
  for (const thread of threads) await thread.join();
  assert(queue.empty());
  for (const key of [3, 1, 2]) queue.putNowait([key, lock]);
  queue.putNowait([0, noise(MIB)]);
  const out = new Queue<unknown>();
  await start(move, queue as PriorityQueue<unknown>, out, 4).join();
  const order = [];
  while (!out.empty()) order.push((await out.get() as [number])[0]);
  assertEquals(order, [0, 1, 2, 3]);
});

Deno.test("items: a thread that throws away what lies with the main thread, does not wait for it", async () => {
  const queue = new Queue<unknown>();
  for (let i = 0; i < 50; i++) queue.putNowait([new Lock(), i]);
  const thread = start(dropAll, queue);
  // In the queue's lock as much of the time as can be.
  while (!queue.isShutdown) queue.qsize(), queue.full();
  await thread.join();
  assert(queue.empty());
  await queue.join();
});

Deno.test("items: a SimpleQueue takes them between threads, too", async () => {
  const there = new SimpleQueue<unknown>();
  const back = new SimpleQueue<unknown>();
  there.put("before");
  const thread = start(echo, there, back);
  assertEquals(await back.get(), "before");
  for (const item of [undefined, { a: 1 }, new Uint8Array(3)]) {
    there.putNowait(item);
    assertEquals(back.getSync(), item);
  }
  assertThrows(() => there.put(() => 1), PicklingError);
  assertEquals(back.qsize(), 0);
  there.put(END);
  await thread.join();
});

Deno.test("items: small objects that several promises wait for arrive whole, each its own", async () => {
  for (const queue of [new Queue<unknown>(), new LifoQueue<unknown>()]) {
    await shared(queue);
    const item = (n: number) => ({ n, text: String(n).repeat(n * 100) });
    const gets = [1, 2, 3, 4].map(() => queue.get());
    for (const n of [1, 2, 3, 4, 5, 6]) queue.putNowait(item(n));
    // Others take items while these are on their way to their promises.
    const between = Promise.resolve().then(() => queue.getNowait());
    const later = gets[0].then(() => queue.getNowait());
    const got = await Promise.all([...gets, between, later]);
    assertEquals(got.toSorted(byN), [1, 2, 3, 4, 5, 6].map(item));
  }
});

Deno.test("items: a comparison that returns no number is refused by put on both sides, and nothing is lost", async () => {
  const queue = await shared(
    new PriorityQueue<[number, unknown?]>(0, { compare: byFirstOrAnswer }),
  );
  const ends = new Queue<string>();
  for (const n of [3, 1, 2]) queue.putNowait([n]);
  for (const [answer, what] of [[NaN, "NaN"], ["-1", "a string"], [-1n, "a bigint"], [{}, "an"]]) {
    const says = `compare must return a number, negative when the first item comes out first, got ${
      String(what)
    }`;
    assertThrows(() => queue.putNowait([0, answer]), TypeError, says);
    assertThrows(() => queue.putSync([0, answer]), TypeError, says);
    await assertRejects(() => queue.put([0, answer]), TypeError, says);
    const thread = start(putBoth, queue, [0, answer] as [number, unknown], ends);
    for (const _ of ["Sync", "async"]) assert((await ends.get()).includes(says));
    await thread.join();
    assertEquals(queue.qsize(), 3);
  }
  queue.putNowait([0]);
  assertEquals([0, 1, 2, 3].map(() => queue.getNowait()), [[0], [1], [2], [3]]);
  for (let i = 0; i < 4; i++) queue.taskDone();
  assertThrows(() => queue.taskDone(), RangeError);
  await queue.join();
});
