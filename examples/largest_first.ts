/**
 * Files are hashed, the largest first, so that no thread is left with a long one at the end. Then the queue is shut down: the threads
 * find it empty and end.
 *
 * The chapter's `queue`: a PriorityQueue between threads, `taskDone`, `join` and `shutdown`.
 *
 *     deno run --allow-read examples/largest_first.ts
 *
 * @module
 */
import { createHash } from "node:crypto";
import { PriorityQueue, Queue, ShutDown } from "@batteries/concurrent/queue";
import { Thread } from "@batteries/concurrent/threading";

interface Job {
  path: string;
  size: number;
}

export interface Done extends Job {
  thread: number;
  sha256: string;
}

/** Exported, because the queue is handed to threads. */
export function largestFirst(a: Job, b: Job): number {
  return b.size - a.size;
}

export async function hash(thread: number, jobs: PriorityQueue<Job>, done: Queue<Done>) {
  for await (const { path, size } of jobs) {
    const sha256 = createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
    await done.put({ path, size, thread, sha256 });
    jobs.taskDone();
  }
}

/** Hashes files with some threads. Gives what was done, in the order in which it was. */
export async function hashAll(paths: string[], threads: number): Promise<Done[]> {
  const jobs = new PriorityQueue<Job>(0, { compare: largestFirst });
  const done = new Queue<Done>();
  for (const path of paths) jobs.putNowait({ path, size: Deno.statSync(path).size });
  const all = Array.from(
    { length: threads },
    (_, i) => new Thread({ target: hash, args: [i, jobs, done] }),
  );
  for (const thread of all) thread.start();
  await jobs.join(); // every job has been reported done
  jobs.shutdown();
  for (const thread of all) await thread.join();
  try {
    jobs.putNowait({ path: "too late", size: 0 });
  } catch (error) {
    if (!(error instanceof ShutDown)) throw error;
  }
  done.shutdown();
  return await Array.fromAsync(done);
}

if (import.meta.main) {
  const folder = new URL("../futures/", import.meta.url).pathname;
  const paths = [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile)
    .map(({ name }) => folder + name);
  for (const { path, size, sha256 } of await hashAll(paths, 2)) {
    console.log(`${sha256.slice(0, 12)} ${String(size).padStart(6)} ${path.slice(folder.length)}`);
  }
}
