import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ProcessError } from "@batteries/concurrent/multiprocessing";
import {
  BaseManager,
  BaseProxy,
  DictProxy,
  IteratorProxy,
  ListProxy,
  type Proxied,
  RemoteError,
  SyncManager,
} from "@batteries/concurrent/multiprocessing/managers";
import { PicklingError } from "@batteries/concurrent/threading";
import {
  Awkward,
  Cache,
  failToSetUp,
  FooBar,
  Maths,
  OddError,
  setUp,
  SetUpManager,
  Shop,
  squares,
  SquaresProxy,
} from "../fixtures/multiprocessing/manager_parties.ts";

class MyManager extends BaseManager {}
MyManager.register("Foo", { callable: FooBar });
MyManager.register("Bar", { callable: FooBar, exposed: ["f", "_h"] });
MyManager.register("squares", { callable: squares, proxytype: SquaresProxy });
MyManager.register("Awkward", { callable: Awkward });
MyManager.register("Cache", { callable: Cache });
MyManager.register("list", { createMethod: false });
MyManager.register("Iterator", { createMethod: false });
MyManager.register("Shop", { callable: Shop, methodToTypeid: { shelf: "list" } });
const MathsManager = MyManager.register("Maths", { callable: Maths });

async function managed(): Promise<InstanceType<typeof MathsManager>> {
  const manager = new MathsManager();
  await manager.start();
  return manager;
}

Deno.test("BaseManager: a class of its own, has its public methods on the proxy", async () => {
  await using manager = await managed();
  const foo = await manager.create("Foo");
  const bar = await manager.create("Bar");
  const names = (proxy: object) => ["f", "g", "_h"].filter((name) => name in proxy);
  assertEquals(names(foo), ["f", "g"]);
  assertEquals(names(bar), ["f", "_h"]);
  assertEquals(await foo.f(), "f()");
  await assertRejects(() => foo.g(), RangeError, "from g");
  assertEquals(await foo.callmethod("f"), "f()");
  await assertRejects(() => foo.callmethod("_h"), RemoteError, "_h");
  assertEquals(await bar.f(), "f()");
  assertEquals(await bar._h(), "_h()");
  assertEquals(await bar.callmethod("_h"), "_h()");
  await assertRejects(() => bar.callmethod("g"), RemoteError);
});

Deno.test("BaseManager: create, knows the types that register was told", async () => {
  await using manager = await managed();
  const maths = await manager.create("Maths");
  const typed: Proxied<Maths> = maths;
  const sum: number = await typed.add(4, 3);
  assertEquals(sum, 7);
  assertEquals(await maths.later(5), 5);
  // @ts-expect-error: `add` takes numbers
  const wrong: Promise<unknown> = maths.add("4", 3);
  await wrong;
  const again = await manager.Maths();
  assertEquals(await again.add(1, 1), 2);
  const told = await manager.create<Maths>("Maths");
  assertEquals(await told.add(1, 2), 3);

  class Declared extends BaseManager<{ Maths: typeof Maths }> {}
  Declared.register("Maths");
  await using other = new Declared({ address: manager.address });
  await other.connect();
  assertEquals(await (await other.create("Maths")).add(2, 2), 4);
});

Deno.test("BaseManager: names that every object has, reach nothing", async () => {
  await using manager = await managed();
  const foo = await manager.create("Foo");
  const list = await new SyncManager({ address: manager.address }).address;
  assertEquals(list, manager.address);
  const cache = await manager.create("Cache");
  for (const proxy of [foo, cache]) {
    for (
      const name of [
        "constructor",
        "__proto__",
        "prototype",
        "__defineGetter__",
        "__lookupGetter__",
        "hasOwnProperty",
        "isPrototypeOf",
        "valueOf",
        "forEach",
        "apply",
        "call",
        "#g",
        "",
      ]
    ) await assertRejects(() => proxy.callmethod(name), RemoteError);
  }
  await assertRejects(() => foo.callmethod("x".repeat(300)), TypeError);
  await assertRejects(() => foo.callmethod("f", "no array" as never), TypeError);
});

Deno.test("BaseManager: exposed, cannot name what every object has", async () => {
  class Careless extends BaseManager {}
  Careless.register("Foo", { callable: FooBar, exposed: ["constructor", "toString", "f"] });
  await using manager = new Careless();
  await manager.start();
  const foo = await manager.create("Foo");
  await assertRejects(() => foo.callmethod("constructor"), RemoteError);
  await assertRejects(() => foo.callmethod("toString"), RemoteError);
  assertEquals(await foo.f(), "f()");
});

Deno.test("BaseManager: a generator, is gone through by its proxy", async () => {
  await using manager = await managed();
  const proxy = await manager.create("squares", 5);
  assertInstanceOf(proxy, SquaresProxy);
  assertEquals(await Array.fromAsync(proxy), [0, 1, 4, 9, 16]);
  class Plain extends BaseManager {}
  Plain.register("squares", { callable: squares });
  await using plain = new Plain();
  await plain.start();
  const iterator = await plain.create("squares", 3);
  assertInstanceOf(iterator, IteratorProxy);
  assertEquals(await Array.fromAsync(iterator as IteratorProxy<number>), [0, 1, 4]);
  assertEquals(await iterator.next(), { done: true, value: undefined });
});

Deno.test("BaseManager: results of methodToTypeid, stay in the server", async () => {
  await using manager = await managed();
  const shop = await manager.create("Shop");
  const shelf = await shop.shelf(1);
  assertInstanceOf(shelf, ListProxy);
  await shelf.append(3);
  assertEquals(await shop.stock(), [[1], [2, 3]]);
});

Deno.test("BaseManager: a subclass of Map, has a dict's methods and its own", async () => {
  await using manager = await managed();
  const cache = await manager.create("Cache");
  assertEquals(await cache.hit("a"), 1);
  assertEquals(await cache.hit("a"), 2);
  assertEquals(await cache.get("a"), 2);
  assertInstanceOf(cache, DictProxy);
});

Deno.test("BaseManager: methods whose names a proxy has itself, are reached by callmethod", async () => {
  await using manager = await managed();
  const awkward = await manager.create("Awkward");
  assertInstanceOf(awkward, BaseProxy);
  assertEquals(await awkward.callmethod("then"), "not a promise");
  assertEquals(await awkward.callmethod("getvalue"), "mine");
  assertStringIncludes(String(awkward), "typeid 'Awkward'");
});

Deno.test("BaseManager: what a method throws, arrives with its class and its stack", async () => {
  await using manager = await managed();
  const awkward = await manager.create("Awkward");
  const error = await assertRejects(() => awkward.odd(), OddError, "as it is");
  assertEquals(error.code, 7);
  assertStringIncludes(error.stack!, "manager_parties.ts");
  assertStringIncludes(error.stack!, "--- manager process");
  const maths = await manager.create("Maths");
  await assertRejects(() => maths.unsendable(), PicklingError);
  assertEquals(await maths.add(1, 2), 3);
});

Deno.test("BaseManager: a method, gets proxies of its own server and works on their objects", async () => {
  await using manager = await managed();
  await using lists = new SyncManager();
  await lists.start();
  const awkward = await manager.create("Awkward");
  // A list of another manager: the server of the first is a client of the second.
  const far = await lists.list<number>();
  assertEquals(await awkward.fill(far), 3);
  assertEquals(await far.getvalue(), [1, 2, 3]);
  const shop = await manager.create("Shop");
  const near = await shop.shelf(0);
  assertEquals(await awkward.fill(near), 4);
  assertEquals(await near.getvalue(), [1, 1, 2, 3]);
  // Kept, and given back: the same list.
  await awkward.keep(near);
  near[Symbol.dispose]();
  const kept = await awkward.kept();
  assertEquals(await kept.length(), 4);
});

Deno.test("BaseManager: a signal in an argument, tells the method that its caller has given up", async () => {
  await using manager = await managed();
  await using lists = new SyncManager();
  await lists.start();
  const notes = await lists.list<string>();
  const awkward = await manager.create("Awkward");
  const controller = new AbortController();
  const reason = new Error("enough");
  const call = awkward.forever(notes, { signal: controller.signal })
    .then(() => "done", (error: unknown) => error);
  // The method has begun, as calls are in order.
  await assertRejects(() => awkward.callmethod("odd"));
  controller.abort(reason);
  assertStrictEquals(await call, reason);
  while (await notes.length() === 0);
  assertEquals(await notes.getvalue(), ["aborted"]);
});

Deno.test("BaseManager: register, refuses what it cannot use", () => {
  class Picky extends BaseManager {}
  assertThrows(() => Picky.register(1 as unknown as string), TypeError);
  assertThrows(() => Picky.register("a", { callable: 5 as never }), TypeError);
  assertThrows(() => Picky.register("a", { exposed: "f" as never }), TypeError);
  assertThrows(() => Picky.register("a", { methodToTypeid: { f: 1 } as never }), TypeError);
  assertThrows(() => Picky.register("a", { proxytype: FooBar as never }), TypeError);
  assertThrows(() => Picky.register("start", { callable: FooBar }), RangeError);
  Picky.register("start", { callable: FooBar, createMethod: false });
  assert(!("Foo" in Picky.prototype));
});

Deno.test("BaseManager: types, are known to subclasses and to no one else", async () => {
  await using manager = await managed();
  class Child extends MyManager {}
  Child.register("Extra", { callable: FooBar });
  await using child = new Child();
  await child.start();
  assertEquals(await (await child.create("Foo")).f(), "f()");
  assertEquals(await (await child.create("Extra")).f(), "f()");
  await assertRejects(() => manager.create("Extra"), RangeError, "Extra");
});

Deno.test("BaseManager: what is not exported, cannot be started and says so", async () => {
  class Closed extends BaseManager {}
  class Hidden {}
  Closed.register("Hidden", { callable: Hidden });
  const manager = new Closed();
  await assertRejects(() => manager.start(), PicklingError, "Hidden");
  await assertRejects(() => manager.start({ initializer: () => {} }), PicklingError);
});

Deno.test("BaseManager: start, calls the initializer first", async () => {
  await using manager = new SetUpManager();
  await manager.start({ initializer: setUp, initargs: ["something"] });
  assertEquals(await (await manager.create("Started")).get(), "something");
  const failing = new SetUpManager();
  const error = await assertRejects(
    () => failing.start({ initializer: failToSetUp }),
    OddError,
    "no start",
  );
  assertEquals(error.code, 7);
  await assertRejects(() => failing.start({ initializer: 1 as never }), TypeError);
  await assertRejects(() => failing.start({ initargs: 1 as never }), TypeError);
});

Deno.test("BaseManager: what is done at the wrong time, says so and changes nothing", async () => {
  const manager = new MathsManager();
  await assertRejects(() => manager.create("Foo"), ProcessError, "has not been started");
  await assertRejects(() => manager.shutdown(), ProcessError);
  await assertRejects(() => manager.connect(), TypeError, "address");
  await manager.join();
  await manager.start();
  await assertRejects(() => manager.start(), ProcessError, "has been started already");
  await assertRejects(() => manager.connect(), ProcessError);
  await assertRejects(() => manager.getServer(), ProcessError);
  await manager.join({ timeout: 1 });
  assertEquals(await (await manager.create("Maths")).add(1, 1), 2);
  await manager.shutdown();
  await manager.shutdown();
  await manager.join();
  await assertRejects(() => manager.create("Foo"), ProcessError, "has been shut down");
  await assertRejects(() => manager.start(), ProcessError);
  assertThrows(() => new BaseManager({ authkey: "text" as never }), TypeError);
  assertThrows(() => new BaseManager({ address: 5 as never }), TypeError);
  assertThrows(() => new BaseManager({ shutdownTimeout: -1 }), RangeError);
  assertThrows(() => new BaseProxy({} as never), TypeError);
});
