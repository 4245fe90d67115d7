/**
 * Start methods and contexts: {@linkcode setStartMethod} and its kin.
 *
 * @module
 */
import { emptyStock } from "./_forkserver.ts";
import { ProcessError } from "./errors.ts";
import { Process, type ProcessOptions, startMethod } from "./process.ts";
import { change, currentMethod, settings, settle, type StartMethod } from "./_settings.ts";

export type { StartMethod };

const METHODS = ["spawn", "forkserver"] as const;

/**
 * The start methods that there are, the default first.
 *
 * `"spawn"` starts a new Deno for each process. `"forkserver"` keeps a few in stock that have started already. Python's `"fork"` cannot be
 * had in Deno, as on Windows.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.get_all_start_methods | multiprocessing.get_all_start_methods}.
 *
 * @example
 * ```ts
 * import { getAllStartMethods } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(getAllStartMethods(), ["spawn", "forkserver"]);
 * ```
 */
export function getAllStartMethods(): ["spawn", "forkserver"] {
  return [...METHODS];
}

/** Options of {@linkcode getStartMethod}. */
export interface GetStartMethodOptions {
  /** `true`: `null` when none has been set, instead of settling for the default. */
  allowNone?: boolean;
}

/**
 * The start method of processes. If none has been set, it is the default from now on.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.get_start_method | multiprocessing.get_start_method}.
 */
export function getStartMethod(options: { allowNone: true }): StartMethod | null;
/** The start method of processes, settled from now on. */
export function getStartMethod(options?: GetStartMethodOptions): StartMethod;
export function getStartMethod(options?: GetStartMethodOptions): StartMethod | null {
  if (options?.allowNone && settings().method === undefined) return null;
  return settle();
}

/** Options of {@linkcode setStartMethod}. */
export interface SetStartMethodOptions {
  /** Changes the method even if it has been set before. */
  force?: boolean;
}

/**
 * Sets how processes are started, once in a program, under `if (import.meta.main)`. Children inherit it.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.set_start_method | multiprocessing.set_start_method}.
 *
 * @param method The method; `null` with `force` for none again.
 * @param options Whether to force it.
 * @throws {RangeError} When there is no such method: `"fork"` above all.
 * @throws {ProcessError} When it has been set before.
 */
export function setStartMethod(method: StartMethod | null, options?: SetStartMethodOptions): void {
  if (method !== null) mustBeMethod(method);
  if (settings().method !== undefined && !options?.force) {
    throw new ProcessError(
      `Cannot set the start method to "${method}": it is "${currentMethod()}" already; set it once, before anything starts, or pass { force: true }`,
    );
  }
  change({ method: method ?? undefined });
}

/** @throws {RangeError} When there is no such method. */
function mustBeMethod(method: unknown): asserts method is StartMethod {
  if ((METHODS as readonly unknown[]).includes(method)) return;
  throw new RangeError(
    `Cannot find a context for ${Deno.inspect(method)}: ${
      method === "fork" ? "Deno cannot fork; " : ""
    }the start methods are "spawn" and "forkserver"`,
  );
}

/**
 * Sets the program that runs children, instead of this Deno. Children inherit it.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.set_executable | multiprocessing.set_executable}.
 *
 * @param path Where the executable is.
 * @throws {TypeError} When it is neither a string nor a file URL.
 */
export function setExecutable(path: string | URL): void {
  if (path instanceof URL && path.protocol === "file:") {
    return change({ executable: decodeURIComponent(path.pathname) });
  }
  if (typeof path !== "string" || path === "") {
    throw new TypeError(
      `Cannot set the executable: it must be a path or a file URL, got ${Deno.inspect(path)}`,
    );
  }
  change({ executable: path });
}

/**
 * Sets which modules the spares of `"forkserver"` import ahead of time; `"__main__"`, the main module, by default. A module that fails is
 * passed over.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.set_forkserver_preload | multiprocessing.set_forkserver_preload}.
 *
 * @param modules URLs, names from the import map, or paths as the main module would write them.
 * @throws {TypeError} When it is not an array of strings.
 */
export function setForkserverPreload(modules: string[]): void {
  if (!Array.isArray(modules) || !modules.every((module) => typeof module === "string")) {
    throw new TypeError("Cannot preload modules: they must be an array of strings");
  }
  change({ preload: [...modules] });
}

/** `Process` as a start method's context has it. */
class SpawnProcess<A extends unknown[] = unknown[]> extends Process<A> {
  static readonly [startMethod] = "spawn";
}

class ForkServerProcess<A extends unknown[] = unknown[]> extends Process<A> {
  static readonly [startMethod] = "forkserver";
}

/** What a context has beside the exports of the package. */
export interface ContextMethods {
  /** The method of this context. */
  getStartMethod(): StartMethod;
  /** Throws: a context has its method. */
  setStartMethod(method: StartMethod | null, options?: SetStartMethodOptions): void;
  /** The class whose processes start by this context's method. */
  Process: new <A extends unknown[] = unknown[]>(options?: ProcessOptions<A>) => Process<A>;
  /**
   * Ends the processes that this thread keeps in stock for `"forkserver"`; the next that is started fills the stock again. They end with
   * the program anyway: this is for who wants nothing left before, such as a test under `--sanitize-resources`.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

type Start = (options?: unknown) => unknown;

/** What of the package starts processes by itself, or gives contexts: with this one, unless another is named. */
function started(namespace: object, context: ContextMethods): object {
  const { Pool, Manager } = namespace as Record<"Pool" | "Manager", Start | undefined>;
  const withContext = (options: unknown): unknown => {
    if (options === undefined) return { context };
    if (typeof options === "number") return { processes: options, context };
    return typeof options === "object" && options !== null ? { context, ...options } : options;
  };
  const { getContext } = namespace as { getContext?: (method?: StartMethod) => unknown };
  return {
    // Of a context, the context itself.
    ...getContext && {
      getContext: (method = context.getStartMethod()) => getContext(method),
    },
    ...Pool && {
      // As `_pool_factory.ts` has it: with `new` or without.
      Pool: new Proxy(Pool, {
        apply: (pool, self, [options]: [unknown?]) =>
          Reflect.apply(pool, self, [withContext(options)]),
        construct: (pool, [options]: [unknown?], type) =>
          Reflect.construct(pool, [withContext(options)], type),
      }),
    },
    ...Manager && { Manager: (options?: unknown) => Manager(withContext(options)) },
  };
}

const made = new Map<unknown, Map<StartMethod, object>>();

/**
 * The context of a start method: all of `namespace`, with {@linkcode ContextMethods} in place of what depends on the method. The same
 * object every time. For `getContext`.
 *
 * @throws {RangeError} When there is no such method.
 */
export function contextOf<N extends object>(
  namespace: N,
  method?: StartMethod,
): Omit<N, keyof ContextMethods> & ContextMethods {
  if (method === undefined) method = getStartMethod();
  mustBeMethod(method);
  const fixed = method;
  let contexts = made.get(namespace);
  if (contexts === undefined) made.set(namespace, contexts = new Map());
  let context = contexts.get(fixed);
  if (context === undefined) {
    const methods: ContextMethods = {
      getStartMethod: () => fixed,
      setStartMethod: (wanted) => {
        throw new RangeError(
          `Cannot set the start method of a context to "${wanted}": this one is for "${fixed}"; take another with getContext`,
        );
      },
      Process: fixed === "spawn" ? SpawnProcess : ForkServerProcess,
      [Symbol.asyncDispose]: () => fixed === "spawn" ? Promise.resolve() : emptyStock(),
    };
    contexts.set(fixed, context = { ...namespace, ...methods, ...started(namespace, methods) });
  }
  return context as Omit<N, keyof ContextMethods> & ContextMethods;
}
