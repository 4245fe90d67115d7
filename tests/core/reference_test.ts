import {
  assert,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { PicklingError } from "../../threading/_core/errors.ts";
import {
  locate,
  locateObject,
  type Reference,
  resolve,
  resolveObject,
  resolveSync,
  setMainModule,
  task,
} from "../../threading/_core/reference.ts";
import { behind, shown } from "../fixtures/reference/barrel.ts";
import type { Outcome } from "../fixtures/reference/near.ts";
import { colours, palette } from "../fixtures/reference/objects.ts";
import { add, Deep, hello } from "../fixtures/reference/tasks.ts";

const FIXTURES = new URL("../fixtures/reference/", import.meta.url);

/** Runs a fixture as a program of its own and returns the outcomes it prints. */
async function run(
  file: string,
  flags: readonly string[],
): Promise<{ outcomes: Record<string, Outcome>; lines: string[]; stderr: string }> {
  const url = /^https?:/.test(file) ? file : new URL(file, FIXTURES).href;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", ...flags, url],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  const errors = text.decode(stderr);
  assertEquals(code, 0, errors);
  const lines = text.decode(stdout).trimEnd().split("\n");
  return { outcomes: JSON.parse(lines.pop()!), lines, stderr: errors };
}

function values(outcomes: Record<string, Outcome>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(outcomes).map(([name, { at, value, message }]) => [
      name,
      at === "done" ? value : `${at}: ${message}`,
    ]),
  );
}

const OWN = {
  declared: 2,
  asynchronous: "async",
  generator: [1, 2],
  arrow: "hi!",
  expression: "expression",
  Job: "class Job",
  jobRun: "Job.run",
  handle: "handlers.handle",
  under: "under another name",
  picked: "picked",
  twinA: true,
  twinB: true,
  memo: "memo",
  helper: "declared.helper",
  main: "the named default",
  named: "named by task()",
};

const IMPORTED = {
  basename: "b",
  assertEquals: undefined,
  awaited: "awaited",
  madeHere: "made here",
  behind: "behind",
  plus: 3,
  shown: "hidden under another name",
  one: "one",
  two: "two",
  anonymous: "the anonymous default",
  add: 5,
  go: "Deep.go",
  walk: "Deep.walk",
  entry: "table.entry",
  hello: "hello",
  goodbye: "goodbye",
  twinA: "twin",
  twinB: "twin",
  ownThroughWrapper: "own",
  addThroughWrapper: 7,
  odd: "odd",
  common: "common",
  fromData: "from data:",
  deep: "a namespace",
  lazy: 42,
};

for (const flags of [["-A"], ["--allow-read"]]) {
  const under = `under ${flags[0]}`;

  for (
    const file of ["main_guarded.ts", "main_awaiting.ts", "main_evaluated.ts", "main_plain.js"]
  ) {
    Deno.test(`functions of the main module, ${file} ${under}, run in a worker`, async () => {
      const { outcomes } = await run(file, flags);
      assertEquals(values(outcomes), OWN);
    });
  }

  Deno.test(`functions of imported modules, passed from a top-level await ${under}, run in a worker`, async () => {
    const { outcomes, lines } = await run("main_importing.ts", flags);
    assertEquals(values(outcomes), { ...IMPORTED });
    assertEquals(lines, [], "a module that is imported for its types was evaluated");
    for (const name of ["add", "hello", "goodbye", "one", "two", "assertEquals", "shown"]) {
      assertEquals(outcomes[name].how, "export", `${name} was not found by identity`);
    }
  });

  Deno.test(`functions of one name in several modules ${under} stay apart`, async () => {
    const { outcomes } = await run("main_rival.ts", flags);
    assertEquals(values(outcomes), { mine: "mine", other: "one", two: "two" });
  });

  Deno.test(`functions that cannot travel ${under} are refused at the call, with the reason`, async () => {
    const { outcomes } = await run("main_refused.ts", flags);
    const reasons: Record<string, string> = {
      closure: "'closure': it is ",
      adder: "'adder': it is ",
      secret: "'secret': it is not exported from file:///",
      shadow: "'work': it is ",
      method: "'use': it is a method",
      bound: "'work': it is bound to an object with bind()",
      native: "'max': it is native code",
      proxy: "'work': it is a Proxy",
      evaluated: "'anonymous': it ",
      runtime: "'fetch': it ",
    };
    if (flags[0] === "-A") {
      reasons.closure += "a closure";
      reasons.adder += "a closure";
      reasons.evaluated += "was made from a string";
      reasons.runtime += "belongs to the runtime";
    }
    for (const [name, reason] of Object.entries(reasons)) {
      const { at, error, message } = outcomes[name];
      assertEquals([at, error], ["call", "PicklingError"], name);
      assertStringIncludes(message!, `Cannot start a thread with ${reason}`);
      assertMatch(message!, /export/);
    }
    for (const name of ["number", "nothing"]) assertEquals(outcomes[name].error, "TypeError");
  });

  Deno.test(`an anonymous function ${under} is refused at the call where no export can be one`, async () => {
    const { anonymous } = (await run("main_anonymous.ts", flags)).outcomes;
    assertEquals([anonymous.at, anonymous.error], ["call", "PicklingError"]);
    assertStringIncludes(anonymous.message!, "give it a name and export it");
  });

  Deno.test(`functions passed from inside a web worker ${under} are found`, async () => {
    const { own, imported, ofMain, refused } = (await run("main_in_worker.ts", flags)).outcomes;
    assertEquals([own.value, imported.value], ["from the worker", 9]);
    assertEquals(ofMain.value, "from the main module");
    assertEquals([refused.at, refused.error], ["call", "PicklingError"]);
  });

  Deno.test(`a main module started through a symbolic link ${under} keeps its own identity`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const real = new URL("main_linked.ts", FIXTURES);
      const text = await Deno.readTextFile(real);
      await Deno.writeTextFile(
        `${folder}/real.ts`,
        text.replaceAll("./near.ts", new URL("near.ts", FIXTURES).href),
      );
      await Deno.symlink(`${folder}/real.ts`, `${folder}/link.ts`);
      const { outcomes, lines } = await run(`file://${folder}/link.ts`, [
        ...flags,
        "--config",
        decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname),
      ]);
      assertEquals(outcomes.here.value, "link.ts");
      // Once in the main thread and once in the worker; never as real.ts.
      assertEquals(lines, ["evaluated link.ts", "evaluated link.ts"]);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("functions of a main module under --coverage run in a worker", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { outcomes } = await run("main_guarded.ts", ["-A", `--coverage=${folder}`]);
    assertEquals(values(outcomes), OWN);
    assertGreater([...Deno.readDirSync(folder)].length, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("without any permission evaluated modules are known, and nothing asks for one", async () => {
  const { outcomes: { own, bound, native, closure, imported }, stderr } = await run(
    "main_unread.ts",
    [],
  );
  assertEquals([own.at, own.how], ["done", "export"]);
  for (const one of [bound, native, closure, imported]) {
    assertEquals([one.at, one.error], ["call", "PicklingError"]);
  }
  assertStringIncludes(imported.message!, "--allow-read");
  assertEquals(stderr, "");
});

Deno.test("functions of a main module on the network run in a worker", async () => {
  const root = new URL("../../", import.meta.url);
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const text = await Deno.readTextFile(new URL(`.${pathname}`, root));
      return new Response(text, { headers: { "content-type": "application/typescript" } });
    },
  );
  const main = `http://127.0.0.1:${server.addr.port}/tests/fixtures/reference/main_networked.ts`;
  const allow = `--allow-import=127.0.0.1:${server.addr.port}`;
  for (const flags of [["-A"], [allow]]) {
    const { outcomes } = await run(main, ["--reload=http://127.0.0.1", ...flags]);
    assertEquals(outcomes.own.value, "own", outcomes.own.message);
    assertEquals(outcomes.own.module, main);
    // Only the far side can tell: nobody here knows what the module exports.
    assertEquals([outcomes.hidden.at, outcomes.hidden.error], ["far", "PicklingError"]);
  }
});

export function ofThisTest() {
  return "of the test module";
}

Deno.test("an exported function of a test module is found from inside its tests", async () => {
  const reference = locate(ofThisTest, "start a thread with", locate);
  const module = reference.how === "search" ? reference.modules[0] : reference.module;
  assertEquals(module, import.meta.url);
  assertStrictEquals(await resolve(reference), ofThisTest);
  assertStrictEquals(resolveSync(reference), ofThisTest);
});

Deno.test("a reference is cached, and survives a structured clone", async () => {
  const first = locate(add, "start a thread with", locate);
  assertStrictEquals(locate(add, "call", locate), first);
  assertStrictEquals(await resolve(structuredClone(first)), add);
  assertStrictEquals(resolveSync(structuredClone(first)), add);
});

Deno.test("identity decides between exports that look the same", async () => {
  const reference = locate(hello, "call", locate);
  assert(reference.how === "export");
  assertEquals(reference.path, ["hello"]);
  assertStrictEquals(await resolve(reference), hello);
});

Deno.test("a refused function leaves Error as it was", () => {
  const prepare = (error: Error) => `prepared ${error.message}`;
  const api = Error as unknown as { prepareStackTrace: unknown; stackTraceLimit: number };
  const before = { prepareStackTrace: api.prepareStackTrace, stackTraceLimit: api.stackTraceLimit };
  api.prepareStackTrace = prepare;
  api.stackTraceLimit = 3;
  try {
    assertThrows(() => locate(() => prepare, "call", locate), PicklingError);
    assertStrictEquals(api.prepareStackTrace, prepare);
    assertEquals(api.stackTraceLimit, 3);
    assertStrictEquals(locate(behind, "call", locate).how, "export");
    assertStrictEquals(api.prepareStackTrace, prepare);
  } finally {
    Object.assign(api, before);
  }
});

Deno.test("asking the engine leaves no session connected and no trace in the process", async () => {
  const inspector = await import("node:inspector");
  const { default: process } = await import("node:process");
  const { connect, disconnect } = inspector.Session.prototype;
  const { nextTick } = process;
  const globals = Object.getOwnPropertyNames(globalThis);
  const calls: string[] = [];
  inspector.Session.prototype.connect = function () {
    calls.push("connect");
    return connect.call(this);
  };
  inspector.Session.prototype.disconnect = function () {
    calls.push("disconnect");
    return disconnect.call(this);
  };
  try {
    const captured = calls.length;
    assertThrows(() => locate(() => captured, "call", locate), PicklingError, "it is a closure");
    assertEquals(calls, ["connect", "disconnect"]);
    assertStrictEquals(process.nextTick, nextTick);
    assertEquals(Object.getOwnPropertyNames(globalThis), globals);
  } finally {
    Object.assign(inspector.Session.prototype, { connect, disconnect });
  }
});

Deno.test("task() names a function that is not exported, and refuses a second one of the name", async () => {
  const meta = { ...import.meta, url: `${import.meta.url}?task` };
  function secret() {
    return 1;
  }
  const other = { secret: () => 2 }.secret;
  assertStrictEquals(task(meta, secret), secret);
  assertStrictEquals(task(meta, secret), secret);
  assertEquals(locate(secret, "call", locate), { how: "task", module: meta.url, name: "secret" });
  assertStrictEquals(resolveSync({ how: "task", module: meta.url, name: "secret" }), secret);
  assertThrows(() => task(meta, other), RangeError, "another function");
  assertThrows(() => task(meta, () => 1), TypeError, "no name");
  assertThrows(() => task(meta, 1 as unknown as () => void), TypeError, "number");
  assertThrows(() => task(null as unknown as ImportMeta, secret), TypeError, "import.meta");
  await assertRejects(
    () => resolve({ how: "task", module: import.meta.url, name: "absent" }),
    PicklingError,
    "did not run task(import.meta, absent)",
  );
});

Deno.test("resolve() refuses what the module does not have, and lets its own error through", async () => {
  const module = new URL("tasks.ts", FIXTURES).href;
  const search = (name: string, source: string): Reference => ({
    how: "search",
    modules: [module],
    name,
    source,
  });
  await assertRejects(
    () => resolve({ how: "export", module, path: ["absent"] }),
    PicklingError,
    "'absent': it is not exported from",
  );
  await assertRejects(() => resolve(search("absent", "() => 1")), PicklingError, "is not exported");
  await assertRejects(
    () => resolve(search("add", "() => 1")),
    PicklingError,
    "what is exported under that name is another function",
  );
  // hello and goodbye: same name, same source, and neither is exported as "memoized".
  await assertRejects(
    () => resolve(search("memoized", String(hello))),
    PicklingError,
    "2 exports of",
  );
  assertStrictEquals(await resolve(search("go", String(Deep.go))), Deep.go);
  assertStrictEquals(await resolve(search("renamed", String(add))), add);
  const broken = `data:text/javascript,throw new RangeError("of the module itself")`;
  await assertRejects(
    () => resolve({ how: "export", module: broken, path: ["f"] }),
    RangeError,
    "of the module itself",
  );
});

Deno.test("resolveSync() says so when a module cannot be had synchronously", () => {
  assertThrows(
    () => resolveSync({ how: "export", module: "data:text/javascript,export let f", path: ["f"] }),
    PicklingError,
    "synchronously",
  );
});

Deno.test("the same reference resolves in a real worker", async () => {
  const { promise, resolve } = Promise.withResolvers<MessageEvent>();
  const worker = new Worker(new URL("far_side.ts", FIXTURES), { type: "module" });
  worker.onmessage = resolve;
  worker.postMessage({ id: 0, reference: locate(shown, "call", locate), args: [] });
  assertEquals((await promise).data.outcome.value, "hidden under another name");
  worker.terminate();
});

Deno.test("an exported object is found by identity, and by name where the far side decides", async () => {
  const reference = locateObject(palette, "palette", locateObject)!;
  assertEquals(reference.how, "export");
  assertStrictEquals(await resolveObject(reference, () => true), palette);
  assertStrictEquals(await resolveObject(reference, () => false), undefined);
  const search: Reference = {
    how: "search",
    modules: [new URL("objects.ts", FIXTURES).href],
    name: "palette",
    source: "",
  };
  assertStrictEquals(await resolveObject(search, (value) => value === colours), colours);
  assertStrictEquals(
    await resolveObject(search, (value) => value instanceof Map),
    palette,
    "several match: the name decides",
  );
  assertEquals(
    await resolveObject({ ...search, name: "x" }, (value) => value instanceof Map),
    undefined,
  );
  assertEquals(locateObject({}, "nowhere", locateObject), null);
});

Deno.test("setMainModule() adds the module to those that are looked into", async () => {
  const url = new URL("only_main.ts", FIXTURES).href;
  const { onlyThere } = await import(url);
  setMainModule(url);
  try {
    const reference = locate(onlyThere, "call", locate);
    const module = reference.how === "search" ? reference.modules[0] : reference.module;
    assertEquals(module, url);
    assertStrictEquals(await resolve(reference), onlyThere);
  } finally {
    setMainModule(undefined);
  }
});
