/**
 * The threads of a pool: which there are, and which of them are about to end.
 *
 * @module
 */
import { type Death, here, kill, killably } from "../threading/_core/mod.ts";
import { Thread } from "../threading/mod.ts";
import { DEATHS, ended, type Mourner, watchForDeath } from "./_deaths.ts";
import type { Inbox } from "./_inbox.ts";
import { type Post, work } from "./_worker.ts";

export type { Death };

/** The numbers of killable workers begin here, so that those of plain ones that still run are others. */
export const KILLABLE = 2 ** 16;

/** How threads are made. */
export interface CrewOptions {
  readonly maxWorkers: number;
  readonly prefix: string;
  readonly memoryLimit: number | undefined;
}

/** See the head of this file. */
export class Crew {
  readonly #options: CrewOptions;
  readonly #inbox: Inbox;
  /** By number; empty where one was killed and not replaced. */
  readonly #workers: (Thread | undefined)[] = [];
  /** Plain workers that end with what is in their ring, and those that are being killed. */
  readonly #leaving = new Set<Thread>();
  /** How many were started. */
  started = 0;
  /** Whether those that are started now can be killed. */
  killable: boolean;

  constructor(options: CrewOptions, inbox: Inbox) {
    this.#options = options;
    this.#inbox = inbox;
    this.killable = options.memoryLimit !== undefined;
  }

  /** Workers that are there, those that leave included. */
  get count(): number {
    let count = this.#leaving.size;
    for (const thread of this.#workers) if (thread !== undefined) count++;
    return count;
  }

  /** Starts a worker, if there may be one more. */
  start(post: (number: number) => Post, mourner: Mourner): void {
    const { maxWorkers, prefix, memoryLimit } = this.#options;
    if (this.count >= maxWorkers) return;
    const free = this.#workers.indexOf(undefined);
    const index = free === -1 ? this.#workers.length : free;
    const thread = new Thread({
      target: work,
      args: [post(this.killable ? KILLABLE + index : index)],
      name: `${prefix}_${index}`,
      daemon: true,
    });
    if (this.killable) {
      const owner = here().agent;
      killably({ memoryLimit, owner, handler: DEATHS }, () => thread.start());
      watchForDeath(thread.ident!, mourner);
      if (memoryLimit !== undefined) this.#lookFor(mourner);
    } else thread.start();
    this.started++;
    this.#workers[index] = thread;
  }

  #look: (() => boolean) | undefined;

  /** While this thread is blocked no letter arrives: then it is looked which workers are there. */
  #lookFor(mourner: Mourner): void {
    if (this.#look !== undefined) return;
    this.#look = () => {
      const gone = this.#workers.filter((thread) => thread !== undefined && !thread.isAlive());
      for (const thread of gone) mourner.vanished(thread!.ident!);
      return gone.length > 0;
    };
    this.#inbox.tending.add(this.#look);
  }

  /** All leave; `fn` is called when one has. */
  dismiss(fn: () => void): void {
    for (const thread of this.#workers.splice(0)) {
      if (thread !== undefined) this.#whenGone(thread, fn);
    }
  }

  /** Kills a worker; `fn` is called when it is gone. */
  kill(number: number, fn: () => void): void {
    const index = number - KILLABLE;
    const thread = this.#workers[index]!;
    this.#workers[index] = undefined;
    ended(thread.ident!);
    kill(thread.ident!);
    this.#whenGone(thread, fn);
  }

  /** The number of a worker; `undefined` when it is none any more. */
  numberOf(ident: number): number | undefined {
    const index = this.#workers.findIndex((thread) => thread?.ident === ident);
    return index === -1 ? undefined : KILLABLE + index;
  }

  /** Strikes off a worker that has died, and gives its number. */
  bury(ident: number): number | undefined {
    const number = this.numberOf(ident);
    if (number !== undefined) this.#workers[number - KILLABLE] = undefined;
    return number;
  }

  /** Calls `fn` when the thread has ended, at once if it has. */
  #whenGone(thread: Thread, fn: () => void): void {
    if (!thread.isAlive()) return fn();
    this.#leaving.add(thread);
    const { tending } = this.#inbox;
    const left = () => {
      tending.delete(tend);
      if (this.#leaving.delete(thread)) fn();
    };
    // The event loop looks, and so does this thread while it is blocked.
    const tend = () => {
      if (thread.isAlive()) return false;
      left();
      return true;
    };
    tending.add(tend);
    void thread.join().then(left);
  }

  #any(): Thread | undefined {
    return this.#workers.find((thread) => thread !== undefined) ?? [...this.#leaving][0];
  }

  /** Waits until all have ended. */
  async join(): Promise<void> {
    for (let thread = this.#any(); thread !== undefined; thread = this.#any()) {
      await thread.join();
      if (this.#leaving.has(thread)) {
        // What is done when it has gone comes first.
        await Promise.resolve();
        continue;
      }
      const number = this.#workers.indexOf(thread);
      if (number !== -1) this.#workers[number] = undefined;
      ended(thread.ident!);
    }
    if (this.#look !== undefined) this.#inbox.tending.delete(this.#look);
    this.#look = undefined;
  }
}
