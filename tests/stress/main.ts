/**
 * Runs the stress tests for a time of one's choice.
 *
 *     deno run -A tests/stress/main.ts [--seconds 60] [--seed 7]
 *
 * Each file has that many seconds; the seed is printed.
 *
 * @module
 */
import { parseFlags } from "../faults/flags.ts";

if (import.meta.main) {
  const flags = parseFlags(Deno.args, {
    seconds: "60",
    seed: String(Date.now() % 1_000_000),
  });
  console.log(`stress: ${flags.seconds} s each, seed ${flags.seed}`);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--sanitize-ops", "--sanitize-resources", import.meta.dirname!],
    env: { STRESS_SECONDS: flags.seconds, STRESS_SEED: flags.seed },
  }).spawn().status;
  Deno.exit(code);
}
