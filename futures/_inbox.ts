/**
 * Where news for this thread comes in, of all its pools: their answers, and mail.
 *
 * A worker that has answered rings only when this thread says that it sleeps (`ASLEEP`):
 * 1. who is going to sleep clears the bell, writes 1, and then looks for the last time;
 * 2. a worker first links its answer, then changes 1 to 0, and rings if it was the one who did.
 * So no answer is overlooked, and of a thousand that come while this thread is awake none costs a wake-up. Who sends mail always rings.
 *
 * To be woken takes the event loop some 50 us. So before it sleeps, this thread looks around, in the microtask after a call was
 * submitted, or after answers were handled: for a few microseconds, if tasks have lately been that short. The event loop gets its
 * turn all the same: {@linkcode TURN} after the last one there is no looking around any more.
 *
 * Once other threads know a pool of this one, their calls may come at any time, also when this thread waits for nothing itself. So from
 * then on it always listens; while it expects no answer, without keeping the program alive.
 *
 * @module
 */
import { here, type Limit, remaining } from "../threading/_core/mod.ts";
import { Event } from "../threading/mod.ts";
import { Queue } from "../queue/mod.ts";
import type { Address, Mail } from "./_protocol.ts";

/** What is done with a piece of mail. */
export type Handler = (mail: Mail) => void;

/** What has answers: a ring. */
export interface Source {
  /** Whether there are some. */
  readonly answered: boolean;
  /** Handles them. */
  drain(): void;
}

const ASLEEP = 0;

/** Milliseconds that looking around may keep the event loop from its turn. */
const TURN = 2;
/**
 * Milliseconds of looking around: twice as long after each nap, up to the most, since the other side may have to be woken first; half
 * as long after each longer sleep.
 */
const MOST = 0.2;
const LEAST = 0.002;
/** Milliseconds above which tasks are not short. */
const SHORT = 0.1;
/** A sleep of fewer milliseconds was mostly the time that it takes to be woken. */
const NAP = 1;
/** Answers on their way that are worth waiting for a few microseconds, so that they come together. */
const MANY = 32;
/** Milliseconds between two looks at tasks that have to be stopped, while this thread is blocked: timers stand still then. */
const LOOK_AFTER = 5;

/** See the head of this file. */
export class Inbox {
  readonly address: Address;
  readonly #words: Int32Array;
  readonly #mail = new Queue<Mail>();
  readonly #bell = new Event();
  readonly #handlers = new Map<number, Handler>();
  /** Copied when it changes. */
  #sources: readonly Source[] = [];
  /** What is being decoded, of all pools: to end it without waiting. */
  readonly decoding = new Map<unknown, () => void>();
  /** What has to be looked after while this thread is blocked; they give whether something has happened. */
  readonly tending = new Set<() => boolean>();
  #last = 0;
  #expected = 0;
  #tending = false;
  /** Whether others know a pool of this thread. */
  #hosting = false;
  #sleeping = false;
  /** Whether it sleeps for their calls only. */
  #idle = false;
  #waiting: AbortController | undefined;
  /** When the event loop had its last turn, as far as this knows. */
  #turned = -Infinity;
  /** How long tasks take of late, in milliseconds. */
  #usual = 0;
  #moment = MOST / 8;
  #rounds = 0;

  constructor() {
    const words = new SharedArrayBuffer(4);
    this.#words = new Int32Array(words);
    this.address = { mail: this.#mail, bell: this.#bell, words };
  }

  /** Registers what mail for a number is for. */
  open(handler: Handler): number {
    this.#handlers.set(++this.#last, handler);
    return this.#last;
  }

  close(id: number): void {
    this.#handlers.delete(id);
  }

  /** From now on news of `source` is news for this thread. */
  watch(source: Source): void {
    this.#sources = [...this.#sources, source];
  }

  unwatch(sources: readonly Source[]): void {
    this.#sources = this.#sources.filter((source) => !sources.includes(source));
  }

  /** One more answer is on its way: the program stays alive until it is there. */
  expect(): void {
    this.#expected++;
    // It goes to sleep again, and keeps the program alive.
    if (this.#idle) this.#waiting?.abort();
    this.#begin();
  }

  /** Other threads know a pool of this one from now on. */
  host(): void {
    this.#hosting = true;
    this.#begin();
  }

  #begin(): void {
    if (this.#tending) return;
    this.#tending = true;
    queueMicrotask(() => void this.#tend());
  }

  /** It has come, or will not. */
  settled(): void {
    if (--this.#expected === 0) this.#waiting?.abort();
  }

  /** A task has run for so long. */
  learn(ran: number): void {
    this.#usual += (ran - this.#usual) / 16;
  }

  async #tend(): Promise<void> {
    while (this.#expected > 0 || this.#hosting) {
      if (this.#expected === 0) await this.#sleep();
      else if (this.#glance()) {
        this.drain();
        if (++this.#rounds % 8 === 0 && this.#isTurnDue()) await this.#turn();
        // Whoever waits for one of these answers goes on now, and perhaps submits the next call.
        else await undefined;
      } else if (this.#usual <= SHORT && this.#isTurnDue()) await this.#turn();
      else await this.#sleep();
    }
    this.#tending = false;
  }

  #isTurnDue(): boolean {
    return performance.now() - this.#turned > TURN;
  }

  /** Lets the event loop have a turn. */
  #turn(): Promise<void> {
    return new Promise((resolve) =>
      setImmediate(() => {
        this.#turned = performance.now();
        resolve();
      })
    );
  }

  async #sleep(): Promise<void> {
    this.#bell.clear();
    Atomics.store(this.#words, ASLEEP, 1);
    if (!this.#hasNews()) {
      const controller = this.#waiting = new AbortController();
      this.#sleeping = true;
      const asleep = performance.now();
      const rung = this.#bell.wait({ signal: controller.signal });
      const idle = this.#idle = this.#expected === 0;
      // Takes back what every wait does.
      if (idle) here().unhold();
      try {
        await rung;
      } catch {
        // Nothing is expected any more, or was not for a moment, or something is.
      }
      if (idle) here().hold();
      this.#idle = false;
      this.#sleeping = false;
      this.#waiting = undefined;
      this.#turned = performance.now();
      if (!idle) {
        this.#moment = this.#turned - asleep < NAP
          ? Math.min(MOST, this.#moment * 2)
          : Math.max(LEAST, this.#moment / 2);
      }
    }
    Atomics.store(this.#words, ASLEEP, 0);
    this.drain();
    await undefined;
  }

  #hasNews(): boolean {
    const sources = this.#sources;
    for (let i = 0; i < sources.length; i++) if (sources[i].answered) return true;
    return !this.#mail.empty();
  }

  /** Whether there is news, or comes while this thread looks around. */
  #glance(): boolean {
    if (this.#hasNews()) return true;
    const start = performance.now();
    if (this.#usual > SHORT || start - this.#turned > TURN) return false;
    const until = start + this.#moment;
    do {
      for (let i = 0; i < 4; i++) Atomics.pause();
      if (this.#hasNews()) {
        // Where one has come there are others soon, and each round costs something too.
        if (this.#expected > MANY) { for (let i = 0; i < MANY; i++) Atomics.pause(); }
        return true;
      }
    } while (performance.now() < until);
    return false;
  }

  /** Handles what is there. */
  drain(): boolean {
    let some = false;
    while (!this.#mail.empty()) {
      const mail = this.#mail.getNowait();
      this.#handlers.get(mail[0])?.(mail);
      some = true;
    }
    for (const source of this.#sources) {
      if (!source.answered) continue;
      source.drain();
      some = true;
    }
    return some;
  }

  /** Blocks until something has come; `false` when time has run out. */
  wait(limit: Limit): boolean {
    if (this.#finishDecoding()) return true;
    for (;;) {
      if (this.#glance() && this.drain()) {
        this.#finishDecoding();
        return true;
      }
      if (this.#block(limit)) continue;
      let some = false;
      for (const tend of [...this.tending]) if (tend()) some = true;
      if (some) return true;
      if (remaining(limit.deadline) <= 0) return false;
    }
  }

  /** Blocks until there is news; not for long when there is something else to look after. */
  #block(limit: Limit): boolean {
    const left = Math.min(
      remaining(limit.deadline),
      this.tending.size === 0 ? Infinity : LOOK_AFTER,
    );
    this.#bell.clear();
    Atomics.store(this.#words, ASLEEP, 1);
    const some = this.#hasNews() ||
      (left === Infinity
        ? this.#bell.waitSync()
        : this.#bell.waitSync({ timeout: Math.max(0, left) }));
    // The event loop sleeps too: when a worker has changed the word since, it has also rung, and woken it.
    if (!this.#sleeping) Atomics.store(this.#words, ASLEEP, 0);
    return some;
  }

  /** This thread blocks: there is no time any more to import what would be needed. */
  #finishDecoding(): boolean {
    const some = this.decoding.size > 0;
    for (const finish of [...this.decoding.values()]) finish();
    return some;
  }
}

/** Rings for a thread that sleeps, after an answer. */
export function ringFor(words: Int32Array, bell: Event): void {
  if (Atomics.load(words, ASLEEP) !== 0 && Atomics.exchange(words, ASLEEP, 0) !== 0) bell.set();
}

let inbox: Inbox | undefined;

/** This thread's inbox. */
export function inboxOfThread(): Inbox {
  return inbox ??= new Inbox();
}
