import { assertEquals } from "@std/assert";

Deno.test("Time-outs, failures and pipelines leave no child, no zombie and no pipe behind", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const fixture = new URL("../fixtures/subprocess/leaves_nothing.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fixture],
    stderr: "inherit",
  }).output();
  const { before, after } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(after, before);
  assertEquals(before.zombies, 0);
});
