/**
 * What this process or thread is to the packages above, and what it does before it ends.
 *
 * This file imports nothing: child processes load it before the user's code, whether they use threads or not.
 *
 * @module
 */

/** See the head of this file. */
export interface Life {
  /** Where it stands among the processes of the program and their threads: "" is the first process's main thread. */
  address: string;
  /** 32 random bytes that the threads of a process have in common, once there are threads or somebody has asked for it. */
  secret: Uint8Array<ArrayBuffer> | undefined;
  /** What a package above says of the process: structured clone carries it. A thread has it as it was when the thread started. */
  about: unknown;
}

/** This process's, or this thread's. */
export const life: Life = { address: "", secret: undefined, about: undefined };

/** {@linkcode Life.secret}, made if there is none yet. */
export function secret(): Uint8Array<ArrayBuffer> {
  return life.secret ??= crypto.getRandomValues(new Uint8Array(32));
}

/**
 * What a child process does when its target has ended, and a thread when its job has, before it ends itself: in this order, one after
 * another. What is added meanwhile comes last.
 */
export const endings: Set<() => void | Promise<void>> = new Set();

/** What a thread does last: its worker may become another thread after that, with another address. */
export const ended: Set<() => void> = new Set();
