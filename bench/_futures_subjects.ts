/**
 * Ours, in a process of its own for each group: `_futures_subjects.ts 64` prints a JSON array with a figure per round; `primes` one such
 * array for each of its subjects.
 *
 * @module
 */
import { ThreadPoolExecutor } from "@batteries/concurrent/futures";
import { takeTurns } from "./_measure.ts";
import { answer, LOADS, measure } from "./peers/pool_loads.mjs";

const NUMBERS = 1_000_000;
const SPAN = 20_000;
const SPANS = 40;

/** The task, as that of the peers. */
export function task(given: unknown): unknown {
  return answer(given);
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

async function load(name: keyof typeof LOADS): Promise<number[]> {
  await using executor = new ThreadPoolExecutor(2);
  await Promise.all([1, 2, 3, 4].map((n) => executor.submit(task, n)));
  const submit = (given: unknown, transfer?: Transferable[]) =>
    transfer === undefined
      ? executor.submit(task, given)
      : executor.with({ transfer }).submit(task, given);
  return await measure(submit, LOADS[name]);
}

/** Nanoseconds for each number. */
async function map(): Promise<number[]> {
  await using executor = new ThreadPoolExecutor(2);
  const numbers = Array.from({ length: NUMBERS }, (_, n) => n);
  const [rounds] = await takeTurns([async () => {
    const start = performance.now();
    let total = 0;
    for await (const n of executor.map(successor, numbers, { chunksize: 1000 })) total += n;
    if (total !== NUMBERS * (NUMBERS + 1) / 2) throw new Error("map lost some");
    return (performance.now() - start) * 1e6 / NUMBERS;
  }]);
  return rounds;
}

/** A bare worker: takes spans from a shared counter until there are no more, and tells how many primes it has found. */
const BARE = `
const SPAN = ${SPAN};
${primes.toString().replace(/^export /, "")}
onmessage = ({ data: counter }) => {
  let found = 0;
  for (let i; (i = Atomics.add(counter, 0, 1)) < ${SPANS};) found += primes(i * SPAN);
  postMessage(found);
};`;

/** Milliseconds on two threads and on one, of ours and of bare workers. */
async function primesOnTwo(): Promise<number[][]> {
  await using two = new ThreadPoolExecutor(2);
  await using one = new ThreadPoolExecutor(1);
  const count = (executor: ThreadPoolExecutor) => async () => {
    const start = performance.now();
    const spans = Array.from({ length: SPANS }, (_, i) => i * SPAN);
    let found = 0;
    for await (const some of executor.map(primes, spans)) found += some;
    return checked(found, start);
  };
  const url = `data:text/javascript,${encodeURIComponent(BARE)}`;
  const workers = [1, 2].map(() => new Worker(url, { type: "module" }));
  const bare = (workers: Worker[]) => async () => {
    const start = performance.now();
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const parts = await Promise.all(workers.map((worker) =>
      new Promise<number>((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage(counter);
      })
    ));
    return checked(parts.reduce((sum, part) => sum + part), start);
  };
  const rounds = await takeTurns([
    count(two),
    count(one),
    bare(workers),
    bare(workers.slice(1)),
  ]);
  for (const worker of workers) worker.terminate();
  return rounds;
}

function checked(found: number, start: number): number {
  if (found !== 63_951) throw new Error(`${found} primes below ${SPAN * SPANS}`);
  return performance.now() - start;
}

if (import.meta.main) {
  const [name] = Deno.args;
  const figures = name === "map"
    ? await map()
    : name === "primes"
    ? await primesOnTwo()
    : await load(name as keyof typeof LOADS);
  console.log(JSON.stringify(figures));
}
