/**
 * What calls of proxies cost, beside CPython's managers, in turns, and beside their floor: a bare echo over a Unix socket between two
 * processes.
 *
 * @module
 */
import { Process } from "@batteries/concurrent/multiprocessing";
import { SyncManager } from "@batteries/concurrent/multiprocessing/managers";
import { beside, figure, type Group, print, type Row, takeTurns } from "./_measure.ts";

const TURNS = 2_000;
const BIG = TURNS / 20;

/** The floor's other process: sends everything back. */
export async function echo(path: string): Promise<void> {
  using conn = await Deno.connect({ transport: "unix", path });
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await conn.read(buffer);
    if (count === null) return;
    await conn.write(buffer.subarray(0, count));
  }
}

/** A round: microseconds a turn. */
function each(turns: number, turn: (i: number) => Promise<unknown>): () => Promise<number> {
  return async () => {
    const start = performance.now();
    for (let i = 0; i < turns; i++) await turn(i);
    return (performance.now() - start) * 1e3 / turns;
  };
}

/** CPython, which does a round when it is told to. */
class Python implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #rest = "";

  constructor() {
    this.#process = new Deno.Command("python3", {
      args: [new URL("peers/python_manager.py", import.meta.url).pathname],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = this.#process.stdin.getWriter();
  }

  /** What it prints next. */
  async line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("python3 has ended");
      this.#rest += value;
    }
    const [line] = this.#rest.split("\n", 1);
    this.#rest = this.#rest.slice(line.length + 1);
    return line;
  }

  async round(name: string): Promise<number> {
    await this.#input.write(new TextEncoder().encode(`${name}\n`));
    return Number(await this.line());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#process.status;
  }
}

async function pythonOrNone(): Promise<Python | undefined> {
  try {
    const python = new Python();
    await python.line();
    return python;
  } catch {
    return undefined;
  }
}

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/socket`;
  using listener = Deno.listen({ transport: "unix", path });
  const echoing = new Process({ target: echo, args: [path] });
  echoing.start();
  using conn = await listener.accept();
  const buffer = new Uint8Array(64 * 1024);
  const message = new Uint8Array(32);

  await using manager = new SyncManager();
  await manager.start();
  const dict = await manager.dict({ a: 1, big: new Uint8Array(1 << 20) });
  const queue = await manager.Queue<number>();
  await using python = await pythonOrNone();

  const kinds: [name: string, round: () => Promise<number>][] = [
    ["read", each(TURNS, () => dict.get("a"))],
    ["write", each(TURNS, (i) => dict.set("a", i))],
    [
      "queue",
      each(TURNS, async (i) => {
        await queue.put(i);
        await queue.get();
      }),
    ],
    ["big", each(BIG, () => dict.get("big"))],
  ];
  const names = ["a dict is read", "a dict is written", "a queue: put, then get", "1 MiB is read"];
  const floor = each(TURNS, async () => {
    await conn.write(message);
    await conn.read(buffer);
  });
  const atOnce = async () => {
    const start = performance.now();
    await Promise.all(Array.from({ length: TURNS }, () => dict.get("a")));
    return (performance.now() - start) * 1e3 / TURNS;
  };
  const pythons = kinds.map(([name]) => () => python!.round(name));
  const ours = kinds.map(([, round]) => round);
  const both = ours.flatMap((round, i) => python === undefined ? [round] : [round, pythons[i]]);
  const rounds = await takeTurns([floor, ...both, atOnce]);
  const step = python === undefined ? 1 : 2;
  const bare = figure("floor: a bare echo over a Unix socket", "us", rounds[0]);
  const mine = names.map((name, i) => figure(name, "us", rounds[1 + i * step]));
  const rows: Row[] = [bare, ...mine.slice(0, 1).map((row) => beside(row, bare))];
  rows.push(beside(figure("a dict is read, 2,000 calls at once", "us", rounds.at(-1)!), bare));
  const groups: Group[] = [{ group: "managers: a call of a proxy, beside a bare echo", rows }];
  if (python !== undefined) {
    groups.push({
      group: "managers: a call of a proxy, beside CPython's",
      rows: mine.map((row, i) => {
        const theirs = figure(`python3: ${names[i]}`, "us", rounds[2 + i * step]);
        return beside(row, theirs, i === 0 ? { atMost: 1 } : undefined);
      }),
    });
  }
  conn.close();
  await echoing.join();
  Deno.removeSync(folder, { recursive: true });
  return groups;
}

if (import.meta.main) print(await run());
