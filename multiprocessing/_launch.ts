/**
 * From a `Process` to a child: which program, which modules, which way of starting.
 *
 * @module
 */
import { isNoFile, modulesOf, type Parcel, type Reference } from "../threading/_core/mod.ts";
import { isGranted } from "../threading/_core/granted.ts";
import { secret } from "../threading/_core/life.ts";
import { IMPORTING, PROCESS } from "./_child.ts";
import { spawnWarm } from "./_forkserver.ts";
import { inherited, type Permissions } from "./_permissions.ts";
import type { SimpleCall, Work } from "./_self.ts";
import { settings, type StartMethod } from "./_settings.ts";
import { type Child, type Order, spawn } from "./_spawn.ts";
import { address } from "./_tree.ts";

/** What is to be started. */
export interface Plan {
  readonly name: string;
  readonly identity: string;
  readonly daemon: boolean;
  readonly authkey: string;
  readonly permissions: Permissions;
  /** More flags for `deno run`. */
  readonly flags?: readonly string[];
  readonly parentName: string;
  readonly method: StartMethod;
  /** Functions and classes that the child has to have. */
  readonly references: readonly Reference[];
  /** The arguments, for the modules that they take. */
  readonly parcel: Parcel | undefined;
  readonly simple: SimpleCall | false;
  readonly start: Uint8Array | undefined;
}

let started = 0;

/**
 * Starts a child.
 *
 * @throws {Deno.errors.NotCapable} when a permission is missing.
 * @throws {Deno.errors.NotSupported} when the program is one that a child could not be part of.
 */
export function launchChild(plan: Plan): Child {
  if (Deno.build.standalone) {
    throw new Deno.errors.NotSupported(
      `Cannot start ${plan.name}: programs made by deno compile cannot start processes of this package; run the program with deno run`,
    );
  }
  const modules = [...new Set(plan.references.flatMap(modulesOf))];
  const main = mainFor(plan.name, modules);
  const number = started++;
  const work: Work = {
    modules,
    guard: modules.includes(main),
    simple: plan.simple,
  };
  const order: Order = {
    name: plan.name,
    number,
    executable: settings().executable ?? Deno.execPath(),
    main,
    modules: [...modules, ...more(plan, main, work)],
    permissions: plan.permissions,
    flags: plan.flags,
    job: {
      address: `${address()}/${number}`,
      parent: { pid: Deno.pid, name: plan.parentName },
      name: plan.name,
      identity: plan.identity,
      daemon: plan.daemon,
      authkey: keyFor(plan),
      settings: settings(),
      work,
    },
    start: plan.start,
    entry: "live",
  };
  if (plan.method === "spawn" || plan.flags !== undefined || !isFree(plan.permissions)) {
    return spawn(order);
  }
  return spawnWarm(order, {
    modules: [...new Set([IMPORTING, PROCESS, ...preloaded(main)])],
    number: () => started++,
    addressOf: (number) => `${address()}/${number}`,
  });
}

/** In place of this process's key, for those that may do less: with the key they could have managers run code. */
let lesserKey: string | undefined;

function keyFor({ authkey, permissions }: Plan): string {
  if (permissions === "inherit" || authkey !== secret().toHex()) return authkey;
  return lesserKey ??= crypto.getRandomValues(new Uint8Array(32)).toHex();
}

/** Whether children may do everything, as this process: then they can import what they are told later. */
function isFree(permissions: Permissions): boolean {
  return permissions === "inherit" && inherited().includes("-A");
}

/** What spares import ahead of time: what the user said, or the main module. */
function preloaded(main: string): string[] {
  const modules = settings().preload ?? ["__main__"];
  return modules.map((module) => {
    if (module === "__main__") return main;
    return /^(\.\.?)?\//.test(module) ? new URL(module, main).href : module;
  });
}

/**
 * What else the child imports: the library's own modules, if it is sure to need them; all that it may need, if it cannot import by
 * itself. Deno loads all these when the child starts, whether they are used or not.
 */
function more({ permissions, parcel }: Plan, main: string, { simple, guard }: Work): string[] {
  const modules: string[] = [];
  if (!simple) modules.push(PROCESS);
  if (guard) modules.push(IMPORTING);
  if (permissions !== "inherit") modules.push(PROCESS, IMPORTING, main);
  for (const special of parcel?.specials ?? []) {
    if (special.kind === "shareable") modules.push(special.module);
    else if (special.kind === "function" || special.kind === "instance") {
      modules.push(...modulesOf(special.reference));
    }
  }
  return modules;
}

/**
 * The program of the child: the main module. The child never gets there, so it need not be one that could be loaded, as that of
 * `deno eval` is none: Deno looks for the configuration from there.
 *
 * @throws {Deno.errors.NotSupported} when the target is in a program that is no file.
 */
function mainFor(name: string, modules: readonly string[]): string {
  const gone = modules.find((url) => !canLoad(url));
  if (gone !== undefined) {
    throw new Deno.errors.NotSupported(
      `Cannot start ${name}: its target is in ${gone}, which is no file; the child imports the module of its target, so put what it runs into a file, not into deno eval, the REPL or standard input`,
    );
  }
  return mainModule() ?? modules[0] ?? new URL("./_child.ts", import.meta.url).href;
}

function mainModule(): string | undefined {
  try {
    return Deno.mainModule;
  } catch {
    return undefined;
  }
}

function canLoad(url: string): boolean {
  if (isNoFile(url)) return false;
  if (!url.startsWith("file:")) return true;
  const path = new URL(url);
  // What may not be looked at is there, as far as we know.
  if (!isGranted({ name: "read", path })) return true;
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}
