import { assert, assertEquals, assertFalse, assertNotEquals } from "@std/assert";
import { BoundedSemaphore, getNativeId, RLock, Thread } from "@batteries/concurrent/threading";

/** As many of these run at once as the semaphore lets through. */
export class Task extends Thread {
  readonly semaphore: BoundedSemaphore;
  readonly mutex: RLock;
  /** How many are running, how many were at most, and how many have ended. */
  readonly counts: Int32Array;

  constructor(name: string, semaphore: BoundedSemaphore, mutex: RLock, counts: Int32Array) {
    super({ name });
    this.semaphore = semaphore;
    this.mutex = mutex;
    this.counts = counts;
  }

  override async run(): Promise<void> {
    using _place = await this.semaphore.hold();
    {
      using _held = await this.mutex.hold();
      this.counts[0] += 1;
      this.counts[1] = Math.max(this.counts[1], this.counts[0]);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random()));
    {
      using _held = this.mutex.holdSync();
      this.counts[0] -= 1;
      this.counts[2] += 1;
    }
  }
}

Deno.test("threads: ten subclass instances share a semaphore, a lock and a counter, three run at once", async () => {
  const semaphore = new BoundedSemaphore(3);
  const mutex = new RLock();
  const counts = new Int32Array(new SharedArrayBuffer(12));
  const tasks = Array.from({ length: 10 }, (_, i) => {
    const task = new Task(`<thread ${i}>`, semaphore, mutex, counts);
    assertEquals([task.ident, task.nativeId], [null, null]);
    task.start();
    return task;
  });
  const natives = new Set(tasks.map(({ nativeId }) => nativeId));
  assertFalse(natives.has(null));
  assertFalse(natives.has(getNativeId()));
  for (const [i, task] of tasks.entries()) {
    await task.join();
    assertFalse(task.isAlive());
    assertEquals(task.name, `<thread ${i}>`);
    assertNotEquals(task.ident, null);
  }
  assertEquals([counts[0], counts[2]], [0, 10]);
  assert(counts[1] >= 1 && counts[1] <= 3);
});
