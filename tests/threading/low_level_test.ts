import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import * as _thread from "@batteries/concurrent/_thread";
import {
  enumerate,
  getIdent,
  Lock,
  PicklingError,
  ThreadError,
  TIMEOUT_MAX,
} from "@batteries/concurrent/threading";
import { leave, task, tell } from "../fixtures/threads/low_level.ts";
import { newSheet, read } from "../fixtures/threads/sheet.ts";
import { prints, run } from "./_program.ts";

/** Waits until none of the threads is alive. */
async function gone(...idents: number[]): Promise<void> {
  for (const thread of enumerate()) if (idents.includes(thread.ident!)) await thread.join();
}

Deno.test("_thread: its names are threading's own things", () => {
  assertStrictEquals(_thread.LockType, Lock);
  assertStrictEquals(_thread.error, ThreadError);
  assertStrictEquals(_thread.TIMEOUT_MAX, TIMEOUT_MAX);
  assertStrictEquals(_thread.getIdent(), getIdent());
  assertInstanceOf(_thread.allocateLock(), Lock);
  assertEquals(_thread.allocateLock().locked(), false);
  assertEquals(_thread.stackSize(), 0);
  assertThrows(() => _thread.stackSize(1 << 20), _thread.error);
  assertThrows(() => _thread.allocateLock().release(), _thread.error);
});

Deno.test("startNewThread: runs the function in a daemon thread, and gives its number", async () => {
  const [sheet, done] = [newSheet(), _thread.allocateLock()];
  done.acquireSync();
  const ident = _thread.startNewThread(tell, [sheet, done]);
  done.acquireSync();
  assertNotEquals(ident, _thread.getIdent());
  assertEquals(read(sheet), { ident, current: ident, daemon: true });
  await gone(ident);
});

Deno.test("startNewThread: ten tasks, the last one of which opens the door", async () => {
  const running = new Int32Array(new SharedArrayBuffer(4));
  const [mutex, done] = [_thread.allocateLock(), _thread.allocateLock()];
  const barrier = [_thread.allocateLock(), _thread.allocateLock()];
  for (const lock of [done, ...barrier]) lock.acquireSync();
  const idents = [];
  for (let i = 0; i < 10; i++) {
    mutex.acquireSync();
    idents.push(_thread.startNewThread(task, [running, mutex, done, barrier]));
    running[0] += 1;
    mutex.release();
  }
  assertEquals(new Set(idents).size, 10);
  for (const lock of barrier) lock.release();
  await done.acquire();
  assertEquals(running[0], 0);
  await gone(...idents);
});

Deno.test("startNewThread: bad input is refused at the call", () => {
  const bad = (fn: unknown, args?: unknown) => _thread.startNewThread(fn as () => void, args as []);
  assertThrows(() => bad("f"), TypeError, "function");
  assertThrows(() => bad(undefined), TypeError, "function");
  assertThrows(() => bad(tell, "args"), TypeError, "array");
  assertThrows(() => bad(() => {}), PicklingError);
  assertThrows(() => bad(tell, [() => {}]), PicklingError, "args[0]");
});

Deno.test("exit: ends the thread, finally blocks run", async () => {
  const [sheet, done] = [newSheet(), _thread.allocateLock()];
  done.acquireSync();
  const ident = _thread.startNewThread(leave, [sheet, done]);
  await done.acquire();
  await gone(ident);
  assertEquals(read(sheet), ["try", "an Error", "finally"]);
  assertThrows(() => _thread.exit());
});

Deno.test("exit: is silent, from deep inside, after an await and in a rejected promise too", async () => {
  await prints("exit_silently.ts", ["deep", "awaited", "joined"]);
});

Deno.test("interruptMain: an unknown signal is a RangeError, and nothing happens", () => {
  for (const signal of ["SIGNONSENSE", "", "sigint", 0, -1, 2, 1_000_000, NaN]) {
    assertThrows(() => _thread.interruptMain(signal as "SIGINT"), RangeError, "no signal");
  }
  for (const signal of [null, {}, true]) {
    assertThrows(() => _thread.interruptMain(signal as unknown as "SIGINT"), TypeError);
  }
});

Deno.test("interruptMain: from a thread ends a program that is blocked in a Sync call", async () => {
  const { code, signal, out, err } = await run("interrupt.ts", { args: ["blocked"] });
  assertEquals([out, err], ["interrupting\n", ""]);
  assert(signal === "SIGINT" || code === 130, `${signal} ${code}`);
});

Deno.test("interruptMain: a listener of main gets the signal", async () => {
  await prints("interrupt.ts", ["interrupting", "SIGINT in main", "SIGTERM in main"], {
    args: ["listening"],
  });
});

Deno.test("interruptMain: without run permission throws an error that names the flag", async () => {
  await prints("interrupt.ts", [
    "NotCapable: Cannot interrupt the main thread: run with --allow-run",
  ], {
    args: ["here"],
    flags: ["--no-prompt"],
  });
});
