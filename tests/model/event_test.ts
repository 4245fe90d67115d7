/** Every interleaving of small programs on an event: who waits is let go, and only by a `set` that came while it waited. */

import { FOREVER } from "../../threading/_core/clock.ts";
import { FLAG } from "../../threading/_core/primitives/event.ts";
import type { Scenario } from "./explorer.ts";
import { CALLS, ModelEvent } from "./objects.ts";
import { all, some } from "./report.ts";

type Call = typeof CALLS[number];

const [sync, syncLimited, plain, limited, abortable] = CALLS;

/** Threads that wait for an event which others set. */
function waiters(calls: readonly Call[], setters = 1, own = true): Scenario {
  return {
    name: `${calls.map(({ name }) => name).join(" | ")}; ${setters} set it`,
    build(world) {
      const event = new ModelEvent(world);
      const shared = world.agent();
      for (const { name, form, limit } of calls) {
        const agent = own ? world.agent() : shared;
        world.strand(agent, name, function* () {
          const outcome = yield* event.wait(agent, form, limit);
          if (outcome !== "got" && limit === FOREVER) throw new Error(`It was ${outcome}`);
        });
      }
      for (let i = 0; i < setters; i++) {
        const agent = world.agent();
        world.strand(agent, "sets", function* () {
          yield* event.set(agent);
        });
      }
      return () => event.checkEnd();
    },
  };
}

Deno.test("event: set lets everybody go", () => {
  all("event, 1 waiter", CALLS.flatMap((call) => [waiters([call]), waiters([call], 2)]));
  all(
    "event, 2 waiters",
    CALLS.flatMap((one, i) => CALLS.slice(i).map((other) => waiters([one, other]))),
  );
});

Deno.test("event: tasks of one thread, and three waiters", () => {
  all("event, tasks of one thread", [
    waiters([plain, plain], 1, false),
    waiters([limited, abortable], 1, false),
  ]);
  some("event, 3 waiters", [
    waiters([sync, plain, sync]),
    waiters([syncLimited, limited, abortable]),
  ], 2000);
});

Deno.test("event: set and clear at once let everybody go who waited before", () => {
  const pulse = (call: Call): Scenario => ({
    name: `pulses for ${call.name}`,
    build(world) {
      const event = new ModelEvent(world);
      const [waits, sets] = [world.agent(), world.agent()];
      let outcome = "";
      world.strand(waits, call.name, function* () {
        outcome = yield* event.wait(waits, call.form, call.limit);
      });
      world.strand(sets, "pulses", function* () {
        yield* event.set(sets);
        yield* event.clear();
        // Whoever came after the pulse is let go now.
        yield* event.set(sets);
      });
      return () => {
        event.checkEnd();
        if (outcome !== "got" && call.limit === FOREVER) throw new Error(`It was ${outcome}`);
      };
    },
  });
  all("event, pulses", CALLS.map(pulse));
});

/**
 * A sets the event once while C waits; B clears it and then waits. When B is let go, that was A's `set` after B's `clear`, so the
 * flag is set at the end.
 */
function clearThenWait(call: Call): Scenario {
  return {
    name: `clear and wait (${call.name}) against set`,
    build(world) {
      const event = new ModelEvent(world);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      let outcome = "";
      world.strand(a, "sets", function* () {
        yield* event.set(a);
      });
      world.strand(b, "clears", function* () {
        yield* event.clear();
        outcome = yield* event.wait(b, call.form, call.limit);
      });
      world.strand(c, "waits", function* () {
        yield* event.wait(c, syncLimited.form, syncLimited.limit);
      });
      return () => {
        event.checkEnd();
        if (outcome === "got" && world.words[event.at + FLAG] === 0) {
          throw new Error("It was let go by a set that came before the clear");
        }
      };
    },
  };
}

Deno.test("event: a waiter that came after a clear is not let go by the set before", () => {
  all("event, clear and wait", [syncLimited, limited, abortable].map(clearThenWait));
});

Deno.test("event: a set that was seen and cleared does not come back", () => {
  const scenario: Scenario = {
    name: "wait, clear, look, against one set and another waiter",
    build(world) {
      const event = new ModelEvent(world);
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      let cleared = false;
      world.strand(a, "clears", function* () {
        if ((yield* event.wait(a, syncLimited.form, syncLimited.limit)) !== "got") return;
        yield* event.clear();
        cleared = true;
      });
      world.strand(b, "sets", function* () {
        yield* event.set(b);
      });
      world.strand(c, "waits", function* () {
        yield* event.wait(c, syncLimited.form, syncLimited.limit);
      });
      return () => {
        event.checkEnd();
        const set = world.words[event.at + FLAG] === 1;
        if (set === cleared) throw new Error(cleared ? "It is set again" : "It is not set");
      };
    },
  };
  all("event, wait and clear", [scenario]);
});
