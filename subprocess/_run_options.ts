/**
 * The options of `run`, checked and taken apart before anything is started.
 *
 * @module
 */

import { limitOf, type WaitOptions } from "../threading/_core/clock.ts";
import type { PopenOptions, RunOptions } from "./options.ts";
import { PIPE } from "./stdio.ts";
import { withoutNone } from "./_none.ts";
import { encode, type TextMode, textModeOf } from "./_text.ts";

/** See {@linkcode splitRunOptions}. */
export interface SplitOptions {
  readonly popenOptions: PopenOptions;
  readonly waitOptions: WaitOptions;
  readonly input: Uint8Array | undefined;
  readonly text: TextMode | undefined;
  readonly check: boolean;
  readonly killDescendants: boolean;
}

/**
 * Takes the options of `run` apart.
 *
 * @throws {TypeError} when one has the wrong type.
 * @throws {RangeError} when two contradict each other, or `timeout` is out of range.
 * @throws The signal's reason, when it is already aborted.
 */
export function splitRunOptions(options: RunOptions, what: string): SplitOptions {
  const {
    input,
    captureOutput = false,
    check = false,
    killDescendants = false,
    timeout,
    signal,
    ...rest
  } = withoutNone(options, what);
  for (const [name, value] of Object.entries({ captureOutput, check, killDescendants })) {
    if (typeof value !== "boolean") {
      throw new TypeError(`Cannot call ${what}: ${name} must be a boolean, got ${typeof value}`);
    }
  }
  const waitOptions: WaitOptions = { timeout, signal };
  limitOf(waitOptions, what);
  const text = textModeOf(rest, what);
  const popenOptions: PopenOptions = { ...rest };
  if (captureOutput) {
    if ((rest.stdout ?? null) !== null || (rest.stderr ?? null) !== null) {
      throw new RangeError(
        `Cannot call ${what} with captureOutput and stdout or stderr: leave one of them out`,
      );
    }
    popenOptions.stdout = PIPE;
    popenOptions.stderr = PIPE;
  }
  let bytes: Uint8Array | undefined;
  if (input !== undefined && input !== null) {
    if ((rest.stdin ?? null) !== null) {
      throw new RangeError(`Cannot call ${what} with both stdin and input: leave one of them out`);
    }
    bytes = encode(input, text, what);
    popenOptions.stdin = PIPE;
  }
  if (killDescendants) popenOptions.startNewSession = true;
  return { popenOptions, waitOptions, input: bytes, text, check, killDescendants };
}
