/**
 * The door to the operating system: the only folder that opens its library, at first use, and never at import.
 *
 * @module
 */
import type { Platform } from "./contract.ts";
import { openDarwin } from "./darwin.ts";
import { openLinux } from "./linux.ts";
import { forbidden, unsupported } from "./unavailable.ts";
import { openWindows } from "./windows.ts";

export { resize, resizes } from "./resize.ts";
export { type Ground, type Mapping, MOST_WORDS, type Platform, type Wanted } from "./contract.ts";

const systems: Partial<Record<typeof Deno.build.os, () => Platform>> = {
  linux: openLinux,
  darwin: openDarwin,
  windows: openWindows,
};

let current: Platform | undefined;

/** Whether {@linkcode platform} would work: asks nobody, prints nothing. */
export function hasPlatform(): boolean {
  return current !== undefined || (systems[Deno.build.os] !== undefined && mayCall());
}

/**
 * The operating system.
 *
 * @param what What the caller is about to do, for the message, as "make a Lock".
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 * @throws {Deno.errors.NotSupported} on a system that this library does not know.
 */
export function platform(what: string): Platform {
  if (current !== undefined) return current;
  const open = systems[Deno.build.os];
  if (open === undefined) throw unsupported(what);
  if (!mayCall()) throw forbidden(what);
  return current = open();
}

/** Whether all of FFI is granted: with a list of libraries only, memory by address stays forbidden. Never a prompt. */
function mayCall(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}
