import { assertEquals, assertRejects } from "@std/assert";
import { PIPE, Popen, run, runSync, TimeoutExpired } from "@batteries/concurrent/subprocess";

const linux = Deno.build.os === "linux";

interface Leftovers {
  readonly pipes: number;
  readonly handles: number;
  readonly zombies: number;
}

/** The pipes and process handles that this process has open, and its children that nobody has collected. */
async function leftovers(): Promise<Leftovers> {
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

/**
 * What is left once the event loop has closed what was given up: it does so some turns later. Looks until three looks in a row agree,
 * and, where something is expected, until that is there; for twenty seconds at most.
 */
async function settled(expected?: Leftovers): Promise<Leftovers> {
  const same = (a: Leftovers, b: Leftovers) => JSON.stringify(a) === JSON.stringify(b);
  let last = await leftovers();
  let agreed = 0;
  for (const start = performance.now(); performance.now() - start < 20_000;) {
    const now = await leftovers();
    agreed = same(now, last) ? agreed + 1 : 0;
    last = now;
    if (expected === undefined ? agreed >= 3 : same(now, expected)) break;
  }
  return last;
}

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
  const before = await settled();
  for (let i = 0; i < 10; i++) await round();
  assertEquals(await settled(before), before);
  assertEquals(before.zombies, 0);
});
