/**
 * Sleeping and waking: the only place that calls `Atomics.wait`, `Atomics.waitAsync` and `Atomics.notify`.
 *
 * Guarantees
 * - A waiter sleeps on a word of its own agent, never on a word of the primitive, so nobody's wake-up can be taken by somebody
 *   who has given up: waking is addressed.
 * - The word is a counter. Whoever wants an agent's attention changes what the agent will look at, *then* adds 1 and notifies; the
 *   agent reads the counter, *then* looks, *then* sleeps if the counter is still the same. No wake-up is lost.
 * - A blocked main thread goes on serving its threads (`site.serve`): each wake-up lets it look for requests.
 * - An asynchronous wait holds the event loop open as long as it lasts and not longer.
 *
 * Relies on: an agent being in at most one blocking wait at a time; timers.
 *
 * @module
 */
import { type Limit, remaining, timerUntil } from "./clock.ts";
import { enterSection, leaveSection, mustStop, tellPending, wasKilled } from "./section.ts";
import {
  A_BELL,
  A_PARK,
  A_SPARE,
  A_STACK,
  A_WAITER,
  ASYNC,
  DEATHS,
  type Ground,
  IDLE,
  SYNC,
  W_AGENT,
  W_FORM,
  W_NEXT,
  W_STACKED,
  W_STACKED_NEXT,
  W_STATE,
  WAITING,
} from "./words.ts";

/** Why a waiter came back from {@linkcode parkSync} or {@linkcode parkAsync}. */
export type Woken = typeof LOOK | typeof TIMED_OUT | typeof ABORTED | typeof STOPPED;
/** The waiter's state has changed, or may have: look at it. */
export const LOOK = 0;
/** The deadline has passed. */
export const TIMED_OUT = 1;
/** The signal was aborted. */
export const ABORTED = 2;
/** The agent is to end. */
export const STOPPED = 3;

/** In place of a number of deaths: the caller waits for nothing that could be held by one who was killed. */
export const ANY = -1;

/** What a primitive does for an asynchronous waiter whose agent blocks or unblocks: slow paths of drive.ts, see lot.ts. */
export interface Revocable {
  /** Takes back a permit that the waiter was granted and has not picked up, and puts it first in the queue again. */
  revoke(waiter: number): Generator<Step, void, number>;
  /** Hands out what was left lying because its waiters' agents were blocked. */
  distribute(): Generator<Step, void, number>;
}

/** One operation of a slow path; its fields are drive.ts's. */
export interface Step {
  kind: number;
  words: Int32Array<SharedArrayBuffer>;
  at: number;
  a: number;
  b: number;
  limit: Limit | undefined;
}

/** One asynchronous waiter of this agent. */
export interface Pending {
  readonly waiter: number;
  readonly revocable: Revocable | undefined;
  /** Takes the waiter out of the lot that it is in, without an answer; absent while it is in none. */
  abandon: (() => Generator<Step, unknown, number>) | undefined;
  /** Ends the current {@linkcode parkAsync}; absent between two of them. */
  wake: ((why: Woken) => void) | undefined;
}

/** How one agent stands on a ground: its own record there, and its asynchronous waiters. */
export class Site {
  readonly ground: Ground;
  /** Pointer to this agent's record. */
  readonly agent: number;
  /** Pointer to its blocking waiter. */
  readonly waiter: number;
  /**
   * Called on each wake-up of a blocking wait, with `true`, and at each ring of the bell. Set where requests have to be served. It must not throw:
   * the waiter would be left in its lot.
   */
  serve: ((blocked?: boolean) => void) | undefined;
  /** Milliseconds after which a blocking wait calls {@linkcode serve} though nobody has woken it. */
  within = Infinity;
  /** Invariant: exactly the asynchronous waiters whose call has not returned yet. */
  readonly pending: Map<number, Pending> = new Map();
  /** Waiters whose call has returned while they were still on the stack: kept back until they come off it. */
  readonly retiring: Set<number> = new Set();
  #listening = false;
  #draining = false;
  #holds = 0;
  #keepAlive: ReturnType<typeof setInterval> | undefined;

  constructor(ground: Ground, agent: number) {
    this.ground = ground;
    this.agent = agent;
    this.waiter = agent + A_WAITER;
  }

  /** Keeps the event loop alive until the matching {@linkcode unhold}. */
  hold(): void {
    // Made and cleared each time, not kept and unreffed: what is left of it must be nothing when nobody waits.
    if (this.#holds++ > 0) return;
    const keepAlive = setInterval(() => {}, 2 ** 30);
    // Making a timer may run microtasks (it does under `deno test`), and they may have held and let go in between.
    if (this.#holds === 0 || this.#keepAlive !== undefined) clearInterval(keepAlive);
    else this.#keepAlive = keepAlive;
  }

  /** See {@linkcode hold}. */
  unhold(): void {
    if (--this.#holds > 0) return;
    clearInterval(this.#keepAlive);
    this.#keepAlive = undefined;
  }

  /** Makes the event loop listen to the agent's bell from now on. */
  listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    this.#listen();
  }

  #listen(): void {
    const { words } = this.ground;
    for (;;) {
      const seen = Atomics.load(words, this.agent + A_BELL);
      this.#answer();
      if (this.pending.size === 0 && this.serve === undefined) {
        this.#listening = false;
        return;
      }
      const wait = Atomics.waitAsync(words, this.agent + A_BELL, seen);
      if (wait.async) {
        wait.value.then(() => this.#listen());
        return;
      }
    }
  }

  #answer(): void {
    if (mustStop()) enterSection();
    this.serve?.();
    this.drain();
    this.#mourn();
  }

  #deaths = 0;

  /** Somebody was killed: the waiters look whether it held what they wait for. */
  #mourn(): void {
    const deaths = Atomics.load(this.ground.words, DEATHS);
    if (deaths === this.#deaths) return;
    this.#deaths = deaths;
    for (const { wake } of [...this.pending.values()]) wake?.(LOOK);
  }

  /** Wakes the waiters of this agent that others have granted, in the order of the grants. */
  drain(): void {
    const { words } = this.ground;
    let granted = 0;
    for (let waiter = Atomics.exchange(words, this.agent + A_STACK, 0); waiter !== 0;) {
      const next = words[waiter + W_STACKED_NEXT];
      words[waiter + W_STACKED_NEXT] = granted;
      granted = waiter;
      waiter = next;
    }
    while (granted !== 0) {
      const waiter = granted;
      granted = words[waiter + W_STACKED_NEXT];
      // Off the stack first, then look: a grant that comes in between either finds the mark gone and puts the waiter on the stack
      // again, or is seen by the look.
      Atomics.store(words, waiter + W_STACKED, 0);
      if (this.retiring.delete(waiter)) this.recycle(waiter);
      else this.pending.get(waiter)?.wake?.(LOOK);
    }
  }

  /** Drains soon, for grants that this agent makes to itself: no bell needed, and the granter's own work goes on first. */
  drainSoon(): void {
    if (this.#draining) return;
    this.#draining = true;
    queueMicrotask(() => {
      this.#draining = false;
      this.drain();
    });
  }

  /** Puts an unused waiter's record on the agent's own list. */
  recycle(waiter: number): void {
    const { words } = this.ground;
    words[waiter + W_NEXT] = words[this.agent + A_SPARE];
    words[this.agent + A_SPARE] = waiter;
  }
}

/**
 * Sleeps until the waiter's state changes, the deadline passes, the agent is to end, or somebody was killed: `deaths` is how many had
 * been when the caller looked whether what it waits for is held by one of them.
 */
export function parkSync(site: Site, waiter: number, limit: Limit, deaths: number): Woken {
  const { ground: { words }, agent } = site;
  for (;;) {
    const seen = Atomics.load(words, agent + A_PARK);
    if (Atomics.load(words, waiter + W_STATE) !== WAITING) return LOOK;
    if (deaths !== ANY && Atomics.load(words, DEATHS) !== deaths) return LOOK;
    if (mustStop()) return STOPPED;
    site.serve?.(true);
    const left = remaining(limit.deadline);
    if (left <= 0) return TIMED_OUT;
    Atomics.wait(words, agent + A_PARK, seen, Math.min(left, site.within));
  }
}

/** The same for an asynchronous waiter, which {@linkcode enlist} has made known to the site. */
export function parkAsync(
  site: Site,
  waiter: number,
  limit: Limit,
  deaths: number,
): Promise<Woken> {
  const { words } = site.ground;
  const pending = site.pending.get(waiter)!;
  if (Atomics.load(words, waiter + W_STATE) !== WAITING) return Promise.resolve(LOOK);
  if (deaths !== ANY && Atomics.load(words, DEATHS) !== deaths) return Promise.resolve(LOOK);
  if (limit.signal?.aborted) return Promise.resolve(ABORTED);
  const woken = new Promise<Woken>((resolve) => {
    let over = false;
    let forget: (() => void) | undefined;
    const onAbort = () => pending.wake!(ABORTED);
    pending.wake = (why) => {
      over = true;
      pending.wake = undefined;
      forget?.();
      limit.signal?.removeEventListener("abort", onAbort);
      site.unhold();
      resolve(why);
    };
    limit.signal?.addEventListener("abort", onAbort);
    // After the waiter can be woken: making a timer may run microtasks (it does under `deno test`), and one of them may grant.
    site.hold();
    if (!over && limit.deadline !== Infinity) {
      forget = timerUntil(limit.deadline, () => pending.wake?.(TIMED_OUT));
      if (over) forget();
    }
  });
  // Last, since to begin to listen is to answer the bell: a grant that came after the look above is taken off the stack right
  // here, and would be forgotten if the waiter could not be woken yet.
  site.listen();
  return woken;
}

/** Makes an asynchronous waiter known to its site, before it enters a lot. */
export function enlist(site: Site, waiter: number, revocable: Revocable | undefined): void {
  site.pending.set(waiter, { waiter, revocable, abandon: undefined, wake: undefined });
  tellPending(site.pending.size);
}

/** The waiter's call returns: it is in no lot and has picked up what it was granted. */
export function dismiss(site: Site, waiter: number): void {
  const { words } = site.ground;
  // Nobody looks at the state of a waiter that is in no lot.
  words[waiter + W_STATE] = IDLE;
  if (waiter === site.waiter) return;
  site.pending.delete(waiter);
  tellPending(site.pending.size);
  if (Atomics.load(words, waiter + W_STACKED) === 1) site.retiring.add(waiter);
  else site.recycle(waiter);
}

/**
 * Tells a waiter its new state. For an asynchronous one this also puts it on its agent's stack; both under the lot's lock, so that
 * a waiter that gives up under that lock finds the grant whole or not at all. The waiter's agent must then be woken with
 * {@linkcode wake}, best after the lock is given back.
 */
export function tell(ground: Ground, waiter: number, state: number): void {
  const { words } = ground;
  const agent = words[waiter + W_AGENT];
  Atomics.store(words, waiter + W_STATE, state);
  if (words[waiter + W_FORM] === SYNC) return;
  if (Atomics.exchange(words, waiter + W_STACKED, 1) === 1) return;
  for (;;) {
    const first = Atomics.load(words, agent + A_STACK);
    Atomics.store(words, waiter + W_STACKED_NEXT, first);
    if (Atomics.compareExchange(words, agent + A_STACK, first, waiter) === first) return;
  }
}

/** Wakes the agent for a waiter of the given form. */
export function wake(site: Site, agent: number, form: number): void {
  const { words } = site.ground;
  if (form === ASYNC && agent === site.agent) return site.drainSoon();
  const word = agent + (form === SYNC ? A_PARK : A_BELL);
  Atomics.add(words, word, 1);
  Atomics.notify(words, word);
}

/** Sleeps on a word until it is no longer `seen`, or `most` milliseconds have passed. */
export function sleep(
  words: Int32Array<SharedArrayBuffer>,
  at: number,
  seen: number,
  most: number = Infinity,
): void {
  Atomics.wait(words, at, seen, most);
}

/** How often {@linkcode isGone} can be asked of one agent. */
export const SIGNS = 256;

/** From now on {@linkcode isGone} can tell when this agent no longer exists. */
export function showLife(words: Int32Array<SharedArrayBuffer>, at: number): void {
  for (let i = 0; i < SIGNS; i++) Atomics.waitAsync(words, at, 0);
  Atomics.store(words, at, 1);
}

/** Whether it has done so. */
export function hasShownLife(words: Int32Array<SharedArrayBuffer>, at: number): boolean {
  return Atomics.load(words, at) === 1;
}

/**
 * Whether an agent that has shown life no longer exists: with it, the engine forgets those who wait for the word. Each question uses
 * up one of them.
 */
export function isGone(words: Int32Array<SharedArrayBuffer>, at: number): boolean {
  return Atomics.notify(words, at, 1) === 0;
}

/** Wants the agent's attention, whatever it does now. */
export function nudge(ground: Ground, agent: number): void {
  const { words } = ground;
  for (const word of [agent + A_PARK, agent + A_BELL]) {
    Atomics.add(words, word, 1);
    Atomics.notify(words, word);
  }
}

/**
 * Takes a lock word: 0 is free, else taken, and bit 0 says that somebody sleeps on it. For stretches of a few instructions that
 * never wait for anything: it may be taken on the main thread. `holder` is an agent's pointer and tells a debugger who has it.
 */
export function takeWord(words: Int32Array<SharedArrayBuffer>, at: number, holder: number): void {
  enterSection();
  const mine = holder << 1;
  if (Atomics.compareExchange(words, at, 0, mine) === 0) return;
  for (let spin = 0; spin < 40; spin++) {
    Atomics.pause();
    if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, mine) === 0) return;
  }
  // From here on the word is only ever taken with the sleepers' bit set: whoever sleeps longer than us is not forgotten, at the
  // price of one wake-up too many.
  for (;;) {
    const seen = Atomics.load(words, at);
    if (seen === 0) {
      if (Atomics.compareExchange(words, at, 0, mine | 1) === 0) return;
    } else if (wasKilled(seen >> 1)) {
      // Killed in a stretch that did not end, such as a compare function of the user's, or out of memory. What the word guards may
      // lack its last change; nobody else would ever get in.
      if (Atomics.compareExchange(words, at, seen, mine | 1) === seen) return;
    } else if (seen >> 1 === holder) {
      leaveSection();
      throw new Error(
        "A function that is called in the middle of an operation, such as a compare function, must not use the object itself",
      );
    } else if ((seen & 1) === 1 || Atomics.compareExchange(words, at, seen, seen | 1) === seen) {
      Atomics.wait(words, at, seen | 1, 10);
    }
  }
}

/** Gives a lock word back. */
export function giveWord(words: Int32Array<SharedArrayBuffer>, at: number): void {
  if ((Atomics.exchange(words, at, 0) & 1) === 1) Atomics.notify(words, at, 1);
  leaveSection();
}
