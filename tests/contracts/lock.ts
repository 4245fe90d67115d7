/** The contract of a lock that is not reentrant. CPython's: `lock_tests.LockTests`. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  type Acquirable,
  acquire,
  acquireTwice,
  COUNT,
  hammer,
  hold,
  ORDER,
  PASSED,
  passThrough,
  releaseOnly,
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

/** A lock, of whatever package. */
export interface LockLike extends Acquirable {
  locked(): boolean;
}

/** Registers the tests of a lock. */
export function testLock(world: World, make: () => LockLike): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} Lock: ${name}`, body);

  for (const form of FORMS) {
    test(`a free one is taken at once and can be taken again after its release, ${form}`, async () => {
      const lock = make();
      for (let i = 0; i < 3; i++) {
        assertFalse(lock.locked());
        assertEquals(await acquire(lock, form), true);
        assert(lock.locked());
        lock.release();
      }
      assertFalse(lock.locked());
    });

    test(`a held one is not taken by who tries once, and stays held, ${form}`, async () => {
      const lock = make();
      await acquire(lock, form);
      for (const options of [{ blocking: false }, { timeout: 0 }, { timeout: -5 }]) {
        assertEquals(await acquire(lock, form, options), false);
        assert(lock.locked());
      }
      lock.release();
      for (const options of [{ blocking: false }, { timeout: 0 }, { timeout: -5 }]) {
        assertEquals(await acquire(lock, form, options), true);
        lock.release();
      }
      assertFalse(lock.locked());
    });

    test(`a held one is not taken by another party that tries once, ${form}`, async () => {
      const lock = make();
      const board = world.board(8);
      await acquire(lock, form);
      await finish([world.start(tryOnce, lock, form, board)], board);
      assertEquals(board[PASSED], 0);
      lock.release();
      assertFalse(lock.locked());
    });

    test(`a wait out of time gives false and leaves it usable, ${form}`, async () => {
      const lock = make();
      await acquire(lock, form);
      const start = performance.now();
      assertEquals(await acquire(lock, form, { timeout: 30 }), false);
      assert(performance.now() - start >= 29);
      lock.release();
      assertFalse(lock.locked());
      assertEquals(await acquire(lock, form, { blocking: false }), true);
      lock.release();
    });

    test(`another party may release it, ${form}`, async () => {
      const lock = make();
      const board = world.board(8);
      await acquire(lock, form);
      const party = world.start(releaseOnly, lock, board);
      // Waiting here, in this form, while the other releases.
      assertEquals(await acquire(lock, form, { timeout: AGES }), true);
      await finish([party], board);
      lock.release();
      assertFalse(lock.locked());
    });

    test(`who holds it and acquires it again waits, until another releases it, ${form}`, async () => {
      const lock = make();
      const board = world.board(8);
      const party = world.start(acquireTwice, lock, form, board);
      await untilWord(board, READY, 1);
      await untilBlocked(party);
      assertEquals(board[PASSED], 1);
      lock.release();
      await finish([party], board);
      assertEquals(board[PASSED], 2);
      assertFalse(lock.locked());
    });

    test(`hold releases at the end of the block, when it throws too, and once only, ${form}`, async () => {
      const lock = make();
      {
        using _held = await hold(lock, form);
        assert(lock.locked());
      }
      assertFalse(lock.locked());
      await assertRejects(
        async () => {
          using _held = await hold(lock, form, { timeout: AGES });
          throw new TypeError("inside");
        },
        TypeError,
        "inside",
      );
      assertFalse(lock.locked());
      const held = await hold(lock, form);
      held[Symbol.dispose]();
      await acquire(lock, form);
      held[Symbol.dispose]();
      assert(lock.locked());
      lock.release();
    });

    test(`hold out of time is a TimeoutError and changes nothing, ${form}`, async () => {
      const lock = make();
      await acquire(lock, form);
      for (const timeout of [BRIEF, 0, -1]) {
        await assertRejects(async () => await hold(lock, form, { timeout }), world.errors.timeout);
      }
      assert(lock.locked());
      lock.release();
      assertFalse(lock.locked());
    });

    if (world.inOrder !== false) {
      test(`parties that wait are served in the order they came, ${form}`, async () => {
        const lock = make();
        const board = world.board(16);
        await acquire(lock, form);
        const parties = [];
        for (let i = 0; i < 4; i++) {
          parties.push(world.start(passThrough, lock, form, board, i));
          await untilWord(board, READY, i + 1);
          await untilBlocked(parties[i]);
        }
        assertEquals(board[PASSED], 0);
        lock.release();
        await finish(parties, board);
        assertEquals([...board.slice(ORDER, ORDER + 4)], [0, 1, 2, 3]);
        assertFalse(lock.locked());
      });
    }
  }

  test("a release of one that is not held throws and changes nothing", () => {
    const lock = make();
    assertThrows(() => lock.release(), world.errors.notHeld);
    assertFalse(lock.locked());
    assert(lock.acquireSync());
    lock.release();
    assertThrows(() => lock.release(), world.errors.notHeld);
    assert(lock.acquireSync({ blocking: false }));
    lock.release();
  });

  for (const colour of COLOURS) {
    test(`no party passes while it is held, and all do afterwards, ${colour}`, async () => {
      const lock = make();
      const board = world.board(16);
      await lock.acquire();
      const parties = [0, 1, 2, 3, 4].map((i) =>
        world.start(passThrough, lock, formOf(colour, i), board, i)
      );
      await untilWord(board, READY, parties.length);
      for (const party of parties) await untilBlocked(party);
      assertEquals(board[PASSED], 0);
      lock.release();
      await finish(parties, board);
      assertEquals(board.slice(ORDER, ORDER + 5).toSorted(), new Int32Array([0, 1, 2, 3, 4]));
      assertFalse(lock.locked());
    });

    test(`one at a time is inside, whatever ends the waits of the others, ${colour}`, async () => {
      const lock = make();
      const board = world.board(8);
      const parties = [0, 1, 2].map((i) =>
        world.start(hammer, lock, formOf(colour, i), board, 150, i + 1)
      );
      // This party takes part, with several tasks at once.
      const here = [0, 1, 2].map((i) =>
        hammer(lock, formOf(colour, i), board, 60, i + 11, colour === "async")
      );
      await Promise.all(here);
      Atomics.sub(board, DONE, here.length);
      await finish(parties, board);
      assertEquals(board[WRONG], 0);
      assertEquals(board[COUNT], board[PASSED]);
      assert(board[PASSED] > 0);
      assertFalse(lock.locked());
      assert(lock.acquireSync({ blocking: false }));
    });
  }

  test("async tasks wait for it in the order of their calls", async () => {
    const lock = make();
    await lock.acquire();
    const order: number[] = [];
    const tasks = Array.from({ length: 100 }, async (_, i) => {
      assert(await lock.acquire());
      order.push(i);
      lock.release();
    });
    assertFalse(await settled(Promise.race(tasks)));
    lock.release();
    await Promise.all(tasks);
    assertEquals(order, Array.from({ length: 100 }, (_, i) => i));
    assertFalse(lock.locked());
  });

  test("a waiter that is aborted rejects with the reason, and the next is served", async () => {
    const lock = make();
    await lock.acquire();
    const controller = new AbortController();
    const reason = { why: "enough" };
    const first = lock.acquire({ signal: controller.signal });
    const second = lock.acquire();
    controller.abort(reason);
    assertEquals(await first.then(() => "granted", (error) => error), reason);
    assertFalse(await settled(second));
    lock.release();
    assertEquals(await second, true);
    lock.release();
    assertFalse(lock.locked());
  });

  test("an abort after the grant, before the task goes on, loses nothing", async () => {
    const lock = make();
    for (let round = 0; round < 300; round++) {
      await lock.acquire();
      const controller = new AbortController();
      const waiting = lock.acquire({ signal: controller.signal });
      const behind = lock.acquire();
      if (round % 2 === 0) {
        lock.release();
        controller.abort();
      } else {
        controller.abort();
        lock.release();
      }
      if (await waiting.catch(() => false)) lock.release();
      assertEquals(await behind, true);
      lock.release();
      assertFalse(lock.locked());
    }
  });

  test("a time-out when the grant comes loses nothing", async () => {
    const lock = make();
    for (let round = 0; round < 200; round++) {
      await lock.acquire();
      const start = performance.now();
      const passing = [2.0, 2.1, 2.2, 2.3].map(async (timeout) => {
        if (await lock.acquire({ timeout })) lock.release();
      });
      const last = lock.acquire();
      // The event loop stands still until the time of all is up: time-outs and grant are found in the same turn.
      while (performance.now() - start < 2.3);
      lock.release();
      await Promise.all(passing);
      assertEquals(await last, true);
      lock.release();
      assertFalse(lock.locked());
    }
  });

  test("Sync call here: another party's release goes to it, not to an async waiter of this blocked thread", async () => {
    const lock = make();
    const board = world.board(8);
    for (let round = 0; round < 20; round++) {
      await lock.acquire();
      // First in the queue, but its event loop is about to stand still.
      const asleep = lock.acquire();
      const party = world.start(releaseOnly, lock, board);
      assertEquals(lock.acquireSync({ timeout: AGES }), true);
      assertFalse(await settled(asleep));
      lock.release();
      assertEquals(await asleep, true);
      lock.release();
      await party.join({ timeout: AGES });
      assertFalse(lock.locked());
    }
  });

  test("Sync call here: takes what this thread's own async waiter was granted and has not picked up", async () => {
    const lock = make();
    for (let round = 0; round < 50; round++) {
      await lock.acquire();
      const granted = lock.acquire();
      const behind = lock.acquire();
      lock.release();
      // The grant is on its way to the event loop, which does not turn before this returns.
      assertEquals(lock.acquireSync({ timeout: AGES }), true);
      lock.release();
      assertEquals(await granted, true);
      assertFalse(await settled(behind));
      lock.release();
      assertEquals(await behind, true);
      lock.release();
      assertFalse(lock.locked());
    }
  });

  test("Sync call here that runs out of time: the async waiters of this thread keep their places", async () => {
    const lock = make();
    await lock.acquire();
    const order: number[] = [];
    const waiting = [0, 1, 2].map((i) => lock.acquire().then(() => order.push(i)));
    assertEquals(lock.acquireSync({ timeout: BRIEF }), false);
    for (let i = 0; i < 3; i++) {
      lock.release();
      await waiting[i];
    }
    assertEquals(order, [0, 1, 2]);
    lock.release();
    assertFalse(lock.locked());
  });

  test("many async tasks here, blocked and async parties elsewhere: everybody passes once", async () => {
    const lock = make();
    const board = world.board(256);
    await lock.acquire();
    const tasks = Array.from({ length: 100 }, (_, i) => passThrough(lock, "async", board, i));
    const parties = [0, 1, 2, 3].map((i) =>
      world.start(passThrough, lock, formOf("mixed", i), board, 100 + i)
    );
    await untilWord(board, READY, 104);
    lock.release();
    await Promise.all(tasks);
    Atomics.sub(board, DONE, tasks.length);
    await finish(parties, board);
    const numbers = Array.from({ length: 104 }, (_, i) => i);
    const order = [...board.slice(ORDER, ORDER + 104)];
    assertEquals(order.toSorted((a, b) => a - b), numbers);
    // First come, first served among the tasks of this thread.
    assertEquals(order.filter((i) => i < 100), numbers.slice(0, 100));
    assertFalse(lock.locked());
  });
}
