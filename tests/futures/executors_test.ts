/** The contract of executors, over threads and over processes. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  InterpreterPoolExecutor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "@batteries/concurrent/futures";
import { executorContract, type Wanted } from "../contracts/executor.ts";
import { Figures } from "../fixtures/futures/executor_tasks.ts";

/** As the options of every executor have it. */
const options = ({ maxWorkers, initializer, initargs }: Wanted) => ({
  maxWorkers,
  initializer: initializer as (...args: unknown[]) => unknown,
  initargs,
});

executorContract("ThreadPoolExecutor", (wanted) => new ThreadPoolExecutor(options(wanted)));
executorContract(
  "InterpreterPoolExecutor",
  (wanted) => new InterpreterPoolExecutor(options(wanted)),
);
executorContract("ProcessPoolExecutor", (wanted) => new ProcessPoolExecutor(options(wanted)));
executorContract(
  "ProcessPoolExecutor with fewer permissions",
  (wanted) =>
    new ProcessPoolExecutor({
      ...options(wanted),
      permissions: { read: true, write: true },
    }),
  { blocks: false },
);

for (const type of [ThreadPoolExecutor, ProcessPoolExecutor]) {
  Deno.test(`${type.name}: a class, is refused at the call, and the pool goes on`, async () => {
    await using executor = new type(1);
    // deno-lint-ignore no-explicit-any -- wrong on purpose
    const fn = Figures as any;
    const refused = () => assertThrows(() => executor.submit(fn, 1), TypeError, "it is a class");
    refused();
    assertThrows(() => executor.map(fn, [1]), TypeError, "it is a class");
    assertThrows(() => executor.map(fn, []), TypeError, "it is a class");
    assertThrows(() => executor.with({ timeout: 1000 }).submit(fn, 1), TypeError, "it is a class");
    assertEquals(await executor.submit(Figures.twice, 4), 8);
    refused();
    assertThrows(() => new type({ initializer: fn }), TypeError, "it is a class");
  });
}
