/**
 * Messages over a stream socket.
 *
 * A message is its length and its bytes, as CPython's connections write it: the length is a signed 32-bit number in network order;
 * -1 says that it follows in 64 bits.
 *
 * Guarantees
 * - A message arrives whole or not at all: where the stream breaks off in one, that is the end.
 * - The socket is read only while somebody receives or polls. So a peer that sends faster than it is listened to is held up by the
 *   kernel, and a message longer than the receiver takes is refused before there is memory for it.
 * - What is sent in one turn of the event loop leaves in as few writes as possible. One write is under way at a time.
 * - Only calls that wait hold the event loop open.
 *
 * @module
 */
import { broken, BYTES, type Channel, closed, ended, kept, type Take } from "./_channel.ts";
import { Fifo } from "./_fifo.ts";
import { Inbox, tooLong } from "./_inbox.ts";
import { type Limit, now, PicklingError } from "../threading/_core/mod.ts";

/** What is read and written at once, unless it is one long message. */
const BUFFER = 64 * 1024;
/** Messages of more bytes are read into, and written from, memory of their own. */
const LONG = 16 * 1024;
/**
 * No message is longer: V8's optimized code is not safe with indices of typed arrays from 2 GiB on. A peer that announces one sends no
 * messages at all.
 */
const LONGEST = 2 ** 31 - 1;
/** The bytes of a length, and of one that a peer writes in 64 bits. */
const HEADER = 4;
const WIDE_HEADER = 12;

interface Outgoing {
  readonly message: Uint8Array;
  resolve(): void;
  reject(error: Error): void;
}

/** See the head of this file. */
export class SocketChannel implements Channel {
  readonly #conn: Deno.TcpConn | Deno.UnixConn;
  readonly #inbox: Inbox = new Inbox(() => this.#look());
  readonly #incoming = new Incoming();
  #reading = false;
  /** Whether reading holds the event loop open. */
  #holds = true;
  #isIdle = false;
  readonly #outgoing = new Fifo<Outgoing>();
  #out: Uint8Array | undefined;
  #writing = false;
  #failure: (() => Error) | undefined;
  #closed = false;

  /** A channel over `conn`, which is its own from now on. */
  constructor(conn: Deno.TcpConn | Deno.UnixConn) {
    this.#conn = conn;
  }

  send(bytes: Uint8Array, mine = true, head?: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure());
    const length = bytes.length + (head?.length ?? 0);
    if (length > LONGEST) return Promise.reject(tooLongToSend(length));
    const message = kept(bytes, mine, head);
    return new Promise((resolve, reject) => {
      this.#outgoing.push({ message, resolve, reject });
      if (this.#writing) return;
      this.#writing = true;
      queueMicrotask(() => this.#write());
    });
  }

  receive(longest: number): Promise<Uint8Array>;
  receive<R>(longest: number, take: Take<R>): Promise<R>;
  async receive(longest: number, take: Take<unknown> = BYTES): Promise<unknown> {
    return take.open(await this.#inbox.receive(longest));
  }

  poll(limit: Limit): Promise<boolean> {
    // To know what the kernel has, the event loop has to come round once: a timer of 0 sees to that.
    return this.#inbox.poll(
      limit.deadline === -Infinity ? { deadline: now(), signal: limit.signal } : limit,
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.abandon(() => closed("receive"));
    if (!this.#writing) this.#conn.close();
  }

  reduce(): unknown {
    throw new PicklingError(
      "Cannot send a connection of a Listener or a Client to another process: send its address, and connect there; ends of a Pipe travel",
    );
  }

  /** Whether waiting for messages holds the event loop open; it does by default. */
  idle(isIdle: boolean): void {
    this.#isIdle = isIdle;
    this.#look();
  }

  /** Somebody waits, or nobody any more. A read that nobody waits for stays under way and holds nothing open. */
  #look(): void {
    if (this.#closed) return;
    const { wanted } = this.#inbox;
    const holds = wanted && !this.#isIdle;
    if (holds !== this.#holds) {
      this.#holds = holds;
      if (holds) this.#conn.ref();
      else this.#conn.unref();
    }
    if (wanted && !this.#reading) this.#read();
  }

  /** Reads while somebody waits for a message. */
  async #read(): Promise<void> {
    this.#reading = true;
    const incoming = this.#incoming;
    try {
      while (this.#inbox.wanted) {
        const message = incoming.next(this.#inbox.longest);
        if (message !== undefined) {
          this.#inbox.put(message);
          continue;
        }
        const count = await this.#conn.read(incoming.room());
        if (count === null) {
          this.#inbox.end(ended);
          break;
        }
        incoming.add(count);
      }
    } catch (error) {
      // A peer that is killed with unread messages resets the connection: that is its end. What is no message is the end as well.
      this.#inbox.end(
        error instanceof Deno.errors.InvalidData ? () => error : ended,
      );
    }
    this.#reading = false;
  }

  async #write(): Promise<void> {
    const batch: Outgoing[] = [];
    try {
      while (this.#outgoing.length > 0) {
        await this.#writeBatch(batch);
        for (const { resolve } of batch) resolve();
        batch.length = 0;
      }
    } catch (error) {
      this.#failure = () => broken(error);
      for (const { reject } of [...batch, ...this.#outgoing.drain()]) reject(broken(error));
    }
    this.#writing = false;
    if (this.#closed) this.#conn.close();
  }

  /** Writes the messages that fill the buffer, or those up to a long one. They are put into `batch` first. */
  async #writeBatch(batch: Outgoing[]): Promise<void> {
    const out = this.#out ??= new Uint8Array(BUFFER);
    let length = 0;
    let rest: Uint8Array | undefined;
    while (rest === undefined && this.#outgoing.length > 0) {
      const { message } = this.#outgoing.first!;
      const isLong = message.length > LONG;
      if (length + HEADER + (isLong ? 0 : message.length) > out.length) break;
      batch.push(this.#outgoing.shift()!);
      length = writeHeader(out, length, message.length);
      // The beginning of a long message goes along with its length: one write less.
      const here = isLong ? Math.min(message.length, out.length - length) : message.length;
      out.set(here === message.length ? message : message.subarray(0, here), length);
      length += here;
      if (here < message.length) rest = message.subarray(here);
    }
    await this.#writeAll(out.subarray(0, length));
    if (rest !== undefined) await this.#writeAll(rest);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    let at = await this.#conn.write(bytes);
    while (at < bytes.length) at += await this.#conn.write(bytes.subarray(at));
  }
}

function writeHeader(out: Uint8Array, at: number, length: number): number {
  new DataView(out.buffer, out.byteOffset + at).setInt32(0, length);
  return at + HEADER;
}

function tooLongToSend(length: number): Error {
  return new RangeError(
    `Cannot send a message of ${length} bytes: it has at most ${LONGEST}; send it in parts, or by shared memory`,
  );
}

/** What has been read and is not yet received: bytes, and the beginning of a long message. */
export class Incoming {
  #bytes: Uint8Array | undefined;
  #view: DataView | undefined;
  #start = 0;
  #end = 0;
  #long: Uint8Array | undefined;
  #filled = 0;

  /** Where to read to. Never empty. */
  room(): Uint8Array {
    if (this.#long !== undefined) return this.#long.subarray(this.#filled);
    if (this.#bytes === undefined) {
      this.#bytes = new Uint8Array(BUFFER);
      this.#view = new DataView(this.#bytes.buffer);
    }
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
    } else if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    return this.#bytes.subarray(this.#end);
  }

  /** So many bytes were read to {@linkcode room}. */
  add(count: number): void {
    if (this.#long !== undefined) this.#filled += count;
    else this.#end += count;
  }

  /**
   * The next message, or `undefined` when it has not come to its end yet.
   *
   * @throws {Deno.errors.InvalidData} when it is longer than `longest`, or when this is the beginning of no message.
   */
  next(longest: number): Uint8Array | undefined {
    return this.#long === undefined ? this.#short(longest) : this.#rest();
  }

  #rest(): Uint8Array | undefined {
    const message = this.#long!;
    if (this.#filled < message.length) return undefined;
    this.#long = undefined;
    return message;
  }

  #short(longest: number): Uint8Array | undefined {
    const have = this.#end - this.#start;
    if (have < HEADER) return undefined;
    let header = HEADER;
    let length = this.#view!.getInt32(this.#start);
    if (length === -1) {
      header = WIDE_HEADER;
      if (have < header) return undefined;
      length = Number(this.#view!.getBigUint64(this.#start + HEADER));
    }
    if (length > longest) throw tooLong(length, longest);
    if (length < 0 || length > LONGEST) throw malformed(length);
    const from = this.#start + header;
    if (have >= header + length) {
      this.#start = from + length;
      return this.#bytes!.slice(from, this.#start);
    }
    if (length > LONG) this.#begin(from, length);
    return undefined;
  }

  /** A long message has begun at `from`: its rest is read to where it will stay. */
  #begin(from: number, length: number): void {
    try {
      this.#long = new Uint8Array(length);
    } catch {
      throw malformed(length);
    }
    this.#long.set(this.#bytes!.subarray(from, this.#end));
    this.#filled = this.#end - from;
    this.#start = this.#end = 0;
  }
}

function malformed(length: number): Error {
  return new Deno.errors.InvalidData(
    `Cannot receive a message of ${length} bytes: the other end does not send messages of this library, or the stream is damaged`,
  );
}
