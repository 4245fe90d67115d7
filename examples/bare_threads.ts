/**
 * The digits of π, counted by threads without objects: a function, a lock to know that it is done, and memory for the result.
 *
 * The chapter's `_thread`. `threading` has all of it with less to take care of; this is for code that comes from there.
 *
 *     deno run --allow-read examples/bare_threads.ts
 *
 * @module
 */
import { allocateLock, exit, getIdent, startNewThread } from "@batteries/concurrent/_thread";
import type { Lock } from "@batteries/concurrent/threading";

/** The first decimal places of π, by Machin's formula in whole numbers. */
export function digitsOfPi(places: number): string {
  const unity = 10n ** BigInt(places + 10);
  const arccot = (x: bigint): bigint => {
    let [sum, power] = [0n, unity / x];
    for (let n = 1n, sign = 1n; power !== 0n; n += 2n, sign = -sign, power /= x * x) {
      sum += sign * power / n;
    }
    return sum;
  };
  return String(4n * (4n * arccot(5n) - arccot(239n))).slice(1, places + 1);
}

/** Counts how often each digit occurs in a part of the text, then gives the lock back that it was started with. */
export function countDigits(text: string, counts: Int32Array<SharedArrayBuffer>, done: Lock): void {
  try {
    if (text === "") exit(); // ends the thread, silently; `finally` is run
    for (const digit of text) Atomics.add(counts, Number(digit), 1);
  } finally {
    done.release();
  }
}

/** Counts with some threads. */
export async function countWith(threads: number, text: string): Promise<number[]> {
  const counts = new Int32Array(new SharedArrayBuffer(40));
  const size = Math.ceil(text.length / threads);
  const locks: Lock[] = [];
  for (let i = 0; i < threads; i++) {
    const done = allocateLock();
    done.acquireSync();
    locks.push(done);
    const ident = startNewThread(countDigits, [text.slice(i * size, (i + 1) * size), counts, done]);
    if (ident === getIdent()) throw new Error("A thread has the number of its maker");
  }
  // Any thread may release a lock, so waiting for it is waiting for the thread.
  for (const done of locks) await done.acquire();
  return [...counts];
}

if (import.meta.main) {
  const counts = await countWith(3, digitsOfPi(1000));
  console.log(counts.map((count, digit) => `${digit}: ${count}`).join("  "));
}
