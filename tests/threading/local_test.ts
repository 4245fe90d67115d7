/** `Local`. CPython's: `test_threading_local`. */

import { assert, assertEquals, assertFalse, assertInstanceOf, assertThrows } from "@std/assert";
import { Event, Local, PicklingError, Thread } from "@batteries/concurrent/threading";
import {
  compareLocals,
  Counted,
  Fields,
  Fragile,
  keepAcrossAwait,
  leaveInModule,
  leaveSomething,
  Outer,
  useCounted,
  useFragile,
  useNames,
  useOuter,
} from "../fixtures/threading/local_parties.ts";
import { untilWord } from "../contracts/world.ts";

const newBoard = () => new Int32Array(new SharedArrayBuffer(32));

async function run<A extends unknown[]>(target: (...args: A) => unknown, ...args: A) {
  const thread = new Thread({ target, args });
  thread.start();
  await thread.join();
}

Deno.test("Local: behaves as an object of the thread that uses it", () => {
  const local = new Local();
  assertEquals(Object.keys(local), []);
  local.x = 5;
  local["a name"] = [1];
  assertEquals({ ...local }, { x: 5, "a name": [1] });
  assertEquals(Object.entries(local), [["x", 5], ["a name", [1]]]);
  assert("x" in local);
  assert(Object.hasOwn(local, "x"));
  assert(delete local.x);
  assertFalse("x" in local);
  assertEquals(local.x, undefined);
  assert(delete local.never);
  Object.assign(local, { y: 1 });
  Object.defineProperty(local, "z", { value: 2, enumerable: false });
  assertEquals(local.z, 2);
  const forGood = { value: 3, configurable: false };
  assertThrows(() => Object.defineProperty(local, "for good", forGood), TypeError);
  assertFalse("for good" in local);
  assertEquals(Object.keys(local), ["a name", "y"]);
  assertInstanceOf(local, Local);
  assertEquals(Object.prototype.toString.call(local), "[object Object]");
  const symbol = Symbol("mine");
  (local as Record<symbol, unknown>)[symbol] = 3;
  assertEquals(Object.getOwnPropertySymbols(local), [symbol]);
});

Deno.test("Local: two are apart, also of one subclass; constructor arguments are the subclass's own affair", () => {
  const [a, b] = [new Local(), new Local()];
  a.x = 1;
  assertEquals(b.x, undefined);
  const [c, d] = [new Counted(), new Counted("an argument")];
  assertEquals([c.number, d.number], [2, 3]);
  c.list.push("more");
  assertEquals(d.list, ["fresh"]);
  assertEquals([c.squared(), d.squared()], [4, 9]);
  const fields = new Fields();
  fields.hidden = 9;
  assertEquals([fields.plain, fields.hidden, new Fields().hidden], [1, 9, 5]);
});

Deno.test("Local: refuses to be frozen, and is usable afterwards", () => {
  const local = new Local();
  local.x = 1;
  for (const close of [Object.freeze, Object.seal, Object.preventExtensions]) {
    assertThrows(() => close(local), TypeError);
  }
  local.y = 2;
  assertEquals({ ...local }, { x: 1, y: 2 });
  assert(Object.isExtensible(local));
});

Deno.test("Local: what one thread sets, deletes and lists, the others do not see", async () => {
  const local = new Local();
  local.x = "main";
  local.y = "main";
  const board = newBoard();
  const go = new Event();
  const threads = [1, 2, 3, 4].map((me) =>
    new Thread({ target: useNames, args: [local, board, me, go] })
  );
  for (const thread of threads) thread.start();
  await untilWord(board, 0, 4);
  go.set();
  for (const thread of threads) await thread.join();
  assertEquals(board[1], 4);
  assertEquals({ ...local }, { x: "main", y: "main" });
});

Deno.test("Local: a subclass's constructor runs once in each thread that uses it, without arguments", async () => {
  const [local, other] = [new Counted(1, 2, 3), new Counted()];
  const runs = Counted.runs;
  local.number = 50;
  const board = newBoard();
  for (let i = 0; i < 6; i++) await run(useCounted, local, other, board);
  assertEquals([board[1], board[2]], [6, 0]);
  assertEquals([local.number, other.number, Counted.runs], [50, 2, runs]);
});

Deno.test("Local: nothing is left for a thread by an earlier one of the same worker", async () => {
  const [local, fields] = [new Local(), new Fields()];
  local.left = undefined;
  const board = newBoard();
  // One after the other: finished workers are used again.
  for (let i = 0; i < 10; i++) await run(leaveSomething, local, fields, board);
  assertEquals(board[1], 10);
  assertEquals([fields.plain, fields.list, fields.hidden], [1, [], 5]);
});

Deno.test("Local: one of a module, of a subclass with private fields, is fresh in each thread of a worker", async () => {
  const board = newBoard();
  for (let i = 0; i < 10; i++) await run(leaveInModule, board);
  assertEquals(board[1], 10);
});

Deno.test("Local: arrives as one and the same object in every wrapping", async () => {
  const local = new Local();
  const board = newBoard();
  await run(compareLocals, [local, local], {
    map: new Map([["it", local]]),
    set: new Set([local]),
  }, board);
  assertEquals([board[1], board[2]], [4, 1]);
  assertEquals(local.x, undefined);
});

Deno.test("Local: a constructor that makes another Local first is not mixed up with it", async () => {
  const local = new Outer();
  assertEquals([local.mark, local.inner.mark], ["outer", "inner"]);
  const board = newBoard();
  for (let i = 0; i < 3; i++) await run(useOuter, local, board);
  assertEquals(board[1], 3);
});

Deno.test("Local: a constructor that throws in a thread throws at the use, and is tried again at the next", async () => {
  const local = new Fragile();
  assertEquals([local.before, local.after], [1, 2]);
  const board = newBoard();
  await run(useFragile, local, board);
  assertEquals(board[1], 3);
});

Deno.test("Local: values stay with the thread across awaits and callbacks", async () => {
  const local = new Local();
  local.me = 0;
  const board = newBoard();
  const threads = [1, 2, 3].map((me) =>
    new Thread({ target: keepAcrossAwait, args: [local, board, me] })
  );
  for (const thread of threads) thread.start();
  for (const thread of threads) await thread.join();
  assertEquals(board[1], 3);
  assertEquals(local.me, 0);
});

Deno.test("Local: an instance of a class that is not exported does not travel; plain ones and the thread go on", async () => {
  class Private extends Local {}
  const local = new Private();
  local.x = 1;
  const board = newBoard();
  const thread = new Thread({ target: keepAcrossAwait, args: [local, board, 1] });
  assertThrows(() => thread.start(), PicklingError, "Private");
  assertFalse(thread.isAlive());
  assertEquals(local.x, 1);
  await run(keepAcrossAwait, new Local(), board, 1);
  assertEquals(board[1], 1);
});
