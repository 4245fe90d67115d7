/**
 * One conversation with a child: input, output and errors at the same time.
 *
 * It starts once and goes on in the background when a call gives up, so that a later call finds everything that came in between and
 * the input is not written twice.
 *
 * @module
 */

import { Gathered, type Spout, type Tap } from "./_tap.ts";
import { decode, type TextMode } from "./_text.ts";

/** See the module's note. */
export class Communication {
  /** Fulfilled when all three streams and the child have ended. */
  readonly done: Promise<void>;
  readonly #out: Gathered | null;
  readonly #err: Gathered | null;

  constructor(
    input: Uint8Array | undefined,
    stdin: Spout | null,
    stdout: Tap | null,
    stderr: Tap | null,
    end: Promise<number>,
    what: string,
  ) {
    for (const tap of [stdout, stderr]) {
      if (tap?.taken) {
        throw new TypeError(
          `Cannot call ${what}: somebody else reads this child's pipe, release its lock first`,
        );
      }
    }
    this.#out = stdout && new Gathered();
    this.#err = stderr && new Gathered();
    this.done = Promise.all([
      stdin && say(stdin, input),
      stdout?.drain(this.#out!.add),
      stderr?.drain(this.#err!.add),
      end,
    ]).then(() => {});
    this.done.catch(() => {});
  }

  /** What came of the output by now. */
  stdout(mode?: TextMode): string | Uint8Array<ArrayBuffer> | null {
    return read(this.#out, mode);
  }

  /** What came of the errors by now. */
  stderr(mode?: TextMode): string | Uint8Array<ArrayBuffer> | null {
    return read(this.#err, mode);
  }
}

function read(gathered: Gathered | null, mode?: TextMode): string | Uint8Array<ArrayBuffer> | null {
  if (gathered === null) return null;
  return mode === undefined ? gathered.bytes() : decode(gathered.bytes(), mode);
}

/** A child that ends or closes its input before it has read everything is no error, as in Python. */
async function say(stdin: Spout, input: Uint8Array | undefined): Promise<void> {
  try {
    if (input !== undefined && input.length > 0) await stdin.write(input);
  } catch {
    // The child's end is told by its return code.
  }
  await stdin.close();
}
