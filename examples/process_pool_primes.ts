/**
 * Tells which numbers are prime, in a pool of processes: the `ProcessPoolExecutor` program of Python's `concurrent.futures` chapter.
 *
 * ```sh
 * deno run -A examples/process_pool_primes.ts [--workers N] [NUMBER…]
 * ```
 *
 * Without numbers it takes them from standard input, one per line, if that is no terminal, and else those of Python's chapter. Prints
 * each with its smallest factor, in the order in which they came. Exit code: 0, or 2 when something is no whole number from 0 to
 * 2^53 - 1.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { ProcessPoolExecutor } from "@batteries/concurrent/futures";

const PRIMES = [
  112272535095293,
  112582705942171,
  112272535095293,
  115280095190773,
  115797848077099,
  1099726899285419,
];

/** The smallest factor of `n` above 1, by trial; `n` itself when it is prime. Runs in a process of the pool. */
export function smallestFactor(n: number): number {
  if (n < 4) return n;
  if (n % 2 === 0) return 2;
  const limit = Math.floor(Math.sqrt(n));
  for (let i = 3; i <= limit; i += 2) if (n % i === 0) return i;
  return n;
}

async function numbersFrom(args: string[]): Promise<string[]> {
  if (args.length > 0) return args;
  if (Deno.stdin.isTerminal()) return PRIMES.map(String);
  const text = await new Response(Deno.stdin.readable).text();
  const lines = text.split(/\s+/).filter((line) => line !== "");
  return lines.length === 0 ? PRIMES.map(String) : lines;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { workers: { type: "string" } },
  });
  const given = await numbersFrom(positionals);
  const numbers = given.map(Number);
  const bad = numbers.findIndex((n) => !Number.isSafeInteger(n) || n < 0);
  if (bad !== -1) {
    console.error(`${given[bad]} is no whole number from 0 to 2^53 - 1`);
    return 2;
  }
  const maxWorkers = values.workers === undefined ? undefined : Number(values.workers);
  await using executor = new ProcessPoolExecutor({ maxWorkers });
  let at = 0;
  for await (const factor of executor.map(smallestFactor, numbers)) {
    const n = numbers[at++];
    const isPrime = n > 1 && factor === n;
    console.log(isPrime ? `${n} is prime` : `${n} is not prime${n > 3 ? `: ${factor}` : ""}`);
  }
  return 0;
}

if (import.meta.main) Deno.exitCode = await main();
