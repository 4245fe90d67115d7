import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { PicklingError, TimeoutError } from "../../threading/_core/errors.ts";
import {
  decodeError,
  decodeErrorSync,
  encodeError,
  registerError,
} from "../../threading/_core/outcome.ts";
import { pack, unpack, unpackSync } from "../../threading/_core/pickle.ts";
import { Cell } from "../fixtures/pickle/cell.ts";
import { constructed, Outer, QuotaError } from "../fixtures/pickle/error_classes.ts";
import { assertWhole } from "../fixtures/pickle/assert_whole.ts";
import { FarSide } from "../fixtures/pickle/far_side.ts";
import { Point } from "../fixtures/pickle/points.ts";
import { RegisteredError } from "../fixtures/pickle/registered_error.ts";
import { odd, quota } from "../fixtures/pickle/throwers.ts";

const READ_ONLY = import.meta.resolve("../fixtures/pickle/read_only.ts");
const THROWERS = import.meta.resolve("../fixtures/pickle/throwers.ts");

type Loose = Record<string, unknown>;

const isError = (Error as unknown as { isError(value: unknown): boolean }).isError;

/** What the call throws, whatever it is. */
async function thrownBy(far: FarSide, name: string, value?: unknown): Promise<unknown> {
  try {
    await far.call(THROWERS, name, value);
  } catch (error) {
    return error;
  }
  throw new Error(`${name} did not throw`);
}

/** The same, when it has to be an error. */
async function errorBy(far: FarSide, name: string, value?: unknown): Promise<Error & Loose> {
  const error = await thrownBy(far, name, value);
  assert(isError(error), "not a true error");
  return error as Error & Loose;
}

Deno.test("encodeError: errors of the language arrive as errors of their class", async () => {
  using far = new FarSide();
  for (
    const type of [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError]
  ) {
    const error = await errorBy(far, "builtin", [type.name, "what happened"]);
    assertStrictEquals(error.constructor, type);
    assertEquals([error.name, error.message], [type.name, "what happened"]);
    assertEquals(Object.keys(error), []);
    assertEquals(String(error), `${type.name}: what happened`);
  }
});

Deno.test("encodeError: errors of Deno arrive as errors of their class", async () => {
  using far = new FarSide();
  for (const [name, type] of Object.entries(Deno.errors)) {
    const error = await errorBy(far, "denoError", [name, "what happened"]);
    assertStrictEquals(error.constructor, type);
    assertEquals([error.name, error.message], [name, "what happened"]);
  }
  const missing = await far.call(
    import.meta.resolve("../fixtures/pickle/registered_error.ts"),
    "readMissing",
    null,
  )
    .catch((error) => error);
  assertInstanceOf(missing, Deno.errors.NotFound);
  assertEquals((missing as unknown as Loose).code, "ENOENT");
});

Deno.test("encodeError: a DOMException keeps its name and code", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "domException", ["stop", "AbortError"]);
  assertInstanceOf(error, DOMException);
  assertEquals([error.name, error.message, error.code], [
    "AbortError",
    "stop",
    DOMException.ABORT_ERR,
  ]);
  assertStringIncludes(error.stack!, "throwers.ts");
});

Deno.test("encodeError: an AggregateError keeps its errors, each in its class", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "aggregate") as unknown as AggregateError;
  assertStrictEquals(error.constructor, AggregateError);
  assertEquals(error.message, "all of them");
  assertEquals(error.errors.length, 4);
  assertInstanceOf(error.errors[0], TypeError);
  assertEquals(error.errors[1], "two");
  assertEquals(error.errors[2], "a function");
  assertInstanceOf(error.errors[3], QuotaError);
  assertEquals(Object.keys(error), []);
});

Deno.test("encodeError: a SuppressedError keeps both errors", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "suppressed");
  assertStrictEquals(error.constructor, SuppressedError);
  assertInstanceOf(error.error, TypeError);
  assertEquals(error.suppressed, { the: "suppressed" });
});

Deno.test("encodeError: an error of an exported class arrives as one, and its constructor does not run", async () => {
  using far = new FarSide();
  constructed.length = 0;
  for (const name of ["quota", "later"]) {
    const error = await errorBy(far, name, 3);
    assertStrictEquals(error.constructor, QuotaError);
    assertInstanceOf(error, RangeError);
    assertEquals([error.name, error.message, error.left, error.double], [
      "QuotaError",
      "Only 3 left",
      3,
      6,
    ]);
  }
  assertEquals(constructed, []);
  const inner = await errorBy(far, "inner");
  assertStrictEquals(inner.constructor, Outer.InnerError);
});

Deno.test("encodeError: an error of a private class arrives under its name, with its properties", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "unexported", "private");
  assertEquals([error.name, error.message, error.code], ["HiddenError", "private", "E_HIDDEN"]);
  assertInstanceOf(error, Error);
  assertFalse(Object.keys(error).includes("message"));
  assertStringIncludes(error.stack!, "HiddenError: private");
});

Deno.test("encodeError: this library's error classes arrive as themselves", async () => {
  using far = new FarSide();
  for (const type of [PicklingError, TimeoutError]) {
    const error = await errorBy(far, "throwIt", new type("mine"));
    assertStrictEquals(error.constructor, type);
    assertEquals([error.name, error.message, Object.keys(error)], [type.name, "mine", []]);
  }
  // What the far side could not send.
  const unsent = await far.call(THROWERS, "odd", "promise").then((value) =>
    pack(value, "send", pack)
  ).catch((error) => error);
  assertEquals(unsent.value, 1);
  await assertRejects(
    () => far.call(THROWERS, "odd", "closure"),
    PicklingError,
    "Cannot return value, an anonymous function",
  );
});

Deno.test("registerError: the far side imports the module of a class that it does not know", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "throwIt", new RegisteredError("mine"));
  assertStrictEquals(error.constructor, RegisteredError);
  assertEquals(error.name, "RegisteredError");
});

Deno.test("registerError: a module has one class of a name", () => {
  class Twice extends Error {}
  registerError(Twice, import.meta.url);
  registerError(Twice, import.meta.url);
  const other = class Twice extends Error {};
  let message = "";
  try {
    registerError(other, import.meta.url);
  } catch (error) {
    message = String(error);
  }
  assertStringIncludes(message, "TypeError: Cannot register error class Twice");
});

Deno.test("encodeError: the stack is the remote one, and its last line says where it comes from", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "quota", 1);
  const lines = error.stack!.split("\n");
  assertEquals(lines[0], "QuotaError: Only 1 left");
  assertMatch(lines[1], /^ {4}at Module\.quota \(file:.*throwers\.ts:\d+:\d+\)$/);
  assertEquals(lines[lines.length - 1], "    at --- thread T-1 (quota) ---");
  assertFalse(Object.keys(error).includes("stack"));
  const twice = decodeErrorSync(
    structuredClone(encodeError(error, { from: "process 7" })),
  ) as Error;
  assertEquals(twice.stack, `${error.stack}\n    at --- process 7 ---`);
});

Deno.test("encodeError: an error that is a value keeps its stack as it is", async () => {
  const source = new TypeError("value");
  const found = await unpack(structuredClone(pack({ source }, "send", pack))) as { source: Error };
  assertEquals(found.source.stack, source.stack);
  assertStrictEquals(found.source.constructor, TypeError);
});

Deno.test("encodeError: an uncaught error is printed with its remote frames", async () => {
  const script = `
    import { decodeErrorSync, encodeError } from ${
    JSON.stringify(import.meta.resolve("../../threading/_core/outcome.ts"))
  };
    function work() { return new TypeError("remote", { cause: new RangeError("why") }); }
    throw decodeErrorSync(structuredClone(encodeError(work(), { from: "thread Thread-1 (work)" })));
  `;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `data:text/typescript,${encodeURIComponent(script)}`],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 1);
  assertMatch(
    text,
    /TypeError: remote\n +at work \(data:.*\n(?:.*\n)* +at --- thread Thread-1 \(work\) ---/,
  );
  assertMatch(text, /Caused by: RangeError: why\n +at work/);
});

Deno.test("encodeError: causes and own properties arrive with their identity, cycles included", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "throwOdd", "cycle");
  assertStrictEquals((error.cause as Error).constructor, TypeError);
  assertStrictEquals((error.cause as Error).cause, error);
  assertStrictEquals((error.self as unknown[])[0], error);
  assertEquals(Object.keys(error), ["cause", "self"]);
  const cell = new Cell();
  const source = Object.assign(new Error("e", { cause: { cell } }), { cell, f: quota });
  const back = await errorBy(far, "throwIt", source);
  assertInstanceOf(back.cell, Cell);
  assertStrictEquals((back.cause as Loose).cell, back.cell);
  assertStrictEquals(back.f, quota);
  const plain = await errorBy(far, "throwIt", new Error("e", { cause: "text" }));
  assertEquals(Object.getOwnPropertyDescriptor(plain, "cause"), {
    value: "text",
    writable: true,
    enumerable: false,
    configurable: true,
  });
  assertFalse(Object.hasOwn(await errorBy(far, "throwIt", new Error("e")), "cause"));
});

Deno.test("encodeError: what of an error cannot travel is left out, one by one, and the rest arrives whole", async () => {
  using far = new FarSide();
  const error = await errorBy(far, "throwOdd", "drops");
  assertEquals(Object.keys(error).sort(), ["again", "code", "good", "inner", "late"]);
  assertFalse(Object.hasOwn(error, "cause"));
  const { good, again, inner, late } = error as unknown as {
    good: { shared: object; map: Map<object, Error> };
    again: object;
    inner: Error & Loose;
    late: Error & Loose;
  };
  assertEquals(again, { shared: true });
  assertStrictEquals(good.shared, again);
  assertStrictEquals(good.map.get(again), error);
  assertStrictEquals(late.keep, again);
  assertInstanceOf(inner, RangeError);
  assertStrictEquals(inner.keep, again);
  assertFalse(Object.hasOwn(inner, "drop"));
});

Deno.test("encodeError: an undone attempt leaves nothing on the wire", () => {
  assertWhole(encodeError(odd("drops")));
  assertWhole(encodeError(odd("cycle")));
});

Deno.test("encodeError: an instance within its own state is left out, and alone", async () => {
  using far = new FarSide();
  const point = new Point(1);
  point.other = [point];
  const good = new Point(2, [new Point(3)]);
  const source = Object.assign(new Error("e"), { good, point, after: good });
  const through = new Point(4, { source });
  Object.assign(source, { through, last: 1 });
  const error = await errorBy(far, "throwIt", source);
  assertEquals(Object.keys(error).sort(), ["after", "good", "last"]);
  assertStrictEquals(error.after, error.good);
  assertEquals((error.good as Point).x, 2);
});

Deno.test("encodeError: an exported class is found by the stack, without the engine's help", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", "--allow-read", READ_ONLY],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  assertEquals(new TextDecoder().decode(stdout), "QuotaError true 3\nQuotaError true 4\n");
  assertEquals(code, 0);
});

Deno.test("encodeError: a chain of 20,000 causes arrives", async () => {
  using far = new FarSide();
  let length = 0;
  for (
    let at: unknown = await errorBy(far, "throwOdd", "deep");
    at !== undefined;
    at = (at as Error).cause
  ) length++;
  assertEquals(length, 20_001);
});

Deno.test("encodeError: a thrown value that is no error arrives as it is", async () => {
  using far = new FarSide();
  for (
    const value of ["text", 0, null, undefined, true, 5n, { code: 1 }, [1, [2]], new Map([[1, 2]])]
  ) {
    assertEquals(await thrownBy(far, "throwIt", value), value);
  }
  assertStrictEquals(await thrownBy(far, "throwIt", quota), quota);
  assertInstanceOf(await thrownBy(far, "throwIt", new Cell()), Cell);
});

Deno.test("encodeError: a thrown value that cannot travel arrives as an error that describes it", async () => {
  using far = new FarSide();
  const words: [string, string][] = [
    ["promise", "a Promise was thrown, which cannot travel"],
    ["symbol", "Symbol(s) was thrown"],
    ["url", "a URL was thrown"],
    ["closure", "a function was thrown"],
  ];
  for (const [what, message] of words) {
    const error = await errorBy(far, "throwOdd", what);
    assertStringIncludes(error.message, message);
    assertStringIncludes(error.stack!, "--- thread T-1 (throwOdd) ---");
  }
});

Deno.test("encodeError: hostile errors arrive as true errors, and never break it", async () => {
  using far = new FarSide();
  for (const what of ["proxy", "trap", "revoked", "no prototype", "getters", "numbers"]) {
    const error = await errorBy(far, "throwOdd", what);
    assertInstanceOf(error, Error, what);
    assertEquals(typeof error.message, "string");
    assertStringIncludes(error.stack!, "--- thread T-1 (throwOdd) ---");
  }
  assertStringIncludes((await errorBy(far, "throwOdd", "proxy")).message, "behind");
  const looks = await errorBy(far, "throwOdd", "only looks");
  assertStrictEquals(looks.constructor, TypeError);
  assertEquals(looks.message, "looks");
  const frozen = await errorBy(far, "throwOdd", "frozen");
  assertEquals([frozen.constructor, frozen.message, frozen.code], [TypeError, "frozen", 1]);
});

Deno.test("encodeError: none of the odd things throws here either, and each is cloned by the message port", () => {
  const all = [
    "promise",
    "symbol",
    "url",
    "closure",
    "proxy",
    "trap",
    "revoked",
    "no prototype",
    "only looks",
    "frozen",
    "getters",
    "numbers",
    "drops",
    "cycle",
  ];
  for (const what of all) {
    assert(isError(decodeErrorSync(structuredClone(encodeError(odd(what))))), what);
  }
});

Deno.test("decodeError: a class whose module is gone is replaced by its base, under its name", async () => {
  const encoded = structuredClone(encodeError(new QuotaError(2)));
  const special = encoded.specials![0] as unknown as {
    form: { classes: Record<string, unknown>[] };
  };
  const gone = { how: "export", module: "file:///nowhere/at_all.ts", path: ["QuotaError"] };
  for (const each of special.form.classes) if (each.how === "reference") each.reference = gone;
  for (const error of [await decodeError(encoded), decodeErrorSync(encoded)] as (Error & Loose)[]) {
    assertStrictEquals(error.constructor, RangeError);
    assertEquals([error.name, error.message, error.left], ["QuotaError", "Only 2 left", 2]);
  }
});

Deno.test("decodeError: an error arrives even when one of its properties cannot be revived", async () => {
  const encoded = structuredClone(
    encodeError(Object.assign(new TypeError("still here"), { cell: new Cell() })),
  );
  for (const special of encoded.specials!) {
    if (special.kind === "shareable") {
      Object.assign(special, { name: "test.Gone", module: "file:///nowhere/at_all.ts" });
    }
  }
  for (const error of [await decodeError(encoded), decodeErrorSync(encoded)] as Error[]) {
    assert(isError(error));
    assertStrictEquals(error.constructor, TypeError);
    assertEquals(error.message, "still here");
    assertEquals(error.name, "TypeError");
  }
});

Deno.test("decodeErrorSync: gives the same as decodeError where the classes are loaded", () => {
  const error = decodeErrorSync(structuredClone(encodeError(new QuotaError(9)))) as QuotaError;
  assertStrictEquals(error.constructor, QuotaError);
  assertEquals(error.left, 9);
  assertEquals(unpackSync(structuredClone(pack(5, "send", pack))), 5);
});
