/**
 * Other programs as children of this one: start them, talk to them, wait for them. Stands for Python's `subprocess`, and stands on
 * `Deno.Command`.
 *
 * | to | use |
 * | --- | --- |
 * | run a program to its end | {@linkcode run}, {@linkcode runSync} |
 * | run it and have only its return code or output | {@linkcode call}, {@linkcode checkCall}, {@linkcode checkOutput} and their `Sync` forms |
 * | talk to it while it runs, join several into a pipeline | {@linkcode Popen} |
 * | read its lines as they come | {@linkcode lines} |
 *
 * Arguments go to the program as they are: no shell is involved unless `shell` says so. Needs `--allow-run`; what an option
 * needs besides is named by the error. Files and descriptors given for the three streams, pipelines and `stderr: STDOUT` are joined in
 * the kernel on Linux; elsewhere files and pipelines are copied through this process.
 *
 * @example
 * ```ts
 * import { lines, PIPE, Popen, run } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout } = await run(["echo", "hello"], { captureOutput: true, text: true, check: true });
 * assertEquals(stdout, "hello\n");
 *
 * await using child = new Popen(["printf", "1\\n2\\n"], { stdout: PIPE });
 * let sum = 0;
 * for await (const line of lines(child.stdout)) sum += Number(line);
 * assertEquals(sum, 3);
 * ```
 *
 * @module
 */

export { CompletedProcess } from "./completed_process.ts";
export * from "./constants.ts";
export { CalledProcessError, type Output, SubprocessError, TimeoutExpired } from "./errors.ts";
export { getoutput, getoutputSync, getstatusoutput, getstatusoutputSync } from "./getoutput.ts";
export { lines, type LinesOptions } from "./lines.ts";
export type {
  Args,
  CallOptions,
  Captured,
  CapturedFrom,
  CheckOutputOptions,
  DecodeErrors,
  KillOptions,
  MayBeText,
  OptionOf,
  PopenOptions,
  RunOptions,
} from "./options.ts";
export { type CommunicateOptions, Popen } from "./popen.ts";
export { list2cmdline } from "./_quote.ts";
export {
  call,
  callSync,
  checkCall,
  checkCallSync,
  checkOutput,
  checkOutputSync,
  type Completed,
  run,
  runSync,
} from "./run.ts";
export { STARTUPINFO, type StartupInfoOptions } from "./startupinfo.ts";
export { DEVNULL, PIPE, type Stdio, STDOUT } from "./stdio.ts";
export type { WaitOptions } from "../threading/_core/clock.ts";
