/** What the engine itself is busy with: which of it can be stopped in a thread, and what happens to what cannot. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ProcessPoolExecutor,
  ThreadPoolExecutor,
  TimeoutError,
} from "@batteries/concurrent/futures";
import { Event } from "@batteries/concurrent/threading";
import { double, fillForEver, LOOKING, sortLong } from "../fixtures/futures/stop_tasks.ts";

const AGES = 60_000;

/** Milliseconds of processor time that this process has used. */
function processorTime(): number {
  const { user, system } = (globalThis as unknown as {
    process: { cpuUsage(): { user: number; system: number } };
  }).process.cpuUsage();
  return (user + system) / 1000;
}

/** Waits until no thread of this process is busy. */
async function quiet(): Promise<void> {
  for (const start = performance.now();;) {
    const [before, begun] = [processorTime(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (processorTime() - before < (performance.now() - begun) / 10) return;
    assert(performance.now() - start < AGES, "A thread burns on");
  }
}

/** Stops a call when it has begun, and says how long that took, in milliseconds. */
async function stop(
  executor: ThreadPoolExecutor,
  task: (begun: Event) => unknown,
): Promise<number> {
  const begun = new Event();
  const controller = new AbortController();
  const future = executor.with({ signal: controller.signal }).submit(task, begun);
  await begun.wait();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const start = performance.now();
  controller.abort(new Error("enough"));
  await assertRejects(() => future.result(), Error, "enough");
  return performance.now() - start;
}

Deno.test("with: calls that are stopped in a built-in function that looks up now and then, burn no more", async () => {
  await using executor = new ThreadPoolExecutor(1);
  for (const [what, task] of Object.entries(LOOKING)) {
    await stop(executor, task);
    await quiet();
    assertEquals(await executor.submit(double, 4), 8, what);
  }
});

Deno.test("with: a call that is stopped in a built-in function that does not look up, is rejected, replaced, and ends with it", async () => {
  await using executor = new ThreadPoolExecutor(1);
  await stop(executor, sortLong);
  assertEquals(await executor.submit(double, 4), 8);
  await quiet();
});

function program(name: string, stdin: "null" | "piped"): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.resolve(`../fixtures/futures/${name}.ts`)],
    env: { NO_COLOR: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("with: calls that cannot be stopped, are rejected, their places are free, and the program ends", async () => {
  await using child = program("given_up_program", "piped");
  const stdin = child.stdin.getWriter();
  const [stdout, stderr, { code }] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.status,
  ]);
  await stdin.close().catch(() => {});
  assertEquals(code, 0, stderr);
  assertEquals(JSON.parse(stdout), ["TimeoutError", 4, "TimeoutError", 4]);
});

Deno.test("with: a process, ends such a call too", async () => {
  await using executor = new ProcessPoolExecutor(1);
  const future = executor.with({ timeout: 300 }).submit(fillForEver);
  await assertRejects(() => future.result(), TimeoutError);
  assertEquals(await executor.submit(double, 4), 8);
});

Deno.test("with: a Deno that cannot end a worker, is told by name once, and processes do it", async () => {
  const child = program("unable_program", "null");
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stderr);
  assertEquals(code, 0, said);
  const { thread, ...others } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(others, {
    plain: 2,
    limited: 4,
    map: [6, 8],
    spin: "TimeoutError",
    after: 10,
    bomb: true,
    capped: 12,
  });
  const named = `this Deno (${Deno.version.deno}) does not end a worker that runs in a loop`;
  assertEquals(said.split(named).length, 2, said);
  assert(thread.includes(named), thread);
});
