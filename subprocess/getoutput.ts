/**
 * `getoutput` and `getstatusoutput`, Python's legacy shell functions.
 *
 * @module
 */

import { runAs, runAsSync } from "./run.ts";
import type { CompletedProcess } from "./completed_process.ts";
import type { RunOptions } from "./options.ts";
import { PIPE, STDOUT } from "./stdio.ts";

const LEGACY: RunOptions = { shell: true, text: true, stdout: PIPE, stderr: STDOUT };

/**
 * The output and errors, in order, of a shell's command line, without the last line end; the return code is ignored. The words of
 * `cmd` are the shell's to interpret: never put foreign text into it. Stands for `subprocess.getoutput` ("Legacy Shell Invocation
 * Functions").
 *
 * @throws {TypeError} when `cmd` is not a string.
 * @example
 * ```ts
 * import { getoutput } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await getoutput("echo out; echo err >&2"), "out\nerr");
 * ```
 */
export async function getoutput(cmd: string): Promise<string> {
  return split(await runAs(line(cmd, "getoutput"), LEGACY, "getoutput"))[1];
}

/**
 * As {@linkcode getoutput}, and blocks this thread.
 *
 * @throws {TypeError} when `cmd` is not a string.
 * @example
 * ```ts
 * import { getoutputSync } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getoutputSync("echo out"), "out");
 * ```
 */
export function getoutputSync(cmd: string): string {
  return split(runAsSync(line(cmd, "getoutputSync"), LEGACY, "getoutputSync"))[1];
}

/**
 * The return code, and the output as {@linkcode getoutput} gives it. Stands for `subprocess.getstatusoutput`.
 *
 * @throws {TypeError} when `cmd` is not a string.
 * @example
 * ```ts
 * import { getstatusoutput } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await getstatusoutput("echo no; exit 2"), [2, "no"]);
 * ```
 */
export async function getstatusoutput(cmd: string): Promise<[number, string]> {
  return split(await runAs(line(cmd, "getstatusoutput"), LEGACY, "getstatusoutput"));
}

/**
 * As {@linkcode getstatusoutput}, and blocks this thread.
 *
 * @throws {TypeError} when `cmd` is not a string.
 * @example
 * ```ts
 * import { getstatusoutputSync } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getstatusoutputSync("exit 2"), [2, ""]);
 * ```
 */
export function getstatusoutputSync(cmd: string): [number, string] {
  return split(runAsSync(line(cmd, "getstatusoutputSync"), LEGACY, "getstatusoutputSync"));
}

function line(cmd: string, what: string): string {
  if (typeof cmd === "string") return cmd;
  throw new TypeError(
    `Cannot call ${what}: cmd must be a string, got ${cmd === null ? "null" : typeof cmd}`,
  );
}

function split({ returncode, stdout }: CompletedProcess): [number, string] {
  const text = stdout as string;
  return [returncode, text.endsWith("\n") ? text.slice(0, -1) : text];
}
