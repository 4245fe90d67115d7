/**
 * Where the words of a lock lie: in an arena, where other processes can map them and wait on them, or, in a program that may not call
 * the operating system, in memory of this isolate's own, on which others act over the tree (`_sync_far.ts`).
 *
 * A participant is a thread, by its identity in the arena. A process that is served over the tree has a number beside that of the
 * thread that serves it: `identity | number << 22`. It ends with that thread, or when the thread says so by putting
 * {@linkcode NOBODY} in its place.
 *
 * @module
 */
import {
  allot,
  type Identity,
  type Place,
  type PlaceHandle,
  reducePlace,
  revivePlace,
} from "./_arena.ts";
import { here, now } from "../threading/_core/values.ts";
import { hasPlatform, MOST_WORDS, platform } from "../threading/_core/platform/mod.ts";
import { casOn } from "./_quick.ts";
import type { Quick } from "./_sync_ports.ts";
import { type Ground, NOBODY, type Seat } from "./_sync_steps.ts";
import { useKernel } from "./_sync_waiting.ts";

/** How often a main thread that sleeps looks what its threads want, in milliseconds. */
const SERVE_MS = 5;

const NUMBER_SHIFT = 22;
const IDENTITY = 2 ** NUMBER_SHIFT - 1;
/** How many processes a thread serves at a time. */
export const MOST_SERVED = 254;

/** Of whoever cannot take a lock by one step of its own: it has to ask. */
export const UNKNOWN: Identity = { number: 0 };

/** Words in an arena. */
class ArenaSeat implements Seat, Ground {
  readonly place: Place;
  readonly words: Int32Array;
  readonly at = 0;
  readonly sleeps = true;
  readonly #self: Identity;
  readonly #arena: Place["arena"];
  readonly #served: number;

  constructor(place: Place, served = 0) {
    this.place = place;
    this.#arena = place.arena;
    this.words = place.words;
    this.#served = served << NUMBER_SHIFT;
    this.#self = served === 0 ? place.arena.known : UNKNOWN;
    useKernel(kernel ??= makeKernel());
  }

  get ground(): Ground {
    return this;
  }

  get me(): number {
    return this.#arena.identity | this.#served;
  }

  isGone(who: number): boolean {
    return who === NOBODY || this.#arena.isGone(who & IDENTITY);
  }

  address(index: number): number {
    return this.place.address(index);
  }

  quick(index: number): Quick {
    return { cas: this.#arena.cas, at: (this.place.at + index) * 4, self: this.#self };
  }

  /** A main thread goes on serving its threads meanwhile: the one that it waits for may have to start another first. */
  sleep(index: number, seen: number, ms: number): void {
    const { system } = this.#arena;
    const site = here();
    if (site.serve === undefined) return system.wait(this.place.address(index), seen, ms);
    const until = now() + ms;
    for (let left = ms; left > 0; left = until - now()) {
      site.serve();
      if (Atomics.load(this.words, index) !== seen) return;
      system.wait(this.place.address(index), seen, Math.min(left, SERVE_MS));
      if (Atomics.load(this.words, index) !== seen) return;
    }
  }

  wake(index: number, count: number): void {
    this.#arena.system.wake(this.place.address(index), count);
  }

  serving(number: number): ArenaSeat {
    return new ArenaSeat(this.place, number);
  }
}

let lastAddress = 0;

/** Words of this isolate's own. The isolate itself is participant 1. */
class OwnSeat implements Seat, Ground {
  readonly words: Int32Array;
  readonly at = 0;
  readonly me: number;
  readonly sleeps = false;
  readonly #addresses: number;

  constructor(words: Int32Array, addresses: number, me = 1) {
    this.words = words;
    this.me = me;
    this.#addresses = addresses;
  }

  get ground(): Ground {
    return this;
  }

  isGone(who: number): boolean {
    return who === NOBODY;
  }

  address(index: number): number {
    return this.#addresses - index;
  }

  quick(index: number): Quick {
    const cas = casOn({ words: this.words, wasm: undefined });
    return { cas, at: index * 4, self: UNKNOWN };
  }

  sleep(): void {
    platform("wait on the calling thread for a lock of multiprocessing");
  }

  wake(): void {
    // Nobody but this isolate's asynchronous waiters sleeps here, and they look by themselves.
  }

  serving(number: number): OwnSeat {
    return new OwnSeat(this.words, this.#addresses, 1 + number);
  }
}

/** Words of a lock's own. */
export type Home = ArenaSeat | OwnSeat;

/** New words, all 0. `what` is for the message, should there be no memory: "make a Lock". */
export function newSeat(words: number, what: string): Home {
  if (hasPlatform()) return new ArenaSeat(allot(words, what));
  const first = lastAddress;
  lastAddress -= words;
  return new OwnSeat(new Int32Array(words), first - 1);
}

/** The words as data, if others can map them. */
export function reduceSeat(seat: Home): PlaceHandle | undefined {
  return seat instanceof ArenaSeat ? reducePlace(seat.place) : undefined;
}

/** Words that came from somewhere else. */
export function reviveSeat(handle: PlaceHandle, what: string): Home {
  return new ArenaSeat(revivePlace(handle, what));
}

let kernel: ReturnType<typeof makeKernel> | undefined;

/** This isolate's bell, and the call that waits. */
function makeKernel() {
  const place = allot(1, "wait for a lock of multiprocessing");
  const { system } = place.arena;
  return {
    bell: { words: place.words, index: 0, address: place.address(0) },
    most: MOST_WORDS - 1,
    waitAny: (words: { address: number; value: number }[], ms: number) => system.waitAny(words, ms),
    wake: (address: number, count: number) => system.wake(address, count),
  };
}
