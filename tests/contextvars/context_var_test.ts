import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Context,
  ContextVar,
  copyContext,
  LookupError,
  Token,
} from "@batteries/concurrent/contextvars";

/** Runs a body in an empty context, so that tests of one file do not see each other's values. */
function isolated(name: string, body: () => void): void {
  Deno.test(name, () => new Context().run(body));
}

isolated("new ContextVar: a name that is not a string is a TypeError that says what it got", () => {
  for (const name of [undefined, null, 1, Symbol("x"), {}, ["a"]]) {
    const error = assertThrows(() => new ContextVar(name as unknown as string), TypeError);
    assert(error.message.startsWith("Cannot create a ContextVar: name must be a string, got "));
  }
});

isolated(
  "new ContextVar: options that are not an object are a TypeError that names the variable",
  () => {
    for (const options of [null, 1, "default"]) {
      assertThrows(
        () => new ContextVar("depth", options as unknown as { default: unknown }),
        TypeError,
        'ContextVar "depth": options must be an object',
      );
    }
  },
);

isolated("ContextVar.name: is what the constructor got and cannot be assigned", () => {
  const variable = new ContextVar("user");
  assertEquals(variable.name, "user");
  assertThrows(() => {
    (variable as { name: string }).name = "other";
  }, TypeError);
  assertEquals(variable.name, "user");
});

isolated("ContextVar: two variables of one name are two variables", () => {
  const [a, b] = [new ContextVar<number>("same"), new ContextVar<number>("same")];
  a.set(1);
  assertEquals(b.get(0), 0);
});

isolated(
  "ContextVar.get: with neither value nor default throws a LookupError that names the variable",
  () => {
    const variable = new ContextVar<number>("depth");
    const error = assertThrows(() => variable.get(), LookupError, 'ContextVar "depth"');
    assertEquals(error.name, "LookupError");
    assertInstanceOf(error, Error);
    assertEquals(Object.keys(error), []);
  },
);

isolated("ContextVar.get: takes the value, else the fallback, else the default", () => {
  const variable = new ContextVar<number>("depth", { default: 1 });
  assertEquals(variable.get(), 1);
  assertEquals(variable.get(2), 2);
  variable.set(3);
  assertEquals(variable.get(), 3);
  assertEquals(variable.get(2), 3);
});

isolated(
  "ContextVar: undefined counts as a default, as a fallback and as a value when it is given",
  () => {
    const byDefault = new ContextVar<string | undefined>("a", { default: undefined });
    assertEquals(byDefault.get(), undefined);

    const bare = new ContextVar<string | undefined>("b");
    assertEquals(bare.get(undefined), undefined);
    assertThrows(() => bare.get(), LookupError);

    const first = bare.set(undefined);
    assertEquals(bare.get("fallback"), undefined);
    assert(copyContext().has(bare));
    const second = bare.set("x");
    assertStrictEquals(first.oldValue, Token.MISSING);
    assertStrictEquals(second.oldValue, undefined);
    bare.reset(second);
    assertEquals(bare.get("fallback"), undefined);
    bare.reset(first);
    assertEquals(bare.get("fallback"), "fallback");
  },
);

isolated(
  "new ContextVar: an options object without the property leaves the variable without a default",
  () => {
    const variable = new ContextVar<number>("depth", {} as { default: number });
    assertThrows(() => variable.get(), LookupError);
  },
);

isolated("ContextVar.get: falsy values are values", () => {
  for (const value of [0, "", false, null, NaN, 0n]) {
    const variable = new ContextVar<unknown>("v", { default: "default" });
    variable.set(value);
    assertStrictEquals(variable.get("fallback"), value);
  }
});

isolated("ContextVar.set and reset: tokens lead back step by step, each once", () => {
  const variable = new ContextVar<number | string>("c");
  assertEquals(variable.get(null), null);

  const first = variable.set(42);
  assertEquals(variable.get(), 42);
  assertStrictEquals(first.oldValue, Token.MISSING);
  assertStrictEquals(first.var, variable);

  const second = variable.set("spam");
  assertEquals(second.oldValue, 42);
  variable.reset(second);
  assertEquals(variable.get(), 42);

  variable.set("spam2");
  assertThrows(() => variable.reset(second), Error, "has already been used");
  assertEquals(variable.get(), "spam2");
  const before = copyContext();

  variable.reset(first);
  assertThrows(() => variable.reset(first), Error, "has already been used");
  assertEquals(variable.get(null), null);
  assertThrows(() => variable.get(), LookupError);

  assertEquals([...before.entries()], [[variable, "spam2"]]);
  assert(!copyContext().has(variable));
});

isolated("ContextVar.reset: tokens used out of order restore what each of them saw", () => {
  const variable = new ContextVar<number>("c");
  const first = variable.set(1);
  const second = variable.set(2);
  variable.reset(first);
  assertEquals(variable.get(0), 0);
  variable.reset(second);
  assertEquals(variable.get(0), 1);
});

isolated("ContextVar.reset: another variable's token is a RangeError and stays usable", () => {
  const [a, b] = [new ContextVar<number>("a"), new ContextVar<number>("b")];
  b.set(7);
  const token = a.set(42);
  assertThrows(() => b.reset(token), RangeError, 'a different ContextVar, "a"');
  assertEquals([a.get(), b.get()], [42, 7]);
  a.reset(token);
  assertEquals(a.get(0), 0);
});

isolated(
  "ContextVar.reset: a token of another context is a RangeError and stays usable there",
  () => {
    const variable = new ContextVar("c", { default: 42 });
    const context = new Context();
    const token = context.run((value: number) => variable.set(value), 1);
    assertThrows(() => variable.reset(token), RangeError, "different Context");
    // A copy has the same values and is another context all the same.
    assertThrows(
      () => context.copy().run(() => variable.reset(token)),
      RangeError,
      "different Context",
    );
    assertEquals(context.get(variable), 1);
    context.run(() => variable.reset(token));
    assert(!context.has(variable));
  },
);

isolated(
  "ContextVar.reset: a used token is told as used, even where other things are wrong too",
  () => {
    const [a, b] = [new ContextVar<number>("a"), new ContextVar<number>("b")];
    const token = a.set(1);
    a.reset(token);
    const error = assertThrows(
      () => new Context().run(() => b.reset(token)),
      Error,
      "already been used",
    );
    assert(!(error instanceof RangeError));
  },
);

isolated("ContextVar.reset: what is not a token is a TypeError that says what it got", () => {
  const variable = new ContextVar<number>("c");
  for (const token of [undefined, null, 1, {}, { var: variable }, Object.create(Token.prototype)]) {
    assertThrows(() => variable.reset(token as Token<number>), TypeError, 'ContextVar "c"');
  }
});

isolated("Token: a using block resets at its end, also when the block throws", () => {
  const variable = new ContextVar("c", { default: "outside" });
  {
    using token = variable.set("inside");
    assertStrictEquals(token.var, variable);
    assertEquals(variable.get(), "inside");
  }
  assertEquals(variable.get(), "outside");
  assertThrows(
    () => {
      using _token = variable.set("inside");
      throw new SyntaxError("out of here");
    },
    SyntaxError,
    "out of here",
  );
  assertEquals(variable.get(), "outside");
});

isolated("Token: disposing of a used token does nothing, and disposing uses the token up", () => {
  const variable = new ContextVar("c", { default: 0 });
  {
    using token = variable.set(1);
    variable.reset(token);
    variable.set(2);
  }
  assertEquals(variable.get(), 2);

  const token = variable.set(3);
  token[Symbol.dispose]();
  assertEquals(variable.get(), 2);
  variable.set(4);
  token[Symbol.dispose]();
  assertEquals(variable.get(), 4);
  assertThrows(() => variable.reset(token), Error, "already been used");
});

isolated("Token: disposing in another context is a RangeError and leaves the token usable", () => {
  const variable = new ContextVar("c", { default: 0 });
  const token = variable.set(1);
  assertThrows(() => new Context().run(() => token[Symbol.dispose]()), RangeError);
  token[Symbol.dispose]();
  assertEquals(variable.get(), 0);
});

isolated("Token: cannot be made by hand, and its properties cannot be assigned", () => {
  assertThrows(
    () => new (Token as unknown as new (...args: unknown[]) => unknown)(new ContextVar("x"), 1, {}),
    TypeError,
    "only ContextVar.set makes tokens",
  );
  const token = new ContextVar<number>("c").set(1) as unknown as Record<string, unknown>;
  for (const property of ["var", "oldValue"]) {
    assertThrows(() => {
      token[property] = 1;
    }, TypeError);
  }
});

isolated(
  "Token.MISSING: is one symbol, and not a value that a variable could be confused by",
  () => {
    assertEquals(typeof Token.MISSING, "symbol");
    const variable = new ContextVar<unknown>("c");
    variable.set(Token.MISSING);
    assertStrictEquals(variable.get("fallback"), Token.MISSING);
    assert(copyContext().has(variable));
  },
);

isolated(
  "Deno.inspect: shows names, defaults, values and whether a token is used, cycles included",
  () => {
    const plain = new ContextVar<number>("plain");
    assertEquals(Deno.inspect(plain), 'ContextVar { name: "plain" }');
    const list: unknown[] = [];
    const cyclic = new ContextVar("cyclic", { default: list });
    list.push(cyclic);
    assert(Deno.inspect(cyclic).includes("Circular"));
    assert(Deno.inspect(list).includes("Circular"));
    assert(Deno.inspect(new ContextVar("a", { default: 123 })).includes("123"));

    const token = plain.set(1);
    assert(Deno.inspect(token).includes(Deno.inspect(plain)));
    assert(Deno.inspect(token).includes("used: false"));
    plain.reset(token);
    assert(Deno.inspect(token).includes("used: true"));

    plain.set(5);
    assertEquals(Deno.inspect(copyContext()), 'Context Map(1) { "plain" => 5 }');
  },
);
