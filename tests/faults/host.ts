/**
 * Goes through the rounds of one scenario. Says the number of each round before it begins.
 *
 * @module
 */
import { Dice } from "../fuzz/bytes.ts";
import { parseFlags } from "./flags.ts";
import { SCENARIOS } from "./scenarios.ts";

if (import.meta.main) {
  const flags = parseFlags(Deno.args, { scenario: "", seed: "1", from: "0", rounds: "1" });
  const scenario = SCENARIOS.find(({ name }) => name === flags.scenario);
  if (scenario === undefined) throw new RangeError(`There is no scenario '${flags.scenario}'`);
  const stage = await scenario.begin();
  const [seed, from] = [Number(flags.seed), Number(flags.from)];
  for (let round = from; round < from + Number(flags.rounds); round++) {
    console.log(round);
    await stage.round(new Dice(seed * 1_000_003 + round));
  }
  await stage.end?.();
}
