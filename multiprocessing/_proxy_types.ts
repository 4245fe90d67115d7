/**
 * The proxy classes of the kinds of objects that a `SyncManager` makes.
 *
 * @module
 */
import {
  type AcquireOptions,
  limitOf,
  now,
  TimeoutError,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import type { CallHow } from "./_manager_hold.ts";
import { BaseProxy, callVia, proxiesOf, type ProxyClass } from "./_proxy.ts";

/** What a manager can make a dict, a set or a Namespace of, or `undefined` for an empty one. */
export type DictSource<K, V> =
  | Iterable<readonly [K, V]>
  | DictProxy<K, V>
  | (K extends string ? Readonly<Record<K, V>> : never);

/** Items: an iterable of them, or a proxy of a list or a set. */
export type ItemSource<T> = Iterable<T> | ListProxy<T> | SetProxy<T>;

/** Makes a call that may wait: checks the options, and sends the signal as what it is. */
export function waiting(
  proxy: BaseProxy,
  name: string,
  args: readonly unknown[],
  options: AcquireOptions | undefined,
): Promise<unknown> {
  if (options === undefined) return callVia(proxy, name, args);
  const { signal } = limitOf(options, `${proxy.constructor.name}.${name}`);
  const { timeout, blocking } = options;
  const rest = {
    ...timeout !== undefined && { timeout },
    ...blocking !== undefined && { blocking },
  };
  const how: CallHow | undefined = signal && { signal, exact: true };
  return callVia(proxy, name, [...args, rest], how);
}

/** Trailing arguments that were not given are not sent: their absence may mean something. */
function given(args: readonly unknown[]): unknown[] {
  return args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1);
}

/**
 * The proxy of a dict: a `Map` in the server. Keys are compared as in a `Map`; since they are copied on their way, an object as a key
 * is never found again. Values that are proxies of the same manager refer to their objects.
 *
 * @typeParam K The keys.
 * @typeParam V The values.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * await using manager = await Manager();
 * const pets = await manager.dict<string, number>({ ferrets: 2 });
 * await pets.set("hamsters", 4);
 * assertEquals(await pets.get("hamsters"), 4);
 * assertEquals(await pets.getvalue(), new Map([["ferrets", 2], ["hamsters", 4]]));
 * ```
 */
// deno-lint-ignore no-explicit-any -- nobody has said what is in it
export class DictProxy<K = any, V = any> extends BaseProxy {
  /** The value of a key; without it `fallback`, or `undefined`. */
  get(key: K): Promise<V | undefined>;
  /** The value of a key, or `fallback`. */
  get<D>(key: K, fallback: D): Promise<V | D>;
  async get(...args: unknown[]): Promise<unknown> {
    return await callVia(this, "get", args);
  }
  /** Sets the value of a key. */
  async set(key: K, value: V): Promise<void> {
    await callVia(this, "set", [key, value]);
  }
  /** Whether there is such a key. */
  async has(key: K): Promise<boolean> {
    return await callVia(this, "has", [key]) as boolean;
  }
  /** Takes a key out; whether there was one. */
  async delete(key: K): Promise<boolean> {
    return await callVia(this, "delete", [key]) as boolean;
  }
  /** Takes everything out. */
  async clear(): Promise<void> {
    await callVia(this, "clear", []);
  }
  /** How many keys there are. */
  async size(): Promise<number> {
    return await callVia(this, "size", []) as number;
  }
  /** The same as {@linkcode DictProxy.size}. */
  async length(): Promise<number> {
    return await callVia(this, "size", []) as number;
  }
  /** The keys, as an array. */
  async keys(): Promise<K[]> {
    return await callVia(this, "keys", []) as K[];
  }
  /** The values, as an array. */
  async values(): Promise<V[]> {
    return await callVia(this, "values", []) as V[];
  }
  /** The pairs, as an array. */
  async entries(): Promise<[K, V][]> {
    return await callVia(this, "entries", []) as [K, V][];
  }
  /** The same as {@linkcode DictProxy.entries}: Python's name. */
  async items(): Promise<[K, V][]> {
    return await callVia(this, "entries", []) as [K, V][];
  }
  /** A copy, as a `Map`. */
  async copy(): Promise<Map<K, V>> {
    return await callVia(this, "copy", []) as Map<K, V>;
  }
  /** Takes a key out and gives its value, or `fallback` when one was given; otherwise a missing key is a `RangeError`. */
  async pop(key: K, ...fallback: [V?]): Promise<V> {
    return await callVia(this, "pop", [key, ...fallback]) as V;
  }
  /** Takes the newest pair out; a `RangeError` when there is none. */
  async popitem(): Promise<[K, V]> {
    return await callVia(this, "popitem", []) as [K, V];
  }
  /** The value of a key, which is `value` from now on if there was none. */
  async setdefault(key: K, value: V): Promise<V> {
    return await callVia(this, "setdefault", [key, value]) as V;
  }
  /** Sets all pairs of `source`. */
  async update(source: DictSource<K, V>): Promise<void> {
    await callVia(this, "update", [sendable(source)]);
  }
  /** A copy, as a `Map`. */
  override getvalue(): Promise<Map<K, V>> {
    return super.getvalue() as Promise<Map<K, V>>;
  }
  /** The pairs that there are when the iteration begins. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<[K, V]> {
    yield* await this.entries();
  }
}

/** What can be sent of an iterable. */
export function sendable(source: unknown): unknown {
  if (source instanceof BaseProxy || source instanceof Map || source instanceof Set) return source;
  if (Array.isArray(source) || ArrayBuffer.isView(source) || typeof source === "string") {
    return source;
  }
  if (typeof source === "object" && source !== null && Symbol.iterator in source) {
    return [...source as Iterable<unknown>];
  }
  return source;
}

/** Items that iterating over a list fetches at once. */
const CHUNK = 64;

/**
 * The proxy of a list: an array in the server. Items that are proxies of the same manager refer to their objects.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * await using manager = await Manager();
 * const inner = await manager.list([1, 2]);
 * const outer = await manager.list([inner]);
 * await inner.append(3);
 * assertEquals(await (await outer.get(0)).getvalue(), [1, 2, 3]);
 * ```
 */
// deno-lint-ignore no-explicit-any -- nobody has said what is in it
export class ListProxy<T = any> extends BaseProxy {
  /** The item at an index, from the end if it is negative; a `RangeError` when there is none. */
  async get(index: number): Promise<T> {
    return await callVia(this, "get", [index]) as T;
  }
  /** Sets the item at an index, from the end if it is negative; a `RangeError` when there is none. */
  async set(index: number, item: T): Promise<void> {
    await callVia(this, "set", [index, item]);
  }
  /** Takes the item at an index out; a `RangeError` when there is none. Python's `del`. */
  async delete(index: number): Promise<void> {
    await callVia(this, "delete", [index]);
  }
  /** The item at an index, from the end if it is negative, or `undefined`. */
  async at(index: number): Promise<T | undefined> {
    return await callVia(this, "at", [index]) as T | undefined;
  }
  /** How many items there are. */
  async length(): Promise<number> {
    return await callVia(this, "length", []) as number;
  }
  /** The same as {@linkcode ListProxy.length}. */
  async size(): Promise<number> {
    return await callVia(this, "length", []) as number;
  }
  /** Adds an item at the end. */
  async append(item: T): Promise<void> {
    await callVia(this, "append", [item]);
  }
  /** Adds items at the end; gives how many there are then. */
  async push(...items: T[]): Promise<number> {
    return await callVia(this, "push", items) as number;
  }
  /** Adds all items of `source` at the end. */
  async extend(source: ItemSource<T>): Promise<void> {
    await callVia(this, "extend", [sendable(source)]);
  }
  /** Adds an item before the one at `index`. */
  async insert(index: number, item: T): Promise<void> {
    await callVia(this, "insert", [index, item]);
  }
  /** Takes the last item out, `undefined` when there is none; or the one at `index`, a `RangeError` when there is none. */
  async pop(index?: number): Promise<T | undefined> {
    return await callVia(this, "pop", given([index])) as T | undefined;
  }
  /** Takes the first item out. */
  async shift(): Promise<T | undefined> {
    return await callVia(this, "shift", []) as T | undefined;
  }
  /** Adds items at the beginning; gives how many there are then. */
  async unshift(...items: T[]): Promise<number> {
    return await callVia(this, "unshift", items) as number;
  }
  /** Takes the first item out that is `item`; a `RangeError` when there is none. */
  async remove(item: T): Promise<void> {
    await callVia(this, "remove", [item]);
  }
  /** Takes everything out. */
  async clear(): Promise<void> {
    await callVia(this, "clear", []);
  }
  /** Takes `deleteCount` items out at `start`, puts others in, and gives those that were taken out. */
  async splice(start: number, deleteCount?: number, ...items: T[]): Promise<T[]> {
    const args = deleteCount === undefined && items.length === 0
      ? [start]
      : [start, deleteCount ?? 0];
    return await callVia(this, "splice", [...args, ...items]) as T[];
  }
  /** A copy of a part. */
  async slice(start?: number, end?: number): Promise<T[]> {
    return await callVia(this, "slice", given([start, end])) as T[];
  }
  /** A copy with other items after it. */
  async concat(...others: (readonly T[] | ListProxy<T>)[]): Promise<T[]> {
    return await callVia(this, "concat", others) as T[];
  }
  /** A copy. */
  async copy(): Promise<T[]> {
    return await callVia(this, "copy", []) as T[];
  }
  /** Whether `item` is in the list. */
  async includes(item: T, from?: number): Promise<boolean> {
    return await callVia(this, "includes", given([item, from])) as boolean;
  }
  /** The index of `item`, or -1. */
  async indexOf(item: T, from?: number): Promise<number> {
    return await callVia(this, "indexOf", given([item, from])) as number;
  }
  /** The last index of `item`, or -1. */
  async lastIndexOf(item: T): Promise<number> {
    return await callVia(this, "lastIndexOf", [item]) as number;
  }
  /** The index of `item`; a `RangeError` when it is not in the list. Python's form of {@linkcode ListProxy.indexOf}. */
  async index(item: T, from?: number, to?: number): Promise<number> {
    return await callVia(this, "index", given([item, from, to])) as number;
  }
  /** How often `item` is in the list. */
  async count(item: T): Promise<number> {
    return await callVia(this, "count", [item]) as number;
  }
  /** Turns the list round. */
  async reverse(): Promise<void> {
    await callVia(this, "reverse", []);
  }
  /**
   * Sorts the list: numbers by their size, dates by their time, everything else as text. (A comparing function would have to be called
   * here for each pair.)
   */
  async sort(options?: { reverse?: boolean }): Promise<void> {
    await callVia(this, "sort", given([options]));
  }
  /** A sorted copy; see {@linkcode ListProxy.sort}. */
  async toSorted(options?: { reverse?: boolean }): Promise<T[]> {
    return await callVia(this, "toSorted", given([options])) as T[];
  }
  /** A copy, turned round. */
  async toReversed(): Promise<T[]> {
    return await callVia(this, "toReversed", []) as T[];
  }
  /** A copy with some items replaced. */
  async toSpliced(start: number, deleteCount: number, ...items: T[]): Promise<T[]> {
    return await callVia(this, "toSpliced", [start, deleteCount, ...items]) as T[];
  }
  /** A copy with another item at an index. */
  async with(index: number, item: T): Promise<T[]> {
    return await callVia(this, "with", [index, item]) as T[];
  }
  /** Sets a part, or everything, to `item`. */
  async fill(item: T, start?: number, end?: number): Promise<void> {
    await callVia(this, "fill", given([item, start, end]));
  }
  /** Copies a part over another. */
  async copyWithin(target: number, start: number, end?: number): Promise<void> {
    await callVia(this, "copyWithin", given([target, start, end]));
  }
  /** A copy in which arrays are replaced by their items. */
  async flat(depth?: number): Promise<unknown[]> {
    return await callVia(this, "flat", given([depth])) as unknown[];
  }
  /** The items as text. */
  async join(separator?: string): Promise<string> {
    return await callVia(this, "join", given([separator])) as string;
  }
  /** The indexes, as an array. */
  async keys(): Promise<number[]> {
    return await callVia(this, "keys", []) as number[];
  }
  /** The items, as an array. */
  async values(): Promise<T[]> {
    return await callVia(this, "values", []) as T[];
  }
  /** Pairs of index and item, as an array. */
  async entries(): Promise<[number, T][]> {
    return await callVia(this, "entries", []) as [number, T][];
  }
  /** A copy. */
  override getvalue(): Promise<T[]> {
    return super.getvalue() as Promise<T[]>;
  }
  /** The items in order, fetched some at a time: changes further on are seen. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (let at = 0;; at += CHUNK) {
      const chunk = await this.slice(at, at + CHUNK);
      yield* chunk;
      if (chunk.length < CHUNK) return;
    }
  }
}

/**
 * The proxy of a set: a `Set` in the server.
 *
 * @typeParam T The items.
 */
// deno-lint-ignore no-explicit-any -- nobody has said what is in it
export class SetProxy<T = any> extends BaseProxy {
  /** Adds an item. */
  async add(item: T): Promise<void> {
    await callVia(this, "add", [item]);
  }
  /** Whether `item` is in the set. */
  async has(item: T): Promise<boolean> {
    return await callVia(this, "has", [item]) as boolean;
  }
  /** Takes an item out; whether it was there. */
  async delete(item: T): Promise<boolean> {
    return await callVia(this, "delete", [item]) as boolean;
  }
  /** Takes an item out, if it is there. */
  async discard(item: T): Promise<void> {
    await callVia(this, "discard", [item]);
  }
  /** Takes an item out; a `RangeError` when it is not there. */
  async remove(item: T): Promise<void> {
    await callVia(this, "remove", [item]);
  }
  /** Takes some item out; a `RangeError` when there is none. */
  async pop(): Promise<T> {
    return await callVia(this, "pop", []) as T;
  }
  /** Takes everything out. */
  async clear(): Promise<void> {
    await callVia(this, "clear", []);
  }
  /** How many items there are. */
  async size(): Promise<number> {
    return await callVia(this, "size", []) as number;
  }
  /** The same as {@linkcode SetProxy.size}. */
  async length(): Promise<number> {
    return await callVia(this, "size", []) as number;
  }
  /** The items, as an array. */
  async keys(): Promise<T[]> {
    return await callVia(this, "keys", []) as T[];
  }
  /** The items, as an array. */
  async values(): Promise<T[]> {
    return await callVia(this, "values", []) as T[];
  }
  /** Pairs of each item with itself, as an array. */
  async entries(): Promise<[T, T][]> {
    return await callVia(this, "entries", []) as [T, T][];
  }
  /** A copy, as a `Set`. */
  async copy(): Promise<Set<T>> {
    return await callVia(this, "copy", []) as Set<T>;
  }
  /** Adds all items of others. */
  async update(...others: ItemSource<T>[]): Promise<void> {
    await callVia(this, "update", others.map(sendable));
  }
  /** The items of both. */
  async union<U>(other: ItemSource<U>): Promise<Set<T | U>> {
    return await callVia(this, "union", [sendable(other)]) as Set<T | U>;
  }
  /** The items that are in both. */
  async intersection<U>(other: ItemSource<U>): Promise<Set<T & U>> {
    return await callVia(this, "intersection", [sendable(other)]) as Set<T & U>;
  }
  /** The items that are not in the other. */
  async difference(other: ItemSource<unknown>): Promise<Set<T>> {
    return await callVia(this, "difference", [sendable(other)]) as Set<T>;
  }
  /** The items that are in one of both only. */
  async symmetricDifference<U>(other: ItemSource<U>): Promise<Set<T | U>> {
    return await callVia(this, "symmetricDifference", [sendable(other)]) as Set<T | U>;
  }
  /** Keeps only what is in the other, too. */
  async intersectionUpdate(other: ItemSource<unknown>): Promise<void> {
    await callVia(this, "intersectionUpdate", [sendable(other)]);
  }
  /** Takes out what is in the other. */
  async differenceUpdate(other: ItemSource<unknown>): Promise<void> {
    await callVia(this, "differenceUpdate", [sendable(other)]);
  }
  /** Takes out what is in both, and adds what is only in the other. */
  async symmetricDifferenceUpdate(other: ItemSource<T>): Promise<void> {
    await callVia(this, "symmetricDifferenceUpdate", [sendable(other)]);
  }
  /** Whether all items are in the other. */
  async isSubsetOf(other: ItemSource<unknown>): Promise<boolean> {
    return await callVia(this, "isSubsetOf", [sendable(other)]) as boolean;
  }
  /** Whether all items of the other are in this. */
  async isSupersetOf(other: ItemSource<unknown>): Promise<boolean> {
    return await callVia(this, "isSupersetOf", [sendable(other)]) as boolean;
  }
  /** Whether no item is in both. */
  async isDisjointFrom(other: ItemSource<unknown>): Promise<boolean> {
    return await callVia(this, "isDisjointFrom", [sendable(other)]) as boolean;
  }
  /** A copy, as a `Set`. */
  override getvalue(): Promise<Set<T>> {
    return super.getvalue() as Promise<Set<T>>;
  }
  /** The items that there are when the iteration begins. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    yield* await this.values();
  }
}

/**
 * The proxy of a Namespace: fields by name.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * await using manager = await Manager();
 * const common = await manager.Namespace({ name: "Bob" });
 * await common.set("job", "Builder");
 * assertEquals(await common.getvalue(), { name: "Bob", job: "Builder" });
 * ```
 */
export class NamespaceProxy extends BaseProxy {
  /** The value of a field, or `fallback`. */
  // deno-lint-ignore no-explicit-any -- a field can hold anything
  async get(name: string, fallback?: unknown): Promise<any> {
    return await callVia(this, "get", given([name, fallback]));
  }
  /** Sets a field. */
  async set(name: string, value: unknown): Promise<void> {
    await callVia(this, "set", [name, value]);
  }
  /** Whether there is such a field. */
  async has(name: string): Promise<boolean> {
    return await callVia(this, "has", [name]) as boolean;
  }
  /** Takes a field away; whether there was one. */
  async delete(name: string): Promise<boolean> {
    return await callVia(this, "delete", [name]) as boolean;
  }
  /** The names, as an array. */
  async keys(): Promise<string[]> {
    return await callVia(this, "keys", []) as string[];
  }
  /** The values, as an array. */
  async values(): Promise<unknown[]> {
    return await callVia(this, "values", []) as unknown[];
  }
  /** Pairs of name and value, as an array. */
  async entries(): Promise<[string, unknown][]> {
    return await callVia(this, "entries", []) as [string, unknown][];
  }
  /** A copy, as a plain object. */
  override getvalue(): Promise<Record<string, unknown>> {
    return super.getvalue() as Promise<Record<string, unknown>>;
  }
}

/**
 * The proxy of a Value: one value.
 *
 * @typeParam T The value.
 */
// deno-lint-ignore no-explicit-any -- nobody has said what is in it
export class ValueProxy<T = any> extends BaseProxy {
  /** The value. */
  async get(): Promise<T> {
    return await callVia(this, "get", []) as T;
  }
  /** Sets the value. */
  async set(value: T): Promise<void> {
    await callVia(this, "set", [value]);
  }
  /** The value, as {@linkcode ValueProxy.get} gives it. */
  get value(): Promise<T> {
    return this.get();
  }
  /** The value. */
  override getvalue(): Promise<T> {
    return super.getvalue() as Promise<T>;
  }
}

/**
 * The proxy of an Array: a typed array in the server.
 *
 * @typeParam T The items: `number` or `bigint`.
 */
export class ArrayProxy<T extends number | bigint = number> extends BaseProxy {
  /** The item at an index, from the end if it is negative; a `RangeError` when there is none. */
  async get(index: number): Promise<T> {
    return await callVia(this, "get", [index]) as T;
  }
  /** Sets the item at an index; a `RangeError` when there is none, or `value` is out of range. */
  async set(index: number, value: T): Promise<void> {
    await callVia(this, "set", [index, value]);
  }
  /** The item at an index, from the end if it is negative, or `undefined`. */
  async at(index: number): Promise<T | undefined> {
    return await callVia(this, "at", [index]) as T | undefined;
  }
  /** How many items there are. */
  async length(): Promise<number> {
    return await callVia(this, "length", []) as number;
  }
  /** A copy of a part, as a typed array. */
  async slice(start?: number, end?: number): Promise<ArrayBufferView & Iterable<T>> {
    return await callVia(this, "slice", given([start, end])) as ArrayBufferView & Iterable<T>;
  }
  /** Sets a part, or everything, to `value`. */
  async fill(value: T, start?: number, end?: number): Promise<void> {
    await callVia(this, "fill", given([value, start, end]));
  }
  /** Whether `value` is in the array. */
  async includes(value: T, from?: number): Promise<boolean> {
    return await callVia(this, "includes", given([value, from])) as boolean;
  }
  /** The index of `value`, or -1. */
  async indexOf(value: T, from?: number): Promise<number> {
    return await callVia(this, "indexOf", given([value, from])) as number;
  }
  /** Turns the array round. */
  async reverse(): Promise<void> {
    await callVia(this, "reverse", []);
  }
  /** Sorts the array by size. */
  async sort(): Promise<void> {
    await callVia(this, "sort", []);
  }
  /** The indexes, as an array. */
  async keys(): Promise<number[]> {
    return await callVia(this, "keys", []) as number[];
  }
  /** The items, as an array. */
  async values(): Promise<T[]> {
    return await callVia(this, "values", []) as T[];
  }
  /** Pairs of index and item, as an array. */
  async entries(): Promise<[number, T][]> {
    return await callVia(this, "entries", []) as [number, T][];
  }
  /** A copy, as a typed array. */
  override getvalue(): Promise<ArrayBufferView & Iterable<T>> {
    return super.getvalue() as Promise<ArrayBufferView & Iterable<T>>;
  }
  /** The items that there are when the iteration begins. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    yield* await this.values();
  }
}

/** A guard that releases a lock of a manager. */
export interface Held extends Disposable, AsyncDisposable {
  /** Sends the release. What this process asks of the manager afterwards comes after it. */
  [Symbol.dispose](): void;
  /** Sends the release and waits until it is done. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The proxy of a Lock, an RLock or a semaphore. It belongs to the manager's server: when a process ends that has acquired it, it stays
 * acquired.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing";
 * import { assert } from "@std/assert";
 *
 * await using manager = await Manager();
 * const lock = await manager.Lock();
 * {
 *   await using _held = await lock.hold();
 *   assert(!await lock.acquire({ timeout: 10 }));
 * }
 * assert(await lock.acquire());
 * ```
 */
export class AcquirerProxy extends BaseProxy {
  /**
   * Waits until it can be acquired, and acquires it.
   *
   * @param options How long to wait, or `blocking: false` to try once.
   * @returns Whether it was acquired; `false` only when time ran out.
   * @throws {RangeError} When `timeout` is `NaN` or too large, or given with `blocking: false`.
   * @throws The signal's reason, when it is aborted.
   */
  async acquire(options?: AcquireOptions): Promise<boolean> {
    return await waiting(this, "acquire", [], options) as boolean;
  }

  /**
   * Gives it back; `n` times, if it is a semaphore.
   *
   * @throws {ThreadError} When a lock is not locked, or an RLock is another client's.
   * @throws {RangeError} When a bounded semaphore is released too often.
   */
  async release(n?: number): Promise<void> {
    await callVia(this, "release", given([n]));
  }

  /** Whether a lock is locked. */
  async locked(): Promise<boolean> {
    return await callVia(this, "locked", []) as boolean;
  }

  /**
   * Acquires it for the length of an `await using` (or `using`) block.
   *
   * @param options How long to wait.
   * @throws {TimeoutError} When time ran out.
   */
  async hold(options?: WaitOptions): Promise<Held> {
    if (!await this.acquire(options)) {
      throw new TimeoutError(
        `Cannot hold the ${this.constructor.name}: it was not free before the timeout`,
      );
    }
    let release = (): Promise<void> => {
      release = () => Promise.resolve();
      return this.release();
    };
    return {
      // What goes wrong here has no one to tell: the server has ended, and the lock with it.
      [Symbol.dispose]: () => void release().catch(() => {}),
      [Symbol.asyncDispose]: () => release(),
    };
  }
}

/** The proxy of a Condition. Its lock belongs to the client, as that of an RLock does. */
export class ConditionProxy extends AcquirerProxy {
  /**
   * Unlocks, waits until notified, and locks again, whatever happened.
   *
   * @param options How long to wait.
   * @returns Whether it was notified; `false` only when time ran out.
   * @throws {ThreadError} When the caller does not hold the lock.
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    return await waiting(this, "wait", [], options) as boolean;
  }

  /**
   * Waits until `predicate` is true; it is called here, and may ask the manager.
   *
   * @param predicate What is waited for.
   * @param options How long to wait.
   * @returns What the predicate gave last.
   */
  async waitFor<T>(predicate: () => T, options?: WaitOptions): Promise<Awaited<T>> {
    const { deadline } = limitOf(options, "ConditionProxy.waitFor");
    for (;;) {
      const result = await predicate();
      if (result) return result;
      const left = deadline - now();
      if (left <= 0) return result;
      const timeout = deadline === Infinity ? undefined : left;
      await this.wait({ ...options, timeout });
    }
  }

  /**
   * Lets the first `n` go that wait.
   *
   * @throws {ThreadError} When the caller does not hold the lock.
   */
  async notify(n?: number): Promise<void> {
    await callVia(this, "notify", given([n]));
  }

  /**
   * Lets all go that wait.
   *
   * @throws {ThreadError} When the caller does not hold the lock.
   */
  async notifyAll(): Promise<void> {
    await callVia(this, "notifyAll", []);
  }
}

/** The proxy of an Event. */
export class EventProxy extends BaseProxy {
  /** Whether it is set. */
  async isSet(): Promise<boolean> {
    return await callVia(this, "isSet", []) as boolean;
  }
  /** Sets it: everybody who waits goes on. */
  async set(): Promise<void> {
    await callVia(this, "set", []);
  }
  /** Clears it. */
  async clear(): Promise<void> {
    await callVia(this, "clear", []);
  }
  /** Waits until it is set; `false` only when time ran out. */
  async wait(options?: WaitOptions): Promise<boolean> {
    return await waiting(this, "wait", [], options) as boolean;
  }
}

/** The proxy of a Barrier. */
export class BarrierProxy extends BaseProxy {
  /**
   * Arrives, and waits until all parties have.
   *
   * @returns A number from 0 to `parties - 1`, a different one for each party.
   * @throws {BrokenBarrierError} When the barrier is broken or reset, before or during the wait.
   */
  async wait(options?: WaitOptions): Promise<number> {
    return await waiting(this, "wait", [], options) as number;
  }
  /** Breaks the barrier. */
  async abort(): Promise<void> {
    await callVia(this, "abort", []);
  }
  /** Empties the barrier and makes it whole. */
  async reset(): Promise<void> {
    await callVia(this, "reset", []);
  }
  /** How many have to arrive. */
  async parties(): Promise<number> {
    return await callVia(this, "parties", []) as number;
  }
  /** How many wait now. */
  async nWaiting(): Promise<number> {
    return await callVia(this, "nWaiting", []) as number;
  }
  /** Whether it is broken. */
  async broken(): Promise<boolean> {
    return await callVia(this, "broken", []) as boolean;
  }
}

/**
 * The proxy of a queue.
 *
 * @typeParam T The items.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing";
 * import { Empty } from "@batteries/concurrent/queue";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * await using manager = await Manager();
 * const queue = await manager.Queue<string>();
 * await queue.put("job");
 * assertEquals(await queue.get(), "job");
 * await assertRejects(() => queue.get({ timeout: 10 }), Empty);
 * ```
 */
// deno-lint-ignore no-explicit-any -- nobody has said what is in it
export class QueueProxy<T = any> extends BaseProxy {
  /**
   * Waits for room and puts an item in.
   *
   * @throws {Full} When time ran out.
   * @throws {ShutDown} When the queue is, or meanwhile was, shut down.
   */
  async put(item: T, options?: WaitOptions): Promise<void> {
    await waiting(this, "put", [item], options);
  }
  /**
   * Waits for an item and takes it out.
   *
   * @throws {Empty} When time ran out.
   * @throws {ShutDown} When the queue is, or meanwhile was, shut down, and is empty.
   */
  async get(options?: WaitOptions): Promise<T> {
    return await waiting(this, "get", [], options) as T;
  }
  /** Puts an item in if there is room; otherwise a `Full`. */
  async putNowait(item: T): Promise<void> {
    await callVia(this, "putNowait", [item]);
  }
  /** Takes an item out if there is one; otherwise an `Empty`. */
  async getNowait(): Promise<T> {
    return await callVia(this, "getNowait", []) as T;
  }
  /** How many items are in the queue. */
  async qsize(): Promise<number> {
    return await callVia(this, "qsize", []) as number;
  }
  /** Whether there is no item. */
  async empty(): Promise<boolean> {
    return await callVia(this, "empty", []) as boolean;
  }
  /** Whether there is no room. */
  async full(): Promise<boolean> {
    return await callVia(this, "full", []) as boolean;
  }
  /** How many items it holds; 0 or less: any number. */
  async maxsize(): Promise<number> {
    return await callVia(this, "maxsize", []) as number;
  }
  /** Says that the work on one item is done; a `RangeError` when that was said too often. */
  async taskDone(): Promise<void> {
    await callVia(this, "taskDone", []);
  }
  /**
   * Waits until the work on every item is done.
   *
   * @throws {TimeoutError} When time ran out.
   */
  async join(options?: WaitOptions): Promise<void> {
    await waiting(this, "join", [], options);
  }
  /** Closes the queue: see `Queue.shutdown` of `queue`. */
  async shutdown(options?: { immediate?: boolean }): Promise<void> {
    await callVia(this, "shutdown", given([options]));
  }
  /** Whether the queue was shut down. */
  async isShutdown(): Promise<boolean> {
    return await callVia(this, "isShutdown", []) as boolean;
  }
  /** Takes items until the queue is shut down and empty. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<T> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof Error && error.name === "ShutDown") return;
        throw error;
      }
      yield item;
    }
  }
}

/**
 * The proxy of an iterator or a generator in the server.
 *
 * @typeParam T The items.
 */
// deno-lint-ignore no-explicit-any -- nobody has said what is in it
export class IteratorProxy<T = any> extends BaseProxy implements AsyncIterableIterator<T> {
  /** Goes on to the next item. */
  async next(...args: [unknown?]): Promise<IteratorResult<T, unknown>> {
    return await callVia(this, "next", args) as IteratorResult<T, unknown>;
  }
  /** Ends the iterator. */
  async return(value?: unknown): Promise<IteratorResult<T, unknown>> {
    return await callVia(this, "return", given([value])) as IteratorResult<T, unknown>;
  }
  /** Throws at the place where the generator stands. */
  async throw(error?: unknown): Promise<IteratorResult<T, unknown>> {
    return await callVia(this, "throw", [error]) as IteratorResult<T, unknown>;
  }
  /** Itself. */
  [Symbol.asyncIterator](): this {
    return this;
  }
}

const TYPES: Readonly<Record<string, ProxyClass>> = {
  dict: DictProxy,
  list: ListProxy,
  set: SetProxy,
  Namespace: NamespaceProxy,
  Value: ValueProxy,
  Array: ArrayProxy,
  Lock: AcquirerProxy,
  RLock: AcquirerProxy,
  Semaphore: AcquirerProxy,
  Condition: ConditionProxy,
  Event: EventProxy,
  Barrier: BarrierProxy,
  Queue: QueueProxy,
  SimpleQueue: QueueProxy,
  Iterator: IteratorProxy,
};

for (const [kind, type] of Object.entries(TYPES)) proxiesOf(kind, type);
