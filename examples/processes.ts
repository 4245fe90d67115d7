/**
 * Processes and what becomes of them: one that does its work, one that is a class, one with an error, one that is killed and one that may
 * do nothing.
 *
 * The chapter's `multiprocessing.Process`.
 *
 *     deno run -A examples/processes.ts
 *
 * @module
 */
import { currentProcess, parentProcess, Process } from "@batteries/concurrent/multiprocessing";

/** Who is who. */
export function info(title: string): void {
  const family = parentProcess()!.pid === Deno.ppid ? "a child of" : "no child of";
  const { name } = currentProcess();
  console.log(`${title}: ${name} is ${family} ${parentProcess()!.name}`);
}

/** A process of one's own kind: its fields travel, `run` is what it does. It ends with the number of lines that are too long. */
export class LineCheck extends Process {
  readonly path: string;
  readonly longest: number;

  constructor(path: string, longest: number) {
    super({ name: "line check" });
    this.path = path;
    this.longest = longest;
  }

  override run(): void {
    const lines = Deno.readTextFileSync(this.path).split("\n");
    const tooLong = lines.filter((line) => line.length > this.longest).length;
    console.log(`${this.name}: ${lines.length} lines, ${tooLong} are too long`);
    if (tooLong > 0) Deno.exit(1);
  }
}

export function fail(): never {
  throw new RangeError("this is meant to fail");
}

export function forever(): never {
  for (;;);
}

/** May do nothing, and finds out. */
export function curious(path: string): void {
  try {
    Deno.readTextFileSync(path);
  } catch (error) {
    console.log(`curious: ${(error as Error).name}`);
  }
}

async function runOne(process: Process, whileItRuns = () => {}): Promise<void> {
  await using _ended = process;
  process.start();
  whileItRuns();
  await process.join();
  console.log(`  ended with ${process.exitcode}`);
}

if (import.meta.main) {
  const here = new URL(import.meta.url).pathname;
  await runOne(new Process({ target: info, args: ["function"], name: "info" }));
  await runOne(new LineCheck(here, 140));
  // The error is printed on standard error, with its stack.
  await runOne(new Process({ target: fail, name: "failing" }));
  const stuck = new Process({ target: forever });
  await runOne(stuck, () => stuck.kill());
  await runOne(new Process({ target: curious, args: [here], permissions: "none" }));
}
