/** Queues whose producers and consumers are killed: the others go on, and no item is doubled, halved or lost. */

import { assert, assertEquals } from "@std/assert";
import { Process } from "@batteries/concurrent/multiprocessing";
import { Queue } from "../../multiprocessing/queues.ts";
import { COLOURS, formOf, until } from "../contracts/world.ts";
import { Board } from "../fixtures/multiprocessing/board.ts";
import {
  dieInGet,
  dieInPut,
  type Item,
  mortalConsumer,
  mortalProducer,
  MOST,
  servedConsumer,
  servedProducer,
  wordsOf,
} from "../fixtures/multiprocessing/queue_parties.ts";

/** The words that the state of a queue has: so many writes, at least, are made in a put or a get. */
const WRITES = 8;

for (const length of [10, 100_000]) {
  Deno.test(`Queue: a process killed in a put of ${length} bytes, leaves the item whole or not at all, and the queue to others`, async () => {
    const queue = new Queue<Uint8Array | string>();
    let [deaths, absent] = [0, 0];
    for (let n = 0;; n++) {
      await queue.put("first");
      const process = new Process({ target: dieInPut, args: [queue, n, new Uint8Array(length)] });
      process.start();
      await process.join();
      if (process.exitcode === 0) break;
      assertEquals(process.exitcode, -9);
      deaths++;
      // Whether the next one to come blocks or not.
      if (n % 2 === 0) await queue.put("last");
      else queue.putSync("last");
      const left = queue.qsize();
      assertEquals(await queue.get(), "first");
      if (left === 3) assertEquals(queue.getSync(), new Uint8Array(length));
      else absent++;
      assertEquals(await queue.get(), "last");
      assert(queue.empty());
    }
    assertEquals(await queue.get(), "first");
    assertEquals(await queue.get(), new Uint8Array(length));
    assert(deaths >= WRITES);
    // Dying is all that keeps it from being put: the last write is the one that counts.
    assertEquals(absent, deaths);
  });
}

Deno.test("Queue: a process killed in a get, leaves the item to others", async () => {
  for (let n = 0, code = -9; code !== 0; n++) {
    const queue = new Queue<string>(3);
    for (const item of ["a", "b", "c"]) await queue.put(item);
    const process = new Process({ target: dieInGet, args: [queue, n] });
    process.start();
    await process.join();
    code = process.exitcode!;
    assert(code === -9 || n >= WRITES);
    const items: string[] = [];
    while (!queue.empty()) items.push(n % 2 === 0 ? queue.getSync() : await queue.get());
    assertEquals(items, code === 0 ? ["b", "c"] : ["a", "b", "c"]);
    for (const item of ["d", "e", "f"]) queue.putNowait(item);
    assert(queue.full());
  }
});

const PRODUCERS = 40;

function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return (state >>> 8) % below;
  };
}

/** Starts one who puts, if it has a number, or one who takes. */
type Start = (producer: number | undefined) => Process;

/**
 * Keeps two producers and two consumers at work and kills one of them, `rounds` times. What is put and
 * taken is counted in `words`, and all of it once `counted` resolves.
 */
async function massacre(
  queue: Queue<Item | null>,
  words: Int32Array,
  rounds: number,
  starts: Start,
  counted = async () => {},
): Promise<void> {
  const next = random(rounds);
  let producers = 0;
  let killedConsumers = 0;
  const start = (produces: boolean) => {
    const producer = produces ? producers++ : undefined;
    const process = starts(producer);
    process.start();
    return { producer, process };
  };
  const kill = async ({ producer, process }: ReturnType<typeof start>) => {
    process.kill();
    await process.join();
    assertEquals(process.exitcode, -9);
    if (producer === undefined) killedConsumers++;
  };
  const total = () => {
    let sum = 0;
    for (let i = 0; i < producers; i++) sum += Atomics.load(words, wordsOf(i));
    return sum;
  };
  const isDone = (producer = -1) => producer < 0 || Atomics.load(words, wordsOf(producer)) === MOST;
  const team = [true, false, true, false].map(start);
  for (let round = 0; round < rounds; round++) {
    const goal = total() + 20 + next(100);
    await until(
      "more is put",
      () => total() >= goal || team.every(({ producer }) => isDone(producer)),
    );
    const [victim] = team.splice(next(team.length), 1);
    await kill(victim);
    team.push(start(victim.producer !== undefined));
  }
  for (const one of team) if (one.producer !== undefined) await kill(one);
  const consumers = team.filter(({ producer }) => producer === undefined);
  for (const _ of consumers) await queue.put(null);
  for (const { process } of consumers) {
    await process.join();
    assertEquals(process.exitcode, 0);
  }
  assert(queue.empty());
  await counted();
  let lost = 0;
  for (let producer = 0; producer < producers; producer++) {
    const at = wordsOf(producer);
    const put = words[at];
    for (let n = 0; n < MOST; n++) {
      const came = words[at + 1 + n];
      assert(came <= 1, `item ${n} of producer ${producer} came ${came} times`);
      // Who was killed between a put and its count has put one more.
      if (n > put) assertEquals(came, 0);
      if (n < put && came === 0) lost++;
    }
  }
  assert(total() > 100);
  assert(lost <= killedConsumers, `${lost} of ${total()} lost by ${killedConsumers} deaths`);
}

for (const colour of COLOURS) {
  for (const maxsize of [0, 5]) {
    Deno.test(`Queue: producers and consumers killed at random, lose what a killed consumer had taken and nothing else, maxsize ${maxsize}, ${colour}`, async () => {
      const queue = new Queue<Item | null>(maxsize);
      const board = Board.make(wordsOf(PRODUCERS));
      let parties = 0;
      await massacre(queue, board.place.words, 12, (producer) => {
        const form = formOf(colour, parties++ >> 1);
        return producer === undefined
          ? new Process({ target: mortalConsumer, args: [queue, board, form] })
          : new Process({
            target: mortalProducer,
            args: [queue as Queue<Item>, board, producer, form],
          });
      });
    });
  }
}

Deno.test("Queue: served processes killed at random, lose what a killed consumer had taken and nothing else", async () => {
  const queue = new Queue<Item | null>(5);
  const words = new Int32Array(wordsOf(PRODUCERS));
  // They have no memory to count in. It has a size, so that who has told something knows that it was heard.
  const told = new Queue<[producer: number, n: number | null] | null>(1000);
  const counting = (async () => {
    for (let news = await told.get(); news !== null; news = await told.get()) {
      const [producer, n] = news;
      words[wordsOf(producer) + (n === null ? 0 : 1 + n)]++;
    }
  })();
  await massacre(
    queue,
    words,
    10,
    (producer) =>
      producer === undefined
        ? new Process({ target: servedConsumer, args: [queue, told], permissions: "none" })
        : new Process({
          target: servedProducer,
          args: [queue as Queue<Item>, told, producer],
          permissions: "none",
        }),
  );
  await told.put(null);
  await counting;
});
