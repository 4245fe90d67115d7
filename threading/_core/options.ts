/**
 * The options bag that calls take last.
 *
 * @module
 */

/** Whether these are options. What is none is most often Python's positional argument, and would be ignored. */
export function isBag(options: unknown): options is object {
  return typeof options === "object" && options !== null && !Array.isArray(options);
}

/**
 * The options of a call that tries to `act`, such as `example`.
 *
 * @throws {TypeError} when they are none.
 */
export function bagOf<O extends object>(options: O, act: string, example: string): O {
  if (isBag(options)) return options;
  throw new TypeError(
    `Cannot ${act}: options must be an object such as ${example}, got ${typeName(options)}`,
  );
}

/** What a value is called in an error message. */
export function typeName(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}
