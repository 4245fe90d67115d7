import { assert, assertEquals } from "@std/assert";
import { PIPE, Popen, runSync } from "@batteries/concurrent/subprocess";

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
