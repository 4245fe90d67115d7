/**
 * A clock that stands still until the test moves it on. It tells when somebody waits on it, so that tests wait for that instead of
 * time.
 */
export class FakeClock {
  #time = 0;
  #limit = 0;
  #sleepers: { until: number; wake: () => void }[] = [];
  #watchers: (() => void)[] = [];

  /** Each delay that was asked for, in order. */
  readonly delays: number[] = [];

  readonly time = (): number => this.#time;

  /** Waits until the clock has been moved on by `ms`. */
  readonly sleep = (ms: number): Promise<void> => {
    this.delays.push(ms);
    const until = this.#time + ms;
    if (until <= this.#limit) {
      this.#time = until;
      return Promise.resolve();
    }
    this.#time = this.#limit;
    return new Promise((wake) => {
      this.#sleepers.push({ until, wake });
      for (const watcher of this.#watchers.splice(0)) watcher();
    });
  };

  /** Moves the time at once by what is asked, without waiting: for simulations. */
  readonly skip = (ms: number): void => {
    this.delays.push(ms);
    this.#time = this.#limit = this.#time + ms;
  };

  /** Moves the limit on: sleepers whose time has come wake up, one after the other. */
  advance(ms: number): void {
    this.#limit += ms;
    const due = this.#sleepers.filter(({ until }) => until <= this.#limit).toSorted((a, b) =>
      a.until - b.until
    );
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#limit);
    if (due.length === 0) this.#time = this.#limit;
    for (const { until, wake } of due) {
      this.#time = until;
      wake();
    }
  }

  /** Resolves when somebody sleeps on this clock. */
  asleep(): Promise<void> {
    if (this.#sleepers.length > 0) return Promise.resolve();
    return new Promise((resolve) => void this.#watchers.push(resolve));
  }
}
