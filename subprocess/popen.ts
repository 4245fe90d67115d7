/**
 * `Popen`, a running child.
 *
 * @module
 */

import { limitOf, remaining, type WaitOptions } from "../threading/_core/clock.ts";
import { opened } from "../threading/_core/leaks.ts";
import { Communication } from "./_communicate.ts";
import { TimeoutExpired } from "./errors.ts";
import { withoutNone } from "./_none.ts";
import { explain } from "./_explain.ts";
import { inheriting } from "./_inherit.ts";
import { type Launch, prepare } from "./_launch.ts";
import type { Args, CapturedFrom, KillOptions, PopenOptions } from "./options.ts";
import { peek, peeksCheaply } from "./_peek.ts";
import { drainInto, feedFrom } from "./_pump.ts";
import { returncodeOf, returncodeOfError, signalName, signalNumber } from "./_signals.ts";
import { type Hold, Spout, Tap } from "./_tap.ts";
import { signalFamily } from "./_terminate.ts";
import { encode, type TextMode, textModeOf } from "./_text.ts";
import { SHELL } from "./_wrapper.ts";
import { within } from "./_within.ts";

/** What a child may read: a string or bytes. */
export interface CommunicateOptions extends WaitOptions {
  /** Written to the child's standard input, which is then closed. Needs `stdin: PIPE`. */
  input?: string | Uint8Array | null;
}

/** Whom the messages of a constructor name. */
let caller = "Popen";

/** Starts a child on behalf of `what`, so that a refusal names what the user has called. For this package. */
export function startAs(args: Args, options: PopenOptions, what: string): Popen {
  caller = what;
  try {
    return new Popen(args, options);
  } finally {
    caller = "Popen";
  }
}

/** The child's end alone, not that of what is copied for it. For this package. */
export let exitOf: (popen: Popen) => Promise<number>;

/**
 * Gives up a child that has been killed: waits for its end, then closes its pipes, which a descendant may hold open for ever. For
 * this package.
 */
export let abandon: (popen: Popen) => Promise<number>;

/**
 * A child process that runs beside this one. The constructor starts it and throws at once when it cannot be started.
 *
 * - `returncode` and `poll()` follow the child by themselves.
 * - Leaving `await using` closes the pipes and waits for the child; it does not kill it.
 * - A child that nobody waits for does not keep this program alive, and goes on when this program ends, as in Python.
 * - Streams always carry bytes; `text` and its kin are for `communicate`. Read `stdout` and `stderr` while the child runs, or use
 *   `communicate`: a child stops when a pipe that nobody reads is full.
 * - `stdin: other.stdout` joins two children in the kernel (Linux). The other's pipe then belongs to this child and is closed here, so
 *   that the other learns when this one ends.
 *
 * Stands for `subprocess.Popen` ("Popen Constructor", "Popen Objects").
 *
 * @example
 * ```ts
 * import { PIPE, Popen } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * await using words = new Popen(["printf", "b\\na\\n"], { stdout: PIPE });
 * await using sorted = new Popen(["sort"], { stdin: words.stdout, stdout: PIPE, text: true });
 * assertEquals(await sorted.communicate(), ["a\nb\n", null]);
 * assertEquals([await words.wait(), sorted.returncode], [0, 0]);
 * ```
 */
// A bare `Popen` must take every one, whatever it was started with: only `any` is on good terms with all of them.
// deno-lint-ignore no-explicit-any
export class Popen<const T extends PopenOptions = any> implements AsyncDisposable {
  /** The command, as it was given. */
  readonly args: Args;
  /** The child's process id. */
  readonly pid: number;

  readonly #child: Deno.ChildProcess;
  readonly #text: TextMode | undefined;
  readonly #session: boolean;
  readonly #stdin: Spout | null;
  readonly #stdout: Tap | null;
  readonly #stderr: Tap | null;
  readonly #shown: { stdin: boolean; stdout: boolean; stderr: boolean };
  /** Fulfilled when the child has ended. */
  readonly #exit: Promise<number>;
  /** Fulfilled when, besides, everything that this process copies for the child has arrived. */
  readonly #end: Promise<number>;
  #copying: boolean;
  #returncode: number | null = null;
  #collected = false;
  #held = 0;
  #communication: Communication | undefined;

  /**
   * Starts `args`.
   *
   * @throws {TypeError} when an argument or option has the wrong type, or an option does not exist.
   * @throws {RangeError} when a value is out of range, a command is empty or has a NUL character, or an option is for Windows.
   * @throws {Deno.errors.NotFound} when the program or the working directory does not exist; `path` tells which.
   * @throws {Deno.errors.PermissionDenied} when the program may not be executed.
   * @throws {Deno.errors.NotADirectory} when `cwd` is not a directory.
   * @throws {Deno.errors.NotCapable} when `--allow-run` (or what else an option needs) is missing.
   * @throws {Deno.errors.NotSupported} when Deno or the platform cannot do what an option asks.
   */
  constructor(args: Args, options: T = {} as T) {
    const what = caller;
    const given: PopenOptions = withoutNone(options, what);
    const launch = prepare(args, given, what);
    this.#text = textModeOf(given, what);
    this.args = args;
    this.#child = start(launch, what);
    this.pid = this.#child.pid;
    this.#session = launch.newSession;
    this.#child.unref();
    const ended = opened(`Popen ${launch.attempt.program} (pid ${this.pid})`, Popen);
    for (const close of launch.handed) close();

    const { stdin, stdout, stderr } = launch.options;
    const hold: Hold = () => this.#hold();
    this.#stdin = stdin === "piped" ? new Spout(this.#child.stdin) : null;
    this.#stdout = stdout === "piped" ? new Tap(this.#child.stdout, hold) : null;
    this.#stderr = stderr === "piped" ? new Tap(this.#child.stderr, hold) : null;
    this.#shown = {
      stdin: launch.stdin.kind === "pipe",
      stdout: launch.stdout.kind === "pipe",
      stderr: launch.stderr.kind === "pipe",
    };

    this.#exit = this.#child.status.then(returncodeOf, returncodeOfError).then((code) => {
      this.#collected = true;
      ended();
      return this.#returncode ??= code;
    });
    const copies = [
      feedFrom(launch.stdin, this.#stdin, this.#exit),
      drainInto(launch.stdout, this.#stdout),
      drainInto(launch.stderr, this.#stderr),
    ].filter((copy) => copy !== undefined);
    this.#copying = copies.length > 0;
    this.#end = copies.length === 0 ? this.#exit : this.#exit.then(async (code) => {
      await Promise.all(copies);
      this.#copying = false;
      return code;
    });
    // Whoever waits is told; that nobody waits is no error.
    this.#end.catch(() => {});
    for (const copy of copies) copy.catch(() => {});
  }

  /** The exit status, `-N` when signal N ended the child; `null` while it runs. */
  get returncode(): number | null {
    return this.#returncode;
  }

  /** What the child reads; `null` without `stdin: PIPE`. */
  get stdin(): WritableStream<Uint8Array> | null {
    return this.#shown.stdin ? this.#stdin!.stream(() => this.#endOfPipe(0)) : null;
  }

  /** What the child writes; `null` without `stdout: PIPE`. See {@linkcode lines} for reading it line by line. */
  get stdout(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#shown.stdout ? this.#stdout!.stream(() => this.#endOfPipe(1)) : null;
  }

  /** What the child writes to standard error; `null` without `stderr: PIPE`. */
  get stderr(): ReadableStream<Uint8Array<ArrayBuffer>> | null {
    return this.#shown.stderr ? this.#stderr!.stream(() => this.#endOfPipe(2)) : null;
  }

  #endOfPipe<I extends 0 | 1 | 2>(index: I): { pid: number; index: I } | undefined {
    return this.#collected ? undefined : { pid: this.pid, index };
  }

  static {
    exitOf = (popen) => popen.#exit;
    abandon = async (popen) => {
      const release = popen.#hold();
      try {
        popen.#stdin?.abort();
        const exited = await popen.#exit;
        await Promise.all([popen.#stdout?.cancel(), popen.#stderr?.cancel()]);
        return exited;
      } finally {
        release();
      }
    };
  }

  /** Keeps the program alive while somebody waits. */
  #hold(): () => void {
    if (this.#collected) {
      // The child is gone, and with it what could be referred to; its output may still be in the pipe.
      const keepAlive = setInterval(() => {}, 2 ** 30);
      return () => clearInterval(keepAlive);
    }
    if (this.#held++ === 0) this.#child.ref();
    return () => {
      if (--this.#held === 0 && !this.#collected) this.#child.unref();
    };
  }

  /** The return code when the child has ended, `null` otherwise. Does not wait. */
  poll(): number | null {
    if (this.#returncode === null && peeksCheaply()) this.#look("Popen.poll");
    return this.#returncode;
  }

  /**
   * Asks the system, past the event loop. A child that the event loop has collected in this very turn is known to its `status`
   * already, though nobody who waits for that has been called yet.
   */
  #look(what: string): void {
    const seen = peek(this.pid, what);
    if (typeof seen === "number") this.#returncode = seen;
    if (seen !== "gone") return;
    const settled = Deno.inspect(this.#child.status, { colors: false, depth: 3 });
    const status = /code: (\d+),\s+signal: (?:null|"(\w+)")/.exec(settled);
    if (status !== null) {
      this.#returncode = returncodeOf({ code: Number(status[1]), signal: status[2] ?? null });
    } else if (settled.includes("<rejected>")) {
      this.#returncode = returncodeOfError(settled);
    } else {
      throw new Deno.errors.NotSupported(
        `Cannot call ${what} now: the event loop is about to deliver the child's return code; await wait()`,
      );
    }
  }

  /**
   * Waits until the child has ended, and until everything is written that goes to a `WritableStream` or file through this process.
   *
   * @throws {TimeoutExpired} after `timeout` milliseconds; the child goes on.
   * @throws The signal's reason when it is aborted; the child goes on.
   * @throws What the stream threw that was given for `stdin`, `stdout` or `stderr`.
   */
  async wait(options?: WaitOptions): Promise<number> {
    const limit = limitOf(options, "Popen.wait");
    const release = this.#hold();
    try {
      if (!this.#copying && this.#returncode !== null) return this.#returncode;
      if (limit.deadline === -Infinity && !this.#copying && this.poll() !== null) {
        return this.#returncode!;
      }
      return await within(this.#end, limit, () => new TimeoutExpired(this.args, options!.timeout!));
    } finally {
      release();
    }
  }

  /**
   * As {@linkcode Popen.wait}, and blocks this thread. Linux. It looks at the child in growing intervals of up to 20 ms, as
   * Python's `wait` with a time-out does.
   *
   * @throws {TypeError} when a Web stream, which needs the event loop, is the child's input or output.
   * @throws {TimeoutExpired} after `timeout` milliseconds; the child goes on.
   * @throws {Deno.errors.NotSupported} on other systems, while the child runs.
   */
  waitSync(options?: WaitOptions): number {
    const what = "Popen.waitSync";
    const limit = limitOf(options, what);
    if (this.#copying) {
      throw new TypeError(
        `Cannot call ${what}: what this child reads or writes is copied by the event loop, which would stand still; await wait()`,
      );
    }
    const cell = new Int32Array(new SharedArrayBuffer(4));
    for (let pause = 0.5;; pause = Math.min(pause * 2, 20)) {
      if (this.#returncode === null) this.#look(what);
      if (this.#returncode !== null) return this.#returncode;
      const left = remaining(limit.deadline);
      if (left <= 0) throw new TimeoutExpired(this.args, options!.timeout!);
      Atomics.wait(cell, 0, 0, Math.min(pause, left));
    }
  }

  /**
   * Writes `input`, closes the child's input, reads its output and errors to the end, and waits for it. All at once: no amount of data
   * in any direction makes it stop.
   *
   * May be called again after a `TimeoutExpired` or an abort: nothing is lost, and `input` need not be given again.
   *
   * @returns What was captured of `stdout` and `stderr`: strings in text mode, bytes otherwise, `null` where it is not a pipe.
   * @throws {TimeoutExpired} after `timeout` milliseconds, with the bytes that came by then; the child goes on.
   * @throws {TypeError} when somebody else reads the pipes, or the output is not in the encoding.
   * @throws {RangeError} when there is input but no `stdin: PIPE`, or other input than in the call before.
   */
  async communicate(
    options: CommunicateOptions = {},
  ): Promise<[CapturedFrom<T, "stdout">, CapturedFrom<T, "stderr">]> {
    const what = "Popen.communicate";
    const limit = limitOf(options, what);
    const input = options.input ?? undefined;
    const bytes = input === undefined ? undefined : encode(input, this.#text, what);
    if (this.#communication !== undefined && bytes !== undefined && bytes.length > 0) {
      throw new RangeError(
        `Cannot call ${what} with input again: the first call's is being written`,
      );
    }
    if (bytes !== undefined && bytes.length > 0 && !this.#shown.stdin) {
      throw new RangeError(`Cannot call ${what} with input: start the child with stdin: PIPE`);
    }
    const release = this.#hold();
    try {
      const talk = this.#communication ??= new Communication(
        bytes,
        this.#shown.stdin ? this.#stdin : null,
        this.#shown.stdout ? this.#stdout : null,
        this.#shown.stderr ? this.#stderr : null,
        this.#end,
        what,
      );
      await within(
        talk.done,
        limit,
        () => new TimeoutExpired(this.args, options.timeout!, talk.stdout(), talk.stderr()),
      );
      const captured = [talk.stdout(this.#text), talk.stderr(this.#text)];
      return captured as [CapturedFrom<T, "stdout">, CapturedFrom<T, "stderr">];
    } finally {
      release();
    }
  }

  /**
   * Sends a signal, by name or number; real-time signals by number. Does nothing when the child has ended.
   *
   * @throws {TypeError} when there is no such signal.
   */
  sendSignal(signal: Deno.Signal | number): void {
    this.#send(signal, {}, "Popen.sendSignal");
  }

  /** Asks the child to end (`SIGTERM`; on Windows it is ended). Does nothing when it has ended. */
  terminate(options: KillOptions = {}): void {
    this.#send("SIGTERM", options, "Popen.terminate");
  }

  /** Ends the child (`SIGKILL`). Does nothing when it has ended. */
  kill(options: KillOptions = {}): void {
    this.#send("SIGKILL", options, "Popen.kill");
  }

  #send(signal: Deno.Signal | number, options: KillOptions, what: string): void {
    const number = typeof signal === "number" ? signal : signalNumber(signal);
    if (number === undefined || signalName(number) === undefined) {
      throw new TypeError(`Cannot call ${what}: there is no signal ${String(signal)} here`);
    }
    if (options.killDescendants === true) {
      const alive = !this.#collected;
      if (alive || this.#session) {
        signalFamily(number, { pid: this.pid, alive, session: this.#session }, what);
      }
      return;
    }
    if (this.poll() !== null || this.#collected) return;
    const name = signalName(number)!;
    if (name.startsWith("SIGRT")) {
      // Deno has no names for these.
      new Deno.Command(SHELL, { args: ["-c", `kill -${number} ${this.pid}`] }).outputSync();
      return;
    }
    try {
      this.#child.kill(typeof signal === "string" ? signal : name as Deno.Signal);
    } catch (error) {
      // It ended, and the event loop has not told yet.
      const ended = error instanceof Deno.errors.NotFound ||
        (error instanceof TypeError && error.message.includes("terminated"));
      if (!ended) throw error;
    }
  }

  /** Closes the pipes that are still open and waits for the child to end, as leaving Python's `with` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    const release = this.#hold();
    try {
      if (this.#shown.stdin) this.#stdin!.close();
      if (this.#shown.stdout) await this.#stdout!.cancel();
      if (this.#shown.stderr) await this.#stderr!.cancel();
      await this.#end;
    } finally {
      release();
    }
  }
}

function start(launch: Launch, what: string): Deno.ChildProcess {
  // Descriptors are numbers, which the types of Deno.Command do not tell.
  const options = launch.options as unknown as Deno.CommandOptions;
  return inheriting(launch.passFds, what, () => {
    try {
      return new Deno.Command(launch.command, options).spawn();
    } catch (error) {
      throw explain(error, launch.attempt);
    }
  });
}
