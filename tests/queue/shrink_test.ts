/** A queue that has grown gives its memory back. */

import { assert, assertEquals } from "@std/assert";

Deno.test("Queue: between threads, grows with what is in it and shrinks when that is taken out", async () => {
  const program = new URL("../fixtures/queue/shrinks.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program.href],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const { before, full, empty } = JSON.parse(new TextDecoder().decode(stdout));
  assert(full - before > 190, `${before} MiB, full ${full} MiB`);
  // What is left is the garbage of two hundred thousand calls.
  assert(empty - before < (full - before) * 0.6, `${before}, full ${full}, empty ${empty} MiB`);
});
