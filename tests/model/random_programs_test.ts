/**
 * Programs made at random: threads and tasks with all kinds of limits on one lock or semaphore, threads that block, threads that end.
 * `MODEL_PROGRAMS` makes more of them, from the seed `MODEL_SEED` on.
 */

import { abandonAll } from "../../threading/_core/lot.ts";
import { SYNC } from "../../threading/_core/words.ts";
import { randomFrom, sample, type Scenario } from "./explorer.ts";
import { CALLS, ModelLock, ModelSemaphore } from "./objects.ts";
import { blockOnce } from "./steps.ts";
import type { Agent, Play, World } from "./world.ts";

const [sync, syncLimited, ...asynchronous] = CALLS;

/** What the strands of a program share. */
interface Shared {
  readonly world: World;
  readonly thing: ModelLock | ModelSemaphore;
  readonly other: ModelLock;
}

type Part = (shared: Shared, agent: Agent) => Play;

function* visit({ thing }: Shared, agent: Agent, call: typeof sync, turns: number): Play {
  for (let turn = 0; turn < turns; turn++) yield* thing.turn(agent, call.form, call.limit);
}

function* block({ other }: Shared, agent: Agent, times: number): Play {
  for (let time = 0; time < times; time++) yield* blockOnce(agent);
  yield* other.turn(agent, SYNC, syncLimited.limit);
}

function* end({ world }: Shared, agent: Agent): Play {
  yield* abandonAll(agent.site);
  world.bury(agent);
}

/** A program: what each agent's strands do. The first agent never ends. */
function program(seed: number): Scenario {
  const random = randomFrom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const permits = below(3);
  const agents = Array.from({ length: 2 + below(3) }, (_, index) => {
    if (random() < 0.5) {
      const [call, turns] = [[sync, syncLimited][below(2)], 1 + below(2)];
      return [(shared: Shared, agent: Agent) => visit(shared, agent, call, turns)];
    }
    const parts: Part[] = Array.from({ length: 1 + below(2) }, () => {
      const [call, turns] = [asynchronous[below(3)], 1 + below(2)];
      return (shared, agent) => visit(shared, agent, call, turns);
    });
    const times = 1 + below(2);
    if (random() < 0.6) parts.push((shared, agent) => block(shared, agent, times));
    if (index > 0 && random() < 0.3) parts.push(end);
    return parts;
  });
  return {
    name: `the program of seed ${seed}`,
    quirks: { atOnce: true },
    build(world) {
      const thing = permits === 0 ? new ModelLock(world) : new ModelSemaphore(world, permits);
      const shared = { world, thing, other: new ModelLock(world, "other") };
      for (const parts of agents) {
        const agent = world.agent();
        parts.forEach((part, i) => world.strand(agent, `part ${i}`, () => part(shared, agent)));
      }
      return () => thing.checkEnd(permits << 1);
    },
  };
}

Deno.test("random programs: nothing is lost, doubled or left behind, and nobody waits for ever", () => {
  const first = Number(Deno.env.get("MODEL_SEED") ?? 1);
  const programs = Number(Deno.env.get("MODEL_PROGRAMS") ?? 100);
  for (let seed = first; seed < first + programs; seed++) sample(program(seed), 100, seed);
  console.log(`random programs: ${100 * programs} schedules of ${programs} programs`);
});
