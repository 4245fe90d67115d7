import { assert, assertEquals, assertFalse, assertStringIncludes, assertThrows } from "@std/assert";
import {
  ExceptHookArgs,
  mainThread,
  PicklingError,
  setExcepthook,
  Thread,
} from "@batteries/concurrent/threading";
import { fail, failBeside, tellOn } from "../fixtures/threads/hooks.ts";
import { newSheet, read } from "../fixtures/threads/sheet.ts";
import { prints, run } from "./_program.ts";

async function told(how: string, target: typeof fail | typeof failBeside = fail) {
  const sheet = newSheet();
  setExcepthook(tellOn);
  try {
    const thread = new Thread({ target: target as typeof fail, args: [sheet, how], name: how });
    thread.start();
    await thread.join();
    assertFalse(thread.isAlive());
  } finally {
    setExcepthook(null);
  }
  return read(sheet);
}

Deno.test("setExcepthook: the hook is told of what left the target, in the thread that failed", async () => {
  const from = (how: string, rest: object) => ({
    stack: "string",
    thread: how,
    daemon: false,
    ...rest,
  });
  assertEquals(await told("throw"), from("throw", { type: "Known", value: "thrown" }));
  assertEquals(await told("reject"), from("reject", { type: "TypeError", value: "rejected" }));
  assertEquals(await told("freeze"), from("freeze", { type: "RangeError", value: "frozen" }));
  assertEquals((await told("recurse")).type, "RangeError");
});

Deno.test("setExcepthook: the hook is told of thrown values that are no errors", async () => {
  assertEquals(await told("null"), {
    value: null,
    stack: "undefined",
    thread: "null",
    daemon: false,
  });
  assertEquals((await told("undefined")).thread, "undefined");
  assertEquals((await told("object")).value, { code: 7 });
});

Deno.test("setExcepthook: the hook is told of errors beside the target, and the thread goes on", async () => {
  assertEquals((await told("timer", failBeside)).value, "in a timer");
  assertEquals((await told("microtask", failBeside)).value, "in a microtask");
  assertEquals((await told("rejection", failBeside)).value, "nobody awaits");
  assertEquals((await told("null", failBeside)).value, null);
});

Deno.test("setExcepthook: what is no function is a TypeError, what is not exported a PicklingError, and nothing is set", async () => {
  setExcepthook(tellOn);
  try {
    assertThrows(() => setExcepthook("print" as unknown as null), TypeError, "function or null");
    assertThrows(() => setExcepthook(undefined as unknown as null), TypeError);
    assertThrows(() => setExcepthook(() => {}), PicklingError, "export");
    const sheet = newSheet();
    const thread = new Thread({ target: fail, args: [sheet, "throw"] });
    thread.start();
    await thread.join();
    assertEquals(read(sheet).value, "thrown");
  } finally {
    setExcepthook(null);
  }
});

Deno.test("ExceptHookArgs: holds what it was made of", () => {
  const error = new Error("bug");
  const args = new ExceptHookArgs(Error, error, error.stack, mainThread());
  assertEquals(
    [args.excType, args.excValue, args.excTraceback, args.thread],
    [Error, error, error.stack, mainThread()],
  );
});

Deno.test("excepthook: prints the thread's name and the stack to standard error", async () => {
  const { code, out, err } = await run("excepthook.ts", { args: ["default"] });
  assertEquals([code, out], [0, "joined\n"]);
  assertStringIncludes(err, "Exception in thread the failing one:\nError: run failed\n    at fail");
  assertStringIncludes(err, "excepthook.ts:");
  assertFalse(err.includes("Uncaught"));
  assertEquals(err.match(/run failed/g)!.length, 1);
});

Deno.test("excepthook: shows the cause, own properties, and values that are no errors", async () => {
  const { code, err } = await run("excepthook.ts", { args: ["odd"] });
  assertEquals(code, 0);
  assertStringIncludes(err, "Exception in thread cause:");
  assertStringIncludes(err, "because of this");
  assertStringIncludes(err, 'code: "E_ODD"');
  assertStringIncludes(err, "Exception in thread null:\nnull\n");
  assertStringIncludes(err, "Exception in thread string:\n");
  assertStringIncludes(err, "just text");
  assertStringIncludes(err, "Exception in thread hostile:\n");
});

Deno.test("excepthook: without a thread names the calling one by its number", async () => {
  const { code, err } = await run("excepthook.ts", { args: ["no thread"] });
  assertEquals(code, 0);
  assertStringIncludes(err, "Exception in thread 1:\n");
  assertStringIncludes(err, "bug");
});

Deno.test("excepthook: an error in the hook is printed and ends nothing, be the hook async or not", async () => {
  for (const how of ["failing hook", "rejecting hook"]) {
    const { code, out, err } = await run("excepthook.ts", { args: [how] });
    assertEquals([code, out], [0, "joined\n"], err);
    assertEquals(err.match(/Exception in threading\.excepthook:/g)?.length, 1, err);
    assertStringIncludes(err, "the hook failed");
  }
});

Deno.test("excepthook: setting it to null gives back the default, a thread that was started before keeps its hook", async () => {
  const { code, out, err } = await run("excepthook.ts", { args: ["restore"] });
  assertEquals([code, out], [0, "hook: Thread-1 (fail)\njoined\n"], err);
  assertEquals(err.match(/Exception in thread/g)?.length, 1, err);
  assertStringIncludes(err, "Exception in thread Thread-2 (fail):");
});

Deno.test("excepthook: threads inherit the hook from who starts them, and may set one for their own", async () => {
  await prints("excepthook.ts", ["hook: inner", "hook: outer", "joined"], { args: ["inherit"] });
});

Deno.test("excepthook: may be called by a hook, for the rest", async () => {
  const { code, out, err } = await run("excepthook.ts", { args: ["delegate"] });
  assertEquals([code, out], [0, "hook: d\njoined\n"]);
  assert(err.startsWith("Exception in thread d:\n"), err);
});

Deno.test("excepthook: a closed standard error hurts nobody", async () => {
  await prints("excepthook.ts", ["joined"], { args: ["closed"] });
});
