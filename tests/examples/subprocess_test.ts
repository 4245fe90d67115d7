import { assertEquals } from "@std/assert";
import { topWords } from "../../examples/word_pipeline.ts";
import { linesOf, outputOf } from "./_run.ts";

const ignore = Deno.build.os === "windows";

Deno.test({
  name: "word_pipeline: a text, has the same top words as with a shell's pipeline",
  ignore,
  async fn() {
    const page = new URL("../../docs/threading.md", import.meta.url).pathname;
    const script =
      `tr A-Z a-z < "$1" | tr -cs a-z '\\n' | grep . | sort | uniq -c | sort -k1,1nr -k2 | head -n 12`;
    const expected = (await outputOf("sh", "-c", script, "sh", page)).trimEnd().split("\n")
      .map((line) => line.trim().split(" ")).map(([count, word]) => [word, Number(count)]);
    assertEquals(await topWords(page, 12), expected as [string, number][]);
  },
});

Deno.test({
  name: "word_pipeline: run as its head says, shows words, and how an endless program was ended",
  ignore,
  async fn() {
    assertEquals(await linesOf("word_pipeline"), [
      "  15 the",
      "   9 or",
      "   9 software",
      "   8 of",
      "   8 to",
      "yes ended with -13, head with 0: no end",
    ]);
  },
});
