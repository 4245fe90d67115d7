/**
 * Letters and answers as bytes, one behind the other: for workers that are processes.
 *
 * A letter is its kind (one byte), the length of the body, two numbers, the form, the group (four bytes each) and the body; an answer is
 * its kind, the length, the task's number, eight bytes of time, and the body. What the body is, its kind says as well.
 *
 * @module
 */
import {
  decode,
  decodeSync,
  encode,
  type EncodedError,
  jsonOf,
  type Reference,
} from "../threading/_core/values.ts";
import {
  type Answer,
  BEGAN,
  BEGIN,
  type Boss,
  type Codec,
  ERROR,
  FAILED,
  FINISH,
  LEARN,
  type Letter,
  READY,
  RECALL,
  RETURNED,
  TASK,
  TOLD_TASK,
  UNCAUGHT,
  VALUE,
} from "./_crew_protocol.ts";
import { Pieces } from "./_pieces.ts";

/** What a value travels as: a number as itself, what JSON carries exactly as its text, all else as bytes. */
export type Body = Bytes | string | number;
/** See {@linkcode Body}. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** See the head of this file. */
export const codec: Codec<Body> = {
  pack(value, what, root, door) {
    if (typeof value === "number") return value;
    if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
      const text = jsonOf(value);
      if (text !== undefined) return text;
    }
    return encode(value, what, door, { root });
  },
  unpackNow: (body) => open(body) ?? decodeSync(body as Bytes),
  unpackSoon: (body) => Promise.resolve(open(body) ?? decode(body as Bytes)),
  packError: (error) => encode(error, "throw", codec.packError),
  unpackError: (body) => codec.unpackNow(body) as EncodedError,
  away: true,
};

/** What is no bytes. */
function open(body: Body): unknown {
  if (typeof body === "number") return body;
  return typeof body === "string" ? JSON.parse(body) : undefined;
}

/** Flags of a kind: what the body is. */
const TEXT = 0x40;
const NUMBER = 0x80;
const KIND = 0x3f;

/** A buffer that has grown beyond this is not kept. */
const KEPT = 256 * 1024;
const LETTER_HEAD = 21;
const ANSWER_HEAD = 17;
const NO_BODY = 0xffff_ffff;
/** Text up to this length is copied character by character: asking for it costs more. */
const SHORT = 48;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Collects what is to go in one message. */
class Writer {
  #bytes = new Uint8Array(4096);
  view: DataView = new DataView(this.#bytes.buffer);
  size = 0;

  #room(length: number): void {
    const end = this.size + length;
    if (end <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(end, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, this.size));
    this.#bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /** Makes room for a head, writes its kind, the length of the body, and behind it the body. Gives where the head is. */
  put(kind: number, head: number, body: Body | undefined): number {
    const at = this.size;
    if (body === undefined) {
      this.#room(head);
      this.view.setUint8(at, kind);
      this.view.setUint32(at + 1, NO_BODY);
      this.size += head;
    } else if (typeof body === "number") {
      this.#room(head + 8);
      this.view.setUint8(at, kind | NUMBER);
      this.view.setUint32(at + 1, 8);
      this.view.setFloat64(at + head, body);
      this.size += head + 8;
    } else if (typeof body === "string") {
      this.#room(head + 3 * body.length);
      const length = this.#text(body, at + head);
      this.view.setUint8(at, kind | TEXT);
      this.view.setUint32(at + 1, length);
      this.size += head + length;
    } else {
      this.#room(head + body.length);
      this.view.setUint8(at, kind);
      this.view.setUint32(at + 1, body.length);
      this.#bytes.set(body, at + head);
      this.size += head + body.length;
    }
    return at;
  }

  #text(text: string, at: number): number {
    const { length } = text;
    const bytes = this.#bytes;
    if (length <= SHORT) {
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[at + i] = code;
      }
      if (i === length) return length;
    }
    return encoder.encodeInto(text, bytes.subarray(at)).written;
  }

  /** What was collected, until something else is. */
  take(): Bytes {
    const bytes = this.#bytes.subarray(0, this.size);
    this.size = 0;
    if (this.#bytes.length > KEPT) {
      this.#bytes = new Uint8Array(4096);
      this.view = new DataView(this.#bytes.buffer);
    }
    return bytes;
  }
}

function lengthIn(view: DataView, at: number): number {
  const length = view.getUint32(at + 1);
  return length === NO_BODY ? 0 : length;
}

function bodyIn(bytes: Bytes, view: DataView, kind: number, at: number, length: number): Body {
  if ((kind & NUMBER) !== 0) return view.getFloat64(at);
  if ((kind & TEXT) === 0) return bytes.subarray(at, at + length);
  if (length <= SHORT) {
    let text = "";
    let i = at;
    for (const end = at + length; i < end; i++) {
      const code = bytes[i];
      if (code > 0x7f) break;
      text += String.fromCharCode(code);
    }
    if (i === at + length) return text;
  }
  return decoder.decode(bytes.subarray(at, at + length));
}

/** Letters for one worker. */
export class LetterWriter {
  readonly #writer = new Writer();

  get isEmpty(): boolean {
    return this.#writer.size === 0;
  }

  add(letter: Letter<Body>): void {
    switch (letter[0]) {
      case LEARN:
        return this.#add(LEARN, letter[1], 0, 0, encode(letter[2], "send", this.add));
      case TASK:
      case TOLD_TASK:
        return this.#add(letter[0], letter[1], letter[2], letter[3], letter[4], letter[5]);
      case BEGIN:
        return this.#add(BEGIN, letter[1], 0, 0, letter[2]);
      default:
        return this.#add(letter[0], 0, 0, 0, undefined);
    }
  }

  #add(
    kind: number,
    a: number,
    b: number,
    form: number,
    body: Body | undefined,
    group = 0,
  ): void {
    const writer = this.#writer;
    const at = writer.put(kind, LETTER_HEAD, body);
    const { view } = writer;
    view.setUint32(at + 5, a);
    view.setUint32(at + 9, b);
    view.setInt32(at + 13, form);
    view.setUint32(at + 17, group);
  }

  /** What was added, until more is. */
  take(): Bytes {
    return this.#writer.take();
  }
}

/** Reads what {@linkcode LetterWriter} wrote. */
export class LetterReader {
  readonly #pieces = new Pieces(LETTER_HEAD, lengthIn);

  /** Calls `hear` for each letter that is whole. */
  read(bytes: Bytes, hear: (letter: Letter<Body>) => void): void {
    const pieces = this.#pieces;
    pieces.add(bytes);
    while (pieces.next()) hear(letterIn(pieces));
  }
}

function letterIn({ bytes, view, at }: Pieces): Letter<Body> {
  const kind = view.getUint8(at);
  const length = view.getUint32(at + 1);
  const a = view.getUint32(at + 5);
  const body = length === NO_BODY ? undefined : bodyIn(bytes, view, kind, at + LETTER_HEAD, length);
  switch (kind & KIND) {
    case LEARN:
      return [LEARN, a, decodeSync(body as Bytes) as Reference];
    case TASK:
    case TOLD_TASK:
      return [
        (kind & KIND) as typeof TASK,
        a,
        view.getUint32(at + 9),
        view.getInt32(at + 13),
        body!,
        view.getUint32(at + 17),
      ];
    case BEGIN:
      return [BEGIN, a, body];
    case FINISH:
      return [FINISH];
    default:
      return [RECALL];
  }
}

/** Reports of one worker. */
export class ReportWriter {
  readonly #writer = new Writer();

  /** In bytes. */
  get size(): number {
    return this.#writer.size;
  }

  answer({ id, ran, kind, body }: Answer<Body>): void {
    const at = this.#writer.put(kind, ANSWER_HEAD, body);
    this.#writer.view.setUint32(at + 5, id);
    this.#writer.view.setFloat64(at + 9, ran);
  }

  /** Everything else. */
  say(
    kind: typeof READY | typeof FAILED | typeof BEGAN | typeof RETURNED | typeof UNCAUGHT,
    what?: unknown,
  ): void {
    this.#writer.put(kind, ANSWER_HEAD, encode(what, "say", this.say));
  }

  /** What was added, until more is. */
  take(): Bytes {
    return this.#writer.take();
  }
}

/** Reads what {@linkcode ReportWriter} wrote. */
export class ReportReader {
  readonly #pieces = new Pieces(ANSWER_HEAD, lengthIn);

  /** Whether there is more to be told, in the middle of telling. */
  get hasMore(): boolean {
    return this.#pieces.hasMore;
  }

  /** Tells the crew. */
  read(bytes: Bytes | undefined, boss: Boss<Body>): void {
    const pieces = this.#pieces;
    if (bytes !== undefined) pieces.add(bytes);
    while (pieces.next()) tell(boss, pieces);
  }
}

function tell(boss: Boss<Body>, { bytes, view, at }: Pieces): void {
  const first = view.getUint8(at);
  const body = bodyIn(bytes, view, first, at + ANSWER_HEAD, view.getUint32(at + 1));
  const kind = first & KIND;
  switch (kind) {
    case VALUE:
    case ERROR:
      return boss.answered({
        id: view.getUint32(at + 5),
        ran: view.getFloat64(at + 9),
        kind,
        body,
      });
    case READY:
      return boss.ready();
    case FAILED:
      return boss.failed(codec.unpackNow(body) as EncodedError);
    case BEGAN:
      return boss.began(codec.unpackNow(body) as number);
    case RETURNED:
      return boss.returned(codec.unpackNow(body) as number[]);
    case UNCAUGHT:
      return boss.uncaught(codec.unpackNow(body) as string);
  }
}
