import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  activeChildren,
  cpuCount,
  currentProcess,
  freezeSupport,
  parentProcess,
  Process,
  ProcessError,
} from "@batteries/concurrent/multiprocessing";
import { wait } from "@batteries/concurrent/multiprocessing/connection";
import { PicklingError } from "@batteries/concurrent/threading";
import {
  Counter,
  exitWith,
  mayNotStart,
  never,
  nothing,
  Plain,
  setsExitCode,
  signalled,
  spin,
  startsChild,
  startsDaemon,
  stubborn,
  tellLater,
  tellSelf,
  throwsNothing,
  Tools,
} from "../fixtures/multiprocessing/process_parties.ts";
import { isRunning, waitForFile } from "./_world.ts";

async function exitcodeOf(process: Process): Promise<number | null> {
  process.start();
  await process.join();
  return process.exitcode;
}

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(`${folder}/file`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function read(path: string): Record<string, unknown> & { parent: Record<string, unknown> } {
  return JSON.parse(Deno.readTextFileSync(path));
}

Deno.test("Process: a target with plain arguments, runs in another process and ends with 0", () =>
  withFile(async (path) => {
    const process = new Process({ target: tellSelf, args: [path, 1, "two", true, null] });
    assertEquals([process.pid, process.exitcode, process.isAlive()], [null, null, false]);
    process.start();
    const { pid } = process;
    assert(pid !== null && pid !== Deno.pid);
    assert(process.isAlive());
    assertEquals(process.exitcode, null);
    await process.join();
    assertEquals([process.pid, process.exitcode, process.isAlive()], [pid, 0, false]);
    assert(!isRunning(pid));
    const told = read(path);
    assertEquals([told.pid, told.name, told.isMain, told.daemon], [
      pid,
      process.name,
      false,
      false,
    ]);
    assertEquals(told.args, '[ 1, "two", true, null ]');
    assertEquals(told.parent, { name: "MainProcess", pid: Deno.pid, isAlive: true });
  }));

Deno.test("Process: arguments that JSON does not carry, arrive as structured clone has them", () =>
  withFile(async (path) => {
    const process = new Process({
      target: tellSelf,
      args: [path, new Map([[1, new Set([2n])]]), undefined, -0, NaN, new Uint8Array([7])],
    });
    assertEquals(await exitcodeOf(process), 0);
    assertEquals(
      read(path).args,
      "[ Map(1) { 1 => Set(1) { 2n } }, undefined, -0, NaN, Uint8Array(1) [ 7 ] ]",
    );
  }));

Deno.test("Process: an async target, is waited for", () =>
  withFile(async (path) => {
    assertEquals(await exitcodeOf(new Process({ target: tellLater, args: [path] })), 0);
    assertEquals(read(path).isMain, false);
  }));

Deno.test("Process: without a target, does nothing and ends with 0", async () => {
  assertEquals(await exitcodeOf(new Process()), 0);
});

Deno.test("Process: a static method of an exported class, is a target", () =>
  withFile(async (path) => {
    assertEquals(await exitcodeOf(new Process({ target: Tools.tell, args: [path] })), 0);
    assertEquals(read(path).args, '[ "static" ]');
  }));

Deno.test("Process: start, runs the child although the event loop is blocked from then on", () =>
  withFile((path) => {
    const process = new Process({ target: tellSelf, args: [path] });
    process.start();
    // No turn of the event loop until the child has done its work.
    waitForFile(path);
    return process.join();
  }));

Deno.test("exitcode: how the target ended, is told by it", async () => {
  const codes = await Promise.all([
    exitcodeOf(new Process({ target: exitWith, args: [7] })),
    exitcodeOf(new Process({ target: exitWith, args: [0] })),
    exitcodeOf(new Process({ target: exitWith, args: [137] })),
    exitcodeOf(new Process({ target: setsExitCode })),
    exitcodeOf(new Process({ target: signalled, args: [9] })),
  ]);
  assertEquals(codes, [7, 0, 137, 9, -9]);
});

Deno.test("interrupt, terminate, kill: of a target that spins, end it with -2, -15, -9", async () => {
  for (const [act, code] of [["interrupt", -2], ["terminate", -15], ["kill", -9]] as const) {
    const process = new Process({ target: spin });
    process.start();
    process[act]();
    await process.join();
    assertEquals(process.exitcode, code);
    // Nobody is there any more: nothing happens.
    process[act]();
  }
});

Deno.test("terminate: of a child that listens to SIGTERM, is heard and does not end it; kill does", () =>
  withFile(async (path) => {
    const process = new Process({ target: stubborn, args: [path] });
    process.start();
    waitForFile(path);
    process.terminate();
    waitForFile(`${path}.term`);
    assert(process.isAlive());
    process.kill();
    await process.join();
    assertEquals(process.exitcode, -9);
  }));

Deno.test("join: with a time-out or a signal, gives up and leaves the process running", async () => {
  const process = new Process({ target: never });
  process.start();
  await process.join({ timeout: 0 });
  await process.join({ timeout: 10 });
  assert(process.isAlive());
  const reason = new Error("enough");
  assertStrictEquals(
    await assertRejects(() => process.join({ signal: AbortSignal.abort(reason) })),
    reason,
  );
  const controller = new AbortController();
  const joining = process.join({ signal: controller.signal });
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => joining), reason);
  await assertRejects(() => process.join({ timeout: NaN }), RangeError);
  assert(process.isAlive());
  process.kill();
  await Promise.all([process.join(), process.join({ timeout: 60_000 })]);
  await process.join();
  assertEquals(process.exitcode, -9);
});

Deno.test("Process: what is done at the wrong time, throws and says so", async () => {
  const process = new Process({ target: nothing, name: "P" });
  await assertRejects(() => process.join(), ProcessError, "Cannot join P: it has not been started");
  for (const act of ["interrupt", "terminate", "kill"] as const) {
    assertThrows(() => process[act](), ProcessError, `Cannot ${act} P: it has not been started`);
  }
  assertThrows(() => process.sentinel, ProcessError, "it has not been started");
  process.daemon = true;
  process.daemon = false;
  process.start();
  assertThrows(() => process.start(), ProcessError, "Cannot start P: it has been started before");
  assertThrows(() => process.daemon = true, ProcessError, "it has been started");
  assertThrows(() => process.close(), RangeError, "Cannot close P: it is running");
  await process.join();
  process.close();
  process.close();
  for (const act of ["start", "interrupt", "terminate", "kill", "isAlive"] as const) {
    assertThrows(() => process[act](), RangeError, "P: the Process has been closed");
  }
  await assertRejects(() => process.join(), RangeError, "has been closed");
  for (const key of ["pid", "ident", "exitcode", "sentinel"] as const) {
    assertThrows(() => process[key], RangeError, "has been closed");
  }
  assertEquals(process.name, "P");
});

Deno.test("Process: this one and the main one, can neither be joined nor started nor signalled", async () => {
  const self = currentProcess();
  await assertRejects(() => self.join(), ProcessError, "it is not a child of this process");
  assertThrows(() => self.start(), ProcessError);
  assertThrows(() => self.terminate(), ProcessError);
  assert(self.isAlive());
});

Deno.test("Process: options of the wrong type, are refused", () => {
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  const make = (options: any) => () => new Process(options);
  assertThrows(make(null), TypeError, "options must be an object");
  assertThrows(make({ target: 1 }), TypeError, "target must be a function, got number");
  assertThrows(make({ args: "a" }), TypeError, "args must be an array, got string");
  assertThrows(make({ name: 1 }), TypeError, "name must be a string, got number");
  assertThrows(make({ daemon: 1 }), TypeError, "daemon must be a boolean, got number");
  assertThrows(make({ permissions: "all" }), TypeError, 'got "all"');
  assertThrows(make({ permissions: { read: 1 } }), TypeError, "read must be");
  assertThrows(make({ permissions: { raed: true } }), TypeError, "there is no kind 'raed'");
  const process = new Process();
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => process.name = 1 as any, TypeError, "must be a string");
  // deno-lint-ignore no-explicit-any -- wrong on purpose
  assertThrows(() => process.authkey = "key" as any, TypeError, "must be a Uint8Array");
});

Deno.test("Process: what cannot travel, is refused at the call, and the process is not started", () =>
  withFile(async (path) => {
    assertThrows(() => new Process({ target: () => {} }), PicklingError);
    assertThrows(() => new Process({ target: tellSelf.bind(null) }), PicklingError);
    const args: [string, unknown] = [path, () => {}];
    const process = new Process({ target: tellSelf, args });
    assertThrows(() => process.start(), PicklingError, "args[1]");
    assertEquals([process.pid, process.isAlive()], [null, false]);
    args[1] = new SharedArrayBuffer(4);
    assertThrows(() => process.start(), PicklingError, "args[1]");
    args[1] = 1;
    assertEquals(await exitcodeOf(process), 0);
    assertThrows(
      () => new Process({ target: tellSelf, args: ["", new Process()] }).start(),
      PicklingError,
      "a Process belongs to the process that made it",
    );
  }));

Deno.test("name: by default says whose child it is, also of subclasses and below", () =>
  withFile(async (path) => {
    const [, number] = /^Process-(\d+)$/.exec(new Process().name) ?? [];
    assertEquals(new Counter("").name, `Counter-${Number(number) + 1}`);
    assertEquals(new Process({ name: "own" }).name, "own");
    assertEquals(new Process({ name: "" }).name, `Process-${Number(number) + 3}`);
    const process = new Process({ target: startsChild, args: [path] });
    assertEquals(process.name, `Process-${Number(number) + 4}`);
    assertEquals(await exitcodeOf(process), 0);
    // Its child was waited for.
    const told = read(path);
    assertEquals(told.name, `${process.name}:1`);
    assertEquals(told.parent.name, process.name);
    assertEquals(told.parent.pid, process.pid);
  }));

Deno.test("daemon: is inherited, and a daemon may not start processes", async () => {
  assertEquals(new Process().daemon, false);
  const process = new Process({ target: mayNotStart, daemon: true });
  assert(process.daemon);
  assertEquals(await exitcodeOf(process), 0);
});

Deno.test("daemon: of a child that ends, is ended with it", () =>
  withFile(async (path) => {
    assertEquals(await exitcodeOf(new Process({ target: startsDaemon, args: [path] })), 0);
    assert(!isRunning(Number(Deno.readTextFileSync(path))));
  }));

Deno.test("Process: an exported subclass with run, arrives with its fields", () =>
  withFile(async (path) => {
    const counter = new Counter(path);
    counter.list.push(3);
    assertEquals(await exitcodeOf(counter), 0);
    assertEquals(read(path).args, "[ [ 1, 2, 3 ], true ]");
    assertEquals(read(path).name, counter.name);
  }));

Deno.test("Process: a subclass that only has a target, runs it, exported or not", () =>
  withFile(async (path) => {
    class Local<A extends unknown[]> extends Process<A> {}
    assertEquals(await exitcodeOf(new Local({ target: tellSelf, args: [path] })), 0);
    assertMatch(String(read(path).name), /^Local-/);
    assertEquals(await exitcodeOf(new Plain({ target: tellSelf, args: [path] })), 0);
    assertMatch(String(read(path).name), /^Plain-/);
    class Runs extends Process {
      override run() {}
    }
    assertThrows(() => new Runs().start(), PicklingError);
  }));

Deno.test("run: called here, runs the target here", () =>
  withFile(async (path) => {
    await new Process({ target: tellSelf, args: [path] }).run();
    assertEquals(read(path).pid, Deno.pid);
  }));

Deno.test("sentinel: before the end is not ready, at the end it is; several are told apart", async () => {
  const [first, second] = [0, 1].map(() => new Process({ target: never }));
  first.start();
  second.start();
  const sentinels = [first.sentinel, second.sentinel];
  assertStrictEquals(first.sentinel, sentinels[0]);
  assertEquals(await wait(sentinels, { timeout: 0 }), []);
  second.kill();
  assertEquals(await wait(sentinels), [sentinels[1]]);
  first.kill();
  await first.join();
  assertEquals((await wait(sentinels, { timeout: 0 })).length, 2);
});

Deno.test("activeChildren: has those that were started and have not ended", async () => {
  assertEquals(activeChildren(), []);
  const processes = [0, 1].map(() => new Process({ target: never }));
  assertEquals(activeChildren(), []);
  for (const process of processes) process.start();
  assertEquals(activeChildren(), processes);
  processes[0].kill();
  await processes[0].join();
  assertEquals(activeChildren(), [processes[1]]);
  processes[1].kill();
  await processes[1].join();
  assertEquals(activeChildren(), []);
});

Deno.test("currentProcess, parentProcess: in the program's first process, are MainProcess and null", () => {
  const self = currentProcess();
  assertStrictEquals(self, currentProcess());
  assertEquals([self.name, self.pid, self.daemon, self.exitcode], [
    "MainProcess",
    Deno.pid,
    false,
    null,
  ]);
  assert(self instanceof Process);
  assertEquals(parentProcess(), null);
});

Deno.test("authkey: is 32 random bytes, and children have it", () =>
  withFile(async (path) => {
    const { authkey } = currentProcess();
    assertEquals(authkey.length, 32);
    const process = new Process({ target: tellSelf, args: [path] });
    assertEquals(process.authkey, authkey);
    assertEquals(await exitcodeOf(process), 0);
    assertEquals(read(path).authkey, authkey.toHex());
    const other = new Process({ target: tellSelf, args: [path] });
    other.authkey = new Uint8Array([1, 2]);
    assertEquals(await exitcodeOf(other), 0);
    assertEquals(read(path).authkey, "0102");
    assertNotEquals(currentProcess().authkey, other.authkey);
  }));

Deno.test("await using: a process that runs, is terminated and joined", async () => {
  let kept: Process;
  {
    await using process = new Process({ target: never });
    process.start();
    kept = process;
  }
  assertEquals(kept.exitcode, -15);
  await using _unstarted = new Process({ target: never });
});

Deno.test("Process: forty at once, end each with its own code", async () => {
  const processes = Array.from(
    { length: 40 },
    (_, i) => new Process({ target: exitWith, args: [i] }),
  );
  for (const process of processes) process.start();
  assertEquals(new Set(processes.map(({ pid }) => pid)).size, 40);
  await Promise.all(processes.map((process) => process.join()));
  assertEquals(processes.map(({ exitcode }) => exitcode), processes.map((_, i) => i));
});

Deno.test("Process: a target that throws nothing at all, ends with 1", async () => {
  assertEquals(await exitcodeOf(new Process({ target: throwsNothing })), 1);
});

Deno.test("cpuCount, freezeSupport: are what they are in Deno", () => {
  assertEquals(cpuCount(), navigator.hardwareConcurrency);
  freezeSupport();
  assertStringIncludes(Process.name, "Process");
});
