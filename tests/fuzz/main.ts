/**
 * Fuzzes the decoders, each in a process of its own, so that one that crashes or hangs is found out and named.
 *
 *     deno run -A tests/fuzz/main.ts --inputs 1000000 [--seed 7] [--target "handshakes"] [--from 0] [--patience 60]
 *
 * Inputs are for all targets together. `--patience` is how many seconds a process may say nothing. It ends with 1 when anything was found,
 * and says how to feed that input again.
 *
 * @module
 */
import { parseFlags } from "../faults/flags.ts";
import { feed } from "./run.ts";
import { planted } from "./planted.ts";
import { type Target, targets } from "./targets.ts";

const self = import.meta.url;

/** In a child: feeds one target, and says how far it is. */
async function work(target: Target, flags: Record<string, string>): Promise<void> {
  try {
    await feed(target, {
      seed: Number(flags.seed),
      from: Number(flags.from),
      inputs: Number(flags.inputs),
      alone: true,
      progress: (next) => console.log(next),
    });
  } finally {
    target[Symbol.dispose]?.();
  }
}

/** Watches over a child that feeds a target; gives what is wrong, if anything. */
async function watch(
  name: string,
  seed: number,
  from: number,
  inputs: number,
  patience: number,
): Promise<string | undefined> {
  const args = { child: name, seed, from, inputs };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", self, ...Object.entries(args).flatMap(([k, v]) => [`--${k}`, `${v}`])],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let next = from;
  let silent = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const rearm = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      silent = true;
      child.kill("SIGKILL");
    }, patience * 1000);
  };
  rearm();
  const errors = new Response(child.stderr).text();
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    next = Number(text.trim().split("\n").at(-1));
    rearm();
  }
  const status = await child.status;
  clearTimeout(timer);
  if (status.success) return undefined;
  const where = `seed ${seed}, behind input ${next}`;
  if (silent) return `${name}: hangs, ${where}`;
  const said = await errors;
  const broken = said.match(/Broken: (.*)/)?.[1];
  return broken ?? `${name}: ends with ${status.signal ?? status.code}, ${where}\n${said}`;
}

if (import.meta.main) {
  const flags = parseFlags(Deno.args, {
    inputs: "100000",
    seed: String(Date.now() % 1_000_000),
    target: "",
    from: "0",
    patience: "60",
    child: "",
  });
  const real = targets();
  const all = [...real, ...planted];
  if (flags.child !== "") {
    await work(all.find(({ name }) => name === flags.child)!, flags);
  } else {
    const wanted = all.filter(({ name }) => name === flags.target);
    const chosen = (flags.target === "" ? real : wanted).map(({ name }) => name);
    if (chosen.length === 0) throw new RangeError(`There is no target '${flags.target}'`);
    const [seed, from] = [Number(flags.seed), Number(flags.from)];
    const inputs = Math.ceil(Number(flags.inputs) / chosen.length);
    console.log(`fuzz: seed ${seed}, ${inputs} inputs for each of ${chosen.length} targets`);
    let found = 0;
    for (const name of chosen) {
      const start = performance.now();
      const wrong = await watch(name, seed, from, inputs, Number(flags.patience));
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      if (wrong === undefined) {
        console.log(`${name}: ${inputs} inputs, ${seconds} s`);
        continue;
      }
      found++;
      console.log(`FOUND ${wrong}`);
      console.log(
        `again: deno run -A tests/fuzz/main.ts --target "${name}" --seed ${seed} --from ${
          wrong.match(/input (\d+)/)?.[1]
        } --inputs 1`,
      );
    }
    Deno.exit(found === 0 ? 0 : 1);
  }
}
