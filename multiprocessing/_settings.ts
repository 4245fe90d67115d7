/**
 * How the package is set up in this process: what `setStartMethod` and its kin set, and children inherit.
 *
 * @module
 */
import { type Settings, whoAmI } from "./_self.ts";

/** A way to start processes. */
export type StartMethod = "spawn" | "forkserver";

let changed: Settings | undefined;

/** The settings. */
export function settings(): Settings {
  return changed ?? whoAmI().job?.settings ?? {};
}

/** Changes some of the settings, for this process and for children that are started later. */
export function change(some: Settings): void {
  changed = { ...settings(), ...some };
}

/** The start method of processes that do not say which. */
export function currentMethod(): StartMethod {
  return settings().method as StartMethod | undefined ?? "spawn";
}
