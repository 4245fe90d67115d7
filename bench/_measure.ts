/**
 * What the benchmarks have in common: figures, medians, and how subjects take turns.
 *
 * @module
 */

/** One figure. */
export interface Row {
  readonly name: string;
  /** The median of the rounds. */
  readonly value: number;
  readonly unit: string;
  /** The smallest and the largest of the rounds. */
  readonly spread?: readonly [number, number];
  /** What it is measured against, in the same unit and the same run. */
  readonly floor?: number;
  /** `value / floor`. */
  readonly ratio?: number;
  /** What the ratio should be. */
  readonly target?: string;
  readonly ok?: boolean;
}

/** Figures that belong together. */
export interface Group {
  readonly group: string;
  readonly rows: readonly Row[];
}

/** How often each subject is measured. */
export const ROUNDS = 7;

/** A figure from its rounds. */
export function figure(name: string, unit: string, rounds: readonly number[]): Row {
  const sorted = rounds.toSorted((a, b) => a - b);
  return { name, unit, value: sorted[sorted.length >> 1], spread: [sorted[0], sorted.at(-1)!] };
}

/** A target for `value / floor`. */
export interface Target {
  readonly atMost: number;
}

/** The figure beside its floor. */
export function beside(row: Row, floor: Row, target?: Target): Row {
  const ratio = row.value / floor.value;
  const beside = { ...row, floor: floor.value, ratio };
  if (target === undefined) return beside;
  return { ...beside, target: `<= ${target.atMost}`, ok: ratio <= target.atMost };
}

/** Loops made so far. V8 knows functions of the same text as one, and optimises that for the sum of their subjects. */
let loops = 0;

/** A loop of its own around `body`, built from text, so that none is optimised for the sum of them. Gives nanoseconds per turn. */
export function loop(body: string, names: Record<string, unknown>, turns: number): () => number {
  const run = new Function(
    ...Object.keys(names),
    `let x; for (let i = 0; i < ${turns}; i++) { ${body} } return x; // ${loops++}`,
  );
  const values = Object.values(names);
  return () => {
    const start = performance.now();
    run(...values);
    return (performance.now() - start) * 1e6 / turns;
  };
}

/** The same for a body that awaits. */
export function asyncLoop(
  body: string,
  names: Record<string, unknown>,
  turns: number,
): () => Promise<number> {
  const AsyncFunction = (async () => {}).constructor as typeof Function;
  const run = AsyncFunction(
    ...Object.keys(names),
    `let x; for (let i = 0; i < ${turns}; i++) { ${body} } return x; // ${loops++}`,
  );
  const values = Object.values(names);
  return async () => {
    const start = performance.now();
    await run(...values);
    return (performance.now() - start) * 1e6 / turns;
  };
}

/** One warm-up and then {@linkcode ROUNDS} rounds, in which the subjects take turns, so that noise meets them alike. */
export async function takeTurns(
  subjects: readonly (() => number | Promise<number>)[],
): Promise<number[][]> {
  const rounds: number[][] = subjects.map(() => []);
  for (const subject of subjects) await subject();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, subject] of subjects.entries()) rounds[i].push(await subject());
  }
  return rounds;
}

/**
 * Figures that another program prints as a JSON array of numbers, one per round; `undefined` when it cannot be run.
 */
export async function elsewhere(program: string, args: string[]): Promise<number[] | undefined> {
  try {
    const command = new Deno.Command(program, { args, stderr: "piped" });
    const { success, stdout } = await command.output();
    return success ? JSON.parse(new TextDecoder().decode(stdout)) : undefined;
  } catch {
    return undefined;
  }
}

/** The same for a script of ours, in a Deno of its own. */
export function inOwnProcess(script: string, ...args: string[]): Promise<number[] | undefined> {
  const url = new URL(script, import.meta.url).href;
  return elsewhere(Deno.execPath(), ["run", "-A", "--quiet", url, ...args]);
}

/** Prints groups, when a benchmark is run by itself. */
export function print(groups: readonly Group[]): void {
  for (const { group, rows } of groups) {
    console.log(`\n${group}`);
    const cells = rows.map((row) => [
      row.name,
      `${show(row.value)} ${row.unit}`,
      row.spread ? `${show(row.spread[0])}..${show(row.spread[1])}` : "",
      row.floor === undefined ? "" : show(row.floor),
      row.ratio === undefined ? "" : `${show(row.ratio)}x`,
      row.target ?? "",
      row.ok === undefined ? "" : row.ok ? "ok" : "MISS",
    ]);
    cells.unshift(["", "median of 7", "spread", "floor", "ratio", "target", ""]);
    const widths = cells[0].map((_, i) => Math.max(...cells.map((line) => line[i].length)));
    for (const line of cells) {
      const padded = line.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])
      );
      console.log(`  ${padded.join("  ")}`.trimEnd());
    }
  }
}

function show(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
}
