/** The store of a queue: what is put comes out, and a death at any moment leaves all of an operation or nothing. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { PAGE, Ring, RING_WORDS, type RingMemory } from "../../multiprocessing/_ring.ts";

/** Memory of this process, of which no more may be had than `most` pages. */
class Pages implements RingMemory {
  bytes = new Uint8Array();
  most = Infinity;
  /** How it writes; see {@linkcode dying}. */
  reached: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  beforeResize = () => {};

  reach(at: number, pages: number): Uint8Array {
    return this.reached(this.bytes.subarray(at * PAGE, (at + pages) * PAGE));
  }

  resize(pages: number): void {
    this.beforeResize();
    if (pages > this.most) throw new RangeError("no room");
    const bytes = new Uint8Array(pages * PAGE);
    bytes.set(this.bytes.subarray(0, bytes.length));
    this.bytes = bytes;
  }
}

function made(): { ring: Ring; words: Int32Array; pages: Pages } {
  const words = new Int32Array(RING_WORDS);
  const pages = new Pages();
  const ring = new Ring(words, pages);
  ring.begin();
  return { ring, words, pages };
}

function item(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = seed + i * 7 + (i >> 9);
  return bytes;
}

function drained(ring: Ring): Uint8Array[] {
  const items: Uint8Array[] = [];
  for (let item = ring.pop(); item !== undefined; item = ring.pop()) items.push(item.slice());
  return items;
}

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return (state >>> 8) % below;
  };
}

Deno.test("Ring: items of every length around the end of the ring, come out as they went in", () => {
  const { ring } = made();
  // So that the end of the ring falls on every byte of an item.
  for (let length = 0; length < 3000; length += 7) {
    for (const seed of [1, 2]) ring.push(item(length, seed));
    for (const seed of [1, 2]) assertEquals(ring.pop(), item(length, seed));
    ring.push(item(1, 3));
    ring.push(item(length, 4));
    assertEquals(ring.pop(), item(1, 3));
    ring.push(item(5, 5));
    assertEquals(drained(ring), [item(length, 4), item(5, 5)]);
  }
  assertEquals(ring.capacity, PAGE);
});

Deno.test("Ring: an item in two parts, comes out as one", () => {
  const { ring } = made();
  for (let length = 0; length < 3000; length += 13) {
    ring.push(item(length, 1), false, item(3, 9));
    const out = ring.pop()!;
    assertEquals(out.slice(0, 3), item(3, 9));
    assertEquals(out.slice(3), item(length, 1));
    ring.push(item(length, 2));
    ring.push(item(length, 3), false, item(100, 4));
    ring.pop();
    assertEquals(ring.pop()!.slice(100), item(length, 3));
  }
});

Deno.test("Ring: random operations, agree with an array", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const { ring, words, pages } = made();
    // Another process's view of the same.
    const other = new Ring(words, pages);
    const model: Uint8Array[] = [];
    let unfinished = 0;
    for (let step = 0; step < 600; step++) {
      const one = next(2) === 0 ? ring : other;
      const dice = next(10);
      if (dice < 4) {
        const bytes = item(next(4) === 0 ? next(40_000) : next(200), step);
        one.push(bytes);
        model.push(bytes);
        unfinished++;
      } else if (dice < 8) {
        assertEquals(one.pop(), model.shift());
      } else if (dice === 8 && model.length > 0) {
        const bytes = one.pop()!;
        one.push(bytes, true);
        assertEquals(bytes, model[0]);
      } else {
        assertEquals(one.done(), unfinished > 0);
        unfinished = Math.max(0, unfinished - 1);
      }
      assertEquals([one.size, one.unfinished], [model.length, unfinished]);
    }
    assertEquals(drained(other), model);
  }
});

Deno.test("Ring: grown by a burst, gives the memory back when it is empty", () => {
  const { ring, pages } = made();
  for (let n = 0; n < 40; n++) ring.push(item(1_000_000, n));
  assert(ring.capacity >= 40_000_000);
  assert(pages.bytes.length <= 2 * ring.capacity);
  for (let n = 0; n < 40; n++) assertEquals(ring.pop(), item(1_000_000, n));
  assertEquals(ring.capacity, PAGE);
  assertEquals(pages.bytes.length, PAGE);
});

Deno.test("Ring: one item larger than twice the ring, fits", () => {
  const { ring } = made();
  ring.push(item(10, 1));
  ring.push(item(1_000_000, 2));
  assertEquals(drained(ring), [item(10, 1), item(1_000_000, 2)]);
});

Deno.test("Ring: cleared, shows its items and gives its memory back, and has not taken them out", () => {
  for (const lengths of [[], [1, 2000, 0], [100, 300_000, 7], [9_000_000, 5]]) {
    const { ring, pages } = made();
    for (let n = 0; n < 20; n++) ring.push(item(3000, n));
    for (let n = 0; n < 20; n++) ring.pop();
    const taken = ring.taken;
    for (const [seed, length] of lengths.entries()) ring.push(item(length, seed));
    const mark = ring.mark;
    const seen: Uint8Array[] = [];
    ring.clear((bytes) => seen.push(bytes.slice()));
    assertEquals(seen, lengths.map((length, seed) => item(length, seed)));
    assertEquals([ring.size, ring.taken], [0, taken]);
    assert(pages.bytes.length < 9_000_000);
    assertEquals(ring.mark === mark, lengths.length === 0);
    ring.push(item(10, 1));
    assertEquals(drained(ring), [item(10, 1)]);
  }
});

Deno.test("Ring: what was put in up to a mark, is taken out when the count comes there", () => {
  const { ring } = made();
  const marks: number[] = [];
  for (let n = 0; n < 200; n++) {
    ring.push(item(n * 97, n));
    marks.push(ring.mark);
  }
  for (const mark of marks) {
    assert(mark - ring.taken > 0);
    ring.pop();
    assertEquals(ring.taken, mark);
  }
  ring.push(item(10, 1));
  ring.push(ring.pop()!.slice(), true);
  const { mark } = ring;
  ring.pop();
  assertEquals(ring.taken, mark);
});

Deno.test("Ring: an item in memory of its own, stays as it was", () => {
  const { ring } = made();
  for (const length of [0, 10, 5000, 100_000]) {
    ring.push(item(length, 1));
    ring.push(item(length, 2));
    const own = ring.pop(true)!;
    ring.pop();
    assertEquals(own, item(length, 1));
    assertEquals(own.buffer.byteLength, length);
  }
});

Deno.test("Ring: without room for an item, refuses it and goes on", () => {
  const { ring, pages } = made();
  ring.push(item(100, 1));
  pages.most = 4;
  assertThrows(() => ring.push(item(400_000, 2)), RangeError, "no room");
  assertThrows(() => ring.push(item(400_000, 2)), RangeError, "no room");
  assertEquals([ring.size, ring.unfinished], [1, 1]);
  ring.push(item(1000, 3));
  assertEquals(drained(ring), [item(100, 1), item(1000, 3)]);
});

class Death extends Error {}

/**
 * Lets a process die before its `n`-th write, or in the middle of it: throws, and what stands in the memory is what others find. Gives
 * whether it died.
 */
function dying(n: number, pages: Pages, act: () => void): boolean {
  const { store, add } = Atomics;
  let left = n;
  const tick = () => {
    if (left-- === 0) throw new Death();
  };
  class Mortal extends Uint8Array<ArrayBuffer> {
    override set(bytes: Uint8Array, at = 0): void {
      tick();
      const half = bytes.length >> 1;
      super.set(bytes.subarray(0, half), at);
      tick();
      super.set(bytes.subarray(half), at + half);
    }
  }
  pages.reached = ({ buffer, byteOffset, length }) => {
    tick();
    return new Mortal(buffer as ArrayBuffer, byteOffset, length);
  };
  pages.beforeResize = tick;
  // deno-lint-ignore no-explicit-any -- both are overloaded
  Atomics.store = ((...args: any) => (tick(), (store as any)(...args))) as typeof store;
  // deno-lint-ignore no-explicit-any -- both are overloaded
  Atomics.add = ((...args: any) => (tick(), (add as any)(...args))) as typeof add;
  try {
    act();
    return false;
  } catch (error) {
    if (!(error instanceof Death)) throw error;
    return true;
  } finally {
    Object.assign(Atomics, { store, add });
    pages.reached = (bytes) => bytes;
    pages.beforeResize = () => {};
  }
}

interface Scene {
  readonly name: string;
  /** What is in the queue before. */
  readonly before: readonly number[];
  readonly act: (ring: Ring) => void;
  /** What is in it if the act has happened. */
  readonly after: readonly number[];
  readonly unfinished: number;
}

/** Items are told by their lengths. */
const SCENES: readonly Scene[] = [
  {
    name: "push",
    before: [10, 20],
    act: (ring) => ring.push(item(30, 30)),
    after: [10, 20, 30],
    unfinished: 3,
  },
  {
    name: "push around the end",
    before: [30_000, 30_000],
    act: (ring) => ring.push(item(5400, 5400)),
    after: [30_000, 30_000, 5400],
    unfinished: 3,
  },
  {
    name: "push that grows the ring",
    before: [30_000, 30_000],
    act: (ring) => ring.push(item(90_000, 90_000)),
    after: [30_000, 30_000, 90_000],
    unfinished: 3,
  },
  { name: "pop", before: [10, 20], act: (ring) => void ring.pop(), after: [20], unfinished: 2 },
  {
    name: "pop of the last, which shrinks the ring",
    before: [9_000_000],
    act: (ring) => void ring.pop(),
    after: [],
    unfinished: 1,
  },
  {
    name: "push back",
    before: [10, 20],
    act: (ring) => ring.push(item(30_000, 30_000), true),
    after: [30_000, 10, 20],
    unfinished: 2,
  },
  {
    name: "done",
    before: [10, 20],
    act: (ring) => void ring.done(),
    after: [10, 20],
    unfinished: 1,
  },
];

for (const { name, before, act, after, unfinished } of SCENES) {
  Deno.test(`Ring: a process that dies anywhere in a ${name}, has done all of it or nothing`, () => {
    let deaths = 0;
    for (let n = 0;; n++) {
      const { ring, words, pages } = made();
      for (const length of before) ring.push(item(length, length));
      // The ring begins in the middle, so that its end is somewhere among the items.
      if (name.includes("around")) {
        ring.push(item(4000, 0));
        ring.push(item(ring.pop()!.length, 30_000));
        ring.push(item(ring.pop()!.length, 30_000));
        ring.pop();
        for (const _ of before) ring.done();
        ring.done();
      }
      const [size, open] = [ring.size, ring.unfinished];
      const died = dying(n, pages, () => act(ring));
      // Somebody else finds what is there, and can go on with it.
      const next = new Ring(words, pages);
      const happened = !died || next.size !== size || next.unfinished !== open;
      if (died) deaths++;
      assertEquals(next.unfinished, happened ? unfinished : open);
      next.push(item(50_000, 1));
      const left = [...happened ? after : before, 50_000];
      assertEquals(next.size, left.length);
      for (const length of left) {
        assertEquals(next.pop(), item(length, length === 50_000 ? 1 : length));
      }
      assertEquals(next.size, 0);
      if (!died) break;
    }
    assert(deaths >= 5, `died ${deaths} times`);
  });
}

Deno.test("Ring: with any number in any field of its states, does what a ring does, or says that it is damaged; it always ends", () => {
  const values = [-1, 0, 1, 7, 2 ** 15, 2 ** 20, 2 ** 30, 2 ** 31 - 1, -(2 ** 31)];
  let refused = 0;
  for (let word = 0; word < RING_WORDS; word++) {
    for (const value of values) {
      const { ring, words, pages } = made();
      pages.most = 64;
      for (let n = 0; n < 3; n++) ring.push(item(100, n));
      words[word] = value;
      for (
        const act of [
          () => ring.push(item(10, 1)),
          () => ring.push(item(PAGE, 1)),
          () => ring.pop(),
          () => ring.done(),
          () => ring.clear(() => {}),
          () => ring.push(item(10, 1), true),
        ]
      ) {
        try {
          act();
        } catch (error) {
          // Room for a ring that lies where none can be is not to be had.
          assert(
            error instanceof Deno.errors.InvalidData || error instanceof RangeError,
            `${error}`,
          );
          refused++;
        }
      }
    }
  }
  assert(refused > 0);
});

Deno.test("Ring: an item that says that it is longer than the ring, is damaged", () => {
  const { ring, pages } = made();
  ring.push(item(100, 1));
  new DataView(pages.bytes.buffer).setUint32(0, 0xffff_ffff, true);
  assertThrows(() => ring.pop(), Deno.errors.InvalidData, "holds what none of them has written");
});
