/**
 * What a function is called between a submitter and the workers of a cluster: the alias of its module, and where it is among the
 * module's exports. No URL goes over the wire, so nobody can make a worker import what is not on its list.
 *
 * @module
 */
import {
  locate,
  modulesOf,
  namespaceOf,
  offersOf,
  PicklingError,
  type Reference,
  scanOf,
} from "../threading/_core/mod.ts";

// deno-lint-ignore ban-types -- classes too
type AnyFunction = Function;

/** Where a function is found: below a module that both sides have a name for. */
export interface TaskName {
  readonly alias: string;
  /** `["work"]`, `["Job", "run"]`. */
  readonly path: readonly string[];
  /** Whether it is one that `task(import.meta, fn)` has named. */
  readonly named: boolean;
}

const ALIAS = /^[A-Za-z_][\w.-]{0,63}$/;
/** A static method is as deep as what modules offer goes. */
const DEEPEST = 2;
const LONGEST = 256;

/** The modules that one side has names for. */
export class TaskModules {
  /** Alias and URL. */
  readonly urls: ReadonlyMap<string, string>;
  readonly #aliases = new Map<string, string>();
  readonly #names = new WeakMap<AnyFunction, TaskName>();

  /**
   * @throws {TypeError} when it is no table of URLs.
   * @throws {RangeError} when an alias is none.
   */
  constructor(tasks: Readonly<Record<string, string | URL>>, what: string) {
    const urls = new Map<string, string>();
    for (const [alias, given] of Object.entries(tasks)) {
      if (!ALIAS.test(alias)) {
        throw new RangeError(
          `Cannot ${what}: tasks has the alias ${
            JSON.stringify(alias)
          }, but one is a letter and up to 63 of A-Z a-z 0-9 _ . -`,
        );
      }
      if (!(given instanceof URL) && !(typeof given === "string" && URL.canParse(given))) {
        throw new TypeError(
          `Cannot ${what}: tasks.${alias} must be a URL, such as import.meta.resolve("./tasks.ts"), got ${
            typeof given === "string" ? JSON.stringify(given) : typeof given
          }`,
        );
      }
      const url = new URL(given).href;
      urls.set(alias, url);
      if (!this.#aliases.has(url)) this.#aliases.set(url, alias);
    }
    this.urls = urls;
  }

  /**
   * The name of a function. `door` as for `locate`.
   *
   * @throws {TypeError} when it is no function.
   * @throws {PicklingError} when no other program can have it, or its module has no alias.
   */
  nameOf(fn: AnyFunction, what: string, door: AnyFunction): TaskName {
    const known = this.#names.get(fn);
    if (known !== undefined) return known;
    const reference = locate(fn, what, door);
    const name = this.#byIdentity(fn) ?? this.#byReference(reference, fn);
    if (name === undefined) throw this.#unknown(reference, what);
    this.#names.set(fn, name);
    return name;
  }

  /** Looks into the modules that have an alias, as far as that can be done at once. */
  #byIdentity(fn: AnyFunction): TaskName | undefined {
    for (const [alias, url] of this.urls) {
      const namespace = namespaceOf(url);
      if (namespace === undefined) continue;
      for (const { path, value } of offersOf(namespace)) {
        if (value === fn) return { alias, path, named: false };
      }
    }
  }

  /** For a module that is being evaluated, or was named by `task`: what its text says. */
  #byReference(reference: Reference, fn: AnyFunction): TaskName | undefined {
    const url = modulesOf(reference).find((url) => this.#aliases.has(url));
    if (url === undefined) return undefined;
    const alias = this.#aliases.get(url)!;
    if (reference.how === "task") return { alias, path: [reference.name], named: true };
    if (reference.how === "export") return { alias, path: reference.path, named: false };
    // A method's name alone does not say whose it is.
    const isMethod = !/^(?:async\s+)?(?:function|class)\b|=>/.test(reference.source);
    if (isMethod || reference.name === "") return undefined;
    const exported = scanOf(url)?.exports.find(({ local }) => local === fn.name);
    return { alias, path: [exported?.name ?? reference.name], named: false };
  }

  #unknown(reference: Reference, what: string): PicklingError {
    const url = modulesOf(reference)[0];
    const aliases = [...this.urls.keys()];
    return new PicklingError(
      `Cannot ${what} a function of ${url}: ${
        this.#aliases.has(url)
          ? "while the module is being evaluated, only its exported functions can be told by name; submit later, or export a function"
          : `the executor has no name for that module; make it with tasks: { name: ${
            JSON.stringify(url)
          } }, and start workers with --tasks name=…${
            aliases.length === 0 ? "" : `; it has ${aliases.join(", ")}`
          }`
      }`,
    );
  }

  /** What a value names, for the wire: `undefined` when the other side has no name for its module. */
  outward(reference: Reference): Reference | undefined {
    const url = modulesOf(reference).find((url) => this.#aliases.has(url));
    if (url === undefined) return undefined;
    const module = this.#aliases.get(url)!;
    if (reference.how !== "search") return { ...reference, module };
    return { ...reference, modules: [module] };
  }

  /** What a value from the wire names here; `undefined` when that is nothing, or not well-formed. */
  inward(reference: Reference): Reference | undefined {
    const { how } = reference;
    if (how !== "export" && how !== "task" && how !== "search") return undefined;
    const alias = how === "search" ? reference.modules?.[0] : reference.module;
    const url = typeof alias === "string" ? this.urls.get(alias) : undefined;
    if (url === undefined) return undefined;
    if (how === "export") {
      return isPath(reference.path) ? { how, module: url, path: reference.path } : undefined;
    }
    if (typeof reference.name !== "string") return undefined;
    if (how === "task") return { how, module: url, name: reference.name };
    return typeof reference.source === "string"
      ? { how, modules: [url], name: reference.name, source: reference.source }
      : undefined;
  }

  /** Where the function is here that the wire names so; `undefined` when its module has no such name here. */
  referenceOf({ alias, path, named }: TaskName): Reference | undefined {
    const module = this.urls.get(alias);
    if (module === undefined || !isPath(path)) return undefined;
    if (named) return { how: "task", module, name: path[0] };
    return { how: "export", module, path };
  }
}

/** Whether that can be a path of exports. */
export function isPath(path: unknown): path is readonly string[] {
  return Array.isArray(path) && path.length > 0 && path.length <= DEEPEST &&
    path.every((step) =>
      typeof step === "string" && step.length <= LONGEST && step !== "prototype"
    );
}
