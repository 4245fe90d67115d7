/**
 * From what the user asked for to what `Deno.Command` is told: every option is read, checked and either honoured or refused here.
 *
 * Relies on numeric descriptors in `stdin`, `stdout` and `stderr` of `Deno.Command`, which Deno takes and duplicates for the child.
 *
 * @module
 */

import { notStartable } from "./_explain.ts";
import { CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS } from "./constants.ts";
import { descriptorOf, otherEnd } from "./_descriptors.ts";
import { groupId, userId } from "./_accounts.ts";
import { demand, leaked, lookUp, needsWrapper, SHELL, wrap, type Wrapping } from "./_wrapper.ts";
import { handedOver } from "./_tap.ts";
import type { Args, PopenOptions } from "./options.ts";
import { list2cmdline } from "./_quote.ts";
import { type Place, placeOf } from "./stdio.ts";
import { pathOf } from "./_path.ts";
import { STARTUPINFO } from "./startupinfo.ts";

/** One of the three streams as `Deno.Command` takes it. */
export type Slot = "inherit" | "null" | "piped" | number;

/** The options of `Deno.Command`, with descriptors. */
export interface CommandOptions {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly clearEnv?: boolean;
  readonly uid?: number;
  readonly gid?: number;
  readonly detached?: boolean;
  readonly windowsRawArguments?: boolean;
  readonly stdin: Slot;
  readonly stdout: Slot;
  readonly stderr: Slot;
}

/** A child that is ready to be started. */
export interface Launch {
  readonly command: string;
  readonly options: CommandOptions;
  /** What the error says when it cannot be started. */
  readonly attempt: {
    program: string;
    cwd?: string;
    env?: Readonly<Record<string, string>>;
    changesUser: boolean;
  };
  /** What the three streams are; `copied` ones are piped and copied by this process. */
  readonly stdin: Place;
  readonly stdout: Place;
  readonly stderr: Place;
  readonly passFds: readonly number[];
  readonly newSession: boolean;
  /** Ends of other children's pipes that now belong to this one: closed here once it has started. */
  readonly handed: readonly (() => void)[];
}

const KNOWN = new Set([
  ..."stdin stdout stderr executable shell cwd env text encoding errors universalNewlines bufsize closeFds"
    .split(" "),
  ..."passFds startNewSession processGroup user group extraGroups umask restoreSignals pipesize"
    .split(" "),
  ..."startupinfo creationflags".split(" "),
]);
const INSTEAD: Record<string, string> = {
  preexecFn:
    "Deno runs no code between fork and exec; use startNewSession, umask, user and their kin",
  timeout: "give it to wait or communicate, or use run",
  signal: "give it to wait or communicate, or use run",
  input: "give it to communicate, or use run",
};

/**
 * Checks and prepares.
 *
 * @throws {TypeError} when a value has the wrong type or an option does not exist.
 * @throws {RangeError} when a value is out of range, empty, or holds a NUL character.
 * @throws {Deno.errors.NotSupported} when this platform or Deno cannot do what was asked.
 * @throws {Deno.errors.NotCapable} when a permission is missing.
 */
export function prepare(args: Args, options: PopenOptions, what: string): Launch {
  checkNames(options, what);
  checkSimple(options, what);
  const argv = argvOf(args, options, what);
  const env = options.env === undefined ? undefined : environment(options.env, what);
  const cwd = options.cwd === undefined ? undefined : pathOf(options.cwd, "cwd", what);
  if (cwd === "") throw new RangeError(`Cannot call ${what}: cwd must not be empty`);
  const executable = options.executable === undefined
    ? undefined
    : pathOf(options.executable, "executable", what);
  if (executable === "") throw new RangeError(`Cannot call ${what}: executable must not be empty`);

  const stdin = placeOf(options.stdin, "stdin", what);
  const stdout = placeOf(options.stdout, "stdout", what);
  const stderr = placeOf(options.stderr, "stderr", what);
  const handed: (() => void)[] = [];
  const slots = {
    stdin: slotOf(stdin, handed),
    stdout: slotOf(stdout, handed),
    stderr: stderr.kind === "stdout" ? undefined : slotOf(stderr, handed),
  };
  if (
    stdout.kind === "sink" && stderr.kind === "sink" && stdout.stream === stderr.stream &&
    slots.stdout === "piped"
  ) {
    throw new RangeError(
      `Cannot call ${what}: stdout and stderr are one stream, use stderr: STDOUT for that`,
    );
  }
  const joined = slots.stderr ?? (slots.stdout === "inherit" ? 1 : slots.stdout);
  const merge = slots.stderr === undefined && slots.stdout === "piped";

  const windows = windowsPart(options, what);
  const { credentials, uid, gid } = identity(options, what);
  const passFds = descriptors(options, what);
  const close = options.closeFds === true ? toClose(passFds, what) : [];
  const wrapping: Wrapping = {
    merge,
    umask: options.umask === undefined || options.umask === -1 ? undefined : options.umask,
    close,
    argv0: executable !== undefined && !options.shell && executable !== argv[0]
      ? argv[0]
      : undefined,
    credentials,
    env,
  };
  const program = executable ?? argv[0];
  const attempt = { program, cwd, env, changesUser: uid !== undefined || gid !== undefined };
  let command = [program, ...argv.slice(1)];
  if (needsWrapper(wrapping)) {
    if (Deno.build.os === "windows") {
      throw new Deno.errors.NotSupported(
        `Cannot call ${what}: stderr: STDOUT on a pipe, executable, umask and groups are not possible in Deno on Windows`,
      );
    }
    demand(SHELL, what, "what these options ask for");
    if (program !== SHELL) {
      const found = tryLookUp(attempt);
      if (found !== "found") throw notStartable(found, attempt);
    }
    command = wrap(command, wrapping);
  }
  const newSession = options.startNewSession === true;
  return {
    command: command[0],
    options: {
      args: command.slice(1),
      // cmd.exe splits by rules of its own: its line goes to it as it stands.
      ...(windows.raw ? { windowsRawArguments: true } : {}),
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env, clearEnv: true }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(newSession || windows.detached ? { detached: true } : {}),
      stdin: slots.stdin,
      stdout: slots.stdout,
      stderr: merge ? "null" : joined,
    },
    attempt,
    stdin,
    stdout,
    stderr,
    passFds,
    newSession,
    handed,
  };
}

function tryLookUp(attempt: Launch["attempt"]): "found" | "missing" | "forbidden" {
  try {
    return lookUp(attempt.program, attempt);
  } catch {
    // The shell itself did not start: its working directory is wrong, which the explanation finds out.
    return "missing";
  }
}

/** A stream of Deno's own, a descriptor, or a pipe that this process copies from or to. */
function slotOf(place: Place, handed: (() => void)[]): Slot {
  switch (place.kind) {
    case "inherit":
    case "null":
      return place.kind;
    case "fd":
      return place.fd;
    case "file":
      return descriptorOf(place.file) ?? "piped";
    case "source":
    case "sink": {
      const end = handedOver(place.stream);
      if (end === undefined) return "piped";
      const fd = otherEnd(end.pid, end.index);
      if (fd === undefined) return "piped";
      handed.push(end.close);
      return fd;
    }
    default:
      return "piped";
  }
}

function checkNames(options: PopenOptions, what: string): void {
  for (const [name, value] of Object.entries(options)) {
    if (KNOWN.has(name) || value === undefined) continue;
    throw new TypeError(
      `Cannot call ${what}: there is no option ${name}${INSTEAD[name] ? `; ${INSTEAD[name]}` : ""}`,
    );
  }
}

function checkSimple(options: PopenOptions, what: string): void {
  for (
    const name of [
      "text",
      "universalNewlines",
      "closeFds",
      "startNewSession",
      "restoreSignals",
    ] as const
  ) {
    const value = options[name];
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(`Cannot call ${what}: ${name} must be a boolean, got ${typeof value}`);
    }
  }
  const { shell } = options;
  if (shell !== undefined && typeof shell !== "boolean" && typeof shell !== "string") {
    throw new TypeError(
      `Cannot call ${what}: shell must be a boolean or a path, got ${typeof shell}`,
    );
  }
  if (shell === "") throw new RangeError(`Cannot call ${what}: shell must not be an empty path`);
  for (const name of ["bufsize", "pipesize", "umask", "creationflags", "processGroup"] as const) {
    const value = options[name];
    if (value !== undefined && !(typeof value === "number" && Number.isInteger(value))) {
      throw new TypeError(`Cannot call ${what}: ${name} must be an integer, got ${String(value)}`);
    }
  }
  const { umask = -1, pipesize = -1, processGroup } = options;
  if (umask < -1 || umask > 0o777) {
    throw new RangeError(`Cannot call ${what}: umask must be 0 to 0o777, got ${umask}`);
  }
  const unable = (rule: string) => new Deno.errors.NotSupported(`Cannot call ${what}: ${rule}`);
  if (pipesize < -1) {
    throw new RangeError(`Cannot call ${what}: pipesize must be positive, got ${pipesize}`);
  }
  if (pipesize !== -1) {
    throw unable("Deno's pipes keep the size that the system gives them, leave pipesize out");
  }
  if (processGroup !== undefined) {
    if (processGroup < 0) {
      throw new RangeError(
        `Cannot call ${what}: processGroup must be 0 or more, got ${processGroup}`,
      );
    }
    throw unable(
      "Deno cannot put a child into a process group; startNewSession: true gives it a session and a group of its own",
    );
  }
  if (options.restoreSignals === false) {
    throw unable("Deno always gives a child the default signal handling, leave restoreSignals out");
  }
}

function argvOf(args: Args, options: PopenOptions, what: string): string[] {
  const given = typeof args === "string" || args instanceof URL ? [args] : args;
  if (!Array.isArray(given)) {
    throw new TypeError(
      `Cannot call ${what}: args must be a string, a file URL or an array of them, got ${
        args === null ? "null" : typeof args
      }`,
    );
  }
  if (given.length === 0) {
    throw new RangeError(`Cannot call ${what}: args must not be empty, the program comes first`);
  }
  const words = given.map((word, i) => pathOf(word, given === args ? `args[${i}]` : "args", what));
  const { shell } = options;
  if (!shell) {
    if (words[0] === "") {
      throw new RangeError(`Cannot call ${what}: the program's name must not be empty`);
    }
    return words;
  }
  if (Deno.build.os === "windows") {
    return [
      typeof shell === "string" ? shell : "cmd.exe",
      "/d",
      "/s",
      "/c",
      `"${typeof args === "string" ? args : list2cmdline(words)}"`,
    ];
  }
  // The first word is the command line, the others are the shell's own arguments: never joined into it.
  return [typeof shell === "string" ? shell : SHELL, "-c", ...words];
}

function environment(env: Readonly<Record<string, string>>, what: string): Record<string, string> {
  if (typeof env !== "object" || env === null) {
    throw new TypeError(`Cannot call ${what}: env must be an object of strings, got ${typeof env}`);
  }
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (typeof value !== "string") {
      throw new TypeError(`Cannot call ${what}: env.${name} must be a string, got ${typeof value}`);
    }
    if (name === "" || name.includes("=") || name.includes("\0")) {
      throw new RangeError(
        `Cannot call ${what}: ${
          JSON.stringify(name)
        } is no name for a variable: it must not be empty nor hold = or NUL`,
      );
    }
    if (value.includes("\0")) {
      throw new RangeError(`Cannot call ${what}: env.${name} must not hold a NUL character`);
    }
    checked[name] = value;
  }
  return checked;
}

/** User, group and supplementary groups: Deno's own where that is enough, `setpriv` where groups are given. */
function identity(
  options: PopenOptions,
  what: string,
): { credentials: string[]; uid?: number; gid?: number } {
  const uid = options.user === undefined ? undefined : userId(options.user, "user", what);
  const gid = options.group === undefined ? undefined : groupId(options.group, "group", what);
  if (options.extraGroups === undefined) return { credentials: [], uid, gid };
  if (!Array.isArray(options.extraGroups)) {
    throw new TypeError(
      `Cannot call ${what}: extraGroups must be an array, got ${typeof options.extraGroups}`,
    );
  }
  const groups = options.extraGroups.map((group, i) => groupId(group, `extraGroups[${i}]`, what));
  if (Deno.build.os !== "linux") {
    throw new Deno.errors.NotSupported(
      `Cannot call ${what}: extraGroups is possible on Linux only`,
    );
  }
  demand("setpriv", what, "extraGroups");
  if (lookUp("setpriv", {}) !== "found") {
    throw new Deno.errors.NotSupported(
      `Cannot call ${what}: extraGroups needs the program setpriv (of util-linux), which is not in PATH`,
    );
  }
  const credentials = ["setpriv"];
  if (uid !== undefined) credentials.push(`--reuid=${uid}`);
  if (gid !== undefined) credentials.push(`--regid=${gid}`);
  credentials.push(groups.length === 0 ? "--clear-groups" : `--groups=${groups.join(",")}`, "--");
  return { credentials };
}

function descriptors(options: PopenOptions, what: string): number[] {
  const { passFds, closeFds } = options;
  if (passFds === undefined) return [];
  if (!Array.isArray(passFds)) {
    throw new TypeError(
      `Cannot call ${what}: passFds must be an array of descriptors, got ${typeof passFds}`,
    );
  }
  for (const fd of passFds) {
    if (typeof fd !== "number") {
      throw new TypeError(`Cannot call ${what}: passFds must hold descriptors, got ${typeof fd}`);
    }
    if (!Number.isInteger(fd) || fd < 0) {
      throw new RangeError(
        `Cannot call ${what}: passFds must hold descriptors (0 or more), got ${fd}`,
      );
    }
  }
  if (passFds.length > 0 && closeFds === false) {
    throw new RangeError(
      `Cannot call ${what} with passFds and closeFds: false: leave closeFds out`,
    );
  }
  return passFds.filter((fd) => fd > 2);
}

function toClose(passFds: readonly number[], what: string): number[] {
  if (Deno.build.os === "windows") return [];
  if (Deno.build.os !== "linux") {
    throw new Deno.errors.NotSupported(
      `Cannot call ${what}: closeFds: true is possible on Linux only; without it a child gets nothing that Deno opened`,
    );
  }
  demand(SHELL, what, "closeFds: true");
  return leaked().filter((fd) => !passFds.includes(fd));
}

function windowsPart(options: PopenOptions, what: string): { detached: boolean; raw: boolean } {
  const { startupinfo, creationflags = 0 } = options;
  if (startupinfo !== undefined && startupinfo !== null && !(startupinfo instanceof STARTUPINFO)) {
    throw new TypeError(
      `Cannot call ${what}: startupinfo must be a STARTUPINFO, got ${typeof startupinfo}`,
    );
  }
  if (Deno.build.os === "windows") {
    const honoured = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    if (startupinfo?.dwFlags) {
      throw new Deno.errors.NotSupported(
        `Cannot call ${what}: Deno passes no STARTUPINFO on, leave it out`,
      );
    }
    if (creationflags !== 0 && creationflags !== honoured) {
      throw new Deno.errors.NotSupported(
        `Cannot call ${what}: of the creation flags Deno knows only DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP, both together`,
      );
    }
    return { detached: creationflags === honoured, raw: Boolean(options.shell) };
  }
  if (startupinfo !== undefined && startupinfo !== null) {
    throw new RangeError(`Cannot call ${what}: startupinfo is possible on Windows only`);
  }
  if (creationflags !== 0) {
    throw new RangeError(`Cannot call ${what}: creationflags is possible on Windows only`);
  }
  return { detached: false, raw: false };
}
