import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { leaks, multiprocessing, subprocess } from "@batteries/concurrent";
import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
import { wait } from "./fixtures/leaks.ts";

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

Deno.test("leaks: shared memory, a process and both ends of a pipe are there until they are given back", async () => {
  const memory = new SharedMemory({ create: true, size: 8 });
  const [left, right] = multiprocessing.Pipe();
  const process = new multiprocessing.Process({ target: wait, args: [right] });
  process.start();
  const names = leaks().map(({ what }) => what.split(" ")[0]).sort();
  assertEquals(names, ["Connection", "Connection", "Process", "SharedMemory"]);
  assert(leaks().every(({ madeAt }) => madeAt.split("\n")[0].includes("leaks_test.ts")));
  memory.close();
  memory.unlink();
  left.close();
  right.close();
  await process.join();
  assertEquals(leaks(), []);
});
