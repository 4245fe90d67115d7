/**
 * The parent side of a thread pool: its queue, its workers, and what it knows of each task.
 *
 * Data flow: `submit` writes a task into the pool's queue; a worker that is free takes it, claims its word in `states`, runs it and
 * writes the answer into the inbox of the submitting thread, which concludes the future. All pools of a thread share one inbox, so
 * that a blocking wait can wait for any of them.
 *
 * @module
 */
import { copyContext } from "../contextvars/mod.ts";
import { entriesOf } from "../threading/_context.ts";
import {
  decodeErrorSync,
  deposit,
  importInProgress,
  type Limit,
  locate,
  pack,
  remaining,
} from "../threading/_core/mod.ts";
import { Event, Thread, ThreadError } from "../threading/mod.ts";
import { Empty, Queue } from "../queue/mod.ts";
import { type Arrived, type Ended, received, receivedNow, receivedSoon } from "./_decode.ts";
import {
  type Answer,
  BROKEN,
  CANCELLED,
  ERROR,
  FREE,
  parcelOf,
  QUEUED,
  RUNNING,
  type Task,
  VALUE,
} from "./_protocol.ts";
import { work } from "./_worker.ts";
import { BrokenThreadPool, RuntimeError } from "./errors.ts";
import { bind, conclude, Future, type Origin, whenDone } from "./future.ts";

type AnyFunction = (...args: never[]) => unknown;

/** What is done with an answer. */
type Handler = (answer: Answer) => void;

/**
 * Where the answers for this thread come in.
 *
 * Who waits without blocking waits for the bell, and then takes what is there; nobody waits for an item. Otherwise:
 * 1. `await get()` takes an answer, and is to go on in a later turn;
 * 2. before that, this turn calls `resultSync()`, which blocks until that very answer is in the queue.
 * Workers put the answer first and ring then; here the bell is cleared first and the queue emptied then. So no answer is overlooked.
 */
class Inbox {
  readonly answers = new Queue<Answer>();
  readonly bell = new Event();
  readonly #handlers = new Map<number, Handler>();
  /** What is being decoded, of all pools: to end it without waiting. */
  readonly decoding = new Map<number, () => void>();
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
    const left = remaining(limit.deadline);
    try {
      this.#take(
        left === Infinity ? this.answers.getSync() : this.answers.getSync({ timeout: left }),
      );
    } catch (error) {
      if (error instanceof Empty) return false;
      throw error;
    }
    this.drain();
    this.#finishDecoding();
    return true;
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

let inbox: Inbox | undefined;

/** This thread's inbox. */
function inboxOfThread(): Inbox {
  return inbox ??= new Inbox();
}

/** What a pool is made with. */
export interface PoolOptions {
  readonly maxWorkers: number;
  readonly prefix: string;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: unknown[];
  /** The function at which stacks of refusals begin. */
  readonly door: AnyFunction;
}

interface Item {
  readonly slot: number;
  readonly future: Future<unknown>;
  readonly submitted: number;
}

/** Times in milliseconds. */
export class Times {
  count = 0;
  total = 0;
  min = Infinity;
  max = 0;

  add(time: number): void {
    this.count++;
    this.total += time;
    if (time < this.min) this.min = time;
    if (time > this.max) this.max = time;
  }
}

const FIRST_SLOTS = 1024;
const MOST_SLOTS = 2 ** 24;
const deposits = new WeakMap<AnyFunction, number>();

/** See the head of this file. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #inbox = inboxOfThread();
  readonly #tasks = new Queue<Task>();
  readonly #stateBuffer = new SharedArrayBuffer(FIRST_SLOTS * 4, { maxByteLength: MOST_SLOTS * 4 });
  readonly #states = new Int32Array(this.#stateBuffer);
  readonly #freeSlots: number[] = [];
  #slots = 0;
  readonly #items = new Map<number, Item>();
  readonly #workers: Thread[] = [];
  readonly #id: number;
  /** Slots of cancelled tasks, which become free when a worker comes to them. */
  readonly #cancelled: number[] = [];
  done = 0;
  failed = 0;
  readonly runTime = new Times();
  readonly waitTime = new Times();
  #broken: Error | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    if (options.initializer !== undefined) {
      // To refuse now what could not be sent to the first worker.
      pack(options.initargs, "use as initargs", options.door, { root: "initargs" });
    }
    this.#id = this.#inbox.open((answer) => {
      if (answer[2] === BROKEN) this.#breakDown(decodeErrorSync(answer[3]) as Error);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  get workers(): number {
    return this.#workers.length;
  }

  /** Tasks that have not ended, and those of them that run. */
  count(): { pending: number; running: number } {
    let running = 0;
    for (const { slot } of this.#items.values()) if (this.#states[slot] === RUNNING) running++;
    return { pending: this.#items.size, running };
  }

  /**
   * Puts a call, or a chunk of calls, into the queue.
   *
   * @throws {RuntimeError} after `shutdown`.
   * @throws {BrokenThreadPool} when a worker has failed.
   * @throws {PicklingError} when the function or an argument cannot travel.
   */
  submit(fn: AnyFunction, args: unknown[], chunk: number, door: AnyFunction): Future<unknown> {
    this.#mustBeOpen();
    const key = this.#depositOf(fn, door);
    const context = copyContext();
    const entries = context.size === 0 ? 0 : entriesOf(context, door as () => void);
    const future = new Future<unknown>();
    const parcel = args.every(isPrimitive)
      ? undefined
      : parcelOf(args, "submit", chunk === 0 ? "args" : "items", door);
    // First the worker, which may fail to start, then the task: what is in the queue has a worker.
    this.#staff();
    const slot = this.#takeSlot();
    const id = this.#inbox.open((answer) => this.#answered(id, answer));
    try {
      this.#tasks.putNowait(
        [id, slot, key, entries, chunk, parcel === undefined ? 0 : 1, parcel ?? args],
      );
    } catch (error) {
      this.#inbox.close(id);
      this.#freeSlots.push(slot);
      throw error;
    }
    this.#items.set(id, { slot, future, submitted: performance.now() });
    bind(future, this.#origin(id, slot));
    this.#inbox.expect();
    return future;
  }

  #mustBeOpen(): void {
    const url = importInProgress();
    if (url !== undefined) {
      throw new ThreadError(
        `Cannot submit while a thread imports ${url}: workers import the module of their tasks, so what a script does has to be guarded: if (import.meta.main) { … }`,
      );
    }
    if (this.#broken !== undefined) throw this.#brokenError();
    if (this.#closed) throw new RuntimeError("Cannot submit: the executor was shut down");
  }

  #depositOf(fn: AnyFunction, door: AnyFunction): number {
    let key = deposits.get(fn);
    if (key === undefined) {
      key = deposit(locate(fn as () => void, "submit", door as () => void));
      deposits.set(fn, key);
    }
    return key;
  }

  #takeSlot(): number {
    let slot = this.#freeSlots.pop();
    if (slot === undefined && this.#cancelled.length > 0) {
      if (Atomics.load(this.#states, this.#cancelled[0]) === FREE) slot = this.#cancelled.shift();
    }
    if (slot === undefined) {
      slot = this.#slots++;
      if (slot * 4 >= this.#stateBuffer.byteLength) {
        this.#stateBuffer.grow(this.#stateBuffer.byteLength * 2);
      }
    }
    Atomics.store(this.#states, slot, QUEUED);
    return slot;
  }

  #origin(id: number, slot: number): Origin {
    return {
      running: () => Atomics.load(this.#states, slot) === RUNNING && this.#items.has(id),
      cancel: () => {
        if (Atomics.compareExchange(this.#states, slot, QUEUED, CANCELLED) !== QUEUED) return false;
        this.#forget(id);
        this.#cancelled.push(slot);
        return true;
      },
      pump: (limit) => this.#inbox.wait(limit),
    };
  }

  /** The task has ended, one way or another. */
  #forget(id: number): Item | undefined {
    const item = this.#items.get(id);
    if (item === undefined) return undefined;
    this.#items.delete(id);
    this.#inbox.close(id);
    this.#inbox.settled();
    return item;
  }

  #answered(id: number, answer: Answer): void {
    const item = this.#items.get(id)!;
    const [, ran, kind, content] = answer;
    this.runTime.add(ran);
    this.waitTime.add(performance.now() - item.submitted - ran);
    if (kind === VALUE) return this.#end(id, { value: content });
    const arrived: Arrived = kind === ERROR ? { error: content } : { parcel: content };
    const ended = receivedSoon(arrived);
    if (ended !== undefined) return this.#end(id, ended);
    const { decoding } = this.#inbox;
    decoding.set(id, () => this.#end(id, receivedNow(arrived)));
    void received(arrived).then((ended) => this.#end(id, ended));
  }

  /** The first to call this for a task decides. */
  #end(id: number, ended: Ended): void {
    this.#inbox.decoding.delete(id);
    const item = this.#forget(id);
    if (item === undefined) return;
    this.#freeSlots.push(item.slot);
    if ("error" in ended) this.failed++;
    else this.done++;
    conclude(item.future, ended);
  }

  /** Starts a worker if all are busy, as far as this thread knows, and there may be more. */
  #staff(): void {
    const { maxWorkers, prefix, initializer, initargs } = this.#options;
    const count = this.#workers.length;
    if (this.#items.size < count || count >= maxWorkers) return;
    const thread = new Thread({
      target: work,
      args: [{
        pool: this.#id,
        tasks: this.#tasks,
        answers: this.#inbox.answers,
        bell: this.#inbox.bell,
        states: this.#stateBuffer,
        initializer: initializer as ((...args: unknown[]) => unknown) | undefined,
        initargs,
      }],
      name: `${prefix}_${count}`,
      daemon: true,
    });
    thread.start();
    this.#workers.push(thread);
  }

  #breakDown(why: Error): void {
    this.#broken ??= why;
    this.#tasks.shutdown({ immediate: true });
    for (const id of [...this.#items.keys()]) {
      this.#end(id, { error: this.#brokenError() });
    }
  }

  #brokenError(): BrokenThreadPool {
    return new BrokenThreadPool(
      `The thread pool is broken: ${this.#broken!.message}`,
      { cause: this.#broken },
    );
  }

  /** Takes no more tasks; the workers end when the queue is empty. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tasks.shutdown();
  }

  /** Takes back every task that no worker has. */
  cancelAll(): void {
    for (const { future } of [...this.#items.values()]) future.cancel();
  }

  /** Waits until all workers have ended, and all futures are done. */
  async join(): Promise<void> {
    for (const thread of this.#workers) await thread.join();
    // What they have answered is there, but perhaps nobody has looked yet.
    this.#inbox.drain();
    for (const { future } of [...this.#items.values()]) {
      await new Promise<void>((resolve) => whenDone(future, resolve));
    }
    this.#inbox.close(this.#id);
  }
}

function isPrimitive(value: unknown): boolean {
  return value === null || typeof value !== "object" && typeof value !== "function" &&
      typeof value !== "symbol";
}
