/** Queues between the tasks of one thread: the very same objects, iteration, orders, errors. CPython's: `test_queue`. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Empty,
  Full,
  LifoQueue,
  PriorityQueue,
  Queue,
  ShutDown,
  SimpleQueue,
} from "@batteries/concurrent/queue";
import { settled } from "../contracts/world.ts";

Deno.test("Queue: items are the very same objects, functions included", async () => {
  const items = [{}, () => 1, Symbol("s"), new WeakMap(), undefined, new Proxy({}, {}), Promise];
  for (
    const queue of [new Queue<unknown>(), new LifoQueue<unknown>(), new SimpleQueue<unknown>()]
  ) {
    for (const item of items) {
      await queue.put(item);
      assertStrictEquals(await queue.get(), item);
      queue.putNowait(item);
      assertStrictEquals(queue.getSync(), item);
    }
  }
  const queue = new PriorityQueue<{ n: number }>(0, { compare: (a, b) => b.n - a.n });
  const [small, large] = [{ n: 1 }, { n: 2 }];
  queue.putNowait(small);
  queue.putNowait(large);
  assertStrictEquals(queue.getNowait(), large);
  assertStrictEquals(queue.getNowait(), small);
});

Deno.test("Queue: a waiting get is handed the very object", async () => {
  const queue = new Queue<object>();
  const waiting = queue.get();
  assertFalse(await settled(waiting));
  const item = {};
  queue.putNowait(item);
  assertStrictEquals(await waiting, item);
});

Deno.test("Queue: a bad maxsize is refused", () => {
  for (const make of [Queue, LifoQueue, PriorityQueue]) {
    for (const maxsize of ["1", null, {}, true, 1n]) {
      assertThrows(() => new make(maxsize as number), TypeError, make.name);
    }
    for (const maxsize of [NaN, 1.5, 2 ** 31]) {
      assertThrows(() => new make(maxsize), RangeError, "maxsize");
    }
    assertEquals(new make().maxsize, 0);
    assertEquals(new make(-3).maxsize, -3);
    assertEquals(new make(Infinity).maxsize, Infinity);
    assertFalse(new make(Infinity).full());
    assertEquals(new make(2 ** 31 - 1).maxsize, 2 ** 31 - 1);
  }
  // A constructor that failed leaves nothing behind for the next.
  const queue = new Queue<number>();
  for (const item of [2, 1]) queue.putNowait(item);
  assertEquals(queue.getNowait(), 2);
});

Deno.test("Queue: bad options are refused, and async calls reject", async () => {
  const queue = new Queue<number>(1);
  for (const options of [null, 5, "now"]) {
    await assertRejects(() => queue.put(1, options as never), TypeError, "Queue.put");
    await assertRejects(() => queue.get(options as never), TypeError, "Queue.get");
    await assertRejects(() => queue.join(options as never), TypeError, "Queue.join");
    assertThrows(() => queue.putSync(1, options as never), TypeError, "Queue.putSync");
    assertThrows(() => queue.getSync(options as never), TypeError, "Queue.getSync");
  }
  assert(queue.empty());
});

Deno.test("Queue: a bad option of shutdown is refused, and the queue stays open", () => {
  const queue = new Queue<number>();
  for (const immediate of [1, "yes", {}]) {
    assertThrows(() => queue.shutdown({ immediate } as never), TypeError, "immediate");
  }
  // As CPython's positional arguments are not.
  for (const options of [true, false, 5, "now", null, [], [true], () => 1]) {
    assertThrows(() => queue.shutdown(options as never), TypeError, "options must be an object");
  }
  assertFalse(queue.isShutdown);
  queue.shutdown();
  assert(queue.isShutdown);
});

Deno.test("Queue: the errors have names, and say what was found", async () => {
  const queue = new Queue<number>(1);
  assertThrows(() => queue.getNowait(), Empty, "the queue is empty, and no item was put in now");
  await assertRejects(() => queue.get({ timeout: 1 }), Empty, "in time");
  queue.putNowait(1);
  assertThrows(() => queue.putNowait(2), Full, "the queue is full, and no item was taken out now");
  queue.shutdown();
  assertThrows(() => queue.putNowait(2), ShutDown, "the queue was shut down");
  for (const [type, name] of [[Empty, "Empty"], [Full, "Full"], [ShutDown, "ShutDown"]] as const) {
    const error = new type("m");
    assertInstanceOf(error, Error);
    assertEquals(error.name, name);
    assertEquals(String(error), `${name}: m`);
  }
});

Deno.test("Queue: for await takes items until the queue is shut down and empty", async () => {
  const queue = new Queue<number>(2);
  const produce = async () => {
    for (let n = 0; n < 10; n++) await queue.put(n);
    queue.shutdown();
  };
  const seen: number[][] = [[], []];
  const consume = async (mine: number[]) => {
    for await (const n of queue) mine.push(n);
  };
  await Promise.all([produce(), consume(seen[0]), consume(seen[1])]);
  assertEquals(seen.flat().sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for await (const _ of queue) throw new Error("It is over");
});

Deno.test("Queue: for await takes an item only when asked, and does not report it as done", async () => {
  const queue = new Queue<number>();
  for (const n of [1, 2, 3]) queue.putNowait(n);
  for await (const n of queue) {
    assertEquals(n, 1);
    assertEquals(queue.qsize(), 2);
    break;
  }
  assertEquals(queue.qsize(), 2);
  for (let i = 0; i < 3; i++) queue.taskDone();
  assertThrows(() => queue.taskDone(), RangeError, "every item already");
});

Deno.test("Queue: what a get that waits is due, is not there for others", async () => {
  const queue = new Queue<number>(1);
  const waiting = queue.get();
  assertFalse(await settled(waiting));
  queue.putNowait(1);
  assertEquals(queue.qsize(), 0);
  assert(queue.empty());
  assertThrows(() => queue.getNowait(), Empty);
  assertEquals(await waiting, 1);
});

Deno.test("Queue: many items in and out, in waves, keep their order", () => {
  const queue = new Queue<number>();
  let put = 0;
  let got = 0;
  for (const wave of [10, 5000, 3, 20_000, 1]) {
    for (let i = 0; i < wave; i++) queue.putNowait(put++);
    for (let i = 0; i < wave / 2; i++) assertEquals(queue.getNowait(), got++);
  }
  while (!queue.empty()) assertEquals(queue.getNowait(), got++);
  assertEquals(got, put);
});

Deno.test("PriorityQueue: numbers, bigints, strings, dates and arrays of them, smallest first", () => {
  const cases: [unknown[], unknown[]][] = [
    [[3, -1, Infinity, 2.5, -Infinity], [-Infinity, -1, 2.5, 3, Infinity]],
    [[3n, 1, 2n], [1, 2n, 3n]],
    [["b", "a", "", "aa"], ["", "a", "aa", "b"]],
    [[new Date(2), new Date(1)], [new Date(1), new Date(2)]],
    [[[2, "a"], [1, "z"], [1, "b"], [1]], [[1], [1, "b"], [1, "z"], [2, "a"]]],
    [[[1, [2, 3]], [1, [2]], []], [[], [1, [2]], [1, [2, 3]]]],
  ];
  for (const [items, expected] of cases) {
    const queue = new PriorityQueue<unknown>();
    for (const item of items) queue.putNowait(item);
    assertEquals(items.map(() => queue.getNowait()), expected);
  }
});

Deno.test("PriorityQueue: equal items come out in the order they were put", () => {
  const queue = new PriorityQueue<[number, number]>(0, { compare: (a, b) => a[0] - b[0] });
  const items = Array.from({ length: 500 }, (_, i): [number, number] => [i * 37 % 5, i]);
  for (const item of items) queue.putNowait(item);
  assertEquals(
    items.map(() => queue.getNowait()),
    items.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]),
  );
});

Deno.test("PriorityQueue: items that cannot be ordered are refused at put, and the queue goes on", async () => {
  for (const first of [undefined, 1]) {
    const queue = new PriorityQueue<unknown>();
    if (first !== undefined) queue.putNowait(first);
    for (const item of [{}, null, undefined, NaN, new Date(NaN), Symbol("s"), () => 1]) {
      assertThrows(() => queue.putNowait(item), TypeError);
      assertThrows(() => queue.putSync(item), TypeError);
      await assertRejects(() => queue.put(item), TypeError);
    }
    assertEquals(queue.qsize(), first === undefined ? 0 : 1);
  }
  const queue = new PriorityQueue<unknown>();
  queue.putNowait(1);
  assertThrows(() => queue.putNowait("1"), TypeError, "Cannot order");
  const pairs = new PriorityQueue<[number, object]>();
  pairs.putNowait([1, {}]);
  assertThrows(() => pairs.putNowait([1, {}]), TypeError, "an object");
  pairs.putNowait([0, {}]);
  assertEquals(pairs.getNowait()[0], 0);
  queue.putNowait(0);
  assertEquals([queue.getNowait(), queue.getNowait()], [0, 1]);
  queue.taskDone();
  queue.taskDone();
  assertThrows(() => queue.taskDone(), RangeError);
});

/** A comparison that fails when it is told to: CPython's FailingQueue. */
Deno.test("PriorityQueue: a comparison that throws, loses and doubles nothing", async () => {
  let fails = false;
  const compare = (a: number, b: number) => {
    if (fails) throw new SyntaxError("You lose");
    return a - b;
  };
  const queue = new PriorityQueue<number>(5, { compare });
  for (const n of [4, 2, 3, 1]) queue.putNowait(n);
  fails = true;
  assertThrows(() => queue.putNowait(0), SyntaxError);
  assertThrows(() => queue.getNowait(), SyntaxError);
  await assertRejects(() => queue.get(), SyntaxError);
  fails = false;
  queue.putNowait(5);
  assert(queue.full());
  // One that waits for room fails when its turn comes, and the room goes to the next.
  const failing = queue.put(9);
  const next = queue.put(6);
  assertFalse(await settled(failing));
  assertEquals(queue.getNowait(), 1);
  fails = true;
  await assertRejects(() => failing, SyntaxError);
  fails = false;
  await next.catch(() => queue.put(6));
  const rest = [];
  while (!queue.empty()) rest.push(queue.getNowait());
  assertEquals(rest, [2, 3, 4, 5, 6]);
});

Deno.test("PriorityQueue: compare that is no function, is refused", () => {
  for (const compare of [null, 1, "a", {}]) {
    assertThrows(() => new PriorityQueue(0, { compare: compare as never }), TypeError, "compare");
  }
  for (const options of [null, 1, "a", [], (a: number, b: number) => a - b]) {
    assertThrows(() => new PriorityQueue(0, options as never), TypeError, "options must be an obj");
  }
});

/** What a comparison must not return, and how it is told. */
const NO_ORDERS: [unknown, string][] = [
  [NaN, "NaN"],
  ["-1", "a string"],
  [-1n, "a bigint"],
  [true, "a boolean"],
  [undefined, "undefined"],
  [null, "null"],
  [{}, "an object"],
  [{ valueOf: () => -1 }, "an object"],
  [Promise.resolve(-1), "a promise"],
];

Deno.test("PriorityQueue: a comparison that returns no number is refused by put and get, and nothing is lost", async () => {
  for (const [answer, what] of NO_ORDERS) {
    let strange = true;
    const compare = (a: number, b: number) => strange ? answer as number : a - b;
    const queue = new PriorityQueue<number>(4, { compare });
    const says =
      `compare must return a number, negative when the first item comes out first, got ${what}`;
    // Alone in the queue it is looked at, too.
    for (const items of [[], [3, 1, 2]]) {
      strange = false;
      for (const item of items) queue.putNowait(item);
      strange = true;
      assertThrows(() => queue.putNowait(0), TypeError, says);
      assertThrows(() => queue.putSync(0), TypeError, says);
      await assertRejects(() => queue.put(0), TypeError, says);
      assertEquals(queue.qsize(), items.length);
    }
    assertThrows(() => queue.getNowait(), TypeError, says);
    assertThrows(() => queue.getSync(), TypeError, says);
    await assertRejects(() => queue.get(), TypeError, says);
    strange = false;
    queue.putNowait(0);
    assert(queue.full());
    assertEquals([0, 1, 2, 3].map(() => queue.getNowait()), [0, 1, 2, 3]);
    for (let i = 0; i < 4; i++) queue.taskDone();
    assertThrows(() => queue.taskDone(), RangeError);
  }
  // Any number will do.
  const queue = new PriorityQueue<number>(0, { compare: (a, b) => a < b ? -Infinity : Infinity });
  for (const n of [2, 1, 3]) queue.putNowait(n);
  assertEquals([queue.getNowait(), queue.getNowait(), queue.getNowait()], [1, 2, 3]);
});

Deno.test("SimpleQueue: puts without waiting, gets in order, and refuses when empty", async () => {
  const queue = new SimpleQueue<number>();
  assert(queue.empty());
  assertThrows(() => queue.getNowait(), Empty);
  assertThrows(() => queue.getSync({ timeout: 0 }), Empty);
  assertThrows(() => queue.getSync({ timeout: 1 }), Empty);
  await assertRejects(() => queue.get({ timeout: 1 }), Empty);
  await assertRejects(() => queue.get({ timeout: NaN }), RangeError);
  const waiting = [queue.get(), queue.get()];
  assertFalse(await settled(waiting[0]));
  for (const n of [1, 2, 3]) queue.put(n);
  queue.putNowait(4);
  assertEquals(await Promise.all(waiting), [1, 2]);
  assertEquals(queue.qsize(), 2);
  assertEquals([queue.getSync(), await queue.get()], [3, 4]);
  const controller = new AbortController();
  const aborted = queue.get({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => aborted, Error, "enough");
  queue.put(5);
  assertEquals(queue.getNowait(), 5);
});

Deno.test("PriorityQueue: what cannot be ordered is told by its kind, and the queue goes on", () => {
  const queue = new PriorityQueue<unknown>();
  for (
    const [item, what] of [
      [NaN, "NaN"],
      [new Date(NaN), "an invalid date"],
      [undefined, "undefined"],
      [null, "null"],
      [true, "a boolean"],
      [Symbol("a"), "a symbol"],
      [{}, "an object"],
      [[NaN], "NaN"],
    ]
  ) {
    assertThrows(() => queue.putNowait(item), TypeError, `Cannot order ${String(what)}:`);
  }
  assertThrows(() => queue.getNowait(), Empty);
  // All kinds of numbers are in one order, and those that are equal come out as they went in.
  for (const n of [Infinity, 2n ** 100n, 0, -0, 0n, -Infinity]) queue.putNowait(n);
  const items = Array.from({ length: 6 }, () => queue.getNowait());
  assertEquals(items, [-Infinity, 0, -0, 0n, 2n ** 100n, Infinity]);
});
