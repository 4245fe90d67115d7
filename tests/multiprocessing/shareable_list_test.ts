/** ShareableList. CPython's: the `ShareableList` tests of `_TestSharedMemory`. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Pipe, Process } from "@batteries/concurrent/multiprocessing";
import {
  type Shareable,
  ShareableList,
  SharedMemory,
} from "@batteries/concurrent/multiprocessing/shared-memory";
import { setItems } from "../fixtures/multiprocessing/memory.ts";
import { exists, nameFor } from "../fixtures/multiprocessing/memory_helpers.ts";

const { AlreadyExists, BadResource, NotFound } = Deno.errors;
const bytes = (text: string) => new TextEncoder().encode(text);
const MIXED: Shareable[] = ["howdy", bytes("HoWdY"), -273.154, 100, null, true, 42];

/** A list that is gone at the end of the block. */
function list(sequence?: Iterable<Shareable> | null, name?: string): ShareableList {
  const made = new ShareableList(sequence ?? [], { name });
  made.shm.unlink();
  return made;
}

Deno.test("ShareableList: made of items of all kinds, has them", () => {
  using mixed = list(MIXED);
  assertEquals([...mixed], MIXED);
  assertEquals(mixed.length, 7);
  assertEquals(mixed.get(0), "howdy");
  assertEquals([mixed.get(-2), mixed.get(-7)], [true, "howdy"]);
});

Deno.test("ShareableList: its format, is that of Python's", () => {
  using mixed = list(MIXED);
  assertEquals(mixed.format, "8s8sdqxxxxxx?xxxxxxxx?q");
  mixed.set(0, "howdy");
  assertEquals(mixed.format, "8s8sdqxxxxxx?xxxxxxxx?q");
  mixed.set(4, "some");
  assertEquals(mixed.format, "8s8sdq8sxxxxxxx?q");
});

Deno.test("ShareableList: as text, has its name and its items", () => {
  using mixed = list(MIXED);
  assertStringIncludes(`${mixed}`, mixed.shm.name);
  assertStringIncludes(`${mixed}`, `"howdy"`);
});

Deno.test("ShareableList: indices outside, are RangeErrors", () => {
  using mixed = list(MIXED);
  for (const index of [7, -8, 0.5, NaN, Infinity]) {
    assertThrows(() => mixed.get(index), RangeError, "7 items", `${index}`);
    assertThrows(() => mixed.set(index, 2), RangeError, "7 items", `${index}`);
  }
  assertEquals([...mixed], MIXED);
});

Deno.test("ShareableList: items replaced by others of any kind that fit, are those", () => {
  using mixed = list(MIXED);
  const values: Shareable[] = [1, 0.5, "x", bytes("y"), null, false, 5n, "12345678", -0, NaN];
  for (const value of values) {
    for (let i = 0; i < mixed.length; i++) {
      mixed.set(i, value);
      assert(typeof value === "object" || Object.is(mixed.get(i), value), `${i} ${String(value)}`);
      assertEquals(mixed.get(i), value);
    }
  }
});

Deno.test("ShareableList: a value too long for its place, is a RangeError and changes nothing", () => {
  using mixed = list(MIXED);
  for (const i of [0, 1, 4]) {
    const before = mixed.get(i);
    assertThrows(() => mixed.set(i, "far too many"), RangeError, "exceeds the available storage");
    assertThrows(() => mixed.set(i, bytes("123456789")), RangeError, "exceeds");
    assertEquals(mixed.get(i), before);
  }
  mixed.set(0, "encodés"); // 8 bytes in UTF-8
  assertEquals(mixed.get(0), "encodés");
  assertThrows(() => mixed.set(0, "encodées"), RangeError, "exceeds");
  assertEquals([mixed.get(0), mixed.get(1)], ["encodés", bytes("HoWdY")]);
});

Deno.test("ShareableList: texts and bytes, come back exactly, zeros at their ends and lone surrogates apart", () => {
  const values = [
    "",
    "a",
    "a\0",
    "\0",
    "1234567\0",
    "12345678",
    "日本語",
    "\ufeffx",
    bytes(""),
    bytes("\0\0x\0"),
  ];
  using texts = list(values);
  assertEquals([...texts], values);
  texts.set(4, "abcdefg\0");
  assertEquals(texts.get(4), "abcdefg\0");
  texts.set(4, "abc");
  assertEquals(texts.get(4), "abc");
});

Deno.test("ShareableList: numbers, come back exactly; integers as integers, bigints as bigints", () => {
  const values = [
    0,
    -0,
    1,
    -1,
    2 ** 53 - 1,
    2 ** 53,
    1e300,
    0.1,
    NaN,
    -Infinity,
    5n,
    -(2n ** 63n),
    2n ** 63n - 1n,
  ];
  using numbers = list(values);
  values.forEach((value, i) => assert(Object.is(numbers.get(i), value), String(value)));
  assertEquals(numbers.format, "qdqqqdddddqqq");
});

Deno.test("ShareableList: what it cannot hold, is a TypeError; a bigint over 64 bits a RangeError", () => {
  using mixed = list(MIXED);
  for (const value of [undefined, {}, [], Symbol("x"), () => {}, new Date()]) {
    assertThrows(() => list([value as unknown as string]), TypeError, "ShareableList");
    assertThrows(() => mixed.set(0, value as unknown as string), TypeError, "ShareableList");
  }
  assertThrows(() => mixed.set(0, 2n ** 63n), RangeError, "64 bits");
  assertEquals([...mixed], MIXED);
});

Deno.test("ShareableList: count and indexOf, find equal items, bytes by what is in them", () => {
  using mixed = list(MIXED);
  mixed.set(3, 42);
  assertEquals([mixed.count(42), mixed.count(bytes("HoWdY")), mixed.count(bytes("adios"))], [
    2,
    1,
    0,
  ]);
  assertEquals([mixed.indexOf(42), mixed.indexOf("100"), mixed.indexOf(bytes("HoWdY"))], [
    3,
    -1,
    1,
  ]);
  assertEquals([mixed.count(42n), mixed.indexOf(null)], [0, 4]);
});

Deno.test("ShareableList: made of another list, is a copy with its format", () => {
  using mixed = list(MIXED);
  const name = nameFor("duplicate");
  using copy = list(mixed, name);
  assertEquals([copy.shm.name, [...copy], copy.format], [name, [...mixed], mixed.format]);
  copy.set(-1, 77);
  assertEquals([copy.get(-1), mixed.get(-1)], [77, 42]);
  // Texts that take all of their room, and such as take little of it.
  using full = list(["howdy", "a long text to begin with"]);
  full.set(0, "encodés");
  full.set(1, "short");
  using same = list(full);
  assertEquals([full.format, same.format, [...same]], ["8s32s", "8s32s", ["encodés", "short"]]);
  same.set(1, "a long text again");
});

Deno.test("ShareableList: opened by its name, is the same list", () => {
  const made = new ShareableList(MIXED);
  using tethered = new ShareableList(undefined, { name: made.shm.name });
  using other = new ShareableList(null, { name: made.shm.name });
  made.shm.unlink();
  tethered.set(-1, 880);
  assertEquals([made.get(-1), other.get(-1)], [880, 880]);
  made.shm.close();
});

Deno.test("ShareableList: empty, has length 0, no format and finds nothing", () => {
  using empty = list();
  assertEquals([empty.length, empty.format, empty.count("any"), empty.indexOf(null)], [
    0,
    "",
    0,
    -1,
  ]);
  assertEquals([...empty], []);
  assertThrows(() => empty.get(0), RangeError);
  const without = new ShareableList();
  assertEquals(without.length, 0);
  without.shm.close();
  without.shm.unlink();
});

Deno.test("ShareableList: used after its memory is closed, throws", () => {
  const made = list(MIXED);
  made.shm.close();
  assertThrows(() => made.get(0), BadResource);
  assertThrows(() => made.set(0, "x"), BadResource);
  assertThrows(() => made.length, BadResource);
  assertThrows(() => made.format, BadResource);
  assertThrows(() => [...made], BadResource);
});

Deno.test("ShareableList: names that are taken or missing, are the errors of SharedMemory", () => {
  const name = nameFor("list");
  const made = new ShareableList([1], { name });
  assertThrows(() => new ShareableList([1], { name }), AlreadyExists);
  made.shm.close();
  made.shm.unlink();
  assertThrows(() => new ShareableList(undefined, { name }), NotFound);
});

Deno.test("ShareableList: items that are refused, leave no memory behind", () => {
  const name = nameFor("refused");
  assertThrows(() => new ShareableList([1, {} as unknown as string], { name }), TypeError);
  assert(!exists(name));
});

Deno.test("ShareableList: memory that holds none, is a RangeError", () => {
  for (let round = 0; round < 100; round++) {
    using memory = new SharedMemory({ create: true, size: 1 + round * 3 });
    crypto.getRandomValues(memory.buf);
    if (round % 2) new DataView(memory.buf.buffer).setUint8(0, round % 5);
    if (round % 2 && memory.size > 8) memory.buf.fill(0, 1, 8);
    assertThrows(
      () => new ShareableList(undefined, { name: memory.name }),
      RangeError,
      "holds none",
    );
    memory.unlink();
  }
});

Deno.test("ShareableList: handed to a process, is the same list there", async () => {
  using made = list(Array.from({ length: 10 }, (_, i) => i));
  // By its name, so the name must be there still.
  const named = new ShareableList(made);
  const process = new Process({ target: setItems, args: [named] });
  process.start();
  await process.join();
  assertEquals(process.exitcode, 0);
  assertEquals([...named], [0, 1, 2, 3, "changed", 5, 6, 7, 8, 10]);
  named.shm.unlink();
  named.shm.close();
});

Deno.test("ShareableList: sent through a connection, is the same list; long ones take no more bytes than short ones", async () => {
  const made = new ShareableList(Array.from({ length: 400 }, (_, i) => i));
  const [a, b] = Pipe<ShareableList>();
  await a.send(made);
  using same = await b.recv();
  same.set(3, "new");
  assertEquals([made.get(3), same.length], ["new", 400]);
  made.shm.unlink();
  made.shm.close();
  a.close();
  b.close();
});

Deno.test("ShareableList: read and written by Python, is the same list", async () => {
  const made = new ShareableList(MIXED);
  const script = `
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import ShareableList
l = ShareableList(name=sys.argv[1])
resource_tracker.unregister(l.shm._name, "shared_memory")
assert list(l) == ["howdy", b"HoWdY", -273.154, 100, None, True, 42], list(l)
l[0] = "world"
l[4] = 2.5
l[1] = b"bytes"
l.shm.close()`;
  const command = new Deno.Command("python3", { args: ["-c", script, made.shm.name] });
  const ran = await command.output().catch(() => undefined);
  if (ran !== undefined) {
    assertEquals(new TextDecoder().decode(ran.stderr), "");
    assertEquals([...made], ["world", bytes("bytes"), -273.154, 100, 2.5, true, 42]);
  }
  made.shm.unlink();
  made.shm.close();
});

Deno.test("ShareableList: a value that it cannot hold, is told with its place", () => {
  using some = list([1]);
  const wrong = {} as Shareable;
  assertThrows(() => some.set(0, wrong), TypeError, "Cannot set item 0 of a ShareableList: ");
  assertThrows(() => some.set(0, 2n ** 64n), RangeError, "Cannot set item 0 of a ShareableList: ");
  assertThrows(
    () => new ShareableList([1, wrong]),
    TypeError,
    "Cannot make item 1 of a ShareableList: ",
  );
  assertEquals([...some], [1]);
});
