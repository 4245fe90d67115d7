/**
 * An agent that is killed outside of a section: whatever it held or waited for, the others get what is theirs. When it is killed is a
 * choice of the search.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { add, load, type Slow, store, wakeUp } from "../../threading/_core/drive.ts";
import { DIED, STATE, WAITERS } from "../../threading/_core/primitives/permits.ts";
import { TAKEN } from "../../threading/_core/section.ts";
import {
  A_PARK,
  A_STATUS,
  A_STOP,
  ASYNC,
  DEAD,
  DEATHS,
  SYNC,
  W_AGENT,
} from "../../threading/_core/words.ts";
import { explore, type Scenario } from "./explorer.ts";
import { CALLS, ModelLock, waitersOf } from "./objects.ts";
import { all, some } from "./report.ts";
import type { Agent, World } from "./world.ts";

/** What bootstrap.ts does to a worker that is not in a section; one that is, settles by itself, and nothing is done here. */
function* kill(world: World, killer: Agent, victim: Agent, wakes = true): Slow<void> {
  const { words } = world;
  yield load(words, victim.site.agent + A_PARK);
  if (victim.current !== undefined) return;
  // In one move: what is between the two, section.ts rules out.
  words[victim.site.agent + A_STOP] = TAKEN;
  world.bury(victim);
  yield store(words, victim.site.agent + A_STATUS, DEAD);
  yield add(words, DEATHS, 1);
  if (!wakes) return;
  for (const { site } of world.agents) {
    if (site === killer.site || site === victim.site) continue;
    yield wakeUp(words, site.agent, SYNC);
    yield wakeUp(words, site.agent, ASYNC);
  }
}

/** A lock that the victim holds, and others who want it. */
function held(forms: readonly number[], wakes = true): Scenario {
  return {
    name: `a lock's holder is killed, those who want it: forms ${forms}`,
    build(world) {
      const lock = new ModelLock(world);
      const [victim, killer] = [world.agent(), world.agent()];
      world.words[lock.at + STATE] = victim.site.agent << 1;
      world.strand(killer, "kills", () => kill(world, killer, victim, wakes));
      forms.forEach((form, i) => {
        const agent = world.agent();
        world.strand(agent, `comes ${i}`, function* () {
          yield* lock.turn(agent, form);
        });
      });
      return () => {
        lock.checkEnd(0);
        assertEquals(world.words[lock.at + DIED], 1);
      };
    },
  };
}

Deno.test("killed: the holder of a lock, those who wait and those who come get it, one after another", () => {
  all("killed, one", [held([SYNC]), held([ASYNC])]);
  some("killed, two", [held([SYNC, SYNC]), held([SYNC, ASYNC]), held([ASYNC, ASYNC])], 6000);
});

Deno.test("killed: without the wake-ups, the search finds who waits for ever", () => {
  assertThrows(() => explore(held([SYNC], false)), Error, "Deadlock");
});

Deno.test("killed: who waits with a limit, is late or has the lock, and it is free in the end", () => {
  const scenarios = CALLS.slice(3).concat(CALLS[1]).map(({ name, form, limit }): Scenario => ({
    name: `a lock's holder is killed, a ${name} call`,
    build(world) {
      const lock = new ModelLock(world);
      const [victim, killer, agent] = [world.agent(), world.agent(), world.agent()];
      world.words[lock.at + STATE] = victim.site.agent << 1;
      world.strand(killer, "kills", () => kill(world, killer, victim));
      let outcome: string | undefined;
      world.strand(agent, "comes", function* () {
        outcome = yield* lock.turn(agent, form, limit);
      });
      return () => {
        const mine = victim.site.agent << 1;
        lock.checkEnd(outcome === "got" ? 0 : mine);
      };
    },
  }));
  all("killed, limited", scenarios);
});

Deno.test("killed: a task that waits for a lock or was granted it, does not keep it from others", () => {
  const scenario = (form: number): Scenario => ({
    quirks: { atOnce: true },
    name: `a task waits for a lock, its thread is killed, another comes, form ${form}`,
    build(world) {
      const lock = new ModelLock(world);
      const [victim, holder, killer, agent] = [0, 1, 2, 3].map(() => world.agent());
      world.words[lock.at + STATE] = holder.site.agent << 1;
      world.strand(victim, "task", function* () {
        yield* lock.turn(victim, ASYNC);
      });
      world.strand(killer, "kills", () => kill(world, killer, victim));
      world.strand(holder, "releases", function* () {
        yield* lock.release(holder);
      });
      world.strand(agent, "comes", function* () {
        yield* lock.turn(agent, form);
      });
      return () => {
        // What is left of the victim in the lot is passed over by whoever comes next.
        const left = waitersOf(world, lock.at);
        for (const waiter of left) {
          assertEquals(world.words[waiter + W_AGENT], victim.site.agent);
        }
        const state = world.words[lock.at + STATE];
        const free = left.length > 0 ? WAITERS : 0;
        const isVictims = victim.gone && state >> 1 === victim.site.agent;
        assertEquals(isVictims ? free : state, free);
      };
    },
  });
  some("killed, waiting", [scenario(SYNC), scenario(ASYNC)], 6000);
});
