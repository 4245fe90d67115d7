/**
 * Copying between a child's pipes and what only this process can reach: Web streams, and files whose descriptor is not to be had.
 *
 * @module
 */

import type { Place } from "./stdio.ts";
import type { Spout, Tap } from "./_tap.ts";

/** Copies a stream or file into the child until either ends. `undefined` when there is nothing to copy. */
export function feedFrom(
  place: Place,
  spout: Spout | null,
  exit: Promise<number>,
): Promise<void> | undefined {
  if (spout === null) return undefined;
  if (place.kind === "source") return feed(place.stream.getReader(), spout, exit);
  if (place.kind === "file") return feed(fileReader(place.file), spout, exit);
  return undefined;
}

interface Source {
  read(): Promise<{ value?: Uint8Array; done: boolean }>;
  cancel(): Promise<unknown>;
  releaseLock(): void;
}

async function feed(source: Source, spout: Spout, exit: Promise<number>): Promise<void> {
  // A child that has ended needs no more: the source learns it even while it has nothing to give.
  const stop = () => source.cancel().catch(() => {});
  exit.then(stop, stop);
  try {
    for (;;) {
      const { value, done } = await source.read();
      if (done) break;
      if (!(value instanceof Uint8Array)) {
        throw new TypeError(
          "Cannot write to the child: the stream given for stdin must carry Uint8Array",
        );
      }
      try {
        await spout.write(value);
      } catch {
        await stop(); // The child has closed its input.
        break;
      }
    }
  } finally {
    await spout.close();
    source.releaseLock();
  }
}

function fileReader(file: Deno.FsFile): Source {
  return {
    async read() {
      const buffer = new Uint8Array(65536);
      const count = await file.read(buffer);
      return count === null ? { done: true } : { value: buffer.subarray(0, count), done: false };
    },
    cancel: () => Promise.resolve(),
    releaseLock: () => {},
  };
}

/** Copies what the child writes into a stream, which is closed at the end, or a file. */
export function drainInto(place: Place, tap: Tap | null): Promise<void> | undefined {
  if (tap === null) return undefined;
  if (place.kind === "sink") return drainStream(place.stream, tap);
  if (place.kind === "file") return drainFile(place.file, tap);
  return undefined;
}

async function drainStream(stream: WritableStream<Uint8Array>, tap: Tap): Promise<void> {
  const writer = stream.getWriter();
  writer.closed.catch(() => {});
  try {
    // The piece's buffer is used again, a stream may keep what it is given.
    await tap.drain((piece) => writer.write(piece.slice()));
  } catch (error) {
    // Nobody takes the output any more: the child is told by the closed pipe.
    await tap.cancel();
    throw error;
  }
  await writer.close();
}

async function drainFile(file: Deno.FsFile, tap: Tap): Promise<void> {
  await tap.drain(async (piece) => {
    for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
  });
}
