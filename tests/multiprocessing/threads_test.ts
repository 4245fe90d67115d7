/** Threads and processes together: threads are nodes of the tree, and use what processes share. */

import { assertEquals } from "@std/assert";
import { Lock, Process, Queue } from "@batteries/concurrent/multiprocessing";
import { Thread } from "@batteries/concurrent/threading";
import { leavesThreads } from "../fixtures/multiprocessing/only_threads.ts";
import { letsGoByThread, putByThread } from "../fixtures/multiprocessing/thread_parties.ts";
import { CHECKS } from "../fixtures/multiprocessing/threads_program.ts";
import { isRunning, waitForFile, waitUntil } from "./_world.ts";

for (const [name, check] of Object.entries(CHECKS)) {
  Deno.test(`threads: ${name}`, check);
}

Deno.test("threads: what a blocked main thread waits for, may have to be started by it", async () => {
  const [queue, lock] = [new Queue<number>(), new Lock()];
  const putting = new Thread({ target: putByThread, args: [queue, 7] });
  putting.start();
  assertEquals(queue.getSync(), 7);
  await putting.join();

  lock.acquireSync();
  const lettingGo = new Thread({ target: letsGoByThread, args: [lock] });
  lettingGo.start();
  assertEquals(lock.acquireSync(), true);
  lock.release();
  await lettingGo.join();
});

Deno.test("threads: in a program without --allow-ffi, hold the same", async () => {
  const program = new URL("../fixtures/multiprocessing/threads_program.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--allow-run",
      "--allow-read",
      "--allow-write",
      "--allow-net",
      program.pathname,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stderr)], [0, ""]);
  assertEquals(text.decode(stdout).trim().split("\n"), Object.keys(CHECKS));
});

Deno.test("threads: of a child whose target knows of nothing else, are waited for at its end, but for daemons", async () => {
  for (const daemon of [false, true]) {
    const folder = Deno.makeTempDirSync();
    const child = new Process({ target: leavesThreads, args: [`${folder}/file`], daemon });
    child.start();
    await child.join();
    assertEquals(child.exitcode, 0);
    assertEquals(Deno.readTextFileSync(`${folder}/file`), "done");
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("threads: a program that is killed, leaves no process behind that a thread has started, not even one that spins", async () => {
  const folder = Deno.makeTempDirSync();
  const program = new URL("../fixtures/multiprocessing/spinners.ts", import.meta.url);
  const parent = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", program.pathname, `${folder}/pid`],
    stdin: "null",
  }).spawn();
  waitForFile(`${folder}/pid`);
  waitUntil("the pid is written", () => Deno.readTextFileSync(`${folder}/pid`) !== "");
  const pid = Number(Deno.readTextFileSync(`${folder}/pid`));
  parent.kill("SIGKILL");
  await parent.status;
  waitUntil("the child has ended", () => !isRunning(pid));
  Deno.removeSync(folder, { recursive: true });
});
