import { assert, assertEquals } from "@std/assert";

const example = new URL("../../examples/scheduler_timeline.ts", import.meta.url);

Deno.test("examples/scheduler_timeline.ts: needs no permissions, ends by itself and draws each job's runs", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", example.href],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const lines = new TextDecoder().decode(stdout).split("\n");
  const row = (name: string) => {
    const line = lines.find((line) => line.trimStart().startsWith(`${name} │`));
    assert(line !== undefined, `no line of ${name}`);
    return line.slice(line.indexOf("│") + 1);
  };
  const count = (name: string, mark: string) => row(name).split(mark).length - 1;
  assert(count("heartbeat", "♥") >= 5);
  assert(count("sample", "•") >= 5);
  assert(count("report", "R") >= 2);
  // It takes 200 ms, four columns and the one it ends in, while the samples wait: the next one is drawn late.
  assert(row("backup").includes("████"));
  assert(row("sample").includes("·"));
  assert(lines.some((line) => /^\d+ runs; the most late was \w+, by \d+ ms\.$/.test(line)));
  assert(
    lines.some((line) => /^Stopped by the signal with [1-9] events still queued\.$/.test(line)),
  );
});
