/** Where a worker's calls run: quick ones share a thread, and none of them is worse off for it. No server is needed. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { BrokenExecutor, ThreadPoolExecutor } from "@batteries/concurrent/futures";
import { encode } from "../../threading/_core/mod.ts";
import { TaskModules } from "../../futures/_nats_names.ts";
import { Places } from "../../futures/_nats_places.ts";
import { prepare } from "../../futures/_nats_run.ts";
import { arrivedIn } from "../../futures/_nats_values.ts";
import { openResult, sealCall } from "../../futures/_nats_wire.ts";
import { TASKS, until } from "./_cluster.ts";

const modules = new TaskModules({ tasks: TASKS }, "test");

/** Places, and a folder in which calls of `threadAfter` leave their marks. */
class Bench implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "nats-places-" });
  readonly file = `${this.folder}/marks`;
  readonly gate = `${this.folder}/gate`;
  readonly places: Places;
  #calls = 0;

  constructor() {
    const initargs = [{ tasks: TASKS }, "a worker"];
    this.places = new Places(
      () => new ThreadPoolExecutor({ maxWorkers: 1, initializer: prepare, initargs }),
      true,
      // However slow the machine is, what has ended once is known to be quick.
      { atHand: 60_000, look: 50 },
    );
  }

  /** Gives in which thread it ran. */
  async run(what: string, gate?: string, signal = new AbortController().signal): Promise<number> {
    const call = {
      key: `test.${this.#calls++}`,
      alias: "tasks",
      path: ["threadAfter"],
      named: false,
      chunk: 0,
      timeout: undefined,
      losses: 0,
    };
    const args = encode([this.file, what, gate], "submit", encode);
    const result = await this.places.run(call, sealCall(call, args), signal);
    const arrived = arrivedIn(modules, openResult(result).body) as { value: number };
    return arrived.value;
  }

  /** Until calls are known to be quick: four at a time run in one thread. */
  async warm(): Promise<void> {
    await until("quick calls share a thread", async () => {
      const threads = await Promise.all([1, 2, 3, 4].map(() => this.run("warm")));
      return new Set(threads).size === 1;
    });
    Deno.removeSync(this.file);
  }

  open(): void {
    Deno.writeTextFileSync(this.gate, "");
  }

  /** What was begun, in the order of the alphabet. */
  get marks(): string[] {
    try {
      return Deno.readTextFileSync(this.file).split("\n").slice(0, -1).sort();
    } catch {
      return [];
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.places.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("nats places: calls behind one that turns out to be long, run elsewhere, and once", async () => {
  await using bench = new Bench();
  await bench.warm();
  const long = bench.run("long", bench.gate);
  const others = await Promise.all(["a", "b", "c"].map((what) => bench.run(what)));
  assertEquals(bench.marks, ["a", "b", "c", "long"]);
  bench.open();
  const thread = await long;
  assert(!others.includes(thread), "a call has run in the thread of the long one");
  assertEquals(bench.marks.length, 4);
});

Deno.test("nats places: a call that ends its thread, fails alone: those behind it run elsewhere, and once", async () => {
  await using bench = new Bench();
  for (let round = 0; round < 3; round++) {
    await bench.warm();
    const first = bench.run("first");
    const last = bench.run("last", "exit");
    const others = ["a", "b", "c"].map((what) => bench.run(what));
    await assertRejects(() => last, BrokenExecutor);
    await first;
    await Promise.all(others);
    assertEquals(bench.marks, ["a", "b", "c", "first", "last"]);
  }
});

Deno.test("nats places: a call that is stopped, behind another or while it runs, takes no other with it", async () => {
  await using bench = new Bench();
  await bench.warm();
  const [running, waiting] = [new AbortController(), new AbortController()];
  const long = bench.run("long", bench.gate, running.signal);
  const behind = bench.run("behind", bench.gate, waiting.signal);
  const others = ["a", "b"].map((what) => bench.run(what));
  waiting.abort("enough");
  assertEquals(await behind.catch((reason) => reason), "enough");
  await until("the long one runs", () => bench.marks.includes("long"));
  running.abort("enough of it");
  assertEquals(await long.catch((reason) => reason), "enough of it");
  await Promise.all(others);
  assertEquals(bench.marks.filter((mark) => mark !== "behind"), ["a", "b", "long"]);
});

Deno.test("nats places: whatever calls do to their threads, each ends once, and none is begun twice", async () => {
  await using bench = new Bench();
  const random = (n: number) => Math.floor(Math.random() * n);
  const kinds = ["quick", "quick", "quick", "quick", "quick", "quick", "exit", "wait", "stop"];
  bench.open();
  let left = 100;
  const one = async () => {
    while (left > 0) {
      const what = String(left--);
      const kind = kinds[random(kinds.length)];
      if (kind === "exit") {
        const error = await bench.run(what, "exit").catch((error) => error);
        assertInstanceOf(error, BrokenExecutor);
      } else if (kind === "stop") {
        const controller = new AbortController();
        const ended = bench.run(what, undefined, controller.signal)
          .then(() => "done", (reason) => reason);
        setTimeout(() => controller.abort("stopped"), random(3));
        assert(["done", "stopped"].includes(await ended));
      } else await bench.run(what, kind === "wait" ? bench.gate : undefined);
    }
  };
  await Promise.all(Array.from({ length: 12 }, one));
  const { marks } = bench;
  assertEquals(new Set(marks).size, marks.length);
  assert(marks.length > 50, `only ${marks.length} were begun`);
});
