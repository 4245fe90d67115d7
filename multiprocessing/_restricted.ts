/**
 * Whether this program has started a process that may not use shared memory: from then on locks are sent in a way that such a process
 * can use too. A module of its own, so that who starts a process need not load the locks.
 *
 * @module
 */
let started = false;

/** Such a process is about to be started. */
export function startsRestricted(): void {
  started = true;
}

/** Whether one was. */
export function hasRestricted(): boolean {
  return started;
}
