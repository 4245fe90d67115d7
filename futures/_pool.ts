/**
 * The parent side of a thread pool: its ring, and what it knows of each task. Its threads are in _crew.ts, calls of other threads in
 * _visitors.ts.
 *
 * Data flow: `submit` writes a task into a block of the pool's ring; a worker that is free takes it, claims its state, runs it and
 * writes the answer into the same block. All pools of a thread share one inbox, so that a blocking wait can wait for any of them; it
 * lets a pool handle its answers, which concludes the futures.
 *
 * A task that can be stopped needs a killable worker. A pool starts with plain ones, which cost less; the first such task makes all
 * that are started from then on killable, with a ring of their own, and the plain ones end with what is in theirs. To stop a task is
 * to kill its worker:
 * 1. whoever changes the task's state first decides, the worker to `FINISHED` or the pool to `STOPPED`;
 * 2. a worker that finds `STOPPED` stands still, so the kill hits no other task;
 * 3. the worker's place is free, and taken by a new one when there are tasks.
 *
 * @module
 */
import { copyContext } from "../contextvars/mod.ts";
import { isContextEmpty } from "../contextvars/context.ts";
import { entriesOf } from "../threading/_context.ts";
import {
  type Death,
  decodeErrorSync,
  discard,
  type EncodedError,
  encodeError,
  type Ended,
  importInProgress,
  type Limit,
  now,
  pack,
  remaining,
  TimeoutError,
  timerUntil,
} from "../threading/_core/mod.ts";
import { isWell } from "../multiprocessing/_crew_protocol.ts";
import { getIdent, ThreadError } from "../threading/mod.ts";
import { Crew } from "./_crew.ts";
import { type Arrived, received, receivedNow, receivedSoon } from "./_decode.ts";
import { inboxOfThread, type Source } from "./_inbox.ts";
import { type Extras, extrasOf, type Forward, Item } from "./_item.ts";
import {
  depositIn,
  FAILED,
  isValue,
  type Label,
  letterOf,
  open,
  place,
  resultIn,
  sealArgs,
  sealedLength,
  sizeOf,
  valueAt,
} from "./_payload.ts";
import {
  BROKEN,
  CANCELLED,
  commonNow,
  type Door,
  ERROR,
  FREE,
  isRunning,
  type Mail,
  QUEUED,
  RESULT,
  runningIn,
  SPENT,
  STARTED,
  type Started,
  STOP,
  STOPPED,
  VISIT,
  type Visit,
  WAITS,
  workerOf,
} from "./_protocol.ts";
import {
  AT_END,
  AT_ONCE,
  B_CHUNK,
  B_COUNT,
  B_FORM,
  B_HEAD,
  B_INDEX,
  B_KEY,
  B_LENGTH,
  B_RAN,
  B_ROOM,
  B_SERIAL,
  B_STATE,
  B_WATCH,
  CALLED,
  Ring,
  WATCHED,
} from "./_ring.ts";
import { depositOf } from "./_sending.ts";
import { type ExecutorStats, Tally } from "./_stats.ts";
import { mayStop, type RunOptions } from "./_terms.ts";
import { Visitors } from "./_visitors.ts";
import type { Post } from "./_worker.ts";
import { BrokenThreadPool, CancelledError, MemoryError, RuntimeError } from "./errors.ts";
import { bind, conclude, Future, succeed, whenDone } from "./future.ts";

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

/** Bytes that are kept free for the results of a function that has given as many, at most. */
const MOST_ROOM = 4 * 1024 * 1024;

/** Milliseconds that the import of a call's modules may take, beyond the time of the call itself. */
const LONGEST_IMPORT = 10_000;
/** Milliseconds between two looks at an import, at least. */
const OFTEN = 5;

const label: Label = { form: 0, count: 0, length: 0, head: 0 };

/** See the head of this file. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #inbox = inboxOfThread();
  readonly #crew: Crew;
  readonly #visitors: Visitors;
  /** Absent until there is something to do. */
  #ring: Ring | undefined;
  readonly #sources: Source[] = [];
  /** By index; what has ended leaves a gap. */
  readonly #table: (Item | undefined)[] = [];
  readonly #gaps: number[] = [];
  #pending = 0;
  #serial = 0;
  readonly #id: number;
  /** Blocks of cancelled tasks, which become free when a worker comes to them. */
  #cancelled: Item[] = [];
  /** Bytes that the largest result of a function took, where that was more than its arguments left room for. */
  readonly #rooms = new Map<number, number>();
  readonly #tally = new Tally();
  #broken: Error | undefined;
  #replacing: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** Whether other threads know it. */
  #isKnown = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#crew = new Crew(options, this.#inbox);
    this.#visitors = new Visitors({
      maxWorkers: options.maxWorkers,
      items: () => this.#items(),
      accept: (visit, forward) => this.#accept(visit, forward),
      takeBack: (item) => this.takeBack(item),
      stop: (item, error) => this.#stop(item, error),
    });
    if (options.initializer !== undefined) {
      // To refuse now what could not be sent to the first worker.
      pack(options.initargs, "use as initargs", options.door, { root: "initargs" });
    }
    this.#id = this.#inbox.open((mail) => this.#read(mail));
  }

  /** The ring, made at first use. */
  #open(): Ring {
    if (this.#ring !== undefined) return this.#ring;
    const ring = this.#ring = new Ring();
    const source = {
      get answered() {
        return ring.answered;
      },
      drain: () => this.#drain(ring),
    };
    this.#sources.push(source);
    this.#inbox.watch(source);
    return ring;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How the pool does. */
  stats(): ExecutorStats {
    let running = 0;
    for (const item of this.#items()) if (item.running()) running++;
    return this.#tally.told(this.#crew.started, { running, pending: this.#pending });
  }

  /** How other threads reach this pool. They may call it as soon as they know. */
  get door(): Door {
    this.#isKnown = true;
    this.#inbox.host();
    return { home: this.#home, pool: this.#id, address: this.#inbox.address };
  }

  readonly #home = getIdent();

  *#items(): Generator<Item> {
    for (const item of this.#table) if (item !== undefined) yield item;
  }

  /**
   * Puts a call, or a chunk of calls, into the ring.
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
    const future = new Future<unknown>();
    const context = isContextEmpty() ? undefined : entriesOf(copyContext(), door as () => void);
    sealArgs(args, chunk === 0 ? "args" : "items", door, terms?.transfer, context);
    const signal = terms?.signal;
    if (signal?.aborted) {
      conclude(future, { error: signal.reason });
      return future;
    }
    if (mayStop(terms)) this.#becomeKillable();
    this.#recycle();
    const ring = this.#open();
    const block = this.#make(ring, key, sealedLength());
    try {
      place(ring, ring.payload(block), ring.words[block + B_ROOM], label);
      const item = this.#send(ring, block, key, chunk, future, extrasOf(terms));
      if (signal !== undefined) this.#heed(item, signal);
    } catch (error) {
      ring.free(block);
      throw error;
    }
    return future;
  }

  /** A block for arguments of that length, and for results as they were of late. */
  #make(ring: Ring, key: number, length: number): number {
    const room = this.#rooms.size === 0 ? 0 : this.#rooms.get(key) ?? 0;
    const wanted = Math.max(room, length);
    if (ring.takes(wanted)) return ring.make(wanted);
    return ring.make(ring.takes(length) ? length : 4);
  }

  /** Hands a block, in which the arguments lie under `label`, to the workers. */
  #send(
    ring: Ring,
    block: number,
    key: number,
    chunk: number,
    future: Future<unknown>,
    extras: Extras | undefined,
  ): Item {
    const { words } = ring;
    words[block + B_FORM] = label.form;
    words[block + B_COUNT] = label.count;
    words[block + B_LENGTH] = label.length;
    words[block + B_HEAD] = label.head;
    words[block + B_KEY] = key;
    words[block + B_CHUNK] = chunk;
    words[block + B_WATCH] = extras?.terms?.timeout === undefined ? 0 : WATCHED;
    // First the worker, which may fail to start, then the task: what is in the ring has a worker.
    if (this.#pending >= this.#crew.count) this.#start();
    const index = this.#gaps.pop() ?? this.#table.length;
    words[block + B_INDEX] = index;
    words[block + B_SERIAL] = this.#serial = this.#serial + 1 | 0;
    const item = new Item(this, ring, block, future, extras);
    Atomics.store(words, block + B_STATE, QUEUED);
    ring.publish(block);
    this.#table[index] = item;
    this.#pending++;
    bind(future, item);
    this.#inbox.expect();
    return item;
  }

  #mustBeOpen(): void {
    const url = importInProgress();
    if (url !== undefined) {
      throw new ThreadError(
        `Cannot submit while a thread imports ${url}: workers import the module of their tasks, so what a script does has to be guarded: if (import.meta.main) { … }`,
      );
    }
    this.#mustTake();
  }

  #mustTake(): void {
    if (this.#broken !== undefined) throw this.#brokenError();
    if (this.#closed) throw new RuntimeError("Cannot submit: the executor was shut down");
  }

  /** Mail for the pool. */
  #read([, kind, content]: Mail): void {
    switch (kind) {
      case BROKEN:
        // What was answered before counts.
        for (const source of this.#sources) source.drain();
        return this.#breakDown(decodeErrorSync(content) as Error);
      case STARTED:
        return this.#onStart(content);
      case VISIT:
        return this.#visitors.visit(content);
      case STOP:
        return this.#visitors.stop(content);
      case WAITS:
        return this.#visitors.waits(content);
      case SPENT:
        return this.#onSpent(content);
    }
  }

  /** Another thread submits a call. */
  #accept({ key, chunk, args, timeout, stoppable }: Visit, forward: Forward): Item {
    this.#mustTake();
    const terms = timeout === undefined ? undefined : { timeout };
    if (stoppable || mayStop(terms)) this.#becomeKillable();
    this.#recycle();
    const { bytes } = args;
    const ring = this.#open();
    const block = ring.make(bytes.length);
    ring.bytes.set(bytes, ring.payload(block));
    Object.assign(label, {
      form: args.form,
      count: args.count,
      length: args.length,
      head: args.head,
    });
    try {
      return this.#send(ring, block, key, chunk, new Future(), extrasOf(terms, forward));
    } catch (error) {
      ring.free(block);
      throw error;
    }
  }

  /** Frees the blocks of cancelled tasks that workers have come to. They come to them in order. */
  #recycle(): void {
    if (this.#cancelled.length === 0) return;
    let gone = 0;
    for (const item of this.#cancelled) {
      if (item.state !== FREE) break;
      item.ring.free(item.block);
      gone++;
    }
    if (gone > 0) this.#cancelled = this.#cancelled.slice(gone);
  }

  /** Takes a task back that no worker has. */
  takeBack(item: Item): boolean {
    if (item.over) return false;
    const { ring, block } = item;
    // What lies in the block is the worker's once the state has changed.
    const deposited = depositIn(ring, ring.payload(block), ring.words[block + B_FORM]);
    if (!item.change(QUEUED, CANCELLED)) return false;
    this.#forget(item);
    if (deposited !== undefined) discard(deposited);
    this.#cancelled.push(item);
    return true;
  }

  /** Blocks until something has come. */
  pump(limit: Limit): boolean {
    return this.#inbox.wait(limit);
  }

  /** Workers that are started from now on can be killed, and no others are left when their tasks are done. */
  #becomeKillable(): void {
    if (this.#crew.killable) return;
    this.#crew.killable = true;
    this.#ring?.shutDown(AT_END);
    this.#ring = undefined;
    this.#crew.dismiss(() => this.#replace());
  }

  /** Stops the task when the signal is aborted. */
  #heed(item: Item, signal: AbortSignal): void {
    const onAbort = () => this.#stop(item, signal.reason);
    signal.addEventListener("abort", onAbort);
    item.extras!.forgetSignal = () => signal.removeEventListener("abort", onAbort);
  }

  /**
   * A worker has the task, and imports what it needs, or calls its function: from then on its time runs. The imports do not count, but
   * must not go on for ever either: a module that never comes to its end would hold the worker, and nobody would know. Whether they
   * go on is looked at when the time would be over, and each time it would be over if the call had begun just after the last look.
   */
  #onStart({ index, serial, at }: Started): void {
    const item = this.#table[index];
    if (item === undefined || item.serial !== serial) return;
    const extras = item.extras!;
    const timeout = extras.terms!.timeout!;
    // The worker's clock may be ahead of ours, by hours: it has taken the task before we heard of it.
    const taken = Math.min(now(), now() - (commonNow() - at));
    const longest = taken + timeout + LONGEST_IMPORT;
    let deadline = taken + timeout;
    const timer: { stop?: () => void } = {};
    const look = () => {
      if (!item.running()) return;
      const watch = Atomics.load(item.ring.words, item.block + B_WATCH);
      if (watch !== WATCHED) {
        deadline = taken + timeout + watch - CALLED;
        if (remaining(deadline) <= 0) return this.#stop(item, outOfTime(timeout));
      } else {
        if (remaining(longest) <= 0) return this.#stop(item, importOutOfTime());
        deadline = Math.min(longest, now() + Math.max(timeout, OFTEN));
      }
      arm();
    };
    const arm = () => {
      timer.stop?.();
      timer.stop = undefined;
      const stop = timerUntil(deadline, look);
      // It may have looked at once, and made another.
      timer.stop ??= stop;
    };
    const tend = () => {
      if (remaining(deadline) <= 0) look();
      return item.over;
    };
    this.#inbox.tending.add(tend);
    extras.forgetTime = () => {
      timer.stop?.();
      this.#inbox.tending.delete(tend);
    };
    arm();
    if (item.over) timer.stop?.();
  }

  /** Ends a task for good, unless its result is there. */
  #stop(item: Item, error: unknown): void {
    if (item.over) return;
    if (this.takeBack(item)) {
      this.#tally.ended(false);
      item.extras?.forward?.(ERROR, encodeError(error));
      conclude(item.future, { error });
      return;
    }
    const { state } = item;
    if (!isRunning(state) || !item.change(state, STOPPED)) return;
    item.ring.lost();
    this.#crew.kill(workerOf(state), () => {
      this.#end(item, { error });
      this.#replaceSoon();
    });
  }

  /** A worker had something ended for lack of memory, and lives: most likely the call that it runs, which would never end. */
  #onSpent(ident: number): void {
    // What it had answered counts.
    for (const source of this.#sources) source.drain();
    const number = this.#crew.numberOf(ident);
    if (number === undefined) return;
    const item = this.#runningAt(number);
    if (item !== undefined) return this.#stop(item, this.#tooMuch());
    // It may stand still.
    this.#crew.kill(number, () => {});
    this.#breakDown(
      new MemoryError(
        `The initializer, or what a call left behind in its thread, needed more memory than the ${this.#options.memoryLimit} MiB that the executor's memoryLimit allows`,
      ),
    );
  }

  #runningAt(number: number): Item | undefined {
    const state = runningIn(number);
    for (const item of this.#items()) if (item.state === state) return item;
  }

  #tooMuch(): MemoryError {
    return new MemoryError(
      `The call needed more memory than the ${this.#options.memoryLimit} MiB that the executor's memoryLimit allows`,
    );
  }

  /** A worker has died on its own. */
  died({ ident, memory, message }: Death): void {
    // What it had answered counts.
    this.#inbox.drain();
    const number = this.#crew.bury(ident);
    if (number === undefined) return;
    const item = this.#runningAt(number);
    if (item === undefined || !memory) return this.#breakDown(new Error(message));
    item.ring.lost();
    this.#end(item, { error: this.#tooMuch() });
    this.#replace();
  }

  /** A worker is not there any more. What it runs will not end. */
  vanished(ident: number): void {
    this.#inbox.drain();
    const number = this.#crew.numberOf(ident);
    if (number === undefined || this.#runningAt(number) === undefined) return;
    this.died({ ident, memory: true, message: "JavaScript heap out of memory" });
  }

  /** A worker is gone: another takes its place if there are tasks that none has. */
  #replace(): void {
    if (this.#broken !== undefined) return;
    for (const { state } of this.#items()) if (state === QUEUED) return this.#start();
  }

  /**
   * The same after a task was stopped, but the worker is also started when there is no task: the next one, which will hardly be long in
   * coming, does not wait for it then. To make a worker holds this thread up for some ten milliseconds, so who waits for the task that
   * was stopped goes on first.
   */
  #replaceSoon(): void {
    const { started } = this.#crew;
    this.#replace();
    if (this.#crew.started > started || this.#closed || this.#replacing !== undefined) return;
    this.#replacing = setTimeout(() => {
      this.#replacing = undefined;
      if (this.#broken === undefined && this.#crew.started === started) this.#start();
    });
  }

  /** Handles the answers that are there. */
  #drain(ring: Ring): void {
    ring.takeAnswers();
    for (let block = ring.nextAnswer(); block !== 0; block = ring.nextAnswer()) {
      this.#answered(ring, block);
    }
  }

  #answered(ring: Ring, block: number): void {
    const { words } = ring;
    const item = this.#table[words[block + B_INDEX]];
    if (item === undefined || item.block !== block || item.ring !== ring) return ring.free(block);
    const ran = ring.doubles[(block + B_RAN) >> 1];
    this.#inbox.learn(ran);
    ring.learn(ran);
    this.#tally.took(item.submitted, ran);
    label.form = words[block + B_FORM];
    label.count = words[block + B_COUNT];
    label.length = words[block + B_LENGTH];
    label.head = words[block + B_HEAD];
    if (sizeOf(label) < label.length) this.#widen(item.key, label.length);
    const start = ring.payload(block);
    const forward = item.extras?.forward;
    // Most results: no lists, no parcels.
    if (forward === undefined && isValue(label)) {
      const value = valueAt(ring, start, label);
      if (!this.#over(item, true)) succeed(item.future, value);
      return;
    }
    const failed = (label.form & FAILED) !== 0;
    if (forward !== undefined) {
      forward(RESULT, letterOf(ring, start, label));
      return this.#end(item, failed ? { error: undefined } : { value: undefined }, true);
    }
    const { list, bundle } = open(ring, start, label);
    if (list !== undefined) return this.#end(item, { value: resultIn(list, label) });
    const arrived: Arrived = failed ? { error: bundle as EncodedError } : { parcel: bundle };
    const ended = receivedSoon(arrived);
    if (ended !== undefined) return this.#end(item, ended);
    this.#inbox.decoding.set(item, () => this.#end(item, receivedNow(arrived)));
    void received(arrived).then((ended) => this.#end(item, ended));
  }

  /** The results of a function were longer than there was room for. */
  #widen(key: number, length: number): void {
    if (length <= MOST_ROOM) this.#rooms.set(key, Math.max(length, this.#rooms.get(key) ?? 0));
  }

  /** The task has ended, one way or another. */
  #forget(item: Item): void {
    item.over = true;
    this.#table[item.index] = undefined;
    this.#gaps.push(item.index);
    this.#pending--;
    item.extras?.forgetTime?.();
    item.extras?.forgetSignal?.();
    this.#inbox.settled();
  }

  /** The first to call this for a task decides. */
  #end(item: Item, ended: Ended, told = false): void {
    const chunk = item.ring.words[item.block + B_CHUNK];
    if (this.#over(item, isWell(ended, chunk))) return;
    if (!told && "error" in ended) item.extras?.forward?.(ERROR, encodeError(ended.error));
    conclude(item.future, ended);
  }

  /** The task is over; `true` when it was before. */
  #over(item: Item, well: boolean): boolean {
    if (this.#inbox.decoding.size > 0) this.#inbox.decoding.delete(item);
    if (item.over) return true;
    this.#forget(item);
    item.ring.free(item.block);
    this.#tally.ended(well);
    return false;
  }

  #start(): void {
    this.#crew.start((number) => this.#post(number), this);
  }

  #post(number: number): Post {
    const { initializer, initargs, memoryLimit } = this.#options;
    return {
      pool: this.#id,
      home: this.#home,
      ring: this.#open().ends,
      address: this.#inbox.address,
      initializer: initializer as ((...args: unknown[]) => unknown) | undefined,
      initargs,
      number,
      capped: memoryLimit !== undefined,
      made: commonNow(),
    };
  }

  #breakDown(why: Error): void {
    this.#broken ??= why;
    this.#ring?.shutDown(AT_ONCE);
    for (const item of [...this.#items()]) this.#abandon(item);
  }

  /** Ends a task that a worker may still have, or may still answer. */
  #abandon(item: Item): void {
    const error = this.#brokenError();
    this.#inbox.decoding.delete(item);
    this.#forget(item);
    this.#tally.ended(false);
    item.extras?.forward?.(ERROR, encodeError(error));
    conclude(item.future, { error });
  }

  #brokenError(): BrokenThreadPool {
    return new BrokenThreadPool(
      `The thread pool is broken: ${this.#broken!.message}`,
      { cause: this.#broken },
    );
  }

  /** Takes no more tasks; the workers end when the ring is empty. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#replacing);
    this.#ring?.shutDown(AT_END);
  }

  /**
   * Takes back every task that no worker has, but for as many as there are workers that have none, the oldest: what a worker is being
   * started for, or woken for, counts as begun.
   */
  cancelAll(): void {
    const queued: Item[] = [];
    let kept = this.#crew.count;
    for (const item of this.#items()) {
      if (item.running()) kept--;
      else queued.push(item);
    }
    queued.sort((a, b) => a.serial - b.serial | 0);
    for (const { future, extras } of queued.slice(Math.max(0, kept))) {
      if (!future.cancel()) continue;
      extras?.forward?.(
        ERROR,
        encodeError(new CancelledError("The call was cancelled before it started")),
      );
    }
  }

  /** Waits until all workers have ended, and all futures are done. */
  async join(): Promise<void> {
    await this.#crew.join();
    // What they have answered is there, but perhaps nobody has looked yet.
    this.#inbox.drain();
    for (const { future } of [...this.#items()]) {
      await new Promise<void>((resolve) => whenDone(future, resolve));
    }
    this.#inbox.unwatch(this.#sources);
    this.#ring = undefined;
    // Who calls it all the same is told that it was shut down.
    if (!this.#isKnown) this.#inbox.close(this.#id);
  }
}

function outOfTime(timeout: number): TimeoutError {
  return new TimeoutError(`The call was stopped: it ran longer than ${timeout} ms`);
}

function importOutOfTime(): TimeoutError {
  return new TimeoutError(
    `The call was stopped before it ran: to import its modules took more than ${LONGEST_IMPORT} ms`,
  );
}
