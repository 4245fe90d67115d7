import { assert, assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { Context, ContextVar, copyContext, Token } from "@batteries/concurrent/contextvars";
import { contextOf, currentContext, runInContext } from "../../contextvars/context.ts";

Deno.test("currentContext: is the entered context itself, the same object each time", async () => {
  const context = new Context();
  await context.run(async () => {
    assertStrictEquals(currentContext(), context);
    await Promise.resolve();
    assertStrictEquals(currentContext(), context);
  });
  assertNotStrictEquals(currentContext(), context);
});

Deno.test("currentContext: outside of any context it is the root, the same object each time, and no copy", () => {
  const variable = new ContextVar<number>("v");
  const root = currentContext();
  assertStrictEquals(currentContext(), root);
  using _token = variable.set(1);
  assertEquals(root.get(variable), 1);
  assertNotStrictEquals(copyContext(), root);
});

Deno.test("currentContext: of a copied context is that copy", () => {
  const copy = copyContext();
  copy.run(() => assertStrictEquals(currentContext(), copy));
});

Deno.test("contextOf: makes a context of entries, the last of a variable counting", () => {
  const [a, b] = [new ContextVar<number>("a"), new ContextVar<string | undefined>("b")];
  const context = contextOf([[a, 1], [b, undefined], [a, 2]]);
  assertEquals([...context.entries()], [[a, 2], [b, undefined]]);
  assertEquals(context.run(() => [a.get(), b.get("fallback")]), [2, undefined]);
  assertEquals(contextOf([]).size, 0);
  assertEquals([...contextOf(context.entries()).entries()], [...context.entries()]);
});

Deno.test("runInContext: runs in a context that is entered already, passing arguments and result", () => {
  const variable = new ContextVar<number>("v");
  const context = new Context();
  context.run(() => {
    variable.set(1);
    new Context().run(() => {
      assertEquals(runInContext(context, (n: number) => variable.get() + n, 2), 3);
      assertEquals(variable.get(0), 0);
    });
  });
});

/** A random number generator whose sequence a failing seed brings back (mulberry32). */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6D2B79F5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

Deno.test("Context: 300 random histories of set, reset, copy and iterate agree with plain copied maps", () => {
  const variables = Array.from(
    { length: 5 },
    (_, i) => new ContextVar<number | undefined>(`v${i}`),
  );
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const worlds = [{ context: new Context(), model: new Map<ContextVar<unknown>, unknown>() }];
    const tokens: { token: Token<number | undefined>; world: number }[] = [];
    const iterators: { iterator: Iterable<unknown>; expected: unknown[] }[] = [];
    for (let step = 0; step < 80; step++) {
      const index = next(worlds.length);
      const { context, model } = worlds[index];
      const variable = variables[next(variables.length)];
      switch (next(6)) {
        case 0:
        case 1: {
          const value = next(4) === 0 ? undefined : step;
          const token = context.run(() => variable.set(value));
          const before = model.has(variable) ? model.get(variable) : Token.MISSING;
          assertStrictEquals(token.oldValue, before, `seed ${seed}, step ${step}`);
          model.set(variable, value);
          tokens.push({ token, world: index });
          break;
        }
        case 2: {
          const [taken] = tokens.splice(next(tokens.length || 1), 1);
          if (taken === undefined) break;
          const world = worlds[taken.world];
          world.context.run(() => taken.token.var.reset(taken.token));
          if (taken.token.oldValue === Token.MISSING) world.model.delete(taken.token.var);
          else world.model.set(taken.token.var, taken.token.oldValue);
          break;
        }
        case 3:
          if (worlds.length < 8) worlds.push({ context: context.copy(), model: new Map(model) });
          break;
        case 4:
          iterators.push({ iterator: context.entries(), expected: [...model.entries()] });
          break;
        case 5:
          assertEquals(
            context.run(() => variable.get(-1)),
            model.has(variable) ? model.get(variable) : -1,
          );
          break;
      }
    }
    for (const { context, model } of worlds) {
      assertEquals([...context.entries()], [...model.entries()], `seed ${seed}`);
      assertEquals(context.size, model.size);
      for (const variable of variables) {
        assertEquals(context.has(variable), model.has(variable));
        assertEquals(context.get(variable, -1), model.has(variable) ? model.get(variable) : -1);
        assertEquals(
          context.run(() => variable.get(-1)),
          model.has(variable) ? model.get(variable) : -1,
        );
      }
    }
    for (const { iterator, expected } of iterators) {
      assertEquals([...iterator], expected, `seed ${seed}`);
    }
  }
});

Deno.test("Context.copy: shares one map until somebody writes, however many copies there are", () => {
  const variables = Array.from({ length: 1000 }, (_, i) => new ContextVar<number>(`v${i}`));
  const context = new Context();
  context.run(() => variables.forEach((variable, i) => variable.set(i)));
  const copies = Array.from({ length: 1000 }, () => context.copy());
  copies[500].run(() => variables[7].set(-1));
  assertEquals(copies[500].get(variables[7]), -1);
  assert(
    [context, ...copies.toSpliced(500, 1)].every((c) =>
      c.get(variables[7]) === 7 && c.size === 1000
    ),
  );
});
