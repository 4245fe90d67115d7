/** Programs with locks of `multiprocessing`: what they need, and that they end. */

import { assert, assertEquals } from "@std/assert";

const fixture = (name: string) =>
  new URL(`../fixtures/multiprocessing/${name}`, import.meta.url).pathname;

async function run(...args: string[]): Promise<{ code: number; text: string; ms: number }> {
  const start = performance.now();
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", ...args],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(60_000),
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, text, ms: performance.now() - start };
}

const WITHOUT_FFI = ["read", "write", "net", "run", "env"].map((name) => `--allow-${name}`);

Deno.test("multiprocessing locks: a program without --allow-ffi, can do all that does not block, and is told the flag where it would", async () => {
  const { code, text } = await run(...WITHOUT_FFI, fixture("sync_without_ffi.ts"));
  assertEquals([code, text], [0, "all of it\n"]);
});

Deno.test("multiprocessing locks: a child without --allow-ffi of a program that has it, shares them", async () => {
  const { code, text } = await run("-A", fixture("sync_without_ffi.ts"), "ffi");
  assertEquals([code, text], [0, "all of it\n"]);
});

Deno.test("multiprocessing locks: a program in which nobody waits any more, ends at once", async () => {
  for (const what of ["granted", "late", "aborted", "nobody"]) {
    // A busy machine may let it wait; what waits for somebody waits each time.
    let least = Infinity;
    for (let turn = 0; turn < 10 && least >= 80; turn++) {
      const { code, text } = await run("-A", fixture("sync_ends.ts"), what);
      assertEquals(code, 0, text);
      // From the moment it had nothing to do any more, by its own clock.
      least = Math.min(least, Number(text));
    }
    assert(least >= 0 && least < 80, `${what}: it took ${least} ms to end`);
  }
});
