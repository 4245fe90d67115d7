/**
 * Calls by way of BullMQ on Redis; results by a list of ours, since its own stream of events drops some of a burst.
 * `bullmq_chunks.mjs PORT CHUNK COUNT CONCURRENCY` prints microseconds for each number, a figure per round. To be run beside a
 * package.json with the dependencies.
 */
import process from "node:process";

// Named so that nobody who looks at this file has to have them.
const packages = { bullmq: "npm:bullmq@6.7.0", ioredis: "npm:ioredis@5.11.1" };
const { Queue, Worker } = await import(packages.bullmq);
const { Redis } = await import(packages.ioredis);

const [port, chunk, count, concurrency, role] = Deno.args;
const connect = () =>
  new Redis({ port: Number(port), host: "127.0.0.1", maxRetriesPerRequest: null });

if (role === "worker") {
  const store = connect();
  new Worker("calls", async (job) => {
    await store.lpush("results", JSON.stringify([job.data.id, job.data.numbers.map((n) => n + 1)]));
  }, { connection: connect(), concurrency: Number(concurrency) });
} else {
  const queue = new Queue("calls", { connection: connect() });
  const worker = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-check",
      "--node-modules-dir=none",
      import.meta.filename,
      ...[port, chunk, count, concurrency],
      "worker",
    ],
    stdout: "null",
  }).spawn();
  const waiting = new Map();
  const reader = connect();
  void (async () => {
    for (;;) {
      const [, first] = await reader.brpop("results", 0);
      const more = await reader.rpop("results", 500) ?? [];
      for (const text of [first, ...more]) {
        const [id, numbers] = JSON.parse(text);
        waiting.get(id)(numbers);
        waiting.delete(id);
      }
    }
  })();
  let next = 0;
  const round = async () => {
    const total = Number(count);
    const start = performance.now();
    const sent = [];
    const jobs = [];
    for (let i = 0; i < total; i += Number(chunk)) {
      const id = next++;
      const numbers = Array.from({ length: Math.min(Number(chunk), total - i) }, (_, n) => i + n);
      sent.push(new Promise((resolve) => waiting.set(id, resolve)));
      jobs.push(queue.add("call", { id, numbers }, { removeOnComplete: true }));
    }
    let sum = 0;
    for (const result of sent) for (const n of await result) sum += n;
    await Promise.all(jobs);
    if (sum !== total * (total + 1) / 2) throw new Error("it lost some");
    return (performance.now() - start) * 1000 / total;
  };
  await round();
  const rounds = [];
  for (let i = 0; i < 7; i++) rounds.push(await round());
  worker.kill("SIGKILL");
  console.log(JSON.stringify(rounds));
  process.exit(0);
}
