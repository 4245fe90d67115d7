/** Primitives as arguments: in every wrapping the same object arrives, and it is the same primitive. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { Lock, RLock, Thread } from "@batteries/concurrent/threading";
import { makeKit, releaseNested, useKit } from "../fixtures/threading/sharing_parties.ts";

Deno.test("sharing: each primitive is the same one in the thread, of its own class", async () => {
  const kit = makeKit();
  const words = new Int32Array(new SharedArrayBuffer(16));
  await kit.lock.acquire();
  await kit.rlock.acquire();
  const thread = new Thread({ target: useKit, args: [kit, words] });
  thread.start();
  const index = await kit.barrier.wait();
  await thread.join();
  assertEquals([words[0], words[1], words[2] + index], [7, 0, 1]);
  assert(kit.condition.locked());
  assertEquals(kit.semaphore.acquireSync({ timeout: 0 }), true);
  assertEquals(kit.semaphore.acquireSync({ timeout: 0 }), true);
  assertEquals(kit.semaphore.acquireSync({ timeout: 0 }), false);
  assertEquals(kit.bounded.acquireSync({ timeout: 0 }), false);
  assert(kit.event.isSet());
  assert(kit.lock.locked() && kit.rlock.locked());
});

Deno.test("sharing: nested in objects, arrays, maps and sets, with a cycle, it is one object there", async () => {
  const lock = new Lock();
  const words = new Int32Array(new SharedArrayBuffer(16));
  await lock.acquire();
  const nested: Parameters<typeof releaseNested>[0] = {
    list: [lock, { deep: [lock] }],
    map: new Map<string | Lock, Lock | string>([["value", lock], [lock, "key"]]),
    set: new Set([lock]),
  };
  nested.self = nested;
  const thread = new Thread({ target: releaseNested, args: [nested, lock, words] });
  thread.start();
  await thread.join();
  assertEquals([...words.slice(0, 3)], [5, 1, 1]);
  assertFalse(lock.locked());
});

Deno.test("sharing: handing it on while it is held, contended and waited for changes nothing", async () => {
  const lock = new Lock();
  const words = new Int32Array(new SharedArrayBuffer(16));
  await lock.acquire();
  const waiting = lock.acquire();
  const nested: Parameters<typeof releaseNested>[0] = {
    list: [lock, { deep: [lock] }],
    map: new Map(),
    set: new Set([lock]),
  };
  const thread = new Thread({ target: releaseNested, args: [nested, lock, words] });
  thread.start();
  assertEquals(await waiting, true);
  await thread.join();
  lock.release();
  assertFalse(lock.locked());
});

Deno.test("sharing: an RLock is not owned by a thread because its owner sent it", async () => {
  const kit = makeKit();
  const words = new Int32Array(new SharedArrayBuffer(16));
  kit.rlock.acquireSync();
  kit.rlock.acquireSync();
  kit.lock.acquireSync();
  const thread = new Thread({ target: useKit, args: [kit, words] });
  thread.start();
  await kit.barrier.wait();
  await thread.join();
  assertEquals(words[1], 0);
  kit.rlock.release();
  assert(kit.rlock.locked());
  kit.rlock.release();
  assertFalse(kit.rlock.locked());
  assert(kit.rlock instanceof RLock);
});
