/** The contract of a barrier. CPython's: `lock_tests.BarrierTests`. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import {
  abortAndReset,
  abortInTheMiddle,
  act,
  ACTIONS,
  actOn,
  type BarrierLike,
  BROKE,
  FAILED,
  failToAct,
  INDEXES,
  lockstep,
  pass,
  passActing,
  PASSED,
  passOnce,
  resetInTheMiddle,
  trample,
  wait,
  WRONG,
} from "../fixtures/threading/barrier_parties.ts";
import {
  AGES,
  BRIEF,
  COLOURS,
  DONE,
  finish,
  formOf,
  FORMS,
  settled,
  until,
  type World,
} from "./world.ts";

/** Makes a barrier. */
export type MakeBarrier = (
  parties: number,
  options?: { action?: () => void; timeout?: number },
) => BarrierLike;

/** Registers the tests of a barrier. */
export function testBarrier(world: World, make: MakeBarrier): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} Barrier: ${name}`, body);
  const { broken } = world.errors;
  const N = 5;

  test("bad parties and options are refused", () => {
    for (const parties of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
      assertThrows(() => make(parties), RangeError);
    }
    for (const parties of ["2", null, true, undefined, {}, 2n]) {
      assertThrows(() => make(parties as number), TypeError);
    }
    for (const timeout of [NaN, Infinity, 1e100]) {
      assertThrows(() => make(2, { timeout }), RangeError);
    }
    for (const options of [null, 5, "x", { timeout: "5" }, { timeout: null }, { action: 5 }]) {
      assertThrows(() => make(2, options as unknown as { timeout: number }), TypeError);
    }
  });

  test("one that nobody has come to", () => {
    const barrier = make(N);
    assertEquals([barrier.parties, barrier.nWaiting, barrier.broken], [N, 0, false]);
  });

  test("one of one party holds nobody up", async () => {
    const barrier = make(1);
    for (const form of FORMS) {
      for (const options of [undefined, { timeout: 0 }, { timeout: BRIEF }]) {
        assertEquals(await wait(barrier, form, options), 0);
      }
    }
    assertEquals([barrier.nWaiting, barrier.broken], [0, false]);
  });

  for (const colour of COLOURS) {
    test(`parties pass in lockstep, round after round, each index once, ${colour}`, async () => {
      const barrier = make(N);
      const board = world.board(32);
      const rounds = 10;
      const parties = Array.from(
        { length: N - 1 },
        (_, i) => world.start(lockstep, barrier, formOf(colour, i), board, rounds),
      );
      await lockstep(barrier, formOf(colour, N - 1), board, rounds);
      Atomics.sub(board, DONE, 1);
      await finish(parties, board);
      assertEquals(board[WRONG], 0);
      assertEquals(
        [...board.slice(INDEXES, INDEXES + N)],
        Array.from({ length: N }, () => 2 * rounds),
      );
      assertEquals([barrier.nWaiting, barrier.broken], [0, false]);
    });

    test(`the action runs once a round, before anybody goes on, ${colour}`, async () => {
      const barrier = make(N, { action: act });
      const board = world.board(32);
      const parties = Array.from(
        { length: N },
        (_, i) => world.start(passActing, barrier, formOf(colour, i), board),
      );
      await finish(parties, board);
      assertEquals([board[PASSED], board[ACTIONS], board[WRONG]], [N, 1, 0]);
    });

    test(`an action that throws: the last gets its error, the others a broken barrier, ${colour}`, async () => {
      const barrier = make(N, { action: failToAct });
      const board = world.board(32);
      const parties = Array.from(
        { length: N },
        (_, i) => world.start(passOnce, barrier, formOf(colour, i), board),
      );
      await finish(parties, board);
      assertEquals([board[PASSED], board[FAILED], board[BROKE]], [0, 1, N - 1]);
      assert(barrier.broken);
      assertEquals(barrier.nWaiting, 0);
    });

    test(`abort breaks it for who waits and who comes, ${colour}`, async () => {
      const barrier = make(N);
      const board = world.board(32);
      const parties = Array.from(
        { length: N },
        (_, i) => world.start(abortInTheMiddle, barrier, formOf(colour, i), board),
      );
      await finish(parties, board);
      assertEquals([board[PASSED], board[BROKE], board[FAILED]], [0, N - 1, 0]);
      assert(barrier.broken);
      await assertRejects(() => barrier.wait(), broken);
      assertThrows(() => barrier.waitSync(), broken);
    });

    test(`reset sends away who waits, and all can pass again, ${colour}`, async () => {
      const barrier = make(N);
      const board = world.board(32);
      const parties = Array.from(
        { length: N },
        (_, i) => world.start(resetInTheMiddle, barrier, formOf(colour, i), board),
      );
      await finish(parties, board);
      assertEquals([board[PASSED], board[BROKE], board[FAILED]], [N, N - 1, 0]);
      assertFalse(barrier.broken);
    });

    test(`a broken one is whole after a reset, ${colour}`, async () => {
      const [barrier, meeting] = [make(N), make(N)];
      const board = world.board(32);
      const parties = Array.from(
        { length: N },
        (_, i) => world.start(abortAndReset, barrier, meeting, formOf(colour, i), board),
      );
      await finish(parties, board);
      assertEquals([board[PASSED], board[BROKE], board[FAILED]], [N, N - 1, 0]);
      assertFalse(barrier.broken);
    });

    test(`one that runs out of time breaks it for all, ${colour}`, async () => {
      const barrier = make(N);
      const board = world.board(32);
      const parties = Array.from(
        { length: N - 2 },
        (_, i) => world.start(passOnce, barrier, formOf(colour, i), board),
      );
      await until("they wait", () => barrier.nWaiting === N - 2);
      await pass(barrier, formOf(colour, 1), board, { timeout: BRIEF });
      await finish(parties, board);
      assertEquals([board[PASSED], board[BROKE], board[FAILED]], [0, N - 1, 0]);
      assert(barrier.broken);
    });

    test(`its own time-out holds where none is given, ${colour}`, async () => {
      const barrier = make(N, { timeout: 20 });
      const board = world.board(32);
      const parties = [0, 1].map((i) => world.start(passOnce, barrier, formOf(colour, i), board));
      await finish(parties, board);
      assertEquals([board[PASSED], board[BROKE]], [0, 2]);
      assert(barrier.broken);
    });

    test(`rounds, time-outs and resets all at once: everybody comes to an end, ${colour}`, async () => {
      const barrier = make(3);
      const board = world.board(32);
      const parties = [0, 1, 2].map((i) =>
        world.start(trample, barrier, formOf(colour, i), board, 60, i)
      );
      await finish(parties, board);
      assertEquals([board[PASSED] + board[BROKE], board[FAILED]], [180, 0]);
      // A round that goes through gives each of its indexes once; one that is overtaken by a reset gives none.
      assertEquals(board[INDEXES], board[INDEXES + 1]);
      assertEquals(board[INDEXES], board[INDEXES + 2]);
      barrier.reset();
      assertEquals(barrier.nWaiting, 0);
    });
  }

  for (const form of FORMS) {
    test(`a wait that may not wait breaks it, unless it is the last, ${form}`, async () => {
      const barrier = make(2);
      const waiting = barrier.wait();
      assertEquals(await wait(barrier, form, { timeout: 0 }), 1);
      assertEquals(await waiting, 0);
      assertFalse(barrier.broken);
      await assertRejects(async () => await wait(barrier, form, { timeout: 0 }), broken);
      assert(barrier.broken);
    });

    test(`a time-out that is given replaces its own, ${form}`, async () => {
      const barrier = make(2, { timeout: BRIEF });
      const board = world.board(32);
      const party = world.start(passOnce, barrier, form, board, { timeout: AGES });
      await until("it waits", () => barrier.nWaiting === 1);
      // Its own time is over by now, whichever way it is counted.
      const start = performance.now();
      await until("more than its time is over", () => performance.now() - start > 5);
      assertFalse(barrier.broken);
      assertEquals(barrier.nWaiting, 1);
      assertEquals(await barrier.wait(), 1);
      await finish([party], board);
    });
  }

  test("an aborted wait rejects with the reason, leaves, and the barrier stays whole", async () => {
    const barrier = make(3);
    const controller = new AbortController();
    const first = barrier.wait();
    const aborted = barrier.wait({ signal: controller.signal });
    assertEquals(barrier.nWaiting, 2);
    controller.abort("enough");
    assertEquals(await aborted.catch((error) => error), "enough");
    assertEquals([barrier.nWaiting, barrier.broken], [1, false]);
    const second = barrier.wait();
    assertFalse(await settled(second));
    assertEquals(await Promise.all([first, second, barrier.wait()]), [0, 1, 2]);
    const late = await barrier.wait({ signal: AbortSignal.abort("early") }).catch((error) => error);
    assertEquals([late, barrier.nWaiting, barrier.broken], ["early", 0, false]);
  });

  test("an abort and the last arrival in one turn: all pass, or the rest wait on", async () => {
    for (let round = 0; round < 200; round++) {
      const barrier = make(2);
      const controller = new AbortController();
      const aborted = barrier.wait({ signal: controller.signal }).catch(() => "aborted");
      if (round % 2 === 0) controller.abort();
      const last = barrier.wait();
      if (round % 2 === 1) controller.abort();
      const outcome = await aborted;
      if (round % 2 === 1) assertEquals(outcome, 0);
      if (outcome === "aborted") {
        assertEquals(barrier.nWaiting, 1);
        assertEquals(await barrier.wait(), 1);
        assertEquals(await last, 0);
      } else assertEquals(await last, 1);
      assertEquals([barrier.nWaiting, barrier.broken], [0, false]);
    }
  });

  test("the action sees who waits; what it does to the barrier counts", async () => {
    const seen: unknown[] = [];
    const looks = make(2, { action: () => seen.push(looks.nWaiting, looks.broken) });
    assertEquals(await Promise.all([looks.wait(), looks.wait()]), [0, 1]);
    assertEquals(seen, [1, false]);
    for (const method of ["abort", "reset"] as const) {
      const barrier = make(2, { action: () => barrier[method]() });
      const waits = await Promise.allSettled([barrier.wait(), barrier.wait()]);
      assertEquals(waits.map(({ status }) => status), ["rejected", "rejected"]);
      assertEquals(barrier.broken, method === "abort");
    }
  });

  test("async tasks here and parties that block, this thread among them", async () => {
    const barrier = make(4, { action: act });
    const board = world.board(32);
    actOn(board);
    const parties = [0, 1].map(() => world.start(passOnce, barrier, "Sync", board));
    const task = barrier.wait();
    // Blocks here while an async waiter of this thread counts as arrived.
    const mine = barrier.waitSync({ timeout: AGES });
    const theirs = await task;
    await finish(parties, board);
    const indexes = [...board.slice(INDEXES, INDEXES + 4)];
    indexes[mine]++;
    indexes[theirs]++;
    assertEquals(indexes, [1, 1, 1, 1]);
    assertEquals([barrier.nWaiting, barrier.broken], [0, false]);
  });
}
