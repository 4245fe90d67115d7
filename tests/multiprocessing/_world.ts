/**
 * What tests of processes look at.
 *
 * @module
 */

/** Far beyond what anything takes on a busy machine. */
const HANGS_AFTER = 60_000;

/**
 * An address of this machine that a test has to itself, where there are as many as one likes: at 127.0.0.1 a port that was closed may be
 * another test's by the time it is used again. `n` is the test's, from 2 to 254.
 */
export function ownHost(n: number): string {
  return Deno.build.os === "linux" ? `127.0.83.${n}` : "127.0.0.1";
}

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Whether there is a process of that number; one that has ended and that nobody has looked at yet is none. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

/** Blocks until `is` holds. */
export function waitUntil(what: string, is: () => boolean): void {
  const end = performance.now() + HANGS_AFTER;
  while (!is()) {
    if (performance.now() > end) throw new Error(`Waited in vain until ${what}`);
    Atomics.wait(cell, 0, 0, 1);
  }
}

/** Blocks until the file is there. */
export function waitForFile(path: string): void {
  waitUntil(`there is ${path}`, () => {
    try {
      Deno.statSync(path);
      return true;
    } catch {
      return false;
    }
  });
}

/** The processes whose command line has that word. */
export function processesWith(word: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      if (line.includes(word)) found.push(Number(name));
    } catch {
      // It has just ended.
    }
  }
  return found;
}
