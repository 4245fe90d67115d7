/**
 * Which modules a value may name, in a program that has started a process with fewer permissions than its own.
 *
 * A function or a class travels as the name of its module, which the other side imports: with *its* permissions. What a restricted
 * process answers must not make its parent import what it likes (a `data:` URL is a program). From the moment there is such a process,
 * this thread imports for values only what it knows: the main module, this library, what it has named itself by sending a function or a
 * class of it, and what it had imported before.
 *
 * @module
 */
import { PicklingError } from "./errors.ts";

const LIBRARY = new URL("../../", import.meta.url).href;

let wary = false;
const known = new Set<string>();

/** From now on only known modules are imported for values. */
export function beWary(): void {
  wary = true;
}

/** Whether that is so: what is sent to others may reach a process with fewer permissions. */
export function isWary(): boolean {
  return wary;
}

/** A module that this thread has named or imported itself. */
export function know(url: string): void {
  known.add(url);
}

/** Whether this thread knows the module. */
export function isKnown(url: string): boolean {
  // As it will be imported: "library/../elsewhere" is none of the library's.
  const href = URL.parse(url)?.href;
  if (href === undefined) return false;
  return known.has(href) || href === Deno.mainModule || href.startsWith(LIBRARY);
}

/**
 * Lets pass what may be imported for a value. `always`: by who may not be trusted, wherever he was started.
 *
 * @throws {PicklingError} when it may not.
 */
export function mustKnow(url: string, always = wary): void {
  if (!always || isKnown(url)) return;
  throw new PicklingError(
    `Cannot receive what names ${
      url.length > 100 ? `${url.slice(0, 100)}…` : url
    }: this program has started a process with fewer permissions, and then imports for values only modules that it has named itself; ` +
      `send something of that module there first, or export it from the main module`,
  );
}
