import {
  assert,
  assertEquals,
  assertLess,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Scheduler } from "@batteries/concurrent/sched";
import { FakeClock } from "./fake_clock.ts";

const HOUR = 3_600_000;

Deno.test("Scheduler.run: events entered while it sleeps on a clock come at their time", async () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler({ timefunc: clock.time, delayfunc: clock.sleep });
  const seen: number[] = [];
  const note = (x: number) => seen.push(x);
  scheduler.enter(1, 1, note, [1]);
  scheduler.enter(3, 1, note, [3]);
  const running = scheduler.run();
  clock.advance(1);
  await clock.asleep();
  assertEquals(seen, [1]);
  for (const x of [4, 5, 2]) scheduler.enter(x - 1, 1, note, [x]);
  clock.advance(2);
  await clock.asleep();
  assertEquals(seen, [1, 2, 3]);
  clock.advance(1);
  await clock.asleep();
  assertEquals(seen, [1, 2, 3, 4]);
  clock.advance(1);
  await running;
  assertEquals(seen, [1, 2, 3, 4, 5]);
  assertEquals(clock.time(), 5);
});

Deno.test("Scheduler.run: events cancelled while it sleeps on a clock do not come", async () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler({ timefunc: clock.time, delayfunc: clock.sleep });
  const seen: number[] = [];
  const [, event2, , event5] = [1, 2, 4, 5, 3].map((x) =>
    scheduler.enterabs(x, 1, (x: number) => seen.push(x), [x])
  );
  const running = scheduler.run();
  clock.advance(1);
  await clock.asleep();
  assertEquals(seen, [1]);
  scheduler.cancel(event2);
  scheduler.cancel(event5);
  clock.advance(1);
  await clock.asleep();
  assertEquals(seen, [1]);
  clock.advance(1);
  await clock.asleep();
  assertEquals(seen, [1, 3]);
  clock.advance(1);
  await running;
  assertEquals(seen, [1, 3, 4]);
  assertEquals(clock.time(), 4);
});

Deno.test("Scheduler.run: awaits what an action returns before the next one begins", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  scheduler.enter(0, 1, async () => {
    seen.push("one begins");
    await gate;
    seen.push("one ends");
  });
  scheduler.enter(0, 2, () => seen.push("two"));
  const running = scheduler.run();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(seen, ["one begins"]);
  open();
  await running;
  assertEquals(seen, ["one begins", "one ends", "two"]);
});

Deno.test("Scheduler.run: an action whose promise rejects ends it, and the rest goes on in the next run", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  scheduler.enter(0, 1, () => Promise.reject(new SyntaxError("planned")));
  scheduler.enter(0, 2, () => seen.push("rest"));
  await assertRejects(() => scheduler.run(), SyntaxError, "planned");
  assertEquals(seen, []);
  await scheduler.run();
  assertEquals(seen, ["rest"]);
});

Deno.test("Scheduler.run: a delayfunc whose promise rejects ends it, and the event stays", async () => {
  const scheduler = new Scheduler({ delayfunc: () => Promise.reject(new SyntaxError("planned")) });
  const event = scheduler.enter(HOUR, 1, () => {});
  await assertRejects(() => scheduler.run(), SyntaxError, "planned");
  assertEquals(scheduler.queue, [event]);
});

Deno.test("Scheduler.run: an earlier event entered while it sleeps wakes it", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  const far = scheduler.enter(HOUR, 1, () => seen.push("far"));
  const running = scheduler.run();
  scheduler.enter(HOUR + 1, 1, () => seen.push("farther"));
  const farther = scheduler.queue[1];
  scheduler.enter(1, 1, () => {
    seen.push("near");
    scheduler.cancel(far);
    scheduler.cancel(farther);
  });
  await running;
  assertEquals(seen, ["near"]);
});

Deno.test("Scheduler.run: wakes again and again as earlier and earlier events are entered", async () => {
  const scheduler = new Scheduler();
  const seen: number[] = [];
  const events = [scheduler.enter(HOUR, 1, () => {})];
  const running = scheduler.run();
  for (const x of [50, 40, 30, 20, 10]) {
    scheduler.enter(x, 1, (x: number) => seen.push(x), [x]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  scheduler.enter(60, 1, () => events.forEach((event) => scheduler.cancel(event)));
  await running;
  assertEquals(seen, [10, 20, 30, 40, 50]);
});

Deno.test("Scheduler.run: ends as soon as the event that it sleeps for is cancelled and none is left", async () => {
  const scheduler = new Scheduler();
  const event = scheduler.enter(HOUR, 1, () => {});
  const running = scheduler.run();
  scheduler.cancel(event);
  assertEquals(await running, undefined);
});

Deno.test("Scheduler.run: two at the same time share the events, each is run once", async () => {
  const scheduler = new Scheduler();
  const seen: number[] = [];
  for (let x = 0; x < 50; x++) scheduler.enter(x % 5, 1, (x: number) => seen.push(x), [x]);
  await Promise.all([scheduler.run(), scheduler.run()]);
  assertEquals(seen.length, 50);
  assertEquals(new Set(seen).size, 50);
  const far = scheduler.enter(HOUR, 1, () => {});
  const both = Promise.all([scheduler.run(), scheduler.run()]);
  scheduler.cancel(far);
  assertEquals(await both, [undefined, undefined]);
});

Deno.test("Scheduler.run: may be called by an action", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  scheduler.enter(0, 1, async () => {
    seen.push("outer begins");
    await scheduler.run();
    seen.push("outer ends");
  });
  scheduler.enter(0, 2, () => seen.push("inner"));
  await scheduler.run();
  assertEquals(seen, ["outer begins", "inner", "outer ends"]);
});

Deno.test("Scheduler.run: timers have their turn between events that are due", async () => {
  const scheduler = new Scheduler();
  let fired = false;
  let rounds = 0;
  setTimeout(() => fired = true, 0);
  function again(): void {
    if (!fired && ++rounds < 1_000_000) scheduler.enter(0, 1, again);
  }
  scheduler.enter(0, 1, again);
  await scheduler.run();
  assert(fired);
});

Deno.test("Scheduler.run: delays over setTimeout's limit of 24.8 days are waited for in pieces", async () => {
  const limit = 2 ** 31 - 1;
  const days = 24 * HOUR;
  let time = 0;
  const asked: number[] = [];
  const real = globalThis.setTimeout;
  // A timer that lies: it moves the clock on instead of waiting, and takes too long delays for none, as the real one does.
  globalThis.setTimeout = ((callback: () => void, ms: number) => {
    asked.push(ms);
    time += ms > limit ? 1 : ms;
    return real(callback, 0);
  }) as typeof setTimeout;
  try {
    const scheduler = new Scheduler({ timefunc: () => time });
    const at: number[] = [];
    scheduler.enter(100 * days, 1, () => at.push(time));
    await scheduler.run();
    assertEquals(at, [100 * days]);
  } finally {
    globalThis.setTimeout = real;
  }
  assert(asked.every((ms) => ms <= limit));
  assertEquals(asked.length, 5);
});

Deno.test("Scheduler.run: an event at Infinity waits for ever, without spinning, until it is cancelled", async () => {
  let looks = 0;
  const scheduler = new Scheduler({ timefunc: () => (looks++, performance.now()) });
  const never = scheduler.enterabs(Infinity, 1, () => {});
  assertEquals(await scheduler.run({ blocking: false }), Infinity);
  const running = scheduler.run();
  await new Promise((resolve) => setTimeout(resolve, 10));
  scheduler.cancel(never);
  await running;
  assertEquals(looks, 2);
});

Deno.test("Scheduler.run: clears each timer once, whatever ended the wait", async () => {
  const open = new Set<unknown>();
  let [starts, clears] = [0, 0];
  const { setTimeout: start, clearTimeout: stop } = globalThis;
  globalThis.setTimeout = ((callback: () => void, ms: number) => {
    starts++;
    const timer = start(callback, ms);
    open.add(timer);
    return timer;
  }) as typeof setTimeout;
  globalThis.clearTimeout = ((timer: number) => {
    clears++;
    open.delete(timer);
    stop(timer);
  }) as typeof clearTimeout;
  try {
    const scheduler = new Scheduler();
    const far = scheduler.enter(HOUR, 1, () => {});
    const running = scheduler.run();
    for (const x of [3, 2, 1]) {
      scheduler.enter(x, 1, () => {});
      await new Promise((resolve) => setImmediate(resolve));
    }
    const stopper = new AbortController();
    const other = scheduler.run({ signal: stopper.signal });
    stopper.abort();
    await assertRejects(() => other, DOMException);
    scheduler.enter(5, 1, () => scheduler.cancel(far));
    await running;
  } finally {
    Object.assign(globalThis, { setTimeout: start, clearTimeout: stop });
  }
  assertEquals(open.size, 0);
  assertEquals(clears, starts);
});

/** A signal that counts its listeners. */
function watchedSignal(): {
  controller: AbortController;
  signal: AbortSignal;
  listeners: () => number;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: unknown, options?: unknown) => {
    listeners.add(listener);
    Reflect.apply(addEventListener, signal, [type, listener, options]);
  };
  signal.removeEventListener = (type: string, listener: unknown) => {
    listeners.delete(listener);
    Reflect.apply(removeEventListener, signal, [type, listener]);
  };
  return { controller, signal, listeners: () => listeners.size };
}

Deno.test("Scheduler.run: with a signal that is aborted already it rejects and runs nothing", async () => {
  const scheduler = new Scheduler();
  const event = scheduler.enter(0, 1, () => {});
  const reason = new Error("Too late");
  assertStrictEquals(
    await assertRejects(() => scheduler.run({ signal: AbortSignal.abort(reason) })),
    reason,
  );
  assertEquals(scheduler.queue, [event]);
  assertStrictEquals(
    assertThrows(() => scheduler.runSync({ signal: AbortSignal.abort(reason) } as object)),
    reason,
  );
});

Deno.test("Scheduler.run: an abort while it sleeps rejects with the reason, and the events stay for another run", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  const far = scheduler.enter(HOUR, 1, () => seen.push("far"));
  const { controller, signal, listeners } = watchedSignal();
  const running = scheduler.run({ signal });
  const reason = new Error("Enough");
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => running), reason);
  assertEquals(listeners(), 0);
  assertEquals(scheduler.queue, [far]);
  scheduler.enter(0, 1, () => {
    seen.push("next run");
    scheduler.cancel(far);
  });
  await scheduler.run();
  assertEquals(seen, ["next run"]);
});

Deno.test("Scheduler.run: an abort while an action is pending rejects at once; the action ends by itself", async () => {
  const scheduler = new Scheduler();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const { controller, signal, listeners } = watchedSignal();
  scheduler.enter(0, 1, async () => {
    await gate;
    end();
    throw new Error("Nobody hears this, and it must not end the program");
  });
  const next = scheduler.enter(0, 2, () => {});
  const running = scheduler.run({ signal });
  controller.abort();
  await assertRejects(() => running, DOMException, "abort");
  assertEquals(listeners(), 0);
  assertEquals(scheduler.queue, [next]);
  open();
  await ended;
  await new Promise((resolve) => setTimeout(resolve, 0));
});

Deno.test("Scheduler.run: an abort while a delayfunc is pending rejects at once", async () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler({ timefunc: clock.time, delayfunc: clock.sleep });
  const event = scheduler.enter(5, 1, () => {});
  const { controller, signal, listeners } = watchedSignal();
  const running = scheduler.run({ signal });
  await clock.asleep();
  controller.abort(new Error("Enough"));
  await assertRejects(() => running, Error, "Enough");
  assertEquals(listeners(), 0);
  assertEquals(scheduler.queue, [event]);
});

for (
  const [kind, action] of Object.entries<(controller: AbortController) => unknown>({
    "a plain action": (controller) => controller.abort(new Error("Enough")),
    "an async action, before it waits": async (controller) => {
      controller.abort(new Error("Enough"));
      await Promise.resolve();
    },
    "an async action, after it waited": async (controller) => {
      await Promise.resolve();
      controller.abort(new Error("Enough"));
    },
    "an async action that rejects afterwards": async (controller) => {
      controller.abort(new Error("Enough"));
      await Promise.resolve();
      throw new Error("Nobody hears this, and it must not end the program");
    },
  })
) {
  for (const delayfunc of [undefined, () => {}, () => new Promise<void>(() => {})]) {
    const delay = delayfunc === undefined ? "default" : String(delayfunc);
    Deno.test(`Scheduler.run: aborted by ${kind}, it rejects before the next event (delayfunc: ${delay})`, async () => {
      const scheduler = new Scheduler({ delayfunc });
      const { controller, signal, listeners } = watchedSignal();
      scheduler.enter(0, 1, () => action(controller));
      const next = scheduler.enter(0, 2, () => {});
      await assertRejects(() => scheduler.run({ signal }), Error, "Enough");
      assertEquals(scheduler.queue, [next]);
      assertEquals(listeners(), 0);
    });
  }
}

Deno.test("Scheduler.run: a signal that is never aborted has no listeners left after it", async () => {
  const { signal, listeners } = watchedSignal();
  const scheduler = new Scheduler();
  for (let x = 0; x < 10; x++) scheduler.enter(x, 1, x % 2 ? () => {} : () => Promise.resolve());
  await scheduler.run({ signal });
  assertEquals(listeners(), 0);
});

Deno.test("Scheduler.runSync: blocks the thread, without spinning, for the time that it takes", () => {
  let looks = 0;
  const timefunc = () => (looks++, performance.now());
  const scheduler = new Scheduler({ timefunc });
  const start = performance.now();
  let ran = 0;
  scheduler.enter(60, 1, () => ran = performance.now());
  scheduler.runSync();
  assert(ran - start >= 60, `ran after ${ran - start} ms`);
  assertLess(looks, 20);
});

Deno.test("Scheduler.runSync: does not await what an action returns", async () => {
  const scheduler = new Scheduler();
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  scheduler.enter(0, 1, async () => {
    seen.push("one begins");
    await Promise.resolve();
    seen.push("one ends");
    resolve();
  });
  scheduler.enter(0, 2, () => seen.push("two"));
  scheduler.runSync();
  assertEquals(seen, ["one begins", "two"]);
  await promise;
  assertEquals(seen, ["one begins", "two", "one ends"]);
});

Deno.test("Scheduler.runSync: a delayfunc that needs awaiting is a TypeError, and the event stays for run", async () => {
  const clock = new FakeClock();
  const scheduler = new Scheduler({ timefunc: clock.time, delayfunc: clock.sleep });
  const seen: string[] = [];
  const event = scheduler.enter(5, 1, () => seen.push("run"));
  assertThrows(() => scheduler.runSync(), TypeError, "await Scheduler.run()");
  assertEquals(scheduler.queue, [event]);
  clock.advance(5);
  await scheduler.run();
  assertEquals(seen, ["run"]);
});

Deno.test("Scheduler.runSync: an async delayfunc that has done its work when it returns will do", () => {
  let time = 0;
  const scheduler = new Scheduler({
    timefunc: () => time,
    // deno-lint-ignore require-await
    delayfunc: async (ms) => void (time += ms),
  });
  const seen: number[] = [];
  for (const x of [3, 1, 2]) scheduler.enter(x, 1, () => seen.push(time));
  scheduler.runSync();
  assertEquals(seen, [1, 2, 3]);
});
