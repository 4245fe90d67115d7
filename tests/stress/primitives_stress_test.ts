/**
 * Locks, semaphores, conditions, events and barriers under real workers: a table of who waits how. Counts have to be exact and
 * everybody has to come back. `STRESS_SECONDS` goes on for that long, each round with another seed; `STRESS_SEED` begins with one.
 */

import { assert, assertEquals } from "@std/assert";
import { Barrier, Condition, Event, Lock, RLock, Semaphore } from "@batteries/concurrent/threading";
import { makeAgent } from "../../threading/_core/heap.ts";
import { pack } from "../../threading/_core/mod.ts";
import { here } from "../../threading/_core/site.ts";
import { A_UNCLAIMED } from "../../threading/_core/words.ts";
import type { FromWorker, ToWorker } from "../fixtures/stress/worker.ts";
import { randomFrom } from "../model/explorer.ts";
import {
  type Colour,
  CONSUMED,
  CROWDED,
  FIRST_FREE,
  INSIDE,
  ITEMS,
  type Part,
  PLAIN,
  play,
  PRODUCED,
  type Things,
} from "./bodies.ts";

type Body = Part["body"];

/** Who takes part: the colours of the actors of the main thread, and of each worker. */
interface Row {
  readonly body: Body;
  readonly main: readonly Colour[];
  readonly workers: readonly (readonly Colour[])[];
  readonly iterations: number;
  readonly permits?: number;
}

const WORKERS = 3;

/**
 * A thread whose tasks use an object waits on it in `Sync` calls only with a limit: without one it may wait for a task of its own
 * that has been given what it wants and cannot go on.
 */
const TABLE: readonly Row[] = [
  { body: "lock", main: [], workers: [["sync"], ["sync"], ["sync"]], iterations: 3000 },
  { body: "lock", main: ["async", "async"], workers: [["async", "async"]], iterations: 400 },
  { body: "lock", main: ["async"], workers: [["sync"], ["async"], ["sync"]], iterations: 600 },
  {
    body: "lock",
    main: ["async", "limitedAsync", "abortedAsync"],
    workers: [["limitedSync"], ["limitedAsync", "abortedAsync", "async"], ["sync"]],
    iterations: 150,
  },
  {
    body: "lock",
    main: ["async", "async", "limitedSync"],
    workers: [["async", "limitedSync"], ["limitedAsync", "abortedAsync", "limitedSync"], ["sync"]],
    iterations: 150,
  },
  { body: "rlock", main: [], workers: [["sync"], ["sync"], ["limitedSync"]], iterations: 1500 },
  {
    body: "semaphore",
    main: ["async", "async", "async"],
    workers: [["sync"], ["async", "async", "limitedAsync"], ["sync"]],
    iterations: 300,
    permits: 2,
  },
  {
    body: "semaphore",
    main: ["abortedAsync", "async", "limitedSync"],
    workers: [["limitedSync"], ["async", "abortedAsync", "limitedSync"], ["limitedAsync"]],
    iterations: 150,
    permits: 3,
  },
  { body: "condition", main: [], workers: [["sync"], ["sync"]], iterations: 800 },
  {
    body: "condition",
    main: ["async", "async"],
    workers: [["async", "limitedAsync"], ["sync"], ["limitedSync"]],
    iterations: 250,
  },
  {
    body: "event",
    main: ["async", "limitedAsync"],
    workers: [["sync"], ["async", "async"], ["limitedSync"]],
    iterations: 250,
  },
  { body: "barrier", main: [], workers: [["sync"], ["sync"], ["sync"]], iterations: 400 },
  {
    body: "barrier",
    main: ["async", "async"],
    workers: [["sync"], ["async", "async", "async"], ["sync"]],
    iterations: 250,
  },
];

/** A worker that stands on our ground. */
class Hand {
  readonly agent: number;
  readonly #worker: Worker;

  constructor() {
    const { ground, agent } = here();
    this.agent = makeAgent(ground, agent);
    this.#worker = new Worker(new URL("../fixtures/stress/worker.ts", import.meta.url), {
      type: "module",
    });
    this.#send({ kind: "place", ground: ground.buffer, agent: this.agent });
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  run(things: Things, parts: readonly Part[]): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.counts === undefined) reject(new Error(data.error));
        else resolve(data.counts);
      };
      this.#worker.onerror = (event) => reject(new Error(event.message));
      this.#send({ kind: "run", things: pack(things, "stress with", Hand), parts });
    });
  }

  end(): void {
    this.#worker.terminate();
  }
}

function makeThings(row: Row, actors: number): Things {
  const conditionLock = new Lock();
  const events = row.body === "event"
    ? Array.from({ length: row.iterations + 1 }, () => new Event())
    : [];
  return {
    lock: new Lock(),
    rlock: new RLock(),
    semaphore: new Semaphore(row.permits ?? 1),
    condition: new Condition(conditionLock),
    conditionLock,
    events,
    barrier: new Barrier(actors),
    words: new Int32Array(new SharedArrayBuffer(4 * (FIRST_FREE + row.iterations + actors))),
  };
}

/** Plays one row of the table and checks every count. */
async function runRow(row: Row, seed: number, hands: readonly Hand[]): Promise<void> {
  const actors = row.main.length + row.workers.reduce((sum, colours) => sum + colours.length, 0);
  const things = makeThings(row, actors);
  let index = 0;
  const partsOf = (colours: readonly Colour[]): Part[] =>
    colours.map((colour) => ({
      body: row.body,
      colour,
      seed: seed + index,
      iterations: row.iterations,
      actors,
      index: index++,
      permits: row.permits ?? 1,
    }));
  const parts = row.workers.map(partsOf);
  const mine = partsOf(row.main);
  const runs = parts.map((part, i) => hands[i].run(things, part));
  things.events[0]?.set();
  const all = Promise.all([
    ...runs,
    ...mine.map((part) => play(things, part, randomFrom(part.seed)).then((count) => [count])),
  ]);
  const counts = await within(60_000, all, row, seed);
  const took = counts.flat().reduce((sum, count) => sum + count, 0);
  checkWords(row, things, actors, took);
  checkFree(things, row.permits ?? 1);
  for (const agent of [here().agent, ...hands.map(({ agent }) => agent)]) {
    assertEquals(here().ground.words[agent + A_UNCLAIMED], 0, "no permit is left unclaimed");
  }
}

/** Fails when `work` hangs: the limit is for a test that would never end, not for a slow machine. */
async function within<T>(ms: number, work: Promise<T>, row: Row, seed: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`STRESS_SEED=${seed} hangs: ${JSON.stringify(row)}`));
    }, ms);
  });
  try {
    return await Promise.race([work, hang]);
  } finally {
    clearTimeout(timer);
  }
}

function checkWords({ body, iterations }: Row, { words }: Things, actors: number, took: number) {
  assertEquals(words[CROWDED], 0, "never more inside than may be");
  switch (body) {
    case "lock":
    case "rlock":
      assertEquals(words[PLAIN], took, "no update is lost");
      assert(took > 0);
      break;
    case "semaphore":
      assertEquals(words[INSIDE], 0);
      assert(took > 0);
      break;
    case "condition":
      assertEquals([words[ITEMS], words[PRODUCED]], [0, words[CONSUMED]]);
      assertEquals(words[PRODUCED], took / 2);
      break;
    case "event":
      for (let round = 0; round < iterations; round++) {
        assertEquals(words[FIRST_FREE + round], actors, "everybody came to every event once");
      }
      break;
    case "barrier":
      for (let index = 0; index < actors; index++) {
        assertEquals(words[FIRST_FREE + index], iterations, "each index once a round");
      }
  }
}

/** Everything can be had again, and no more than there is. */
function checkFree({ lock, rlock, semaphore, conditionLock, barrier }: Things, permits: number) {
  for (const one of [lock, rlock, conditionLock]) {
    assertEquals(one.locked(), false);
    assert(one.acquireSync({ blocking: false }));
    one.release();
  }
  for (let i = 0; i < permits; i++) assert(semaphore.acquireSync({ blocking: false }));
  assert(!semaphore.acquireSync({ blocking: false }));
  assertEquals([barrier.nWaiting, barrier.broken], [0, false]);
}

Deno.test("primitives: real threads, tasks, limits and aborts: counts are exact and nobody hangs", async () => {
  const seconds = Number(Deno.env.get("STRESS_SECONDS") ?? 0);
  const first = Number(Deno.env.get("STRESS_SEED") ?? Date.now() % 1_000_000);
  const hands = Array.from({ length: WORKERS }, () => new Hand());
  const end = performance.now() + seconds * 1000;
  let seed = first;
  try {
    do {
      for (const row of TABLE) await runRow(row, seed, hands);
      seed += 1000;
    } while (performance.now() < end);
  } finally {
    console.log(`stress: seeds ${first} to ${seed - 1000} by 1000`);
    for (const hand of hands) hand.end();
  }
});
