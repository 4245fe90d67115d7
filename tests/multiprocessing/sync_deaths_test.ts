/** Processes that end, or are killed, while they hold a lock of `multiprocessing` or wait for it. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import {
  Barrier,
  Condition,
  Event,
  Lock,
  Process,
  RLock,
  Semaphore,
} from "@batteries/concurrent/multiprocessing";
import { Thread } from "@batteries/concurrent/threading";
import { AGES, type Party, until, untilBlocked as untilPartyBlocked } from "../contracts/world.ts";
import { Board } from "../fixtures/multiprocessing/board.ts";
import {
  actForEver,
  COUNT,
  count,
  keep,
  keepUntil,
  meet,
  PASSED,
  READY,
  waitFor,
  waitForNotice,
  WRONG,
} from "../fixtures/multiprocessing/sync_parties.ts";

type Form = "async" | "Sync";
const FORMS: Form[] = ["async", "Sync"];

function start<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Process<A> {
  const process = new Process<A>({ target, args, daemon: true });
  process.start();
  return process;
}

function reaches(board: Board, word: number, value: number): Promise<void> {
  return until(
    `word ${word} is ${value}, not ${board.place.words[word]}`,
    () => Atomics.load(board.place.words, word) >= value,
  );
}

async function kill(process: Process<never[]> | Process<unknown[]>): Promise<void> {
  process.kill();
  await process.join({ timeout: AGES });
}

/** Waits until the process sleeps. */
function untilBlocked(process: Process<never[]> | Process<unknown[]>): Promise<void> {
  const status = Deno.build.os === "linux" ? `/proc/${process.pid}/stat` : undefined;
  return untilPartyBlocked({
    status: () => status,
    isAlive: () => process.isAlive(),
  } as Party);
}

const makers: [string, () => Lock | RLock | Condition, number][] = [
  ["Lock", () => new Lock(), 1],
  ["RLock", () => new RLock(), 3],
  ["Condition", () => new Condition(), 2],
];

for (const [name, make, times] of makers) {
  for (const end of ["kill", "exit", "throw", "return"]) {
    for (const form of FORMS) {
      Deno.test(`multiprocessing ${name}: its owner has ended by ${end}, the next acquire gets it and is told once, ${form}`, async () => {
        const lock = make();
        const board = Board.make(8);
        const owner = start(keep, lock, form, times, board, end);
        await reaches(board, READY, 1);
        if (end === "kill") {
          assertFalse(await lock.acquire({ blocking: false }));
          assertFalse(lock.ownerDied());
          owner.kill();
        }
        // Waits for it from before the end, or comes after it.
        assert(form === "Sync" ? lock.acquireSync() : await lock.acquire());
        assert(lock.ownerDied());
        assertFalse(lock.ownerDied());
        lock.release();
        assertFalse(lock.locked());
        assert(lock.acquireSync({ timeout: 0 }));
        assertFalse(lock.ownerDied());
        lock.release();
        await owner.join({ timeout: AGES });
      });
    }
  }

  Deno.test(`multiprocessing ${name}: its owner was killed, who tries once gets it`, async () => {
    const lock = make();
    const board = Board.make(8);
    const owner = start(keep, lock, "Sync", 1, board, "kill");
    await reaches(board, READY, 1);
    await kill(owner);
    assert(lock.locked());
    assert(lock.acquireSync({ blocking: false }));
    assert(lock.ownerDied());
    lock.release();
  });
}

Deno.test("multiprocessing Lock: one that a thread of this process has, is not taken for a dead one's; others release it", async () => {
  const [lock, end] = [new Lock(), new Event()];
  const board = Board.make(8);
  const thread = new Thread({ target: keepUntil, args: [lock, end, board], daemon: true });
  thread.start();
  await reaches(board, READY, 1);
  assertFalse(lock.acquireSync({ timeout: 250 }));
  assertFalse(await lock.acquire({ timeout: 150 }));
  assertFalse(lock.ownerDied());
  lock.release();
  assert(lock.acquireSync());
  assertFalse(lock.ownerDied());
  lock.release();
  end.set();
  await thread.join();
});

for (const [name, make] of [["Lock", () => new Lock()], ["RLock", () => new RLock()]] as const) {
  Deno.test(`multiprocessing ${name}: owners and waiters are killed again and again, the others go on and nobody is inside with another`, async () => {
    const lock = make();
    const board = Board.make(8);
    const { words } = board.place;
    const crew = [0, 1, 2].map((i) => start(count, lock, FORMS[i % 2], board));
    await reaches(board, READY, 3);
    for (let kills = 0; kills < 40; kills++) {
      const before = words[PASSED];
      await until("they go on", () => Atomics.load(words, PASSED) > before + 20);
      const i = kills % crew.length;
      await kill(crew[i]);
      assert(await lock.acquire({ timeout: AGES }), "The lock is lost");
      lock.ownerDied();
      Atomics.store(words, 3, 0);
      lock.release();
      crew[i] = start(count, lock, FORMS[kills % 2], board);
    }
    for (const process of crew) await kill(process);
    assert(lock.acquireSync({ timeout: AGES }));
    assertEquals(words[WRONG], 0);
    // Each death can have cost one count that was not told of, and no more.
    assert(Math.abs(words[COUNT] - words[PASSED]) <= 43, `${words[COUNT]} and ${words[PASSED]}`);
    lock.release();
  });
}

for (const form of FORMS) {
  Deno.test(`multiprocessing Condition: waiters that were killed are passed over, ${form}`, async () => {
    const condition = new Condition(new Lock());
    const board = Board.make(8);
    const first = start(waitForNotice, condition, form, board);
    await reaches(board, READY, 1);
    const second = start(waitForNotice, condition, form, board);
    await reaches(board, READY, 2);
    const third = start(waitForNotice, condition, form, board);
    await reaches(board, READY, 3);
    // With the lock in our hand, all three wait.
    await condition.acquire();
    condition.release();
    await kill(first);
    await condition.acquire();
    condition.notify();
    condition.release();
    await second.join({ timeout: AGES });
    assertEquals([second.exitcode, board.place.words[PASSED]], [0, 1]);
    assert(third.isAlive());
    await condition.acquire();
    condition.notify(5);
    condition.release();
    await third.join({ timeout: AGES });
    assertEquals([third.exitcode, board.place.words[PASSED]], [0, 2]);
  });

  Deno.test(`multiprocessing Barrier: the party that runs the action is killed, the others get a broken barrier, ${form}`, async () => {
    const barrier = new Barrier(3, { action: actForEver });
    const board = Board.make(8);
    const parties = [0, 1].map(() => start(meet, barrier, form, board));
    await until("two wait", () => barrier.nWaiting === 2);
    const leader = start(meet, barrier, form, board);
    await reaches(board, READY, 3);
    // From now on it acts, or is about to.
    await untilBlocked(leader);
    await kill(leader);
    for (const party of parties) await party.join({ timeout: AGES });
    assertEquals([board.place.words[PASSED], board.place.words[WRONG]], [0, 2]);
    assert(barrier.broken);
    barrier.reset();
    assertEquals([barrier.broken, barrier.nWaiting], [false, 0]);
  });

  Deno.test(`multiprocessing Semaphore: waiters that are killed cost nobody a permit, ${form}`, async () => {
    const semaphore = new Semaphore(0);
    const board = Board.make(8);
    const waiters = [0, 1, 2, 3].map(() => start(waitFor, semaphore, form, board));
    await reaches(board, READY, 4);
    await kill(waiters[0]);
    await kill(waiters[2]);
    semaphore.release(2);
    for (const i of [1, 3]) await waiters[i].join({ timeout: AGES });
    assertEquals([waiters[1].exitcode, waiters[3].exitcode], [0, 0]);
    assertEquals([board.place.words[PASSED], semaphore.getValue()], [2, 0]);
  });

  Deno.test(`multiprocessing Event: waiters that are killed do not keep the others, ${form}`, async () => {
    const event = new Event();
    const board = Board.make(8);
    const waiters = [0, 1, 2].map(() => start(waitFor, event, form, board));
    await reaches(board, READY, 3);
    await kill(waiters[1]);
    event.set();
    for (const i of [0, 2]) await waiters[i].join({ timeout: AGES });
    assertEquals(board.place.words[PASSED], 2);
  });
}
