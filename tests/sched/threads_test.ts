import { assertEquals } from "@std/assert";

Deno.test("Scheduler.runSync: a main thread that is blocked in it goes on serving its threads", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-read",
      "--no-prompt",
      new URL("../fixtures/sched/nested.ts", import.meta.url).href,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(
    { code, said: new TextDecoder().decode(stdout) },
    { code: 0, said: "served\n" },
    new TextDecoder().decode(stderr),
  );
});
