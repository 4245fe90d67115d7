/**
 * Knows what a worker does only because it imports the user's modules.
 *
 * A worker imports the module of what it is to run, which may be a script that starts threads when it is evaluated. If it did so there
 * too, each thread would import the script and start the next one. So whatever comes of an import is marked: what is evaluated, the
 * calls that nobody awaits, timers. The thread's own code is not, though it may run at the same time.
 *
 * Relies on: `import()` evaluating modules in the asynchronous context of its caller.
 *
 * @module
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { whileLoading } from "./section.ts";

/** Made at first use: to load it takes as long as twenty modules of ours. */
let importing: AsyncLocalStorage<string> | undefined;

/** Imports the user's modules, of which `url` is the first: what comes of this by itself may start nothing. */
export function importingModules<R>(url: string, body: () => Promise<R>): Promise<R> {
  return whileLoading(() => marked(url, body));
}

async function marked<R>(url: string, body: () => Promise<R>): Promise<R> {
  if (importing === undefined) {
    const { AsyncLocalStorage } = await import("node:async_hooks");
    importing ??= new AsyncLocalStorage();
  }
  return await importing.run(url, body);
}

/** The module whose import, for a thread's sake, has led to the current call, if any. */
export function importInProgress(): string | undefined {
  return importing?.getStore();
}
