/** `serializeIterator`, `synchronizedIterator` and `concurrentTee`, in one thread and between several. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  concurrentTee,
  enumerate,
  Event,
  mainThread,
  serializeIterator,
  synchronizedIterator,
  Thread,
} from "@batteries/concurrent/threading";
import { untilWord } from "../contracts/world.ts";
import {
  compareIterators,
  countSlowly,
  countThenThrow,
  ENDED,
  ERRORS,
  ITEMS,
  leaveIterator,
  takeAll,
  takeInOrder,
  TAKEN,
  takeOne,
  takeUntilError,
  takeWhatTravels,
  useOwn,
} from "../fixtures/threading/iterator_parties.ts";

const newBoard = (words = 256) => new Int32Array(new SharedArrayBuffer(words * 4));

function start<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Thread {
  const thread = new Thread({ target, args, daemon: true }) as unknown as Thread;
  thread.start();
  return thread;
}

async function joinAll(threads: readonly Thread[]): Promise<void> {
  for (const thread of threads) {
    await thread.join({ timeout: 60_000 });
    assert(!thread.isAlive(), "A thread waits for an item that does not come");
  }
}

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

Deno.test("serializeIterator: each item goes to one task, the source is asked for one at a time", async () => {
  const board = newBoard();
  const it = serializeIterator(countSlowly(30, board));
  await Promise.all([1, 2, 3, 4].map(() => takeAll(it, board)));
  assertEquals([board[TAKEN], board[ENDED], board[ERRORS]], [30, 4, 0]);
  assertEquals([...board.slice(ITEMS, ITEMS + 30)], numbers(30).map(() => 1));
});

Deno.test("serializeIterator: calls made at once get the items in the order of the calls", async () => {
  const it = serializeIterator(countSlowly(5, newBoard()));
  const results = await Promise.all(numbers(7).map(() => it.next()));
  assertEquals(results.map(({ value }) => value), [0, 1, 2, 3, 4, undefined, undefined]);
  assertEquals(results.map(({ done }) => done === true), [
    ...numbers(5).map(() => false),
    true,
    true,
  ]);
});

Deno.test("serializeIterator: takes whatever can be iterated, refuses the rest", async () => {
  for (const source of [[1, 2], new Set([1, 2]), new Map([[1, 1], [2, 2]]).keys(), numbersOf()]) {
    assertEquals(await Array.fromAsync(serializeIterator(source)), [1, 2]);
  }
  assertEquals(await Array.fromAsync(serializeIterator("ab")), ["a", "b"]);
  assertEquals(await Array.fromAsync(serializeIterator([])), []);
  assertEquals(await Array.fromAsync(serializeIterator(serializeIterator([1]))), [1]);
  for (const source of [undefined, null, 5, {}, () => {}, { next: () => {} }]) {
    assertThrows(() => serializeIterator(source as unknown as number[]), TypeError, "iterable");
  }
  async function* numbersOf() {
    yield 1;
    yield 2;
  }
});

Deno.test("serializeIterator: leaving a loop ends it for nobody", async () => {
  let closed = false;
  function* source() {
    try {
      yield* [0, 1, 2, 3];
    } finally {
      closed = true;
    }
  }
  const it = serializeIterator(source());
  const seen: number[] = [];
  for await (const item of it) {
    seen.push(item);
    break;
  }
  await assertRejects(async () => {
    for await (const item of it) {
      seen.push(item);
      throw new SyntaxError("mine");
    }
  }, SyntaxError);
  assertEquals(closed, false);
  for await (const item of it) seen.push(item);
  assertEquals([seen, closed], [[0, 1, 2, 3], true]);
});

Deno.test("serializeIterator: an error of the source goes to one consumer and ends it", async () => {
  const it = serializeIterator(countThenThrow(2));
  const results = await Promise.allSettled(numbers(5).map(() => it.next()));
  assertEquals(
    results.map((result) =>
      result.status === "rejected" ? String(result.reason) : result.value.done
    ),
    [false, false, "RangeError: No more", true, true],
  );
});

Deno.test("serializeIterator: threads and tasks of this thread share it", async () => {
  const board = newBoard();
  const it = serializeIterator(numbers(200));
  const threads = [1, 2, 3].map(() => start(takeAll, it, board));
  await takeAll(it, board);
  await joinAll(threads);
  assertEquals([board[TAKEN], board[ENDED]], [200, 4]);
  assertEquals([...board.slice(ITEMS, ITEMS + 200)], numbers(200).map(() => 1));
});

Deno.test("serializeIterator: a thread that leaves early, or an ended iterator, troubles nobody", async () => {
  const board = newBoard();
  const it = serializeIterator(numbers(20));
  await joinAll([1, 2, 3].map(() => start(takeOne, it, board)));
  assertEquals([board[TAKEN], board[ENDED]], [3, 3]);
  await joinAll([start(takeAll, it, board)]);
  assertEquals([board[TAKEN], board[ENDED]], [20, 4]);
  // Nothing is left, for those who had it and for those who get it now.
  await joinAll([start(takeAll, it, board)]);
  await takeAll(it, board);
  assertEquals([board[TAKEN], board[ENDED]], [20, 6]);
});

Deno.test("serializeIterator: an error of the source reaches one thread, of its class; the others see the end", async () => {
  const board = newBoard();
  const it = serializeIterator(countThenThrow(10));
  await joinAll([1, 2, 3].map(() => start(takeUntilError, it, board)));
  assertEquals([board[TAKEN], board[ERRORS]], [10, 1]);
  // Two loops that ended, and three looks after it.
  assertEquals(board[ENDED], 5);
});

Deno.test("serializeIterator: an item that cannot travel is an error for who asked, the next one comes", async () => {
  const board = newBoard();
  const it = serializeIterator<unknown>([1, () => {}, 2, Symbol("x"), 3]);
  await joinAll([start(takeWhatTravels, it, board)]);
  assertEquals([board[TAKEN], board[ERRORS], board[ENDED]], [3, 2, 1]);
});

Deno.test("serializeIterator: sent twice, it is one iterator over there", async () => {
  const board = newBoard();
  const it = serializeIterator([7, 8, 9]);
  await joinAll([start(compareIterators, it, it, board)]);
  assertEquals([board[TAKEN], board[ITEMS]], [7, 8]);
  assertEquals((await it.next()).value, 9);
});

Deno.test("synchronizedIterator: each call gives an iterator of its own that can be shared", async () => {
  const count = synchronizedIterator(countSlowly);
  const [first, second] = [newBoard(), newBoard()];
  const [a, b] = [count(10, first), count(10, second)];
  await Promise.all([
    ...[1, 2, 3].map(() => takeAll(a, first)),
    ...[1, 2].map(() => takeAll(b, second)),
  ]);
  assertEquals([first[TAKEN], first[ENDED], second[TAKEN], second[ENDED]], [10, 3, 10, 2]);
  const board = newBoard();
  await joinAll([1, 2].map(() => start(takeAll, count(5, newBoard()), board)));
  assertEquals([...board.slice(ITEMS, ITEMS + 5)], numbers(5).map(() => 2));
});

Deno.test("synchronizedIterator: keeps this and arguments, refuses what is no function", async () => {
  const host = {
    from: 3,
    count: synchronizedIterator(function* (this: { from: number }, n: number) {
      for (let i = 0; i < n; i++) yield this.from + i;
    }),
  };
  assertEquals(await Array.fromAsync(host.count(2)), [3, 4]);
  for (const fn of [undefined, null, [1], countThenThrow(1)]) {
    assertThrows(() => synchronizedIterator(fn as unknown as () => number[]), TypeError);
  }
  assertThrows(() => synchronizedIterator((() => 5) as unknown as () => number[])(), TypeError);
});

Deno.test("concurrentTee: bad counts are refused, 0 gives none and touches nothing", async () => {
  let asked = 0;
  function* source() {
    asked++;
    yield 1;
  }
  assertEquals(concurrentTee(source(), 0), []);
  for (const n of [-1, -Infinity, Infinity, NaN, 1.5]) {
    assertThrows(() => concurrentTee(source(), n), RangeError);
  }
  for (const n of ["2", null, 2n, {}]) {
    assertThrows(() => concurrentTee(source(), n as number), TypeError);
  }
  assertThrows(() => concurrentTee(5 as unknown as number[]), TypeError);
  assertEquals(asked, 0);
  const one = concurrentTee(source(), 1);
  assertEquals([one.length, await Array.fromAsync(one[0]), asked], [1, [1], 1]);
  assertEquals(concurrentTee([1]).length, 2);
});

Deno.test("concurrentTee: each branch gives everything in order, at its own pace", async () => {
  const board = newBoard();
  const [a, b, c] = concurrentTee(countSlowly(10, board), 3);
  // One runs ahead, one follows, one is never read to its end.
  assertEquals(await Array.fromAsync(a), numbers(10));
  assertEquals((await c.next()).value, 0);
  assertEquals(await Array.fromAsync(b), numbers(10));
  assertEquals(board[ENDED], 0);
  assertEquals((await a.next()).done, true);
  assertEquals((await c.next()).value, 1);
});

Deno.test("concurrentTee: an error comes to every branch, in its place", async () => {
  for (const branch of concurrentTee(countThenThrow(2), 3)) {
    assertEquals([(await branch.next()).value, (await branch.next()).value], [0, 1]);
    await assertRejects(() => branch.next(), RangeError, "No more");
    assertEquals((await branch.next()).done, true);
  }
});

Deno.test("concurrentTee: branches in threads, all at once", async () => {
  const board = newBoard();
  const [mine, ...theirs] = concurrentTee(countSlowly(40, newBoard()), 4);
  const threads = theirs.map((branch) => start(takeInOrder, branch, board));
  await takeInOrder(mine, board);
  await joinAll(threads);
  assertEquals([board[TAKEN], board[ENDED]], [160, 4]);
});

Deno.test("iterators of a thread: made, shared and used there", async () => {
  const board = newBoard();
  const go = new Event();
  const thread = start(useOwn, board, go);
  go.set();
  await joinAll([thread]);
  assertEquals([board[TAKEN], board[ERRORS], board[ENDED]], [9, 2, 1]);
});

Deno.test("iterators of a thread that has ended: a ThreadError for who asks, nobody hangs", async () => {
  const board = newBoard();
  const go = new Event();
  await joinAll([start(leaveIterator, board, go)]);
  go.set();
  await untilWord(board, ENDED, 1);
  assertEquals(board[ERRORS], 1);
  // The consumer was started by a thread: whoever finds it still alive waits for it.
  await joinAll(enumerate().filter((thread) => thread !== mainThread()));
});
