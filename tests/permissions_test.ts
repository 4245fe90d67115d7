/**
 * At a terminal, Deno asks for what a program may not do. Nothing here makes it ask: what is not allowed is done without, or refused by
 * an error that names the flag.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { ACTS } from "./fixtures/permissions.ts";

const program = new URL("fixtures/permissions.ts", import.meta.url).pathname;
const project = new URL("..", import.meta.url).pathname;

/** It gives a program a terminal. */
const script = new Deno.Command("sh", { args: ["-c", "command -v script"], stdout: "null" });
const hasScript = Deno.build.os === "linux" && script.outputSync().success;

for (const { does, outcome } of ACTS) {
  Deno.test({
    name: `permissions: ${does}: nobody is asked at a terminal`,
    ignore: !hasScript,
    async fn() {
      const run = `run --quiet --no-check --allow-read='${project}'`;
      const { stdout } = await new Deno.Command("script", {
        args: ["-qec", `'${Deno.execPath()}' ${run} '${program}' "${does}"`, "/dev/null"],
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const said = new TextDecoder().decode(stdout);
      assertEquals(/Deno requests/.test(said), false, said);
      assertMatch(said, outcome);
    },
  });
}
