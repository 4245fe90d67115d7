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
import { AsyncLocalStorage } from "node:async_hooks";

const importing = new AsyncLocalStorage<string>();

/** Imports the user's modules, of which `url` is the first: what comes of this by itself may start nothing. */
export function importingModules<R>(url: string, body: () => Promise<R>): Promise<R> {
  return importing.run(url, body);
}

/** The module whose import, for a thread's sake, has led to the current call, if any. */
export function importInProgress(): string | undefined {
  return importing.getStore();
}
