/**
 * How long a process takes from its start to the end of its join, beside a bare `deno run` of an empty file, and Python's.
 *
 * @module
 */
import { Process } from "@batteries/concurrent/multiprocessing";
import { isStocked } from "../multiprocessing/_forkserver.ts";
import { contextOf } from "../multiprocessing/context.ts";
import { nothing } from "./_mp_nothing.ts";
import {
  beside,
  elsewhere,
  figure,
  type Group,
  print,
  ROUNDS,
  type Row,
  takeTurns,
} from "./_measure.ts";

const empty = new URL("./_mp_empty.ts", import.meta.url).pathname;

/** Milliseconds from the call to the end of the program. */
async function bare(): Promise<number> {
  const began = performance.now();
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", empty],
    stdin: "null",
  });
  await command.spawn().status;
  return performance.now() - began;
}

async function life(process: Process): Promise<number> {
  const began = performance.now();
  process.start();
  await process.join();
  if (process.exitcode !== 0) throw new Error(`The child ended with ${process.exitcode}`);
  return performance.now() - began;
}

/** A warm child, once there is one: that there is one is what is measured. */
async function warm(): Promise<number> {
  const { Process } = contextOf({}, "forkserver");
  const process = new Process({ target: nothing });
  while (started && !isStocked()) await new Promise((resolve) => setTimeout(resolve, 5));
  started = true;
  return await life(process);
}

let started = false;

const PYTHON = `
import json, multiprocessing, sys, time
def nothing(): pass
if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    def life():
        began = time.perf_counter()
        process = context.Process(target=nothing)
        process.start()
        process.join()
        return (time.perf_counter() - began) * 1e3
    life()
    print(json.dumps([life() for _ in range(${ROUNDS})]))
`;

/** What the benchmark finds. */
export async function run(): Promise<Group[]> {
  const [floor, spawn, forkserver] = (await takeTurns([
    bare,
    () => life(new Process({ target: nothing })),
    warm,
  ])).map((rounds, i) =>
    figure(["bare deno run of an empty file", "spawn", "forkserver"][i], "ms", rounds)
  );
  const rows: Row[] = [
    floor,
    beside(spawn, floor, { atMost: 1.3 }),
    beside(forkserver, floor, { atMost: 0.2 }),
  ];
  const script = Deno.makeTempFileSync({ suffix: ".py" });
  Deno.writeTextFileSync(script, PYTHON);
  for (const method of ["spawn", "forkserver", "fork"]) {
    const rounds = await elsewhere("python3", [script, method]);
    if (rounds !== undefined) rows.push(figure(`python3: ${method}`, "ms", rounds));
  }
  Deno.removeSync(script);
  return [{ group: "Process, from start to the end of join", rows }];
}

if (import.meta.main) print(await run());
