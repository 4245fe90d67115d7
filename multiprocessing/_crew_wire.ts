/**
 * Letters and answers as bytes, many in one message: for workers that are processes.
 *
 * A letter is its kind (one byte), two numbers, the form, the length of the body, the group (four bytes each) and the body; an answer is the
 * task's number, eight bytes of time, the kind and the body likewise.
 *
 * @module
 */
import {
  decode,
  decodeSync,
  encode,
  type EncodedError,
  type Reference,
} from "../threading/_core/mod.ts";
import {
  type Answer,
  BEGIN,
  type Codec,
  FINISH,
  LEARN,
  type Letter,
  TASK,
  TOLD_TASK,
  type VALUE,
} from "./_crew_protocol.ts";

/** What a value travels as. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** See the head of this file. */
export const codec: Codec<Bytes> = {
  pack: (value, what, root, door) => encode(value, what, door, { root }),
  unpackNow: decodeSync,
  unpackSoon: decode,
  packError: (error) => encode(error, "throw", codec.packError),
  unpackError: (body) => decodeSync(body) as EncodedError,
  away: true,
};

/** Collects what is to go in one message. */
class Writer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  get size(): number {
    return this.#end;
  }

  /** Makes room for a head, and for a body behind it. */
  room(length: number): { view: DataView; at: number } {
    const at = this.#end;
    this.#end += length;
    if (this.#end > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(this.#end, this.#bytes.length * 2));
      bytes.set(this.#bytes.subarray(0, at));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return { view: this.#view, at };
  }

  put(body: Uint8Array, at: number): void {
    this.#bytes.set(body, at);
  }

  /** What was collected, in memory of its own. */
  take(): Bytes {
    const bytes = this.#bytes.slice(0, this.#end);
    this.#end = 0;
    if (this.#bytes.length > KEPT) {
      this.#bytes = new Uint8Array(1024);
      this.#view = new DataView(this.#bytes.buffer);
    }
    return bytes;
  }
}

/** A buffer that has grown beyond this is not kept. */
const KEPT = 256 * 1024;
const LETTER_HEAD = 21;
const ANSWER_HEAD = 17;
const NO_BODY = 0xffff_ffff;

/** Letters for one worker. */
export class LetterWriter {
  readonly #writer = new Writer();

  get isEmpty(): boolean {
    return this.#writer.size === 0;
  }

  add(letter: Letter<Bytes>): void {
    switch (letter[0]) {
      case LEARN:
        return this.#add(LEARN, letter[1], 0, 0, encode(letter[2], "send", this.add));
      case TASK:
      case TOLD_TASK:
        return this.#add(letter[0], letter[1], letter[2], letter[3], letter[4], letter[5]);
      case BEGIN:
        return this.#add(BEGIN, letter[1], 0, 0, letter[2]);
      case FINISH:
        return this.#add(FINISH, 0, 0, 0, undefined);
    }
  }

  #add(
    kind: number,
    a: number,
    b: number,
    form: number,
    body: Bytes | undefined,
    group = 0,
  ): void {
    const { view, at } = this.#writer.room(LETTER_HEAD + (body?.length ?? 0));
    view.setUint8(at, kind);
    view.setUint32(at + 1, a);
    view.setUint32(at + 5, b);
    view.setInt32(at + 9, form);
    view.setUint32(at + 13, body?.length ?? NO_BODY);
    view.setUint32(at + 17, group);
    if (body !== undefined) this.#writer.put(body, at + LETTER_HEAD);
  }

  take(): Bytes {
    return this.#writer.take();
  }
}

/** What {@linkcode LetterWriter} wrote. */
export function* readLetters(bytes: Bytes): Generator<Letter<Bytes>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const [kind, a, b] = [view.getUint8(at), view.getUint32(at + 1), view.getUint32(at + 5)];
    const form = view.getInt32(at + 9);
    const length = view.getUint32(at + 13);
    const group = view.getUint32(at + 17);
    at += LETTER_HEAD;
    const body = length === NO_BODY ? undefined : bytes.subarray(at, at + length);
    if (body !== undefined) at += length;
    switch (kind) {
      case LEARN:
        yield [LEARN, a, decodeSync(body!) as Reference];
        break;
      case TASK:
      case TOLD_TASK:
        yield [kind, a, b, form, body!, group];
        break;
      case BEGIN:
        yield [BEGIN, a, body];
        break;
      case FINISH:
        yield [FINISH];
        break;
    }
  }
}

/** Answers of one worker. */
export class AnswerWriter {
  readonly #writer = new Writer();

  /** In bytes. */
  get size(): number {
    return this.#writer.size;
  }

  add({ id, ran, kind, body }: Answer<Bytes>): void {
    const { view, at } = this.#writer.room(ANSWER_HEAD + body.length);
    view.setUint32(at, id);
    view.setFloat64(at + 4, ran);
    view.setUint8(at + 12, kind);
    view.setUint32(at + 13, body.length);
    this.#writer.put(body, at + ANSWER_HEAD);
  }

  take(): Bytes {
    return this.#writer.take();
  }
}

/** What {@linkcode AnswerWriter} wrote. */
export function* readAnswers(bytes: Bytes): Generator<Answer<Bytes>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const id = view.getUint32(at);
    const ran = view.getFloat64(at + 4);
    const kind = view.getUint8(at + 12) as typeof VALUE;
    const length = view.getUint32(at + 13);
    at += ANSWER_HEAD;
    yield { id, ran, kind, body: bytes.subarray(at, at + length) };
    at += length;
  }
}
