import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Process, ProcessError } from "@batteries/concurrent/multiprocessing";
import { SharedMemoryManager } from "@batteries/concurrent/multiprocessing/managers";
import { ShareableList, SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
import { doubleItems } from "../fixtures/multiprocessing/manager_parties.ts";

Deno.test("SharedMemoryManager: what it has handed out, is freed by its shutdown", async () => {
  const manager = new SharedMemoryManager();
  await assertRejects(() => manager.SharedMemory(9), ProcessError);
  await manager.start();
  const lists = [];
  for (let i = 5; i < 10; i++) {
    lists.push(await manager.ShareableList(Array.from({ length: i }, (_, at) => at)));
  }
  const memories = [];
  for (let size = 32; size < 128; size += 16) memories.push(await manager.SharedMemory(size));
  const sameList = new ShareableList(undefined, { name: lists[0].shm.name });
  assertEquals(sameList.length, 5);
  using sameMemory = new SharedMemory({ name: memories[0].name });
  assert(sameMemory.buf.length >= 32);
  await manager.shutdown();
  for (const { name } of [...memories, ...lists.map(({ shm }) => shm)]) {
    assertThrows(() => new SharedMemory({ name }), Deno.errors.NotFound);
  }
  // What is open goes on.
  assertEquals(sameList.get(4), 4);
  memories[0].buf[0] = 7;
  assertEquals(sameMemory.buf[0], 7);
  for (const memory of [...memories, ...lists.map(({ shm }) => shm), sameList.shm]) memory.close();
});

Deno.test("SharedMemoryManager: leaving its block, shuts it down", async () => {
  let name: string;
  {
    await using manager = new SharedMemoryManager();
    await manager.start();
    using list = await manager.ShareableList("howdy");
    using memory = await manager.SharedMemory(128);
    name = memory.name;
    assertEquals([...list], [..."howdy"]);
    // One that its user has taken away himself is no trouble.
    list.shm.unlink();
    await assertRejects(() => manager.SharedMemory(0), RangeError);
  }
  assertThrows(() => new SharedMemory({ name }), Deno.errors.NotFound);
});

Deno.test("SharedMemoryManager: its memory, is the same in another process", async () => {
  await using manager = new SharedMemoryManager();
  await manager.start();
  const list = await manager.ShareableList([1, 2, 3]);
  const process = new Process({ target: doubleItems, args: [list] });
  process.start();
  await process.join();
  assertEquals([...list], [2, 4, 6]);
  list.shm.close();
});
