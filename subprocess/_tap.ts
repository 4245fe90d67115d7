/**
 * This process's ends of a child's pipes.
 *
 * The streams of a `Deno.ChildProcess` are not handed to the user as they are. What stands before them gives three things: a pipe can
 * be closed while the user still holds its lock (leaving `await using` must close the pipes, or a child that reads would never
 * end); the event loop is held while somebody reads and not longer, so that a forgotten child does not keep the program alive; and a
 * pipe can be recognised when it is given to another child. It is a stream of bytes as Deno's is: a BYOB request is passed through, so
 * that Deno reads into the reader's own buffer, and costs some microseconds more for each piece.
 *
 * @module
 */

/** What the system moves through a pipe at once. */
const CHUNK = 65536;

/** Keeps the event loop alive until the returned function is called. */
export type Hold = () => () => void;

/** An end of a child's pipe that can become another child's. */
export interface PipeEnd {
  /** The child at the other end, and which of its descriptors the pipe is. */
  readonly pid: number;
  readonly index: 0 | 1 | 2;
  /** Closes this process's end. */
  readonly close: () => void;
}

const ends = new WeakMap<ReadableStream | WritableStream, () => PipeEnd | undefined>();

/** The pipe behind a stream of a `Popen` whose child still runs. */
export function handedOver(stream: ReadableStream | WritableStream): PipeEnd | undefined {
  return ends.get(stream)?.();
}

/** The end that reads what a child writes. */
export class Tap {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #hold: Hold;
  #stream: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  /** A read that the user has begun and given up: what it brings goes into the user's stream, past everybody else. */
  #astray = false;
  #pulling = false;

  constructor(raw: ReadableStream<Uint8Array<ArrayBuffer>>, hold: Hold) {
    this.#reader = raw.getReader({ mode: "byob" });
    this.#hold = hold;
  }

  /** The stream that the user sees. `end` tells whether and as what it can be handed over. */
  stream(
    end: () => { pid: number; index: 1 | 2 } | undefined,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    if (this.#stream !== undefined) return this.#stream;
    const source: UnderlyingByteSource = {
      type: "bytes",
      autoAllocateChunkSize: CHUNK,
      pull: (controller: ReadableByteStreamController) => {
        const request = controller.byobRequest!;
        const asked = request.view!;
        const view = new Uint8Array(
          asked.buffer as ArrayBuffer,
          asked.byteOffset,
          asked.byteLength,
        );
        this.#pulling = true;
        return this.read(view).then(({ value, done }) => {
          this.#pulling = false;
          if (!this.#stream!.locked) this.#astray = true;
          if (done) controller.close();
          // A closed stream answers with an empty view of the same buffer; a cancelled read has lost it.
          if (value !== undefined) request.respondWithNewView(value);
        });
      },
      cancel: () => this.cancel(),
    };
    this.#stream = new ReadableStream(source);
    ends.set(this.#stream, () => {
      const at = this.#pulling || this.#astray ? undefined : end();
      return at && { ...at, close: () => void this.cancel() };
    });
    return this.#stream;
  }

  /** Whether the user reads the stream. */
  get taken(): boolean {
    return this.#stream?.locked ?? false;
  }

  /**
   * One read; the buffer of `view` moves into the result. Without a frame of its own that waits: this is done once for every 64 KiB.
   */
  read(
    view: Uint8Array<ArrayBuffer>,
  ): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>> {
    const release = this.#hold();
    return this.#reader.read(view).then((result) => {
      release();
      return result as ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;
    }, (error) => {
      release();
      throw error;
    });
  }

  /** Reads to the end. The buffer of a piece is used again once `take` has returned, unless it returns `true`: it keeps it. */
  async drain(
    take: (piece: Uint8Array<ArrayBuffer>) => boolean | Promise<void>,
  ): Promise<void> {
    if (this.#pulling || this.#astray) {
      for await (const piece of this.#stream!) await take(piece.slice());
      return;
    }
    let view = new Uint8Array(CHUNK);
    for (;;) {
      const { value, done } = await this.read(view);
      if (done) return;
      const kept = take(value);
      if (typeof kept !== "boolean") await kept;
      view = kept === true ? new Uint8Array(CHUNK) : new Uint8Array(value.buffer);
    }
  }

  /** Closes the pipe: the child gets SIGPIPE when it goes on writing, a reader sees the end. */
  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}

/** The end that writes what a child reads. */
export class Spout {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #stream: WritableStream<Uint8Array> | undefined;

  constructor(raw: WritableStream<Uint8Array>) {
    this.#writer = raw.getWriter();
    // A child may close its input at any time: whoever writes is told, nobody else need be.
    this.#writer.closed.catch(() => {});
  }

  /** The stream that the user sees. */
  stream(end: () => { pid: number; index: 0 } | undefined): WritableStream<Uint8Array> {
    if (this.#stream !== undefined) return this.#stream;
    this.#stream = new WritableStream<Uint8Array>({
      write: (chunk) => this.#writer.write(chunk),
      close: () => this.#writer.close(),
      abort: (reason) => this.#writer.abort(reason),
    });
    ends.set(this.#stream, () => {
      const at = end();
      return at && { ...at, close: () => void this.close() };
    });
    return this.#stream;
  }

  /** Writes one chunk, and waits until the pipe has taken it. */
  write(chunk: Uint8Array): Promise<void> {
    return this.#writer.write(chunk);
  }

  /** Closes the pipe once everything is written. A child that does not read on is no error here. */
  async close(): Promise<void> {
    try {
      await this.#writer.close();
    } catch {
      // Closed already, by the user or by the child's end.
    }
  }

  /** Closes the pipe now, without what is still to be written. */
  async abort(): Promise<void> {
    try {
      await this.#writer.abort();
    } catch {
      // Closed already.
    }
  }
}

/** Bytes that come in pieces. */
export class Gathered {
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #last: Uint8Array<ArrayBuffer> | undefined;
  #used = 0;
  #length = 0;

  /**
   * Takes a piece. A large one is kept as it is (`true`); small ones are copied into a common block, so that ten thousand of them are
   * no ten thousand buffers.
   */
  readonly add = (piece: Uint8Array<ArrayBuffer>): boolean => {
    const large = piece.length >= CHUNK / 2;
    if (large) {
      this.#seal();
      this.#chunks.push(piece);
    } else {
      if (this.#last === undefined || this.#last.length - this.#used < piece.length) {
        this.#seal();
        this.#last = new Uint8Array(Math.max(piece.length, this.#length === 0 ? 1024 : CHUNK));
        this.#used = 0;
      }
      this.#last.set(piece, this.#used);
      this.#used += piece.length;
    }
    this.#length += piece.length;
    return large;
  };

  #seal(): void {
    if (this.#last !== undefined) this.#chunks.push(this.#last.subarray(0, this.#used));
    this.#last = undefined;
  }

  /** Everything so far. */
  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#length);
    let at = 0;
    const last = this.#last === undefined ? [] : [this.#last.subarray(0, this.#used)];
    for (const chunk of [...this.#chunks, ...last]) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}
