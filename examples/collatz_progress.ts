/**
 * Which number below a limit has the longest way to 1, when even numbers are halved and odd ones are tripled and increased? Many small
 * calls travel in chunks; a bar, or a function of one's own, follows them.
 *
 * The chapter's `Executor.map`: `chunksize`, `buffersize` and, beyond Python, `progress`.
 *
 *     deno run --allow-read examples/collatz_progress.ts
 *
 * @module
 */
import { type Progress, ThreadPoolExecutor } from "@batteries/concurrent/futures";

/** How many numbers there are on the way, 1 and `n` included. */
export function steps(n: number): number {
  let count = 1;
  for (; n !== 1; count++) n = n % 2 === 0 ? n / 2 : 3 * n + 1;
  return count;
}

/** All numbers from 1 on: `map` reads no further ahead than `buffersize`. */
function* numbersBelow(limit: number): Generator<number> {
  for (let n = 1; n < limit; n++) yield n;
}

/** The number below `limit` with the longest way, and how long it is. */
export async function longestWay(
  limit: number,
  progress: boolean | ((progress: Progress) => void) = false,
): Promise<[number, number]> {
  await using executor = new ThreadPoolExecutor();
  const numbers = numbersBelow(limit);
  const options = { chunksize: 2000, buffersize: 50_000, progress };
  let [best, longest, n] = [1, 0, 0];
  for await (const count of executor.map(steps, numbers, options)) {
    n++;
    if (count > longest) [best, longest] = [n, count];
  }
  return [best, longest];
}

if (import.meta.main) {
  // `true` draws a bar on standard error if that is a terminal.
  const [n, longest] = await longestWay(200_000, true);
  console.log(`${n} has the longest way to 1 of all below 200000: ${longest} numbers`);
}
