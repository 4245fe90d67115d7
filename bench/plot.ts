/**
 * Draws what `deno task bench --json` has kept: one SVG per group, in `bench/results/`. Without arguments, every file there in the order
 * of its date, so that of each group the newest figures stay.
 *
 * A bar is a median, the line across it reaches from the smallest to the largest round. The scale is logarithmic: the subjects of one
 * group may be thousands of times apart.
 *
 * @module
 */
import { parse, View } from "npm:vega@6.2.0";
import type { Spec } from "npm:vega@6.2.0";
import type { Group, Row } from "./_measure.ts";

interface Results {
  readonly date: string;
  readonly deno: string;
  readonly cpus: number;
  readonly groups: readonly Group[];
}

const OURS = "#1f6f8b";
const OTHERS = "#b8c4c8";
const BAR = 22;

/** Others' figures: floors, and what is named after another program or package. */
function isOther({ name }: Row): boolean {
  return /^floor\b|^bare\b|npm:|python|piscina|tinypool|workerpool|poolifier|execa|tinyexec/i.test(
    name,
  );
}

function specOf({ group, rows }: Group, { date, deno, cpus }: Results): Spec {
  const unit = rows[0].unit;
  const values = rows.filter((row) => row.unit === unit && row.value > 0).map((row, order) => ({
    order,
    name: row.name,
    value: row.value,
    low: row.spread?.[0] ?? row.value,
    high: row.spread?.[1] ?? row.value,
    colour: isOther(row) ? OTHERS : OURS,
    label: `${row.value.toLocaleString("en", { maximumSignificantDigits: 3 })} ${unit}` +
      (row.ratio === undefined
        ? ""
        : ` · ${row.ratio.toLocaleString("en", { maximumSignificantDigits: 2 })} ×`),
  }));
  const least = Math.min(...values.map(({ low, value }) => Math.min(low, value))) / 2;
  return {
    $schema: "https://vega.github.io/schema/vega/v6.json",
    background: "white",
    padding: 8,
    width: 420,
    height: values.length * BAR,
    title: {
      text: group,
      subtitle: `${unit}, ${
        unit.endsWith("/s") ? "more" : "less"
      } is better · Deno ${deno}, ${cpus} cores, ${date.slice(0, 10)}`,
      anchor: "start",
      frame: "group",
    },
    data: [{ name: "rows", values }],
    scales: [
      {
        name: "y",
        type: "band",
        domain: { data: "rows", field: "name" },
        range: "height",
        padding: 0.25,
      },
      {
        name: "x",
        type: "log",
        domain: [least, Math.max(...values.map(({ high }) => high))],
        range: "width",
        nice: true,
      },
    ],
    axes: [
      { scale: "y", orient: "left", ticks: false, domain: false, labelLimit: 400 },
      { scale: "x", orient: "bottom", grid: true, gridOpacity: 0.4, tickCount: 5, format: "~s" },
    ],
    marks: [
      {
        type: "rect",
        from: { data: "rows" },
        encode: {
          enter: {
            y: { scale: "y", field: "name" },
            height: { scale: "y", band: 1 },
            x: { value: 0 },
            x2: { scale: "x", field: "value" },
            fill: { field: "colour" },
          },
        },
      },
      {
        type: "rule",
        from: { data: "rows" },
        encode: {
          enter: {
            y: { scale: "y", field: "name", band: 0.5 },
            x: { scale: "x", field: "low" },
            x2: { scale: "x", field: "high" },
            stroke: { value: "#333" },
          },
        },
      },
      {
        type: "text",
        from: { data: "rows" },
        encode: {
          enter: {
            y: { scale: "y", field: "name", band: 0.5 },
            x: { scale: "x", field: "high", offset: 6 },
            text: { field: "label" },
            baseline: { value: "middle" },
            fontSize: { value: 10 },
            fill: { value: "#333" },
          },
        },
      },
    ],
  };
}

/** The group as a file name. */
function fileOf({ group }: Group): string {
  return `${group.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}.svg`;
}

/** Draws every group of one run into `folder`. */
export async function plot(results: Results, folder: URL): Promise<string[]> {
  const files: string[] = [];
  for (const group of results.groups) {
    if (group.rows.length === 0) continue;
    const view = new View(parse(specOf(group, results)), { renderer: "none" });
    const file = fileOf(group);
    Deno.writeTextFileSync(new URL(file, folder), `${await view.toSVG()}\n`);
    view.finalize();
    files.push(file);
  }
  return files;
}

if (import.meta.main) {
  const folder = new URL("results/", import.meta.url);
  const kept = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".json")).sort();
  const names = Deno.args.length > 0 ? Deno.args : kept;
  if (names.length === 0) {
    console.error("There are no results yet: deno task bench --json");
    Deno.exit(1);
  }
  for (const name of names) {
    const results: Results = JSON.parse(Deno.readTextFileSync(new URL(name, folder)));
    for (const file of await plot(results, folder)) console.log(`bench/results/${file}`);
  }
}
