/** The state machine of a future that no executor has: the cases of CPython's test_future. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  CancelledError,
  Future,
  InvalidStateError,
  RuntimeError,
  TimeoutError,
} from "@batteries/concurrent/futures";

function pending(): Future<number> {
  return new Future<number>();
}

function running(): Future<number> {
  const future = new Future<number>();
  future.setRunningOrNotifyCancel();
  return future;
}

function cancelled(): Future<number> {
  const future = new Future<number>();
  future.cancel();
  return future;
}

function notified(): Future<number> {
  const future = cancelled();
  future.setRunningOrNotifyCancel();
  return future;
}

const broken = new TypeError("broken");

function failed(): Future<number> {
  const future = new Future<number>();
  future.setException(broken);
  return future;
}

function finished(): Future<number> {
  const future = new Future<number>();
  future.setResult(42);
  return future;
}

const STATES = { pending, running, cancelled, notified, failed, finished };

Deno.test("Future: what is asked of each state gives what CPython's gives", () => {
  const seen = Object.fromEntries(
    Object.entries(STATES).map(([name, make]) => {
      const future = make();
      return [name, [
        future.cancelled(),
        future.running(),
        future.done(),
        future.cancel(),
        future.cancelled(),
      ]];
    }),
  );
  assertEquals(seen, {
    //          cancelled running done  cancel() cancelled afterwards
    pending: [false, false, false, true, true],
    running: [false, true, false, false, false],
    cancelled: [true, false, true, true, true],
    notified: [true, false, true, true, true],
    failed: [false, false, true, false, false],
    finished: [false, false, true, false, false],
  });
});

Deno.test("Future.setRunningOrNotifyCancel: starts once, tells of a cancellation once, then is an InvalidStateError", () => {
  const future = pending();
  assertStrictEquals(future.setRunningOrNotifyCancel(), true);
  assertThrows(() => future.setRunningOrNotifyCancel(), InvalidStateError, "running");
  const gone = cancelled();
  assertStrictEquals(gone.setRunningOrNotifyCancel(), false);
  for (const make of [notified, failed, finished]) {
    assertThrows(() => make().setRunningOrNotifyCancel(), InvalidStateError);
  }
});

Deno.test("Future.setResult and setException: on a future that is done they are an InvalidStateError and change nothing", () => {
  for (const make of [cancelled, notified, failed, finished]) {
    assertThrows(() => make().setResult(1), InvalidStateError);
    assertThrows(() => make().setException(new Error("x")), InvalidStateError);
  }
  const future = finished();
  assertThrows(() => future.setResult(1), InvalidStateError);
  assertThrows(() => future.setException(new Error("x")), InvalidStateError);
  assertStrictEquals(future.resultSync(), 42);
});

Deno.test("Future.result and exception, in both colours: each state gives its own", async () => {
  for (const make of [pending, running]) {
    for (const timeout of [0, -1, 5]) {
      await assertRejects(() => make().result({ timeout }), TimeoutError);
      await assertRejects(() => make().exception({ timeout }), TimeoutError);
      assertThrows(() => make().resultSync({ timeout }), TimeoutError);
      assertThrows(() => make().exceptionSync({ timeout }), TimeoutError);
    }
  }
  for (const make of [cancelled, notified]) {
    await assertRejects(() => make().result({ timeout: 0 }), CancelledError);
    await assertRejects(() => make().exception(), CancelledError);
    await assertRejects(() => make(), CancelledError);
    assertThrows(() => make().resultSync(), CancelledError);
    assertThrows(() => make().exceptionSync({ timeout: 0 }), CancelledError);
  }
  assertStrictEquals(await assertRejects(() => failed().result()), broken);
  assertStrictEquals(await assertRejects(() => failed()), broken);
  assertStrictEquals(await failed().exception(), broken);
  assertStrictEquals(assertThrows(() => failed().resultSync()), broken);
  assertStrictEquals(failed().exceptionSync({ timeout: 0 }), broken);
  assertStrictEquals(await finished().result(), 42);
  assertStrictEquals(await finished(), 42);
  assertStrictEquals(await finished().exception({ timeout: 0 }), null);
  assertStrictEquals(finished().resultSync(), 42);
  assertStrictEquals(finished().exceptionSync(), null);
});

Deno.test("Future.result: waits that began before the result get it, those that were cancelled get a CancelledError", async () => {
  const good = running();
  const waits = [good.result(), good.result({ timeout: 60_000 }), good.then((n) => n)];
  const none = good.exception();
  good.setResult(7);
  assertEquals(await Promise.all(waits), [7, 7, 7]);
  assertStrictEquals(await none, null);

  const bad = running();
  const failing = [bad.result(), bad.exception().then((error) => Promise.reject(error))];
  bad.setException(broken);
  for (const wait of failing) assertStrictEquals(await assertRejects(() => wait), broken);

  const gone = pending();
  const lost = [gone.result(), gone.exception(), gone.then(() => 0)];
  const settled = Promise.allSettled(lost);
  gone.cancel();
  for (const each of await settled) {
    assert(each.status === "rejected");
    assertInstanceOf(each.reason, CancelledError);
  }
});

Deno.test("Future.result: an abort rejects with the signal's reason, and the future goes on", async () => {
  const future = running();
  const controller = new AbortController();
  const wait = future.result({ signal: controller.signal });
  const reason = new Error("no more");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => wait), reason);
  assertStrictEquals(
    await assertRejects(() => future.result({ signal: controller.signal })),
    reason,
  );
  assertStrictEquals(
    assertThrows(() => future.resultSync({ signal: controller.signal })),
    reason,
  );
  future.setResult(1);
  assertStrictEquals(await future, 1);
});

Deno.test("Future: bad options are refused at the call, in the way of its colour", async () => {
  await assertRejects(() => finished().result({ timeout: NaN }), RangeError);
  await assertRejects(() => finished().exception({ timeout: 1e18 }), RangeError);
  assertThrows(() => finished().resultSync({ timeout: NaN }), RangeError);
  assertThrows(() => finished().exceptionSync({ timeout: "1" as never }), TypeError);
  assertThrows(() => finished().addDoneCallback(1 as never), TypeError, "must be a function");
});

Deno.test("Future.resultSync: waiting for ever for what only this thread could set is refused", () => {
  for (const make of [pending, running]) {
    const error = assertThrows(() => make().resultSync(), RuntimeError);
    assert(error.message.includes("for ever"));
    assertThrows(() => make().exceptionSync(), RuntimeError);
  }
});

Deno.test("Future.addDoneCallback: callbacks come in the order of adding, with the future, for each way to be done", () => {
  const ends: [Future<number>, (future: Future<number>) => void][] = [
    [running(), (future) => future.setResult(5)],
    [running(), (future) => future.setException(broken)],
    [pending(), (future) => future.cancel()],
  ];
  for (const [future, end] of ends) {
    const calls: unknown[] = [];
    for (let i = 0; i < 3; i++) future.addDoneCallback((given) => calls.push([i, given.done()]));
    future.addDoneCallback((given) => calls.push(given === future));
    assertEquals(calls, []);
    end(future);
    assertEquals(calls, [[0, true], [1, true], [2, true], true]);
    future.addDoneCallback(() => calls.push("late"));
    assertEquals(calls.at(-1), "late");
  }
});

Deno.test("Future.addDoneCallback: a second cancel calls nothing again", () => {
  const future = pending();
  let calls = 0;
  future.addDoneCallback(() => calls++);
  assertEquals([future.cancel(), future.cancel(), calls], [true, true, 1]);
});

Deno.test("Future.addDoneCallback: what a callback throws is reported and ends nothing", async () => {
  const code = `
    import { Future } from ${JSON.stringify(import.meta.resolve("@batteries/concurrent/futures"))};
    const future = new Future();
    future.addDoneCallback(() => console.log("first"));
    future.addDoneCallback(() => { throw new Error("doh"); });
    future.addDoneCallback(() => console.log("third"));
    future.setResult(1);
    future.addDoneCallback(() => { throw new Error("late doh"); });
    console.log(await future);
  `;
  const { code: status, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", code],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  assertEquals([status, text.decode(stdout)], [0, "first\nthird\n1\n"]);
  const err = text.decode(stderr);
  assert(/Exception in a callback of a Future[^]*doh[^]*late doh/.test(err), err);
});

Deno.test("Future: an error that nobody looks at is no unhandled rejection, and stays", async () => {
  const unhandled: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    unhandled.push(event.reason);
    event.preventDefault();
  };
  addEventListener("unhandledrejection", note);
  try {
    const future = failed();
    pending().cancel();
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(unhandled, []);
    assertStrictEquals(await future.exception(), broken);
  } finally {
    removeEventListener("unhandledrejection", note);
  }
});

Deno.test("Future.then: chains as a promise does", async () => {
  assertStrictEquals(await finished().then((n) => n + 1), 43);
  assertStrictEquals(await finished().then(), 42);
  assertStrictEquals(await failed().then(null, (error) => error), broken);
  assertEquals(await Promise.all([finished(), finished().then((n) => n * 2)]), [42, 84]);
  assertStrictEquals(await Promise.race([pending(), finished()]), 42);
});

Deno.test("Future.exception: of a call that threw null or undefined, is an error that says so", async () => {
  for (const thrown of [null, undefined]) {
    const future = new Future<number>();
    future.setException(thrown as unknown as Error);
    for (const error of [await future.exception(), future.exceptionSync()]) {
      assertEquals([error?.message, error?.cause], [`The call threw ${thrown}`, thrown]);
    }
    assertStrictEquals(await future.result().catch((error) => error), thrown);
  }
});

Deno.test("Future: console.log shows its state, and what came of it", () => {
  const show = (future: Future<number>) => Deno.inspect(future, { colors: false });
  assertEquals(show(pending()), 'Future { state: "pending" }');
  assertEquals(show(running()), 'Future { state: "running" }');
  assertEquals(show(cancelled()), 'Future { state: "cancelled" }');
  assertEquals(show(finished()), 'Future { state: "finished", result: 42 }');
  assert(/^Future [{]\s+state: "finished",\s+exception: /.test(show(failed())), show(failed()));
  assertEquals(Deno.inspect([pending()], { colors: false }), '[ Future { state: "pending" } ]');
});
