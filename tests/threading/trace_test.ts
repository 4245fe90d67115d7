import { assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Event,
  getprofile,
  gettrace,
  PicklingError,
  setprofile,
  setprofileAllThreads,
  settrace,
  settraceAllThreads,
  Thread,
} from "@batteries/concurrent/threading";
import { run } from "./_program.ts";
import { profile, tellTraced, trace } from "../fixtures/threads/hooks.ts";
import { newSheet, read, type Sheet, write } from "../fixtures/threads/sheet.ts";

const PAIRS = [
  [settrace, gettrace, trace, "trace"],
  [settraceAllThreads, gettrace, trace, "trace"],
  [setprofile, getprofile, profile, "profile"],
  [setprofileAllThreads, getprofile, profile, "profile"],
] as const;

for (const [set, get, fn, name] of PAIRS) {
  Deno.test(`${set.name}: sets what ${get.name} gives, and null takes it away`, () => {
    assertStrictEquals(get(), null);
    set(fn);
    try {
      assertStrictEquals(get(), fn);
      assertThrows(() => set("fn" as unknown as null), TypeError, "function or null");
      assertThrows(() => set(() => {}), PicklingError, `use as a ${name} function`);
      assertStrictEquals(get(), fn);
    } finally {
      set(null);
    }
    assertStrictEquals(get(), null);
  });

  Deno.test(`${set.name}: the function is called around the target of threads that are started later`, async () => {
    const sheet = newSheet();
    const [begun, go] = [new Event(), new Event()];
    const seenBefore = newSheet();
    const before = new Thread({ target: wait, args: [begun, go, seenBefore] });
    before.start();
    await begun.wait();
    set(fn);
    try {
      const thread = new Thread({ target: inside, args: [sheet], name: "traced" });
      thread.start();
      await thread.join();
    } finally {
      set(null);
    }
    // What the function saw until then: the call, and nothing of the thread that ran before.
    assertEquals(callsOf("inside", sheet), [[name, "inside", "traced", "call", null]]);
    go.set();
    await before.join();
    assertEquals(callsOf("wait", seenBefore), []);
    const after = newSheet();
    const untraced = new Thread({ target: inside, args: [after] });
    untraced.start();
    await untraced.join();
    assertEquals(callsOf("inside", after), []);
  });
}

/** The calls of that function; a worker may have seen ends of other threads before. */
function callsOf(name: string, sheet: Sheet): unknown[] {
  return (read(sheet) as unknown[][]).filter((event) => event[1] === name && event[3] === "call");
}

export function wait(begun: Event, go: Event, sheet: Sheet): void {
  begun.set();
  go.waitSync();
  tellTraced(sheet);
}

export function inside(sheet: Sheet): void {
  tellTraced(sheet);
}

export function whatIsSet(sheet: Sheet): void {
  const inner = newSheet();
  const thread = new Thread({ target: whatIsSetInside, args: [inner] });
  thread.start();
  thread.joinSync();
  write(sheet, [gettrace()?.name, getprofile()?.name, ...read(inner)]);
}

export function whatIsSetInside(sheet: Sheet): void {
  write(sheet, [gettrace()?.name, getprofile()?.name]);
}

Deno.test("settrace, setprofile: threads inherit them from the thread that starts them", async () => {
  const sheet = newSheet();
  settrace(trace);
  setprofile(profile);
  try {
    const thread = new Thread({ target: whatIsSet, args: [sheet] });
    thread.start();
    await thread.join();
    assertEquals(read(sheet), ["trace", "profile", "trace", "profile"]);
  } finally {
    settrace(null);
    setprofile(null);
  }
});

Deno.test("settrace, setprofile: are told of calls, results, errors, with an async target awaited", async () => {
  const { code, out, err } = await run("trace.ts");
  assertEquals(code, 0);
  assertEquals(out.split("\n"), [
    "trace giveLater one call undefined",
    "profile giveLater call undefined",
    "trace giveLater one return given",
    "profile giveLater return given",
    "trace fail two call undefined",
    "profile fail call undefined",
    "trace fail two exception the target failed",
    "profile fail exception the target failed",
    "trace run three call undefined",
    "profile run call undefined",
    "trace run three return of run",
    "profile run return of run",
    "",
  ]);
  // An error in a trace function is the thread's own.
  assertMatch(
    err,
    /Exception in thread two:\nError: the target failed[^]*Exception in thread four:\nError: the trace function failed/,
  );
});
