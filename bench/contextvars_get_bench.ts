/**
 * What reading a context variable costs beside its floor, `AsyncLocalStorage.getStore`, in the same place: in an entered context, and
 * outside of any.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import { Context, ContextVar, copyContext } from "@batteries/concurrent/contextvars";
import { beside, figure, type Group, loop, print, takeTurns } from "./_measure.ts";

const CALLS = 2_000_000;

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const als = new AsyncLocalStorage<number>();
  const one = new ContextVar("one", { default: 0 });
  const two = new ContextVar("two", { default: 0 });
  const unset = new ContextVar("unset", { default: 0 });
  const readings: [string, () => unknown, number][] = [
    ["floor: AsyncLocalStorage.getStore", () => als.getStore(), 1],
    ["ContextVar.get", () => one.get(), 1],
    ["ContextVar.get, two in turn, each", () => one.get() + two.get(), 2],
    ["ContextVar.get of a default", () => unset.get(), 1],
  ];
  const read = (where: string) => measure(`contextvars: reading ${where}`, readings);

  // The readings of both groups are made after both storages have been used, as in any program that uses contexts at all.
  const inside = await als.run(1, () =>
    new Context().run(async () => {
      one.set(1);
      two.set(2);
      await Promise.resolve();
      return await read("in a context");
    }));
  one.set(1);
  two.set(2);
  const outside = await read("outside of any context");

  const many = new Context();
  many.run(() => Array.from({ length: 1000 }, (_, i) => new ContextVar(`v${i}`).set(i)));
  const contexts: [string, () => unknown][] = [
    ["new Context().copy()", () => new Context().copy()],
    ["copy() with 1000 variables", () => many.copy()],
    ["copyContext().run(fn)", () => copyContext().run(Math.abs, 1)],
  ];
  const rounds = await takeTurns(contexts.map(([, make]) => loop("x = make();", { make }, CALLS)));
  return [inside, outside, {
    group: "contextvars: contexts",
    rows: contexts.map(([name], i) => figure(name, "ns", rounds[i])),
  }];
}

async function measure(group: string, readings: [string, () => unknown, number][]): Promise<Group> {
  const rounds = await takeTurns(readings.map(([, read]) => loop("x = read();", { read }, CALLS)));
  const [floor, ...rows] = readings.map(([name, , each], i) =>
    figure(name, "ns", rounds[i].map((ns) => ns / each))
  );
  return {
    group,
    rows: [
      floor,
      ...rows.map((row, i) => beside(row, floor, i === 0 ? { atMost: 2 } : undefined)),
    ],
  };
}

if (import.meta.main) print(await run());
