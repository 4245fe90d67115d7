/**
 * What the producer of mp_queue_bench.ts does.
 *
 * @module
 */
import type { Queue } from "../multiprocessing/queues.ts";

/** What is put. */
export const KINDS = {
  "number": 12345,
  "object": { id: 1, name: "a small object", done: false, at: [1, 2] },
  "64 KiB": new Uint8Array(65_536).fill(120),
  "1 MiB": new Uint8Array(1_048_576).fill(120),
} as const;

/** One of them. */
export type Kind = keyof typeof KINDS;

/** Puts as many as it is told to, each time it is told, until that is 0. */
export async function produce(
  queue: Queue<unknown>,
  gate: Queue<number>,
  kind: Kind,
  form: "async" | "Sync",
): Promise<void> {
  const item = KINDS[kind];
  for (let count = await gate.get(); count > 0; count = await gate.get()) {
    if (form === "Sync") { for (let n = 0; n < count; n++) queue.putSync(item); }
    else for (let n = 0; n < count; n++) await queue.put(item);
  }
}

/** Puts what it gets back, until that is `null`. */
export function echo(from: Queue<unknown>, to: Queue<unknown>, form: "async" | "Sync"): unknown {
  if (form === "async") return echoAsync(from, to);
  for (let item = from.getSync(); item !== null; item = from.getSync()) to.putSync(item);
}

async function echoAsync(from: Queue<unknown>, to: Queue<unknown>): Promise<void> {
  for (let item = await from.get(); item !== null; item = await from.get()) await to.put(item);
}
