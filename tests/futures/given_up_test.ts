/** What the engine itself is busy with: which of it can be stopped in a thread, and what happens to what cannot. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProcessPoolExecutor, TimeoutError } from "@batteries/concurrent/futures";
import { double, fillForEver, LOOKING } from "../fixtures/futures/stop_tasks.ts";

function program(name: string, stdin: "null" | "piped", ...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      import.meta.resolve(`../fixtures/futures/${name}.ts`),
      ...args,
    ],
    env: { NO_COLOR: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function afterStops(which: string): Promise<Record<string, number>> {
  const { code, stdout, stderr } = await program("quiet_program", "null", which).output();
  const text = new TextDecoder();
  assertEquals(code, 0, text.decode(stderr));
  return JSON.parse(text.decode(stdout));
}

Deno.test("with: calls that are stopped in a built-in function that looks up now and then, burn no more", async () => {
  const expected = Object.fromEntries(Object.keys(LOOKING).map((what) => [what, 8]));
  assertEquals(await afterStops("looking"), expected);
});

Deno.test("with: a call that is stopped in a built-in function that does not look up, is rejected, replaced, and ends with it", async () => {
  assertEquals(await afterStops("sort"), { sortLong: 8 });
});

Deno.test("with: calls that cannot be stopped, are rejected, their places are free, and the program ends", async () => {
  await using child = program("given_up_program", "piped");
  const stdin = child.stdin.getWriter();
  const [stdout, stderr, { code }] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  await stdin.close().catch(() => {});
  assertEquals(code, 0, stderr);
  assertEquals(JSON.parse(stdout), ["TimeoutError", 4, "TimeoutError", 4]);
});

Deno.test("with: a process, ends such a call too", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const future = executor.with({ timeout: 300 }).submit(fillForEver);
  await assertRejects(() => future.result(), TimeoutError);
  assertEquals(await executor.submit(double, 4), 8);
});

Deno.test("with: a Deno that cannot end a worker, is told by name once, and processes do it", async () => {
  const child = program("unable_program", "null");
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stderr);
  assertEquals(code, 0, said);
  const { thread, ...others } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(others, {
    plain: 2,
    limited: 4,
    map: [6, 8],
    spin: "TimeoutError",
    after: 10,
    bomb: true,
    capped: 12,
  });
  const named = `this Deno (${Deno.version.deno}) does not end a worker that runs in a loop`;
  assertEquals(said.split(named).length, 2, `It said '${said}'`);
  assert(thread.includes(named), thread);
});
