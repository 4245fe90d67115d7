/**
 * Python's `None`.
 *
 * @module
 */

/**
 * The options without those that are `null`, which count as not given.
 *
 * @throws {TypeError} when `options` is no object.
 */
export function withoutNone<T extends object>(options: T, what: string): T {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot call ${what}: options must be an object, got ${
        options === null ? "null" : typeof options
      }`,
    );
  }
  for (const value of Object.values(options)) {
    if (value !== null) continue;
    return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null)) as T;
  }
  return options;
}
