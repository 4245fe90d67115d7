/**
 * Where the answers for this thread come in, of all its pools.
 *
 * @module
 */
import { type Limit, remaining } from "../threading/_core/mod.ts";
import { Event } from "../threading/mod.ts";
import { Empty, Queue } from "../queue/mod.ts";
import type { Answer } from "./_protocol.ts";

/** What is done with an answer. */
export type Handler = (answer: Answer) => void;

/**
 * Where the answers for this thread come in.
 *
 * Who waits without blocking waits for the bell, and then takes what is there; nobody waits for an item. Otherwise:
 * 1. `await get()` takes an answer, and is to go on in a later turn;
 * 2. before that, this turn calls `resultSync()`, which blocks until that very answer is in the queue.
 * Workers put the answer first and ring then; here the bell is cleared first and the queue emptied then. So no answer is overlooked.
 */
export class Inbox {
  readonly answers = new Queue<Answer>();
  readonly bell = new Event();
  readonly #handlers = new Map<number, Handler>();
  /** What is being decoded, of all pools: to end it without waiting. */
  readonly decoding = new Map<number, () => void>();
  /** What has to be looked after while this thread is blocked; they give whether something has happened. */
  readonly tending = new Set<() => boolean>();
  #last = 0;
  #expected = 0;
  #listening = false;
  #waiting: AbortController | undefined;

  /** Registers what answers of a number are for. */
  open(handler: Handler): number {
    this.#handlers.set(++this.#last, handler);
    return this.#last;
  }

  close(id: number): void {
    this.#handlers.delete(id);
  }

  /** One more answer is on its way: the program stays alive until it is there. */
  expect(): void {
    if (this.#expected++ === 0 && !this.#listening) void this.#listen();
  }

  /** It has come, or will not. */
  settled(): void {
    if (--this.#expected === 0) this.#waiting?.abort();
  }

  async #listen(): Promise<void> {
    this.#listening = true;
    while (this.#expected > 0) {
      const controller = this.#waiting = new AbortController();
      try {
        await this.bell.wait({ signal: controller.signal });
      } catch {
        // Nothing is expected any more, or was not for a moment.
      }
      this.#waiting = undefined;
      this.drain();
    }
    this.#listening = false;
  }

  /** Handles what is there. */
  drain(): boolean {
    this.bell.clear();
    let some = false;
    while (!this.answers.empty()) {
      this.#take(this.answers.getNowait());
      some = true;
    }
    return some;
  }

  /** Blocks until something has come; `false` when time has run out. */
  wait(limit: Limit): boolean {
    if (this.#finishDecoding()) return true;
    if (this.drain()) {
      this.#finishDecoding();
      return true;
    }
    while (!this.#waitForAnswer(limit)) {
      let some = false;
      for (const tend of [...this.tending]) if (tend()) some = true;
      if (some) return true;
      if (remaining(limit.deadline) <= 0) return false;
    }
    this.drain();
    this.#finishDecoding();
    return true;
  }

  /** Blocks until an answer has come; not for long when there is something else to look after. */
  #waitForAnswer(limit: Limit): boolean {
    const left = Math.min(
      remaining(limit.deadline),
      this.tending.size === 0 ? Infinity : LOOK_AFTER,
    );
    try {
      this.#take(
        left === Infinity ? this.answers.getSync() : this.answers.getSync({ timeout: left }),
      );
      return true;
    } catch (error) {
      if (error instanceof Empty) return false;
      throw error;
    }
  }

  /** This thread blocks: there is no time any more to import what would be needed. */
  #finishDecoding(): boolean {
    const some = this.decoding.size > 0;
    for (const finish of [...this.decoding.values()]) finish();
    return some;
  }

  #take(answer: Answer): void {
    this.#handlers.get(answer[0])?.(answer);
  }
}

/** Milliseconds between two looks at tasks that have to be stopped, while this thread is blocked: timers stand still then. */
const LOOK_AFTER = 5;

let inbox: Inbox | undefined;

/** This thread's inbox. */
export function inboxOfThread(): Inbox {
  return inbox ??= new Inbox();
}
