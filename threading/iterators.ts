/**
 * One iterator, many consumers: {@linkcode serializeIterator}, {@linkcode synchronizedIterator}, {@linkcode concurrentTee}.
 *
 * The source stays in the thread that has it. A consumer in another thread sends a letter for each item; the answer comes back as a
 * letter. So the owner has to reach its event loop for its source to be read by others.
 *
 * @module
 */
import {
  decodeError,
  encodeError,
  here,
  type Outcome,
  pack,
  post,
  register,
  unpack,
} from "./_core/mod.ts";
import { ThreadError } from "./errors.ts";
import { atThreadChange, currentThread, getIdent } from "./thread.ts";

/** Gives the next item of the source. */
type Pull = () => Promise<IteratorResult<unknown>>;

/** An iterator as it travels: who has it, and its name there. */
interface Sent {
  readonly owner: number;
  /** The number of the thread that the owner was. */
  readonly thread: number;
  readonly id: string;
}

/** Sources of this thread that were sent to others and are not exhausted. */
const shared = new Map<string, SerializedIterator<unknown>>();
atThreadChange((ident) => {
  for (const [id, iterator] of shared) if (iterator.madeBy !== ident) shared.delete(id);
});

class SerializedIterator<T> implements AsyncIterableIterator<T> {
  readonly #pull: Pull;
  #sent: Sent | undefined;
  /** Whether the source is in another thread. */
  readonly #remote: boolean;
  /** The call that is in progress; the next one begins when it has ended. */
  #last: Promise<unknown> = Promise.resolve();
  #done = false;

  constructor(pull: Pull, sent?: Sent) {
    this.#pull = pull;
    this.#sent = sent;
    this.#remote = sent !== undefined;
  }

  static {
    register(SerializedIterator, {
      name: "SerializedIterator",
      module: import.meta.url,
      reduce: (iterator): Sent => iterator.#share(),
      revive: (sent) => reviveIterator(sent as Sent),
    });
  }

  #share(): Sent {
    if (this.#sent === undefined) {
      this.#sent = { owner: here().agent, thread: getIdent(), id: crypto.randomUUID() };
      if (!this.#done) shared.set(this.#sent.id, this);
    }
    return this.#sent;
  }

  /** The thread that has the source, once others know the iterator. */
  get madeBy(): number | undefined {
    return this.#sent?.thread;
  }

  next(): Promise<IteratorResult<T>> {
    const turn = this.#last.then(() => this.#next());
    this.#last = turn.catch(() => {});
    return turn as Promise<IteratorResult<T>>;
  }

  async #next(): Promise<IteratorResult<unknown>> {
    if (this.#done) return { done: true, value: undefined };
    // A source that has thrown is exhausted, as a generator is. Of one elsewhere only its owner knows: it may be that just this item
    // could not travel.
    let ended = !this.#remote;
    try {
      const result = await this.#pull();
      ended = result.done === true;
      return result;
    } finally {
      if (ended) this.#end();
    }
  }

  #end(): void {
    this.#done = true;
    if (this.#sent !== undefined) shared.delete(this.#sent.id);
  }

  /** A consumer that stops early does not end the source for the others. */
  return(value?: unknown): Promise<IteratorResult<T>> {
    return Promise.resolve({ done: true, value });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Makes an iterator that many tasks and threads can consume at the same time: each item goes to one of them, and the source is
 * asked for one item at a time. Leaving a `for await` loop early does not end it for the others.
 *
 * Handed to a thread it is the same iterator there. The thread that made it has to reach its event loop to answer: it must not
 * block in a `Sync` call meanwhile.
 *
 * Stands for Python 3.15's {@link https://docs.python.org/3.15/library/threading.html#threading.serialize_iterator | threading.serialize_iterator}.
 *
 * @param it The source.
 * @returns The shared iterator.
 * @throws {TypeError} When `it` is neither iterable nor async iterable.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serializeIterator } from "@batteries/concurrent/threading";
 *
 * const work = serializeIterator([1, 2, 3, 4]);
 * const seen: number[] = [];
 * const consumer = async () => {
 *   for await (const item of work) seen.push(item);
 * };
 * await Promise.all([consumer(), consumer()]);
 * assertEquals(seen.toSorted(), [1, 2, 3, 4]);
 * ```
 */
export function serializeIterator<T>(
  it: Iterable<T> | AsyncIterable<T>,
): AsyncIterableIterator<T> {
  const iterator = iteratorOf(it, "serialize");
  return new SerializedIterator<T>(async () => await iterator.next());
}

function iteratorOf<T>(
  it: Iterable<T> | AsyncIterable<T>,
  what: string,
): Iterator<T> | AsyncIterator<T> {
  const source = it as Partial<Iterable<T> & AsyncIterable<T>> | null | undefined;
  if (typeof source?.[Symbol.asyncIterator] === "function") return source[Symbol.asyncIterator]!();
  if (typeof source?.[Symbol.iterator] === "function") return source[Symbol.iterator]!();
  throw new TypeError(
    `Cannot ${what} ${it === null ? "null" : typeof it}: an iterable or async iterable is needed`,
  );
}

/**
 * Makes a generator function's iterators safe to share: each call of the returned function gives an iterator of
 * {@linkcode serializeIterator}.
 *
 * Stands for Python 3.15's {@link https://docs.python.org/3.15/library/threading.html#threading.synchronized_iterator | threading.synchronized_iterator}.
 *
 * @param generatorFunction A generator function, async or not.
 * @returns A function with the same parameters.
 * @throws {TypeError} When it is not a function.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { synchronizedIterator } from "@batteries/concurrent/threading";
 *
 * const countTo = synchronizedIterator(function* (n: number) {
 *   for (let i = 1; i <= n; i++) yield i;
 * });
 * assertEquals(await Array.fromAsync(countTo(3)), [1, 2, 3]);
 * ```
 */
export function synchronizedIterator<A extends unknown[], T>(
  generatorFunction: (...args: A) => Iterable<T> | AsyncIterable<T>,
): (...args: A) => AsyncIterableIterator<T> {
  if (typeof generatorFunction !== "function") {
    throw new TypeError(
      `Cannot synchronize ${typeof generatorFunction}: a generator function is needed`,
    );
  }
  return function (this: unknown, ...args: A) {
    return serializeIterator(generatorFunction.apply(this, args));
  };
}

/** An item that some branches have not read yet, and the next one. */
interface Link<T> {
  result: Promise<IteratorResult<T>> | undefined;
  next: Link<T> | undefined;
}

/**
 * Splits an iterator into several that each give all of its items, and can be consumed at the same time, each by one consumer.
 * Items wait in memory until the slowest has read them.
 *
 * Stands for Python 3.15's {@link https://docs.python.org/3.15/library/threading.html#threading.concurrent_tee | threading.concurrent_tee}.
 *
 * @param it The source.
 * @param n How many branches; 0 gives none.
 * @returns The branches; each can be handed to a thread, as an iterator of {@linkcode serializeIterator} can.
 * @throws {TypeError} When `it` is not iterable or `n` not a number.
 * @throws {RangeError} When `n` is negative or not an integer.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { concurrentTee } from "@batteries/concurrent/threading";
 *
 * const [left, right] = concurrentTee([1, 2, 3]);
 * assertEquals(
 *   await Promise.all([Array.fromAsync(left), Array.fromAsync(right)]),
 *   [[1, 2, 3], [1, 2, 3]],
 * );
 * ```
 */
export function concurrentTee<T>(
  it: Iterable<T> | AsyncIterable<T>,
  n = 2,
): AsyncIterableIterator<T>[] {
  if (typeof n !== "number") throw new TypeError(`Cannot tee: n must be a number, got ${typeof n}`);
  if (!Number.isInteger(n) || n < 0) {
    throw new RangeError(`Cannot tee ${n} times: n must be an integer of 0 or more`);
  }
  const source = serializeIterator(it);
  const first: Link<T> = { result: undefined, next: undefined };
  return Array.from({ length: n }, () => {
    let link = first;
    return new SerializedIterator<T>(() => {
      const { result } = link;
      link.result ??= source.next();
      link.next ??= { result: undefined, next: undefined };
      const promise = result ?? link.result;
      link = link.next;
      return promise;
    });
  });
}

/** A letter about an iterator: a consumer asks for an item … */
interface NextMessage {
  readonly kind: "next";
  readonly id: string;
  readonly thread: number;
  readonly call: number;
}

/** … and its owner answers. */
interface AnswerMessage {
  readonly kind: "answer";
  readonly call: number;
  readonly outcome: Outcome;
}

interface Call {
  resolve(result: IteratorResult<unknown>): void;
  reject(error: unknown): void;
}

/** Questions that this thread has asked and that are not answered. */
const calls = new Map<number, Call>();
let lastCall = 0;

function reviveIterator(sent: Sent): SerializedIterator<unknown> {
  const own = sent.owner === here().agent ? shared.get(sent.id) : undefined;
  return own ?? new SerializedIterator(() => ask(sent), sent);
}

function ask({ owner, thread, id }: Sent): Promise<IteratorResult<unknown>> {
  const site = here();
  const call = ++lastCall;
  site.hold();
  return new Promise<IteratorResult<unknown>>((resolve, reject) => {
    calls.set(call, { resolve, reject });
    mail(owner, { kind: "next", id, thread, call });
  }).finally(() => site.unhold());
}

function mail(to: number, message: NextMessage | AnswerMessage): void {
  post({ handler: import.meta.url, message, to, from: here().agent });
}

/** A letter has come. */
export async function receive(letter: unknown, from: number, returned: boolean): Promise<void> {
  const message = letter as NextMessage | AnswerMessage;
  if (message.kind === "next") {
    if (!returned) return await answer(message, from);
    calls.get(message.call)?.reject(ownerHasEnded());
    calls.delete(message.call);
    return;
  }
  const call = calls.get(message.call);
  if (returned || call === undefined) return;
  calls.delete(message.call);
  const { outcome } = message;
  try {
    if (outcome.ok) call.resolve(await unpack(outcome.value) as IteratorResult<unknown>);
    else call.reject(await decodeError(outcome.error));
  } catch (error) {
    call.reject(error);
  }
}

async function answer({ id, thread, call }: NextMessage, to: number): Promise<void> {
  let outcome: Outcome;
  try {
    // The worker outlives its threads: it may be waiting for the next one, or be that one already.
    if (thread !== getIdent() || !currentThread().isAlive()) throw ownerHasEnded();
    const result = await shared.get(id)?.next() ?? { done: true, value: undefined };
    outcome = { ok: true, value: pack(result, "send an item of an iterator with", receive) };
  } catch (error) {
    outcome = { ok: false, error: encodeError(error) };
  }
  mail(to, { kind: "answer", call, outcome });
}

function ownerHasEnded(): ThreadError {
  return new ThreadError("Cannot read the iterator: the thread that made it has ended");
}
