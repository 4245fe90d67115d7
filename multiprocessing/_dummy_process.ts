/**
 * `Process` of `dummy`.
 *
 * @module
 */
import { currentThread, Thread, type ThreadOptions } from "../threading/mod.ts";

/** Options of `Process` of `dummy`. */
export interface DummyProcessOptions<A extends unknown[] = unknown[]> {
  /** What the thread calls: an exported function of any module. It may be async. */
  target?: (...args: A) => unknown;
  /** What it is called with. */
  args?: A;
  /** Shown in messages; `"Process-N"` by default. */
  name?: string;
  /** Whether the program ends without waiting for it. By default as the thread that makes it. */
  daemon?: boolean;
}

let made = 0;
/** Those that this thread has started. */
const children = new Set<DummyProcess>();

/**
 * A thread with the methods of `Process`. It cannot be terminated or killed.
 *
 * Stands for Python's `multiprocessing.dummy.Process`.
 *
 * @typeParam A The parameters of the target.
 */
export class DummyProcess<A extends unknown[] = unknown[]> extends Thread<A> {
  #closed = false;

  /**
   * Makes a thread that has not been started.
   *
   * @param options What it runs, and how it is called.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {PicklingError} When the target cannot travel.
   */
  constructor(options: DummyProcessOptions<A> = {}) {
    super(
      { ...options, name: options?.name || `${new.target.publicName}-${++made}` } as ThreadOptions<
        A
      >,
    );
  }

  /** What default names begin with. */
  private static get publicName(): string {
    return Object.is(this, DummyProcess) ? "Process" : this.name;
  }

  /** The number of the thread; `null` before `start()`. */
  get pid(): number | null {
    return this.ident;
  }

  /** `null` until the thread has ended, then 0: a thread has no exit code. */
  get exitcode(): number | null {
    return this.pid === null || this.isAlive() ? null : 0;
  }

  /** Starts the thread and returns at once. See `Thread.start`. */
  override start(): void {
    super.start();
    children.add(this as DummyProcess);
  }

  /**
   * Gives up the object of a thread that has ended.
   *
   * @throws {RangeError} When it is running.
   */
  close(): void {
    if (this.isAlive()) {
      throw new RangeError(`Cannot close ${this.name}: it is running; join it first`);
    }
    this.#closed = true;
    children.delete(this as DummyProcess);
  }

  /** Leaving an `await using` block: waits for the thread, which cannot be terminated. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed || this.pid === null) return;
    await this.join();
  }
}

/**
 * The calling thread.
 *
 * Stands for Python's `multiprocessing.dummy.current_process`.
 */
export function currentProcess(): Thread {
  return currentThread();
}

/**
 * The threads that the calling one has started by `Process` and that have not ended.
 *
 * Stands for Python's `multiprocessing.dummy.active_children`.
 */
export function activeChildren(): DummyProcess[] {
  for (const child of children) if (!child.isAlive()) children.delete(child);
  return [...children];
}
