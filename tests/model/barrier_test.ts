/** Every interleaving of small programs on a barrier: each index once, broken exactly when it should be, nobody left behind. */

import { assertEquals } from "@std/assert";
import { BROKEN, FILLING } from "../../threading/_core/primitives/barrier.ts";
import { SYNC } from "../../threading/_core/words.ts";
import type { Scenario } from "./explorer.ts";
import { type Arrival, CALLS, ModelBarrier } from "./objects.ts";
import { all, some } from "./report.ts";

type Call = typeof CALLS[number];

const [sync, syncLimited, plain, limited, abortable] = CALLS;

/** Parties that meet `rounds` times: all get through, each index once a round. */
function rounds(calls: readonly Call[], rounds: number, own = true): Scenario {
  return {
    name: `${calls.map(({ name }) => name).join(" | ")}, ${rounds} rounds`,
    build(world) {
      const barrier = new ModelBarrier(world, calls.length);
      const home = world.agent();
      const indexes: Arrival[][] = Array.from({ length: rounds }, () => []);
      for (const { name, form, limit } of calls) {
        const agent = own ? world.agent() : home;
        world.strand(agent, name, function* () {
          for (let round = 0; round < rounds; round++) {
            indexes[round].push(yield* barrier.wait(agent, form, limit));
          }
        });
      }
      return () => {
        barrier.checkEnd();
        for (const round of indexes) assertEquals(round.sort(), calls.map((_, index) => index));
      };
    },
  };
}

Deno.test("barrier: a round gives each index once", () => {
  all("barrier, 2 parties", [
    rounds([sync, sync], 1),
    rounds([sync, plain], 1),
    rounds([plain, plain], 1),
    rounds([plain, plain], 2, false),
  ]);
  some("barrier, 2 parties, 2 rounds", [
    rounds([sync, sync], 2),
    rounds([sync, plain], 2),
    rounds([plain, plain], 2),
  ], 2000);
  some("barrier, 3 parties", [
    rounds([sync, sync, plain], 1),
    rounds([plain, plain, plain], 2, false),
    rounds([sync, plain, sync], 2),
  ], 2000);
});

/** Two parties, of which some may give up. */
function givingUp(calls: readonly Call[]): Scenario {
  return {
    name: `${calls.map(({ name }) => name).join(" | ")} may give up`,
    build(world) {
      const barrier = new ModelBarrier(world, 2);
      const results: Arrival[] = [];
      for (const { name, form, limit } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          results.push(yield* barrier.wait(agent, form, limit));
        });
      }
      return () => {
        const indexes = results.filter((result) => typeof result === "number").sort();
        const broken = results.includes("broken");
        if (broken) {
          assertEquals(indexes, [], "nobody gets through a broken barrier");
          assertEquals(results.includes("aborted"), false);
        } else assertEquals(indexes, [0, 1]);
        barrier.checkEnd(broken ? BROKEN : FILLING);
      };
    },
  };
}

Deno.test("barrier: one that runs out of time breaks it for all, or for nobody", () => {
  all("barrier, limits", [
    givingUp([sync, syncLimited]),
    givingUp([syncLimited, syncLimited]),
    givingUp([limited, sync]),
    givingUp([plain, syncLimited]),
    givingUp([limited, limited]),
  ]);
});

Deno.test("barrier: one that is aborted leaves it whole", () => {
  const scenario = (other: Call): Scenario => ({
    name: `abortable | ${other.name} | ${other.name}, 2 parties`,
    build(world) {
      const barrier = new ModelBarrier(world, 2);
      const results: Arrival[] = [];
      const first = world.agent();
      world.strand(first, "abortable", function* () {
        const result = yield* barrier.wait(first, abortable.form, abortable.limit);
        // Comes back, so that the others find their second party whatever happens.
        results.push(result === "aborted" ? yield* barrier.wait(first, plain.form) : result);
      });
      const second = world.agent();
      world.strand(second, other.name, function* () {
        results.push(yield* barrier.wait(second, other.form, other.limit));
      });
      return () => {
        barrier.checkEnd();
        assertEquals(results.sort(), [0, 1]);
      };
    },
  });
  all("barrier, aborts", [scenario(sync), scenario(plain)]);
});

Deno.test("barrier: a limit that comes during an action breaks the round for all, or for nobody", () => {
  const scenario = (call: Call, early: Call): Scenario => ({
    name: `${call.name} against an action, ${early.name} comes early`,
    build(world) {
      const barrier = new ModelBarrier(world, 2);
      const results = new Map<string, Arrival>();
      const [a, b, c] = [world.agent(), world.agent(), world.agent()];
      world.strand(a, "waits", function* () {
        results.set("a", yield* barrier.wait(a, call.form, call.limit));
      });
      world.strand(b, "leads or waits", function* () {
        results.set("b", yield* barrier.wait(b, SYNC));
      });
      world.strand(c, "early", function* () {
        results.set("c", yield* barrier.wait(c, early.form, early.limit));
        // Nobody of the three is left alone with a whole barrier.
        yield* barrier.abort(c);
      });
      return () => {
        barrier.checkEnd(BROKEN);
        const passed = [...results.values()].filter((result) => typeof result === "number");
        if (passed.length !== 0) assertEquals(passed.sort(), [0, 1]);
      };
    },
  });
  all("barrier, limits during the action", [
    scenario(syncLimited, syncLimited),
    scenario(limited, limited),
    scenario(limited, abortable),
    scenario(abortable, abortable),
  ], { preemptions: 2 });
});

Deno.test("barrier: abort and an action that fails break it for everybody", () => {
  const scenario = (call: Call, fails: boolean): Scenario => ({
    name: `${call.name} | ${call.name}, ${fails ? "the action fails" : "somebody aborts"}`,
    build(world) {
      const barrier = new ModelBarrier(world, 2);
      const results: Arrival[] = [];
      for (let i = 0; i < 2; i++) {
        const agent = world.agent();
        world.strand(agent, call.name, function* () {
          results.push(yield* barrier.wait(agent, call.form, call.limit, fails));
        });
      }
      if (!fails) {
        const agent = world.agent();
        world.strand(agent, "aborts", function* () {
          yield* barrier.abort(agent);
        });
      }
      return () => {
        barrier.checkEnd(BROKEN);
        const passed = results.filter((result) => typeof result === "number").sort();
        if (fails) assertEquals(results, ["broken", "broken"]);
        else if (passed.length > 0) assertEquals(passed, [0, 1]);
      };
    },
  });
  all("barrier, abort", [
    scenario(sync, true),
    scenario(plain, true),
    scenario(sync, false),
    scenario(plain, false),
  ]);
});

Deno.test("barrier: reset turns away who waits, and rounds after it are whole", () => {
  const scenario = (calls: readonly Call[]): Scenario => ({
    name: `${
      calls.map(({ name }) => name).join(" | ")
    }, reset, each comes back when it was turned away`,
    build(world) {
      const barrier = new ModelBarrier(world, 2);
      const results: Arrival[] = [];
      let turnedAway = 0;
      for (const { name, form } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          for (;;) {
            const result = yield* barrier.wait(agent, form);
            if (result !== "broken") return void results.push(result);
            turnedAway++;
          }
        });
      }
      const agent = world.agent();
      world.strand(agent, "resets", function* () {
        yield* barrier.reset(agent);
      });
      return () => {
        barrier.checkEnd();
        assertEquals(results.sort(), [0, 1]);
        if (turnedAway > 2) throw new Error("Somebody was turned away twice");
      };
    },
  });
  all("barrier, reset", [scenario([sync, sync]), scenario([plain, sync])], { preemptions: 3 });
});

Deno.test("barrier: a leader whose round was reset does not finish the next", () => {
  const scenario: Scenario = {
    name: "one party; reset by another, which then comes itself",
    build(world) {
      const barrier = new ModelBarrier(world, 1);
      let late: Arrival = "broken";
      const [a, b] = [world.agent(), world.agent()];
      world.strand(a, "leads", function* () {
        yield* barrier.wait(a, plain.form);
      });
      world.strand(b, "resets and comes", function* () {
        yield* barrier.reset(b);
        late = yield* barrier.wait(b, SYNC);
      });
      return () => {
        barrier.checkEnd();
        assertEquals(late, 0, "who comes after the reset gets through");
      };
    },
  };
  all("barrier, reset while acting", [scenario]);
});

Deno.test("barrier: who arrives during an action counts for the next round", () => {
  const scenario = (parties: number, calls: readonly Call[]): Scenario => ({
    name: `${parties} parties: ${calls.map(({ name }) => name).join(" | ")}`,
    build(world) {
      const barrier = new ModelBarrier(world, parties);
      const results: Arrival[] = [];
      for (const { name, form, limit } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          results.push(yield* barrier.wait(agent, form, limit));
        });
      }
      return () => {
        barrier.checkEnd();
        const expected = calls.map((_, i) => i % parties).sort();
        assertEquals(results.sort(), expected);
      };
    },
  });
  all("barrier, early arrivals", [
    scenario(1, [sync, plain]),
    scenario(1, [sync, sync, sync]),
  ]);
  some("barrier, 4 arrivals at 2 parties", [scenario(2, [sync, plain, sync, plain])], 3000);
});

Deno.test("barrier: limits and aborts with three parties", () => {
  const scenario = (calls: readonly Call[]): Scenario => ({
    name: calls.map(({ name }) => name).join(" | "),
    build(world) {
      const barrier = new ModelBarrier(world, calls.length);
      const results: Arrival[] = [];
      for (const { name, form, limit } of calls) {
        const agent = world.agent();
        world.strand(agent, name, function* () {
          results.push(yield* barrier.wait(agent, form, limit));
        });
      }
      // If one is aborted, the others end by their own limits.
      return () => {
        const passed = results.filter((result) => typeof result === "number").sort();
        if (passed.length > 0) assertEquals(passed, calls.map((_, index) => index));
        else assertEquals(results.length, calls.length);
        barrier.checkEnd(results.includes("broken") ? BROKEN : FILLING);
      };
    },
  });
  some("barrier, 3 parties with limits", [
    scenario([syncLimited, limited, abortable]),
    scenario([sync, syncLimited, plain]),
    scenario([abortable, abortable, limited]),
  ], 2000);
});
