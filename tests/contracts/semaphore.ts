/** The contract of semaphores. CPython's: `lock_tests.{Semaphore,BoundedSemaphore}Tests`. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  type Acquirable,
  acquire,
  hammerPermits,
  hold,
  ORDER,
  PASSED,
  passThrough,
  takeOnly,
  takeTwice,
  tryOnce,
  WRONG,
} from "../fixtures/threading/lock_parties.ts";
import {
  AGES,
  BRIEF,
  COLOURS,
  DONE,
  finish,
  formOf,
  FORMS,
  READY,
  settled,
  untilBlocked,
  untilWord,
  type World,
} from "./world.ts";

/** How many permits there are; puts them back. */
function permits(semaphore: Acquirable): number {
  let count = 0;
  while (semaphore.acquireSync({ blocking: false })) count++;
  if (count > 0) semaphore.release(count);
  return count;
}

/** Registers the tests that both kinds of semaphore must pass. */
export function testSemaphore(
  world: World,
  kind: string,
  make: (value?: number) => Acquirable,
): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} ${kind}: ${name}`, body);

  test("a bad first value is refused", () => {
    for (const value of [-1, -Number.MAX_SAFE_INTEGER, NaN, Infinity, -Infinity, 1.5, 2 ** 31]) {
      assertThrows(() => make(value), RangeError);
    }
    for (const value of ["1", null, true, {}, 1n]) {
      assertThrows(() => make(value as number), TypeError);
    }
    assertEquals(permits(make()), 1);
    assertEquals(permits(make(0)), 0);
    assertEquals(permits(make(7)), 7);
  });

  test("a bad number of permits is refused and changes nothing", async () => {
    const semaphore = make(2);
    await semaphore.acquire();
    for (const n of [0, -1, NaN, 0.5, 1.5, Infinity, -Infinity]) {
      assertThrows(() => semaphore.release(n), RangeError);
    }
    for (const n of ["1", null, true, {}, 1n]) {
      assertThrows(() => semaphore.release(n as number), TypeError);
    }
    assertEquals(permits(semaphore), 1);
    semaphore.release();
    assertEquals(permits(semaphore), 2);
  });

  for (const form of FORMS) {
    test(`as many are granted as there are permits, and no more, ${form}`, async () => {
      const semaphore = make(2);
      assertEquals(await acquire(semaphore, form), true);
      assertEquals(await acquire(semaphore, form, { timeout: 5 }), true);
      for (
        const options of [{ blocking: false }, { timeout: 0 }, { timeout: -1 }, { timeout: 5 }]
      ) {
        assertEquals(await acquire(semaphore, form, options), false);
      }
      semaphore.release();
      assertEquals(await acquire(semaphore, form, { blocking: false }), true);
      assertEquals(await acquire(semaphore, form, { blocking: false }), false);
      semaphore.release(2);
      assertEquals(permits(semaphore), 2);
    });

    test(`a wait out of time lasts as long as asked and takes nothing, ${form}`, async () => {
      const semaphore = make(0);
      const start = performance.now();
      assertEquals(await acquire(semaphore, form, { timeout: 30 }), false);
      assert(performance.now() - start >= 29);
      assertEquals(permits(semaphore), 0);
    });

    test(`parties that try once share what there is, ${form}`, async () => {
      const semaphore = make(4);
      const board = world.board(8);
      await acquire(semaphore, form);
      const parties = [0, 1, 2].map(() => world.start(tryOnce, semaphore, form, board));
      await finish(parties, board);
      assertEquals(board[PASSED], 3);
      semaphore.release(4);
      assertEquals(permits(semaphore), 4);
    });

    test(`hold releases at the end of the block, also when it throws; nested holds count, ${form}`, async () => {
      const semaphore = make(2);
      const run = async (error?: Error) => {
        using _outer = await hold(semaphore, form);
        assertEquals(permits(semaphore), 1);
        using _inner = await hold(semaphore, form, { timeout: AGES });
        assertEquals(permits(semaphore), 0);
        await assertRejects(
          async () => await hold(semaphore, form, { timeout: BRIEF }),
          world.errors.timeout,
        );
        if (error !== undefined) throw error;
      };
      await run();
      assertEquals(permits(semaphore), 2);
      await assertRejects(() => run(new TypeError("inside")), TypeError, "inside");
      assertEquals(permits(semaphore), 2);
    });

    if (world.inOrder !== false) {
      test(`parties that wait are served in the order they came, ${form}`, async () => {
        const semaphore = make(1);
        const board = world.board(16);
        await acquire(semaphore, form);
        const parties = [];
        for (let i = 0; i < 4; i++) {
          parties.push(world.start(passThrough, semaphore, form, board, i));
          await untilWord(board, READY, i + 1);
          await untilBlocked(parties[i]);
        }
        assertEquals(board[PASSED], 0);
        semaphore.release();
        await finish(parties, board);
        assertEquals([...board.slice(ORDER, ORDER + 4)], [0, 1, 2, 3]);
        assertEquals(permits(semaphore), 1);
      });
    }
  }

  for (const colour of COLOURS) {
    test(`release(n) lets n of the waiting go, and no more, ${colour}`, async () => {
      const semaphore = make(6);
      const board = world.board(8);
      for (let i = 0; i < 6; i++) await semaphore.acquire();
      const parties = [0, 1, 2, 3, 4].map((i) =>
        world.start(takeOnly, semaphore, formOf(colour, i), board)
      );
      await untilWord(board, READY, 5);
      for (const party of parties) await untilBlocked(party);
      assertEquals(board[PASSED], 0);
      semaphore.release(3);
      await untilWord(board, PASSED, 3);
      assertFalse(semaphore.acquireSync({ blocking: false }));
      for (const party of parties.filter((party) => party.isAlive())) await untilBlocked(party);
      assertEquals(board[PASSED], 3);
      // Two for who waits, one that is left.
      semaphore.release(3);
      await finish(parties, board);
      assertEquals(board[PASSED], 5);
      assertEquals(permits(semaphore), 1);
    });

    test(`parties that take two each get what there is, in three portions, ${colour}`, async () => {
      const semaphore = make(7);
      const board = world.board(8);
      await semaphore.acquire();
      const parties = Array.from(
        { length: 10 },
        (_, i) => world.start(takeTwice, semaphore, formOf(colour, i), board),
      );
      await untilWord(board, PASSED, 6);
      assertFalse(semaphore.acquireSync({ blocking: false }));
      for (let i = 0; i < 7; i++) semaphore.release();
      await untilWord(board, PASSED, 13);
      assertFalse(await semaphore.acquire({ timeout: BRIEF }));
      assertEquals(board[PASSED], 13);
      for (let i = 0; i < 6; i++) semaphore.release();
      await untilWord(board, PASSED, 19);
      assertFalse(await semaphore.acquire({ blocking: false }));
      semaphore.release();
      await finish(parties, board);
      assertEquals(board[PASSED], 20);
      assertEquals(permits(semaphore), 0);
    });

    test(`no permit is lost or doubled, whatever ends the waits, ${colour}`, async () => {
      const semaphore = make(2);
      const board = world.board(8);
      const parties = [0, 1, 2].map((i) =>
        world.start(hammerPermits, semaphore, formOf(colour, i), board, 2, 120, i + 1)
      );
      const here = [0, 1, 2, 3].map((i) =>
        hammerPermits(semaphore, formOf(colour, i), board, 2, 50, i + 21, colour === "async")
      );
      await Promise.all(here);
      Atomics.sub(board, DONE, here.length);
      await finish(parties, board);
      assertEquals(board[WRONG], 0);
      assert(board[PASSED] > 0);
      assertEquals(permits(semaphore), 2);
    });
  }

  test("release(n) with fewer waiters leaves the rest for who comes", async () => {
    const semaphore = make(5);
    for (let i = 0; i < 5; i++) await semaphore.acquire();
    const waiting = [semaphore.acquire(), semaphore.acquire()];
    semaphore.release(5);
    assertEquals(await Promise.all(waiting), [true, true]);
    assertEquals(permits(semaphore), 3);
  });

  test("many async tasks are granted in the order of their calls", async () => {
    const semaphore = make(1);
    await semaphore.acquire();
    const order: number[] = [];
    const tasks = Array.from({ length: 50 }, async (_, i) => {
      await semaphore.acquire();
      order.push(i);
      semaphore.release();
    });
    assertFalse(await settled(Promise.race(tasks)));
    semaphore.release();
    await Promise.all(tasks);
    assertEquals(order, Array.from({ length: 50 }, (_, i) => i));
    assertEquals(permits(semaphore), 1);
  });

  test("an abort or a time-out when the grants come, loses no permit", async () => {
    const semaphore = make(3);
    for (let round = 0; round < 150; round++) {
      for (let i = 0; i < 3; i++) await semaphore.acquire();
      const start = performance.now();
      const controller = new AbortController();
      const tasks = [1, 2, 3, 4, 5, 6].map(async (i) => {
        const options = i % 2 === 0 ? { timeout: 1 } : { signal: controller.signal };
        if (await semaphore.acquire(options).catch(() => false)) semaphore.release();
      });
      while (performance.now() - start < 1);
      if (round % 2 === 0) controller.abort();
      semaphore.release(1 + round % 3);
      controller.abort();
      await Promise.all(tasks);
      if (round % 3 < 2) semaphore.release(2 - round % 3);
      assertEquals(permits(semaphore), 3);
    }
  });

  test("Sync call here: gets the permit, not the async waiters of this blocked thread, which keep their places", async () => {
    const semaphore = make(2);
    for (let round = 0; round < 30; round++) {
      await semaphore.acquire();
      await semaphore.acquire();
      const order: number[] = [];
      const waiting = [0, 1, 2].map((i) => semaphore.acquire().then(() => order.push(i)));
      semaphore.release(2);
      // Both permits are on their way to the first two tasks.
      assertEquals(semaphore.acquireSync({ timeout: AGES }), true);
      semaphore.release();
      await Promise.all(waiting.slice(0, 2));
      assertEquals(order, [0, 1]);
      semaphore.release();
      await waiting[2];
      assertEquals(order, [0, 1, 2]);
      semaphore.release(2);
      assertEquals(permits(semaphore), 2);
    }
  });
}

/** Registers what only a semaphore without a bound does. */
export function testUnbounded(world: World, make: (value?: number) => Acquirable): void {
  Deno.test(`${world.name} Semaphore: a release without an acquire adds a permit`, async () => {
    const semaphore = make(1);
    semaphore.release();
    await semaphore.acquire();
    assert(semaphore.acquireSync());
    semaphore.release();
    assertEquals(permits(semaphore), 1);
    semaphore.release(10);
    assertEquals(permits(semaphore), 11);
  });

  Deno.test(`${world.name} Semaphore: more permits than it can count are refused, and change nothing`, () => {
    const semaphore = make(3);
    for (const n of [2 ** 31, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE]) {
      assertThrows(() => semaphore.release(n), RangeError);
    }
    assertEquals(permits(semaphore), 3);
  });
}

/** Registers what only a bounded semaphore does. */
export function testBounded(world: World, make: (value?: number) => Acquirable): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} BoundedSemaphore: ${name}`, body);

  test("one release too many is refused and changes nothing", async () => {
    const semaphore = make();
    assertThrows(() => semaphore.release(), RangeError);
    await semaphore.acquire();
    semaphore.release();
    assertThrows(() => semaphore.release(), RangeError);
    assertEquals(permits(semaphore), 1);
  });

  test("release(n) is refused whole when a part of it would be too many", async () => {
    const semaphore = make(3);
    await semaphore.acquire();
    await semaphore.acquire();
    assertThrows(() => semaphore.release(3), RangeError);
    assertEquals(permits(semaphore), 1);
    semaphore.release(2);
    assertEquals(permits(semaphore), 3);
  });

  test("the bound holds in another party too", async () => {
    const semaphore = make(2);
    const board = world.board(8);
    const party = world.start(takeOnly, semaphore, "Sync", board);
    await finish([party], board);
    semaphore.release();
    assertThrows(() => semaphore.release(), RangeError);
  });

  test("waiters do not raise the bound", async () => {
    const semaphore = make(1);
    await semaphore.acquire();
    const waiting = semaphore.acquire();
    assertThrows(() => semaphore.release(2), RangeError);
    assertFalse(await settled(waiting));
    semaphore.release();
    assertEquals(await waiting, true);
    semaphore.release();
    assertThrows(() => semaphore.release(), RangeError);
  });
}
