/**
 * {@linkcode PriorityQueue}.
 *
 * @module
 */
import { bagOf, pack, register } from "../threading/_core/mod.ts";
import { checked, naturalOrder } from "./_order.ts";
import { ordered, Queue, reviveQueue } from "./queue.ts";

/** Options of {@linkcode PriorityQueue}. */
export interface PriorityQueueOptions<T> {
  /**
   * The order of the items: negative when `a` comes out before `b`. Where it returns anything but a number, a call that has to
   * compare throws a `TypeError` and changes nothing. It has to be exported, as a thread's target has, when the queue
   * is handed to a thread, and must not use the queue. By default numbers, bigints, strings, dates, and arrays of these element by
   * element.
   */
  compare?: (a: T, b: T) => number;
}

/**
 * A queue that gives the smallest item first, and among equal ones the one that was put in first. In all else a {@linkcode Queue}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/queue.html#queue.PriorityQueue | queue.PriorityQueue}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { PriorityQueue } from "@batteries/concurrent/queue";
 *
 * const tasks = new PriorityQueue<[number, string]>();
 * await tasks.put([2, "wash up"]);
 * await tasks.put([1, "cook"]);
 * assertEquals(await tasks.get(), [1, "cook"]);
 * ```
 *
 * @typeParam T The items.
 */
export class PriorityQueue<T> extends Queue<T> {
  readonly #compare: ((a: T, b: T) => number) | undefined;

  /**
   * Makes an empty queue. Putting an item that cannot be ordered throws a `TypeError`.
   *
   * @param maxsize As for {@linkcode Queue}.
   * @param options The order.
   * @throws {TypeError} When `options` is not an object, or `compare` is not a function.
   */
  constructor(maxsize = 0, options: PriorityQueueOptions<T> = {}) {
    const { compare } = bagOf(options, "make a PriorityQueue", "{ compare }");
    if (compare !== undefined && typeof compare !== "function") {
      throw new TypeError(
        `Cannot make a PriorityQueue: compare must be a function, got ${typeof compare}`,
      );
    }
    const order = compare === undefined ? naturalOrder : checked(compare);
    super(ordered(maxsize, { order: "priority", compare: order }));
    this.#compare = compare;
  }

  static {
    register(PriorityQueue, {
      name: "PriorityQueue",
      module: import.meta.url,
      reduce: (queue) => {
        // First, since a queue whose order cannot travel stays local.
        pack(queue.#compare, "share a PriorityQueue with", PriorityQueue, { root: "compare" });
        return [queue.#compare, queue._sent()];
      },
      revive: (parts) => {
        const [compare, sent] = parts as [
          ((a: unknown, b: unknown) => number) | undefined,
          unknown,
        ];
        return reviveQueue(sent, (maxsize) => new PriorityQueue(maxsize, { compare }));
      },
    });
  }
}
