/**
 * What tasks cost in a pool of two threads, beside the thread pools of npm in the same Deno and in Node; `map` over a million numbers
 * beside Python's; primes on two threads beside one, and beside bare workers. Words on the command line pick groups: `1`, `64`, `20000`,
 * `object`, `copied`, `moved`, `map`, `primes`. Each subject has a process of its own.
 *
 * The npm packages are installed into a temporary folder, which is removed at the end; what cannot run here is left out.
 *
 * @module
 */
import {
  beside,
  elsewhere,
  figure,
  type Group,
  inOwnProcess,
  print,
  type Row,
} from "./_measure.ts";
import { LOADS } from "./peers/pool_loads.mjs";

const PEERS = ["piscina", "tinypool", "workerpool", "poolifier"];
const PACKAGES = ["piscina@5", "tinypool@1", "workerpool@9", "poolifier@5"];
const FILES = [
  "pool_loads.mjs",
  "pools.mjs",
  "pool_task.mjs",
  "poolifier_task.mjs",
  "workerpool_task.mjs",
];
const OURS = "_futures_subjects.ts";

/** Where peers run, and how. */
const PLACES = {
  Deno: [Deno.execPath(), "run", "-A", "--quiet"],
  Node: ["node"],
};

/** A row, and how many times `ours` it should at least be. */
function atLeast(row: Row, ours: Row, times: number | undefined): Row {
  const placed = beside(row, ours);
  if (times === undefined) return placed;
  return { ...placed, target: `>= ${times}`, ok: placed.ratio! >= times };
}

/** The peers in one place: the target is told of the fastest. */
async function peers(
  place: keyof typeof PLACES,
  name: string,
  ours: Row,
  times: number | undefined,
  folder: string,
): Promise<Row[]> {
  const rows: Row[] = [];
  const [program, ...before] = PLACES[place];
  for (const peer of PEERS) {
    const rounds = await elsewhere(program, [...before, `${folder}/pools.mjs`, peer, name]);
    if (rounds !== undefined) rows.push(figure(`${peer} in ${place}`, "us", rounds));
  }
  const best = Math.min(...rows.map(({ value }) => value));
  return rows.map((row) => atLeast(row, ours, row.value === best ? times : undefined));
}

/** Runs the benchmark. */
export async function run(words: readonly string[] = []): Promise<Group[]> {
  const wanted = (name: string) => words.length === 0 || words.includes(name);
  const groups: Group[] = [];
  const folder = Deno.makeTempDirSync();
  try {
    const loads = Object.entries(LOADS).filter(([name]) => wanted(name));
    const there = loads.length > 0 && await install(folder);
    for (const [name, load] of loads) {
      const rounds = await inOwnProcess(OURS, name);
      if (rounds === undefined) throw new Error(`${OURS} ${name} failed`);
      const ours = figure("ThreadPoolExecutor.submit", "us", rounds);
      const rows = [ours];
      if (there) {
        const inNode = "inNode" in load ? load.inNode : undefined;
        rows.push(...await peers("Deno", name, ours, load.inDeno, folder));
        rows.push(...await peers("Node", name, ours, inNode, folder));
      }
      groups.push({ group: `futures: ${load.title}, two workers`, rows });
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
  if (wanted("map")) groups.push(await map());
  if (wanted("primes")) groups.push(await primes());
  return groups;
}

/** Brings the peers into the folder; `false` when they cannot be had. */
async function install(folder: string): Promise<boolean> {
  for (const file of FILES) {
    Deno.copyFileSync(new URL(`peers/${file}`, import.meta.url), `${folder}/${file}`);
  }
  try {
    const args = ["install", "--prefix", folder, "--no-audit", "--no-fund", ...PACKAGES];
    const { success } = await new Deno.Command("npm", { args, stdout: "null", stderr: "null" })
      .output();
    return success;
  } catch {
    return false;
  }
}

async function map(): Promise<Group> {
  const rounds = await inOwnProcess(OURS, "map");
  if (rounds === undefined) throw new Error(`${OURS} map failed`);
  const ours = figure("ThreadPoolExecutor.map", "ns", rounds);
  const path = new URL("peers/python_map.py", import.meta.url).pathname;
  const python = await elsewhere("python3", [path]);
  return {
    group: "futures: map over 1,000,000 numbers, chunksize 1000, two workers: each",
    rows: [
      ours,
      ...python ? [atLeast(figure("python3 ProcessPoolExecutor.map", "ns", python), ours, 2)] : [],
    ],
  };
}

async function primes(): Promise<Group> {
  const rounds = await inOwnProcess(OURS, "primes") as unknown as number[][] | undefined;
  if (rounds === undefined) throw new Error(`${OURS} primes failed`);
  const [two, one, bareTwo, bareOne] = [
    "two threads",
    "one thread",
    "two bare workers",
    "one bare worker",
  ]
    .map((name, i) => figure(name, "ms", rounds[i]));
  return {
    group: "futures: primes below 800,000, map over 40 spans",
    rows: [two, atLeast(one, two, 1.9), bareTwo, beside(bareOne, bareTwo)],
  };
}

if (import.meta.main) print(await run(Deno.args));
