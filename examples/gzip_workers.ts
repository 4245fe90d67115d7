/**
 * How small does gzip make each file of a folder? One process hands out files, several compress them.
 *
 * The chapter's `Queue`, with its worker loop: every worker takes from one queue until it gets STOP, and puts what it did into another.
 *
 *     deno run -A examples/gzip_workers.ts
 *
 * @module
 */
import { cpuCount, Process, Queue } from "@batteries/concurrent/multiprocessing";

/** The chapter's "STOP". */
const STOP = null;

export interface Zipped {
  path: string;
  size: number;
  small: number;
  by: number;
}

export async function worker(paths: Queue<string | null>, done: Queue<Zipped>): Promise<void> {
  for (let path; (path = await paths.get()) !== STOP;) {
    const bytes = await Deno.readFile(path);
    const zipped = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    const small = (await new Response(zipped).arrayBuffer()).byteLength;
    await done.put({ path, size: bytes.length, small, by: Deno.pid });
  }
}

/** Compresses files with some processes. */
export async function zipAll(all: string[], workers: number): Promise<Zipped[]> {
  // Never more than a few paths wait: put waits for room.
  const paths = new Queue<string | null>(8);
  const done = new Queue<Zipped>();
  // Leaving the function ends all workers that are still there.
  await using stack = new AsyncDisposableStack();
  const processes = Array.from(
    { length: workers },
    () => stack.use(new Process({ target: worker, args: [paths, done] })),
  );
  const failed = new AbortController();
  for (const process of processes) {
    process.start();
    // Nobody waits for ever for a worker that is no longer there.
    void process.join().then(() => {
      const { name, exitcode } = process;
      if (exitcode !== 0) failed.abort(new Error(`${name} ended with exit code ${exitcode}`));
    });
  }
  const { signal } = failed;
  for (const path of all) await paths.put(path, { signal });
  for (const _ of processes) await paths.put(STOP, { signal });
  const zipped: Zipped[] = [];
  while (zipped.length < all.length) zipped.push(await done.get({ signal }));
  for (const process of processes) await process.join();
  return zipped.sort((a, b) => a.small / a.size - b.small / b.size);
}

/** The pages of this project's documentation. */
export function pages(): string[] {
  const docs = new URL("../docs/", import.meta.url).pathname;
  return [...Deno.readDirSync(docs)].filter(({ name }) => name.endsWith(".md"))
    .map(({ name }) => docs + name);
}

if (import.meta.main) {
  const zipped = await zipAll(pages(), Math.min(4, cpuCount()));
  for (const { path, size, small } of zipped) {
    const percent = `${Math.round(100 * small / size)}%`;
    console.log(`${percent.padStart(4)} ${String(size).padStart(6)} ${path.split("/").at(-1)}`);
  }
  const sum = (key: "size" | "small") => zipped.reduce((sum, file) => sum + file[key], 0);
  console.log(`${zipped.length} files, ${sum("size")} bytes, ${sum("small")} compressed`);
}
