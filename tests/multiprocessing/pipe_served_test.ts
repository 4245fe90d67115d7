/** Pipes whose holders may not map memory: the process that made them puts messages in and takes them out on their behalf. */

import { assertEquals } from "@std/assert";
import { CHECKS } from "../fixtures/multiprocessing/served_pipes.ts";

for (const [name, check] of Object.entries(CHECKS)) {
  Deno.test(`Pipe: served to a process without permissions: ${name}`, () => check("none"));
}

const WITHOUT_FFI = [
  "run",
  "--no-prompt",
  "--quiet",
  "--allow-run",
  "--allow-read",
  "--allow-write",
  "--allow-net",
];

Deno.test("Pipe: in a program without --allow-ffi, is served and holds the same", async () => {
  const program = new URL("../fixtures/multiprocessing/served_pipes.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...WITHOUT_FFI, program.pathname],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stderr)], [0, ""]);
  assertEquals(text.decode(stdout).trim().split("\n"), Object.keys(CHECKS));
});

const program = new URL("../fixtures/multiprocessing/pipe_programs.ts", import.meta.url).pathname;

for (
  const [name, flags] of [
    ["in a program with all permissions", ["run", "--quiet", "-A"]],
    ["in a program without --allow-ffi", WITHOUT_FFI],
  ] as const
) {
  Deno.test(`Pipe: ${name}, a daemon that waits for a message keeps nobody`, async () => {
    for (const permissions of ["inherit", "none"]) {
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: [...flags, program, permissions],
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).output();
      assertEquals([code, new TextDecoder().decode(stdout)], [0, "here\n"]);
    }
  });
}
