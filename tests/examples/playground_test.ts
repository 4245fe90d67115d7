import { assert, assertEquals, assertMatch } from "@std/assert";
import { runExample } from "./_run.ts";

const folder = new URL("../../examples/playground/", import.meta.url);
const guests = [...Deno.readDirSync(folder)].map(({ name }) => name.slice(0, -3)).sort();
const path = (guest: string) => new URL(`${guest}.ts`, folder).pathname;

/** The lines of the table. What the engine says itself when a heap is full, goes to standard error. */
async function table(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runExample("playground", ...args);
  assertEquals(code, 0, stderr);
  return stdout.trimEnd().split("\n");
}

/** What became of each guest. */
function verdicts(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => {
    const [, name, verdict] = line.match(/^(\w+) +(.*)$/)!;
    return [name, verdict];
  }));
}

Deno.test("playground: with 100 ms, 64 MiB and no permissions, survives every guest and none gets what it wants", async () => {
  const lines = await table();
  const became = verdicts(lines);
  // Nothing but the table comes out, whatever they print.
  assertEquals(Object.keys(became), guests);
  const late = /^failed: TimeoutError: The call did not end within 100 ms$/;
  const wanted: Record<string, RegExp> = {
    call_home: /NotCapable: Requires net access/,
    endless_loop: late,
    exit: /BrokenProcessPool/,
    memory_bomb: /MemoryError/,
    never_answers: late,
    output_flood: late,
    process_bomb: /NotCapable: Requires run access/,
    prototype_pollution: /^gave "isAdmin: true"$/,
    read_passwd: /NotCapable: Requires read access to "\/etc\/passwd"/,
    typo: /TypeError/,
    worker_bomb: late,
  };
  for (const [guest, verdict] of Object.entries(became)) {
    // On a busy machine any of them may be late.
    const isRight = wanted[guest]?.test(verdict) ?? verdict.startsWith("gave");
    assert(isRight || late.test(verdict) || guest === "well_behaved", `${guest}: ${verdict}`);
    assert(verdict.length < 200, `${guest} says too much`);
  }
  assert(!lines.some((line) => line.includes("root:")));
});

Deno.test("playground: guests that have time enough, end as they should", async () => {
  const names = ["memory_bomb", "exit", "prototype_pollution", "well_behaved", "typo"];
  const became = verdicts(await table("--timeout", "60000", ...names.map(path)));
  assertMatch(became.memory_bomb, /^failed: MemoryError/);
  assertMatch(became.exit, /^failed: BrokenProcessPool.* ended with exit code 0/);
  assertEquals(became.prototype_pollution, 'gave "isAdmin: true"');
  // What the one before it did to all arrays, does not concern it.
  assertEquals(became.well_behaved, 'said "averaging 3 numbers", gave 5');
  assertMatch(became.typo, /^failed: TypeError/);
});

/** The processes of this machine that run the playground. */
function players(): Set<string> {
  const names = [...Deno.readDirSync("/proc")].map(({ name }) => name);
  return new Set(names.filter((name) => {
    try {
      return Deno.readTextFileSync(`/proc/${name}/cmdline`).includes("examples/playground.ts");
    } catch {
      return false;
    }
  }));
}

Deno.test("playground: nobody of the guests is left", async () => {
  const others = players();
  await table(path("worker_bomb"), path("endless_loop"));
  // Who was killed is still there for a moment.
  const left = () => players().difference(others);
  for (const start = performance.now(); left().size > 0;) {
    assert(performance.now() - start < 60_000, `${[...left()]} are left`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
});
