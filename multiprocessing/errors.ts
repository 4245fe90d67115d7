/**
 * The error classes of `multiprocessing`.
 *
 * Where Python raises `BrokenPipeError`, `ConnectionRefusedError` or another subclass of `OSError`, these packages throw the class of
 * `Deno.errors` that means the same.
 *
 * @module
 */
import { nameIt, registerError } from "../threading/_core/mod.ts";

export { TimeoutError } from "../threading/_core/mod.ts";

/**
 * The base class of the errors of `multiprocessing`. `TimeoutError` is not among them: there is one for all packages. Stands for
 * `multiprocessing.ProcessError`.
 *
 * @example
 * ```ts
 * import { AuthenticationError, BufferTooShort, ProcessError } from "@batteries/concurrent/multiprocessing";
 * import { assertInstanceOf } from "@std/assert";
 *
 * assertInstanceOf(new AuthenticationError("Cannot connect"), ProcessError);
 * assertInstanceOf(new BufferTooShort("Cannot receive", new Uint8Array()), ProcessError);
 * ```
 */
export class ProcessError extends Error {
  static {
    nameIt(this, "ProcessError");
  }
}

/**
 * Raised by `Connection.recvBytesInto` when the buffer is too small for the message. The message is in `data` and lost to the
 * connection. Stands for `multiprocessing.BufferTooShort`.
 *
 * @example
 * ```ts
 * import { BufferTooShort, Pipe } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const [a, b] = Pipe();
 * await a.sendBytes(new Uint8Array([1, 2, 3]));
 * const error = await assertRejects(() => b.recvBytesInto(new Uint8Array(2)), BufferTooShort);
 * assertEquals(error.data, new Uint8Array([1, 2, 3]));
 * a.close();
 * b.close();
 * ```
 */
export class BufferTooShort extends ProcessError {
  static {
    nameIt(this, "BufferTooShort");
  }
  /** The whole message. */
  readonly data: Uint8Array;

  /** Makes the error for the message `data`. */
  constructor(message: string, data: Uint8Array) {
    super(message);
    this.data = data;
  }
}

/**
 * Raised on both sides when a peer does not prove that it knows the key. Stands for `multiprocessing.AuthenticationError`.
 */
export class AuthenticationError extends ProcessError {
  static {
    nameIt(this, "AuthenticationError");
  }
}

/**
 * Raised by a receiving call when nothing is left to receive and the other end was closed or has ended. Stands for Python's built-in
 * `EOFError`.
 */
export class EOFError extends Error {
  static {
    nameIt(this, "EOFError");
  }
}

/** Raised for a call that needed more memory than the `memoryLimit` of its pool. Stands for Python's `MemoryError`. */
export class MemoryError extends Error {
  static {
    nameIt(this, "MemoryError");
  }
}

for (const type of [ProcessError, BufferTooShort, AuthenticationError, EOFError, MemoryError]) {
  registerError(type, import.meta.url);
}
