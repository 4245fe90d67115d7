/**
 * How long it takes to hand something over between two threads that both wait for it, beside its floor: a bare `Atomics.wait` and
 * `Atomics.notify`, with the same partner thread, in turns.
 *
 * @module
 */
import { Lock, Semaphore, Thread } from "@batteries/concurrent/threading";
import { beside, figure, type Group, print, ROUNDS, takeTurns } from "./_measure.ts";

/** Round trips per round. */
const TRIPS = 5_000;

/** Two places to wait: each side waits at its own and frees the other's. */
interface Pair {
  readonly there: Lock | Semaphore;
  readonly back: Lock | Semaphore;
}

/** The other thread: does its half of each subject, in the order in which {@linkcode takeTurns} runs them. */
export function partner(words: Int32Array<SharedArrayBuffer>, pairs: Pair[], turns: number): void {
  for (let turn = 0; turn < turns; turn++) {
    for (let trip = 0; trip < TRIPS; trip++) {
      awaitWord(words, 0);
      tellWord(words, 1);
    }
    for (const { there, back } of pairs) {
      for (let trip = 0; trip < TRIPS; trip++) {
        there.acquireSync();
        back.release();
      }
    }
  }
}

function awaitWord(words: Int32Array<SharedArrayBuffer>, at: number): void {
  while (Atomics.compareExchange(words, at, 1, 0) !== 1) Atomics.wait(words, at, 0);
}

function tellWord(words: Int32Array<SharedArrayBuffer>, at: number): void {
  Atomics.store(words, at, 1);
  Atomics.notify(words, at, 1);
}

/** Microseconds per hand-over: half a round trip. */
async function time(trips: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await trips();
  return (performance.now() - start) * 1000 / TRIPS / 2;
}

function pair(make: () => Lock | Semaphore): Pair {
  return { there: make(), back: make() };
}

function takenLock(): Lock {
  const lock = new Lock();
  lock.acquireSync();
  return lock;
}

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  const locks = pair(takenLock);
  const semaphores = pair(() => new Semaphore(0));
  const awaited = pair(takenLock);
  const pairs = [locks, semaphores, awaited];
  const thread = new Thread({ target: partner, args: [words, pairs, ROUNDS + 1], daemon: true });
  thread.start();

  const blocking = ({ there, back }: Pair) => () =>
    time(() => {
      for (let trip = 0; trip < TRIPS; trip++) {
        there.release();
        back.acquireSync();
      }
    });
  const rounds = await takeTurns([
    () =>
      time(() => {
        for (let trip = 0; trip < TRIPS; trip++) {
          tellWord(words, 0);
          awaitWord(words, 1);
        }
      }),
    blocking(locks),
    blocking(semaphores),
    () =>
      time(async () => {
        for (let trip = 0; trip < TRIPS; trip++) {
          awaited.there.release();
          await awaited.back.acquire();
        }
      }),
  ]);
  await thread.join();
  const [floor, lock, semaphore, mixed] = [
    "floor: Atomics.wait and notify",
    "Lock: release to acquireSync",
    "Semaphore: release to acquireSync",
    "Lock: one side awaits, one blocks",
  ].map((name, i) => figure(name, "us", rounds[i]));
  return [{
    group: "threading: handing over between two threads",
    rows: [
      floor,
      beside(lock, floor, { atMost: 1.3 }),
      beside(semaphore, floor),
      beside(mixed, floor),
    ],
  }];
}

if (import.meta.main) print(await run());
