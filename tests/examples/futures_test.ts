import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { longestWay } from "../../examples/collatz_progress.ts";
import { linesOf, runExample } from "./_run.ts";

Deno.test("load_urls: run as its head says, has the size of each page, and the error of the one that is not there", async () => {
  const size = (path: string) => Deno.statSync(new URL(`../../${path}`, import.meta.url)).size;
  assertEquals(
    (await linesOf("load_urls")).sort(),
    [
      `/LICENSE page is ${size("LICENSE")} bytes`,
      `/README.md page is ${size("README.md")} bytes`,
      `/docs/queue.md page is ${size("docs/queue.md")} bytes`,
      "/some-made-up-page generated an exception: Error: HTTP 404 Not Found",
    ],
  );
});

Deno.test("collatz_progress: progress, comes to all calls without going back", async () => {
  const seen: number[] = [];
  let total: number | undefined;
  const found = await longestWay(30_000, (progress) => {
    seen.push(progress.done);
    total = progress.total;
    assertEquals(progress.failed, 0);
  });
  // The longest below 30000, as tables of such numbers have it.
  assertEquals(found, [26_623, 308]);
  assertEquals(seen, seen.toSorted((a, b) => a - b));
  assertEquals([seen.at(-1), total], [29_999, 29_999]);
});

Deno.test("collatz_progress: run as its head says, draws no bar where there is no terminal", async () => {
  assertEquals(await linesOf("collatz_progress"), [
    "156159 has the longest way to 1 of all below 200000: 383 numbers",
  ]);
});

Deno.test("sandbox: run as its head says, survives all that its guests do", async () => {
  const { code, stdout, stderr } = await runExample("sandbox");
  assertEquals(code, 0);
  assertEquals(stdout.trimEnd().split("\n"), [
    "wordCount gave 170",
    "curious failed with NotCapable",
    "endless failed with TimeoutError",
    "greedy failed with MemoryError",
    "faulty failed with SyntaxError",
    "wordCount again gave 6",
  ]);
  // The engine's own words on the one that ran out of memory; nothing of ours.
  assertStringIncludes(stderr, "JavaScript out of memory");
  assert(!stderr.includes("Uncaught"));
});
