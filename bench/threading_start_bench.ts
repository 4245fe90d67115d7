/**
 * How long a thread takes to start, beside its floor: a bare `new Worker`. Both are timed from the call to the first line of the
 * started module or function, which writes down the time.
 *
 * @module
 */
import { Thread } from "@batteries/concurrent/threading";
import {
  beside,
  elsewhere,
  figure,
  type Group,
  inOwnProcess,
  print,
  ROUNDS,
  takeTurns,
} from "./_measure.ts";

/** Milliseconds on a clock that all threads of the process share. */
function time(): number {
  return performance.timeOrigin + performance.now();
}

/** The target of all starts: its first line. */
export function mark(times: Float64Array<SharedArrayBuffer>, at: number): void {
  times[at] = time();
}

/** A thread that starts another. */
export function nest(times: Float64Array<SharedArrayBuffer>): void {
  const inner = new Thread({ target: mark, args: [times, 1] });
  times[0] = time();
  inner.start();
  inner.joinSync();
}

export function nothing(): void {}

const times = new Float64Array(new SharedArrayBuffer(16));

/** Milliseconds from `start()` to the first line of the target. */
function startThread(): number {
  const thread = new Thread({ target: mark, args: [times, 1] });
  const began = time();
  thread.start();
  thread.joinSync();
  return times[1] - began;
}

function startNested(): number {
  const thread = new Thread({ target: nest, args: [times] });
  thread.start();
  thread.joinSync();
  return times[1] - times[0];
}

/** Milliseconds from `new Worker` to the first line of its module. */
function startWorker(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const began = time();
  const worker = new Worker(new URL("peers/bare_worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => {
    resolve(data - began);
    worker.terminate();
  };
  return promise;
}

function throughput(starts: number): number {
  const began = time();
  for (let i = 0; i < starts; i++) {
    const thread = new Thread({ target: nothing });
    thread.start();
    thread.joinSync();
  }
  return (time() - began) / starts;
}

/** The median of several starts: one alone is mostly noise. */
async function typical(start: () => number | Promise<number>, starts: number): Promise<number> {
  const all: number[] = [];
  for (let i = 0; i < starts; i++) all.push(await start());
  return all.sort((a, b) => a - b)[starts >> 1] * 1000;
}

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const rounds = await takeTurns([
    () => typical(startWorker, 5),
    () => typical(startThread, 51),
    () => typical(startNested, 51),
    () => throughput(200) * 1000,
  ]);
  const cold: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const [value] = await inOwnProcess("threading_start_bench.ts", "cold") ?? [];
    cold.push(value * 1000);
  }
  const python = (what: string) =>
    elsewhere("python3", [new URL("peers/python_thread.py", import.meta.url).pathname, what]);
  const [first, join] = [await python("first"), await python("join")];
  const [floor, warm, nested, joined] = [
    "floor: new Worker to its first line",
    "start() to the first line, with a parked worker",
    "start() in a thread to the first line, with a parked worker",
    "start() and joinSync()",
  ].map((name, i) => figure(name, "us", rounds[i]));
  return [{
    group: "threading: starting a thread",
    rows: [
      floor,
      beside(warm, floor, { atMost: 0.1 }),
      beside(nested, floor),
      beside(figure("the first start() of a program to the first line", "us", cold), floor),
      beside(joined, floor),
      ...first
        ? [beside(figure("python3 Thread.start to the first line", "us", first), floor)]
        : [],
      ...join ? [beside(figure("python3 Thread.start and join", "us", join), floor)] : [],
    ],
  }];
}

if (import.meta.main) {
  if (Deno.args[0] === "cold") console.log(JSON.stringify([startThread()]));
  else print(await run());
}
