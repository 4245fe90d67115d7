/**
 * `map`: calls go out as far ahead as the caller allows, results come back in order.
 *
 * @module
 */
import { remaining, TimeoutError } from "../threading/_core/mod.ts";
import { received } from "./_decode.ts";
import { laterLimitOf } from "./_later_limit.ts";
import type { ChunkResult } from "./_protocol.ts";
import { type Progress, progressBar } from "./_progress.ts";
import { wholeNumber } from "./_terms.ts";
import { RuntimeError } from "./errors.ts";
import { Future } from "./future.ts";

type AnyFunction = (...args: never[]) => unknown;
type Source = Iterable<unknown> | AsyncIterable<unknown>;

/** Options of `map`. */
export interface MapOptions {
  /** Milliseconds, from the call, within which each result has to be there. */
  timeout?: number;
  /** Ends the iteration: what has not started is cancelled. */
  signal?: AbortSignal;
  /** How many calls travel together; 1 by default. More make many small calls cheaper. */
  chunksize?: number;
  /** How many calls may be ahead of the results that were taken; all of them by default. */
  buffersize?: number;
  /** Called as calls end; `true` draws a bar on standard error when that is a terminal. */
  progress?: boolean | ((progress: Progress) => void);
}

/** What makes the calls. */
export interface Sender {
  /**
   * Submits a call, or a chunk of calls: `chunk` is then how many arguments each of them has, of which `args` holds all, one call after
   * the other. One long list travels at a fraction of what a thousand short ones cost.
   */
  send(fn: AnyFunction, args: unknown[], chunk: number): Future<unknown>;
  /** Whether it takes chunks; if not, `chunksize` has no effect. */
  readonly takesChunks: boolean;
  /**
   * Refuses what `send` would refuse, for a call that may come much later or never.
   *
   * @throws {TypeError} when it is no function.
   * @throws {PicklingError} when it cannot travel.
   */
  mustTake(fn: AnyFunction): void;
}

/** How many calls are ahead when the source is asynchronous and nothing else was said. */
const AHEAD = 64;

/** Splits what `map` was called with. */
export function mapArguments(rest: unknown[]): { sources: Source[]; options: MapOptions } {
  const sources = [...rest];
  const last = sources.at(-1) as Partial<Iterable<unknown> & AsyncIterable<unknown>> | undefined;
  const isSource = (value: unknown): value is Source =>
    typeof value === "string" ||
    typeof (value as typeof last)?.[Symbol.iterator] === "function" ||
    typeof (value as typeof last)?.[Symbol.asyncIterator] === "function";
  const hasOptions = !isSource(last) && (sources.length > 1 || areOptions(last));
  const options = hasOptions ? (sources.pop() ?? {}) as MapOptions : {};
  if (typeof options !== "object") {
    throw new TypeError(
      `Cannot map: what comes last must be an iterable or options such as { chunksize: 100 }, got ${typeof options}`,
    );
  }
  for (const source of sources) {
    if (!isSource(source)) {
      throw new TypeError(
        `Cannot map over ${source === null ? "null" : typeof source}: an iterable is needed`,
      );
    }
  }
  // As in Python: without iterables there is nothing to call for, rather than calls without arguments for ever.
  return { sources: sources.length === 0 ? [[]] : sources as Source[], options };
}

/** Whether what stands alone is meant as options, and no forgotten iterable. */
function areOptions(value: unknown): boolean {
  const names = ["timeout", "signal", "chunksize", "buffersize", "progress"];
  return typeof value === "object" && value !== null &&
    Object.keys(value).every((name) => names.includes(name));
}

function flat(calls: unknown[][]): unknown[] {
  const list: unknown[] = [];
  for (const args of calls) for (const arg of args) list.push(arg);
  return list;
}

const over = (): IteratorResult<unknown> => ({ done: true, value: undefined });

/** The results of a `map`. */
export class MapIterator implements AsyncIterableIterator<unknown> {
  readonly #fn: AnyFunction;
  readonly #sender: Sender;
  readonly #chunksize: number;
  readonly #ahead: number;
  readonly #deadline: number;
  readonly #signal: AbortSignal | undefined;
  readonly #report: ((progress: Progress) => void) | undefined;
  readonly #progress: Progress = { done: 0, failed: 0 };
  readonly #sync: Iterator<unknown>[] | undefined;
  readonly #async: (Iterator<unknown> | AsyncIterator<unknown>)[] | undefined;
  /** Sent, in order. */
  #sent: (Future<unknown> | undefined)[] = [];
  /** Index of the first of them that was not taken. */
  #head = 0;
  /** The call whose result `next` waits for, which is no longer among them. */
  #current: Future<unknown> | undefined;
  /** Results of a chunk that were not given yet. */
  #values: unknown[] = [];
  #chunkError: ChunkResult["error"];
  #calls = 0;
  #exhausted = false;
  #ended = false;
  /** The calls that were read from the sources, in all. */
  #read = 0;
  /** What a source threw, or the executor on its items: it comes after the results of the items before. */
  #sourceError: { readonly error: unknown } | undefined;
  /** Whether asynchronous sources are being read. */
  #reading = false;
  /** Set when there is something to look at: a call was sent, the sources are at their end, or all is over. */
  #news = new Future<void>();
  /** The call of `next` that is in progress, and how many there are. */
  #turn: Promise<unknown> = Promise.resolve();
  #turns = 0;

  constructor(fn: AnyFunction, sources: Source[], options: MapOptions, sender: Sender) {
    const { timeout, signal, progress } = options;
    this.#deadline = laterLimitOf({ timeout, signal }, "map").deadline;
    if (progress !== undefined && typeof progress !== "boolean" && typeof progress !== "function") {
      throw new TypeError(
        `Cannot map: progress must be a boolean or a function, got ${typeof progress}`,
      );
    }
    this.#fn = fn;
    this.#sender = sender;
    const chunksize = wholeNumber(options.chunksize, "chunksize", "map") ?? 1;
    this.#chunksize = sender.takesChunks ? chunksize : 1;
    const buffersize = wholeNumber(options.buffersize, "buffersize", "map");
    this.#signal = signal;
    this.#report = progress === true ? progressBar() : progress === false ? undefined : progress;
    if (sources.every((source) => Symbol.iterator in Object(source))) {
      this.#sync = sources.map((source) => (source as Iterable<unknown>)[Symbol.iterator]());
      this.#ahead = buffersize ?? Infinity;
      try {
        if (signal?.aborted !== true) this.#fillNow();
        if (this.#sent.length === 0) sender.mustTake(fn);
      } catch (error) {
        this.#end();
        throw error;
      }
    } else {
      sender.mustTake(fn);
      this.#async = sources.map((source) =>
        Symbol.asyncIterator in Object(source)
          ? (source as AsyncIterable<unknown>)[Symbol.asyncIterator]()
          : (source as Iterable<unknown>)[Symbol.iterator]()
      );
      this.#ahead = buffersize ?? Math.max(AHEAD, this.#chunksize * 4);
    }
  }

  #room(): boolean {
    return !this.#exhausted && !this.#ended && this.#calls < this.#ahead;
  }

  #fillNow(): void {
    while (this.#room()) {
      const chunk: unknown[][] = [];
      try {
        while (chunk.length < this.#chunksize && this.#calls + chunk.length < this.#ahead) {
          const args = this.#nextNow();
          if (args === undefined) break;
          chunk.push(args);
        }
      } finally {
        this.#sendChunk(chunk);
      }
    }
  }

  /** The next argument list; the shortest source ends. */
  #nextNow(): unknown[] | undefined {
    const args: unknown[] = [];
    for (const source of this.#sync!) {
      const { done, value } = source.next();
      if (done) {
        this.#exhausted = true;
        return undefined;
      }
      args.push(value);
    }
    return args;
  }

  /** Sends more calls, if there is room. */
  #fill(): void {
    if (!this.#room()) return;
    if (this.#sync === undefined) return void this.#readAhead();
    try {
      this.#fillNow();
    } catch (error) {
      // The executor was shut down: at once, as in Python.
      if (error instanceof RuntimeError) throw error;
      this.#sourceError = { error };
      this.#exhausted = true;
    }
  }

  /** Reads asynchronous sources beside the calls of `next`: a slow source must not hold back results that are there. */
  async #readAhead(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#room()) {
        const chunk: unknown[][] = [];
        try {
          while (chunk.length < this.#chunksize && this.#calls + chunk.length < this.#ahead) {
            const args = await this.#nextSoon();
            if (args === undefined) break;
            chunk.push(args);
          }
        } finally {
          if (!this.#ended) this.#sendChunk(chunk);
        }
        this.#tell();
      }
    } catch (error) {
      this.#sourceError = { error };
      this.#exhausted = true;
    }
    this.#reading = false;
    this.#tell();
  }

  async #nextSoon(): Promise<unknown[] | undefined> {
    const args: unknown[] = [];
    for (const source of this.#async!) {
      const { done, value } = await source.next();
      if (done) {
        this.#exhausted = true;
        return undefined;
      }
      args.push(value);
    }
    return args;
  }

  #tell(): void {
    if (!this.#news.done()) this.#news.setResult();
  }

  #sendChunk(chunk: unknown[][]): void {
    const calls = chunk.length;
    this.#read += calls;
    if (this.#exhausted) this.#progress.total = this.#read;
    if (calls === 0) {
      // The calls may all have ended before it was known that they are all.
      if (this.#exhausted && this.#read > 0 && this.#progress.done === this.#read) {
        this.#report?.({ ...this.#progress });
      }
      return;
    }
    const future = this.#chunksize === 1
      ? this.#sender.send(this.#fn, chunk[0], 0)
      : this.#sender.send(this.#fn, flat(chunk), chunk[0].length);
    this.#sent.push(future);
    this.#calls += calls;
    if (this.#report !== undefined) future.addDoneCallback(() => this.#count(future, calls));
  }

  #count(future: Future<unknown>, calls: number): void {
    if (future.cancelled()) return;
    const progress = this.#progress;
    if (future.exceptionSync() !== null) {
      progress.done += calls;
      progress.failed += calls;
    } else if (this.#chunksize === 1) progress.done++;
    else {
      const { values, error } = future.resultSync() as ChunkResult;
      progress.done += values.length + (error === undefined ? 0 : 1);
      if (error !== undefined) progress.failed++;
    }
    this.#report!({ ...progress });
  }

  next(): Promise<IteratorResult<unknown>> {
    // A million results in chunks are mostly this: no waiting, no promise but the one that is returned.
    if (this.#turns === 0 && this.#values.length > 0 && this.#signal?.aborted !== true) {
      this.#calls--;
      return Promise.resolve({ done: false, value: this.#values.pop() });
    }
    this.#turns++;
    const turn = this.#turn.then(() => this.#next()).finally(() => this.#turns--);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #next(): Promise<IteratorResult<unknown>> {
    if (this.#ended) return over();
    try {
      return await this.#take();
    } catch (error) {
      if (this.#ended) return over(); // left, while this was waiting for a call that was then cancelled
      this.#end();
      throw error;
    }
  }

  async #take(): Promise<IteratorResult<unknown>> {
    this.#signal?.throwIfAborted();
    this.#fill();
    if (this.#values.length === 0 && this.#chunkError === undefined) {
      if (!await this.#comesAnother()) {
        if (this.#sourceError !== undefined) throw this.#sourceError.error;
        this.#end();
        return over();
      }
      const result = await this.#resultOf(this.#takeHead());
      if (this.#chunksize === 1) {
        this.#calls--;
        this.#fill();
        return { done: false, value: result };
      }
      const { values, error } = result as ChunkResult;
      // Taken from the end, which costs nothing; `values` stays as it is for who counts them.
      this.#values = values.toReversed();
      this.#chunkError = error;
    }
    if (this.#values.length === 0) {
      const ended = await received({ error: this.#chunkError! });
      throw (ended as { error: unknown }).error;
    }
    this.#calls--;
    return { done: false, value: this.#values.pop() };
  }

  /** Waits for a call whose result was not taken; `false` when there are no more. */
  async #comesAnother(): Promise<boolean> {
    while (this.#head >= this.#sent.length) {
      if (this.#ended || this.#exhausted && !this.#reading) return false;
      this.#news = new Future();
      await this.#inTime(this.#news);
    }
    return true;
  }

  #takeHead(): Future<unknown> {
    const head = this.#sent[this.#head]!;
    this.#sent[this.#head++] = undefined;
    if (this.#head >= 1024 && this.#head * 2 > this.#sent.length) {
      this.#sent = this.#sent.slice(this.#head);
      this.#head = 0;
    }
    return head;
  }

  async #resultOf(future: Future<unknown>): Promise<unknown> {
    this.#current = future;
    return await this.#inTime(future);
  }

  async #inTime<T>(future: Future<T>): Promise<T> {
    if (this.#deadline === Infinity && this.#signal === undefined) return await future;
    try {
      return await future.result({
        timeout: this.#deadline === Infinity ? undefined : remaining(this.#deadline),
        signal: this.#signal,
      });
    } catch (error) {
      if (!future.done() && error instanceof TimeoutError && error !== this.#signal?.reason) {
        throw new TimeoutError("The results of map were not there in time");
      }
      throw error;
    }
  }

  /** It is over: what has not started will not, and the sources are left. */
  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#current?.cancel();
    for (const future of this.#sent) future?.cancel();
    this.#sent = [];
    this.#head = 0;
    this.#values = [];
    this.#tell();
    if (this.#exhausted) return;
    for (const source of this.#sync ?? this.#async ?? []) {
      try {
        void Promise.resolve(source.return?.()).catch(() => {});
      } catch {
        // A source that fails to clean up has no one to tell: the iteration is over.
      }
    }
  }

  return(value?: unknown): Promise<IteratorResult<unknown>> {
    this.#end();
    return Promise.resolve({ done: true, value });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
