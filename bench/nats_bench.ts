/**
 * What a call costs in a worker process of `NatsExecutor`, by the size of chunks, beside a plain loop over the same server, and beside
 * BullMQ on Redis. Words on the command line pick chunks: `1`, `100`, `1000`.
 *
 * Needs `nats-server` on `PATH`, or in the environment variable `NATS_SERVER`; BullMQ needs `redis-server`, or `REDIS_SERVER`. What is
 * not there is left out, and said so.
 *
 * @module
 */
import { NatsExecutor } from "@batteries/concurrent/nats";
import { successor } from "./_nats_tasks.ts";
import { beside, elsewhere, figure, type Group, print, type Row, takeTurns } from "./_measure.ts";

/** How many numbers a round has, by the size of chunks. */
const NUMBERS: Record<string, number> = { "1": 1_000, "100": 50_000, "1000": 400_000 };
/** Calls at a time in the worker. */
const CONCURRENCY = 16;

const here = (name: string) => new URL(name, import.meta.url).pathname;
const flags = (...args: string[]) => ["run", "-A", "--quiet", "--no-check", ...args];

/** Runs the benchmark. */
export async function run(words: readonly string[] = []): Promise<Group[]> {
  const folder = Deno.makeTempDirSync({ prefix: "nats-bench-" });
  const children: Deno.ChildProcess[] = [];
  const spawn = (program: string, args: string[], options: Deno.CommandOptions = {}) => {
    const child = new Deno.Command(program, { args, stdout: "null", stderr: "null", ...options })
      .spawn();
    children.push(child);
    return child;
  };
  try {
    const url = await startNats(spawn, folder);
    if (url === undefined) {
      console.log("nats: nats-server is not installed; nothing is measured");
      return [];
    }
    const redis = await startRedis(spawn, folder);
    if (redis === undefined) console.log("nats: redis-server is not installed; BullMQ is left out");
    return await measure(words, url, redis, spawn);
  } finally {
    for (const child of children.reverse()) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
    }
    Deno.removeSync(folder, { recursive: true });
  }
}

type Spawn = (program: string, args: string[], options?: Deno.CommandOptions) => Deno.ChildProcess;

async function startNats(spawn: Spawn, folder: string): Promise<string | undefined> {
  try {
    const child = spawn(Deno.env.get("NATS_SERVER") ?? "nats-server", [
      ...["-js", "-sd", `${folder}/js`, "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder],
    ]);
    const path = `${folder}/nats-server_${child.pid}.ports`;
    for (let tries = 0; tries < 500; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      try {
        return (JSON.parse(Deno.readTextFileSync(path)) as { nats: string[] }).nats[0];
      } catch {
        // Not there yet, or not whole.
      }
    }
  } catch {
    // Not installed.
  }
}

async function startRedis(spawn: Spawn, folder: string): Promise<number | undefined> {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  try {
    spawn(Deno.env.get("REDIS_SERVER") ?? "redis-server", [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
      ...["--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction"],
    ]);
  } catch {
    return undefined;
  }
  for (let tries = 0; tries < 500; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    try {
      (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
      return port;
    } catch {
      // Not there yet.
    }
  }
}

async function measure(
  words: readonly string[],
  url: string,
  redis: number | undefined,
  spawn: Spawn,
): Promise<Group[]> {
  const config = here("../deno.json");
  const entry = here("../futures/nats.ts");
  const tasks = here("_nats_tasks.ts");
  spawn(Deno.execPath(), [
    ...flags("--config", config, entry, "worker", "--servers", url),
    ...["--tasks", `tasks=${tasks}`, "--concurrency", String(CONCURRENCY)],
  ]);
  const groups: Group[] = [];
  await using executor = new NatsExecutor({
    servers: url,
    tasks: { tasks: import.meta.resolve("./_nats_tasks.ts") },
  });
  await executor.submit(successor, 1);
  const peer = (file: string, server: string) => (chunk: string) =>
    elsewhere(Deno.execPath(), [
      ...flags(
        "--config",
        config,
        here(file),
        server,
        chunk,
        String(NUMBERS[chunk]),
        String(CONCURRENCY),
      ),
    ]);
  const loop = peer("peers/nats_loop.ts", url);
  for (const [chunk, count] of Object.entries(NUMBERS)) {
    if (words.length > 0 && !words.includes(chunk)) continue;
    const numbers = Array.from({ length: count }, (_, n) => n);
    const [rounds] = await takeTurns([async () => {
      const start = performance.now();
      let total = 0;
      const results = executor.map(successor, numbers, { chunksize: Number(chunk) });
      for await (const n of results) total += n;
      if (total !== count * (count + 1) / 2) throw new Error("map lost some");
      return (performance.now() - start) * 1000 / count;
    }]);
    const ours = figure("NatsExecutor.map", "us", rounds);
    const rows: Row[] = [ours];
    const plain = await loop(chunk);
    if (plain !== undefined) {
      rows.push(
        beside(figure("a plain loop on NATS, tasks on its own event loop", "us", plain), ours),
      );
    }
    const bull = redis === undefined ? undefined : await bullMq(redis, chunk);
    if (bull !== undefined) rows.push(beside(figure("BullMQ on Redis", "us", bull), ours));
    groups.push({
      group: `nats: ${count} numbers in chunks of ${chunk}, one worker process: each`,
      rows,
    });
  }
  return groups;
}

/** In a folder of its own, whose package.json says which version of an optional package it is to take. */
async function bullMq(redis: number, chunk: string): Promise<number[] | undefined> {
  const folder = Deno.makeTempDirSync({ prefix: "bullmq-bench-" });
  try {
    const packages = {
      type: "module",
      dependencies: { bullmq: "6.7.0", ioredis: "5.11.1" },
      overrides: { "msgpackr-extract": "3.0.4" },
    };
    Deno.writeTextFileSync(`${folder}/package.json`, JSON.stringify(packages));
    Deno.copyFileSync(here("peers/bullmq_chunks.mjs"), `${folder}/bullmq_chunks.mjs`);
    return await elsewhere(Deno.execPath(), [
      ...flags("--node-modules-dir=none", `${folder}/bullmq_chunks.mjs`, String(redis), chunk),
      ...[String(NUMBERS[chunk]), String(CONCURRENCY)],
    ]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) print(await run(Deno.args));
