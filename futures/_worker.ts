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
  resolve,
  task,
  withdraw,
} from "../threading/_core/mod.ts";
import { Context } from "../contextvars/mod.ts";
import { runInContext } from "../contextvars/context.ts";
import { contextFrom } from "../threading/_context.ts";
import { currentThread } from "../threading/mod.ts";
import { Empty, type Queue, ShutDown } from "../queue/mod.ts";
import {
  type Answer,
  FREE,
  type FunctionDeposit,
  IDLE,
  QUEUED,
  RUNNING,
  type Task,
} from "./_protocol.ts";

type AnyFunction = (...args: unknown[]) => unknown;

/** Everything that a worker of a pool needs. */
export interface Post {
  readonly pool: number;
  readonly tasks: Queue<Task>;
  readonly answers: Queue<Answer>;
  readonly control: Int32Array;
  readonly states: SharedArrayBuffer;
  readonly initializer: AnyFunction | undefined;
  readonly initargs: unknown[];
}

const functions = new Map<number, AnyFunction>();

/** Runs a worker of a pool. */
export async function work(post: Post): Promise<void> {
  const { pool, tasks, answers, initializer, initargs } = post;
  const states = new Int32Array(post.states);
  const broken = (error: unknown) => answers.putNowait([pool, 0, 0, told(error), true]);
  const stay = atLeave(() => broken(new Error("A worker thread ended while its pool was in use")));
  try {
    await initializer?.(...initargs);
  } catch (error) {
    broken(error);
    return stay();
  }
  for (;;) {
    const next = soon(tasks) ?? await later(tasks, post.control);
    if (next === undefined) break;
    const [id, slot, key, context, chunk, ...args] = next;
    // Whoever changes the word first decides: the submitter may have taken the task back.
    if (Atomics.compareExchange(states, slot, QUEUED, RUNNING) !== QUEUED) {
      Atomics.store(states, slot, FREE);
      continue;
    }
    const begun = performance.now();
    let answer: Answer;
    try {
      const fn = functions.get(key) ?? await load(key);
      const value = runInContext(
        context === 0 ? new Context() : await contextFrom(context),
        chunk === 1 ? runChunk : fn,
        ...(chunk === 1 ? [fn, args[0]] : args),
      );
      const result = isThenable(value) ? await value : value;
      answer = [id, performance.now() - begun, result];
    } catch (error) {
      answer = [id, performance.now() - begun, 0, told(error)];
    }
    try {
      answers.putNowait(answer);
    } catch (error) {
      // The result cannot travel: that is how this one task ends.
      answers.putNowait([id, performance.now() - begun, 0, told(error)]);
    }
  }
  stay();
}

task(import.meta, work);

function told(error: unknown): EncodedError {
  return encodeError(error, { from: `thread ${currentThread().name}` });
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

async function later(tasks: Queue<Task>, control: Int32Array): Promise<Task | undefined> {
  Atomics.add(control, IDLE, 1);
  try {
    return await tasks.get();
  } catch (error) {
    if (error instanceof ShutDown) return undefined;
    throw error;
  }
}

async function load(key: number): Promise<AnyFunction> {
  const reference = withdraw(key, true) as FunctionDeposit;
  const url = reference.how === "search" ? reference.modules[0] : reference.module;
  const fn = await importingModules(url, () => resolve(reference)) as AnyFunction;
  functions.set(key, fn);
  return fn;
}

/** Runs a chunk of `map`: an argument list after the other, up to the first that fails. */
async function runChunk(...[fn, calls]: unknown[]): Promise<unknown> {
  const values: unknown[] = [];
  for (const args of calls as unknown[][]) {
    try {
      const value = (fn as AnyFunction)(...args);
      values.push(isThenable(value) ? await value : value);
    } catch (error) {
      return { values, error: told(error) };
    }
  }
  return { values };
}
