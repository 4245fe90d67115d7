/**
 * Reading lines as they come.
 *
 * @module
 */

/** How {@linkcode lines} decodes. */
export interface LinesOptions {
  /** Any label of `TextDecoder`; UTF-8 by default. */
  encoding?: string;
  /** `"replace"` puts U+FFFD for bytes that are not in the encoding; `"strict"`, the default, throws a `TypeError`. */
  errors?: "strict" | "replace";
}

/**
 * The lines of a child's output, one by one, as the child writes them: without the line end, which may be `\n`, `\r\n` or `\r`.
 * A character that two writes split is joined. Leaving the loop early closes the pipe, so that the child learns of it.
 *
 * Stands for Python's `for line in popen.stdout`.
 *
 * @throws {TypeError} when `stream` is `null` (the child was started without `stdout: PIPE`) or locked.
 * @throws {RangeError} when the encoding is unknown.
 * @example
 * ```ts
 * import { lines, PIPE, Popen } from "@batteries/concurrent/subprocess";
 * import { assertEquals } from "@std/assert";
 *
 * await using child = new Popen(["printf", "a\\nb\\n"], { stdout: PIPE });
 * const seen: string[] = [];
 * for await (const line of lines(child.stdout)) seen.push(line);
 * assertEquals(seen, ["a", "b"]);
 * ```
 */
export function lines(
  stream: ReadableStream<Uint8Array> | null,
  options: LinesOptions = {},
): ReadableStream<string> {
  if (!(stream instanceof ReadableStream)) {
    throw new TypeError(
      `Cannot call lines: expected a stream, got ${
        stream === null ? "null; start the child with stdout: PIPE" : typeof stream
      }`,
    );
  }
  const { encoding = "utf-8", errors = "strict" } = options;
  if (errors !== "strict" && errors !== "replace") {
    throw new RangeError(`Cannot call lines: errors must be "strict" or "replace", got ${errors}`);
  }
  if (stream.locked) {
    throw new TypeError(
      "Cannot call lines: somebody else reads this stream, release its lock first",
    );
  }
  const decoder = new TextDecoderStream(encoding, { fatal: errors === "strict", ignoreBOM: true });
  // A stream of bytes may be read into any buffer; the decoder's type asks for less. Piped here, so that the stream is ours at once.
  const text = stream.pipeThrough(decoder as unknown as ReadableWritablePair<string, Uint8Array>);
  return ReadableStream.from(split(text));
}

/** Loads what it needs when the first line is asked for: the rest of the package does without any other. */
async function* split(text: ReadableStream<string>): AsyncGenerator<string> {
  const { TextLineStream } = await import("@std/streams");
  yield* text.pipeThrough(new TextLineStream({ allowCR: true }));
}
