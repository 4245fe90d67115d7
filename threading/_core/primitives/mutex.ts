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
import type { Cell } from "../lot.ts";
import { isDead } from "../section.ts";
import { A_LOCKS } from "../words.ts";
import { DIED, type Rule, STATE } from "./permits.ts";

/** Words that a mutex needs behind its lot. */
export const MUTEX_WORDS = 2;

/** See {@linkcode Rule}. */
export const MUTEX: Rule = {
  take: (state, agent) => state >> 1 === 0 ? agent << 1 | state & 1 : -1,
  give: (state) => state >> 1 === 0 ? -1 : state & 1,
  holder: (state) => state >> 1,
};

/** The agent that holds the mutex, or 0: also when its holder was killed, and it is free to whoever comes. */
export function holder(cell: Cell): number {
  const agent = Atomics.load(cell.words, cell.at + STATE) >> 1;
  return agent !== 0 && isDead(cell.site.ground.words, agent) ? 0 : agent;
}

/** Whether the mutex was held by somebody who was killed, and nobody was told yet. */
export function ownerDied(cell: Cell): boolean {
  return Atomics.exchange(cell.words, cell.at + DIED, 0) === 1;
}

/** Marks this agent as one that locks may name as their holder. */
export function mayHold(cell: Cell): void {
  const { ground, agent } = cell.site;
  ground.words[agent + A_LOCKS] = 1;
}
