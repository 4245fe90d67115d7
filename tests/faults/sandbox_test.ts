/** What a process without permissions must not make others do. */

import { assert } from "@std/assert";
import { ProcessPoolExecutor } from "@batteries/concurrent/futures";
import { smuggle } from "../fixtures/faults/smuggler.ts";

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "a process without permissions: what it answers, runs no code of its own in its parent",
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      await using executor = new ProcessPoolExecutor({ maxWorkers: 1, permissions: "none" });
      const path = `${folder}/smuggled`;
      await executor.submit(smuggle, path).exception();
      assert(!exists(path), "the parent has run code of a process without permissions");
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
