/**
 * Python's `None`.
 *
 * @module
 */
import { bagOf } from "../threading/_core/options.ts";

/**
 * The options without those that are `null`, which count as not given.
 *
 * @throws {TypeError} when `options` is no object.
 */
export function withoutNone<T extends object>(options: T, what: string): T {
  bagOf(options, `call ${what}`, "{ text: true }");
  for (const value of Object.values(options)) {
    if (value !== null) continue;
    return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null)) as T;
  }
  return options;
}
