import { assertEquals } from "@std/assert";
import { getContext } from "@batteries/concurrent/multiprocessing";
import { nothing } from "../fixtures/multiprocessing/folders.ts";
import { run } from "./_program.ts";

Deno.test("forkserver: a warm child, has loaded the main module, and ends as any other", async () => {
  const { out, err } = await run("warm");
  assertEquals(out, [
    '["Process-1","forkserver",0]',
    "warm false",
    '["Process-3","forkserver",{}]',
    '["Shouter-4","forkserver","hey"]',
    "[0,0,0,0,1,7,-9]",
  ]);
  assertEquals(err.slice(0, 2), ["Process Process-5:", "RangeError: on purpose"]);
});

Deno.test("forkserver: start, runs a warm child although the event loop is blocked from then on", async () => {
  assertEquals((await run("blocked")).out, ['["Process-1","forkserver",0]', "0"]);
});

Deno.test("forkserver: a module to preload that does not load, does no harm", async () => {
  assertEquals((await run("preload")).out, [
    '["Process-1","forkserver",0]',
    "warm false",
    "[0,0]",
  ]);
});

Deno.test("forkserver: a program that ends at once, leaves no spare behind", async () => {
  for (let i = 0; i < 3; i++) {
    assertEquals((await run("spares")).out, ['["Process-1","forkserver",0]', "0"]);
  }
});

Deno.test("forkserver: a context that is disposed of, has ended its spares, and all that were used, and goes on", async () => {
  for (let i = 0; i < 2; i++) {
    await using context = getContext("forkserver");
    for (let n = 0; n < 3; n++) {
      const process = new context.Process({ target: nothing });
      process.start();
      await process.join();
      assertEquals(process.exitcode, 0);
    }
    // That nothing is left is what the sanitizers of this test say.
  }
});
