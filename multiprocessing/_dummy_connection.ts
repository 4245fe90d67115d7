/**
 * `Pipe` of `dummy`: two ends whose messages go through queues of `threading`'s kind, so that locks and the like travel as themselves.
 *
 * An end is the same object in every thread that has it: closing it closes it for all of them.
 *
 * @module
 */
import {
  type Limit,
  limitOf,
  ONCE,
  register,
  remaining,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { Event } from "../threading/mod.ts";
import { Queue, ShutDown } from "../queue/mod.ts";
import { BufferTooShort, EOFError } from "./errors.ts";
import { ready, type Waitable } from "./_ready.ts";

/** A message: an object, or bytes. */
type Message = readonly [isBytes: boolean, content: unknown];

/** One direction. `news` is set when a message has come or the end has; whoever polls clears it and looks. */
interface Way {
  readonly messages: Queue<Message>;
  readonly news: Event;
}

interface Parts {
  readonly number: number;
  readonly incoming: Way | undefined;
  readonly outgoing: Way | undefined;
  /** One word: 1 when the end was closed. */
  readonly closed: SharedArrayBuffer;
}

let numbers = 0;
let parts: Parts | undefined;

function make<T>(given: Parts): DummyConnection<T> {
  parts = given;
  return new DummyConnection<T>();
}

/**
 * One end of a pipe between threads: sends and receives objects and bytes, whole messages, both ways. The methods are those of
 * `Connection` of `multiprocessing`; objects may also hold what only threads share.
 *
 * @typeParam T What the messages are.
 */
export class DummyConnection<T = unknown> implements Disposable, Waitable {
  readonly #number: number;
  readonly #in: Way | undefined;
  readonly #out: Way | undefined;
  readonly #closed: Int32Array<SharedArrayBuffer>;

  static {
    register(DummyConnection, {
      name: "multiprocessing.dummy.Connection",
      module: import.meta.url,
      reduce: (end): Parts => ({
        number: end.#number,
        incoming: end.#in,
        outgoing: end.#out,
        closed: end.#closed.buffer,
      }),
      revive: (given) => make(given as Parts),
    });
  }

  /** @throws {TypeError} always: `Pipe` makes connections. */
  constructor() {
    if (parts === undefined) {
      throw new TypeError("Cannot construct a Connection: get one from Pipe()");
    }
    const { number, incoming, outgoing, closed } = parts;
    parts = undefined;
    this.#number = number;
    this.#in = incoming;
    this.#out = outgoing;
    this.#closed = new Int32Array(closed);
  }

  /**
   * Sends an object.
   *
   * @throws {PicklingError} When it cannot travel to another thread.
   * @throws {Deno.errors.BrokenPipe} When the other end was closed.
   * @throws {Deno.errors.BadResource} When this end is closed, or is the reading one.
   */
  // deno-lint-ignore require-await -- errors are rejections
  async send(value: T): Promise<void> {
    this.#put([false, value]);
  }

  /**
   * Receives an object.
   *
   * @throws {EOFError} When nothing is left and the other end was closed.
   * @throws {Deno.errors.BadResource} When this end is closed, or is the writing one.
   */
  async recv(): Promise<T> {
    const [, content] = await this.#get();
    return content as T;
  }

  /**
   * Whether there is something to receive, an object or the end. With neither `timeout` nor `signal` it does not wait.
   *
   * @throws {Deno.errors.BadResource} When this end is closed, or is the writing one.
   */
  async poll(options?: WaitOptions): Promise<boolean> {
    const limit = limitOf(options, "Connection.poll");
    const { timeout, signal } = options ?? {};
    return await this[ready](timeout === undefined && signal === undefined ? ONCE : limit);
  }

  /** For `wait`. */
  async [ready](limit: Limit): Promise<boolean> {
    const { messages, news } = this.#incoming("poll");
    for (;;) {
      // Cleared before the look: what comes after it sets it again.
      news.clear();
      if (!messages.empty() || messages.isShutdown) return true;
      const left = remaining(limit.deadline);
      const { signal } = limit;
      const options = left === Infinity ? { signal } : { signal, timeout: Math.max(0, left) };
      if (!await news.wait(options) && left <= 0) return false;
    }
  }

  /**
   * Sends bytes as one message. They are copied at the call.
   *
   * @param bytes What to send from.
   * @param offset The first byte, counted from 0.
   * @param size How many; all the rest by default.
   * @throws {RangeError} When that is outside of `bytes`.
   * @throws {Deno.errors.BrokenPipe} When the other end was closed.
   */
  // deno-lint-ignore require-await -- errors are rejections
  async sendBytes(
    bytes: ArrayBufferView | ArrayBufferLike,
    offset: number = 0,
    size?: number,
  ): Promise<void> {
    const all = bytesOf(bytes);
    const end = size === undefined ? all.length : offset + size;
    if (!(offset >= 0 && end >= offset && end <= all.length)) {
      throw new RangeError(
        `Cannot send ${size ?? "all"} bytes from offset ${offset}: there are ${all.length} bytes`,
      );
    }
    this.#put([true, all.slice(offset, end)]);
  }

  /**
   * Receives a message as bytes.
   *
   * @param maxlength The most bytes that are taken.
   * @throws {EOFError} When nothing is left and the other end was closed.
   * @throws {RangeError} When `maxlength` is negative.
   * @throws {Deno.errors.InvalidData} When the message is longer than `maxlength`; this end is closed then.
   */
  async recvBytes(maxlength: number = Infinity): Promise<Uint8Array> {
    if (!(maxlength >= 0)) {
      throw new RangeError(`Cannot receive: maxlength must be 0 or more, got ${maxlength}`);
    }
    const [isBytes, content] = await this.#get();
    if (!isBytes) throw new TypeError("Cannot receive bytes: the message is an object, use recv()");
    const bytes = content as Uint8Array;
    if (bytes.length <= maxlength) return bytes;
    this.close();
    throw new Deno.errors.InvalidData(
      `Cannot receive a message of ${bytes.length} bytes: at most ${maxlength} were asked for`,
    );
  }

  /**
   * Receives a message into `buffer`, from the byte `offset` on, and gives its length.
   *
   * @throws {BufferTooShort} When it does not fit; the error has it in `data`.
   * @throws {EOFError} When nothing is left and the other end was closed.
   * @throws {RangeError} When the offset is outside of the buffer.
   */
  async recvBytesInto(
    buffer: ArrayBufferView | ArrayBufferLike,
    offset: number = 0,
  ): Promise<number> {
    const target = bytesOf(buffer);
    if (!(offset >= 0 && offset <= target.length)) {
      throw new RangeError(
        `Cannot receive into a buffer from offset ${offset}: it has ${target.length} bytes`,
      );
    }
    const message = await this.recvBytes();
    if (offset + message.length > target.length) {
      throw new BufferTooShort(
        `Cannot receive ${message.length} bytes into a buffer that has ${
          target.length - offset
        } from offset ${offset}: the message is in the error's data`,
        message,
      );
    }
    target.set(message, offset);
    return message.length;
  }

  /** A number that no other end has. @throws {Deno.errors.BadResource} When it is closed. */
  fileno(): number {
    this.#mustBeOpen("give the number of a connection");
    return this.#number;
  }

  /** Closes this end, for all threads: the other receives what is left and then the end, and can send no more. */
  close(): void {
    if (Atomics.exchange(this.#closed, 0, 1) === 1) return;
    this.#out?.messages.shutdown();
    this.#out?.news.set();
    this.#in?.messages.shutdown({ immediate: true });
    this.#in?.news.set();
  }

  /** Whether this end was closed. */
  get closed(): boolean {
    return Atomics.load(this.#closed, 0) === 1;
  }

  /** Whether it can receive. */
  get readable(): boolean {
    return this.#in !== undefined;
  }

  /** Whether it can send. */
  get writable(): boolean {
    return this.#out !== undefined;
  }

  /** The objects that come, up to the end of the connection. Leaving the loop closes nothing. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (;;) {
      let value: T;
      try {
        value = await this.recv();
      } catch (error) {
        if (error instanceof EOFError) return;
        throw error;
      }
      yield value;
    }
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #put(message: Message): void {
    this.#mustBeOpen("send");
    const way = this.#out;
    if (way === undefined) {
      throw new Deno.errors.BadResource(
        "Cannot send: this end of the connection cannot be written, use the other one",
      );
    }
    try {
      way.messages.putNowait(message);
    } catch (error) {
      if (!(error instanceof ShutDown)) throw error;
      throw new Deno.errors.BrokenPipe("Cannot send: the other end of the connection was closed");
    }
    way.news.set();
  }

  async #get(): Promise<Message> {
    const { messages } = this.#incoming("receive");
    try {
      return await messages.get();
    } catch (error) {
      if (!(error instanceof ShutDown)) throw error;
      this.#mustBeOpen("receive");
      throw new EOFError("Cannot receive: the other end of the connection was closed");
    }
  }

  #incoming(act: string): Way {
    this.#mustBeOpen(act);
    if (this.#in !== undefined) return this.#in;
    throw new Deno.errors.BadResource(
      `Cannot ${act}: this end of the connection cannot be read, use the other one`,
    );
  }

  #mustBeOpen(act: string): void {
    if (this.closed) throw new Deno.errors.BadResource(`Cannot ${act}: the connection is closed`);
  }
}

function bytesOf(bytes: ArrayBufferView | ArrayBufferLike): Uint8Array {
  if (ArrayBuffer.isView(bytes)) {
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  if (bytes instanceof ArrayBuffer || bytes instanceof SharedArrayBuffer) {
    return new Uint8Array(bytes);
  }
  throw new TypeError(
    `Cannot use ${
      bytes === null ? "null" : typeof bytes
    } as bytes: a typed array, a DataView or a buffer is needed`,
  );
}

/**
 * The two ends of a new pipe between threads. Both send and receive, unless `duplex` is `false`: then the first only receives and the
 * second only sends.
 *
 * @typeParam T What the messages are.
 *
 * @example
 * ```ts
 * import { Pipe } from "@batteries/concurrent/multiprocessing/dummy";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b] = Pipe<string>();
 * await a.send("hello");
 * assertEquals(await b.recv(), "hello");
 * ```
 */
export function DummyPipe<T = unknown>(
  { duplex = true }: { duplex?: boolean } = {},
): [DummyConnection<T>, DummyConnection<T>] {
  if (typeof duplex !== "boolean") {
    throw new TypeError(`Cannot make a Pipe: duplex must be a boolean, got ${typeof duplex}`);
  }
  const way = (): Way => ({ messages: new Queue(), news: new Event() });
  const there = way();
  const back = duplex ? way() : undefined;
  const end = (incoming: Way | undefined, outgoing: Way | undefined) =>
    make<T>({ number: ++numbers, incoming, outgoing, closed: new SharedArrayBuffer(4) });
  return [end(there, back), end(back, there)];
}
