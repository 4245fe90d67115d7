/**
 * Code that nobody trusts runs in processes that may do nothing, with a time-out and a limit of memory. Whatever it does, the program
 * goes on.
 *
 * The chapter's `ProcessPoolExecutor`, with what there is beyond Python: `permissions`, `memoryLimit`, `with({ timeout })`.
 *
 *     deno run -A examples/sandbox.ts
 *
 * @module
 */
import { type Future, ProcessPoolExecutor } from "@batteries/concurrent/futures";

/** A good one. */
export function wordCount(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

/** Wants to know what is none of its business. */
export function curious(): string {
  return Deno.readTextFileSync(new URL("../deno.json", import.meta.url));
}

/** Never ends. */
export function endless(): never {
  for (;;);
}

/** Wants all memory there is. */
export function greedy(): number {
  const hoard: number[][] = [];
  for (;;) hoard.push(new Array(100_000).fill(hoard.length));
}

/** Has an error in it. */
export function faulty(text: string): string {
  return (JSON.parse(text) as { title: string }).title.toUpperCase();
}

/** How a call went. */
async function verdict(future: Future<unknown>): Promise<string> {
  try {
    return `gave ${JSON.stringify(await future)}`;
  } catch (error) {
    return `failed with ${(error as Error).name}`;
  }
}

if (import.meta.main) {
  const text = Deno.readTextFileSync(new URL("../LICENSE", import.meta.url));
  await using executor = new ProcessPoolExecutor({
    maxWorkers: 2,
    permissions: "none",
    memoryLimit: 64,
  });
  const limited = executor.with({ timeout: 5000 });
  const calls: Record<string, Future<unknown>> = {
    wordCount: limited.submit(wordCount, text),
    curious: limited.submit(curious),
    endless: executor.with({ timeout: 300 }).submit(endless),
    greedy: limited.submit(greedy),
    faulty: limited.submit(faulty, text),
    "wordCount again": limited.submit(wordCount, "the pool is as it was"),
  };
  for (const [name, future] of Object.entries(calls)) {
    console.log(`${name} ${await verdict(future)}`);
  }
}
