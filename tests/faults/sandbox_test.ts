/** What a process without permissions, or with few, must not make others do. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ProcessPoolExecutor } from "@batteries/concurrent/futures";
import { Process, Queue } from "@batteries/concurrent/multiprocessing";
import { SyncManager } from "@batteries/concurrent/multiprocessing/managers";
import {
  smuggle,
  smuggleByKey,
  smuggleByProxy,
  smuggleByQueue,
  smuggleFile,
} from "../fixtures/faults/smuggler.ts";

/** A folder, and a file in it that nobody must write. */
class Trap implements Disposable {
  readonly #folder = Deno.makeTempDirSync();
  readonly path = `${this.#folder}/smuggled`;

  get sprung(): boolean {
    try {
      Deno.statSync(this.path);
      return true;
    } catch {
      return false;
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

Deno.test("a process without permissions: what it answers, runs no code of its own in its parent", async () => {
  using trap = new Trap();
  await using executor = new ProcessPoolExecutor({ maxWorkers: 1, permissions: "none" });
  await executor.submit(smuggle, trap.path).exception();
  assert(!trap.sprung, "the parent has run code of a process without permissions");
});

Deno.test("a process that may write one folder: a module of that is not taken for one of this library", async () => {
  using trap = new Trap();
  const folder = Deno.makeTempDirSync();
  try {
    const permissions = { write: [folder] };
    await using executor = new ProcessPoolExecutor({ maxWorkers: 1, permissions });
    const error = await executor.submit(smuggleFile, folder, trap.path).exception();
    assert(!trap.sprung, "the parent has run code of a process that may only write a file");
    assertEquals((error as Error | null)?.name, "PicklingError");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a process without permissions: what it puts into a queue, runs no code in who takes it", async () => {
  using trap = new Trap();
  const queue = new Queue<unknown>();
  const process = new Process({
    target: smuggleByQueue,
    args: [queue, trap.path],
    permissions: "none",
  });
  process.start();
  const error = await queue.get().catch((error: Error) => error) as Error;
  await process.join();
  queue.close();
  assertEquals(error?.name, "PicklingError");
  assert(!trap.sprung, "the parent has run code of a process without permissions");
});

/** What may connect to the socket of a manager. */
function onlyTo(address: string): Deno.PermissionOptionsObject {
  return { net: true, read: [address], write: [address] };
}

Deno.test("a process with few permissions: what it puts into a manager's object, runs no code in the server, with or without a connection of its own", async () => {
  using trap = new Trap();
  await using manager = new SyncManager();
  await manager.start();
  for (const permissions of ["none", onlyTo(manager.address as string)] as const) {
    await using executor = new ProcessPoolExecutor({ maxWorkers: 1, permissions });
    const list = await manager.list<unknown>();
    assertStringIncludes(await executor.submit(smuggleByProxy, list, trap.path), "PicklingError");
    assert(!trap.sprung, "the server has run code of a process with few permissions");
    assertEquals(await list.length(), 0);
  }
});

Deno.test("a process with few permissions: it has not the key of its parent, so it is no client of its parent's managers", async () => {
  using trap = new Trap();
  await using manager = new SyncManager();
  await manager.start();
  const address = manager.address as string;
  await using executor = new ProcessPoolExecutor({
    maxWorkers: 1,
    permissions: onlyTo(address),
  });
  const outcome = await executor.submit(smuggleByKey, address, trap.path);
  assert(!trap.sprung, "the server has run code of a process with few permissions");
  assertEquals(outcome, "AuthenticationError");
});
