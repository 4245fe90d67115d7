/**
 * {@linkcode Queue}.
 *
 * @module
 */
import {
  bagOf,
  limitOf,
  register,
  TimeoutError,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { Core, type Sent } from "./_base.ts";
import { naturalOrder } from "./_order.ts";
import type { Order } from "./_shelf.ts";
import { ShutDown } from "./errors.ts";

/** What the next queue is, besides its size. Set right before a constructor is called, and used up by {@linkcode Queue}'s. */
interface Making {
  readonly order?: Order;
  readonly compare?: (a: never, b: never) => number;
  readonly sent?: Sent;
}

let making: Making = {};

/** Passes `maxsize` on to {@linkcode Queue}'s constructor, and the rest behind its public parameters. For this package's classes. */
export function ordered(maxsize: number, how: Making): number {
  making = { ...making, ...how };
  return maxsize;
}

function used(): Making {
  const used = making;
  making = {};
  return used;
}

/**
 * A first in, first out queue for many producers and many consumers: asynchronous tasks, threads that block, or both.
 *
 * - Within one thread items are the very same objects. Once the queue is handed to a thread they are copied, as a thread's arguments
 *   are: those that are in it then, all or none, and from then on each when it is put.
 * - `put` and `get` wait without blocking the event loop, `putSync` and `getSync` block the calling thread. Those who wait are
 *   served in the order they came; but one who comes while a blocked thread is being woken may take an item before it does.
 * - A call that times out or is aborted has put or taken nothing.
 * - `for await` takes items until the queue is shut down and empty.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/queue.html#queue.Queue | queue.Queue}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Queue } from "@batteries/concurrent/queue";
 *
 * const queue = new Queue<number>(2);
 * async function produce() {
 *   for (const n of [1, 2, 3]) await queue.put(n);
 *   queue.shutdown();
 * }
 * async function consume() {
 *   const seen: number[] = [];
 *   for await (const n of queue) seen.push(n);
 *   return seen;
 * }
 * const [, seen] = await Promise.all([produce(), consume()]);
 * assertEquals(seen, [1, 2, 3]);
 * ```
 *
 * @typeParam T The items.
 */
export class Queue<T> {
  readonly #core: Core<T>;
  readonly #maxsize: number;

  /**
   * Makes an empty queue.
   *
   * @param maxsize How many items it holds before `put` has to wait; 0 or less: any number.
   * @throws {TypeError} When `maxsize` is not a number.
   * @throws {RangeError} When `maxsize` is not an integer, or over 2,147,483,647.
   */
  constructor(maxsize = 0) {
    const { order = "fifo", compare = naturalOrder, sent } = used();
    if (typeof maxsize !== "number") {
      throw new TypeError(
        `Cannot make a ${new.target.name}: maxsize must be a number, got ${typeof maxsize}`,
      );
    }
    if (
      maxsize > 0 && maxsize !== Infinity && !(Number.isInteger(maxsize) && maxsize < 2 ** 31) ||
      Number.isNaN(maxsize)
    ) {
      throw new RangeError(
        `Cannot make a ${new.target.name}: maxsize must be an integer up to 2,147,483,647, or 0 for any number of items, got ${maxsize}`,
      );
    }
    this.#maxsize = maxsize;
    const places = maxsize > 0 && maxsize !== Infinity ? maxsize : 0;
    this.#core = new Core(places, order, compare, sent);
  }

  static {
    register(Queue, {
      name: "Queue",
      module: import.meta.url,
      reduce: (queue) => queue._sent(),
      revive: (parts) => reviveQueue(parts, (maxsize) => new Queue(maxsize)),
    });
  }

  /** For reducers: what travels. @internal */
  _sent(): unknown {
    return [this.#maxsize, this.#core.share()];
  }

  /** How many items the queue holds before `put` has to wait; 0 or less: any number. */
  get maxsize(): number {
    return this.#maxsize;
  }

  /** How many items are in the queue, except those that a waiting `get` is about to take. */
  qsize(): number {
    return this.#core.gate.size;
  }

  /** Whether there is no item that a `get` could take now. */
  empty(): boolean {
    return this.#core.gate.size <= 0;
  }

  /** Whether there is no room for an item now. */
  full(): boolean {
    return this.#core.gate.full;
  }

  /** Whether the queue was shut down. */
  get isShutdown(): boolean {
    return this.#core.gate.shut;
  }

  /**
   * Waits for room and puts an item in.
   *
   * @param item The item.
   * @param options How long to wait.
   * @throws {Full} When time ran out.
   * @throws {ShutDown} When the queue is, or meanwhile was, shut down.
   * @throws {PicklingError} When the queue is shared with threads and the item cannot travel. The queue goes on.
   * @throws The signal's reason, when it is aborted.
   */
  put(item: T, options?: WaitOptions): Promise<void> {
    return this.#core.put(item, options, "Queue.put", Queue.prototype.put);
  }

  /**
   * As {@linkcode Queue.put}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param item The item.
   * @param options How long to wait.
   * @throws {Full} When time ran out.
   * @throws {ShutDown} When the queue is, or meanwhile was, shut down.
   * @throws {PicklingError} When the queue is shared with threads and the item cannot travel. The queue goes on.
   */
  putSync(item: T, options?: WaitOptions): void {
    this.#core.putSync(item, options, "Queue.putSync", Queue.prototype.putSync);
  }

  /**
   * Puts an item in if there is room now.
   *
   * @param item The item.
   * @throws {Full} When there is no room.
   * @throws {ShutDown} When the queue was shut down.
   * @throws {PicklingError} When the queue is shared with threads and the item cannot travel. The queue goes on.
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
   * @throws {ShutDown} When the queue is, or meanwhile was, shut down, and is empty.
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
   * @throws {ShutDown} When the queue is, or meanwhile was, shut down, and is empty.
   */
  getSync(options?: WaitOptions): T {
    return this.#core.getSync(options, "Queue.getSync");
  }

  /**
   * Takes an item out if there is one now.
   *
   * @returns The item.
   * @throws {Empty} When there is none.
   * @throws {ShutDown} When the queue was shut down and is empty.
   */
  getNowait(): T {
    return this.#core.getNowait();
  }

  /**
   * Says that the work on one item, which was taken out before, is done. {@linkcode Queue.join} waits for that.
   *
   * @throws {RangeError} When it was said for every item already.
   */
  taskDone(): void {
    if (!this.#core.gate.taskDone()) {
      throw new RangeError(
        "Cannot mark a task as done: taskDone was called for every item already",
      );
    }
  }

  /**
   * Waits until {@linkcode Queue.taskDone} was called for every item that was put in.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When time ran out.
   * @throws The signal's reason, when it is aborted.
   */
  async join(options?: WaitOptions): Promise<void> {
    if (!await this.#core.gate.join(limitOf(options, "Queue.join"))) throw notJoined();
  }

  /**
   * As {@linkcode Queue.join}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When time ran out.
   */
  joinSync(options?: WaitOptions): void {
    if (!this.#core.gate.joinSync(limitOf(options, "Queue.joinSync"))) throw notJoined();
  }

  /**
   * Closes the queue: from now on `put` throws a {@linkcode ShutDown}, and so does `get` once the queue is empty. All who wait for
   * one of these go on.
   *
   * @param options With `immediate: true` the items that are in the queue are thrown away, and counted as done.
   * @throws {TypeError} When `options` is not an object, or `immediate` is not a boolean.
   */
  shutdown(options: { immediate?: boolean } = {}): void {
    const bag: { immediate?: unknown } = bagOf(
      options,
      "shut the queue down",
      "{ immediate: true }",
    );
    const immediate = bag.immediate ?? false;
    if (typeof immediate !== "boolean") {
      throw new TypeError(
        `Cannot shut the queue down: immediate must be a boolean, got ${typeof immediate}`,
      );
    }
    this.#core.shutdown(immediate);
  }

  /** Takes items until the queue is shut down and empty. Each is taken when it is asked for; `taskDone` is not called. */
  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof ShutDown) return;
        throw error;
      }
      yield item;
    }
  }
}

function notJoined(): TimeoutError {
  return new TimeoutError(
    "Cannot join the queue: there is work that was not reported done in time",
  );
}

/** Revives a queue of {@linkcode Queue._sent}. */
export function reviveQueue<Q>(parts: unknown, make: (maxsize: number) => Q): Q {
  const [maxsize, sent] = parts as [number, Sent];
  return make(ordered(maxsize, { sent }));
}
