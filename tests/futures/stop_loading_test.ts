/**
 * Calls that are stopped while their worker imports modules. Deno 2.9.6 ends the whole process, by a panic, when a worker is terminated
 * while one of Deno's own modules is evaluated in it for the first time.
 */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
import { opened } from "../fixtures/futures/executor_tasks.ts";
import type { five } from "../fixtures/futures/gated_import.ts";

async function run(
  name: string,
  env: Record<string, string>,
  ...args: string[]
): Promise<{ out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      import.meta.resolve(`../fixtures/futures/${name}.ts`),
      ...args,
    ],
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  const [out, err] = [text.decode(stdout), text.decode(stderr)];
  assertEquals(code, 0, out + err);
  return { out, err };
}

Deno.test("with({ signal }): a call that is aborted while its module is evaluated, is stopped when that is done, and holds up nobody", async () => {
  await using executor = new ThreadPoolExecutor(1);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/go`, "");
    const url = new URL("../fixtures/futures/gated_import.ts", import.meta.url);
    url.searchParams.set("folder", folder);
    const module = await import(url.href) as { five: typeof five };
    const controller = new AbortController();
    const future = executor.with({ signal: controller.signal }).submit(module.five);
    await opened(`${folder}/begun`);
    const reason = new Error("enough");
    controller.abort(reason);
    // This thread goes on, or the module would wait for ever. A thread that is not left to it would be gone by then.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Deno.writeTextFile(`${folder}/go`, "now");
    assertStrictEquals(await future.exception(), reason);
    assert((await Deno.stat(`${folder}/done`)).isFile);
    assertEquals(await executor.submit(module.five), 5);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("with({ signal }): calls that are aborted at any moment of the import of Deno's modules, do the program no harm", async () => {
  const { out } = await run("aborted_imports_program", {}, "30");
  assertEquals(out, "all aborted or done\n");
});

Deno.test("with: timers and Buffer are there before a call can be stopped: their first use loads nothing", async () => {
  const { err } = await run("early_names_program", { DENO_LOG_LAZY_LOAD: "1" });
  // Deno does tell.
  assert(err.includes("[lazy]"));
  const lines = err.split("\n");
  assertEquals(lines.slice(lines.indexOf("begins"), lines.indexOf("ends") + 1), [
    "begins",
    "1",
    "ends",
  ]);
});
