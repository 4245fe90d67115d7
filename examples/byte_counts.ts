/**
 * How often does each byte occur in the sources of this package? Processes count, and add what they found to one array.
 *
 * The chapter's "Sharing state between processes": Value and Array in shared memory, with their locks.
 *
 *     deno run -A examples/byte_counts.ts
 *
 * @module
 */
import { Array as SharedArray, Process, Value } from "@batteries/concurrent/multiprocessing";
import type {
  Synchronized,
  SynchronizedArray,
} from "@batteries/concurrent/multiprocessing/sharedctypes";

type Counts = SynchronizedArray<number, Uint32Array>;

export function count(paths: string[], counts: Counts, files: Synchronized<number>): void {
  const own = new Uint32Array(256);
  for (const path of paths) {
    for (const byte of Deno.readFileSync(path)) own[byte]++;
    // Reading and writing a value are two steps: the lock makes them one.
    using _held = files.holdSync();
    files.value += 1;
  }
  using _held = counts.holdSync();
  // The shared bytes themselves, as a typed array.
  const all = counts.getObj();
  for (let byte = 0; byte < 256; byte++) all[byte] += own[byte];
}

/** Counts with some processes. */
export async function countBytes(
  paths: string[],
  processes: number,
): Promise<[Uint32Array, number]> {
  const counts = SharedArray("I", 256);
  const files = Value("i", 0);
  const all = Array.from({ length: processes }, (_, i) => {
    const part = paths.filter((_, n) => n % processes === i);
    return new Process({ target: count, args: [part, counts, files] });
  });
  for (const process of all) process.start();
  for (const process of all) await process.join();
  return [Uint32Array.from(counts), files.value];
}

/** All files of a folder of this package. */
export function filesIn(folder: string): string[] {
  const path = new URL(`../${folder}/`, import.meta.url).pathname;
  return [...Deno.readDirSync(path)].filter(({ isFile }) => isFile).map(({ name }) => path + name);
}

if (import.meta.main) {
  const [counts, files] = await countBytes(filesIn("multiprocessing"), 3);
  const bytes = [...counts.keys()].sort((a, b) => counts[b] - counts[a]);
  for (const byte of bytes.slice(0, 5)) {
    console.log(`${JSON.stringify(String.fromCharCode(byte))} ${counts[byte]}`);
  }
  const sum = counts.reduce((sum, n) => sum + n);
  console.log(
    `${sum} bytes in ${files} files, ${bytes.filter((byte) => counts[byte] > 0).length} different`,
  );
}
