/**
 * `passFds`: descriptors that stay open in the child.
 *
 * Deno opens every descriptor so that it closes when another program starts. The mark is taken off for the moment of starting the
 * child, which happens synchronously on this thread, and put back. Another thread that starts a child in that very moment would pass
 * the descriptors on too; Python has the same rule for what its users make inheritable by hand.
 *
 * @module
 */

const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/**
 * Runs `start` while `fds` are inheritable.
 *
 * @throws {Deno.errors.NotSupported} on other systems than Linux.
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 * @throws {RangeError} when a descriptor is not open.
 */
export function inheriting<T>(fds: readonly number[], what: string, start: () => T): T {
  if (fds.length === 0) return start();
  if (Deno.build.os !== "linux") {
    throw new Deno.errors.NotSupported(`Cannot call ${what}: passFds is possible on Linux only`);
  }
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    throw new Deno.errors.NotCapable(
      `Cannot call ${what}: passFds calls the C library, start Deno with --allow-ffi`,
    );
  }
  // fcntl takes its third argument as variadic; on Linux those travel like named ones.
  const libc = Deno.dlopen("libc.so.6", {
    fcntl: { parameters: ["i32", "i32", "i64"], result: "i32" },
  });
  const changed: number[] = [];
  try {
    for (const fd of fds) {
      const flags = libc.symbols.fcntl(fd, F_GETFD, 0n);
      if (flags < 0) {
        throw new RangeError(`Cannot call ${what}: passFds: descriptor ${fd} is not open`);
      }
      if ((flags & FD_CLOEXEC) === 0) continue;
      libc.symbols.fcntl(fd, F_SETFD, BigInt(flags & ~FD_CLOEXEC));
      changed.push(fd);
    }
    return start();
  } finally {
    for (const fd of changed) libc.symbols.fcntl(fd, F_SETFD, BigInt(FD_CLOEXEC));
    libc.close();
  }
}
