/** The contract of a condition. CPython's: `lock_tests.ConditionTests`. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  type ConditionLike,
  consume,
  FALSE,
  ITEMS,
  ORDER,
  produce,
  STATE,
  TAKEN,
  TRUE,
  wait,
  waitFor,
  waitForState,
  waitTimes,
  WRONG,
} from "../fixtures/threading/condition_parties.ts";
import { acquire, hold } from "../fixtures/threading/lock_parties.ts";
import type { LockLike } from "./lock.ts";
import {
  AGES,
  type Board,
  BRIEF,
  COLOURS,
  finish,
  formOf,
  FORMS,
  READY,
  settled,
  until,
  untilBlocked,
  untilWord,
  type World,
} from "./world.ts";

/** How to make what a condition needs. */
export interface ConditionMakers {
  /** A condition on the given lock, or on one of its own. */
  condition(lock?: LockLike): ConditionLike;
  /** A lock. */
  lock(): LockLike;
  /** A reentrant lock. */
  rlock(): LockLike;
}

/** Registers the tests of a condition. */
export function testCondition(world: World, make: ConditionMakers): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} Condition: ${name}`, body);

  /** Notifies when everybody who is to wait does. */
  const notify = async (condition: ConditionLike, board: Board, ready: number, n: number) => {
    await untilWord(board, READY, ready);
    await condition.acquire();
    condition.notify(n);
    condition.release();
  };

  test("its own lock is reentrant; a lock that is given is used", async () => {
    const own = make.condition();
    for (const form of FORMS) {
      await acquire(own, form);
      await acquire(own, form);
      own.release();
      assert(own.locked());
      own.release();
      assertFalse(own.locked());
    }
    const lock = make.lock();
    const condition = make.condition(lock);
    for (const form of FORMS) {
      await acquire(condition, form);
      assertEquals(await acquire(lock, form, { blocking: false }), false);
      condition.release();
      assertEquals(await acquire(lock, form, { blocking: false }), true);
      assertEquals(await acquire(condition, form, { blocking: false }), false);
      assertEquals(await acquire(condition, form, { timeout: BRIEF }), false);
      await assertRejects(
        async () => await hold(condition, form, { timeout: BRIEF }),
        world.errors.timeout,
      );
      lock.release();
      {
        using _held = await hold(condition, form);
        assertEquals(await acquire(lock, form, { blocking: false }), false);
      }
      assertFalse(lock.locked());
    }
  });

  test("without the lock nothing goes", async () => {
    for (const condition of [make.condition(), make.condition(make.lock())]) {
      await assertRejects(() => condition.wait(), world.errors.withoutLock);
      await assertRejects(() => condition.waitFor(() => true), world.errors.withoutLock);
      assertThrows(() => condition.waitSync(), world.errors.withoutLock);
      assertThrows(() => condition.waitForSync(() => true), world.errors.withoutLock);
      assertThrows(() => condition.notify(), world.errors.withoutLock);
      assertThrows(() => condition.notifyAll(), world.errors.withoutLock);
      assertThrows(() => condition.release(), world.errors.notHeld);
      assertFalse(condition.locked());
    }
  });

  test("a bad count of notifications is refused", async () => {
    const condition = make.condition();
    await condition.acquire();
    for (const n of [-1, NaN, 0.5, 1.5, -Infinity]) {
      assertThrows(() => condition.notify(n), RangeError);
    }
    for (const n of ["1", null, true, {}, 1n]) {
      assertThrows(() => condition.notify(n as number), TypeError);
    }
    condition.notify(0);
    condition.notify(100);
    condition.notifyAll();
    condition.release();
  });

  for (const form of FORMS) {
    test(`a wait out of time gives false and holds the lock again, however deep, ${form}`, async () => {
      for (const lock of [make.lock(), make.rlock()]) {
        const condition = make.condition(lock);
        await acquire(condition, form);
        for (const timeout of [BRIEF, 0, -1, 20]) {
          const start = performance.now();
          assertEquals(await wait(condition, form, { timeout }), false);
          assert(performance.now() - start >= timeout - 1);
          assert(lock.locked());
        }
        condition.release();
        assertFalse(lock.locked());
      }
      const deep = make.condition(make.rlock());
      for (let i = 0; i < 3; i++) await acquire(deep, form);
      assertEquals(await wait(deep, form, { timeout: BRIEF }), false);
      for (let i = 0; i < 3; i++) deep.release();
      assertFalse(deep.locked());
      assertThrows(() => deep.release(), world.errors.notHeld);
    });

    test(`a wait lets go of a lock that was acquired several times, ${form}`, async () => {
      const condition = make.condition(make.rlock());
      const board = world.board(16);
      for (let i = 0; i < 3; i++) await acquire(condition, form);
      // Waits, is notified by this thread, which waits for that in turn.
      const party = world.start(produce, condition, "Sync", board, 1);
      assertEquals(
        await waitFor(condition, form, () => board[ITEMS] === 1, { timeout: AGES }),
        true,
      );
      for (let i = 0; i < 3; i++) {
        assert(condition.locked());
        condition.release();
      }
      await finish([party], board);
      assertFalse(condition.locked());
    });

    test(`waitFor gives what the predicate gives, does not wait when it need not, ${form}`, async () => {
      const condition = make.condition();
      await acquire(condition, form);
      assertEquals(await waitFor(condition, form, () => "now"), "now");
      assertEquals(await waitFor(condition, form, () => 7, { timeout: 0 }), 7);
      assertEquals(await waitFor(condition, form, () => 0, { timeout: 0 }), 0);
      let asked = 0;
      assertEquals(await waitFor(condition, form, () => (asked++, ""), { timeout: 5 }), "");
      assertEquals(asked, 2);
      await assertRejects(
        async () =>
          await waitFor(condition, form, () => {
            throw new SyntaxError("mine");
          }),
        SyntaxError,
        "mine",
      );
      assert(condition.locked());
      condition.release();
      assertFalse(condition.locked());
    });

    test(`notify wakes those who waited longest first, ${form}`, async () => {
      const condition = make.condition(make.lock());
      const board = world.board(16);
      const parties = [];
      for (let i = 0; i < 4; i++) {
        parties.push(world.start(waitTimes, condition, form, board, i, 1));
        await untilWord(board, READY, i + 1);
        // Once we get the lock, the party waits.
        await condition.acquire();
        condition.release();
      }
      for (let i = 0; i < 4; i++) {
        await notify(condition, board, 4, 1);
        await untilWord(board, TRUE, i + 1);
      }
      await finish(parties, board);
      assertEquals([...board.slice(ORDER, ORDER + 4)], [0, 1, 2, 3]);
      assertFalse(condition.locked());
    });
  }

  for (const colour of COLOURS) {
    for (const kind of ["lock", "rlock"] as const) {
      test(`notify(3), notify(5) and notifyAll each reach whom they should, ${colour}, ${kind}`, async () => {
        const condition = make.condition(make[kind]());
        for (let time = 0; time < 2; time++) {
          const board = world.board(32);
          const parties = [0, 1, 2, 3, 4].map((i) =>
            world.start(waitTimes, condition, formOf(colour, i), board, i, 2)
          );
          await notify(condition, board, 5, 3);
          await untilWord(board, TRUE, 3);
          // All five wait again: three for the second time.
          await notify(condition, board, 8, 5);
          await untilWord(board, TRUE, 8);
          await untilWord(board, READY, 10);
          for (const party of parties.filter((party) => party.isAlive())) await untilBlocked(party);
          assertEquals(board[TRUE], 8);
          await condition.acquire();
          condition.notifyAll();
          condition.release();
          await finish(parties, board);
          assertEquals([board[TRUE], board[FALSE], board[WRONG]], [10, 0, 0]);
          assertFalse(condition.locked());
        }
      });
    }

    test(`waiters that run out of time hold the lock one after the other, ${colour}`, async () => {
      const condition = make.condition();
      const board = world.board(16);
      const parties = [0, 1, 2, 3, 4].map((i) =>
        world.start(waitTimes, condition, formOf(colour, i), board, i, 2, { timeout: 5 })
      );
      await finish(parties, board);
      assertEquals([board[TRUE], board[FALSE], board[WRONG]], [0, 10, 0]);
      assertFalse(condition.locked());
    });

    test(`waitFor comes back when the predicate holds, not before, ${colour}`, async () => {
      const condition = make.condition();
      const board = world.board(16);
      const parties = [0, 1].map((i) =>
        world.start(waitForState, condition, formOf(colour, i), board, 4)
      );
      await untilWord(board, READY, 2);
      for (let i = 0; i < 4; i++) {
        using _held = await condition.hold();
        assertEquals(board[TRUE] + board[FALSE], 0);
        board[STATE]++;
        condition.notifyAll();
      }
      await finish(parties, board);
      assertEquals([board[TRUE], board[FALSE]], [2, 0]);
    });

    test(`waitFor out of time gives the last answer, whatever was notified, ${colour}`, async () => {
      const condition = make.condition();
      const board = world.board(16);
      const parties = [0, 1].map((i) =>
        world.start(waitForState, condition, formOf(colour, i), board, 4, { timeout: 30 })
      );
      await untilWord(board, READY, 2);
      for (let i = 0; i < 3; i++) {
        using _held = await condition.hold();
        board[STATE]++;
        condition.notifyAll();
      }
      await finish(parties, board);
      assertEquals([board[TRUE], board[FALSE]], [0, 2]);
    });

    for (const kind of ["lock", "rlock"] as const) {
      test(`producers and consumers with limits lose no item and no notification, ${colour}, ${kind}`, async () => {
        const condition = make.condition(make[kind]());
        const board = world.board(16);
        const parties = [
          ...[0, 1, 2].map((i) =>
            world.start(consume, condition, formOf(colour, i), board, 80, i + 1)
          ),
          ...[0, 1].map((i) => world.start(produce, condition, formOf(colour, i + 1), board, 120)),
        ];
        await finish(parties, board);
        assertEquals([board[ITEMS], board[TAKEN]], [0, 240]);
        assertFalse(condition.locked());
      });
    }
  }

  test("an aborted wait rejects with the reason, and holds the lock by then", async () => {
    const lock = make.lock();
    const condition = make.condition(lock);
    const controller = new AbortController();
    await condition.acquire();
    const waiting = condition.wait({ signal: controller.signal });
    assertFalse(lock.locked());
    // The lock is another's when the abort comes: the wait does not end before it is free.
    assert(lock.acquireSync());
    const reason = { enough: true };
    controller.abort(reason);
    assertFalse(await settled(waiting));
    lock.release();
    assertEquals(await waiting.then(() => "notified", (error) => error), reason);
    assert(lock.locked());
    condition.release();
    assertFalse(lock.locked());
  });

  test("a signal that is aborted already: the wait rejects and the lock was never let go", async () => {
    const lock = make.lock();
    const condition = make.condition(lock);
    await condition.acquire();
    const signal = AbortSignal.abort("early");
    const behind = lock.acquire();
    assertEquals(await condition.wait({ signal }).catch((error) => error), "early");
    assertEquals(await condition.waitFor(() => 0, { signal }).catch((error) => error), "early");
    assertThrowsWith(() => condition.waitSync({ signal }), "early");
    assertThrowsWith(() => condition.waitForSync(() => 0, { signal }), "early");
    assertFalse(await settled(behind));
    condition.release();
    assertEquals(await behind, true);
    lock.release();
  });

  test("a notification and an abort in one turn: the notified one counts, or the next gets it", async () => {
    const condition = make.condition(make.lock());
    for (let round = 0; round < 200; round++) {
      const controller = new AbortController();
      const results: string[] = [];
      const waiter = async (name: string, signal?: AbortSignal) => {
        using _held = await condition.hold();
        try {
          await condition.wait({ signal });
          results.push(name);
        } catch (error) {
          if (error !== controller.signal.reason) throw error;
        }
        assert(condition.locked());
      };
      const first = waiter("first", controller.signal);
      const second = waiter("second");
      await until("both wait", () => !condition.locked());
      await condition.acquire();
      if (round % 2 === 0) controller.abort();
      condition.notify();
      if (round % 2 === 1) controller.abort();
      condition.release();
      await first;
      if (!results.includes("second")) {
        assertFalse(await settled(second) && results.length === 0);
        await condition.acquire();
        condition.notify();
        condition.release();
      }
      await second;
      // An abort before the notification may lose the race to it, never the other way round.
      if (round % 2 === 1) assertEquals(results, ["first", "second"]);
      assertEquals(results.at(-1), "second");
      assertFalse(condition.locked());
    }
  });

  test("async tasks are notified in the order of their calls", async () => {
    const condition = make.condition(make.lock());
    const order: number[] = [];
    const tasks = Array.from({ length: 20 }, async (_, i) => {
      using _held = await condition.hold();
      await condition.wait();
      order.push(i);
    });
    await until("all wait", () => !condition.locked());
    for (let i = 0; i < 20; i += 5) {
      await condition.acquire();
      condition.notify(5);
      condition.release();
      await Promise.all(tasks.slice(i, i + 5));
      assertEquals(order.length, i + 5);
    }
    assertEquals(order, Array.from({ length: 20 }, (_, i) => i));
  });

  test("several conditions share one lock", async () => {
    const lock = make.lock();
    const [full, empty] = [make.condition(lock), make.condition(lock)];
    const board = world.board(16);
    const party = world.start(waitTimes, full, "Sync", board, 0, 1);
    await untilWord(board, READY, 1);
    await lock.acquire();
    empty.notifyAll();
    lock.release();
    await untilBlocked(party);
    assertEquals(board[TRUE], 0);
    await notify(full, board, 1, 1);
    await finish([party], board);
    assertEquals(board[TRUE], 1);
  });

  test("this thread blocks in a wait for what a party's task notifies, its own waiter first in line", async () => {
    const condition = make.condition(make.lock());
    const board = world.board(16);
    const mine = (async () => {
      using _held = await condition.hold();
      return await condition.wait();
    })();
    await until("it waits", () => !condition.locked());
    assert(condition.acquireSync());
    const party = world.start(produce, condition, "async", board, 1);
    // One notification: it goes to the blocked call, not to the task that stands still with its thread.
    assertEquals(condition.waitSync({ timeout: AGES }), true);
    condition.release();
    await finish([party], board);
    assertFalse(await settled(mine));
    await condition.acquire();
    condition.notify();
    condition.release();
    assertEquals(await mine, true);
    assertFalse(condition.locked());
  });
}

function assertThrowsWith(fn: () => unknown, reason: unknown): void {
  let thrown: unknown = "nothing";
  try {
    fn();
  } catch (error) {
    thrown = error;
  }
  assertEquals(thrown, reason);
}
