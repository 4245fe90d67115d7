/**
 * Frames over a socket, with as little as possible between a call and the system: a manager's calls are many and small, and making even
 * a small buffer costs more than writing what is in it. So frames are written where they are sent from and read where they came.
 *
 * Guarantees
 * - Frames arrive whole and in order, or not at all.
 * - What is sent in one turn of the event loop leaves in as few writes as possible.
 * - {@linkcode Wire.ended} resolves when nothing more will come, after the last frame.
 * - Where both sides can map memory, frames may go by a lane (`_crew_lane.ts`) from some moment on: then there is no call of the system
 *   between two that are awake. The socket is kept: it wakes who sleeps, and tells the end.
 * - It holds the event loop only between `ref()` and `unref()`, and while it writes.
 *
 * Relies on: what is on its way in a write stays where it is; the buffer is only written to behind it.
 *
 * @module
 */
import type { Lane } from "./_crew_lane.ts";
import * as post from "./_crew_post.ts";
import { readU32 } from "./_link.ts";
import { Pieces } from "./_pieces.ts";

/** Takes frames. They lie in the buffer that the next ones are read to: what is kept has to be copied before the handler returns. */
export type TakeFrame = (frame: Uint8Array) => void;

/** Bytes that are read at a time. */
export const BUFFER = 64 * 1024;
/** Bytes that are longer are sent from where they are. */
const LONG = 8 * 1024;
const SHORT = 32;
/** The longest frame that is believed. */
const LONGEST = 2 ** 31;
/** A frame that says no more than that there is something in the lane: its length, and its tag. */
export const WAKE_TAG = 12;
const WAKE = Uint8Array.of(5, 0, 0, 0, WAKE_TAG, 0, 0, 0, 0);
/** The most bytes of a frame that do not count: length, tag and number, and what is fixed in a call. */
const HEAD = 300;

const encoder = new TextEncoder();

/** See the head of this file. */
export class Wire {
  readonly #conn: Deno.TcpConn | Deno.UnixConn;
  readonly #ended = Promise.withResolvers<void>();
  readonly #take: TakeFrame;
  /** What is being filled; up to `#sent` it has been sent, or is being sent. */
  #out = new Uint8Array(BUFFER);
  #sent = 0;
  #end = 0;
  /** Where the frame that is being written begins, and how much of it lies elsewhere. */
  #start = 0;
  #elsewhere = 0;
  /** What is to be sent before `#out`. */
  #full: Uint8Array[] = [];
  #scheduled = false;
  #writing: Promise<void> | undefined;
  #closed = false;
  #refs = 0;
  /** Where frames go, and where they come from, once that is not the socket any more. */
  #to: Lane["out"] | undefined;
  #from: post.Party | undefined;

  /** Takes over the connection; `take` gets the frames that come. */
  constructor(conn: Deno.TcpConn | Deno.UnixConn, take: TakeFrame) {
    this.#conn = conn;
    this.#take = take;
    conn.unref();
    this.#read();
  }

  /** Nothing more will come. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  // ---- Writing -----------------------------------------------------------------------------------------------------------------------

  /** Begins a frame. */
  begin(tag: number, number: number): void {
    this.#room(HEAD);
    this.#start = this.#end;
    this.#elsewhere = 0;
    this.#end += 4;
    this.u8(tag);
    this.u32(number);
  }

  /** A byte. */
  u8(value: number): void {
    this.#out[this.#end++] = value;
  }

  /** A number of four bytes, the lower first. */
  u32(value: number): void {
    this.#end = put(this.#out, this.#end, value);
  }

  /** A text of at most 255 bytes in UTF-8, and before it how many they are. */
  shortText(text: string): void {
    const at = this.#end++;
    this.#write8(text);
    this.#out[at] = this.#end - at - 1;
  }

  /** Text for which there is room. */
  #write8(text: string): void {
    const { length } = text;
    let end = this.#end;
    // Up to so many characters it is faster to look at each than to call an encoder.
    for (let i = 0; length <= SHORT; i++) {
      if (i === length) {
        this.#end = end;
        return;
      }
      const code = text.charCodeAt(i);
      if (code > 127) break;
      this.#out[end++] = code;
    }
    this.#end += encoder.encodeInto(text, this.#out.subarray(this.#end)).written;
  }

  /** A text in UTF-8; the last of its frame. */
  text(text: string): void {
    if (text.length * 3 > LONG) return this.bytes(encoder.encode(text));
    this.#room(text.length * 3);
    this.#write8(text);
  }

  /** Bytes, which may not be changed afterwards; the last of their frame. */
  bytes(bytes: Uint8Array): void {
    if (bytes.length > LONG) {
      this.#elsewhere = bytes.length;
      this.#full.push(bytes);
      return;
    }
    this.#room(bytes.length);
    this.#out.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Ends the frame: it is on its way. */
  end(): void {
    const here = this.#end - this.#start - 4;
    const long = this.#elsewhere > 0 ? this.#full.pop() : undefined;
    if (this.#closed) {
      this.#end = this.#start;
      return;
    }
    if (here + this.#elsewhere >= LONGEST) {
      this.#end = this.#start;
      throw new RangeError(
        `Cannot send ${this.#elsewhere} bytes to a manager: a message has less than ${LONGEST}`,
      );
    }
    put(this.#out, this.#start, here + this.#elsewhere);
    if (long !== undefined) {
      this.#full.push(this.#out.subarray(this.#sent, this.#end), long);
      this.#sent = this.#end;
    }
    if (this.#scheduled || this.#writing !== undefined) return;
    this.#scheduled = true;
    queueMicrotask(this.#due);
  }

  readonly #due = () => {
    this.#scheduled = false;
    this.#begin();
  };

  /** Room for so many bytes more in the frame that is being written, or for a new one. */
  #room(bytes: number): void {
    if (this.#out.length - this.#end >= bytes) return;
    const begun = this.#out.subarray(this.#start, this.#end);
    if (this.#sent < this.#start) this.#full.push(this.#out.subarray(this.#sent, this.#start));
    this.#out = new Uint8Array(BUFFER);
    this.#sent = this.#start = 0;
    this.#out.set(begun);
    this.#end = begun.length;
  }

  #begin(): void {
    if (this.#closed) return;
    if (this.#to !== undefined) {
      for (let chunk = this.#next(); chunk !== undefined; chunk = this.#next()) {
        this.#to.write(chunk);
      }
      return;
    }
    if (this.#writing !== undefined) return;
    // Writing has to wait at least once: it says itself when it is over.
    if (this.#full.length > 0 || this.#sent < this.#end) this.#writing = this.#write();
  }

  async #write(): Promise<void> {
    try {
      for (let chunk = this.#next(); chunk !== undefined; chunk = this.#next()) {
        let at = await this.#conn.write(chunk);
        while (at < chunk.length) at += await this.#conn.write(chunk.subarray(at));
        if (this.#to !== undefined) break;
      }
    } catch {
      // The other side is gone: reading tells.
      this.#full = [];
      this.#sent = this.#end;
    }
    this.#writing = undefined;
    // What was to be sent meanwhile goes by the lane, if there is one since.
    if (this.#to !== undefined) this.#begin();
  }

  #next(): Uint8Array | undefined {
    const full = this.#full.shift();
    if (full !== undefined) return full;
    if (this.#sent === this.#end) {
      // All of it is written: from the beginning again.
      this.#sent = this.#start = this.#end = 0;
      return undefined;
    }
    const chunk = this.#out.subarray(this.#sent, this.#end);
    this.#sent = this.#end;
    return chunk;
  }

  /** Resolves when everything has been written, or cannot be. */
  async flush(): Promise<void> {
    this.#begin();
    while (this.#writing !== undefined) await this.#writing;
    while (this.#to?.isFull === true && !this.#closed) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      this.#to.push();
    }
  }

  // ---- A lane instead of the socket ----------------------------------------------------------------------------------------------------

  /** Frames go by the lane, after the one that `last` sends, which says so. The socket tells when the other side has ended. */
  async sendBy(out: Lane["out"], last: () => void): Promise<void> {
    do await this.flush(); while (
      !this.#closed && (this.#full.length > 0 || this.#sent < this.#end)
    );
    if (this.#closed) return;
    last();
    this.#begin();
    // That one is on its way from where it is.
    this.#out = new Uint8Array(BUFFER);
    this.#sent = this.#start = this.#end = 0;
    this.#to = out;
    const wake = async () => {
      await this.#writing;
      // It is so short that it goes at once, or the other side has ended.
      if (!this.#closed) await this.#conn.write(WAKE).catch(() => {});
    };
    out.wake = () => void wake();
  }

  /** Frames come by the lane, too. */
  takeFrom(lane: Pick<Lane, "in" | "out">): void {
    if (this.#closed) return;
    const pieces = new Pieces(4, (view, at) => {
      const length = view.getUint32(at, true);
      if (length >= LONGEST || length < 5) throw new RangeError("Not a frame");
      return length;
    });
    this.#from = {
      get hasNews() {
        return !lane.in.isEmpty || lane.out.isFull && lane.out.hasRoom;
      },
      get canDoze() {
        return !lane.out.isFull;
      },
      doze: () => lane.in.doze(),
      hear: () => {
        lane.out.push();
        const bytes = lane.in.take();
        if (bytes === undefined) return;
        try {
          pieces.add(bytes);
          while (pieces.next() && !this.#closed) {
            const { bytes, at, length } = pieces;
            this.#take(bytes.subarray(at + 4, at + length));
          }
        } catch {
          // No frames.
          this.close();
        }
      },
      look() {},
    };
    post.join(this.#from);
    if (this.#refs > 0) post.expect(this, true);
  }

  // ---- Reading -----------------------------------------------------------------------------------------------------------------------

  async #read(): Promise<void> {
    const buffer = new Uint8Array(BUFFER);
    let end = 0;
    try {
      for (;;) {
        const count = await this.#conn.read(end === 0 ? buffer : buffer.subarray(end));
        if (count === null) break;
        end += count;
        let at = 0;
        while (end - at >= 4) {
          const length = readU32(buffer, at);
          if (length >= LONGEST || length < 5) throw new RangeError("Not a frame");
          if (4 + length > BUFFER) {
            await this.#readLong(length, buffer.subarray(at + 4, end));
            at = end;
            break;
          }
          if (end - at < 4 + length) break;
          if (buffer[at + 4] === WAKE_TAG) post.wake();
          else this.#take(buffer.subarray(at + 4, at + 4 + length));
          at += 4 + length;
        }
        if (at > 0 && at < end) buffer.copyWithin(0, at, end);
        end -= at;
      }
    } catch {
      // Reset, closed here, or no frames.
    }
    // What was said last.
    while (this.#from?.hasNews === true && !this.#closed) this.#from.hear();
    this.close();
  }

  /** A frame that the buffer has no room for. */
  async #readLong(length: number, first: Uint8Array): Promise<void> {
    const frame = new Uint8Array(length);
    frame.set(first);
    for (let have = first.length; have < length;) {
      const count = await this.#conn.read(frame.subarray(have));
      if (count === null) throw new RangeError("Ended within a frame");
      have += count;
    }
    this.#take(frame);
  }

  // ---- Life --------------------------------------------------------------------------------------------------------------------------

  /** Makes the event loop wait for frames. Counted. */
  ref(): void {
    if (this.#refs++ > 0 || this.#closed) return;
    this.#conn.ref();
    if (this.#from !== undefined) post.expect(this, true);
  }

  /** Undoes one `ref`. */
  unref(): void {
    if (--this.#refs > 0 || this.#closed) return;
    this.#conn.unref();
    if (this.#from !== undefined) post.expect(this, false);
  }

  /** Ends it; what was not written is lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#full = [];
    if (this.#from !== undefined) {
      post.leave(this.#from);
      if (this.#refs > 0) post.expect(this, false);
    }
    try {
      this.#conn.close();
    } catch {
      // Closed already, by the runtime.
    }
    this.#ended.resolve();
  }
}

function put(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
  return at + 4;
}
