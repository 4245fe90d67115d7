import { assert, assertEquals } from "@std/assert";
import { linesOf } from "./_run.ts";

Deno.test("request_log: lines of requests that are served at once, tell their own request, in threads too", async () => {
  const lines = await linesOf("request_log");
  const root = new URL("../../", import.meta.url);
  const answers: Record<string, number> = {};
  for (const name of ["README.md", "LICENSE", "docs/queue.md"]) {
    const text = Deno.readTextFileSync(new URL(name, root));
    answers[name] = text.match(/[\p{L}\p{N}]+/gu)!.length;
    const own = lines.filter((line) => line.startsWith(`[${name}] `))
      .map((line) => line.slice(name.length + 3));
    assertEquals(own, [
      "main thread: POST /words",
      `main thread: has ${text.length} characters`,
      "pool: counting",
      `main thread: has ${answers[name]} words`,
    ]);
  }
  assertEquals(lines.length, 13);
  assert(lines.at(-1)!.startsWith("[no request] main thread: {"));
  assertEquals(JSON.parse(lines.at(-1)!.slice("[no request] main thread: ".length)), answers);
});
