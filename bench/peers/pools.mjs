// Tasks in the thread pools of npm, in Deno or in Node, from a folder that has them: `pools.mjs piscina 64` prints microseconds for each
// task, a JSON array with a figure per round. In a process of its own: pools keep threads.
import { fileURLToPath } from "node:url";
import process from "node:process";
import { bytes, LOADS, measure } from "./pool_loads.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const WORKERS = 2;

/** The second of them came from the first. */
function likePiscina(Pool) {
  const pool = new Pool({
    filename: path("pool_task.mjs"),
    minThreads: WORKERS,
    maxThreads: WORKERS,
  });
  return (given, transferList) => pool.run(given, { transferList });
}

const POOLS = {
  async piscina() {
    const { Piscina } = await import("piscina");
    return likePiscina(Piscina);
  },
  async tinypool() {
    const { default: Tinypool } = await import("tinypool");
    return likePiscina(Tinypool);
  },
  async workerpool() {
    const { default: workerpool } = await import("workerpool");
    const pool = workerpool.pool(path("workerpool_task.mjs"), {
      minWorkers: WORKERS,
      maxWorkers: WORKERS,
      workerType: "thread",
    });
    return (given, transfer) => pool.exec("answer", [given], { transfer });
  },
  async poolifier() {
    const { FixedThreadPool } = await import("poolifier");
    const pool = new FixedThreadPool(WORKERS, path("poolifier_task.mjs"));
    return (given, transfer) => pool.execute(given, undefined, transfer);
  },
};

const [name, group] = process.argv.slice(2);
const submit = await POOLS[name]();
if (await submit(3) !== 9) throw new Error(`${name} does not do the task`);
if (await submit(bytes) !== bytes.length) throw new Error(`${name} does not take bytes`);
console.log(JSON.stringify(await measure(submit, LOADS[group])));
process.exit(0);
