import { assertEquals } from "@std/assert";
import { hashAll } from "../../examples/largest_first.ts";
import { linesOf, outputOf } from "./_run.ts";

const folder = new URL("../../queue/", import.meta.url).pathname;
const paths = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile)
  .map(({ name }) => folder + name);

Deno.test("largest_first: every file is hashed once, by each thread the largest first", async () => {
  const sums = (await outputOf("sha256sum", ...paths)).trimEnd().split("\n");
  const expected = Object.fromEntries(sums.map((line) => [line.slice(66), line.slice(0, 64)]));
  for (const threads of [1, 3]) {
    const done = await hashAll(paths, threads);
    assertEquals(done.length, paths.length);
    assertEquals(Object.fromEntries(done.map(({ path, sha256 }) => [path, sha256])), expected);
    for (let thread = 0; thread < threads; thread++) {
      const sizes = done.filter((one) => one.thread === thread).map(({ size }) => size);
      assertEquals(sizes, sizes.toSorted((a, b) => b - a));
    }
  }
});

Deno.test("largest_first: run as its head says, has a line for each file", async () => {
  const own = new URL("../../futures/", import.meta.url);
  const expected = [...Deno.readDirSync(own)].filter(({ isFile }) => isFile)
    .map(({ name }) => `${Deno.statSync(new URL(name, own)).size} ${name}`);
  const lines = await linesOf("largest_first");
  assertEquals(lines.map((line) => line.slice(13).trim()).sort(), expected.sort());
});
