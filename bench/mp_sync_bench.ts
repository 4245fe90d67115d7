/**
 * What a lock between processes costs that nobody else wants, beside its floor, raw atomics on mapped words, and beside Python's.
 *
 * @module
 */
import { Lock, RLock, Semaphore } from "@batteries/concurrent/multiprocessing";
import { allot } from "../multiprocessing/_arena.ts";
import {
  asyncLoop,
  beside,
  elsewhere,
  figure,
  type Group,
  loop,
  print,
  takeTurns,
} from "./_measure.ts";

const TURNS = 1_000_000;
const ASYNC_TURNS = 200_000;

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const { words } = allot(1, "measure");
  const lock = new Lock();
  const sync = await takeTurns([
    loop(
      "Atomics.compareExchange(words, 0, 0, 1); Atomics.exchange(words, 0, 0);",
      { words },
      TURNS,
    ),
    loop("lock.acquireSync(); lock.release();", { lock }, TURNS),
    loop("lock.acquireSync(); lock.release();", { lock: new RLock() }, TURNS),
    loop("lock.acquireSync(); lock.release();", { lock: new Semaphore(1) }, TURNS),
    asyncLoop("await lock.acquire(); lock.release();", { lock }, ASYNC_TURNS),
  ]);
  const [floor, ours, reentrant, counted, awaited] = [
    "floor: compareExchange and exchange on mapped words",
    "Lock: acquireSync and release",
    "RLock: acquireSync and release",
    "Semaphore: acquireSync and release",
    "Lock: await acquire, and release",
  ].map((name, i) => figure(name, "ns", sync[i]));
  const python = await elsewhere("python3", [
    new URL("peers/python_mp_lock.py", import.meta.url).pathname,
  ]);
  return [
    {
      group: "multiprocessing: a free lock, taken and given back",
      rows: [floor, ...[ours, reentrant, counted, awaited].map((row) => beside(row, floor))],
    },
    ...python
      ? [{
        group: "multiprocessing: a free lock, beside Python's",
        rows: [ours, awaited].map((row) =>
          beside(row, figure("python3 multiprocessing.Lock", "ns", python), { atMost: 0.25 })
        ),
      }]
      : [],
  ];
}

if (import.meta.main) print(await run());
