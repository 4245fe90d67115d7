/**
 * Why there is no {@linkcode Platform} here, told to people.
 *
 * @module
 */

/** The error for a system that this library cannot call. */
export function unsupported(what: string): Error {
  return new Deno.errors.NotSupported(
    `Cannot ${what}: it needs memory that processes share, which this library knows on Linux, macOS and Windows, not on ${Deno.build.os}`,
  );
}

/** The error for a program that may not call its system. */
export function forbidden(what: string): Error {
  return new Deno.errors.NotCapable(
    `Cannot ${what}: it lives in memory that processes share, which takes calls to the operating system; run again with --allow-ffi (without a list)`,
  );
}
