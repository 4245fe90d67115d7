/** `Pool` at its edges: what was refused, given up, asked for while the thread is blocked, or is still on its way when time is out. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ProcessPoolExecutor } from "@batteries/concurrent/futures";
import {
  PicklingError,
  Pool,
  ProcessError,
  ThreadPool,
} from "@batteries/concurrent/multiprocessing/pool";
import { Crew } from "../../multiprocessing/_crew.ts";
import type { Boss, Letter, Trade } from "../../multiprocessing/_crew_protocol.ts";
import { TASK } from "../../multiprocessing/_crew_protocol.ts";
import { expect, join, leave, type Party, quiet } from "../../multiprocessing/_crew_post.ts";
import { failAt, failSlowly, makeSlow, note } from "../fixtures/multiprocessing/pool_edge_tasks.ts";
import { closeGate } from "../fixtures/multiprocessing/slow_gate.ts";
import { square } from "../fixtures/multiprocessing/pool_tasks.ts";

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

for (const Kind of [Pool, ThreadPool]) {
  const { name } = Kind;

  Deno.test(`${name}: a map with an item that cannot travel, is refused, and nothing of it is called`, async () => {
    const file = await Deno.makeTempFile();
    try {
      await using pool = new Kind(2);
      // Workers that are there, and a function that is known to be quick.
      await pool.map(note, numbers(300).map((value) => ({ file, value })), { chunksize: 1 });
      await Deno.writeTextFile(file, "");
      const items: unknown[] = numbers(300).map((value) => ({ file, value }));
      items.push({ file, value: Symbol("here") });
      await assertRejects(
        () => pool.map(note as (item: unknown) => void, items, { chunksize: 1 }),
        PicklingError,
      );
      pool.close();
      await pool.join();
      assertEquals(await Deno.readTextFile(file), "");
    } finally {
      await Deno.remove(file);
    }
  });

  Deno.test(`${name}: a map of which a call fails, can be waited for by blocking`, async () => {
    await using pool = new Kind(2);
    const result = pool.mapAsync(failAt, numbers(10), { chunksize: 2 });
    assertThrows(() => result.getSync(), RangeError, "No 2");
    assertEquals(pool.mapAsync(failAt, [0, 1], { chunksize: 1 }).getSync(), [0, 1]);
  });

  Deno.test(`${name}: who asks again and again without waiting, is told in the end`, async () => {
    await using pool = new Kind(1);
    const result = pool.applyAsync(square, [3]);
    for (let asked = 0; !result.ready(); asked++) {
      result.waitSync({ timeout: 0 });
      if (asked % 1000 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
    assertEquals(result.getSync({ timeout: 0 }), 9);
  });

  Deno.test(`${name}: terminate, ends a join that waits for items to be read`, async () => {
    const pool = new Kind(1);
    const last = Promise.withResolvers<number>();
    const results = pool.imap(
      square,
      async function* () {
        yield 2;
        yield await last.promise;
      }(),
    );
    assertEquals((await results.next()).value, 4);
    pool.close();
    const joined = pool.join();
    await pool.terminate();
    await joined;
    last.resolve(3);
  });

  Deno.test(`${name}: terminate, ends those who wait for items that do not come`, async () => {
    for (const method of ["imap", "imapUnordered"] as const) {
      const pool = new Kind(1);
      const asked = Promise.withResolvers<void>();
      let left = false;
      const items: AsyncIterableIterator<number> = {
        next: () => (asked.resolve(), new Promise(() => {})),
        return: () => (left = true, Promise.resolve({ done: true, value: undefined })),
        [Symbol.asyncIterator]: () => items,
      };
      const results = pool[method](square, items);
      const first = assertRejects(() => results.next(), ProcessError, "terminated");
      const second = results.next();
      await asked.promise;
      await pool.terminate();
      await first;
      assertEquals([await second, left], [{ done: true, value: undefined }, true]);
      await pool.join();
    }
    const pool = new Kind(1);
    const late = Promise.withResolvers<number>();
    const items = (async function* () {
      yield await late.promise;
    })();
    const result = pool.mapAsync(square, items);
    const results = pool.imap(square, [1, 2]);
    assertEquals((await results.next()).value, 1);
    await pool.terminate();
    await assertRejects(() => result.get(), ProcessError, "terminated");
    // What comes after all, is nobody's.
    late.resolve(3);
    await pool.join();
  });

  Deno.test(`${name}: a progress function that throws, harms nobody`, async () => {
    await using pool = new Kind(1);
    const told: number[] = [];
    const progress = ({ done }: { done: number }) => {
      told.push(done);
      throw new Error("This is what the test throws into a callback");
    };
    assertEquals(await pool.map(square, [1, 2, 3], { chunksize: 1, progress }), [1, 4, 9]);
    assertEquals(told, [1, 2, 3]);
    assertEquals(await pool.apply(square, [4]), 16);
  });
}

Deno.test("Pool and ProcessPoolExecutor: a call that is aborted when its result is there and waits for a module, keeps its result", async () => {
  await using pool = new Pool(1);
  await using executor = new ProcessPoolExecutor(1);
  await pool.apply(square, [1]);
  await executor.submit(square, 1);
  const open = closeGate();
  const controller = new AbortController();
  const { signal } = controller;
  const result = pool.with({ signal }).applyAsync(makeSlow, [7]);
  const future = executor.with({ signal }).submit(makeSlow, 8);
  await undefined;
  assertEquals([pool.stats().busy, executor.stats().busy], [1, 1]);
  // Until nobody runs them any more; they have not ended.
  while (pool.stats().busy + executor.stats().busy > 0) await turn();
  assertEquals([pool.stats().queued, executor.stats().queued], [1, 1]);
  controller.abort(new Error("Too late"));
  open();
  assertEquals((await result.get() as { value: number }).value, 7);
  assertEquals((await future as { value: number }).value, 8);
});

Deno.test("Pool: a map whose error waits for a module, can be waited for by blocking all the same", async () => {
  await using pool = new Pool(1);
  await pool.apply(square, [1]);
  const open = closeGate();
  const result = pool.mapAsync(failSlowly, [5]);
  const error = assertThrows(() => result.getSync(), Error, "No 5");
  assertEquals(error.name, "SlowError");
  open();
});

/** A worker that never ends what it begins. */
class Idler {
  readonly name = "Idler";
  readonly pid = undefined;
  readonly isStuck = false;
  readonly got: number[] = [];
  readonly #boss: Boss<object>;
  readonly #gone = Promise.withResolvers<void>();

  constructor(boss: Boss<object>) {
    this.#boss = boss;
    queueMicrotask(() => boss.ready());
  }

  send(letter: Letter<object>): void {
    if (letter[0] === TASK) this.got.push(letter[1]);
  }

  push(): void {}
  recall(): void {}

  stop(): void {
    this.#gone.resolve();
    this.#boss.ended({ pid: undefined, exitcode: undefined });
  }

  join(): Promise<void> {
    return this.#gone.promise;
  }
}

Deno.test("a crew: tasks that were taken back behind one that takes its time, do not keep their arguments", async () => {
  const bodies: WeakRef<object>[] = [];
  const codec: Trade<object>["codec"] = {
    pack() {
      const body = {};
      bodies.push(new WeakRef(body));
      return body;
    },
    unpackNow: (body) => body,
    unpackSoon: (body) => Promise.resolve(body),
    packError: (error) => error,
    unpackError: (body) => body as never,
    away: false,
  };
  const crew = new Crew<object>({
    size: 1,
    trade: { codec, hire: (boss) => new Idler(boss) },
    policy: { onDeath: "replace", died: () => new Error("Died"), broken: (why) => why },
    door: square,
  });
  const order = { fn: square, form: 0, ended() {} };
  crew.submit(order, [], square);
  await turn();
  const waiting = crew.submit(order, [], square);
  for (let i = 0; i < 2000; i++) assert(crew.cancel(crew.submit(order, [], square)));
  await turn();
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await turn();
  collect();
  const kept = bodies.filter((body) => body.deref() !== undefined).length;
  assert(kept < 400, `${kept} are kept`);
  assertEquals(waiting.place, "queued");
  crew.end("kill", () => new Error("Over"));
});

Deno.test("who comes when nobody was there to be listened to, is heard", async () => {
  const heard = Promise.withResolvers<void>();
  const who = {};
  let news = false;
  const late: Party = {
    get hasNews() {
      return news;
    },
    hear() {
      news = false;
      heard.resolve();
    },
    look() {},
  };
  expect(who, true);
  // Long enough for a look around.
  await turn();
  news = true;
  join(late);
  await heard.promise;
  leave(late);
  expect(who, false);
  // Whoever listened is still on the way to find that nobody expects anything.
  await quiet();
});

Deno.test("Pool and ProcessPoolExecutor: transfer of what cannot be moved, is refused before anything has happened", async () => {
  const file = await Deno.makeTempFile();
  const pool = new Pool(1);
  const executor = new ProcessPoolExecutor(1);
  try {
    const buffer = new ArrayBuffer(8);
    const { buffer: memory } = new WebAssembly.Memory({ initial: 1 });
    const wrong = [
      [buffer, memory],
      [buffer, buffer],
      [buffer, undefined],
      [buffer, null],
      [buffer, new SharedArrayBuffer(8)],
    ];
    for (const transfer of wrong as ArrayBuffer[][]) {
      const call = { file, value: 1 };
      const inPool = pool.with({ transfer });
      assertThrows(() => inPool.applyAsync(note, [call]), PicklingError, "Cannot transfer");
      await assertRejects(() => inPool.map(note, [call]), PicklingError, "Cannot transfer");
      await assertRejects(() => inPool.imap(note, [call]).next(), PicklingError);
      const inExecutor = executor.with({ transfer });
      assertThrows(() => inExecutor.submit(note, call), PicklingError, "Cannot transfer");
      assertEquals([buffer.detached, memory.byteLength], [false, 65536]);
    }
    const growing = new ArrayBuffer(8, { maxByteLength: 16 });
    const transfer = [buffer, growing, new ArrayBuffer(0)];
    assertEquals(await pool.with({ transfer }).apply(square, [3]), 9);
    assertEquals(transfer.map(({ detached }) => detached), [true, true, true]);
    assertEquals(pool.stats().done, 1);
  } finally {
    pool.close();
    await pool.join();
    await executor.shutdown();
    // Nothing of what was refused was called.
    const text = await Deno.readTextFile(file);
    await Deno.remove(file);
    assertEquals(text, "");
  }
});
