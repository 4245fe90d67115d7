/**
 * `run` and its kin: start a child, wait for it, give back what became of it.
 *
 * @module
 */

import { bagOf } from "../threading/_core/options.ts";
import { CompletedProcess } from "./completed_process.ts";
import { type Output, TimeoutExpired } from "./errors.ts";
import { type Launch, prepare } from "./_launch.ts";
import type {
  Args,
  CallOptions,
  Captured,
  CapturedFrom,
  CheckOutputOptions,
  RunOptions,
} from "./options.ts";
import { abandon, exitOf, type Popen, startAs } from "./popen.ts";
import { PIPE } from "./stdio.ts";
import { splitRunOptions } from "./_run_options.ts";
import { runBlocking } from "./_sync.ts";
import { Gathered } from "./_tap.ts";
import { demandDescendants, signalFamily } from "./_terminate.ts";
import { decode } from "./_text.ts";

/** The type of what `run` gives back under the options `T`. */
export type Completed<T> = CompletedProcess<CapturedFrom<T, "stdout">, CapturedFrom<T, "stderr">>;

/**
 * Runs a command to its end.
 *
 * With `timeout` or `signal`, the child is killed and reaped before the call rejects. Stands for `subprocess.run` ("Using the
 * subprocess Module").
 *
 * @throws {CalledProcessError} with `check: true`, when the return code is not 0.
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds.
 * @throws {TypeError} when an argument or option has the wrong type or does not exist.
 * @throws {RangeError} when options contradict each other or are out of range.
 * @throws {Deno.errors.NotFound} when the program or `cwd` does not exist; see `Popen` for the others of this kind.
 * @throws The signal's reason when it is aborted.
 * @example
 * ```ts
 * import { run } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * const { stdout } = await run(["sort"], { input: "b\na\n", captureOutput: true, text: true });
 * assertEquals(stdout, "a\nb\n");
 * ```
 */
export async function run<const T extends RunOptions = Record<never, never>>(
  args: Args,
  options: T = {} as T,
): Promise<Completed<T>> {
  return await runAs(args, options, "run") as Completed<T>;
}

/**
 * As {@linkcode run}, and blocks this thread. Takes the same options but Web streams; looks at `signal` once, at the call.
 *
 * With `input`, `timeout`, `startNewSession` or `killDescendants` a helper thread runs the child. Output that a child had written
 * before a real-time signal ended it is lost where there is no helper thread, because Deno does not give it.
 *
 * @throws {TypeError} when a stream is or would be a Web stream, which needs the event loop; and as `run` does.
 * @throws {CalledProcessError} with `check: true`, when the return code is not 0.
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds; it is killed and reaped.
 * @example
 * ```ts
 * import { runSync } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(runSync(["cat"], { input: "hello", captureOutput: true, text: true }).stdout, "hello");
 * ```
 */
export function runSync<const T extends RunOptions = Record<never, never>>(
  args: Args,
  options: T = {} as T,
): Completed<T> {
  return runAsSync(args, options, "runSync") as Completed<T>;
}

/**
 * Runs a command and gives its return code. Stands for `subprocess.call` ("Older high-level API").
 *
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds; it is killed and reaped.
 * @throws As `run` does.
 * @example
 * ```ts
 * import { call } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await call("exit 3", { shell: true }), 3);
 * ```
 */
export async function call(args: Args, options: CallOptions = {}): Promise<number> {
  return (await runAs(args, options, "call", NO_CAPTURE)).returncode;
}

/**
 * As {@linkcode call}, and blocks this thread; see {@linkcode runSync}.
 *
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds; it is killed and reaped.
 * @throws As `runSync` does.
 * @example
 * ```ts
 * import { callSync } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(callSync("exit 3", { shell: true }), 3);
 * ```
 */
export function callSync(args: Args, options: CallOptions = {}): number {
  return runAsSync(args, options, "callSync", NO_CAPTURE).returncode;
}

/**
 * Runs a command that must end with 0, and gives that 0. Stands for `subprocess.check_call`.
 *
 * @throws {CalledProcessError} when the return code is not 0.
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds; it is killed and reaped.
 * @throws As `run` does.
 * @example
 * ```ts
 * import { checkCall } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await checkCall(["true"]), 0);
 * ```
 */
export async function checkCall(args: Args, options: CallOptions = {}): Promise<number> {
  return checked(await runAs(args, options, "checkCall", NO_CAPTURE));
}

/**
 * As {@linkcode checkCall}, and blocks this thread; see {@linkcode runSync}.
 *
 * @throws {CalledProcessError} when the return code is not 0.
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds; it is killed and reaped.
 * @throws As `runSync` does.
 * @example
 * ```ts
 * import { checkCallSync } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(checkCallSync(["true"]), 0);
 * ```
 */
export function checkCallSync(args: Args, options: CallOptions = {}): number {
  return checked(runAsSync(args, options, "checkCallSync", NO_CAPTURE));
}

/**
 * Runs a command that must end with 0, and gives its output: a string in text mode, bytes otherwise. `stderr: STDOUT` adds its
 * errors. Stands for `subprocess.check_output`.
 *
 * @throws {CalledProcessError} when the return code is not 0; the output is in it.
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds; it is killed and reaped.
 * @throws {RangeError} when `stdout` is given.
 * @throws As `run` does.
 * @example
 * ```ts
 * import { checkOutput } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await checkOutput(["echo", "hello"], { text: true }), "hello\n");
 * ```
 */
export async function checkOutput<const T extends CheckOutputOptions = Record<never, never>>(
  args: Args,
  options: T = {} as T,
): Promise<Captured<T>> {
  const done = await runAs(args, capturing(options, "checkOutput"), "checkOutput");
  checked(done);
  return done.stdout as Captured<T>;
}

/**
 * As {@linkcode checkOutput}, and blocks this thread; see {@linkcode runSync}.
 *
 * @throws {CalledProcessError} when the return code is not 0; the output is in it.
 * @throws {TimeoutExpired} when the child runs longer than `timeout` milliseconds; it is killed and reaped.
 * @throws {RangeError} when `stdout` is given.
 * @throws As `runSync` does.
 * @example
 * ```ts
 * import { checkOutputSync } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(checkOutputSync(["echo", "hello"], { text: true }), "hello\n");
 * ```
 */
export function checkOutputSync<const T extends CheckOutputOptions = Record<never, never>>(
  args: Args,
  options: T = {} as T,
): Captured<T> {
  const done = runAsSync(args, capturing(options, "checkOutputSync"), "checkOutputSync");
  checked(done);
  return done.stdout as Captured<T>;
}

/** The options of `run` that its kin have no use for. */
const NO_CAPTURE = ["captureOutput", "check"] as const;

function refuse(options: object, names: readonly string[], what: string): void {
  for (const name of names) {
    if ((options as Record<string, unknown>)[name] !== undefined) {
      throw new RangeError(`Cannot call ${what} with ${name}: it has its own, use run`);
    }
  }
}

function capturing(options: CheckOutputOptions, what: string): RunOptions {
  bagOf(options, `call ${what}`, "{ text: true }");
  refuse(options, ["stdout", ...NO_CAPTURE], what);
  // Python's rule: no input at all lets the child read this process's input, null is empty input.
  return { ...options, stdout: PIPE, ...(options.input === null ? { input: "" } : {}) };
}

function checked(done: CompletedProcess): number {
  done.checkReturncode();
  return done.returncode;
}

/** `run` for whoever `what` is. For this package. */
export async function runAs(
  args: Args,
  options: RunOptions,
  what: string,
  refused: readonly string[] = [],
): Promise<CompletedProcess> {
  const { popenOptions, waitOptions, input, check, killDescendants } = splitRunOptions(
    options,
    what,
  );
  refuse(options, refused, what);
  if (killDescendants) demandDescendants(what);
  const popen: Popen = startAs(args, popenOptions, what);
  const swept = killDescendants ? sweep(popen, what) : undefined;
  let captured: [Output, Output];
  try {
    captured = await popen.communicate({ input, ...waitOptions });
  } catch (error) {
    // Kill first, then wait for the child alone: what it left behind may hold the pipes for ever.
    popen.kill({ killDescendants });
    await abandon(popen);
    await swept;
    throw error;
  }
  await swept;
  const done = new CompletedProcess(args, popen.returncode!, captured[0], captured[1]);
  if (check) done.checkReturncode();
  return done;
}

/** As soon as the child has ended, ends what is left in its session; the pipes close with that. */
async function sweep(popen: Popen, what: string): Promise<void> {
  await exitOf(popen);
  signalFamily(9, { pid: popen.pid, alive: false, session: true }, what);
}

/** `runSync` for whoever `what` is. For this package. */
export function runAsSync(
  args: Args,
  options: RunOptions,
  what: string,
  refused: readonly string[] = [],
): CompletedProcess {
  const split = splitRunOptions(options, what);
  refuse(options, refused, what);
  if (split.killDescendants) demandDescendants(what);
  const launch = prepare(args, split.popenOptions, what);
  const copied = copiedFiles(launch, split.input, what);
  const { returncode, expired, stdout, stderr } = runBlocking(
    launch,
    copied.input,
    split.waitOptions.timeout,
    split.killDescendants,
    what,
  );
  for (const close of launch.handed) close();
  copied.write(stdout, stderr);
  const out = launch.stdout.kind === "pipe" ? stdout : null;
  const err = launch.stderr.kind === "pipe" ? stderr : null;
  if (expired) throw new TimeoutExpired(args, split.waitOptions.timeout!, out, err);
  const text = (bytes: Uint8Array<ArrayBuffer> | null) =>
    bytes === null || split.text === undefined ? bytes : decode(bytes, split.text);
  const done = new CompletedProcess(args, returncode, text(out), text(err));
  if (split.check) done.checkReturncode();
  return done;
}

/** Files whose descriptor is not to be had are read before and written after. */
function copiedFiles(launch: Launch, input: Uint8Array | undefined, what: string) {
  const { stdin, stdout, stderr } = launch;
  for (const [name, place] of Object.entries({ stdin, stdout, stderr })) {
    const slot = launch.options[name as "stdin"];
    if ((place.kind === "source" || place.kind === "sink") && slot === "piped") {
      throw new TypeError(
        `Cannot call ${what}: ${name} is a Web stream, which needs the event loop that this call blocks; await the async form`,
      );
    }
  }
  // A pipe that nobody writes to is closed at once, as communicate does.
  if (stdin.kind === "pipe") input ??= new Uint8Array();
  if (stdin.kind === "file" && launch.options.stdin === "piped") input = readAll(stdin.file);
  return {
    input,
    write(out: Uint8Array | null, err: Uint8Array | null) {
      if (stdout.kind === "file" && out !== null) writeAll(stdout.file, out);
      if (stderr.kind === "file" && err !== null) writeAll(stderr.file, err);
    },
  };
}

function readAll(file: Deno.FsFile): Uint8Array {
  const all = new Gathered();
  let block = new Uint8Array(65536);
  for (let count; (count = file.readSync(block)) !== null;) {
    if (all.add(block.subarray(0, count))) block = new Uint8Array(65536);
  }
  return all.bytes();
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
