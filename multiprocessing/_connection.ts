/**
 * The public face of every channel.
 *
 * @module
 */
import { BYTES, type Channel, closed, type Take } from "./_channel.ts";
import { BufferTooShort, EOFError } from "./errors.ts";
import { discardPipe, makePipe, revivePipe } from "./_pipe.ts";
import { isRawBytes, rawBytesHead } from "./_raw_bytes.ts";
import { ready, type Waitable } from "./_ready.ts";
import {
  bagOf,
  BRIEF,
  decode,
  discardEncoded,
  encodeBriefly,
  type Limit,
  limitOf,
  ONCE,
  opened,
  register,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { showAs } from "./_show.ts";

/** Makes the connection over a channel, which is its own from now on. `made` is the library function that the user called. */
export let connect: <T>(
  channel: Channel,
  sides: Sides,
  made: (...args: never[]) => unknown,
) => Connection<T>;

/** Which ways messages go. */
export interface Sides {
  readonly readable: boolean;
  readonly writable: boolean;
}

/** Both ways. */
export const BOTH: Sides = { readable: true, writable: true };

let numbers = 0;

/** Closes what the garbage collector finds open. */
const forgotten = new FinalizationRegistry<() => void>((close) => close());

/**
 * One end of a connection between two processes, or two parts of one: sends and receives objects and bytes, whole messages, both ways.
 * Made by `Pipe`, `Client` and `Listener.accept`. Stands for `multiprocessing.connection.Connection`.
 *
 * Objects go as copies; locks, queues, other ends of pipes and the like as themselves. Ends of a pipe travel: as arguments of a
 * `Process`, in queues, and as messages of other connections. Every process that was given an end holds it: close an end here that is
 * another process's now, or the other side never sees the end of it.
 *
 * Several calls may be under way at once: messages are sent in the order of the calls and never mixed up, and received in that order.
 * A call that waits holds the event loop open; an open connection does not.
 *
 * @typeParam T What the messages are.
 *
 * @example
 * ```ts
 * import { Pipe } from "@batteries/concurrent/multiprocessing/connection";
 * import { assertEquals } from "@std/assert";
 *
 * const [a, b] = Pipe<{ answer: number }>();
 * using ends = new DisposableStack();
 * ends.use(a);
 * ends.use(b);
 * await a.send({ answer: 42 });
 * assertEquals(await b.recv(), { answer: 42 });
 * ```
 */
export class Connection<T = unknown> implements Disposable, Waitable {
  #channel: Channel;
  #readable: boolean;
  #writable: boolean;
  #isClosed = false;
  readonly #number: number = ++numbers;
  readonly #ended: () => void;

  private constructor(channel: Channel, sides: Sides, made: (...args: never[]) => unknown) {
    if (typeof channel?.receive !== "function") {
      throw new TypeError(
        "Cannot construct a Connection: get one from Pipe(), Client() or Listener.accept()",
      );
    }
    this.#channel = channel;
    this.#readable = sides.readable;
    this.#writable = sides.writable;
    const ended = opened(`Connection ${this.#number}`, made);
    this.#ended = ended;
    forgotten.register(this, () => {
      ended();
      channel.close();
    }, this);
  }

  static {
    showAs(
      Connection<unknown>,
      ({ readable, writable, closed }) => closed ? { closed } : { readable, writable },
    );
    connect = <T>(channel: Channel, sides: Sides, made: (...args: never[]) => unknown) =>
      new Connection<T>(channel, sides, made);
    register(Connection as unknown as abstract new () => Connection, {
      name: "multiprocessing.Connection",
      module: import.meta.url,
      spans: "processes",
      reduce: (connection) => {
        connection.#mustBeOpen("send a connection that is closed");
        return {
          end: connection.#channel.reduce(),
          readable: connection.#readable,
          writable: connection.#writable,
        };
      },
      discard: (parts) => discardPipe((parts as { end: unknown }).end),
      revive: (parts) => {
        const { end, readable, writable } = parts as Sides & { end: unknown };
        return new Connection(revivePipe(end), { readable, writable }, Connection.prototype.recv);
      },
    });
  }

  /**
   * Sends an object. Resolves when there was room for it on the other side, which may have to read first.
   *
   * @throws {PicklingError} when it cannot travel; nothing was sent.
   * @throws {Deno.errors.BrokenPipe} when nobody has the other end any more.
   * @throws {Deno.errors.BadResource} when this end is closed, or is the reading one.
   */
  async send(value: T): Promise<void> {
    this.#mustWrite();
    if (isRawBytes(value)) return await this.#channel.send(value, false, rawBytesHead());
    const message = encodeBriefly(value, "send", this.send);
    try {
      await this.#channel.send(message, message.length > BRIEF);
    } catch (error) {
      discardEncoded(message);
      throw error;
    }
  }

  /**
   * Receives an object.
   *
   * @throws {EOFError} when nothing is left and the other end was closed or has ended.
   * @throws {PicklingError} when something in this message is not found here; the next can be received.
   * @throws {Deno.errors.BadResource} when this end is closed, or is the writing one.
   */
  async recv(): Promise<T> {
    return await this.#receive(Infinity, VALUE) as T;
  }

  /**
   * Whether there is something to receive, an object or the end. With neither `timeout` nor `signal` it does not wait.
   *
   * @throws {Deno.errors.BadResource} when this end is closed, or is the writing one.
   * @throws The reason of the signal.
   */
  async poll(options?: WaitOptions): Promise<boolean> {
    this.#mustRead("poll");
    const limit = limitOf(options, "Connection.poll");
    const { timeout, signal } = options ?? {};
    return await this.#channel.poll(timeout === undefined && signal === undefined ? ONCE : limit);
  }

  /**
   * Sends bytes as one message, which `recvBytes` and `recvBytesInto` receive. They are copied at the call.
   *
   * @param bytes What to send from.
   * @param offset The first byte, counted from 0.
   * @param size How many; all the rest by default.
   * @throws {RangeError} when that is outside of `bytes`.
   * @throws {TypeError} when `bytes` are no bytes.
   * @throws {Deno.errors.BrokenPipe} when nobody has the other end any more.
   * @throws {Deno.errors.BadResource} when this end is closed, or is the reading one.
   *
   * @example
   * ```ts
   * import { Pipe } from "@batteries/concurrent/multiprocessing/connection";
   * import { assertEquals } from "@std/assert";
   *
   * const [a, b] = Pipe();
   * await a.sendBytes(new TextEncoder().encode("hello world"), 6);
   * assertEquals(new TextDecoder().decode(await b.recvBytes()), "world");
   * a.close();
   * b.close();
   * ```
   */
  async sendBytes(
    bytes: ArrayBufferView | ArrayBufferLike,
    offset: number = 0,
    size?: number,
  ): Promise<void> {
    this.#mustWrite();
    const all = bytesOf(bytes, "send");
    checkCount(offset, "offset", "send");
    if (offset > all.length) {
      throw new RangeError(
        `Cannot send from offset ${offset}: there are ${all.length} bytes`,
      );
    }
    if (size !== undefined) {
      checkCount(size, "size", "send");
      if (offset + size > all.length) {
        throw new RangeError(
          `Cannot send ${size} bytes from offset ${offset}: there are ${all.length} bytes`,
        );
      }
    }
    await this.#channel.send(
      all.subarray(offset, size === undefined ? undefined : offset + size),
      false,
    );
  }

  /**
   * Receives a message as bytes.
   *
   * @param maxlength The most bytes that are taken. A longer message is an error after which nothing can be received any more.
   * @throws {EOFError} when nothing is left and the other end was closed or has ended.
   * @throws {RangeError} when `maxlength` is negative.
   * @throws {Deno.errors.InvalidData} when the message is longer than `maxlength`.
   * @throws {Deno.errors.BadResource} when this end is closed, or is the writing one.
   */
  async recvBytes(maxlength?: number): Promise<Uint8Array> {
    this.#mustRead("receive");
    if (maxlength !== undefined && maxlength !== Infinity) {
      checkCount(maxlength, "maxlength", "receive");
    }
    return await this.#receive(maxlength ?? Infinity, BYTES);
  }

  /**
   * Receives a message into `buffer`, from the byte `offset` on, and gives its length in bytes.
   *
   * @throws {BufferTooShort} when it does not fit; the error has it in `data`.
   * @throws {EOFError} when nothing is left and the other end was closed or has ended.
   * @throws {RangeError} when the offset is outside of the buffer.
   * @throws {TypeError} when `buffer` is none.
   * @throws {Deno.errors.BadResource} when this end is closed, or is the writing one.
   *
   * @example
   * ```ts
   * import { Pipe } from "@batteries/concurrent/multiprocessing/connection";
   * import { assertEquals } from "@std/assert";
   *
   * const [a, b] = Pipe();
   * await a.sendBytes(Int32Array.of(1, 2));
   * const numbers = new Int32Array(4);
   * assertEquals(await b.recvBytesInto(numbers, 4), 8);
   * assertEquals([...numbers], [0, 1, 2, 0]);
   * a.close();
   * b.close();
   * ```
   */
  async recvBytesInto(
    buffer: ArrayBufferView | ArrayBufferLike,
    offset: number = 0,
  ): Promise<number> {
    this.#mustRead("receive");
    const room = bytesOf(buffer, "receive into").length;
    checkCount(offset, "offset", "receive into a buffer");
    if (offset > room) {
      throw new RangeError(
        `Cannot receive into a buffer from offset ${offset}: it has ${room} bytes`,
      );
    }
    const result = await this.#receive(Infinity, {
      own: false,
      open: (message) => fill(buffer, offset, message),
    });
    if (typeof result === "number") return result;
    throw result;
  }

  /**
   * A number that no other connection of this process has, as long as this one is open.
   *
   * @throws {Deno.errors.BadResource} when it is closed.
   */
  fileno(): number {
    this.#mustBeOpen("give the number of a connection");
    return this.#number;
  }

  /**
   * Closes this end, as leaving its `using` block does. Calls that wait to receive reject; what was given to send before is still
   * delivered. Closing twice does nothing.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    forgotten.unregister(this);
    this.#ended();
    this.#channel.close();
  }

  /** Whether this end was closed here. */
  get closed(): boolean {
    return this.#isClosed;
  }

  /** Whether it can receive. */
  get readable(): boolean {
    return this.#readable;
  }

  /** Whether it can send. */
  get writable(): boolean {
    return this.#writable;
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

  /** For `wait`. */
  async [ready](limit: Limit): Promise<boolean> {
    this.#mustRead("wait for");
    return await this.#channel.poll(limit);
  }

  async #receive<R>(longest: number, take: Take<R>): Promise<Awaited<R>> {
    this.#mustRead("receive");
    try {
      return await this.#channel.receive(longest, take);
    } catch (error) {
      if (error instanceof Deno.errors.InvalidData) this.#stopReading();
      throw error;
    }
  }

  /** As Python does: after a message that was too long, what follows cannot be told from it. */
  #stopReading(): void {
    if (this.#writable) this.#readable = false;
    else this.close();
  }

  #mustBeOpen(act: string): void {
    if (this.#isClosed) throw closed(act);
  }

  #mustRead(act: string): void {
    this.#mustBeOpen(act);
    if (!this.#readable) {
      throw new Deno.errors.BadResource(
        `Cannot ${act}: this end of the connection cannot be read, use the other one`,
      );
    }
  }

  #mustWrite(): void {
    this.#mustBeOpen("send");
    if (!this.#writable) {
      throw new Deno.errors.BadResource(
        "Cannot send: this end of the connection cannot be written, use the other one",
      );
    }
  }
}

/**
 * The two ends of a new pipe. Both send and receive, unless `duplex` is `false`: then the first only receives and the second only sends.
 * Stands for `multiprocessing.Pipe`.
 *
 * The pipe lives in this process; when it ends, the pipe has ended for everybody.
 *
 * @typeParam T What the messages are.
 *
 * @throws {TypeError} when `options` are none.
 *
 * @example
 * ```ts
 * import { EOFError } from "@batteries/concurrent/multiprocessing";
 * import { Pipe } from "@batteries/concurrent/multiprocessing/connection";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const [reader, writer] = Pipe<string>({ duplex: false });
 * await writer.send("last words");
 * writer.close();
 * assertEquals(await reader.recv(), "last words");
 * await assertRejects(() => reader.recv(), EOFError);
 * reader.close();
 * ```
 */
export function Pipe<T = unknown>(
  options?: { duplex?: boolean },
): [Connection<T>, Connection<T>] {
  const duplex = duplexOf(options);
  const [first, second] = makePipe(duplex);
  return [
    connect<T>(first, { readable: true, writable: duplex }, Pipe),
    connect<T>(second, { readable: duplex, writable: true }, Pipe),
  ];
}

function duplexOf(options: { duplex?: boolean } | undefined): boolean {
  if (options === undefined) return true;
  bagOf(options, "make a Pipe", "{ duplex: false }");
  const { duplex = true } = options;
  if (typeof duplex !== "boolean") {
    throw new TypeError(`Cannot make a Pipe: duplex must be a boolean, got ${typeof duplex}`);
  }
  return duplex;
}

/** The value of a message. */
const VALUE: Take<Promise<unknown>> = {
  own: false,
  open: (bytes) => {
    // It reads the bytes before it returns.
    const value = decode(bytes);
    // Whoever waits may be told a turn later that it is none.
    value.catch(() => {});
    return value;
  },
};

/** Copies a message into a user's buffer and gives its length, or the error. */
function fill(
  buffer: ArrayBufferView | ArrayBufferLike,
  offset: number,
  message: Uint8Array,
): number | BufferTooShort {
  // Looked at again: the buffer may have been changed meanwhile.
  const target = bytesOf(buffer, "receive into");
  if (offset + message.length <= target.length) {
    target.set(message, offset);
    return message.length;
  }
  return new BufferTooShort(
    `Cannot receive ${message.length} bytes into a buffer that has ${
      Math.max(target.length - offset, 0)
    } from offset ${offset}: the message is in the error's data`,
    message.slice(),
  );
}

function bytesOf(bytes: ArrayBufferView | ArrayBufferLike, act: string): Uint8Array {
  if (ArrayBuffer.isView(bytes)) {
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  if (bytes instanceof ArrayBuffer || bytes instanceof SharedArrayBuffer) {
    return new Uint8Array(bytes);
  }
  throw new TypeError(
    `Cannot ${act} ${
      bytes === null ? "null" : typeof bytes
    } as bytes: give a typed array, a DataView or an ArrayBuffer; send() takes any object`,
  );
}

function checkCount(value: unknown, name: string, act: string): void {
  if (typeof value !== "number") {
    throw new TypeError(`Cannot ${act}: ${name} must be a number of bytes, got ${typeof value}`);
  }
  if (!Number.isInteger(value) || value < 0) {
    throw new RangeError(
      `Cannot ${act}: ${name} must be a whole number of bytes, 0 or more, got ${value}`,
    );
  }
}
