/** Methods of CPython's `test_queue.py` that no other file has. Each names the method that it stands for. */

import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import {
  Empty,
  Full,
  LifoQueue,
  PriorityQueue,
  Queue,
  ShutDown,
  SimpleQueue,
} from "@batteries/concurrent/queue";
import { Barrier, Event, Thread } from "@batteries/concurrent/threading";
import { AGES, untilBlocked } from "../contracts/world.ts";
import {
  closeWhenTold,
  collect,
  type Ends,
  feed,
  getWhenTold,
  joinAfterStart,
  joinAtOnce,
  lose,
  orLose,
  putWhenTold,
  read,
  type Way,
  workWhenTold,
  write,
} from "../fixtures/queue/cpython_parties.ts";
import { threads } from "../threading/_world.ts";

/** Starts a thread. */
function start<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Thread<A> {
  const thread = new Thread({ target, args, daemon: true });
  thread.start();
  return thread;
}

// deno-lint-ignore no-explicit-any
async function ended(parties: readonly Thread<any>[]): Promise<void> {
  for (const party of parties) {
    await party.join({ timeout: AGES });
    assertFalse(party.isAlive(), "a thread has not come to its end");
  }
}

/** All that was said. */
function said(ends: Ends): unknown[] {
  const all: unknown[] = [];
  while (!ends.empty()) all.push(ends.getNowait());
  return all;
}

// ---- BaseQueueTestMixin --------------------------------------------------------------------------------------------------------------

for (const make of [Queue, LifoQueue, PriorityQueue]) {
  const test = (name: string, body: () => void | Promise<void>) =>
    Deno.test(`${make.name}: ${name}`, body);
  const holding = (...items: number[]) => {
    const queue = new make<number>(2);
    for (const item of items) queue.putNowait(item);
    return queue;
  };

  test("is shut down, then at once, then not at once: it stays shut, and only what was there is thrown away (test_shutdown_allowed_transitions)", async () => {
    const queue = holding(1, 2);
    assertFalse(queue.isShutdown);
    queue.shutdown();
    assert(queue.isShutdown);
    assertEquals(queue.qsize(), 2);
    queue.getNowait();
    queue.shutdown({ immediate: true });
    assert(queue.isShutdown);
    assertThrows(() => queue.getNowait(), ShutDown);
    queue.shutdown({ immediate: false });
    assert(queue.isShutdown);
    assertThrows(() => queue.getNowait(), ShutDown);
    queue.taskDone();
    await queue.join();
    assertThrows(() => queue.taskDone(), RangeError);
  });

  test("an immediate shutdown leaves nothing to be done, in one thread (test_shutdown_immediate_all_methods_in_one_thread)", () => {
    const queue = holding(1, 2);
    queue.shutdown({ immediate: true });
    assertThrows(() => queue.putNowait(3), ShutDown);
    assertThrows(() => queue.putSync(3, { timeout: AGES }), ShutDown);
    assertThrows(() => queue.getNowait(), ShutDown);
    assertThrows(() => queue.getSync({ timeout: AGES }), ShutDown);
    assertThrows(() => queue.taskDone(), RangeError);
    queue.joinSync({ timeout: AGES });
  });

  for (const immediate of [false, true]) {
    const how = immediate ? "an immediate shutdown" : "a shutdown";
    const method = (name: string) => `(test_shutdown_${immediate ? "immediate_" : ""}${name})`;

    test(`after ${how} threads get what is left, and no more ${method("get")}`, async () => {
      const [queue, go, ends] = [holding(1, 2), new Event(), new SimpleQueue<unknown>()];
      const parties = [0, 1, 2].map(() => start(getWhenTold, queue, go, ends));
      queue.shutdown({ immediate });
      go.set();
      await ended(parties);
      const expected = immediate ? ["closed", "closed", "closed"] : ["closed", "got", "got"];
      assertEquals(said(ends).toSorted(), expected);
    });

    test(`after ${how} threads put nothing ${method("put")}`, async () => {
      const [queue, go, ends] = [holding(1, 2), new Event(), new SimpleQueue<unknown>()];
      const parties = [0, 1].map(() => start(putWhenTold, queue, go, ends));
      queue.shutdown({ immediate });
      go.set();
      await ended(parties);
      assertEquals(said(ends), ["closed", "closed"]);
      assertEquals(queue.qsize(), immediate ? 0 : 2);
    });

    test(`${how} lets threads that join go when the rest is done ${method("join")}`, async () => {
      const [queue, go, ends] = [holding(1), new Event(), new SimpleQueue<unknown>()];
      const joiners = [0, 1].map(() => start(joinAtOnce, queue, go, ends));
      const workers = immediate ? [] : [start(workWhenTold, queue, go, ends)];
      queue.shutdown({ immediate });
      go.set();
      await ended([...joiners, ...workers]);
      const expected = ["joined", "joined"];
      assertEquals(said(ends).toSorted(), immediate ? expected : ["got", ...expected]);
    });

    test(`${how} ends a put, and a join when the rest is done ${method("put_join")}`, async () => {
      const [queue, go, ends] = [holding(1), new Event(), new SimpleQueue<unknown>()];
      const parties = [putWhenTold, joinAtOnce].map((target) => start(target, queue, go, ends));
      queue.shutdown({ immediate });
      go.set();
      if (immediate) assertThrows(() => queue.getNowait(), ShutDown);
      else {
        assertEquals(queue.getNowait(), 1);
        queue.taskDone();
      }
      await ended(parties);
      assertEquals(said(ends).toSorted(), ["closed", "joined"]);
    });

    test(`${how} in the middle of it ends writers, readers and joiners ${method("all_methods_in_many_threads")}`, async () => {
      const [writers, readers, joiners, count] = [3, 3, 2, 400];
      const queue = new make<number>();
      const [full, ends] = [new Event(), new SimpleQueue<unknown>()];
      const gate = new Barrier(writers + readers + joiners);
      const of = <T>(n: number, make: () => T) => Array.from({ length: n }, make);
      await ended([
        ...of(writers, () => start(write, queue, count, full, gate, ends)),
        ...of(readers, () => start(read, queue, gate, ends)),
        ...of(joiners, () => start(joinAfterStart, queue, gate)),
        start(closeWhenTold, queue, full, immediate),
      ]);
      assert(queue.empty());
      const counts = said(ends) as number[];
      assertEquals(counts.filter((n) => n > 0).length, writers);
      assertEquals(counts.filter((n) => n < 0).length, readers);
      const left = counts.reduce((sum, n) => sum + n, 0);
      // Of what was put, all was taken, or an immediate shutdown has thrown it away.
      if (immediate) assert(left >= 0);
      else assertEquals(left, 0);
      assertThrows(() => queue.taskDone(), RangeError);
    });
  }

  test("threads that take what is left after a shutdown, and report it, let joiners go (test_shutdown_get_task_done_join)", async () => {
    const [queue, go, ends] = [holding(1, 2), new Event(), new SimpleQueue<unknown>()];
    const parties = [workWhenTold, workWhenTold, joinAtOnce, joinAtOnce]
      .map((target) => start(target, queue, go, ends));
    go.set();
    queue.shutdown();
    await ended(parties);
    assertEquals(said(ends).toSorted(), ["got", "got", "joined", "joined"]);
  });
}

// ---- FailingQueueTest ----------------------------------------------------------------------------------------------------------------

Deno.test("PriorityQueue: a thread whose comparison throws, at once or after a wait, puts and takes nothing, and the next goes on (test_failing_queue)", async () => {
  const queue = new PriorityQueue<number>(3, { compare: orLose });
  const ends = new SimpleQueue<unknown>();
  // Twice, since the first time must not leave anything behind.
  for (let round = 0; round < 2; round++) {
    queue.putNowait(1);
    queue.putNowait(2);
    await ended([start(lose, queue, "put", ends)]);
    assertEquals([said(ends), queue.qsize()], [["ready", "SyntaxError: You lose"], 2]);
    queue.putNowait(3);
    await ended([start(lose, queue, "get", ends)]);
    assertEquals([said(ends), queue.qsize()], [["ready", "SyntaxError: You lose"], 3]);
    assertThrows(() => queue.putNowait(4), Full);
    const party = threads.start(lose, queue, "put", ends);
    assertEquals(await ends.get({ timeout: AGES }), "ready");
    await untilBlocked(party);
    const next = queue.put(4, { timeout: AGES });
    // Room for both, whoever was first.
    assertEquals([queue.getNowait(), queue.getNowait()], [1, 2]);
    await party.join({ timeout: AGES });
    assertEquals(said(ends), ["SyntaxError: You lose"]);
    await next;
    assertEquals(queue.qsize(), 2);
    assertEquals([queue.getNowait(), queue.getNowait()], [3, 4]);
    assertThrows(() => queue.getNowait(), Empty);
    for (let i = 0; i < 4; i++) queue.taskDone();
    assertThrows(() => queue.taskDone(), RangeError);
  }
});

// ---- BaseSimpleQueueTest -------------------------------------------------------------------------------------------------------------

Deno.test("SimpleQueue: what one thread puts, another takes in that order (test_order)", async () => {
  const [queue, ends] = [new SimpleQueue<number | null>(), new SimpleQueue<unknown>()];
  await ended([
    start(collect, queue, "waiting" as Way, ends),
    start(feed, queue, 0, 100),
  ]);
  assertEquals(said(ends), [Array.from({ length: 100 }, (_, n) => n)]);
  assert(queue.empty());
});

for (
  const [way, method] of [
    ["waiting", "test_many_threads"],
    ["without waiting", "test_many_threads_nonblock"],
    ["with a time-out", "test_many_threads_timeout"],
  ] as const
) {
  Deno.test(`SimpleQueue: many threads put, many take ${way}: each item comes once, and each taker's in their order (${method})`, async () => {
    const [parties, each] = [4, 250];
    const [queue, ends] = [new SimpleQueue<number | null>(), new SimpleQueue<unknown>()];
    const numbers = Array.from({ length: parties }, (_, n) => n);
    await ended([
      ...numbers.map((n) => start(feed, queue, n * each, each)),
      ...numbers.map(() => start(collect, queue, way as Way, ends)),
    ]);
    const taken = said(ends) as number[][];
    assertEquals(taken.length, parties);
    assertEquals(
      taken.flat().toSorted((a, b) => a - b),
      Array.from({ length: parties * each }, (_, n) => n),
    );
    for (const items of taken) {
      for (const feeder of numbers) {
        const its = items.filter((item) => Math.floor(item / each) === feeder);
        assertEquals(its, its.toSorted((a, b) => a - b));
      }
    }
    assert(queue.empty());
    assertEquals(queue.qsize(), 0);
  });
}
