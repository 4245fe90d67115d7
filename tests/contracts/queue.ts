/** The contract of queues. CPython's: `test_queue.{BaseQueueTestMixin,BaseSimpleQueueTest}`, of blocking, many users, join and shutdown. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  type AnyQueue,
  type ClosableQueue,
  CLOSED,
  consume,
  get,
  getOne,
  hammerGet,
  hammerPut,
  ITEMS,
  join,
  type JoinableQueue,
  joinOnce,
  PASSED,
  produce,
  put,
  putOne,
  untilClosed,
  work,
} from "../fixtures/queue/parties.ts";
import {
  AGES,
  type Board,
  BRIEF,
  COLOURS,
  DONE,
  type ErrorClass,
  finish,
  formOf,
  FORMS,
  READY,
  settled,
  untilBlocked,
  untilWord,
  type World,
} from "./world.ts";

/** What is thrown. */
export interface QueueErrors {
  readonly Empty: ErrorClass;
  readonly Full: ErrorClass;
  readonly ShutDown: ErrorClass;
}

type Make<Q> = (maxsize?: number) => Q;

/** What `items`, put in this order, come out as. */
export type Order = (items: readonly number[]) => number[];

const SIZE = 5;

/** Each of the items from 1 to `count` came once. */
function assertEachOnce(board: Board, count: number): void {
  assertEquals([...board.subarray(ITEMS + 1, ITEMS + 1 + count)], Array(count).fill(1));
}

/** Registers the tests that every queue with a size must pass. */
export function testQueue(
  world: World,
  kind: string,
  make: Make<AnyQueue>,
  order: Order,
  { Empty, Full }: QueueErrors,
): void {
  const test = (name: string, body: () => Promise<void>) =>
    Deno.test(`${world.name} ${kind}: ${name}`, body);

  for (const form of FORMS) {
    test(`fills, refuses, empties and refuses again, ${form}`, async () => {
      const queue = make(SIZE);
      // Twice, since the first time must not leave anything behind.
      for (let round = 0; round < 2; round++) {
        assert(queue.empty());
        assertEquals(queue.qsize(), 0);
        const items = [333, 111, 222];
        for (const item of items) await put(queue, form, item);
        const out = [];
        for (const _ of items) out.push(await get(queue, form));
        assertEquals(out, order(items));
        for (let i = 1; i < SIZE; i++) await put(queue, form, i);
        assertFalse(queue.full());
        assertFalse(queue.empty());
        await put(queue, form, SIZE, { timeout: AGES });
        assert(queue.full());
        assertEquals(queue.qsize(), SIZE);
        assertEquals(queue.maxsize, SIZE);
        assertThrows(() => queue.putNowait(9), Full);
        await assertRejects(async () => await put(queue, form, 9, { timeout: 0 }), Full);
        await assertRejects(async () => await put(queue, form, 9, { timeout: BRIEF }), Full);
        assertEquals(queue.qsize(), SIZE);
        for (let i = 0; i < SIZE; i++) await get(queue, form);
        assert(queue.empty());
        assertFalse(queue.full());
        assertThrows(() => queue.getNowait(), Empty);
        await assertRejects(async () => await get(queue, form, { timeout: 0 }), Empty);
        await assertRejects(async () => await get(queue, form, { timeout: BRIEF }), Empty);
      }
    });

    test(`a wait out of time lasts as long as asked, ${form}`, async () => {
      const queue = make(1);
      let start = performance.now();
      await assertRejects(async () => await get(queue, form, { timeout: 30 }), Empty);
      assert(performance.now() - start >= 29);
      queue.putNowait(1);
      start = performance.now();
      await assertRejects(async () => await put(queue, form, 2, { timeout: 30 }), Full);
      assert(performance.now() - start >= 29);
      assertEquals(queue.getNowait(), 1);
      assert(queue.empty());
    });

    test(`bad limits are refused and lose nothing, ${form}`, async () => {
      const queue = make(2);
      queue.putNowait(1);
      for (const timeout of [NaN, Infinity, 1e300]) {
        await assertRejects(async () => await put(queue, form, 2, { timeout }), RangeError);
        await assertRejects(async () => await get(queue, form, { timeout }), RangeError);
      }
      const reason = new Error("enough");
      const signal = AbortSignal.abort(reason);
      await assertRejects(async () => await put(queue, form, 2, { signal }), Error, "enough");
      await assertRejects(async () => await get(queue, form, { signal }), Error, "enough");
      assertEquals(queue.qsize(), 1);
      assertEquals(queue.getNowait(), 1);
    });

    test(`0, a negative number and infinity stand for any number of items, ${form}`, async () => {
      for (const maxsize of [undefined, 0, -1]) {
        const queue = make(maxsize);
        const items = Array.from({ length: 3000 }, (_, i) => i * 7 % 3001);
        for (const item of items) await put(queue, form, item);
        assertFalse(queue.full());
        assertEquals(queue.qsize(), 3000);
        const out = [];
        while (!queue.empty()) out.push(await get(queue, form));
        assertEquals(out, order(items));
      }
    });

    test(`a party that waits to put goes on when there is room, ${form}`, async () => {
      const queue = make(1);
      const board = world.board(8);
      queue.putNowait(1);
      const party = world.start(putOne, queue, form, board, 2);
      await untilWord(board, READY, 1);
      await untilBlocked(party);
      assertEquals(board[PASSED], 0);
      assertEquals(queue.getNowait(), 1);
      await finish([party], board);
      assertEquals(queue.getNowait(), 2);
    });

    test(`a party that waits to get goes on when there is an item, ${form}`, async () => {
      const queue = make(1);
      const board = world.board(16);
      const party = world.start(getOne, queue, form, board);
      await untilWord(board, READY, 1);
      await untilBlocked(party);
      queue.putNowait(3);
      await finish([party], board);
      assertEquals(board[ITEMS + 3], 1);
      assert(queue.empty());
    });
  }

  for (const colour of COLOURS) {
    for (const maxsize of [0, 1, 3]) {
      test(`many producers and consumers pass each item once, maxsize ${maxsize}, ${colour}`, async () => {
        const queue = make(maxsize);
        const each = 60;
        const board = world.board(ITEMS + 1 + 3 * each);
        const producers = [0, 1, 2].map((i) =>
          world.start(produce, queue, formOf(colour, i), board, 1 + i * each, each)
        );
        const consumers = [0, 1, 2].map((i) =>
          world.start(consume, queue, formOf(colour, i + 1), board)
        );
        await untilWord(board, PASSED, 3 * each);
        await untilWord(board, DONE, 3);
        for (const _ of consumers) await queue.put(0);
        await finish([...producers, ...consumers], board);
        assertEachOnce(board, 3 * each);
        assert(queue.empty());
      });
    }

    test(`nothing is lost or doubled, whatever ends the waits, ${colour}`, async () => {
      const queue = make(2);
      const each = 60;
      const board = world.board(ITEMS + 1 + 3 * each);
      const producers = [0, 1, 2].map((i) =>
        world.start(hammerPut, queue, formOf(colour, i), board, 1 + i * each, each)
      );
      const consumers = [0, 1].map((i) =>
        world.start(hammerGet, queue, formOf(colour, i), board, 77 + i)
      );
      await untilWord(board, PASSED, 3 * each);
      await untilWord(board, DONE, 3);
      for (const _ of consumers) await queue.put(0);
      await finish([...producers, ...consumers], board);
      assertEachOnce(board, 3 * each);
      assert(queue.empty());
    });
  }

  test("tasks that wait are served in the order they came", async () => {
    const queue = make(1);
    const got: string[] = [];
    const getters = ["a", "b", "c"].map((name) => queue.get().then(() => got.push(name)));
    assertFalse(await settled(getters[0]));
    for (let i = 0; i < 3; i++) await queue.put(i);
    await Promise.all(getters);
    assertEquals(got, ["a", "b", "c"]);
    await queue.put(9);
    const putters = ["d", "e", "f"].map((name, i) => queue.put(i).then(() => got.push(name)));
    for (let i = 0; i < 4; i++) await queue.get();
    await Promise.all(putters);
    assertEquals(got, ["a", "b", "c", "d", "e", "f"]);
  });

  test("an aborted wait leaves nothing behind", async () => {
    const queue = make(1);
    const controller = new AbortController();
    const get = queue.get({ signal: controller.signal });
    assertFalse(await settled(get));
    const reason = new Error("enough");
    controller.abort(reason);
    assertEquals(await get.catch((error) => error), reason);
    queue.putNowait(1);
    const other = new AbortController();
    const put = queue.put(2, { signal: other.signal });
    assertFalse(await settled(put));
    other.abort(reason);
    assertEquals(await put.catch((error) => error), reason);
    assertEquals(queue.getNowait(), 1);
    assertThrows(() => queue.getNowait(), Empty);
    assertFalse(queue.full());
  });
}

/** Registers the tests of `taskDone` and `join`. */
export function testJoin(
  world: World,
  kind: string,
  make: Make<JoinableQueue>,
): void {
  const test = (name: string, body: () => Promise<void>) =>
    Deno.test(`${world.name} ${kind}: ${name}`, body);

  test("taskDone once too often is refused, also after a join", async () => {
    const queue = make();
    assertThrows(() => queue.taskDone(), RangeError);
    await queue.join();
    queue.joinSync();
    queue.putNowait(1);
    queue.getNowait();
    queue.taskDone();
    assertThrows(() => queue.taskDone(), RangeError);
    await queue.join();
  });

  for (const form of FORMS) {
    test(`join out of time or aborted is refused, and waits again, ${form}`, async () => {
      const queue = make();
      queue.putNowait(1);
      await assertRejects(
        async () => await join(queue, form, { timeout: 0 }),
        world.errors.timeout,
      );
      await assertRejects(
        async () => await join(queue, form, { timeout: BRIEF }),
        world.errors.timeout,
      );
      queue.getNowait();
      await assertRejects(
        async () => await join(queue, form, { timeout: 0 }),
        world.errors.timeout,
      );
      queue.taskDone();
      await join(queue, form);
    });

    test(`join waits for all that workers do, ${form}`, async () => {
      const queue = make();
      const board = world.board(ITEMS + 101);
      const parties = [0, 1].map((i) => world.start(work, queue, formOf("mixed", i), board));
      for (let item = 1; item <= 100; item++) queue.putNowait(item);
      await join(queue, form);
      assertEquals(board[PASSED], 100);
      assertEachOnce(board, 100);
      for (const _ of parties) queue.putNowait(0);
      await join(queue, form);
      await finish(parties, board);
    });

    test(`parties that join are let go together, ${form}`, async () => {
      const queue = make();
      const board = world.board(8);
      queue.putNowait(1);
      const parties = [0, 1, 2].map(() => world.start(joinOnce, queue, form, board));
      await untilWord(board, READY, 3);
      for (const party of parties) await untilBlocked(party);
      queue.getNowait();
      assertEquals(board[PASSED], 0);
      queue.taskDone();
      await finish(parties, board);
    });
  }
}

/** Registers the tests of `shutdown`. */
export function testShutdown(
  world: World,
  kind: string,
  make: Make<ClosableQueue>,
  { Empty, ShutDown }: QueueErrors,
): void {
  const test = (name: string, body: () => Promise<void>) =>
    Deno.test(`${world.name} ${kind}: ${name}`, body);

  for (const form of FORMS) {
    test(`after shutdown the rest can be taken, then nothing goes, ${form}`, async () => {
      const queue = make(3);
      queue.putNowait(1);
      queue.putNowait(2);
      assertFalse(queue.isShutdown);
      queue.shutdown();
      queue.shutdown();
      assert(queue.isShutdown);
      await assertRejects(async () => await put(queue, form, 3), ShutDown);
      await assertRejects(async () => await put(queue, form, 3, { timeout: 0 }), ShutDown);
      assertThrows(() => queue.putNowait(3), ShutDown);
      const rest = [await get(queue, form), await get(queue, form)];
      assertEquals(rest.sort(), [1, 2]);
      await assertRejects(async () => await get(queue, form), ShutDown);
      await assertRejects(async () => await get(queue, form, { timeout: BRIEF }), ShutDown);
      assertThrows(() => queue.getNowait(), ShutDown);
      await assertRejects(
        async () => await join(queue, form, { timeout: 0 }),
        world.errors.timeout,
      );
      queue.taskDone();
      queue.taskDone();
      await join(queue, form);
      assertThrows(() => queue.taskDone(), RangeError);
    });

    test(`an immediate shutdown throws the rest away and counts it as done, ${form}`, async () => {
      const queue = make(3);
      queue.putNowait(1);
      queue.putNowait(2);
      await get(queue, form);
      queue.shutdown({ immediate: true });
      assert(queue.empty());
      assertEquals(queue.qsize(), 0);
      await assertRejects(async () => await get(queue, form), ShutDown);
      await assertRejects(async () => await put(queue, form, 3), ShutDown);
      await assertRejects(
        async () => await join(queue, form, { timeout: 0 }),
        world.errors.timeout,
      );
      queue.taskDone();
      await join(queue, form);
      assertThrows(() => queue.taskDone(), RangeError);
    });
  }

  for (const colour of COLOURS) {
    for (const immediate of [false, true]) {
      const how = `shutdown(${immediate ? "immediate" : ""})`;

      test(`${how} ends the wait of parties that get, ${colour}`, async () => {
        const queue = make();
        const board = world.board(16);
        const parties = [0, 1, 2].map((i) =>
          world.start(untilClosed, queue, "get" as const, formOf(colour, i), board)
        );
        await untilWord(board, READY, 3);
        for (const party of parties) await untilBlocked(party);
        queue.shutdown({ immediate });
        await finish(parties, board);
        assertEquals(board[CLOSED], 3);
      });

      test(`${how} ends the wait of parties that put, ${colour}`, async () => {
        const queue = make(2);
        const board = world.board(16);
        queue.putNowait(1);
        queue.putNowait(1);
        const parties = [0, 1, 2].map((i) =>
          world.start(untilClosed, queue, "put" as const, formOf(colour, i), board)
        );
        await untilWord(board, READY, 3);
        for (const party of parties) await untilBlocked(party);
        queue.shutdown({ immediate });
        await finish(parties, board);
        assertEquals(board[CLOSED], 3);
        assertEquals(queue.qsize(), immediate ? 0 : 2);
        if (!immediate) assertEquals([queue.getNowait(), queue.getNowait()], [1, 1]);
        assertThrows(() => queue.getNowait(), ShutDown);
      });

      test(`${how} in full flow ends everybody, ${colour}`, async () => {
        const queue = make(2);
        const board = world.board(16);
        const parties = [0, 1, 2, 3].map((i) =>
          world.start(
            untilClosed,
            queue,
            i < 2 ? "put" as const : "get" as const,
            formOf(colour, i),
            board,
          )
        );
        await untilWord(board, PASSED, 20);
        queue.shutdown({ immediate });
        await finish(parties, board);
        assertEquals(board[CLOSED], 4);
        assert(queue.empty());
      });
    }

    test(`an immediate shutdown lets those go who join, ${colour}`, async () => {
      const queue = make();
      const board = world.board(8);
      queue.putNowait(1);
      queue.putNowait(2);
      const parties = [0, 1].map((i) => world.start(joinOnce, queue, formOf(colour, i), board));
      await untilWord(board, READY, 2);
      for (const party of parties) await untilBlocked(party);
      queue.shutdown({ immediate: true });
      await finish(parties, board);
    });
  }

  test("a task that waits is told of shutdown though its thread took its item", async () => {
    const queue = make();
    const waiting = queue.get();
    assertFalse(await settled(waiting));
    queue.putNowait(1);
    queue.shutdown();
    // In the turn in which the task was granted the item: the thread's own Sync call takes precedence.
    assertEquals(queue.getSync({ timeout: AGES }), 1);
    await assertRejects(() => waiting, ShutDown);
    assertThrows(() => queue.getNowait(), ShutDown);
    assertFalse(ShutDown === Empty);
  });
}
