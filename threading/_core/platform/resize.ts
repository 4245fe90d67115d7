/**
 * A shared object's end, moved: more room taken, or room given back. Linux only; elsewhere an object keeps the size that it was made with.
 *
 * The library is closed again once its functions are looked up, for the reasons that `linux.ts` tells.
 *
 * @module
 */
import { type Codes, failure, intsAt } from "./posix.ts";

const FUNCTIONS = {
  __errno_location: { parameters: [], result: "pointer" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
} as const;

const EINTR = 4;

let library: Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"] | undefined;

function open(): Deno.DynamicLibrary<typeof FUNCTIONS>["symbols"] {
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
    names: { 9: "EBADF", 12: "ENOMEM", 22: "EINVAL", 27: "EFBIG", 28: "ENOSPC" },
    anonymous: 0x20,
  };
  if (from < bytes) {
    // It takes room and moves the end, and does neither when it fails. Unlike the others it returns its error.
    let errno: number;
    do errno = libc.posix_fallocate(fd, BigInt(from), BigInt(bytes - from)); while (
      errno === EINTR
    );
    if (errno !== 0) throw failure(codes, "make a queue longer", errno);
  } else if (libc.ftruncate(fd, BigInt(bytes)) !== 0) {
    throw failure(codes, "make a queue shorter");
  }
}
