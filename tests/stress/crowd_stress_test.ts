/**
 * Queues, locks, executors and pools with many at work: a table of parameters, each row with counts that have to be exact.
 * `STRESS_SECONDS` goes on for that long, each round with another seed; `STRESS_SEED` begins with one.
 */
import { assert, assertEquals } from "@std/assert";
import {
  type Executor,
  ProcessPoolExecutor,
  ThreadPoolExecutor,
} from "@batteries/concurrent/futures";
import {
  Lock,
  Pool,
  Process,
  Queue as ProcessQueue,
  RawValue,
} from "@batteries/concurrent/multiprocessing";
import { Queue } from "@batteries/concurrent/queue";
import { Thread } from "@batteries/concurrent/threading";
import { addOnes, type AnyQueue, cube, putNumbers, takeNumbers } from "../fixtures/stress/crowd.ts";
import { Dice } from "../fuzz/bytes.ts";

/** Somebody who was started. */
interface Party {
  start(): void;
  join(): Promise<void>;
}

type Target<A extends unknown[]> = (...args: A) => unknown;

interface World {
  readonly name: string;
  queue<T>(maxsize: number): AnyQueue<T>;
  party<A extends unknown[]>(target: Target<A>, ...args: A): Party;
}

const WORLDS: readonly World[] = [
  {
    name: "threads",
    queue: <T>(maxsize: number) => new Queue<T>(maxsize),
    party: (target, ...args) => new Thread({ target, args }),
  },
  {
    name: "processes",
    queue: <T>(maxsize: number) => new ProcessQueue<T>(maxsize),
    party: (target, ...args) => new Process({ target, args }),
  },
];

/** Every number that is put by some is taken by one. */
async function throughQueue(world: World, dice: Dice): Promise<void> {
  const queue = world.queue<number | null>(dice.pick([0, 1, 2, 50]));
  const answers = world.queue<[number, number, number]>(0);
  const [producers, consumers] = [1 + dice.below(3), 1 + dice.below(3)];
  const each = 50 + dice.below(150);
  const puts = Array.from(
    { length: producers },
    (_, i) => world.party(putNumbers, queue, i * each, each, dice.once(2)),
  );
  const takes = Array.from(
    { length: consumers },
    () => world.party(takeNumbers, queue, answers, dice.once(2)),
  );
  for (const party of [...puts, ...takes]) party.start();
  for (const party of puts) await party.join();
  for (const _ of takes) await queue.put(null);
  const sums = [0, 0, 0];
  for (const _ of takes) {
    const answer = await answers.get();
    answer.forEach((sum, i) => sums[i] += sum);
  }
  for (const party of takes) await party.join();
  const all = Array.from({ length: producers * each }, (_, n) => n);
  assertEquals(sums, [
    all.length,
    all.reduce((sum, n) => sum + n, 0),
    all.reduce((sum, n) => sum + n * n, 0),
  ]);
}

/** No addition is lost. */
async function underLock(dice: Dice): Promise<void> {
  const lock = new Lock();
  const value = RawValue("i", 0) as { value: number };
  const crew = Array.from({ length: 2 + dice.below(2) }, () => {
    const count = 100 + dice.below(400);
    const process = new Process({ target: addOnes, args: [lock, value, count, dice.once(2)] });
    process.start();
    return { count, process };
  });
  for (const { process } of crew) await process.join();
  assertEquals(value.value, crew.reduce((sum, { count }) => sum + count, 0));
  assert(!lock.locked());
}

const cubeOf = (n: number) => n % 7 === 6 ? "RangeError" : n ** 3;

/** Every call has its own result or error. */
async function onExecutor(make: () => Executor, dice: Dice): Promise<void> {
  await using executor = make();
  const numbers = Array.from({ length: 20 + dice.below(200) }, () => dice.below(1000));
  const futures = numbers.map((n) => executor.submit(cube, n));
  const cancelled = new Set(futures.filter(() => dice.once(10)).filter((each) => each.cancel()));
  for (const [i, future] of futures.entries()) {
    if (cancelled.has(future)) {
      assert(future.cancelled());
      continue;
    }
    const error = await future.exception();
    assertEquals(error === null ? await future : error.name, cubeOf(numbers[i]));
  }
  const good = numbers.filter((n) => n % 7 !== 6);
  const mapped: number[] = [];
  const chunksize = 1 + dice.below(20);
  for await (const each of executor.map(cube, good, { chunksize })) mapped.push(each);
  assertEquals(mapped, good.map((n) => n ** 3));
}

/** The same with a pool. */
async function onPool(dice: Dice): Promise<void> {
  const maxtasksperchild = dice.pick([undefined, 5]);
  await using pool = new Pool({ processes: 1 + dice.below(3), maxtasksperchild });
  const numbers = Array.from({ length: 20 + dice.below(100) }, () => dice.below(1000));
  const good = numbers.filter((n) => n % 7 !== 6);
  const chunksize = 1 + dice.below(10);
  const [mapped, single] = await Promise.all([
    pool.map(cube, good, { chunksize }),
    Promise.all(
      numbers.map((n) => pool.apply(cube, [n]).catch((error: Error) => error.name)),
    ),
  ]);
  assertEquals(mapped, good.map((n) => n ** 3));
  assertEquals(single, numbers.map(cubeOf));
  const unordered: number[] = [];
  for await (const each of pool.imapUnordered(cube, good)) unordered.push(each);
  assertEquals(unordered.toSorted((a, b) => a - b), mapped.toSorted((a, b) => a - b));
}

const TABLE: Record<string, (dice: Dice) => Promise<void>> = {
  ...Object.fromEntries(
    WORLDS.map((world) => [
      `Queue of ${world.name}`,
      (dice: Dice) => throughQueue(world, dice),
    ]),
  ),
  "Lock of processes": underLock,
  "ThreadPoolExecutor": (dice) => onExecutor(() => new ThreadPoolExecutor(1 + dice.below(4)), dice),
  "ProcessPoolExecutor": (dice) =>
    onExecutor(() => new ProcessPoolExecutor(1 + dice.below(3)), dice),
  "Pool": onPool,
};

const seconds = Number(Deno.env.get("STRESS_SECONDS") ?? 0) / Object.keys(TABLE).length;
const first = Number(Deno.env.get("STRESS_SEED") ?? Date.now() % 1_000_000);

for (const [name, round] of Object.entries(TABLE)) {
  Deno.test(`${name}: with many at work, nothing is lost or doubled and nobody hangs`, async () => {
    const end = performance.now() + seconds * 1000;
    let seed = first;
    do {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const hang = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error("It hangs")), 60_000);
      });
      try {
        await Promise.race([round(new Dice(seed)), hang]);
      } catch (error) {
        (error as Error).message += ` (STRESS_SEED=${seed})`;
        throw error;
      } finally {
        clearTimeout(timer);
      }
      seed++;
    } while (performance.now() < end);
    console.log(`stress: ${name}, seeds ${first} to ${seed - 1}`);
  });
}
