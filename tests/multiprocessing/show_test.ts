/** How `console.log` and `Deno.inspect` show the objects of `multiprocessing`. */

import { assertEquals, assertMatch } from "@std/assert";
import {
  Array as SharedArray,
  Barrier,
  Condition,
  Event,
  JoinableQueue,
  Lock,
  Manager,
  Pipe,
  Pool,
  Process,
  Queue,
  RawValue,
  RLock,
  Semaphore,
  SimpleQueue,
  Value,
} from "@batteries/concurrent/multiprocessing";
import { Listener } from "@batteries/concurrent/multiprocessing/connection";
import { ThreadPool } from "@batteries/concurrent/multiprocessing/pool";
import { ShareableList, SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
import { square } from "../fixtures/multiprocessing/pool_tasks.ts";

const show = (value: unknown) => Deno.inspect(value, { colors: false, breakLength: Infinity });

Deno.test("a Process, shows its name and how it stands, and what a subclass has added", async () => {
  class Greeter extends Process {
    greeting = "hello";
  }
  assertEquals(
    show(new Greeter({ name: "g" })),
    'Greeter { name: "g", state: "initial", greeting: "hello" }',
  );
  const process = new Process({ target: square, args: [2], name: "p" });
  assertEquals(show(process), 'Process { name: "p", state: "initial" }');
  process.start();
  const { pid } = process;
  assertEquals(show(process), `Process { name: "p", pid: ${pid}, state: "running" }`);
  await process.join();
  assertEquals(show(process), `Process { name: "p", pid: ${pid}, state: "stopped", exitcode: 0 }`);
  process.close();
  assertEquals(show(process), 'Process { name: "p", state: "closed" }');
  assertEquals(show(Process.prototype), "Process {}");
});

Deno.test("locks and their like, show whether they are taken", async () => {
  for (const Kind of [Lock, RLock, Condition]) {
    const lock = new Kind();
    assertEquals(show(lock), `${Kind.name} { locked: false }`);
    await lock.acquire();
    assertEquals(show(lock), `${Kind.name} { locked: true }`);
    lock.release();
  }
  assertEquals(show(new Semaphore(3)), "Semaphore { value: 3 }");
  const event = new Event();
  event.set();
  assertEquals(show([event]), "[ Event { set: true } ]");
  assertEquals(show(new Barrier(2)), "Barrier { parties: 2, nWaiting: 0, broken: false }");
});

Deno.test("queues, connections and listeners, show what is in them or where they are", async () => {
  const queue = new Queue<number>(5);
  await queue.put(1);
  assertEquals(show(queue), "Queue { size: 1, maxsize: 5 }");
  assertEquals(show(new JoinableQueue()), "JoinableQueue { size: 0, maxsize: 0 }");
  assertEquals(show(new SimpleQueue()), "SimpleQueue { size: 0 }");
  const [here, there] = Pipe({ duplex: false });
  assertEquals(show(here), "Connection { readable: true, writable: false }");
  here.close();
  there.close();
  assertEquals(show(here), "Connection { closed: true }");
  using listener = new Listener({ address: { hostname: "127.0.0.1", port: 0 } });
  assertMatch(show(listener), /^Listener \{ address: \{ hostname: "127.0.0.1", port: \d+ \} \}$/);
});

Deno.test("shared memory and values, show what they hold", () => {
  using memory = new SharedMemory({ create: true, size: 10 });
  assertMatch(show(memory), /^SharedMemory \{ name: "[^"]+", size: \d+ \}$/);
  memory.unlink();
  using list = new ShareableList([1, "two"]);
  assertMatch(show(list), /^ShareableList \{\s+items: \[ 1, "two" \],\s+shm: SharedMemory \{/);
  list.shm.unlink();
  list.shm.close();
  assertMatch(show(list), /^ShareableList \{ shm: SharedMemory/);
  assertEquals(show(Value("i", 5)), "Synchronized { value: 5 }");
  assertEquals(show(RawValue("d", 0.5)), "SharedValue { value: 0.5 }");
  assertEquals(show(SharedArray("i", 3)), "SynchronizedArray { length: 3 }");
});

Deno.test("pools and their results, show how they stand", async () => {
  for (const Kind of [Pool, ThreadPool]) {
    const pool = new Kind(1);
    assertEquals(show(pool), `${Kind.name} { state: "open", processes: 1 }`);
    const result = pool.applyAsync(square, [3]);
    assertEquals(show(result), "AsyncResult { ready: false }");
    await result.wait();
    assertEquals(show(result), "AsyncResult { value: 9 }");
    pool.close();
    assertEquals(show(pool), `${Kind.name} { state: "closed", processes: 1 }`);
    await pool.terminate();
    assertEquals(show(pool), `${Kind.name} { state: "terminated", processes: 1 }`);
    await pool.join();
  }
});

Deno.test("managers and proxies, show where they are, and no key, and ask no server", async () => {
  const manager = await Manager();
  assertMatch(show(manager), /^SyncManager \{ address: "[^"]+", state: "started" \}$/);
  const dict = await manager.dict();
  const shown = show(dict);
  assertMatch(shown, /^DictProxy \{ typeid: "dict", object: \d+, manager: "[^"]+" \}$/);
  await manager.shutdown();
  // The same without a server.
  assertEquals(show(dict), shown);
  assertMatch(show(manager), /state: "ended"/);
});
