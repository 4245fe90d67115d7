import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { EOFError, Process, ProcessError } from "@batteries/concurrent/multiprocessing";
import {
  type BaseProxy,
  type ListProxy,
  type QueueProxy,
  SyncManager,
} from "@batteries/concurrent/multiprocessing/managers";
import { Thread } from "@batteries/concurrent/threading";
import {
  countUp,
  diesInInitializer,
  holdOn,
  makeAndSend,
  startsManager,
  waitForAll,
  waitForCondition,
} from "../fixtures/multiprocessing/manager_parties.ts";
import { isRunning, waitUntil } from "./_world.ts";

async function managed(): Promise<SyncManager> {
  const manager = new SyncManager();
  await manager.start();
  return manager;
}

/** The pid of a manager's server. */
async function serverOf(manager: SyncManager): Promise<number> {
  const list = await manager.list();
  const error = await list.get(0).catch((error: Error) => error) as Error;
  return Number(error.stack!.match(/--- manager process (\d+) ---/)![1]);
}

/** Asks again until it holds: what others do needs no time that could be known. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!await holds()) {
    if (performance.now() > end) throw new Error("Waited in vain");
  }
}

/** Collects garbage until `done`. */
async function collectUntil(done: () => Promise<boolean>): Promise<void> {
  await until(async () => {
    // Enough that the engine has to look for what is not used any more.
    const waste = [];
    for (let i = 0; i < 100; i++) waste.push(new Array(50_000).fill(i));
    await new Promise((resolve) => setTimeout(resolve, 0));
    return await done();
  });
}

Deno.test("referents: one is freed, when its last proxy is disposed of", async () => {
  await using manager = await managed();
  const holder = await manager.list<ListProxy<number>>();
  {
    using first = await manager.list([1]);
    await holder.append(first);
    using second = await holder.get(0);
    assertEquals(await second.length(), 1);
    assertEquals(await manager.numberOfObjects(), 2);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    await assertRejects(() => first.length(), Error, "disposed of");
    await holder.clear();
    assertEquals(await second.length(), 1);
  }
  assertEquals(await manager.numberOfObjects(), 1);
  assertStringIncludes(await manager.debugInfo(), "list, references=1");
});

Deno.test("referents: one is freed, when its last proxy is collected", async () => {
  await using manager = await managed();
  const kept = await manager.list([1]);
  await (async () => {
    for (let i = 0; i < 20; i++) await manager.dict();
  })();
  assert(await manager.numberOfObjects() > 1);
  await collectUntil(async () => await manager.numberOfObjects() === 1);
  assertEquals(await kept.getvalue(), [1]);
});

Deno.test("referents: a process that is killed, gives back what it held", async () => {
  await using manager = await managed();
  const ready = await manager.Event();
  const before = await manager.numberOfObjects();
  const list = await manager.list([1]);
  const process = new Process({ target: holdOn, args: [list, ready] });
  process.start();
  await ready.wait();
  list[Symbol.dispose]();
  assertEquals(await manager.numberOfObjects(), before + 1);
  process.kill();
  await process.join();
  await until(async () => await manager.numberOfObjects() === before);
});

Deno.test("referents: one that is on its way when its sender ends, arrives", async () => {
  await using manager = await managed();
  const queue = await manager.Queue<ListProxy<number>>();
  const process = new Process({ target: makeAndSend, args: [manager.address!, queue] });
  process.start();
  await process.join();
  const list = await queue.get();
  assertEquals(await list.getvalue(), [1, 2, 3]);
  assertEquals(await manager.numberOfObjects(), 2);
});

Deno.test("referents: proxies sent through another manager, count once each", async () => {
  await using manager = await managed();
  await using post = await managed();
  const queue = await post.Queue<BaseProxy>();
  const list = await manager.list([1]);
  for (let i = 0; i < 20; i++) await queue.put(list);
  for (let i = 0; i < 20; i++) (await queue.get())[Symbol.dispose]();
  assertEquals(await list.getvalue(), [1]);
  list[Symbol.dispose]();
  // The server of the other one has let go when it has collected its proxies; what was on its way, has arrived.
  assert(await manager.numberOfObjects() <= 1);
});

Deno.test("manager: a client that is killed, leaves none of its waits behind", async () => {
  await using manager = await managed();
  const lock = await manager.Lock();
  const queue = await manager.Queue<string>();
  const ready = await manager.Event();
  await lock.acquire();
  for (let round = 0; round < 5; round++) {
    await ready.clear();
    const process = new Process({ target: waitForAll, args: [lock, queue, ready] });
    process.start();
    await ready.wait();
    process.kill();
    await process.join();
    // Its end reaches the server by another way than this process.
    await until(async () =>
      /Event/.test(await manager.debugInfo()) && await clientsOf(manager) === 1
    );
    await queue.put("for me");
    assertEquals(await queue.get({ timeout: 60_000 }), "for me");
    await lock.release();
    assert(await lock.acquire({ timeout: 60_000 }));
  }
});

/** How many clients hold the event: as many references are there to it. */
async function clientsOf(manager: SyncManager): Promise<number> {
  return Number((await manager.debugInfo()).match(/Event, references=(\d+)/)![1]);
}

Deno.test("manager: a client that is killed while it waits for a condition, does not lock it again", async () => {
  await using manager = await managed();
  const condition = await manager.Condition();
  const ready = await manager.Event();
  const process = new Process({ target: waitForCondition, args: [condition, ready] });
  process.start();
  await ready.wait();
  // It has let go of the lock, and waits.
  assert(await condition.acquire({ timeout: 60_000 }));
  process.kill();
  await process.join();
  await until(async () => await clientsOf(manager) === 1);
  await condition.notifyAll();
  await condition.release();
  assert(await condition.acquire({ timeout: 60_000 }));
});

Deno.test("manager: a server that is killed, fails every call with a clear error", async () => {
  const manager = await managed();
  const queue = await manager.Queue();
  const pid = await serverOf(manager);
  const waiting = Array.from({ length: 10 }, () => queue.get().catch((error) => error));
  assertEquals(await queue.qsize(), 0);
  Deno.kill(pid, "SIGKILL");
  for (const error of await Promise.all(waiting)) {
    assertInstanceOf(error, EOFError);
    assertStringIncludes(error.message, "its server has ended");
  }
  await assertRejects(() => queue.qsize(), EOFError);
  await assertRejects(() => manager.list(), EOFError);
  await manager.join();
  await manager.shutdown();
  const folder = (manager.address as string).replace(/\/socket$/, "");
  await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
});

Deno.test("manager: shutdown with calls under way, rejects them and says why", async () => {
  const manager = await managed();
  await using other = new SyncManager({ address: manager.address });
  await other.connect();
  const queue = await manager.Queue();
  const list = await other.list();
  const waiting = queue.get().catch((error) => error);
  assertEquals(await queue.qsize(), 0);
  await manager.shutdown();
  assertInstanceOf(await waiting, EOFError);
  assertStringIncludes((await waiting).message, "shut down");
  await assertRejects(() => queue.get(), EOFError);
  await assertRejects(() => list.length(), EOFError);
  const folder = (manager.address as string).replace(/\/socket$/, "");
  await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
});

Deno.test("manager: shutdown while other processes use it, hangs nobody", async () => {
  const manager = await managed();
  const counter = await manager.Value("i", 0);
  const lock = await manager.Lock();
  const processes = [1, 2].map(() => {
    const process = new Process({ target: countUp, args: [counter, lock, 1e9, true] });
    process.start();
    return process;
  });
  await until(async () => await counter.get() > 10);
  await manager.shutdown();
  for (const process of processes) await process.join();
  assertEquals(processes.map(({ exitcode }) => exitcode), [0, 0]);
});

Deno.test("manager: a server that ends while it starts, fails start", async () => {
  const manager = new SyncManager();
  await assertRejects(
    () => manager.start({ initializer: diesInInitializer }),
    ProcessError,
    "exit code 3",
  );
});

Deno.test("manager: a program that forgets its manager, ends and leaves nothing", async () => {
  const program = new URL("../fixtures/multiprocessing/forgets_manager.ts", import.meta.url);
  // Of its own: what is left there, no other program that runs meanwhile removes.
  const TMPDIR = await Deno.makeTempDir();
  const run = async (how: string) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", program.href, how],
      env: { TMPDIR },
      stderr: "null",
    }).output();
    return JSON.parse(new TextDecoder().decode(stdout));
  };
  for (const how of ["end", "exit", "throw", "SIGKILL"]) {
    const { pid, address } = await run(how);
    waitUntil("the server has ended", () => !isRunning(pid));
    const folder = address.replace(/\/socket$/, "");
    if (how === "end" || how === "exit") {
      await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
      continue;
    }
    // It was killed, and its server with it: a later program removes what is left, when it is old enough to be nobody's.
    await Deno.utime(address, new Date(0), new Date(0));
    await run("end");
    await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
  }
  await Deno.remove(TMPDIR);
});

Deno.test("manager: one that is started by a process, ends with it", async () => {
  await using manager = await managed();
  const queue = await manager.Queue<number>();
  const process = new Process({ target: startsManager, args: [queue] });
  process.start();
  const pid = await queue.get();
  await process.join();
  assertEquals(process.exitcode, 0);
  waitUntil("the server has ended", () => !isRunning(pid));
});

export async function inThread(list: ListProxy<number>): Promise<void> {
  await list.append(2);
}

Deno.test("proxies: a thread, uses them by a link of its own", async () => {
  await using manager = await managed();
  const list = await manager.list([1]);
  const thread = new Thread({ target: inThread, args: [list] });
  thread.start();
  await thread.join();
  assertEquals(await list.getvalue(), [1, 2]);
});

Deno.test("proxies: many, given out and disposed of at the same time, keep their count", async () => {
  await using manager = await managed();
  const outer = await manager.list<ListProxy<number>>();
  await outer.append(await manager.list([1]));
  const rounds = Array.from({ length: 200 }, async () => {
    using inner = await outer.get(0);
    assertEquals(await inner.length(), 1);
  });
  await Promise.all(rounds);
  const queue: QueueProxy<ListProxy<number>> = await manager.Queue();
  await Promise.all(Array.from({ length: 100 }, async () => {
    using inner = await outer.get(0);
    await queue.put(inner);
    using back = await queue.get();
    assertEquals(await back.getvalue(), [1]);
  }));
  assertEquals(await (await outer.get(0)).getvalue(), [1]);
});
