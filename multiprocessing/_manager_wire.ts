/**
 * What travels between a manager's server and its clients, once they know each other: the only place that lays it out.
 *
 * ```text
 * client:  CALL    call object name signal args     what the object answers, comes back under the number of the call
 *          CANCEL  call                             the caller gives up; the answer comes all the same
 *          RELEASE object count                     so many references to it are given back
 *          REDEEM  object ticket                    takes the reference that was on its way under this ticket
 *          TRANSIT object ticket                    a reference is on its way to somebody
 * server:  HELLO   (text)                           once, as the first
 *          RESULT  call value                       ERROR call error
 * ```
 *
 * Numbers are u32, the lower byte first; values are what `encode` makes of them. Object 0 is the server itself. What one client sends
 * is begun in that order.
 *
 * @module
 */
import { readU32, u32 } from "./_link.ts";

/** What a client asks. */
export const CALL = 1;
/** The caller gives up. */
export const CANCEL = 2;
/** References are given back. */
export const RELEASE = 3;
/** A reference has arrived. */
export const REDEEM = 4;
/** A reference is on its way. */
export const TRANSIT = 5;
/** The server says who it is. */
export const HELLO = 6;
/** A call has a result. */
export const RESULT = 7;
/** A call has failed. */
export const ERROR = 8;

/** The object that every client may call: the server itself. */
export const SERVER = 0;

/** A call without an `AbortSignal` among its arguments. */
export const NO_SIGNAL = 255;

/** What a server says of itself. */
export interface Hello {
  /** Tells it from all other servers that there are or were. */
  readonly server: string;
  /** Tells this client from its others. */
  readonly session: string;
  readonly pid: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The longest name of a method, in bytes. */
export const LONGEST_NAME = 255;

/** A `CALL`. */
export function callFrame(
  call: number,
  object: number,
  name: string,
  signalAt: number,
  args: Uint8Array,
): Uint8Array[] {
  const head = new Uint8Array(11 + name.length * 3);
  const { written } = encoder.encodeInto(name, head.subarray(11));
  head[0] = CALL;
  putU32(head, 1, call);
  putU32(head, 5, object);
  head[9] = written;
  head[10] = signalAt;
  return [head.subarray(0, 11 + written), args];
}

/** The parts of a `CALL`. */
export interface CallParts {
  readonly call: number;
  readonly object: number;
  readonly name: string;
  /** Which argument had an `AbortSignal`, as its `signal`; or {@linkcode NO_SIGNAL}. */
  readonly signalAt: number;
  readonly args: Uint8Array<ArrayBuffer>;
}

/** Reads a `CALL`. */
export function readCall(frame: Uint8Array<ArrayBuffer>): CallParts {
  const args = 11 + frame[9];
  return {
    call: readU32(frame, 1),
    object: readU32(frame, 5),
    name: decoder.decode(frame.subarray(11, args)),
    signalAt: frame[10],
    args: frame.subarray(args),
  };
}

/** A frame of a tag and one number, and what follows them. */
export function frameOf(tag: number, number: number, body?: Uint8Array): Uint8Array[] {
  const head = new Uint8Array(5);
  head[0] = tag;
  putU32(head, 1, number);
  return body === undefined ? [head] : [head, body];
}

/** What follows the number of a frame. */
export function bodyOf(frame: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return frame.subarray(5);
}

/** A `RELEASE`. */
export function releaseFrame(object: number, count: number): Uint8Array[] {
  return frameOf(RELEASE, object, u32(count));
}

/** A `REDEEM` or a `TRANSIT`. */
export function ticketFrame(tag: number, object: number, ticket: string): Uint8Array[] {
  return frameOf(tag, object, encoder.encode(ticket));
}

/** The ticket of a `REDEEM` or a `TRANSIT`. */
export function ticketIn(frame: Uint8Array<ArrayBuffer>): string {
  return decoder.decode(bodyOf(frame));
}

/** A `HELLO`. */
export function helloFrame(hello: Hello): Uint8Array[] {
  return frameOf(HELLO, 0, encoder.encode(JSON.stringify(hello)));
}

/** Reads a `HELLO`. */
export function readHello(frame: Uint8Array<ArrayBuffer>): Hello {
  return JSON.parse(decoder.decode(bodyOf(frame)));
}

function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
