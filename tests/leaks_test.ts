import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { leaks, subprocess } from "@batteries/concurrent";

Deno.test("leaks: a child that runs is named with where it was started, and no longer once it has ended", async () => {
  const popen = new subprocess.Popen(["cat"], { stdin: subprocess.PIPE });
  const [leak, ...others] = leaks();
  assertEquals([leak.what, others], [`Popen cat (pid ${popen.pid})`, []]);
  assertStringIncludes(leak.madeAt.split("\n")[0], "leaks_test.ts");
  await popen[Symbol.asyncDispose]();
  assertEquals(leaks(), []);
});

Deno.test("leaks: what run() has started and ended is not there", async () => {
  await subprocess.run(["true"]);
  assert(leaks().length === 0);
});
