import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { type ScheduledEvent, Scheduler } from "@batteries/concurrent/sched";
import { FakeClock } from "./fake_clock.ts";

/** A scheduler on simulated time, where waiting is skipping. */
function simulated(): { scheduler: Scheduler; clock: FakeClock } {
  const clock = new FakeClock();
  return { scheduler: new Scheduler({ timefunc: clock.time, delayfunc: clock.skip }), clock };
}

/** Both ways to run: what does not depend on waiting is the same for them. */
const ways: Record<
  string,
  (scheduler: Scheduler, options?: { blocking?: boolean }) => Promise<number | undefined>
> = {
  run: (scheduler, options) => scheduler.run(options),
  // In an async function, so that what it throws rejects.
  // deno-lint-ignore require-await
  runSync: async (scheduler, options) => scheduler.runSync(options),
};

/** One test per way to run. */
function both(name: string, body: (run: (typeof ways)["run"]) => Promise<void>): void {
  for (const [way, run] of Object.entries(ways)) {
    Deno.test(`Scheduler.${way}: ${name}`, () => body(run));
  }
}

Deno.test("new Scheduler: options that are not functions are a TypeError that names them", () => {
  const bad = (options: unknown) => assertThrows(() => new Scheduler(options as never), TypeError);
  assert(bad({ timefunc: 5 }).message.includes("timefunc must be a function, got number"));
  assert(bad({ delayfunc: null }).message.includes("delayfunc must be a function, got null"));
  assert(bad({ timefunc: null }).message.includes("timefunc"));
  assert(bad(null).message.includes("options must be an object"));
  assert(bad(() => 0).message.includes("options must be an object"));
  assert(bad([Date.now]).message.includes("got an array"));
  assert(new Scheduler({ timefunc: undefined, delayfunc: undefined }).empty());
});

Deno.test("Scheduler.enter and enterabs: bad arguments are refused and nothing is queued", () => {
  const { scheduler } = simulated();
  const action = () => {};
  for (
    const enter of [scheduler.enter, scheduler.enterabs].map((method) => method.bind(scheduler))
  ) {
    const loose = enter as (...args: unknown[]) => unknown;
    assertThrows(() => loose("1", 1, action), TypeError, "must be a number, got string");
    assertThrows(() => loose(undefined, 1, action), TypeError, "must be a number");
    assertThrows(() => loose(1n, 1, action), TypeError, "got bigint");
    assertThrows(() => loose(NaN, 1, action), RangeError, "NaN");
    assertThrows(() => loose(1, "1", action), TypeError, "priority must be a number");
    assertThrows(() => loose(1, NaN, action), RangeError, "priority must not be NaN");
    assertThrows(() => loose(1, 1), TypeError, "action must be a function, got undefined");
    assertThrows(() => loose(1, 1, "action"), TypeError, "action must be a function");
    assertThrows(() => loose(1, 1, action, "argument"), TypeError, "argument must be an array");
    assertThrows(
      () => loose(1, 1, action, { 0: 1 }),
      TypeError,
      "got object",
    );
    assertThrows(() => loose(1, 1, action, null), TypeError, "got null");
  }
  assert(scheduler.empty());
  assertEquals(scheduler.enter(1, 1, action).sequence, 0);
});

Deno.test("Scheduler: a timefunc that does not tell a number is told, and nothing is lost", async () => {
  let time: unknown = 0;
  const scheduler = new Scheduler({ timefunc: () => time as number, delayfunc: () => {} });
  scheduler.enter(0, 1, () => {});
  time = "noon";
  assertThrows(() => scheduler.enter(0, 1, () => {}), TypeError, "timefunc");
  await assertRejects(() => scheduler.run(), TypeError, "timefunc");
  time = NaN;
  assertThrows(() => scheduler.runSync(), RangeError, "timefunc");
  assertEquals(scheduler.queue.length, 1);
  time = 0;
  await scheduler.run();
  assert(scheduler.empty());
});

Deno.test("Scheduler.run and runSync: bad options are a TypeError and no event is run", async () => {
  const { scheduler } = simulated();
  scheduler.enter(0, 1, () => {});
  for (const options of [1, null, { blocking: 0 }, { signal: {} }]) {
    await assertRejects(() => scheduler.run(options as never), TypeError, "Scheduler.run");
    assertThrows(() => scheduler.runSync(options as never), TypeError, "Scheduler.runSync");
  }
  assertEquals(scheduler.queue.length, 1);
});

both("with the default clock and delay, events come in the order of their delays", async (run) => {
  const scheduler = new Scheduler();
  const seen: number[] = [];
  const start = performance.now();
  for (const x of [50, 40, 30, 20, 10]) scheduler.enter(x, 1, (x: number) => seen.push(x), [x]);
  assertEquals(await run(scheduler), undefined);
  assertEquals(seen, [10, 20, 30, 40, 50]);
  assert(performance.now() - start >= 50);
});

both("absolute times that have passed are due at once, in their order", async (run) => {
  const scheduler = new Scheduler();
  const seen: number[] = [];
  for (const x of [0.05, 0.04, -3, 0.02, 0.01]) {
    scheduler.enterabs(x, 1, (x: number) => seen.push(x), [x]);
  }
  await run(scheduler);
  assertEquals(seen, [-3, 0.01, 0.02, 0.04, 0.05]);
});

both("events of equal time go by priority, then by order of entry", async (run) => {
  const { scheduler } = simulated();
  for (
    const priorities of [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [2, 5, 3, 1, 4], [1, 2, 3, 2, 1], [
      0,
      -1,
      7,
      -1,
      0.5,
      -Infinity,
    ]]
  ) {
    const seen: { priority: number; entered: number }[] = [];
    priorities.forEach((priority, entered) =>
      scheduler.enterabs(
        10,
        priority,
        (event: { priority: number; entered: number }) => seen.push(event),
        [
          { priority, entered },
        ],
      )
    );
    await run(scheduler);
    const expected = priorities.map((priority, entered) => ({ priority, entered }))
      .sort((a, b) => a.priority - b.priority || a.entered - b.entered);
    assertEquals(seen, expected);
    assert(scheduler.empty());
  }
});

both("time goes before priority", async (run) => {
  const { scheduler } = simulated();
  const seen: string[] = [];
  scheduler.enter(2, 0, () => seen.push("late and urgent"));
  scheduler.enter(1, 9, () => seen.push("early and not"));
  await run(scheduler);
  assertEquals(seen, ["early and not", "late and urgent"]);
});

both("each action gets its arguments, as they were when it was entered", async (run) => {
  const { scheduler } = simulated();
  const seen: unknown[][] = [];
  const action = (...args: unknown[]) => seen.push(args);
  const reused = ["a", "b"];
  scheduler.enterabs(0, 1, action);
  scheduler.enterabs(0, 1, action, []);
  scheduler.enterabs(0, 1, action, [1, 2]);
  scheduler.enterabs(0, 1, action, reused);
  reused.push("c");
  scheduler.enterabs(0, 1, action, [undefined]);
  await run(scheduler);
  assertEquals(seen, [[], [], [1, 2], ["a", "b"], [undefined]]);
});

both("an action is called without a this", async (run) => {
  const { scheduler } = simulated();
  const seen: unknown[] = [];
  scheduler.enter(0, 1, function (this: unknown) {
    seen.push(this);
  });
  await run(scheduler);
  assertEquals(seen, [undefined]);
});

both("after each action delayfunc(0) is called, as well as for each wait", async (run) => {
  const { scheduler, clock } = simulated();
  scheduler.enter(5, 1, () => {});
  scheduler.enter(5, 2, () => {});
  scheduler.enter(8, 1, () => {});
  await run(scheduler);
  assertEquals(clock.delays, [5, 0, 0, 3, 0]);
});

both("a delayfunc that returns early is called again for the rest", async (run) => {
  let time = 0;
  const delays: number[] = [];
  const delayfunc = (ms: number) => {
    delays.push(ms);
    time += Math.min(ms, 4);
  };
  const scheduler = new Scheduler({ timefunc: () => time, delayfunc });
  scheduler.enter(10, 1, () => {});
  await run(scheduler);
  assertEquals(delays, [10, 6, 2, 0]);
});

both(
  "actions may enter events, due now or later, and they are run in the same run",
  async (run) => {
    const { scheduler, clock } = simulated();
    const seen: string[] = [];
    const note = (text: string) => seen.push(`${clock.time()} ${text}`);
    scheduler.enter(1, 1, () => {
      note("first");
      scheduler.enter(0, 1, note, ["at once"]);
      scheduler.enter(5, 1, note, ["later"]);
      scheduler.enter(-10, 1, note, ["overdue"]);
    });
    scheduler.enter(3, 1, note, ["second"]);
    await run(scheduler);
    assertEquals(seen, ["1 first", "1 overdue", "1 at once", "3 second", "6 later"]);
  },
);

both("actions may cancel others, those of the same moment too", async (run) => {
  const { scheduler } = simulated();
  const seen: string[] = [];
  const note = (text: string) => void seen.push(text);
  const victims: ScheduledEvent[] = [];
  scheduler.enterabs(1, 1, () => {
    note("canceller");
    for (const victim of victims) scheduler.cancel(victim);
  });
  victims.push(
    scheduler.enterabs(1, 2, note, ["same moment"]),
    scheduler.enterabs(9, 1, note, ["later"]),
  );
  scheduler.enterabs(2, 1, note, ["spared"]);
  await run(scheduler);
  assertEquals(seen, ["canceller", "spared"]);
});

both("an action cannot cancel its own event: it is no longer queued", async (run) => {
  const { scheduler } = simulated();
  let refused = 0;
  const event = scheduler.enter(1, 1, () => {
    assertThrows(() => scheduler.cancel(event), RangeError);
    assert(scheduler.empty());
    refused++;
  });
  await run(scheduler);
  assertEquals(refused, 1);
});

both(
  "an action that throws ends the run, is not tried again, and the rest goes on in the next run",
  async (run) => {
    const { scheduler, clock } = simulated();
    const seen: string[] = [];
    const error = new SyntaxError("planned");
    scheduler.enter(1, 1, () => seen.push("before"));
    scheduler.enter(1, 2, () => {
      throw error;
    });
    scheduler.enter(1, 3, () => seen.push("after"));
    assertStrictEquals(await assertRejects(() => run(scheduler)), error);
    assertEquals(seen, ["before"]);
    assertEquals(scheduler.queue.length, 1);
    assertEquals(clock.delays, [1, 0]);
    await run(scheduler);
    assertEquals(seen, ["before", "after"]);
  },
);

both("a delayfunc that throws ends the run and the event waits for the next one", async (run) => {
  let time = 0;
  let broken = true;
  const delayfunc = (ms: number) => {
    if (broken) throw new SyntaxError("planned");
    time += ms;
  };
  const scheduler = new Scheduler({ timefunc: () => time, delayfunc });
  const seen: string[] = [];
  const event = scheduler.enter(1, 1, () => seen.push("run"));
  await assertRejects(() => run(scheduler), SyntaxError, "planned");
  assertEquals(scheduler.queue, [event]);
  broken = false;
  await run(scheduler);
  assertEquals(seen, ["run"]);
});

both("a delayfunc may change the queue", async (run) => {
  let time = 0;
  const seen: string[] = [];
  const scheduler: Scheduler = new Scheduler({
    timefunc: () => time,
    delayfunc: (ms) => {
      time += ms;
      if (ms !== 10) return;
      scheduler.cancel(doomed);
      scheduler.enterabs(5, 1, () => seen.push("from delayfunc"));
    },
  });
  const doomed = scheduler.enter(10, 1, () => seen.push("doomed"));
  await run(scheduler);
  assertEquals(seen, ["from delayfunc"]);
});

both("a timefunc may change the queue: what it cancels is not run", async (run) => {
  const seen: string[] = [];
  let doomed: ScheduledEvent | undefined;
  const scheduler: Scheduler = new Scheduler({
    timefunc: () => {
      if (doomed !== undefined) scheduler.cancel(doomed);
      doomed = undefined;
      return 0;
    },
    delayfunc: () => {},
  });
  const event = scheduler.enterabs(0, 1, () => seen.push("doomed"));
  scheduler.enterabs(0, 2, () => seen.push("spared"));
  doomed = event;
  await run(scheduler);
  assertEquals(seen, ["spared"]);
});

both("without blocking, what is due is run and the time to the next event is told", async (run) => {
  const { scheduler, clock } = simulated();
  const seen: number[] = [];
  const note = (x: number) => void seen.push(x);
  assertEquals(await run(scheduler, { blocking: false }), undefined);
  for (const x of [10, 9, 8, 7, 6]) scheduler.enter(x, 1, note, [x]);
  assertEquals(await run(scheduler, { blocking: false }), 6);
  assertEquals(seen, []);
  clock.skip(7.5);
  scheduler.enter(0, 5, () => scheduler.enter(0, 1, note, [7.5]));
  assertEquals(await run(scheduler, { blocking: false }), 0.5);
  assertEquals(seen, [6, 7, 7.5]);
  assertEquals(clock.delays, [7.5, 0, 0, 0, 0]);
  clock.skip(100);
  assertEquals(await run(scheduler, { blocking: false }), undefined);
  assertEquals(seen, [6, 7, 7.5, 8, 9, 10]);
});

both("blocking: true and undefined are the default", async (run) => {
  for (const blocking of [true, undefined]) {
    const { scheduler } = simulated();
    scheduler.enter(5, 1, () => {});
    assertEquals(await run(scheduler, { blocking }), undefined);
    assert(scheduler.empty());
  }
});

both(
  "a thousand random histories of enter, cancel and actions that do both agree with a sorted list",
  async (run) => {
    for (let seed = 1; seed <= 100; seed++) {
      let state = seed;
      const next = (below: number) => (state = (state * 1103515245 + 12345) % 2 ** 31) % below;
      const { scheduler, clock } = simulated();
      let model: ScheduledEvent[] = [];
      const sort = () =>
        model.sort((a, b) => a.time - b.time || a.priority - b.priority || a.sequence - b.sequence);
      let budget = 60;
      const mutate = () => {
        for (let i = next(4); i > 0 && budget > 0; i--, budget--) {
          if (next(3) === 0 && model.length > 0) {
            const [victim] = model.splice(next(model.length), 1);
            scheduler.cancel(victim);
          } else {
            const event: ScheduledEvent = scheduler.enter(next(5), next(3), () => {
              assertStrictEquals(sort()[0], event, `seed ${seed}`);
              assert(event.time <= clock.time());
              model = model.filter((other) => other !== event);
              mutate();
            });
            model.push(event);
          }
        }
        assertEquals(scheduler.queue, sort(), `seed ${seed}`);
      };
      mutate();
      await run(scheduler);
      assertEquals(model, []);
    }
  },
);

Deno.test("Scheduler.cancel: takes that very event out, among equal ones too", async () => {
  const { scheduler } = simulated();
  const seen: string[] = [];
  const note = (text: string) => seen.push(text);
  scheduler.enterabs(1, 1, note, ["a"]);
  const b = scheduler.enterabs(1, 1, note, ["b"]);
  scheduler.enterabs(1, 1, note, ["c"]);
  scheduler.cancel(b);
  await scheduler.run();
  assertEquals(seen, ["a", "c"]);
});

Deno.test("Scheduler.cancel: first and last events", async () => {
  const { scheduler } = simulated();
  const seen: number[] = [];
  const events = [1, 2, 3, 4, 5].map((x) =>
    scheduler.enter(x, 1, (x: number) => seen.push(x), [x])
  );
  scheduler.cancel(events[0]);
  scheduler.cancel(events[4]);
  await scheduler.run();
  assertEquals(seen, [2, 3, 4]);
});

Deno.test("Scheduler.cancel: what is not queued is a RangeError: cancelled, run, a look-alike or another's", async () => {
  const [{ scheduler }, { scheduler: other }] = [simulated(), simulated()];
  const event = scheduler.enter(1, 1, () => {});
  assertThrows(() => scheduler.cancel({ ...event }), RangeError, "not in the queue");
  assertThrows(() => other.cancel(event), RangeError, "not in the queue");
  scheduler.cancel(event);
  assertThrows(() => scheduler.cancel(event), RangeError, "not in the queue");
  const run = scheduler.enter(1, 1, () => {});
  await scheduler.run();
  assertThrows(() => scheduler.cancel(run), RangeError, "not in the queue");
  for (const bad of [undefined, null, 1, "event"]) {
    assertThrows(() => scheduler.cancel(bad as never), TypeError, "event must be what enter()");
  }
});

Deno.test("Scheduler.queue: is a sorted copy; empty tells whether there is anything in it", () => {
  const { scheduler } = simulated();
  assert(scheduler.empty());
  assertEquals(scheduler.queue, []);
  const [e5, e1, e2, e4, e3] = [5, 1, 2, 4, 3].map((x) => scheduler.enterabs(x, 1, () => {}));
  const queue = scheduler.queue;
  assert([e1, e2, e3, e4, e5].every((event, i) => queue[i] === event));
  assertNotStrictEquals(scheduler.queue, queue);
  queue.length = 0;
  assertEquals(scheduler.queue.length, 5);
  assert(!scheduler.empty());
  assertThrows(() => {
    (scheduler as unknown as { queue: unknown }).queue = [];
  }, TypeError);
});

Deno.test("ScheduledEvent: tells what was entered and cannot be changed", () => {
  const { scheduler, clock } = simulated();
  clock.skip(100);
  const action = (_text: string) => {};
  scheduler.enterabs(1, 2, action, ["x"]);
  const event = scheduler.enter(50, 3, action, ["y"]);
  assertEquals([event.time, event.priority, event.sequence, event.argument], [150, 3, 1, ["y"]]);
  assertStrictEquals<unknown>(event.action, action);
  assertThrows(() => {
    (event as { time: number }).time = 0;
  }, TypeError);
  assertThrows(() => (event.argument as unknown[]).push("z"), TypeError);
});

Deno.test("Scheduler.enter: types of the action and its arguments agree, mixed ones too", async () => {
  const { scheduler } = simulated();
  const seen: unknown[] = [];
  const mixed = (a: number, b: string, c?: boolean) => void seen.push([a, b, c]);
  scheduler.enter(0, 1, mixed, [1, "two"]);
  scheduler.enter(0, 1, mixed, [1, "two", true]);
  scheduler.enter(0, 1, (text) => void seen.push(text), ["contextual"]);
  const numbers: number[] = [1, 2];
  scheduler.enter(0, 1, (x: number) => void seen.push(x), numbers);
  const unknowns: unknown[] = [3];
  scheduler.enterabs(0, 1, (x: number) => void seen.push(x), unknowns);
  // @ts-expect-error: a string is no number
  scheduler.enter(0, 1, (x: number) => void seen.push(x), ["wrong"]);
  // @ts-expect-error: the other way round
  scheduler.enter(0, 1, mixed, ["two", 1]);
  await scheduler.run();
  assertEquals(seen, [[1, "two", undefined], [1, "two", true], "contextual", 1, 3, "wrong", [
    "two",
    1,
    undefined,
  ]]);
});
