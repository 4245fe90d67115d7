/**
 * Options that are the child's own business before it starts (`umask`, `stderr: STDOUT` on a pipe, supplementary groups …) and that
 * `Deno.Command` does not have.
 *
 * The command is started through a shell that does what was asked and then becomes the program (`exec`): same process id, same
 * return code, nothing stays between. What a shell cannot do is to let the constructor throw when there is no such program; so that is
 * looked up first, by the same shell with the same environment and working directory. The user's words are the shell's arguments,
 * never its text.
 *
 * @module
 */

import { isGranted } from "../threading/_core/granted.ts";

/** The shell of `shell: true` and of the wrapper. */
export const SHELL = "/bin/sh";
const BASH = "/bin/bash";

/** What the wrapper does before it becomes the program. */
export interface Wrapping {
  /** `stderr` joins `stdout`. */
  readonly merge: boolean;
  /** The file mode creation mask. */
  readonly umask: number | undefined;
  /** Descriptors to close. */
  readonly close: readonly number[];
  /** The name under which the program runs. */
  readonly argv0: string | undefined;
  /** `setpriv` and its options. */
  readonly credentials: readonly string[];
  /** The child's whole environment, where one is given. */
  readonly env: Readonly<Record<string, string>> | undefined;
}

/** Whether there is anything to do. */
export function needsWrapper(w: Wrapping): boolean {
  return w.merge || w.umask !== undefined || w.close.length > 0 || w.argv0 !== undefined ||
    w.credentials.length > 0;
}

/** The command that does it and becomes `argv`. */
export function wrap(argv: readonly string[], w: Wrapping): string[] {
  // A plain /bin/sh knows descriptors of one digit, no exec -a, and takes a program "-x" for an option of exec.
  const needsBash = w.argv0 !== undefined || w.close.some((fd) => fd > 9) ||
    argv[0].startsWith("-");
  const steps: string[] = [];
  // Shells bring variables of their own; the child shall have exactly what was given.
  const own = ["PWD", "OLDPWD", "SHLVL"].filter((name) => w.env !== undefined && !(name in w.env));
  if (own.length > 0) steps.push(`unset ${own.join(" ")}`);
  if (w.umask !== undefined) steps.push(`umask 0${w.umask.toString(8)}`);
  if (w.close.length > 0) steps.push(`exec ${w.close.map((fd) => `${fd}>&-`).join(" ")}`);
  const become = w.argv0 !== undefined
    ? 'exec -a "$0" -- "$@"'
    : needsBash
    ? 'exec -- "$@"'
    : 'exec "$@"';
  steps.push(w.merge ? `${become} 2>&1` : become);
  // -p: bash would otherwise run the file that BASH_ENV names.
  const shell = needsBash ? [BASH, "-p"] : [SHELL];
  return [...w.credentials, ...shell, "-c", steps.join("; "), w.argv0 ?? "sh", ...argv];
}

/** Whether the user has granted to run `command`. */
export function mayRun(command: string): boolean {
  return isGranted({ name: "run", command });
}

/** Refuses, naming the flag, what needs a helper program that may not be run. */
export function demand(command: string, what: string, why: string): void {
  if (mayRun(command)) return;
  throw new Deno.errors.NotCapable(
    `Cannot call ${what}: ${why} is done by ${command}, which this program may not run; start Deno with --allow-run, or with ${command} in its list`,
  );
}

/** What became of looking for a program. */
export type Lookup = "found" | "missing" | "forbidden";

// An absolute or relative path is taken as it is; a bare name is looked for in each directory of PATH.
const LOOKUP = `
look() {
  if [ -d "$1" ]; then seen=1; return 1; fi
  if [ -x "$1" ]; then exit 0; fi
  if [ -e "$1" ]; then seen=1; fi
}
case $1 in
  */*) look "$1" ;;
  *) set -f; IFS=:; for d in $PATH; do look "\${d:-.}/$1"; done ;;
esac
[ "$seen" ] && exit 126
exit 127`;

/** Looks for `program` as a child with this working directory and environment would. */
export function lookUp(
  program: string,
  place: { cwd?: string; env?: Readonly<Record<string, string>> },
): Lookup {
  const { code } = new Deno.Command(SHELL, {
    args: ["-c", LOOKUP, "sh", program],
    cwd: place.cwd,
    env: place.env,
    clearEnv: place.env !== undefined,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return code === 0 ? "found" : code === 126 ? "forbidden" : "missing";
}

/** The descriptors above 2 that a child of this process finds open: what this process has itself inherited. */
export function leaked(): number[] {
  const script = 'for f in /proc/self/fd/*; do [ -e "$f" ] && echo "${f##*/}"; done; exit 0';
  const { stdout } = new Deno.Command(SHELL, {
    args: ["-c", script],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "").map(Number)
    .filter((fd) => fd > 2);
}
