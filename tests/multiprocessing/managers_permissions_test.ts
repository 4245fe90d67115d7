import { assertEquals, assertStringIncludes } from "@std/assert";

const program = new URL("../fixtures/multiprocessing/manager_program.ts", import.meta.url).href;

async function run(flags: string[], ...args: string[]): Promise<{ out: string; err: string }> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", ...flags, program, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { out: text.decode(stdout), err: text.decode(stderr) };
}

const USED = '[[["a",1],["b",2],["c",3]],3,"true","enough",0]\n';
const FOUR = ["--allow-run", "--allow-read", "--allow-write", "--allow-net"];

Deno.test("managers: run, read, write and net, are all that they need", async () => {
  assertEquals(await run(FOUR), { out: USED, err: "" });
});

Deno.test("managers: a process without any permission, uses proxies with the help of its parent", async () => {
  assertEquals(await run(["-A"], "none"), { out: USED, err: "" });
  assertEquals(await run(FOUR, "none"), { out: USED, err: "" });
});

Deno.test("managers: a permission that is missing, is named", async () => {
  for (const missing of FOUR) {
    const { out, err } = await run(FOUR.filter((flag) => flag !== missing));
    assertEquals(out, "");
    assertStringIncludes(err, missing);
  }
});
