/**
 * The operating system's identifier of a thread.
 *
 * On Linux it is the last part of `/proc/thread-self`, which Deno lets only a program read that was given every permission. Without
 * it, or elsewhere, a thread gets a number that no other live thread of the process has: the process id for the main thread, and the
 * numbers after it for the others. All threads of a program have the same permissions, so the two kinds never mix.
 *
 * @module
 */
import { isAllGranted } from "./_core/granted.ts";
import { isMain, MAIN_IDENT } from "./_core/mod.ts";

/** Whether threads can learn their real identifiers. */
export const canReadNative: () => boolean = once(() => Deno.build.os === "linux" && isAllGranted());

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The identifier of the calling thread, whose number among threads is `ident`. */
export function readNative(ident: number): number {
  if (isMain() || !canReadNative()) return Deno.pid + ident - MAIN_IDENT;
  return Number(Deno.readLinkSync("/proc/thread-self").split("/").at(-1));
}
