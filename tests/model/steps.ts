/** Small things that programs of the model do. */

import { attendSync } from "../../threading/_core/call.ts";
import { FOREVER } from "../../threading/_core/clock.ts";
import { type Slow, WAKE } from "../../threading/_core/drive.ts";
import type { Step } from "../../threading/_core/park.ts";
import { GRANTED } from "../../threading/_core/words.ts";
import type { Agent, World } from "./world.ts";

/** Somebody wants an agent's attention, for no reason that its waiters know of. */
export function nudgeStep(world: World, agent: Agent, form: number): Step {
  return { kind: WAKE, words: world.words, at: agent.site.agent, a: form, b: 0, limit: undefined };
}

/** A `Sync` call that need not wait: its thread is blocked for a moment. */
export function* blockOnce({ site }: Agent): Slow<void> {
  yield* attendSync(site, FOREVER, function* () {
    return GRANTED;
  });
}
