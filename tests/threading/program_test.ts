import { assert, assertEquals, assertFalse, assertMatch, assertStringIncludes } from "@std/assert";
import { prints, run } from "./_program.ts";

Deno.test("program: daemon threads do not hold it, whatever they do", async () => {
  await prints("daemons.ts", ["end of main"]);
});

Deno.test("program: with daemon threads running, the exit code is main's", async () => {
  for (
    const [how, code, words] of [
      ["exit", 7, ""],
      ["exit", 0, ""],
      ["exitCode", 5, ""],
      ["throw", 1, "main failed"],
      ["reject", 1, "main rejected"],
    ] as const
  ) {
    const ended = await run("daemons.ts", { args: [how, String(code)] });
    assertEquals([ended.code, ended.out], [code, "end of main\n"], ended.err);
    assertStringIncludes(ended.err, words);
    if (words === "") assertEquals(ended.err, "");
  }
});

Deno.test("program: ends when its last thread that is no daemon has ended", async () => {
  await prints("outlive.ts", ["end of main", "end of thread"], { args: ["one"] });
});

Deno.test("program: threads that were started by threads hold it, when main and those are gone", async () => {
  await prints("outlive.ts", ["end of main", "end of thread 1"], { args: ["nested"] });
  const { code, out, err } = await run("outlive.ts", { args: ["deep"] });
  assertEquals([code, err], [0, ""]);
  assertEquals(out.trim().split("\n").sort(), [1, 2, 3, 4, 5].map((n) => `end of thread ${n}`));
});

Deno.test("program: main has ended, for those who join it, when it has nothing left to do", async () => {
  const { code, out, err } = await run("join_main.ts");
  assertEquals([code, err], [0, ""]);
  assertEquals(out, "end of main\n" + "end of thread, main is gone\n".repeat(2));
});

Deno.test("program: a thread that a daemon starts may hold it", async () => {
  await prints("outlive.ts", ["end of main", "end of the daemon's thread"], {
    args: ["daemon starts"],
  });
});

Deno.test("program: Deno.exit() in a thread ends that thread, the one it started goes on", async () => {
  await prints("outlive.ts", ["end of main", "end of inner"], { args: ["leave"] });
});

Deno.test("program: an uncaught error in main ends it at once, threads or not", async () => {
  for (const [how, words] of [["throw", "main failed"], ["reject", "main rejected"]]) {
    const { code, out, err } = await run("outlive.ts", { args: [how] });
    assertEquals([code, out], [1, ""]);
    assertStringIncludes(err, words);
  }
});

Deno.test("program: Deno.exit() in main ends it at once with its code, and Deno.exitCode lasts", async () => {
  assertEquals(await run("outlive.ts", { args: ["exit"] }), {
    code: 7,
    signal: null,
    out: "",
    err: "",
  });
  assertEquals((await run("outlive.ts", { args: ["exitCode"] })).code, 9);
});

Deno.test("program: a thread that leaves by exit, close or an error is joined, and the program goes on", async () => {
  const { code, out, err } = await run("leave.ts");
  assertEquals(out.split("\n"), [
    "Deno.exit: joined, 1 alive",
    "process.exit: joined, 1 alive",
    "self.close: joined, 1 alive",
    "self.close, then a loop: joined, 1 alive",
    "exit in a timer: joined, 1 alive",
    "exit in a microtask: joined, 1 alive",
    "exitCode: joined, 1 alive",
    "throw: joined, 1 alive",
    "lock: true",
    "",
  ], err);
  assertEquals(code, 0, err);
  assertEquals(err.match(/^Exception in thread/gm)?.length, 3, err);
});

Deno.test("program: without a guard gets one clear error and no storm of threads", async () => {
  for (
    const how of [
      "plain",
      "top-level await",
      "late top-level await",
      "async main",
      "late async main",
      "timer",
      "microtask",
    ]
  ) {
    const { code, out, err } = await run("unguarded.ts", { args: [how] });
    assertEquals(code, 0, err);
    // Evaluated here and in one thread.
    assertEquals(out.match(/evaluated/g)?.length, 2, `${how}: ${out}${err}`);
    assertStringIncludes(err, "if (import.meta.main)", how);
    assertStringIncludes(err, "unguarded.ts", how);
  }
});

Deno.test("program: a module that does not load in the thread is the thread's failure, join returns", async () => {
  const { code, out, err } = await run("load.ts");
  assertEquals([code, out], [0, "joined\n".repeat(5)], err);
  assertMatch(err, /Exception in thread throws:\nRangeError: thrown while loading/);
  assertMatch(err, /Exception in thread syntax:\n.*syntax\.js/s);
  assertMatch(err, /Exception in thread missing:\n.*not_there\.js/s);
  assertMatch(err, /Exception in thread renamed:\nPicklingError: .*work/s);
  assertMatch(err, /Exception in thread gone:\n.*gone\.js/s);
});

Deno.test("program: threads that misuse their worker hurt nobody else", async () => {
  const { code, out, err } = await run("stray.ts");
  assertEquals(code, 0, err);
  assertEquals(out.trim().split("\n").length, 11, `${out}${err}`);
  assertFalse(out.includes("did not run"), out);
});

Deno.test("program: starts threads from the middle of its top-level await, and through other modules", async () => {
  await prints("evaluating.ts", ["before", "after", "later", "last"]);
});

Deno.test("program: the target may be a function of an npm package", async () => {
  const { code, out, err } = await run("npm.ts");
  assertEquals([code, out], [0, ""]);
  assertMatch(err, /^Exception in thread bad:\nAssertionError: /);
});

Deno.test("program: a subclass with a private field fails in the thread, with the engine's words", async () => {
  const { code, out, err } = await run("private_field.ts");
  assertEquals([code, out], [0, "joined\n"]);
  assertMatch(err, /^Exception in thread secretive:\nTypeError: .*#secret/);
});

Deno.test("program: Ctrl-C ends it while main is blocked in a Sync call, or awaits", async () => {
  for (const way of ["join", "lock", "event", "semaphore", "condition", "barrier", "await"]) {
    const { code, signal, out, err } = await run("blocked.ts", {
      args: [way],
      onLine: ["blocking", (child) => child.kill("SIGINT")],
    });
    assertEquals([out, err], ["blocking\n", ""], way);
    assert(signal === "SIGINT" || code === 130, `${way}: ${signal} ${code}`);
  }
});

Deno.test("program: a worker of the user's may have threads of its own", async () => {
  await prints("own_worker.ts", ["MainThread: true"]);
});

Deno.test("program: with --coverage threads start slowly and work", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await prints("outlive.ts", ["end of main", "end of thread 1"], {
      args: ["nested"],
      flags: ["-A", `--coverage=${folder}`],
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
