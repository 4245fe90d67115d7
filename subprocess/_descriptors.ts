/**
 * The number of a descriptor that Deno holds but does not tell.
 *
 * `Deno.Command` takes a descriptor's number for a stream, which joins files and pipes to a child in the kernel. Deno does not say
 * the number of a `Deno.FsFile` or of a child's pipe; the system does: `/proc/<pid>/fd` lists them. Deno may read that only with every
 * permission, a program that it starts may always, so one small shell command does the reading.
 *
 * Guarantees: a number is returned only when exactly one of this process's descriptors fits, and `undefined` otherwise; the caller
 * then copies through JavaScript, with the same outcome. Asks for no permission that is not granted. Relies on Linux' `/proc` and on
 * `stat`.
 *
 * @module
 */

import { mayRun, SHELL } from "./_wrapper.ts";

const known = new WeakMap<Deno.FsFile, number>();

/** The descriptor of an open file. */
export function descriptorOf(file: Deno.FsFile): number | undefined {
  const { dev, ino } = file.statSync(); // Throws BadResource for a closed file, whatever is known of it.
  const before = known.get(file);
  if (before !== undefined) return before;
  const id = `${dev}:${ino}`;
  const fits = [...table()].filter(([, other]) => other === id).map(([fd]) => fd);
  const fd = fits.length === 1 ? fits[0] : fits.length > 1 ? byPosition(file, fits) : undefined;
  if (fd !== undefined) known.set(file, fd);
  return fd;
}

/**
 * This process's end of the pipe that the child `pid` has as its descriptor `index`. `undefined` also when the child has ended: then
 * the pipe can hold no more than a pipe holds.
 */
export function otherEnd(pid: number, index: 0 | 1 | 2): number | undefined {
  const listed = table(`/proc/${pid}/fd/${index}`);
  const id = listed.get(-1);
  if (id === undefined) return undefined;
  const fits = [...listed].filter(([fd, other]) => fd > 2 && other === id);
  return fits.length === 1 ? fits[0][0] : undefined;
}

/** Descriptor → device and inode; -1 stands for `extra`. */
function table(extra?: string): Map<number, string> {
  const found = new Map<number, string>();
  const script = 'exec stat -Lc "%d:%i %n" "/proc/$1/fd/"* $2';
  for (const line of ask(script, extra)) {
    const [id, path] = line.split(" ");
    if (path === undefined) continue;
    found.set(path === extra ? -1 : Number(path.slice(path.lastIndexOf("/") + 1)), id);
  }
  return found;
}

/**
 * Several descriptors are open on the same file: the right one is where the file's position is. Two at the same position are told
 * apart by moving this one for a moment, which nobody else can see: a descriptor that has been handed to a child is known already.
 */
function byPosition(file: Deno.FsFile, fits: number[]): number | undefined {
  let position: number;
  try {
    position = file.seekSync(0, Deno.SeekMode.Current);
  } catch {
    return undefined; // A terminal, a named pipe: they have no position.
  }
  const mark = 2 ** 40 + Deno.pid;
  file.seekSync(mark, Deno.SeekMode.Start);
  try {
    const script =
      'for f in "/proc/$1/fdinfo/"*; do read -r _ at <"$f" && echo "$at ${f##*/}"; done';
    const there = ask(script).map((line) => line.split(" ").map(Number))
      .filter(([at, fd]) => at === mark && fits.includes(fd));
    return there.length === 1 ? there[0][1] : undefined;
  } finally {
    file.seekSync(position, Deno.SeekMode.Start);
  }
}

function ask(script: string, extra = ""): string[] {
  if (Deno.build.os !== "linux" || !mayRun(SHELL)) return [];
  const { stdout } = new Deno.Command(SHELL, {
    args: ["-c", script, "sh", String(Deno.pid), extra],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).split("\n");
}
