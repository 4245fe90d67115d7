/**
 * The types that a `SyncManager` knows, and how types are told to the process of a server: these by name, others with what makes them.
 *
 * @module
 */
import { Queue } from "../queue/mod.ts";
import { Barrier, BoundedSemaphore, Event, Lock, Semaphore } from "../threading/mod.ts";
import { bare, Box, entriesOf, Fields, items, makeArray } from "./_manager_containers.ts";
import type { Maker, Registry, TypeEntry } from "./_manager_registry.ts";
import type { PoolOptions } from "./pool.ts";
import { ClientCondition, ClientRLock } from "./_manager_rlock.ts";
// The classes of their proxies.
import "./_proxy_pool.ts";

const makers: Readonly<Record<string, Maker | undefined>> = {
  Barrier,
  BoundedSemaphore,
  Condition: (lock?: unknown) => new ClientCondition(bare(lock)),
  Event,
  Lock,
  RLock: ClientRLock,
  Semaphore,
  Queue,
  JoinableQueue: Queue,
  Namespace: Fields,
  Value: Box,
  Array: makeArray,
  dict: (source?: unknown) => new Map(entriesOf(source, "make a dict")),
  list: (source?: unknown) => items(source ?? [], "make a list"),
  set: (source?: unknown) => new Set(items(source ?? [], "make a set")),
  // Pools are loaded when there is one.
  Pool: async (options?: PoolOptions) => (await import("./_manager_pools.ts")).makePool(options),
  // What methods give, by `methodToTypeid`.
  Iterator: undefined,
  AsyncResult: undefined,
};

const results: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Pool: {
    applyAsync: "AsyncResult",
    mapAsync: "AsyncResult",
    starmapAsync: "AsyncResult",
    imap: "Iterator",
    imapUnordered: "Iterator",
  },
};

/** See the head of this file. */
export const ownTypes: ReadonlyMap<string, TypeEntry> = new Map(
  Object.entries(makers).map(([name, callable]) => [name, {
    callable,
    exposed: undefined,
    methodToTypeid: results[name],
    proxytype: undefined,
  }]),
);

/** A type on its way: its name, and what it is, or which one of ours. */
export type SentType = readonly [typeid: string, entry: TypeEntry | string];

/** What goes to the process of a server. */
export function sendable(registry: Registry): SentType[] {
  const own = new Map([...ownTypes].map(([name, entry]) => [entry, name]));
  return [...registry].map(([typeid, entry]) => [typeid, own.get(entry) ?? entry]);
}

/** What came to the process of a server. */
export function received(types: readonly SentType[]): Registry {
  return new Map(
    types.map((
      [typeid, entry],
    ) => [typeid, typeof entry === "string" ? ownTypes.get(entry)! : entry]),
  );
}
