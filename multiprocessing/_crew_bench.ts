/**
 * What a worker of a crew does with its tasks: finds the function, makes the call, packs what comes of it. The same in a thread and in
 * a process.
 *
 * @module
 */
import {
  type EncodedError,
  encodeError,
  importingModules,
  type Reference,
  resolve,
} from "../threading/_core/values.ts";
import {
  type Answer,
  type AnyFunction,
  CALL,
  type ChunkResult,
  type Codec,
  ERROR,
  SPREAD,
  type Task,
  VALUE,
} from "./_crew_protocol.ts";
import { importsNow } from "./_self.ts";

type Callable = (...args: unknown[]) => unknown;
type Told = (error: unknown) => EncodedError;

/** See the head of this file. */
export class Bench<B> {
  readonly #codec: Codec<B>;
  /** What this worker is called in stacks. */
  readonly #from: string;
  readonly #references = new Map<number, Reference>();
  readonly #functions = new Map<number, Callable>();

  constructor(codec: Codec<B>, from: string) {
    this.#codec = codec;
    this.#from = from;
  }

  /** From now on `key` means this function. */
  learn(key: number, reference: Reference): void {
    this.#references.set(key, reference);
  }

  /** Calls the initializer. Its error is the caller's. */
  async begin(key: number, body: B): Promise<void> {
    const fn = await this.#load(key);
    await fn(...await this.#unpack(key, body) as unknown[]);
  }

  /** Carries out a task; at once, when all that it needs is there and it does not wait itself. Never throws, nor rejects. */
  perform(task: Task<B>): Answer<B> | Promise<Answer<B>> {
    const { key, form, body } = task;
    const fn = this.#functions.get(key);
    if (fn === undefined || task.begins !== undefined) return this.#performLater(task);
    const args = this.#unpackNow(body);
    if (args === undefined) return this.#performLater(task);
    const begun = performance.now();
    try {
      const value = form === CALL ? fn(...args) : runChunk(fn, args, form, this.#told);
      if (isThenable(value)) return this.#finish(task, begun, value);
      return this.#answer(task, begun, value);
    } catch (error) {
      return this.#failure(task, begun, error);
    }
  }

  async #performLater(task: Task<B>): Promise<Answer<B>> {
    const { key, form, body, begins } = task;
    let begun = performance.now();
    try {
      const fn = this.#functions.get(key) ?? await this.#load(key);
      const args = this.#unpackNow(body) ?? await this.#unpack(key, body);
      if (begins !== undefined) {
        await begins();
        begun = performance.now();
      }
      const value = form === CALL ? fn(...args) : runChunk(fn, args, form, this.#told);
      return this.#answer(task, begun, isThenable(value) ? await value : value);
    } catch (error) {
      return this.#failure(task, begun, error);
    }
  }

  async #finish(task: Task<B>, begun: number, value: PromiseLike<unknown>): Promise<Answer<B>> {
    try {
      return this.#answer(task, begun, await value);
    } catch (error) {
      return this.#failure(task, begun, error);
    }
  }

  #answer({ id }: Task<B>, begun: number, result: unknown): Answer<B> {
    const ran = performance.now() - begun;
    return { id, ran, kind: VALUE, body: this.#codec.pack(result, "return", "result", door) };
  }

  #failure({ id }: Task<B>, begun: number, error: unknown): Answer<B> {
    const ran = performance.now() - begun;
    return { id, ran, kind: ERROR, body: this.#codec.packError(this.told(error)) };
  }

  /** The answer that is given instead of one that cannot travel. */
  failed({ id, ran }: Answer<B>, why: unknown): Answer<B> {
    return { id, ran, kind: ERROR, body: this.#codec.packError(this.told(why)) };
  }

  /** What was thrown here, for the crew. */
  told(error: unknown): EncodedError {
    return this.#told(error);
  }

  readonly #told: Told = (error) =>
    encodeError(error, { from: this.#from, away: this.#codec.away });

  async #load(key: number): Promise<Callable> {
    const reference = this.#references.get(key)!;
    const url = reference.how === "search" ? reference.modules[0] : reference.module;
    const fn = await this.#importing(url, () => resolve(reference)) as Callable;
    this.#functions.set(key, fn);
    return fn;
  }

  #unpackNow(body: B): unknown[] | undefined {
    try {
      return this.#codec.unpackNow(body) as unknown[];
    } catch {
      // A module has to be imported first, or the error comes again.
      return undefined;
    }
  }

  #unpack(key: number, body: B): Promise<unknown[]> {
    const reference = this.#references.get(key)!;
    const url = reference.how === "search" ? reference.modules[0] : reference.module;
    return this.#importing(url, () => this.#codec.unpackSoon(body)) as Promise<unknown[]>;
  }

  /** What a script does when it is imported for a task is marked: it may start neither threads nor processes. */
  async #importing<R>(url: string, body: () => Promise<R>): Promise<R> {
    importsNow(url);
    try {
      return await importingModules(url, body);
    } finally {
      importsNow(undefined);
    }
  }
}

/** Where stacks of what cannot be returned begin: nothing of them is the user's. */
const door: AnyFunction = Bench.prototype.perform;

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** Makes one call after the other, up to the first that fails; gives a promise only when one of them does. */
function runChunk(
  fn: Callable,
  args: unknown[],
  form: number,
  told: Told,
): ChunkResult | Promise<ChunkResult> {
  const values: unknown[] = [];
  try {
    for (let i = 0; i < args.length; i += Math.abs(form)) {
      const value = callAt(fn, args, form, i);
      if (isThenable(value)) return awaitChunk(fn, args, form, told, values, i, value);
      values.push(value);
    }
  } catch (error) {
    return { values, error: told(error) };
  }
  return { values };
}

function callAt(fn: Callable, args: unknown[], form: number, i: number): unknown {
  if (form === 1) return fn(args[i]);
  return form === SPREAD ? fn(...args[i] as unknown[]) : fn(...args.slice(i, i + form));
}

/** The rest of a chunk, whose calls give promises. */
async function awaitChunk(
  fn: Callable,
  args: unknown[],
  form: number,
  told: Told,
  values: unknown[],
  at: number,
  first: PromiseLike<unknown>,
): Promise<ChunkResult> {
  try {
    values.push(await first);
    for (let i = at + Math.abs(form); i < args.length; i += Math.abs(form)) {
      const value = callAt(fn, args, form, i);
      values.push(isThenable(value) ? await value : value);
    }
  } catch (error) {
    return { values, error: told(error) };
  }
  return { values };
}
