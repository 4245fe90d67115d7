/**
 * Has a child ended, and how? Asked without the event loop.
 *
 * While this thread does not return to its event loop, nobody collects a child that has ended: it stays a zombie, and
 * `/proc/<pid>/stat` shows its wait status in the last field. Deno may read that file only with every permission; otherwise `/bin/sh`
 * reads it, which takes a millisecond.
 *
 * Guarantees: `"gone"` only when the child was collected, so that its status is known to the event loop or about to be. Never asks for
 * a permission. Relies on Linux.
 *
 * @module
 */

import { isAllGranted } from "../threading/_core/granted.ts";
import { demand, SHELL } from "./_wrapper.ts";

/** `null`: it runs. */
export type Peeked = number | null | "gone";

let direct: boolean | undefined;

/** Whether this process may read `/proc` itself, which makes a look cheap. */
export function peeksCheaply(): boolean {
  return direct ??= Deno.build.os === "linux" && isAllGranted();
}

/**
 * Looks once.
 *
 * @throws {Deno.errors.NotSupported} on other systems than Linux, or when the child runs as another user and so hides its status.
 * @throws {Deno.errors.NotCapable} when `/bin/sh` is needed and may not be run.
 */
export function peek(pid: number, what: string): Peeked {
  if (Deno.build.os !== "linux") {
    throw new Deno.errors.NotSupported(
      `Cannot call ${what}: waiting for a running child without the event loop is possible on Linux only; await the async form`,
    );
  }
  return peeksCheaply() ? peekDirectly(pid, what) : peekByShell(pid, what);
}

function peekDirectly(pid: number, what: string): Peeked {
  let stat: string;
  try {
    stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch {
    return "gone";
  }
  const code = read(stat);
  if (code === 0 && Deno.statSync("/proc/self").uid !== 0) {
    if (Deno.statSync(`/proc/${pid}`).uid !== Deno.statSync("/proc/self").uid) throw hidden(what);
  }
  return code;
}

function peekByShell(pid: number, what: string): Peeked {
  demand(SHELL, what, "looking at a child");
  const script =
    'read -r stat <"/proc/$1/stat" || exit 1; echo "$stat"; [ -O "/proc/$1" ] || [ -O /proc/1 ] || exit 3';
  const { code, stdout } = new Deno.Command(SHELL, {
    args: ["-c", script, "sh", String(pid)],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).outputSync();
  if (code !== 0 && code !== 3) return "gone";
  const found = read(new TextDecoder().decode(stdout));
  if (found === 0 && code === 3) throw hidden(what);
  return found;
}

/** The program's name comes second, in brackets, and may hold anything: the fields are counted from its end. */
function read(stat: string): Peeked {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).trim().split(" ");
  if (fields[0] !== "Z" && fields[0] !== "X") return null;
  const status = Number(fields[fields.length - 1]);
  const signal = status & 0x7f;
  return signal === 0 ? status >> 8 : -signal;
}

function hidden(what: string): Error {
  return new Deno.errors.NotSupported(
    `Cannot call ${what}: the child ended as another user, which hides its return code from a synchronous look; await the async form`,
  );
}
