/**
 * SHA-256 of every file under a folder, spread over three worker processes by way of NATS; it starts the server and the workers itself.
 * On a real cluster they run elsewhere, and this is all there is to the program: one executor, and `map`.
 *
 * ```sh
 * deno run -A examples/hash_cluster.ts FOLDER
 * ```
 *
 * Needs `nats-server` on `PATH` (Debian: `apt-get install nats-server`), or its path in the environment variable `NATS_SERVER`. Exit
 * code: 0, 1 when a file could not be read, 2 when there is nothing to do, 3 without a server.
 *
 * @module
 */
import { NatsExecutor } from "@batteries/concurrent/nats";
import { hashFile } from "./hash_tree.ts";

const WORKERS = 3;

/** All regular files under a folder. */
function* walk(folder: string): Generator<string> {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory, isFile } of entries) {
    if (isDirectory) yield* walk(`${folder}/${name}`);
    else if (isFile) yield `${folder}/${name}`;
  }
}

/** A server of our own, on a free port; its URL. */
async function startServer(folder: string): Promise<{ url: string; child: Deno.ChildProcess }> {
  const child = new Deno.Command(Deno.env.get("NATS_SERVER") ?? "nats-server", {
    args: [
      ...["-js", "-sd", `${folder}/js`],
      ...["-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder],
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const ports = `${folder}/nats-server_${child.pid}.ports`;
  for (;;) {
    try {
      const { nats } = JSON.parse(Deno.readTextFileSync(ports)) as { nats: string[] };
      return { url: nats[0], child };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** A worker, as it would be started on another machine. */
function startWorker(servers: string): Deno.ChildProcess {
  const nats = import.meta.resolve("@batteries/concurrent/nats");
  const tasks = `hash=${import.meta.resolve("./hash_tree.ts")}`;
  const config = new URL("../deno.json", import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--config", config, nats, "worker"],
      ...["--servers", servers, "--tasks", tasks, "--concurrency", "1"],
    ],
    stdout: "null",
  }).spawn();
}

function fail(code: number, message: string): never {
  console.error(`hash_cluster: ${message}`);
  Deno.exit(code);
}

async function main([folder]: string[]): Promise<void> {
  if (folder === undefined) fail(2, "give a folder");
  let paths: string[] = [];
  try {
    paths = [...walk(folder.replace(/\/+$/, ""))];
  } catch (error) {
    fail(2, `cannot read ${folder}: ${(error as Error).message}`);
  }
  const own = Deno.makeTempDirSync({ prefix: "hash-cluster-" });
  const children: Deno.ChildProcess[] = [];
  let failed = 0;
  try {
    const { url, child } = await startServer(own).catch(() => {
      Deno.removeSync(own, { recursive: true });
      return fail(3, "nats-server is not installed");
    });
    children.push(child);
    for (let i = 0; i < WORKERS; i++) children.push(startWorker(url));
    await using executor = new NatsExecutor({
      servers: url,
      tasks: { hash: import.meta.resolve("./hash_tree.ts") },
    });
    let i = 0;
    let bytes = 0;
    for await (const { sha256, size, failure } of executor.map(hashFile, paths)) {
      const path = paths[i++];
      bytes += size;
      if (failure === undefined) console.log(`${sha256}  ${path}`);
      else {
        failed++;
        console.error(`cannot read ${path}: ${failure}`);
      }
    }
    console.error(`${i - failed} files, ${bytes} bytes, ${executor.stats().workers} workers`);
  } finally {
    for (const child of children.reverse()) {
      child.kill("SIGTERM");
      await child.status;
    }
    Deno.removeSync(own, { recursive: true });
  }
  if (failed > 0) Deno.exitCode = 1;
}

if (import.meta.main) await main(Deno.args);
