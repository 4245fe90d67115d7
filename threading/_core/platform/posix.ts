/**
 * What Linux and macOS have in common: mapping, and errors.
 *
 * @module
 */
import type { Ground, Mapping } from "./contract.ts";

/**
 * The functions of a library, all of whose integers are plain numbers here: Deno takes them for the wide ones too, and nothing that
 * this folder asks is beyond 2 ** 53. What comes back wide is a `bigint` still.
 */
export type Functions<D> = {
  readonly [K in keyof D]: D[K] extends {
    readonly parameters: infer P;
    readonly result: infer R;
  } ? (...args: { -readonly [I in keyof P]: Argument<P[I]> } & unknown[]) => Result<R>
    : never;
};

type Argument<T> = T extends "buffer" ? BufferSource | null
  : T extends "pointer" ? Deno.PointerValue
  : number | bigint;

type Result<T> = T extends "pointer" ? Deno.PointerValue
  : T extends "i64" | "u64" | "usize" ? bigint
  : number;

/**
 * Opens a library that Deno itself runs on, looks its functions up, and closes it again: they stay where they are, and no handle is left
 * that Deno would have to keep. Should a Deno refuse to call a function of a closed library, `probe` shows it and the library stays open.
 */
export function openShut<D extends Deno.ForeignLibraryInterface>(
  path: string,
  functions: D,
  probe: (found: Functions<D>) => void,
): Functions<D> {
  const library = Deno.dlopen(path, functions);
  const found = library.symbols as unknown as Functions<D>;
  library.close();
  try {
    probe(found);
    return found;
  } catch {
    return Deno.dlopen(path, functions).symbols as unknown as Functions<D>;
  }
}

/** Text as C wants it. */
export function cstring(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** `int`s at an address, for `errno`. */
export function intsAt(pointer: Deno.PointerValue): Int32Array {
  return new Int32Array(Deno.UnsafePointerView.getArrayBuffer(pointer!, 4));
}

const EINTR = 4;

/** Numbers that differ between the two. */
export interface Codes {
  readonly errno: () => number;
  readonly names: Readonly<Record<number, string>>;
  readonly anonymous: number;
}

/** What mapping takes, spelt alike on both. */
export const MAPPING = {
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "usize" },
  munmap: { parameters: ["usize", "usize"], result: "i32" },
} as const;

/** The calls of {@linkcode MAPPING}. */
export type Calls = Functions<typeof MAPPING>;

const READ_WRITE = 3;
const SHARED = 1;
const PRIVATE = 2;
const FIXED = 0x10;
const FAILED = 0xffff_ffff_ffff_ffffn;

/** WebAssembly's page, in which V8 gives out shared memory. */
const STEP = 65_536;

/** Turns a failed call into an error: the class that Deno has for it, or a plain one with `code`. */
export function failure(codes: Codes, act: string, errno: number = codes.errno()): Error {
  const name = codes.names[errno] ?? `errno ${errno}`;
  const text = `Cannot ${act}: ${SAYS[name] ?? "the operating system refuses"} (${name})`;
  const found = CLASSES[name];
  const error = found === undefined ? new Error(text) : new found(text);
  return Object.assign(error, { code: name });
}

/** Runs a call again for as long as a signal interrupts it. Gives its result, or throws. */
export function retried(codes: Codes, act: string, call: () => number): number {
  while (true) {
    const result = call();
    if (result >= 0) return result;
    const errno = codes.errno();
    if (errno !== EINTR) throw failure(codes, act, errno);
  }
}

const CLASSES: Record<string, new (message: string) => Error> = {
  ENOENT: Deno.errors.NotFound,
  ESRCH: Deno.errors.NotFound,
  EEXIST: Deno.errors.AlreadyExists,
  EACCES: Deno.errors.PermissionDenied,
  EPERM: Deno.errors.PermissionDenied,
};

const SAYS: Record<string, string> = {
  ENOENT: "there is nothing of that name",
  ESRCH: "that process has ended",
  EEXIST: "the name is taken",
  EACCES: "it belongs to another user",
  EPERM: "the operating system does not permit it",
  ENOSPC: "there is no room left for shared memory; free some, or ask for less",
  ENOMEM: "there is no memory left",
  EMFILE: "this process has too many files open",
  ENFILE: "the machine has too many files open",
  ENAMETOOLONG: "the name is too long",
};

/**
 * Maps an object where JavaScript has a `SharedArrayBuffer`: V8 reserves the range and the object's pages are laid over it.
 *
 * Guarantees: V8 keeps the range for as long as anything refers to the buffer, in whichever worker, and gives it back with the pages
 * when nothing does. So no view of it can ever dangle, and no finalizer is needed. Costs 20 µs and, of address space, its size.
 */
export function groundOf(
  calls: Calls,
  codes: Codes,
  fd: number,
  bytes: number,
  from: number,
): Ground {
  const pages = Math.ceil(bytes / STEP);
  const wasm = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const memory = wasm.buffer as unknown as SharedArrayBuffer;
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(memory)));
  const got = calls.mmap(address, bytes, READ_WRITE, SHARED | FIXED, fd, from);
  if (got === FAILED) throw failure(codes, "map shared memory");
  if (bytes >= HEAVY) weigh(memory, address, bytes);
  return { memory, address: Number(address), wasm };
}

/** From so many bytes on, V8 is told that it holds them. */
const HEAVY = 1 << 20;

/**
 * V8 does not count what it did not allot, and would let gigabytes lie about that nobody refers to, since they look like small objects.
 * Buffers at an address it does count. So each memory has one, that nobody uses and that is collected with it.
 */
const weights = new WeakMap<SharedArrayBuffer, ArrayBuffer>();

function weigh(memory: SharedArrayBuffer, address: bigint, bytes: number): void {
  const pointer = Deno.UnsafePointer.create(address)!;
  weights.set(memory, Deno.UnsafePointerView.getArrayBuffer(pointer, bytes));
}

/**
 * Maps an object where the kernel likes.
 *
 * Giving it back must not leave a view that reaches into nothing, which would end the process:
 * 1. The buffer is detached first, and all views of it with it: they are empty, and throw.
 * 2. Then the pages are given back.
 * 3. When it was detached before, somebody has moved it (`structuredClone` or `postMessage` with `transfer`), and what they moved it to
 *    still reaches here: the pages are replaced by private ones, and the range stays reserved.
 * 4. When it is collected without having been given back, nobody knows whether it was moved before: the same.
 */
export function mappingOf(calls: Calls, codes: Codes, fd: number, bytes: number): Mapping {
  const got = calls.mmap(0, bytes, READ_WRITE, SHARED, fd, 0);
  if (got === FAILED) throw failure(codes, "map shared memory");
  const pointer = Deno.UnsafePointer.create(got)!;
  const buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
  const replace = replacing(calls, codes, got, bytes);
  let mapped = true;
  const unmap = (): void => {
    if (!mapped) return;
    mapped = false;
    collected.unregister(buffer);
    if (buffer.detached) return replace();
    buffer.transfer(0);
    calls.munmap(got, bytes);
  };
  collected.register(buffer, replace, buffer);
  return { buffer, address: Number(got), unmap };
}

/** A function that knows nothing of the buffer: it must not keep it from being collected. */
function replacing(calls: Calls, codes: Codes, at: bigint, bytes: number): () => void {
  const flags = PRIVATE | FIXED | codes.anonymous;
  return () => void calls.mmap(at, bytes, READ_WRITE, flags, -1, 0);
}

/** What is to be done for buffers that were collected. */
const collected = new FinalizationRegistry<() => void>((replace) => replace());
