/**
 * Takes messages out of bytes that come in pieces of any size.
 *
 * What is done with a message may lead to more bytes and to the next message, before it is over itself: a callback that blocks for
 * another answer does that. So messages are taken one by one, and each once.
 *
 * @module
 */

/** Bytes of this thread's own. */
type Bytes = Uint8Array<ArrayBuffer>;

const NONE = new Uint8Array();
const NO_VIEW = new DataView(NONE.buffer);

/** See the head of this file. */
export class Pieces {
  readonly #head: number;
  readonly #lengthAt: (view: DataView, at: number) => number;
  /** What was added and is not looked at yet. */
  readonly #more: Bytes[] = [];
  /** What is looked at, and how far. */
  #bytes: Bytes = NONE;
  #view = NO_VIEW;
  #at = 0;
  /** The beginning of a message that has not come whole, and how much of it has. */
  #part: Bytes | undefined;
  #have = 0;
  /** The message that {@linkcode Pieces.next} has found: the bytes it lies in, where, and how long it is with its head. */
  bytes: Bytes = NONE;
  view: DataView = NO_VIEW;
  at = 0;
  length = 0;

  /** For messages with a head of so many bytes; `lengthAt` gives how many follow it. */
  constructor(head: number, lengthAt: (view: DataView, at: number) => number) {
    this.#head = head;
    this.#lengthAt = lengthAt;
  }

  /** More bytes have come, which are not changed afterwards. */
  add(bytes: Bytes): void {
    this.#more.push(bytes);
  }

  /** Whether there are bytes that were not looked at. */
  get hasMore(): boolean {
    return this.#at < this.#bytes.length || this.#more.length > 0;
  }

  /** Finds the next message, if it is whole. */
  next(): boolean {
    for (;;) {
      if (this.#at === this.#bytes.length) {
        const more = this.#more.shift();
        if (more === undefined) return false;
        this.#bytes = more;
        this.#view = new DataView(more.buffer, more.byteOffset, more.byteLength);
        this.#at = 0;
      }
      if (this.#part === undefined ? this.#whole() : this.#complete()) return true;
    }
  }

  #whole(): boolean {
    const at = this.#at;
    const left = this.#bytes.length - at;
    const length = left < this.#head ? this.#head : this.#head + this.#lengthAt(this.#view, at);
    if (left < this.#head || left < length) {
      this.#part = new Uint8Array(length);
      this.#part.set(this.#bytes.subarray(at));
      this.#have = left;
      this.#at += left;
      return false;
    }
    this.#at += length;
    this.#found(this.#bytes, this.#view, at, length);
    return true;
  }

  #complete(): boolean {
    const part = this.#part!;
    const piece = this.#bytes.subarray(this.#at, this.#at + part.length - this.#have);
    part.set(piece, this.#have);
    this.#have += piece.length;
    this.#at += piece.length;
    if (this.#have < part.length) return false;
    const view = new DataView(part.buffer);
    const length = this.#head + this.#lengthAt(view, 0);
    if (length > part.length) {
      // So far it was the head alone.
      this.#part = new Uint8Array(length);
      this.#part.set(part);
      return false;
    }
    this.#part = undefined;
    this.#found(part, view, 0, length);
    return true;
  }

  #found(bytes: Bytes, view: DataView, at: number, length: number): void {
    this.bytes = bytes;
    this.view = view;
    this.at = at;
    this.length = length;
  }
}
