import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type Args,
  call,
  CalledProcessError,
  callSync,
  checkCall,
  checkCallSync,
  checkOutput,
  checkOutputSync,
  CompletedProcess,
  DEVNULL,
  PIPE,
  run,
  type RunOptions,
  runSync,
  STDOUT,
  SubprocessError,
  TimeoutExpired,
} from "@batteries/concurrent/subprocess";
import { alive } from "./helpers.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** The same sentence for run and runSync. */
function both(
  sentence: string,
  body: (run: (args: Args, options?: RunOptions) => Promise<CompletedProcess>) => Promise<void>,
): void {
  Deno.test(`run ${sentence}`, () => body((args, options) => run(args, options)));
  // deno-lint-ignore require-await
  Deno.test(`runSync ${sentence}`, () => body(async (args, options) => runSync(args, options)));
}

both("gives the return code, and null for what is not captured", async (run) => {
  const done = await run(["sh", "-c", "exit 47"]);
  assertInstanceOf(done, CompletedProcess);
  assertEquals([done.args, done.returncode], [["sh", "-c", "exit 47"], 47]);
  assertEquals([done.stdout, done.stderr], [null, null]);
});

both("with check rejects another code than 0, and only that", async (run) => {
  const error = await assertRejects(
    () =>
      run("echo o; echo e >&2; exit 3", {
        shell: true,
        check: true,
        captureOutput: true,
        text: true,
      }),
    CalledProcessError,
  );
  assertInstanceOf(error, SubprocessError);
  assertEquals([error.returncode, error.output, error.stdout, error.stderr], [
    3,
    "o\n",
    "o\n",
    "e\n",
  ]);
  assertEquals(error.cmd, "echo o; echo e >&2; exit 3");
  assertEquals((await run(["true"], { check: true })).returncode, 0);
});

both("captures bytes, and both streams apart", async (run) => {
  const done = await run("printf 'a\\0b'; printf e >&2", { shell: true, captureOutput: true });
  assertEquals([done.stdout, done.stderr], [bytes("a\0b"), bytes("e")]);
});

both("with stderr: STDOUT keeps the order of writing", async (run) => {
  const script = "i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); echo $i >&2; i=$((i+1)); done";
  const done = await run(script, { shell: true, stdout: PIPE, stderr: STDOUT, text: true });
  assertEquals(done.stdout, Array.from({ length: 200 }, (_, i) => `${i}\n`).join(""));
  assertStrictEquals(done.stderr, null);
});

both("writes input of 5 MB to a child that answers with as much", async (run) => {
  const input = new Uint8Array(5_000_000).map((_, i) => i * 7);
  const done = await run(["cat"], { input, stdout: PIPE });
  assertEquals(done.stdout!.length, input.length);
  assert((done.stdout as Uint8Array).every((byte, i) => byte === input[i]));
});

both("forgives a child that does not read its input", async (run) => {
  assertEquals((await run(["true"], { input: new Uint8Array(1_000_000) })).returncode, 0);
});

both("takes empty input for input: the child sees its end", async (run) => {
  assertEquals((await run(["cat"], { input: "", stdout: PIPE, text: true })).stdout, "");
});

both("kills and reaps on a time-out, and keeps the bytes that came", async (run) => {
  const start = performance.now();
  const error = await assertRejects(
    () =>
      run("echo $$; echo e >&2; exec sleep 1000", {
        shell: true,
        captureOutput: true,
        text: true,
        timeout: 3000,
      }),
    TimeoutExpired,
  );
  assert(performance.now() - start >= 3000);
  assertEquals([error.timeout, error.cmd], [3000, "echo $$; echo e >&2; exec sleep 1000"]);
  assertInstanceOf(error.output, Uint8Array);
  assertStrictEquals(error.stdout, error.output);
  assertEquals(error.stderr, bytes("e\n"));
  assertEquals(await alive(Number(new TextDecoder().decode(error.output))), "gone");
});

both("does not wait after a time-out for a grandchild that holds the pipe", async (run) => {
  const error = await assertRejects(
    () => run("sleep 1000 & echo $!; wait", { shell: true, captureOutput: true, timeout: 3000 }),
    TimeoutExpired,
  );
  const grandchild = Number(new TextDecoder().decode(error.output as Uint8Array));
  assertEquals(await alive(grandchild), "runs");
  Deno.kill(grandchild, "SIGKILL");
});

both("with killDescendants ends the grandchildren on a time-out, orphans too", async (run) => {
  const script = "sleep 1000 & echo $!; (sleep 1000 & echo $!); exec sleep 1000";
  const error = await assertRejects(
    () => run(script, { shell: true, captureOutput: true, timeout: 3000, killDescendants: true }),
    TimeoutExpired,
  );
  const left = new TextDecoder().decode(error.output as Uint8Array).trim().split("\n").map(Number);
  assertEquals(left.length, 2);
  for (const pid of left) assertEquals(await alive(pid), "gone");
});

both(
  "with killDescendants ends what the child leaves behind when it ends by itself",
  async (run) => {
    const done = await run("sleep 1000 & echo $!; exit 4", {
      shell: true,
      captureOutput: true,
      text: true,
      killDescendants: true,
    });
    assertEquals(done.returncode, 4);
    assertEquals(await alive(Number(done.stdout)), "gone");
  },
);

both("refuses options that contradict each other, before anything is started", async (run) => {
  const refused: [RunOptions, string][] = [
    [{ captureOutput: true, stdout: PIPE }, "captureOutput"],
    [{ captureOutput: true, stderr: DEVNULL }, "captureOutput"],
    [{ input: "x", stdin: PIPE }, "stdin and input"],
    [{ stdout: STDOUT }, "STDOUT"],
    [{ timeout: NaN }, "timeout"],
    [{ timeout: 1e300 }, "timeout"],
  ];
  for (const [options, words] of refused) {
    await assertRejects(() => run(["/nonexistent"], options), RangeError, words);
  }
});

both(
  "refuses an option that does not exist, and input that is neither text nor bytes",
  async (run) => {
    await assertRejects(() => run(["true"], { tmeout: 3 } as RunOptions), TypeError, "tmeout");
    await assertRejects(
      () => run(["true"], { preexecFn: () => {} } as RunOptions),
      TypeError,
      "preexecFn",
    );
    await assertRejects(() => run(["true"], { input: 5 as unknown as string }), TypeError, "input");
    await assertRejects(
      () => run(["true"], { check: 1 as unknown as boolean }),
      TypeError,
      "check",
    );
    await assertRejects(
      () => run(["true"], { timeout: "1" as unknown as number }),
      TypeError,
      "timeout",
    );
  },
);

both("looks at the signal at the call", async (run) => {
  const reason = new Error("no");
  assertStrictEquals(
    await run(["true"], { signal: AbortSignal.abort(reason) }).catch((error) => error),
    reason,
  );
});

Deno.test("run: an abort kills and reaps the child, and rejects with the signal's reason", async () => {
  const controller = new AbortController();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const reason = new Error("enough");
  const running = run("echo $$; exec sleep 1000", {
    shell: true,
    stdout: writable,
    signal: controller.signal,
  });
  const reader = readable.getReader();
  const pid = Number(new TextDecoder().decode((await reader.read()).value));
  controller.abort(reason);
  assertStrictEquals(await running.catch((error) => error), reason);
  assertEquals(await alive(pid), "gone");
  assertEquals((await reader.read()).done, true);
});

Deno.test("run: a time-out of 0 or less still starts the child, kills it and reaps it", async () => {
  for (const timeout of [0, -5]) {
    const error = await assertRejects(() => run(["sleep", "1000"], { timeout }), TimeoutExpired);
    assertEquals(error.timeout, timeout);
  }
});

Deno.test("run: output that is not in the encoding rejects and leaves no child", async () => {
  await assertRejects(
    () => run("printf '\\377'", { shell: true, captureOutput: true, text: true }),
    TypeError,
    "utf-8",
  );
});

Deno.test("runSync: Web streams are refused with a TypeError", () => {
  assertThrows(() => runSync(["cat"], { stdin: new ReadableStream() }), TypeError, "Web stream");
  assertThrows(() => runSync(["cat"], { stdout: new WritableStream() }), TypeError, "Web stream");
});

both("closes a stdin: PIPE that has no input", async (run) => {
  assertEquals((await run(["cat"], { stdin: PIPE, captureOutput: true, text: true })).stdout, "");
});

Deno.test("runSync blocks: nothing else runs in the meantime", async () => {
  let ran = false;
  const timer = setTimeout(() => ran = true, 0);
  runSync(["sleep", "0.05"]);
  runSync(["sleep", "0.05"], { timeout: 60_000 });
  assertEquals(ran, false);
  clearTimeout(timer);
  await Promise.resolve();
});

Deno.test("call and checkCall give the return code; checkCall refuses another than 0", async () => {
  assertEquals([await call("exit 47", { shell: true }), callSync("exit 47", { shell: true })], [
    47,
    47,
  ]);
  assertEquals([await checkCall(["true"]), checkCallSync(["true"])], [0, 0]);
  assertEquals(
    (await assertRejects(() => checkCall("exit 47", { shell: true }), CalledProcessError))
      .returncode,
    47,
  );
  assertEquals(
    assertThrows(() => checkCallSync("exit 47", { shell: true }), CalledProcessError).returncode,
    47,
  );
});

Deno.test("call with a time-out kills the child", async () => {
  const error = await assertRejects(() => call(["sleep", "1000"], { timeout: 50 }), TimeoutExpired);
  assertEquals([error.timeout, error.output], [50, null]);
  assertThrows(() => callSync(["sleep", "1000"], { timeout: 50 }), TimeoutExpired);
});

Deno.test("checkOutput gives bytes or text, and the errors with stderr: STDOUT", async () => {
  assertEquals(await checkOutput(["printf", "BDFL"]), bytes("BDFL"));
  assertEquals(checkOutputSync(["printf", "BDFL"]), bytes("BDFL"));
  assertEquals(
    await checkOutput("echo BDFL >&2", { shell: true, stderr: STDOUT, text: true }),
    "BDFL\n",
  );
  const error = await assertRejects(
    () => checkOutput("echo no; exit 5", { shell: true }),
    CalledProcessError,
  );
  assertEquals([error.returncode, error.output], [5, bytes("no\n")]);
});

Deno.test("checkOutput takes stdin, input, and null for empty input", async () => {
  using file = await Deno.open(new URL(import.meta.url));
  assert(
    (await checkOutput(["head", "-c", "6"], { stdin: file, text: true })).startsWith("import"),
  );
  assertEquals(await checkOutput(["tr", "a-z", "A-Z"], { input: "pear", text: true }), "PEAR");
  assertEquals(checkOutputSync(["tr", "a-z", "A-Z"], { input: bytes("pear") }), bytes("PEAR"));
  assertEquals(await checkOutput(["cat"], { input: null }), new Uint8Array());
  assertEquals(checkOutputSync(["cat"], { input: null, text: true }), "");
});

Deno.test("checkOutput and call refuse the options that they own", async () => {
  await assertRejects(
    () => checkOutput(["true"], { stdout: PIPE } as RunOptions),
    RangeError,
    "stdout",
  );
  assertThrows(() => checkOutputSync(["true"], { check: true } as RunOptions), RangeError, "check");
  await assertRejects(
    () => call(["true"], { captureOutput: true } as RunOptions),
    RangeError,
    "captureOutput",
  );
});

Deno.test("checkOutput with a time-out keeps what came", async () => {
  const error = await assertRejects(
    () => checkOutput("printf BDFL; exec sleep 1000", { shell: true, timeout: 3000 }),
    TimeoutExpired,
  );
  assertEquals(error.output, bytes("BDFL"));
});

Deno.test("The results' static types follow the options", async () => {
  const text: CompletedProcess<string> = await run(["true"], { captureOutput: true, text: true });
  const raw: CompletedProcess<Uint8Array<ArrayBuffer>, null> = runSync(["true"], { stdout: PIPE });
  const encoded: string = await checkOutput(["true"], { encoding: "latin1" });
  const none: null = (await run(["true"])).stdout;
  const open: RunOptions = { captureOutput: true };
  const either: string | Uint8Array | null = (await run(["true"], open)).stdout;
  assertEquals([text.stdout, raw.stdout.length, raw.stderr, encoded, none, either], [
    "",
    0,
    null,
    "",
    null,
    new Uint8Array(),
  ]);
});

Deno.test("The errors' words name the command and its fate", () => {
  const words = (code: number) => new CalledProcessError(code, "fake cmd").message;
  assertEquals(words(2), "Command 'fake cmd' returned non-zero exit status 2");
  assertEquals(words(-6), "Command 'fake cmd' died with SIGABRT");
  assertEquals(words(-9876543), "Command 'fake cmd' died with unknown signal 9876543");
  assertEquals(
    new TimeoutExpired(["a", "b"], 20).message,
    "Command ['a', 'b'] timed out after 20 ms",
  );
  const error = new CalledProcessError(1, ["x"], "o", "e");
  error.stdout = "p";
  assertEquals([error.output, error.name, error.stderr], ["p", "CalledProcessError", "e"]);
});

Deno.test("CompletedProcess can be made by hand and checks its code", () => {
  const done = new CompletedProcess(["x"], 3, "o", "e");
  const error = assertThrows(() => done.checkReturncode(), CalledProcessError);
  assertEquals([error.cmd, error.stdout, error.stderr], [["x"], "o", "e"]);
  assertEquals([
    new CompletedProcess("x", 0).stdout,
    new CompletedProcess("x", 0).checkReturncode(),
  ], [null, undefined]);
});

Deno.test("runSync and waitSync work in a worker", async () => {
  const url = new URL("../fixtures/subprocess/in_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const { data } = await new Promise<MessageEvent>((resolve) => worker.onmessage = resolve);
  worker.terminate();
  assertEquals(data, ["hi", 6]);
});
