/** Whole programs: that they end, not too soon and not too late. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { prints, run } from "../threading/_program.ts";

const at = (name: string) => import.meta.resolve(`../fixtures/futures/${name}`);

Deno.test("a main module that awaits at its top level gets errors and values of its own classes, and never hangs", async () => {
  await prints(at("main_awaiting.ts"), [
    "true Own on purpose 7",
    "Own",
    "4 Own",
    "5",
    "true",
  ]);
});

const ENDINGS: Record<string, string[]> = {
  unused: [],
  forgotten: ["one", "two"],
  idle: ["one"],
  known: ["one"],
  visited: ["one"],
  blocking: ["7", "one"],
  notWaiting: ["shut down", "one"],
  exit: ["leaving"],
  nested: ["14", "14"],
  cancelled: ["one"],
};
for (const [way, lines] of Object.entries(ENDINGS)) {
  Deno.test(`a program ends when its calls are done, not before and not after: ${way}`, async () => {
    await prints(at("main_ending.ts"), lines, { args: [way] });
  });
}

Deno.test("the threads of an executor that is forgotten end in a program that goes on", async () => {
  await prints(at("main_ending.ts"), ["one", "its threads have ended"], {
    args: ["collected"],
    flags: ["-A", "--v8-flags=--expose-gc"],
  });
});

Deno.test("futures need no more than to read", async () => {
  await prints(at("main_ending.ts"), ["one"], {
    args: ["idle"],
    flags: ["--no-prompt", "--allow-read"],
  });
});

Deno.test("a call without --allow-read is refused, names it, and keeps nothing alive", async () => {
  const { code, err } = await run(at("main_ending.ts"), {
    args: ["idle"],
    flags: ["--no-prompt"],
  });
  assertEquals(code, 1);
  assertStringIncludes(err, "--allow-read");
});

Deno.test("a script that guards nothing ends, and is told how to", async () => {
  const { code, out, err } = await run(at("main_unguarded.ts"));
  assertEquals([code, err], [0, ""]);
  assertStringIncludes(out, "ThreadError: Cannot submit while a thread imports");
  assertStringIncludes(out, "if (import.meta.main)");
});
