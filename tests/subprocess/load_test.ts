import { assert, assertEquals, assertRejects } from "@std/assert";
import { PIPE, Popen, run, runSync, TimeoutExpired } from "@batteries/concurrent/subprocess";

const linux = Deno.build.os === "linux";

/** The pipes and process handles that this process has open, and its children that nobody has collected. */
async function leftovers(): Promise<{ pipes: number; handles: number; zombies: number }> {
  const script = `
    ls -l /proc/$0/fd | grep -c "pipe:"
    ls -l /proc/$0/fd | grep -c "pidfd"
    ps -A -o ppid= -o stat= | grep -c "^ *$0 .*Z"
    true`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, String(Deno.pid)] })
    .output();
  const [pipes, handles, zombies] = new TextDecoder().decode(stdout).trim().split("\n").map(Number);
  return { pipes, handles, zombies };
}

Deno.test("500 children run at once and are all told from each other", async () => {
  const children = Array.from(
    { length: 500 },
    (_, i) =>
      new Popen(["sh", "-c", `read x; exit $((x % 256))`], {
        stdin: PIPE,
        stdout: i % 2 ? PIPE : null,
      }),
  );
  assertEquals(new Set(children.map((child) => child.pid)).size, 500);
  assert(children.every((child) => child.poll() === null));
  const codes = await Promise.all(children.map(async (child, i) => {
    await child.communicate({ input: `${i}\n` });
    return child.returncode;
  }));
  assertEquals(codes, codes.map((_, i) => i % 256));
});

Deno.test("communicate: 100 MB each way at once does not deadlock, and every byte arrives", async () => {
  const input = new Uint8Array(100_000_000);
  for (let i = 0; i < input.length; i += 4096) input[i] = i >> 12;
  const child = new Popen("cat | tee /dev/stderr", {
    shell: true,
    stdin: PIPE,
    stdout: PIPE,
    stderr: PIPE,
  });
  const [out, err] = await child.communicate({ input });
  for (const back of [out, err]) {
    assertEquals(back.length, input.length);
    for (let i = 0; i < input.length; i += 4096) {
      if (back[i] !== input[i]) throw new Error(`Byte ${i} differs`);
    }
  }
});

Deno.test("runSync: 50 MB each way at once, with a time-out", () => {
  const input = new Uint8Array(50_000_000).fill(7);
  const { stdout } = runSync(["cat"], { input, stdout: PIPE, timeout: 600_000 });
  assertEquals([stdout.length, stdout[0], stdout[49_999_999]], [50_000_000, 7, 7]);
});

Deno.test("Time-outs, failures and pipelines leave no child, no zombie and no pipe behind", {
  ignore: !linux,
}, async () => {
  const round = async () => {
    await assertRejects(
      () =>
        run("sleep 1000", { shell: true, captureOutput: true, timeout: 5, killDescendants: true }),
      TimeoutExpired,
    );
    await assertRejects(
      () => run(["sleep", "1000"], { stdin: PIPE, stdout: PIPE, timeout: 5 }),
      TimeoutExpired,
    );
    await assertRejects(() => run(["nonexistent-program"], { captureOutput: true }));
    await assertRejects(() =>
      run(["true"], { cwd: "/nonexistent", input: "x", captureOutput: true })
    );
    {
      await using left = new Popen(["yes"], { stdout: PIPE });
      await using right = new Popen(["head", "-n", "1"], { stdin: left.stdout, stdout: PIPE });
      await right.communicate();
    }
    {
      await using child = new Popen(["cat"], { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      child.stdin!.getWriter();
    }
    runSync(["cat"], { input: "x", captureOutput: true });
  };
  await round(); // What is made once and kept is made now.
  const before = await leftovers();
  for (let i = 0; i < 10; i++) await round();
  assertEquals(await leftovers(), before);
  assertEquals(before.zombies, 0);
});
