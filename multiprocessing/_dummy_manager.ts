/**
 * `Manager` of `dummy`: the factories of a manager, for plain objects of this thread.
 *
 * @module
 */
import { Queue } from "../queue/mod.ts";
import {
  Barrier,
  type BarrierOptions,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
} from "../threading/mod.ts";
import { DummyArray, DummyValue } from "./_dummy_values.ts";

import { ThreadPool, type ThreadPoolOptions } from "./pool.ts";

/**
 * An object for attributes.
 *
 * Stands for Python's `multiprocessing.dummy.Namespace`.
 *
 * @example
 * ```ts
 * import { Namespace } from "@batteries/concurrent/multiprocessing/dummy";
 * import { assertEquals } from "@std/assert";
 *
 * const namespace = new Namespace({ name: "Bob" });
 * namespace.set("job", "Builder");
 * assertEquals([namespace.get("name"), namespace.job], ["Bob", "Builder"]);
 * ```
 */
export class Namespace {
  /** The attributes. */
  [name: string]: unknown;

  /** Makes one with these attributes. */
  constructor(attributes: Record<string, unknown> = {}) {
    Object.assign(this, attributes);
  }

  static {
    const methods: Record<string, (this: Namespace, name: string, value: unknown) => unknown> = {
      get(name) {
        return Object.hasOwn(this, name) ? this[name] : undefined;
      },
      set(name, value) {
        this[name] = value;
      },
      has(name) {
        return Object.hasOwn(this, name);
      },
      delete(name) {
        return Object.hasOwn(this, name) && delete this[name];
      },
    };
    for (const [name, value] of Object.entries(methods)) {
      Object.defineProperty(Namespace.prototype, name, { value, writable: true });
    }
  }

  /** An attribute; `undefined` when there is none. */
  declare get: (name: string) => unknown;
  /** Sets an attribute. */
  declare set: (name: string, value: unknown) => void;
  /** Whether there is such an attribute. */
  declare has: (name: string) => boolean;
  /** Removes an attribute; whether there was one. */
  declare delete: (name: string) => boolean;
}

/** What {@linkcode Manager} gives: makes objects of this thread, with the names of a manager's types. */
export class DummyManager implements Disposable, AsyncDisposable {
  /** A new lock. */
  Lock(): Lock {
    return new Lock();
  }
  /** A new reentrant lock. */
  RLock(): RLock {
    return new RLock();
  }
  /** A new condition. */
  Condition(lock?: Lock | RLock): Condition {
    return new Condition(lock);
  }
  /** A new semaphore. */
  Semaphore(value?: number): Semaphore {
    return new Semaphore(value);
  }
  /** A new semaphore with a bound. */
  BoundedSemaphore(value?: number): BoundedSemaphore {
    return new BoundedSemaphore(value);
  }
  /** A new event. */
  Event(): Event {
    return new Event();
  }
  /** A new barrier. */
  Barrier(parties: number, options?: BarrierOptions): Barrier {
    return new Barrier(parties, options);
  }
  /** A new queue. */
  Queue<T = unknown>(maxsize?: number): Queue<T> {
    return new Queue<T>(maxsize);
  }
  /** A new queue that can be joined. */
  JoinableQueue<T = unknown>(maxsize?: number): Queue<T> {
    return new Queue<T>(maxsize);
  }
  /** A value that threads share. See `Value`. */
  readonly Value: typeof DummyValue = DummyValue;
  /** An array that threads share. See `Array`. */
  readonly Array: typeof DummyArray = DummyArray;
  /** A pool of threads. */
  Pool(options?: number | ThreadPoolOptions): ThreadPool {
    return new ThreadPool(options);
  }
  /** A `Map`, of entries or of an object's properties. */
  dict<K = unknown, V = unknown>(
    entries?: Iterable<readonly [K, V]> | Readonly<Record<string, V>>,
  ): Map<K, V> {
    if (entries === undefined) return new Map();
    if (Symbol.iterator in Object(entries)) return new Map(entries as Iterable<readonly [K, V]>);
    return new Map(Object.entries(entries) as unknown as [K, V][]);
  }
  /** An array of the items. */
  list<T = unknown>(items: Iterable<T> = []): T[] {
    return [...items];
  }
  /** A `Set` of the items. */
  set<T = unknown>(items: Iterable<T> = []): Set<T> {
    return new Set(items);
  }
  /** An object for attributes. */
  Namespace(attributes?: Record<string, unknown>): Namespace {
    return new Namespace(attributes);
  }

  /** Does nothing: there is no server. */
  async shutdown(): Promise<void> {}
  /** Does nothing. */
  [Symbol.dispose](): void {}
  /** Does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

/**
 * An object with the factories of a manager, whose objects are plain ones of this thread.
 *
 * Stands for Python's `multiprocessing.dummy.Manager`.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing/dummy";
 * import { assertEquals } from "@std/assert";
 *
 * const manager = await Manager();
 * const dict = manager.dict({ a: 1 });
 * dict.set("b", 2);
 * assertEquals([...dict.keys()], ["a", "b"]);
 * assertEquals(manager.list([1, 2]).length, 2);
 * ```
 */
export function Manager(): DummyManager {
  return new DummyManager();
}
