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
export async function waiting(
  proxy: BaseProxy,
  name: string,
  args: readonly unknown[],
  options: AcquireOptions | undefined,
): Promise<unknown> {
  if (options === undefined) return await callVia(proxy, name, args);
  const { signal } = limitOf(options, `${proxy.constructor.name}.${name}`);
  const { timeout, blocking } = options;
  const rest = {
    ...timeout !== undefined && { timeout },
    ...blocking !== undefined && { blocking },
  };
  const how: CallHow | undefined = signal && { signal, exact: true };
  return await callVia(proxy, name, [...args, rest], how);
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
  get(...args: unknown[]): Promise<unknown> {
    return callVia(this, "get", args) as Promise<unknown>;
  }
  /** Sets the value of a key. */
  set(key: K, value: V): Promise<void> {
    return callVia(this, "set", [key, value]) as Promise<void>;
  }
  /** Whether there is such a key. */
  has(key: K): Promise<boolean> {
    return callVia(this, "has", [key]) as Promise<boolean>;
  }
  /** Takes a key out; whether there was one. */
  delete(key: K): Promise<boolean> {
    return callVia(this, "delete", [key]) as Promise<boolean>;
  }
  /** Takes everything out. */
  clear(): Promise<void> {
    return callVia(this, "clear", []) as Promise<void>;
  }
  /** How many keys there are. */
  size(): Promise<number> {
    return callVia(this, "size", []) as Promise<number>;
  }
  /** The same as {@linkcode DictProxy.size}. */
  length(): Promise<number> {
    return callVia(this, "size", []) as Promise<number>;
  }
  /** The keys, as an array. */
  keys(): Promise<K[]> {
    return callVia(this, "keys", []) as Promise<K[]>;
  }
  /** The values, as an array. */
  values(): Promise<V[]> {
    return callVia(this, "values", []) as Promise<V[]>;
  }
  /** The pairs, as an array. */
  entries(): Promise<[K, V][]> {
    return callVia(this, "entries", []) as Promise<[K, V][]>;
  }
  /** The same as {@linkcode DictProxy.entries}: Python's name. */
  items(): Promise<[K, V][]> {
    return callVia(this, "entries", []) as Promise<[K, V][]>;
  }
  /** A copy, as a `Map`. */
  copy(): Promise<Map<K, V>> {
    return callVia(this, "copy", []) as Promise<Map<K, V>>;
  }
  /** Takes a key out and gives its value, or `fallback` when one was given; otherwise a missing key is a `RangeError`. */
  pop(key: K, ...fallback: [V?]): Promise<V> {
    return callVia(this, "pop", [key, ...fallback]) as Promise<V>;
  }
  /** Takes the newest pair out; a `RangeError` when there is none. */
  popitem(): Promise<[K, V]> {
    return callVia(this, "popitem", []) as Promise<[K, V]>;
  }
  /** The value of a key, which is `value` from now on if there was none. */
  setdefault(key: K, value: V): Promise<V> {
    return callVia(this, "setdefault", [key, value]) as Promise<V>;
  }
  /** Sets all pairs of `source`. */
  update(source: DictSource<K, V>): Promise<void> {
    return callVia(this, "update", [sendable(source)]) as Promise<void>;
  }
  /** A new `Map`, which has nothing of this dict: each of `keys`, with `value`. */
  fromkeys<Key, Value = null>(keys: ItemSource<Key>, value?: Value): Promise<Map<Key, Value>> {
    return callVia(this, "fromkeys", given([sendable(keys), value])) as Promise<Map<Key, Value>>;
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
  get(index: number): Promise<T> {
    return callVia(this, "get", [index]) as Promise<T>;
  }
  /** Sets the item at an index, from the end if it is negative; a `RangeError` when there is none. */
  set(index: number, item: T): Promise<void> {
    return callVia(this, "set", [index, item]) as Promise<void>;
  }
  /** Takes the item at an index out; a `RangeError` when there is none. Python's `del`. */
  delete(index: number): Promise<void> {
    return callVia(this, "delete", [index]) as Promise<void>;
  }
  /** The item at an index, from the end if it is negative, or `undefined`. */
  at(index: number): Promise<T | undefined> {
    return callVia(this, "at", [index]) as Promise<T | undefined>;
  }
  /** How many items there are. */
  length(): Promise<number> {
    return callVia(this, "length", []) as Promise<number>;
  }
  /** The same as {@linkcode ListProxy.length}. */
  size(): Promise<number> {
    return callVia(this, "length", []) as Promise<number>;
  }
  /** Adds an item at the end. */
  append(item: T): Promise<void> {
    return callVia(this, "append", [item]) as Promise<void>;
  }
  /** Adds items at the end; gives how many there are then. */
  push(...items: T[]): Promise<number> {
    return callVia(this, "push", items) as Promise<number>;
  }
  /** Adds all items of `source` at the end. */
  extend(source: ItemSource<T>): Promise<void> {
    return callVia(this, "extend", [sendable(source)]) as Promise<void>;
  }
  /** Adds an item before the one at `index`. */
  insert(index: number, item: T): Promise<void> {
    return callVia(this, "insert", [index, item]) as Promise<void>;
  }
  /** Takes the last item out, `undefined` when there is none; or the one at `index`, a `RangeError` when there is none. */
  pop(index?: number): Promise<T | undefined> {
    return callVia(this, "pop", given([index])) as Promise<T | undefined>;
  }
  /** Takes the first item out. */
  shift(): Promise<T | undefined> {
    return callVia(this, "shift", []) as Promise<T | undefined>;
  }
  /** Adds items at the beginning; gives how many there are then. */
  unshift(...items: T[]): Promise<number> {
    return callVia(this, "unshift", items) as Promise<number>;
  }
  /** Takes the first item out that is `item`; a `RangeError` when there is none. */
  remove(item: T): Promise<void> {
    return callVia(this, "remove", [item]) as Promise<void>;
  }
  /** Takes everything out. */
  clear(): Promise<void> {
    return callVia(this, "clear", []) as Promise<void>;
  }
  /** Takes `deleteCount` items out at `start`, puts others in, and gives those that were taken out. */
  async splice(start: number, deleteCount?: number, ...items: T[]): Promise<T[]> {
    const args = deleteCount === undefined && items.length === 0
      ? [start]
      : [start, deleteCount ?? 0];
    return await callVia(this, "splice", [...args, ...items]) as T[];
  }
  /** A copy of a part. */
  slice(start?: number, end?: number): Promise<T[]> {
    return callVia(this, "slice", given([start, end])) as Promise<T[]>;
  }
  /** A copy with other items after it. */
  concat(...others: (readonly T[] | ListProxy<T>)[]): Promise<T[]> {
    return callVia(this, "concat", others) as Promise<T[]>;
  }
  /** A copy. */
  copy(): Promise<T[]> {
    return callVia(this, "copy", []) as Promise<T[]>;
  }
  /** Whether `item` is in the list. */
  includes(item: T, from?: number): Promise<boolean> {
    return callVia(this, "includes", given([item, from])) as Promise<boolean>;
  }
  /** The index of `item`, or -1. */
  indexOf(item: T, from?: number): Promise<number> {
    return callVia(this, "indexOf", given([item, from])) as Promise<number>;
  }
  /** The last index of `item`, or -1. */
  lastIndexOf(item: T): Promise<number> {
    return callVia(this, "lastIndexOf", [item]) as Promise<number>;
  }
  /** The index of `item`; a `RangeError` when it is not in the list. Python's form of {@linkcode ListProxy.indexOf}. */
  index(item: T, from?: number, to?: number): Promise<number> {
    return callVia(this, "index", given([item, from, to])) as Promise<number>;
  }
  /** How often `item` is in the list. */
  count(item: T): Promise<number> {
    return callVia(this, "count", [item]) as Promise<number>;
  }
  /** Turns the list round. */
  reverse(): Promise<void> {
    return callVia(this, "reverse", []) as Promise<void>;
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
  toReversed(): Promise<T[]> {
    return callVia(this, "toReversed", []) as Promise<T[]>;
  }
  /** A copy with some items replaced. */
  toSpliced(start: number, deleteCount: number, ...items: T[]): Promise<T[]> {
    return callVia(this, "toSpliced", [start, deleteCount, ...items]) as Promise<T[]>;
  }
  /** A copy with another item at an index. */
  with(index: number, item: T): Promise<T[]> {
    return callVia(this, "with", [index, item]) as Promise<T[]>;
  }
  /** Sets a part, or everything, to `item`. */
  fill(item: T, start?: number, end?: number): Promise<void> {
    return callVia(this, "fill", given([item, start, end])) as Promise<void>;
  }
  /** Copies a part over another. */
  copyWithin(target: number, start: number, end?: number): Promise<void> {
    return callVia(this, "copyWithin", given([target, start, end])) as Promise<void>;
  }
  /** A copy in which arrays are replaced by their items. */
  flat(depth?: number): Promise<unknown[]> {
    return callVia(this, "flat", given([depth])) as Promise<unknown[]>;
  }
  /** The items as text. */
  join(separator?: string): Promise<string> {
    return callVia(this, "join", given([separator])) as Promise<string>;
  }
  /** The indexes, as an array. */
  keys(): Promise<number[]> {
    return callVia(this, "keys", []) as Promise<number[]>;
  }
  /** The items, as an array. */
  values(): Promise<T[]> {
    return callVia(this, "values", []) as Promise<T[]>;
  }
  /** Pairs of index and item, as an array. */
  entries(): Promise<[number, T][]> {
    return callVia(this, "entries", []) as Promise<[number, T][]>;
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
  add(item: T): Promise<void> {
    return callVia(this, "add", [item]) as Promise<void>;
  }
  /** Whether `item` is in the set. */
  has(item: T): Promise<boolean> {
    return callVia(this, "has", [item]) as Promise<boolean>;
  }
  /** Takes an item out; whether it was there. */
  delete(item: T): Promise<boolean> {
    return callVia(this, "delete", [item]) as Promise<boolean>;
  }
  /** Takes an item out, if it is there. */
  discard(item: T): Promise<void> {
    return callVia(this, "discard", [item]) as Promise<void>;
  }
  /** Takes an item out; a `RangeError` when it is not there. */
  remove(item: T): Promise<void> {
    return callVia(this, "remove", [item]) as Promise<void>;
  }
  /** Takes some item out; a `RangeError` when there is none. */
  pop(): Promise<T> {
    return callVia(this, "pop", []) as Promise<T>;
  }
  /** Takes everything out. */
  clear(): Promise<void> {
    return callVia(this, "clear", []) as Promise<void>;
  }
  /** How many items there are. */
  size(): Promise<number> {
    return callVia(this, "size", []) as Promise<number>;
  }
  /** The same as {@linkcode SetProxy.size}. */
  length(): Promise<number> {
    return callVia(this, "size", []) as Promise<number>;
  }
  /** The items, as an array. */
  keys(): Promise<T[]> {
    return callVia(this, "keys", []) as Promise<T[]>;
  }
  /** The items, as an array. */
  values(): Promise<T[]> {
    return callVia(this, "values", []) as Promise<T[]>;
  }
  /** Pairs of each item with itself, as an array. */
  entries(): Promise<[T, T][]> {
    return callVia(this, "entries", []) as Promise<[T, T][]>;
  }
  /** A copy, as a `Set`. */
  copy(): Promise<Set<T>> {
    return callVia(this, "copy", []) as Promise<Set<T>>;
  }
  /** Adds all items of others. */
  update(...others: ItemSource<T>[]): Promise<void> {
    return callVia(this, "update", others.map(sendable)) as Promise<void>;
  }
  /** The items of both. */
  union<U>(other: ItemSource<U>): Promise<Set<T | U>> {
    return callVia(this, "union", [sendable(other)]) as Promise<Set<T | U>>;
  }
  /** The items that are in both. */
  intersection<U>(other: ItemSource<U>): Promise<Set<T & U>> {
    return callVia(this, "intersection", [sendable(other)]) as Promise<Set<T & U>>;
  }
  /** The items that are not in the other. */
  difference(other: ItemSource<unknown>): Promise<Set<T>> {
    return callVia(this, "difference", [sendable(other)]) as Promise<Set<T>>;
  }
  /** The items that are in one of both only. */
  symmetricDifference<U>(other: ItemSource<U>): Promise<Set<T | U>> {
    return callVia(this, "symmetricDifference", [sendable(other)]) as Promise<Set<T | U>>;
  }
  /** Keeps only what is in the other, too. */
  intersectionUpdate(other: ItemSource<unknown>): Promise<void> {
    return callVia(this, "intersectionUpdate", [sendable(other)]) as Promise<void>;
  }
  /** Takes out what is in the other. */
  differenceUpdate(other: ItemSource<unknown>): Promise<void> {
    return callVia(this, "differenceUpdate", [sendable(other)]) as Promise<void>;
  }
  /** Takes out what is in both, and adds what is only in the other. */
  symmetricDifferenceUpdate(other: ItemSource<T>): Promise<void> {
    return callVia(this, "symmetricDifferenceUpdate", [sendable(other)]) as Promise<void>;
  }
  /** Whether all items are in the other. */
  isSubsetOf(other: ItemSource<unknown>): Promise<boolean> {
    return callVia(this, "isSubsetOf", [sendable(other)]) as Promise<boolean>;
  }
  /** Whether all items of the other are in this. */
  isSupersetOf(other: ItemSource<unknown>): Promise<boolean> {
    return callVia(this, "isSupersetOf", [sendable(other)]) as Promise<boolean>;
  }
  /** Whether no item is in both. */
  isDisjointFrom(other: ItemSource<unknown>): Promise<boolean> {
    return callVia(this, "isDisjointFrom", [sendable(other)]) as Promise<boolean>;
  }
  /** As {@linkcode SetProxy.isSubsetOf}. */
  issubset(other: ItemSource<unknown>): Promise<boolean> {
    return this.isSubsetOf(other);
  }
  /** As {@linkcode SetProxy.isSupersetOf}. */
  issuperset(other: ItemSource<unknown>): Promise<boolean> {
    return this.isSupersetOf(other);
  }
  /** As {@linkcode SetProxy.isDisjointFrom}. */
  isdisjoint(other: ItemSource<unknown>): Promise<boolean> {
    return this.isDisjointFrom(other);
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
  get(name: string, fallback?: unknown): Promise<any> {
    return callVia(this, "get", given([name, fallback]));
  }
  /** Sets a field. */
  set(name: string, value: unknown): Promise<void> {
    return callVia(this, "set", [name, value]) as Promise<void>;
  }
  /** Whether there is such a field. */
  has(name: string): Promise<boolean> {
    return callVia(this, "has", [name]) as Promise<boolean>;
  }
  /** Takes a field away; whether there was one. */
  delete(name: string): Promise<boolean> {
    return callVia(this, "delete", [name]) as Promise<boolean>;
  }
  /** The names, as an array. */
  keys(): Promise<string[]> {
    return callVia(this, "keys", []) as Promise<string[]>;
  }
  /** The values, as an array. */
  values(): Promise<unknown[]> {
    return callVia(this, "values", []) as Promise<unknown[]>;
  }
  /** Pairs of name and value, as an array. */
  entries(): Promise<[string, unknown][]> {
    return callVia(this, "entries", []) as Promise<[string, unknown][]>;
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
  get(): Promise<T> {
    return callVia(this, "get", []) as Promise<T>;
  }
  /** Sets the value. */
  set(value: T): Promise<void> {
    return callVia(this, "set", [value]) as Promise<void>;
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
  get(index: number): Promise<T> {
    return callVia(this, "get", [index]) as Promise<T>;
  }
  /** Sets the item at an index; a `RangeError` when there is none, or `value` is out of range. */
  set(index: number, value: T): Promise<void> {
    return callVia(this, "set", [index, value]) as Promise<void>;
  }
  /** The item at an index, from the end if it is negative, or `undefined`. */
  at(index: number): Promise<T | undefined> {
    return callVia(this, "at", [index]) as Promise<T | undefined>;
  }
  /** How many items there are. */
  length(): Promise<number> {
    return callVia(this, "length", []) as Promise<number>;
  }
  /** A copy of a part, as a typed array. */
  slice(start?: number, end?: number): Promise<ArrayBufferView & Iterable<T>> {
    return callVia(this, "slice", given([start, end])) as Promise<ArrayBufferView & Iterable<T>>;
  }
  /** Sets a part, or everything, to `value`. */
  fill(value: T, start?: number, end?: number): Promise<void> {
    return callVia(this, "fill", given([value, start, end])) as Promise<void>;
  }
  /** Whether `value` is in the array. */
  includes(value: T, from?: number): Promise<boolean> {
    return callVia(this, "includes", given([value, from])) as Promise<boolean>;
  }
  /** The index of `value`, or -1. */
  indexOf(value: T, from?: number): Promise<number> {
    return callVia(this, "indexOf", given([value, from])) as Promise<number>;
  }
  /** Turns the array round. */
  reverse(): Promise<void> {
    return callVia(this, "reverse", []) as Promise<void>;
  }
  /** Sorts the array by size. */
  sort(): Promise<void> {
    return callVia(this, "sort", []) as Promise<void>;
  }
  /** The indexes, as an array. */
  keys(): Promise<number[]> {
    return callVia(this, "keys", []) as Promise<number[]>;
  }
  /** The items, as an array. */
  values(): Promise<T[]> {
    return callVia(this, "values", []) as Promise<T[]>;
  }
  /** Pairs of index and item, as an array. */
  entries(): Promise<[number, T][]> {
    return callVia(this, "entries", []) as Promise<[number, T][]>;
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
  acquire(options?: AcquireOptions): Promise<boolean> {
    return waiting(this, "acquire", [], options) as Promise<boolean>;
  }

  /**
   * Gives it back; `n` times, if it is a semaphore.
   *
   * @throws {ThreadError} When a lock is not locked, or an RLock is another client's.
   * @throws {RangeError} When a bounded semaphore is released too often.
   */
  release(n?: number): Promise<void> {
    return callVia(this, "release", given([n])) as Promise<void>;
  }

  /** Whether a lock is locked. */
  locked(): Promise<boolean> {
    return callVia(this, "locked", []) as Promise<boolean>;
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
  wait(options?: WaitOptions): Promise<boolean> {
    return waiting(this, "wait", [], options) as Promise<boolean>;
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
  notify(n?: number): Promise<void> {
    return callVia(this, "notify", given([n])) as Promise<void>;
  }

  /**
   * Lets all go that wait.
   *
   * @throws {ThreadError} When the caller does not hold the lock.
   */
  notifyAll(): Promise<void> {
    return callVia(this, "notifyAll", []) as Promise<void>;
  }
}

/** The proxy of an Event. */
export class EventProxy extends BaseProxy {
  /** Whether it is set. */
  isSet(): Promise<boolean> {
    return callVia(this, "isSet", []) as Promise<boolean>;
  }
  /** Sets it: everybody who waits goes on. */
  set(): Promise<void> {
    return callVia(this, "set", []) as Promise<void>;
  }
  /** Clears it. */
  clear(): Promise<void> {
    return callVia(this, "clear", []) as Promise<void>;
  }
  /** Waits until it is set; `false` only when time ran out. */
  wait(options?: WaitOptions): Promise<boolean> {
    return waiting(this, "wait", [], options) as Promise<boolean>;
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
  wait(options?: WaitOptions): Promise<number> {
    return waiting(this, "wait", [], options) as Promise<number>;
  }
  /** Breaks the barrier. */
  abort(): Promise<void> {
    return callVia(this, "abort", []) as Promise<void>;
  }
  /** Empties the barrier and makes it whole. */
  reset(): Promise<void> {
    return callVia(this, "reset", []) as Promise<void>;
  }
  /** How many have to arrive. */
  parties(): Promise<number> {
    return callVia(this, "parties", []) as Promise<number>;
  }
  /** How many wait now. */
  nWaiting(): Promise<number> {
    return callVia(this, "nWaiting", []) as Promise<number>;
  }
  /** Whether it is broken. */
  broken(): Promise<boolean> {
    return callVia(this, "broken", []) as Promise<boolean>;
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
  put(item: T, options?: WaitOptions): Promise<void> {
    return waiting(this, "put", [item], options) as Promise<void>;
  }
  /**
   * Waits for an item and takes it out.
   *
   * @throws {Empty} When time ran out.
   * @throws {ShutDown} When the queue is, or meanwhile was, shut down, and is empty.
   */
  get(options?: WaitOptions): Promise<T> {
    return waiting(this, "get", [], options) as Promise<T>;
  }
  /** Puts an item in if there is room; otherwise a `Full`. */
  putNowait(item: T): Promise<void> {
    return callVia(this, "putNowait", [item]) as Promise<void>;
  }
  /** Takes an item out if there is one; otherwise an `Empty`. */
  getNowait(): Promise<T> {
    return callVia(this, "getNowait", []) as Promise<T>;
  }
  /** How many items are in the queue. */
  qsize(): Promise<number> {
    return callVia(this, "qsize", []) as Promise<number>;
  }
  /** Whether there is no item. */
  empty(): Promise<boolean> {
    return callVia(this, "empty", []) as Promise<boolean>;
  }
  /** Whether there is no room. */
  full(): Promise<boolean> {
    return callVia(this, "full", []) as Promise<boolean>;
  }
  /** How many items it holds; 0 or less: any number. */
  maxsize(): Promise<number> {
    return callVia(this, "maxsize", []) as Promise<number>;
  }
  /** Says that the work on one item is done; a `RangeError` when that was said too often. */
  taskDone(): Promise<void> {
    return callVia(this, "taskDone", []) as Promise<void>;
  }
  /**
   * Waits until the work on every item is done.
   *
   * @throws {TimeoutError} When time ran out.
   */
  join(options?: WaitOptions): Promise<void> {
    return waiting(this, "join", [], options) as Promise<void>;
  }
  /** Closes the queue: see `Queue.shutdown` of `queue`. */
  async shutdown(options?: { immediate?: boolean }): Promise<void> {
    await callVia(this, "shutdown", given([options]));
  }
  /** Whether the queue was shut down. */
  isShutdown(): Promise<boolean> {
    return callVia(this, "isShutdown", []) as Promise<boolean>;
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
  next(...args: [unknown?]): Promise<IteratorResult<T, unknown>> {
    return callVia(this, "next", args) as Promise<IteratorResult<T, unknown>>;
  }
  /** Ends the iterator. */
  return(value?: unknown): Promise<IteratorResult<T, unknown>> {
    return callVia(this, "return", given([value])) as Promise<IteratorResult<T, unknown>>;
  }
  /** Throws at the place where the generator stands. */
  throw(error?: unknown): Promise<IteratorResult<T, unknown>> {
    return callVia(this, "throw", [error]) as Promise<IteratorResult<T, unknown>>;
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
