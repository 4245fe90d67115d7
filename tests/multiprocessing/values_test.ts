/** Value, Array and their kin. CPython's: `_TestValue`, `_TestArray`, `_TestSharedCTypes`. */
import { assert, assertEquals, assertFalse, assertInstanceOf, assertThrows } from "@std/assert";
import { Pipe, Process } from "@batteries/concurrent/multiprocessing";
import { Lock, RLock } from "../../multiprocessing/synchronize.ts";
import {
  Array as SharedArray,
  copy,
  RawArray,
  RawValue,
  Struct,
  Synchronized,
  synchronized,
  SynchronizedArray,
  SynchronizedString,
  Value,
} from "@batteries/concurrent/multiprocessing/sharedctypes";
import { Thread } from "@batteries/concurrent/threading";
import * as far from "../fixtures/multiprocessing/values.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const { Foo } = far;

async function run<A extends unknown[]>(target: (...args: A) => unknown, ...args: A) {
  const process = new Process({ target, args, daemon: true });
  process.start();
  await process.join();
  assertEquals(process.exitcode, 0);
}

Deno.test("Value: of every code, begins with what it is given and takes what it is assigned", () => {
  assertEquals(Value("b", -5).value, -5);
  assertEquals(Value("B", 200).value, 200);
  assertEquals(Value("h", -232).value, -232);
  assertEquals(Value("H", 65535).value, 65535);
  assertEquals(Value("i", 4343).value, 4343);
  assertEquals(Value("I", 2 ** 32 - 1).value, 2 ** 32 - 1);
  assertEquals(Value("l", -(2n ** 63n)).value, -(2n ** 63n));
  assertEquals(Value("L", 2n ** 64n - 1n).value, 2n ** 64n - 1n);
  assertEquals(Value("q", 2n ** 33n).value, 2n ** 33n);
  assertEquals(Value("Q", 2n ** 34n).value, 2n ** 34n);
  assertEquals(Value("f", 0.5).value, 0.5);
  assertEquals(Value("f", 0.1).value, Math.fround(0.1));
  assertEquals(Value("d", 1 / 3).value, 1 / 3);
  assertEquals(Value("u", "ö").value, "ö");
  assertEquals(Value("u").value, "");
  assertEquals(Value("c", "x").value, bytes("x"));
  assertEquals(Value("c", bytes("y")).value, bytes("y"));
  const value = Value("d");
  assertEquals(value.value, 0);
  value.value = -4.25;
  assertEquals(value.value, -4.25);
});

Deno.test("Value: of typed arrays' constructors, is an element of theirs", () => {
  assertEquals(Value(Int8Array, 300).value, 44);
  assertEquals(Value(Uint8ClampedArray, 300).value, 255);
  assertEquals(Value(Uint8ClampedArray, 1.6).value, 2);
  assertEquals(Value(Uint16Array, -1).value, 65535);
  assertEquals(Value(Float32Array, 0.5).value, 0.5);
  assertEquals(Value(BigInt64Array, -1n).value, -1n);
  assertEquals(Value(BigUint64Array, -1n).value, 2n ** 64n - 1n);
});

Deno.test("Value: types that are none and values of another type, are TypeErrors that change nothing", () => {
  for (const type of ["x", "e", "", "ii", "toString", null, undefined, 5, {}, Array, Object]) {
    assertThrows(() => Value(type as "i"), TypeError, "type");
    assertThrows(() => SharedArray(type as "i", 1), TypeError, "type");
  }
  const wrong: [string, unknown][] = [
    ["i", "5"],
    ["i", 1.5],
    ["i", NaN],
    ["i", 5n],
    ["q", 1.5],
    ["q", "1"],
    ["d", 1n],
    ["d", "1"],
    ["c", "xy"],
    ["c", 256],
    ["u", "ab"],
    ["u", 5],
    ["i", null],
    ["d", {}],
  ];
  for (const [type, init] of wrong) {
    const name = `${type} ${String(init)}`;
    assertThrows(() => Value(type as "i", init as number), TypeError, "Cannot", name);
    const value = Value(type as "i");
    const before = value.value;
    assertThrows(() => value.value = init as number, TypeError, "Cannot", name);
    assertEquals(value.value, before);
  }
});

Deno.test("Value: with a lock, is Synchronized and has it; which lock is the caller's choice", () => {
  const value = Value("i", 5);
  assertInstanceOf(value, Synchronized);
  assertInstanceOf(value.getLock(), RLock);
  assertEquals(value.getObj().value, 5);
  assertInstanceOf(Value("i", 5, { lock: true }).getLock(), RLock);
  // Python's `lock=None`.
  assertInstanceOf(Value("i", 5, { lock: null }).getLock(), RLock);
  assertInstanceOf(SharedArray("i", 5, { lock: null }).getLock(), RLock);
  assertInstanceOf(synchronized(RawValue("i"), null).getLock(), RLock);
  for (const lock of [new Lock(), new RLock()]) {
    assert(Value("i", 5, { lock }).getLock() === lock);
  }
  const raw = Value("i", 5, { lock: false });
  assertEquals(raw.value, 5);
  assertFalse("getLock" in raw || "getObj" in raw || "acquire" in raw);
  for (const lock of ["navalue", 5, {}, { acquire() {} }]) {
    assertThrows(() => Value("i", 5, { lock: lock as unknown as Lock }), TypeError, "lock");
    assertThrows(() => SharedArray("i", 5, { lock: lock as unknown as Lock }), TypeError, "lock");
  }
});

Deno.test("Value: its lock's methods, are those of the lock", async () => {
  const lock = new Lock();
  const value = Value("i", 0, { lock });
  assert(await value.acquire());
  assert(lock.locked());
  assertFalse(value.acquireSync({ blocking: false }));
  assertFalse(await value.acquire({ timeout: 1 }));
  value.release();
  assertFalse(lock.locked());
  {
    using _held = await value.hold();
    assert(lock.locked());
  }
  {
    using _held = value.holdSync();
    assert(lock.locked());
  }
  assertFalse(lock.locked());
});

Deno.test("Value: reading and writing, need no lock", () => {
  const value = Value("i", 0, { lock: new Lock() });
  const array = SharedArray("i", 1, { lock: new Lock() });
  using _one = value.holdSync();
  using _two = array.holdSync();
  value.value = 1;
  array.set(0, 1);
  assertEquals([value.value, array.get(0)], [1, 1]);
});

Deno.test("Value: changed by another process, is changed here", async () => {
  const values = [Value("i", 4343), Value("d", 3.625), Value("h", -232)] as const;
  const big = Value("q", 2n ** 33n);
  const letter = Value("c", "x");
  const raw = RawValue("d", 1);
  await run(far.setValues, values, big, letter, raw);
  assertEquals(values.map(({ value }) => value), [24234, -4.25, 234]);
  assertEquals([big.value, text(letter.value), raw.value], [2n ** 34n, "y", 2.5]);
});

Deno.test("Value: counted up under its lock by processes and threads at once, loses nothing", async () => {
  const counter = Value("i", 0);
  const others = [0, 1].map(() => new Process({ target: far.count, args: [counter, 2000] }));
  const thread = new Thread({ target: far.count, args: [counter, 2000] });
  for (const other of others) other.start();
  thread.start();
  await far.count(counter, 2000);
  await thread.join();
  for (const other of others) await other.join();
  assertEquals(counter.value, 8000);
});

Deno.test("Value: given to a thread, back and forth, is the same value each time", async () => {
  const value = Value("i", 1);
  const [a, b] = Pipe<typeof value>();
  await a.send(value);
  const same = await b.recv();
  await b.send(same);
  const again = await a.recv();
  again.value = 7;
  assertEquals([value.value, same.value], [7, 7]);
  assert(await value.acquire());
  // A lock is the same lock wherever it came from; an RLock knows its owner.
  assert(same.acquireSync({ blocking: false }) === false);
  value.release();
  a.close();
  b.close();
});

Deno.test("Array: of a size, has that many zeros, also in memory that was used before", async () => {
  const { gc } = globalThis as unknown as { gc?(): void };
  for (let round = 0; round < 20; round++) {
    const array = SharedArray("i", 10);
    assertEquals([...array], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for (let i = 0; i < 10; i++) array.set(i, i + 1);
    gc?.();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(SharedArray("d", 0).length, 0);
});

Deno.test("Array: of a sequence, has its elements; at, get, set and slice reach them", () => {
  const seq = [680, 626, 934, 821, 150, 233, 548, 982, 714, 831];
  const array = SharedArray("i", seq);
  assertInstanceOf(array, SynchronizedArray);
  assertEquals([array.length, array.get(4), array.at(-1), array.get(-10)], [10, 150, 831, 680]);
  assertEquals(array.slice(2, 6), seq.slice(2, 6));
  assertEquals([array.slice(), array.slice(-2), array.slice(5, 2)], [seq, seq.slice(-2), []]);
  assertEquals([...array], seq);
  assertEquals(array.at(10), undefined);
  for (const index of [10, -11, 0.5, NaN]) {
    assertThrows(() => array.get(index), RangeError, "10 elements");
    assertThrows(() => array.set(index, 1), RangeError, "10 elements");
  }
  array.set(-1, 5);
  assertEquals(array.get(9), 5);
  assertThrows(() => array.set(0, "1" as unknown as number), TypeError);
  assertEquals([...array].slice(0, 9), seq.slice(0, 9));
});

Deno.test("Array: sizes that are none, are RangeErrors, other things TypeErrors", () => {
  for (const size of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assertThrows(() => SharedArray("i", size), RangeError, "size");
  }
  for (const init of [null, undefined, {}, 5n]) {
    assertThrows(() => SharedArray("i", init as unknown as number), TypeError);
  }
  assertThrows(() => SharedArray("i", ["1"] as unknown as number[]), TypeError, "element 0");
});

Deno.test("Array: getObj, is a typed array over the elements themselves", () => {
  const array = SharedArray("i", [1, 2, 3]);
  const view = array.getObj();
  assertInstanceOf(view, Int32Array);
  assert(array.getObj() === view);
  view[1] = 20;
  array.set(2, 30);
  assertEquals([[...array], [...view]], [[1, 20, 30], [1, 20, 30]]);
  assertInstanceOf(SharedArray("d", 2).getObj(), Float64Array);
  assertInstanceOf(SharedArray("q", 2).getObj(), BigInt64Array);
  assertInstanceOf(SharedArray("c", 2).getObj(), Uint8Array);
  assertInstanceOf(SharedArray(Uint8ClampedArray, 2).getObj(), Uint8ClampedArray);
  const large = SharedArray("d", 100_000);
  large.getObj()[99_999] = 0.5;
  assertEquals(large.get(-1), 0.5);
});

Deno.test("Array: changed by another process, is changed here, small ones and large ones", async () => {
  const small = SharedArray("i", [1, 2, 3]);
  const large = SharedArray("d", 300_000);
  const raw = RawArray("q", [1n, 2n]);
  await run(far.square, small, large, raw);
  assertEquals([...small], [1, 4, 9]);
  assertEquals([large.get(0), large.get(-1)], [0.5, 299_999.5]);
  assertEquals([...raw], [1n, 4n]);
});

Deno.test("Array of c: value and raw, are its bytes up to the first 0 and all of them", () => {
  const array = SharedArray("c", 10);
  assertInstanceOf(array, SynchronizedString);
  array.value = "hello";
  assertEquals([text(array.value), array.raw.length, array.length], ["hello", 10, 10]);
  array.value = bytes("hi");
  assertEquals([text(array.value), text(array.raw)], ["hi", "hi\0lo\0\0\0\0\0"]);
  array.raw = "0123456789";
  assertEquals([text(array.value), text(array.raw)], ["0123456789", "0123456789"]);
  array.raw = bytes("ab");
  assertEquals(text(array.raw), "ab23456789");
  for (const long of ["0123456789a", new Uint8Array(11)]) {
    assertThrows(() => array.value = long, RangeError, "10 bytes");
    assertThrows(() => array.raw = long, RangeError, "10 bytes");
  }
  assertThrows(() => array.value = 5 as unknown as string, TypeError);
  assertEquals(text(array.raw), "ab23456789");
  array.set(0, "z");
  array.set(1, 33);
  assertEquals([array.get(0), text(array.raw.slice(0, 3))], [122, "z!2"]);
  assertEquals(text(SharedArray("c", "añ").raw), "añ");
  assertEquals(text(RawArray("c", bytes("x")).value), "x");
  const copied = array.value;
  copied[0] = 0;
  assertEquals(array.get(0), 122);
});

Deno.test("Struct: fields of a value, are live, typed and where C would have them", () => {
  const Inner = Struct({ small: "b", large: "d" });
  assertEquals([Inner.size, Inner.alignment], [16, 8]);
  const Outer = Struct({ flag: "B", inner: Inner, list: "h", letter: "c" });
  assertEquals([Outer.size, Outer.alignment], [32, 8]);
  const value = Value(Outer, { flag: 1, inner: { large: 0.5 }, letter: "x" });
  assertEquals(value.value.inner.large, 0.5);
  const { inner } = value.value;
  inner.small = -3;
  value.value.flag = 255;
  assertEquals([value.value.inner.small, value.value.flag, value.value.letter], [-3, 255, 120]);
  value.value = { ...value.value, list: 9 };
  assertEquals([value.value.list, value.value.inner.small], [9, -3]);
  assertEquals(Object.keys(value.value), ["flag", "inner", "list", "letter"]);
});

Deno.test("Struct: what is no structure or no field, is a TypeError that changes nothing", () => {
  for (const fields of [null, undefined, 5, {}, { x: "z" }, { x: null }]) {
    assertThrows(() => Struct(fields as { x: "i" }), TypeError);
  }
  const value = Value(Foo, { x: 1, y: 2 });
  assertThrows(() => value.value = { x: 5, y: "y" as unknown as number, z: 1n }, TypeError);
  assertThrows(() => value.value = { q: 5 } as never, TypeError, "no field 'q'");
  assertThrows(() => value.value = 5 as never, TypeError);
  assertThrows(() => Value(Foo, [1, 2, 3n, 4] as never), TypeError, "3 fields");
  assertThrows(() => value.value.x = "1" as unknown as number, TypeError);
  assertThrows(() => (value.value as Record<string, unknown>).q = 1, TypeError);
  assertEquals([value.value.x, value.value.y, value.value.z], [1, 2, 0n]);
});

Deno.test("Struct: arrays of structures, have live elements; bytes as getObj", async () => {
  const Point = Struct({ x: "d", y: "d" });
  const points = SharedArray(Point, [[1.875, -6.25], [-5.75, 2], { x: 2.375 }]);
  points.get(2).y = 9.5;
  points.set(0, { y: 3 });
  assertEquals([...points].map(({ x, y }) => [x, y]), [[1.875, 3], [-5.75, 2], [2.375, 9.5]]);
  assertEquals(points.getObj().length, 48);
  assertEquals(new Float64Array(points.getObj().buffer, points.getObj().byteOffset, 1)[0], 1.875);
  await run(far.mirror, points);
  assertEquals([...points].map(({ x, y }) => [x, y]), [[3, 1.875], [2, -5.75], [9.5, 2.375]]);
});

Deno.test("sharedctypes: values of all kinds doubled by another process, are doubled here", async () => {
  const i = Value("i", 7);
  const d = Value("d", 1 / 3);
  const foo = Value(Foo, { x: 3, y: 2 });
  const array = SharedArray("d", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const string = SharedArray("c", 20);
  string.value = "hello";
  await run(far.double, i, d, foo, array, string);
  assertEquals([i.value, d.value, foo.value.x, foo.value.y], [14, 2 / 3, 6, 4]);
  assertEquals([...array], [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
  assertEquals(text(string.value), "hellohello");
});

Deno.test("copy: of a value, an array or a text, has memory of its own and no lock", () => {
  const foo = RawValue(Foo, { x: 2, y: 5, z: 2n ** 33n });
  const bar = copy(foo);
  foo.value = { x: 0, y: 0, z: 0n };
  assertEquals([bar.value.x, bar.value.y, bar.value.z], [2, 5, 2n ** 33n]);
  const array = copy(SharedArray("i", [1, 2]));
  array.set(0, 5);
  assertEquals([...array], [5, 2]);
  assertEquals(text(copy(SharedArray("c", "text")).value), "text");
  assertFalse("getLock" in array);
  for (const other of [5, null, undefined, {}, new Int32Array(1)]) {
    assertThrows(() => copy(other as unknown as typeof array), TypeError);
  }
});

Deno.test("synchronized: adds a lock to what has none, and to nothing else", () => {
  const raw = RawValue("i", 1);
  const lock = new Lock();
  const value = synchronized(raw, lock);
  assert(value.getLock() === lock && value.getObj() === raw);
  value.value = 2;
  assertEquals(raw.value, 2);
  assert(synchronized(raw, { lock }).getLock() === lock);
  assertInstanceOf(synchronized(raw).getLock(), RLock);
  assertThrows(() => synchronized(raw, false as unknown as Lock), TypeError, "needs a lock");
  assertInstanceOf(synchronized(RawArray("i", 1)), SynchronizedArray);
  assertInstanceOf(synchronized(RawArray("c", 1)), SynchronizedString);
  assertThrows(() => synchronized(value as unknown as typeof raw), TypeError, "has a lock already");
  assertThrows(() => synchronized(5 as unknown as typeof raw), TypeError);
});

Deno.test("sharedctypes: views and fields kept alone, keep their memory from being used again", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "--v8-flags=--expose-gc", far.url, "keep"],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals([code, text(stderr)], [0, ""]);
  const { views, fields, reused } = JSON.parse(text(stdout));
  assertEquals([views, fields, reused], [0, 0, true]);
});

Deno.test("sharedctypes: large arrays that are dropped, give their memory and their descriptors back", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", far.url, "drop"],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  assertEquals([code, text(stderr)], [0, ""]);
  const { most } = JSON.parse(text(stdout));
  assert(most < 300, `${most} of 1000 arrays of 1 MiB were there at once`);
});

Deno.test("sharedctypes: without --allow-ffi, is an error that names the flag", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--no-prompt", "--quiet", "--no-check", far.url, "forbidden"],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout } = await command.output();
  assertEquals(code, 0);
  assertEquals(JSON.parse(text(stdout)), ["NotCapable", "NotCapable", true, true]);
});
