/**
 * Queues within one thread, beside an array and CPython's `queue.Queue`; and between threads, on the grid of crossbeam-channel's
 * benchmarks, beside bare posts between workers. Nanoseconds per item, from the moment everybody is ready until everybody is done.
 *
 * A post has no capacity: beside a queue of capacity 1 stand posts of which each is answered before the next is made.
 *
 * @module
 */

import { LifoQueue, PriorityQueue, Queue, SimpleQueue } from "@batteries/concurrent/queue";
import { Thread } from "@batteries/concurrent/threading";
import {
  asyncLoop,
  beside,
  elsewhere,
  figure,
  type Group,
  inOwnProcess,
  loop,
  print,
  type Row,
  takeTurns,
} from "./_measure.ts";
import { type Kind, type Order, party, type Rally, type Task } from "./_queue_parties.ts";

const CALLS = 200_000;
/** Items of one round: a 64th of them, shared by four, has to be whole. */
const COUNTS: Record<Kind, number> = { number: 192_000, object: 96_000, bytes: 2560 };
/** Producers and consumers. */
const GRID: [name: string, producers: number, consumers: number][] = [
  ["one to one", 1, 1],
  ["many to one", 4, 1],
  ["many to many", 4, 4],
];

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const groups = [await inOneThread()];
  for (const kind of ["number", "object", "bytes"] as const) groups.push(await between(kind));
  await dismiss();
  return groups;
}

async function inOneThread(): Promise<Group> {
  const names = { q: new Queue<number>(), array: [] as number[] };
  const nowait = "q.putNowait(i); x = q.getNowait();";
  const rounds = await takeTurns([
    loop("array.push(i); x = array.shift();", names, CALLS),
    loop(nowait, names, CALLS),
    loop("q.putSync(i); x = q.getSync();", names, CALLS),
    asyncLoop("await q.put(i); x = await q.get();", names, CALLS),
    loop(nowait, { q: new SimpleQueue<number>() }, CALLS),
    loop(nowait, { q: new LifoQueue<number>() }, CALLS),
    loop(nowait, { q: new PriorityQueue<number>() }, CALLS),
  ]);
  const rows = [
    "floor: array push and shift",
    "Queue, putNowait and getNowait",
    "Queue, putSync and getSync",
    "Queue, await put and await get",
    "SimpleQueue, put and getNowait",
    "LifoQueue, putNowait and getNowait",
    "PriorityQueue, putNowait and getNowait",
  ].map((name, i) => figure(name, "ns", rounds[i]));
  const python = await elsewhere("python3", [
    new URL("peers/python_queue.py", import.meta.url).pathname,
  ]);
  if (python !== undefined) {
    const floor = figure("CPython: queue.Queue, put and get", "ns", python);
    // A fifth of CPython's time.
    for (const i of [1, 2, 3]) rows[i] = beside(rows[i], floor, { atMost: 0.2 });
    rows.push(floor);
  }
  return { group: "queue: one item in and out, one thread", rows };
}

async function between(kind: Kind): Promise<Group> {
  const rows: Row[] = [];
  if (kind === "number") {
    const rounds = await takeTurns([() => rallied(COUNTS.number / 16)]);
    rows.push(figure("floor: one bare Atomics.notify and wait", "ns", rounds[0]));
  }
  for (const [name, producers, consumers] of GRID) {
    const count = COUNTS[kind];
    const few = count / 64;
    const rounds = await takeTurns([
      () => posts(kind, producers, consumers, count, false),
      () => posts(kind, producers, consumers, few, true),
      () => queued(kind, producers, consumers, few, 1),
      () => queued(kind, producers, consumers, count, 100),
      () => queued(kind, producers, consumers, count, 0),
    ]);
    const [floor, answered, ...sizes] = [
      `floor: ${name}, posts`,
      `floor: ${name}, answered posts`,
      `${name}, capacity 1`,
      `${name}, capacity 100`,
      `${name}, unbounded`,
    ].map((name, i) => figure(name, "ns", rounds[i]));
    // A third of the time of a post.
    const target = kind === "bytes" ? undefined : { atMost: 1 / 3 };
    rows.push(
      floor,
      answered,
      ...sizes.map((row, i) => beside(row, i === 0 ? answered : floor, target)),
    );
    if (kind === "number" && producers === 1) await addPeer(rows, sizes[1]);
  }
  return { group: `queue: between threads, ${kind === "bytes" ? "64 KiB of bytes" : kind}s`, rows };
}

async function addPeer(rows: Row[], ours: Row): Promise<void> {
  const rounds = await inOwnProcess("peers/multithreading_channel.ts");
  if (rounds === undefined || rounds.length === 0) return;
  const peer = figure("one to one, npm:multithreading's channel", "ns", rounds);
  rows.push(peer, beside({ ...ours, name: `${ours.name}, beside that` }, peer, { atMost: 0.2 }));
}

/** Waits until all are ready, lets them go, and gives the nanoseconds per item until `done`. */
async function timed(
  gate: Int32Array,
  parties: number,
  count: number,
  done: () => Promise<unknown>,
): Promise<number> {
  while (Atomics.load(gate, 1) < parties) await new Promise((go) => setTimeout(go, 1));
  const start = performance.now();
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  await done();
  return (performance.now() - start) * 1e6 / count;
}

const parties: { tasks: SimpleQueue<Task | undefined>; thread: Thread }[] = [];

/** The n-th thread, made once. */
function tasksOf(n: number): SimpleQueue<Task | undefined> {
  if (parties[n] === undefined) {
    const tasks = new SimpleQueue<Task | undefined>();
    const thread = new Thread({ target: party, args: [tasks] });
    thread.start();
    parties[n] = { tasks, thread };
  }
  return parties[n].tasks;
}

async function dismiss(): Promise<void> {
  for (const { tasks, thread } of parties.splice(0)) {
    tasks.put(undefined);
    await thread.join();
  }
}

function queued(
  kind: Kind,
  producers: number,
  consumers: number,
  count: number,
  capacity: number,
): Promise<number> {
  const queue = new Queue<unknown>(capacity);
  const done = new SimpleQueue<unknown>();
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const all = producers + consumers;
  for (let n = 0; n < all; n++) {
    const puts = n < producers;
    const each = count / (puts ? producers : consumers);
    tasksOf(n).put({ puts, queue, kind, count: each, gate, done });
  }
  return timed(gate, all, count, async () => {
    for (let n = 0; n < all; n++) await done.get();
  });
}

/** Two bare workers that wake each other by turns: what a hand-over between sleepers costs. */
function rallied(count: number): Promise<number> {
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const word = new Int32Array(new SharedArrayBuffer(4));
  const ends = [0, 1].map((turn) =>
    new Promise((resolve) => {
      bare(turn).onmessage = resolve;
      bare(turn).postMessage({ word, count: count / 2, turn, gate } satisfies Rally);
    })
  );
  return timed(gate, 2, count, () => Promise.all(ends));
}

const workers: Worker[] = [];

/** The n-th bare worker, made once. */
function bare(n: number): Worker {
  const url = new URL("_queue_parties.ts#bare", import.meta.url);
  return workers[n] ??= new Worker(url, { type: "module" });
}

async function posts(
  kind: Kind,
  producers: number,
  consumers: number,
  count: number,
  answered: boolean,
): Promise<number> {
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const ends: Promise<unknown>[] = [];
  const channels = Array.from({ length: producers }, () => new MessageChannel());
  const order = (parties: number) => ({ kind, count: count / parties, answered, gate });
  for (let c = 0; c < consumers; c++) {
    const ports = channels.filter((_, i) => i % consumers === c).map(({ port2 }) => port2);
    const worker = bare(producers + c);
    ends.push(new Promise((resolve) => worker.onmessage = resolve));
    worker.postMessage({ ...order(consumers), receive: ports } satisfies Order, ports);
  }
  channels.forEach(({ port1 }, i) =>
    bare(i).postMessage({ ...order(producers), send: port1 } satisfies Order, [port1])
  );
  return await timed(gate, producers + consumers, count, () => Promise.all(ends));
}

if (import.meta.main) {
  print(await run());
  Deno.exit(0);
}
