/**
 * What a thread of a pool runs: takes tasks from the pool's ring and answers there, until the ring is shut down.
 *
 * @module
 */
import {
  atLeave,
  type EncodedError,
  encodeError,
  enterSection,
  importingModules,
  leaveSection,
  resolve,
  task,
  unpack,
  withdraw,
} from "../threading/_core/mod.ts";
import type { Context } from "../contextvars/mod.ts";
import { runInContext, runInEmptyContext } from "../contextvars/context.ts";
import { contextFrom } from "../threading/_context.ts";
import { currentThread } from "../threading/mod.ts";
import { ringFor } from "./_inbox.ts";
import { watchMemory } from "./_memory_watch.ts";
import {
  type Bundle,
  CHUNKED,
  FAILED,
  type Label,
  open,
  type Opened,
  place,
  sealBundle,
  sealResult,
  sealResults,
} from "./_payload.ts";
import {
  type Address,
  BROKEN,
  type ChunkResult,
  commonNow,
  FINISHED,
  FREE,
  type FunctionDeposit,
  QUEUED,
  runningIn,
  send,
  SPENT,
  STARTED,
} from "./_protocol.ts";
import {
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
  type RingEnds,
  WorkerSide,
} from "./_ring.ts";
import { current } from "./_sending.ts";

type AnyFunction = (...args: unknown[]) => unknown;

/** Everything that a worker of a pool needs. */
export interface Post {
  readonly pool: number;
  /** The identifier of the thread that has the pool. */
  readonly home: number;
  readonly ring: RingEnds;
  readonly address: Address;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: unknown[];
  /** The worker's, in the pool. */
  readonly number: number;
  /** Whether its memory is capped. */
  readonly capped: boolean;
  /** When it was made, on the clock of {@linkcode commonNow}. */
  readonly made: number;
}

/** A function of tasks, and where it comes from. */
interface Loaded {
  readonly fn: AnyFunction;
  readonly url: string;
}

const functions = new Map<number, Loaded>();

/** Milliseconds after which the worker's own event loop has a turn, though there are tasks. */
const TURN = 10;

/** Runs a worker of a pool. */
export async function work(post: Post): Promise<void> {
  current.pool = post.pool;
  current.home = post.home;
  const { pool, address, initializer, initargs } = post;
  const broken = (error: unknown) => send(address, [pool, BROKEN, told(error)]);
  const { ident } = currentThread();
  if (post.capped) watchMemory(() => send(address, [pool, SPENT, ident!]));
  const stay = atLeave(() => broken(new Error("A worker thread ended while its pool was in use")));
  try {
    await initializer?.(...initargs);
  } catch (error) {
    broken(error);
    return stay();
  }
  await new Runner(post).run();
  stay();
}

/** A worker, while it works. */
class Runner {
  readonly #post: Post;
  readonly #ring: WorkerSide;
  /** The state of a task that it runs. */
  readonly #mine: number;
  readonly #asleep: Int32Array;
  /** Whether this thread's clock is behind that of the pool's: calls would seem to have begun long ago. */
  readonly #behind: boolean;
  readonly #label: Label = { form: 0, count: 0, length: 0, head: 0 };
  /** When its task began: at the end of the last one, if there was no waiting in between, for to ask for the time costs something too. */
  #begun = 0;

  constructor(post: Post) {
    this.#post = post;
    this.#mine = runningIn(post.number);
    // To nap gains nothing where each call waits for a turn of the event loop anyway (see `fromTheLoop`), with a timer of a millisecond.
    this.#ring = new WorkerSide(post.ring, post.number + 1, !post.capped);
    this.#asleep = new Int32Array(post.address.words);
    this.#behind = commonNow() < post.made;
  }

  /** Runs tasks until there are no more, and will be none. */
  async run(): Promise<void> {
    const ring = this.#ring;
    ring.begin();
    let turned = performance.now();
    for (;;) {
      let block = ring.takeNow();
      if (block === 0) {
        block = ring.takeSoon();
        if (block === 0) {
          const { turns } = ring;
          block = await ring.take();
          if (block === 0) return;
          if (ring.turns > turns) turned = performance.now();
        }
        this.#begun = performance.now();
      }
      // Whoever changes the word first decides: the submitter may have taken the task back.
      if (Atomics.compareExchange(ring.words, block + B_STATE, QUEUED, this.#mine) !== QUEUED) {
        Atomics.store(ring.words, block + B_STATE, FREE);
        continue;
      }
      let flags: number;
      try {
        const value = this.#start(block);
        flags = this.#seal(isThenable(value) ? await value : value);
      } catch (error) {
        sealBundle(told(error));
        flags = FAILED;
      }
      // The submitter has stopped the task, and is about to end this worker.
      if (!this.#finish(block, flags)) await new Promise(() => {});
      if (this.#begun - turned > TURN) {
        await new Promise((resolve) => setImmediate(resolve));
        this.#begun = turned = performance.now();
      }
    }
  }

  /** Begins a task, and gives its value or a promise of it. */
  #start(block: number): unknown {
    const { words } = this.#ring;
    current.task = words[block + B_SERIAL];
    if (words[block + B_WATCH] !== 0) this.#tellStart(block);
    const loaded = functions.get(words[block + B_KEY]);
    if (loaded === undefined || this.#post.capped) return this.#startSlowly(block);
    const opened = this.#open(block);
    const chunk = words[block + B_CHUNK];
    if (opened.list === undefined) return this.#startWith(loaded, opened.bundle, block);
    if (words[block + B_WATCH] !== 0) this.#called(block);
    return run(undefined, loaded.fn, opened.list, chunk);
  }

  #tellStart(block: number): void {
    const { words } = this.#ring;
    const [index, serial] = [words[block + B_INDEX], words[block + B_SERIAL]];
    const at = this.#behind ? Infinity : commonNow();
    send(this.#post.address, [this.#post.pool, STARTED, { index, serial, at }]);
  }

  /** All that the task needs is there, and its function is about to be called: its time begins. */
  #called(block: number): void {
    const { words } = this.#ring;
    const time = performance.now();
    if (words[block + B_WATCH] !== 0) {
      Atomics.store(words, block + B_WATCH, CALLED + Math.ceil(time - this.#begun));
    }
    this.#begun = time;
  }

  #open(block: number): Opened {
    const { words } = this.#ring;
    const label = this.#label;
    label.form = words[block + B_FORM];
    label.count = words[block + B_COUNT];
    label.length = words[block + B_LENGTH];
    label.head = words[block + B_HEAD];
    return open(this.#ring, this.#ring.payload(block), label);
  }

  async #startSlowly(block: number): Promise<unknown> {
    const key = this.#ring.words[block + B_KEY];
    const loaded = functions.get(key) ?? await load(key);
    const { list, bundle } = this.#open(block);
    return await (list === undefined
      ? this.#startWith(loaded, bundle, block)
      : this.#call(block, undefined, loaded.fn, list));
  }

  async #startWith({ fn, url }: Loaded, bundle: Bundle, block: number): Promise<unknown> {
    const args = await importingModules(url, () => unpack(bundle)) as unknown[];
    const where = bundle.context === undefined ? undefined : await contextFrom(bundle.context);
    return await this.#call(block, where, fn, args);
  }

  #call(block: number, where: Context | undefined, fn: AnyFunction, args: unknown[]): unknown {
    const chunk = this.#ring.words[block + B_CHUNK];
    const call = () => {
      this.#called(block);
      return run(where, fn, args, chunk);
    };
    return this.#post.capped ? fromTheLoop(call) : call();
  }

  /** Seals a value, and gives the flags of its form. */
  #seal(value: unknown): number {
    if (!(value instanceof Chunk)) {
      sealResult(value, work);
      return 0;
    }
    const { values, error } = value;
    if (error === undefined && sealResults(values)) return CHUNKED;
    sealResult(error === undefined ? { values } : { values, error }, work);
    return 0;
  }

  /** Answers with what was sealed last; `false` when the task was stopped. */
  #finish(block: number, flags: number): boolean {
    const ring = this.#ring;
    const { words } = ring;
    const label = this.#label;
    const begun = this.#begun;
    const ran = (this.#begun = performance.now()) - begun;
    if (
      Atomics.compareExchange(words, block + B_STATE, this.#mine, FINISHED) !== this.#mine
    ) return false;
    const start = ring.payload(block);
    const room = words[block + B_ROOM];
    try {
      place(ring, start, room, label);
    } catch (error) {
      // The result cannot travel after all: that is how this one task ends.
      sealBundle(told(error));
      place(ring, start, room, label);
      flags = FAILED;
    }
    words[block + B_FORM] = label.form | flags;
    words[block + B_COUNT] = label.count;
    words[block + B_LENGTH] = label.length;
    words[block + B_HEAD] = label.head;
    ring.doubles[(block + B_RAN) >> 1] = ran;
    enterSection();
    ring.answer(block);
    ringFor(this.#asleep, this.#post.address.bell);
    leaveSection();
    return true;
  }
}

task(import.meta, work);

function told(error: unknown): EncodedError {
  return encodeError(error, { from: `thread ${currentThread().name}` });
}

/**
 * Calls after a turn of the event loop, and not in the callback that it made. Where the call runs out of memory, the worker then lives, and
 * {@linkcode watchMemory} tells of it by mail, which reaches an owner that is blocked, too; a worker that dies of it is only told of in
 * the event loop of the main thread.
 */
async function fromTheLoop(call: () => unknown): Promise<unknown> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  return await call();
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

async function load(key: number): Promise<Loaded> {
  const reference = withdraw(key, true) as FunctionDeposit;
  const url = reference.how === "search" ? reference.modules[0] : reference.module;
  const fn = await importingModules(url, () => resolve(reference)) as AnyFunction;
  const loaded = { fn, url };
  functions.set(key, loaded);
  return loaded;
}

/** Calls the function in a context, an empty one where none is given. */
function run(
  where: Context | undefined,
  fn: AnyFunction,
  args: unknown[],
  chunk: number,
): unknown {
  if (where === undefined) {
    if (chunk === 0) return runInEmptyContext(fn, ...args);
    return runInEmptyContext(runChunk, fn, args, chunk, new Chunk(), 0);
  }
  if (chunk === 0) return runInContext(where, fn, ...args);
  return runInContext(where, runChunk, fn, args, chunk, new Chunk(), 0);
}

/** The results of a chunk, and the error that ended it. */
class Chunk implements ChunkResult {
  readonly values: unknown[] = [];
  error: EncodedError | undefined;
}

/** Runs a chunk of `map`: a call after the other, up to the first that fails. `arity` of the arguments belong to each. */
function runChunk(
  fn: AnyFunction,
  args: unknown[],
  arity: number,
  chunk: Chunk,
  from: number,
): Chunk | Promise<Chunk> {
  const { values } = chunk;
  try {
    for (let i = from; i < args.length; i += arity) {
      const value = arity === 1 ? fn(args[i]) : fn(...args.slice(i, i + arity));
      if (isThenable(value)) return awaitChunk(value, fn, args, arity, chunk, i + arity);
      values.push(value);
    }
  } catch (error) {
    chunk.error = told(error);
  }
  return chunk;
}

/** The same from the first call on that gives a promise. */
async function awaitChunk(
  pending: PromiseLike<unknown>,
  fn: AnyFunction,
  args: unknown[],
  arity: number,
  chunk: Chunk,
  from: number,
): Promise<Chunk> {
  const { values } = chunk;
  try {
    values.push(await pending);
    for (let i = from; i < args.length; i += arity) {
      const value = arity === 1 ? fn(args[i]) : fn(...args.slice(i, i + arity));
      values.push(isThenable(value) ? await value : value);
    }
  } catch (error) {
    chunk.error = told(error);
  }
  return chunk;
}
