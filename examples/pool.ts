/**
 * Counts lines, words and bytes of files in a pool of processes, as `wc` does: the pool program of Python's `multiprocessing` chapter, on
 * files instead of made-up sums.
 *
 * ```sh
 * deno run -A examples/pool.ts [--processes N] [--method apply|map|imap|unordered] [--timeout MS] FILE…
 * ```
 *
 * `--method` picks how the pool is asked; the counts are the same. `apply` starts one call per file and takes the results in order,
 * waiting `--timeout` milliseconds at most for each; `map` waits for all; `imap` prints each as soon as those before it are there;
 * `unordered` prints them as they come. A file that cannot be read fails its own call and no other.
 *
 * Exit code: 0, 1 when a file could not be read or was not counted in time, 2 when there is nothing to do.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Pool, TimeoutError } from "@batteries/concurrent/multiprocessing/pool";

interface Count {
  readonly path: string;
  readonly lines: number;
  readonly words: number;
  readonly bytes: number;
}

const NEWLINE = 10;

/** The counts of one file. Runs in a process of the pool. */
export function count(path: string): Count {
  const content = Deno.readFileSync(path);
  let lines = 0;
  let words = 0;
  let inWord = false;
  for (const byte of content) {
    if (byte === NEWLINE) lines++;
    const isSpace = byte === 32 || byte >= 9 && byte <= 13;
    if (!isSpace && !inWord) words++;
    inWord = !isSpace;
  }
  return { path, lines, words, bytes: content.length };
}

/** A file's counts, or why there are none. Whoever prints the files as they come must know which one failed. */
export function tryToCount(path: string): Count | string {
  try {
    return count(path);
  } catch (error) {
    return `${path}: ${(error as Error).name}`;
  }
}

type Method = (pool: Pool, paths: string[], timeout?: number) => AsyncIterable<Count | string>;

const methods: Record<string, Method> = {
  async *apply(pool, paths, timeout) {
    const results = paths.map((path) => ({ path, result: pool.applyAsync(count, [path]) }));
    for (const { path, result } of results) {
      try {
        yield await result.get(timeout === undefined ? undefined : { timeout });
      } catch (error) {
        if (error instanceof TimeoutError) yield `${path}: not counted within ${timeout} ms`;
        else yield `${path}: ${(error as Error).name}`;
      }
    }
  },
  async *map(pool, paths) {
    yield* await pool.map(tryToCount, paths);
  },
  async *imap(pool, paths) {
    const results = pool.imap(count, paths);
    for (const path of paths) {
      // An error comes in its place, and the next result behind it.
      try {
        yield (await results.next()).value;
      } catch (error) {
        yield `${path}: ${(error as Error).name}`;
      }
    }
  },
  unordered: (pool, paths) => pool.imapUnordered(tryToCount, paths),
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      processes: { type: "string" },
      method: { type: "string", default: "imap" },
      timeout: { type: "string" },
    },
  });
  const method = methods[values.method];
  if (positionals.length === 0 || method === undefined) {
    console.error("usage: pool.ts [--processes N] [--method apply|map|imap|unordered] FILE…");
    return 2;
  }
  const processes = values.processes === undefined ? undefined : Number(values.processes);
  await using pool = new Pool({ processes });
  const timeout = values.timeout === undefined ? undefined : Number(values.timeout);
  let failed = 0;
  const total = { path: "total", lines: 0, words: 0, bytes: 0 };
  for await (const counted of method(pool, positionals, timeout)) {
    if (typeof counted === "string") {
      console.error(counted);
      failed++;
      continue;
    }
    print(counted);
    total.lines += counted.lines;
    total.words += counted.words;
    total.bytes += counted.bytes;
  }
  if (positionals.length > 1) print(total);
  return failed === 0 ? 0 : 1;
}

function print({ path, lines, words, bytes }: Count): void {
  console.log(`${lines} ${words} ${bytes} ${path}`);
}

if (import.meta.main) Deno.exitCode = await main();
