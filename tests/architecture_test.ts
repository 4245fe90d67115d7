/**
 * What docs/architecture.md says of the rooms of this project, kept true.
 */
import { assertEquals } from "@std/assert";

const root = new URL("../", import.meta.url);
const config = new URL("deno.json", root).pathname;
const { exports } = JSON.parse(Deno.readTextFileSync(config)) as {
  exports: Record<string, string>;
};

/** Which rooms a room may import. */
const MAY: Record<string, string[]> = {
  "contextvars": [],
  "threading/_core": [],
  "threading": ["contextvars", "threading/_core"],
  "queue": ["threading", "threading/_core"],
  "sched": ["threading", "threading/_core"],
  "subprocess": ["threading", "threading/_core"],
  "multiprocessing": ["threading", "queue", "subprocess", "contextvars", "threading/_core"],
  "futures": ["threading", "queue", "multiprocessing", "contextvars", "threading/_core"],
};

/** Files behind another room's door that may be imported all the same: by whom, and why. */
const BACK_DOORS: Record<string, { by: string[]; because: string }> = {
  "contextvars/context.ts": {
    by: ["threading", "futures"],
    because: "threads, flows and tasks start in a context; the owner of an RLock is one",
  },
  "threading/_holdable.ts": {
    by: ["multiprocessing"],
    because: "hold is the same for every lock",
  },
  "threading/_flows.ts": {
    by: ["multiprocessing"],
    because: "who owns a reentrant lock within a thread is the same for every lock",
  },
  "threading/_context.ts": {
    by: ["futures"],
    because: "tasks start in a copy of their submitter's context, as threads do",
  },
  "threading/_core/platform/mod.ts": {
    by: ["multiprocessing"],
    because: "what processes share lies in memory of the operating system",
  },
  "threading/_core/life.ts": {
    by: ["multiprocessing"],
    because: "a child knows what it is and what to do at its end before it loads anything else",
  },
  "threading/_core/values.ts": {
    by: ["multiprocessing"],
    because: "children load no more than they need: it decides how fast they start",
  },
  "multiprocessing/_crew.ts": { by: ["futures"], because: "one engine for both kinds of pools" },
  "multiprocessing/_crew_processes.ts": { by: ["futures"], because: "the same" },
  "multiprocessing/_crew_limit.ts": { by: ["futures"], because: "the same" },
  "multiprocessing/_crew_protocol.ts": { by: ["futures"], because: "the same" },
  "multiprocessing/_stats.ts": { by: ["futures"], because: "pools and executors tell the same" },
  "multiprocessing/_terms.ts": { by: ["futures"], because: "with() of both takes the same" },
  "multiprocessing/_progress.ts": { by: ["futures"], because: "map of both draws the same bar" },
  "multiprocessing/errors.ts": { by: ["futures"], because: "one MemoryError for both" },
  "queue/_compact.ts": {
    by: ["futures"],
    because: "one form of small plain data in memory that threads share",
  },
  "queue/_cargo.ts": { by: ["futures"], because: "the same question: what has handles in it" },
  "queue/_heap.ts": { by: ["sched"], because: "one heap serves both" },
  "threading/_core/clock.ts": { by: ["subprocess"], because: "time-outs without the engine" },
  "threading/_core/options.ts": { by: ["subprocess"], because: "options without the engine" },
  "threading/_core/small_writer.ts": {
    by: ["queue"],
    because: "its names mean little outside of a codec",
  },
  "threading/_core/trust.ts": {
    by: ["multiprocessing"],
    because: "who starts a restricted process need not load the engine for it",
  },
  "threading/_core/leaks.ts": {
    by: ["subprocess"],
    because: "what is open is told without the engine",
  },
  "threading/_core/granted.ts": {
    by: ["threading", "subprocess", "multiprocessing"],
    because: "what may be done is looked up without the engine",
  },
  "threading/_core/errors.ts": { by: ["subprocess"], because: "error names without the engine" },
};

/** What only few files may say. */
const ONLY: { what: string; says: RegExp; files: string[] }[] = [
  {
    what: "sleeping and waking",
    says: /\bAtomics\.(wait|waitAsync|notify)\b/,
    files: [
      "threading/_core/park.ts",
      // The Sync calls of subprocess wait for a child, not for a thread.
      "subprocess/_sync.ts",
      "subprocess/_sync_worker.ts",
      "subprocess/popen.ts",
    ],
  },
  {
    what: "making workers",
    says: /\bnew Worker\b/,
    // subprocess has one of its own for runSync: it works without threading.
    files: ["threading/_core/bootstrap.ts", "subprocess/_sync.ts"],
  },
  {
    what: "opening a library",
    says: /\bDeno\.dlopen\b/,
    files: ["threading/_core/platform/", "subprocess/_inherit.ts"],
  },
  {
    what: "the machine's clock",
    says: /\bDate\.now\b|\bnew Date\(\)|\btimeOrigin\b|\bTemporal\.Now\b|\bhrtime\b/,
    files: [
      // What was left in the temporary folder is as old as its file says.
      "multiprocessing/_folder.ts",
      // Threads tell each other when something was; see there what is done where it jumps.
      "futures/_protocol.ts",
    ],
  },
  {
    what: "asynchronous storage",
    says: /\bAsyncLocalStorage\b/,
    files: ["contextvars/_store.ts", "threading/_core/importing.ts"],
  },
];

function* sources(folder: string): Generator<string> {
  const entries = [...Deno.readDirSync(new URL(`${folder}/`, root))]
    .sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory } of entries) {
    if (isDirectory) yield* sources(`${folder}/${name}`);
    else if (name.endsWith(".ts")) yield `${folder}/${name}`;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(new URL(path, root));
    return true;
  } catch {
    return false;
  }
}

const rooms = Object.keys(MAY).filter((room) => exists(`${room}/mod.ts`));
const files = rooms.filter((room) => !room.includes("/")).flatMap((room) => [...sources(room)]);

function roomOf(path: string): string {
  return path.startsWith("threading/_core/") ? "threading/_core" : path.split("/")[0];
}

interface Info {
  modules: {
    specifier: string;
    dependencies?: {
      isDynamic?: boolean;
      code?: { specifier?: string };
      type?: { specifier?: string };
    }[];
  }[];
}

/** The imports between files of the library as the module graph has them: those that run, and, with `types`, those of types. */
async function graph(types = true): Promise<Map<string, string[]>> {
  const entry = Deno.makeTempFileSync({ suffix: ".ts" });
  const imports = [...files, "mod.ts"].map((file) => `import "${new URL(file, root).href}";`);
  Deno.writeTextFileSync(entry, imports.join("\n"));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", config, entry],
    env: { NO_COLOR: "1" },
  }).output();
  Deno.removeSync(entry);
  const edges = new Map<string, string[]>();
  for (const module of (JSON.parse(new TextDecoder().decode(stdout)) as Info).modules) {
    const from = inside(module.specifier);
    if (from === undefined) continue;
    const targets = (module.dependencies ?? [])
      .filter(({ isDynamic }) => !isDynamic)
      .flatMap(({ code, type }) => types ? [code?.specifier, type?.specifier] : [code?.specifier])
      .flatMap((target) => target === undefined ? [] : inside(target) ?? []);
    edges.set(from, [...new Set(targets)]);
  }
  return edges;
}

/** A path in the library, for the URL of a file of ours. Imports in doc comments go by the package's name and do not count. */
function inside(url: string): string | undefined {
  if (!url.startsWith(root.href)) return undefined;
  const path = url.slice(root.href.length);
  return path === "mod.ts" || rooms.includes(roomOf(path)) ? path : undefined;
}

Deno.test("architecture: every import, goes the way that the table of rooms allows and through the door", async () => {
  const wrong: string[] = [];
  const edges = await graph();
  for (const file of files) {
    for (const target of edges.get(file) ?? []) {
      const [from, to] = [roomOf(file), roomOf(target)];
      if (from === to) continue;
      if (BACK_DOORS[target]?.by.includes(from)) continue;
      if (!MAY[from].includes(to)) wrong.push(`${file} may not import from ${to}: ${target}`);
      else if (target !== `${to}/mod.ts`) {
        wrong.push(`${file} must use ${to}/mod.ts, not ${target}`);
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("architecture: the root, imports doors only", async () => {
  const targets = (await graph()).get("mod.ts")!;
  const door = /^(?:[a-z]+|threading\/_core)\/mod\.ts$/;
  assertEquals(targets.filter((target) => !door.test(target)), []);
});

function circles(edges: Map<string, string[]>): string[] {
  const found: string[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (file: string, path: string[]): void => {
    if (state.get(file) === "done") return;
    if (state.get(file) === "open") {
      found.push([...path.slice(path.indexOf(file)), file].join(" > "));
      return;
    }
    state.set(file, "open");
    for (const target of edges.get(file) ?? []) visit(target, [...path, file]);
    state.set(file, "done");
  };
  for (const file of [...edges.keys()].sort()) visit(file, []);
  return found;
}

Deno.test("architecture: circles of imports, are looked for and found", () => {
  const edges = new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b"]]]);
  assertEquals(circles(edges), ["b > c > b"]);
});

Deno.test("architecture: the library's modules, load each other in no circle", async () => {
  assertEquals(circles(await graph(false)), []);
});

/** A thread is told about its hooks and they about the thread; what `start` sends is described where it arrives. */
const KNOWN_CIRCLES_OF_TYPES = ["threading/except_hook.ts", "threading/_start.ts"];

Deno.test("architecture: the library's modules, name each other's types in no circle but the known ones", async () => {
  const found = circles(await graph());
  const unknown = found.filter((circle) =>
    !KNOWN_CIRCLES_OF_TYPES.some((file) => circle.includes(file))
  );
  assertEquals(unknown, []);
});

/** The text without comments, roughly: ours stand on lines of their own. */
function code(path: string): string[] {
  const lines = Deno.readTextFileSync(new URL(path, root)).split("\n");
  return lines.map((line) => /^\s*(\*|\/\*|\/\/)/.test(line) ? "" : line);
}

for (const { what, says, files: allowed } of ONLY) {
  Deno.test(`architecture: ${what}, is said only where the rooms say so`, () => {
    const found = files.flatMap((file) =>
      code(file).flatMap((line, i) => says.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])
    );
    const wrong = found.filter((place) => !allowed.some((file) => place.startsWith(file)));
    assertEquals(wrong, []);
  });
}

Deno.test("architecture: private files, are imported by their own folder only", async () => {
  const wrong: string[] = [];
  for (const [file, targets] of await graph()) {
    for (const target of targets) {
      if (!target.includes("/_") || BACK_DOORS[target]?.by.includes(roomOf(file))) continue;
      const owner = target.slice(0, target.lastIndexOf("/_"));
      if (file.startsWith(`${owner}/`)) continue;
      if (owner === "threading" && target === "threading/_core/mod.ts") continue;
      wrong.push(`${file} imports ${target}`);
    }
  }
  assertEquals(wrong, []);
});

for (const [name, path] of Object.entries(exports)) {
  const specifier = `@batteries/concurrent${name.slice(1)}`;
  Deno.test(`architecture: importing ${specifier} without any permission, prints nothing, changes nothing and ends`, async () => {
    const snapshot =
      `globalThis.before = [globalThis, Deno, Atomics, Error, Promise, Promise.prototype, Worker.prototype]
      .map((object) => [object, Object.getOwnPropertyDescriptors(object)]);`;
    const compare = `import "data:text/javascript,${encodeURIComponent(snapshot)}";
      import "${specifier}";
      const { before } = globalThis;
      delete globalThis.before;
      for (const [object, old] of before) {
        const now = Object.getOwnPropertyDescriptors(object);
        delete old.before;
        const keys = new Set([...Reflect.ownKeys(old), ...Reflect.ownKeys(now)]);
        for (const key of keys) {
          if (!Object.is(old[key]?.value, now[key]?.value) || old[key]?.get !== now[key]?.get) {
            throw new Error("changed: " + String(key));
          }
        }
      }`;
    const entry = Deno.makeTempFileSync({ suffix: ".js" });
    Deno.writeTextFileSync(entry, compare);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", "--config", config, entry],
      env: { NO_COLOR: "1" },
    }).output();
    Deno.removeSync(entry);
    const text = new TextDecoder();
    assertEquals([code, text.decode(stdout), text.decode(stderr)], [0, "", ""], path);
  });
}
