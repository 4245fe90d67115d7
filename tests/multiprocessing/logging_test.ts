import { assertEquals } from "@std/assert";
import { run } from "./_program.ts";

Deno.test("logging: shows level and process, in children too, and only what is grave enough", async () => {
  const { out, err } = await run("log");
  assertEquals(out, ['"RangeError"']);
  assertEquals(err, [
    "a warning",
    "[INFO/MainProcess] hello",
    "[INFO/Child] child process calling self.run()",
    "[INFO/Child] from the child",
    "[INFO/Child] process shutting down",
    "[INFO/Child] process exiting with exitcode 0",
    "[ERROR/MainProcess] an error",
  ]);
});
