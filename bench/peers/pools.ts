/**
 * Tiny tasks in the thread pools of npm: microseconds for each, with so many in flight: a figure per round.
 * `pools.ts piscina 64`. In a process of its own: pools keep threads.
 */
import { takeTurns } from "../_measure.ts";

type Submit = (n: number) => PromiseLike<unknown>;

const path = (name: string) => new URL(name, import.meta.url).pathname;
const WORKERS = 2;

const POOLS: Record<string, () => Promise<Submit>> = {
  async piscina() {
    const { Piscina } = await import("npm:piscina@5");
    const pool = new Piscina({
      filename: path("pool_task.mjs"),
      minThreads: WORKERS,
      maxThreads: WORKERS,
    });
    return (n) => pool.run(n);
  },
  async tinypool() {
    const { default: Tinypool } = await import("npm:tinypool@1");
    const pool = new Tinypool({
      filename: path("pool_task.mjs"),
      minThreads: WORKERS,
      maxThreads: WORKERS,
    });
    return (n) => pool.run(n);
  },
  async workerpool() {
    const { default: workerpool } = await import("npm:workerpool@9");
    const pool = workerpool.pool(path("workerpool_task.mjs"), {
      minWorkers: WORKERS,
      maxWorkers: WORKERS,
      workerType: "thread",
    });
    return (n) => pool.exec("next", [n]) as unknown as PromiseLike<unknown>;
  },
  async poolifier() {
    const { FixedThreadPool } = await import("npm:poolifier@5");
    const pool = new FixedThreadPool<number, number>(WORKERS, path("poolifier_task.mjs"));
    return (n) => pool.execute(n);
  },
};

/** Microseconds for each of `tasks`, `inFlight` at a time. */
export async function tiny(submit: Submit, inFlight: number, tasks: number): Promise<number> {
  const start = performance.now();
  for (let sent = 0; sent < tasks; sent += inFlight) {
    await Promise.all(Array.from({ length: inFlight }, (_, i) => submit(i)));
  }
  return (performance.now() - start) * 1000 / tasks;
}

/** How many tasks a round has. */
export const TASKS: Record<number, number> = { 1: 1000, 64: 6400, 20_000: 20_000 };

if (import.meta.main) {
  const [name, inFlight] = [Deno.args[0], Number(Deno.args[1])];
  const submit = await POOLS[name]();
  if (await submit(1) !== 2) throw new Error(`${name} does not do the task`);
  const [rounds] = await takeTurns([() => tiny(submit, inFlight, TASKS[inFlight])]);
  console.log(JSON.stringify(rounds));
  Deno.exit(0);
}
