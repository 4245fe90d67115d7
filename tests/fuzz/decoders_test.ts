/**
 * Every decoder, fed with damaged bytes. `FUZZ_INPUTS` and `FUZZ_SEED` choose how many for each and which; `main.ts` feeds a million, and
 * survives what crashes or hangs.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { feed } from "./run.ts";
import { planted } from "./planted.ts";
import { targets } from "./targets.ts";

const seed = Number(Deno.env.get("FUZZ_SEED") ?? Date.now() % 1_000_000);
const inputs = Number(Deno.env.get("FUZZ_INPUTS") ?? 1500);

for (const target of targets()) {
  Deno.test(`${target.name}: damaged bytes, do no harm`, async () => {
    try {
      await feed(target, { seed, from: 0, inputs });
    } finally {
      target[Symbol.dispose]?.();
    }
  });
}

const signs: Record<string, string> = {
  "planted crash": "ends with SIGSEGV",
  "planted exit": "ends with 3",
  "planted hang": "hangs",
  "planted wait": "hangs",
  "planted memory": "bytes are kept",
  "planted code": "a module was imported",
};

for (const { name } of planted) {
  Deno.test(`${name}: fuzzing finds it and names the input`, async () => {
    const args = ["--target", name, "--inputs", "2000", "--seed", "7", "--patience", "10"];
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.resolve("./main.ts"), ...args],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 1, text);
    assertStringIncludes(text, `FOUND ${name}`);
    assertStringIncludes(text, signs[name]);
    assertStringIncludes(text, "seed 7");
  });
}
