/**
 * {@linkcode SyncManager} and {@linkcode Manager}.
 *
 * @module
 */
import {
  BaseManager,
  type ManagerOptions,
  registerOwn,
  type StartOptions,
} from "./_manager_base.ts";
import { ownTypes } from "./_manager_own_types.ts";
import type {
  AcquirerProxy,
  ArrayProxy,
  BarrierProxy,
  ConditionProxy,
  DictProxy,
  DictSource,
  EventProxy,
  ItemSource,
  ListProxy,
  NamespaceProxy,
  QueueProxy,
  SetProxy,
  ValueProxy,
} from "./_proxy_types.ts";
import { sendable } from "./_proxy_types.ts";
import type { PoolProxy } from "./_proxy_pool.ts";
import type { PoolOptions } from "./pool.ts";

/** The types of the items of an `Array`: a code as of Python's `array`, or a typed array of that kind. */
export type ArrayType = NumberCode | BigIntCode | NumberArrayClass | BigIntArrayClass;

/** Codes of items that are numbers. */
export type NumberCode = "b" | "B" | "c" | "u" | "h" | "H" | "i" | "I" | "f" | "d";
/** Codes of items that are bigints. */
export type BigIntCode = "l" | "L" | "q" | "Q";
/** Typed arrays of numbers. */
export type NumberArrayClass =
  | Int8ArrayConstructor
  | Uint8ArrayConstructor
  | Int16ArrayConstructor
  | Uint16ArrayConstructor
  | Int32ArrayConstructor
  | Uint32ArrayConstructor
  | Float32ArrayConstructor
  | Float64ArrayConstructor;
/** Typed arrays of bigints. */
export type BigIntArrayClass = BigInt64ArrayConstructor | BigUint64ArrayConstructor;

const codes = new Map<unknown, string>([
  [Int8Array, "b"],
  [Uint8Array, "B"],
  [Int16Array, "h"],
  [Uint16Array, "H"],
  [Int32Array, "i"],
  [Uint32Array, "I"],
  [Float32Array, "f"],
  [Float64Array, "d"],
  [BigInt64Array, "q"],
  [BigUint64Array, "Q"],
]);

/**
 * A manager that knows the usual types: dicts, lists, sets, namespaces, values, arrays, queues, locks and their kin. Each method makes
 * an object in the server and gives its proxy. As in Python, anything can be put into a list, whatever it was made of; say
 * `manager.list<number>()` to have TypeScript look at it.
 *
 * A dict, list or other object can be put into another: what is put in is its proxy, so a change through one way is seen through all.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.managers.SyncManager | SyncManager}.
 *
 * @example
 * ```ts no-eval
 * import { Process } from "@batteries/concurrent/multiprocessing";
 * import { type DictProxy, type ListProxy, SyncManager } from "@batteries/concurrent/multiprocessing/managers";
 *
 * export async function work(dict: DictProxy<string, number>, list: ListProxy<number>): Promise<void> {
 *   await dict.set("answer", 42);
 *   await list.reverse();
 * }
 *
 * if (import.meta.main) {
 *   await using manager = new SyncManager();
 *   await manager.start();
 *   const dict = await manager.dict<string, number>();
 *   const list = await manager.list([1, 2, 3]);
 *   const process = new Process({ target: work, args: [dict, list] });
 *   process.start();
 *   await process.join();
 *   console.log(await dict.getvalue(), await list.getvalue()); // Map(1) { "answer" => 42 } [ 3, 2, 1 ]
 * }
 * ```
 *
 * @typeParam Types As of {@linkcode BaseManager}.
 */
export class SyncManager<Types extends object = Record<never, never>> extends BaseManager<Types> {
  static {
    registerOwn(SyncManager, ownTypes);
  }

  /** Makes a barrier for `parties`; `action`, an exported function, is called in the server. */
  Barrier(
    parties: number,
    options?: { action?: () => void; timeout?: number },
  ): Promise<BarrierProxy> {
    return this.create("Barrier", parties, ...options === undefined ? [] : [options]);
  }
  /** Makes a semaphore that may not be released more often than acquired. */
  BoundedSemaphore(value = 1): Promise<AcquirerProxy> {
    return this.create("BoundedSemaphore", value);
  }
  /** Makes a condition, with a lock of its own or with that one. */
  Condition(lock?: AcquirerProxy): Promise<ConditionProxy> {
    return this.create("Condition", ...lock === undefined ? [] : [lock]);
  }
  /** Makes an event. */
  Event(): Promise<EventProxy> {
    return this.create("Event");
  }
  /** Makes a lock. Anybody may release it. */
  Lock(): Promise<AcquirerProxy> {
    return this.create("Lock");
  }
  /** Makes a namespace, with these fields. */
  Namespace(fields?: Readonly<Record<string, unknown>>): Promise<NamespaceProxy> {
    return this.create("Namespace", ...fields === undefined ? [] : [fields]);
  }
  /** Makes a pool of processes, which are children of the server. */
  Pool(options?: number | Omit<PoolOptions, "context">): Promise<PoolProxy> {
    return this.create("Pool", ...options === undefined ? [] : [options]);
  }
  /** Makes a queue for `maxsize` items; 0 or less: any number. */
  // deno-lint-ignore no-explicit-any -- without a type, anything
  Queue<T = any>(maxsize = 0): Promise<QueueProxy<T>> {
    return this.create("Queue", maxsize);
  }
  /** The same as {@linkcode SyncManager.Queue}. */
  // deno-lint-ignore no-explicit-any -- without a type, anything
  JoinableQueue<T = any>(maxsize = 0): Promise<QueueProxy<T>> {
    return this.create("JoinableQueue", maxsize);
  }
  /** Makes a reentrant lock. Its owner is a thread of a process: all that goes on in one thread. */
  RLock(): Promise<AcquirerProxy> {
    return this.create("RLock");
  }
  /** Makes a semaphore. */
  Semaphore(value = 1): Promise<AcquirerProxy> {
    return this.create("Semaphore", value);
  }
  /** Makes an array of numbers: with these items, or so many zeros. */
  Array(
    type: NumberCode | NumberArrayClass,
    source: Iterable<number> | number,
  ): Promise<ArrayProxy<number>>;
  /** Makes an array of bigints: with these items, or so many zeros. */
  Array(
    type: BigIntCode | BigIntArrayClass,
    source: Iterable<bigint> | number,
  ): Promise<ArrayProxy<bigint>>;
  Array(
    type: ArrayType,
    source: Iterable<unknown> | number,
  ): Promise<ArrayProxy<number> & ArrayProxy<bigint>> {
    return this.create("Array", codes.get(type) ?? type, sendable(source));
  }
  /** Makes a value. The type is there for Python's sake and not looked at. */
  // deno-lint-ignore no-explicit-any -- without a type, anything
  Value<T = any>(type: string, value: NoInfer<T>): Promise<ValueProxy<T>> {
    return this.create("Value", type, value);
  }
  /** Makes a dict, with these pairs or the properties of this object. */
  // deno-lint-ignore no-explicit-any -- without a type, anything
  dict<K = any, V = any>(
    source?: DictSource<NoInfer<K>, NoInfer<V>>,
  ): Promise<DictProxy<K, V>> {
    return this.create("dict", ...source === undefined ? [] : [sendable(source)]);
  }
  /** Makes a list, with these items. */
  // deno-lint-ignore no-explicit-any -- without a type, anything
  list<T = any>(source?: ItemSource<NoInfer<T>>): Promise<ListProxy<T>> {
    return this.create("list", ...source === undefined ? [] : [sendable(source)]);
  }
  /** Makes a set, with these items. */
  // deno-lint-ignore no-explicit-any -- without a type, anything
  set<T = any>(source?: ItemSource<NoInfer<T>>): Promise<SetProxy<T>> {
    return this.create("set", ...source === undefined ? [] : [sendable(source)]);
  }
}

/**
 * A started {@linkcode SyncManager}. Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Manager | multiprocessing.Manager}.
 *
 * @param options As of the constructor and of `start`.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * await using manager = await Manager();
 * const counts = await manager.dict<string, number>({ a: 1 });
 * await counts.set("b", 2);
 * assertEquals(await counts.keys(), ["a", "b"]);
 * ```
 */
export async function Manager(options?: ManagerOptions & StartOptions): Promise<SyncManager> {
  const manager = new SyncManager(options);
  await manager.start(options);
  return manager;
}
