import { assert, assertEquals, assertFalse, assertMatch, assertStringIncludes } from "@std/assert";
import { type Ended, prints, run } from "./_program.ts";

const GOOD = ["true 3", "own", "1 alive"];

function refused({ code, out, err }: Ended, file: RegExp): void {
  assertEquals([code, err], [0, ""]);
  assertMatch(out, /^NotCapable: Cannot start a thread: /);
  assertMatch(out, file);
  assertStringIncludes(out, "--allow-read");
  // One line, and nothing is left of the thread.
  assertMatch(out, /^[^\n]*\n1 alive\n$/);
}

Deno.test("permissions: --allow-read is enough", async () => {
  await prints("permissions.ts", GOOD, { flags: ["--allow-read"] });
  await prints("permissions.ts", GOOD, { flags: ["--allow-read", "--no-prompt"] });
});

Deno.test("permissions: --allow-read of the folders that hold the modules is enough", async () => {
  const root = new URL("../../", import.meta.url).pathname;
  const folders = ["threading", "contextvars", "tests/fixtures/programs"];
  const flag = `--allow-read=${folders.map((folder) => root + folder).join()}`;
  await prints("permissions.ts", GOOD, { flags: [flag] });
  // Without the folder of the program, and without that of the library.
  const only = (folder: string) => `--allow-read=${root}${folder}`;
  refused(
    await run("permissions.ts", { flags: [only("threading"), only("contextvars")] }),
    /permissions\.ts/,
  );
  refused(await run("permissions.ts", { flags: [only("tests")] }), /entry\.ts/);
});

Deno.test("permissions: without read access there is one error that names the flag", async () => {
  for (const flags of [[], ["--no-prompt"], ["--deny-read"], ["--allow-net", "--allow-env"]]) {
    refused(await run("permissions.ts", { flags }), /\.ts/);
  }
});

Deno.test({
  name: "permissions: nothing is asked for on a terminal",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    for (const flags of ["", "--allow-read"]) {
      const { out, code } = await onTerminal(flags);
      assertEquals(code, 0, out);
      assertFalse(/requests|Allow\?/.test(out), out);
      if (flags === "") assertMatch(out, /^NotCapable: .*--allow-read/);
      else assertEquals(out.trim().split(/\r?\n/), GOOD);
    }
  },
});

/** Runs the program on a terminal made by `script`; where a question would come, it would wait for an answer. */
async function onTerminal(flags: string): Promise<{ out: string; code: number }> {
  const program = new URL(import.meta.resolve("../fixtures/programs/permissions.ts")).pathname;
  const child = new Deno.Command("script", {
    args: ["-qec", `${Deno.execPath()} run ${flags} ${program}`, "/dev/null"],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let out = "";
  const decoder = new TextDecoder();
  // Open as long as the program runs: at its end, a question would be answered with no.
  for await (const chunk of child.stdout) {
    out += decoder.decode(chunk, { stream: true });
    if (out.includes("Allow?")) break;
  }
  await child.stdin.close();
  const { code } = await child.status;
  return { out, code };
}

Deno.test("permissions: with all of them threads know the operating system's numbers", async () => {
  await prints("permissions.ts", GOOD);
  await prints("permissions.ts", GOOD, { flags: ["-A", "--deny-ffi"] });
});

Deno.test("permissions: importing the library asks for none", async () => {
  const url = import.meta.resolve("../../threading/mod.ts");
  const code = `data:text/typescript,import { Lock } from ${
    JSON.stringify(url)
  }; using held = new Lock().holdSync(); console.log("held");`;
  const { out, err, code: status } = await run(code, { flags: ["--no-prompt"] });
  assertEquals([out, status], ["held\n", 0], err);
  assert(!err.includes("NotCapable"), err);
});
