import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Event, Thread, ThreadError, TIMEOUT_MAX, Timer } from "@batteries/concurrent/threading";
import { newSheet, read, type Sheet, write } from "../fixtures/threads/sheet.ts";
import { Late } from "../fixtures/threads/subclasses.ts";
import { nothing, work } from "../fixtures/threads/targets.ts";

export function count(calls: Int32Array, fired: Event): void {
  Atomics.add(calls, 0, 1);
  fired.set();
}

export function clock(sheet: Sheet): void {
  write(sheet, performance.timeOrigin + performance.now());
}

export async function fails(): Promise<void> {
  await Promise.reject(new Error("the timer's function failed"));
}

function newCalls(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

Deno.test("Timer: is a Thread, calls its function once with its arguments, and ends", async () => {
  const sheet = newSheet();
  const timer = new Timer(1, work, { args: [sheet, "a", [1]] });
  assertInstanceOf(timer, Thread);
  assertMatch(timer.name, /^Thread-\d+$/);
  timer.start();
  assertThrows(() => timer.start(), ThreadError);
  await timer.join();
  assertEquals(read(sheet), ["a", [1]]);
  assert(timer.finished.isSet());
  assertFalse(timer.isAlive());
});

Deno.test("Timer: does not fire before its time", async () => {
  const sheet = newSheet();
  const timer = new Timer(30, clock, { args: [sheet] });
  const start = performance.timeOrigin + performance.now();
  timer.start();
  await timer.join();
  assert(read(sheet) - start >= 30);
});

Deno.test("Timer: an interval of 0 or less fires at once", async () => {
  for (const interval of [0, -5, -Infinity]) {
    const [calls, fired] = [newCalls(), new Event()];
    const timer = new Timer(interval, count, { args: [calls, fired] });
    timer.start();
    await timer.join();
    assertEquals(calls[0], 1);
  }
});

Deno.test("Timer: cancelled while it waits, it ends at once and does not fire", async () => {
  const [calls, fired] = [newCalls(), new Event()];
  const timer = new Timer(TIMEOUT_MAX, count, { args: [calls, fired] });
  timer.start();
  assert(timer.isAlive());
  timer.cancel();
  timer.cancel();
  await timer.join();
  assertFalse(fired.isSet());
  assertEquals(calls[0], 0);
});

Deno.test("Timer: cancelled before start() it does not fire, however soon its time is", async () => {
  const [calls, fired] = [newCalls(), new Event()];
  const timer = new Timer(0, count, { args: [calls, fired] });
  timer.cancel();
  timer.start();
  timer.joinSync();
  assertEquals(calls[0], 0);
  const never = new Timer(0, count, { args: [calls, fired] });
  never.cancel();
  assertFalse(never.isAlive());
  await Promise.resolve();
  assertEquals(calls[0], 0);
});

Deno.test("Timer: cancelled after it has fired nothing happens", async () => {
  const [calls, fired] = [newCalls(), new Event()];
  const timer = new Timer(1, count, { args: [calls, fired] });
  timer.start();
  await fired.wait();
  timer.cancel();
  await timer.join();
  timer.cancel();
  assertEquals(calls[0], 1);
});

export function cancelIt(finished: Event): void {
  finished.set();
}

Deno.test("Timer: can be cancelled from another thread, through its event", async () => {
  const [calls, fired] = [newCalls(), new Event()];
  const timer = new Timer(TIMEOUT_MAX, count, { args: [calls, fired] });
  timer.start();
  const other = new Thread({ target: cancelIt, args: [timer.finished] });
  other.start();
  await Promise.all([other.join(), timer.join()]);
  assertEquals(calls[0], 0);
});

Deno.test("Timer: its arguments are its own, changes before start() count", async () => {
  const one = new Timer(1, nothing);
  (one.args as unknown[]).push("mine");
  assertEquals(new Timer(1, nothing).args, []);
  const sheet = newSheet();
  const timer = new Timer<unknown[]>(0, work as () => void, { args: [sheet] });
  timer.args.push("late");
  timer.start();
  await timer.join();
  assertEquals(read(sheet), ["late"]);
  assertStrictEquals(timer.interval, 0);
  assertStrictEquals(timer.function, work);
});

Deno.test("Timer: a subclass runs around it", async () => {
  const sheet = newSheet();
  const timer = new Late(1, work, { args: [sheet] });
  timer.start();
  await timer.join();
  assertEquals(read(sheet), ["late", true]);
});

Deno.test("Timer: bad input is refused when it is made", () => {
  const text = "5" as unknown as number;
  assertThrows(() => new Timer(text, nothing), TypeError);
  assertThrows(() => new Timer(NaN, nothing), RangeError);
  assertThrows(() => new Timer(Infinity, nothing), RangeError);
  assertThrows(() => new Timer(1, undefined as unknown as () => void), TypeError, "function");
  assertThrows(() => new Timer(1, nothing, { args: "ab" as unknown as [] }), TypeError, "array");
  assertThrows(
    () => new Timer(1, nothing, null as unknown as { args: [] }),
    TypeError,
    "Cannot make a Timer",
  );
});
