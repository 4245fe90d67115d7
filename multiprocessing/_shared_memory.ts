/**
 * {@linkcode SharedMemory}.
 *
 * @module
 */
import { bagOf, opened, register } from "../threading/_core/mod.ts";
import { type Mapping, type Platform, platform } from "../threading/_core/platform/mod.ts";
import { forget, newName, sweep, track } from "./_tracker.ts";
import { showAs } from "./_show.ts";

/** What a {@linkcode SharedMemory} is made with. */
export interface SharedMemoryOptions {
  /** Its name. Absent: a new one, when it is created. */
  name?: string;
  /** Whether to create it. Otherwise there must be memory of that name already. `false` by default. */
  create?: boolean;
  /** How many bytes to create, 1 or more. Of no meaning otherwise. */
  size?: number;
  /**
   * Whether memory created here is removed when the program ends, if nobody has unlinked it before. `true` by default. With `false`
   * it stays until somebody unlinks it or the machine is restarted.
   */
  track?: boolean;
}

interface Parts {
  readonly name: string;
}

/** Descriptors of those that were collected without having been closed. */
const collected = new FinalizationRegistry<{ system: Platform; fd: number; closed: () => void }>(
  ({ system, fd, closed }) => {
    system.close(fd);
    closed();
  },
);

/**
 * A stretch of memory with a name. Every process of this machine (and user) that knows the name, and every process or thread that it
 * is handed to, uses the very same bytes.
 *
 * - `close()`: this object is done with it. Its `buf` throws from then on, and views that were made of `buf` are detached: they read
 *   `undefined`, and their methods throw. The memory itself stays.
 * - `unlink()`: takes the name away. Nobody can find the memory any more, those who have it keep it, and the last who closes it, or
 *   ends, frees it. Once per memory, whoever does it.
 * - Created with `track` (the default), it is unlinked when the program ends: the first process of the tree, whichever process created
 *   it. That holds for uncaught errors and `kill -9` too where `--allow-run` lets a small shell watch. Opening never tracks.
 * - Room is reserved when it is created: there is an error then, or no lack of room ever after.
 *
 * Needs `--allow-ffi`. Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.shared_memory.html#multiprocessing.shared_memory.SharedMemory | SharedMemory}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { SharedMemory } from "@batteries/concurrent/multiprocessing/shared-memory";
 *
 * using memory = new SharedMemory({ create: true, size: 16 });
 * const numbers = new Float64Array(memory.buf.buffer, 0, 2);
 * numbers[1] = 0.5;
 *
 * using same = new SharedMemory({ name: memory.name });
 * assertEquals(new Float64Array(same.buf.buffer, 0, 2)[1], 0.5);
 * memory.unlink();
 * ```
 */
export class SharedMemory implements Disposable {
  readonly #system: Platform;
  readonly #name: string;
  readonly #size: number;
  readonly #leaves: () => void;
  readonly #fd: number;
  /** The number of its file, if it is created here and tracked. */
  #tracked: number | undefined;
  #mapping: Mapping | undefined;
  #buf: Uint8Array<ArrayBuffer> | undefined;

  /**
   * Creates memory, or opens what has that name.
   *
   * @throws {Deno.errors.AlreadyExists} When it is to be created and the name is taken.
   * @throws {Deno.errors.NotFound} When it is to be opened and nothing has that name.
   * @throws {RangeError} When `size` is no positive integer, or the name is missing or cannot be one.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   * @throws {Error} With `code` `"ENOSPC"`, when there is no room.
   */
  constructor(options: SharedMemoryOptions = {}) {
    const { name, create, size, tracked } = checked(options);
    const system = platform(create ? "create a SharedMemory" : "open a SharedMemory");
    this.#system = system;
    const made = create ? createMemory(system, name, size, tracked) : openMemory(system, name!);
    this.#name = made.name;
    this.#fd = made.fd;
    try {
      this.#size = made.size;
      this.#mapping = system.map(made.fd, made.size);
      if (create && tracked) this.#tracked = track(system, made.name, made.fd);
    } catch (error) {
      if (create) system.unlinkNamed(made.name);
      this.#mapping?.unmap();
      system.close(made.fd);
      throw error;
    }
    this.#buf = new Uint8Array(this.#mapping.buffer);
    const closed = this.#leaves = opened(`SharedMemory ${made.name}`, SharedMemory);
    collected.register(this, { system, fd: made.fd, closed }, this);
  }

  static {
    showAs(SharedMemory, ({ name, size }) => ({ name, size }));
    register(SharedMemory, {
      name: "multiprocessing.SharedMemory",
      module: import.meta.url,
      spans: "processes",
      reduce: (memory): Parts => ({ name: memory.#name }),
      revive: (parts) => new SharedMemory({ name: (parts as Parts).name }),
    });
  }

  /** The name by which others open it. */
  get name(): string {
    return this.#name;
  }

  /** How many bytes it has. */
  get size(): number {
    return this.#size;
  }

  /**
   * The bytes themselves, no copy. Always the same view; others can be made of its `buffer`.
   *
   * @throws {Deno.errors.BadResource} After {@linkcode SharedMemory.close}.
   */
  get buf(): Uint8Array<ArrayBuffer> {
    if (this.#buf === undefined) {
      throw new Deno.errors.BadResource(
        `Cannot use SharedMemory '${this.#name}': it is closed; open it again with new SharedMemory({ name })`,
      );
    }
    return this.#buf;
  }

  /** Is done with the memory: detaches `buf` and every view of it, and gives the mapping back. Twice is once. */
  close(): void {
    if (this.#mapping === undefined) return;
    this.#buf = undefined;
    this.#mapping.unmap();
    this.#mapping = undefined;
    collected.unregister(this);
    this.#leaves();
    this.#system.close(this.#fd);
  }

  /**
   * Takes the name away. Before or after {@linkcode SharedMemory.close}. On Windows nothing is to be done: memory goes with its last
   * user.
   *
   * @throws {Deno.errors.NotFound} When somebody has done so before.
   */
  unlink(): void {
    this.#system.unlinkNamed(this.#name);
    forget(this.#system, this.#tracked);
    this.#tracked = undefined;
  }

  /** Closes it at the end of a `using` block. Does not unlink it. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Its name and size, for people. */
  toString(): string {
    return `SharedMemory('${this.#name}', size=${this.#size})`;
  }
}

/** The options, in order. */
function checked(options: SharedMemoryOptions) {
  bagOf(options, "make a SharedMemory", "{ create: true, size: 1024 }");
  const { name, create = false, size, track: tracked = true } = options;
  for (const [key, value] of Object.entries({ create, track: tracked })) {
    if (typeof value !== "boolean") {
      throw new TypeError(
        `Cannot make a SharedMemory: ${key} must be a boolean, got ${typeof value}`,
      );
    }
  }
  if (size !== undefined && typeof size !== "number") {
    throw new TypeError(
      `Cannot make a SharedMemory: size must be a number of bytes, got ${typeof size}`,
    );
  }
  if (create ? !Number.isSafeInteger(size) || size! < 1 : size !== undefined && !(size >= 0)) {
    throw new RangeError(
      `Cannot make a SharedMemory: size must be a positive integer of bytes, got ${size}`,
    );
  }
  if (name === undefined && !create) {
    throw new RangeError(
      "Cannot open a SharedMemory: give its name, or create: true and a size to create one",
    );
  }
  return { name: name === undefined ? undefined : nameFrom(name), create, size: size!, tracked };
}

/** A name as the system has it. A leading slash is the system's own way to write it. */
function nameFrom(given: unknown): string {
  if (typeof given !== "string") {
    throw new TypeError(`Cannot make a SharedMemory: name must be a string, got ${typeof given}`);
  }
  const name = given.startsWith("/") ? given.slice(1) : given;
  if (name === "" || name === "." || name === ".." || /[\0\n/]/.test(name)) {
    throw new RangeError(
      `Cannot make a SharedMemory: a name is a text without '/', line breaks and null characters, got ${
        JSON.stringify(given)
      }`,
    );
  }
  return name;
}

interface Made {
  readonly name: string;
  readonly fd: number;
  readonly size: number;
}

function createMemory(
  system: Platform,
  given: string | undefined,
  size: number,
  tracked: boolean,
): Made {
  sweep(system);
  if (given !== undefined) mustFit(system, given);
  while (true) {
    const name = given ?? newName(system, tracked);
    let fd: number;
    try {
      fd = system.createNamed(name, size);
    } catch (error) {
      if (given === undefined && error instanceof Deno.errors.AlreadyExists) continue;
      throw error;
    }
    // Says that somebody uses it, so that no other program sweeps it away.
    system.lockShared(fd);
    return { name, fd, size };
  }
}

function openMemory(system: Platform, name: string): Made {
  mustFit(system, name);
  const fd = system.openNamed(name);
  try {
    system.lockShared(fd);
    const size = system.sizeOf(fd);
    if (size === 0) {
      throw new RangeError(
        `Cannot open SharedMemory '${name}': it is empty; has who creates it got so far?`,
      );
    }
    return { name, fd, size };
  } catch (error) {
    system.close(fd);
    throw error;
  }
}

function mustFit(system: Platform, name: string): void {
  const bytes = new TextEncoder().encode(name).length;
  if (bytes <= system.longestName) return;
  throw new RangeError(
    `Cannot make a SharedMemory: a name has at most ${system.longestName} bytes here, got ${bytes}`,
  );
}
