/** The contract of an event. CPython's: `lock_tests.EventTests`. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  type EventLike,
  FALSE,
  pingPong,
  TRUE,
  wait,
  waitInVain,
  waitOnce,
  waitTwice,
} from "../fixtures/threading/event_parties.ts";
import {
  AGES,
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

/** Registers the tests of an event. */
export function testEvent(world: World, make: () => EventLike): void {
  const test = (name: string, body: () => Promise<void> | void) =>
    Deno.test(`${world.name} Event: ${name}`, body);

  test("set and clear may come as often as they like", () => {
    const event = make();
    assertFalse(event.isSet());
    for (let i = 0; i < 2; i++) {
      event.set();
      assert(event.isSet());
    }
    for (let i = 0; i < 2; i++) {
      event.clear();
      assertFalse(event.isSet());
    }
  });

  for (const form of FORMS) {
    test(`a wait for one that is set gives true at once, ${form}`, async () => {
      const event = make();
      event.set();
      for (const options of [undefined, {}, { timeout: 0 }, { timeout: -1 }, { timeout: AGES }]) {
        assertEquals(await wait(event, form, options), true);
      }
    });

    test(`a wait out of time gives false and leaves nothing behind, ${form}`, async () => {
      const event = make();
      const start = performance.now();
      assertEquals(await wait(event, form, { timeout: 30 }), false);
      assert(performance.now() - start >= 29);
      assertEquals(await wait(event, form, { timeout: 0 }), false);
      event.set();
      assertEquals(await wait(event, form), true);
    });
  }

  for (const colour of COLOURS) {
    test(`everybody who waits goes on when it is set, also after a clear, ${colour}`, async () => {
      const event = make();
      for (let time = 0; time < 2; time++) {
        const board = world.board(8);
        const parties = [0, 1, 2, 3, 4].map((i) =>
          world.start(waitTwice, event, formOf(colour, i), board)
        );
        await untilWord(board, READY, 5);
        for (const party of parties) await untilBlocked(party);
        assertEquals(board[TRUE] + board[FALSE], 0);
        event.set();
        await finish(parties, board);
        assertEquals([board[TRUE], board[FALSE]], [10, 0]);
        event.clear();
      }
    });

    test(`who waited when it was set goes on, although it was cleared at once, ${colour}`, async () => {
      const event = make();
      const board = world.board(8);
      const parties = [0, 1, 2, 3, 4].map((i) =>
        world.start(waitOnce, event, formOf(colour, i), board)
      );
      await untilWord(board, READY, 5);
      for (const party of parties) await untilBlocked(party);
      const here = [event.wait(), event.wait({ timeout: AGES })];
      event.set();
      event.clear();
      await finish(parties, board);
      assertEquals(await Promise.all(here), [true, true]);
      assertEquals([board[TRUE], board[FALSE]], [5, 0]);
      assertFalse(event.isSet());
    });

    test(`parties wait in vain for as long as they asked, ${colour}`, async () => {
      const event = make();
      const board = world.board(8);
      const parties = [0, 1, 2].map((i) =>
        world.start(waitInVain, event, formOf(colour, i), board)
      );
      await finish(parties, board);
      assertEquals([board[TRUE], board[FALSE]], [0, 12]);
    });

    test(`no set is lost on who is about to wait or to give up, ${colour}`, async () => {
      const [left, right] = [make(), make()];
      const board = world.board(8);
      const parties = [
        world.start(pingPong, left, right, formOf(colour, 0), board, 300),
        world.start(pingPong, right, left, formOf(colour, 1), board, 300),
      ];
      left.set();
      await finish(parties, board);
      assert(left.isSet());
      assertFalse(right.isSet());
    });
  }

  test("a party that blocks and this thread's event loop play ping-pong", async () => {
    const [left, right] = [make(), make()];
    const board = world.board(8);
    const party = world.start(pingPong, left, right, "Sync", board, 200);
    left.set();
    await pingPong(right, left, "async", board, 200);
    Atomics.sub(board, DONE, 1);
    await finish([party], board);
  });

  test("this thread blocks for what a party's event loop sets", async () => {
    const [left, right] = [make(), make()];
    const board = world.board(8);
    const party = world.start(pingPong, left, right, "async", board, 200);
    for (let round = 0; round < 200; round++) {
      left.set();
      assert(right.waitSync({ timeout: AGES }));
      right.clear();
    }
    await finish([party], board);
  });

  test("an aborted wait rejects with the reason, the others wait on", async () => {
    const event = make();
    const controller = new AbortController();
    const reason = new RangeError("enough");
    const aborted = event.wait({ signal: controller.signal });
    const other = event.wait();
    controller.abort(reason);
    assertEquals(await aborted.catch((error) => error), reason);
    assertFalse(await settled(other));
    event.set();
    assertEquals(await other, true);
  });

  test("a set and an abort in one turn: whichever was first, nobody hangs", async () => {
    for (let round = 0; round < 300; round++) {
      const event = make();
      const controller = new AbortController();
      const waits = [1, 2, 3].map(() =>
        event.wait({ signal: controller.signal }).catch((error) => {
          assertEquals(error, controller.signal.reason);
          return false;
        })
      );
      const forEver = event.wait();
      if (round % 2 === 0) {
        event.set();
        controller.abort();
        // The set came first and is never lost.
        assertEquals(await Promise.all(waits), [true, true, true]);
      } else {
        controller.abort();
        event.set();
        await Promise.all(waits);
      }
      assertEquals(await forEver, true);
    }
  });
}
