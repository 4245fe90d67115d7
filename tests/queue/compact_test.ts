/** The form of small plain data between threads: what it takes must arrive as structured clone would bring it. */

import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { bytes, compact, expandBytes } from "../../queue/_compact.ts";

function round(value: object): unknown {
  const length = compact(value);
  assert(length > 0, "it was not taken");
  return expandBytes(bytes.slice(0, length));
}

Deno.test("compact: plain data of every kind arrives as structured clone would bring it", () => {
  const values: object[] = [
    { a: 1, b: -1, c: 2 ** 31, d: -(2 ** 31), e: 1.5, f: NaN, g: Infinity, h: -0, i: 2 ** 53 },
    { text: "", ascii: "a\0~", wide: "é😀", half: "\ud800" },
    { yes: true, no: false, nothing: null, missing: undefined },
    { constructor: 1, toString: 2, hasOwnProperty: 3, "a b": 4, "é": 5, "": 6 },
    [],
    [1, "a", [2, [3]], { x: [] }],
    { list: [{ x: 1 }, { x: 2 }, { y: { z: [null, undefined] } }] },
    Array.from({ length: 200 }, (_, i) => i),
  ];
  for (const value of values) assertEquals(round(value), structuredClone(value));
  assert(Object.is((round({ zero: -0 }) as { zero: number }).zero, -0));
});

Deno.test("compact: the order of an object's properties is kept", () => {
  assertEquals(Object.keys(round({ b: 1, a: 2 }) as object), ["b", "a"]);
  assertEquals(Object.keys(round({ a: 1, b: 2 }) as object), ["a", "b"]);
});

Deno.test("compact: what hangs together otherwise, or is not plain, is left to others", () => {
  const twice = { x: 1 };
  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const named = Object.assign([1, 2], { name: 1 });
  const deep = { a: { a: { a: { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } } } } };
  class Own {
    x = 1;
  }
  const left: object[] = [
    { a: twice, b: twice },
    cycle,
    named,
    [1, , 3],
    deep,
    new Own(),
    Object.create(null, { x: { value: 1, enumerable: true } }),
    { date: new Date() },
    { big: 1n },
    { fn() {} },
    { symbol: Symbol("a") },
    { proxy: new Proxy({}, {}) },
    new Proxy({ x: 1 }, {}),
    { 0: "a", 1: "b" },
    JSON.parse('{ "__proto__": { "x": 1 } }'),
    {},
    { text: "a".repeat(3000) },
    Array.from({ length: 300 }, (_, i) => i),
    Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i])),
    Array.from({ length: 30 }, () => ({ x: 1 })),
    (function (..._given: unknown[]) {
      return arguments;
    })(1, 2),
  ];
  for (const value of left) assertStrictEquals(compact(value), 0, Deno.inspect(value));
  assertEquals(round({ still: "well" }), { still: "well" });
});

Deno.test("compact: an accessor that throws, or that comes here itself, spoils nothing", () => {
  const inner = { x: 1 };
  const nested = {
    before: "a",
    get inner() {
      return compact(inner);
    },
    after: "b",
  };
  assertEquals(round(nested), { before: "a", inner: 0, after: "b" });
  const thrown = new Error("no");
  const throwing = {
    a: 1,
    get b() {
      throw thrown;
    },
  };
  try {
    compact(throwing);
    assert(false, "it did not throw");
  } catch (error) {
    assertStrictEquals(error, thrown);
  }
  assertEquals(round({ a: 1 }), { a: 1 });
});

Deno.test("compact: random values arrive whole", () => {
  let random = 4242;
  const next = (below: number) => (random = Math.imul(random, 1103515245) + 12345 >>> 0) % below;
  const make = (depth: number): unknown => {
    switch (next(depth > 4 ? 6 : 8)) {
      case 0:
        return next(2 ** 31) - 2 ** 30;
      case 1:
        return next(1000) / 7;
      case 2:
        return String.fromCharCode(...Array.from({ length: next(20) }, () => next(300)));
      case 3:
        return next(2) === 0;
      case 4:
        return null;
      case 5:
        return undefined;
      case 6:
        return Array.from({ length: next(5) }, () => make(depth + 1));
      default:
        return Object.fromEntries(
          Array.from({ length: 1 + next(4) }, () => [`k${next(6)}`, make(depth + 1)]),
        );
    }
  };
  let taken = 0;
  for (let i = 0; i < 3000; i++) {
    const value = [make(0)];
    const length = compact(value);
    if (length === 0) continue;
    taken++;
    assertEquals(expandBytes(bytes.slice(0, length)), value);
  }
  assert(taken > 1500, `${taken}`);
});

Deno.test("compact: more shapes than a thread may enter are left to others, the known ones go on", () => {
  const first = { aFirstShape: 1 };
  assertEquals(round(first), first);
  for (let i = 0; i < 400; i++) compact({ [`shape${i}`]: i });
  assertStrictEquals(compact({ neverSeenBefore: 1 }), 0);
  assertEquals(round(first), first);
});
