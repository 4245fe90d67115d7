/**
 * {@linkcode Process}, and the functions that find processes.
 *
 * @module
 */
import {
  bagOf,
  decode,
  discardParcel,
  encode,
  importingModules,
  importInProgress,
  isMain,
  life,
  limitOf,
  locate,
  opened,
  pack,
  type Parcel,
  PicklingError,
  type Reference,
  refuse,
  resolve,
  secret,
  unpack,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { launchChild, type Plan } from "./_launch.ts";
import { checkPermissions, type Permissions } from "./_permissions.ts";
import { happens, ready, type Waitable } from "./_ready.ts";
import {
  about,
  type ChildJob,
  endings,
  moduleInImport,
  type SimpleCall,
  tellAbout,
  whoAmI,
} from "./_self.ts";
import { settle, type StartMethod } from "./_settings.ts";
import type { Child } from "./_spawn.ts";
import { ProcessError } from "./errors.ts";
import { log, nameFrom } from "./logging.ts";
import { showAs } from "./_show.ts";

/** Options of {@linkcode Process}. */
export interface ProcessOptions<A extends unknown[] = unknown[]> {
  /** What the process calls: an exported function of any module, or a static method of an exported class. It may be async. */
  target?: (...args: A) => unknown;
  /** What it is called with. Copied, but for the shareable objects of this package. */
  args?: A;
  /** Shown in messages; `"Process-N"` by default. */
  name?: string;
  /** Whether the process is ended with its parent instead of being waited for. By default as the process that makes it. */
  daemon?: boolean;
  /** What the process may do: as its parent (`"inherit"`, the default), nothing (`"none"`), or what is listed; never more. */
  permissions?: Permissions;
}

export type { Permissions };

export type { Waitable, WaitOptions };

/** Something that becomes ready when a process ends: for `connection.wait`. */
export interface Sentinel extends Waitable {}

/** Where the objects for this process and its parent are made, without starting anything. */
interface Adopted {
  readonly role: "self" | "parent" | "child";
  readonly name: string;
  readonly daemon: boolean;
  readonly pid: number;
  readonly authkey: Uint8Array<ArrayBuffer>;
  readonly child?: Child;
}

let adopting: Adopted | undefined;
let made = 0;

/** Says by which start method the processes of a class start; see `context.ts`. */
export const startMethod: unique symbol = Symbol("start method");

const STAYS = "a Process belongs to the process that made it; send its pid or name";

/**
 * A process: calls an exported function in another Deno, with no file of its own and no registration.
 *
 * - The target's module is imported by the child, with `import.meta.main` false there: guard what a script does with
 *   `if (import.meta.main)`. Processes share nothing; hand over what they are to share: queues, connections, locks and shared memory
 *   of this package arrive as the same thing, everything else is copied.
 * - Unlike in Python, the main module is imported only if the target, or something in its arguments, is in it. What travels names its own
 *   module, so nothing is missing without it, and a program whose target is elsewhere needs no guard. (The spares of `"forkserver"`
 *   import it ahead of time, see `setForkserverPreload`.)
 * - A thread may start processes, and waits for them at its end, but for daemons, which it ends. `activeChildren` and `join` know the
 *   processes of the thread that calls them.
 * - An async target is awaited; the process ends when its promise settles, and its threads and children that are not daemons have
 *   ended. Its result is not kept: use `futures` or a queue for results.
 * - Standard output and error are those of the program; standard input is empty.
 * - An error that leaves the target is printed on standard error and makes the exit code 1.
 * - The program waits for its processes, but for daemons: they are ended with it. However the program ends, none outlives it.
 * - Instead of a target, an exported subclass may define `run`. Its own fields travel, but for `#private` ones; its constructor is
 *   not run again there.
 *
 * Needs `--allow-run`, `--allow-read`, `--allow-write` and `--allow-net`. Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#process-and-exceptions | multiprocessing.Process}.
 *
 * @example
 * ```ts no-eval
 * import { Process } from "@batteries/concurrent/multiprocessing";
 *
 * export function greet(name: string): void {
 *   console.log(`Hello ${name} from process ${Deno.pid}`);
 * }
 *
 * if (import.meta.main) {
 *   const process = new Process({ target: greet, args: ["Bob"] });
 *   process.start();
 *   await process.join();
 *   console.log(process.exitcode); // 0
 * }
 * ```
 *
 * @typeParam A The parameters of the target.
 */
// deno-lint-ignore no-explicit-any -- a subclass that names no A may give its target any arguments
export class Process<A extends unknown[] = any[]> {
  // Its type does not tell A, so that a Process of any function is a Process.
  readonly #target: ((...args: never[]) => unknown) | undefined;
  readonly #reference: Reference | undefined;
  readonly #args: unknown[];
  readonly #permissions: Permissions;
  readonly #adopted: Adopted | undefined;
  readonly #identity: string;
  #name: string;
  #daemon: boolean;
  #authkey: Uint8Array<ArrayBuffer>;
  #child: Child | undefined;
  #closed = false;
  #sentinel: Sentinel | undefined;

  static {
    showAs(Process<never[]>, (process) => process.#shown());
    refuse(Process, STAYS);
  }

  /**
   * Makes a process that has not been started.
   *
   * @param options What it runs, and how it is called.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {PicklingError} When the target is a closure, bound, native, or not exported.
   */
  constructor(options: ProcessOptions<A> = {}) {
    this.#target = options?.target;
    this.#args = options?.args ?? [];
    this.#permissions = options?.permissions ?? "inherit";
    this.#child = adopting?.child;
    this.#adopted = adopting?.child === undefined ? adopting : undefined;
    if (adopting !== undefined) {
      this.#identity = whoAmI().job?.identity ?? "";
      this.#name = adopting.name;
      this.#daemon = adopting.daemon;
      this.#authkey = adopting.authkey;
      adopting = undefined;
      return;
    }
    check(options);
    this.#reference = options.target &&
      locate(options.target, "start a process with", new.target);
    const parent = currentProcess();
    this.#identity = [parent.#identity, ++made].filter((part) => part !== "").join(":");
    this.#name = options.name || `${new.target.name}-${this.#identity}`;
    this.#daemon = options.daemon ?? parent.#daemon;
    this.#authkey = parent.#authkey;
  }

  /** The name that messages show. It need not be unique; a change after `start()` is not seen by the process. */
  get name(): string {
    return this.#name;
  }

  /** Changes the name. */
  set name(name: string) {
    if (typeof name !== "string") {
      throw new TypeError(`Cannot name a process: the name must be a string, got ${typeof name}`);
    }
    this.#name = name;
    if (this.#adopted?.role === "self") tellAbout({ name });
  }

  /** Whether the process is ended with its parent instead of being waited for. A daemon may not start processes. */
  get daemon(): boolean {
    return this.#daemon;
  }

  /** May be set before `start()` only; afterwards it throws a {@linkcode ProcessError}. */
  set daemon(daemon: boolean) {
    if (typeof daemon !== "boolean") {
      throw new TypeError(`Cannot set daemon: it must be a boolean, got ${typeof daemon}`);
    }
    if (this.#child !== undefined || this.#adopted !== undefined) {
      throw new ProcessError(`Cannot set daemon of ${this.#name}: it has been started`);
    }
    this.#daemon = daemon;
  }

  /** The operating system's number of the process; `null` before `start()`. */
  get pid(): number | null {
    this.#mustBeOpen("look at");
    return this.#adopted?.pid ?? this.#child?.pid ?? null;
  }

  /** The same as `pid`. */
  get ident(): number | null {
    return this.pid;
  }

  /** How the process ended: its exit code, or `-N` if signal N ended it; `null` while it has not. */
  get exitcode(): number | null {
    this.#mustBeOpen("look at");
    return this.#child?.code ?? null;
  }

  /**
   * The key by which processes of this program know each other; see `connection`. A process has its parent's, as it was when the object
   * was made.
   */
  get authkey(): Uint8Array<ArrayBuffer> {
    return this.#authkey;
  }

  /** Changes the key, for this process object and for those it makes later. */
  set authkey(key: Uint8Array) {
    if (!(key instanceof Uint8Array)) {
      throw new TypeError(
        `Cannot set authkey of ${this.#name}: it must be a Uint8Array, got ${typeof key}`,
      );
    }
    this.#authkey = new Uint8Array(key);
    if (this.#adopted?.role === "self") life.secret = this.#authkey;
  }

  /**
   * Becomes ready when the process ends; for `connection.wait`.
   *
   * @throws {ProcessError} Before `start()`.
   */
  get sentinel(): Sentinel {
    this.#mustBeOpen("take the sentinel of");
    // This process does not outlive its parent: it never sees that ready.
    if (this.#adopted?.role === "parent") {
      return this.#sentinel ??= { [ready]: (limit) => happens(new Promise(() => {}), limit) };
    }
    const child = this.#started("take the sentinel of");
    return this.#sentinel ??= {
      async [ready](limit) {
        child.hold();
        try {
          return await happens(child.ended, limit);
        } finally {
          child.unhold();
        }
      },
    };
  }

  /**
   * What the process does: calls the target. An exported subclass may define it anew; it runs in the process, with the instance's own
   * fields.
   *
   * @returns What the target returns.
   */
  run(): unknown {
    return this.#target?.(...this.#args as never[]);
  }

  /**
   * Starts the process and returns at once. Its `pid` is known then.
   *
   * @throws {ProcessError} When it has been started before, this process is a daemon, or a module is being imported for a process: a
   * script has to guard what it does with `if (import.meta.main)`.
   * @throws {PicklingError} When an argument, or the subclass, cannot travel. The process is then still not started.
   * @throws {Deno.errors.NotCapable} When a permission is missing.
   * @throws {Deno.errors.NotFound} When no folder for temporary files can be used.
   * @throws {Error} With `code` `"ENOSPC"`, when there is no room left in it.
   */
  start(): void {
    this.#mustBeOpen("start");
    if (this.#child !== undefined || this.#adopted !== undefined) {
      throw new ProcessError(
        `Cannot start ${this.#name}: it has been started before; make a new Process`,
      );
    }
    const parent = currentProcess();
    if (parent.#daemon) {
      throw new ProcessError(
        `Cannot start ${this.#name}: ${parent.#name} is a daemon, and daemons may not start processes`,
      );
    }
    mustNotImport(this.#name);
    const plan = this.#plan(parent);
    const discard = () => plan.parcel !== undefined && discardParcel(plan.parcel);
    let child: Child;
    try {
      child = launchChild(plan);
    } catch (error) {
      discard();
      throw error;
    }
    this.#child = child;
    children.add(this);
    const ended = opened(`Process ${this.#name} (pid ${child.pid})`, this.start);
    log("DEBUG", `process ${this.#name} has pid ${child.pid}`);
    if (!this.#daemon) child.hold();
    child.ended.then(() => {
      children.delete(this);
      ended();
      // What it has not taken up.
      discard();
      if (!this.#daemon) child.unhold();
    });
  }

  #plan(parent: Process): Plan {
    const what = "start a process with";
    const door = Process.prototype.start;
    const type = this.#type(what, door);
    const simple = type === undefined ? simpleCall(this.#reference, this.#args) : undefined;
    // Reduced once: what is on its way twice and arrives once would be held for ever.
    const parcel = simple === undefined
      ? pack(this.#args, what, door, { root: "args", away: true })
      : undefined;
    const start = parcel !== undefined
      ? encode(
        {
          target: this.#reference,
          type: type?.reference,
          args: encode(parcel, what, door),
          fields: type?.fields,
        } satisfies Start,
        what,
        door,
      )
      : undefined;
    return {
      name: this.#name,
      identity: this.#identity,
      daemon: this.#daemon,
      authkey: this.#authkey.toHex(),
      permissions: this.#permissions,
      parentName: parent.#name,
      method: (this.constructor as { [startMethod]?: StartMethod })[startMethod] ?? settle(),
      references: [this.#reference, type?.reference].filter((reference) => reference !== undefined),
      parcel,
      simple: simple ?? false,
      start,
    };
  }

  /** The subclass and the own fields, where a plain Process does not do. */
  #type(
    what: string,
    door: () => void,
  ): { reference: Reference; fields: Uint8Array<ArrayBuffer> } | undefined {
    if (isPlain(this.constructor) && this.run === Process.prototype.run) return undefined;
    try {
      const reference = locate(this.constructor, what, door);
      const fields = encode({ ...this }, what, door, { root: this.constructor.name });
      return { reference, fields };
    } catch (error) {
      // A subclass that only calls its target is not needed there: the target does without the instance.
      if (this.run === Process.prototype.run && error instanceof PicklingError) return undefined;
      throw error;
    }
  }

  /**
   * Waits until the process has ended, or time has run out: {@linkcode Process.exitcode} tells which.
   *
   * @param options How long to wait.
   * @throws {ProcessError} When the process has not been started, or is no child of the calling process.
   * @throws The signal's reason, when it is aborted.
   */
  async join(options?: WaitOptions): Promise<void> {
    const limit = limitOf(options, "Process.join");
    this.#mustBeOpen("join");
    if (this.#adopted?.role === "parent") {
      await happens(new Promise(() => {}), limit);
      return;
    }
    const child = this.#started("join");
    child.hold();
    try {
      await happens(child.ended, limit);
    } finally {
      child.unhold();
    }
  }

  /** Whether the process has been started and has not ended. */
  isAlive(): boolean {
    this.#mustBeOpen("look at");
    if (this.#adopted !== undefined) return true;
    return this.#child !== undefined && this.#child.code === undefined;
  }

  /**
   * Sends `SIGINT`, as Ctrl-C does.
   *
   * @throws {ProcessError} Before `start()`.
   */
  interrupt(): void {
    this.#signal("interrupt", "SIGINT");
  }

  /**
   * Sends `SIGTERM`, which ends the process unless it listens to that.
   *
   * @throws {ProcessError} Before `start()`.
   */
  terminate(): void {
    this.#signal("terminate", "SIGTERM");
  }

  /**
   * Sends `SIGKILL`, which ends the process.
   *
   * @throws {ProcessError} Before `start()`.
   */
  kill(): void {
    this.#signal("kill", "SIGKILL");
  }

  #signal(act: string, signal: Deno.Signal): void {
    this.#mustBeOpen(act);
    this.#started(act).kill(signal);
  }

  /**
   * Gives up the object of a process that has ended; everything but its name is refused then. That of this process stays open.
   *
   * @throws {RangeError} When the process is running.
   */
  close(): void {
    if (this.#child !== undefined && this.#child.code === undefined) {
      throw new RangeError(
        `Cannot close ${this.#name}: it is running; join it or terminate it first`,
      );
    }
    this.#closed = this.#adopted?.role !== "self";
  }

  /** Terminates the process, if it is running, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed || this.#child === undefined) return;
    this.#child.kill("SIGTERM");
    await this.join();
  }

  #shown(): object {
    const name = this.#name;
    if (this.#closed) return { name, state: "closed" };
    const started = this.#adopted ?? this.#child;
    if (started === undefined) return { name, state: "initial" };
    const exitcode = this.#child?.code;
    if (exitcode !== undefined) return { name, pid: started.pid, state: "stopped", exitcode };
    return { name, pid: started.pid, state: "running" };
  }

  #started(act: string): Child {
    if (this.#child !== undefined) return this.#child;
    throw new ProcessError(
      this.#adopted === undefined
        ? `Cannot ${act} ${this.#name}: it has not been started`
        : `Cannot ${act} ${this.#name}: it is not a child of this process`,
    );
  }

  #mustBeOpen(act: string): void {
    if (!this.#closed) return;
    throw new RangeError(`Cannot ${act} ${this.#name}: the Process has been closed`);
  }
}

function check<A extends unknown[]>(options: ProcessOptions<A>): void {
  const wrong = (what: string) => new TypeError(`Cannot make a Process: ${what}`);
  bagOf(options, "make a Process", "{ target: work, args: [1] }");
  const { target, args, name, daemon, permissions } = options;
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
  if (permissions !== undefined) checkPermissions(permissions);
}

/** A class of this package, which the far side has by itself. */
// deno-lint-ignore ban-types -- classes are functions
function isPlain(type: Function): boolean {
  return type === Process || Object.hasOwn(type, startMethod);
}

/** @throws {ProcessError} While this process, or a thread of it, imports a module to do its work. */
function mustNotImport(name: string): void {
  const url = moduleInImport() ?? importInProgress();
  if (url === undefined) return;
  throw new ProcessError(
    `Cannot start ${name} while a process imports ${url}: processes import the module of their target, so what a script does has to be guarded: if (import.meta.main) { … }`,
  );
}

/** What a child is told when it is more than a plain call. */
interface Start {
  readonly target: Reference | undefined;
  /** Of a subclass: the class and the own fields. */
  readonly type: Reference | undefined;
  readonly fields: Uint8Array | undefined;
  readonly args: Uint8Array;
}

/** A call that the child can make without the library; `undefined` when it is not one. */
function simpleCall(
  reference: Reference | undefined,
  args: readonly unknown[],
): SimpleCall | undefined {
  if (reference === undefined || reference.how === "task") return undefined;
  if (!args.every(isSimple)) return undefined;
  const list = [...args] as SimpleCall["args"];
  if (reference.how === "export") {
    return { module: reference.module, path: reference.path, source: undefined, args: list };
  }
  const [module, ...others] = reference.modules;
  if (others.length > 0 || reference.name === "") return undefined;
  return { module, path: [reference.name], source: reference.source, args: list };
}

function isSimple(value: unknown): boolean {
  switch (typeof value) {
    case "string":
      return value.isWellFormed();
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "boolean":
      return true;
    default:
      return value === null;
  }
}

/** The child's side of `start()`, when it takes more than a plain call. */
export async function runHere(bytes: Uint8Array | undefined): Promise<void> {
  const { job } = whoAmI();
  const start = bytes === undefined ? undefined : await decode(bytes) as Start;
  const simple = job!.work.simple;
  const first = job!.work.modules[0] ?? "the modules of its arguments";
  const parcel = start && await decode(start.args) as Parcel;
  // The modules of the target are there, and those of this package start nothing.
  const imports = start?.fields !== undefined || hasReferences(parcel);
  const process = await (imports ? importingModules : alone)(first, async () => {
    if (start === undefined && simple) {
      const { module, path, source } = simple;
      const reference: Reference = source === undefined
        ? { how: "export", module, path }
        : { how: "search", modules: [module], name: path[0], source };
      return adopt(undefined, { target: await resolve(reference) as Target, args: simple.args });
    }
    const target = start!.target && await resolve(start!.target) as Target;
    const type = start!.type && await resolve(start!.type) as typeof Process;
    const args = await unpack(parcel!) as unknown[];
    const fields = start!.fields && await decode(start!.fields);
    return Object.assign(adopt(type, { target, args }), fields);
  });
  log("INFO", "child process calling self.run()");
  await process.run();
}

function alone<R>(_url: string, body: () => Promise<R>): Promise<R> {
  return body();
}

/** Whether something in a parcel is found in a module of the user's. */
function hasReferences(parcel: Parcel | undefined): boolean {
  return parcel?.specials?.some(({ kind }) =>
    kind === "function" || kind === "instance" || kind === "error"
  ) ?? false;
}

type Target = (...args: unknown[]) => unknown;

/** This process's own object, of the class that it was started with. */
function adopt(
  type: typeof Process | undefined,
  options: { target: Target | undefined; args: readonly unknown[] },
): Process {
  const args = [...options.args];
  currentProcess();
  return current = make(selfAsIs(), type ?? Process, { ...options, args });
}

function make(
  what: Adopted,
  type: typeof Process = Process,
  options: ProcessOptions = {},
): Process {
  adopting = what;
  try {
    // Process's constructor alone: a subclass's own has run where the process was made.
    return Reflect.construct(Process, [options], type) as Process;
  } finally {
    adopting = undefined;
  }
}

let current: Process | undefined;
let currentJob: ChildJob | undefined;
let parent: Process | undefined;
/** Processes that this one has started and that have not ended. */
const children = new Set<Process>();
/** Those that nobody waits for at the end. */
const helpers = new Set<Process>();

function selfAsIs(): Adopted {
  const { job, name } = about();
  return {
    role: "self",
    name: name ?? job?.name ?? "MainProcess",
    daemon: job?.daemon ?? false,
    pid: Deno.pid,
    authkey: secret(),
  };
}

/**
 * The Process object of the calling process.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.current_process | multiprocessing.current_process}.
 *
 * @example
 * ```ts
 * import { currentProcess } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(currentProcess().name, "MainProcess");
 * assertEquals(currentProcess().pid, Deno.pid);
 * ```
 */
export function currentProcess(): Process {
  const { job } = whoAmI();
  // A spare may have been asked while it was nobody in particular; a worker becomes one thread after another.
  if (current === undefined || currentJob !== job) current = make(selfAsIs());
  currentJob = job;
  return current;
}

/**
 * The Process object of the process that started this one; `null` in the program's first.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.parent_process | multiprocessing.parent_process}.
 */
export function parentProcess(): Process | null {
  const { job } = whoAmI();
  if (job === undefined) return null;
  const { pid, name } = job.parent;
  return parent ??= make({
    role: "parent",
    name,
    pid,
    daemon: false,
    authkey: currentProcess().authkey,
  });
}

/** Shows a process that was started for something else, such as a pool's worker, among {@linkcode activeChildren} until it ends. */
export function showChild(child: Child, name: string, daemon: boolean): void {
  const { pid } = child;
  const shown = make({ role: "child", name, daemon, pid, authkey: secret(), child });
  helpers.add(shown);
  child.ended.then(() => helpers.delete(shown));
}

/**
 * The processes that the calling process has started and that have not ended: the workers of its pools and the servers of its managers
 * are among them.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.active_children | multiprocessing.active_children}.
 */
export function activeChildren(): Process[] {
  return [...children, ...helpers];
}

/**
 * How many logical processors the machine has.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.cpu_count | multiprocessing.cpu_count}.
 */
export function cpuCount(): number {
  return navigator.hardwareConcurrency;
}

/**
 * Does nothing: programs made by `deno compile` cannot start processes of this package, and say so when they try.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.freeze_support | multiprocessing.freeze_support}.
 */
export function freezeSupport(): void {}

nameFrom(() => currentProcess().name);

// A child waits for what it has started itself; so does a thread, whose end is the end of the way to them.
endings.add(async () => {
  if (isMain()) log("INFO", "process shutting down");
  for (const child of children) if (child.daemon) child.terminate();
  while (children.size > 0) await [...children][0].join();
  if (isMain()) log("INFO", `process exiting with exitcode ${Deno.exitCode}`);
});
