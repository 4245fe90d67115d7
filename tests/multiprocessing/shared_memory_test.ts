/** SharedMemory. CPython's: `_TestSharedMemory`. Children are Deno processes of their own, running fixtures/multiprocessing/memory.ts. */
import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
import { Process } from "@batteries/concurrent/multiprocessing";
import { Thread } from "@batteries/concurrent/threading";
import * as fixture from "../fixtures/multiprocessing/memory.ts";
import { child, exists, gone, nameFor } from "../fixtures/multiprocessing/memory_helpers.ts";

const { AlreadyExists, BadResource, NotCapable, NotFound } = Deno.errors;
const { write } = fixture;

Deno.test("SharedMemory: created with a name, has it, its size, and bytes that are all 0", () => {
  const name = nameFor("basics");
  using memory = new SharedMemory({ name, create: true, size: 512 });
  assertEquals([memory.name, memory.size, memory.buf.length], [name, 512, 512]);
  assert(memory.buf.every((byte) => byte === 0));
  assertStringIncludes(String(memory), name);
  assertStringIncludes(String(memory), "512");
  memory.unlink();
});

Deno.test("SharedMemory: opened by its name, has the same bytes and its own size, whatever size is asked", () => {
  using memory = new SharedMemory({ create: true, size: 512 });
  memory.buf[0] = 42;
  using same = new SharedMemory({ name: memory.name, size: 20 * memory.size });
  assertEquals([same.buf[0], same.size], [42, 512]);
  same.buf[511] = 7;
  assertEquals(memory.buf[511], 7);
  memory.unlink();
});

Deno.test("SharedMemory: buf, is the same view each time, over the whole memory", () => {
  using memory = new SharedMemory({ create: true, size: 100 });
  assert(memory.buf === memory.buf);
  assertEquals([memory.buf.byteOffset, memory.buf.buffer.byteLength], [0, 100]);
  memory.unlink();
});

Deno.test("SharedMemory: a leading slash in a name, is the system's own", () => {
  const name = nameFor("slash");
  using memory = new SharedMemory({ name: `/${name}`, create: true, size: 1 });
  using same = new SharedMemory({ name });
  same.buf[0] = 3;
  assertEquals([memory.name, memory.buf[0]], [name, 3]);
  memory.unlink();
});

Deno.test("SharedMemory: names with blanks, quotes and letters of any script, are names", () => {
  const name = nameFor('it\'s "$x" `ö` \\ 日本 -');
  using memory = new SharedMemory({ name, create: true, size: 1 });
  assert(exists(name));
  memory.unlink();
  assert(!exists(name));
});

Deno.test("SharedMemory: two created without a name, have different ones", () => {
  using one = new SharedMemory({ create: true, size: 1 });
  using two = new SharedMemory({ create: true, size: 1 });
  assert(one.name !== two.name);
  one.unlink();
  two.unlink();
});

Deno.test("SharedMemory: a size that is no positive integer, is a RangeError", () => {
  for (const size of [-2, -1, 0, 0.5, NaN, Infinity, 2 ** 60, undefined]) {
    assertThrows(() => new SharedMemory({ create: true, size }), RangeError, "size", `${size}`);
  }
  assertThrows(() => new SharedMemory({ name: "x", size: -1 }), RangeError, "size");
});

Deno.test("SharedMemory: neither name nor create, is a RangeError", () => {
  assertThrows(() => new SharedMemory({ create: false }), RangeError, "name");
  assertThrows(() => new SharedMemory(), RangeError, "name");
});

Deno.test("SharedMemory: names that cannot be, are RangeErrors", () => {
  for (const name of ["", "/", "a/b", "a\0b", "a\nb", ".", "..", "x".repeat(300)]) {
    const options = { name, create: true, size: 1 };
    assertThrows(() => new SharedMemory(options), RangeError, "name", JSON.stringify(name));
    assertThrows(() => new SharedMemory({ name }), RangeError, "name", JSON.stringify(name));
  }
});

Deno.test("SharedMemory: options of the wrong type, are TypeErrors", () => {
  const wrong: unknown[] = [
    null,
    5,
    { create: 1, size: 1 },
    { create: true, size: "1" },
    { create: true, size: 1, track: "no" },
    { name: 5 },
    { name: Symbol("x") },
  ];
  for (const options of wrong) {
    assertThrows(() => new SharedMemory(options as { name: string }), TypeError);
  }
});

Deno.test("SharedMemory: a name that is taken, is AlreadyExists and harms nothing", () => {
  const name = nameFor("taken");
  using memory = new SharedMemory({ name, create: true, size: 10 });
  memory.buf[0] = 9;
  assertThrows(() => new SharedMemory({ name, create: true, size: 10 }), AlreadyExists, name);
  using same = new SharedMemory({ name });
  assertEquals(same.buf[0], 9);
  memory.unlink();
});

Deno.test("SharedMemory: a name that nothing has, is NotFound", () => {
  const name = nameFor("nothing");
  assertThrows(() => new SharedMemory({ name }), NotFound, name);
});

Deno.test("SharedMemory: unlinked twice, is NotFound the second time", () => {
  const memory = new SharedMemory({ create: true, size: 5000 });
  using same = new SharedMemory({ name: memory.name });
  same.unlink();
  memory.close();
  assertThrows(() => memory.unlink(), NotFound);
});

Deno.test("SharedMemory: unlinked, stays with those who have it and is found by nobody", () => {
  using memory = new SharedMemory({ create: true, size: 10 });
  using same = new SharedMemory({ name: memory.name });
  memory.unlink();
  memory.buf[1] = 5;
  assertEquals(same.buf[1], 5);
  assertThrows(() => new SharedMemory({ name: memory.name }), NotFound);
});

Deno.test("SharedMemory: unlinked and created again under the same name, are two memories", () => {
  const name = nameFor("again");
  using first = new SharedMemory({ name, create: true, size: 10 });
  first.buf[0] = 1;
  first.unlink();
  using second = new SharedMemory({ name, create: true, size: 20 });
  assertEquals([first.buf[0], second.buf[0], second.size], [1, 0, 20]);
  second.unlink();
});

Deno.test("SharedMemory: more than there is room for, is an error with code ENOSPC and leaves no name", () => {
  const name = nameFor("room");
  const error = assertThrows(() => new SharedMemory({ name, create: true, size: 2 ** 50 }), Error);
  assertEquals((error as Error & { code: string }).code, "ENOSPC");
  assert(!exists(name));
});

Deno.test("SharedMemory: buf after close, throws; name, size and unlink are still there", () => {
  const memory = new SharedMemory({ create: true, size: 10 });
  memory.close();
  assertThrows(() => memory.buf, BadResource, "closed");
  assertEquals(memory.size, 10);
  memory.close();
  memory.unlink();
});

Deno.test("SharedMemory: views from before close, are detached: they read undefined and their methods throw", () => {
  const memory = new SharedMemory({ create: true, size: 64 });
  const { buf } = memory;
  const ints = new Int32Array(buf.buffer);
  const view = new DataView(buf.buffer);
  const part = buf.subarray(3, 9);
  memory.close();
  assertEquals([buf[0], ints[0], part[0], buf.length, ints.length, part.length], [
    undefined,
    undefined,
    undefined,
    0,
    0,
    0,
  ] as unknown as number[]);
  assertThrows(() => view.getInt8(0), TypeError);
  assertThrows(() => ints.fill(1), TypeError);
  assertThrows(() => buf.set([1]), Error);
  assertThrows(() => Atomics.add(ints, 0, 1), Error);
  assert(buf.buffer.detached);
  memory.unlink();
});

Deno.test("SharedMemory: leaving a using block, closes and does not unlink", () => {
  let name: string;
  {
    using memory = new SharedMemory({ create: true, size: 10 });
    memory.buf[0] = 8;
    name = memory.name;
  }
  using same = new SharedMemory({ name });
  assertEquals(same.buf[0], 8);
  same.unlink();
});

Deno.test("SharedMemory: used, closed, moved and collected at random in a child, never ends it", async () => {
  const { code, err } = await child("fuzz", ["--v8-flags=--expose-gc"]).ended;
  assertEquals([code, err], [0, ""]);
});

Deno.test("SharedMemory: handed to a process by name and as itself, is the same memory there", async () => {
  using memory = new SharedMemory({ create: true, size: 512 });
  for (const [given, text] of [[memory.name, "howdy"], [memory, "HELLO"]] as const) {
    const process = new Process({ target: write, args: [given, text], daemon: true });
    process.start();
    await process.join();
    assertEquals(process.exitcode, 0);
    assertEquals(new TextDecoder().decode(memory.buf.slice(0, 5)), text);
  }
  memory.unlink();
});

Deno.test("SharedMemory: handed to a thread, is the same memory there", async () => {
  using memory = new SharedMemory({ create: true, size: 512 });
  const thread = new Thread({ target: write, args: [memory, "thread"] });
  thread.start();
  await thread.join();
  assertEquals(new TextDecoder().decode(memory.buf.slice(0, 6)), "thread");
  memory.unlink();
});

Deno.test("SharedMemory: unlinked before it arrives, fails where it arrives with NotFound", async () => {
  using memory = new SharedMemory({ create: true, size: 10 });
  memory.unlink();
  const { out, code } = await child("open", [], memory.name).ended;
  assertEquals([code, out], [0, `NotFound\n`]);
});

Deno.test("SharedMemory: the program ends by itself, by Deno.exit, by an error or by a signal, what it tracked is gone", async () => {
  for (const way of ["end", "exit", "throw", "SIGTERM", "SIGKILL"] as const) {
    const name = nameFor(way);
    const running = child("leave", [], way, name);
    const made = (await running.line()).split(" ");
    assertEquals(made.length, 2);
    if (way.startsWith("SIG")) running.process.kill(way as Deno.Signal);
    await running.ended;
    for (const name of made) await gone(name);
  }
});

Deno.test("SharedMemory: without a watchman, what the program tracked is gone when it ends without an error", async () => {
  for (const way of ["end", "exit"]) {
    const running = child("leave", [], way, nameFor(way), "no-watchman");
    const made = (await running.line()).split(" ");
    await running.ended;
    assertEquals(made.filter(exists), []);
  }
});

Deno.test("SharedMemory: track false, stays when the program ends", async () => {
  const { out } = await child("untracked").ended;
  using memory = new SharedMemory({ name: out.trim() });
  assertEquals(memory.buf[0], 1);
  memory.unlink();
});

Deno.test("SharedMemory: a name that somebody else made anew, is left when the program that made the old one ends", async () => {
  const running = child("leave", [], "SIGKILL", nameFor("anew"));
  const [name] = (await running.line()).split(" ");
  using old = new SharedMemory({ name });
  old.unlink();
  using fresh = new SharedMemory({ name, create: true, size: 10 });
  const second = child("leave", [], "SIGKILL", nameFor("sentinel"));
  const [sentinel] = (await second.line()).split(" ");
  running.process.kill("SIGKILL");
  second.process.kill("SIGKILL");
  await running.ended;
  await second.ended;
  await gone(sentinel); // its watchman is done, and so is the other's, that began before
  using same = new SharedMemory({ name });
  assertEquals(same.size, fresh.size);
  fresh.unlink();
});

Deno.test("SharedMemory: made by a child process that has ended, stays until the program has ended", async () => {
  const running = child("family");
  const name = await running.line(); // the child has ended and been joined
  {
    using memory = new SharedMemory({ name });
    assertEquals(memory.buf[0], 77);
  }
  running.process.kill("SIGKILL");
  await running.ended;
  await gone(name);
});

Deno.test("SharedMemory: a program killed together with its watchman, is swept up after by the next that makes memory", async () => {
  const running = child("leave", [], "SIGKILL", nameFor("watchman"), "no-watchman");
  const [name, named] = (await running.line()).split(" ");
  running.process.kill("SIGKILL");
  await running.ended;
  using _left = new SharedMemory({ name: named });
  _left.unlink(); // a name of the user's tells nobody whose it is
  assert(exists(name), "there must be no watchman in this test");
  const { code } = await child("sweep").ended;
  assertEquals(code, 0);
  assert(!exists(name));
});

Deno.test("SharedMemory: of a program that has ended but in use by another, is not swept", async () => {
  const running = child("leave", [], "SIGKILL", nameFor("used"), "no-watchman");
  const [name, named] = (await running.line()).split(" ");
  using memory = new SharedMemory({ name });
  running.process.kill("SIGKILL");
  await running.ended;
  using _left = new SharedMemory({ name: named });
  _left.unlink();
  await child("sweep").ended;
  assert(exists(name));
  memory.unlink();
});

Deno.test("SharedMemory: without --allow-ffi, is an error that names the flag", async () => {
  const { out, code } = await child("forbidden", ["--allow-read", "--no-prompt"]).ended;
  assertEquals(code, 0);
  const [name, message] = out.split("\n");
  assertEquals(name, NotCapable.name);
  assertStringIncludes(message, "--allow-ffi");
});

Deno.test("SharedMemory: 1 GiB, is there at once in two processes and is copied by nobody", async () => {
  using memory = new SharedMemory({ create: true, size: 2 ** 30 });
  memory.buf[2 ** 30 - 1] = 1;
  const { out, code } = await child("big", [], memory.name).ended;
  assertEquals(code, 0);
  const { seen, rss } = JSON.parse(out);
  assertEquals(seen, 1);
  assertGreaterOrEqual(400e6, rss, "the child has no copy of it");
  assertEquals(memory.buf[0], 2);
  memory.unlink();
});

Deno.test("SharedMemory: made, handed to a Python program and back, holds what it wrote", async () => {
  using memory = new SharedMemory({ create: true, size: 64 });
  const script = `
import sys
from multiprocessing import resource_tracker, shared_memory
m = shared_memory.SharedMemory(sys.argv[1])
resource_tracker.unregister(m._name, "shared_memory")
m.buf[:5] = b"howdy"
m.close()`;
  const command = new Deno.Command("python3", { args: ["-c", script, memory.name] });
  const { code } = await command.output().catch(() => ({ code: undefined }));
  if (code !== undefined) {
    assertEquals(code, 0);
    assertEquals(new TextDecoder().decode(memory.buf.slice(0, 5)), "howdy");
  }
  memory.unlink();
});

Deno.test("SharedMemory: collected without having been closed, gives its memory back", async () => {
  const { code, out, err } = await child("collect", ["--v8-flags=--expose-gc"]).ended;
  assertEquals([code, err], [0, ""]);
  const [full, left] = JSON.parse(out);
  assertEquals([full > 100, left < 100], [true, true]);
});
