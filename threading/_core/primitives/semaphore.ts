/**
 * The semaphore: a number of permits. The state word of permits.ts holds it in bits 1 to 30.
 *
 * @module
 */
import type { Rule } from "./permits.ts";

/** Words that a semaphore needs behind its lot: its state, and the bound of a bounded one. */
export const SEMAPHORE_WORDS = 2;
/** The most permits that a semaphore can hold. */
export const MAX_PERMITS = 2 ** 30 - 1;

/** The rule of a semaphore that holds at most `bound` permits. */
export function semaphoreRule(bound: number): Rule {
  return {
    take: (state) => state >> 1 > 0 ? state - 2 : -1,
    give: (state, count) => (state >> 1) + count > bound ? -1 : state + 2 * count,
  };
}
