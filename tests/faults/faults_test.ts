/**
 * Some dozens of kills of each kind; `main.ts` does thousands. `FAULTS_ROUNDS` and `FAULTS_SEED` choose how many and which.
 */
import { assertEquals } from "@std/assert";
import { run } from "./driver.ts";
import { SCENARIOS } from "./scenarios.ts";

const seed = Number(Deno.env.get("FAULTS_SEED") ?? Date.now() % 1_000_000);
const rounds = Number(Deno.env.get("FAULTS_ROUNDS") ?? 10);

for (const { name, gap } of SCENARIOS) {
  Deno.test({
    name: `${name}: killed at any moment, nothing is lost, nobody hangs and nothing is left${
      gap === undefined ? "" : ` (known gap: ${gap})`
    }`,
    ignore: gap !== undefined || Deno.build.os !== "linux",
    async fn() {
      const wrong = await run({ scenario: name, seed, from: 0, rounds });
      assertEquals(wrong, undefined, `FAULTS_SEED=${seed}`);
    },
  });
}

Deno.test({
  name: "the faults' driver: a scenario that fails, is reported with its round",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const wrong = await run({ scenario: "nobody", seed, from: 0, rounds: 1 });
    assertEquals(/There is no scenario 'nobody'/.test(wrong ?? ""), true, wrong);
  },
});
