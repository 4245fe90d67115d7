/**
 * The errors of `subprocess`.
 *
 * @module
 */

import { nameIt } from "../threading/_core/errors.ts";
import type { Args } from "./options.ts";
import { signalName } from "./_signals.ts";

/**
 * The class of the errors that this package raises about a child that ran. Stands for `subprocess.SubprocessError`.
 */
export class SubprocessError extends Error {
  static {
    nameIt(this, "SubprocessError");
  }
}

/** What a child wrote, as far as it was captured. */
export type Output = string | Uint8Array<ArrayBuffer> | null;

/**
 * Raised by `checkCall`, `checkOutput`, `run` with `check: true` and `CompletedProcess.checkReturncode` when a child ended with
 * another return code than 0. Stands for `subprocess.CalledProcessError`.
 *
 * @example
 * ```ts
 * import { CalledProcessError, checkOutput } from "@batteries/concurrent/subprocess";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(
 *   () => checkOutput("echo half; exit 3", { shell: true, text: true }),
 *   CalledProcessError,
 * );
 * assertEquals([error.returncode, error.output], [3, "half\n"]);
 * ```
 */
export class CalledProcessError extends SubprocessError {
  static {
    nameIt(this, "CalledProcessError");
  }
  /** The exit status; `-N` when signal N ended the child. */
  returncode: number;
  /** The command, as it was given. */
  cmd: Args;
  /** The captured standard output; `null` when it was not captured. */
  output: Output;
  /** The captured standard error; `null` when it was not captured. */
  stderr: Output;

  /** Makes the error for `cmd`, which ended with `returncode`. */
  constructor(returncode: number, cmd: Args, output: Output = null, stderr: Output = null) {
    super(`Command ${shown(cmd)} ${fate(returncode)}`);
    this.returncode = returncode;
    this.cmd = cmd;
    this.output = output;
    this.stderr = stderr;
  }

  /** The same as `output`. */
  get stdout(): Output {
    return this.output;
  }
  set stdout(value: Output) {
    this.output = value;
  }
}

/**
 * Raised when a child runs longer than `timeout`. `run`, `call` and their kin have killed and reaped it by then; after `wait`,
 * `waitSync` and `communicate` it goes on. Stands for `subprocess.TimeoutExpired`.
 *
 * @example
 * ```ts
 * import { run, TimeoutExpired } from "@batteries/concurrent/subprocess";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const error = await assertRejects(() => run(["sleep", "60"], { timeout: 20 }), TimeoutExpired);
 * assertEquals(error.timeout, 20);
 * ```
 */
export class TimeoutExpired extends SubprocessError {
  static {
    nameIt(this, "TimeoutExpired");
  }
  /** The command, as it was given. */
  cmd: Args;
  /** The time-out, in milliseconds. */
  timeout: number;
  /** What the child had written by then: always bytes, in text mode too, as in Python; `null` when it was not captured. */
  output: Output;
  /** What the child had written to standard error by then; see `output`. */
  stderr: Output;

  /** Makes the error for `cmd`, which ran for longer than `timeout` milliseconds. */
  constructor(cmd: Args, timeout: number, output: Output = null, stderr: Output = null) {
    super(`Command ${shown(cmd)} timed out after ${timeout} ms`);
    this.cmd = cmd;
    this.timeout = timeout;
    this.output = output;
    this.stderr = stderr;
  }

  /** The same as `output`. */
  get stdout(): Output {
    return this.output;
  }
  set stdout(value: Output) {
    this.output = value;
  }
}

function shown(cmd: Args): string {
  return typeof cmd === "string" || cmd instanceof URL
    ? `'${cmd}'`
    : Array.isArray(cmd)
    ? `[${cmd.map((item) => `'${item}'`).join(", ")}]`
    : String(cmd);
}

function fate(returncode: number): string {
  if (returncode >= 0) return `returned non-zero exit status ${returncode}`;
  return `died with ${signalName(-returncode) ?? `unknown signal ${-returncode}`}`;
}
