/**
 * What reading a context variable costs beside its floor, `AsyncLocalStorage.getStore`, in the same place: in an entered context, and
 * outside of any.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { Context, ContextVar, copyContext } from "@batteries/concurrent/contextvars";

/** One figure of a table. */
interface Row {
  name: string;
  value: number;
  unit: string;
  target?: string;
  ok?: boolean;
}

const CALLS = 2_000_000;
const ROUNDS = 7;

let sink: unknown;

/** Nanoseconds per call. Each subject has a loop of its own, built from text, so that none is optimised for the sum of them. */
function timer(read: () => unknown): () => number {
  const loop = new Function(
    "read",
    "calls",
    "let x; for (let i = 0; i < calls; i++) x = read(); return x;",
  ) as (
    read: () => unknown,
    calls: number,
  ) => unknown;
  return () => {
    const start = performance.now();
    sink = loop(read, CALLS);
    return (performance.now() - start) * 1e6 / CALLS;
  };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** The median of {@linkcode ROUNDS} rounds of each subject; the subjects take turns, so that noise meets them alike. */
function measure(subjects: (() => unknown)[]): number[] {
  const timers = subjects.map(timer);
  for (const time of timers) time();
  const rounds = Array.from({ length: ROUNDS }, () => timers.map((time) => time()));
  return timers.map((_, i) => median(rounds.map((round) => round[i])));
}

/** Runs the benchmark. */
export async function run(): Promise<{ group: string; rows: Row[] }[]> {
  const als = new AsyncLocalStorage<number>();
  const one = new ContextVar("one", { default: 0 });
  const two = new ContextVar("two", { default: 0 });
  const unset = new ContextVar("unset", { default: 0 });
  const getStore = () => als.getStore();
  const get = () => one.get();
  const getTwo = () => one.get() + two.get();
  const getDefault = () => unset.get();

  // The readings of both groups are made after both storages have been used, as in any program that uses contexts at all.
  const inside = await als.run(1, () =>
    new Context().run(async () => {
      one.set(1);
      two.set(2);
      await Promise.resolve();
      return measure([getStore, get, getTwo, getDefault]);
    }));
  one.set(1);
  two.set(2);
  const outside = measure([getStore, get, getTwo, getDefault]);

  const many = new Context();
  many.run(() => Array.from({ length: 1000 }, (_, i) => new ContextVar(`v${i}`).set(i)));
  const [empty, full] = measure([() => new Context().copy(), () => many.copy()]);
  const [entering] = measure([() => copyContext().run(Math.abs, 1)]);
  void sink;

  return [group("in a context", inside), group("outside of any context", outside), {
    group: "contextvars: contexts",
    rows: [
      { name: "new Context().copy()", value: empty, unit: "ns" },
      { name: "copy() with 1000 variables", value: full, unit: "ns" },
      { name: "copyContext().run(fn)", value: entering, unit: "ns" },
    ],
  }];
}

function group(
  where: string,
  [floor, one, both, byDefault]: number[],
): { group: string; rows: Row[] } {
  const ratio = one / floor;
  return {
    group: `contextvars: reading ${where}`,
    rows: [
      { name: "floor: AsyncLocalStorage.getStore", value: floor, unit: "ns" },
      { name: "ContextVar.get", value: one, unit: "ns" },
      { name: "ContextVar.get / floor", value: ratio, unit: "x", target: "<= 2", ok: ratio <= 2 },
      { name: "ContextVar.get, two in turn, each", value: both / 2, unit: "ns" },
      { name: "ContextVar.get of a default", value: byDefault, unit: "ns" },
    ],
  };
}

if (import.meta.main) {
  for (const { group, rows } of await run()) {
    console.log(group);
    for (const { name, value, unit, target, ok } of rows) {
      const verdict = target === undefined ? "" : `  (${target}: ${ok ? "met" : "MISSED"})`;
      console.log(`  ${name.padEnd(36)} ${value.toFixed(2).padStart(10)} ${unit}${verdict}`);
    }
  }
}
