/**
 * Threads that count what they do, each for itself, deep down in functions that are not told in which thread they are.
 *
 * The chapter's thread-local data: one `Local`, and in every thread that looks at it other values.
 *
 *     deno run --allow-read examples/own_tallies.ts
 *
 * @module
 */
import { Queue } from "@batteries/concurrent/queue";
import { currentThread, Local, Thread } from "@batteries/concurrent/threading";

/** The constructor runs once in each thread. */
export class Tally extends Local {
  files = 0;
  lines = 0;
  longest = "";
}

/** What a thread has to say in the end. */
export interface Told {
  thread: string;
  files: number;
  lines: number;
  longest: string;
}

function count(path: string, tally: Tally): void {
  for (const line of Deno.readTextFileSync(path).split("\n")) {
    tally.lines++;
    if (line.length > tally.longest.length) tally.longest = line;
  }
  tally.files++;
}

export async function work(paths: Queue<string>, tally: Tally, told: Queue<Told>): Promise<void> {
  for await (const path of paths) count(path, tally);
  const { files, lines, longest } = tally;
  told.putNowait({ thread: currentThread().name, files, lines, longest });
}

/** Counts the lines of files with some threads. Returns what they said, and what this thread's own tally says. */
export async function countLines(files: string[], threads: number): Promise<[Told[], Tally]> {
  const paths = new Queue<string>();
  const told = new Queue<Told>();
  const tally = new Tally();
  const all = Array.from({ length: threads }, (_, i) => {
    return new Thread({ target: work, args: [paths, tally, told], name: `reader ${i + 1}` });
  });
  for (const thread of all) thread.start();
  for (const path of files) paths.putNowait(path);
  paths.shutdown();
  for (const thread of all) await thread.join();
  told.shutdown();
  return [(await Array.fromAsync(told)).sort((a, b) => a.thread < b.thread ? -1 : 1), tally];
}

/** The sources of this package's `threading`. */
export function sources(): string[] {
  const folder = new URL("../threading/", import.meta.url).pathname;
  return [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".ts"))
    .map(({ name }) => folder + name).sort();
}

if (import.meta.main) {
  const [told, mine] = await countLines(sources(), 3);
  for (const { thread, files, lines, longest } of told) {
    console.log(`${thread}: ${files} files, ${lines} lines, the longest has ${longest.length}`);
  }
  console.log(`main thread: ${mine.files} files`);
}
