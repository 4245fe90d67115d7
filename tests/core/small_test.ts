/** Small plain data as bytes. `PROPERTY_SEED` chooses which random values. */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { BRIEF, decodeSync, encode, encodeBriefly } from "../../threading/_core/bytes.ts";
import { PicklingError } from "../../threading/_core/errors.ts";
import { Dice } from "../fuzz/bytes.ts";

/** The first byte of what this codec has written. */
const SMALL = 13;

function send(value: unknown): Uint8Array<ArrayBuffer> {
  return encode(value, "send", send, { root: "value" });
}

function round(value: unknown): unknown {
  return decodeSync(send(value));
}

const taken: Record<string, unknown> = {
  "numbers": [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 0.1, NaN, Infinity, -0],
  "constants": { a: true, b: false, c: null, d: undefined },
  "text": ["", "ascii\n\0", "héllo", "😀", "half \ud800", "\ufeffmark", "x".repeat(200)],
  "text alone": "a small text",
  "wide text alone": "\u4e2d\ud800",
  "names": { "": 1, "with space": 2, constructor: 3, toString: 4, length: 5, $: 6, a1: 7, "-1": 8 },
  "objects in objects": { a: { b: { c: [{ d: [] }, [[]]] } } },
  "many names": Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`n${i}`, i])),
};

const left: Record<string, unknown> = {
  "no names": {},
  "numbers as names": { b: 1, 2: "two", 1: "one" },
  "names beyond ASCII": { größe: 1 },
  "a name that is too long": { ["x".repeat(300)]: 1 },
  "an array with a property": Object.assign([1, 2], { more: true }),
  "holes": [1, , 3],
  "an object twice": ((same) => ({ a: same, b: same }))({ n: 1 }),
  "too deep": { a: { a: { a: { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } } } } },
  "too long": { text: "é".repeat(256) },
  "a date in an object": { at: new Date(5) },
  "a symbol for a name": { a: new Map([[1, 2]]), [Symbol("s")]: 1 },
  "no prototype": Object.assign(Object.create(null), { a: 1 }),
};

Deno.test("small values: what the codec takes, arrives as structured clone would bring it", () => {
  for (const [name, value] of Object.entries(taken)) {
    assertEquals(send(value)[0], SMALL, name);
    assertEquals(round(value), structuredClone(value), name);
  }
  const numbers = round(taken.numbers) as number[];
  assert(Object.is(numbers.at(-1), -0));
  assertEquals(Object.keys(round(taken.names) as object), Object.keys(taken.names as object));
});

Deno.test("small values: what the codec leaves to others, arrives as structured clone would bring it", () => {
  for (const [name, value] of Object.entries(left)) {
    assert(send(value)[0] !== SMALL, name);
    assertEquals(round(value), structuredClone(value), name);
  }
  const proto = JSON.parse('{"__proto__": {"a": 1}, "b": 2}');
  assert(send(proto)[0] !== SMALL);
  const { a, b } = round(left["an object twice"]) as { a: unknown; b: unknown };
  assertStrictEquals(a, b);
});

Deno.test("small values: more lists of names than are kept, arrive with their own", () => {
  const values = Array.from(
    { length: 1000 },
    (_, i) => ({ id: i, [`key${i % 500}`]: `value ${i}`, [`z${i % 7}`]: [i] }),
  );
  for (const value of values) assertEquals(round(value), value);
  for (const value of values.toReversed()) assertEquals(round(value), value);
});

Deno.test("small values: an accessor that encodes, or throws, disturbs nobody", () => {
  let inner: unknown;
  const value = {
    first: 1,
    get second() {
      inner = [round({ deep: "inside" }), round(2.5), round("text"), round(null)];
      return "two";
    },
    third: { list: [3] },
  };
  assertEquals(round(value), { first: 1, second: "two", third: { list: [3] } });
  assertEquals(inner, [{ deep: "inside" }, 2.5, "text", null]);
  const thrown = new RangeError("mine");
  const bad = {
    n: 1,
    get no(): never {
      throw thrown;
    },
  };
  assertThrows(() => send(bad), RangeError, "mine");
  assertEquals([...send({ n: 1 })][0], SMALL);
  assertEquals(round({ n: 1 }), { n: 1 });
});

Deno.test("small values: random ones, arrive as structured clone would bring them", () => {
  const first = Number(Deno.env.get("PROPERTY_SEED") ?? Date.now() % 1_000_000);
  let small = 0;
  for (let seed = first; seed < first + 2000; seed++) {
    const value = randomValue(new Dice(seed), 0);
    const bytes = send(value);
    if (bytes[0] === SMALL) small++;
    assertEquals(decodeSync(bytes), structuredClone(value), `PROPERTY_SEED=${seed}`);
  }
  assert(small > 500, `${small} were small`);
});

function randomValue(dice: Dice, depth: number): unknown {
  switch (dice.below(depth < 4 ? 9 : 6)) {
    case 0:
      return dice.below(1000) - 500;
    case 1:
      return dice.pick([NaN, -0, 0.5, Infinity, 2 ** 40, -1e-300]);
    case 2:
    case 3:
      return dice.text(dice.once(8) ? 300 : 12);
    case 4:
      return dice.pick([true, false, null, undefined]);
    case 5:
      return dice.below(2 ** 31);
    case 6:
      return Array.from({ length: dice.below(6) }, () => randomValue(dice, depth + 1));
    default: {
      const object: Record<string, unknown> = {};
      for (let left = dice.below(5); left > 0; left--) {
        const name = dice.once(4) ? dice.text(6) : dice.pick(["id", "name", "at", "x1", "7"]);
        if (name !== "__proto__") object[name] = randomValue(dice, depth + 1);
      }
      return object;
    }
  }
}

Deno.test("small values: bytes that are none, are refused", () => {
  const sound = send({ id: 1, text: "abc" });
  for (let length = 1; length < sound.length; length++) {
    assertThrows(() => decodeSync(sound.slice(0, length)), PicklingError);
  }
  const long = new Uint8Array(sound.length + 1);
  long.set(sound);
  assertThrows(() => decodeSync(long), PicklingError);
  const OBJECT = 9, ARRAY = 10, NULL = 8;
  const none: number[][] = [
    [SMALL],
    [SMALL, 0],
    [SMALL, 99],
    [SMALL, ARRAY, 255, 255],
    [SMALL, OBJECT, 0],
    [SMALL, OBJECT, 3, 5, 97, 98, NULL],
    [SMALL, OBJECT, 2, 1, 0xff, NULL],
    [SMALL, OBJECT, 10, 9, ...new TextEncoder().encode("__proto__"), NULL],
    [SMALL, ...Array.from({ length: 100 }, () => [ARRAY, 1, 0]).flat(), NULL],
  ];
  for (const bytes of none) assertThrows(() => decodeSync(Uint8Array.from(bytes)), PicklingError);
});

Deno.test("encodeBriefly: gives what encode gives, in kept memory only where it says so", () => {
  for (
    const value of [...Object.values(taken), ...Object.values(left), true, 1.5, "y".repeat(900)]
  ) {
    const [bytes, own] = [encodeBriefly(value, "send", send), send(value)];
    assertEquals(bytes, own);
    encodeBriefly({ another: "value", 0: 1 }, "send", send);
    encodeBriefly({ another: "value" }, "send", send);
    encodeBriefly(7, "send", send);
    encodeBriefly("text", "send", send);
    if (bytes.length > BRIEF) assertEquals(bytes, own);
    assertEquals(bytes[0], own[0]);
  }
});
