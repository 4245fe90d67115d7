/** Those who wait to put into a queue that threads share leave their items in it, and take them back when they give up. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Empty, Full, Queue, ShutDown } from "@batteries/concurrent/queue";
import { Thread } from "@batteries/concurrent/threading";
import { touch } from "../fixtures/queue/items.ts";
import { putEach, Tried } from "../fixtures/queue/offers.ts";

/** A queue that is shared with threads, and full. */
async function full<T>(first: T): Promise<Queue<T>> {
  const queue = new Queue<T>(1);
  const thread = new Thread({ target: touch, args: [queue] });
  thread.start();
  await thread.join();
  queue.putNowait(first);
  return queue;
}

function drained<T>(queue: Queue<T>): T[] {
  const items: T[] = [];
  for (;;) {
    try {
      items.push(queue.getNowait());
    } catch (error) {
      assert(error instanceof Empty);
      return items;
    }
  }
}

Deno.test("offers: are not in the queue before there is room, and then come in their order", async () => {
  const queue = await full(0);
  const puts = [1, 2, 3].map((item) => queue.put(item));
  assertEquals(queue.qsize(), 1);
  assert(queue.full());
  assertThrows(() => queue.putNowait(9), Full);
  assertEquals(drained(queue), [0, 1, 2, 3]);
  await Promise.all(puts);
  assertEquals(queue.qsize(), 0);
});

Deno.test("offers: of one who gives up, first, in the middle or last, are gone, those of others are not", async () => {
  for (const given of [[1], [3], [5], [2, 4], [1, 2, 3, 4, 5], []]) {
    const queue = await full(0);
    const stop = new AbortController();
    const puts = [1, 2, 3, 4, 5].map((item) =>
      queue.put(item, given.includes(item) ? { signal: stop.signal } : {})
    );
    stop.abort(new Error("enough"));
    for (const item of given) await assertRejects(() => puts[item - 1], Error, "enough");
    // Who comes later is behind them all.
    const last = queue.put(6);
    const rest = [1, 2, 3, 4, 5].filter((item) => !given.includes(item));
    assertEquals(drained(queue), [0, ...rest, 6]);
    await Promise.all([...rest.map((item) => puts[item - 1]), last]);
    queue.putNowait(7);
    assertEquals(queue.getNowait(), 7);
  }
});

Deno.test("offers: unfinished counts what is in the queue, not what waits", async () => {
  const queue = await full(0);
  const stop = new AbortController();
  const put = queue.put(1, { signal: stop.signal });
  queue.taskDone();
  assertThrows(() => queue.taskDone(), RangeError);
  stop.abort();
  await assertRejects(() => put);
  assertEquals(queue.getNowait(), 0);
  await queue.join();
});

Deno.test("offers: more than the memory takes without moving wait outside, in order", async () => {
  const item = (n: number) => new Uint8Array(200_000).fill(n);
  const queue = await full(item(0));
  const stop = new AbortController();
  const puts = Array.from(
    { length: 60 },
    (_, i) => queue.put(item(i + 1), i % 7 === 3 ? { signal: stop.signal } : {}),
  );
  stop.abort(new Error("enough"));
  const ended = await Promise.all(
    puts.map((put, i) => i % 7 === 3 ? put.then(() => true, () => false) : true),
  );
  const got: number[] = [];
  while (got.length < 1 + ended.filter((put) => put).length) {
    const bytes = await queue.get();
    assert(bytes.length === 200_000 && bytes.every((byte) => byte === bytes[0]));
    got.push(bytes[0]);
  }
  assertEquals(got, [0, ...ended.flatMap((put, i) => put ? [i + 1] : [])]);
  await Promise.all(puts.filter((_, i) => ended[i]));
  assert(queue.empty());
});

Deno.test("offers: shutdown sends those away who made them and leaves what is in the queue", async () => {
  for (const immediate of [false, true]) {
    const queue = await full(0);
    const puts = [1, 2].map((item) => queue.put(item));
    queue.shutdown({ immediate });
    for (const put of puts) await assertRejects(() => put, ShutDown);
    if (!immediate) assertEquals(queue.getNowait(), 0);
    assertThrows(() => queue.getNowait(), ShutDown);
  }
});

Deno.test("offers: of threads that block and run out of time, nothing is lost or doubled", async () => {
  const queue = new Queue<number>(1);
  const tried = [0, 1, 2, 3].map(() => new Tried(300));
  const threads = tried.map(({ words }, i) => {
    const thread = new Thread({ target: putEach, args: [queue, words, i * 1000] });
    thread.start();
    return thread;
  });
  const got: number[] = [];
  const taking = (async () => {
    for await (const item of queue) {
      got.push(item);
      // Let some of them run out of time, and some not.
      if (item % 7 === 0) await new Promise((go) => setTimeout(go, 2));
    }
  })();
  for (const thread of threads) await thread.join();
  queue.shutdown();
  await taking;
  tried.forEach((tried, i) => {
    const mine = got.filter((item) => Math.floor(item / 1000) === i);
    assertEquals(mine, tried.put().map((n) => i * 1000 + n), "in order, and what was put only");
  });
  assertEquals(got.length, new Set(got).size);
});
