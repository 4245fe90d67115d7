import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

async function run(
  args: string[],
  input?: string,
): Promise<{ code: number; out: string; err: string }> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    env: { NO_COLOR: "1" },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

const fixture = (name: string) => import.meta.resolve(`../fixtures/multiprocessing/${name}`);
const config = new URL("../../deno.json", import.meta.url).pathname;

Deno.test("program: a script without a guard, starts its process once, which says what to do", async () => {
  const { code, out, err } = await run(["run", "--quiet", "-A", fixture("unguarded.ts")]);
  assertEquals([code, out], [0, "1\n"]);
  assertMatch(err, /^Process Child:\nProcessError: Cannot start Child while a process imports/);
  assertStringIncludes(err, "if (import.meta.main) { … }");
});

Deno.test("program: a script without a guard that starts late, starts its process once", async () => {
  const { out, err } = await run(["run", "--quiet", "-A", fixture("unguarded_late.ts")]);
  assertStringIncludes(err, "Cannot start Child while a process imports");
  assert(out.endsWith("1\n") || out.endsWith("0\n"), out);
});

Deno.test("program: children that fail, print their name and stack and end with 1; threads are waited for", async () => {
  const { code, out, err } = await run(["run", "--quiet", "-A", fixture("errors.ts")]);
  assertEquals(code, 0);
  assertEquals(out.split("\n"), [
    "inner 1",
    "rejects 1",
    "stray 1",
    "the thread was waited for",
    "withThread 0",
    "-40",
    "a child of a thread",
    "0",
    "",
  ]);
  assertMatch(
    err,
    /^Process inner:\nRangeError: on purpose\n {4}at inner \(.*errors\.ts:\d+:\d+\)/,
  );
  assertStringIncludes(err, '[cause]: "a cause"');
  assertMatch(err, /\nProcess rejects:\nRangeError: on purpose\n {4}at inner/);
  assertStringIncludes(err, "Error: stray");
});

for (const how of ["eval", "stdin"] as const) {
  Deno.test(`program: given by ${how}, cannot start its own functions, and says so`, async () => {
    const text = `import { Process, task } from "@batteries/concurrent/multiprocessing";
      const work = task(import.meta, function work() {});
      try { new Process({ target: work }).start(); } catch (error) { console.log(error.name, error.message); }`;
    const args = how === "eval"
      ? ["eval", "--quiet", "--config", config, text]
      : ["run", "--quiet", "-A", "--config", config, "-"];
    const { out, err } = await run(args, how === "stdin" ? text : undefined);
    assertEquals(err, "");
    assertMatch(out, /^NotSupported Cannot start Process-1: its target is in file:\S+\$deno\$\S+/);
    assertStringIncludes(out, "put what it runs into a file");
  });

  Deno.test(`program: given by ${how}, starts functions of modules`, async () => {
    const text = `import { Process } from "@batteries/concurrent/multiprocessing";
      import { exitWith } from "${fixture("process_parties.ts")}";
      const process = new Process({ target: exitWith, args: [7] });
      process.start(); await process.join(); console.log(process.exitcode);`;
    const args = how === "eval"
      ? ["eval", "--quiet", "--config", config, text]
      : ["run", "--quiet", "-A", "--config", config, "-"];
    const { out, err } = await run(args, how === "stdin" ? text : undefined);
    assertEquals([out, err], ["7\n", ""]);
  });

  Deno.test(`program: given by ${how}, has pools and managers, but not for its own functions`, async () => {
    const text = `import { Manager, Pool } from "@batteries/concurrent/multiprocessing";
      import { nothing } from "${fixture("folders.ts")}";
      export function work() {}
      await using pool = Pool({ processes: 1 });
      console.log(await pool.apply(nothing));
      try { await pool.apply(work); } catch (error) { console.log(error.name, error.message); }
      console.log(await pool.apply(nothing));
      await using manager = await Manager();
      console.log(await (await manager.list([1])).getvalue());`;
    const args = how === "eval"
      ? ["eval", "--quiet", "--config", config, text]
      : ["run", "--quiet", "-A", "--config", config, "-"];
    const { out, err } = await run(args, how === "stdin" ? text : undefined);
    assertEquals(err, "");
    const [first, error, ...rest] = out.trimEnd().split("\n");
    assertEquals([first, ...rest], ["undefined", "undefined", "[ 1 ]"]);
    assertMatch(error, /^PicklingError Cannot import \S+: that program is no file; put what/);
  });
}
