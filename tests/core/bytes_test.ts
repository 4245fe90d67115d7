import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { decode, decodeSync, encode } from "../../threading/_core/bytes.ts";
import { PicklingError } from "../../threading/_core/errors.ts";
import { decodeErrorSync, encodeError } from "../../threading/_core/outcome.ts";
import { concurrentTee, Lock } from "@batteries/concurrent/threading";
import { Queue } from "@batteries/concurrent/queue";
import { Point } from "../fixtures/pickle/points.ts";
import { double } from "../fixtures/pickle/tasks.ts";

class NamedLock extends Lock {}

function send(value: unknown): Uint8Array {
  return encode(value, "send", send, { root: "value" });
}

/** As a socket gives it: somewhere in a buffer that is used again. */
async function round(value: unknown): Promise<unknown> {
  const bytes = send(value);
  const buffer = new Uint8Array(bytes.length + 16);
  buffer.set(bytes, 3);
  const part = buffer.subarray(3, 3 + bytes.length);
  const arrived = await decode(part);
  const now = bytes[0] === 12 ? undefined : decodeSync(part);
  buffer.fill(0xff);
  if (bytes[0] !== 12) assertEquals(now, arrived);
  return arrived;
}

const cycle: Record<string, unknown> = { a: 1 };
cycle.self = cycle;

const values: Record<string, unknown> = {
  "undefined": undefined,
  "null": null,
  "true": true,
  "false": false,
  "zero": 0,
  "a negative number": -1.5,
  "not a number": NaN,
  "infinity": -Infinity,
  "an empty string": "",
  "a string": "héllo 😀",
  "a string that begins with a byte order mark": "\ufeffa",
  "half a surrogate pair": "a\ud800b",
  "a long string": "é".repeat(5000),
  "a bigint": -(2n ** 100n),
  "bytes": new Uint8Array([1, 2, 3]),
  "no bytes": new Uint8Array(),
  "a part of bytes": new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  "floats": new Float64Array([1.5, NaN, -0]),
  "big integers": new BigInt64Array([-1n, 5n]),
  "a part of words": new Int16Array([1, 2, 3]).subarray(1),
  "a data view": new DataView(new ArrayBuffer(3)),
  "plain data": { id: 1, name: "x", list: [1, [2, null]], deep: { a: { b: true } } },
  "plain data with half a surrogate pair": { a: "\udfff" },
  "large plain data": { text: "é".repeat(600), list: [1, { a: "b" }] },
  "a map": new Map<unknown, unknown>([[1, { a: new Set([1]) }]]),
  "a date": new Date(5),
  "a regular expression": /a/gi,
  "holes": [1, , 3],
  "undefined in an object": { a: undefined },
};

Deno.test("encode: every kind of value arrives as structured clone would bring it", async (t) => {
  for (const [name, value] of Object.entries(values)) {
    await t.step(name, async () => assertEquals(await round(value), structuredClone(value)));
  }
  await t.step("minus zero", async () => assert(Object.is(await round(-0), -0)));
  await t.step("a cycle", async () => {
    const arrived = await round(cycle) as typeof cycle;
    assertStrictEquals(arrived.self, arrived);
  });
});

Deno.test("encode: a function, an instance of an exported class and an error arrive as themselves", async () => {
  assertStrictEquals(await round(double), double);
  const point = await round([new Point(1, 2)]) as Point[];
  assertInstanceOf(point[0], Point);
  const error = decodeErrorSync(
    await round(encodeError(new RangeError("no"), { away: true })) as never,
  );
  assertInstanceOf(error, RangeError);
});

Deno.test("encode: arrays that arrive do not lie in the buffer that they came in", async () => {
  const bytes = send({ list: new Uint8Array([1, 2, 3]), map: new Map() });
  const arrived = await decode(bytes) as { list: Uint8Array };
  bytes.fill(0);
  assertEquals(arrived.list, new Uint8Array([1, 2, 3]));
});

Deno.test("encode: what only threads can share is refused, with where it is and what to use", () => {
  const refused: [unknown, string][] = [
    [{ a: [new SharedArrayBuffer(8)] }, "value.a[0]: a SharedArrayBuffer is shared by the threads"],
    [new Int32Array(new SharedArrayBuffer(8)), "a view over a SharedArrayBuffer"],
    [new Blob(["a"]), "await blob.bytes()"],
    [[new Lock()], "use Lock of multiprocessing instead"],
    [{ queue: new Queue() }, "use Queue of multiprocessing instead"],
    [new NamedLock(), "use what multiprocessing has"],
    [concurrentTee([1], 1)[0], "send its items"],
    [new URL("http://a"), "href"],
    [() => 1, "function"],
    [Symbol("a"), "symbol"],
  ];
  for (const [value, text] of refused) {
    assertStringIncludes(assertThrows(() => send(value), PicklingError).message, text);
  }
});

Deno.test("encode: a property of an error that cannot leave the process is left out", async () => {
  const error = Object.assign(new Error("no"), { lock: new Lock(), code: 5 });
  const arrived = decodeErrorSync(
    await round(encodeError(error, { away: true })) as never,
  ) as typeof error;
  assertEquals([arrived.message, arrived.code, "lock" in arrived], ["no", 5, false]);
});

Deno.test("decode: random and mutated bytes are an error or a value, and nothing else", async () => {
  const seeds = [...Object.values(values), cycle, [new Point(1, 2)]].map(send)
    .filter((bytes) => bytes.length < 1000);
  let random = 12345;
  const next = (below: number) => (random = Math.imul(random, 1103515245) + 12345 >>> 0) % below;
  let values_ = 0, errors = 0;
  for (let i = 0; i < 4000; i++) {
    const bytes = seeds[next(seeds.length)].slice();
    // Not the engine's own serialization of a length: it may ask for gigabytes of address space, slowly.
    for (let n = next(4); n >= 0; n--) bytes[next(bytes.length)] = next(256);
    if (bytes[0] >= 11 && bytes[0] !== 13) bytes[0] = next(11);
    try {
      await decode(bytes);
      values_++;
    } catch (error) {
      assertInstanceOf(error, PicklingError);
      errors++;
    }
  }
  assert(values_ > 100 && errors > 100, `${values_} ${errors}`);
  await assertRejects(() => decode(new Uint8Array()), PicklingError);
});
