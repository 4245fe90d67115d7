/**
 * A shared object's end, moved: more room taken, or room given back. Linux only; elsewhere an object keeps the size that it was made with.
 *
 * The library is closed again once its functions are looked up, for the reasons that `linux.ts` tells.
 *
 * @module
 */
import { type Codes, cstring, failure, intsAt } from "./posix.ts";

const FUNCTIONS = {
  __errno_location: { parameters: [], result: "pointer" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i64" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

const ENOMEM = 12;
const EINTR = 4;

/** From so many bytes on it is looked first whether they are there: the system would kill a process rather than refuse it nameless memory. */
const MUCH = 16 * 1024 * 1024;

type Library = Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"];

let library: Library | undefined;

function open(): Library {
  const opened = Deno.dlopen("libc.so.6", FUNCTIONS);
  opened.close();
  return opened.symbols;
}

/** Whether {@linkcode resize} works on this system. */
export const resizes: boolean = Deno.build.os === "linux";

/**
 * Makes the object `bytes` long. What lies beyond is given back to the system, whoever has it mapped; from `from` on, room is taken now,
 * so that no later write can fail for want of it.
 *
 * @throws {Error} with `code` "ENOSPC" or "ENOMEM" when there is no room; the object is then as long as before.
 */
export function resize(fd: number, from: number, bytes: number): void {
  const libc = library ??= open();
  const codes: Codes = {
    errno: () => intsAt(libc.__errno_location())[0],
    names: { 9: "EBADF", [ENOMEM]: "ENOMEM", 22: "EINVAL", 27: "EFBIG", 28: "ENOSPC" },
    anonymous: 0x20,
  };
  const more = bytes - from;
  if (more > 0) {
    if (more >= MUCH && more > available(libc)) throw failure(codes, longer(more), ENOMEM);
    // It takes room and moves the end, and does neither when it fails. Unlike the others it returns its error.
    let errno: number;
    do errno = libc.posix_fallocate(fd, BigInt(from), BigInt(more)); while (errno === EINTR);
    if (errno !== 0) throw failure(codes, longer(more), errno);
  } else if (libc.ftruncate(fd, BigInt(bytes)) !== 0) {
    throw failure(codes, "give shared memory back");
  }
}

function longer(more: number): string {
  return `take ${more} bytes of shared memory`;
}

/** How much memory the machine can give without taking any from its programs; `Infinity` when it does not tell. */
function available(libc: Library): number {
  const fd = libc.open(cstring("/proc/meminfo"), 0);
  if (fd < 0) return Infinity;
  const bytes = new Uint8Array(4096);
  const read = Number(libc.read(fd, bytes, BigInt(bytes.length)));
  libc.close(fd);
  const text = new TextDecoder().decode(bytes.subarray(0, Math.max(read, 0)));
  const found = /^MemAvailable:\s*(\d+) kB$/m.exec(text);
  return found === null ? Infinity : Number(found[1]) * 1024;
}
