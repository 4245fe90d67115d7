/** Lanes: bytes both ways, in pieces of any size, past the end of the ring. */

import { assert, assertEquals } from "@std/assert";
import { acceptLane, draftLane } from "../../multiprocessing/_crew_lane.ts";
import { Pieces } from "../../multiprocessing/_pieces.ts";

/** Numbers that look as if they were drawn, the same every time. */
function* drawn(seed: number): Generator<number> {
  for (let x = seed;;) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    yield x >>> 8;
  }
}

function lanes() {
  const draft = draftLane();
  const { lane: there, bell } = acceptLane(draft.handle);
  return [draft.open(bell), there] as const;
}

/** A message of so many bytes: its length, and what tells it from others. */
function message(length: number, mark: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + length).fill(mark & 0xff);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

Deno.test("a lane: messages of every size, arrive whole and in order, both ways, also when it is full", () => {
  const [here, there] = lanes();
  const draw = drawn(7);
  for (const [from, to] of [[here, there], [there, here]]) {
    const pieces = new Pieces(4, (view, at) => view.getUint32(at));
    let [sent, heard] = [0, 0];
    const sizes: number[] = [];
    const hear = () => {
      const bytes = to.in.take();
      if (bytes === undefined) return;
      pieces.add(bytes);
      while (pieces.next()) {
        const { bytes, at, length } = pieces;
        assertEquals(length, 4 + sizes[heard]);
        assert(bytes.subarray(at + 4, at + length).every((byte) => byte === (heard & 0xff)));
        heard++;
      }
    };
    for (; sent < 2000; sent++) {
      const kind = draw.next().value! % 100;
      const length = kind === 0 ? 300_000 : draw.next().value! % (kind < 20 ? 5000 : 60);
      sizes.push(length);
      from.out.write(message(length, sent));
      if (kind % 7 === 0) hear();
    }
    sizes.push(300_000);
    from.out.write(message(300_000, sent++));
    assert(from.out.isFull);
    while (heard < sent) {
      hear();
      from.out.push();
    }
    assertEquals([heard, from.out.isFull, to.in.isEmpty], [2001, false, true]);
  }
});

Deno.test("a lane: what was written may be used for something else, and what was taken is one's own", () => {
  const [here, there] = lanes();
  const bytes = new Uint8Array(200_000).fill(1);
  here.out.write(bytes);
  bytes.fill(2);
  const first = there.in.take()!;
  here.out.push();
  const second = there.in.take()!;
  assertEquals(first.length + second.length, 200_000);
  here.out.write(new Uint8Array(100_000).fill(3));
  assert(first.every((byte) => byte === 1) && second.every((byte) => byte === 1));
});

Deno.test("Pieces: heads and bodies that come byte by byte, are put together", () => {
  const pieces = new Pieces(4, (view, at) => view.getUint32(at));
  const seen: number[] = [];
  const all = [message(0, 1), message(3, 2), message(1, 3)].flatMap((each) => [...each]);
  for (const byte of all) {
    pieces.add(Uint8Array.of(byte));
    while (pieces.next()) {
      const { bytes, at, length } = pieces;
      seen.push(length - 4, ...bytes.subarray(at + 4, at + length));
    }
  }
  assertEquals(seen, [0, 3, 2, 2, 2, 1, 3]);
});

Deno.test("Pieces: what is added while a message is dealt with, comes behind what was there", () => {
  const pieces = new Pieces(4, (view, at) => view.getUint32(at));
  const seen: number[] = [];
  const deal = (depth: number) => {
    while (pieces.next()) {
      const { bytes, at } = pieces;
      seen.push(bytes[at + 4]);
      if (depth > 0) {
        pieces.add(message(1, 10 + depth));
        deal(depth - 1);
      }
    }
  };
  pieces.add(Uint8Array.of(...message(1, 1), ...message(1, 2), ...message(1, 3)));
  deal(2);
  assertEquals(seen, [1, 2, 3, 12, 11]);
});
