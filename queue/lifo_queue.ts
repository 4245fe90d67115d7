/**
 * {@linkcode LifoQueue}.
 *
 * @module
 */
import { register } from "../threading/_core/mod.ts";
import { ordered, Queue, reviveQueue } from "./queue.ts";

/**
 * A last in, first out queue. In all else a {@linkcode Queue}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/queue.html#queue.LifoQueue | queue.LifoQueue}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { LifoQueue } from "@batteries/concurrent/queue";
 *
 * const stack = new LifoQueue<string>();
 * await stack.put("first");
 * await stack.put("second");
 * assertEquals(await stack.get(), "second");
 * ```
 *
 * @typeParam T The items.
 */
export class LifoQueue<T> extends Queue<T> {
  /**
   * Makes an empty queue.
   *
   * @param maxsize As for {@linkcode Queue}.
   */
  constructor(maxsize = 0) {
    super(ordered(maxsize, { order: "lifo" }));
  }

  static {
    register(LifoQueue, {
      name: "LifoQueue",
      module: import.meta.url,
      reduce: (queue) => queue._sent(),
      revive: (parts) => reviveQueue(parts, (maxsize) => new LifoQueue(maxsize)),
    });
  }
}
