/**
 * Runs every benchmark of this folder, each in a fresh process, and prints its tables. `--json` also keeps the figures in
 * `bench/results/`; a word picks the benchmarks that have it in their name.
 *
 * @module
 */
import { type Group, print } from "./_measure.ts";

async function runOne(file: string): Promise<Group[]> {
  const url = new URL(file, import.meta.url).href;
  const one = new URL("_one.ts", import.meta.url).href;
  const result = Deno.makeTempFileSync({ suffix: ".json" });
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", one, url, result],
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (!success) throw new Error(`${file} failed`);
    return JSON.parse(Deno.readTextFileSync(result));
  } finally {
    Deno.removeSync(result);
  }
}

if (import.meta.main) {
  const words = Deno.args.filter((arg) => !arg.startsWith("--"));
  const folder = new URL(".", import.meta.url);
  const files = [...Deno.readDirSync(folder)]
    .map(({ name }) => name)
    .filter((name) => name.endsWith("_bench.ts"))
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
    .sort();
  const all: Group[] = [];
  for (const file of files) {
    const groups = await runOne(file);
    print(groups);
    all.push(...groups);
  }
  const missed = all.flatMap(({ rows }) => rows).filter(({ ok }) => ok === false);
  console.log(`\n${missed.length === 0 ? "All targets met" : `${missed.length} missed`}`);
  if (Deno.args.includes("--json")) {
    const { deno, v8 } = Deno.version;
    const cpus = navigator.hardwareConcurrency;
    const date = new Date().toISOString();
    const path = new URL(`results/${date.replaceAll(":", "-")}.json`, folder);
    Deno.mkdirSync(new URL("results", folder), { recursive: true });
    const text = JSON.stringify({ date, deno, v8, cpus, groups: all }, null, 2);
    Deno.writeTextFileSync(path, `${text}\n`);
    console.log(`Written to bench/results/${path.pathname.split("/").at(-1)}`);
  }
  if (missed.length > 0) Deno.exitCode = 1;
}
