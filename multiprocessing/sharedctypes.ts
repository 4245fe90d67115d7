/**
 * Values and arrays in shared memory: with a lock (`Value`, `Array`), without (`RawValue`, `RawArray`), of simple types or of structures.
 *
 * They travel to processes and threads, as arguments and through queues and connections, and are the same memory there. Needs
 * `--allow-ffi`.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#module-multiprocessing.sharedctypes | multiprocessing.sharedctypes}.
 *
 * | type | what it is | read as |
 * | --- | --- | --- |
 * | `c` | a byte of text | a `number` in arrays, bytes as a value |
 * | `u` | a character | a `string` |
 * | `b` `h` `i` | a signed integer of 8, 16, 32 bits | a `number` |
 * | `B` `H` `I` | an unsigned one | a `number` |
 * | `l` `q`, `L` `Q` | 64 bits, signed and unsigned | a `bigint` |
 * | `f` `d` | floating point, 32 and 64 bits | a `number` |
 * | `Int32Array` … | an element of that typed array | as there |
 * | `Struct({ x: "d" })` | fields | an object with live fields |
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Array as SharedArray, Value } from "@batteries/concurrent/multiprocessing/sharedctypes";
 *
 * const number = Value("d", 0.5);
 * const numbers = SharedArray("i", 3);
 * number.value = 3.5;
 * numbers.set(2, -7);
 * assertEquals([number.value, ...numbers], [3.5, 0, 0, -7]);
 * ```
 *
 * @module
 */
export {
  RawArray,
  type RawArrayOf,
  RawObject,
  RawValue,
  SharedArray,
  SharedString,
  SharedValue,
  type TextElement,
  type ValueOf,
} from "./_shared_values.ts";
export {
  Array,
  type ArrayOf,
  copy,
  type GivenLock,
  type SharedOptions,
  Synchronized,
  synchronized,
  SynchronizedArray,
  SynchronizedBase,
  SynchronizedString,
  Value,
} from "./_synchronized.ts";
export {
  type ArrayConstructor,
  type ElementOf,
  type Fields,
  type FieldType,
  type InitOf,
  Struct,
  type StructType,
  type TypeCode,
  type ValueType,
  type ViewOf,
} from "./_types.ts";
export { Lock, RLock } from "./synchronize.ts";
export type { AcquireOptions, WaitOptions } from "../threading/_core/mod.ts";
