/** Places in shared memory and the identities of those who share it: what `_arena.ts` promises. */
import { assert, assertEquals, assertFalse, assertNotEquals, assertThrows } from "@std/assert";
import {
  allot,
  identityIn,
  isGone,
  type PlaceHandle,
  reducePlace,
  revivePlace,
} from "../../multiprocessing/_arena.ts";
import { casOn } from "../../multiprocessing/_quick.ts";
import { Other } from "../fixtures/multiprocessing/arena.ts";

/** A part of arena_alone.ts. */
async function alone(part: string): Promise<unknown> {
  const script = new URL("../fixtures/multiprocessing/arena_alone.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "--v8-flags=--expose-gc", script, part],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("allot: any number of words, are that many, all 0, on multiples of 16 bytes, and nobody else's", () => {
  const places = [1, 2, 3, 4, 5, 16, 100, 16_383, 16_384, 100_000].map((n) => allot(n, "test"));
  places.forEach((place, i) => {
    assert(place.words.every((word) => word === 0));
    assertEquals([place.words.byteOffset % 16, place.address(0) % 16], [0, 0]);
    assertEquals(place.address(3) - place.address(0), 12);
    place.words.fill(i + 1);
  });
  places.forEach((place, i) => assert(place.words.every((word) => word === i + 1)));
  assertEquals(places.map(({ words }) => words.length), [
    1,
    2,
    3,
    4,
    5,
    16,
    100,
    16_383,
    16_384,
    100_000,
  ]);
});

Deno.test("allot: more than one arena holds, goes on in others", () => {
  const places = Array.from({ length: 50_000 }, () => allot(20, "test"));
  places.forEach(({ words }, i) => words.fill(i));
  places.forEach(({ words }, i) => assert(words[0] === i && words[19] === i));
  assert(new Set(places.map(({ arena }) => arena)).size > 1);
});

Deno.test("a place: handed to a process and from there back, is the same words", async () => {
  const other = new Other();
  for (const size of [4, 100_000]) {
    const place = allot(size, "test");
    place.words[1] = 42;
    const n = await other.ask("revive", reducePlace(place));
    assertEquals((await other.ask("read", n) as number[]).slice(0, 3), [0, 42, 0]);
    await other.ask("write", n, 2, 7);
    assertEquals(place.words[2], 7);
    const same = revivePlace(await other.ask("reduce", n) as PlaceHandle, "test");
    same.words[3] = 9;
    assertEquals(place.words[3], 9);
    assert(same.arena === place.arena, "mapped once");
  }
  await other.end();
});

Deno.test("a place: made by a process, handed on by a second to a third, is the same words when the second has ended", async () => {
  const [one, two, three] = [new Other(), new Other(), new Other()];
  const a = await one.ask("allot", 4);
  const b = await two.ask("revive", await one.ask("reduce", a));
  const handle = await two.ask("reduce", b);
  await two.kill();
  const c = await three.ask("revive", handle);
  await one.ask("write", a, 0, 5);
  assertEquals(await three.ask("read", c), [5, 0, 0, 0]);
  // And whoever has it keeps it when its maker has ended.
  const onward = await three.ask("reduce", c);
  await one.kill();
  const here = revivePlace(onward as PlaceHandle, "test");
  assertEquals([...here.words], [5, 0, 0, 0]);
  await three.end();
});

Deno.test("a place: whose sender and maker have ended, is NotFound", async () => {
  const other = new Other();
  const handle = await other.ask("reduce", await other.ask("allot", 4)) as PlaceHandle;
  await other.kill();
  assertThrows(() => revivePlace(handle, "receive a Lock"), Deno.errors.NotFound, "receive a Lock");
});

Deno.test("a handle: whose descriptor is another file by now, is NotFound", () => {
  const handle = reducePlace(allot(4, "test"));
  const files = [0, 1, 2].map((fd) => `${Deno.pid}/${fd}`);
  const other = { ...handle, nonce: "1.2.3.4", tickets: [...files, ...handle.tickets] };
  assertThrows(() => revivePlace(other, "test"), Deno.errors.NotFound);
});

Deno.test("words: counted up by three processes at once, lose nothing", async () => {
  const place = allot(4, "test");
  const others = [new Other(), new Other()];
  const asked = others.map(async (other) => {
    const n = await other.ask("revive", reducePlace(place));
    await other.ask("add", n, 2, 1, 200_000);
  });
  for (let i = 0; i < 200_000; i++) {
    Atomics.add(place.words, 2, 1);
    if (i % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await Promise.all(asked);
  assertEquals(place.words[2], 600_000);
  for (const other of others) await other.end();
});

Deno.test("identities: of processes and threads, differ; that of one stays", async () => {
  const place = allot(4, "test");
  const mine = identityIn(place.arena);
  const other = new Other();
  const n = await other.ask("revive", reducePlace(place));
  const theirs = await other.ask("identity", n);
  assertNotEquals(mine, theirs);
  assertEquals([identityIn(place.arena), await other.ask("identity", n)], [mine, theirs]);
  assertEquals(await other.ask("isGone", n, mine), false);
  await other.end();
});

Deno.test("isGone: of a process that was killed, is true at once, waited for or not; of others false", async () => {
  const place = allot(4, "test");
  const survivor = new Other();
  const stays = await survivor.ask("identity", await survivor.ask("revive", reducePlace(place)));
  for (let round = 0; round < 20; round++) {
    const other = new Other();
    const id = await other.ask("identity", await other.ask("revive", reducePlace(place))) as number;
    assertFalse(isGone(place.arena, id));
    other.process.kill("SIGKILL");
    while (!isGone(place.arena, id)); // a zombie: the event loop that would see to it stands still
    await other.kill().catch(() => {});
    assert(isGone(place.arena, id));
    assertFalse(isGone(place.arena, stays as number));
  }
  assertFalse(isGone(place.arena, identityIn(place.arena)));
  await survivor.end();
});

Deno.test("isGone: of a thread that has ended in a process that lives, is true", async () => {
  const place = allot(4, "test");
  place.words[1] = 5;
  const script = new URL("../fixtures/multiprocessing/arena_worker.ts", import.meta.url);
  const worker = new Worker(script, { type: "module" });
  worker.postMessage(reducePlace(place));
  const [id, seen] = await new Promise<[number, number]>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  assertEquals([place.words[0], seen], [1, 5]);
  assertNotEquals(id, identityIn(place.arena));
  assertFalse(isGone(place.arena, id));
  worker.terminate();
  while (!isGone(place.arena, id)) await new Promise((resolve) => setTimeout(resolve, 1));
});

Deno.test("identities: forsaken, are gone; the next is another", async () => {
  assertEquals(await alone("forsaken"), [false, true, true, false]);
});

Deno.test("memory: never handed on and collected, is used again, empty", async () => {
  assertEquals(await alone("never_travelled"), true);
});

Deno.test("memory: of which a handle is on its way, is not used again", async () => {
  assertEquals(await alone("on_its_way"), [false, [7, 7, 7, 7]]);
});

Deno.test("memory: redeemed where it was made, is kept by what came of it", async () => {
  assertEquals(await alone("redeemed_at_home"), [7, 7, 7, 7]);
});

Deno.test("memory: held by another process, is used again when that has let go of it; a late handle is refused", async () => {
  assertEquals(await alone("held_elsewhere"), [false, [7, 7, 7, 7], true, "NotFound"]);
});

Deno.test("memory: held by a process that ends by itself, is used again", async () => {
  assertEquals(await alone("held_by_one_that_ends"), [false, true]);
});

Deno.test("memory: of which one handle went to many, is not used again while any has it", async () => {
  const seven = [7, 7, 7, 7];
  assertEquals(await alone("broadcast"), [false, [seven, seven], true, "NotFound"]);
});

Deno.test("the quickest compare-exchange: says and does what Atomics.compareExchange does, with WebAssembly's memory and without", () => {
  const { words, arena, at } = allot(4, "test");
  const own = new Int32Array(new SharedArrayBuffer(16));
  for (
    const { cas, words: there, first } of [
      { cas: arena.cas, words, first: at * 4 },
      { cas: casOn({ words: own, wasm: undefined }), words: own, first: 0 },
    ]
  ) {
    for (const [i, value] of [5, 2 ** 31 - 1, -1, -(2 ** 31)].entries()) {
      assertEquals(cas(first + 4 * i, 0, value), 0);
      assertEquals(there[i], value);
      assertEquals(cas(first + 4 * i, value + 1, 7), value);
      assertEquals(Atomics.load(there, i), value);
    }
    assertEquals(cas(first, 5, 0), 5);
    assertEquals([...there], [0, 2 ** 31 - 1, -1, -(2 ** 31)]);
  }
});
