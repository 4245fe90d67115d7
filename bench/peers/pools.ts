/**
 * Tasks in the thread pools of npm: microseconds for each, a figure per round. `pools.ts piscina 64`. In a process of its own: pools
 * keep threads.
 */
import { takeTurns } from "../_measure.ts";

/** Submits what the task is called with; `transfer` is moved. */
export type Submit = (given: unknown, transfer?: Transferable[]) => PromiseLike<unknown>;

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
    return (given, transfer) => pool.run(given, { transferList: transfer as never });
  },
  async tinypool() {
    const { default: Tinypool } = await import("npm:tinypool@1");
    const pool = new Tinypool({
      filename: path("pool_task.mjs"),
      minThreads: WORKERS,
      maxThreads: WORKERS,
    });
    return (given, transfer) => pool.run(given, { transferList: transfer as never });
  },
  async workerpool() {
    const { default: workerpool } = await import("npm:workerpool@9");
    const pool = workerpool.pool(path("workerpool_task.mjs"), {
      minWorkers: WORKERS,
      maxWorkers: WORKERS,
      workerType: "thread",
    });
    return (given, transfer) =>
      pool.exec("next", [given], { transfer: transfer as never }) as unknown as PromiseLike<
        unknown
      >;
  },
  async poolifier() {
    const { FixedThreadPool } = await import("npm:poolifier@5");
    const pool = new FixedThreadPool<unknown, unknown>(WORKERS, path("poolifier_task.mjs"));
    return (given, transfer) => pool.execute(given, undefined, transfer as never);
  },
};

/** What a group of tasks is made of. */
interface Load {
  readonly title: string;
  readonly inFlight: number;
  /** How many tasks a round has. */
  readonly tasks: number;
  readonly give: (i: number) => unknown;
  readonly moves?: boolean;
}

const MIB = 2 ** 20;

/** About 1 kB. */
const object = {
  id: 12345,
  name: "a customer",
  active: true,
  tags: ["one", "two", "three"],
  address: { street: "Long street 1", city: "Town", zip: 12345 },
  orders: Array.from({ length: 8 }, (_, id) => ({ id, price: id * 1.5, text: "x".repeat(60) })),
};
const bytes = new Uint8Array(MIB);

/** The groups. */
export const LOADS: Record<string, Load> = {
  "1": { title: "a tiny task, 1 in flight", inFlight: 1, tasks: 2000, give: (i) => i },
  "64": { title: "a tiny task, 64 in flight", inFlight: 64, tasks: 12_800, give: (i) => i },
  "20000": {
    title: "a tiny task, 20,000 in flight",
    inFlight: 20_000,
    tasks: 20_000,
    give: (i) => i,
  },
  "object": {
    title: "an object of 1 kB there and back, 64 in flight",
    inFlight: 64,
    tasks: 3200,
    give: () => object,
  },
  "copied": { title: "1 MiB copied, 4 in flight", inFlight: 8, tasks: 80, give: () => bytes },
  "moved": {
    title: "1 MiB transferred, 4 in flight",
    inFlight: 4,
    tasks: 8,
    give: () => new Uint8Array(MIB),
    moves: true,
  },
};

/** Microseconds for each task of a group. */
export async function measure(
  submit: Submit,
  { inFlight, tasks, give, moves }: Load,
): Promise<number> {
  const start = performance.now();
  for (let sent = 0; sent < tasks; sent += inFlight) {
    await Promise.all(Array.from({ length: inFlight }, (_, i) => {
      const given = give(i);
      return submit(given, moves ? [(given as Uint8Array<ArrayBuffer>).buffer] : undefined);
    }));
  }
  return (performance.now() - start) * 1000 / tasks;
}

if (import.meta.main) {
  const [name, group] = Deno.args;
  const submit = await POOLS[name]();
  if (await submit(1) !== 2) throw new Error(`${name} does not do the task`);
  if (await submit(bytes) !== MIB) throw new Error(`${name} does not take bytes`);
  const [rounds] = await takeTurns([() => measure(submit, LOADS[group])]);
  console.log(JSON.stringify(rounds));
  Deno.exit(0);
}
