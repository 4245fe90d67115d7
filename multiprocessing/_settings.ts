/**
 * How the package is set up in this process: what `setStartMethod` and its kin set, and children inherit.
 *
 * @module
 */
import { type Settings, type StartMethod, whoAmI } from "./_self.ts";

export type { StartMethod };

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
  return settings().method ?? "spawn";
}

/** {@linkcode currentMethod}, which is not changed by accident from now on. */
export function settle(): StartMethod {
  const method = currentMethod();
  if (settings().method === undefined) change({ method });
  return method;
}
