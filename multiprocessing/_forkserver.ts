/**
 * Warm children: processes that have started, loaded the library and the modules that they were told to, and wait for a job.
 *
 * Python's fork server is a process that forks. Deno cannot fork; what is warm here is a stock of processes, each of which is used once.
 * A job goes to a spare by its link, in the same turn of the event loop in which it is given: `process.start(); queue.getSync()` works.
 *
 * Guarantees
 * - A spare is used only for a job with the permissions, the program and the executable that it has.
 * - A spare that is not ready (it still imports, or hangs in doing so) is not used: there is always the plain way.
 * - Spares do not keep the program alive, and end with it.
 *
 * @module
 */
import { JOB, START } from "./_child.ts";
import type { ChildJob } from "./_self.ts";
import { type Child, type Order, spawn } from "./_spawn.ts";
import { onNotes } from "./_tree.ts";

/** How many spares of a kind are kept. */
const KEEP = 2;
/** A longer start does not fit into the socket for sure while the child does not read. */
const LONGEST_START = 32 * 1024;

/** How long to wait with the next spare, in milliseconds. */
const LATER = 5;

interface Spare {
  readonly child: Child;
  readonly kind: string;
  readonly address: string;
  isReady: boolean;
}

const spares = new Set<Spare>();
/** Those that have got a job and are not out of the process table. */
const used = new Set<Child>();
/** Under way to fill the stock. */
const fills = new Set<ReturnType<typeof setTimeout>>();
/** Spares that have got a job, by address. */
const warm = new Map<string, Child>();

/** A way to make the order for a spare: its number, and the modules that it imports ahead of time. */
export interface Stock {
  readonly modules: readonly string[];
  number(): number;
  addressOf(number: number): string;
}

/** Starts a child as `spawn` does, from the stock if there is one that fits; and sees to it that there will be. */
export function spawnWarm(order: Order, stock: Stock): Child {
  const kind = JSON.stringify([order.permissions, order.executable, order.main, stock.modules]);
  const spare = (order.start?.length ?? 0) <= LONGEST_START
    ? [...spares].find((spare) => spare.kind === kind && spare.isReady)
    : undefined;
  const child = spare === undefined ? spawn(order) : give(spare, order);
  // Neither while the child starts nor before those who join it go on: it would only be slower for them.
  if (spare === undefined) fill(kind, order, stock);
  else child.ended.then(() => fillLater(kind, order, stock));
  return child;
}

function fillLater(kind: string, order: Order, stock: Stock): void {
  const timer = setTimeout(() => {
    fills.delete(timer);
    fill(kind, order, stock);
  }, LATER);
  Deno.unrefTimer(timer);
  fills.add(timer);
}

/** Ends all spares, and waits until nothing of them is left, nor of those that were used. */
export async function emptyStock(): Promise<void> {
  for (const timer of fills) clearTimeout(timer);
  fills.clear();
  const leaving = [...used];
  for (const { child } of spares) {
    child.kill("SIGKILL");
    leaving.push(child);
  }
  spares.clear();
  // None of them holds the event loop.
  const holder = setInterval(() => {}, 2 ** 30);
  await Promise.all(leaving.map(({ gone }) => gone));
  clearInterval(holder);
}

function give(spare: Spare, order: Order): Child {
  spares.delete(spare);
  const { child, address } = spare;
  warm.set(address, child);
  used.add(child);
  child.gone.then(() => used.delete(child));
  child.ended.then(() => warm.delete(address));
  const job: Omit<ChildJob, "token" | "permissions" | "lent"> = { ...order.job, address };
  const link = child.link!;
  if (order.start !== undefined) link.send(Uint8Array.of(START), order.start);
  const permissions = ["-A"];
  const text = JSON.stringify({ ...job, token: "", permissions, lent: [] } satisfies ChildJob);
  link.send(Uint8Array.of(JOB), new TextEncoder().encode(text));
  link.push();
  return child;
}

function fill(kind: string, order: Order, stock: Stock): void {
  onNotes(hear);
  const there = [...spares].filter((spare) => spare.kind === kind).length;
  for (let i = there; i < KEEP; i++) {
    const number = stock.number();
    const address = stock.addressOf(number);
    const child = spawn({
      ...order,
      number,
      modules: stock.modules,
      job: {
        ...order.job,
        address,
        work: { modules: stock.modules, guard: true, simple: NOTHING },
      },
      start: undefined,
      entry: "spare",
    });
    const spare: Spare = { child, kind, address, isReady: false };
    spares.add(spare);
    child.ended.then(() => spares.delete(spare));
  }
}

/** Whether the stock is full and warm; for tests and benchmarks. */
export function isStocked(): boolean {
  return spares.size >= KEEP && [...spares].every(({ isReady }) => isReady);
}

/** What spares say. */
function hear(text: string, from: string): void {
  const [word, code] = text.split(" ");
  if (word === "ready") {
    for (const spare of spares) if (spare.address === from) spare.isReady = true;
  } else if (word === "bye") {
    warm.get(from)?.saidGoodbye(Number(code));
  }
}

/** A spare has no call of its own. */
const NOTHING = { module: "", path: [], source: undefined, args: [] };
