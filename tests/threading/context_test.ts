import { assertEquals, assertStrictEquals } from "@std/assert";
import { Context, copyContext } from "@batteries/concurrent/contextvars";
import { Thread, Timer } from "@batteries/concurrent/threading";
import { newSheet, read, type Sheet } from "../fixtures/threads/sheet.ts";
import {
  callback,
  change,
  level,
  setHidden,
  settings,
  tellVariables,
  user,
} from "../fixtures/threads/variables.ts";

const NOTHING = { user: "none", settings: [], callback: "undefined", level: 0, hidden: "none" };

async function tell(options: { context?: Context; target?: (sheet: Sheet) => void } = {}) {
  const sheet = newSheet();
  const thread = new Thread({ target: tellVariables, args: [sheet], ...options });
  thread.start();
  await thread.join();
  return read(sheet);
}

function inNewContext<R>(body: () => Promise<R>): Promise<R> {
  return new Context().run(body);
}

Deno.test("context: a thread starts with the values its creator has at start()", () =>
  inNewContext(async () => {
    user.set("before the constructor");
    const sheet = newSheet();
    const thread = new Thread({ target: tellVariables, args: [sheet] });
    user.set("at start");
    settings.set(new Map([["a", [1, { b: 2 }]]]));
    level.set(7);
    thread.start();
    user.set("after start");
    await thread.join();
    assertEquals(read(sheet), {
      ...NOTHING,
      user: "at start",
      settings: [["a", [1, { b: 2 }]]],
      level: 7,
    });
  }));

Deno.test("context: a thread has a copy, what it sets stays there, and the next thread does not see it", () =>
  inNewContext(async () => {
    user.set("mine");
    assertEquals(await tell({ target: change }), {
      ...NOTHING,
      user: "changed in the thread",
      level: 1,
    });
    assertStrictEquals(user.get(), "mine");
    assertStrictEquals(level.get(), 0);
    assertEquals(await tell(), { ...NOTHING, user: "mine" });
    assertEquals(await tell({ target: change }), {
      ...NOTHING,
      user: "changed in the thread",
      level: 1,
    });
  }));

Deno.test("context: values that cannot travel and variables that are not exported are left out, the rest arrives", () =>
  inNewContext(async () => {
    user.set("arrives");
    callback.set(() => {});
    setHidden("stays");
    assertEquals(await tell(), { ...NOTHING, user: "arrives" });
  }));

Deno.test("context: the one that is given wins over the creator's, and may be empty or used twice", () =>
  inNewContext(async () => {
    user.set("creator");
    const context = copyContext();
    context.run(() => user.set("given"));
    assertEquals(await tell({ context }), { ...NOTHING, user: "given" });
    assertEquals(await tell({ context, target: change }), {
      ...NOTHING,
      user: "changed in the thread",
      level: 1,
    });
    assertEquals(await tell({ context }), { ...NOTHING, user: "given" });
    assertEquals(await tell({ context: new Context() }), NOTHING);
    assertStrictEquals(context.get(user), "given");
  }));

Deno.test("context: a thread that is started by a thread gets what that one has", () =>
  inNewContext(async () => {
    user.set("outermost");
    assertEquals(await tell({ target: passOn }), { ...NOTHING, user: "set by the middle one" });
  }));

export function passOn(sheet: Sheet): void {
  user.set("set by the middle one");
  const thread = new Thread({ target: tellVariables, args: [sheet] });
  thread.start();
  thread.joinSync();
}

Deno.test("context: a Timer has its starter's, too", () =>
  inNewContext(async () => {
    user.set("of the timer");
    const sheet = newSheet();
    const timer = new Timer(0, tellVariables, { args: [sheet] });
    timer.start();
    await timer.join();
    assertEquals(read(sheet), { ...NOTHING, user: "of the timer" });
  }));

Deno.test("context: it follows the target through awaits and timers", () =>
  inNewContext(async () => {
    user.set("far");
    assertEquals(await tell({ target: muchLater }), { ...NOTHING, user: "far" });
  }));

export async function muchLater(sheet: Sheet): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  await Promise.resolve();
  await new Promise<void>((resolve) => queueMicrotask(() => resolve(tellVariables(sheet))));
}
