/**
 * Kills processes at random moments, many times, and sees what the others make of it.
 *
 *     deno run -A tests/faults/main.ts [--rounds 1000] [--seed 7] [--scenario "parents"] [--from 0]
 *
 * Rounds are for each scenario, in runs of at most fifty. The same seed kills the same at the same moments, as far as the machine lets it.
 * It ends with 1 when anything was found.
 *
 * @module
 */
import { run } from "./driver.ts";
import { parseFlags } from "./flags.ts";
import { SCENARIOS } from "./scenarios.ts";

/** Rounds of one run: what is left behind is found after so many. */
const RUN = 50;

if (import.meta.main) {
  const flags = parseFlags(Deno.args, {
    rounds: "1000",
    seed: String(Date.now() % 1_000_000),
    scenario: "",
    from: "0",
  });
  const seed = Number(flags.seed);
  const chosen = SCENARIOS.filter(({ name }) => flags.scenario === "" || name === flags.scenario);
  if (chosen.length === 0) throw new RangeError(`There is no scenario '${flags.scenario}'`);
  console.log(`faults: seed ${seed}, ${flags.rounds} rounds of ${chosen.length} scenarios`);
  let found = 0;
  for (const { name } of chosen) {
    const start = performance.now();
    const first = Number(flags.from);
    const end = first + Number(flags.rounds);
    for (let from = first; from < end; from += RUN) {
      const wrong = await run({ scenario: name, seed, from, rounds: Math.min(RUN, end - from) });
      if (wrong === undefined) continue;
      found++;
      console.log(`FOUND ${name}, seed ${seed}, rounds from ${from}: ${wrong}`);
    }
    console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  }
  Deno.exit(found === 0 ? 0 : 1);
}
