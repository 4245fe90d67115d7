/**
 * What runs first in a worker. The only module with an effect at its top level: it listens for the messages of bootstrap.ts, runs
 * jobs one after another, and sees to it that the end of a job is told, however it ends.
 *
 * @module
 */
import { leaving, news, open, takePlace, takePort } from "./bootstrap.ts";
import { runSync } from "./drive.ts";
import { hand } from "./frames.ts";
import { ended, endings, type Life, life } from "./life.ts";
import { abandonAll } from "./lot.ts";
import type { Job, ToWorker } from "./protocol.ts";
import { showLife, sleep } from "./park.ts";
import { setMainModule } from "./reference.ts";
import { guard, SETTLED, whileLoading } from "./section.ts";
import { here, settleHere } from "./site.ts";
import { finish } from "./threads.ts";
import { A_ALIVE, A_PARK, A_STATUS, A_STOP, GONE, LEAVING, PARKED } from "./words.ts";

/** What a job's module exports. */
interface Handler {
  /** Runs the job. What it throws is reported and nothing more. */
  run(message: unknown): Promise<void>;
  /** Reports an error that no code of the thread caught. Does not reject. */
  report(error: unknown): Promise<void>;
}

const scope = globalThis as unknown as {
  close(): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(type: "unload", listener: () => void): void;
  addEventListener(type: "error", listener: (event: ErrorEvent) => void): void;
  addEventListener(
    type: "unhandledrejection",
    listener: (event: PromiseRejectionEvent) => void,
  ): void;
};

let job: Job | undefined;
let handler: Handler | undefined;
let left = false;

const close = scope.close?.bind(globalThis);

// This module is a worker's main module; everywhere else it is only there to be loaded, see mod.ts.
if (import.meta.main) listen();

/** Begins to listen. */
export function listen(): void {
  scope.addEventListener("message", (event) => {
    // The user's code may dispatch events here, and listen: neither is to meet ours.
    if (!event.isTrusted) return;
    event.stopImmediatePropagation();
    const { data } = event;
    switch (data.kind) {
      case "place":
        settleHere(data.ground, data.agent);
        if (data.killable) becomeKillable();
        setMainModule(data.mainModule);
        return takePlace(data.mainModule, data.key);
      case "job":
        takePort(data.port);
        return void work(data.job, data.life);
      case "letter":
        return void open(data.letter);
      case "frame":
        if (data.ident !== job?.thread.ident) return;
        return hand(data.module, (taker) => taker.takeFrame(data.frame, data.ident));
      case "retire":
        leave();
        return close();
    }
  });

  scope.close = () => {
    leave();
    close();
  };
  // Deno.exit and process.exit in a worker end the worker and tell nobody but its own listeners.
  scope.addEventListener("unload", leave);

  scope.addEventListener("error", (event) => {
    event.preventDefault();
    report(thrownIn(event));
  });
  scope.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    report(event.reason);
  });
}

let killable: Promise<void> | undefined;

/** A Node worker: held, a Web Lock makes `terminate()` end it whatever it does. */
function becomeKillable(): void {
  (globalThis as unknown as { self: unknown }).self ??= globalThis;
  loadEarly();
  killable = new Promise((resolve) => {
    const { locks } = navigator as unknown as {
      locks: { request(name: string, fn: () => Promise<never>): unknown };
    };
    void locks.request(crypto.randomUUID(), () => {
      resolve();
      return new Promise(() => {});
    });
  });
  const site = here();
  const { words } = site.ground;
  guard(words, site.agent, (first) => {
    if (first) {
      runSync(site, abandonAll(site));
      news(() => Atomics.store(words, site.agent + A_STOP, SETTLED));
    }
    // Quieter than to be terminated, of which Deno sometimes prints an error. It does not return, but nothing says so.
    close();
    for (;;) sleep(words, site.agent + A_PARK, Atomics.load(words, site.agent + A_PARK));
  });
  showLife(words, site.agent + A_ALIVE);
  // So that it hears when it is to stop while it awaits something.
  site.serve = () => {};
  site.listen();
}

/**
 * Makes Deno load the modules behind the names that most code uses, before the worker can be killed: see section.ts. In a Node worker
 * these are loaded when they are first called or named, in some 0.2 ms.
 */
function loadEarly(): void {
  clearTimeout(undefined);
  void (globalThis as { Buffer?: unknown }).Buffer;
}

async function work(next: Job, process: Life): Promise<void> {
  job = next;
  Object.assign(life, process, { address: `${process.address}/t${next.thread.ident}` });
  await killable;
  try {
    handler = await whileLoading(() => import(next.handler)) as Handler;
    await handler.run(next.message);
  } catch (error) {
    await report(error);
  }
  for (const ending of endings) {
    try {
      await ending();
    } catch (error) {
      await report(error);
    }
  }
  for (const last of ended) last();
  job = undefined;
  takePort(undefined);
  const { ground, agent } = here();
  // Parked, and told, before the thread has finished: whoever joins it finds the worker parked and its port closed. The main thread
  // can give it nothing that it would not get to when it is done here.
  Atomics.store(ground.words, agent + A_STATUS, PARKED);
  news(() => finish(next.thread));
}

/** The worker ends, by its own wish or the user's: last chance to say so. */
function leave(): void {
  if (left) return;
  left = true;
  for (const last of leaving) last();
  const site = here();
  runSync(site, abandonAll(site));
  const { words } = site.ground;
  // Whoever joins the thread finds its port closed. Only after that may the worker be ended: one that is cut off while it holds the list
  // of threads would leave it locked.
  if (job !== undefined) {
    const { thread } = job;
    Atomics.store(words, site.agent + A_STATUS, LEAVING);
    news(() => finish(thread));
  }
  Atomics.store(words, site.agent + A_STATUS, GONE);
  news();
}

/** What was thrown. The event of a worker of the user's, which nobody listened to, brings only words. */
function thrownIn({ error, message }: ErrorEvent): unknown {
  if (message === "Uncaught null") return null;
  if (message === "Uncaught undefined") return undefined;
  return error ?? new Error(message);
}

async function report(error: unknown): Promise<void> {
  if (handler !== undefined) return await handler.report(error);
  const text = error instanceof Error ? error.stack ?? String(error) : String(error);
  Deno.stderr.writeSync(
    new TextEncoder().encode(`Exception in a thread that was starting:\n${text}\n`),
  );
}
