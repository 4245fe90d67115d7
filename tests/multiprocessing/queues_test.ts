/** The queues of `multiprocessing` between processes that may map memory. */

import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  getState,
  PicklingError,
  Process,
  setState,
  TimeoutError,
} from "@batteries/concurrent/multiprocessing";
import { Empty, Full } from "@batteries/concurrent/queue";
import { Thread } from "@batteries/concurrent/threading";
import { JoinableQueue, Queue, SimpleQueue } from "../../multiprocessing/queues.ts";
import type { Place } from "../../multiprocessing/_arena.ts";
import { makeNear } from "../../multiprocessing/_queue_memory.ts";
import { FOREVER } from "../../threading/_core/clock.ts";
import { platform, resize } from "../../threading/_core/platform/mod.ts";
import {
  putAll,
  putAllNowait,
  putAllSync,
  relay,
  relaySync,
  takeThenTell,
  useShared,
  worker,
} from "../fixtures/multiprocessing/queue_parties.ts";

/** Can be put, and not be got. */
export class Unwelcome {
  [getState](): number {
    return 1;
  }

  static [setState](): never {
    throw new TypeError("unwelcome");
  }
}

function started<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Process {
  const process = new Process<unknown[]>({ target: target as never, args });
  process.start();
  return process;
}

async function ended(process: Process): Promise<void> {
  await process.join();
  assertEquals(process.exitcode, 0);
}

Deno.test("Queue: full, is emptied by another process", async () => {
  const queue = new Queue<number>(6);
  const told = new Queue<string>();
  assert(queue.empty());
  assert(!queue.full());
  for (let n = 1; n < 6; n++) await queue.put(n);
  queue.putNowait(6);
  assert(queue.full());
  assertThrows(() => queue.putNowait(7), Full);
  await assertRejects(() => queue.put(7, { timeout: 10 }), Full);
  const process = started(takeThenTell, queue as Queue, 6, told as Queue);
  assertEquals(await told.get(), "taken");
  assert(queue.empty());
  assert(!queue.full());
  await ended(process);
});

Deno.test("Queue: what ended processes have put, is there, in the order of each", async () => {
  const queue = new Queue<number>();
  for (let n = 0; n < 10; n++) await queue.put(n);
  for (const [i, target] of [putAll, putAllSync, putAllNowait].entries()) {
    const items = Array.from({ length: 10 }, (_, n) => 10 * (i + 1) + n);
    await ended(started(target as typeof putAll, queue, items));
  }
  for (let n = 0; n < 40; n++) assertEquals(queue.getSync(), n);
  assertThrows(() => queue.getNowait(), Empty);
});

for (const target of [relay, relaySync]) {
  Deno.test(`Queue: values of every kind, come back from another process as they were, ${target.name}`, async () => {
    const there = new Queue<unknown>(4);
    const back = new Queue<unknown>();
    const process = started(target as typeof relay, there, back);
    const values: unknown[] = [
      undefined,
      0,
      -0,
      NaN,
      1.5,
      2n ** 70n,
      "",
      "naïve \u{1f600} \ud800",
      true,
      [1, [2, { three: null }]],
      new Map<unknown, unknown>([[{ a: 1 }, new Set([1, 2])]]),
      new Date(86_400_000),
      /a+/giu,
      new Uint8Array([1, 2, 3]),
      new Float64Array([1.5, -0]),
      new Uint8Array(3_000_000).fill(7),
      "x".repeat(1_000_000),
      Array.from({ length: 10_000 }, (_, n) => ({ n })),
    ];
    // A file and its echo are never in the queue together, for want of room.
    const got: unknown[] = [];
    for (const value of values) {
      await there.put(value);
      got.push(await back.get());
    }
    assertEquals(got, values);
    const error = new RangeError("too far", { cause: "because" });
    await there.put(error);
    const other = await back.get();
    assertInstanceOf(other, RangeError);
    assertEquals([other.message, other.cause], ["too far", "because"]);
    await there.put(null);
    await ended(process);
  });
}

Deno.test("Queue: queues in a queue, are the same queues there", async () => {
  const queue = new Queue<{ answer: Queue<string>; simple: SimpleQueue<string> }>();
  const answer = new Queue<string>();
  const simple = new SimpleQueue<string>();
  const process = started(useShared, queue);
  await queue.put({ answer, simple });
  assertEquals(await answer.get(), "through the queue");
  assertEquals(await simple.get(), "through the simple one");
  await ended(process);
});

Deno.test("Queue: handed to a thread and to a process, is one queue", async () => {
  const [from, to] = [new Queue<number | null>(2), new Queue<number>(2)];
  const thread = new Thread({ target: relaySync, args: [from as Queue, to as Queue] });
  thread.start();
  const process = started(relay, from, to);
  const got: number[] = [];
  const getting = (async () => {
    while (got.length < 50) got.push(await to.get());
  })();
  for (let n = 0; n < 50; n++) await from.put(n);
  await getting;
  await from.put(null);
  await from.put(null);
  await thread.join();
  await ended(process);
  assertEquals(got.sort((a, b) => a - b), Array.from({ length: 50 }, (_, n) => n));
});

Deno.test("Queue: what cannot travel, is refused at the call and takes no room", async () => {
  const queue = new Queue<unknown>(1);
  await assertRejects(() => queue.put(() => 1), PicklingError);
  assertThrows(() => queue.putSync({ deep: [Symbol("s")] }), PicklingError, "item.deep[0]");
  assertThrows(() => queue.putNowait(new SharedArrayBuffer(8)), PicklingError);
  assertEquals(queue.qsize(), 0);
  queue.putNowait(true);
  assertEquals(await queue.get(), true);
});

/** Cannot be had where it arrives. */
export class Spoilt {
  [getState](): string {
    return "spoilt";
  }
  static [setState](state: string): Spoilt {
    throw new Error(`It is ${state}`);
  }
}

Deno.test("Queue: an item that cannot be had, is lost alone", async () => {
  const queue = new Queue<unknown>();
  for (const item of [new Spoilt(), 1, new Spoilt(), 2]) await queue.put(item);
  await assertRejects(() => queue.get(), Error, "It is spoilt");
  assertEquals(await queue.get(), 1);
  assertThrows(() => queue.getSync(), Error, "It is spoilt");
  assertEquals(queue.getNowait(), 2);
  assert(queue.empty());
});

Deno.test("Queue: an item changed after the call, is in it as it was", async () => {
  const queue = new Queue<number[]>(1);
  await queue.put([0]);
  const item = [1];
  const waiting = queue.put(item);
  item[0] = 2;
  assertEquals([await queue.get(), await queue.get()], [[0], [1]]);
  await waiting;
});

Deno.test("Queue: closed, refuses this process and no other", async () => {
  for (const queue of [new Queue<number>(), new JoinableQueue<number>()]) {
    assert(queue.empty());
    await assertRejects(() => queue.joinThread(), RangeError, "not closed");
    queue.cancelJoinThread();
    queue.close();
    queue.close();
    await queue.joinThread();
    // Nothing was put, so there was nothing to close but the use of it.
    assert(queue.empty());
    const name = queue.constructor.name;
    await assertRejects(() => queue.put(1), RangeError, `${name} is closed`);
    await assertRejects(() => queue.get(), RangeError, `${name} is closed`);
    for (
      const call of [
        () => queue.putSync(1),
        () => queue.putNowait(1),
        () => queue.getSync(),
        () => queue.getNowait(),
      ]
    ) assertThrows(call, RangeError, "is closed");
  }
  const queue = new Queue<number>();
  await queue.put(1);
  queue.close();
  assertThrows(() => queue.empty(), RangeError, "is closed");
  assertEquals(queue.qsize(), 1);
  const process = started(takeThenTell, queue as Queue, 1, new Queue());
  await ended(process);
  assertEquals(queue.qsize(), 0);
});

Deno.test("Queue: bad sizes, are refused", () => {
  // deno-lint-ignore no-explicit-any -- what the types refuse
  assertThrows(() => new Queue("3" as any), TypeError, "maxsize must be a number");
  for (const size of [1.5, NaN, 2 ** 31]) assertThrows(() => new Queue(size), RangeError);
  assertEquals([new Queue().maxsize, new Queue(-1).maxsize, new Queue(7).maxsize], [0, 0, 7]);
});

Deno.test("Queue: a burst of 256 MiB, waits for its consumer and gives the memory back", () => {
  const { store, seat } = makeNear(0, "make a queue");
  const { arena } = (seat as unknown as { place: Place }).place;
  const before = arena.system.sizeOf(arena.fd);
  const item = new Uint8Array(32 * 1024 * 1024);
  for (let n = 0; n < 8; n++) store.putSync(item.fill(n), FOREVER);
  assertEquals(store.ring.size, 8);
  assert(arena.system.sizeOf(arena.fd) > before + 8 * item.length);
  for (let n = 0; n < 8; n++) {
    const got = store.getSync(FOREVER, (bytes) => [bytes.length, bytes[0], bytes.at(-1)]);
    assertEquals(got, [item.length, n, n]);
  }
  assertEquals(arena.system.sizeOf(arena.fd), before);
  // On as if nothing had been.
  store.putSync(Uint8Array.of(1), FOREVER);
  assertEquals(store.getSync(FOREVER, ([first]) => first), 1);
});

Deno.test("resize: more than there is, says so and changes nothing", () => {
  const system = platform("test");
  const fd = system.createAnonymous(65_536);
  try {
    const error = assertThrows(() => resize(fd, 65_536, 2 ** 50), Error, "no memory left");
    assertEquals((error as Error & { code: string }).code, "ENOMEM");
    assertEquals(system.sizeOf(fd), 65_536);
    resize(fd, 65_536, 131_072);
    assertEquals(system.sizeOf(fd), 131_072);
    resize(fd, 131_072, 65_536);
    assertEquals(system.sizeOf(fd), 65_536);
  } finally {
    system.close(fd);
  }
});

Deno.test("JoinableQueue: joined, waits for what workers in other processes do", async () => {
  const queue = new JoinableQueue<number | null>();
  const workers = [0, 1, 2].map(() => started(worker, queue));
  for (let n = 0; n < 100; n++) await queue.put(n);
  await queue.join();
  assert(queue.empty());
  await queue.put(1);
  await queue.join();
  for (const _ of workers) await queue.put(null);
  for (const process of workers) await ended(process);
  await queue.join();
  assertThrows(() => queue.taskDone(), RangeError, "every item");
});

Deno.test("JoinableQueue: whose worker leaves work undone, is not joined in time", async () => {
  const queue = new JoinableQueue<number>();
  queue.putNowait(1);
  queue.getNowait();
  await assertRejects(() => queue.join({ timeout: 10 }), TimeoutError);
  assertThrows(() => queue.joinSync({ timeout: 10 }), TimeoutError);
  queue.taskDone();
  queue.joinSync();
});

Deno.test("SimpleQueue: between processes, passes items on in order", async () => {
  const [from, to] = [new SimpleQueue<unknown>(), new SimpleQueue<unknown>()];
  assert(from.empty());
  const process = started(relay, from, to);
  for (const item of [1, "two", [3]]) await from.put(item);
  assertEquals([await to.get(), await to.get(), await to.get()], [1, "two", [3]]);
  await from.put(null);
  await ended(process);
  from.putSync(4);
  assert(!from.empty());
  assertEquals(from.getSync(), 4);
  from.close();
  from.close();
  await assertRejects(() => from.put(1), RangeError, "is closed");
  await assertRejects(() => from.get(), RangeError, "is closed");
  assertThrows(() => from.empty(), RangeError, "is closed");
});

Deno.test("Queue: waited for by nobody, lets the program end; a waiting get ends with its time", async () => {
  const source = `
    import { Queue } from ${
    JSON.stringify(new URL("../../multiprocessing/queues.ts", import.meta.url).href)
  };
    const queue = new Queue();
    await queue.put(1);
    await queue.get();
    const error = await queue.get({ timeout: 20 }).catch((error) => error);
    console.log(error.name);`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", `data:text/javascript,${encodeURIComponent(source)}`],
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "Empty\n"]);
});

Deno.test("a queue: an item that cannot be decoded, fails for who gets it, however late that is told, and for nobody else", async () => {
  const queue = new Queue<unknown>();
  const strays: unknown[] = [];
  const stray = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    strays.push(event.reason);
  };
  addEventListener("unhandledrejection", stray);
  try {
    const got = queue.get().catch((error) => error);
    await queue.put(new Unwelcome());
    // Blocks for longer than who waits is told at once.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    assertInstanceOf(await got, TypeError);
    await queue.put("next");
    assertEquals(await queue.get(), "next");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(strays, []);
  } finally {
    removeEventListener("unhandledrejection", stray);
  }
});
