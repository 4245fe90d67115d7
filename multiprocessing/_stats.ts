/**
 * What `executor.stats()` tells, and how it is counted.
 *
 * @module
 */

/** Times in milliseconds of tasks that have ended. */
export interface TimeStats {
  /** How many tasks. */
  count: number;
  /** Their mean; 0 without tasks. */
  mean: number;
  /** The shortest; 0 without tasks. */
  min: number;
  /** The longest; 0 without tasks. */
  max: number;
}

/** How an executor does. */
export interface ExecutorStats {
  /** Threads, or processes, that were started. */
  workers: number;
  /** Tasks that run now. */
  busy: number;
  /** Tasks that wait for a thread. */
  queued: number;
  /** Tasks that have ended well. */
  done: number;
  /** Tasks that have failed. */
  failed: number;
  /** How long tasks ran. */
  runTime: TimeStats;
  /** How long tasks waited, and travelled. */
  waitTime: TimeStats;
}

class Times {
  #count = 0;
  #total = 0;
  #min = Infinity;
  #max = 0;

  add(time: number): void {
    this.#count++;
    this.#total += time;
    if (time < this.#min) this.#min = time;
    if (time > this.#max) this.#max = time;
  }

  told(): TimeStats {
    const count = this.#count;
    const max = this.#max;
    return count === 0
      ? { count, mean: 0, min: 0, max }
      : { count, mean: this.#total / count, min: this.#min, max };
  }
}

/** What an executor counts. */
export class Tally {
  #done = 0;
  #failed = 0;
  readonly #runTime = new Times();
  readonly #waitTime = new Times();

  /** A task has ended, one way or another. */
  ended(well: boolean): void {
    if (well) this.#done++;
    else this.#failed++;
  }

  /** A task that was submitted at that time, on the clock of `performance.now`, has run for `ran` milliseconds. */
  took(submitted: number, ran: number): void {
    this.#runTime.add(ran);
    this.#waitTime.add(Math.max(0, performance.now() - submitted - ran));
  }

  /** With what is so at the moment: workers that were started, tasks that run, tasks that have not ended. */
  told(workers: number, { running, pending }: { running: number; pending: number }): ExecutorStats {
    return {
      workers,
      busy: running,
      queued: pending - running,
      done: this.#done,
      failed: this.#failed,
      runTime: this.#runTime.told(),
      waitTime: this.#waitTime.told(),
    };
  }
}
