/**
 * The results of `imap` and `imapUnordered`.
 *
 * @module
 */

import { limitOf, PicklingError, TimeoutError, type WaitOptions } from "../threading/_core/mod.ts";
import { expire } from "./_ready.ts";

type Source = Iterator<unknown> | AsyncIterator<unknown>;

/** Submits a chunk of calls; gives what takes them back. `done` gets a list of results, and perhaps the error that ended it. */
export type SendChunk = (chunk: unknown[], done: (chunk: ChunkEnded) => void) => () => void;

/** How a chunk has ended. */
export interface ChunkEnded {
  readonly values: unknown[];
  readonly error?: { readonly error: unknown };
}

/** How the results come. */
export interface Plan {
  readonly chunksize: number;
  /** In the order of the items, not as they come. */
  readonly ordered: boolean;
  /** How many items may be ahead of the results that were taken. */
  readonly ahead: number;
  readonly send: SendChunk;
  /** The items have all been read, or nobody wants them any more. */
  readonly read: () => void;
}

/** A chunk that was sent. */
interface Slot {
  ended: ChunkEnded | undefined;
  readonly size: number;
  cancel: () => void;
}

interface Waiter {
  resolve(result: IteratorResult<never>): void;
  reject(error: unknown): void;
}

/** Items that are read in one turn of the event loop, when there is no other bound. */
const AT_ONCE = 1024;

/**
 * Reads items ahead of whoever takes the results, so far and no further: results that nobody takes must not fill the memory. Once the
 * pool is closed nothing else will come, and {@linkcode ResultIterator.hurry} lifts that bound: who then waits for the pool waits for
 * all of its calls, whether their results were taken or not.
 */
export class ResultIterator implements AsyncIterableIterator<never> {
  readonly #plan: Plan;
  readonly #source: Source;
  /** Chunks whose results were not all taken: in the order of the items, or in that in which they ended. */
  readonly #slots: Slot[] = [];
  /** Chunks that have not ended, when the order does not matter. */
  readonly #open = new Set<Slot>();
  #ahead = 0;
  #bound: number;
  #reading = false;
  #exhausted = false;
  #over = false;
  /** See {@linkcode ResultIterator.stop}. */
  #stopped = false;
  /** Of the first chunk: what was not given yet, the next one last. */
  #values: unknown[] | undefined;
  readonly #waiters: Waiter[] = [];

  constructor(source: Iterable<unknown> | AsyncIterable<unknown>, plan: Plan) {
    this.#plan = plan;
    this.#bound = plan.ahead;
    const sync = (source as Iterable<unknown>)[Symbol.iterator];
    this.#source = sync === undefined
      ? (source as AsyncIterable<unknown>)[Symbol.asyncIterator]()
      : sync.call(source);
    if (sync === undefined) void this.#readSoon();
    else this.#readNow();
  }

  /** The pool has ended: so do the results, after those that were sent, and whoever waits for items waits no longer. */
  stop(error: unknown): void {
    if (this.#exhausted) return;
    this.#stopped = true;
    this.#leaveSource();
    this.#pushError(error);
  }

  #pushError(error: unknown): void {
    this.#slots.push({ ended: { values: [], error: { error } }, size: 0, cancel: () => {} });
    this.#feed();
  }

  /** Reads all that there is. */
  hurry(): void {
    this.#bound = Infinity;
    void this.#readSoon();
  }

  #room(): boolean {
    return !this.#exhausted && !this.#over && this.#ahead < this.#bound;
  }

  /** The first items of a synchronous source, before the call returns. */
  #readNow(): void {
    try {
      for (let read = 0; this.#room() && read < AT_ONCE; read += this.#plan.chunksize) {
        const chunk: unknown[] = [];
        while (chunk.length < this.#plan.chunksize) {
          const { done, value } = this.#source.next() as IteratorResult<unknown>;
          if (done) {
            this.#exhausted = true;
            break;
          }
          chunk.push(value);
        }
        this.#send(chunk);
      }
    } catch (error) {
      this.#sourceFailed(error);
    }
    if (this.#exhausted) this.#plan.read();
  }

  async #readSoon(): Promise<void> {
    if (this.#reading || !this.#room()) return;
    this.#reading = true;
    try {
      for (let read = 0; this.#room(); read += this.#plan.chunksize) {
        if (read >= AT_ONCE) {
          read = 0;
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        const chunk: unknown[] = [];
        while (chunk.length < this.#plan.chunksize) {
          const { done, value } = await this.#source.next();
          if (done) {
            this.#exhausted = true;
            break;
          }
          chunk.push(value);
        }
        if (this.#over || this.#stopped) return;
        this.#send(chunk);
      }
    } catch (error) {
      this.#sourceFailed(error);
    } finally {
      this.#reading = false;
    }
    if (this.#exhausted) this.#plan.read();
    this.#feed();
  }

  /** An incomplete chunk is lost with its source, as in Python. */
  #sourceFailed(error: unknown): void {
    this.#exhausted = true;
    if (!this.#stopped) this.#pushError(error);
  }

  #send(chunk: unknown[]): void {
    if (chunk.length === 0) return;
    const slot: Slot = { ended: undefined, size: chunk.length, cancel: () => {} };
    this.#ahead += slot.size;
    const { ordered, send } = this.#plan;
    if (ordered) this.#slots.push(slot);
    else this.#open.add(slot);
    const done = (ended: ChunkEnded) => {
      slot.ended = ended;
      if (!ordered && this.#open.delete(slot)) this.#slots.push(slot);
      this.#feed();
    };
    try {
      slot.cancel = send(chunk, done);
    } catch (error) {
      // It cannot travel: that is how this chunk ends. Anything else is the end of the pool, and of all that was still to come.
      if (!(error instanceof PicklingError)) this.#leaveSource();
      done({ values: [], error: { error } });
    }
  }

  /** No more items are wanted. */
  #leaveSource(): void {
    if (this.#exhausted) return;
    this.#exhausted = true;
    this.#plan.read();
    try {
      void Promise.resolve(this.#source.return?.()).catch(() => {});
    } catch {
      // A source that fails to clean up has no one to tell: the iteration is over.
    }
  }

  /** Gives those who wait what is there. */
  #feed(): void {
    while (this.#waiters.length > 0) {
      const result = this.#take();
      if (result === undefined) return;
      const waiter = this.#waiters.shift()!;
      if ("error" in result) waiter.reject(result.error);
      else waiter.resolve(result as IteratorResult<never>);
    }
  }

  /** The next result or error, the end, or `undefined` when none of them is there yet. */
  #take(): IteratorResult<unknown> | { error: unknown } | undefined {
    for (;;) {
      const slot = this.#slots[0];
      if (this.#over || slot === undefined && this.#exhausted && this.#open.size === 0) {
        return { done: true, value: undefined };
      }
      if (slot?.ended === undefined) return undefined;
      this.#values ??= slot.ended.values.toReversed();
      if (this.#values.length > 0) return { done: false, value: this.#values.pop() };
      this.#slots.shift();
      this.#values = undefined;
      this.#ahead -= slot.size;
      void this.#readSoon();
      if (slot.ended.error !== undefined) return slot.ended.error;
    }
  }

  /** The next result. Who gives up has taken nothing: the result is the next one's. */
  next(options?: WaitOptions): Promise<IteratorResult<never>> {
    return new Promise((resolve, reject) => {
      const limit = limitOf(options, "next");
      let stop = () => {};
      const waiter: Waiter = {
        resolve: (result) => (stop(), resolve(result)),
        reject: (error) => (stop(), reject(error)),
      };
      const giveUp = (why: unknown) => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(why);
      };
      this.#waiters.push(waiter);
      this.#feed();
      if (!this.#waiters.includes(waiter)) return;
      const late = () => giveUp(new TimeoutError("The next result was not there in time"));
      stop = expire(limit, late, giveUp);
    });
  }

  return(value?: unknown): Promise<IteratorResult<never>> {
    if (!this.#over) {
      this.#over = true;
      for (const slot of [...this.#slots, ...this.#open]) {
        if (slot.ended === undefined) slot.cancel();
      }
      this.#slots.length = 0;
      this.#open.clear();
      this.#leaveSource();
      this.#feed();
    }
    return Promise.resolve({ done: true, value: value as never });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
