/**
 * The options of `Popen`, `run` and their kin, and what they say about the types of the results.
 *
 * @module
 */

import type { WaitOptions } from "../threading/_core/clock.ts";
import type { PIPE, Stdio } from "./stdio.ts";
import type { STARTUPINFO } from "./startupinfo.ts";

/**
 * A command: the program and its arguments, or, as a string, the program alone (with `shell`, the command line). File URLs become
 * paths.
 */
export type Args = string | URL | readonly (string | URL)[];

/** How text is decoded when it is not in its encoding. */
export type DecodeErrors = "strict" | "replace" | "ignore";

/** The options of `Popen`. Each does what CPython's page says of it, or throws; none is ignored. */
export interface PopenOptions {
  /** Where the child reads from. */
  stdin?: Stdio;
  /** Where the child writes to. */
  stdout?: Stdio;
  /** Where the child's errors go; `STDOUT`: together with its output. */
  stderr?: Stdio;
  /** The program to start instead of the first argument, which remains its name; with `shell`, the shell. */
  executable?: string | URL;
  /** `true`: the command goes through `/bin/sh` (Windows: `cmd.exe`); a string: through that shell. */
  shell?: boolean | string;
  /** The child's working directory; also where a relative program is looked for. */
  cwd?: string | URL;
  /** The child's whole environment. Absent: this process's. */
  env?: Readonly<Record<string, string>>;
  /** `true`: captured output is a string. */
  text?: boolean;
  /** Captured output is a string in this encoding, any label of `TextDecoder`. */
  encoding?: string;
  /** Captured output is a string, and this happens to bytes that are not in the encoding. `"strict"` by default. */
  errors?: DecodeErrors;
  /** The older name of `text`. */
  universalNewlines?: boolean;
  /** Checked to be an integer; Deno's pipes are not buffered here. */
  bufsize?: number;
  /**
   * `true`: the child gets no other descriptors than the three streams and `passFds`. Absent: Deno opens all its descriptors so, and
   * only what this process has itself inherited stays open. `false`: the same as absent.
   */
  closeFds?: boolean;
  /** Descriptors that stay open in the child under the same numbers. Linux; needs `--allow-ffi`. */
  passFds?: readonly number[];
  /** `true`: the child leads a session of its own (`setsid`). */
  startNewSession?: boolean;
  /** Not possible in Deno: any value throws, `startNewSession` is what comes near. */
  processGroup?: number;
  /** The user to run as, by number or name. Needs the right to change it. */
  user?: number | string;
  /** The group to run as, by number or name. */
  group?: number | string;
  /** The supplementary groups, by number or name. Needs the program `setpriv`. */
  extraGroups?: readonly (number | string)[];
  /** The child's file mode creation mask, 0 to 0o777. */
  umask?: number;
  /** `true`, the default: the child has default signal handling. `false` is not possible in Deno and throws. */
  restoreSignals?: boolean;
  /** `-1`, the default, leaves the size of pipes to the system. Other sizes are not possible in Deno and throw. */
  pipesize?: number;
  /** Windows only. */
  startupinfo?: STARTUPINFO;
  /** Windows only: a sum of constants such as `CREATE_NEW_PROCESS_GROUP`. */
  creationflags?: number;
}

/** The options of `run` and `runSync`: those of `Popen`, of waiting, and these. */
export interface RunOptions extends PopenOptions, WaitOptions {
  /** What the child reads: a string (in `encoding`, UTF-8 by default) or bytes. */
  input?: string | Uint8Array | null;
  /** `true`: `stdout` and `stderr` are captured. */
  captureOutput?: boolean;
  /** `true`: another return code than 0 is a `CalledProcessError`. */
  check?: boolean;
  /**
   * `true`: nothing that the child has started outlives it, whether it ends by itself, by the time-out or by an abort. The child
   * leads a session of its own for that. Not in Python.
   */
  killDescendants?: boolean;
}

/** The options of `call` and `checkCall`. */
export type CallOptions = Omit<RunOptions, "captureOutput" | "check">;

/** The options of `checkOutput`, which owns `stdout`. */
export type CheckOutputOptions = Omit<RunOptions, "captureOutput" | "check" | "stdout">;

/** How `kill` and `terminate` act. */
export interface KillOptions {
  /**
   * `true`: the same signal goes to everything that the child has started and that is still below it. Where the child leads its own
   * session (`startNewSession`), also to what was left behind there. Not in Python.
   */
  killDescendants?: boolean;
}

/** The type of captured output: `string` in text mode, bytes otherwise; both when the options' static type does not tell. */
export type Captured<T> = T extends
  { readonly text: true } | { readonly universalNewlines: true } | { readonly encoding: string } | {
    readonly errors: DecodeErrors;
  } ? string
  : MayBeText<T> extends true ? string | Uint8Array<ArrayBuffer>
  : Uint8Array<ArrayBuffer>;

/** The type of what is captured of the stream `K`, under the options `T`: `null` where it is not a pipe. */
export type CapturedFrom<T, K extends "stdout" | "stderr"> =
  // Nothing is known of the options.
  0 extends 1 & T ? string | Uint8Array<ArrayBuffer> | null
    : T extends { readonly captureOutput: true } ? Captured<T>
    : [OptionOf<T, K>] extends [typeof PIPE] ? Captured<T>
    : typeof PIPE extends OptionOf<T, K> ? Captured<T> | null
    : true extends OptionOf<T, "captureOutput"> ? Captured<T> | null
    : null;

/** The type of the option `K` in the options' type `T`; `undefined` when it is not there. */
export type OptionOf<T, K extends string> = K extends keyof T ? T[K] : undefined;

/** `true` when the options' static type `T` leaves open whether captured output is text. */
export type MayBeText<T> = true extends OptionOf<T, "text"> | OptionOf<T, "universalNewlines">
  ? true
  : "encoding" extends keyof T ? true
  : "errors" extends keyof T ? true
  : false;
