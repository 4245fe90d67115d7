/**
 * Where a queue's words and items lie: in an object that other processes can map, or, in a program that may not call its operating
 * system, in memory of this isolate's own.
 *
 * A queue has an object of its own. Its words are a large block of an arena, which therefore has nothing else in it; behind all that
 * the arena knows of, the ring's pages are added and taken away. So the object lives as long as anybody has it open, whoever made it,
 * and as long as a handle is on its way.
 *
 * @module
 */
import type { PlaceHandle } from "./_arena.ts";
import { QUEUE_WORDS, START, Store } from "./_queue_store.ts";
import { MOST_PAGES, PAGE, type RingMemory } from "./_ring.ts";
import { type Home, newSeat, reduceSeat, reviveSeat } from "./_sync_seat.ts";
import {
  type Ground,
  hasPlatform,
  type Platform,
  resize,
  resizes,
} from "../threading/_core/platform/mod.ts";

/** So many words have an arena to themselves. */
const WORDS = PAGE / 4;
/** The items of a queue, where an object cannot grow, in pages. Not tested: there is no such system here. */
const FIXED_PAGES = 1024;
/** As many pages are mapped as are asked for, and so many times as many, if that can be: the ring may grow. */
const AHEAD = 8;
/** A window of more pages is given back when the ring becomes small. */
const LARGE = 256;

/**
 * Pages behind an arena. JavaScript's collector gives them back, but not while a view is in use: this keeps the memory of the last two
 * that it gave, and nobody uses more at a time.
 */
class AddedPages implements RingMemory {
  readonly #system: Platform;
  readonly #fd: number;
  /** Where they begin in the object, in pages. */
  readonly #start: number;
  #window: Window = { at: 0, pages: 0, bytes: new Uint8Array() };
  #view: Window = this.#window;
  #lastView: Window = this.#window;

  constructor(system: Platform, fd: number, start: number) {
    this.#system = system;
    this.#fd = fd;
    this.#start = start;
  }

  reach(at: number, pages: number): Uint8Array {
    if (this.#view.at === at && this.#view.pages === pages) return this.#view.bytes;
    const { bytes, ground, at: from } = this.#cover(at, pages);
    this.#lastView = this.#view;
    this.#view = {
      at,
      pages,
      ground,
      bytes: bytes.subarray((at - from) * PAGE, (at - from + pages) * PAGE),
    };
    return this.#view.bytes;
  }

  /** What is mapped, once that holds these pages. More is mapped than is there: a ring that grows stays within it for a while. */
  #cover(at: number, pages: number): Window {
    const { at: from, pages: mapped } = this.#window;
    if (at >= from && at + pages <= from + mapped) return this.#window;
    const ahead = (at + pages) * AHEAD;
    const window = ahead <= MOST_PAGES ? { at: 0, pages: ahead } : { at, pages };
    const start = (this.#start + window.at) * PAGE;
    const ground = this.#system.ground(this.#fd, window.pages * PAGE, start);
    return this.#window = { ...window, bytes: bytesAt(ground), ground };
  }

  resize(pages: number, before: number): void {
    resize(this.#fd, (this.#start + before) * PAGE, (this.#start + pages) * PAGE);
    // When much is given back, so are the addresses.
    if (pages < before && this.#window.pages > LARGE) {
      this.#window = this.#view = this.#lastView = { at: 0, pages: 0, bytes: new Uint8Array() };
    }
  }
}

interface Window {
  readonly at: number;
  readonly pages: number;
  readonly bytes: Uint8Array;
  /** Keeps the bytes where they are. */
  readonly ground?: Ground;
}

/**
 * The bytes of mapped memory, for whoever keeps its `Ground` as long as them: as those of an `ArrayBuffer`, since JavaScript copies
 * into and out of a `SharedArrayBuffer` ten times slower. There is nothing to race for: the queue's lock is held.
 */
function bytesAt({ memory, address }: Ground): Uint8Array {
  const pointer = Deno.UnsafePointer.create(BigInt(address))!;
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, memory.byteLength));
}

/** Pages that were there from the beginning, behind the words. */
class FixedPages implements RingMemory {
  readonly #bytes: Uint8Array;

  constructor(words: Int32Array) {
    this.#bytes = new Uint8Array(words.buffer, words.byteOffset + PAGE, FIXED_PAGES * PAGE);
  }

  reach(at: number, pages: number): Uint8Array {
    return this.#bytes.subarray(at * PAGE, (at + pages) * PAGE);
  }

  resize(pages: number): void {
    if (pages <= FIXED_PAGES) return;
    throw new RangeError(
      `Cannot put the item: on ${Deno.build.os} a queue holds at most ${FIXED_PAGES * PAGE} bytes`,
    );
  }
}

/** Pages of this isolate's own. */
export class OwnPages implements RingMemory {
  #bytes = new Uint8Array();

  reach(at: number, pages: number): Uint8Array {
    return this.#bytes.subarray(at * PAGE, (at + pages) * PAGE);
  }

  resize(pages: number): void {
    const bytes = new Uint8Array(pages * PAGE);
    bytes.set(this.#bytes.subarray(0, bytes.length));
    this.#bytes = bytes;
  }
}

/** A queue of this process's own, and the words it lies in. */
export interface Near {
  readonly store: Store;
  readonly seat: Home;
}

/** Words, and the memory of a ring. */
export interface Bed {
  readonly seat: Home;
  readonly memory: RingMemory;
}

/** A new bed; the words of the ring are 0. `what` is for messages: "make a Queue". */
export function makeBed(what: string): Bed {
  const mapped = hasPlatform();
  const seat = newSeat(
    !mapped ? QUEUE_WORDS : resizes ? WORDS : WORDS + FIXED_PAGES * PAGE / 4,
    what,
  );
  if (mapped && resizes && "place" in seat) {
    const { system, fd } = seat.place.arena;
    seat.words[START] = Math.ceil(system.sizeOf(fd) / PAGE);
  }
  return { seat, memory: memoryOf(seat) };
}

/** A bed that came from somewhere else. */
export function reviveBed(handle: PlaceHandle, what: string): Bed {
  const seat = reviveSeat(handle, what);
  return { seat, memory: memoryOf(seat) };
}

/** A new queue. `what` is for messages: "make a Queue". */
export function makeNear(maxsize: number, what: string): Near {
  const { seat, memory } = makeBed(what);
  return { store: Store.begin(seat, memory, maxsize), seat };
}

function memoryOf(seat: Home): RingMemory {
  if (!("place" in seat)) return new OwnPages();
  const start = seat.words[START];
  const { system, fd } = seat.place.arena;
  return start === 0 ? new FixedPages(seat.words) : new AddedPages(system, fd, start);
}

/** The queue's words as data, if others can map them. */
export function reduceNear(near: Near): PlaceHandle | undefined {
  return reduceSeat(near.seat);
}

/** A queue that came from somewhere else. */
export function reviveNear(handle: PlaceHandle, what: string): Near {
  const { seat, memory } = reviveBed(handle, what);
  return { store: new Store(seat, memory), seat };
}
