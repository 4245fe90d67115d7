/**
 * Where a child's three streams go: Python's three special values and what else may stand in their place.
 *
 * @module
 */

/** A pipe between this process and the child. Stands for `subprocess.PIPE`. */
export const PIPE: -1 = -1;
/** Only for `stderr`: wherever `stdout` goes, in the order of writing. Stands for `subprocess.STDOUT`. */
export const STDOUT: -2 = -2;
/** Nothing to read, and whatever is written is dropped. Stands for `subprocess.DEVNULL`. */
export const DEVNULL: -3 = -3;

/**
 * What `stdin`, `stdout` and `stderr` may be. `null` or absent: the child uses this process's own. A number is a file descriptor as
 * `node:fs` gives it, or 0, 1, 2. A `Deno.FsFile` is used from its position and left open. The `stdout` of another `Popen` as
 * `stdin` makes a pipeline.
 */
export type Stdio =
  | typeof PIPE
  | typeof STDOUT
  | typeof DEVNULL
  | Deno.FsFile
  | number
  | ReadableStream<Uint8Array>
  | WritableStream<Uint8Array>
  | null;

/** A checked {@linkcode Stdio}. */
export type Place =
  | { readonly kind: "inherit" | "null" | "pipe" | "stdout" }
  | { readonly kind: "fd"; readonly fd: number }
  | { readonly kind: "file"; readonly file: Deno.FsFile }
  | { readonly kind: "source"; readonly stream: ReadableStream<Uint8Array> }
  | { readonly kind: "sink"; readonly stream: WritableStream<Uint8Array> };

/**
 * Checks one of the three options.
 *
 * @throws {TypeError} when the value is none of {@linkcode Stdio}, is a stream of the wrong direction or is locked.
 * @throws {RangeError} when `STDOUT` stands elsewhere than in `stderr`, or a descriptor is negative.
 */
export function placeOf(
  value: Stdio | undefined,
  name: "stdin" | "stdout" | "stderr",
  what: string,
): Place {
  const refuse = (rule: string) => `Cannot call ${what}: ${name} ${rule}`;
  if (value === undefined || value === null) return { kind: "inherit" };
  if (typeof value === "number") {
    if (value === PIPE) return { kind: "pipe" };
    if (value === DEVNULL) return { kind: "null" };
    if (value === STDOUT) {
      if (name === "stderr") return { kind: "stdout" };
      throw new RangeError(refuse("may not be STDOUT, which is for stderr only"));
    }
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(refuse(`must be a file descriptor (0 or more), got ${value}`));
    }
    return { kind: "fd", fd: value };
  }
  if (value instanceof Deno.FsFile) return { kind: "file", file: value };
  if (value instanceof ReadableStream || value instanceof WritableStream) {
    const wanted = name === "stdin" ? ReadableStream : WritableStream;
    if (!(value instanceof wanted)) {
      throw new TypeError(refuse(`must be a ${wanted.name}, got a ${value.constructor.name}`));
    }
    if (value.locked) {
      throw new TypeError(refuse("is a stream that somebody else uses: release its lock first"));
    }
    return value instanceof ReadableStream
      ? { kind: "source", stream: value }
      : { kind: "sink", stream: value };
  }
  throw new TypeError(
    refuse(
      `must be PIPE, DEVNULL, ${
        name === "stderr" ? "STDOUT, " : ""
      }a descriptor, a Deno.FsFile, a stream or null, got ${typeof value}`,
    ),
  );
}
