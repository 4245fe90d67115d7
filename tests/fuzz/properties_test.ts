/**
 * Random programs on queues, contexts, the scheduler and shared lists, beside the plainest thing that does the same. `PROPERTY_SEED` chooses
 * which, `PROPERTY_PROGRAMS` how many of each.
 */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { Context, ContextVar, copyContext, type Token } from "@batteries/concurrent/contextvars";
import { Queue as ProcessQueue } from "@batteries/concurrent/multiprocessing";
import { type Shareable, ShareableList } from "@batteries/concurrent/multiprocessing/shared-memory";
import { Empty, Full, LifoQueue, PriorityQueue, Queue } from "@batteries/concurrent/queue";
import { Scheduler } from "@batteries/concurrent/sched";
import { Dice } from "./bytes.ts";

const first = Number(Deno.env.get("PROPERTY_SEED") ?? Date.now() % 1_000_000);
const programs = Number(Deno.env.get("PROPERTY_PROGRAMS") ?? 40);

/** Runs a body with the dice of each program; a failure names its seed. */
async function forEachSeed(body: (dice: Dice) => void | Promise<void>): Promise<void> {
  for (let seed = first; seed < first + programs; seed++) {
    try {
      await body(new Dice(seed));
    } catch (error) {
      (error as Error).message += ` (PROPERTY_SEED=${seed} PROPERTY_PROGRAMS=1)`;
      throw error;
    }
  }
}

interface AnyQueue {
  put(item: number): Promise<void>;
  get(): Promise<number>;
  putSync(item: number): void;
  getSync(): number;
  putNowait(item: number): void;
  getNowait(): number;
  qsize(): number;
  empty(): boolean;
  full(): boolean;
}

const kinds: [string, (maxsize: number) => AnyQueue, (model: number[]) => number][] = [
  ["Queue", (n) => new Queue<number>(n), () => 0],
  ["LifoQueue", (n) => new LifoQueue<number>(n), (model) => model.length - 1],
  [
    "PriorityQueue",
    (n) => new PriorityQueue<number>(n),
    (model) => model.indexOf(Math.min(...model)),
  ],
  ["multiprocessing Queue", (n) => new ProcessQueue<number>(n), () => 0],
];

for (const [name, make, next] of kinds) {
  Deno.test(`${name}: random puts and gets, agree with an array`, () =>
    forEachSeed(async (dice) => {
      const maxsize = dice.pick([0, 1, 3]);
      const queue = make(maxsize);
      const model: number[] = [];
      for (let step = 0; step < 60; step++) {
        if (dice.once(2)) {
          const item = dice.below(20);
          if (maxsize > 0 && model.length === maxsize) {
            assertThrows(() => queue.putNowait(item), Full);
          } else {
            model.push(item);
            const how = dice.below(3);
            if (how === 0) queue.putNowait(item);
            else if (how === 1) queue.putSync(item);
            else await queue.put(item);
          }
        } else if (model.length === 0) {
          assertThrows(() => queue.getNowait(), Empty);
        } else {
          const how = dice.below(3);
          const got = how === 0
            ? queue.getNowait()
            : how === 1
            ? queue.getSync()
            : await queue.get();
          assertEquals(got, model.splice(next(model), 1)[0]);
        }
        const isFull = maxsize > 0 && model.length === maxsize;
        assertEquals(
          [queue.qsize(), queue.empty(), queue.full()],
          [model.length, model.length === 0, isFull],
        );
      }
      (queue as { close?(): void }).close?.();
    }));
}

Deno.test("contexts: random sets, resets, copies and runs, agree with maps", () =>
  forEachSeed((dice) => {
    const vars = Array.from({ length: 3 }, (_, i) => new ContextVar<number>(`v${i}`));
    type Model = Map<ContextVar<number>, number>;
    const walk = (model: Model, depth: number): void => {
      const tokens: { token: Token<number>; before: number | undefined }[] = [];
      for (let step = 0; step < 12; step++) {
        const one = dice.pick(vars);
        switch (dice.below(5)) {
          case 0:
          case 1: {
            const value = dice.below(100);
            tokens.push({ token: one.set(value), before: model.get(one) });
            model.set(one, value);
            break;
          }
          case 2: {
            const last = tokens.pop();
            if (last === undefined) break;
            const { token, before } = last;
            const which = token.var as ContextVar<number>;
            which.reset(token);
            if (before === undefined) model.delete(which);
            else model.set(which, before);
            assertThrows(() => which.reset(token), Error);
            break;
          }
          default:
            // What happens in a copy, or in an empty context, stays there.
            if (depth < 3) {
              const copies = dice.once(2);
              const context = copies ? copyContext() : new Context();
              const inner: Model = new Map(copies ? model : []);
              context.run(() => walk(inner, depth + 1));
              assertEquals(new Map(context.entries() as Iterable<[never, never]>).size, inner.size);
              for (const [key, value] of inner) assertStrictEquals(context.get(key), value);
            }
        }
        for (const each of vars) assertStrictEquals(each.get(undefined), model.get(each));
      }
    };
    new Context().run(() => walk(new Map(), 0));
  }));

Deno.test("Scheduler: random events, cancelled and added while it runs, come in the order of a sorted list", () =>
  forEachSeed(async (dice) => {
    let time = 0;
    const scheduler = new Scheduler({
      timefunc: () => time,
      delayfunc(ms: number) {
        time += ms;
        return Promise.resolve();
      },
    });
    interface Planned {
      readonly at: number;
      readonly priority: number;
      readonly id: number;
      readonly event: ReturnType<Scheduler["enterabs"]>;
    }
    let planned: Planned[] = [];
    let id = 0;
    let ran = 0;
    const plan = () => {
      const [at, priority, mine] = [time + dice.below(30), dice.below(3), id++];
      const event = scheduler.enterabs(at, priority, () => {
        const [due] = planned.toSorted((a, b) =>
          a.at - b.at || a.priority - b.priority || a.id - b.id
        );
        assertEquals(mine, due.id);
        assert(time >= at, "it comes too early");
        planned = planned.filter((each) => each.id !== mine);
        ran++;
        if (dice.once(3) && id < 60) plan();
        if (dice.once(5)) cancel();
      });
      planned.push({ at, priority, id: mine, event });
    };
    const cancel = () => {
      if (planned.length === 0) return;
      const { event, id } = dice.pick(planned);
      scheduler.cancel(event);
      planned = planned.filter((each) => each.id !== id);
      assertThrows(() => scheduler.cancel(event), RangeError);
    };
    for (let n = 0; n < 20; n++) plan();
    for (let n = dice.below(5); n > 0; n--) cancel();
    await scheduler.run();
    assertEquals(planned, []);
    assert(ran > 0 && scheduler.empty());
  }));

/** An item of any type that a list can hold. */
function item(dice: Dice): Shareable {
  switch (dice.below(6)) {
    case 0:
      return dice.pick([0, -1, 2 ** 53 - 1, 1.5, -0, NaN, Infinity]);
    case 1:
      return dice.pick([0n, 2n ** 63n - 1n, -(2n ** 63n)]);
    case 2:
      return dice.pick([true, false, null]);
    case 3:
      return dice.bytes(dice.below(20));
    default:
      return dice.text(12).toWellFormed();
  }
}

Deno.test("ShareableList: random items and replacements, agree with an array, in a second list of that name too", () =>
  forEachSeed((dice) => {
    const model = Array.from({ length: dice.below(10) }, () => item(dice));
    const one = new ShareableList(model);
    const two = new ShareableList(undefined, { name: one.shm.name });
    try {
      for (let step = 0; step < 30 && model.length > 0; step++) {
        const at = dice.below(model.length);
        const value = item(dice);
        const before = two.get(at);
        try {
          dice.pick([one, two]).set(dice.once(2) ? at : at - model.length, value);
          model[at] = value;
        } catch (error) {
          // Too long for its place: nothing changes.
          assert(error instanceof RangeError, String(error));
          assertEquals(two.get(at), before);
        }
        assertEquals([...one], model);
        assertEquals([...two], model);
        assertEquals(one.indexOf(model[at]) === -1, Number.isNaN(model[at]));
      }
      assertEquals(two.length, model.length);
    } finally {
      two.shm.close();
      one.shm.close();
      one.shm.unlink();
    }
  }));
