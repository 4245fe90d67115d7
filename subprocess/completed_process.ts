/**
 * What `run` gives back.
 *
 * @module
 */

import { CalledProcessError, type Output } from "./errors.ts";
import type { Args } from "./options.ts";

/**
 * A child that has ended: the result of `run` and `runSync`. `O` and `E` are the types of its captured output and errors, `null`
 * where they were not captured. Stands for `subprocess.CompletedProcess`.
 *
 * @example
 * ```ts
 * import { run } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * const done = await run(["echo", "hello"], { captureOutput: true, text: true });
 * done.checkReturncode();
 * assertEquals([done.returncode, done.stdout, done.stderr], [0, "hello\n", ""]);
 * ```
 */
export class CompletedProcess<O extends Output = Output, E extends Output = O> {
  /** The command, as it was given. */
  args: Args;
  /** The exit status; `-N` when signal N ended the child. */
  returncode: number;
  /** The captured standard output. */
  stdout: O;
  /** The captured standard error; `null` when it went into `stdout`. */
  stderr: E;

  /** Makes the result of `args`. */
  constructor(args: Args, returncode: number, stdout: O = null as O, stderr: E = null as E) {
    this.args = args;
    this.returncode = returncode;
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /**
   * Does nothing when the child ended with 0.
   *
   * @throws {CalledProcessError} when it did not.
   */
  checkReturncode(): void {
    if (this.returncode !== 0) {
      throw new CalledProcessError(this.returncode, this.args, this.stdout, this.stderr);
    }
  }
}
