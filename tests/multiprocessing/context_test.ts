import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Process } from "@batteries/concurrent/multiprocessing";
import {
  contextOf,
  getAllStartMethods,
  setExecutable,
  setForkserverPreload,
  setStartMethod,
} from "../../multiprocessing/context.ts";
import { run } from "./_program.ts";

Deno.test("getAllStartMethods: has spawn first, and no fork", () => {
  assertEquals(getAllStartMethods(), ["spawn", "forkserver"]);
  assert(getAllStartMethods() !== getAllStartMethods());
});

Deno.test("setStartMethod: a second time, throws unless it is forced", async () => {
  assertEquals((await run("method")).out, [
    '[null,"forkserver","ProcessError","spawn",null,"spawn"]',
  ]);
});

Deno.test("setStartMethod, contextOf: with a method that there is not, throw RangeError", () => {
  assertThrows(
    // deno-lint-ignore no-explicit-any -- wrong on purpose
    () => setStartMethod("fork" as any),
    RangeError,
    'Deno cannot fork; the start methods are "spawn" and "forkserver"',
  );
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => setStartMethod("thread" as any, { force: true }), RangeError);
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => contextOf({}, "fork" as any), RangeError);
});

Deno.test("setStartMethod: is inherited by children", async () => {
  assertEquals((await run("inherited")).out, ['["Process-1","forkserver",1]', "0"]);
});

Deno.test("contextOf: has what it is made of, its method, and a Process that starts by it", async () => {
  const namespace = { Process, answer: 42 };
  const context = contextOf(namespace, "spawn");
  assertStrictEquals(context, contextOf(namespace, "spawn"));
  assertEquals([context.answer, context.getStartMethod()], [42, "spawn"]);
  assertThrows(() => context.setStartMethod("spawn"), RangeError, "Cannot set the start method");
  assert(new context.Process() instanceof Process);
  const { out } = await run("contexts");
  assertEquals(out.map((line) => JSON.parse(line)[2]), ["spawn", "forkserver"]);
  assertEquals(JSON.parse(out[0])[0], "SpawnProcess-1");
  assertEquals(JSON.parse(out[1])[0], "ForkServerProcess-2");
});

Deno.test("contextOf: has a Pool and a Manager that start by its method, unless they are told another", () => {
  // deno-lint-ignore no-explicit-any -- whatever they are given
  const given = (options?: any) => options;
  const Pool = function (options?: unknown) {
    return given(options);
  };
  const context = contextOf({ Pool, Manager: given }, "forkserver");
  for (const make of [context.Pool, context.Manager]) {
    assertEquals(make().context.getStartMethod(), "forkserver");
    assertEquals(make({ address: "x" }).address, "x");
    assertEquals(make({ context: 1 }).context, 1);
  }
  assertEquals(context.Pool(3).processes, 3);
  assertEquals(context.Pool("3"), "3");
});

Deno.test("setExecutable: that is not there, makes start fail and leaves nothing", async () => {
  assertEquals((await run("executable")).out, ['"NotFound"']);
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => setExecutable(1 as any), TypeError);
});

Deno.test("setForkserverPreload: what is no list of modules, is refused", () => {
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => setForkserverPreload("lib" as any), TypeError);
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => setForkserverPreload([1] as any), TypeError);
});
