/**
 * A crew: workers, processes or threads, that run tasks. What a pool and an executor have in common.
 *
 * Data flow: {@linkcode Crew.submit} puts a task in the queue. In the same turn of the event loop, tasks go to the workers that can take
 * one, in the order in which they were submitted; a worker runs one after the other, and its answers are handed to the tasks' owners.
 *
 * **How far ahead tasks are sent.** A worker that has a task in hand is sent another only if what it has will be done within
 * {@linkcode AHEAD} milliseconds, going by the last runs of each function, and no more of them than there were quick runs. So tiny tasks
 * follow each other without a pause, and nothing is sent behind a task that takes its time, or that was never seen to end. When it takes longer than expected all the
 * same, and another worker has nothing to do, the tasks behind it are called back (`recall`). Only a call that
 * does not return to its event loop keeps those behind it, until it ends.
 *
 * Guarantees
 * - A task ends once: with its answer, with an error that says what became of its worker, or because somebody took it back.
 * - The death of a worker fails the task that it ran. Those that it had not begun go to others, or fail, as the owner's policy says.
 *   Relies on: a worker's answers are with us before it begins the next task, but for tasks of one group.
 * - The event loop is held open while there are tasks, or while workers start for tasks that are to come ({@linkcode Crew.foresee}), and by
 *   nothing else of a crew.
 *
 * @module
 */
import {
  decodeErrorSync,
  type EncodedError,
  type Ended,
  here,
  type Limit,
  locate,
  type Reference,
} from "../threading/_core/mod.ts";
import { ended } from "../threading/_core/life.ts";
import { TimeLimit } from "./_crew_limit.ts";
import {
  type Answer,
  type AnyFunction,
  BEGIN,
  CALL,
  type Ending,
  FINISH,
  type Hand,
  LEARN,
  TASK,
  TOLD_TASK,
  type Trade,
} from "./_crew_protocol.ts";
import { Arrival, receive } from "./_crew_receive.ts";
import { mustBeCalled } from "./_terms.ts";
import { ProcessError } from "./errors.ts";

/** Milliseconds of work that a worker may have before it. */
const AHEAD = 1;
/** Tasks that it may have before it, however small. */
const MOST_AHEAD = 128;
/** So many new tasks are handed out before the turn is over. */
const EARLY = 64;
/** So many tasks that were taken back may lie in the queue, beside as many as there are others. */
const MOST_DEAD = 256;
/** The run of a function that has never ended, in milliseconds. */
const UNKNOWN = 1e9;
/** A function is as good as its last runs: how many quick ones in a row make it as trusted as it can be. */
const TRUSTED = 256;
/** Milliseconds after which tasks are called back from a worker that does not get to them. */
const PATIENCE = 5;
/** Milliseconds after which who was asked to end is made to. */
const GRACE = 1000;

/** A function of tasks, in this thread. */
interface Known {
  readonly key: number;
  readonly reference: Reference;
  /** How long it runs, in milliseconds, going by its last runs. */
  runs: number;
  /** How many quick runs there were of late: no more calls than that are sent ahead. */
  trust: number;
}

/** Crews of this thread that have tasks. */
// deno-lint-ignore no-explicit-any -- of any kind
const busy = new Set<Crew<any>>();
/** Those of a thread that has ended are nobody's. */
const forget = () => busy.clear();

let keys = 0;
const known = new WeakMap<AnyFunction, Known>();

/** @throws {PicklingError} when the function cannot travel. */
function learn(fn: AnyFunction, what: string, door: AnyFunction): Known {
  let entry = known.get(fn);
  if (entry === undefined) {
    mustBeCalled(fn, what);
    entry = { key: ++keys, reference: locate(fn, what, door), runs: UNKNOWN, trust: 0 };
    known.set(fn, entry);
  }
  return entry;
}

/** A call of a function has taken so long. One that took long among quick ones may have been interrupted: it counts, but not in full. */
function note(fn: Known, took: number): void {
  const { runs } = fn;
  if (runs === UNKNOWN) fn.runs = took;
  else fn.runs = took > runs ? Math.min(took, runs * 2 + AHEAD / 16) : runs * 0.9 + took * 0.1;
  fn.trust = took > AHEAD ? fn.trust >> 2 : Math.min(fn.trust + 1, TRUSTED);
}

/** What a task is, to who submits it. */
export interface Order {
  readonly fn: AnyFunction;
  /** See `_crew_protocol.ts`. */
  readonly form: number;
  /** No task is sent ahead behind it, nor it behind another: it can be stopped without harm to others. */
  readonly alone?: boolean;
  /** The number of a group of tasks that are of use only together, above 0: when a worker is lost, those that it has all fail. */
  readonly group?: number;
  /**
   * Whether {@linkcode Order.sent} and {@linkcode Order.began} are to be called: a worker has it, and is about to make the call. Again
   * when another has to.
   */
  readonly tells?: boolean;
  sent?(): void;
  began?(): void;
  /** Called when nothing else can refuse it and nothing has come of it yet; what it throws refuses it. */
  packed?(): void;
  /** Whoever submitted it wants it back, if no worker has it. */
  withdraw?(): void;
  /** Called once. `ran`: milliseconds, 0 when it never ran. */
  ended(ended: Ended, ran: number): void;
}

/** Where a task stands. */
type Place = "queued" | "sent" | "over";

/** A task. */
export class Job<B> {
  readonly id: number;
  readonly order: Order;
  readonly fn: Known;
  readonly calls: number;
  readonly body: B;
  place: Place = "queued";
  /** Set while it is sent. */
  worker: Worker<B> | undefined;
  /** What its function was thought to take when it was sent. */
  expected = 0;

  constructor(id: number, order: Order, fn: Known, calls: number, body: B) {
    this.id = id;
    this.order = order;
    this.fn = fn;
    this.calls = calls;
    this.body = body;
  }
}

/**
 * A worker's life: `starting` until it takes tasks, `ready`, `leaving` from the moment when it gets no more of them, `gone`.
 */
type Life = "starting" | "ready" | "leaving" | "gone";

interface Worker<B> {
  hand: Hand<B>;
  life: Life;
  /** In the order in which they were sent. The first is the one that it runs. */
  readonly sent: Map<number, Job<B>>;
  /** The task that was sent last. */
  last: Job<B> | undefined;
  /** Milliseconds that they are expected to take. */
  load: number;
  /** How many more it may be sent. */
  left: number;
  /** Functions that it was told of. */
  readonly told: Set<number>;
  /** We have ended it: whatever it ran is not to blame, and has its own word. */
  sacked: boolean;
  /** The task that it was ended for, which ends with it. */
  stopped: { readonly job: Job<B>; readonly error: unknown } | undefined;
  /** The error that ends it, as it said itself. */
  uncaught: string | undefined;
  /** It has been asked for tasks back and has not answered. */
  recalled: boolean;
  /** When its first task became the first. */
  since: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** What becomes of a crew whose worker has died, and the words for it. */
export interface Policy {
  /** `"replace"`: the task in hand fails, the others go on; `"break"`: all fail, and the crew is broken. */
  readonly onDeath: "replace" | "break";
  /** The error of a task whose worker has died under it. */
  died(ending: Ending, name: string): Error;
  /** The error of every task of a crew that is broken; made for each. */
  broken(why: Error): Error;
  /** Whether a death is the fault of the task alone, and its error: the crew then goes on whatever `onDeath` says. */
  pardons?(ending: Ending): Error | undefined;
}

/** How a crew is made. */
export interface CrewOptions<B> {
  readonly size: number;
  readonly trade: Trade<B>;
  readonly policy: Policy;
  /** All workers from the beginning, instead of when they are needed. */
  readonly eager?: boolean;
  /** Tasks after which a worker is replaced. */
  readonly maxTasks?: number;
  readonly initializer?: AnyFunction;
  readonly initargs?: unknown[];
  /** Where stacks of refusals begin. */
  readonly door: AnyFunction;
}

/** Where a crew stands. `closed`: it takes no more tasks; `broken` and `ended`: nor has it any. */
type State =
  | { readonly at: "open" }
  | { readonly at: "closed" }
  | { readonly at: "broken"; readonly why: Error }
  | { readonly at: "ended" };

/** See the head of this file. */
export class Crew<B> {
  readonly #options: CrewOptions<B>;
  readonly #init: { readonly fn: Known; readonly body: B } | undefined;
  #state: State = { at: "open" };
  readonly #workers = new Set<Worker<B>>();
  /** Invariant: contains every job whose place is "queued", and some that were taken back. */
  #queue: Job<B>[] = [];
  #head = 0;
  /** Jobs whose place is "queued". */
  #queued = 0;
  /** Jobs that are not over. */
  readonly #jobs = new Map<number, Job<B>>();
  /** Of all functions that it was ever given. */
  readonly #references = new Set<Reference>();
  /** Answers that wait for modules. */
  readonly #arriving = new Set<Arrival<B>>();
  #ids = 0;
  #scheduled = false;
  /** See {@linkcode Crew.together}. */
  #collecting = false;
  #failures = 0;
  /** See {@linkcode Crew.foresee}. */
  #foreseen = false;
  /** Whether it listens to its workers, and holds the event loop. */
  #expecting = false;
  /** Called when something has come to an end that {@linkcode join} waits for. */
  readonly #news = new Set<() => void>();
  /** Called when it has broken, after all its tasks have failed, with what makes errors that say why. */
  onBroken: ((error: () => Error) => void) | undefined;

  /**
   * @throws {PicklingError} when the initializer or its arguments cannot travel.
   * @throws What starting a worker throws.
   */
  constructor(options: CrewOptions<B>) {
    this.#options = options;
    const { initializer, initargs, door, trade } = options;
    if (initializer !== undefined) {
      const fn = learn(initializer, "use as an initializer", door);
      const body = trade.codec.pack(initargs ?? [], "use as initargs", "initargs", door);
      this.#init = { fn, body };
      this.#references.add(fn.reference);
    }
    if (options.eager === true) this.#fill();
  }

  get state(): State["at"] {
    return this.#state.at;
  }

  get workers(): number {
    return this.#workers.size;
  }

  /** The numbers of the processes. */
  get pids(): number[] {
    return [...this.#workers].flatMap(({ hand }) => hand.pid ?? []);
  }

  /** Tasks that have not ended: those that run, and all. */
  count(): { running: number; pending: number } {
    let running = 0;
    for (const { sent } of this.#workers) if (sent.size > 0) running++;
    return { running, pending: this.#jobs.size };
  }

  /**
   * Puts a task in the queue.
   *
   * @throws {PicklingError} when it cannot travel: nothing has happened then.
   * @throws the error of the policy, when the crew is broken.
   * @throws {ProcessError} when it is closed, or has ended.
   */
  submit(order: Order, values: unknown[], door: AnyFunction): Job<B> {
    this.#mustBeWhole();
    if (this.#state.at !== "open") {
      throw new ProcessError(`Cannot submit: the pool has ${this.#state.at}`);
    }
    const { form } = order;
    const fn = learn(order.fn, "submit", door);
    const root = form === CALL ? "args" : "items";
    const body = this.#options.trade.codec.pack(values, "submit", root, door);
    const calls = form === CALL ? 1 : Math.max(1, values.length / Math.abs(form));
    const job = new Job(++this.#ids, order, fn, calls, body);
    this.#references.add(fn.reference);
    // First the worker, which may fail to start: what is in the queue has a worker.
    this.#staff(this.#queued + 1);
    order.packed?.();
    this.#jobs.set(job.id, job);
    this.#queue.push(job);
    this.#queued++;
    // Many calls in one turn: workers need not wait for its end.
    if (this.#queued % EARLY === 0 && !this.#collecting) this.#dispatch();
    else this.#schedule();
    if (!this.#expecting) this.#watch();
    return job;
  }

  /**
   * Makes sure that tasks of a function will be taken.
   *
   * @throws {PicklingError} when it cannot travel.
   * @throws the error of the policy, when the crew is broken.
   */
  mustTake(fn: AnyFunction, door: AnyFunction): void {
    this.#references.add(learn(fn, "submit", door).reference);
    this.#mustBeWhole();
  }

  #mustBeWhole(): void {
    if (this.#state.at === "broken") throw this.#options.policy.broken(this.#state.why);
  }

  /** Whether tasks are to come. Until they do, it is heard if no worker can start: whoever waits for them is to know. */
  foresee(tasks: boolean): void {
    this.#foreseen = tasks;
    this.#watch();
  }

  /** Calls `submits`; no worker gets a task that it submits before it has returned. */
  together(submits: () => void): void {
    this.#collecting = true;
    try {
      submits();
    } finally {
      this.#collecting = false;
    }
  }

  /** Takes a task back that no worker has. Its owner is not told. */
  cancel(job: Job<B>): boolean {
    if (job.place !== "queued") return false;
    this.#queued--;
    this.#over(job);
    // Behind a task that takes its time, they would keep what they were to be called with.
    if (this.#queue.length - this.#head > 2 * this.#queued + MOST_DEAD) this.#compact();
    return true;
  }

  /**
   * Ends a task with `error`, wherever it is. Its worker, if one runs it, is killed, and the task ends when that is gone. The task must
   * have been ordered to be `alone`.
   */
  stop(job: Job<B>, error: unknown): void {
    if (job.place === "over") return;
    if (job.place === "queued") {
      this.cancel(job);
      return job.order.ended({ error }, 0);
    }
    const { worker } = job;
    // Its call has ended, and what came of it waits for modules: there is nothing left to be stopped.
    if (worker === undefined || worker.sacked) return;
    worker.sacked = true;
    worker.life = "leaving";
    // What comes of it in the meantime does not count.
    worker.sent.delete(job.id);
    worker.stopped = { job, error };
    worker.hand.stop("kill");
  }

  /**
   * Has every task withdrawn that no worker has; with `butNext`, but for as many as there are workers that have nothing yet: what a
   * worker is being started for counts as begun.
   */
  withdraw({ butNext = false }: { butNext?: boolean } = {}): void {
    let kept = 0;
    if (butNext) {
      for (const { sent, left } of this.#workers) if (sent.size === 0 && left > 0) kept++;
    }
    for (const { place, order } of [...this.#jobs.values()]) {
      if (place === "queued" && kept-- <= 0) order.withdraw?.();
    }
  }

  /** Takes no more tasks. Workers end when there is nothing left to do. */
  close(): void {
    if (this.#state.at !== "open") return;
    this.#state = { at: "closed" };
    this.#schedule();
  }

  /** Ends all tasks with `error`, and all workers. */
  end(how: "terminate" | "kill", error: () => Error): void {
    if (this.#state.at !== "broken") this.#state = { at: "ended" };
    this.#endAll(how, error);
  }

  /**
   * Resolves when all tasks are over and all workers are gone; with `idle`, but for those that are busy and cannot be stopped. There must
   * be no more tasks to come.
   */
  async join({ idle = false }: { idle?: boolean } = {}): Promise<void> {
    // While there are tasks, the event loop is held.
    while (this.#jobs.size > 0) await new Promise<void>((resolve) => this.#news.add(resolve));
    while (this.#workers.size > 0) {
      const hands = [...this.#workers].map(({ hand }) => hand).filter(({ isStuck }) =>
        !idle || !isStuck
      );
      if (hands.length === 0) return;
      await Promise.all(hands.map((hand) => hand.join()));
    }
    await this.#options.trade.quiet?.();
  }

  /**
   * Blocks the calling thread until something may have come of a task, of this crew or of another of this thread, or time has run out.
   *
   * @throws {Deno.errors.NotCapable} where that takes `--allow-ffi`.
   * @throws {Deno.errors.NotSupported} where workers cannot be heard by a thread that is blocked.
   */
  pump(limit: Limit): void {
    const { trade } = this.#options;
    if (trade.pump === undefined) {
      throw new Deno.errors.NotSupported("Cannot wait for the result by blocking; await it");
    }
    // What has come and waits for its modules: with those that are there.
    for (const arrival of [...this.#arriving]) arrival.hurry();
    if (this.#arriving.size > 0 && this.#arriving.size === this.#jobs.size) {
      throw new Deno.errors.NotSupported(
        "Cannot wait for the result by blocking: it needs a module that is not loaded here; import that first, or await the result",
      );
    }
    for (const crew of busy) crew.#catchUp();
    trade.pump({ ...limit, deadline: Math.min(limit.deadline, TimeLimit.lookAtAll()) });
    TimeLimit.lookAtAll();
    for (const crew of busy) crew.#catchUp();
  }

  /** What a turn of the event loop would do. */
  #catchUp(): void {
    if (this.#scheduled) this.#dispatch();
    for (const worker of this.#workers) {
      if (worker.timer !== undefined && performance.now() - worker.since >= PATIENCE) {
        clearTimeout(worker.timer);
        this.#recall(worker);
      }
    }
  }

  // ---- Tasks ---------------------------------------------------------------------------------------------------------------------

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      if (this.#scheduled) this.#dispatch();
    });
  }

  /** Hands out what can be handed out. */
  #dispatch(): void {
    this.#scheduled = false;
    const pushed = new Set<Worker<B>>();
    const ready: Worker<B>[] = [];
    for (const worker of this.#workers) {
      // Not one for each that comes back, but some when half of them have.
      if (worker.life !== "ready" || worker.left === 0) continue;
      if (worker.load <= AHEAD / 2 && worker.sent.size <= MOST_AHEAD / 2) ready.push(worker);
    }
    for (;;) {
      const job = this.#first();
      if (job === undefined) break;
      const worker = workerFor(job, ready);
      if (worker === undefined) break;
      this.#head++;
      try {
        this.#give(worker, job);
      } catch (error) {
        // It was packed, and something in it was taken away since.
        this.#takeFrom(worker, job);
        worker.left++;
        this.#conclude(job, { error }, 0);
        continue;
      }
      pushed.add(worker);
    }
    for (const { hand, sent, last } of pushed) {
      hand.push();
      // Answers of a group come together anyway.
      if (sent.size > MOST_AHEAD / 2 && last?.order.group === undefined) hand.rest?.();
    }
    if (this.#queued === 0) this.#spread();
    for (const worker of this.#workers) if (worker.left === 0) this.#letGo(worker);
    if (this.#state.at === "closed" && this.#queued === 0) {
      for (const worker of this.#workers) this.#letGo(worker);
    } else this.#restaff();
  }

  #first(): Job<B> | undefined {
    while (this.#head < this.#queue.length) {
      const job = this.#queue[this.#head];
      if (job.place === "queued") {
        if (this.#head >= 4096 && this.#head * 2 > this.#queue.length) this.#compact();
        return job;
      }
      this.#head++;
    }
    this.#queue = [];
    this.#head = 0;
  }

  #compact(): void {
    this.#queue = this.#queue.slice(this.#head).filter(({ place }) => place === "queued");
    this.#head = 0;
  }

  #give(worker: Worker<B>, job: Job<B>): void {
    const { hand, told } = worker;
    const { fn: { key, reference, runs }, order } = job;
    if (!told.has(key)) {
      told.add(key);
      hand.send([LEARN, key, reference]);
    }
    job.place = "sent";
    this.#queued--;
    job.worker = worker;
    job.expected = order.alone === true ? UNKNOWN : runs * job.calls;
    worker.load += job.expected;
    worker.left--;
    if (worker.sent.size === 0) worker.since = performance.now();
    worker.sent.set(job.id, job);
    worker.last = job;
    const kind = order.tells === true ? TOLD_TASK : TASK;
    hand.send([kind, job.id, key, order.form, job.body, order.group ?? 0]);
    if (kind === TOLD_TASK) order.sent?.();
  }

  #answered(worker: Worker<B>, answer: Answer<B>): void {
    const job = worker.sent.get(answer.id);
    if (job === undefined) return;
    this.#takeFrom(worker, job);
    const each = answer.ran / job.calls;
    note(job.fn, each);
    this.#schedule();
    const ended = receive(this.#options.trade.codec, answer);
    if (ended instanceof Arrival) this.#arrive(job, answer.ran, ended);
    else this.#conclude(job, ended, answer.ran);
  }

  #conclude(job: Job<B>, ended: Ended, ran: number): void {
    if (job.place === "over") return;
    this.#over(job);
    job.order.ended(ended, ran);
  }

  #arrive(job: Job<B>, ran: number, arrival: Arrival<B>): void {
    this.#arriving.add(arrival);
    arrival.whenDone((ended) => {
      this.#arriving.delete(arrival);
      this.#conclude(job, ended, ran);
    });
  }

  /** The worker has it no more. */
  #takeFrom(worker: Worker<B>, job: Job<B>): void {
    worker.sent.delete(job.id);
    worker.load = worker.sent.size === 0 ? 0 : worker.load - job.expected;
    if (worker.sent.size === 0) worker.last = undefined;
    worker.since = performance.now();
    if (worker.sent.size <= 1 && worker.timer !== undefined) {
      clearTimeout(worker.timer);
      worker.timer = undefined;
    }
    job.worker = undefined;
  }

  #over(job: Job<B>): void {
    job.place = "over";
    this.#jobs.delete(job.id);
    if (this.#jobs.size === 0) this.#watch();
    this.#tell();
  }

  /** To be called when something has changed of what it listens for. */
  #watch(): void {
    let some = this.#jobs.size > 0;
    if (!some && this.#foreseen) {
      for (const { life } of this.#workers) some ||= life === "starting";
    }
    if (some === this.#expecting) return;
    this.#expecting = some;
    if (some) {
      ended.add(forget);
      busy.add(this);
    } else busy.delete(this);
    if (some) here().hold();
    else here().unhold();
    this.#options.trade.expect?.(some);
  }

  #tell(): void {
    if (this.#news.size === 0) return;
    const news = [...this.#news];
    this.#news.clear();
    for (const each of news) each();
  }

  /** Back to the front of the queue, in the order given. */
  #putBack(jobs: readonly Job<B>[]): void {
    if (jobs.length === 0) return;
    for (const job of jobs) {
      job.place = "queued";
      job.worker = undefined;
    }
    this.#queued += jobs.length;
    this.#queue.splice(0, this.#head, ...jobs);
    this.#head = 0;
    this.#schedule();
  }

  // ---- Tasks behind a task that takes its time -------------------------------------------------------------------------------------

  /** Nothing waits here: who has nothing to do could take what waits behind others, if they do not get to it soon. */
  #spread(): void {
    let idle = false;
    for (const { life, sent } of this.#workers) idle ||= life === "ready" && sent.size === 0;
    if (!idle) return;
    for (const worker of this.#workers) {
      if (worker.sent.size > 1 && worker.timer === undefined && !worker.recalled) {
        worker.timer = setTimeout(() => this.#recall(worker), PATIENCE);
      }
    }
  }

  #recall(worker: Worker<B>): void {
    worker.timer = undefined;
    if (worker.life !== "ready" || worker.sent.size <= 1) return;
    const waited = performance.now() - worker.since;
    if (waited < PATIENCE) {
      worker.timer = setTimeout(() => this.#recall(worker), PATIENCE - waited);
      return;
    }
    worker.recalled = true;
    worker.hand.recall();
  }

  #returned(worker: Worker<B>, ids: readonly number[]): void {
    worker.recalled = false;
    const jobs = ids.flatMap((id) => worker.sent.get(id) ?? []);
    for (const job of jobs) {
      const { since } = worker;
      this.#takeFrom(worker, job);
      worker.since = since;
      worker.left++;
    }
    // What it is at takes longer than expected.
    for (const { fn } of worker.sent.values()) fn.trust = 0;
    this.#putBack(jobs);
  }

  // ---- Workers -------------------------------------------------------------------------------------------------------------------

  /** Starts workers for `waiting` tasks, if those that there are will not do. */
  #staff(waiting: number): void {
    const { size } = this.#options;
    if (this.#workers.size >= size && this.#failures === 0) return;
    let active = 0;
    let free = 0;
    for (const { life, sent, left } of this.#workers) {
      if (life === "starting" || life === "ready") active++;
      if (life === "starting" || life === "ready" && sent.size === 0 && left > 0) free++;
    }
    for (; active < size && free < waiting; active++, free++) this.#hire();
  }

  /** As many workers as there may be. */
  #fill(): void {
    try {
      this.#staff(Infinity);
    } catch (error) {
      this.end("kill", () => error as Error);
      throw error;
    }
  }

  /** After workers have gone. */
  #restaff(): void {
    if (this.#state.at !== "open" && this.#state.at !== "closed") return;
    try {
      this.#staff(this.#options.eager === true ? Infinity : this.#queued);
    } catch (error) {
      const someone = [...this.#workers].some(({ life }) => life === "ready");
      if (!someone) this.#break(error as Error);
    }
  }

  #hire(): void {
    const { trade, maxTasks } = this.#options;
    const worker: Omit<Worker<B>, "hand"> & { hand?: Hand<B> } = {
      life: "starting",
      sent: new Map(),
      last: undefined,
      load: 0,
      left: maxTasks ?? Infinity,
      told: new Set(),
      sacked: false,
      stopped: undefined,
      uncaught: undefined,
      recalled: false,
      since: 0,
      timer: undefined,
    };
    const hand = trade.hire({
      ready: () => {
        if (full.life !== "starting") return;
        full.life = "ready";
        this.#failures = 0;
        this.#watch();
        this.#schedule();
      },
      failed: (error) => this.#initializerFailed(error),
      began: (id) => full.sent.get(id)?.order.began?.(),
      answered: (answer) => this.#answered(full, answer),
      returned: (ids) => this.#returned(full, ids),
      uncaught: (text) => full.uncaught = text,
      ended: (ending) => this.#ended(full, { ...ending, uncaught: full.uncaught }),
    }, [...this.#references]);
    const full: Worker<B> = Object.assign(worker, { hand });
    this.#workers.add(full);
    const init = this.#init;
    if (init !== undefined) {
      full.told.add(init.fn.key);
      hand.send([LEARN, init.fn.key, init.fn.reference]);
      hand.send([BEGIN, init.fn.key, init.body]);
    } else hand.send([BEGIN, 0, undefined]);
    hand.push();
    this.#watch();
  }

  /** Lets a worker go that has nothing more to do. */
  #letGo(worker: Worker<B>): void {
    if (worker.life !== "ready" && worker.life !== "starting" || worker.sent.size > 0) return;
    worker.life = "leaving";
    worker.hand.send([FINISH]);
    worker.hand.push();
    this.#watch();
  }

  #initializerFailed(encoded: EncodedError): void {
    const error = decodeErrorSync(encoded);
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.#break(new Error(`Its initializer has failed: ${text}`, { cause: error }));
  }

  #ended(worker: Worker<B>, ending: Ending): void {
    const { life, sacked } = worker;
    worker.life = "gone";
    clearTimeout(worker.timer);
    this.#workers.delete(worker);
    this.#watch();
    const [first, ...others] = worker.sent.values();
    worker.sent.clear();
    const { stopped } = worker;
    if (stopped?.job.place === "sent") {
      this.#over(stopped.job);
      stopped.job.order.ended({ error: stopped.error }, 0);
    }
    if (life === "starting" && !sacked) return this.#diedEarly(worker, ending);
    const { policy } = this.#options;
    if (this.#state.at === "broken" || this.#state.at === "ended" || sacked || life === "leaving") {
      if (first !== undefined) this.#putBack([first, ...others]);
    } else {
      const pardon = first === undefined ? undefined : policy.pardons?.(ending);
      if (policy.onDeath === "break" && pardon === undefined) {
        if (first !== undefined) this.#putBack([first, ...others]);
        return this.#break(policy.died(ending, worker.hand.name));
      }
      // Of a group, more may have been begun than there are answers.
      const group = first?.order.group ?? 0;
      const begun = group === 0 ? 0 : others.findIndex(({ order }) => order.group !== group);
      const lost = begun === -1 ? others.length : begun;
      this.#putBack(others.slice(lost));
      for (const job of first === undefined ? [] : [first, ...others.slice(0, lost)]) {
        this.#over(job);
        job.order.ended({ error: pardon ?? policy.died(ending, worker.hand.name) }, 0);
      }
    }
    this.#tell();
    this.#schedule();
  }

  /** It never took a task: whoever replaced it would fare no better, unless it was killed from outside. */
  #diedEarly(worker: Worker<B>, ending: Ending): void {
    const { policy, size } = this.#options;
    const killed = ending.exitcode !== undefined && ending.exitcode < 0;
    this.#failures++;
    if (policy.onDeath === "break" || !killed || this.#failures > size + 3) {
      this.#break(policy.died(ending, worker.hand.name));
    } else this.#schedule();
    this.#tell();
  }

  #break(why: Error): void {
    if (this.#state.at === "broken" || this.#state.at === "ended") return;
    this.#state = { at: "broken", why };
    const error = () => this.#options.policy.broken(why);
    this.#endAll("terminate", error);
    this.onBroken?.(error);
  }

  #endAll(how: "terminate" | "kill", error: () => Error): void {
    for (const worker of this.#workers) {
      worker.life = "leaving";
      worker.sacked = true;
      worker.sent.clear();
      clearTimeout(worker.timer);
      worker.hand.stop(how);
      if (how === "kill") continue;
      const timer = setTimeout(() => worker.hand.stop("kill"), GRACE);
      void worker.hand.join().finally(() => clearTimeout(timer));
    }
    for (const job of [...this.#jobs.values()]) {
      this.#over(job);
      job.order.ended({ error: error() }, 0);
    }
    this.#queue = [];
    this.#head = 0;
    this.#queued = 0;
    this.#watch();
    this.#tell();
  }
}

/** The worker with the least to do of those that may be sent the job. */
function workerFor<B>({ order, fn }: Job<B>, ready: readonly Worker<B>[]): Worker<B> | undefined {
  let best: Worker<B> | undefined;
  const most = order.alone === true ? 0 : Math.min(MOST_AHEAD, fn.trust);
  for (const worker of ready) {
    if (worker.left === 0) continue;
    if (worker.sent.size === 0) return worker;
    if (worker.load >= AHEAD || worker.sent.size > most) continue;
    if (best === undefined || worker.load < best.load) best = worker;
  }
  return best;
}
