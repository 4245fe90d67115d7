/**
 * Starts a child process and links it; the near side of `_child.ts`.
 *
 * The child gets its job through a file in a private folder, where the socket for its link is too. So it runs from the first moment,
 * even if this process now blocks its event loop: `process.start(); queue.getSync()` works.
 *
 * The child's program is the main module of this one, so that Deno finds the same configuration and import map for it, and
 * `Deno.mainModule` is the same. But it never gets there: the boot text, which Deno loads first, does the work and ends the process.
 *
 * Guarantees
 * - The pid is known at once. Standard output and error are this program's; standard input is empty.
 * - However this process ends, its children do: by the end of their link; on Linux also by the kernel (`PR_SET_PDEATHSIG`), which meets
 *   those that spin and do not look. For that the child is started through `setpriv`, if this process may run it.
 * - {@linkcode Child.ended} resolves when the child has ended and everybody in the tree knows. It is out of the process table then; but a
 *   warm child (`_forkserver.ts`) may be there for some milliseconds more.
 * - Only what is held (`hold`) keeps the event loop from ending.
 *
 * @module
 */
import { isAllGranted, isGranted, mustBeGranted } from "../threading/_core/granted.ts";
import { makeFolder, removeFolder, sweep } from "./_folder.ts";
import { type Link, SocketLink } from "./_link.ts";
import { attach } from "./_tree.ts";
import type { ChildJob } from "./_self.ts";
import { type Grant, grantFor, type Permissions } from "./_permissions.ts";

/** What to start. */
export interface Order {
  /** For messages: the name of the process. */
  readonly name: string;
  /** Its number among the children of this node. */
  readonly number: number;
  readonly executable: string;
  /** What `deno run` is to run. */
  readonly main: string;
  /** All modules that the child may have to import. */
  readonly modules: readonly string[];
  readonly permissions: Permissions;
  /** More flags for `deno run`. */
  readonly flags?: readonly string[];
  /** The job, but for what is settled here. */
  readonly job: Omit<ChildJob, "token" | "permissions" | "lent">;
  /** More for the child, as bytes. */
  readonly start: Uint8Array | undefined;
  /** The function of `_child.ts` that the child begins with. */
  readonly entry: "live" | "spare";
}

interface Holdable {
  ref(): void;
  unref(): void;
}

/** A child process. */
export class Child {
  readonly pid: number;
  /** How it ended: the exit code, or -N for signal N. Set before {@linkcode Child.ended} resolves. */
  code: number | undefined;
  readonly ended: Promise<void>;
  /** It is out of the process table. */
  readonly gone: Promise<void>;
  /** The link, once the child has come. */
  link: Link | undefined;
  readonly #process: Deno.ChildProcess;
  readonly #holdables = new Set<Holdable>();
  readonly #end = Promise.withResolvers<void>();
  #holds = 0;

  constructor(process: Deno.ChildProcess, door: Door, number: number) {
    this.#process = process;
    this.pid = process.pid;
    process.unref();
    this.#holdables.add(process).add(door);
    const status = statusOf(process);
    const asked = status.finally(() => door.lastCall());
    this.ended = this.#end.promise;
    living.add(this);
    this.gone = (async () => {
      this.link = await door.welcome(number);
      this.#holdables.delete(door);
      if (this.link !== undefined) this.#add(this.link);
      const code = await asked;
      await this.link?.ended;
      living.delete(this);
      this.#over(code);
    })();
  }

  /**
   * The child has said, as its last word, that it ends with that code. Only the system is still busy with it, which takes as long as a
   * warm child's whole work: nobody need wait for that.
   */
  saidGoodbye(code: number): void {
    this.link?.close();
    // After the tree has heard of it.
    this.link?.ended.then(() => this.#over(code));
  }

  #over(code: number): void {
    if (this.code !== undefined) return;
    this.code = code;
    for (const holdable of this.#holdables) if (this.#holds > 0) holdable.unref();
    this.#holdables.clear();
    this.#end.resolve();
  }

  #add(holdable: Holdable): void {
    this.#holdables.add(holdable);
    if (this.#holds > 0) refUnlessEnded(holdable);
  }

  /** Keeps the event loop going while the child lives. Counted. */
  hold(): void {
    if (this.#holds++ > 0) return;
    for (const holdable of this.#holdables) refUnlessEnded(holdable);
  }

  unhold(): void {
    if (--this.#holds === 0) { for (const holdable of this.#holdables) holdable.unref(); }
  }

  /** Sends a signal; nothing happens when the child has ended. */
  kill(signal: Deno.Signal): void {
    if (this.code !== undefined) return;
    try {
      this.#process.kill(signal);
    } catch (error) {
      // It has ended, and nobody has looked yet.
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

/** A child that has ended cannot be held, and nobody may have noticed its end yet. */
function refUnlessEnded(holdable: Holdable): void {
  try {
    holdable.ref();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

/** Where somebody is awaited. */
const doors = new Set<Door>();

/** Children that have not ended. */
const living = new Set<Child>();
let watching = false;

/** An orderly end of this process ends its children at once: those that do not look at their link, too. */
function watchForEnd(): void {
  if (watching) return;
  watching = true;
  addEventListener("unload", () => {
    for (const child of living) child.kill("SIGKILL");
    for (const door of doors) door.close();
  });
}

/**
 * Starts a child.
 *
 * @throws {Deno.errors.NotCapable} when a permission is missing.
 */
export function spawn(order: Order): Child {
  watchForEnd();
  const folder = naming(order.name, () => {
    mustBeGranted([{ name: "run", command: order.executable }]);
    return makeFolder("mp", `start ${order.name}`);
  });
  let door: Door | undefined;
  try {
    const grant = grantFor(order.permissions, folder, order.name);
    const token = crypto.randomUUID();
    const job: ChildJob = {
      ...order.job,
      token,
      permissions: grant.own,
      lent: grant.lent,
    };
    const process = naming(order.name, () => {
      Deno.writeTextFileSync(`${folder}/job`, JSON.stringify(job));
      if (order.start !== undefined) Deno.writeFileSync(`${folder}/start`, order.start);
      mustBeGranted([{ name: "net", host: `unix:${folder}/link` }]);
      door = new Door(folder, token);
      return run(order, folder, grant);
    });
    // The child has its own to do meanwhile.
    sweep(folder);
    return new Child(process, door!, order.number);
  } catch (error) {
    if (door !== undefined) door.close();
    else removeFolder(folder);
    throw error;
  }
}

function run(order: Order, folder: string, { flags }: Grant): Deno.ChildProcess {
  const args = [
    "run",
    "--no-prompt",
    "--quiet",
    ...flags,
    ...runtimeFlags(),
    ...order.flags ?? [],
    "--preload",
    `data:application/javascript,${encodeURIComponent(bootText(order, folder))}`,
    order.main,
    ...Deno.args,
  ];
  const wrapper = ["--pdeathsig", "KILL", order.executable, ...args];
  // A program that is not there is told of by Deno, not by setpriv. The kernel ends a child with the thread that started it; so does the
  // end of its link.
  const command = order.executable === Deno.execPath() && hasSetpriv()
    ? new Deno.Command("setpriv", { args: wrapper, stdin: "null" })
    : new Deno.Command(order.executable, { args, stdin: "null" });
  return command.spawn();
}

/** What the child runs. Its imports are literals: those need no permission. */
function bootText({ entry, modules }: Order, folder: string): string {
  const library = JSON.stringify(new URL("./_child.ts", import.meta.url).href);
  const imports = modules.map((url) => {
    const literal = JSON.stringify(url);
    return `${literal}: () => import(${literal})`;
  });
  return `import { ${entry} } from ${library}; await ${entry}(${JSON.stringify(folder)}, { ${
    imports.join(", ")
  } });`;
}

/** Where the child comes in. */
class Door {
  readonly #folder: string;
  readonly #token: string;
  readonly #listener: Deno.UnixListener;
  #closed = false;
  #knocked: Deno.Conn | undefined;

  constructor(folder: string, token: string) {
    this.#folder = folder;
    this.#token = token;
    this.#listener = Deno.listen({ transport: "unix", path: `${folder}/link` });
    this.#listener.unref();
    doors.add(this);
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }

  /** Waits for the child, and makes it a part of the tree; `undefined` when it has ended before it came. */
  async welcome(number: number): Promise<Link | undefined> {
    try {
      for (;;) {
        const link = new SocketLink(await this.#listener.accept());
        const token = await this.#firstFrame(link, number);
        if (token === this.#token) return link;
        link.close();
        await link.ended;
        if (this.#knocked !== undefined && token === OVER) return undefined;
      }
    } catch {
      // Closed.
      return undefined;
    } finally {
      this.close();
    }
  }

  /** The first frame of a link, as text; `undefined` when it ends before. What comes behind it goes to the tree already. */
  #firstFrame(link: Link, number: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      // Whoever comes says so at once.
      link.ref();
      link.open((frame) => {
        const text = new TextDecoder().decode(frame);
        if (text === this.#token) attach(number, link);
        link.unref();
        resolve(text);
      });
      link.ended.then(() => resolve(undefined));
    });
  }

  /**
   * The child has ended. It may have come and not been welcomed yet, because the event loop was blocked: so not the door is closed, but
   * somebody comes in behind it. When the socket is not there any more the child has come: it removes it then.
   */
  async lastCall(): Promise<void> {
    if (this.#closed) return;
    try {
      this.#knocked = await Deno.connect({ transport: "unix", path: `${this.#folder}/link` });
      const link = new SocketLink(this.#knocked);
      link.ref();
      link.send(new TextEncoder().encode(OVER));
      await link.ended;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) this.close();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    doors.delete(this);
    this.#listener.close();
    // The child may have done it.
    removeFolder(this.#folder);
  }
}

const OVER = "over";

/** The exit code, or -N for signal N. */
async function statusOf(process: Deno.ChildProcess): Promise<number> {
  try {
    const { code, signal } = await process.status;
    return signal === null ? code : 128 - code;
  } catch (error) {
    // Deno has no names for real-time signals.
    const [, number] = /Invalid signal: (\d+)/.exec(String(error)) ?? [];
    if (number === undefined) throw error;
    return -Number(number);
  }
}

function naming<R>(name: string, body: () => R): R {
  try {
    return body();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOSPC" || code === "EDQUOT") {
      throw Object.assign(noRoom(name, error as Error), { code });
    }
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    // That of a folder says itself what cannot be done.
    const { message } = (error.cause ?? error) as Error;
    throw new Deno.errors.NotCapable(
      `Cannot start ${name}: it takes --allow-run, --allow-read, --allow-write and --allow-net to start a process and talk to it: ${message}`,
      { cause: error },
    );
  }
}

function noRoom(name: string, cause: Error): Error {
  return new Error(
    `Cannot start ${name}: there is no room left for a temporary file; free some, or set TMPDIR to another folder: ${cause.message}`,
    { cause },
  );
}

let setpriv: boolean | undefined;

/** Whether there is a `setpriv` that lets the kernel end a child with its parent, and it may be run. */
function hasSetpriv(): boolean {
  return setpriv ??= findSetpriv();
}

function findSetpriv(): boolean {
  if (Deno.build.os !== "linux") return false;
  if (!isGranted({ name: "run", command: "setpriv" })) return false;
  try {
    // Tried on itself: there are others of that name that do less.
    const args = ["--pdeathsig", "KILL", "setpriv", "--version"];
    const command = new Deno.Command("setpriv", {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    });
    return command.outputSync().success;
  } catch {
    return false;
  }
}

/** Flags of the runtime that this process was started with and that a child needs, too: those that Deno finds no other way. */
const HANDED_ON =
  /^--(config|import-map|no-config|no-remote|no-npm|cached-only|unstable(-[\w-]+)?|v8-flags|cert|unsafely-ignore-certificate-errors|location|node-modules-dir|vendor|lock|no-lock|frozen|conditions|seed)(=|$)/;
const WITH_VALUE = /^--(config|import-map|cert|location|conditions|seed)$/;

let flagsOfRuntime: readonly string[] | undefined;

function runtimeFlags(): readonly string[] {
  return flagsOfRuntime ??= findRuntimeFlags();
}

/** Only a process that may do all may read its own command line. */
function findRuntimeFlags(): string[] {
  if (!isAllGranted()) return [];
  let line: string[];
  try {
    line = Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(1, -1);
  } catch {
    return [];
  }
  const own = line.slice(0, line.length - Deno.args.length);
  const flags: string[] = [];
  for (let i = 0; i < own.length; i++) {
    const flag = own[i] === "-c" ? "--config" : own[i];
    if (!HANDED_ON.test(flag)) continue;
    flags.push(flag);
    if (WITH_VALUE.test(flag)) flags.push(own[++i]);
  }
  return flags;
}
