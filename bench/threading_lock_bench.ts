/**
 * What a lock costs that nobody else wants, beside its floor: one compare-exchange and one store.
 *
 * @module
 */
import { Lock, RLock, Semaphore } from "@batteries/concurrent/threading";
import {
  asyncLoop,
  beside,
  elsewhere,
  figure,
  type Group,
  inOwnProcess,
  loop,
  print,
  takeTurns,
} from "./_measure.ts";

const TURNS = 2_000_000;
const ASYNC_TURNS = 300_000;

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const words = new Int32Array(new SharedArrayBuffer(4));
  const lock = new Lock();
  const rlock = new RLock();
  const semaphore = new Semaphore(1);
  const sync = await takeTurns([
    loop("Atomics.compareExchange(words, 0, 0, 1); Atomics.store(words, 0, 0);", { words }, TURNS),
    loop("lock.acquireSync(); lock.release();", { lock }, TURNS),
    loop("lock.acquireSync(); lock.release();", { lock: rlock }, TURNS),
    loop("lock.acquireSync(); lock.release();", { lock: semaphore }, TURNS),
  ]);
  const [floor, ours, reentrant, counted] = [
    "floor: compareExchange and store",
    "Lock: acquireSync and release",
    "RLock: acquireSync and release",
    "Semaphore: acquireSync and release",
  ].map((name, i) => figure(name, "ns", sync[i]));

  // deno-lint-ignore require-await -- the floor of an asynchronous acquire is an async function that has nothing to await
  const take = async () => Atomics.compareExchange(words, 0, 0, 1) === 0;
  const async = await takeTurns([
    asyncLoop("await take(); Atomics.store(words, 0, 0);", { take, words }, ASYNC_TURNS),
    asyncLoop("await lock.acquire(); lock.release();", { lock }, ASYNC_TURNS),
    asyncLoop("{ using held = await lock.hold(); }", { lock }, ASYNC_TURNS),
  ]);
  const [asyncFloor, asyncOurs, hold] = [
    "floor: the same in an async function",
    "Lock: await acquire, and release",
    "Lock: using await hold()",
  ].map((name, i) => figure(name, "ns", async[i]));

  const python = await elsewhere("python3", [
    new URL("peers/python_lock.py", import.meta.url).pathname,
  ]);
  const peer = await inOwnProcess("peers/multithreading_mutex.ts", "sync");
  const asyncPeer = await inOwnProcess("peers/multithreading_mutex.ts", "async");
  return [
    {
      group: "threading: a free lock, taken and given back",
      rows: [
        floor,
        beside(ours, floor, { atMost: 2 }),
        beside(reentrant, floor),
        beside(counted, floor),
        ...peer
          ? [beside(figure("npm:multithreading Mutex: blockingLock", "ns", peer), floor)]
          : [],
        ...python ? [beside(figure("python3 threading.Lock", "ns", python), floor)] : [],
      ],
    },
    {
      group: "threading: a free lock, awaited and given back",
      rows: [
        asyncFloor,
        beside(asyncOurs, asyncFloor),
        beside(hold, asyncFloor),
        ...asyncPeer
          ? [beside(figure("npm:multithreading Mutex: lock", "ns", asyncPeer), asyncFloor)]
          : [],
      ],
    },
  ];
}

if (import.meta.main) print(await run());
