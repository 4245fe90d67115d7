/** The calls to the operating system: what threading/_core/platform promises. Linux only; elsewhere they are not tested. */
import {
  assert,
  assertEquals,
  assertFalse,
  assertLess,
  assertNotEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { hasPlatform, platform } from "../../threading/_core/platform/mod.ts";
import { nameFor } from "../fixtures/multiprocessing/memory_helpers.ts";

const { AlreadyExists, NotFound } = Deno.errors;
const test = (name: string, body: () => void | Promise<void>) =>
  Deno.test({ name: `platform: ${name}`, ignore: Deno.build.os !== "linux", fn: body });
const system = () => platform("test");
const source = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
const module = new URL("../../threading/_core/platform/mod.ts", import.meta.url).href;

/** A program in a process of its own, which may use the platform as `p`. */
function run(flags: string[], text: string) {
  const entry = source(`import { hasPlatform, platform } from "${module}"; ${text}`);
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--no-check", ...flags, `await import(${JSON.stringify(entry)})`],
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
}

test("with all of FFI granted, is there", () => {
  assert(hasPlatform());
  assert(system() === platform("test again"));
});

test("without FFI, or with a list of libraries, is not there and says what to do", async () => {
  for (const flag of [[], ["--allow-ffi=/lib/libc.so.6"]]) {
    const script = Deno.makeTempFileSync({ suffix: ".ts" });
    Deno.writeTextFileSync(
      script,
      `import { hasPlatform, platform } from "${module}";
      let said; try { platform("make a Lock"); } catch (error) { said = error.name + ": " + error.message; }
      console.log(JSON.stringify([hasPlatform(), said]));`,
    );
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--no-prompt", ...flag, script],
      env: { NO_COLOR: "1" },
    }).output();
    Deno.removeSync(script);
    const [has, said] = JSON.parse(new TextDecoder().decode(stdout));
    assertFalse(has);
    assertStringIncludes(said, "NotCapable: Cannot make a Lock");
    assertStringIncludes(said, "--allow-ffi");
  }
});

test("anonymous memory, is reached by its ticket from this process and another", async () => {
  const fd = system().createAnonymous(65_536);
  const { memory } = system().ground(fd, 65_536);
  const words = new Int32Array(memory);
  words[3] = 42;
  const same = system().openTicket(system().ticketOf(fd));
  const again = new Int32Array(system().ground(same, 65_536).memory);
  assertEquals([again[3], system().sizeOf(same)], [42, 65_536]);
  const { code } = await run(
    ["-A"],
    `const p = platform("test");
    const fd = p.openTicket("${system().ticketOf(fd)}");
    const words = new Int32Array(p.ground(fd, 65536).memory);
    words[4] = words[3] + 1;`,
  ).output();
  assertEquals([code, words[4], again[4]], [0, 43, 43]);
  system().close(fd);
  system().close(same);
  assertEquals(again[4], 43, "the memory outlives its descriptors");
});

test("tickets of nobody, are NotFound; what is no ticket is a TypeError", () => {
  assertThrows(() => system().openTicket("4194304/3"), NotFound);
  assertThrows(() => system().openTicket(`${Deno.pid}/19999`), NotFound);
  for (const ticket of ["", "../../etc/passwd", "1/2/3", "-1/2", "1/x"]) {
    assertThrows(() => system().openTicket(ticket), TypeError, "names none");
  }
});

test("named memory, is created once, opened, listed and unlinked", () => {
  const name = nameFor("platform");
  const fd = system().createNamed(name, 100);
  assertThrows(() => system().createNamed(name, 100), AlreadyExists);
  const same = system().openNamed(name);
  assertEquals([system().sizeOf(same), system().listNamed(name)], [100, [name]]);
  assertEquals(system().inodeOf(fd), system().inodeOf(same));
  system().unlinkNamed(name);
  assertEquals([system().inodeOf(fd), system().listNamed(name)], [undefined, []]);
  assertThrows(() => system().openNamed(name), NotFound);
  assertThrows(() => system().unlinkNamed(name), NotFound);
  system().close(fd);
  system().close(same);
});

test("locks on memory, are held by descriptors until they are closed", () => {
  const name = nameFor("flock");
  const fd = system().createNamed(name, 1);
  const other = system().openNamed(name);
  const third = system().openNamed(name);
  assert(system().lockShared(fd));
  assert(system().lockShared(other));
  assertFalse(system().tryLockExclusive(third));
  system().close(fd);
  system().close(other);
  assert(system().tryLockExclusive(third));
  system().close(third);
  system().unlinkNamed(name);
});

test("a mapping given back, is detached; twice is once; moved elsewhere, what it was moved to stays readable", () => {
  const fd = system().createAnonymous(4096);
  const mapping = system().map(fd, 4096);
  new Uint8Array(mapping.buffer)[0] = 1;
  mapping.unmap();
  assert(mapping.buffer.detached);
  mapping.unmap();
  const second = system().map(fd, 4096);
  assertEquals(new Uint8Array(second.buffer)[0], 1);
  const moved = new Uint8Array(structuredClone(second.buffer, { transfer: [second.buffer] }));
  second.unmap();
  moved[5] = 9; // would end the process, were it not there
  const third = system().map(fd, 4096);
  assertEquals([new Uint8Array(third.buffer)[0], new Uint8Array(third.buffer)[5]], [1, 0]);
  third.unmap();
  system().close(fd);
});

test("wait, sleeps while the word has the value, no longer than told", () => {
  const fd = system().createAnonymous(65_536);
  const { memory, address } = system().ground(fd, 65_536);
  const start = performance.now();
  system().wait(address, 1, 60_000); // another value
  system().wait(address, 0, 0);
  system().wait(address, 0, -5);
  system().wait(address, 0, 5);
  assertLess(performance.now() - start, 30_000);
  assertEquals(new Int32Array(memory)[0], 0);
  system().close(fd);
});

test("a word changed and woken by another process, ends a wait for it, Sync and async", async () => {
  const fd = system().createAnonymous(65_536);
  const { memory, address } = system().ground(fd, 65_536);
  const words = new Int32Array(memory);
  const ticket = system().ticketOf(fd);
  const other = run(
    ["-A"],
    `const p = platform("test");
    const { memory, address } = p.ground(p.openTicket("${ticket}"), 65536);
    const words = new Int32Array(memory);
    for (let turn = 0; turn < 100; turn++) {
      while (Atomics.load(words, 0) === turn) p.wait(address, turn, 1000);
      Atomics.add(words, 100, 1);
      p.wake(address + 400, 1);
    }`,
  ).spawn();
  for (let turn = 0; turn < 100; turn++) {
    Atomics.add(words, 0, 1);
    system().wake(address, 1);
    while (Atomics.load(words, 100) === turn) {
      if (turn % 2) system().wait(address + 400, turn, 1000);
      else {
        const wanted = [{ address: address + 4, value: 0 }, {
          address: address + 400,
          value: turn,
        }];
        await system().waitAny(wanted, 1000);
      }
    }
  }
  assertEquals((await other.status).code, 0);
  await other.stdout.cancel();
  system().close(fd);
});

test("waitAny, is ended by each of 128 words", async () => {
  assert(system().waitsForAll);
  const fd = system().createAnonymous(65_536);
  const { memory, address } = system().ground(fd, 65_536);
  const words = new Int32Array(memory);
  const wanted = Array.from({ length: 128 }, (_, i) => ({ address: address + 4 * i, value: 0 }));
  for (const i of [0, 1, 77, 127]) {
    let ended = false;
    const waiting = system().waitAny(wanted, 60_000).then(() => ended = true);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assertFalse(ended);
    words[i] = 1;
    system().wake(address + 4 * i, 1);
    await waiting;
    words[i] = 0;
  }
  words[5] = 1;
  await system().waitAny(wanted, 60_000); // does not sleep at all
  await system().waitAny([{ address, value: 0 }], 5); // in time
  system().close(fd);
});

test("the beginning of a process, is told while it lives; its end is seen, waited for or not", async () => {
  const me = system().startOf(Deno.pid)!;
  assertFalse(system().hasEnded(Deno.pid, me));
  assert(system().hasEnded(Deno.pid, me + 1), "another process had that number");
  assertEquals(system().parentOf(Deno.pid), Deno.ppid);
  const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
  const start = system().startOf(child.pid)!;
  assertFalse(system().hasEnded(child.pid, start));
  assertEquals(system().parentOf(child.pid), Deno.pid);
  child.kill("SIGKILL");
  // Nobody has waited for it: the event loop stands still.
  while (!system().hasEnded(child.pid, start));
  assertEquals([system().startOf(child.pid), system().parentOf(child.pid)], [undefined, undefined]);
  await child.status;
  assert(system().hasEnded(child.pid, start));
});

test("more processes than are watched at a time, are told apart all the same", async () => {
  const children = Array.from({ length: 80 }, () => {
    const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
    return { child, start: system().startOf(child.pid)! };
  });
  for (const { child, start } of children) assertFalse(system().hasEnded(child.pid, start));
  for (const { child } of children.slice(40)) child.kill("SIGKILL");
  for (const { child } of children.slice(40)) await child.status;
  const ended = children.map(({ child, start }) => system().hasEnded(child.pid, start));
  assertEquals(ended, children.map((_, i) => i >= 40));
  for (const { child } of children.slice(0, 40)) child.kill("SIGKILL");
  for (const { child } of children) await child.status;
});

test("a thread, has an identifier of its own, and its end is seen", async () => {
  const script = new URL("../fixtures/multiprocessing/platform_worker.ts", import.meta.url);
  const worker = new Worker(script, { type: "module" });
  const [id, start] = await new Promise<[number, number]>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  assertNotEquals(id, system().threadId());
  assertFalse(system().hasEnded(id, start));
  worker.terminate();
  while (!system().hasEnded(id, start)) await new Promise((resolve) => setTimeout(resolve, 1));
});

test("dieWithParent, ends the child when its parent is killed", async () => {
  const child =
    `const p = platform("test"); p.dieWithParent(9); console.log(Deno.pid, p.startOf(Deno.pid)); setInterval(() => {}, 1000);`;
  const text = `import { platform } from "${module}"; ${child}`;
  const parent = run(
    ["-A"],
    `new Deno.Command(Deno.execPath(), { args: ["eval", "--quiet", ${
      JSON.stringify(text)
    }] }).spawn();
    setInterval(() => {}, 1000);`,
  ).spawn();
  const reader = parent.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes("\n")) said += (await reader.read()).value;
  const [pid, start] = said.split(" ").map(Number);
  assertFalse(system().hasEnded(pid, start));
  parent.kill("SIGKILL");
  while (!system().hasEnded(pid, start)) await new Promise((resolve) => setTimeout(resolve, 1));
  await parent.status;
  await reader.cancel();
});

test("more shared memory than the process may have files open, is refused while there are some left", async () => {
  const queues = new URL("../../multiprocessing/queues.ts", import.meta.url).href;
  const text = `import { Queue } from ${JSON.stringify(queues)};
    const queues = [];
    try { for (;;) queues.push(new Queue()); } catch (error) { console.log(error.code, error.message); }
    queues[0].putSync(1);
    console.log(queues[0].getSync(), queues.length > 100, Deno.readTextFileSync("/proc/self/stat") !== "");`;
  const { code, stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      'ulimit -n 300; exec "$0" run -A --quiet --no-check "$1"',
      Deno.execPath(),
      source(text),
    ],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [
    0,
    "EMFILE Cannot make shared memory: this process has too many files open (EMFILE)\n1 true true\n",
  ]);
});
