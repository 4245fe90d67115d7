import { assert, assertEquals } from "@std/assert";
import { processesWith, waitUntil } from "./_world.ts";

const program = import.meta.resolve("../fixtures/multiprocessing/endings.ts");

/** Runs the program, and gives its exit code once all that it started is gone. */
async function endBy(how: string, delay: number, flags: string[] = ["-A"]): Promise<number> {
  const mark = `mark-${crypto.randomUUID()}`;
  const tmp = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...flags, program, how, String(delay), mark],
    env: { TMPDIR: tmp, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  });
  const { code, stdout } = await child.output();
  assertEquals(new TextDecoder().decode(stdout), "ending\n");
  waitUntil(`nobody of ${how} after ${delay} ms is left`, () => processesWith(mark).length === 0);
  // Who is killed while a child of his starts, as the children of a program that exits are, may leave its folder, which a later program
  // sweeps.
  if (how === "natural") {
    assertEquals([...Deno.readDirSync(tmp)].map(({ name }) => name), [], how);
  }
  await Deno.remove(tmp, { recursive: true });
  return code;
}

const MOMENTS = [0, 10, 25, 60, 150, 400];

for (
  const [how, code] of [
    ["throw", 1],
    ["reject", 1],
    ["exit", 5],
    ["kill", 137],
    ["term", 143],
  ] as const
) {
  Deno.test(`ends: a program that ends by ${how}, at whatever moment, leaves no process behind, not even one that spins`, async () => {
    for (const moment of MOMENTS) assertEquals(await endBy(how, moment), code);
  });
}

Deno.test("ends: a program that has come to its end, ends its daemons", async () => {
  for (const moment of MOMENTS) assertEquals(await endBy("natural", moment), 0);
});

Deno.test("ends: without the permission for setpriv, sleeping children end with their parent by their link", async () => {
  const mark = `mark-${crypto.randomUUID()}`;
  const sleepers = import.meta.resolve("../fixtures/multiprocessing/sleepers.ts");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      "--allow-net",
      `--allow-run=${Deno.execPath()}`,
      sleepers,
      mark,
    ],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  assert(processesWith(mark).length >= 2);
  child.kill("SIGKILL");
  await child.status;
  while (!(await reader.read()).done);
  waitUntil("no sleeper is left", () => processesWith(mark).length === 0);
});

Deno.test("ends: a folder that a killed program left, is swept by a later one, when it is old enough", async () => {
  const tmp = await Deno.makeTempDir();
  const [old, young] = [`${tmp}/batteries-mp-old`, `${tmp}/batteries-mp-young`];
  for (const folder of [old, young]) await Deno.mkdir(folder);
  await Deno.writeTextFile(`${old}/job`, "{}");
  const hourAgo = new Date(Date.now() - 3_600_000);
  await Deno.utime(old, hourAgo, hourAgo);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", program, "natural", "0", `mark-${crypto.randomUUID()}`],
    env: { TMPDIR: tmp },
    stdin: "null",
    stdout: "null",
  }).output();
  assertEquals(code, 0);
  assertEquals([...Deno.readDirSync(tmp)].map(({ name }) => name), ["batteries-mp-young"]);
  await Deno.remove(tmp, { recursive: true });
});
