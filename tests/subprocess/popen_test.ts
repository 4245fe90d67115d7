import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { lines, PIPE, Popen, TimeoutExpired } from "@batteries/concurrent/subprocess";
import { alive, ends } from "./helpers.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A child that says that it runs before it goes on. */
async function running(script: string): Promise<Popen> {
  const child = new Popen(`echo up; ${script}`, { shell: true, stdout: PIPE, stdin: PIPE });
  const reader = child.stdout!.getReader();
  assertEquals(await reader.read(), { value: bytes("up\n"), done: false });
  reader.releaseLock();
  return child;
}

Deno.test("Popen: pid, args and returncode; poll and returncode follow the child by themselves", async () => {
  const child = await running("read line; exit 7");
  assertEquals([child.returncode, child.poll()], [null, null]);
  assert(child.pid > 1);
  child.stdin!.close();
  assertEquals(await child.wait(), 7);
  assertEquals([child.returncode, child.poll(), await child.wait(), child.waitSync()], [
    7,
    7,
    7,
    7,
  ]);
  await child.stdout!.cancel();
});

Deno.test("Popen: streams are null where no pipe was asked for, and always the same object", async () => {
  const child = new Popen(["true"]);
  assertEquals([child.stdin, child.stdout, child.stderr], [null, null, null]);
  await child.wait();
  await using piped = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, stderr: PIPE });
  assertStrictEquals(piped.stdin, piped.stdin);
  assertStrictEquals(piped.stdout, piped.stdout);
  assertStrictEquals(piped.stderr, piped.stderr);
});

Deno.test("Popen: a child is talked to over its pipes, by default and BYOB readers", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  const writer = child.stdin!.getWriter();
  const reader = child.stdout!.getReader();
  for (const word of ["pear", "plum"]) {
    await writer.write(bytes(word));
    assertEquals((await reader.read()).value, bytes(word));
  }
  reader.releaseLock();
  const byob = child.stdout!.getReader({ mode: "byob" });
  await writer.write(bytes("fig"));
  assertEquals((await byob.read(new Uint8Array(2))).value, bytes("fi"));
  assertEquals((await byob.read(new Uint8Array(2))).value, bytes("g"));
  await writer.close();
  const last = await byob.read(new Uint8Array(2));
  assertEquals([last.done, last.value?.length], [true, 0]);
});

Deno.test("Popen.wait: a time-out throws TimeoutExpired, and the child goes on", async () => {
  const child = await running("read line; exit 3");
  const error = await assertRejects(() => child.wait({ timeout: 10 }), TimeoutExpired);
  assertEquals([error.timeout, error.output, child.returncode], [10, null, null]);
  for (const timeout of [0, -1]) await assertRejects(() => child.wait({ timeout }), TimeoutExpired);
  assertThrows(() => child.waitSync({ timeout: 10 }), TimeoutExpired);
  assertThrows(() => child.waitSync({ timeout: 0 }), TimeoutExpired);
  child.stdin!.close();
  assertEquals(await child.wait({ timeout: 60_000 }), 3);
  assertEquals(await child.wait({ timeout: 0 }), 3);
  await child.stdout!.cancel();
});

Deno.test("Popen.wait: an abort rejects with the reason, and the child goes on", async () => {
  const child = await running("read line; exit 3");
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = child.wait({ signal: controller.signal });
  controller.abort(reason);
  assertStrictEquals(await waiting.catch((error) => error), reason);
  await assertRejects(() => child.wait({ signal: controller.signal }), Error, "enough");
  await assertRejects(() => child.wait({ timeout: NaN }), RangeError, "timeout");
  child.stdin!.close();
  assertEquals(await child.wait(), 3);
  await child.stdout!.cancel();
});

Deno.test("Popen.waitSync waits for a running child, and gives codes and signals", async () => {
  for (
    const [script, code] of [["exit 0", 0], ["exit 201", 201], ["kill -9 $$", -9]] as const
  ) {
    const child = new Popen(script, { shell: true });
    assertEquals(child.waitSync({ timeout: 60_000 }), code);
    assertEquals([child.returncode, await child.wait()], [code, code]);
    child.kill(); // No such process any more: nothing happens.
  }
});

Deno.test("Popen.waitSync right after the last read, in the turn that collects the child, has the code", async () => {
  for (let i = 0; i < 50; i++) {
    const child = new Popen("echo x; exit 9", { shell: true, stdout: PIPE });
    for await (const _ of child.stdout!);
    assertEquals(child.waitSync(), 9);
    await child.wait();
  }
});

Deno.test("Popen: 20 waiters of one child all get its code", async () => {
  const child = await running("read line; exit 4");
  const waiters = Array.from({ length: 20 }, () => child.wait());
  child.stdin!.close();
  assertEquals(await Promise.all(waiters), new Array(20).fill(4));
  await child.stdout!.cancel();
});

Deno.test("Popen.communicate: input, output and errors at once", async () => {
  const child = new Popen("cat; echo e >&2", {
    shell: true,
    stdin: PIPE,
    stdout: PIPE,
    stderr: PIPE,
  });
  assertEquals(await child.communicate({ input: "banana" }), [bytes("banana"), bytes("e\n")]);
  assertEquals(child.returncode, 0);
  const only = new Popen("cat >&2", { shell: true, stdin: PIPE, stderr: PIPE, text: true });
  const [none, errors]: [null, string] = await only.communicate({ input: bytes("pear") });
  assertEquals([none, errors], [null, "pear"]);
  assertEquals(await new Popen(["true"]).communicate(), [null, null]);
});

Deno.test("Popen.communicate: what was written before comes first", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const writer = child.stdin!.getWriter();
  await writer.write(bytes("banana "));
  writer.releaseLock();
  assertEquals(await child.communicate({ input: "split" }), ["banana split", null]);
});

Deno.test("Popen.communicate and pipelines: what a read that was given up brings is not lost", async () => {
  const giveUp = async (child: Popen) => {
    const reader = child.stdout!.getReader();
    const read = reader.read();
    reader.releaseLock();
    await assertRejects(() => read, TypeError);
  };
  for (const first of ["a", ""]) {
    const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
    await giveUp(child);
    if (first !== "") {
      const writer = child.stdin!.getWriter();
      await writer.write(bytes(first));
      writer.releaseLock();
      await child.wait({ timeout: 20 }).catch(() => {}); // The given-up read takes it now, or communicate meets it.
    }
    assertEquals(await child.communicate({ input: "bc" }), [`${first}bc`, null]);
    const left = new Popen("read line; echo $line; cat", {
      shell: true,
      stdin: PIPE,
      stdout: PIPE,
    });
    await giveUp(left);
    const right = new Popen(["cat"], { stdin: left.stdout, stdout: PIPE, text: true });
    const writer = left.stdin!.getWriter();
    await writer.write(bytes("one\ntwo\n"));
    await writer.close();
    assertEquals(await right.communicate(), ["one\ntwo\n", null]);
    assertEquals(await left.wait(), 0);
  }
});

Deno.test("Popen.communicate: after TimeoutExpired it is called again and nothing is lost", async () => {
  const gate = await running("cat"); // Its output is the signal to go on.
  const input = new Uint8Array(1_000_000).map((_, i) => i * 31);
  const slow = new Popen([
    "sh",
    "-c",
    'head -c 300000; read line <"$0"; cat',
    `/proc/${gate.pid}/fd/1`,
  ], {
    stdin: PIPE,
    stdout: PIPE,
  });
  let error: TimeoutExpired | undefined;
  // The child stops at the gate for ever: as many time-outs as we like, and each sees more or the same.
  for (let seen = 0; seen < 300_000;) {
    error = await assertRejects(
      () => slow.communicate(error ? { timeout: 20 } : { input, timeout: 20 }),
      TimeoutExpired,
    );
    const output = error.stdout as Uint8Array;
    assert(output.length >= seen && output.every((byte, i) => byte === input[i]));
    seen = output.length;
  }
  await assertRejects(() => slow.communicate({ input: "more" }), RangeError, "input again");
  const writer = gate.stdin!.getWriter();
  await writer.write(bytes("go\n"));
  const [output, none] = await slow.communicate();
  assertEquals([output, none, slow.returncode], [input, null, 0]);
  await writer.close();
  await gate.stdout!.cancel();
  await gate.wait();
});

Deno.test("Popen.communicate: an aborted call can be followed by another", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  const late = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  await assertRejects(() => late.communicate({ signal: AbortSignal.abort() }));
  assertEquals(await child.communicate({ input: "x" }), ["x", null]);
  assertEquals(await late.communicate({ input: "y" }), [bytes("y"), null]);
});

Deno.test("Popen.communicate: a child that closes its input early is no error", async () => {
  const child = new Popen("exec <&-; echo done", {
    shell: true,
    stdin: PIPE,
    stdout: PIPE,
    text: true,
  });
  assertEquals(await child.communicate({ input: new Uint8Array(1_000_000) }), ["done\n", null]);
});

Deno.test("Popen.communicate: refusals lose nothing", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, text: true });
  await assertRejects(() => child.communicate({ timeout: NaN }), RangeError);
  await assertRejects(
    () => child.communicate({ input: 3 as unknown as string }),
    TypeError,
    "input",
  );
  const reader = child.stdout!.getReader();
  await assertRejects(() => child.communicate({ input: "x" }), TypeError, "somebody else reads");
  reader.releaseLock();
  assertEquals(await child.communicate({ input: "y" }), ["y", null]);
  const bare = new Popen(["true"]);
  await assertRejects(() => bare.communicate({ input: "x" }), RangeError, "stdin: PIPE");
  await bare.wait();
});

Deno.test("Popen.communicate: after the output was closed it still ends", async () => {
  const child = new Popen("exec >&-; read line; exit 6", {
    shell: true,
    stdin: PIPE,
    stdout: PIPE,
  });
  await child.stdout!.cancel();
  assertEquals(await child.communicate(), [new Uint8Array(), null]);
  assertEquals(child.returncode, 6);
});

Deno.test("Leaving await using closes the pipes and reaps, under a held lock too", async () => {
  let pid: number;
  {
    await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
    pid = child.pid;
    const writer = child.stdin!.getWriter();
    await writer.write(bytes("x"));
    child.stdout!.getReader();
  }
  assertEquals(await alive(pid), "gone");
  let yes: Popen;
  {
    yes = new Popen(["yes"], { stdout: PIPE });
    await using child = yes;
    await child.stdout!.getReader().read();
  }
  assertEquals(yes.returncode, -13); // It went on writing into the closed pipe.
  {
    await using child = new Popen("read line", { shell: true, stdin: PIPE });
    void child;
  }
});

Deno.test("Leaving await using waits, it does not kill", async () => {
  let child: Popen;
  {
    child = await running("sleep 0.1; exit 8");
    await using held = child;
    void held;
  }
  assertEquals(child.returncode, 8);
});

Deno.test("sendSignal, terminate and kill reach the child; -N is the return code", async () => {
  for (
    const [act, code] of [
      [(c: Popen) => c.sendSignal("SIGINT"), -2],
      [(c: Popen) => c.sendSignal("SIGUSR1"), -10],
      [(c: Popen) => c.sendSignal(15), -15],
      [(c: Popen) => c.terminate(), -15],
      [(c: Popen) => c.kill(), -9],
    ] as const
  ) {
    const child = new Popen(["sleep", "1000"]);
    act(child);
    assertEquals(await child.wait(), code);
    act(child); // Nothing happens.
    assertEquals(child.returncode, code);
  }
});

Deno.test("Real-time signals are sent, and are return codes like others", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  const fixture = new URL("../fixtures/subprocess/real_time_signals.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-run", fixture],
    stderr: "inherit",
  }).output();
  assertEquals(JSON.parse(new TextDecoder().decode(stdout)), {
    wait: -40,
    waitSync: -41,
    run: -42,
    runSync: -43,
    helped: -44,
    output: [-45, "before"],
    sent: [-34, -64],
  });
});

Deno.test("sendSignal refuses what is no signal", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE });
  for (const signal of ["SIGFOO", "KILL", 0, 65, -9, 2.5] as unknown as Deno.Signal[]) {
    assertThrows(() => child.sendSignal(signal), TypeError, "no signal");
  }
});

Deno.test("A stopped child has not ended", async () => {
  const child = await running("read line");
  child.sendSignal("SIGSTOP");
  assertThrows(() => child.waitSync({ timeout: 30 }), TimeoutExpired);
  assertEquals(child.poll(), null);
  child.sendSignal("SIGCONT");
  child.stdin!.close();
  assertEquals(await child.wait(), 1);
  await child.stdout!.cancel();
});

Deno.test("kill and terminate with killDescendants reach the grandchildren", async () => {
  for (const [act, code] of [["kill", -9], ["terminate", -15]] as const) {
    const child = new Popen("sleep 1000 & echo $!; sh -c 'sleep 1000 & echo $!; wait' & wait", {
      shell: true,
      stdout: PIPE,
    });
    const pids: number[] = [];
    for await (const line of lines(child.stdout)) {
      pids.push(Number(line));
      if (pids.length === 2) child[act]({ killDescendants: true });
    }
    // The pipe has ended: nobody holds it any more.
    assertEquals(await child.wait(), code);
    for (const pid of pids) assert(await ends(pid));
    child[act]({ killDescendants: true });
  }
});

Deno.test("A program ends although its child runs, and the child goes on", async () => {
  const fixture = new URL("../fixtures/subprocess/leaves_child.ts", import.meta.url).pathname;
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-run", fixture],
    stderr: "inherit",
  }).output();
  assert(success);
  const pid = Number(new TextDecoder().decode(stdout));
  assertEquals(await alive(pid), "runs");
  Deno.kill(pid, "SIGKILL");
});

Deno.test("lines: any line end, split characters, the last line without an end", async () => {
  const child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  const writer = child.stdin!.getWriter();
  const seen: string[] = [];
  const euro = bytes("€");
  await writer.write(bytes("a\r\n"));
  (async () => {
    for (const piece of [euro.subarray(0, 1), euro.subarray(1), bytes("\rc\n\n"), bytes("last")]) {
      await writer.write(piece);
    }
    await writer.close();
  })();
  for await (const line of lines(child.stdout)) seen.push(line);
  assertEquals(seen, ["a", "€", "c", "", "last"]);
  assertEquals(await child.wait(), 0);
});

Deno.test("lines come while the child runs", async () => {
  await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE });
  const writer = child.stdin!.getWriter();
  const iterator = lines(child.stdout)[Symbol.asyncIterator]();
  for (const word of ["one", "two", "three"]) {
    await writer.write(bytes(`${word}\n`));
    assertEquals((await iterator.next()).value, word);
  }
});

Deno.test("lines: leaving the loop closes the pipe", async () => {
  const child = new Popen(["yes"], { stdout: PIPE });
  for await (const line of lines(child.stdout)) {
    assertEquals(line, "y");
    break;
  }
  assertEquals(await child.wait(), -13);
});

Deno.test("lines: encodings and refusals", async () => {
  const latin = new Popen("printf '\\351\\n'", { shell: true, stdout: PIPE });
  assertEquals(await Array.fromAsync(lines(latin.stdout, { encoding: "latin1" })), ["é"]);
  const broken = new Popen("printf '\\351\\n'", { shell: true, stdout: PIPE });
  await assertRejects(() => Array.fromAsync(lines(broken.stdout)), TypeError);
  const mended = new Popen("printf '\\351\\n'", { shell: true, stdout: PIPE });
  assertEquals(await Array.fromAsync(lines(mended.stdout, { errors: "replace" })), ["\ufffd"]);
  const bare = new Popen(["true"]);
  assertThrows(() => lines(bare.stdout), TypeError, "stdout: PIPE");
  assertThrows(() => lines(new ReadableStream(), { encoding: "nonsense" }), RangeError);
  for (const child of [latin, broken, mended, bare]) await child.wait();
});
