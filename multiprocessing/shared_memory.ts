/**
 * Memory with a name that several processes use directly, as bytes ({@linkcode SharedMemory}) or as a list of simple values
 * ({@linkcode ShareableList}). Nothing is copied between the processes.
 *
 * Needs `--allow-ffi`. With `--allow-run` beside it, what a program leaves behind is removed however it ends, `kill -9` included.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.shared_memory.html | multiprocessing.shared_memory}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
 *
 * using memory = new SharedMemory({ create: true, size: 1024 });
 * using same = new SharedMemory({ name: memory.name }); // in this process or any other
 * memory.buf[0] = 42;
 * assertEquals(same.buf[0], 42);
 * memory.unlink();
 * ```
 *
 * @module
 */
export { type Shareable, ShareableList, type ShareableListOptions } from "./_shareable_list.ts";
export { SharedMemory, type SharedMemoryOptions } from "./_shared_memory.ts";
