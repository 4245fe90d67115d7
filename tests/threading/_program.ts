/**
 * Runs the programs of `tests/fixtures/programs`, each in a process of its own.
 *
 * @module
 */
import { assertEquals } from "@std/assert";

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly signal: Deno.Signal | null;
  readonly out: string;
  readonly err: string;
}

/** How to run a program. */
export interface RunOptions {
  /** Flags of `deno run`. */
  readonly flags?: readonly string[];
  /** Arguments of the program. */
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
  /** Called as soon as the program has printed this line; with its process. */
  readonly onLine?: readonly [line: string, act: (child: Deno.ChildProcess) => void];
}

/** A program that takes longer hangs. Far beyond what the slowest takes on a busy machine. */
const HANGS_AFTER = 120_000;

/** Runs a program to its end; one that does not end is killed, and fails the test. */
export async function run(program: string, options: RunOptions = {}): Promise<Ended> {
  const url = /^[a-z]+:/.test(program)
    ? program
    : import.meta.resolve(`../fixtures/programs/${program}`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...options.flags ?? ["-A"], url, ...options.args ?? []],
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let hangs = false;
  const killer = setTimeout(() => {
    hangs = true;
    child.kill("SIGKILL");
  }, HANGS_AFTER);
  const [out, err, { code, signal }] = await Promise.all([
    text(
      child.stdout,
      options.onLine && ((printed) => {
        const [line, act] = options.onLine!;
        if (!printed.includes(`${line}\n`)) return false;
        act(child);
        return true;
      }),
    ),
    text(child.stderr),
    child.status,
  ]);
  clearTimeout(killer);
  if (hangs) throw new Error(`${program} does not end\nstdout: ${out}\nstderr: ${err}`);
  return { code, signal, out, err };
}

async function text(
  stream: ReadableStream<Uint8Array>,
  watch?: (printed: string) => boolean,
): Promise<string> {
  const decoder = new TextDecoder();
  let printed = "";
  for await (const chunk of stream) {
    printed += decoder.decode(chunk, { stream: true });
    if (watch?.(printed)) watch = undefined;
  }
  return printed;
}

/** Runs a program that must end well, having printed exactly these lines and nothing to standard error. */
export async function prints(
  program: string,
  lines: readonly string[],
  options?: RunOptions,
): Promise<void> {
  const { code, out, err } = await run(program, options);
  assertEquals({ out, err, code }, {
    out: lines.map((line) => `${line}\n`).join(""),
    err: "",
    code: 0,
  });
}
