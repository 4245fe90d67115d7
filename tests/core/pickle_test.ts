import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { PicklingError } from "../../threading/_core/errors.ts";
import {
  getState,
  pack,
  refuse,
  register,
  setState,
  type Special,
  unpack,
  unpackSync,
} from "../../threading/_core/pickle.ts";
import { Cell, Guarded, Own, SubCell, SubOwn } from "../fixtures/pickle/cell.ts";
import { assertWhole } from "../fixtures/pickle/assert_whole.ts";
import { FarSide } from "../fixtures/pickle/far_side.ts";
import * as points from "../fixtures/pickle/points.ts";
import { Chain, Money, NamedCell, Point, SubPoint, Table } from "../fixtures/pickle/points.ts";
import { double } from "../fixtures/pickle/tasks.ts";
import twice from "../fixtures/pickle/tasks.ts";

const PICKLE = import.meta.resolve("../../threading/_core/pickle.ts");
const TASKS = import.meta.resolve("../fixtures/pickle/tasks.ts");

function echo(far: FarSide, value: unknown): Promise<unknown> {
  return far.call(TASKS, "echo", value);
}

/** Packs here, as a test of what the call itself throws. */
function send(value: unknown): unknown {
  return pack(value, "send", send);
}

type Loose = Record<string, unknown>;

Deno.test("pack: a value that structured clone carries as it is, is not copied", () => {
  const bytes = new Uint8Array(1 << 20);
  const cycle: Loose = { inside: [{}] };
  cycle.self = cycle;
  const tangle = Array.from({ length: 100 }, (): unknown[] => []);
  for (const from of tangle) from.push(...tangle);
  for (
    const value of [
      cycle,
      tangle,
      1,
      "text",
      undefined,
      null,
      1n,
      { a: [1, { b: bytes }] },
      bytes,
      [[[]]],
      new Map([[1, new Set([2])]]),
    ]
  ) {
    const parcel = pack(value, "send", pack);
    assertStrictEquals(parcel.value, value);
    assertEquals(Object.keys(parcel), ["value"]);
    assertStrictEquals(unpackSync(parcel), value);
  }
});

Deno.test("pack: everything that structured clone carries arrives equal, as it is and beside a special", async () => {
  using far = new FarSide();
  const values = {
    numbers: [0, -0, NaN, Infinity, 1e-300, 2n ** 70n],
    texts: ["", "é\u{1F600}", "\ud800"],
    nothing: [null, undefined],
    date: new Date(1e12),
    invalid: new Date(NaN),
    regexp: /a(b)?/giu,
    boxed: [Object(1), Object("s"), Object(true), Object(1n)],
    buffer: new Uint8Array([1, 2, 3]).buffer,
    resizable: new ArrayBuffer(4, { maxByteLength: 8 }),
    views: [
      new Uint8Array([1, 2]),
      new Float64Array([1.5]),
      new BigInt64Array([1n]),
      new Float16Array([0.5]),
      new DataView(new ArrayBuffer(3), 1),
      new Uint8ClampedArray([9]).subarray(1),
    ],
    map: new Map<unknown, unknown>([[{ k: 1 }, new Map([["x", [1]]])], [NaN, undefined]]),
    set: new Set<unknown>([1, "1", { one: 1 }, new Set([new Date(0)])]),
    nested: { a: { b: { c: [{ d: [] }] } }, "": 1, "a b": 2, 7: "seven" },
  };
  assertEquals(await echo(far, values), values);
  assertEquals(
    await echo(far, { values, cell: new Cell() }).then((v) => (v as Loose).values),
    values,
  );
});

Deno.test("pack: blobs, keys, WebAssembly modules and memories arrive usable, shared memory arrives shared", async () => {
  using far = new FarSide();
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const grow = new SharedArrayBuffer(8, { maxByteLength: 16 });
  const view = new Uint8Array(new SharedArrayBuffer(4), 2);
  // (module (func (export "f")))
  // deno-fmt-ignore
  const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 4, 1, 2, 0, 11]);
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, false, [
    "encrypt",
    "decrypt",
  ]);
  for (const beside of [undefined, new Cell()]) {
    const answer = await far.call(TASKS, "platformObjects", {
      blob: new Blob(["in a ", "blob"]),
      file: new File(["in a file"], "name.txt"),
      key,
      module: new WebAssembly.Module(wasm),
      memory,
      grow,
      view,
      beside,
    }) as { blob: string; file: string[]; sealed: ArrayBuffer; exports: string[] };
    assertEquals(answer.blob, "in a blob");
    assertEquals(answer.file, ["name.txt", "in a file"]);
    assertEquals(answer.exports, ["f"]);
    const opened = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: new Uint8Array(12) },
      key,
      answer.sealed,
    );
    assertEquals([...new Uint8Array(opened)], [1]);
    assertEquals([new Int32Array(memory.buffer)[0], grow.byteLength, view[0]], [42, 16, 7]);
    new Int32Array(memory.buffer)[0] = view[0] = 0;
  }
});

Deno.test("pack: arrays keep holes, extra properties and their length beside a special", async () => {
  using far = new FarSide();
  const cell = new Cell();
  const source = Object.assign([1, , cell, undefined], { extra: [cell] }) as unknown[] & {
    extra: unknown[];
  };
  source.length = 6;
  const found = await echo(far, source) as typeof source;
  assertEquals(found.length, 6);
  assertEquals(Object.keys(found), ["0", "2", "3", "extra"]);
  assertInstanceOf(found[2], Cell);
  assertStrictEquals(found.extra[0], found[2]);
  const plain = await echo(far, Object.assign([1, , 3], { x: { y: 1 } })) as unknown[] & {
    x: unknown;
  };
  assertEquals([Object.keys(plain), plain.x], [["0", "2", "x"], { y: 1 }]);
  assertThrows(() => send(Object.assign([1], { f: () => 1 })), PicklingError, "value.f");
});

Deno.test("pack: an own property named __proto__ travels as a property", async () => {
  using far = new FarSide();
  const source = JSON.parse('{ "__proto__": { "polluted": 1 } }');
  source.cell = new Cell();
  const found = await echo(far, source) as Loose;
  assertEquals(Object.keys(found), ["__proto__", "cell"]);
  assertStrictEquals(found.polluted, undefined);
  const special = JSON.parse('{ "__proto__": 1 }');
  Object.defineProperty(special, "__proto__", { value: new Cell(), enumerable: true });
  const back = await echo(far, special) as object;
  assertInstanceOf(Object.getOwnPropertyDescriptor(back, "__proto__")?.value, Cell);
});

Deno.test("pack: cycles and shared objects keep their identity through every kind of holder", async () => {
  using far = new FarSide();
  for (const special of [[], [new Cell(), double]]) {
    const shared = { special };
    const map = new Map<unknown, unknown>();
    const set = new Set<unknown>();
    const root: Loose = { shared, again: [shared], map, set, date: new Date(1) };
    root.self = root;
    root.dates = [root.date];
    map.set(map, root).set(shared, set).set("list", [map]);
    set.add(root).add(set).add(shared);
    const found = await echo(far, root) as typeof root & { map: typeof map; set: typeof set };
    assertNotStrictEquals(found, root);
    assertStrictEquals(found.self, found);
    assertStrictEquals((found.again as unknown[])[0], found.shared);
    assertStrictEquals((found.dates as unknown[])[0], found.date);
    assertStrictEquals(found.map.get(found.map), found);
    assertStrictEquals(found.map.get(found.shared), found.set);
    assertStrictEquals((found.map.get("list") as unknown[])[0], found.map);
    assertEquals([...found.map.keys()].indexOf("list"), 2);
    assertStrictEquals([...found.set][0], found);
    assertStrictEquals([...found.set][1], found.set);
    assertStrictEquals([...found.set][2], found.shared);
  }
});

Deno.test("pack: a map that is its own key arrives so, also as the root", async () => {
  using far = new FarSide();
  const map = new Map<unknown, unknown>();
  map.set(map, new Cell());
  const found = await echo(far, map) as typeof map;
  assertInstanceOf(found.get(found), Cell);
});

Deno.test("register: a shareable arrives as a handle on the same thing wherever it stands, one handle per object", async () => {
  using far = new FarSide();
  const cell = new Cell();
  assertEquals(await far.call(TASKS, "bump", [cell]), ["Cell"]);
  assertEquals(await far.call(TASKS, "bump", new Set([cell])), ["Cell"]);
  assertEquals(await far.call(TASKS, "bump", [new SubCell(cell.word)]), ["Cell"]);
  assertEquals(await far.call(TASKS, "bump", [cell, cell]), ["Cell", "Cell"]);
  assertEquals(Atomics.load(cell.word, 0), 5);

  const root = await echo(far, cell);
  assertInstanceOf(root, Cell);
  assertStrictEquals(root.word.buffer.byteLength, 4);
  Atomics.store(root.word, 0, 77);
  assertEquals(Atomics.load(cell.word, 0), 77);

  const found = await echo(far, {
    a: cell,
    list: [cell],
    map: new Map([[cell, { cell }]]),
    set: new Set([cell]),
  }) as {
    a: Cell;
    list: Cell[];
    map: Map<Cell, { cell: Cell }>;
    set: Set<Cell>;
  };
  assertInstanceOf(found.a, Cell);
  assertStrictEquals(found.list[0], found.a);
  assertStrictEquals(found.map.get(found.a)!.cell, found.a);
  assert(found.set.has(found.a));
});

Deno.test("register: the far side imports the module that it needs, also without waiting", async () => {
  using awaiting = new FarSide();
  assertInstanceOf(await awaiting.call(TASKS, "echo", new Cell()), Cell);
  using blocking = new FarSide();
  assertInstanceOf(await blocking.call(TASKS, "echo", new Cell(), { sync: true }), Cell);
  const found = await blocking.call(TASKS, "echo", [double, new Point(1)], { sync: true }) as [
    unknown,
    Point,
  ];
  assertStrictEquals(found[0], double);
  assertEquals(found[1].x, 1);
});

Deno.test("unpackSync: a module that cannot be had without waiting is a PicklingError, and the next parcel works", async () => {
  using far = new FarSide();
  const special: Special = {
    kind: "shareable",
    name: "test.Remote",
    module: "https://example.invalid/x.ts",
    parts: 1,
  };
  const parcel = { value: null, specials: [special], root: 0 };
  const failed = await assertRejects(
    () => far.send({ module: TASKS, name: "echo", sync: true, parcel }),
    PicklingError,
  );
  assertStringIncludes(
    failed.message,
    "Cannot receive a test.Remote in a Sync call: its module https://example.invalid/x.ts is not loaded",
  );
  assertEquals(await echo(far, 1), 1);
});

Deno.test("unpack: a module that does not register what it should is a PicklingError", async () => {
  const special: Special = {
    kind: "shareable",
    name: "test.Nothing",
    module: TASKS,
    parts: 1,
  };
  const parcel = { value: null, specials: [special], root: 0 };
  await assertRejects(() => unpack(parcel), PicklingError, "does not register it");
});

Deno.test("register: parts that hold shareables are revived first, and share identity with the rest", async () => {
  using far = new FarSide();
  const cell = new Cell();
  const list: unknown[] = [];
  list.push(list);
  const inner = new Map([[cell, [new Guarded(cell, "inner"), list]]]);
  assertEquals(
    await far.call(TASKS, "checkGuarded", { outer: new Guarded(cell, inner), cell }),
    "ok",
  );
  assertEquals(
    await far.call(TASKS, "checkGuarded", { cell, outer: new Guarded(cell, inner) }),
    "ok",
  );
});

Deno.test("refuse: the class and its subclasses stay, and the message says why", () => {
  assertThrows(
    () => send({ threads: [new SubOwn()] }),
    PicklingError,
    "Cannot send value.threads[0]: a SubOwn cannot travel: it belongs to its thread; find it there with enumerate()",
  );
});

Deno.test("register and refuse: a class or a name can be entered once", () => {
  class Another {}
  const reducer = { name: "test.Cell", module: "", reduce: () => 1, revive: () => new Another() };
  assertThrows(() => register(Another, reducer), TypeError, "'test.Cell': the name is taken");
  assertThrows(() => refuse(Own, "again"), TypeError, "class Own: it is registered already");
});

Deno.test("pack: exported functions and classes travel by reference, as values too", async () => {
  using far = new FarSide();
  assertStrictEquals(await echo(far, double), double);
  assertStrictEquals(await echo(far, Point), Point);
  assertStrictEquals(await echo(far, twice), twice);
  assertEquals(await far.call(TASKS, "apply", [double, 21]), 42);
  const made = await far.call(TASKS, "make", [SubPoint, 3]);
  assertInstanceOf(made, SubPoint);
  const found = await echo(
    far,
    new Map<unknown, unknown>([[double, { f: double }], ["s", new Set([Point])]]),
  ) as Map<
    unknown,
    unknown
  >;
  assertEquals(found.get(double), { f: double });
  assertEquals(found.get("s"), new Set([Point]));
});

Deno.test("pack: a function that is not exported is refused with its place", () => {
  const onDone = () => 1;
  assertThrows(
    () => pack([{ handlers: { onDone } }], "start a thread with", send, { root: "args" }),
    PicklingError,
    "Cannot start a thread with args[0].handlers.onDone, 'onDone': it is ",
  );
  for (const value of [() => 1, double.bind(null, 1), Math.max, class {}, new Proxy(double, {})]) {
    assertThrows(() => send([value]), PicklingError, "value[0]");
  }
});

Deno.test("getState: instances of exported classes arrive as instances of them, however they hang together", async () => {
  using far = new FarSide();
  const money = new Money(5n);
  const b = new Point(2, new Set([money]));
  assertEquals(await far.call(TASKS, "checkPoints", { a: new Point(1, b), b, money }), "ok");
  assertEquals(await far.call(TASKS, "checkPoints", { money, b, a: new Point(1, b) }), "ok");
  const root = await echo(far, new SubPoint(7, [new Cell(), double]));
  assertInstanceOf(root, SubPoint);
  assertEquals(root.x, 7);
  assertInstanceOf((root.other as unknown[])[0], Cell);
  const table = new Table([["k", new Table()]]);
  table.title = "t";
  const found = await echo(far, [table, table]) as Table[];
  assertInstanceOf(found[0], Table);
  assertStrictEquals(found[0], found[1]);
  assertEquals([found[0].title, found[0].get("k") instanceof Table], ["t", true]);
  const cell = await echo(far, new NamedCell("own way"));
  assertInstanceOf(cell, NamedCell);
  assertEquals(cell.name, "own way");
});

Deno.test("getState: a state that is the next instance itself makes a chain of any length", async () => {
  using far = new FarSide();
  let chain: Chain | null = null;
  for (let i = 0; i < 20_000; i++) chain = new Chain(chain);
  let length = 0;
  for (let at = await echo(far, chain) as Chain | null; at !== null; at = at.next) {
    assertInstanceOf(at, Chain);
    length++;
  }
  assertEquals(length, 20_000);
});

Deno.test("getState: an instance within its own state is refused at the call, a shared one is not", async () => {
  using far = new FarSide();
  const circles: ((point: Point) => unknown)[] = [
    (point) => point,
    (point) => ({ deep: [point] }),
    (point) => new Map([[point, 1]]),
    (point) => new Set([{ point }]),
    (point) => new Point(2, [point]),
    (point) => new Guarded(new Cell(), point),
  ];
  for (const circle of circles) {
    const point = new Point(1);
    point.other = circle(point);
    assertThrows(() => send({ point }), PicklingError, "is part of its own state");
    assertThrows(() => send([point.other, point]), PicklingError, "is part of its own state");
  }
  // The circle goes through a container that was there before.
  const container: unknown[] = [];
  container.push(new Point(1, { container }));
  const chain = Object.assign(new Chain(null), { next: null as unknown });
  chain.next = chain;
  assertThrows(() => send(chain), PicklingError, "a Chain is part of its own state");
  assertThrows(() => send(container), PicklingError, "a Point is part of its own state");
  const bottom = new Point(0);
  const [left, right] = [new Point(1, bottom), new Point(2, bottom)];
  const found = await echo(far, [left, right, bottom]) as Point[];
  assertStrictEquals(found[0].other, found[2]);
  assertStrictEquals(found[1].other, found[2]);
});

Deno.test("getState: what is missing is said, and what the user's method throws comes through", () => {
  assertThrows(
    () => send({ h: new points.Halfway() }),
    PicklingError,
    "Cannot send value.h: class Halfway has [getState]() but no static [setState](state)",
  );
  assertThrows(
    () => send([points.makePrivate()]),
    PicklingError,
    "Cannot send value[0], an instance of 'Private': it is ",
  );
  assertThrows(() => send({ [getState]: () => 1 }), PicklingError, "has [getState]() but no");
  assertThrows(() => send(new points.Failing()), RangeError, "No state today");
  assertThrows(
    () => send(new Point(1, { f: () => 1 })),
    PicklingError,
    "Cannot send value[getState]().other.f",
  );
  assertEquals(typeof setState, "symbol");
});

Deno.test("pack: instances of other classes arrive as plain objects of their own data", async () => {
  using far = new FarSide();
  class Plain {
    a = 1;
    #b = 2;
    cell: unknown;
    get sum(): number {
      return this.a + this.#b;
    }
  }
  const alone = await echo(far, new Plain()) as object;
  assertEquals(alone, { a: 1, cell: undefined });
  assertStrictEquals(Object.getPrototypeOf(alone), Object.prototype);
  const beside = await echo(far, Object.assign(new Plain(), { cell: new Cell() })) as Loose;
  assertEquals([Object.keys(beside), beside.a], [["a", "cell"], 1]);
  assertEquals(await echo(far, Object.assign(Object.create(null), { x: 1 })), { x: 1 });
  class Numbers extends Array<number> {}
  assertEquals(await echo(far, Numbers.of(1, 2)), [1, 2]);
  class Emitter extends EventTarget {
    count = 1;
  }
  assertEquals(await echo(far, new Emitter()), { count: 1 });
});

Deno.test("pack: what a class made of the methods of Map and Set does not matter", async () => {
  using far = new FarSide();
  class Upside extends Map<unknown, unknown> {
    override *keys(): MapIterator<unknown> {}
    override *entries(): MapIterator<[unknown, unknown]> {}
    override [Symbol.iterator] = this.entries;
    override forEach(): void {}
  }
  class Inside extends Set<unknown> {
    override *values(): SetIterator<unknown> {}
    override [Symbol.iterator] = this.values;
  }
  for (const special of [1, new Cell()]) {
    const found = await echo(far, [new Upside([["k", [special]]]), new Inside([[special]])]) as [
      Map<string, unknown[]>,
      Set<unknown[]>,
    ];
    assertEquals([found[0].size, found[1].size], [1, 1]);
    assertEquals(found[0].get("k")![0] instanceof Cell, special !== 1);
    assertEquals([...found[1]][0][0] instanceof Cell, special !== 1);
  }
  assertThrows(() => send(new Upside([["k", () => 1]])), PicklingError, 'value.get("k")');
  assertThrows(() => send(new Inside([Symbol()])), PicklingError, "value.values()[0]");
});

Deno.test("pack: a Proxy is told from its target without the runtime's own test", async () => {
  const source = `
    delete Deno[Deno.internal];
    const { pack } = await import(${JSON.stringify(PICKLE)});
    try {
      pack({ a: [{}], p: new Proxy({}, {}) }, "send", pack);
      postMessage("packed");
    } catch (error) {
      postMessage(error.message);
    }
    close();`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, {
    type: "module",
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  worker.onmessage = ({ data }) => resolve(data);
  assertStringIncludes(await promise, "Cannot send value.p: a Proxy cannot be copied");
  worker.terminate();
});

Deno.test("pack: own accessors are evaluated once", async () => {
  using far = new FarSide();
  for (const beside of [undefined, new Cell()]) {
    let reads = 0;
    const source = {
      get x() {
        return ++reads;
      },
      deep: {
        get y() {
          return { reads: ++reads };
        },
      },
      beside,
    };
    const found = await echo(far, source) as typeof source;
    assertEquals([found.x, found.deep.y.reads, reads], [1, 2, 2]);
  }
});

Deno.test("pack: an accessor that throws is a PicklingError with the place and the cause", () => {
  const cause = new RangeError("boo");
  const source = {
    list: [{
      get bad() {
        throw cause;
      },
    }],
  };
  const get = Object.getOwnPropertyDescriptor(source.list[0], "bad")!.get;
  const item = Object.defineProperty([1], 1, { get, enumerable: true });
  assertThrows(() => send(item), PicklingError, "Cannot send value[1]: reading it threw");
  const error = assertThrows(
    () => send(source),
    PicklingError,
    "Cannot send value.list[0].bad: reading it threw RangeError: boo",
  );
  assertStrictEquals(error.cause, cause);
});

class Secret {
  #value = 1;
  get value(): number {
    return this.#value;
  }
}

function argumentsOf(..._: unknown[]): unknown {
  return arguments;
}

/** What structured clone would empty or refuse, and the words that help. */
function refusals(): [value: unknown, words: string][] {
  const detached = new ArrayBuffer(8);
  const over = new Uint8Array(detached);
  structuredClone(detached, { transfer: [detached] });
  const { port1 } = new MessageChannel();
  port1.close();
  const shrunk = new ArrayBuffer(8, { maxByteLength: 16 });
  const outside = [new Uint16Array(shrunk, 4), new DataView(shrunk, 4)];
  shrunk.resize(2);
  return [
    [outside[0], "a Uint16Array over memory that was given away or shortened"],
    [outside[1], "a DataView over memory that was given away or shortened"],
    [new URL("https://example.org/"), "a URL cannot be copied; send its href"],
    [new URLSearchParams("a=1"), "a URLSearchParams cannot be copied; send its text"],
    [new Headers(), "a Headers cannot be copied; send its entries, [...headers]"],
    [new FormData(), "a FormData cannot be copied; send its entries"],
    [new Request("https://example.org/"), "a Request cannot be copied; send its url"],
    [new Response("x"), "a Response cannot be copied; send its body"],
    [new AbortController(), "an AbortController cannot be copied; share an Event"],
    [new AbortController().signal, "an AbortSignal cannot be copied"],
    [new Event("x"), "an Event cannot be copied; send its type and its data"],
    [
      new CustomEvent("x", { detail: 1 }),
      "a CustomEvent cannot be copied; send its type and its data",
    ],
    [
      new MessageEvent("x", { data: 1 }),
      "a MessageEvent cannot be copied; send its type and its data",
    ],
    [new EventTarget(), "an EventTarget cannot be copied"],
    [new TextEncoder(), "a TextEncoder would arrive empty"],
    [new ReadableStream(), "a ReadableStream cannot be copied; put it in the transfer list"],
    [new WritableStream(), "a WritableStream cannot be copied; put it in the transfer list"],
    [new TransformStream(), "a TransformStream cannot be copied; put it in the transfer list"],
    [port1, "a MessagePort cannot be copied; put it in the transfer list"],
    [Promise.resolve(1), "a Promise cannot be copied; await it first"],
    [new WeakRef({}), "a WeakRef cannot be copied; send what deref() gives"],
    [new WeakMap(), "a WeakMap cannot be copied; send a Map"],
    [new WeakSet(), "a WeakSet cannot be copied; send a Set"],
    [new FinalizationRegistry(() => {}), "a FinalizationRegistry"],
    [Symbol("s"), "Symbol(s) cannot be copied"],
    [Object(Symbol("s")), "a Symbol cannot be copied"],
    [Symbol.iterator, "Symbol(Symbol.iterator) cannot be copied"],
    [(function* () {})(), "a Generator cannot be copied; send its items"],
    [(async function* () {})(), "an AsyncGenerator cannot be copied; collect its items first"],
    [[1].values(), "an Array Iterator cannot be copied; send its items"],
    [new Map().keys(), "a Map Iterator cannot be copied; send its items"],
    [[1].values().map((x) => x), "an Iterator Helper cannot be copied; send its items"],
    [new Proxy({ a: 1 }, {}), "a Proxy cannot be copied; send the object behind it"],
    [new Proxy([], {}), "a Proxy cannot be copied"],
    [points, "a module namespace cannot be copied"],
    [argumentsOf(1), "an arguments object cannot be copied; send the array [...arguments]"],
    [globalThis, "the global object cannot be copied"],
    [Math, "Math"],
    [new Intl.NumberFormat(), "an Intl.NumberFormat cannot be copied; send its resolvedOptions()"],
    [
      new WebAssembly.Memory({ initial: 1 }),
      "a Memory cannot be copied; make it with shared: true",
    ],
    [
      new Secret(),
      "a Secret would arrive empty, because it has no enumerable properties of its own; define [getState]() and static [setState](state)",
    ],
    [new DisposableStack(), "a DisposableStack would arrive empty"],
    [new Deno.Command("x"), "a Command would arrive empty"],
    [detached, "an ArrayBuffer cannot be copied; its memory was given away"],
    [over, "a Uint8Array over memory that was given away or shortened cannot be copied"],
    [Object.create(Map.prototype), "a Map would arrive empty"],
    [{ [Symbol.toStringTag]: "Date", __proto__: Date.prototype }, "a Date would arrive empty"],
  ];
}

Deno.test("pack: what structured clone would empty or refuse is refused with its place and what to send instead", () => {
  for (const [value, words] of refusals()) {
    const holders: [unknown, string][] = [
      [value, "Cannot send value: "],
      [{ a: [value] }, "Cannot send value.a[0]: "],
      [new Map<unknown, unknown>([["k", { value }]]), 'Cannot send value.get("k").value: '],
      [new Map([[value, 1]]), "Cannot send value.keys()[0]: "],
      [new Set([0, value]), "Cannot send value.values()[1]: "],
      [{ "odd key": { 1: value } }, 'Cannot send value["odd key"][1]: '],
    ];
    for (const [holder, where] of holders) {
      const error = assertThrows(() => send(holder), PicklingError);
      assertStringIncludes(error.message, where + (words === "Math" ? "" : words));
      assertFalse(error.message.endsWith("."));
    }
  }
});

Deno.test("pack: the message port itself refuses or spoils each of them, so no refusal is for nothing", () => {
  for (const [value] of refusals()) {
    if (value instanceof MessageEvent) continue; // keeps its data
    let cloned: unknown;
    try {
      cloned = structuredClone(value);
    } catch {
      continue;
    }
    assertEquals(Object.keys(cloned as object), [], "it would have arrived");
  }
});

Deno.test("pack: the error's stack begins at the call of the user", () => {
  function door(): void {
    pack(new URL("https://example.org/"), "send", door);
  }
  const error = assertThrows(door, PicklingError);
  assertStringIncludes(error.stack!, "PicklingError: Cannot send value: a URL");
  assertFalse(error.stack!.includes("pickle_build.ts"));
  assertFalse(/at door/.test(error.stack!));
  const far = assertThrows(
    () => pack(new URL("https://example.org/"), "send", double),
    PicklingError,
  );
  assertStringIncludes(far.stack!, "\n    at ");
});

Deno.test("pack: nothing of the value is changed, and a refusal leaves nothing behind", async () => {
  using far = new FarSide();
  const cell = new Cell();
  const shared = Object.freeze({ cell, list: Object.freeze([cell]) });
  const value = Object.freeze({ shared, map: new Map([[shared, cell]]) });
  assertThrows(() => send([value, () => 1]), PicklingError);
  const found = await echo(far, value) as typeof value;
  assertEquals([...value.map], [[shared, cell]]);
  assertStrictEquals(value.shared.cell, cell);
  assertInstanceOf(found.map.get(found.shared), Cell);
});

Deno.test("pack: nesting of 100,000 levels arrives, in arrays, objects, maps and sets", async () => {
  using far = new FarSide();
  const wraps: [(inner: unknown) => unknown, (outer: unknown) => unknown][] = [
    [(inner) => [inner], (outer) => (outer as unknown[])[0]],
    [(inner) => ({ inner }), (outer) => (outer as Loose).inner],
    [(inner) => new Map([["k", inner]]), (outer) => (outer as Map<unknown, unknown>).get("k")],
    [(inner) => new Set([inner]), (outer) => [...outer as Set<unknown>][0]],
  ];
  for (const [wrap, unwrap] of wraps) {
    for (const heart of [null, new Cell()]) {
      let value: unknown = { heart };
      for (let i = 0; i < 100_000; i++) value = wrap(value);
      let found = await echo(far, value);
      for (let i = 0; i < 100_000; i++) found = unwrap(found);
      assertEquals(Object.keys(found as object), ["heart"]);
      assertEquals((found as Loose).heart instanceof Cell, heart !== null);
    }
  }
});

Deno.test("pack: whatever the depth, the message port never runs out of stack", async () => {
  using far = new FarSide();
  for (const depth of [150, 199, 200, 201, 500, 1_000, 2_000, 3_000, 5_000, 8_000, 12_000]) {
    let value: unknown = [];
    for (let i = 0; i < depth; i++) value = [value];
    let found = 0;
    for (let at = await echo(far, value) as unknown[]; at.length > 0; at = at[0] as unknown[]) {
      found++;
    }
    assertEquals(found, depth);
  }
});

Deno.test("pack: a long linked list that also stands in an array arrives with its links", async () => {
  using far = new FarSide();
  interface Item {
    i: number;
    next?: Item;
    before?: Item;
  }
  const list: Item[] = Array.from({ length: 20_000 }, (_, i) => ({ i }));
  list.forEach((item, i) => Object.assign(item, { next: list[i + 1], before: list[i - 1] }));
  const found = await echo(far, { cell: new Cell(), list }) as { list: Item[] };
  assert(
    found.list.every((item, i) =>
      item.i === i && item.next === found.list[i + 1] && item.before === found.list[i - 1]
    ),
  );
});

Deno.test("pack: what is transferred is left alone, wherever it stands", async () => {
  using far = new FarSide();
  const stream = new ReadableStream<string>({
    start(controller) {
      controller.enqueue("a");
      controller.enqueue("b");
      controller.close();
    },
  });
  assertEquals(await far.call(TASKS, "readAll", stream, { transfer: [stream] }), "ab");
  for (const beside of [undefined, new Cell()]) {
    const { port1, port2 } = new MessageChannel();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    port1.onmessage = ({ data }) => resolve(data);
    assertEquals(
      await far.call(TASKS, "portOf", { port: port2, beside }, { transfer: [port2] }),
      "sent",
    );
    assertEquals(await promise, "through the port");
    port1.close();
  }
  const buffer = new ArrayBuffer(8);
  assertEquals(
    (await far.call(TASKS, "echo", { buffer, f: double }, { transfer: [buffer] }) as Loose).f,
    double,
  );
  assert(buffer.detached);
});

/** Small random numbers that can be had again (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A graph of every kind of holder, linked at random, forth and back. */
function randomGraph(seed: number): unknown {
  const random = randomFrom(seed);
  const cells = [new Cell(), new Cell()];
  const nodes: unknown[] = [];
  const size = 1 + random(40);
  const free: object[] = []; // of instances and shareables, whose parts cannot lead back
  for (let i = 0; i < size; i++) {
    const data = {
      id: i,
      inside: nodes.filter((node) => free.includes(node as object) && random(4) === 0),
    };
    const node = [
      () => ({ id: i }),
      () => [i],
      () => new Map<unknown, unknown>([["id", i]]),
      () => new Set<unknown>([i]),
      () => new Error(`e${i}`),
      () => new Point(i, data),
      () => new Guarded(cells[i % 2], data),
      () => cells[i % 2],
      () => double,
      () => new Date(i),
      () => new Uint8Array([i]),
    ][random(11)]();
    if (node instanceof Point || node instanceof Guarded || node instanceof Cell) free.push(node);
    nodes.push(node);
  }
  for (let i = 0; i < 3 * size; i++) {
    const [from, to] = [nodes[random(size)], nodes[random(size)]];
    if (Array.isArray(from)) from.push(to);
    else if (from instanceof Map) from.set(random(2) ? to : `k${i}`, random(2) ? to : i);
    else if (from instanceof Set) from.add(to);
    else if (from instanceof Error) {
      const stays = random(3) === 0;
      const value = [
        () => to,
        () => stays ? new Map([[to, new WeakRef({})]]) : new Map([[to, 1]]),
        () => [to, nodes[random(size)], { last: stays ? Symbol("stays") : to }],
      ][stays ? 1 + random(2) : random(3)]();
      Object.assign(from, { [`${stays ? "stays" : "p"}${i}`]: value });
    } else if (Object.getPrototypeOf(from) === Object.prototype) (from as Loose)[`p${i}`] = to;
  }
  return nodes[random(2)] ?? nodes;
}

/** Walks two graphs side by side: same kinds, same data, and the same node there for the same node here. */
function assertSameGraph(here: unknown, there: unknown): void {
  const pairs = new Map<unknown, unknown>();
  const work: [unknown, unknown, string][] = [[here, there, "root"]];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const [a, b, path] = next;
    if (typeof a !== "object" || a === null) {
      assertStrictEquals(b, a, path);
      continue;
    }
    if (pairs.has(a)) {
      assertStrictEquals(pairs.get(a), b, `${path} is another object`);
      continue;
    }
    pairs.set(a, b);
    assertStrictEquals(Object.getPrototypeOf(b), Object.getPrototypeOf(a), path);
    if (b instanceof Error) {
      assertFalse(Object.keys(b).some((key) => key.startsWith("stays")), path);
    }
    const parts = (value: object): unknown[] => {
      if (value instanceof Map) return [...value].flat();
      if (value instanceof Set) return [...value];
      if (value instanceof Date) return [value.getTime()];
      if (value instanceof Point) return [value.x, value.other];
      if (value instanceof Error) {
        const stayed = Object.entries(value).filter(([key]) => !key.startsWith("stays"));
        return [value.message, ...stayed.flat()];
      }
      if (value instanceof Cell) return [];
      return Object.entries(value).flat();
    };
    const [as, bs] = [parts(a), parts(b as object)];
    assertEquals(bs.length, as.length, path);
    as.forEach((part, i) => work.push([part, bs[i], `${path}/${i}`]));
  }
  assertEquals(new Set(pairs.values()).size, pairs.size, "two objects became one");
}

Deno.test("pack: random graphs of everything arrive the same, there and back", async () => {
  using far = new FarSide();
  for (let seed = 0; seed < 400; seed++) {
    const graph = randomGraph(seed);
    try {
      assertWhole(pack(graph, "send", pack));
      assertSameGraph(graph, await echo(far, graph));
    } catch (error) {
      throw new Error(`Seed ${seed}`, { cause: error });
    }
  }
});
