import { assertEquals } from "@std/assert";
import { prints, run } from "./_program.ts";

Deno.test("threads: two hundred are alive at once, and their workers are gone afterwards", async () => {
  await prints("crowd.ts", [
    "alive 201 201 true",
    "idents 200",
    "natives 200",
    "seen 200 alive 1",
  ], { args: ["at once", "200"] });
});

Deno.test("threads: eighty are started by threads while main is blocked", async () => {
  await prints("crowd.ts", ["seen 80"], { args: ["nested", "20"] });
});

Deno.test("threads: a chain of thirty, each of which starts the next and waits for it", async () => {
  await prints("crowd.ts", ["seen 62"], { args: ["chain", "30"] });
});

Deno.test("threads: ten thousand one after another, without growth", async () => {
  const { code, out, err } = await run("crowd.ts", { args: ["one after another", "10000"] });
  assertEquals([code, out], [0, "seen 10000 alive 1\n"], err);
});

Deno.test("threads: a hundred that take their workers with them leave none behind", async () => {
  await prints("crowd.ts", ["alive 1"], { args: ["dying", "100"] });
});
