/** Messages and values of `nats`, without a server. */
import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { Queue } from "@batteries/concurrent/multiprocessing";
import { CancelledError, RuntimeError } from "@batteries/concurrent/futures";
import { TaskLostError } from "@batteries/concurrent/nats";
import { PicklingError } from "@batteries/concurrent/threading";
import { decodeError, type Parcel, serialize } from "../../threading/_core/mod.ts";
import { received } from "../../futures/_decode.ts";
import { TaskModules } from "../../futures/_nats_names.ts";
import {
  arrivedIn,
  encodeErrorFor,
  encodeFor,
  encodeListFor,
  errorIn,
} from "../../futures/_nats_values.ts";
import {
  awayIn,
  type Call,
  openCall,
  openResult,
  sealAway,
  sealCall,
  sealChunk,
  sealResult,
  VALUE,
} from "../../futures/_nats_wire.ts";
import { echo, Point, square } from "../fixtures/nats/tasks.ts";
import { Refusal } from "../fixtures/futures/executor_tasks.ts";

const TASKS = new URL("../fixtures/nats/tasks.ts", import.meta.url).href;
const OTHERS = new URL("../fixtures/futures/executor_tasks.ts", import.meta.url).href;
const door = () => {};

const call: Call = {
  key: "abc.12",
  alias: "tasks",
  path: ["Job", "run"],
  named: true,
  chunk: 3,
  timeout: 1.5,
  losses: 0,
};

Deno.test("nats messages: calls and results, come back as they were", () => {
  const opened = openCall(sealCall(call, new Uint8Array([1, 2, 3])));
  assertEquals(opened.call, call);
  assertEquals([...opened.args], [1, 2, 3]);
  const plain = { ...call, named: false, chunk: 0, timeout: undefined };
  assertEquals(openCall(sealCall(plain, new Uint8Array(0))).call, plain);
  const { form, ran, body } = openResult(sealResult(VALUE, 2.5, new Uint8Array([9])));
  assertEquals([form, ran, ...body], [VALUE, 2.5, 9]);
  const chunk = openResult(sealChunk(1, new Uint8Array([1]), new Uint8Array([2, 3])));
  assertEquals([[...chunk.body], [...chunk.error!]], [[1], [2, 3]]);
  assertEquals(openResult(sealChunk(1, new Uint8Array(0))).error, undefined);
  assertEquals(awayIn(sealAway("call.abc.12")), "call.abc.12");
  for (const name of ["", "../x", "a b", "x".repeat(300)]) {
    assertEquals(awayIn(sealAway(name)), undefined);
  }
});

Deno.test("nats messages: what is none, is a PicklingError and nothing else", () => {
  const whole = [
    sealCall(call, new Uint8Array(4)),
    sealChunk(1, new Uint8Array(3), new Uint8Array(3)),
  ];
  let state = 12345;
  const random = (n: number) => (state = (state * 1103515245 + 12345) & 0x7fffffff) % n;
  const attempt = (open: (bytes: Uint8Array) => unknown, bytes: Uint8Array) => {
    try {
      open(bytes);
    } catch (error) {
      assertInstanceOf(error, PicklingError);
    }
  };
  for (let i = 0; i < 20_000; i++) {
    const bytes = i % 3 === 0
      ? Uint8Array.from({ length: random(60) }, () => random(256))
      : whole[i % 2].slice(0, i % 5 === 0 ? random(60) : undefined);
    for (let j = random(3); j > 0 && bytes.length > 0; j--) {
      bytes[random(bytes.length)] = random(256);
    }
    attempt(openCall, bytes);
    attempt(openResult, bytes);
    awayIn(bytes);
  }
});

Deno.test("nats names: functions, are named by alias and export, by whoever has the module", () => {
  const modules = new TaskModules({ a: TASKS }, "test");
  assertEquals(modules.nameOf(square, "submit", door), {
    alias: "a",
    path: ["square"],
    named: false,
  });
  assertEquals(modules.nameOf(Point.flip, "submit", door).path, ["Point", "flip"]);
  const other = new TaskModules({ b: OTHERS }, "test");
  assertThrows(
    () => other.nameOf(square, "submit", door),
    PicklingError,
    "no name for that module",
  );
  assertEquals(other.referenceOf({ alias: "a", path: ["square"], named: false }), undefined);
  const reference = modules.referenceOf({ alias: "a", path: ["square"], named: false });
  assertEquals(reference, { how: "export", module: TASKS, path: ["square"] });
});

Deno.test("nats values: what both sides have a name for, travels, wherever the module is on the other side", async () => {
  const here = new TaskModules({ tasks: TASKS, others: OTHERS }, "test");
  const send = async (value: unknown) => {
    const arrived = arrivedIn(here, encodeFor(here, value, "submit", "args", door));
    return "value" in arrived
      ? arrived.value
      : (await received(arrived) as { value: unknown }).value;
  };
  const [point, fn, map] = await send([new Point(1, 2), echo, new Map([[1, new Point(3, 4)]])]) as [
    Point,
    typeof echo,
    Map<number, Point>,
  ];
  assertInstanceOf(point, Point);
  assertEquals([point.x, point.y, map.get(1)?.y, fn === echo], [1, 2, 4, true]);
  assertThrows(
    () => encodeFor(new TaskModules({ others: OTHERS }, "test"), [echo], "submit", "args", door),
    PicklingError,
    "no name for",
  );
  const queue = new Queue();
  assertThrows(
    () => encodeFor(here, [queue], "submit", "args", door),
    PicklingError,
    "belongs to this machine",
  );
  queue.close();
});

Deno.test("nats values: lists of numbers, come back to the bit, and others as they are", () => {
  const here = new TaskModules({ tasks: TASKS }, "test");
  const numbers = [0, -0, NaN, Infinity, -Infinity, 2 ** 53, 5e-324, 0.1];
  const some = Array.from({ length: 40 }, (_, i) => numbers[i % numbers.length]);
  const lists: unknown[][] = [[], [1], some, [...some, "x"], [...some, undefined], [...some, 1n], [
    ...some,
    [1],
  ]];
  for (const list of lists) {
    const bytes = encodeListFor(here, list, "submit", "args", door);
    const back = (arrivedIn(here, bytes) as { value: unknown[] }).value;
    assertEquals([back.length, back], [list.length, list]);
    assert(back.every((each, i) => typeof each !== "number" || Object.is(each, list[i])));
    // Where it lies in a message, numbers need not be where numbers may lie.
    const within = new Uint8Array(bytes.length + 3);
    within.set(bytes, 3);
    assertEquals(arrivedIn(here, within.subarray(3)), { value: list });
  }
  assertThrows(() => arrivedIn(here, new Uint8Array([64, 1, 2])), PicklingError);
});

Deno.test("nats values: errors, keep their class where both sides have it, and always their name", async () => {
  const both = new TaskModules({ others: OTHERS }, "test");
  const none = new TaskModules({ tasks: TASKS }, "test");
  const send = async (error: unknown, to: TaskModules) =>
    await decodeError(errorIn(to, encodeErrorFor(both, error, "a test"))) as Error;
  assertInstanceOf(await send(new Refusal("no"), both), Refusal);
  const bare = await send(new Refusal("no", { cause: new RangeError("why") }), none);
  assertEquals([bare instanceof Refusal, bare.name, bare.message], [false, "Refusal", "no"]);
  assertInstanceOf(bare.cause, RangeError);
  for (const Own of [RuntimeError, CancelledError, TaskLostError, PicklingError]) {
    assertInstanceOf(await send(new Own("x"), none), Own);
  }
  assertEquals(await send("text", none), "text" as never);
  assertInstanceOf(await send(new Deno.errors.NotFound("x"), none), Deno.errors.NotFound);
});

Deno.test("nats values: a hostile value, makes nobody import what he has not named", () => {
  const here = new TaskModules({ tasks: TASKS }, "test");
  const evil = "data:text/javascript,globalThis.evil = 1";
  const hostile: unknown[] = [
    {
      value: null,
      specials: [{ kind: "function", reference: { how: "export", module: evil, path: ["x"] } }],
    },
    {
      value: null,
      specials: [{
        kind: "instance",
        reference: { how: "search", modules: [evil], name: "x", source: "" },
      }],
    },
    {
      value: null,
      specials: [{ kind: "instance", reference: { how: "task", module: "__proto__", name: "x" } }],
    },
    { value: null, specials: [{ kind: "instance", reference: null }] },
    { value: null, specials: [{ kind: "shareable", name: "Lock", module: evil, parts: null }] },
    { value: null, specials: [{ kind: "other" }] },
    { value: null, specials: [null] },
    { value: null, specials: 5 },
    5,
    null,
  ];
  for (const parcel of hostile) {
    const body = serialize(parcel);
    const bytes = new Uint8Array(1 + body.length);
    bytes[0] = 12;
    bytes.set(body, 1);
    assertThrows(() => arrivedIn(here, bytes), PicklingError);
  }
  const form = {
    classes: [
      { how: "registered", name: "X", module: evil },
      { how: "registered", name: "X", module: "batteries:../../x.ts" },
      { how: "reference", reference: { how: "export", module: evil, path: ["X"] } },
      null,
      { how: "builtin", name: "TypeError" },
    ],
    name: "X",
    message: "m",
    stack: "s",
  };
  const body = serialize({
    value: null,
    specials: [{ kind: "error", form, shown: {}, hidden: {} }],
    root: 0,
  });
  const bytes = new Uint8Array(1 + body.length);
  bytes[0] = 12;
  bytes.set(body, 1);
  const parcel = errorIn(here, bytes) as Parcel & { specials: { form: { classes: unknown[] } }[] };
  assertEquals(parcel.specials[0].form.classes, [{ how: "builtin", name: "TypeError" }]);
  assert(!("evil" in globalThis));
});
