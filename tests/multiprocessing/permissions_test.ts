import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { type Permissions, Pipe, Process } from "@batteries/concurrent/multiprocessing";
import {
  answers,
  inherits,
  KINDS,
  looksForLeftovers,
  reads,
  takes,
  whatIsAllowed,
} from "../fixtures/multiprocessing/permission_parties.ts";

const program = import.meta.resolve("../fixtures/multiprocessing/permission_parties.ts");

async function exitcodeOf(process: Process): Promise<number | null> {
  process.start();
  await process.join();
  return process.exitcode;
}

async function allowedWith(permissions: Permissions): Promise<string[]> {
  const bits = await exitcodeOf(new Process({ target: whatIsAllowed, permissions }));
  return KINDS.filter((_, i) => bits! & 1 << i);
}

/** What a program prints that was given these flags and starts a child with these permissions. */
async function printedBy(flags: string[], permissions?: Permissions): Promise<string> {
  const args = ["run", "--quiet", "--no-prompt", ...flags, program];
  if (permissions !== undefined) args.push(JSON.stringify(permissions));
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" })
    .output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).trim();
}

/** What it takes to start processes at all. */
const BASE = ["--allow-run", "--allow-read", "--allow-write", "--allow-net"];

Deno.test("permissions: inherit, gives all that this process has", async () => {
  assertEquals(await allowedWith("inherit"), KINDS);
});

Deno.test("permissions: none, forbids every kind", async () => {
  assertEquals(await allowedWith("none"), []);
  assertEquals(await allowedWith({}), []);
});

for (const kind of KINDS) {
  Deno.test(`permissions: only ${kind}, allows that and forbids the others`, async () => {
    assertEquals(await allowedWith({ [kind]: true }), [kind]);
    assertEquals(await allowedWith({ [kind]: "inherit" }), [kind]);
  });

  Deno.test(`permissions: all but ${kind}, forbids that and allows the others`, async () => {
    const others = KINDS.filter((other) => other !== kind);
    const permissions = Object.fromEntries(others.map((other) => [other, true]));
    assertEquals(await allowedWith({ ...permissions, [kind]: false }), others);
  });
}

Deno.test("permissions: lists, allow what is on them, as paths or file URLs", async () => {
  const folder = await Deno.makeTempDir();
  const [can, cannot] = [`${folder}/a b`, `${folder}/other`];
  for (const path of [can, cannot]) await Deno.writeTextFile(path, "text");
  const url = new URL(`file://${encodeURI(can)}`);
  for (const item of [can, url, url.href]) {
    const process = new Process({
      target: reads,
      args: [can, cannot],
      permissions: { read: [item] },
    });
    assertEquals(await exitcodeOf(process), 0);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("permissions: what a child has for its link, is taken back", async () => {
  assertEquals(
    await exitcodeOf(new Process({ target: looksForLeftovers, permissions: "none" })),
    0,
  );
});

Deno.test("permissions: a child that may not read, can be given errors and connections", async () => {
  const error = new RangeError("here");
  assertEquals(
    await exitcodeOf(new Process({ target: takes, args: [error], permissions: "none" })),
    0,
  );
  const [here, there] = Pipe<unknown>();
  const process = new Process({ target: answers, args: [there], permissions: "none" });
  process.start();
  assertEquals(await here.recv(), "from the sandbox");
  await process.join();
  assertEquals(process.exitcode, 0);
  here.close();
  there.close();
});

Deno.test("permissions: a child's child, inherits what the child has", async () => {
  const permissions = { run: true, read: true, write: true, net: true, sys: true };
  const bits = await exitcodeOf(new Process({ target: inherits, permissions }));
  assertEquals(KINDS.filter((_, i) => bits! & 1 << i), ["read", "write", "net", "sys", "run"]);
});

Deno.test("permissions: of a program with some, are inherited and never exceeded", async () => {
  const bits = Number(await printedBy([...BASE, "--allow-env"]));
  assertEquals(KINDS.filter((_, i) => bits & 1 << i), ["read", "write", "net", "env", "run"]);
  assertMatch(
    await printedBy(BASE, { sys: true }),
    /^NotCapable Cannot start Process-1 with permissions for all of sys: this process has not got them itself; run it with --allow-sys/,
  );
  assertStringIncludes(
    await printedBy(["--allow-env=HOME", ...BASE], { env: ["HOME", "PATH"] }),
    "permissions for env of PATH",
  );
  assertStringIncludes(
    await printedBy(["--allow-env=HOME", ...BASE], { env: true }),
    "permissions for all of env",
  );
  const one = Number(await printedBy(["--allow-env=HOME", ...BASE], { env: ["HOME"] }));
  assertEquals(KINDS.filter((_, i) => one & 1 << i), ["env"]);
});

Deno.test("permissions: what was granted with exceptions, is not given as a whole", async () => {
  const flags = [...BASE, "--allow-env", "--deny-env=SECRET"];
  assertStringIncludes(await printedBy(flags, { env: true }), "permissions for all of env");
  const bits = Number(await printedBy(flags));
  assertEquals(KINDS.filter((_, i) => bits & 1 << i), ["read", "write", "net", "run"]);
});

Deno.test("permissions: missing for starting processes at all, are named", async () => {
  for (const flag of BASE) {
    const text = await printedBy(BASE.filter((other) => other !== flag));
    assertMatch(text, /^NotCapable Cannot start Process-1: it takes --allow-run, --allow-read/);
    assertStringIncludes(text, flag);
  }
});

Deno.test("permissions: an item that Deno's command line cannot express, is refused and nothing is started", () => {
  const process = new Process({ target: whatIsAllowed, permissions: { read: ["/tmp/a,b"] } });
  assertThrows(() => process.start(), TypeError, "it has a comma");
  assertEquals([process.pid, process.isAlive()], [null, false]);
});
