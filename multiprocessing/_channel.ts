/**
 * What a `Connection` stands on: something that carries whole messages both ways.
 *
 * @module
 */
import { EOFError } from "./errors.ts";
import type { Limit } from "../threading/_core/mod.ts";

/** What a receiver makes of a message. */
export interface Take<R> {
  /** Whether it keeps the bytes. Else their memory is used again. */
  readonly own: boolean;
  /** Makes it, before it returns. */
  open(bytes: Uint8Array): R;
}

/** The bytes. */
export const BYTES: Take<Uint8Array> = { own: true, open: (bytes) => bytes };

/** One end of a connection, as the processes hold it. Its calls throw, or reject, what they say. */
export interface Channel {
  /**
   * Sends a message, which begins with `head`, if there is any. Resolves when there was room for it on the other side; messages leave
   * in the order of the calls and whole. Rejects with `Deno.errors.BrokenPipe` when nobody can receive it any more.
   *
   * @param mine Whether nobody else changes the message; else it is sent as it is at the call.
   */
  send(message: Uint8Array, mine: boolean, head?: Uint8Array): void | Promise<void>;
  /**
   * Receives a message. Rejects with `EOFError` when nothing is left and nobody can send any more, and with
   * `Deno.errors.InvalidData` when it has more than `longest` bytes.
   */
  receive<R>(longest: number, take: Take<R>): R | Promise<R>;
  /** Whether receiving would not wait: a whole message is there, or the end. */
  poll(limit: Limit): boolean | Promise<boolean>;
  /** Lets go. Receiving and polling calls reject; what was sent is delivered. */
  close(): void;
  /** What another process makes its own hold of this end from. Throws a `PicklingError` when it cannot travel. */
  reduce(): unknown;
}

/** A message in memory of the channel's own. */
export function kept(message: Uint8Array, mine: boolean, head?: Uint8Array): Uint8Array {
  if (head === undefined) return mine ? message : message.slice();
  const bytes = new Uint8Array(head.length + message.length);
  bytes.set(head);
  bytes.set(message, head.length);
  return bytes;
}

/** Nobody can send any more. */
export function ended(): Error {
  return new EOFError(
    "Cannot receive: nothing is left, and the other end was closed or has ended",
  );
}

/** Nobody can receive any more. */
export function broken(cause?: unknown): Error {
  return new Deno.errors.BrokenPipe(
    "Cannot send: the other end was closed or has ended",
    { cause },
  );
}

/** This end was closed. `act` is what was asked, such as `"receive"`. */
export function closed(act: string): Error {
  return new Deno.errors.BadResource(`Cannot ${act}: the connection is closed`);
}
