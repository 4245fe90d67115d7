/**
 * A side door of the engine room: values, errors and functions as data, without the engine of threads.
 *
 * For what a child process loads before it can work: the number of modules decides how fast it starts.
 *
 * @module
 */
export { decode, decodeSync, encode } from "./bytes.ts";
export { FOREVER, type Limit, now, ONCE, remaining } from "./clock.ts";
export { nameIt } from "./errors.ts";
export { type Carrier, carrier } from "./frames.ts";
export { importingModules } from "./importing.ts";
export { ended, life } from "./life.ts";
export { decodeError, type EncodedError, encodeError } from "./outcome.ts";
export type { Parcel } from "./parcel.ts";
export { type Reference, resolve } from "./reference.ts";
export { jsonOf } from "./plain.ts";
export { here, isMain } from "./site.ts";
