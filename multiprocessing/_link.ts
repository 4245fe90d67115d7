/**
 * A link: frames both ways between two nodes of the tree that stand next to each other. See `_tree.ts`.
 *
 * On the wire a frame is its length (u32, the lower byte first) and that many bytes.
 *
 * Guarantees
 * - Frames arrive whole and in order, or not at all: of one that the other side could not finish, nothing is seen.
 * - What is sent in one turn of the event loop is written at once, small frames in one write.
 * - {@linkcode Link.ended} resolves when nothing more will come, after the last frame was handed over: the other side has closed, or has
 *   ended however it did. A connection that was reset means the same as its end (the dead had not read everything).
 * - A link holds the event loop only between `ref()` and `unref()`, and while it writes.
 *
 * This file imports nothing: it is among the few that every child loads before the user's code.
 *
 * @module
 */

/** Takes frames; their memory is the receiver's own. */
export type Receive = (frame: Uint8Array<ArrayBuffer>) => void;

/** See the head of this file. */
export interface Link {
  /** Sends a frame that is these parts one after another. They may not be changed afterwards. After the end it does nothing. */
  send(...parts: Uint8Array[]): void;
  /** Sends what waits without leaving it to a later turn, as far as the system takes it. For who is about to block. */
  push(): void;
  /** Resolves when everything sent so far has been written, or cannot be. */
  flush(): Promise<void>;
  /** Hands the frames to `receive` from now on; those that came earlier at once. With `undefined`, they are kept for the next. */
  open(receive: Receive | undefined): void;
  /** Lets frames gather for so many milliseconds after the next that comes: to read many at once costs little more than to read one. */
  rest?(ms: number): void;
  /** Makes the event loop wait for frames. Counted: each `ref` wants its `unref`. */
  ref(): void;
  unref(): void;
  close(): void;
  readonly ended: Promise<void>;
}

/** Smaller parts are copied together, so that they go in one write. */
const SMALL = 16 * 1024;
const READ_SIZE = 64 * 1024;
/** The longest frame that is believed; a longer one ends the link. */
const LONGEST = 2 ** 31;

/** A link over a socket. */
export class SocketLink implements Link {
  readonly #conn: Deno.Conn;
  readonly #ended = Promise.withResolvers<void>();
  readonly #early: Uint8Array<ArrayBuffer>[] = [];
  #receive: Receive = (frame) => this.#early.push(frame);
  #queue: Uint8Array[] = [];
  #writing: Promise<void> | undefined;
  #scheduled = false;
  #closed = false;
  #refs = 0;
  #rest = 0;

  /** Takes over the connection. */
  constructor(conn: Deno.Conn) {
    this.#conn = conn;
    unrefable(conn).unref();
    this.#read();
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  send(...parts: Uint8Array[]): void {
    if (this.#closed) return;
    let length = 0;
    for (const part of parts) length += part.length;
    if (length >= LONGEST) {
      throw new RangeError(
        `Cannot send ${length} bytes to another process: a message has less than ${LONGEST}`,
      );
    }
    this.#queue.push(u32(length), ...parts);
    if (this.#scheduled || this.#writing !== undefined) return;
    this.#scheduled = true;
    queueMicrotask(() => this.push());
  }

  push(): void {
    this.#scheduled = false;
    if (this.#writing !== undefined || this.#queue.length === 0) return;
    this.#writing = this.#write();
  }

  async flush(): Promise<void> {
    this.push();
    while (this.#writing !== undefined) await this.#writing;
  }

  open(receive: Receive | undefined): void {
    this.#receive = receive ?? ((frame) => this.#early.push(frame));
    if (receive === undefined) return;
    // The first of them may be what decides who receives the others.
    for (const frame of this.#early.splice(0)) this.#receive(frame);
  }

  rest(ms: number): void {
    this.#rest = ms;
  }

  ref(): void {
    if (this.#refs++ === 0 && !this.#closed) unrefable(this.#conn).ref();
  }

  unref(): void {
    if (--this.#refs === 0 && !this.#closed) unrefable(this.#conn).unref();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue = [];
    try {
      this.#conn.close();
    } catch {
      // Closed already, by the runtime.
    }
  }

  async #write(): Promise<void> {
    try {
      // The first write is begun in this very turn, see push().
      while (this.#queue.length > 0) {
        let chunk = this.#nextChunk();
        while (chunk.length > 0) chunk = chunk.subarray(await this.#conn.write(chunk));
      }
    } catch {
      // The other side is gone: reading tells.
      this.#queue = [];
    } finally {
      // In one turn with the last look at the queue: what is sent from now on is written by a push of its own.
      this.#writing = undefined;
    }
  }

  /** The first part that waits, or as many as are small, in one. */
  #nextChunk(): Uint8Array {
    let length = 0;
    let count = 0;
    for (const part of this.#queue) {
      if (part.length > SMALL || length + part.length > 2 * SMALL) break;
      length += part.length;
      count++;
    }
    if (count <= 1) return this.#queue.shift()!;
    const chunk = new Uint8Array(length);
    let at = 0;
    for (const part of this.#queue.splice(0, count)) {
      chunk.set(part, at);
      at += part.length;
    }
    return chunk;
  }

  async #read(): Promise<void> {
    const frames = new Frames((frame) => this.#receive(frame));
    try {
      for (;;) {
        const count = await this.#conn.read(frames.room());
        if (count === null) break;
        const rest = this.#rest;
        this.#rest = 0;
        frames.filled(count);
        if (rest > 0) await new Promise((resolve) => setTimeout(resolve, rest));
      }
    } catch {
      // Reset, or closed here.
    }
    this.close();
    this.#ended.resolve();
  }
}

/** Takes frames out of a stream of bytes. */
class Frames {
  readonly #receive: Receive;
  readonly #buffer = new Uint8Array(READ_SIZE);
  #end = 0;
  /** A frame that is longer than the buffer is read into its own memory. */
  #long: Uint8Array<ArrayBuffer> | undefined;
  #have = 0;

  constructor(receive: Receive) {
    this.#receive = receive;
  }

  room(): Uint8Array<ArrayBuffer> {
    return this.#long?.subarray(this.#have) ?? this.#buffer.subarray(this.#end);
  }

  filled(count: number): void {
    if (this.#long === undefined) {
      this.#end += count;
      return this.#take();
    }
    this.#have += count;
    if (this.#have < this.#long.length) return;
    const frame = this.#long;
    this.#long = undefined;
    this.#receive(frame);
  }

  #take(): void {
    let at = 0;
    while (this.#end - at >= 4) {
      const length = readU32(this.#buffer, at);
      if (length >= LONGEST) throw new RangeError("Not a frame");
      if (4 + length > READ_SIZE) {
        this.#long = new Uint8Array(length);
        this.#have = this.#end - at - 4;
        this.#long.set(this.#buffer.subarray(at + 4, this.#end));
        this.#end = 0;
        return;
      }
      if (this.#end - at < 4 + length) break;
      this.#receive(this.#buffer.slice(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#buffer.copyWithin(0, at, this.#end);
    this.#end -= at;
  }
}

/** The tag of frames that `_tree.ts` hands to its `onNotes`. */
export const NOTE = 11;

/** A note to the parent, from the child of that address, before it has loaded the tree. */
export function note(address: string, text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    String.fromCharCode(NOTE, 0, address.length) + address + text,
  );
}

/** Four bytes, the lower first. */
export function u32(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

/** What {@linkcode u32} wrote. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
}

function unrefable(conn: Deno.Conn): { ref(): void; unref(): void } {
  return conn as Deno.UnixConn;
}
