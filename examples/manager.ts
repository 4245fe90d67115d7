/**
 * Managers in the manner of Python's chapter: objects of one process that several work on, and a class of one's own behind a proxy.
 *
 * It counts the words of the files that it is given, in a process per file. The counts are in a dict of a manager; which file is done is
 * told through its queue. Then a class of ours, which lives in the manager's process, draws up the list.
 *
 * ```sh
 * deno run -A examples/manager.ts README.md docs/*.md
 * ```
 *
 * @module
 */
import { Process } from "@batteries/concurrent/multiprocessing";
import {
  type AcquirerProxy,
  type DictProxy,
  type QueueProxy,
  SyncManager,
} from "@batteries/concurrent/multiprocessing/managers";

/** Lives in the manager's process. */
export class Report {
  #lines: string[] = [];

  /** Adds the words of one file. */
  add(file: string, words: number): void {
    this.#lines.push(`${String(words).padStart(7)}  ${file}`);
  }

  /** The lines, the longest file first. */
  lines(): string[] {
    return this.#lines.toSorted().toReversed();
  }
}

class ReportManager extends SyncManager {}
// What register gives is the same class, and TypeScript knows its type.
const Reports = ReportManager.register("Report", { callable: Report });

/** A process counts the words of one file. */
export async function count(
  file: string,
  counts: DictProxy<string, number>,
  lock: AcquirerProxy,
  done: QueueProxy<{ file: string; words: number }>,
): Promise<void> {
  const own = new Map<string, number>();
  let words = 0;
  for (const [word] of (await Deno.readTextFile(file)).toLowerCase().matchAll(/\p{L}+/gu)) {
    own.set(word, (own.get(word) ?? 0) + 1);
    words++;
  }
  {
    // Between reading and writing back, nobody else may count.
    await using _held = await lock.hold();
    const all = await counts.getvalue();
    for (const [word, times] of own) all.set(word, (all.get(word) ?? 0) + times);
    await counts.update(all);
  }
  await done.put({ file, words });
}

/** Counts the words of files; gives the most frequent ones, and a line per file. */
export async function main(
  files: readonly string[],
): Promise<{ frequent: [word: string, times: number][]; lines: string[] }> {
  await using manager = new Reports();
  await manager.start();
  const counts = await manager.dict<string, number>();
  const lock = await manager.Lock();
  const done = await manager.Queue<{ file: string; words: number }>();
  const report = await manager.create("Report");
  const processes = files.map((file) => {
    const process = new Process({ target: count, args: [file, counts, lock, done] });
    process.start();
    return process;
  });
  for (const _ of files) {
    const { file, words } = await done.get();
    await report.add(file, words);
  }
  for (const process of processes) await process.join();
  const frequent = (await counts.entries()).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return { frequent: frequent.slice(0, 5), lines: await report.lines() };
}

if (import.meta.main) {
  const { frequent, lines } = await main(Deno.args);
  for (const line of lines) console.log(line);
  console.log(frequent.map(([word, times]) => `${word} ${times}`).join(", "));
}
