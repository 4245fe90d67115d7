/** The contract of a reentrant lock. CPython's: `lock_tests.RLockTests`. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  acquire,
  COUNT,
  hammer,
  hold,
  ORDER,
  PASSED,
  passThrough,
  tryOnce,
  WRONG,
} from "../fixtures/threading/lock_parties.ts";
import {
  holdDeep,
  LET_GO,
  REFUSED,
  releaseOthers,
  RIGHT_CLASS,
} from "../fixtures/threading/rlock_parties.ts";
import type { LockLike } from "./lock.ts";
import {
  AGES,
  BRIEF,
  COLOURS,
  finish,
  formOf,
  FORMS,
  READY,
  settled,
  untilBlocked,
  untilWord,
  type World,
} from "./world.ts";

/** Calls `task` as an asynchronous flow of its own. */
export type NewFlow = <R>(task: () => R) => R;

/** Registers the tests of a reentrant lock. */
export function testRLock(world: World, make: () => LockLike, newFlow: NewFlow): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} RLock: ${name}`, body);

  for (const form of FORMS) {
    test(`its owner takes it again, in every way, and gives it back as often, ${form}`, async () => {
      const lock = make();
      assertEquals(await acquire(lock, form), true);
      assertEquals(await acquire(lock, form, { blocking: false }), true);
      assertEquals(await acquire(lock, form, { timeout: 0 }), true);
      assertEquals(await acquire(lock, form, { timeout: BRIEF }), true);
      for (let i = 0; i < 4; i++) {
        assert(lock.locked());
        lock.release();
      }
      assertFalse(lock.locked());
      assertThrows(() => lock.release(), world.errors.notHeld);
      assertEquals(await acquire(lock, form), true);
      lock.release();
      assertFalse(lock.locked());
    });

    test(`another party gets it with the last release only, ${form}`, async () => {
      const lock = make();
      const board = world.board(16);
      for (let i = 0; i < 3; i++) await acquire(lock, form);
      const parties = FORMS.map((other, i) => world.start(passThrough, lock, other, board, i));
      await untilWord(board, READY, 2);
      for (const party of parties) await untilBlocked(party);
      for (let i = 0; i < 2; i++) {
        lock.release();
        assert(lock.locked());
        assertEquals(lock.acquireSync({ timeout: 0 }), form === "Sync");
        if (form === "Sync") lock.release();
        assertEquals(board[PASSED], 0);
      }
      lock.release();
      await finish(parties, board);
      assertEquals(board[PASSED], 2);
      assertFalse(lock.locked());
    });

    test(`another party can neither take nor release it, ${form}`, async () => {
      const lock = make();
      const board = world.board(16);
      await acquire(lock, form);
      await acquire(lock, form);
      for (const other of FORMS) {
        const party = world.start(tryOnce, lock, other, board);
        await party.join({ timeout: AGES });
      }
      assertEquals(board[PASSED], 0);
      const parties = [
        world.start(releaseOthers, lock, board, world.errors.notOwner.prototype.name),
      ];
      await parties[0].join({ timeout: AGES });
      assertEquals([board[REFUSED], board[RIGHT_CLASS]], [1, 1]);
      assert(lock.locked());
      lock.release();
      lock.release();
      assertFalse(lock.locked());
    });

    test(`one that another party owns is not released here, ${form}`, async () => {
      const lock = make();
      const board = world.board(16);
      const party = world.start(holdDeep, lock, form, board, 3);
      await untilWord(board, READY, 1);
      for (let i = 0; i < 3; i++) assertThrows(() => lock.release(), world.errors.notOwner);
      assertFalse(lock.acquireSync({ timeout: BRIEF }));
      assertFalse(await lock.acquire({ timeout: BRIEF }));
      const waiting = lock.acquire();
      assertFalse(await settled(waiting));
      Atomics.store(board, LET_GO, 1);
      Atomics.notify(board, LET_GO);
      assertEquals(await waiting, true);
      await finish([party], board);
      lock.release();
      assertFalse(lock.locked());
    });

    test(`hold nests and releases what it took, ${form}`, async () => {
      const lock = make();
      {
        using _outer = await hold(lock, form);
        {
          using _inner = await hold(lock, form, { timeout: 0 });
        }
        assert(lock.locked());
      }
      assertFalse(lock.locked());
      await assertRejects(
        async () => {
          using _outer = await hold(lock, form);
          using _inner = await hold(lock, form);
          throw new TypeError("inside");
        },
        TypeError,
        "inside",
      );
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

  test("a release of one that nobody holds throws", () => {
    const lock = make();
    assertThrows(() => lock.release(), world.errors.notHeld);
    assertFalse(lock.locked());
    assert(lock.acquireSync({ blocking: false }));
    lock.release();
  });

  test("a Sync hold and an async hold of one thread exclude each other", async () => {
    const lock = make();
    await lock.acquire();
    assertEquals(lock.acquireSync({ timeout: BRIEF }), false);
    assertEquals(lock.acquireSync({ blocking: false }), false);
    lock.release();
    lock.acquireSync();
    assertEquals(await lock.acquire({ timeout: BRIEF }), false);
    assertEquals(await lock.acquire({ blocking: false }), false);
    const waiting = lock.acquire();
    assertFalse(await settled(waiting));
    lock.release();
    assertEquals(await waiting, true);
    lock.release();
    assertFalse(lock.locked());
  });

  test("the owner of an async hold is the flow: other flows wait, plain async calls share", async () => {
    const lock = make();
    await lock.acquire();
    async function shares(): Promise<void> {
      await turnOver();
      assertEquals(await lock.acquire({ blocking: false }), true);
      await turnOver();
      lock.release();
    }
    await Promise.all([shares(), shares()]);
    const other = newFlow(async () => {
      assertEquals(await lock.acquire({ blocking: false }), false);
      assertThrows(() => lock.release(), world.errors.notOwner);
      assertEquals(await lock.acquire(), true);
      assertEquals(await lock.acquire({ timeout: 0 }), true);
      await turnOver();
      lock.release();
      lock.release();
      return "done";
    });
    assertFalse(await settled(other));
    lock.release();
    assertEquals(await other, "done");
    assertFalse(lock.locked());
  });

  test("flows of one thread wait for it in the order of their calls", async () => {
    const lock = make();
    await lock.acquire();
    const order: number[] = [];
    const flows = Array.from({ length: 30 }, (_, i) =>
      newFlow(async () => {
        await lock.acquire();
        await lock.acquire();
        order.push(i);
        await turnOver();
        lock.release();
        lock.release();
      }));
    assertFalse(await settled(Promise.race(flows)));
    lock.release();
    await Promise.all(flows);
    assertEquals(order, Array.from({ length: 30 }, (_, i) => i));
    assertFalse(lock.locked());
  });

  test("an abort or a time-out of a flow, when the grant comes, loses nothing", async () => {
    const lock = make();
    for (let round = 0; round < 150; round++) {
      await lock.acquire();
      const start = performance.now();
      const controller = new AbortController();
      const flows = [1, 2, 3, 4].map((i) =>
        newFlow(async () => {
          const options = i % 2 === 0 ? { timeout: 1 } : { signal: controller.signal };
          if (await lock.acquire(options).catch(() => false)) lock.release();
        })
      );
      const last = newFlow(async () => {
        assertEquals(await lock.acquire(), true);
        lock.release();
      });
      while (performance.now() - start < 1);
      if (round % 2 === 0) controller.abort();
      lock.release();
      controller.abort();
      await Promise.all([...flows, last]);
      assertFalse(lock.locked());
    }
  });

  test("Sync call here: takes what a flow of this thread was granted and has not picked up", async () => {
    const lock = make();
    for (let round = 0; round < 50; round++) {
      await lock.acquire();
      const flow = newFlow(async () => {
        assertEquals(await lock.acquire(), true);
        lock.release();
      });
      lock.release();
      assertEquals(lock.acquireSync({ timeout: AGES }), true);
      assertEquals(lock.acquireSync({ timeout: 0 }), true);
      lock.release();
      lock.release();
      await flow;
      assertFalse(lock.locked());
    }
  });

  for (const colour of COLOURS) {
    test(`one at a time is inside, whatever ends the waits of the others, ${colour}`, async () => {
      const lock = make();
      const board = world.board(8);
      const parties = [0, 1, 2].map((i) =>
        world.start(hammer, lock, formOf(colour, i), board, 150, i + 1)
      );
      await finish(parties, board);
      assertEquals(board[WRONG], 0);
      assertEquals(board[COUNT], board[PASSED]);
      assert(board[PASSED] > 0);
      assertFalse(lock.locked());
      assert(lock.acquireSync({ blocking: false }));
    });
  }
}

/** Some turns of the microtask queue and one of the event loop, during which other tasks go on. */
async function turnOver(): Promise<void> {
  await null;
  await new Promise((resolve) => setTimeout(resolve, 0));
}
