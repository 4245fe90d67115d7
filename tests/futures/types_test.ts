/** Static types: checked by `deno check`, which fails when an expected error is none. */

import { assertEquals } from "@std/assert";
import {
  asCompleted,
  type Executor,
  Future,
  ThreadPoolExecutor,
  wait,
  waitSync,
} from "@batteries/concurrent/futures";
import { add, addLater, describe, double, echo } from "../fixtures/futures/tasks.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true
  : false;
function same<A, B>(..._: Same<A, B> extends true ? [] : ["these types differ"]): void {}

/** Never called either: what every executor has. */
export async function ofAnyExecutor(executor: Executor): Promise<number> {
  await executor.with({ timeout: 1000 }).submit(add, 1, 2);
  // @ts-expect-error: an option that is none
  await executor.shutdown({ cancel_futures: true });
  return executor.stats().runTime.mean;
}

/** Never called either: futures of a kind that is a parameter itself. */
export async function ofAnyKind<T>(futures: Future<T>[]): Promise<T[]> {
  const { done }: { done: Set<Future<T>> } = await wait(futures);
  const results: T[] = [];
  for (const future of done) results.push(await future.result());
  for await (const future of asCompleted(futures)) results.push(await future.result());
  return results;
}

export function nothing(): void {}

/** Never called: only its types count. */
export async function types(executor: ThreadPoolExecutor): Promise<void> {
  const sum = executor.submit(add, 1, 2);
  same<typeof sum, Future<number>>();
  const later = executor.submit(addLater, 1, 2);
  same<typeof later, Future<number>>();
  const awaited = await sum;
  same<typeof awaited, number>();
  const text = executor.submit(echo<string>, "x");
  same<typeof text, Future<string>>();
  // @ts-expect-error: too few arguments
  executor.submit(add, 1);
  // @ts-expect-error: too many
  executor.submit(double, 1, 2);
  // @ts-expect-error: of the wrong type
  executor.submit(add, 1, "2");

  const doubled = executor.map(double, [1, 2]);
  same<typeof doubled, AsyncIterableIterator<number>>();
  const described = executor.map(describe, [1], ["a"], new Set([true]), { chunksize: 2 });
  same<typeof described, AsyncIterableIterator<string>>();
  const sums = executor.map(
    addLater,
    [1],
    (async function* () {
      yield 1;
    })(),
  );
  same<typeof sums, AsyncIterableIterator<number>>();
  // @ts-expect-error: items of the wrong type
  executor.map(double, ["1"]);
  // @ts-expect-error: the second iterable has the wrong items
  executor.map(add, [1], ["2"]);
  // @ts-expect-error: an option that is none
  executor.map(double, [1], { chunkSize: 5 });

  const { done } = await wait([sum, later], { returnWhen: "FIRST_COMPLETED" });
  same<typeof done, Set<Future<number>>>();
  await wait<unknown>([sum, text, new Future<Date>()]);
  for await (const future of asCompleted([sum, later])) {
    const value = await future.result();
    same<typeof value, number>();
  }
  const several = await wait([sum, text]);
  same<typeof several.done, Set<Future<number> | Future<string>>>();
  several.notDone.has(text);
  waitSync([sum, text, executor.submit(nothing)]).done.has(sum);
  for await (const future of asCompleted([sum, text])) {
    const value = await future.result();
    same<typeof value, number | string>();
  }
  // @ts-expect-error: returnWhen is one of three
  await wait([sum], { returnWhen: "SOON" });
  // @ts-expect-error: an option that is none
  new ThreadPoolExecutor({ max_workers: 1 });
}

Deno.test("types: a Future<string> is a Future<unknown>, in types as in truth", () => {
  const future: Future<unknown> = new Future<string>();
  assertEquals(future instanceof Future, true);
});
