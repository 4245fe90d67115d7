/**
 * {@linkcode SimpleQueue}.
 *
 * @module
 */
import { register, type WaitOptions } from "../threading/_core/mod.ts";
import { Core, type Sent } from "./_base.ts";
import { naturalOrder } from "./_order.ts";

let revived: Sent | undefined;

/**
 * A first in, first out queue of any size, without `join` and `shutdown`: `put` never waits. In all else a `Queue`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/queue.html#simplequeue-objects | queue.SimpleQueue}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SimpleQueue } from "@batteries/concurrent/queue";
 *
 * const queue = new SimpleQueue<string>();
 * queue.put("an item");
 * assertEquals(await queue.get(), "an item");
 * ```
 *
 * @typeParam T The items.
 */
export class SimpleQueue<T> {
  readonly #core: Core<T>;

  /** Makes an empty queue. */
  constructor() {
    const sent = revived;
    revived = undefined;
    this.#core = new Core(0, "fifo", naturalOrder, sent);
  }

  static {
    register(SimpleQueue, {
      name: "SimpleQueue",
      module: import.meta.url,
      reduce: (queue) => queue.#core.share(),
      revive: (sent) => {
        revived = sent as Sent;
        return new SimpleQueue();
      },
    });
  }

  /**
   * Puts an item in.
   *
   * @param item The item.
   * @throws {PicklingError} When the queue is shared with threads and the item cannot travel. The queue goes on.
   */
  put(item: T): void {
    this.#core.putNowait(item, SimpleQueue.prototype.put);
  }

  /**
   * The same as {@linkcode SimpleQueue.put}, for code that was written for `Queue`.
   *
   * @param item The item.
   * @throws {PicklingError} When the queue is shared with threads and the item cannot travel. The queue goes on.
   */
  putNowait(item: T): void {
    this.#core.putNowait(item, SimpleQueue.prototype.putNowait);
  }

  /**
   * Waits for an item and takes it out.
   *
   * @param options How long to wait.
   * @returns The item.
   * @throws {Empty} When time ran out.
   * @throws The signal's reason, when it is aborted.
   */
  get(options?: WaitOptions): Promise<T> {
    return this.#core.get(options, "SimpleQueue.get");
  }

  /**
   * As {@linkcode SimpleQueue.get}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait.
   * @returns The item.
   * @throws {Empty} When time ran out.
   */
  getSync(options?: WaitOptions): T {
    return this.#core.getSync(options, "SimpleQueue.getSync");
  }

  /**
   * Takes an item out if there is one now.
   *
   * @returns The item.
   * @throws {Empty} When there is none.
   */
  getNowait(): T {
    return this.#core.getNowait();
  }

  /** How many items are in the queue, except those that a waiting `get` is about to take. */
  qsize(): number {
    return this.#core.gate.size;
  }

  /** Whether there is no item that a `get` could take now. */
  empty(): boolean {
    return this.#core.gate.size <= 0;
  }
}
