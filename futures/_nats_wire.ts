/**
 * Calls and results as messages, byte by byte.
 *
 * A call: version, form, the length of the head (4 bytes, the lower first), the head (JSON), the arguments. A result: version, form,
 * how long the call ran (8 bytes, a float), the body. What is too long for a message lies in the object store, and the message is
 * version, `AWAY`, and its name there.
 *
 * Guarantees: nothing is decoded here but the head, which is checked field by field; so neither the server nor whoever hands messages
 * on runs code of a task.
 *
 * @module
 */
import { PicklingError } from "../threading/_core/mod.ts";
import { isPath, type TaskName } from "./_nats_names.ts";

const VERSION = 1;
/** The message is somewhere else. */
const AWAY = 255;
const CALL = 0;

/** Forms of results. */
export const VALUE = 1;
export const FAILED = 2;
/** The results of a chunk: the length of the values, the values, and the error that ended it, if one did. */
export const CHUNK = 3;

/** The submitter has stopped the call; there is no body. */
export const STOPPED = 4;

/** What is told of a call to those who hand it on. */
export interface Call extends TaskName {
  /** Client and number: under this its result is stored. */
  readonly key: string;
  /** Of a chunk, how many arguments each call has; 0: one call. */
  readonly chunk: number;
  /** Milliseconds that it may run. */
  readonly timeout: number | undefined;
  /** How many workers may be lost over it. */
  readonly losses: number;
}

/** The head on the wire: short names, as it goes with every call. */
interface Head {
  k: string;
  a: string;
  p: readonly string[];
  n?: 1;
  c?: number;
  t?: number;
  l: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const HEAD_AT = 6;
const BODY_AT = 10;
const KEY = /^[A-Za-z0-9]{1,64}\.\d{1,15}$/;

/** Whether that can be the key of a call. */
export function isKey(text: string): boolean {
  return KEY.test(text);
}

/** A call as a message. */
export function sealCall(call: Call, args: Uint8Array): Uint8Array<ArrayBuffer> {
  const { key, alias, path, named, chunk, timeout, losses } = call;
  const head: Head = { k: key, a: alias, p: path, l: losses };
  if (named) head.n = 1;
  if (chunk !== 0) head.c = chunk;
  if (timeout !== undefined) head.t = timeout;
  const text = encoder.encode(JSON.stringify(head));
  const bytes = new Uint8Array(HEAD_AT + text.length + args.length);
  bytes[0] = VERSION;
  bytes[1] = CALL;
  new DataView(bytes.buffer).setUint32(2, text.length, true);
  bytes.set(text, HEAD_AT);
  bytes.set(args, HEAD_AT + text.length);
  return bytes;
}

/**
 * The call of a message, and its arguments.
 *
 * @throws {PicklingError} when it is none.
 */
export function openCall(bytes: Uint8Array): { call: Call; args: Uint8Array } {
  if (bytes.length < HEAD_AT || bytes[0] !== VERSION || bytes[1] !== CALL) throw notOurs("call");
  const end = HEAD_AT + viewOf(bytes).getUint32(2, true);
  if (end > bytes.length) throw notOurs("call");
  let head: Partial<Record<keyof Head, unknown>> | null;
  try {
    head = JSON.parse(decoder.decode(bytes.subarray(HEAD_AT, end)));
  } catch (cause) {
    throw notOurs("call", cause);
  }
  const { k, a, p, n, c = 0, t, l } = head ?? {};
  if (typeof k !== "string" || !isKey(k) || typeof a !== "string" || !isPath(p)) {
    throw notOurs("call");
  }
  if (!isCount(c) || !isCount(l) || t !== undefined && (typeof t !== "number" || !(t >= 0))) {
    throw notOurs("call");
  }
  const call = { key: k, alias: a, path: p, named: n === 1, chunk: c, timeout: t, losses: l };
  return { call, args: bytes.subarray(end) };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

/** A result as a message. */
export function sealResult(
  form: number,
  ran: number,
  ...parts: Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, BODY_AT));
  bytes[0] = VERSION;
  bytes[1] = form;
  viewOf(bytes).setFloat64(2, ran, true);
  let at = BODY_AT;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The results of a chunk as a message. */
export function sealChunk(
  ran: number,
  values: Uint8Array,
  error?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const length = new Uint8Array(4);
  viewOf(length).setUint32(0, values.length, true);
  return sealResult(CHUNK, ran, length, values, ...(error === undefined ? [] : [error]));
}

/** What a message says of a result. */
export interface Result {
  readonly form: number;
  /** Milliseconds. */
  readonly ran: number;
  readonly body: Uint8Array;
  /** Of a chunk that failed. */
  readonly error: Uint8Array | undefined;
}

/**
 * The result in a message.
 *
 * @throws {PicklingError} when it is none.
 */
export function openResult(bytes: Uint8Array): Result {
  const form = bytes[1];
  if (bytes.length < BODY_AT || bytes[0] !== VERSION) throw notOurs("result");
  const ran = viewOf(bytes).getFloat64(2, true);
  if (form === VALUE || form === FAILED || form === STOPPED) {
    return { form, ran, body: bytes.subarray(BODY_AT), error: undefined };
  }
  if (form !== CHUNK || bytes.length < BODY_AT + 4) throw notOurs("result");
  const end = BODY_AT + 4 + viewOf(bytes).getUint32(BODY_AT, true);
  if (end > bytes.length) throw notOurs("result");
  const error = end === bytes.length ? undefined : bytes.subarray(end);
  return { form, ran, body: bytes.subarray(BODY_AT + 4, end), error };
}

/** How long a call ran, by the message of its result; `Infinity` when that is none. */
export function ranIn(bytes: Uint8Array): number {
  return bytes.length < BODY_AT ? Infinity : viewOf(bytes).getFloat64(2, true);
}

/** A message that says where the message is. */
export function sealAway(name: string): Uint8Array<ArrayBuffer> {
  const text = encoder.encode(name);
  const bytes = new Uint8Array(2 + text.length);
  bytes[0] = VERSION;
  bytes[1] = AWAY;
  bytes.set(text, 2);
  return bytes;
}

/** Where the message is, if it is not here. */
export function awayIn(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== VERSION || bytes[1] !== AWAY) return undefined;
  const name = new TextDecoder().decode(bytes.subarray(2));
  return /^[\w.-]{1,200}$/.test(name) ? name : undefined;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function notOurs(what: string, cause?: unknown): PicklingError {
  return new PicklingError(
    `Cannot read the message of a ${what}: the bytes are not what this library sends; make sure that all sides run the same version`,
    { cause },
  );
}
