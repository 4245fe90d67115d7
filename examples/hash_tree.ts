/**
 * SHA-256 of every file under a folder, spread over threads.
 *
 * ```sh
 * deno run -A examples/hash_tree.ts [--threads N] [--json] FOLDER
 * ```
 *
 * Symbolic links are not followed. Exit code: 0, 1 when a file could not be read, 2 when there is nothing to do.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { ThreadPoolExecutor } from "@batteries/concurrent/futures";

/** How one file went. */
interface Hashed {
  size: number;
  sha256: string;
  /** Why it could not be read. */
  failure?: string;
}

/** How many bytes have been hashed so far, by all threads together: shared memory, which all of them look at. */
let progress: BigInt64Array = new BigInt64Array(1);

/** What each thread does first. */
export function watchProgress(shared: BigInt64Array): void {
  progress = shared;
}

const CHUNK = 256 * 1024;

/** The work for one file. */
export function hashFile(path: string): Hashed {
  const buffer = new Uint8Array(CHUNK);
  let size = 0;
  try {
    const hash = createHash("sha256");
    using file = Deno.openSync(path);
    for (let n = 0; (n = file.readSync(buffer) ?? 0) > 0;) {
      hash.update(buffer.subarray(0, n));
      size += n;
      Atomics.add(progress, 0, BigInt(n));
    }
    return { size, sha256: hash.digest("hex") };
  } catch (error) {
    const failure = error instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : error instanceof Deno.errors.NotFound
      ? "no longer there"
      : "read error";
    return { size, sha256: "", failure };
  }
}

/** Hashes all files, and gives what was found in their order. */
async function hashAll(paths: string[], threads: number, onProgress?: (bytes: number) => void) {
  const shared = new BigInt64Array(new SharedArrayBuffer(8));
  await using executor = new ThreadPoolExecutor({
    maxWorkers: Math.max(1, threads),
    initializer: watchProgress,
    initargs: [shared],
  });
  const timer = setInterval(() => onProgress?.(Number(shared[0])), 100);
  const hashed = await Array.fromAsync(executor.map(hashFile, paths));
  clearInterval(timer);
  return hashed.map((file, i) => ({ path: paths[i], ...file }));
}

interface Tree {
  files: { path: string; size: number }[];
  /** Folders that could not be read. */
  failed: { path: string; reason: string }[];
}

/** All regular files under a folder. */
function walk(folder: string, tree: Tree = { files: [], failed: [] }): Tree {
  try {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder.replace(/\/+$/, "")}/${entry.name}`;
      if (entry.isDirectory) walk(path, tree);
      else if (entry.isFile) tree.files.push({ path, size: Deno.lstatSync(path).size });
    }
  } catch (error) {
    tree.failed.push({ path: folder, reason: reasonOf(error) });
  }
  return tree;
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.NotFound) return "no such folder";
  return error instanceof Error ? error.message : String(error);
}

/** Draws over the same line of the terminal again and again. */
function drawBar(done: number, total: number, seconds: number): void {
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const bar = "█".repeat(Math.round(part * 30)).padEnd(30, "░");
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  const line = `${bar} ${percent}  ${bytes(done)} of ${bytes(total)}  ${rate(done, seconds)}`;
  Deno.stderr.writeSync(new TextEncoder().encode(`\r${line}\x1b[K`));
}

function clearBar(): void {
  Deno.stderr.writeSync(new TextEncoder().encode("\r\x1b[K"));
}

function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(n, 1)) / 3));
  return `${(n / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

function rate(n: number, seconds: number): string {
  return `${(n / 1e6 / Math.max(seconds, 0.001)).toFixed(1)} MB/s`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

/** A name may hold anything, orders to the terminal too. */
function printable(path: string): string {
  // deno-lint-ignore no-control-regex -- these are what has to be found
  return path.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => JSON.stringify(c).slice(1, -1));
}

function readArguments(): { folder: string; threads: number; json: boolean } {
  const { values, positionals } = parseArgs({
    options: { threads: { type: "string" }, json: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (positionals.length !== 1) throw new Error("give one folder");
  const threads = Number(values.threads ?? navigator.hardwareConcurrency);
  if (!Number.isInteger(threads) || threads < 1 || threads > 256) {
    throw new Error(`--threads must be a whole number from 1 to 256, got ${values.threads}`);
  }
  return { folder: positionals[0], threads, json: values.json };
}

function isFolder(path: string): true {
  if (Deno.statSync(path).isDirectory) return true;
  throw new Error("it is a file, not a folder");
}

function fail(message: string): never {
  console.error(`hash_tree: ${message}`);
  Deno.exit(2);
}

async function main(): Promise<void> {
  let options: ReturnType<typeof readArguments>;
  try {
    options = readArguments();
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0];
    fail(`${reason}; usage: hash_tree.ts [--threads N] [--json] FOLDER`);
  }
  const { folder, json } = options;
  try {
    isFolder(folder);
  } catch (error) {
    fail(`cannot read ${printable(folder)}: ${reasonOf(error)}`);
  }

  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const { files, failed } = walk(folder);
  const total = files.reduce((sum, file) => sum + file.size, 0);
  const threads = Math.min(options.threads, files.length);

  // The largest first, so that no thread is left alone with one at the end.
  const paths = files.sort((a, b) => b.size - a.size).map((file) => file.path);
  const bar = Deno.stdout.isTerminal() && Deno.stderr.isTerminal();
  const results = await hashAll(
    paths,
    threads,
    bar ? (done) => drawBar(done, total, seconds()) : undefined,
  );
  if (bar) clearBar();

  const good = results.filter(({ failure }) => failure === undefined).sort(byPath);
  for (const { path, failure } of results) {
    if (failure !== undefined) failed.push({ path, reason: failure });
  }
  failed.sort(byPath);
  const sum = {
    files: good.length,
    failed: failed.length,
    bytes: good.reduce((all, { size }) => all + size, 0),
    seconds: seconds(),
    threads,
  };
  if (json) {
    const list = good.map(({ path, size, sha256 }) => ({ path, size, sha256 }));
    console.log(JSON.stringify({ folder, ...sum, results: list, failures: failed }, null, 2));
  } else {
    printTable(good);
    console.log(
      `${count(sum.files, "file")}, ${bytes(sum.bytes)} in ${sum.seconds.toFixed(2)} s, ` +
        `${rate(sum.bytes, sum.seconds)}, ${count(threads, "thread")}`,
    );
  }
  for (const { path, reason } of failed) console.error(`cannot read ${printable(path)}: ${reason}`);
  if (failed.length > 0) {
    console.error(`${count(failed.length, "path")} could not be read`);
    Deno.exitCode = 1;
  }
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : Number(a.path > b.path);
}

/** The path comes last, so that names of any script and length leave the columns alone. */
function printTable(files: { path: string; size: number; sha256: string }[]): void {
  const width = files.reduce((widest, { size }) => Math.max(widest, `${size}`.length), 4);
  const lines = [`${"sha256".padEnd(16)}  ${"size".padStart(width)}  path`];
  for (const { path, size, sha256 } of files) {
    lines.push(`${sha256.slice(0, 16)}  ${`${size}`.padStart(width)}  ${printable(path)}`);
  }
  console.log(lines.join("\n"));
}

if (import.meta.main) await main();
