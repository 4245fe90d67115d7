/**
 * {@linkcode SharedMemoryManager}.
 *
 * @module
 */
import { BaseManager } from "./_manager_base.ts";
import { type Shareable, ShareableList, SharedMemory } from "./shared_memory.ts";

/**
 * A manager that hands out shared memory and frees all of it when it is shut down.
 *
 * The memory is made in the calling process and used directly: the manager's server only keeps the names. Needs `--allow-ffi`.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.shared_memory.html#multiprocessing.managers.SharedMemoryManager | SharedMemoryManager}.
 *
 * @example
 * ```ts
 * import { SharedMemoryManager } from "@batteries/concurrent/multiprocessing/managers";
 * import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
 * import { assertThrows } from "@std/assert";
 *
 * const manager = new SharedMemoryManager();
 * await manager.start();
 * using memory = await manager.SharedMemory(128);
 * memory.buf[0] = 1;
 * await manager.shutdown();
 * assertThrows(() => new SharedMemory({ name: memory.name }), Deno.errors.NotFound);
 * ```
 *
 * @typeParam Types As of {@linkcode BaseManager}.
 */
export class SharedMemoryManager<Types extends object = Record<never, never>>
  extends BaseManager<Types> {
  /** @internal */
  override _keepsSegments(): boolean {
    return true;
  }

  /**
   * Makes shared memory of `size` bytes.
   *
   * @throws {ProcessError} When the manager has been neither started nor connected, or was shut down.
   * @throws {RangeError} When `size` is not a positive integer.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  async SharedMemory(size: number): Promise<SharedMemory> {
    // Asked first: a manager that is not running makes nothing.
    await this._ask("listSegments", []);
    const memory = new SharedMemory({ create: true, size });
    await this.#track(memory);
    return memory;
  }

  /**
   * Makes a shared list of what `sequence` has.
   *
   * @throws {ProcessError} When the manager has been neither started nor connected, or was shut down.
   * @throws {TypeError} When an item is of a type that a list cannot hold.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  async ShareableList(sequence: Iterable<Shareable>): Promise<ShareableList> {
    await this._ask("listSegments", []);
    const list = new ShareableList(sequence);
    await this.#track(list.shm);
    return list;
  }

  async #track(memory: SharedMemory): Promise<void> {
    try {
      await this._ask("trackSegment", [memory.name]);
    } catch (error) {
      memory.close();
      memory.unlink();
      throw error;
    }
  }
}
