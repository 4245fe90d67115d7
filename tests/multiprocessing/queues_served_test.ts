/** Queues that are served over the tree, because somebody may not map memory. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Queue } from "../../multiprocessing/queues.ts";
import { Far, QueueService } from "../../multiprocessing/_queue_far.ts";
import { makeNear } from "../../multiprocessing/_queue_memory.ts";
import type { Remote } from "../../multiprocessing/_tree.ts";
import { CHECKS } from "../fixtures/multiprocessing/served_queues.ts";

for (const [name, check] of Object.entries(CHECKS)) {
  Deno.test(`Queue: served to a process without permissions: ${name}`, () => check("none"));
}

Deno.test("Queue: in a program without --allow-ffi, is served and holds the same", async () => {
  const program = new URL("../fixtures/multiprocessing/served_queues.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--quiet",
      "--allow-run",
      "--allow-read",
      "--allow-write",
      "--allow-net",
      program.pathname,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stderr)], [0, ""]);
  assertEquals(text.decode(stdout).trim().split("\n"), Object.keys(CHECKS));
});

Deno.test("Queue: in a program without --allow-ffi, works among its own tasks", async () => {
  const source = `
    import { Queue } from ${
    JSON.stringify(new URL("../../multiprocessing/queues.ts", import.meta.url).href)
  };
    const queue = new Queue(1);
    const got = [];
    const getting = (async () => { while (got.length < 100) got.push(await queue.get()); })();
    for (let n = 0; n < 100; n++) await queue.put(n);
    await getting;
    queue.putNowait(1);
    console.log(got.length, got[99], queue.getNowait(), queue.qsize());
    console.log((await queue.get({ timeout: 5 }).catch((error) => error)).name);
    try { queue.getSync({ timeout: 0 }); } catch (error) { console.log(error.message.includes("--allow-ffi")); }`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", `data:text/javascript,${encodeURIComponent(source)}`],
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "100 99 1 0\nEmpty\ntrue\n"]);
});

/** A server that has ended: every call rejects. */
function dead(error: Error): Remote {
  return {
    home: "/9",
    id: 1,
    call: () => Promise.reject(error),
    tell() {},
    handle: () => ({ home: "/9", id: 1, transit: "" }),
    let() {},
  };
}

Deno.test("Queue: whose server has ended, says so at the next call", async () => {
  const error = new Error("that process has ended");
  const sent = { maxsize: 0, key: "", size: 0, place: undefined };
  const far = new Far(dead(error), sent);
  far.add(new Uint8Array(1));
  await far.drained(0);
  assertThrows(() => far.check(), Error, "has ended");
  await assertRejects(() => far.get({ deadline: Infinity, signal: undefined }), Error, "has ended");
  const bounded = new Far(dead(error), { ...sent, maxsize: 1 });
  await assertRejects(
    () => bounded.put(new Uint8Array(1), { deadline: Infinity, signal: undefined }),
    Error,
    "has ended",
  );
});

Deno.test("Queue: items on their way to a process that ends, go back to the front in their order", async () => {
  const near = makeNear(0, "make a queue");
  const service = new QueueService(near);
  for (let n = 1; n <= 4; n++) near.store.tryPut(Uint8Array.of(n));
  const { signal } = new AbortController();
  for (let ticket = 1; ticket <= 3; ticket++) {
    await service.call("get", [ticket, true], "/7", signal);
  }
  service.call("took", [2], "/7", signal);
  service.gone("/7");
  const left = [];
  while (near.store.ring.size > 0) left.push(near.store.tryGet(([first]) => first));
  assertEquals(left, [1, 3, 4]);
});

Deno.test("Queue: a method that it does not have, cannot be called", () => {
  const service = new QueueService(makeNear(0, "make a queue"));
  for (const name of ["constructor", "gone", "__proto__", "near"]) {
    assertThrows(() => service.call(name, [], "/1", new AbortController().signal), TypeError);
  }
  assertEquals(new Queue().qsize(), 0);
});
