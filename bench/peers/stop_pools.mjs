// Stopping a task that spins in the thread pools of npm, in Node or in Deno, from a folder that has them:
// `stop_pools.mjs piscina 20`. Prints JSON: milliseconds from the abort until the task runs no more, one for each, null where it ran on
// for three seconds; and how much of one processor was still used two seconds after the last.
const [name, count] = [process.argv[2], Number(process.argv[3])];
process.env.STOP_PEER = name;
const task = new URL("./stop_task.mjs", import.meta.url).pathname;

const POOLS = {
  async piscina() {
    const { Piscina } = await import("piscina");
    const pool = new Piscina({ filename: task, minThreads: 1, maxThreads: 1 });
    return (counter) => {
      const controller = new AbortController();
      const ended = pool.run(counter, { signal: controller.signal });
      return { stop: () => controller.abort(), ended };
    };
  },
  async workerpool() {
    const { default: workerpool } = await import("workerpool");
    const pool = workerpool.pool(task, { minWorkers: 1, maxWorkers: 1, workerType: "thread" });
    return (counter) => {
      const ended = pool.exec("spin", [counter]);
      return { stop: () => ended.cancel(), ended };
    };
  },
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function stopOne(start) {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const { stop, ended } = start(counter);
  const settled = Promise.resolve(ended).catch(() => {});
  const deadline = performance.now() + 5000;
  while (Atomics.load(counter, 0) === 0) {
    if (performance.now() > deadline) return null;
    await sleep(1);
  }
  await sleep(5);
  const begun = performance.now();
  stop();
  let seen = Atomics.load(counter, 0);
  let last = performance.now();
  // It has stopped when it has stood still for 50 ms, from one look to the next.
  for (;;) {
    await sleep(1);
    const now = Atomics.load(counter, 0);
    if (now !== seen) last = performance.now();
    else if (performance.now() - last >= 50) break;
    if (performance.now() - begun > 3000) return null;
    seen = now;
  }
  await Promise.race([settled, sleep(1000)]);
  return last - begun;
}

const start = await POOLS[name]();
const times = [];
for (let i = 0; i < count; i++) {
  const time = await stopOne(start);
  times.push(time);
  if (time === null) break;
}
await sleep(2000);
const before = process.cpuUsage();
await sleep(500);
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ times, burnt: (user + system) / 500_000 }));
process.exit(0);
