/**
 * A lane: bytes both ways between a crew and one of its workers, in memory that both have mapped. With `--allow-ffi` it takes the place
 * of the tree for a crew's letters and answers: to write and to read costs no call of the system, and a crew that is blocked can read.
 *
 * What it is. Two rings, one for each direction, with one writer and one reader each. HEAD says how many bytes were taken out, TAIL how
 * many were put in, both as 32 bits; each is changed by one side only. What does not fit waits with its writer, who goes on when there is
 * room.
 *
 * Guarantees
 * - Bytes arrive in order and once, and stay when their writer ends: it puts them in first, then moves TAIL.
 * - No wake-up is lost, neither of who waits for bytes nor of who waits for room; see `_ring_guard.ts`, and for room:
 *   1. The writer says WANTS, then looks at HEAD again. 2. The reader moves HEAD, then looks at WANTS.
 *   And so for who sleeps elsewhere: 1. The reader says DOZES, then looks at TAIL again. 2. The writer moves TAIL, then looks at DOZES.
 *
 * Each worker sleeps on a word of its lane; a thread that has crews sleeps on one word for all of them, its bell.
 *
 * Relies on: both sides being programs with the same permissions. Nothing is checked that only a writer of wrong bytes could get wrong.
 *
 * @module
 */
import type { PlaceHandle } from "./_arena.ts";
import { Guard } from "./_ring_guard.ts";
import { type Home, newSeat, reduceSeat, reviveSeat } from "./_sync_seat.ts";
import { hasPlatform } from "../threading/_core/platform/mod.ts";

/** Bytes of a direction; a power of two. */
const CAPACITY = 128 * 1024;
const MASK = CAPACITY - 1;
/** Copying so few bytes one by one costs less than asking for it. */
const FEW = 64;

/** Words of a direction. */
const TAIL = 0;
const HEAD = 1;
const WANTS = 2;
/** The reader sleeps elsewhere: the writer has to wake it by another way. */
const DOZES = 3;

/** Words of a lane. The directions lie apart, so that those who change them do not disturb each other. */
const LETTERS = 0;
const ANSWERS = 32;
/** Changes when there is something to look at while the worker sleeps, and whether it does. */
const NEWS = 64;
const SLEEPERS = 65;
const HEADER = 96;
const WORDS = HEADER + 2 * CAPACITY / 4;

/** Words of a bell: as NEWS and SLEEPERS of a lane. */
const BELL_WORDS = 2;

/** How a lane travels. */
export interface LaneHandle {
  readonly lane: PlaceHandle;
  readonly bell: PlaceHandle;
}

/** Where somebody sleeps until there is news. */
export interface Bell {
  readonly guard: Guard;
  readonly word: number;
  readonly counter: number;
}

function ring({ guard, word, counter }: Bell): void {
  guard.tell(counter, word, 1);
}

/** The words of a direction, and its bytes: as those of an `ArrayBuffer`, for the same reason as in `_queue_memory.ts`. */
interface Direction {
  /** Keeps the memory. */
  readonly seat: Home;
  readonly words: Int32Array;
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** The writing side of a direction. */
export class Outflow {
  readonly #way: Direction;
  /** Who reads. */
  readonly #reader: Bell;
  #tail: number;
  /** As far as is known. */
  #room = 0;
  #waiting: Uint8Array[] = [];
  /** Wakes a reader that dozes. */
  wake: (() => void) | undefined;

  constructor(way: Direction, reader: Bell) {
    this.#way = way;
    this.#reader = reader;
    this.#tail = way.words[way.at + TAIL];
  }

  /** Whether there is something that did not fit. */
  get isFull(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether some of that would fit now. */
  get hasRoom(): boolean {
    return this.#look() > 0;
  }

  /** Puts bytes in, which may be used for something else afterwards, and wakes the reader. */
  write(bytes: Uint8Array): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(bytes.slice());
      return this.push();
    }
    const put = this.#put(bytes);
    if (put < bytes.length) {
      this.#waiting.push(bytes.slice(put));
      return this.push();
    }
    this.#tell();
  }

  #tell(): void {
    ring(this.#reader);
    const { words, at } = this.#way;
    if (this.wake === undefined || Atomics.load(words, at + DOZES) === 0) return;
    if (Atomics.exchange(words, at + DOZES, 0) !== 0) this.wake();
  }

  /** Puts in what had to wait, as far as there is room. */
  push(): void {
    if (this.#waiting.length === 0) return;
    const { words, at } = this.#way;
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) break;
      const put = this.#put(first);
      if (put === first.length) {
        this.#waiting.shift();
        continue;
      }
      this.#waiting[0] = first.subarray(put);
      // Steps 1 and 2 of the head of this file.
      Atomics.store(words, at + WANTS, 1);
      if (this.#look() === 0) break;
    }
    this.#tell();
  }

  #look(): number {
    const { words, at } = this.#way;
    return this.#room = CAPACITY - ((this.#tail - Atomics.load(words, at + HEAD)) | 0);
  }

  #put(data: Uint8Array): number {
    const { words, at, bytes } = this.#way;
    if (this.#room < data.length) this.#look();
    const length = Math.min(data.length, this.#room);
    const from = this.#tail & MASK;
    if (from + length <= CAPACITY) {
      if (length > FEW) bytes.set(length === data.length ? data : data.subarray(0, length), from);
      else for (let i = 0; i < length; i++) bytes[from + i] = data[i];
    } else {
      const front = CAPACITY - from;
      bytes.set(data.subarray(0, front), from);
      bytes.set(data.subarray(front, length), 0);
    }
    this.#room -= length;
    this.#tail = (this.#tail + length) | 0;
    Atomics.store(words, at + TAIL, this.#tail);
    return length;
  }
}

/** The reading side of a direction. */
export class Inflow {
  readonly #way: Direction;
  /** Who writes. */
  readonly #writer: Bell;
  #head: number;

  constructor(way: Direction, writer: Bell) {
    this.#way = way;
    this.#writer = writer;
    this.#head = way.words[way.at + HEAD];
  }

  get isEmpty(): boolean {
    const { words, at } = this.#way;
    return Atomics.load(words, at + TAIL) === this.#head;
  }

  /** From now on the writer has to wake this side by another way; `false` when there is something already. */
  doze(): boolean {
    const { words, at } = this.#way;
    Atomics.store(words, at + DOZES, 1);
    if (this.isEmpty) return true;
    Atomics.store(words, at + DOZES, 0);
    return false;
  }

  /** All the bytes that there are, in memory of their own; `undefined` when there are none. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    const { words, at, bytes } = this.#way;
    const length = (Atomics.load(words, at + TAIL) - this.#head) | 0;
    if (length === 0) return undefined;
    const from = this.#head & MASK;
    let taken: Uint8Array<ArrayBuffer>;
    if (from + length <= CAPACITY) taken = bytes.slice(from, from + length);
    else {
      taken = new Uint8Array(length);
      taken.set(bytes.subarray(from));
      taken.set(bytes.subarray(0, length - (CAPACITY - from)), CAPACITY - from);
    }
    this.#head = (this.#head + length) | 0;
    Atomics.store(words, at + HEAD, this.#head);
    if (Atomics.load(words, at + WANTS) !== 0 && Atomics.exchange(words, at + WANTS, 0) !== 0) {
      ring(this.#writer);
    }
    return taken;
  }
}

/** A lane as one side has it. */
export interface Lane {
  readonly out: Outflow;
  readonly in: Inflow;
  /** Where the worker sleeps. */
  readonly bell: Bell;
}

/** Whether lanes can be had: what a crew's workers inherit, they can map too. */
export function hasLanes(): boolean {
  return hasPlatform();
}

let own: { readonly bell: Bell; readonly seat: Home } | undefined;

function ownBell(): NonNullable<typeof own> {
  if (own === undefined) {
    const seat = newSeat(BELL_WORDS, "start the workers of a pool");
    own = { seat, bell: bellOn(seat) };
  }
  return own;
}

/** Where this thread sleeps until there is news of its crews. */
export function bellOfCrews(): Bell {
  return ownBell().bell;
}

/** Lanes whose workers have ended: as many as there were at a time are used again and again. */
const spare: Home[] = [];

/** A lane for a worker of this thread's. `handle`: for the worker. `giveBack`: when the worker has ended, and nobody uses the lane. */
export function makeLane(): Lane & { readonly handle: LaneHandle; giveBack(): void } {
  const seat = spare.pop() ?? newSeat(WORDS, "start a worker of a pool");
  const mine = ownBell();
  const bell = bellOn(seat, NEWS, SLEEPERS);
  return {
    giveBack() {
      seat.words.fill(0, 0, HEADER);
      spare.push(seat);
    },
    out: new Outflow(direction(seat, LETTERS), bell),
    in: new Inflow(direction(seat, ANSWERS), bell),
    bell,
    handle: { lane: reduceSeat(seat)!, bell: reduceSeat(mine.seat)! },
  };
}

/** The worker's side. */
export function reviveLane({ lane, bell }: LaneHandle): Lane {
  const seat = reviveSeat(lane, "work for a pool");
  const crews = bellOn(reviveSeat(bell, "work for a pool"));
  return {
    out: new Outflow(direction(seat, ANSWERS), crews),
    in: new Inflow(direction(seat, LETTERS), crews),
    bell: bellOn(seat, NEWS, SLEEPERS),
  };
}

/**
 * A lane to another process that has crews, or the like, itself: it sleeps on its own bell. `open`: with what it answers to `handle`,
 * which is {@linkcode acceptLane}'s.
 */
export function draftLane(): {
  readonly handle: LaneHandle;
  open(bell: PlaceHandle): Pick<Lane, "in" | "out">;
} {
  const seat = newSeat(WORDS, "talk to a manager");
  return {
    handle: { lane: reduceSeat(seat)!, bell: reduceSeat(ownBell().seat)! },
    open: (bell) => laneOn(seat, LETTERS, ANSWERS, bell),
  };
}

/** The other side of {@linkcode draftLane}, and the handle of this one's bell. */
export function acceptLane(handle: LaneHandle): {
  readonly lane: Pick<Lane, "in" | "out">;
  readonly bell: PlaceHandle;
} {
  const seat = reviveSeat(handle.lane, "talk to a client");
  return {
    lane: laneOn(seat, ANSWERS, LETTERS, handle.bell),
    bell: reduceSeat(ownBell().seat)!,
  };
}

function laneOn(
  seat: Home,
  out: number,
  back: number,
  bell: PlaceHandle,
): Pick<Lane, "in" | "out"> {
  const other = bellOn(reviveSeat(bell, "talk to a manager"));
  return {
    out: new Outflow(direction(seat, out), other),
    in: new Inflow(direction(seat, back), other),
  };
}

/** By default that of a thread; the worker's is in its lane. */
function bellOn(seat: Home, word = 0, counter = 1): Bell {
  return { guard: new Guard(seat, 0), word, counter };
}

function direction(seat: Home, at: number): Direction {
  const { words } = seat;
  const start = HEADER + (at === LETTERS ? 0 : CAPACITY / 4);
  const pointer = Deno.UnsafePointer.create(BigInt(seat.ground.address(start)))!;
  const bytes = new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, CAPACITY));
  return { seat, words, at, bytes };
}
