/**
 * Queues between processes.
 *
 * @module
 */
import { limitOf, register, TimeoutError, type WaitOptions } from "../threading/_core/mod.ts";
import { Core } from "./_queue_core.ts";
import type { Sent } from "./_queue_far.ts";
import { discardHandle } from "./_tree.ts";
import { showAs } from "./_show.ts";

/** What the next queue is made of, when it was sent here. Set right before a constructor is called, and used up by it. */
let arriving: Sent | undefined;

function arrived(): Sent | undefined {
  const sent = arriving;
  arriving = undefined;
  return sent;
}

function arrive<Q>(parts: unknown, make: () => Q): Q {
  arriving = parts as Sent;
  return make();
}

function discard(parts: unknown): void {
  const { handle } = parts as Sent;
  if (handle !== undefined) discardHandle(handle);
}

/** What is behind a queue, for its subclass. */
let coreOf: <T>(queue: Queue<T>) => Core<T>;

function checked(maxsize: number, kind: string): number {
  if (typeof maxsize !== "number") {
    throw new TypeError(`Cannot make a ${kind}: maxsize must be a number, got ${typeof maxsize}`);
  }
  if (maxsize <= 0 || maxsize === Infinity) return 0;
  if (Number.isInteger(maxsize) && maxsize < 2 ** 31) return maxsize;
  throw new RangeError(
    `Cannot make a ${kind}: maxsize must be an integer up to 2,147,483,647, or 0 for any number of items, got ${maxsize}`,
  );
}

/**
 * A first in, first out queue for any number of producers and consumers in any number of processes and their threads.
 *
 * - Hand it to a process as an argument, in a result, or as a message, and it is the same queue there. Items are copied, as arguments
 *   are; what is shared between processes (locks, connections, shared memory, other queues) may be in them.
 * - `put` and `get` wait without blocking the event loop, `putSync` and `getSync` block the calling thread. Calls of one thread that
 *   wait without blocking are served in the order they came; between processes there is no order of service.
 * - A call that times out or is aborted has put or taken nothing.
 * - An item is in the queue when `put` is done: there is no feeder thread, and a process that ends leaves nothing behind that it has
 *   put. A process that is killed in the middle of a call has put all of the item or nothing; others go on.
 *   An item that a killed process had taken is lost with it.
 * - Without a size it takes any number of items for which there is memory.
 *
 * Its items lie in memory that processes share, which needs `--allow-ffi`. Without it, in the process that makes the queue or in one
 * that uses it, the queue is served by the process that sent it: then `put` and `get` work as told, the `Sync` forms and `getNowait`
 * throw an error that names the flag, `qsize`, `empty` and `full` tell how it was a moment ago, and the queue ends with that process.
 *
 * Stands for {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Queue | multiprocessing.Queue}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Queue } from "@batteries/concurrent/multiprocessing";
 *
 * const queue = new Queue<string>(2);
 * await queue.put("a");
 * await queue.put("b");
 * assertEquals(queue.full(), true);
 * assertEquals([await queue.get(), queue.getNowait()], ["a", "b"]);
 * ```
 *
 * @example A process that answers
 * ```ts no-eval
 * import { Process, Queue } from "@batteries/concurrent/multiprocessing";
 *
 * export async function answer(queue: Queue<[number, string]>): Promise<void> {
 *   await queue.put([42, "hello"]);
 * }
 *
 * if (import.meta.main) {
 *   const queue = new Queue<[number, string]>();
 *   const process = new Process({ target: answer, args: [queue] });
 *   process.start();
 *   console.log(await queue.get());
 *   await process.join();
 * }
 * ```
 *
 * @typeParam T The items.
 */
export class Queue<T = unknown> {
  readonly #core: Core<T>;

  /**
   * Makes an empty queue.
   *
   * @param maxsize How many items it holds before `put` has to wait; 0 or less: any number.
   * @throws {TypeError} When `maxsize` is not a number.
   * @throws {RangeError} When `maxsize` is not an integer, or over 2,147,483,647.
   */
  constructor(maxsize = 0) {
    const sent = arrived();
    const kind = new.target.name;
    this.#core = new Core(kind, sent?.maxsize ?? checked(maxsize, kind), sent);
  }

  static {
    showAs(Queue<unknown>, (queue) => ({ size: queue.qsize(), maxsize: queue.#core.maxsize }));
    coreOf = (queue) => queue.#core;
    register(Queue, {
      name: "multiprocessing.Queue",
      module: import.meta.url,
      spans: "processes",
      reduce: (queue) => queue.#core.send(),
      discard,
      revive: (parts) => arrive(parts, () => new Queue()),
    });
  }

  /**
   * Waits for room and puts an item in.
   *
   * @param item The item, which is copied before this returns.
   * @param options How long to wait.
   * @throws {Full} When time ran out.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot travel. The queue goes on.
   * @throws {Error} When there is no memory for the item. The queue goes on.
   * @throws The signal's reason, when it is aborted.
   */
  put(item: T, options?: WaitOptions): Promise<void> {
    return this.#core.put(item, options, "Queue.put", Queue.prototype.put);
  }

  /**
   * As {@linkcode Queue.put}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param item The item, which is copied.
   * @param options How long to wait.
   * @throws {Full} When time ran out.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot travel. The queue goes on.
   * @throws {Error} When there is no memory for the item. The queue goes on.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   *
   * @example
   * ```ts
   * import { assertEquals, assertThrows } from "@std/assert";
   * import { Queue } from "@batteries/concurrent/multiprocessing";
   * import { Full } from "@batteries/concurrent/queue";
   *
   * const queue = new Queue<number>(1);
   * queue.putSync(1);
   * assertThrows(() => queue.putSync(2, { timeout: 10 }), Full);
   * assertEquals(queue.getSync(), 1);
   * ```
   */
  putSync(item: T, options?: WaitOptions): void {
    this.#core.putSync(item, options, "Queue.putSync", Queue.prototype.putSync);
  }

  /**
   * Puts an item in if there is room now.
   *
   * @param item The item, which is copied.
   * @throws {Full} When there is no room.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot travel. The queue goes on.
   * @throws {Deno.errors.NotCapable} When the queue has a size and is served by another process.
   */
  putNowait(item: T): void {
    this.#core.putNowait(item, Queue.prototype.putNowait);
  }

  /**
   * Waits for an item and takes it out.
   *
   * @param options How long to wait.
   * @returns The item.
   * @throws {Empty} When time ran out.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot be had here. It is lost, and the queue goes on.
   * @throws The signal's reason, when it is aborted.
   */
  get(options?: WaitOptions): Promise<T> {
    return this.#core.get(options, "Queue.get");
  }

  /**
   * As {@linkcode Queue.get}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait.
   * @returns The item.
   * @throws {Empty} When time ran out.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot be had here, or not without waiting. It is lost, and the queue goes on.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  getSync(options?: WaitOptions): T {
    return this.#core.getSync(options, "Queue.getSync");
  }

  /**
   * Takes an item out if there is one now.
   *
   * @returns The item.
   * @throws {Empty} When there is none.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot be had here, or not without waiting. It is lost, and the queue goes on.
   * @throws {Deno.errors.NotCapable} When the queue is served by another process.
   */
  getNowait(): T {
    return this.#core.getNowait();
  }

  /** How many items the queue holds before `put` has to wait; 0: any number. */
  get maxsize(): number {
    return this.#core.maxsize;
  }

  /** How many items are in the queue, which may have changed by the time it is known. */
  qsize(): number {
    return this.#core.qsize();
  }

  /**
   * Whether the queue has no items.
   *
   * @throws {RangeError} When this process has put something into the queue and closed it.
   */
  empty(): boolean {
    return this.#core.empty();
  }

  /** Whether the queue has no room. */
  full(): boolean {
    return this.#core.full();
  }

  /**
   * Says that this process will neither put nor get any more: from now on it throws. Others go on. Twice is once.
   *
   * Calls that wait already are not affected.
   */
  close(): void {
    this.#core.close();
  }

  /**
   * Waits until everything that this process has put is in the queue. As there is no feeder thread, that is so at once, unless
   * another process serves the queue.
   *
   * @throws {RangeError} When the queue was not closed before.
   */
  async joinThread(): Promise<void> {
    await this.#core.joinThread();
  }

  /**
   * Lets this process end without waiting for what it has put, which may then be lost. That is never so unless another process serves
   * the queue.
   */
  cancelJoinThread(): void {
    this.#core.cancelJoinThread();
  }
}

/**
 * A {@linkcode Queue} that can be joined: {@linkcode JoinableQueue.join} waits until {@linkcode JoinableQueue.taskDone} was called for
 * every item that was put in, by whichever process.
 *
 * Stands for
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.JoinableQueue | multiprocessing.JoinableQueue}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { JoinableQueue } from "@batteries/concurrent/multiprocessing";
 *
 * const queue = new JoinableQueue<number>();
 * let sum = 0;
 * async function work() {
 *   for (;;) {
 *     sum += await queue.get();
 *     queue.taskDone();
 *     if (queue.empty()) return;
 *   }
 * }
 * for (const n of [1, 2, 3]) await queue.put(n);
 * work();
 * await queue.join();
 * assertEquals(sum, 6);
 * ```
 *
 * @typeParam T The items.
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  static {
    register(JoinableQueue, {
      name: "multiprocessing.JoinableQueue",
      module: import.meta.url,
      spans: "processes",
      reduce: (queue) => coreOf(queue).send(),
      discard,
      revive: (parts) => arrive(parts, () => new JoinableQueue()),
    });
  }

  /**
   * Says that the work on one item, which was taken out before, is done.
   *
   * @throws {RangeError} When it was said for every item already; of a queue that another process serves, the next call throws it.
   */
  taskDone(): void {
    if (coreOf(this).taskDone()) return;
    throw new RangeError("Cannot mark a task as done: taskDone was called for every item already");
  }

  /**
   * Waits until all items are done.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When time ran out.
   * @throws The signal's reason, when it is aborted.
   */
  async join(options?: WaitOptions): Promise<void> {
    if (!await coreOf(this).join(limitOf(options, "JoinableQueue.join"))) throw notJoined();
  }

  /**
   * As {@linkcode JoinableQueue.join}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When time ran out.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  joinSync(options?: WaitOptions): void {
    if (!coreOf(this).joinSync(limitOf(options, "JoinableQueue.joinSync"))) throw notJoined();
  }
}

function notJoined(): TimeoutError {
  return new TimeoutError(
    "Cannot join the queue: there is work that was not reported done in time",
  );
}

/**
 * A {@linkcode Queue} reduced to what is needed most: any number of items, no time-outs.
 *
 * Stands for
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.SimpleQueue | multiprocessing.SimpleQueue}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SimpleQueue } from "@batteries/concurrent/multiprocessing";
 *
 * const queue = new SimpleQueue<string>();
 * await queue.put("knock");
 * assertEquals(await queue.get(), "knock");
 * assertEquals(queue.empty(), true);
 * ```
 *
 * @typeParam T The items.
 */
export class SimpleQueue<T = unknown> {
  readonly #core: Core<T>;
  #closed = false;

  /** Makes an empty queue. */
  constructor() {
    this.#core = new Core("SimpleQueue", 0, arrived());
  }

  static {
    showAs(SimpleQueue<unknown>, (queue) => ({ size: queue.#core.qsize() }));
    register(SimpleQueue, {
      name: "multiprocessing.SimpleQueue",
      module: import.meta.url,
      spans: "processes",
      reduce: (queue) => queue.#core.send(),
      discard,
      revive: (parts) => arrive(parts, () => new SimpleQueue()),
    });
  }

  /**
   * Puts an item in.
   *
   * @param item The item, which is copied before this returns.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot travel. The queue goes on.
   */
  put(item: T): Promise<void> {
    return this.#core.put(item, undefined, "SimpleQueue.put", SimpleQueue.prototype.put);
  }

  /**
   * As {@linkcode SimpleQueue.put}, on the calling thread.
   *
   * @param item The item, which is copied.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot travel. The queue goes on.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  putSync(item: T): void {
    this.#core.putSync(item, undefined, "SimpleQueue.putSync", SimpleQueue.prototype.putSync);
  }

  /**
   * Waits for an item and takes it out.
   *
   * @returns The item.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot be had here. It is lost, and the queue goes on.
   */
  get(): Promise<T> {
    return this.#core.get(undefined, "SimpleQueue.get");
  }

  /**
   * As {@linkcode SimpleQueue.get}, blocking the calling thread.
   *
   * @returns The item.
   * @throws {RangeError} When this process has closed the queue.
   * @throws {PicklingError} When the item cannot be had here, or not without waiting. It is lost, and the queue goes on.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  getSync(): T {
    return this.#core.getSync(undefined, "SimpleQueue.getSync");
  }

  /**
   * Whether the queue has no items.
   *
   * @throws {RangeError} When this process has closed the queue.
   */
  empty(): boolean {
    // A Queue that was closed unused still tells, as in Python; this one never does.
    if (this.#closed) {
      throw new RangeError(
        "Cannot call SimpleQueue.empty: the SimpleQueue is closed in this process",
      );
    }
    return this.#core.empty();
  }

  /** Says that this process will neither put nor get any more: from now on it throws. Others go on. Twice is once. */
  close(): void {
    this.#closed = true;
    this.#core.close();
  }
}
