/**
 * What a `Connection` stands on: something that carries whole messages both ways.
 *
 * @module
 */
import { EOFError } from "./errors.ts";
import type { Limit } from "../threading/_core/mod.ts";

/** One end of a connection, as the processes hold it. */
export interface Channel {
  /**
   * Sends a message, which is the channel's own from now on. Resolves when there was room for it on the other side; messages leave
   * in the order of the calls and whole. Rejects with `Deno.errors.BrokenPipe` when nobody can receive it any more.
   */
  send(message: Uint8Array): Promise<void>;
  /**
   * Receives a message. Rejects with `EOFError` when nothing is left and nobody can send any more, and with
   * `Deno.errors.InvalidData` when it has more than `longest` bytes.
   */
  receive(longest: number): Promise<Uint8Array>;
  /** Whether receiving would not wait: a whole message is there, or the end. */
  poll(limit: Limit): Promise<boolean>;
  /** Lets go. Receiving and polling calls reject; what was sent is delivered. */
  close(): void;
  /** What another process makes its own hold of this end from. Throws a `PicklingError` when it cannot travel. */
  reduce(): unknown;
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
