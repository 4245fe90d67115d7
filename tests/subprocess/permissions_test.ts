import { assert, assertEquals, assertStringIncludes } from "@std/assert";

const fixture = new URL("../fixtures/subprocess/with_permissions.ts", import.meta.url).pathname;

/** What the fixture's deed comes to under these permissions. Nothing may prompt. */
async function deed(name: string, ...flags: string[]): Promise<unknown> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, fixture, name],
    stdout: "piped",
    stderr: "piped",
  }).output();
  const line = new TextDecoder().decode(stdout);
  assert(line !== "", new TextDecoder().decode(stderr));
  return JSON.parse(line);
}

Deno.test("--allow-run alone is enough: run, runSync with input and time-out, pipelines, waitSync, killDescendants", async () => {
  assertEquals(await deed("run", "--allow-run"), "hi\n");
  assertEquals(await deed("runSync", "--allow-run"), "hi\n");
  assertEquals(await deed("runSyncInput", "--allow-run"), "1048576");
  assertEquals(await deed("merged", "--allow-run"), "1\n2\n");
  assertEquals(await deed("pipeline", "--allow-run"), ["hi\n", null, 0]);
  assertEquals(await deed("waitSync", "--allow-run"), 5);
  assertEquals(await deed("killDescendants", "--allow-run"), "");
});

Deno.test("--allow-run with a list is enough for what the list names", async () => {
  assertEquals(await deed("run", "--allow-run=echo"), "hi\n");
  assertEquals(await deed("runSync", "--allow-run=echo"), "hi\n");
  assertEquals(await deed("pipeline", "--allow-run=echo,cat"), ["hi\n", null, 0]);
});

Deno.test("Where a descriptor is not to be had, files are copied, with the same outcome", async () => {
  const expected = ["1\n2\n3\n", "2\n3\n", "2\n3\n"];
  const files = ["--allow-read", "--allow-write"];
  assertEquals(await deed("files", "--allow-run=echo,cat", ...files), expected);
  assertEquals(await deed("files", "--allow-run", ...files), expected);
});

Deno.test("A missing permission is NotCapable and named, with the program", async () => {
  const expect = async (name: string, flags: string[], ...words: string[]) => {
    const error = await deed(name, ...flags) as { name: string; message: string };
    assertEquals(error.name, "NotCapable");
    for (const word of words) assertStringIncludes(error.message, word);
  };
  await expect("run", [], "'echo'", "--allow-run");
  await expect("run", ["--allow-run=cat"], "'echo'", "--allow-run=echo");
  await expect("runSync", [], "'echo'", "--allow-run");
  await expect("runSyncInput", [], "'wc'", "--allow-run");
  await expect("merged", ["--allow-run=echo"], "/bin/sh", "--allow-run");
  await expect("killDescendants", ["--allow-run=sleep"], "/bin/sh", "--allow-run");
  if (Deno.build.os === "linux") await expect("passFds", ["--allow-run"], "--allow-ffi");
});
