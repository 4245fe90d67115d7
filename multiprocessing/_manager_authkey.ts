/**
 * The key of this process, for those who are given none.
 *
 * @module
 */
import { currentProcess } from "./process.ts";

/** `currentProcess().authkey`. */
export function processAuthkey(): Uint8Array {
  return currentProcess().authkey;
}
