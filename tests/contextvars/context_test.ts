import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Context, ContextVar, copyContext, ThreadError } from "@batteries/concurrent/contextvars";

Deno.test("new Context: is empty and takes no arguments", () => {
  const context = new Context();
  assertEquals(context.size, 0);
  assertEquals([...context], []);
  const Loose = Context as unknown as new (...args: unknown[]) => Context;
  assertThrows(() => new Loose(1), TypeError, "takes no arguments, got 1");
  assertThrows(() => new Loose(new Map()), TypeError);
});

Deno.test("Context.get and has: a key that is not a ContextVar is a TypeError", () => {
  const context = new Context();
  for (const key of [1, "name", undefined, null, {}, Object.create(null)]) {
    assertThrows(() => context.get(key as ContextVar<unknown>), TypeError, "must be a ContextVar");
    assertThrows(() => context.has(key as ContextVar<unknown>), TypeError, "must be a ContextVar");
  }
});

Deno.test("Context.run: without a function it is a TypeError, and the context is not entered", () => {
  const context = new Context();
  const run = context.run.bind(context) as (fn?: unknown) => unknown;
  for (const fn of [undefined, null, 1, "name", {}]) {
    assertThrows(() => run(fn), TypeError, "must be a function");
  }
  assertEquals(context.run(() => "entered"), "entered");
});

Deno.test("Context.run: passes the arguments on and returns what the function returns", () => {
  const context = new Context();
  const collect = (...args: unknown[]) => [...args, "bar"];
  assertEquals(context.run(collect), ["bar"]);
  assertEquals(context.run(collect, 1), [1, "bar"]);
  assertEquals(context.run(collect, 1, undefined, null), [1, undefined, null, "bar"]);
  const typed: number = context.run((a: number, b: string) => a + b.length, 1, "two");
  assertEquals(typed, 4);
});

Deno.test("Context.run: an error of the function comes out as it is, and the context is left", () => {
  const context = new Context();
  const variable = new ContextVar("var", { default: "none" });
  const error = new SyntaxError("mine");
  for (let round = 0; round < 2; round++) {
    const caught = assertThrows(() =>
      context.run(() => {
        variable.set("spam");
        throw error;
      })
    );
    assertStrictEquals(caught, error);
    assertEquals(variable.get(), "none");
    assertEquals(context.get(variable), "spam");
  }
});

Deno.test("Context.run: contexts nest, each with its own values", () => {
  const [outer, inner] = [new Context(), new Context()];
  const variable = new ContextVar<string>("var");
  const returned = outer.run(() => {
    assertEquals(variable.get(null), null);
    variable.set("spam");
    inner.run(() => assertEquals(variable.get(null), null));
    assertEquals(variable.get(null), "spam");
    const copy = copyContext();
    assertEquals(copy.size, 1);
    return copy;
  });
  assertEquals([...outer.entries()], [...returned.entries()]);
  assertEquals(returned.get(variable), "spam");
  assertEquals(inner.size, 0);
});

Deno.test("Context.get: shows what is set while the context is entered, and no defaults", () => {
  const context = new Context();
  const variable = new ContextVar("a", { default: 0 });
  context.run(() => {
    assertEquals(variable.get(), 0);
    assertEquals(context.get(variable), undefined);
    assertEquals(context.get(variable, "spam"), "spam");
    assert(!context.has(variable));
    const token = variable.set(42);
    assertEquals(variable.get(), 42);
    assertEquals(context.get(variable), 42);
    assertEquals(context.get(variable, "spam"), 42);
    assertEquals([...context.keys()], [variable]);
    variable.reset(token);
    assertEquals([...context.keys()], []);
    assertEquals(context.get(variable), undefined);
  });
});

Deno.test("Context.run: a context that is entered cannot be entered again, at any depth", () => {
  const [outer, inner] = [new Context(), new Context()];
  const error = outer.run(() =>
    assertThrows(() => outer.run(() => {}), ThreadError, "already entered")
  );
  assertEquals(error.name, "ThreadError");
  outer.run(() => inner.run(() => assertThrows(() => outer.run(() => {}), ThreadError)));
  outer.run(() => assertEquals(outer.copy().run(() => "a copy may"), "a copy may"));
  assertEquals(outer.run(() => "left again"), "left again");
});

Deno.test("Context.run: a refused entry changes nothing of the entry that goes on", () => {
  const context = new Context();
  const variable = new ContextVar("var", { default: 0 });
  context.run(() => {
    assertThrows(() => context.run(() => variable.set(1)), ThreadError);
    assertEquals(variable.get(), 0);
    assertThrows(() => context.run(() => {}), ThreadError);
    variable.set(2);
  });
  assertEquals(context.get(variable), 2);
});

Deno.test("Context.run: re-entered after it was left, the context has the values it was left with", () => {
  const context = new Context();
  const variable = new ContextVar("var", { default: "initial" });
  context.run(() => variable.set("updated"));
  assertEquals(variable.get(), "initial");
  assertEquals(context.run(() => variable.get()), "updated");
});

Deno.test("Context.run: an async function counts as entered in its synchronous part only", async () => {
  const context = new Context();
  const variable = new ContextVar("var", { default: 0 });
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const task = context.run(async () => {
    assertThrows(() => context.run(() => {}), ThreadError);
    await gate;
    // The context is the current one here, but no longer entered.
    variable.set(variable.get() + 1);
    return context.run(() => variable.get());
  });
  context.run(() => variable.set(10));
  open();
  assertEquals(await task, 11);
  assertEquals(context.get(variable), 11);
});

Deno.test("Context.run: an async function that rejects leaves the context too", async () => {
  const context = new Context();
  await assertRejects(
    () => context.run(() => Promise.reject(new SyntaxError("late"))),
    SyntaxError,
    "late",
  );
  const early = context.run(async () => {
    await Promise.resolve();
    throw new SyntaxError("later");
  });
  assertEquals(context.run(() => "free"), "free");
  await assertRejects(() => early, SyntaxError, "later");
});

Deno.test("Context.copy: copies share nothing that is set afterwards", () => {
  const first = new Context();
  const variable = new ContextVar("c", { default: 42 });
  first.run(() => {
    variable.set(10);
    const second = first.copy();
    assertNotStrictEquals(second, first);
    assertEquals(second.get(variable), 10);
    variable.set(20);
    assertEquals([first.get(variable), second.get(variable)], [20, 10]);
    second.run(() => {
      assertEquals(variable.get(), 10);
      variable.set(30);
      assertEquals(variable.get(), 30);
    });
    assertEquals([first.get(variable), second.get(variable)], [20, 30]);
  });
});

Deno.test("Context.copy: is shallow, values are the same objects", () => {
  const variable = new ContextVar<number[]>("c");
  const context = new Context();
  const list: number[] = [];
  context.run(() => variable.set(list));
  assertStrictEquals(context.copy().get(variable), list);
});

Deno.test("Context.copy: of an entered context is not entered", () => {
  const context = new Context();
  context.run(() => assertEquals(context.copy().run(() => 1), 1));
});

Deno.test("copyContext: gives a new context each time, and what is set in it stays in it", () => {
  new Context().run(() => {
    const variable = new ContextVar<string>("c");
    variable.set("outside");
    const copy = copyContext();
    assertInstanceOf(copy, Context);
    assertNotStrictEquals(copy, copyContext());
    copy.run(() => variable.set("inside"));
    assertEquals(variable.get(), "outside");
    assertEquals(copy.get(variable), "inside");
  });
});

Deno.test("Context: iterates over variables, values and entries in one order", () => {
  const variables = Array.from({ length: 20 }, (_, i) => new ContextVar<number>(`v${i}`));
  const context = new Context();
  context.run(() => variables.forEach((variable, i) => variable.set(i)));
  assertEquals(context.size, 20);
  assertEquals([...context], variables);
  assertEquals([...context.keys()], variables);
  assertEquals([...context.values()], variables.map((_, i) => i));
  assertEquals([...context.entries()], variables.map((variable, i) => [variable, i]));
});

Deno.test("Context: an iterator shows the context as it was when the iterator was made", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => new ContextVar<number>(name));
  const context = new Context();
  context.run(() => {
    const token = a.set(1);
    b.set(2);
    const [keys, values, entries, plain] = [
      context.keys(),
      context.values(),
      context.entries(),
      context[Symbol.iterator](),
    ];
    a.reset(token);
    b.set(3);
    c.set(4);
    assertEquals([...keys], [a, b]);
    assertEquals([...values], [1, 2]);
    assertEquals([...entries], [[a, 1], [b, 2]]);
    assertEquals([...plain], [a, b]);
    assertEquals([...context.entries()], [[b, 3], [c, 4]]);
  });
});

Deno.test("Context: has no way to change it from outside", () => {
  const context = new Context();
  assertThrows(() => {
    (context as { size: number }).size = 3;
  }, TypeError);
  assertEquals(Object.keys(context), []);
  assert(!("set" in context));
});
