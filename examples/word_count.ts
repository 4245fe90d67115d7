/**
 * The most frequent words of all text files under a folder.
 *
 * ```sh
 * deno run -A examples/word_count.ts [--threads N] [--top N] [--json] FOLDER
 * ```
 *
 * The main thread walks the folder and puts paths into a queue of limited size, so that it never runs far ahead. Threads take them,
 * count, and put what they found into a second queue. When the walk is over the first queue is shut down, and the threads end once it
 * is empty.
 *
 * Words are runs of letters and digits, in lower case. Files that are not text (a zero byte near the start, or not UTF-8) are left
 * out, and symbolic links are not followed. Exit code: 0, 1 when a file could not be read, 2 when there is nothing to do.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { Queue, ShutDown } from "@batteries/concurrent/queue";
import { Thread } from "@batteries/concurrent/threading";

/** What a thread found in one file. */
type Found =
  | { path: string; kind: "text"; words: Map<string, number> }
  | { path: string; kind: "binary" }
  | { path: string; kind: "failed"; reason: string };

interface Totals {
  words: Map<string, number>;
  text: number;
  binary: number;
  failed: { path: string; reason: string }[];
}

/** The work of one thread: counts file after file until there are no more. */
export function countFiles(paths: Queue<string>, found: Queue<Found>): void {
  for (;;) {
    let path: string;
    try {
      path = paths.getSync();
    } catch (error) {
      if (error instanceof ShutDown) return;
      throw error;
    }
    found.putSync(countFile(path));
    paths.taskDone();
  }
}

function countFile(path: string): Found {
  try {
    const bytes = Deno.readFileSync(path);
    if (bytes.subarray(0, 8192).includes(0)) return { path, kind: "binary" };
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const words = new Map<string, number>();
    for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}]+/gu)) {
      words.set(word, (words.get(word) ?? 0) + 1);
    }
    return { path, kind: "text", words };
  } catch (error) {
    if (error instanceof TypeError) return { path, kind: "binary" };
    return { path, kind: "failed", reason: reasonOf(error) };
  }
}

/** Walks the folder, has everything counted, and adds it up. */
async function countFolder(folder: string, threads: number): Promise<Totals> {
  const paths = new Queue<string>(100);
  const found = new Queue<Found>(100);
  const totals: Totals = { words: new Map(), text: 0, binary: 0, failed: [] };
  const team = Array.from(
    { length: threads },
    () => new Thread({ target: countFiles, args: [paths, found] }),
  );
  for (const thread of team) thread.start();

  const walking = walk(folder, paths, totals).then(async () => {
    // Every file is counted, and its count in the second queue, before that is closed.
    await paths.join();
    paths.shutdown();
    found.shutdown();
  });
  for await (const one of found) add(one, totals);
  await walking;
  for (const thread of team) await thread.join();
  return totals;
}

async function walk(folder: string, paths: Queue<string>, totals: Totals): Promise<void> {
  try {
    for await (const entry of Deno.readDir(folder)) {
      const path = `${folder.replace(/\/+$/, "")}/${entry.name}`;
      if (entry.isDirectory) await walk(path, paths, totals);
      else if (entry.isFile) await paths.put(path);
    }
  } catch (error) {
    totals.failed.push({ path: folder, reason: reasonOf(error) });
  }
}

function add(one: Found, totals: Totals): void {
  switch (one.kind) {
    case "text":
      totals.text++;
      for (const [word, count] of one.words) {
        totals.words.set(word, (totals.words.get(word) ?? 0) + count);
      }
      break;
    case "binary":
      totals.binary++;
      break;
    case "failed":
      totals.failed.push({ path: one.path, reason: one.reason });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotFound) return "no such folder or file";
  return error instanceof Error ? error.message : String(error);
}

/** A name may hold anything, orders to the terminal too. */
function printable(path: string): string {
  // deno-lint-ignore no-control-regex -- these are what has to be found
  return path.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => JSON.stringify(c).slice(1, -1));
}

function number(name: string, text: string, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new Error(`--${name} must be a whole number from 1 to ${most}, got ${text}`);
}

function readArguments() {
  const { values, positionals } = parseArgs({
    options: {
      threads: { type: "string", default: String(navigator.hardwareConcurrency) },
      top: { type: "string", default: "20" },
      json: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  if (positionals.length !== 1) throw new Error("give one folder");
  return {
    folder: positionals[0],
    threads: number("threads", values.threads, 256),
    top: number("top", values.top, 1_000_000),
    json: values.json,
  };
}

function isFolder(path: string): true {
  if (Deno.statSync(path).isDirectory) return true;
  throw new Error("it is a file, not a folder");
}

function fail(message: string): never {
  console.error(`word_count: ${message}`);
  Deno.exit(2);
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function print(ranked: [string, number][], top: number, totals: Totals, seconds: number): void {
  const shown = ranked.slice(0, top);
  const width = Math.max(5, ...shown.map(([, n]) => String(n).length));
  console.log(`${"count".padStart(width)}  word`);
  for (const [word, n] of shown) console.log(`${String(n).padStart(width)}  ${word}`);
  const all = ranked.reduce((sum, [, n]) => sum + n, 0);
  console.log(
    `${count(all, "word")}, ${ranked.length} different, in ${count(totals.text, "text file")}; ${
      count(totals.binary, "other file")
    } left out; ${seconds.toFixed(2)} s`,
  );
}

async function main(): Promise<void> {
  let options: ReturnType<typeof readArguments>;
  try {
    options = readArguments();
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0];
    fail(`${reason}; usage: word_count.ts [--threads N] [--top N] [--json] FOLDER`);
  }
  const { folder, threads, top, json } = options;
  try {
    isFolder(folder);
  } catch (error) {
    fail(`cannot read ${printable(folder)}: ${reasonOf(error)}`);
  }

  const began = performance.now();
  const totals = await countFolder(folder, threads);
  const seconds = (performance.now() - began) / 1000;

  const ranked = [...totals.words].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  if (json) {
    const { text, binary, failed } = totals;
    console.log(JSON.stringify({ words: ranked.slice(0, top), text, binary, failed }));
  } else print(ranked, top, totals, seconds);
  for (const { path, reason } of totals.failed) {
    console.error(`word_count: cannot read ${printable(path)}: ${reason}`);
  }
  if (totals.failed.length > 0) Deno.exitCode = 1;
}

if (import.meta.main) await main();
