/**
 * How the package is set up in this process: what `setStartMethod` and its kin set, and children inherit.
 *
 * @module
 */
import { about, type Settings, type StartMethod, tellAbout } from "./_self.ts";

export type { StartMethod };

/** The settings. */
export function settings(): Settings {
  const { settings, job } = about();
  return settings ?? job?.settings ?? {};
}

/** Changes some of the settings, for this thread and for children and threads that are started later. */
export function change(some: Settings): void {
  tellAbout({ settings: { ...settings(), ...some } });
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
