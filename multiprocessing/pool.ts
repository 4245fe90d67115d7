/**
 * Pools of workers: processes that run calls of exported functions, or threads with the same methods.
 *
 * | | |
 * | --- | --- |
 * | {@linkcode Pool} | workers that are processes |
 * | {@linkcode ThreadPool} | the same methods on threads |
 * | {@linkcode AsyncResult}, {@linkcode MapResult} | results that are on their way |
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#module-multiprocessing.pool | multiprocessing.pool}.
 *
 * @example
 * ```ts no-eval
 * import { Pool } from "@batteries/concurrent/multiprocessing/pool";
 *
 * export function square(n: number): number {
 *   return n * n;
 * }
 *
 * if (import.meta.main) {
 *   await using pool = new Pool({ processes: 4 });
 *   console.log(await pool.map(square, [1, 2, 3])); // [1, 4, 9]
 *   for await (const n of pool.imapUnordered(square, [4, 5, 6])) console.log(n);
 * }
 * ```
 *
 * @module
 */
import {
  bagOf,
  classesAreHere,
  decodeErrorSync,
  type Ended,
  type Limit,
  refuse,
  typeName,
} from "../threading/_core/mod.ts";
import { Crew, type Job, type Policy } from "./_crew.ts";
import { heapFlags, outOfMemory, TimeLimit } from "./_crew_limit.ts";
import { ProcessTrade } from "./_crew_processes.ts";
import {
  type AnyFunction,
  CALL,
  type ChunkResult,
  type Ending,
  isWell,
  ofWhat,
  SPREAD,
} from "./_crew_protocol.ts";
import { errorSoon } from "./_crew_receive.ts";
import { ThreadTrade } from "./_crew_threads.ts";
import type { Permissions } from "./_permissions.ts";
import { WorkerLostError } from "./_pool_errors.ts";
import { type Progress, progressBar } from "./_progress.ts";
import { type ExecutorStats, Tally } from "./_stats.ts";
import { mayStop, mustMove, type RunOptions, takeAway, termsOf, wholeNumber } from "./_terms.ts";
import { type ChunkEnded, ResultIterator } from "./_pool_iterator.ts";
import {
  AsyncResult,
  callBack,
  type Callbacks,
  expectChunks,
  MapResult,
  type Pumped,
  settle,
  settleChunk,
  tie,
} from "./_pool_results.ts";
import type { StartMethod } from "./context.ts";
import { ProcessError } from "./errors.ts";
import { showAs } from "./_show.ts";

export { AsyncResult, type Callbacks, MapResult } from "./_pool_results.ts";
export { WorkerLostError } from "./_pool_errors.ts";
export { PicklingError, TimeoutError, type WaitOptions } from "../threading/_core/mod.ts";
export { MemoryError, ProcessError } from "./errors.ts";
export type { Progress } from "./_progress.ts";
export type { ExecutorStats as PoolStats, TimeStats } from "./_stats.ts";
export type { RunOptions } from "./_terms.ts";
export type { Permissions } from "./_permissions.ts";
export type { StartMethod } from "./context.ts";

/** Options of {@linkcode ThreadPool}. */
export interface ThreadPoolOptions {
  /** How many workers there are; as many as the machine has processors by default. */
  processes?: number;
  /** An exported function that each worker calls first. When it throws, the pool is broken. */
  // deno-lint-ignore no-explicit-any
  initializer?: (...args: any[]) => unknown;
  /** What the initializer is called with. */
  initargs?: unknown[];
}

/** Options of {@linkcode Pool}. */
export interface PoolOptions extends ThreadPoolOptions {
  /** How many calls, or chunks of calls, a worker runs before another takes its place; for ever by default. */
  maxtasksperchild?: number | null;
  /** What `getContext` gives: how the workers start. */
  context?: { getStartMethod(): StartMethod };
  /** What the workers may do: as this process (`"inherit"`, the default), nothing (`"none"`), or what is listed; never more. */
  permissions?: Permissions;
  /**
   * The most memory that the JavaScript heap of each worker may take, in MiB, 8 at least. A call that needs more fails with a
   * {@linkcode MemoryError}, and no other. The contents of `ArrayBuffer`s do not count.
   */
  memoryLimit?: number;
}

/** Options of `map` and `starmap`. */
export interface ChunkOptions {
  /** How many calls travel together; by default as many as give each worker four chunks. */
  chunksize?: number;
  /** Called as calls end; `true` draws a bar on standard error when that is a terminal. */
  progress?: boolean | ((progress: Progress) => void);
}

/** What {@linkcode Pool.with} gives: a pool's calls, on terms. */
export type PoolCalls = Pick<
  Pool,
  | "apply"
  | "applyAsync"
  | "map"
  | "mapAsync"
  | "starmap"
  | "starmapAsync"
  | "imap"
  | "imapUnordered"
>;

/** An iterable, or an async one. */
export type AnyIterable<T> = Iterable<T> | AsyncIterable<T>;

/** Items that are read ahead of the results that are taken, at least. */
const AHEAD = 1024;

let pools = 0;
/** Calls of `map`: nobody sees one chunk's results before all have come. */
let groups = 0;

/** The workers of a pool that nobody can use any more end when its calls are done. */
const forgotten = new FinalizationRegistry<Crew<unknown>>((crew) => crew.close());

/** Takes the place of the crew of processes, for a pool of another kind. */
let crewOfNext: Crew<unknown> | undefined;

/**
 * Workers that run calls: processes, started when the pool is made.
 *
 * - `apply`, `map`, `starmap` wait for their results; `applyAsync`, `mapAsync`, `starmapAsync` give an {@linkcode AsyncResult} at once;
 *   `imap` and `imapUnordered` give results one by one. `with` makes calls that can be stopped.
 * - Functions are exported functions of any module, arguments and results are copied. What cannot travel fails alone.
 * - A worker that dies (killed, out of memory, `Deno.exit`) fails the call that it ran with a {@linkcode WorkerLostError}, and is
 *   replaced; other calls are not touched. A failing initializer breaks the pool: all its calls fail.
 * - Calls that were begun keep the program alive until they have ended; an idle pool does not. Leaving an `await using` block
 *   terminates the pool: close it and join it before, to wait for calls nobody awaits.
 * - Workers are daemons: a call may not start processes itself. A `ProcessPoolExecutor` of `futures` lets it.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.pool.Pool | multiprocessing.pool.Pool}.
 *
 * @example
 * ```ts no-eval
 * import { Pool } from "@batteries/concurrent/multiprocessing/pool";
 *
 * export function power(base: number, exponent: number): number {
 *   return base ** exponent;
 * }
 *
 * if (import.meta.main) {
 *   const pool = new Pool({ processes: 2 });
 *   console.log(await pool.apply(power, [2, 10])); // 1024
 *   console.log(await pool.starmap(power, [[2, 3], [3, 2]])); // [8, 9]
 *   pool.close();
 *   await pool.join();
 * }
 * ```
 */
export class Pool implements AsyncDisposable {
  readonly #crew: Crew<unknown>;
  readonly #tally = new Tally();
  readonly #size: number;
  /** Whether `close` was called. The crew is closed when all items have been read that were there before. */
  #closed = false;
  /** Calls whose items have not all been read, and those who read them. */
  readonly #reading = new Map<object, Reader | undefined>();
  /** Errors of chunks whose classes are being imported: what decodes them without. */
  readonly #late = new Set<() => void>();
  readonly #pumped: Pumped;

  static {
    showAs(Pool, (pool) => ({ state: pool.#shownState(), processes: pool.#size }));
    refuse(
      Pool,
      "a pool belongs to the thread that made it; make one in the other thread, or let a manager hold it",
    );
  }

  /**
   * Makes a pool and starts its workers.
   *
   * @param options Its options, or the number of workers.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When `processes` or `maxtasksperchild` is not an integer of at least 1.
   * @throws {PicklingError} When the initializer or its arguments cannot travel.
   * @throws {ProcessError} In a daemon, and while a worker imports the module that makes the pool.
   * @throws {Deno.errors.NotCapable} When a permission is missing.
   */
  constructor(options: number | PoolOptions = {}) {
    const given = read(options);
    this.#size = given.processes ?? navigator.hardwareConcurrency;
    const crew = crewOfNext;
    crewOfNext = undefined;
    this.#crew = crew ?? processCrew(given, this.#size, new.target);
    this.#pumped = pumpedBy(this.#crew, this.#late);
    // A crew must not keep a pool that nobody has any more.
    const self = new WeakRef(this);
    this.#crew.onBroken = (error) => {
      const pool = self.deref();
      if (pool !== undefined) pool.#stopReading(error);
    };
    forgotten.register(this, this.#crew);
  }

  /**
   * The same pool for calls that can be stopped for good, or that take something over.
   *
   * A call that runs out of its time, or is aborted, is ended wherever it is: in a loop, blocked in a `Sync` call, awaiting. Its worker
   * is replaced; all other calls go on untouched. Calls that travel together, in a chunk of `map`, are one in this.
   *
   * @param options What holds for each call.
   * @returns The methods of the pool that call functions, with that.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When `timeout` is `NaN` or too large.
   *
   * @example
   * ```ts no-eval
   * import { Pool } from "@batteries/concurrent/multiprocessing/pool";
   *
   * export function forever(): never {
   *   for (;;);
   * }
   *
   * if (import.meta.main) {
   *   await using pool = new Pool({ processes: 2 });
   *   await pool.with({ timeout: 100 }).apply(forever).catch((error) => console.log(error.name)); // TimeoutError
   * }
   * ```
   */
  with(options: RunOptions): PoolCalls {
    const terms = termsOf(options, "Pool.with");
    const { prototype } = Pool;
    return {
      apply: async <A extends unknown[], R>(
        fn: (...args: A) => R,
        args?: A,
      ): Promise<Awaited<R>> => {
        return await this.#apply(fn, args, undefined, prototype.apply, terms).get();
      },
      applyAsync: (fn, args, callbacks) =>
        this.#apply(fn, args, callbacks, prototype.applyAsync, terms),
      map: async (fn, iterable, options) =>
        await this.#mapAll(fn, iterable, 1, options, prototype.map, terms).get() as never,
      mapAsync: (fn, iterable, options) =>
        this.#mapAll(fn, iterable, 1, options as MapOptions, prototype.mapAsync, terms) as never,
      starmap: async (fn, iterable, options) =>
        await this.#mapAll(fn, iterable, SPREAD, options, prototype.starmap, terms).get() as never,
      starmapAsync: (fn, iterable, options) =>
        this.#mapAll(
          fn,
          iterable,
          SPREAD,
          options as MapOptions,
          prototype.starmapAsync,
          terms,
        ) as never,
      imap: (fn, iterable, options) =>
        this.#iterate(fn, iterable, options, true, prototype.imap, terms),
      imapUnordered: (fn, iterable, options) =>
        this.#iterate(fn, iterable, options, false, prototype.imapUnordered, terms),
    };
  }

  /** How the pool does; a chunk of calls counts as one. */
  stats(): ExecutorStats {
    return this.#tally.told(this.#crew.workers, this.#crew.count());
  }

  /** Submits a task; gives what takes it back, if no worker has it. */
  #submit(
    fn: AnyFunction,
    form: number,
    values: unknown[],
    done: (ended: Ended) => void,
    door: AnyFunction,
    terms?: RunOptions,
    group?: number,
  ): () => void {
    mustMove(terms?.transfer, "to another process");
    const crew = this.#crew;
    const tally = this.#tally;
    const submitted = performance.now();
    const limit = mayStop(terms) ? new TimeLimit(terms!, (why) => crew.stop(job, why)) : undefined;
    const stoppable = limit !== undefined;
    const job: Job<unknown> = crew.submit(
      {
        fn,
        form,
        group: stoppable ? undefined : group,
        alone: stoppable,
        tells: stoppable,
        packed: () => takeAway(terms?.transfer),
        sent: () => limit?.sent(),
        began: () => limit?.began(),
        ended: (ended, ran) => {
          limit?.end();
          tally.ended(isWell(ended, form));
          tally.took(submitted, ran);
          done(ended);
        },
      },
      values,
      door,
    );
    limit?.start();
    return () => {
      if (crew.cancel(job)) limit?.end();
    };
  }

  /**
   * Calls a function in a worker and waits for its result.
   *
   * @param fn What to call: an exported function, or a static method of an exported class. It may be async.
   * @param args What to call it with.
   * @returns Its result.
   * @throws {RangeError} When the pool was closed or terminated.
   * @throws {PicklingError} When the function, an argument or the result cannot travel.
   * @throws {WorkerLostError} When the worker died.
   * @throws What the function throws.
   */
  async apply<A extends unknown[], R>(
    fn: (...args: A) => R,
    args: A = [] as unknown[] as A,
  ): Promise<Awaited<R>> {
    return await this.#apply(fn, args, undefined, Pool.prototype.apply).get();
  }

  /**
   * Has a function called in a worker, and gives the result that is on its way.
   *
   * @param fn What to call.
   * @param args What to call it with.
   * @param callbacks What to call when it has ended, in this thread.
   * @returns Its result, later.
   * @throws {RangeError} When the pool was closed or terminated.
   * @throws {PicklingError} When the function or an argument cannot travel.
   */
  applyAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    args: A = [] as unknown[] as A,
    callbacks?: Callbacks<Awaited<R>>,
  ): AsyncResult<Awaited<R>> {
    return this.#apply(fn, args, callbacks, Pool.prototype.applyAsync);
  }

  #apply<A extends unknown[], R>(
    fn: (...args: A) => R,
    args: A = [] as unknown[] as A,
    callbacks: Callbacks<Awaited<R>> | undefined,
    door: AnyFunction,
    terms?: RunOptions,
  ): AsyncResult<Awaited<R>> {
    this.#mustRun();
    if (!Array.isArray(args)) {
      throw new TypeError(`Cannot call a function: args must be an array, got ${typeName(args)}`);
    }
    const result = new AsyncResult<Awaited<R>>(checked(callbacks));
    tie(result as AsyncResult<unknown>, this.#pumped);
    const done = (ended: Ended) => settle(result as AsyncResult<unknown>, ended);
    this.#submit(fn, CALL, args, done, door, terms);
    return result;
  }

  /**
   * Calls a function for each item and waits for all results.
   *
   * @param fn What to call.
   * @param iterable The items.
   * @param options How many of them travel together.
   * @returns The results, in the order of the items.
   * @throws {RangeError} When the pool was closed or terminated.
   * @throws {PicklingError} When the function, an item or a result cannot travel.
   * @throws {WorkerLostError} When a worker died.
   * @throws What the function throws: of several errors that of the first item, when all calls have ended.
   */
  async map<A, R>(
    fn: (item: A) => R,
    iterable: AnyIterable<A>,
    options?: ChunkOptions,
  ): Promise<Awaited<R>[]> {
    const door = Pool.prototype.map;
    return await this.#mapAll(fn, iterable, 1, options, door).get() as Awaited<R>[];
  }

  /**
   * {@linkcode Pool.map} that gives the results, on their way, at once.
   *
   * @param fn What to call.
   * @param iterable The items. A synchronous iterable is read at the call.
   * @param options How many of them travel together, and what to call when all have ended.
   * @returns The results, later.
   * @throws {RangeError} When the pool was closed or terminated.
   * @throws {PicklingError} When the function or an item cannot travel: nothing is called then.
   */
  mapAsync<A, R>(
    fn: (item: A) => R,
    iterable: AnyIterable<A>,
    options?: ChunkOptions & Callbacks<Awaited<R>[]>,
  ): MapResult<Awaited<R>> {
    const door = Pool.prototype.mapAsync;
    return this.#mapAll(fn, iterable, 1, options as MapOptions, door) as MapResult<Awaited<R>>;
  }

  /**
   * {@linkcode Pool.map} for items that are lists of arguments.
   *
   * @param fn What to call.
   * @param iterable The lists of arguments.
   * @param options How many of them travel together.
   * @returns The results, in the order of the lists.
   * @throws As {@linkcode Pool.map}.
   */
  async starmap<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: AnyIterable<Readonly<A>>,
    options?: ChunkOptions,
  ): Promise<Awaited<R>[]> {
    const door = Pool.prototype.starmap;
    return await this.#mapAll(fn, iterable, SPREAD, options, door).get() as Awaited<R>[];
  }

  /**
   * {@linkcode Pool.starmap} that gives the results, on their way, at once.
   *
   * @param fn What to call.
   * @param iterable The lists of arguments.
   * @param options How many of them travel together, and what to call when all have ended.
   * @returns The results, later.
   * @throws As {@linkcode Pool.mapAsync}.
   */
  starmapAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: AnyIterable<Readonly<A>>,
    options?: ChunkOptions & Callbacks<Awaited<R>[]>,
  ): MapResult<Awaited<R>> {
    const door = Pool.prototype.starmapAsync;
    return this.#mapAll(fn, iterable, SPREAD, options as MapOptions, door) as MapResult<Awaited<R>>;
  }

  #mapAll(
    fn: AnyFunction,
    iterable: AnyIterable<unknown>,
    form: number,
    options: MapOptions | undefined,
    door: AnyFunction,
    terms?: RunOptions,
  ): MapResult<unknown> {
    this.#mustRun();
    const chunksize = chunksizeOf(options);
    const callbacks = checked(options);
    const report = reporterOf(options);
    mustIterate(iterable);
    // There may be no items, or only later: a function that cannot travel is refused all the same.
    this.#crew.mustTake(fn, door);
    const result = new MapResult<unknown>(callbacks);
    tie(result as AsyncResult<unknown>, this.#pumped);
    const mapItems = (items: unknown[]) =>
      this.#mapItems(result, fn, items, form, chunksize, door, terms, report);
    if (Symbol.iterator in Object(iterable)) {
      const items = Array.isArray(iterable) ? iterable : [...iterable as Iterable<unknown>];
      mapItems(items);
      return result;
    }
    // Sent as soon as they have come.
    this.#reading.set(result, { hurry() {}, stop: (error) => settle(result, { error }) });
    this.#crew.foresee(true);
    Array.fromAsync(iterable)
      .then(mapItems)
      .catch((error) => settle(result, { error }))
      .finally(() => this.#read(result));
    return result;
  }

  #mapItems(
    result: MapResult<unknown>,
    fn: AnyFunction,
    items: unknown[],
    form: number,
    chunksize: number | undefined,
    door: AnyFunction,
    terms: RunOptions | undefined,
    report: Reporter | undefined,
  ): void {
    report?.expect(items.length);
    const size = chunksize ?? Math.max(1, Math.ceil(items.length / (this.#size * 4)));
    const lists = form === SPREAD ? items.map(listOf) : items;
    expectChunks(result, Math.ceil(lists.length / size));
    const cancels: (() => void)[] = [];
    const group = ++groups;
    const send = () => {
      for (let at = 0; at < lists.length; at += size) {
        const chunk = at / size;
        const items = lists.slice(at, at + size);
        const ended = (ended: ChunkEnded) => {
          report?.ended(items.length, ended.error !== undefined);
          settleChunk(result, chunk, ended.error ?? { value: ended.values });
        };
        cancels.push(this.#sendChunk(fn, items, form, ended, door, terms, group));
      }
    };
    try {
      // Nothing is called if an item cannot travel.
      this.#crew.together(send);
    } catch (error) {
      for (const cancel of cancels) cancel();
      throw error;
    }
  }

  #sendChunk(
    fn: AnyFunction,
    items: unknown[],
    form: number,
    done: (ended: ChunkEnded) => void,
    door: AnyFunction,
    terms?: RunOptions,
    group?: number,
  ): () => void {
    const ended = (ended: Ended) => {
      if ("error" in ended) return done({ values: [], error: ended });
      const { values, error } = ended.value as ChunkResult;
      if (error === undefined) return done({ values });
      if (classesAreHere(error)) return done({ values, error: { error: decodeErrorSync(error) } });
      const settle = (error: unknown) => {
        if (this.#late.delete(hurry)) done({ values, error: { error } });
      };
      const hurry = () => settle(decodeErrorSync(error));
      this.#late.add(hurry);
      void errorSoon(error).then(settle);
    };
    return this.#submit(fn, form, items, ended, door, terms, group);
  }

  /**
   * Calls a function for each item and gives the results one by one, in the order of the items. An error comes at its place, and the
   * iterator can be asked for the next result all the same. Leaving the loop takes back the calls that were not begun.
   *
   * Items are read ahead of the results that are taken, but not without bound; once the pool is closed, to the end.
   *
   * `next({ timeout, signal })` waits no longer than that for the next result, which is not lost: `TimeoutError`, or the reason.
   *
   * @param fn What to call.
   * @param iterable The items.
   * @param options How many of them travel together; 1 by default.
   * @returns The results.
   * @throws {RangeError} When the pool was closed or terminated.
   * @throws {PicklingError} When the function cannot travel.
   */
  imap<A, R>(
    fn: (item: A) => R,
    iterable: AnyIterable<A>,
    options?: ChunkOptions,
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#iterate(fn, iterable, options, true, Pool.prototype.imap);
  }

  /**
   * {@linkcode Pool.imap} that gives each result as soon as it is there, in whatever order.
   *
   * @param fn What to call.
   * @param iterable The items.
   * @param options How many of them travel together; 1 by default.
   * @returns The results.
   * @throws As {@linkcode Pool.imap}.
   */
  imapUnordered<A, R>(
    fn: (item: A) => R,
    iterable: AnyIterable<A>,
    options?: ChunkOptions,
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#iterate(fn, iterable, options, false, Pool.prototype.imapUnordered);
  }

  #iterate(
    fn: AnyFunction,
    iterable: AnyIterable<unknown>,
    options: ChunkOptions | undefined,
    ordered: boolean,
    door: AnyFunction,
    terms?: RunOptions,
  ): AsyncIterableIterator<never> {
    this.#mustRun();
    const chunksize = chunksizeOf(options) ?? 1;
    const report = reporterOf(options);
    mustIterate(iterable);
    if (Array.isArray(iterable)) report?.expect(iterable.length);
    this.#crew.mustTake(fn, door);
    const place = {};
    this.#reading.set(place, undefined);
    this.#crew.foresee(true);
    const results = new ResultIterator(iterable, {
      chunksize,
      ordered,
      ahead: Math.max(AHEAD, this.#size * 4 * chunksize),
      send: (chunk, done) => {
        const ended = (ended: ChunkEnded) => {
          report?.ended(chunk.length, ended.error !== undefined);
          done(ended);
        };
        return this.#sendChunk(fn, chunk, 1, ended, door, terms);
      },
      read: () => this.#read(place),
    });
    if (this.#reading.has(place)) this.#reading.set(place, results);
    return results;
  }

  /** Called when all items of a call have been read, or nobody wants them any more. */
  readonly #joiners: (() => void)[] = [];

  /** All items of a call have been read. */
  #read(place: object): void {
    this.#reading.delete(place);
    this.#crew.foresee(this.#reading.size > 0);
    if (this.#closed && this.#reading.size === 0) this.#crew.close();
    for (const joiner of this.#joiners.splice(0)) joiner();
  }

  /** No more items are wanted: whoever waits for a result of those that are still to come, or joins, would wait for them. */
  #stopReading(error: () => Error): void {
    const readers = [...this.#reading.values()];
    this.#reading.clear();
    this.#crew.foresee(false);
    for (const reader of readers) reader?.stop(error());
    for (const joiner of this.#joiners.splice(0)) joiner();
  }

  /** Takes no more calls. The workers end when those that it has are done. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#reading.size === 0) return this.#crew.close();
    for (const reader of [...this.#reading.values()]) reader?.hurry();
  }

  /**
   * Ends the workers at once, and with them all calls: their results fail with a {@linkcode ProcessError}. Threads cannot be ended: those
   * of a {@linkcode ThreadPool} end when their current call does.
   */
  async terminate(): Promise<void> {
    this.#closed = true;
    const error = () => new ProcessError("Cannot finish the call: its pool was terminated");
    this.#crew.end("terminate", error);
    this.#stopReading(error);
    await this.#crew.join({ idle: true });
  }

  /**
   * Waits until all workers have ended.
   *
   * @throws {RangeError} When the pool was neither closed nor terminated.
   */
  async join(): Promise<void> {
    if (!this.#closed && this.#crew.state !== "broken") {
      throw new RangeError("Cannot join the pool: it is running; close or terminate it first");
    }
    while (this.#reading.size > 0 && this.#crew.state === "open") {
      await new Promise<void>((resolve) => this.#joiners.push(resolve));
    }
    await this.#crew.join();
  }

  /** Leaving an `await using` block: {@linkcode Pool.terminate}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  #shownState(): string {
    const { state } = this.#crew;
    if (state === "ended") return "terminated";
    return this.#closed && state === "open" ? "closed" : state;
  }

  #mustRun(): void {
    if (this.#closed) {
      throw new RangeError("Cannot call a function: the pool was closed or terminated");
    }
  }
}

/**
 * {@linkcode Pool} on threads: they start at once and share what threads share, such as a `SharedArrayBuffer` and the locks of
 * `threading`, but a call that does not end cannot be stopped.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.pool.ThreadPool | multiprocessing.pool.ThreadPool}.
 *
 * @example
 * ```ts no-eval
 * import { ThreadPool } from "@batteries/concurrent/multiprocessing/pool";
 *
 * export function length(text: string): number {
 *   return text.length;
 * }
 *
 * if (import.meta.main) {
 *   await using pool = new ThreadPool({ processes: 2 });
 *   console.log(await pool.map(length, ["one", "three"])); // [3, 5]
 * }
 * ```
 */
export class ThreadPool extends Pool {
  /**
   * Makes a pool and starts its threads.
   *
   * @param options Its options, or the number of threads.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When `processes` is not an integer of at least 1.
   * @throws {PicklingError} When the initializer or its arguments cannot travel.
   */
  constructor(options: number | ThreadPoolOptions = {}) {
    const { processes, initializer, initargs, permissions, memoryLimit } = read(options);
    if (permissions !== undefined || memoryLimit !== undefined) {
      throw new TypeError(
        `Cannot make a thread pool: threads have the permissions and the memory of their process; use a Pool for ${
          permissions !== undefined ? "permissions" : "memoryLimit"
        }`,
      );
    }
    crewOfNext = new Crew({
      size: processes ?? navigator.hardwareConcurrency,
      trade: new ThreadTrade(`ThreadPool-${++pools}`),
      policy,
      eager: true,
      initializer,
      initargs,
      door: new.target as unknown as AnyFunction,
    }) as Crew<unknown>;
    super(options);
  }

  /**
   * Refused: these threads cannot be stopped. Those of a `ThreadPoolExecutor` of `futures` can.
   *
   * @throws {Deno.errors.NotSupported} Always, for options that are right.
   */
  override with(options: RunOptions): PoolCalls {
    termsOf(options, "ThreadPool.with");
    throw new Deno.errors.NotSupported(
      "Cannot use ThreadPool.with: its threads cannot be stopped; use a Pool of processes, or a ThreadPoolExecutor of futures",
    );
  }
}

/** What a thread hears while it is blocked: also errors that wait for modules, which cannot be loaded then. */
function pumpedBy(crew: Crew<unknown>, late: ReadonlySet<() => void>): Pumped {
  return {
    count: () => ({ pending: crew.count().pending + late.size }),
    pump(limit: Limit) {
      if (late.size === 0) return crew.pump(limit);
      for (const hurry of [...late]) hurry();
    },
  };
}

/** Tells how far a map has come. */
class Reporter {
  readonly #tell: (progress: Progress) => void;
  readonly #progress: Progress = { done: 0, failed: 0 };

  constructor(tell: (progress: Progress) => void) {
    this.#tell = tell;
  }

  expect(total: number): void {
    this.#progress.total = total;
  }

  ended(calls: number, failed: boolean): void {
    this.#progress.done += calls;
    if (failed) this.#progress.failed++;
    callBack(() => this.#tell({ ...this.#progress }));
  }
}

function reporterOf(options: ChunkOptions | undefined): Reporter | undefined {
  const { progress } = options ?? {};
  if (progress === undefined || progress === false) return undefined;
  if (progress !== true && typeof progress !== "function") {
    throw new TypeError(
      `Cannot map: progress must be a boolean or a function, got ${typeName(progress)}`,
    );
  }
  const tell = progress === true ? progressBar() : progress;
  return tell === undefined ? undefined : new Reporter(tell);
}

/** Reads the items of a call. */
interface Reader {
  /** Has all of them read, however many results were taken. */
  hurry(): void;
  /** No more of them are wanted; what is still to come fails. */
  stop(error: Error): void;
}

type MapOptions = ChunkOptions & Callbacks<unknown>;

function processCrew(
  { initializer, initargs, maxtasksperchild, context, permissions, memoryLimit }: PoolOptions,
  size: number,
  door: unknown,
): Crew<unknown> {
  const trade = new ProcessTrade({
    name: "PoolWorker",
    daemon: true,
    method: context?.getStartMethod(),
    permissions,
    flags: heapFlags(memoryLimit),
  });
  return new Crew({
    size,
    trade,
    policy: { ...policy, pardons: (ending) => outOfMemory(ending, memoryLimit) },
    eager: true,
    maxTasks: maxtasksperchild ?? undefined,
    initializer,
    initargs,
    door: door as AnyFunction,
  }) as Crew<unknown>;
}

const policy: Policy = {
  onDeath: "replace",
  died: (ending: Ending, name: string) => {
    const { pid, exitcode } = ending;
    const how = exitcode === undefined
      ? "its thread ended itself"
      : exitcode < 0
      ? `process ${pid} was ended by signal ${-exitcode}`
      : `process ${pid} ended with exit code ${exitcode}`;
    const text = `Cannot finish the call: ${name} is lost, ${how}${ofWhat(ending)}`;
    return new WorkerLostError(text, pid, exitcode);
  },
  broken: (why) => new ProcessError(`The pool is broken. ${why.message}`, { cause: why }),
};

function read(options: number | PoolOptions): PoolOptions {
  const given = typeof options === "number" ? { processes: options } : options;
  const wrong = (what: string) => new TypeError(`Cannot make a pool: ${what}`);
  if (typeof given !== "object" || given === null) {
    throw wrong(`options must be a number or an object, got ${typeName(options)}`);
  }
  const { processes, initializer, initargs, maxtasksperchild, context, memoryLimit } = given;
  wholeNumber(processes, "processes", "make a pool");
  wholeNumber(maxtasksperchild ?? undefined, "maxtasksperchild", "make a pool");
  wholeNumber(memoryLimit, "memoryLimit, in MiB,", "make a pool", { least: 8 });
  if (initializer !== undefined && typeof initializer !== "function") {
    throw wrong(`initializer must be a function, got ${typeName(initializer)}`);
  }
  if (initargs !== undefined && !Array.isArray(initargs)) {
    throw wrong(`initargs must be an array, got ${typeName(initargs)}`);
  }
  if (context !== undefined && typeof context?.getStartMethod !== "function") {
    throw wrong("context must be what getContext() gives");
  }
  return given;
}

function chunksizeOf(options: ChunkOptions | undefined): number | undefined {
  if (options === undefined) return undefined;
  bagOf(options, "map", "{ chunksize: 100 }");
  return wholeNumber(options.chunksize, "chunksize", "map");
}

function checked<T>(callbacks: Callbacks<T> | undefined): Callbacks<T> | undefined {
  if (callbacks === undefined) return undefined;
  const { callback, errorCallback } = callbacks;
  for (const [name, fn] of Object.entries({ callback, errorCallback })) {
    if (fn !== undefined && typeof fn !== "function") {
      throw new TypeError(
        `Cannot call a function: ${name} must be a function, got ${typeName(fn)}`,
      );
    }
  }
  return callbacks;
}

function mustIterate(iterable: unknown): void {
  const object = Object(iterable);
  if (iterable !== null && (Symbol.iterator in object || Symbol.asyncIterator in object)) return;
  throw new TypeError(`Cannot map over ${typeName(iterable)}: an iterable is needed`);
}

function listOf(item: unknown): unknown[] {
  if (Array.isArray(item)) return item;
  if (typeof item === "object" && item !== null && Symbol.iterator in item) {
    return [...item as Iterable<unknown>];
  }
  throw new TypeError(
    `Cannot starmap: each item must be a list of arguments, got ${typeName(item)}`,
  );
}
