import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  activeCount,
  currentThread,
  enumerate,
  Event,
  getIdent,
  getNativeId,
  mainThread,
  PicklingError,
  stackSize,
  Thread,
  ThreadError,
  TIMEOUT_MAX,
  Timer,
} from "@batteries/concurrent/threading";
import { newSheet, read, type Sheet, write } from "../fixtures/threads/sheet.ts";
import { nothing, slow, who } from "../fixtures/threads/targets.ts";

export function waitFor(started: Event, go: Event): void {
  started.set();
  go.waitSync();
}

export function nested(sheet: Sheet): void {
  const out = newSheet();
  const thread = new Thread({ target: who, args: [out] });
  thread.start();
  thread.joinSync();
  write(sheet, { ...read(out), alive: thread.isAlive() });
}

export async function nestedAsync(sheet: Sheet, daemon: boolean): Promise<void> {
  const out = newSheet();
  const thread = new Thread({ target: who, args: [out] });
  thread.daemon = daemon;
  thread.start();
  await thread.join();
  write(sheet, read(out));
}

/** A started thread that waits for `go`. */
async function started(options: { daemon?: boolean; name?: string } = {}) {
  const [begun, go] = [new Event(), new Event()];
  const thread = new Thread({ target: waitFor, args: [begun, go], ...options });
  thread.start();
  await begun.wait();
  return {
    thread,
    async end() {
      go.set();
      await thread.join();
    },
  };
}

Deno.test("Thread: by default has a number and the name of its target, and is no daemon", () => {
  const bare = new Thread();
  assertMatch(bare.name, /^Thread-\d+$/);
  assertFalse(bare.daemon);
  assertFalse(bare.isAlive());
  assertStrictEquals(bare.ident, null);
  assertStrictEquals(bare.nativeId, null);
  assertMatch(new Thread({ target: nothing }).name, /^Thread-\d+ \(nothing\)$/);
  assertStrictEquals(new Thread({ target: nothing, name: "mine" }).name, "mine");
  assertMatch(new Thread({ name: "" }).name, /^Thread-\d+$/);
  assertMatch(new Thread({ target: nothing, name: "" }).name, /^Thread-\d+ \(nothing\)$/);
  assertNotEquals(new Thread().name, new Thread().name);
});

Deno.test("Thread: without a target starts, does nothing and ends", async () => {
  const thread = new Thread();
  thread.start();
  await thread.join();
  assertFalse(thread.isAlive());
});

Deno.test("Thread: an option of the wrong type is a TypeError that says what it got", () => {
  const bad = (options: unknown, message: string) =>
    assertThrows(() => new Thread(options as { name: string }), TypeError, message);
  bad(null, "options must be an object");
  bad("work", "options must be an object");
  bad({ target: "work" }, "target must be a function, got string");
  bad({ target: null }, "target must be a function, got null");
  bad({ args: 1 }, "args must be an array, got number");
  bad({ args: { length: 0 } }, "args must be an array, got object");
  bad({ name: 123 }, "name must be a string, got number");
  bad({ daemon: "yes" }, "daemon must be a boolean, got string");
  bad({ context: {} }, "context must be a Context");
});

Deno.test("start: a second call throws ThreadError while the thread runs and after it has ended", async () => {
  const { thread, end } = await started();
  assertThrows(() => thread.start(), ThreadError, "has been started before");
  await end();
  assertThrows(() => thread.start(), ThreadError, "has been started before");
});

Deno.test("join: on a thread that was not started, on oneself, throws ThreadError in both forms", async () => {
  const thread = new Thread();
  assertThrows(() => thread.joinSync(), ThreadError, "has not been started");
  await assertRejects(() => thread.join(), ThreadError, "has not been started");
  assertThrows(() => currentThread().joinSync(), ThreadError, "cannot wait for itself");
  await assertRejects(() => currentThread().join(), ThreadError, "cannot wait for itself");
});

export function joinMyself(sheet: Sheet): void {
  try {
    currentThread().joinSync();
  } catch (error) {
    write(sheet, [(error as Error).name, error instanceof ThreadError]);
  }
}

Deno.test("join: on oneself throws in a thread too", async () => {
  const sheet = newSheet();
  const thread = new Thread({ target: joinMyself, args: [sheet] });
  thread.start();
  await thread.join();
  assertEquals(read(sheet), ["ThreadError", true]);
});

Deno.test("join: resolves when time is up, with the thread still alive", async () => {
  const { thread, end } = await started();
  for (const timeout of [0, -1, 1]) {
    await thread.join({ timeout });
    assert(thread.isAlive());
    thread.joinSync({ timeout });
    assert(thread.isAlive());
  }
  await end();
  assertFalse(thread.isAlive());
  await thread.join({ timeout: 0 });
  thread.joinSync({ timeout: -1 });
  thread.joinSync();
});

Deno.test("join: an aborted signal rejects with its reason, and the thread can be joined again", async () => {
  const { thread, end } = await started();
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  assertStrictEquals(await assertRejects(() => thread.join({ signal: aborted })), reason);
  assertStrictEquals(assertThrows(() => thread.joinSync({ signal: aborted })), reason);
  const controller = new AbortController();
  const joining = thread.join({ signal: controller.signal });
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => joining), reason);
  assert(thread.isAlive());
  await end();
});

Deno.test("join: bad times are refused at the call", async () => {
  const { thread, end } = await started();
  for (const timeout of [NaN, TIMEOUT_MAX * 2, Infinity]) {
    assertThrows(() => thread.joinSync({ timeout }), RangeError);
    await assertRejects(() => thread.join({ timeout }), RangeError);
  }
  const text = "5" as unknown as number;
  assertThrows(() => thread.joinSync({ timeout: text }), TypeError);
  await assertRejects(() => thread.join({ timeout: text }), TypeError);
  await thread.join({ timeout: 0, signal: undefined });
  await end();
});

Deno.test("join: many at once, of both forms, from several threads, all return", async () => {
  const { thread, end } = await started();
  const joins = [thread.join(), thread.join(), thread.join({ timeout: TIMEOUT_MAX })];
  const others = [1, 2, 3].map(() => {
    const [begun, sheet] = [new Event(), newSheet()];
    const other = new Thread({ target: joinByIdent, args: [thread.ident!, begun, sheet] });
    other.start();
    return { other, begun, sheet };
  });
  for (const { begun } of others) await begun.wait();
  await end();
  await Promise.all(joins);
  for (const { other, sheet } of others) {
    await other.join();
    assertEquals(read(sheet), { found: true, alive: false });
  }
});

export function joinByIdent(ident: number, begun: Event, sheet: Sheet): void {
  const thread = enumerate().find((one) => one.ident === ident);
  begun.set();
  thread?.joinSync();
  write(sheet, { found: thread !== undefined, alive: thread?.isAlive() });
}

Deno.test("isAlive: true from start() on, and enumerate knows the thread", () => {
  const thread = new Thread({ target: nothing });
  assertFalse(enumerate().includes(thread));
  const go = new Event();
  const sheet = newSheet();
  const waiting = new Thread({ target: slow, args: [sheet, go] });
  const before = activeCount();
  waiting.start();
  assert(waiting.isAlive());
  assert(enumerate().includes(waiting));
  assertEquals(activeCount(), before + 1);
  go.set();
  waiting.joinSync();
  assertFalse(waiting.isAlive());
  assertEquals(activeCount(), before);
  assertEquals(read(sheet), "awaited");
});

Deno.test("enumerate: never shows a thread that was joined, a hundred times over", () => {
  for (let i = 0; i < 100; i++) {
    const thread = new Thread({ target: nothing });
    thread.start();
    thread.joinSync();
    assertFalse(enumerate().includes(thread));
  }
});

Deno.test("enumerate: gives the very objects that were made here, and the main thread first", async () => {
  const { thread, end } = await started();
  const all = enumerate();
  assertStrictEquals(all[0], mainThread());
  assertStrictEquals(all.find(({ ident }) => ident === thread.ident), thread);
  await end();
});

Deno.test("currentThread: is the main thread here, the same object each time", () => {
  assertStrictEquals(currentThread(), mainThread());
  assertStrictEquals(currentThread(), currentThread());
  assertEquals(currentThread().name, "MainThread");
  assertEquals(currentThread().ident, getIdent());
  assert(currentThread().isAlive());
  assertFalse(currentThread().daemon);
  assertInstanceOf(mainThread(), Thread);
  assertThrows(() => mainThread().start(), ThreadError);
});

Deno.test("ident: is known when start() returns, is that of the thread, and is never used again", async () => {
  const idents = new Set<number>([getIdent()]);
  for (let i = 0; i < 20; i++) {
    const sheet = newSheet();
    const thread = new Thread({ target: who, args: [sheet] });
    thread.start();
    const { ident } = thread;
    assert(ident !== null && !idents.has(ident));
    idents.add(ident);
    await thread.join();
    assertEquals(read(sheet), { name: thread.name, daemon: false, ident, getIdent: ident });
    assertEquals(thread.ident, ident);
  }
});

export function tellNative(sheet: Sheet, told: Event, go: Event): void {
  const link = Deno.build.os === "linux" ? Deno.readLinkSync("/proc/thread-self") : "";
  const tid = link === "" ? getNativeId() : Number(link.split("/").at(-1));
  write(sheet, { native: getNativeId(), tid, own: currentThread().nativeId });
  told.set();
  go.waitSync();
}

Deno.test("nativeId: is known when start() returns, is the operating system's, and differs between live threads", async () => {
  const go = new Event();
  const threads = [1, 2, 3, 4].map(() => {
    const [sheet, told] = [newSheet(), new Event()];
    const thread = new Thread({ target: tellNative, args: [sheet, told, go] });
    thread.start();
    return { thread, sheet, told, native: thread.nativeId };
  });
  const natives = new Set<number>([getNativeId()]);
  for (const { thread, sheet, told, native } of threads) {
    await told.wait();
    assertEquals(read(sheet), { native, tid: native, own: native });
    assertEquals(thread.nativeId, native);
    natives.add(native!);
  }
  assertEquals(natives.size, 5);
  go.set();
  for (const { thread } of threads) await thread.join();
  assertEquals(mainThread().nativeId, getNativeId());
  if (Deno.build.os === "linux") assertEquals(getNativeId(), Deno.pid);
});

Deno.test("nativeId: stays when the thread has ended, though nobody looked before", async () => {
  const sheet = newSheet();
  const [told, go] = [new Event(), new Event()];
  go.set();
  const thread = new Thread({ target: tellNative, args: [sheet, told, go] });
  thread.start();
  await thread.join();
  assertEquals(thread.nativeId, read(sheet).native);
  // Nor does it matter that others have had its place since.
  const unseen = [1, 2, 3].map(() => {
    const [sheet, told] = [newSheet(), new Event()];
    const thread = new Thread({ target: tellNative, args: [sheet, told, go] });
    thread.start();
    return { thread, sheet, told };
  });
  for (const { told } of unseen) await told.wait();
  for (let i = 0; i < 20; i++) {
    const other = new Thread();
    other.start();
    await other.join();
  }
  for (const { thread, sheet } of unseen) assertEquals(thread.nativeId, read(sheet).native);
});

Deno.test("daemon: is inherited from the thread that makes it, and an option wins", async () => {
  for (const daemon of [true, false]) {
    const sheet = newSheet();
    const outer = new Thread({ target: nested, args: [sheet], daemon });
    assertEquals(outer.daemon, daemon);
    outer.start();
    await outer.join();
    assertEquals(read(sheet).daemon, daemon);
    assertEquals(read(sheet).alive, false);
    const other = new Thread({ target: nestedAsync, args: [sheet, !daemon], daemon });
    other.start();
    await other.join();
    assertEquals(read(sheet).daemon, !daemon);
  }
});

Deno.test("daemon: may be set before start() only", async () => {
  const { thread, end } = await started();
  assertThrows(() => thread.daemon = true, ThreadError, "has been started");
  assertFalse(thread.daemon);
  await end();
  assertThrows(() => thread.daemon = true, ThreadError, "has been started");
  assertThrows(() => currentThread().daemon = true, ThreadError);
  const fresh = new Thread();
  fresh.daemon = true;
  assert(fresh.daemon);
  assertThrows(() => fresh.daemon = 1 as unknown as boolean, TypeError, "boolean");
});

export function rename(name: string, renamed: Event, go: Event): void {
  currentThread().name = name;
  renamed.set();
  go.waitSync();
}

export function readNames(sheet: Sheet): void {
  write(sheet, enumerate().map(({ name }) => name));
}

Deno.test("name: changes are seen from every thread, and last after the end", async () => {
  const [renamed, go] = [new Event(), new Event()];
  const names = ["ünïcødé 🧵", "lone \ud800 surrogate", "n".repeat(10_000), "", "twin", "twin"];
  for (const name of names) {
    renamed.clear();
    go.clear();
    const thread = new Thread({ target: rename, args: [name, renamed, go], name: "before" });
    thread.start();
    await renamed.wait();
    assertEquals(thread.name, name);
    thread.name = `${name}, then from outside`;
    const sheet = newSheet();
    const reader = new Thread({ target: readNames, args: [sheet], name: "reader" });
    reader.start();
    await reader.join();
    const seen = read(sheet) as string[];
    assert(seen.includes(thread.name), seen.join());
    assertFalse(seen.includes("before"));
    go.set();
    await thread.join();
    assertEquals(thread.name, `${name}, then from outside`);
    thread.name = "even later";
    assertEquals(thread.name, "even later");
  }
  assertThrows(() => new Thread().name = 1 as unknown as string, TypeError, "string");
});

Deno.test("name: one that is changed before start() is the thread's", async () => {
  const sheet = newSheet();
  const thread = new Thread({ target: who, args: [sheet] });
  thread.name = "chosen late";
  thread.start();
  await thread.join();
  assertEquals(read(sheet).name, "chosen late");
});

Deno.test("name: the main thread can be renamed, and threads see it", async () => {
  const sheet = newSheet();
  mainThread().name = "the boss";
  try {
    const reader = new Thread({ target: readNames, args: [sheet] });
    reader.start();
    await reader.join();
    assert((read(sheet) as string[]).includes("the boss"));
  } finally {
    mainThread().name = "MainThread";
  }
});

Deno.test("Thread: does not travel, and the message says what to do instead", () => {
  const thread = new Thread({ target: nothing });
  assertThrows(
    () => new Thread({ target: who as (...args: unknown[]) => void, args: [thread] }).start(),
    PicklingError,
    "enumerate()",
  );
});

Deno.test("stackSize: is 0, and any other size is refused", () => {
  assertEquals(stackSize(), 0);
  assertEquals(stackSize(0), 0);
  assertThrows(() => stackSize(262_144), ThreadError, "not support");
  assertThrows(() => stackSize(-4096), RangeError);
  assertThrows(() => stackSize(1.5), RangeError);
  assertThrows(() => stackSize("1" as unknown as number), TypeError);
});

Deno.test("run: can be called here, without a thread", () => {
  const seen: unknown[] = [];
  class Direct extends Thread {
    override run(): string {
      seen.push(currentThread().name);
      return "ran";
    }
  }
  assertEquals(new Direct().run(), "ran");
  assertEquals(seen, ["MainThread"]);
  const sheet = newSheet();
  new Thread({ target: write, args: [sheet, [1]] }).run();
  assertEquals(read(sheet), [1]);
});

Deno.test("Thread: those that nobody joins end all the same", async () => {
  const sheets = Array.from({ length: 5 }, () => newSheet());
  const go = new Event();
  const idents = sheets.map((sheet) => {
    const thread = new Thread({ target: slow, args: [sheet, go] });
    thread.start();
    return thread.ident!;
  });
  go.set();
  // Found again by their numbers: the objects above may be gone.
  for (const thread of enumerate()) {
    if (idents.includes(thread.ident!)) await thread.join();
  }
  for (const sheet of sheets) assertEquals(read(sheet), "awaited");
});

Deno.test("Thread: of any function is a Thread, for the type checker too", () => {
  const threads: Thread[] = [
    new Thread({ target: slow, args: [newSheet(), new Event()] }),
    new Thread({ target: nothing }),
    new Timer(1, slow, { args: [newSheet(), new Event()] }),
  ];
  const timers: Timer[] = [new Timer(1, slow, { args: [newSheet(), new Event()] })];
  const one: Thread = new Thread({ target: rename, args: ["a", new Event(), new Event()] });
  threads.push(one, ...timers);
  // @ts-expect-error: an argument is missing
  new Thread({ target: who, args: [] });
  // @ts-expect-error: an argument of the wrong type
  new Timer(1, who, { args: [1] });
  for (const thread of threads) assertFalse(thread.isAlive());
});
