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
  decodeError,
  decodeErrorSync,
  deposit,
  type EncodedError,
  importInProgress,
  type Limit,
  locate,
  remaining,
} from "../threading/_core/mod.ts";
import { Thread, ThreadError } from "../threading/mod.ts";
import { Empty, Queue } from "../queue/mod.ts";
import {
  type Answer,
  CANCELLED,
  CONTROL_WORDS,
  FREE,
  IDLE,
  LIMIT,
  QUEUED,
  RUNNING,
  type Task,
} from "./_protocol.ts";
import { work } from "./_worker.ts";
import { BrokenThreadPool, RuntimeError } from "./errors.ts";
import { bind, conclude, Future, type Origin } from "./future.ts";

type AnyFunction = (...args: never[]) => unknown;

/** What is done with an answer. */
type Handler = (answer: Answer) => void;

/** Where the answers for this thread come in. */
class Inbox {
  readonly answers = new Queue<Answer>();
  readonly #handlers = new Map<number, Handler>();
  #last = 0;
  #expected = 0;
  #listening: AbortController | undefined;

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
    if (this.#expected++ === 0 && this.#listening === undefined) void this.#listen();
  }

  /** It has come, or will not. */
  settled(): void {
    if (--this.#expected === 0) this.#listening?.abort();
  }

  async #listen(): Promise<void> {
    const controller = this.#listening = new AbortController();
    const { signal } = controller;
    try {
      while (this.#expected > 0) {
        this.#take(await this.answers.get({ signal }));
        this.drain();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#listening = undefined;
      if (this.#expected > 0) void this.#listen();
    }
  }

  /** Handles what is there. */
  drain(): boolean {
    let some = false;
    while (!this.answers.empty()) {
      this.#take(this.answers.getNowait());
      some = true;
    }
    return some;
  }

  /** Blocks until something has come; `false` when time has run out. */
  wait(limit: Limit): boolean {
    if (this.drain()) return true;
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
    return true;
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
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4));
  readonly #stateBuffer = new SharedArrayBuffer(FIRST_SLOTS * 4, { maxByteLength: MOST_SLOTS * 4 });
  readonly #states = new Int32Array(this.#stateBuffer);
  readonly #freeSlots: number[] = [];
  #slots = 0;
  readonly #items = new Map<number, Item>();
  readonly #workers: Thread[] = [];
  readonly #id: number;
  /** Slots of cancelled tasks, which become free when a worker comes to them. */
  readonly #cancelled: number[] = [];
  /** Errors that are being decoded. */
  readonly #decoding = new Map<number, EncodedError>();
  done = 0;
  failed = 0;
  readonly runTime = new Times();
  readonly waitTime = new Times();
  #broken: Error | undefined;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#control[LIMIT] = options.maxWorkers;
    this.#id = this.#inbox.open((answer) => this.#breakDown(answer[3]!));
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
  submit(fn: AnyFunction, args: unknown[], chunk: 0 | 1, door: AnyFunction): Future<unknown> {
    this.#mustBeOpen();
    const key = this.#depositOf(fn, door);
    const context = copyContext();
    const entries = context.size === 0 ? 0 : entriesOf(context, door as () => void);
    const future = new Future<unknown>();
    const slot = this.#takeSlot();
    const id = this.#inbox.open((answer) => this.#answered(id, answer));
    try {
      this.#tasks.putNowait([id, slot, key, entries, chunk, ...args]);
    } catch (error) {
      this.#inbox.close(id);
      this.#freeSlots.push(slot);
      throw error;
    }
    const item: Item = { slot, future, submitted: performance.now() };
    this.#items.set(id, item);
    bind(future, this.#origin(id, slot));
    this.#inbox.expect();
    this.#staff();
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
        this.#cancelled.push(slot);
        this.#forget(id);
        return true;
      },
      pump: (limit) => this.#pump(id, limit),
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
    const ran = answer[1];
    this.runTime.add(ran);
    this.waitTime.add(performance.now() - item.submitted - ran);
    this.#freeSlots.push(item.slot);
    if (answer.length === 3) {
      this.done++;
      this.#forget(id);
      conclude(item.future, { value: answer[2] });
      return;
    }
    this.failed++;
    const encoded = answer[3];
    if (blocked) return this.#fail(id, decodeErrorSync(encoded));
    this.#decoding.set(id, encoded);
    void decodeError(encoded).then((error) => this.#fail(id, error));
  }

  #fail(id: number, error: unknown): void {
    this.#decoding.delete(id);
    const item = this.#forget(id);
    if (item !== undefined) conclude(item.future, { error });
  }

  #pump(id: number, limit: Limit): boolean {
    const encoded = this.#decoding.get(id);
    if (encoded !== undefined) {
      // Its class is being looked for asynchronously, which this thread has no time for any more.
      this.#fail(id, decodeErrorSync(encoded));
      return true;
    }
    blocked = true;
    try {
      return this.#inbox.wait(limit);
    } finally {
      blocked = false;
    }
  }

  /** Starts a worker if none is free and there may be more. */
  #staff(): void {
    for (;;) {
      const idle = Atomics.load(this.#control, IDLE);
      if (idle <= 0) break;
      if (Atomics.compareExchange(this.#control, IDLE, idle, idle - 1) === idle) return;
    }
    if (this.#workers.length >= this.#options.maxWorkers) return;
    const { prefix, initializer, initargs } = this.#options;
    const thread = new Thread({
      target: work,
      args: [{
        pool: this.#id,
        tasks: this.#tasks,
        answers: this.#inbox.answers,
        control: this.#control,
        states: this.#stateBuffer,
        initializer: initializer as ((...args: unknown[]) => unknown) | undefined,
        initargs,
      }],
      name: `${prefix}_${this.#workers.length}`,
      daemon: true,
    });
    thread.start();
    this.#workers.push(thread);
  }

  #breakDown(encoded: EncodedError): void {
    this.#broken = decodeErrorSync(encoded) as Error;
    this.#tasks.shutdown({ immediate: true });
    for (const id of [...this.#items.keys()]) {
      const item = this.#forget(id)!;
      this.failed++;
      conclude(item.future, { error: this.#brokenError() });
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

  /** Waits until all workers have ended. */
  async join(): Promise<void> {
    for (const thread of this.#workers) await thread.join();
    this.#inbox.close(this.#id);
  }
}

/** While this thread is blocked, nothing can be awaited. */
let blocked = false;
