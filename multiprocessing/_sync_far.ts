/**
 * Locks of another process that this one cannot map, because it may not call the operating system, or the other may not: their home
 * does on their words what it is asked to, over the tree.
 *
 * - The home acts for each caller as a participant of its own (`Home.serving`). When a caller ends, what it held is abandoned: the next
 *   one gets it and is told.
 * - Whoever gives up waiting says so and waits for the answer, which may be that it has been served: nothing is lost on the way.
 * - Plain functions cannot wait for an answer. `release`, `set`, `notify` … are told, in order. What one asks (`locked`, `isSet` …) is
 *   answered from the last news, and asking brings fresh ones: a caller that asks again and again sees every change.
 *
 * @module
 */
import { deadlineOf, type Limit, remaining } from "../threading/_core/mod.ts";
import { platform } from "../threading/_core/platform/mod.ts";
import * as flag from "./_sync_flag.ts";
import * as mutex from "./_sync_mutex.ts";
import { NearFlag, NearMutex, NearPermits, NearTable } from "./_sync_near.ts";
import * as permits from "./_sync_permits.ts";
import type {
  Entered,
  FlagPort,
  MutexPort,
  PermitsPort,
  Quick,
  RoundsPort,
  TablePort,
} from "./_sync_ports.ts";
import * as rounds from "./_sync_rounds.ts";
import type { Home } from "./_sync_seat.ts";
import { MOST_SERVED, UNKNOWN } from "./_sync_seat.ts";
import * as slots from "./_sync_slots.ts";
import { runAsync, runSync } from "./_sync_waiting.ts";
import type { Address, Handle, Remote, Service } from "./_tree.ts";
import { address, type Offer, offer, redeem } from "./_tree.ts";

// ---- At home -------------------------------------------------------------------------------------------------------------------------

/** Numbers of the processes that this isolate serves. */
const numbers = new Map<Address, number>();
let lastNumber = 0;

function numberOf(from: Address): number {
  const known = numbers.get(from);
  if (known !== undefined) return known;
  if (numbers.size >= MOST_SERVED) {
    // The oldest has most likely ended; what it left was abandoned when it did.
    numbers.delete(numbers.keys().next().value!);
  }
  const taken = new Set(numbers.values());
  do lastNumber = lastNumber % MOST_SERVED + 1; while (taken.has(lastNumber));
  numbers.set(from, lastNumber);
  return lastNumber;
}

type Act = (seat: Home, limit: Limit, args: unknown[], key: string) => unknown;

/** One object, as others may call it. */
class Served implements Service {
  readonly seat: Home;
  readonly #waits: Record<string, Act>;
  readonly #plain: Record<string, Act>;
  readonly #abandon: (seat: Home) => void;
  readonly #running = new Map<string, AbortController>();

  constructor(
    seat: Home,
    waits: Record<string, Act>,
    plain: Record<string, Act>,
    abandon: (seat: Home) => void = () => {},
  ) {
    this.seat = seat;
    this.#waits = waits;
    this.#plain = plain;
    this.#abandon = abandon;
  }

  async call(
    method: string,
    args: unknown[],
    from: Address,
    ended: AbortSignal,
  ): Promise<unknown> {
    const seat = this.seat.serving(numberOf(from));
    const [id, ms] = args as [number, number | null];
    const key = `${from} ${id}`;
    if (method === "cancel") return this.#running.get(key)?.abort();
    if (Object.hasOwn(this.#plain, method)) return this.#plain[method](seat, NONE, args, key);
    if (!Object.hasOwn(this.#waits, method)) throw new TypeError(`There is no method ${method}`);
    const controller = new AbortController();
    const end = () => controller.abort();
    ended.addEventListener("abort", end);
    this.#running.set(key, controller);
    try {
      const deadline = ms === null ? Infinity : deadlineOf(ms, method);
      const limit = { deadline, signal: controller.signal };
      return await this.#waits[method](seat, limit, args, key);
    } finally {
      ended.removeEventListener("abort", end);
      this.#running.delete(key);
    }
  }

  gone(from: Address): void {
    this.#abandon(this.seat.serving(numberOf(from)));
  }
}

const NONE: Limit = { deadline: -Infinity, signal: undefined };

/** What of a lock others may call. */
export function serveMutex(seat: Home): Service {
  return new Served(seat, {
    acquire: async (seat, limit) => {
      const taken = await new NearMutex(seat).acquire(limit);
      if (taken >= mutex.TAKEN) seat.words.fill(-1, seat.at + 1, seat.at + 3);
      return taken;
    },
  }, {
    release: (seat) => new NearMutex(seat).release(),
    look: (seat) => new NearMutex(seat).locked() ? 1 : 0,
  }, (seat) => runSync(mutex.abandon(seat)));
}

/** What of a semaphore others may call. */
export function servePermits(seat: Home): Service {
  return new Served(seat, {
    acquire: (seat, limit) => new NearPermits(seat).acquire(limit),
  }, {
    release: (seat, _limit, args) => new NearPermits(seat).release(args[2] as number),
    look: (seat) => new NearPermits(seat).value(),
  });
}

/** What of an event others may call. */
export function serveFlag(seat: Home): Service {
  return new Served(seat, {
    wait: (seat, limit) => runAsync(flag.wait(seat, limit)),
  }, {
    set: (seat) => new NearFlag(seat).set(),
    clear: (seat) => new NearFlag(seat).clear(),
    look: (seat) => new NearFlag(seat).isSet() ? 1 : 0,
  });
}

/** What of a condition's table others may call. */
export function serveTable(seat: Home): Service {
  const entered = new Map<string, Entered>();
  return new Served(seat, {
    wait: async (seat, limit, _args, key) => {
      const waiter = new NearTable(seat).enter(limit);
      const taken = await waiter.wait();
      if (taken !== mutex.TAKEN) entered.set(key, waiter);
      return taken;
    },
  }, {
    leave: (_seat, _limit, _args, key) => {
      const waiter = entered.get(key);
      entered.delete(key);
      return waiter?.leaveSync() ?? false;
    },
    notify: (seat, _limit, args) => new NearTable(seat).notify(args[2] as number),
  }, (seat) => runSync(slots.abandon(seat)));
}

/** What of a barrier others may call. */
export function serveRounds(seat: Home): Service {
  return new Served(seat, {
    arrive: (seat, limit) => runAsync(rounds.arrive(seat, limit)),
  }, {
    finish: (seat, _limit, args) => runSync(rounds.finish(seat, args[2] as number)),
    abort: (seat) => runSync(rounds.abort(seat)),
    reset: (seat) => runSync(rounds.reset(seat)),
    look: (seat) => rounds.isBroken(seat) ? -1 : rounds.waiting(seat),
  }, (seat) => runSync(rounds.abandon(seat)));
}

const offers = new WeakMap<Home, { offer: Offer; service: Service }>();

/** A handle on the object for one more receiver. */
export function handleOf(seat: Home, serve: (seat: Home) => Service): Handle {
  let known = offers.get(seat);
  if (known === undefined) {
    const service = serve(seat);
    offers.set(seat, known = { offer: offer(service), service });
  }
  return known.offer.handle();
}

/** The words behind a service of this process's own. */
export function seatOf(service: Service): Home | undefined {
  return service instanceof Served ? service.seat : undefined;
}

// ---- Far away ------------------------------------------------------------------------------------------------------------------------

/** By holder, home and number: however often an object arrives, it is one here. */
const known = new Map<string, WeakRef<Far>>();
const collected = new FinalizationRegistry<string>((key) => {
  if (known.get(key)?.deref() === undefined) known.delete(key);
});

/** The object of a handle. */
export function farOf<F extends Far>(type: new (remote: Remote) => F, handle: Handle): F {
  const key = `${address()} ${handle.home} ${handle.id}`;
  const found = known.get(key)?.deref();
  const remote = redeem(handle);
  if (found instanceof type) {
    remote.let();
    return found;
  }
  const far = new type(remote);
  known.set(key, new WeakRef(far));
  collected.register(far, key);
  return far;
}

/** An object of another process. */
export class Far {
  readonly #remote: Remote;
  #calls = 0;
  #news = 0;
  #asking = false;

  constructor(remote: Remote) {
    this.#remote = remote;
  }

  /** A handle for one more receiver. */
  handle(): Handle {
    return this.#remote.handle();
  }

  /** @internal */
  protected say(method: string, ...args: unknown[]): void {
    this.#remote.tell(method, [0, null, ...args]);
  }

  /** @internal */
  protected ask(method: string, id: number, ...args: unknown[]): Promise<unknown> {
    return this.#remote.call(method, [id, null, ...args]);
  }

  /** A call that waits, whose number `leave` may want. @internal */
  protected begin(method: string, limit: Limit): { id: number; answer: Promise<unknown> } {
    const id = ++this.#calls;
    const { deadline, signal } = limit;
    const ms = deadline === Infinity ? null : Math.max(0, remaining(deadline));
    const giveUp = () => this.#remote.tell("cancel", [id, null]);
    signal?.addEventListener("abort", giveUp);
    const answer = this.#remote.call(method, [id, ms])
      .finally(() => signal?.removeEventListener("abort", giveUp));
    return { id, answer };
  }

  /** The last news, and asks for fresh ones. @internal */
  protected look(): number {
    this.refresh().catch(() => {});
    return this.#news;
  }

  /** Fetches the news. */
  async refresh(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#news = await this.#remote.call("look", [0, null]) as number;
    } finally {
      this.#asking = false;
    }
  }

  /** What is known without having asked. @internal */
  protected learn(news: number): void {
    this.#news = news;
  }

  /** For what blocks. @internal */
  protected cannotBlock(): never {
    platform("wait on the calling thread for a lock of multiprocessing");
    throw new Deno.errors.NotSupported(
      "Cannot wait on the calling thread: the lock was made by a process without --allow-ffi; wait without Sync",
    );
  }
}

/** See {@linkcode MutexPort}. */
export class FarMutex extends Far implements MutexPort {
  readonly own: Int32Array = new Int32Array(2);
  readonly quick: Quick = { cas: () => 1, at: 0, self: UNKNOWN };
  #mine = false;

  grab(): boolean {
    return false;
  }

  grabInTurn(): boolean {
    return false;
  }

  async acquire(limit: Limit): Promise<mutex.Taken> {
    const taken = await this.begin("acquire", limit).answer as mutex.Taken;
    if (taken >= mutex.TAKEN) this.#mine = true;
    this.learn(1);
    return taken;
  }

  acquireSync(): mutex.Taken {
    return this.cannotBlock();
  }

  release(): boolean {
    this.#mine = false;
    this.learn(0);
    this.say("release");
    return true;
  }

  isMine(): boolean {
    return this.#mine;
  }

  locked(): boolean {
    return this.#mine || this.look() !== 0;
  }
}

/** See {@linkcode PermitsPort}. */
export class FarPermits extends Far implements PermitsPort {
  bound: number = permits.MAX_PERMITS;

  grab(): boolean {
    return false;
  }

  grabInTurn(): boolean {
    return false;
  }

  async acquire(limit: Limit): Promise<mutex.Taken> {
    return await this.begin("acquire", limit).answer as mutex.Taken;
  }

  acquireSync(): mutex.Taken {
    return this.cannotBlock();
  }

  release(count: number): boolean {
    if (count > this.bound) return false;
    this.say("release", count);
    return true;
  }

  value(): number {
    return this.look();
  }
}

/** See {@linkcode FlagPort}. */
export class FarFlag extends Far implements FlagPort {
  isSet(): boolean {
    return this.look() !== 0;
  }

  set(): void {
    this.learn(1);
    this.say("set");
  }

  clear(): void {
    this.learn(0);
    this.say("clear");
  }

  async wait(limit: Limit): Promise<mutex.Taken> {
    const taken = await this.begin("wait", limit).answer as mutex.Taken;
    if (taken === mutex.TAKEN) await this.refresh();
    return taken;
  }

  waitSync(): mutex.Taken {
    return this.cannotBlock();
  }
}

/** See {@linkcode TablePort}. */
export class FarTable extends Far implements TablePort {
  canBlock(): void {
    this.cannotBlock();
  }

  /** The call is sent here, and so before the lock is let go: its home enters the caller first. */
  enter(limit: Limit): Entered {
    const { id, answer } = this.begin("wait", limit);
    return {
      wait: () => answer as Promise<mutex.Taken>,
      waitSync: () => this.cannotBlock(),
      leave: () => this.ask("leave", id) as Promise<boolean>,
      leaveSync: () => this.cannotBlock(),
    };
  }

  notify(count: number): void {
    this.say("notify", count);
  }
}

/** See {@linkcode RoundsPort}. */
export class FarRounds extends Far implements RoundsPort {
  parties = 0;

  async arrive(limit: Limit): Promise<rounds.Arrival> {
    return await this.begin("arrive", limit).answer as rounds.Arrival;
  }

  arriveSync(): rounds.Arrival {
    return this.cannotBlock();
  }

  finish(round: number): Promise<boolean> {
    return this.ask("finish", 0, round) as Promise<boolean>;
  }

  abort(): void {
    this.learn(-1);
    this.say("abort");
  }

  reset(): void {
    this.learn(0);
    this.say("reset");
  }

  waiting(): number {
    return Math.max(0, this.look());
  }

  isBroken(): boolean {
    return this.look() === -1;
  }
}
