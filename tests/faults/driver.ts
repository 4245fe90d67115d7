/**
 * Runs a scenario in a program of its own, with a temporary folder of its own, and sees that nothing is left of it: no process, nothing in
 * the folder, nothing in `/dev/shm`.
 *
 * What belongs to a run is told by its folder, which is in the environment of all its processes.
 *
 * @module
 */

const HOST = import.meta.resolve("./host.ts");
/** Milliseconds that those may take to end who have lost their parent. */
const LINGER = 60_000;

/** What to run. */
export interface Run {
  readonly scenario: string;
  readonly seed: number;
  /** The first round, and how many. */
  readonly from: number;
  readonly rounds: number;
}

/** Runs it; gives what is wrong, if anything. */
export async function run({ scenario, seed, from, rounds }: Run): Promise<string | undefined> {
  const folder = Deno.makeTempDirSync({ prefix: "faults-" });
  try {
    const args = { scenario, seed, from, rounds };
    const host = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        HOST,
        ...Object.entries(args).flatMap(([name, value]) => [`--${name}`, `${value}`]),
      ],
      env: { TMPDIR: folder, NO_COLOR: "1" },
      stdin: "null",
    });
    const { code, signal, stdout, stderr } = await host.output();
    const text = new TextDecoder();
    if (code !== 0) {
      const round = text.decode(stdout).trim().split("\n").at(-1) || from;
      return `ends with ${signal ?? code} in round ${round}\n${text.decode(stderr)}`;
    }
    const said = text.decode(stderr).trim();
    if (said !== "") return `says ${said}`;
    const end = performance.now() + LINGER;
    for (let left = leftOf(folder); left !== undefined; left = leftOf(folder)) {
      if (performance.now() > end) return `${left} is left`;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    for (const pid of processesOf(folder)) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What is left of a run. */
function leftOf(folder: string): string | undefined {
  const [pid] = processesOf(folder);
  if (pid !== undefined) return `process ${pid} (${commandOf(pid)})`;
  const files = [...Deno.readDirSync(folder)].map(({ name }) => name);
  if (files.length > 0) return files.join(", ");
}

/** Most of those that are asked for are just ending. */
function commandOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
  } catch {
    return "it has just ended";
  }
}

/** The processes that have this temporary folder. */
export function processesOf(folder: string): number[] {
  const found: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
      if (environment.split("\0").includes(`TMPDIR=${folder}`)) found.push(Number(name));
    } catch {
      // It has just ended, or is somebody else's.
    }
  }
  return found;
}
