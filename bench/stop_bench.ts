/**
 * Stopping a task that runs in a loop: how long from the abort until it runs no more, and what it still takes of the processor two
 * seconds later; beside piscina and workerpool in Deno and in Node. Then what it costs that a pool's tasks can be stopped.
 *
 * The npm packages are installed into a temporary folder, which is removed at the end; what cannot run here is left out.
 *
 * @module
 */
import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
import { beside, figure, type Group, print, type Row, takeTurns } from "./_measure.ts";

/** How often our pool, and each peer, is stopped. */
const STOPS = 200;
const PEER_STOPS = 20;
const PEERS = ["piscina", "workerpool"];
const PACKAGES = ["piscina@5", "workerpool@9"];

/** The task that does not end. */
export function spin(counter: Int32Array): never {
  for (;;) Atomics.add(counter, 0, 1);
}

/** The task that ends. */
export function successor(n: number): number {
  return n + 1;
}

interface Stops {
  /** Milliseconds from the abort to the end; `null` when it did not end. */
  readonly times: (number | null)[];
  /** Part of one processor that is used two seconds later. */
  readonly burnt: number;
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function stopOurs(): Promise<Stops> {
  await using executor = new ThreadPoolExecutor(1);
  const times: number[] = [];
  for (let i = 0; i < STOPS; i++) {
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const controller = new AbortController();
    const future = executor.with({ signal: controller.signal }).submit(spin, counter);
    while (Atomics.load(counter, 0) === 0) await sleep(1);
    await sleep(5);
    const begun = performance.now();
    controller.abort();
    await future.exception();
    times.push(performance.now() - begun);
    const seen = Atomics.load(counter, 0);
    await sleep(2);
    if (Atomics.load(counter, 0) !== seen) throw new Error("It was said to be stopped, and ran on");
  }
  await sleep(2000);
  const before = processorTime();
  await sleep(500);
  return { times, burnt: (processorTime() - before) / 500 };
}

/** Milliseconds of processor time that this process has used. */
function processorTime(): number {
  const { user, system } = (globalThis as unknown as {
    process: { cpuUsage(): { user: number; system: number } };
  }).process.cpuUsage();
  return (user + system) / 1000;
}

function rowsOf(name: string, { times, burnt }: Stops): Row[] {
  const ended = times.filter((time) => time !== null).sort((a, b) => a - b);
  const at = (part: number) => ended[Math.min(ended.length - 1, Math.floor(ended.length * part))];
  const rows: Row[] = [];
  if (ended.length > 0) {
    rows.push({ name: `${name}, median`, unit: "ms", value: at(0.5) });
    rows.push({ name: `${name}, 99th percentile`, unit: "ms", value: at(0.99) });
  }
  if (ended.length < times.length) rows.push({ name: `${name}, did not stop`, unit: "", value: 1 });
  rows.push({ name: `${name}, processor used 2 s later`, unit: "%", value: burnt * 100 });
  return rows;
}

async function stopPeers(): Promise<Row[]> {
  const rows: Row[] = [];
  const folder = Deno.makeTempDirSync();
  try {
    const install = ["install", "--prefix", folder, "--no-audit", "--no-fund", ...PACKAGES];
    if (await output("npm", install) === undefined) return rows;
    for (const file of ["stop_pools.mjs", "stop_task.mjs"]) {
      Deno.copyFileSync(new URL(`peers/${file}`, import.meta.url), `${folder}/${file}`);
    }
    const script = `${folder}/stop_pools.mjs`;
    for (const peer of PEERS) {
      const args = [script, peer, String(PEER_STOPS)];
      for (
        const [where, program, before] of [
          ["Node", "node", []],
          ["Deno", Deno.execPath(), ["run", "-A", "--quiet"]],
        ] as const
      ) {
        const text = await output(program, [...before, ...args], folder);
        if (text !== undefined) rows.push(...rowsOf(`${peer} in ${where}`, JSON.parse(text)));
      }
    }
    return rows;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

async function output(program: string, args: string[], cwd?: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(120_000);
    const command = new Deno.Command(program, { args, cwd, stderr: "null", signal });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}

const TASKS = 20_000;

async function throughput(submit: (n: number) => PromiseLike<number>): Promise<number> {
  const start = performance.now();
  for (let sent = 0; sent < TASKS; sent += 64) {
    await Promise.all(Array.from({ length: 64 }, (_, i) => submit(i)));
  }
  return (performance.now() - start) * 1000 / TASKS;
}

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const ours = rowsOf("ThreadPoolExecutor", await stopOurs()).map((row) =>
    row.name.includes("99th") ? { ...row, target: "< 20", ok: row.value < 20 } : row
  );
  const stops: Group = {
    group: "futures: from the abort of a task in a loop to its end",
    rows: [...ours, ...await stopPeers()],
  };

  await using plain = new ThreadPoolExecutor(2);
  await using stoppable = new ThreadPoolExecutor(2);
  const on = stoppable.with({ signal: new AbortController().signal });
  const limited = stoppable.with({ timeout: 60_000 });
  const [a, b, c, d] = await takeTurns([
    () => throughput((n) => plain.submit(successor, n)),
    () => throughput((n) => stoppable.submit(successor, n)),
    () => throughput((n) => on.submit(successor, n)),
    () => throughput((n) => limited.submit(successor, n)),
  ]);
  const floor = figure("plain pool", "us", a);
  return [stops, {
    group: "futures: a tiny task, 64 in flight, two workers, in a pool whose tasks can be stopped",
    rows: [
      floor,
      beside(figure("stoppable pool, plain submit", "us", b), floor, { atMost: 2 }),
      beside(figure("stoppable pool, with a signal", "us", c), floor, { atMost: 2 }),
      beside(figure("stoppable pool, with a timeout", "us", d), floor, { atMost: 2 }),
    ],
  }];
}

if (import.meta.main) print(await run());
