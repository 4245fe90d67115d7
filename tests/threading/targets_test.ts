import {
  assert,
  assertEquals,
  assertFalse,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  currentThread,
  Event,
  PicklingError,
  task,
  Thread,
  ThreadError,
  Timer,
} from "@batteries/concurrent/threading";
import { newSheet, read, type Sheet, write } from "../fixtures/threads/sheet.ts";
import Default, {
  Around,
  around,
  AsyncCounter,
  Counter,
  makeUnexported,
  WithClosure,
} from "../fixtures/threads/subclasses.ts";
import defaultTarget, * as targets from "../fixtures/threads/targets.ts";

/** Runs a thread to its end. */
async function end(thread: Thread): Promise<void> {
  thread.start();
  await thread.join();
}

async function answer<A extends unknown[]>(
  target: (sheet: Sheet, ...rest: A) => unknown,
  ...rest: A
): Promise<unknown> {
  const sheet = newSheet();
  await end(new Thread({ target, args: [sheet, ...rest] as [Sheet, ...A] }));
  return read(sheet);
}

export function ofThisFile(sheet: Sheet, value: unknown): void {
  write(sheet, ["of this file", value, import.meta.main]);
}

export const ofThisFileArrow = async (sheet: Sheet, value: unknown): Promise<void> => {
  await Promise.resolve();
  write(sheet, value);
};

export class Here {
  static work(sheet: Sheet, value: unknown): void {
    write(sheet, ["here", value]);
  }
}

function notExported(): void {}

const named = task(import.meta, function namedByTask(sheet: Sheet): void {
  write(sheet, "task");
});

Deno.test("target: an export of the file that starts the thread, with import.meta.main false there", async () => {
  assertEquals(await answer(ofThisFile, 1), ["of this file", 1, false]);
  assertEquals(await answer(ofThisFileArrow, 2), 2);
  assertEquals(await answer(Here.work, 3), ["here", 3]);
});

Deno.test("target: an export of another module: function, arrow, default, static, member, async", async () => {
  assertEquals(await answer(targets.work, 1, "a"), [1, "a"]);
  assertEquals(await answer(targets.arrow, 2), 2);
  assertEquals(await answer(defaultTarget, 3), ["default", 3]);
  assertEquals(await answer(targets.Job.run, 4), ["static", 4]);
  assertEquals(await answer(targets.jobs.nested, 5), ["nested", 5]);
  const go = new Event();
  go.set();
  assertEquals(await answer(targets.slow, go), "awaited");
});

Deno.test("target: what task() named need not be exported", async () => {
  assertEquals(await answer(named), "task");
});

Deno.test("target: a generator function is called, its body does not run", async () => {
  await end(new Thread({ target: targets.generate }));
});

Deno.test("target: what cannot travel is a PicklingError when the Thread is made, and says how to mend it", () => {
  const refused = (target: (...args: never[]) => unknown, ...words: string[]) => {
    const error = assertThrows(() => new Thread({ target }), PicklingError);
    for (const word of words) assertStringIncludes(error.message, word);
    assertThrows(() => new Timer(1, target), PicklingError, words[0]);
  };
  const captured = 1;
  const closure = () => captured;
  refused(closure, "'closure'", "export");
  refused(() => {}, "an anonymous function", "export");
  refused(notExported, "'notExported'", "export");
  refused(targets.getHidden(), "'hidden'", "export");
  refused(targets.makeClosure(1), "export");
  refused(targets.work.bind(null) as () => void, "'work'", "bind");
  refused(Math.max as () => void, "native");
  refused(console.log as () => void, "'log'");
  refused(new Proxy(targets.nothing, {}), "Proxy");
});

Deno.test("target: what is refused starts nothing and breaks nothing", async () => {
  const alive = currentThread();
  for (let i = 0; i < 3; i++) assertThrows(() => new Thread({ target: () => i }), PicklingError);
  assertEquals(await answer(targets.work, "after"), ["after"]);
  assert(alive.isAlive());
});

Deno.test("subclass: run() is called in the thread on an instance with its own fields, not constructed again", async () => {
  for (const type of [Counter, AsyncCounter]) {
    const [total, sheet] = [new Int32Array(new SharedArrayBuffer(4)), newSheet()];
    const thread = new type(5, total, sheet);
    thread.table.set("self-made", new Date(0));
    await end(thread);
    assertEquals(total[0], 5);
    assertEquals(read(sheet), {
      constructed: 0,
      name: "counter by 5",
      daemon: true,
      itself: true,
      isCounter: true,
      table: [["a", [1]], ["self-made", "1970-01-01T00:00:00.000Z"]],
      helped: "help of 5",
    });
  }
});

Deno.test("subclass: fields set after construction travel, as they are at start()", async () => {
  const sheet = newSheet();
  const thread = new Default();
  thread.sheet = sheet;
  await end(thread);
  assertEquals(read(sheet), "default class");
});

Deno.test("subclass: super.run() calls the target, and the target finds the instance", async () => {
  const sheet = newSheet();
  await end(new Around({ target: around, args: [sheet] }));
  assertEquals(read(sheet), "extra");
});

Deno.test("subclass: one without a run of its own, but with fields, is the current thread there", async () => {
  const sheet = newSheet();
  const thread = new Tagged({ target: readTag, args: [sheet] });
  thread.tag = "mine";
  await end(thread);
  assertEquals(read(sheet), { tag: "mine", tagged: true });
});

export class Tagged extends Thread<[Sheet]> {
  tag = "";
}

export function readTag(sheet: Sheet): void {
  const me = currentThread();
  write(sheet, { tag: (me as unknown as Tagged).tag, tagged: me instanceof Tagged });
}

Deno.test("subclass: one that is not exported runs its target as a plain Thread", async () => {
  const sheet = newSheet();
  class Local extends Thread<[Sheet]> {
    callback = () => {};
  }
  await end(new Local({ target: around, args: [sheet] }));
  assertEquals(read(sheet), null);
});

Deno.test("subclass: what cannot travel is a PicklingError at start(), the thread is still not started", () => {
  const closure = new WithClosure();
  const error = assertThrows(() => closure.start(), PicklingError);
  assertStringIncludes(error.message, "callback");
  assertFalse(closure.isAlive());
  assertEquals(closure.ident, null);
  const unexported = makeUnexported();
  assertThrows(() => unexported.start(), PicklingError, "Unexported");
  assertEquals(unexported.ident, null);
  class Inner extends Thread {
    override run(): void {}
  }
  assertThrows(() => new Inner().start(), PicklingError, "Inner");
});

Deno.test("start: arguments that cannot travel leave the thread startable", async () => {
  const sheet = newSheet();
  const args: [Sheet, unknown] = [sheet, () => {}];
  const thread = new Thread({ target: targets.arrow, args });
  assertThrows(() => thread.start(), PicklingError, "args[1]");
  assertEquals(thread.ident, null);
  assertFalse(thread.isAlive());
  await assertRejects(() => thread.join(), ThreadError, "not been started");
  args[1] = "mended";
  await end(thread);
  assertEquals(read(sheet), "mended");
});
