/**
 * Servers and workers for tests: real `nats-server` processes with folders and ports of their own, and real worker processes.
 *
 * The server is found by the environment variable `NATS_SERVER`, or on `PATH` (Debian's package is `nats-server`). Where there is none,
 * {@linkcode skip} says so, and tests are skipped by that name.
 *
 * @module
 */
import { connect } from "npm:@nats-io/transport-node@3.4.0";
import { jetstreamManager } from "npm:@nats-io/jetstream@3.4.0";
import { NatsExecutor, type NatsExecutorOptions } from "@batteries/concurrent/nats";

const server = Deno.env.get("NATS_SERVER") ?? "nats-server";

/** Why tests of this folder are skipped, if they are. */
export const skip: string | undefined = (() => {
  try {
    const { success } = new Deno.Command(server, { args: ["--version"], stdout: "null" })
      .outputSync();
    return success ? undefined : `${server} does not run`;
  } catch {
    return "nats-server is not installed";
  }
})();

// A server that is killed resets its connections. The client for NATS may have stopped listening to such a socket, and Deno then throws
// where nobody can catch it (docs/nats.md); the worker program does the same as this. Nothing else is let pass.
addEventListener("error", (event) => {
  const { code, stack = "" } = Object(event.error) as { code?: string; stack?: string };
  if (code === "ECONNRESET" && stack.includes("onStreamRead")) event.preventDefault();
});

/** Registers a test that needs the server. */
export function test(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: skip === undefined ? `nats: ${name}` : `nats: ${name} (skipped: ${skip})`,
    ignore: skip !== undefined,
    fn: () => inTime(fn),
  });
}

/** Milliseconds that a test may take, its clean-up included. */
const LONGEST = 180_000;
const processes = new Set<Deno.ChildProcess>();
let missed: Error | undefined;

/**
 * Runs a test. When it fails, an executor may wait for a call that will never end, before anybody hears of the failure: then it is told
 * here what did not come, and no process is left.
 */
async function inTime(fn: () => Promise<void>): Promise<void> {
  missed = undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      for (const process of processes) process.kill("SIGKILL");
      reject(missed ?? new Error("The test did not end"));
    }, LONGEST);
  });
  try {
    await Promise.race([fn(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a process, which is known until it has ended. */
function spawn(program: string, options: Deno.CommandOptions): Deno.ChildProcess {
  const process = new Deno.Command(program, options).spawn();
  processes.add(process);
  void process.status.then(() => processes.delete(process));
  return process;
}

/** Waits until something is so. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  limit = 60_000,
): Promise<void> {
  const end = performance.now() + limit;
  while (!await isSo()) {
    if (performance.now() > end) throw missed ??= new Error(`It did not come: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * A free port of those that no system gives to whoever asks for any: while a server is away, nobody gets its port by chance, and no
 * connection to it ends at its own beginning.
 */
export function freePort(): number {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      Deno.listen({ port, hostname: "127.0.0.1" }).close();
      return port;
    } catch {
      // Somebody has it.
    }
  }
}

/** How a server is started. */
export interface ServerOptions {
  /** Lines of its configuration. */
  readonly config?: string;
  /** For a cluster: its name, its own route port and all of them. */
  readonly cluster?: {
    readonly name: string;
    readonly own: number;
    readonly all: readonly number[];
  };
  readonly jetstream?: boolean;
  /** Scheme of its URL. */
  readonly scheme?: string;
}

/** A server on a port of its own, that can be killed and started again. */
export class Server implements AsyncDisposable {
  readonly #options: ServerOptions;
  readonly folder = Deno.makeTempDirSync({ prefix: "nats-test-" });
  readonly #port = freePort();
  #process: Deno.ChildProcess | undefined;

  private constructor(options: ServerOptions) {
    this.#options = options;
  }

  static async start(options: ServerOptions = {}): Promise<Server> {
    const server = new Server(options);
    try {
      await server.start();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `${this.#options.scheme ?? "nats"}://127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.#process!.pid;
  }

  get storage(): string {
    return `${this.folder}/js`;
  }

  async start(): Promise<void> {
    const { config = "", cluster, jetstream = true } = this.#options;
    const conf = `${this.folder}/nats.conf`;
    const lines = [jetstream ? `jetstream { store_dir: "${this.storage}" }` : "", config];
    if (cluster !== undefined) {
      const routes = cluster.all.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
      lines.unshift(`server_name: n${cluster.own}`);
      lines.push(
        `cluster { name: ${cluster.name}, listen: "127.0.0.1:${cluster.own}", routes: [${routes}] }`,
      );
    }
    Deno.writeTextFileSync(conf, lines.join("\n"));
    const log = `${this.folder}/log`;
    // It adds to what is there.
    const from = readOr(log).length;
    const process = this.#process = spawn(server, {
      args: ["-c", conf, "-a", "127.0.0.1", "-p", String(this.#port), "-l", log],
      stdout: "null",
      stderr: "null",
    });
    let ended = false;
    void process.status.then(() => ended = true);
    const ready = () => readOr(log).includes("Server is ready", from);
    await until("the server is ready", () => ended || ready(), 30_000);
    if (ended) throw new Error(`The server has ended: ${readOr(log)}`);
  }

  /** What it has logged. */
  log(): string {
    return readOr(`${this.folder}/log`);
  }

  async kill(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process === undefined) return;
    try {
      process.kill(signal);
    } catch {
      // It has ended.
    }
    await process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.folder, { recursive: true });
  }

  /** The same at the end of the program, where nothing can be waited for. */
  drop(): void {
    this.#process?.kill("SIGKILL");
    for (let tries = 0; tries < 50; tries++) {
      try {
        return Deno.removeSync(this.folder, { recursive: true });
      } catch {
        // The server was just writing.
      }
    }
  }
}

function readOr(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

const entry = new URL("../../futures/nats.ts", import.meta.url).href;
const config = new URL("../../deno.json", import.meta.url).pathname;

/** The module of {@linkcode tasks}. */
export const TASKS = new URL("../fixtures/nats/tasks.ts", import.meta.url).href;

/** How a worker process is started. */
export interface WorkerOptions {
  readonly servers: string;
  readonly args?: string[];
  readonly permissions?: string[];
  readonly tasks?: Record<string, string>;
  readonly concurrency?: number;
}

/** A worker process. */
export class WorkerProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly pid: number;
  readonly #stdout: Promise<string>;
  readonly #stderr: Promise<string>;
  readonly #ready = Promise.withResolvers<void>();

  private constructor(options: WorkerOptions) {
    const { servers, args = [], permissions = ["-A"], concurrency = 2 } = options;
    const tasks = Object.entries(options.tasks ?? { tasks: TASKS });
    this.#process = spawn(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        "--no-check",
        "--config",
        config,
        ...permissions,
        entry,
        "worker",
        "--servers",
        servers,
        ...tasks.flatMap(([alias, url]) => ["--tasks", `${alias}=${url}`]),
        "--concurrency",
        String(concurrency),
        ...args,
      ],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    this.pid = this.#process.pid;
    this.#stdout = this.#read();
    this.#stderr = new Response(this.#process.stderr).text();
    this.#ready.promise.catch(() => {});
  }

  /** Starts one, and waits until it takes calls. */
  static async start(options: WorkerOptions): Promise<WorkerProcess> {
    const worker = new WorkerProcess(options);
    try {
      await worker.#ready.promise;
    } catch {
      const { code, stderr } = await worker.ended();
      throw new Error(`The worker ended with ${code}: ${stderr}`);
    }
    return worker;
  }

  /** Starts one that is not expected to work. */
  static fail(options: WorkerOptions): Promise<{ code: number; stdout: string; stderr: string }> {
    return new WorkerProcess(options).ended();
  }

  async #read(): Promise<string> {
    let text = "";
    for await (const part of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (text.includes("takes calls")) this.#ready.resolve();
    }
    this.#ready.reject(new Error("ended"));
    return text;
  }

  kill(signal: Deno.Signal = "SIGKILL"): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It has ended.
    }
  }

  async ended(): Promise<{ code: number; stdout: string; stderr: string }> {
    const { code } = await this.#process.status;
    return { code, stdout: await this.#stdout, stderr: await this.#stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.ended();
  }
}

/** An executor for the fixtures' functions. */
export function executorFor(
  server: string,
  options: Partial<NatsExecutorOptions> = {},
): NatsExecutor {
  return new NatsExecutor({ servers: server, tasks: { tasks: TASKS }, ...options });
}

/** How many messages the streams of the default queue hold: calls, results, and pieces of what is too long for a message. */
export async function held(
  servers: string,
  login: { user?: string; pass?: string } = {},
): Promise<{ tasks: number; results: number; chunks: number }> {
  const nc = await connect({ servers, ...login });
  try {
    const { streams } = await jetstreamManager(nc, { checkAPI: false });
    const count = async (name: string, filter: string) => {
      const info = await streams.info(name, { subjects_filter: filter }).catch(() => undefined);
      const subjects = Object.values(info?.state.subjects ?? {});
      return subjects.reduce((sum, each) => sum + each, 0);
    };
    const tasks = await count("batteries_default_tasks", ">");
    const results = await count("batteries_default_results", ">");
    const chunks = await count("OBJ_batteries_default", "$O.batteries_default.C.>");
    return { tasks, results, chunks };
  } finally {
    await nc.close();
  }
}

/** Waits until nothing is left on a server. A call leaves it just after its result has come: its worker says so then. */
export async function untilEmpty(
  servers: string,
  login?: { user: string; pass: string },
): Promise<void> {
  await until("the server is empty", async () => {
    const { tasks, results, chunks } = await held(servers, login);
    return tasks + results + chunks === 0;
  });
}

/** Which server of a cluster leads the tasks' stream. */
export async function leaderOf(servers: string): Promise<string> {
  const nc = await connect({ servers: servers.split(",") });
  try {
    const { streams } = await jetstreamManager(nc, { checkAPI: false });
    let leader = "";
    await until("the tasks' stream has a leader", async () => {
      const info = await streams.info("batteries_default_tasks").catch(() => undefined);
      leader = info?.cluster?.leader ?? "";
      return leader !== "";
    });
    return leader;
  } finally {
    await nc.close();
  }
}
