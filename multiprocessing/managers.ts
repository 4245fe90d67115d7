/**
 * Objects that live in one process, the server of a manager, and are used from others through proxies: on the same computer or over the
 * network.
 *
 * - {@linkcode SyncManager}, which `Manager()` of `multiprocessing` starts, knows the usual types: dicts, lists, queues, locks …
 * - {@linkcode BaseManager} is the base of managers for classes of your own.
 * - {@linkcode SharedMemoryManager} hands out shared memory and frees it.
 * - Proxies are shareable. All of their methods are asynchronous.
 *
 * Needs `--allow-run`, `--allow-read`, `--allow-write` and `--allow-net`; shared memory needs `--allow-ffi`.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#module-multiprocessing.managers | multiprocessing.managers}.
 *
 * @example
 * ```ts
 * import { SyncManager } from "@batteries/concurrent/multiprocessing/managers";
 * import { assertEquals } from "@std/assert";
 *
 * await using manager = new SyncManager();
 * await manager.start();
 * const list = await manager.list<number>();
 * await list.extend([3, 1, 2]);
 * await list.sort();
 * assertEquals(await list.getvalue(), [1, 2, 3]);
 * ```
 *
 * @module
 */
export {
  BaseManager,
  type ManagerOptions,
  type RegisterOptions,
  type StartOptions,
} from "./_manager_base.ts";
export type { ManagerAddress } from "./_manager_hold.ts";
export { RemoteError, type Server } from "./_manager_server.ts";
export { SharedMemoryManager } from "./_manager_shared.ts";
export {
  type ArrayType,
  type BigIntArrayClass,
  type BigIntCode,
  Manager,
  type NumberArrayClass,
  type NumberCode,
  SyncManager,
} from "./_manager_sync.ts";
export type {
  Creates,
  Made,
  Maker,
  MakerArgs,
  ManagerClass,
  Proxied,
  ProxyOf,
  Registered,
} from "./_manager_types.ts";
export { AutoProxy, BaseProxy, type ProxyParts } from "./_proxy.ts";
export { AsyncResultProxy, PoolProxy } from "./_proxy_pool.ts";
export {
  AcquirerProxy,
  ArrayProxy,
  BarrierProxy,
  ConditionProxy,
  DictProxy,
  type DictSource,
  EventProxy,
  type Held,
  type ItemSource,
  IteratorProxy,
  ListProxy,
  NamespaceProxy,
  QueueProxy,
  SetProxy,
  ValueProxy,
} from "./_proxy_types.ts";
