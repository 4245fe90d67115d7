/**
 * What a tiny task costs in a pool of two threads, beside the thread pools of npm in the same Deno, and `map` over a million numbers
 * beside Python's.
 *
 * @module
 */
import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
import {
  beside,
  elsewhere,
  figure,
  type Group,
  inOwnProcess,
  print,
  type Row,
  takeTurns,
} from "./_measure.ts";
import { TASKS, tiny } from "./peers/pools.ts";

const NUMBERS = 1_000_000;
const PEERS = ["piscina", "tinypool", "workerpool", "poolifier"];

/** The task. */
export function successor(n: number): number {
  return n + 1;
}

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  await using executor = new ThreadPoolExecutor(2);
  await Promise.all([1, 2, 3, 4].map((n) => executor.submit(successor, n)));
  const sizes = Object.keys(TASKS).map(Number);
  const tasks = await takeTurns(
    sizes.map((size) => () => tiny((n) => executor.submit(successor, n), size, TASKS[size])),
  );
  const groups: Group[] = [];
  for (const [i, size] of sizes.entries()) {
    const ours = figure("ThreadPoolExecutor.submit", "us", tasks[i]);
    const rows: Row[] = [ours];
    for (const peer of PEERS) {
      const rounds = await inOwnProcess("peers/pools.ts", peer, String(size));
      if (rounds !== undefined) rows.push(beside(figure(`npm:${peer}`, "us", rounds), ours));
    }
    groups.push({ group: `futures: a tiny task, ${size} in flight, two workers`, rows });
  }

  const numbers = Array.from({ length: NUMBERS }, (_, n) => n);
  const [map] = await takeTurns([async () => {
    const start = performance.now();
    let total = 0;
    for await (const n of executor.map(successor, numbers, { chunksize: 1000 })) total += n;
    if (total !== NUMBERS * (NUMBERS + 1) / 2) throw new Error("map lost some");
    return (performance.now() - start) * 1e6 / NUMBERS;
  }]);
  const ours = figure("ThreadPoolExecutor.map", "ns", map);
  const path = new URL("peers/python_map.py", import.meta.url).pathname;
  const python = await elsewhere("python3", [path]);
  groups.push({
    group: "futures: map over 1,000,000 numbers, chunksize 1000, two workers: each",
    rows: [
      ours,
      ...python ? [beside(figure("python3 ProcessPoolExecutor.map", "ns", python), ours)] : [],
    ],
  });
  return groups;
}

if (import.meta.main) print(await run());
