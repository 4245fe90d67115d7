/**
 * The mutex: one permit, and who has it. The state word of permits.ts is
 *
 * | bits 1… | meaning |
 * | ------- | ------- |
 * | 0 | free |
 * | an agent's pointer | held by that agent, or granted to one of its waiters |
 *
 * @module
 */
import { type Rule, STATE } from "./permits.ts";
import type { Cell } from "../lot.ts";

/** Words that a mutex needs behind its lot. */
export const MUTEX_WORDS = 1;

/** See {@linkcode Rule}. */
export const MUTEX: Rule = {
  take: (state, agent) => state >> 1 === 0 ? agent << 1 | state & 1 : -1,
  give: (state) => state >> 1 === 0 ? -1 : state & 1,
};

/** The agent that holds the mutex, or 0. */
export function holder(cell: Cell): number {
  return Atomics.load(cell.words, cell.at + STATE) >> 1;
}
