/**
 * What travels between a manager's server and its clients, once they know each other: the only place that lays it out.
 *
 * ```text
 * client:  CALL    call object name signal args     what the object answers, comes back under the number of the call
 *          CANCEL  call                             the caller gives up; the answer comes all the same
 *          RELEASE object count                     so many references to it are given back
 *          REDEEM  object ticket                    takes the reference that was on its way under this ticket
 *          TRANSIT object ticket                    a reference is on its way to somebody
 * server:  HELLO   0 (JSON)                         once, as the first
 *          RESULT  call value                       ERROR call error
 * ```
 *
 * A frame is its length, a tag and a number, each but the tag a u32 with the lower byte first, and the rest. Object 0 is the server itself.
 * What one client sends is begun in that order. A value is one byte that says how it is written, and itself: as JSON where JSON carries
 * it exactly, else as `encode` gives it.
 *
 * @module
 */
import { decode, encode, jsonOf } from "../threading/_core/mod.ts";
import { readU32 } from "./_link.ts";
import type { Wire } from "./_manager_socket.ts";
import { decodeWarily } from "./_manager_wary.ts";

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

/** A client that has the authkey offers a lane (`_crew_lane.ts`). */
export const LANE = 9;
/** The server takes it: what it says from now on goes there. */
export const LANE_TAKEN = 10;
/** What the client says from now on goes there. */
export const LANE_USED = 11;

/** The object that every client may call: the server itself. */
export const SERVER = 0;

/** A call without an `AbortSignal` among its arguments. */
export const NO_SIGNAL = 255;

/** The longest name of a method, in bytes. */
export const LONGEST_NAME = 255;

const JSON_TEXT = 1;
const ENCODED = 0;

const decoder = new TextDecoder();

/** A value that is ready to be sent: JSON text, or bytes. */
export type Body = string | Uint8Array;

type AnyFunction = (...args: never[]) => unknown;

/** A value as JSON; `undefined` when that would not carry it exactly. */
export function jsonBody(value: unknown): Body | undefined {
  return jsonOf([value]);
}

/**
 * Any value. `what` and `root` are for messages, `door` is where the stack of an error begins.
 *
 * @throws {PicklingError} when it cannot travel.
 */
export function encodedBody(value: unknown, what: string, door: AnyFunction, root: string): Body {
  return encode(value, what, door, { root });
}

/**
 * Reads a value: JSON at once, else a promise of it. It is read out of `bytes` before this returns, even if it takes longer to make.
 * `wary`: see `_manager_wary.ts`.
 *
 * @throws {SyntaxError} when what should be JSON is none.
 */
export function valueIn(bytes: Uint8Array, wary = false): unknown {
  if (bytes[0] === JSON_TEXT) return JSON.parse(textIn(bytes, 1, bytes.length))[0];
  return (wary ? decodeWarily : decode)(bytes.subarray(1));
}

/** Up to so many bytes it is faster to look at each than to call a decoder. */
const SHORT = 32;

function textIn(bytes: Uint8Array, from: number, to: number): string {
  if (to - from > SHORT) return decoder.decode(bytes.subarray(from, to));
  let text = "";
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte > 127) return decoder.decode(bytes.subarray(from, to));
    text += String.fromCharCode(byte);
  }
  return text;
}

function body(wire: Wire, value: Body): void {
  wire.u8(typeof value === "string" ? JSON_TEXT : ENCODED);
  if (typeof value === "string") wire.text(value);
  else wire.bytes(value);
}

/** Sends a `CALL`. */
export function sendCall(
  wire: Wire,
  call: number,
  object: number,
  name: string,
  signalAt: number,
  args: Body,
): void {
  wire.begin(CALL, call);
  wire.u32(object);
  wire.u8(signalAt);
  wire.shortText(name);
  body(wire, args);
  wire.end();
}

/** The parts of a `CALL`, but for its number. */
export interface CallParts {
  readonly object: number;
  readonly name: string;
  /** Which argument had an `AbortSignal`, as its `signal`; or {@linkcode NO_SIGNAL}. */
  readonly signalAt: number;
  readonly args: Uint8Array;
}

/** Reads the rest of a `CALL`. */
export function readCall(frame: Uint8Array): CallParts {
  const args = 11 + frame[10];
  return {
    object: readU32(frame, 5),
    signalAt: frame[9],
    name: textIn(frame, 11, args),
    args: frame.subarray(args),
  };
}

/** The tag of a frame. */
export function tagOf(frame: Uint8Array): number {
  return frame[0];
}

/** The number of a frame. */
export function numberOf(frame: Uint8Array): number {
  return readU32(frame, 1);
}

/** What follows the number of a frame: the value of a `RESULT` or an `ERROR`. */
export function restOf(frame: Uint8Array): Uint8Array {
  return frame.subarray(5);
}

/** Sends a `RESULT` or an `ERROR`. */
export function sendAnswer(wire: Wire, tag: number, call: number, value: Body): void {
  wire.begin(tag, call);
  body(wire, value);
  wire.end();
}

/** Sends a `CANCEL`. */
export function sendCancel(wire: Wire, call: number): void {
  wire.begin(CANCEL, call);
  wire.end();
}

/** Sends a `RELEASE`. */
export function sendRelease(wire: Wire, object: number, count: number): void {
  wire.begin(RELEASE, object);
  wire.u32(count);
  wire.end();
}

/** The count of a `RELEASE`. */
export function countIn(frame: Uint8Array): number {
  return readU32(frame, 5);
}

/** Sends a `REDEEM` or a `TRANSIT`. */
export function sendTicket(wire: Wire, tag: number, object: number, ticket: string): void {
  wire.begin(tag, object);
  wire.text(ticket);
  wire.end();
}

/** The ticket of a `REDEEM` or a `TRANSIT`. */
export function ticketIn(frame: Uint8Array): string {
  return decoder.decode(restOf(frame));
}

/** Sends a `LANE`, `LANE_TAKEN` or `LANE_USED`. */
export function sendLane(wire: Wire, tag: number, what?: unknown): void {
  wire.begin(tag, 0);
  wire.text(JSON.stringify(what ?? null));
  wire.end();
}

/** What came with one of them. */
export function laneIn(frame: Uint8Array): unknown {
  return JSON.parse(decoder.decode(restOf(frame)));
}

/** What a server says of itself. */
export interface Hello {
  /** Tells it from all other servers that there are or were. */
  readonly server: string;
  /** Tells this client from its others. */
  readonly session: string;
}

/** Sends a `HELLO`. */
export function sendHello(wire: Wire, hello: Hello): void {
  wire.begin(HELLO, 0);
  wire.text(JSON.stringify(hello));
  wire.end();
}

/** Reads a `HELLO`. */
export function readHello(frame: Uint8Array): Hello {
  return JSON.parse(decoder.decode(restOf(frame)));
}
