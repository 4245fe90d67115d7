/** Runs scenarios in tests and says how many schedules that were. */

import { assert } from "@std/assert";
import {
  type Bounds,
  type Explorable,
  explore,
  type Report,
  sample,
  type Scenario,
} from "./explorer.ts";
import type { World } from "./world.ts";

let schedules = 0;

function say(name: string, reports: readonly Report[]): void {
  const sum = (of: (report: Report) => number) => reports.reduce((all, one) => all + of(one), 0);
  const here = sum((report) => report.schedules);
  schedules += here;
  console.log(
    `${name}: ${here} schedules, ${sum((report) => report.moves)} moves, ${
      reports.filter((report) => report.complete).length
    } of ${reports.length} scenarios complete (${schedules} in this file)`,
  );
}

/** Explores every schedule of each scenario; fails when there are more than `most` of one. */
export function all<W extends Explorable = World>(
  name: string,
  scenarios: readonly Scenario<W>[],
  bounds: Bounds = {},
): void {
  const reports = scenarios.map((scenario) => {
    const report = explore(scenario, { most: 60_000, ...bounds });
    assert(report.complete, `${scenario.name}: there are more than ${report.schedules} schedules`);
    assert(report.schedules > 0);
    return report;
  });
  say(name, reports);
}

/** Explores the first `most` schedules of each scenario and `count` random ones. */
export function some<W extends Explorable = World>(
  name: string,
  scenarios: readonly Scenario<W>[],
  count: number,
): void {
  say(
    name,
    scenarios.flatMap((
      scenario,
    ) => [explore(scenario, { most: count, mostMoves: 100 * count }), sample(scenario, count)]),
  );
}
