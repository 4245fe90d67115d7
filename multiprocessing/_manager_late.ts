/**
 * {@linkcode Manager}, without the managers: every process that imports the package would load forty modules for them.
 *
 * @module
 */
import type { ManagerOptions, StartOptions, SyncManager } from "./managers.ts";

/**
 * A started `SyncManager`: a process that keeps objects, and gives out proxies that call their methods. See
 * `@batteries/concurrent/multiprocessing/managers`, which is loaded when this is first called.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.Manager | multiprocessing.Manager}.
 *
 * @param options As of the constructor of `SyncManager` and of its `start`.
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
  const managers = await import("./managers.ts");
  return await managers.Manager(options);
}
