/**
 * {@linkcode Thread}, and the functions that find threads.
 *
 * @module
 */
import { Context, copyContext } from "../contextvars/mod.ts";
import {
  bagOf,
  callAsync,
  callSync,
  enter,
  finish,
  finished,
  FOREVER,
  here,
  importInProgress,
  isLive,
  isMain,
  joinsMain,
  launch,
  type Limit,
  limitOf,
  listThreads,
  locate,
  MAIN_IDENT,
  modulesOf,
  mustRead,
  nameOf,
  nativeOf,
  nativeSaid,
  nextNumber,
  pack,
  PicklingError,
  type Reference,
  refuse,
  rename,
  setNative,
  type ThreadEntry,
  type ThreadKey,
  type WaitOptions,
} from "./_core/mod.ts";
import { entriesOf } from "./_context.ts";
import { canReadNative, readNative } from "./_native.ts";
import type { StartMessage } from "./_start.ts";
import { ThreadError } from "./errors.ts";
import { hookReference } from "./except_hook.ts";
import { traceReferences } from "./trace.ts";

/** Options of {@linkcode Thread}. */
export interface ThreadOptions<A extends unknown[] = unknown[]> {
  /** What the thread calls: an exported function of any module, or a static method of an exported class. It may be async. */
  target?: (...args: A) => unknown;
  /** What it is called with. Copied, but for shareable objects. */
  args?: A;
  /** Shown in messages; `"Thread-N (target)"` by default. */
  name?: string;
  /** Whether the program may end before the thread does. By default as the thread that makes it. */
  daemon?: boolean;
  /** The context that the target starts in a copy of; that of the call of `start` by default. */
  context?: Context;
}

/** Sent to another thread, a Thread would be a copy without a thread. */
const STAYS =
  "a Thread belongs to the thread that made it; others find it with enumerate(), or send its ident";

/** Where a worker's own Thread and the views of others' are made without starting anything. */
let adopting: ThreadEntry | undefined;

/**
 * A thread: calls an exported function in a worker, with no worker file.
 *
 * - The target's module is imported by the thread, with `import.meta.main` false there: guard what a script does with
 *   `if (import.meta.main)`. Threads share no variables; hand over what they are to share: `SharedArrayBuffer`s and all objects of
 *   this module are shared, everything else is copied.
 * - An async target is awaited; the thread lives until its promise settles. Its result is not kept: use `futures` for results.
 * - An error that leaves the target goes to {@linkcode setExcepthook | the excepthook} and ends only the thread.
 * - A program ends when its last thread that is not a daemon has ended.
 * - Instead of a target, an exported subclass may define `run`. Its own fields travel, but for `#private` ones; its constructor is
 *   not run again there.
 *
 * Needs `--allow-read` for the modules that threads import. Stands for Python's
 * {@link https://docs.python.org/3.14/library/threading.html#thread-objects | threading.Thread}.
 *
 * @example
 * ```ts no-eval
 * import { Lock, Thread } from "@batteries/concurrent/threading";
 *
 * export function count(lock: Lock, total: Int32Array): void {
 *   using _held = lock.holdSync();
 *   total[0] += 1;
 * }
 *
 * if (import.meta.main) {
 *   const lock = new Lock();
 *   const total = new Int32Array(new SharedArrayBuffer(4));
 *   const threads = [1, 2, 3].map(() => new Thread({ target: count, args: [lock, total] }));
 *   for (const thread of threads) thread.start();
 *   for (const thread of threads) await thread.join();
 *   console.log(total[0]); // 3
 * }
 * ```
 *
 * @typeParam A The parameters of the target.
 */
// deno-lint-ignore no-explicit-any -- a subclass that names no A may give its target any arguments
export class Thread<A extends unknown[] = any[]> {
  // Their types do not tell A, so that a Thread of any function is a Thread: of an array of them, for instance.
  readonly #target: ((...args: never[]) => unknown) | undefined;
  readonly #reference: Reference | undefined;
  readonly #args: unknown[];
  readonly #context: Context | undefined;
  #name: string;
  #daemon: boolean;
  #key: ThreadKey | undefined;
  #native: number | undefined;

  /**
   * Makes a thread that has not been started.
   *
   * @param options What it runs, and how it is called.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {PicklingError} When the target is a closure, bound, native, or not exported.
   */
  constructor(options: ThreadOptions<A> = {}) {
    if (adopting !== undefined) {
      const { record, ident, name, daemon } = adopting;
      this.#key = { record, ident };
      this.#name = name;
      this.#daemon = daemon;
      this.#target = options.target;
      this.#args = options.args ?? [];
      adopting = undefined;
      known.set(ident, new WeakRef(this));
      return;
    }
    check(options);
    this.#target = options.target;
    this.#reference = options.target &&
      locate(options.target, "start a thread with", new.target);
    this.#args = options.args ?? [];
    this.#context = options.context;
    this.#daemon = options.daemon ?? currentThread().daemon;
    this.#name = options.name ||
      `Thread-${nextNumber()}${options.target ? ` (${options.target.name})` : ""}`;
  }

  static {
    refuse(Thread, STAYS);
  }

  /** The name that messages show. It may be changed at any time, and need not be unique. */
  get name(): string {
    if (this.#key !== undefined) this.#name = nameOf(this.#key) ?? this.#name;
    return this.#name;
  }

  /** Changes the name. */
  set name(name: string) {
    if (typeof name !== "string") {
      throw new TypeError(`Cannot name a thread: the name must be a string, got ${typeof name}`);
    }
    this.#name = name;
    if (this.#key !== undefined) rename(this.#key, name);
  }

  /** Whether the program may end before the thread does. */
  get daemon(): boolean {
    return this.#daemon;
  }

  /** May be set before `start()` only; afterwards it throws a {@linkcode ThreadError}. */
  set daemon(daemon: boolean) {
    if (typeof daemon !== "boolean") {
      throw new TypeError(`Cannot set daemon: it must be a boolean, got ${typeof daemon}`);
    }
    if (this.#key !== undefined) {
      throw new ThreadError(`Cannot set daemon of ${this.name}: it has been started`);
    }
    this.#daemon = daemon;
  }

  /** The thread's number, never used again; `null` before `start()`. */
  get ident(): number | null {
    return this.#key?.ident ?? null;
  }

  /**
   * The operating system's identifier where it can be had (Linux, with all permissions), else a number that no other live thread
   * of this process has; `null` before `start()`.
   *
   * Where it can be had, only the thread itself can tell: asked for right after `start()`, this waits until it has begun.
   */
  get nativeId(): number | null {
    const key = this.#key;
    if (key === undefined) return null;
    if (key.ident === MAIN_IDENT || !canReadNative()) return Deno.pid + key.ident - MAIN_IDENT;
    if (this.#native === undefined && isLive(key) && nativeOf(key) === 0) {
      callSync(here(), FOREVER, (waiter) => nativeSaid(key, waiter));
    }
    this.#keepNative();
    return this.#native ?? null;
  }

  /** The directory forgets the identifier some time after the thread has ended. */
  #keepNative(): void {
    if (this.#native === undefined) this.#native = nativeOf(this.#key!) || undefined;
  }

  /**
   * Starts the thread and returns at once.
   *
   * @throws {ThreadError} When it has been started before, or a module is being imported for a thread: a script has to guard what it
   * does with `if (import.meta.main)`.
   * @throws {PicklingError} When an argument, or the subclass, cannot travel. The thread is then still not started.
   * @throws {Deno.errors.NotCapable} When read permission is missing.
   */
  start(): void {
    if (this.#key !== undefined) {
      throw new ThreadError(
        `Cannot start ${this.name}: it has been started before; make a new Thread`,
      );
    }
    mustNotImport();
    const message = this.#message();
    const key = enter(this.#name, this.#daemon);
    this.#key = key;
    try {
      launch({
        handler: new URL("./_start.ts", import.meta.url).href,
        message: { ...message, thread: { ...key, name: this.#name, daemon: this.#daemon } },
        thread: key,
        daemon: this.#daemon,
      });
    } catch (error) {
      finish(key);
      this.#key = undefined;
      throw error;
    }
    remember(key, this);
  }

  #message(): Omit<StartMessage, "thread"> {
    const what = "start a thread with";
    const door = Thread.prototype.start;
    if (this.#reference !== undefined) mayImport(this.#reference);
    return {
      target: this.#reference,
      args: pack(this.#args, what, door, { root: "args" }),
      self: this.#self(what, door),
      context: entriesOf(this.#context ?? copyContext(), door),
      excepthook: hookReference(),
      trace: traceReferences(),
    };
  }

  /** The instance, as its thread will have it; `undefined` where a plain Thread does. */
  #self(what: string, door: () => void): StartMessage["self"] {
    if (this.constructor === Thread && this.run === Thread.prototype.run) return undefined;
    try {
      const type = locate(this.constructor, what, door);
      mayImport(type);
      return { type, fields: pack({ ...this }, what, door, { root: this.constructor.name }) };
    } catch (error) {
      // A subclass that only calls its target is not needed there: the target does without the instance.
      if (this.run === Thread.prototype.run && error instanceof PicklingError) return undefined;
      throw error;
    }
  }

  /**
   * What the thread does: calls the target. An exported subclass may define it anew; it runs in the thread, with the instance's own
   * fields.
   *
   * @returns What the target returns.
   */
  run(): unknown {
    const target = this.#target;
    return target?.(...this.#args as never[]);
  }

  /**
   * Waits until the thread has ended, or time has run out: {@linkcode Thread.isAlive} tells which.
   *
   * @param options How long to wait.
   * @throws {ThreadError} When the thread has not been started, or is the calling thread.
   * @throws The signal's reason, when it is aborted.
   */
  async join(options?: WaitOptions): Promise<void> {
    const limit = limitOf(options, "Thread.join");
    const body = this.#joining(limit);
    if (body !== undefined) await callAsync(here(), limit, body);
    this.#joined();
  }

  /**
   * As {@linkcode Thread.join}, blocking the calling thread. `signal` is looked at once, at the call.
   *
   * @param options How long to wait.
   * @throws {ThreadError} When the thread has not been started, or is the calling thread.
   */
  joinSync(options?: WaitOptions): void {
    const limit = limitOf(options, "Thread.joinSync");
    const body = this.#joining(limit);
    if (body !== undefined) callSync(here(), limit, body);
    this.#joined();
  }

  /** What the thread left open is closed before the caller goes on: there may be no turn of the event loop for that. */
  #joined(): void {
    here().serve?.();
    this.#keepNative();
  }

  #joining(limit: Limit): ((waiter: number) => ReturnType<typeof finished>) | undefined {
    const key = this.#key;
    if (key === undefined) {
      throw new ThreadError(`Cannot join ${this.name}: it has not been started`);
    }
    if (key.ident === getIdent()) {
      throw new ThreadError(`Cannot join ${this.name}: a thread cannot wait for itself`);
    }
    if (key.ident === MAIN_IDENT && isLive(key)) joinsMain();
    return isLive(key) ? (waiter) => finished(key, waiter, limit) : undefined;
  }

  /** Whether the thread has been started and has not ended. */
  isAlive(): boolean {
    if (this.#key === undefined) return false;
    const alive = isLive(this.#key);
    if (!alive) here().serve?.();
    return alive;
  }
}

function check<A extends unknown[]>(options: ThreadOptions<A>): void {
  const wrong = (what: string) => new TypeError(`Cannot make a Thread: ${what}`);
  bagOf(options, "make a Thread", "{ target: work, args: [1] }");
  const { target, args, name, daemon, context } = options;
  if (target !== undefined && typeof target !== "function") {
    throw wrong(`target must be a function, got ${target === null ? "null" : typeof target}`);
  }
  if (args !== undefined && !Array.isArray(args)) {
    throw wrong(`args must be an array, got ${args === null ? "null" : typeof args}`);
  }
  if (name !== undefined && typeof name !== "string") {
    throw wrong(`name must be a string, got ${typeof name}`);
  }
  if (daemon !== undefined && typeof daemon !== "boolean") {
    throw wrong(`daemon must be a boolean, got ${typeof daemon}`);
  }
  if (context !== undefined && !(context instanceof Context)) {
    throw wrong("context must be a Context of contextvars");
  }
}

function mayImport(reference: Reference): void {
  for (const module of modulesOf(reference)) mustRead(module, "start a thread");
}

/** @throws {ThreadError} While this worker imports a module for a thread. */
function mustNotImport(): void {
  const url = importInProgress();
  if (url === undefined) return;
  throw new ThreadError(
    `Cannot start a thread while a thread imports ${url}: threads import the module of their target, so what a script does has to be guarded: if (import.meta.main) { … }`,
  );
}

/** Thread objects of this thread by ident. Those of threads that have ended go when the map has grown. */
const known = new Map<number, WeakRef<Thread>>();
let sweepAt = 64;

function remember(key: ThreadKey, thread: Thread): void {
  known.set(key.ident, new WeakRef(thread));
  if (known.size < sweepAt) return;
  const live = new Set(listThreads().map(({ ident }) => ident));
  for (const ident of known.keys()) if (!live.has(ident)) known.delete(ident);
  sweepAt = Math.max(64, known.size * 2);
}

/** The Thread object of a live thread: the one that is known here, or a new view of it. */
function threadOf(entry: ThreadEntry): Thread {
  return known.get(entry.ident)?.deref() ?? view(entry);
}

function view<A extends unknown[]>(
  entry: ThreadEntry,
  type: typeof Thread = Thread,
  options: ThreadOptions<A> = {},
): Thread<A> {
  adopting = entry;
  try {
    // Thread's constructor alone: a subclass's own has run where the thread was made.
    return Reflect.construct(Thread, [options], type) as Thread<A>;
  } finally {
    adopting = undefined;
  }
}

let current: Thread | undefined;
/** What is to be undone when the thread that this worker runs has ended. */
const endings: ((ident: number) => void)[] = [];

/** This worker becomes a thread. */
export function becomeThread<A extends unknown[]>(
  entry: ThreadEntry,
  type?: typeof Thread,
  options?: ThreadOptions<A>,
): Thread<A> {
  for (const ending of endings) ending(entry.ident);
  known.clear();
  const thread = view(entry, type, options);
  current = thread;
  if (nativeOf(entry) === 0) setNative(entry, readNative(entry.ident));
  return thread;
}

/**
 * Calls `ending` with the number of the next thread whenever this worker stops being one thread and becomes another; and once more,
 * with the same number, when that one's modules and arguments are loaded.
 */
export function atThreadChange(ending: (ident: number) => void): void {
  endings.push(ending);
}

/**
 * The Thread object of the calling thread.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.current_thread | threading.current_thread}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { currentThread } from "@batteries/concurrent/threading";
 *
 * assertEquals(currentThread().name, "MainThread");
 * ```
 */
export function currentThread(): Thread {
  return current ??= mainThread();
}

/**
 * The Thread object of the main thread.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.main_thread | threading.main_thread}.
 */
export function mainThread(): Thread {
  const entry = listThreads().find(({ ident }) => ident === MAIN_IDENT)!;
  const thread = threadOf(entry);
  if (isMain()) mainObject ??= thread;
  return thread;
}

/** Keeps the main thread's own object: it is known by a weak reference only. */
let mainObject: Thread | undefined;

/**
 * All threads that are alive, whoever started them, the main thread and the caller's included; oldest first.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.enumerate | threading.enumerate}.
 */
export function enumerate(): Thread[] {
  return listed().map(threadOf);
}

/** Whoever sees here that a thread has ended finds closed what it left open, as after a join. */
function listed(): ThreadEntry[] {
  const entries = listThreads();
  here().serve?.();
  return entries;
}

/**
 * How many threads are alive.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.active_count | threading.active_count}.
 */
export function activeCount(): number {
  return listed().length;
}

/**
 * The number of the calling thread, never used again for another.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.get_ident | threading.get_ident}.
 */
export function getIdent(): number {
  return current?.ident ?? currentThread().ident!;
}

/**
 * The operating system's identifier of the calling thread; see {@linkcode Thread.nativeId}.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.get_native_id | threading.get_native_id}.
 */
export function getNativeId(): number {
  return readNative(getIdent());
}

/**
 * The stack size of new threads: always 0, which is Deno's own.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.stack_size | threading.stack_size}.
 *
 * @param size The size to set, in bytes.
 * @throws {ThreadError} For any size but 0: Deno cannot set it.
 * @throws {TypeError} When `size` is not a number.
 * @throws {RangeError} When `size` is negative or not an integer.
 */
export function stackSize(size = 0): number {
  if (typeof size !== "number") {
    throw new TypeError(`Cannot set the stack size: it must be a number, got ${typeof size}`);
  }
  if (!Number.isInteger(size) || size < 0) {
    throw new RangeError(
      `Cannot set the stack size to ${size}: it must be an integer of 0 or more`,
    );
  }
  if (size !== 0) throw new ThreadError("Cannot set the stack size: Deno does not support it");
  return 0;
}
