/**
 * What a thread of a pool runs: takes tasks from the pool's queue and answers in the submitter's, until the queue is shut down.
 *
 * @module
 */
import {
  atLeave,
  type EncodedError,
  encodeError,
  importingModules,
  type Parcel,
  resolve,
  task,
  unpack,
  withdraw,
} from "../threading/_core/mod.ts";
import { Context } from "../contextvars/mod.ts";
import { runInContext } from "../contextvars/context.ts";
import { contextFrom } from "../threading/_context.ts";
import { currentThread, type Event } from "../threading/mod.ts";
import { Empty, type Queue, ShutDown } from "../queue/mod.ts";
import {
  type Answer,
  BROKEN,
  commonNow,
  DEPOSITED,
  ERROR,
  FINISHED,
  FREE,
  type FunctionDeposit,
  PARCEL,
  parcelOf,
  PLAIN,
  QUEUED,
  runningIn,
  STARTED,
  type Task,
  VALUE,
} from "./_protocol.ts";

import { current } from "./_sending.ts";

type AnyFunction = (...args: unknown[]) => unknown;

/** Everything that a worker of a pool needs. */
export interface Post {
  readonly pool: number;
  /** The identifier of the thread that has the pool. */
  readonly home: number;
  readonly tasks: Queue<Task>;
  readonly answers: Queue<Answer>;
  readonly bell: Event;
  readonly states: SharedArrayBuffer;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: unknown[];
  /** The worker's, in the pool. */
  readonly number: number;
  /** Whether its memory is capped. */
  readonly capped: boolean;
}

/** A function of tasks, and where it comes from. */
interface Loaded {
  readonly fn: AnyFunction;
  readonly url: string;
}

const functions = new Map<number, Loaded>();

/** Runs a worker of a pool. */
export async function work(post: Post): Promise<void> {
  current.pool = post.pool;
  current.home = post.home;
  const { pool, tasks, answers, bell, initializer, initargs, capped } = post;
  const mine = runningIn(post.number);
  const states = new Int32Array(post.states);
  const reply = (answer: Answer) => {
    answers.putNowait(answer);
    bell.set();
  };
  const broken = (error: unknown) => reply([pool, 0, BROKEN, told(error)]);
  const stay = atLeave(() => broken(new Error("A worker thread ended while its pool was in use")));
  try {
    await initializer?.(...initargs);
  } catch (error) {
    broken(error);
    return stay();
  }
  for (;;) {
    const next = soon(tasks) ?? await later(tasks);
    if (next === undefined) break;
    const [id, slot, key, context, chunk, packed, given, watch] = next;
    // Whoever changes the word first decides: the submitter may have taken the task back.
    if (Atomics.compareExchange(states, slot, QUEUED, mine) !== QUEUED) {
      Atomics.store(states, slot, FREE);
      continue;
    }
    current.task = id;
    if (watch === 1) reply([id, commonNow(), STARTED, undefined]);
    const begun = performance.now();
    let answer: Answer;
    try {
      const { fn, url } = functions.get(key) ?? await load(key);
      const args = (packed === PLAIN ? given : await importingModules(url, () =>
        unpack(
          (packed === DEPOSITED ? withdraw(given as number) : given) as Parcel,
        ))) as unknown[];
      const where = context === 0 ? new Context() : await contextFrom(context);
      const call = () =>
        runInContext(
          where,
          chunk === 0 ? fn : runChunk,
          ...(chunk === 0 ? args : [fn, args, chunk]),
        );
      const value = capped ? await fromTheLoop(call) : call();
      const result = isThenable(value) ? await value : value;
      const parcel = parcelOf(result, "return", "result", work);
      const ran = performance.now() - begun;
      answer = parcel === undefined ? [id, ran, VALUE, result] : [id, ran, PARCEL, parcel];
    } catch (error) {
      answer = [id, performance.now() - begun, ERROR, told(error)];
    }
    // Whoever changes the word first decides: the submitter may have stopped the task, and is about to end this worker.
    if (Atomics.compareExchange(states, slot, mine, FINISHED) !== mine) await new Promise(() => {});
    try {
      reply(answer);
    } catch (error) {
      // The result cannot travel after all: that is how this one task ends.
      reply([id, performance.now() - begun, ERROR, told(error)]);
    }
  }
  stay();
}

task(import.meta, work);

function told(error: unknown): EncodedError {
  return encodeError(error, { from: `thread ${currentThread().name}` });
}

/**
 * Calls from a timer. Deno 2.9 tells of a worker that is out of memory when that happens in the callback of a timer; after an await, the
 * worker just stands still.
 */
function fromTheLoop(call: () => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    setTimeout(() => {
      try {
        resolve(call());
      } catch (error) {
        reject(error);
      }
    });
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** A task that is there now, or comes within a moment: to sleep and be woken costs more than a look around. */
function soon(tasks: Queue<Task>): Task | undefined {
  for (let look = 0; look < 200; look++) {
    if (tasks.empty()) {
      for (let i = 0; i < 8; i++) Atomics.pause();
      continue;
    }
    try {
      return tasks.getNowait();
    } catch (error) {
      if (error instanceof ShutDown) return undefined;
      if (!(error instanceof Empty)) throw error;
    }
  }
}

async function later(tasks: Queue<Task>): Promise<Task | undefined> {
  try {
    return await tasks.get();
  } catch (error) {
    if (error instanceof ShutDown) return undefined;
    throw error;
  }
}

async function load(key: number): Promise<Loaded> {
  const reference = withdraw(key, true) as FunctionDeposit;
  const url = reference.how === "search" ? reference.modules[0] : reference.module;
  const fn = await importingModules(url, () => resolve(reference)) as AnyFunction;
  const loaded = { fn, url };
  functions.set(key, loaded);
  return loaded;
}

/** Runs a chunk of `map`: a call after the other, up to the first that fails. `arity` of the arguments belong to each. */
async function runChunk(...given: unknown[]): Promise<unknown> {
  const [fn, args, arity] = given as [AnyFunction, unknown[], number];
  const values: unknown[] = [];
  for (let i = 0; i < args.length; i += arity) {
    try {
      const value = arity === 1 ? fn(args[i]) : fn(...args.slice(i, i + arity));
      values.push(isThenable(value) ? await value : value);
    } catch (error) {
      return { values, error: told(error) };
    }
  }
  return { values };
}
