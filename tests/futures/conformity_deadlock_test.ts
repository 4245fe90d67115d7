/** Values that fail, or end the process, while they are sent or received. CPython's: `test_deadlock.ExecutorDeadlockTest`. */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  BrokenProcessPool,
  type Executor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "@batteries/concurrent/futures";
import {
  double,
  ExitsInItsState,
  ExitsWhenMade,
  FailsInItsState,
  FailsWhenMade,
  make,
  what,
} from "../fixtures/futures/awkward.ts";

const makers: [string, () => Executor][] = [
  ["ThreadPoolExecutor", () => new ThreadPoolExecutor(1)],
  ["ProcessPoolExecutor", () => new ProcessPoolExecutor(1)],
];

for (const [name, open] of makers) {
  Deno.test(`${name}: a value whose state cannot be had, fails its own call, as argument and as result`, async () => {
    await using executor = open();
    assertThrows(() => executor.submit(what, new FailsInItsState()), RangeError, "no state");
    const error = await executor.submit(make, "FailsInItsState").exception();
    assertInstanceOf(error, RangeError);
    assertEquals(error.message, "no state");
    assertEquals(await executor.submit(double, 21), 42);
  });

  Deno.test(`${name}: a value that cannot be made of its state, fails its own call, as argument and as result`, async () => {
    await using executor = open();
    for (
      const future of [
        executor.submit(what, new FailsWhenMade()),
        executor.submit(make, "FailsWhenMade"),
      ]
    ) {
      const error = await future.exception();
      assertInstanceOf(error, RangeError);
      assertEquals(error.message, "not made");
    }
    assertEquals(await executor.submit(double, 21), 42);
  });
}

Deno.test("ProcessPoolExecutor: a value that ends the process while it is decoded or encoded, breaks the pool with the exit code", async () => {
  for (
    const [code, submit] of [
      [3, (executor: Executor) => executor.submit(what, new ExitsWhenMade())],
      [4, (executor: Executor) => executor.submit(make, "ExitsInItsState")],
    ] as const
  ) {
    await using executor = new ProcessPoolExecutor(1);
    const error = await submit(executor).exception();
    assertInstanceOf(error, BrokenProcessPool);
    assertEquals(error.exitcode, code);
    assertThrows(() => executor.submit(double, 1), BrokenProcessPool);
  }
  assert(ExitsInItsState.made === 0, "nothing of it has come here");
});

Deno.test("ProcessPoolExecutor: a worker that is killed under many long arguments, breaks the pool and hangs nothing", async () => {
  await using executor = new ProcessPoolExecutor(2);
  const long = "a".repeat(3_000_000);
  const futures = Array.from({ length: 10 }, () => executor.submit(make, "Killed", long));
  for (const future of futures) assertInstanceOf(await future.exception(), BrokenProcessPool);
});

Deno.test("ProcessPoolExecutor: a worker that dies after shutdown was called, does not keep it from ending", async () => {
  const executor = new ProcessPoolExecutor(2);
  const future = executor.submit(make, "Killed");
  await executor.shutdown();
  assertInstanceOf(await future.exception(), BrokenProcessPool);
});
