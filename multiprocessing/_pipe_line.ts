/**
 * Calls that wait in this thread without the operating system, for what this thread does or is told of.
 *
 * Guarantees: they are served first come, first served; one that gives up leaves nothing behind; waiting holds nothing open.
 *
 * @module
 */
import { expire } from "./_ready.ts";
import { NONE } from "./_ring_guard.ts";
import type { Limit } from "../threading/_core/mod.ts";

/** See the head of this file. */
export class Line {
  /** Each gives whether it is served; the oldest first. */
  readonly #waiting = new Set<() => boolean>();
  readonly #count: (change: 1 | -1) => void;
  #isLooking = false;
  #again = false;

  /** `count` is called before one begins to wait, with 1, and after, with -1. */
  constructor(count: (change: 1 | -1) => void) {
    this.#count = count;
  }

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Does `attempt` as soon as it gives something; {@linkcode NONE} when time ran out. */
  wait<R>(attempt: () => R | typeof NONE, limit: Limit): Promise<R | typeof NONE> {
    return new Promise((resolve, reject) => {
      limit.signal?.throwIfAborted();
      let stop = () => {};
      const leave = () => {
        this.#waiting.delete(turn);
        this.#count(-1);
        stop();
      };
      const turn = () => {
        try {
          const result = attempt();
          if (result === NONE) return false;
          resolve(result);
        } catch (error) {
          reject(error);
        }
        leave();
        return true;
      };
      this.#count(1);
      this.#waiting.add(turn);
      stop = expire(limit, () => {
        leave();
        resolve(NONE);
      }, (reason) => {
        leave();
        reject(reason);
      });
      // Microtasks may have run.
      if (!this.#waiting.has(turn)) stop();
      else this.look();
    });
  }

  /** Something has happened. */
  look(): void {
    this.#again = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#again) {
      this.#again = false;
      for (const turn of this.#waiting) if (!turn()) break;
    }
    this.#isLooking = false;
  }
}
