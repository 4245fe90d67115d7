/** Threads and processes together: threads are nodes of the tree, and use what processes share. */

import { assertEquals } from "@std/assert";
import { CHECKS } from "../fixtures/multiprocessing/threads_program.ts";

for (const [name, check] of Object.entries(CHECKS)) {
  Deno.test(`threads: ${name}`, check);
}

Deno.test("threads: in a program without --allow-ffi, hold the same", async () => {
  const program = new URL("../fixtures/multiprocessing/threads_program.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--allow-run",
      "--allow-read",
      "--allow-write",
      "--allow-net",
      program.pathname,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stderr)], [0, ""]);
  assertEquals(text.decode(stdout).trim().split("\n"), Object.keys(CHECKS));
});
