/**
 * Who is killed, at which moments, and what has to hold afterwards.
 *
 * A scenario is made once and then gone through many rounds: each kills somebody with `SIGKILL` at a random moment of its work, or of its
 * start, and looks at what the others see.
 *
 * @module
 */
import { Board } from "../fixtures/multiprocessing/board.ts";
import * as parties from "../fixtures/faults/parties.ts";
import { BrokenProcessPool, ProcessPoolExecutor } from "@batteries/concurrent/futures";
import {
  Lock,
  Pipe,
  Pool,
  Process,
  ProcessError,
  Queue,
  RLock,
} from "@batteries/concurrent/multiprocessing";
import { type BaseProxy, SyncManager } from "@batteries/concurrent/multiprocessing/managers";
import type { Dice } from "../fuzz/bytes.ts";
import { processesOf } from "./driver.ts";

/** One row of the table. */
export interface Scenario {
  readonly name: string;
  /** What is known to be wrong here, and not mended yet: tests leave it out, `main.ts` does not. */
  readonly gap?: string;
  /** Starts who takes part. Gives a round, and what ends it all. */
  begin(): Promise<Stage> | Stage;
}

/** A scenario that has begun. */
export interface Stage {
  round(dice: Dice): Promise<void>;
  end?(): Promise<void> | void;
}

/** Nobody waits that long for what is there. */
const AGES = 60_000;

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

/** A moment of no meaning. */
function moment(dice: Dice, most: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, dice.below(most)));
}

/** Fails when something does not come to an end. */
async function soon<T>(what: string, promise: PromiseLike<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited in vain: ${what}`)), AGES);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function started<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Process {
  const process = new Process({ target: target as never, args: args as never, daemon: true });
  process.start();
  return process as unknown as Process;
}

async function killed(process: Process): Promise<void> {
  process.kill();
  await soon("a killed process is joined", process.join());
  must(process.exitcode === -9, `it ended with ${process.exitcode}, not by the kill`);
}

const locks = (name: string, make: () => Lock | RLock): Scenario => ({
  name: `owners of ${name}`,
  begin() {
    const lock = make();
    const board = Board.make(4);
    const { words } = board.place;
    const crew = [true, false, true].map((b) => started(parties.countInside, lock, board, b));
    return {
      async round(dice) {
        const before = Atomics.load(words, 2);
        for (const start = Date.now(); Atomics.load(words, 2) < before + 5;) {
          must(Date.now() - start < AGES, "the others do not go on");
          await moment(dice, 4);
        }
        const i = dice.below(crew.length);
        await killed(crew[i]);
        must(await lock.acquire({ timeout: AGES }), "the lock is lost");
        lock.ownerDied();
        Atomics.store(words, 0, 0);
        lock.release();
        must(Atomics.load(words, 1) === 0, "two were inside");
        crew[i] = started(parties.countInside, lock, board, dice.once(2));
      },
      async end() {
        for (const process of crew) await killed(process);
      },
    };
  },
});

const producers: Scenario = {
  name: "producers of a Queue",
  begin: () => ({
    async round(dice) {
      const queue = new Queue<parties.Item>(dice.pick([0, 1, 5]));
      const team = [0, 1].map((from) => started(parties.produce, queue, from, dice.once(2)));
      const next = [0, 0];
      const take = (item: parties.Item) => {
        must(parties.isWhole(item), `item ${item.n} of ${item.from} has come in part`);
        must(item.n === next[item.from], `item ${item.n} came, not ${next[item.from]}`);
        next[item.from]++;
      };
      const enough = dice.below(60);
      for (let n = 0; n < enough; n++) {
        take(dice.once(3) ? queue.getSync() : await soon("an item", queue.get()));
      }
      await killed(team[0]);
      // The other goes on.
      for (const seen = next[1]; next[1] < seen + 20;) take(await soon("an item", queue.get()));
      await killed(team[1]);
      while (!queue.empty()) take(queue.getSync({ timeout: AGES }));
      await queue.put(parties.itemOf(0, next[0]));
      take(await soon("the last item", queue.get()));
      must(queue.qsize() === 0, "more is left than was put");
      queue.close();
    },
  }),
};

const consumers: Scenario = {
  name: "consumers of a Queue",
  begin: () => ({
    async round(dice) {
      const queue = new Queue<parties.Item>(dice.pick([0, 3]));
      const team = [0, 1].map(() => started(parties.consume, queue, dice.once(2)));
      let n = 0;
      for (const end = 20 + dice.below(60); n < end; n++) {
        await soon("room for an item", queue.put(parties.itemOf(0, n)));
      }
      for (const process of team) {
        await moment(dice, 3);
        await killed(process);
      }
      // What they did not take is there, whole and in order.
      let last = -1;
      const size = queue.qsize();
      for (let left = size; left > 0; left--) {
        const item = await soon("what is left", queue.get());
        must(parties.isWhole(item), `item ${item.n} has come in part`);
        must(last === -1 || item.n === last + 1, `item ${item.n} came after ${last}`);
        last = item.n;
      }
      must(size === 0 || last === n - 1, "the last items are lost");
      must(queue.empty(), "there is more than was left");
      queue.close();
    },
  }),
};

const senders = (early: boolean): Scenario => ({
  name: `senders of a Pipe${early ? ", from their start" : ""}`,
  begin: () => ({
    async round(dice) {
      const [reader, writer] = Pipe<parties.Item>({ duplex: dice.once(2) });
      const sender = started(parties.send, writer, 1);
      writer.close();
      const enough = dice.below(50);
      let n = 0;
      const killing = (async () => {
        if (early) await moment(dice, 150);
        else while (n === 0) await moment(dice, 5);
        await moment(dice, 20);
        await killed(sender);
      })();
      try {
        for (;; n++) {
          const item = await soon("a message or the end", reader.recv());
          must(parties.isWhole(item) && item.n === n, `message ${n} is not what was sent`);
          if (n === enough) await moment(dice, 5);
        }
      } catch (error) {
        must((error as Error).name === "EOFError", `${error}`);
      }
      await killing;
      reader.close();
    },
  }),
});

const receivers = (early: boolean): Scenario => ({
  name: `receivers of a Pipe${early ? ", from their start" : ""}`,
  begin: () => ({
    async round(dice) {
      const [reader, writer] = Pipe<parties.Item>({ duplex: dice.once(2) });
      const receiver = started(parties.receive, reader);
      reader.close();
      let n = 0;
      const killing = (async () => {
        if (early) await moment(dice, 150);
        // More than lies between the two.
        else while (n < 200) await moment(dice, 5);
        await moment(dice, 20);
        await killed(receiver);
      })();
      let failed = false;
      try {
        for (;; n++) await soon("a message is taken", writer.send(parties.itemOf(1, n)));
      } catch (error) {
        must(!/Waited in vain/.test(`${error}`), `${error}`);
        failed = true;
      }
      must(failed, "sending to nobody goes on");
      await killing;
      writer.close();
    },
  }),
});

const poolWorkers: Scenario = {
  name: "workers of a Pool",
  begin() {
    const pool = new Pool({ processes: 2 });
    // Of those who were killed before: they had no call, and where nobody has noticed yet one may be given to them.
    let idle = 0;
    return {
      async round(dice) {
        const who = () => soon("a call", pool.apply(parties.work, [0, 10]));
        const { pid } = await who().catch(() => {
          idle = 0;
          return who();
        });
        const turns = dice.pick([10, 100_000, 3_000_000]);
        const calls = [1, 2, 3, 4, 5, 6].map((n) => pool.applyAsync(parties.work, [n, turns]));
        await moment(dice, 12);
        Deno.kill(pid, "SIGKILL");
        let lost = 0;
        for (const [i, call] of calls.entries()) {
          try {
            const { square } = await soon("a call", call.get());
            must(square === (i + 1) ** 2, `${square} is not the square of ${i + 1}`);
          } catch (error) {
            must(error instanceof ProcessError && /\b\d+\b/.test(error.message), `${error}`);
            lost++;
          }
        }
        must(lost <= 1 + idle, `${lost} calls are lost by ${1 + idle} deaths`);
        idle = lost < 1 + idle ? 1 : 0;
      },
      async end() {
        pool.close();
        await soon("the pool ends", pool.join());
      },
    };
  },
};

const executorWorkers: Scenario = {
  name: "workers of a ProcessPoolExecutor",
  begin: () => ({
    async round(dice) {
      const executor = new ProcessPoolExecutor(2);
      const { pid } = await soon("a call", executor.submit(parties.work, 0, 10));
      const turns = dice.pick([10, 100_000, 3_000_000]);
      const futures = [1, 2, 3, 4, 5, 6].map((n) => executor.submit(parties.work, n, turns));
      await moment(dice, 12);
      Deno.kill(pid, "SIGKILL");
      for (const [i, future] of futures.entries()) {
        const error = await soon("a future", future.exception());
        if (error === null) must((await future).square === (i + 1) ** 2, "a result is wrong");
        else must(error instanceof BrokenProcessPool, `${error}`);
      }
      await soon("the executor shuts down", executor.shutdown());
    },
  }),
};

const servers: Scenario = {
  name: "servers of managers",
  begin: () => ({
    async round(dice) {
      const manager = new SyncManager();
      await soon("a manager starts", manager.start());
      const list = await manager.list<number>();
      const queue = await manager.Queue<number>();
      const error = await list.get(0).catch((error: Error) => error) as Error;
      const pid = Number(error.stack!.match(/--- manager process (\d+) ---/)![1]);
      const ends = [
        (async () => {
          for (let n = 0;; n++) {
            await list.append(n);
            must(await list.length() === n + 1, "an item is lost or doubled");
          }
        })(),
        (async () => {
          for (;;) await queue.get();
        })(),
      ].map((call) => call.catch((error: Error) => error));
      await moment(dice, 40);
      Deno.kill(pid, "SIGKILL");
      for (const end of ends) {
        const error = await soon("a call", end);
        must(error.name === "EOFError", `${error}`);
      }
      await soon("the manager is joined", manager.join());
    },
  }),
};

const clients: Scenario = {
  name: "clients of managers",
  async begin() {
    const manager = new SyncManager();
    await manager.start();
    const [list, dict] = [await manager.list<number>(), await manager.dict<string, number>()];
    const queue = await manager.Queue<BaseProxy>();
    const before = await manager.numberOfObjects();
    return {
      async round(dice) {
        await list.clear();
        const client = started(parties.useManager, list, dict, queue);
        if (!dice.once(4)) {
          for (const start = Date.now(); await soon("length", list.length()) < 2;) {
            must(Date.now() - start < AGES, "the client does nothing");
          }
        }
        await moment(dice, 30);
        await killed(client);
        const items = await soon("the list", list.getvalue()) as number[];
        must(items.every((item, i) => item === i), "the list is not what was appended");
        while (!await queue.empty()) (await soon("a proxy", queue.get()))[Symbol.dispose]();
        must(await soon("the objects", manager.numberOfObjects()) <= before, "objects are left");
      },
      async end() {
        await soon("the manager ends", manager.shutdown());
      },
    };
  },
};

const parents = (manages: boolean): Scenario => ({
  name: `parents${manages ? " that have a manager" : ""}`,
  begin: () => ({
    async round(dice) {
      const program = programOf(manages ? "manage" : "have");
      await moment(dice, dice.pick([60, 300, 900]));
      program.kill("SIGKILL");
      await program.status;
      // That nobody and nothing is left is seen by the driver: all have this process's temporary folder.
      const there = () =>
        [...Deno.readDirSync("/dev/shm")].some(({ name }) =>
          name.startsWith(`bct-${program.pid.toString(36)}-`)
        );
      for (const start = Date.now(); there();) {
        must(Date.now() - start < AGES, "shared memory is left");
        await moment(dice, 20);
        if (Date.now() - start < 3000) continue;
        // Killed before it had a watchman: then the next program that makes memory sweeps.
        await soon("the next program ends", programOf("sweep").status);
      }
    },
    async end() {
      // One that was killed while it started another has left that one's folder: the next program that starts one, when all have ended,
      // sweeps. What a program has started ends a moment after it.
      const folder = Deno.env.get("TMPDIR")!;
      for (const start = Date.now(); isAnyoneThere(folder);) {
        must(Date.now() - start < AGES, "processes outlive their program");
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      const { success } = await soon("the next program ends", programOf("sweep").status);
      must(success, "the next program fails");
    },
  }),
});

/** A program that does one of the things of `parties.ts`. */
function programOf(act: string): Deno.ChildProcess {
  const main = import.meta.resolve("../fixtures/faults/parties.ts");
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, act],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

/** Whether a process of a killed program lives, or one that has left a folder there. */
function isAnyoneThere(folder: string): boolean {
  const others = processesOf(folder).filter((pid) => told(pid, "cmdline").includes("/parties.ts"));
  if (others.length > 0) return true;
  return [...Deno.readDirSync(folder)].some(({ name }) => {
    const [, number, began] = /^batteries-\w+-\w+\.(\w+)\.(\w+)-/.exec(name) ?? [];
    if (number === undefined) return false;
    const stat = told(parseInt(number, 36), "stat");
    const [state, ...more] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return !["", "Z", "X"].includes(state) && more[18] === String(parseInt(began, 36));
  });
}

/** What the system tells of a process; nothing when it has ended. */
function told(pid: number, what: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${what}`);
  } catch {
    return "";
  }
}

/** The table. */
export const SCENARIOS: readonly Scenario[] = [
  locks("a Lock", () => new Lock()),
  locks("an RLock", () => new RLock()),
  producers,
  consumers,
  senders(false),
  senders(true),
  receivers(false),
  receivers(true),
  poolWorkers,
  executorWorkers,
  servers,
  clients,
  parents(false),
  parents(true),
];
