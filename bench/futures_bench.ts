/**
 * What tasks cost in a pool of two threads, beside the thread pools of npm in the same Deno; `map` over a million numbers beside
 * Python's; primes on two threads beside one. Words on the command line pick groups: `1`, `64`, `20000`, `object`, `copied`, `moved`,
 * `map`, `primes`.
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
import { LOADS, measure, type Submit } from "./peers/pools.ts";

const NUMBERS = 1_000_000;
const PEERS = ["piscina", "tinypool", "workerpool", "poolifier"];

/** The task, as that of the peers. */
export function task(given: unknown): unknown {
  return typeof given === "number" ? given + 1 : given instanceof Uint8Array ? given.length : given;
}

/** The task of `map`. */
export function successor(n: number): number {
  return n + 1;
}

/** How many primes there are from `from` up to `from + SPAN`. */
export function primes(from: number): number {
  let count = 0;
  for (let n = from; n < from + SPAN; n++) {
    let prime = n > 1;
    for (let i = 2; prime && i * i <= n; i++) if (n % i === 0) prime = false;
    if (prime) count++;
  }
  return count;
}

const SPAN = 20_000;
const SPANS = 40;

/** Runs the benchmark. */
export async function run(words: readonly string[] = []): Promise<Group[]> {
  const wanted = (name: string) => words.length === 0 || words.includes(name);
  await using executor = new ThreadPoolExecutor(2);
  await Promise.all([1, 2, 3, 4].map((n) => executor.submit(task, n)));
  const groups: Group[] = [];
  for (const [name, load] of Object.entries(LOADS)) {
    if (!wanted(name)) continue;
    const submit: Submit = (given, transfer) =>
      transfer === undefined
        ? executor.submit(task, given)
        : executor.with({ transfer }).submit(task, given);
    const [rounds] = await takeTurns([() => measure(submit, load)]);
    const ours = figure("ThreadPoolExecutor.submit", "us", rounds);
    const rows: Row[] = [ours];
    for (const peer of PEERS) {
      const rounds = await inOwnProcess("peers/pools.ts", peer, name);
      if (rounds !== undefined) rows.push(beside(figure(`npm:${peer}`, "us", rounds), ours));
    }
    groups.push({ group: `futures: ${load.title}, two workers`, rows });
  }
  if (wanted("map")) groups.push(await map(executor));
  if (wanted("primes")) groups.push(await primesOnTwo(executor));
  return groups;
}

async function map(executor: ThreadPoolExecutor): Promise<Group> {
  const numbers = Array.from({ length: NUMBERS }, (_, n) => n);
  const [rounds] = await takeTurns([async () => {
    const start = performance.now();
    let total = 0;
    for await (const n of executor.map(successor, numbers, { chunksize: 1000 })) total += n;
    if (total !== NUMBERS * (NUMBERS + 1) / 2) throw new Error("map lost some");
    return (performance.now() - start) * 1e6 / NUMBERS;
  }]);
  const ours = figure("ThreadPoolExecutor.map", "ns", rounds);
  const path = new URL("peers/python_map.py", import.meta.url).pathname;
  const python = await elsewhere("python3", [path]);
  return {
    group: "futures: map over 1,000,000 numbers, chunksize 1000, two workers: each",
    rows: [
      ours,
      ...python ? [beside(figure("python3 ProcessPoolExecutor.map", "ns", python), ours)] : [],
    ],
  };
}

async function primesOnTwo(two: ThreadPoolExecutor): Promise<Group> {
  await using one = new ThreadPoolExecutor(1);
  const count = (executor: ThreadPoolExecutor) => async () => {
    const start = performance.now();
    const spans = Array.from({ length: SPANS }, (_, i) => i * SPAN);
    for await (const _ of executor.map(primes, spans));
    return performance.now() - start;
  };
  const [onTwo, onOne] = await takeTurns([count(two), count(one)]);
  const ours = figure("two threads", "ms", onTwo);
  return {
    group: "futures: primes below 800,000, map over 40 spans",
    rows: [ours, beside(figure("one thread", "ms", onOne), ours)],
  };
}

if (import.meta.main) print(await run(Deno.args));
