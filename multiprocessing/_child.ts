/**
 * What runs first in a child process; the far side of `_spawn.ts`.
 *
 * 1. It reads its job, a file: it can start although the parent does not turn its event loop meanwhile.
 * 2. It connects to the parent, which need not answer for that, and says its token. Then it removes the file and the socket: whatever
 *    happens from now on, nothing of it is left.
 * 3. It gives back the permissions that it had for this.
 * 4. It imports what it needs, by functions that `_spawn.ts` wrote into the boot text with literal imports: those need no permission.
 * 5. It does its work, waits for its threads and children, and ends.
 *
 * It ends when the link to the parent does, so that no child outlives the program.
 *
 * It loads little: a process that calls a plain function starts nearly as fast as an empty program. `process.ts` and all that it needs
 * is loaded when the target, its arguments or its module ask for it.
 *
 * A spare (`_forkserver.ts`) does steps 1 to 3, imports what it is told to import ahead of time, and waits for another job by its link.
 *
 * @module
 */
import { type Link, note, SocketLink } from "./_link.ts";
import {
  become,
  type ChildJob,
  endings,
  importsNow,
  type SimpleCall,
  startBytes,
  whoAmI,
  type Work,
} from "./_self.ts";

type Namespace = Record<string, unknown>;
/** What `process.ts` is for a child. */
interface Runner {
  runHere(start: Uint8Array | undefined): Promise<void>;
}

/** What `threading/_core/importing.ts` is for a child. */
interface Importing {
  importingModules<R>(url: string, body: () => Promise<R>): Promise<R>;
}
type AnyFunction = (...args: unknown[]) => unknown;

/** Modules by their URL, as literal imports. */
export type Modules = Readonly<Record<string, () => Promise<Namespace>>>;

/** A child's life. `folder` has its job and its way to the parent. */
export async function live(folder: string, modules: Modules): Promise<never> {
  const job = await join(folder);
  await run(job, modules);
  await prepareEnd();
  return Deno.exit();
}

/** What a spare is sent: its job, and the bytes that go with it. Other frames are for the tree. */
export const JOB = 20;
export const START = 21;

/** A spare's life. */
export async function spare(folder: string, modules: Modules): Promise<never> {
  const first = await join(folder);
  const { up: link } = whoAmI();
  // Until somebody is told of it, the job keeps the event loop going.
  link!.ref();
  const given = receiveJob(link!);
  for (const url of first.work.modules) {
    try {
      await load({ ...first.work, modules: [url] }, modules);
    } catch {
      // Who needs that module will be told.
    }
  }
  link!.send(note(first.address, "ready"));
  const { job, start } = await given;
  link!.unref();
  become({ address: first.address, up: link, job }, start);
  await run(job, modules);
  await prepareEnd();
  // In one turn with the end: nothing can come between.
  link!.send(note(first.address, `bye ${Deno.exitCode}`));
  link!.push();
  return Deno.exit();
}

function receiveJob(
  link: Link,
): Promise<{ job: ChildJob; start: Uint8Array<ArrayBuffer> | undefined }> {
  return new Promise((resolve) => {
    let start: Uint8Array<ArrayBuffer> | undefined;
    link.open((frame) => {
      // What the tree says to a process that knows nobody is of no interest.
      if (frame[0] === START) start = frame.slice(1);
      if (frame[0] !== JOB) return;
      link.open(undefined);
      resolve({ job: JSON.parse(new TextDecoder().decode(frame.subarray(1))), start });
    });
  });
}

/** Steps 1 to 3. */
async function join(folder: string): Promise<ChildJob> {
  const job: ChildJob = JSON.parse(Deno.readTextFileSync(`${folder}/job`));
  const start = job.work.simple ? undefined : Deno.readFileSync(`${folder}/start`);
  let conn: Deno.Conn;
  try {
    conn = await Deno.connect({ transport: "unix", path: `${folder}/link` });
  } catch {
    // The parent is gone, and nobody is left to be told.
    remove(folder);
    return Deno.exit(1);
  }
  const link = new SocketLink(conn);
  link.send(new TextEncoder().encode(job.token));
  link.push();
  remove(folder);
  for (const lent of job.lent) Deno.permissions.revokeSync(lent);
  link.ended.then(() => Deno.exit(1));
  if (Deno.ppid !== job.parent.pid) Deno.exit(1);
  become({ address: job.address, up: link, job }, start);
  return job;
}

function remove(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch {
    // The parent does it.
  }
}

/** Steps 4 and 5; what goes wrong is told on standard error. */
async function run({ name, work, settings }: ChildJob, modules: Modules): Promise<void> {
  try {
    const loaded = await load(work, modules);
    // What is logged takes the library.
    const target = !settings.toStderr && work.simple && find(work.simple, loaded);
    if (target) await target(...(work.simple as SimpleCall).args);
    else {
      const { runHere } = await get<Runner>(PROCESS, modules);
      await runHere(startBytes());
    }
  } catch (error) {
    tell(name, error);
    Deno.exitCode = 1;
  }
}

async function load({ modules: urls, guard }: Work, modules: Modules): Promise<Loaded> {
  const loaded: Loaded = new Map();
  const all = async () => {
    for (const url of urls) {
      importsNow(url);
      loaded.set(url, await get<Namespace>(url, modules));
    }
  };
  try {
    if (!guard) await all();
    else {
      // What such a module does later, too, is marked.
      const { importingModules } = await get<Importing>(IMPORTING, modules);
      await importingModules(urls[0], all);
    }
  } finally {
    importsNow(undefined);
  }
  return loaded;
}

type Loaded = Map<string, Namespace>;

/** Where more of the library is. Not imported by a literal here: Deno would load it at every start. */
export const PROCESS: string = new URL("./process.ts", import.meta.url).href;
export const IMPORTING: string = new URL("../threading/_core/importing.ts", import.meta.url).href;

/** Imports a module. A child that may not read has a literal import of it in its boot text. */
async function get<N>(url: string, modules: Modules): Promise<N> {
  return await (modules[url] === undefined ? import(url) : modules[url]()) as N;
}

/** The function itself; `undefined` when it takes more to find it. */
function find(
  { module, path, source }: SimpleCall,
  loaded: Loaded,
): AnyFunction | undefined {
  let value: unknown = loaded.get(module);
  for (const key of path) {
    const own = Object.getOwnPropertyDescriptor(Object(value), key);
    if (own === undefined || !("value" in own)) return undefined;
    value = own.value;
  }
  if (typeof value !== "function") return undefined;
  if (source === undefined) return value as AnyFunction;
  const same = Function.prototype.toString.call(value) === source && value.name === path.at(-1);
  return same ? value as AnyFunction : undefined;
}

/** Prints what left the target, as Python does. */
function tell(name: string, error: unknown): void {
  let text: string;
  try {
    text = Deno.inspect(error, { colors: false });
  } catch {
    text = "an error that cannot be shown";
  }
  let bytes = new TextEncoder().encode(`Process ${name}:\n${text}\n`);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // Nobody reads it.
  }
}

/** The target has ended. */
async function prepareEnd(): Promise<void> {
  for (const ending of endings) await ending();
  await whoAmI().up?.flush();
}
