/**
 * The parent side of a thread pool: its queue, its workers, and what it knows of each task.
 *
 * Data flow: `submit` writes a task into the pool's queue; a worker that is free takes it, claims its word in `states`, runs it and
 * writes the answer into the inbox of the submitting thread, which concludes the future. All pools of a thread share one inbox, so
 * that a blocking wait can wait for any of them.
 *
 * A task that can be stopped needs a killable worker. A pool starts with plain ones, which cost less; the first such task makes all
 * that are started from then on killable, and the plain ones end with what is in their queue. To stop a task is to kill its worker:
 * 1. whoever changes the task's word first decides, the worker to `FINISHED` or the pool to `STOPPED`;
 * 2. a worker that finds `STOPPED` stands still, so the kill hits no other task;
 * 3. the worker's place is free, and taken by a new one when there are tasks.
 *
 * @module
 */
import { copyContext } from "../contextvars/mod.ts";
import { entriesOf } from "../threading/_context.ts";
import {
  type Death,
  decodeErrorSync,
  deposit,
  discard,
  encodeError,
  here,
  importInProgress,
  kill,
  killably,
  now,
  pack,
  remaining,
  TimeoutError,
  timerUntil,
} from "../threading/_core/mod.ts";
import { getIdent, Thread, ThreadError } from "../threading/mod.ts";
import { Queue } from "../queue/mod.ts";
import { DEATHS, ended, watchForDeath } from "./_deaths.ts";
import { inboxOfThread } from "./_inbox.ts";
import { type Arrived, type Ended, received, receivedNow, receivedSoon } from "./_decode.ts";
import {
  type Answer,
  BROKEN,
  CANCELLED,
  commonNow,
  DEPOSITED,
  type Door,
  ERROR,
  FREE,
  type Guest,
  isRunning,
  PARCELED,
  parcelOf,
  PLAIN,
  QUEUED,
  runningIn,
  STARTED,
  STOPPED,
  type Task,
  VALUE,
  VISIT,
  type Visit,
  WAITS,
  type Waits,
  workerOf,
} from "./_protocol.ts";
import { depositOf, isPrimitive } from "./_sending.ts";
import { mayStop, type RunOptions } from "./_terms.ts";
import { work } from "./_worker.ts";
import { BrokenThreadPool, MemoryError, RuntimeError } from "./errors.ts";
import { bind, conclude, Future, type Origin, whenDone } from "./future.ts";

type AnyFunction = (...args: never[]) => unknown;

/** What a pool is made with. */
export interface PoolOptions {
  readonly maxWorkers: number;
  readonly prefix: string;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: unknown[];
  readonly memoryLimit: number | undefined;
  /** The function at which stacks of refusals begin. */
  readonly door: AnyFunction;
}

interface Item {
  readonly slot: number;
  readonly future: Future<unknown>;
  readonly submitted: number;
  readonly terms: RunOptions | undefined;
  /** When it is to be stopped, once that is known. */
  deadline: number;
  /** Forgets its timer and its signal. */
  release: (() => void) | undefined;
  /** Present where another thread has submitted it: what becomes of its answers. */
  readonly forward: ((answer: Answer) => void) | undefined;
  /** The tasks of this pool that it waits for. */
  readonly waits: Set<number>;
  /** The number of the deposit with what is moved to it. */
  readonly deposited: number | undefined;
}

/** A call on its way into the queue. */
interface Call {
  readonly key: number;
  readonly entries: Task[3];
  readonly chunk: number;
  readonly packed: Task[5];
  readonly args: unknown;
  readonly terms: RunOptions | undefined;
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

/** The numbers of killable workers begin here, so that those of plain ones that still run are others. */
const KILLABLE = 2 ** 16;
const FIRST_SLOTS = 1024;
const MOST_SLOTS = 2 ** 24;

/** See the head of this file. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #inbox = inboxOfThread();
  #tasks = new Queue<Task>();
  readonly #stateBuffer = new SharedArrayBuffer(FIRST_SLOTS * 4, { maxByteLength: MOST_SLOTS * 4 });
  readonly #states = new Int32Array(this.#stateBuffer);
  readonly #freeSlots: number[] = [];
  #slots = 0;
  readonly #items = new Map<number, Item>();
  /** By number; empty where one was killed and not replaced. */
  readonly #workers: (Thread | undefined)[] = [];
  /** Plain workers that end with what is in their queue, and those that are being killed. */
  readonly #leaving = new Set<Thread>();
  #killable: boolean;
  #started = 0;
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
    this.#killable = options.memoryLimit !== undefined;
    if (options.initializer !== undefined) {
      // To refuse now what could not be sent to the first worker.
      pack(options.initargs, "use as initargs", options.door, { root: "initargs" });
    }
    this.#id = this.#inbox.open((answer) => {
      if (answer[2] === BROKEN) this.#breakDown(decodeErrorSync(answer[3]) as Error);
      else if (answer[2] === VISIT) this.#visit(answer[3]);
      else if (answer[2] === WAITS) this.#waits(answer[3]);
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  get workers(): number {
    return this.#started;
  }

  /** Tasks that have not ended, and those of them that run. */
  count(): { pending: number; running: number } {
    let running = 0;
    for (const { slot } of this.#items.values()) if (isRunning(this.#states[slot])) running++;
    return { pending: this.#items.size, running };
  }

  /**
   * Puts a call, or a chunk of calls, into the queue.
   *
   * @throws {RuntimeError} after `shutdown`.
   * @throws {BrokenThreadPool} when a worker has failed.
   * @throws {PicklingError} when the function or an argument cannot travel.
   */
  submit(
    fn: AnyFunction,
    args: unknown[],
    chunk: number,
    door: AnyFunction,
    terms?: RunOptions,
  ): Future<unknown> {
    this.#mustBeOpen();
    const key = depositOf(fn, door);
    const context = copyContext();
    const entries: Call["entries"] = context.size === 0
      ? 0
      : entriesOf(context, door as () => void);
    const future = new Future<unknown>();
    const root = chunk === 0 ? "args" : "items";
    const signal = terms?.signal;
    const transfer = terms?.transfer;
    const moves = transfer !== undefined && transfer.length > 0;
    const parcel = moves
      ? pack(args, "submit", door, { root, transfer })
      : args.every(isPrimitive)
      ? undefined
      : parcelOf(args, "submit", root, door);
    if (signal?.aborted) {
      conclude(future, { error: signal.reason });
      return future;
    }
    if (mayStop(terms)) this.#becomeKillable();
    const call = { key, entries, chunk, terms } as const;
    if (parcel === undefined) this.#send({ ...call, packed: PLAIN, args }, future);
    else if (!moves) this.#send({ ...call, packed: PARCELED, args: parcel }, future);
    else this.#send({ ...call, packed: DEPOSITED, args: deposit(parcel, transfer) }, future);
    return future;
  }

  #send(call: Call, future: Future<unknown>, forward?: (answer: Answer) => void): number {
    const { key, entries, chunk, packed, args, terms } = call;
    // First the worker, which may fail to start, then the task: what is in the queue has a worker.
    this.#staff();
    const slot = this.#takeSlot();
    const id = this.#inbox.open((answer) => this.#answered(id, answer));
    const watch = terms?.timeout === undefined ? 0 : 1;
    try {
      this.#tasks.putNowait([id, slot, key, entries, chunk, packed, args, watch]);
    } catch (error) {
      this.#inbox.close(id);
      this.#freeSlots.push(slot);
      throw error;
    }
    const item: Item = {
      slot,
      future,
      submitted: performance.now(),
      terms,
      deadline: Infinity,
      release: undefined,
      forward,
      waits: new Set(),
      deposited: packed === DEPOSITED ? args as number : undefined,
    };
    this.#items.set(id, item);
    if (terms?.signal !== undefined) this.#heed(id, item, terms.signal);
    bind(future, this.#origin(id, slot));
    this.#inbox.expect();
    return id;
  }

  /** How other threads reach this pool. */
  get door(): Door {
    return {
      home: this.#home,
      pool: this.#id,
      answers: this.#inbox.answers,
      bell: this.#inbox.bell,
    };
  }

  readonly #home = getIdent();
  readonly #guests = new Map<number, Guest>();
  /** Calls of guests by thread and number. */
  readonly #visits = new Map<string, number>();

  /** Another thread submits a call. */
  #visit(visit: Visit): void {
    if (visit.guest !== undefined) this.#guests.set(visit.thread, visit.guest);
    const { answers, bell } = this.#guests.get(visit.thread)!;
    const forward = (answer: Answer) => {
      this.#visits.delete(`${visit.thread} ${visit.id}`);
      answers.putNowait([visit.id, ...answer.slice(1)] as Answer);
      bell.set();
    };
    try {
      if (this.#broken !== undefined) throw this.#brokenError();
      if (this.#closed) throw new RuntimeError("Cannot submit: the executor was shut down");
      const { timeout } = visit;
      const terms = timeout === undefined ? undefined : { timeout };
      if (mayStop(terms)) this.#becomeKillable();
      const id = this.#send({ ...visit, terms }, new Future(), forward);
      this.#visits.set(`${visit.thread} ${visit.id}`, id);
    } catch (error) {
      forward([visit.id, 0, ERROR, encodeError(error)]);
    }
  }

  /** A task waits for another of this pool. */
  #waits({ thread, id, within }: Waits): void {
    const awaited = this.#visits.get(`${thread} ${id}`);
    if (awaited === undefined || !this.#items.has(awaited)) return;
    this.#items.get(within)?.waits.add(awaited);
    this.#breakDeadlock();
  }

  /**
   * Ends the wait of a task for another that will never start: all workers there may be run tasks that wait for tasks of this pool.
   * The one that would wait for ever goes on with an error.
   */
  #breakDeadlock(): void {
    const running = [...this.#items.values()]
      .filter(({ slot }) => isRunning(Atomics.load(this.#states, slot)));
    if (running.length < this.#options.maxWorkers) return;
    const waiting = running.map(({ waits }) => [...waits].filter((id) => this.#items.has(id)));
    if (waiting.some((ids) => ids.length === 0)) return;
    for (const id of waiting.flat()) {
      const { slot, forward } = this.#items.get(id)!;
      if (!this.#takeBack(id, slot)) continue;
      forward?.([
        id,
        0,
        ERROR,
        encodeError(
          new RuntimeError(
            `Deadlock: a call waits for another of its own executor, which cannot start: all ${this.#options.maxWorkers} threads run calls that wait so; give the executor more maxWorkers, or do not wait in the call`,
          ),
        ),
      ]);
      return;
    }
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
      running: () => isRunning(Atomics.load(this.#states, slot)) && this.#items.has(id),
      cancel: () => this.#takeBack(id, slot),
      pump: (limit) => this.#inbox.wait(limit),
    };
  }

  /** Takes a task back that no worker has. */
  #takeBack(id: number, slot: number): boolean {
    if (Atomics.compareExchange(this.#states, slot, QUEUED, CANCELLED) !== QUEUED) return false;
    const item = this.#forget(id);
    if (item?.deposited !== undefined) discard(item.deposited);
    this.#cancelled.push(slot);
    return true;
  }

  /** Workers that are started from now on can be killed, and no others are left when their tasks are done. */
  #becomeKillable(): void {
    if (this.#killable) return;
    this.#killable = true;
    const tasks = this.#tasks;
    this.#tasks = new Queue();
    tasks.shutdown();
    for (const thread of this.#workers.splice(0)) {
      if (thread !== undefined) {
        this.#whenGone(thread, () => this.#replace());
      }
    }
  }

  /** Stops the task when the signal is aborted. */
  #heed(id: number, item: Item, signal: AbortSignal): void {
    const onAbort = () => this.#stop(id, signal.reason);
    signal.addEventListener("abort", onAbort);
    item.release = () => signal.removeEventListener("abort", onAbort);
  }

  /** The task has started: its time runs. */
  #onStart(id: number, at: number): void {
    const item = this.#items.get(id)!;
    item.deadline = now() + item.terms!.timeout! - (commonNow() - at);
    const expire = () => this.#stop(id, outOfTime(item.terms!.timeout!));
    const tend = () => {
      if (remaining(item.deadline) > 0) return false;
      expire();
      return !this.#items.has(id);
    };
    this.#inbox.tending.add(tend);
    const { release } = item;
    const timer: { stop?: () => void } = {};
    item.release = () => {
      release?.();
      timer.stop?.();
      this.#inbox.tending.delete(tend);
    };
    timer.stop = timerUntil(item.deadline, expire);
    if (!this.#items.has(id)) timer.stop();
  }

  /** Ends a task for good, unless its result is there. */
  #stop(id: number, error: unknown): void {
    const item = this.#items.get(id);
    if (item === undefined) return;
    if (this.#takeBack(id, item.slot)) {
      this.failed++;
      conclude(item.future, { error });
      return;
    }
    const state = Atomics.load(this.#states, item.slot);
    if (!isRunning(state)) return;
    if (Atomics.compareExchange(this.#states, item.slot, state, STOPPED) !== state) return;
    const index = workerOf(state) - KILLABLE;
    const thread = this.#workers[index]!;
    this.#workers[index] = undefined;
    ended(thread.ident!);
    kill(thread.ident!);
    this.#whenGone(thread, () => {
      this.#end(id, { error });
      this.#replace();
    });
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

  /** A worker has died on its own. */
  died({ ident, memory, message }: Death): void {
    // What it had answered counts.
    this.#inbox.drain();
    const index = this.#workers.findIndex((thread) => thread?.ident === ident);
    if (index === -1) return;
    this.#workers[index] = undefined;
    const state = runningIn(KILLABLE + index);
    const found = [...this.#items].find(([, { slot }]) =>
      Atomics.load(this.#states, slot) === state
    );
    if (found === undefined || !memory) return this.#breakDown(new Error(message));
    this.#end(found[0], {
      error: new MemoryError(
        `The call needed more memory than the ${this.#options.memoryLimit} MiB that the executor's memoryLimit allows`,
      ),
    });
    this.#replace();
  }

  /** A worker is gone: another takes its place if there are tasks that none has. */
  #replace(): void {
    if (this.#broken !== undefined) return;
    let queued = 0;
    for (const { slot } of this.#items.values()) {
      if (Atomics.load(this.#states, slot) === QUEUED) queued++;
    }
    if (queued > 0) this.#start();
  }

  /** The task has ended, one way or another. */
  #forget(id: number): Item | undefined {
    const item = this.#items.get(id);
    if (item === undefined) return undefined;
    this.#items.delete(id);
    item.release?.();
    this.#inbox.close(id);
    this.#inbox.settled();
    return item;
  }

  #answered(id: number, answer: Answer): void {
    const item = this.#items.get(id)!;
    const [, ran, kind, content] = answer;
    if (kind === STARTED) return this.#onStart(id, ran);
    this.runTime.add(ran);
    this.waitTime.add(performance.now() - item.submitted - ran);
    if (item.forward !== undefined) {
      item.forward(answer);
      return this.#end(id, kind === ERROR ? { error: undefined } : { value: undefined }, true);
    }
    if (kind === VALUE) return this.#end(id, { value: content });
    const arrived = (kind === ERROR ? { error: content } : { parcel: content }) as Arrived;
    const ended = receivedSoon(arrived);
    if (ended !== undefined) return this.#end(id, ended);
    const { decoding } = this.#inbox;
    decoding.set(id, () => this.#end(id, receivedNow(arrived)));
    void received(arrived).then((ended) => this.#end(id, ended));
  }

  /** The first to call this for a task decides. */
  #end(id: number, ended: Ended, told = false): void {
    this.#inbox.decoding.delete(id);
    const item = this.#forget(id);
    if (item === undefined) return;
    this.#freeSlots.push(item.slot);
    if ("error" in ended) this.failed++;
    else this.done++;
    if (!told && "error" in ended) item.forward?.([id, 0, ERROR, encodeError(ended.error)]);
    conclude(item.future, ended);
  }

  /** Starts a worker if all are busy, as far as this thread knows, and there may be more. */
  #staff(): void {
    if (this.#items.size >= this.#count()) this.#start();
  }

  /** Workers that are there, those that leave included. */
  #count(): number {
    let count = this.#leaving.size;
    for (const thread of this.#workers) if (thread !== undefined) count++;
    return count;
  }

  /** Starts a worker, if there may be one more. */
  #start(): void {
    const { maxWorkers, prefix, initializer, initargs, memoryLimit } = this.#options;
    if (this.#count() >= maxWorkers) return;
    const free = this.#workers.indexOf(undefined);
    const index = free === -1 ? this.#workers.length : free;
    const thread = new Thread({
      target: work,
      args: [{
        pool: this.#id,
        home: this.#home,
        tasks: this.#tasks,
        answers: this.#inbox.answers,
        bell: this.#inbox.bell,
        states: this.#stateBuffer,
        initializer: initializer as ((...args: unknown[]) => unknown) | undefined,
        initargs,
        number: this.#killable ? KILLABLE + index : index,
        capped: memoryLimit !== undefined,
      }],
      name: `${prefix}_${index}`,
      daemon: true,
    });
    if (this.#killable) {
      const owner = here().agent;
      killably({ memoryLimit, owner, handler: DEATHS }, () => thread.start());
      watchForDeath(thread.ident!, this);
    } else thread.start();
    this.#started++;
    this.#workers[index] = thread;
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

  #anyWorker(): Thread | undefined {
    return this.#workers.find((thread) => thread !== undefined) ?? [...this.#leaving][0];
  }

  /** Waits until all workers have ended, and all futures are done. */
  async join(): Promise<void> {
    for (let thread = this.#anyWorker(); thread !== undefined; thread = this.#anyWorker()) {
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
    // What they have answered is there, but perhaps nobody has looked yet.
    this.#inbox.drain();
    for (const { future } of [...this.#items.values()]) {
      await new Promise<void>((resolve) => whenDone(future, resolve));
    }
    this.#inbox.close(this.#id);
  }
}

function outOfTime(timeout: number): TimeoutError {
  return new TimeoutError(`The call was stopped: it ran longer than ${timeout} ms`);
}
