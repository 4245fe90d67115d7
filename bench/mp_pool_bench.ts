/**
 * What calls cost in pools of two processes, beside Python's; and how long such a pool takes to come up, beside a bare `deno run`.
 *
 * @module
 */
import { ProcessPoolExecutor } from "@batteries/concurrent/futures";
import { Pool } from "@batteries/concurrent/multiprocessing/pool";
import {
  beside,
  elsewhere,
  figure,
  type Group,
  print,
  ROUNDS,
  type Row,
  takeTurns,
} from "./_measure.ts";
import { successor } from "./_mp_pool_tasks.ts";

const empty = new URL("./_mp_empty.ts", import.meta.url).pathname;
const python = new URL("./peers/python_pool.py", import.meta.url).pathname;

const range = (count: number) => Array.from({ length: count }, (_, n) => n);

function check(results: readonly number[]): void {
  const { length } = results;
  const sum = results.reduce((a, b) => a + b, 0);
  if (sum !== length * (length + 1) / 2) throw new Error("The pool has lost some");
}

/** Microseconds per call. */
async function each(count: number, body: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await body();
  return (performance.now() - began) * 1e3 / count;
}

/** Milliseconds from the call to the end of the program. */
async function bare(): Promise<number> {
  const began = performance.now();
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", empty],
    stdin: "null",
  });
  await command.spawn().status;
  return performance.now() - began;
}

/** Milliseconds until both processes of a new pool have answered. */
async function comesUp(): Promise<number> {
  const began = performance.now();
  const pool = new Pool(2);
  await pool.map(successor, [1, 2], { chunksize: 1 });
  const time = performance.now() - began;
  await pool.terminate();
  return time;
}

interface Subject {
  readonly name: string;
  /** For Python's program. */
  readonly what: string;
  readonly atMost?: number;
  readonly measure: () => Promise<number>;
}

/** What the benchmark finds. */
export async function run(): Promise<Group[]> {
  const [floor, up] = await takeTurns([bare, comesUp]);
  const bareRow = figure("bare deno run of an empty file", "ms", floor);
  const groups: Group[] = [{
    group: "multiprocessing: a pool of two processes comes up",
    rows: [
      bareRow,
      beside(figure("new Pool(2), both have answered", "ms", up), bareRow, { atMost: 2 }),
    ],
  }];

  await using executor = new ProcessPoolExecutor(2);
  const pool = new Pool(2);
  const subjects: Subject[] = [
    {
      name: "ProcessPoolExecutor.submit, many in flight",
      what: "submit",
      atMost: 0.1,
      measure: () =>
        each(20_000, async () => {
          check(await Promise.all(range(20_000).map((n) => executor.submit(successor, n))));
        }),
    },
    {
      name: "Pool.map, chunksize 1",
      what: "one",
      atMost: 0.4,
      measure: () =>
        each(20_000, async () => {
          check(await pool.map(successor, range(20_000), { chunksize: 1 }));
        }),
    },
    {
      name: "Pool.map of 1,000,000, default chunks",
      what: "default",
      atMost: 1,
      measure: () =>
        each(1_000_000, async () => check(await pool.map(successor, range(1_000_000)))),
    },
    {
      name: "Pool.apply, one after the other",
      what: "apply",
      measure: () =>
        each(1000, async () => {
          for (let n = 0; n < 1000; n++) await pool.apply(successor, [n]);
        }),
    },
  ];
  const rounds = await takeTurns(subjects.map(({ measure }) => measure));
  const rows: Row[] = [];
  for (const [i, { name, what, atMost }] of subjects.entries()) {
    const ours = figure(name, "us", rounds[i]);
    const theirs = await elsewhere("python3", [python, what, String(ROUNDS)]);
    if (theirs === undefined) rows.push(ours);
    else {
      const row = figure(`CPython: ${what}`, "us", theirs);
      rows.push(beside(ours, row, atMost === undefined ? undefined : { atMost }), row);
    }
  }
  groups.push({ group: "multiprocessing: a call in a pool of two processes", rows });
  pool.close();
  await pool.join();
  return groups;
}

if (import.meta.main) print(await run());
