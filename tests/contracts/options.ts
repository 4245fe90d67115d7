/** The contract of `{ timeout, signal, blocking }`, the same for everything that waits. CPython's: `lock_tests.test_timeout`. */

import { assertEquals, assertInstanceOf } from "@std/assert";
import { type Form, FORMS, type World } from "./world.ts";

/** One call that takes options. */
export interface WaitingCall {
  /** Names it in the tests. */
  readonly name: string;
  /** Makes a fresh object on which the call would succeed at once, and gives the call. */
  make(form: Form): {
    call(options?: unknown): unknown;
    /** What the object is like, to be seen unchanged. */
    look(): unknown;
    /** Undoes a call that succeeded. */
    undo?(): void;
  };
  /** What a call that succeeds gives; absent: not compared. */
  readonly gives?: unknown;
  /** Whether it takes `blocking`. */
  readonly blocking: boolean;
  /** The largest time-out. */
  readonly timeoutMax: number;
}

type Thrown = { readonly error: unknown } | { readonly value: unknown };

/** Calls in the given form: an async one must reject and not throw, a Sync one must throw. */
async function outcome(form: Form, call: () => unknown): Promise<Thrown> {
  if (form === "Sync") {
    try {
      const value = call();
      assertEquals(value instanceof Promise, false, "A Sync call gave a promise");
      return { value };
    } catch (error) {
      return { error };
    }
  }
  const promise = call();
  assertInstanceOf(promise, Promise);
  return await promise.then((value) => ({ value }), (error) => ({ error }));
}

const reason = { why: "aborted before" };

/** Registers the tests of one call. */
export function testOptions(world: World, waiting: WaitingCall): void {
  const { name, make, blocking, timeoutMax } = waiting;
  const bad: [unknown, typeof TypeError | typeof RangeError][] = [
    [{ timeout: NaN }, RangeError],
    [{ timeout: Infinity }, RangeError],
    [{ timeout: timeoutMax + 1 }, RangeError],
    [{ timeout: Number.MAX_VALUE }, RangeError],
    [{ timeout: "5" }, TypeError],
    [{ timeout: null }, TypeError],
    [{ timeout: 5n }, TypeError],
    [{ timeout: true }, TypeError],
    [{ timeout: {} }, TypeError],
    [{ timeout: new Date(0) }, TypeError],
    [{ signal: null }, TypeError],
    [{ signal: "abort" }, TypeError],
    [{ signal: {} }, TypeError],
    [{ signal: { aborted: false } }, TypeError],
    [{ signal: new AbortController() }, TypeError],
    [null, TypeError],
    [5, TypeError],
    ["5", TypeError],
    [true, TypeError],
    [false, TypeError],
    [() => 5, TypeError],
    [Symbol("5"), TypeError],
    [[], TypeError],
    [[5], TypeError],
  ];
  if (blocking) {
    bad.push(
      [{ blocking: false, timeout: 5 }, RangeError],
      [{ blocking: false, timeout: 0 }, RangeError],
      [{ blocking: false, timeout: -1 }, RangeError],
      [{ blocking: 0 }, TypeError],
      [{ blocking: "false" }, TypeError],
      [{ blocking: null }, TypeError],
    );
  }
  const good: unknown[] = [
    undefined,
    {},
    { timeout: undefined, signal: undefined },
    { timeout: 0 },
    { timeout: -0 },
    { timeout: -1 },
    { timeout: -Infinity },
    { timeout: 0.5 },
    { timeout: 5 },
    { timeout: 2 ** 31 },
    { timeout: timeoutMax },
    { signal: new AbortController().signal },
    { timeout: 5, signal: new AbortController().signal },
  ];
  if (blocking) good.push({ blocking: false }, { blocking: true }, { blocking: true, timeout: 5 });

  for (const form of FORMS) {
    const title = `${world.name} ${name}${form === "Sync" ? "Sync" : ""}`;

    Deno.test(`${title}: bad options are refused with the right class and a sentence, and change nothing`, async () => {
      for (const [options, type] of bad) {
        const { call, look } = make(form);
        const before = look();
        const result = await outcome(form, () => call(options));
        const what = Deno.inspect(options);
        assertEquals("error" in result, true, `${what} was taken`);
        const { error } = result as { error: Error };
        assertInstanceOf(error, type, what);
        assertEquals(error.message.length > 20, true, error.message);
        assertEquals(/^[A-Z].*[^.]$/s.test(error.message), true, error.message);
        assertEquals(look(), before, what);
      }
    });

    Deno.test(`${title}: good options are taken`, async () => {
      for (const options of good) {
        const { call, look, undo } = make(form);
        const before = look();
        const result = await outcome(form, () => call(options));
        assertEquals("value" in result, true, `${Deno.inspect(options)} was refused`);
        if ("gives" in waiting) assertEquals((result as { value: unknown }).value, waiting.gives);
        undo?.();
        if (undo !== undefined) assertEquals(look(), before);
      }
    });

    Deno.test(`${title}: a signal that is aborted already ends it with the reason, and changes nothing`, async () => {
      const { call, look } = make(form);
      const before = look();
      const result = await outcome(form, () => call({ signal: AbortSignal.abort(reason) }));
      assertEquals(result, { error: reason });
      const byItself = await outcome(form, () => call({ signal: AbortSignal.abort(), timeout: 5 }));
      assertEquals((byItself as { error: Error }).error.name, "AbortError");
      assertEquals(look(), before);
      // Bad input first.
      const both = await outcome(
        form,
        () => call({ signal: AbortSignal.abort(reason), timeout: NaN }),
      );
      assertInstanceOf((both as { error: Error }).error, RangeError);
    });
  }
}
