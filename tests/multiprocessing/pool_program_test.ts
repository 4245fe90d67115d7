/** Whole programs with pools: how they end, and what they leave behind. */

import { assert, assertEquals } from "@std/assert";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const program = new URL("../fixtures/multiprocessing/pool_program.ts", import.meta.url).href;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

/** Ended and out of the process table, or on the way there: nobody but init has it. */
async function ends(pid: number): Promise<void> {
  for (;;) {
    try {
      const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
      if (/\) Z /.test(stat)) return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("a program with a pool by the fork server, works and ends", async () => {
  assertEquals(await run("forkserver"), { code: 0, out: "[ 1, 4, 9 ]\n", err: "" });
});

Deno.test("a program with an idle pool and an idle executor, ends and leaves no process", async () => {
  const { code, out, err } = await run("idle");
  assertEquals([code, err], [0, ""]);
  for (const pid of out.trim().split(" ")) await ends(Number(pid));
});

Deno.test("a program that awaits none of its calls, ends when they have", async () => {
  const { code, out, err } = await run("unawaited");
  assertEquals([code, out.trim().split("\n").sort(), err], [0, ["16", "9"], ""]);
});

Deno.test("a program that forgets its executor, ends", async () => {
  assertEquals(await run("forgotten"), { code: 0, out: "done\n", err: "" });
});

Deno.test("a program that awaits at its top level a call that throws an error of its own, gets it", async () => {
  assertEquals(await run("own"), { code: 0, out: "OnlyHere from the main module\n", err: "" });
});

Deno.test("a program that exits in the middle of a call, leaves no process", async () => {
  const { code, out } = await run("exits");
  assertEquals(code, 7);
  await ends(Number(out));
});

Deno.test("a program without the guard, is told so instead of starting processes for ever", async () => {
  const { out, err } = await run("unguarded");
  assert(/import\.meta\.main/.test(out + err), out + err);
});
