/** Threads that were made before and after the machine's clock was set, or the machine slept: their clocks differ by hours. */

import { assertEquals, assertRejects } from "@std/assert";
import { ThreadPoolExecutor, TimeoutError } from "@batteries/concurrent/futures";
import { aheadBy, doubleAfter, setClock, spin } from "../fixtures/futures/clock_tasks.ts";

const HOUR = 3_600_000;

for (const ahead of [HOUR, -HOUR]) {
  const how = ahead > 0 ? "ahead" : "behind";

  Deno.test(`with({ timeout }): a call in a thread whose clock is an hour ${how}, has its time, and no more`, async () => {
    await using executor = new ThreadPoolExecutor({
      maxWorkers: 1,
      initializer: setClock,
      initargs: [ahead],
    });
    const patient = executor.with({ timeout: 60_000 });
    assertEquals(await patient.submit(aheadBy), ahead);
    assertEquals(await patient.submit(doubleAfter, 2, 100), 4);
    const late = executor.with({ timeout: 100 }).submit(spin);
    await assertRejects(() => late.result({ timeout: 60_000 }), TimeoutError, "100 ms");
    assertEquals(await Array.fromAsync(patient.map(doubleAfter, [1, 2, 3], [0, 1, 2])), [2, 4, 6]);
  });
}
