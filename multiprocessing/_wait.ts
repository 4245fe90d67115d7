/**
 * Waiting for several things at once.
 *
 * @module
 */
import { ready, type Waitable } from "./_ready.ts";
import { type Limit, limitOf, ONCE, type WaitOptions } from "../threading/_core/mod.ts";

/**
 * Waits until at least one of the objects is ready and gives those that are, in the order in which they were given; an empty list when
 * the time is over first. Stands for `multiprocessing.connection.wait`.
 *
 * A connection is ready when there is something to receive, or the end; a `Listener` when there is something to accept; the `sentinel`
 * of a `Process` when it has ended. To wait for nothing takes no time.
 *
 * @typeParam W What the objects are.
 *
 * @throws {TypeError} when they are no iterable, or one of them cannot be waited for.
 * @throws {Deno.errors.BadResource} when one of them is closed, or a connection that only sends.
 * @throws The reason of the signal.
 *
 * @example
 * ```ts
 * import { Pipe, wait } from "@batteries/concurrent/multiprocessing/connection";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const [a, b] = Pipe();
 * const [c, d] = Pipe();
 * await b.send("news");
 * assertEquals(await wait([a, c], { timeout: 1000 }) , [a]);
 * for (const end of [a, b, c, d]) end.close();
 * ```
 */
export async function wait<W extends Waitable>(
  objects: Iterable<W>,
  options?: WaitOptions,
): Promise<W[]> {
  const limit = limitOf(options, "wait");
  if (typeof (objects as Iterable<W> | null)?.[Symbol.iterator] !== "function") {
    throw new TypeError(
      `Cannot wait: objects must be an array or another iterable, got ${
        objects === null ? "null" : typeof objects
      }`,
    );
  }
  const list = [...objects];
  for (const object of list) mustBeWaitable(object);
  for (;;) {
    const found = await look(list);
    if (found.length > 0 || list.length === 0 || limit.deadline === -Infinity) return found;
    // Somebody else may have been faster than the second look.
    if (!await any(list, limit)) return [];
  }
}

/** Those that are ready now. */
async function look<W extends Waitable>(list: readonly W[]): Promise<W[]> {
  const states = await Promise.all(list.map((object) => object[ready](ONCE)));
  return list.filter((_, i) => states[i]);
}

/** Whether one of them gets ready within the limit. The others are waited for no longer. */
async function any(list: readonly Waitable[], { deadline, signal }: Limit): Promise<boolean> {
  signal?.throwIfAborted();
  const enough = new AbortController();
  const stop = () => enough.abort(signal!.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const waits = list.map((object) => object[ready]({ deadline, signal: enough.signal }));
  try {
    return await new Promise<boolean>((resolve, reject) => {
      for (const wait of waits) wait.then((isReady) => isReady && resolve(true), reject);
      Promise.all(waits).then(() => resolve(false), reject);
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    enough.abort();
    await Promise.allSettled(waits);
  }
}

function mustBeWaitable(object: unknown): void {
  if (typeof (object as Waitable | null)?.[ready] === "function") return;
  throw new TypeError(
    `Cannot wait for ${
      object === null ? "null" : typeof object
    }: give connections, listeners and sentinels of processes`,
  );
}
