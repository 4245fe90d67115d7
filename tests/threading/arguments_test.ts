import {
  assert,
  assertEquals,
  assertFalse,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  Condition,
  Event,
  Lock,
  PicklingError,
  RLock,
  Semaphore,
  Thread,
} from "@batteries/concurrent/threading";
import { newSheet, read } from "../fixtures/threads/sheet.ts";
import { nothing, work } from "../fixtures/threads/targets.ts";
import {
  checkEverything,
  giveUnclonable,
  grow,
  makeEverything,
  sum,
  type Tools,
  useTools,
} from "../fixtures/threads/values.ts";

async function end(thread: Thread): Promise<void> {
  thread.start();
  await thread.join();
}

Deno.test("args: each is one parameter, an array in them stays an array", async () => {
  for (const args of [[1], ["str"], [[1]], [[[1]]], [[]], [], [null, "x"]]) {
    const sheet = newSheet();
    await end(new Thread<unknown[]>({ target: work as () => void, args: [sheet, ...args] }));
    assertEquals(read(sheet), args);
  }
});

Deno.test("args: everything that structured clone carries arrives, cycles and identity included", async () => {
  const sheet = newSheet();
  const everything = makeEverything();
  await end(new Thread({ target: checkEverything, args: [sheet, everything, everything] }));
  assertEquals(read(sheet), "good");
});

Deno.test("args: are copied at start(), a later change is not seen", async () => {
  const sheet = newSheet();
  const list = [1];
  const thread = new Thread<unknown[]>({ target: work as () => void, args: [sheet, list] });
  list.push(2);
  thread.start();
  list.push(3);
  await thread.join();
  assertEquals(read(sheet), [[1, 2]]);
  assertEquals(list, [1, 2, 3]);
});

Deno.test("args: primitives nested in arrays, objects, Maps and Sets are the same things over there", async () => {
  const sheet = newSheet();
  const [lock, event, semaphore] = [new Lock(), new Event(), new Semaphore(0)];
  const shared = new Int32Array(new SharedArrayBuffer(8));
  const condition = new Condition();
  const tools: Tools = {
    list: [lock, { lock }],
    map: new Map<string | Event, Event | Set<Semaphore>>([["event", event], [
      event,
      new Set([semaphore]),
    ]]),
    words: { shared },
    rlock: new RLock(),
    condition,
  };
  await lock.acquire();
  await condition.acquire();
  const thread = new Thread({ target: useTools, args: [sheet, tools] });
  thread.start();
  await condition.wait();
  condition.release();
  await event.wait();
  await thread.join();
  assertEquals(read(sheet), "used");
  assertFalse(lock.locked());
  assert(semaphore.acquireSync({ blocking: false }));
  assertEquals([...shared], [0, 5]);
});

Deno.test("args: a hundred megabytes are copied", async () => {
  const sheet = newSheet();
  const bytes = new Uint8Array(100 * 1024 * 1024).fill(3);
  await end(new Thread({ target: sum, args: [sheet, bytes] }));
  assertEquals(read(sheet), [bytes.length, 3 * Math.ceil(bytes.length / 1_000_003)]);
  assertEquals(bytes.length, 100 * 1024 * 1024);
});

Deno.test("args: a growable SharedArrayBuffer that grows over there has grown here", async () => {
  const buffer = new SharedArrayBuffer(8, { maxByteLength: 1 << 16 });
  await end(new Thread({ target: grow, args: [buffer] }));
  assertEquals(buffer.byteLength, 1 << 16);
  assertEquals(new Uint8Array(buffer).at(-1), 7);
});

Deno.test("args: what would arrive empty or not at all is a PicklingError at start() that says where it is", async () => {
  const bad: [unknown, string][] = [
    [() => {}, "args[0].deep[1]"],
    [Symbol("s"), "args[0].deep[1]"],
    [new WeakMap(), "WeakMap"],
    [Promise.resolve(), "Promise"],
    [new AbortController().signal, "AbortSignal"],
    [new Proxy({}, {}), "args[0].deep[1]"],
  ];
  for (const [value, words] of bad) {
    const thread = new Thread<unknown[]>({ target: nothing, args: [{ deep: [0, value] }] });
    const error = assertThrows(() => thread.start(), PicklingError);
    assertStringIncludes(error.message, words);
    assertStrictEquals(thread.ident, null);
  }
  await end(new Thread({ target: nothing }));
});

Deno.test("args: a getter that throws, throws at start() and leaves the thread startable", async () => {
  let angry = true;
  const args = [{
    get trouble(): number {
      if (angry) throw new Error("not now");
      return 1;
    },
  }];
  const thread = new Thread<unknown[]>({ target: nothing, args });
  assertThrows(() => thread.start(), Error, "not now");
  assertStrictEquals(thread.ident, null);
  angry = false;
  await end(thread);
});

Deno.test("target: what it returns need not travel", async () => {
  for (const what of ["function", "symbol", "weak map", "thread", "global"]) {
    const thread = new Thread({ target: giveUnclonable, args: [what] });
    await end(thread);
    assertFalse(thread.isAlive());
  }
});
