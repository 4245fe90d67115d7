/**
 * Workers that can be stopped for good, whatever they do, and whose memory can be capped: `node:worker_threads` ones, which
 * bootstrap.ts makes where a job asks for it. Deno's `terminate()` of a web worker does not interrupt running JavaScript; that of a
 * Node worker does, once the worker holds a Web Lock.
 *
 * Guarantees
 * - A kill tears no section of section.ts. A worker that sleeps in a `Sync` call or awaits something takes its waiters out of every
 *   lot itself, before it is killed. One that runs code of the user's is killed where it stands: `finally` blocks do not run, its
 *   asynchronous waiters are passed over from then on.
 * - No kill meets what a worker needs of Deno's own modules to get to the user's function, see section.ts, nor the first timer or
 *   `Buffer` there. It may meet others that the function itself is the first to use: the end of the process, by a panic of Deno's.
 * - Locks that it held go to whoever waits for them or comes next, who can ask `ownerDied()`.
 * - Verified when first used: where a worker that spins does not end, {@linkcode canStopThreads} says so.
 *
 * Relies on: what is said above of Deno 2.9; the engine looking at its interrupts. Regular expressions, arithmetic of `BigInt`s,
 * `JSON.stringify`, sorting with a function and WebAssembly look. These do not: a loop of nothing but calls of some built-in functions
 * (`for (;;) bytes.fill(1)`), once it is optimised; a single long call of one (`sort` without a function, `JSON.parse`, `indexOf`); and a
 * call that waits for the operating system (`outputSync` of a command). Such a worker is given up: half a second after the kill the job
 * counts as ended and its place is free, but the thread is there, and may burn, until its call ends.
 *
 * @module
 */
import { nudge, sleep } from "./park.ts";
import { IN_SECTION, LOADING, SETTLED, SETTLING, STOP, TAKEN } from "./section.ts";
import { here, isMain } from "./site.ts";
import { A_PARK, A_PENDING, A_SECTION, A_STOP } from "./words.ts";

/** What a job asks for that must be stoppable. */
export interface KillableOptions {
  /** The most memory that its JavaScript heap may take, in MiB. */
  readonly memoryLimit: number | undefined;
  /** The agent that is told, by a letter with a {@linkcode Death}, when the worker dies on its own, and the module that takes it. */
  readonly owner: number;
  readonly handler: string;
}

/** A killable worker has died that nobody killed. */
export interface Death {
  /** The thread that it was. */
  readonly ident: number;
  /** Whether it ran out of memory. */
  readonly memory: boolean;
  readonly message: string;
}

/** A worker as bootstrap.ts uses it. */
export interface Body {
  postMessage(message: unknown, transfer: Transferable[]): void;
  terminate(): unknown;
  onMessage(fn: (data: unknown) => void): void;
  onError(fn: (message: string, code: string | undefined) => void): void;
}

interface NodeWorker {
  postMessage(message: unknown, transfer: Transferable[]): void;
  terminate(): Promise<number>;
  unref(): void;
  on(type: "message", fn: (data: unknown) => void): void;
  on(type: "error", fn: (error: Error & { code?: string }) => void): void;
}

interface NodeThreads {
  readonly SHARE_ENV: symbol;
  readonly Worker: new (url: URL, options: Record<string, unknown>) => NodeWorker;
}

function nodeThreads(): NodeThreads {
  // Loaded only when it is needed: it takes some milliseconds.
  return (globalThis as unknown as { process: { getBuiltinModule(name: string): NodeThreads } })
    .process.getBuiltinModule("node:worker_threads");
}

/** A Node worker that runs {@linkcode listen} of entry.ts. */
export function nodeBody(entry: URL, memoryLimit: number | undefined): Body {
  const { Worker: NodeWorker, SHARE_ENV } = nodeThreads();
  // Of a server's modules it takes none itself.
  const url = entry.protocol === "file:" ? entry : new URL(
    `data:text/javascript,import { listen } from ${
      encodeURIComponent(JSON.stringify(entry.href))
    };listen();`,
  );
  const worker = new NodeWorker(url, {
    env: SHARE_ENV,
    resourceLimits: memoryLimit === undefined ? {} : { maxOldGenerationSizeMb: memoryLimit },
  });
  worker.unref();
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer),
    terminate: () => void worker.terminate(),
    onMessage: (fn) => worker.on("message", fn),
    onError: (fn) => worker.on("error", (error) => fn(error.message, error.code)),
  };
}

/** How long a worker may take to reach its safe point, in milliseconds, when it has waiters to take out and may be spinning. */
const GRACE = 5;
/** The same when it is in a section. Only a function of the user's that is called there, to compare items, takes more than a moment. */
const GRACE_IN_SECTION = 200;

/**
 * Sees to it that a worker is at a safe point, or may be killed where it is. Blocks for some microseconds, for
 * {@linkcode GRACE} or {@linkcode GRACE_IN_SECTION} where it must.
 *
 * @param patient Whether one that imports modules is left to do so.
 * @returns `"settled"`: it runs no more, and has left nothing behind but locks; `"clean"`: nothing but locks either, but it is to be
 * terminated; `"torn"`: waiters of its may be in lots; `"loading"`: it will settle after the import, or while that awaits something.
 */
export function bringToStop(
  agent: number,
  patient: boolean,
): "settled" | "clean" | "torn" | "loading" {
  const { ground, agent: main } = here();
  const { words } = ground;
  if (Atomics.compareExchange(words, agent + A_STOP, 0, STOP) === 0) nudge(ground, agent);
  const begun = performance.now();
  for (;;) {
    const seen = Atomics.load(words, main + A_PARK);
    const stop = Atomics.load(words, agent + A_STOP);
    if (stop === SETTLED) return "settled";
    const section = Atomics.load(words, agent + A_SECTION);
    if (patient && stop === STOP && section === LOADING) return "loading";
    const free = stop === STOP && (section & IN_SECTION) === 0;
    const pending = Atomics.load(words, agent + A_PENDING);
    const grace = free ? (pending > 0 ? GRACE : 0) : GRACE_IN_SECTION;
    const left = begun + grace - performance.now();
    if (left <= 0) {
      const was = Atomics.compareExchange(words, agent + A_STOP, STOP, TAKEN);
      if (was === STOP) return free && pending === 0 ? "clean" : "torn";
      if (was === SETTLING && performance.now() - begun > GRACE_IN_SECTION) return "torn";
      continue;
    }
    // It wakes us when it has settled.
    sleep(words, main + A_PARK, seen, Math.min(left, 1));
  }
}

let verdict: boolean | undefined;

/**
 * Whether threads can be stopped here. On the main thread this is tried out, once, in some ten milliseconds, and complained of where
 * they cannot; other threads believe it.
 */
export function canStopThreads(): boolean {
  if (!isMain()) return true;
  if (verdict === undefined) {
    verdict = canKill();
    if (!verdict) Deno.stderr.writeSync(new TextEncoder().encode(`${UNABLE}; use processes\n`));
  }
  return verdict;
}

const UNABLE =
  `Cannot stop threads or cap their memory: this Deno (${Deno.version.deno}) does not end a worker that runs in a loop`;

/**
 * The same for what cannot do without.
 *
 * @throws {Error} where a worker that spins is not stopped.
 */
export function mustBeAbleToKill(): void {
  if (canStopThreads()) return;
  throw new Error(
    `${UNABLE}; use a ProcessPoolExecutor for calls with a signal, a timeout or a memoryLimit`,
  );
}

/** Words of the trial: how often the worker came round, one to sleep on, and whether it may stop by itself. */
const ROUNDS = 0;
const QUIET = 1;
const OVER = 2;

/** How long the worker of the trial may take to begin, in milliseconds: a busy machine is not one that cannot stop threads. */
const BEGIN = 10_000;
/** How long it may take to end. */
const END = 1000;

function canKill(): boolean {
  const words = new Int32Array(new SharedArrayBuffer(12));
  const { Worker: NodeWorker, SHARE_ENV } = nodeThreads();
  const source = `navigator.locks.request(crypto.randomUUID(), () => new Promise(() => {
    addEventListener("message", ({ data }) => { while (data[${OVER}] === 0) Atomics.add(data, ${ROUNDS}, 1); });
    postMessage(0);
  }));`;
  const worker = new NodeWorker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    env: SHARE_ENV,
  });
  worker.unref();
  worker.postMessage(words, []);
  try {
    const until = performance.now() + BEGIN;
    while (Atomics.load(words, ROUNDS) === 0 && performance.now() < until) {
      sleep(words, QUIET, 0, 1);
    }
    void worker.terminate();
    for (const last = performance.now() + END; performance.now() < last;) {
      const seen = Atomics.load(words, ROUNDS);
      sleep(words, QUIET, 0, 2);
      if (seen !== 0 && Atomics.load(words, ROUNDS) === seen) return true;
    }
    return false;
  } finally {
    // One that was not ended does not go on for ever.
    Atomics.store(words, OVER, 1);
  }
}

let wanted: KillableOptions | undefined;

/** Jobs that `body` launches ask for this. */
export function killably<R>(options: KillableOptions, body: () => R): R {
  const before = wanted;
  wanted = options;
  try {
    return body();
  } finally {
    wanted = before;
  }
}

/** What a job that is launched now asks for. */
export function killableNow(): KillableOptions | undefined {
  return wanted;
}
