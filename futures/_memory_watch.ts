/**
 * Notices, in a worker whose memory is capped, that the engine has ended something of it for lack of memory.
 *
 * What Deno 2.9 does where a heap is full: it ends the JavaScript that runs, up to the event loop, and allows the heap as much again. If
 * that was the callback of a timer, the worker ends with an error that its maker hears of. If it was what goes on after an `await`, nobody
 * is told: the worker lives, its promise stays as it is.
 *
 * So a canary is watched, an object that nobody holds:
 * 1. a heap is full only after all garbage was looked for, so the canary is gone then;
 * 2. that is told in a later turn of the event loop, which comes when the engine has ended what ran;
 * 3. there it is looked whether the heap was allowed more.
 *
 * Costs nothing while nothing happens: no timer. Is not told while the thread is blocked in a `Sync` call.
 *
 * @module
 */

interface HeapStatistics {
  heap_size_limit: number;
}

/** The most that the heap may take now, in bytes. */
function limit(): number {
  const v8 = (globalThis as unknown as {
    process: { getBuiltinModule(name: string): { getHeapStatistics(): HeapStatistics } };
  }).process.getBuiltinModule("node:v8");
  return v8.getHeapStatistics().heap_size_limit;
}

// It must not be collected itself.
let canaries: FinalizationRegistry<undefined> | undefined;

/** Calls `fn` each time that something was ended. Call it once. */
export function watchMemory(fn: () => void): void {
  let before = limit();
  const registry = canaries = new FinalizationRegistry(() => {
    registry.register({}, undefined);
    const after = limit();
    const more = after > before;
    before = after;
    if (more) fn();
  });
  canaries.register({}, undefined);
}
