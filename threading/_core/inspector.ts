/**
 * Asks the engine where a function was written.
 *
 * Guarantees: asks only when `sys` permission is granted already (a question would be a prompt); synchronous; and never leaves a
 * session connected, because each later worker would start a second slower.
 *
 * Relies on two details of Deno 2.9: `post()` performs its operation at once and only defers the callback with
 * `process.nextTick`, so collecting the deferred calls makes it synchronous; and the scope of a module lists its variables even
 * while the module is being evaluated. Where either stops being true, the answer is `undefined` and the caller goes on without.
 *
 * @module
 */

import { builtin } from "./namespaces.ts";

/** What the engine knows about a function. */
export interface Origin {
  /** URL of its script; empty for code made by `eval` or `new Function`. */
  readonly url: string;
  /** It sees variables of a function or block around it. */
  readonly closure: boolean;
  /** Whether {@linkcode bindings} was looked for: CommonJS modules and evaluated strings have no module scope. */
  readonly inModule: boolean;
  /** Top-level variables of the module that hold it: `["work"]`, or one level down `["Job", "run"]`. */
  readonly bindings: readonly (readonly string[])[];
}

interface RemoteValue {
  readonly objectId?: string;
  readonly description?: string;
  readonly value?: unknown;
}

interface RemoteProperty {
  readonly name: string;
  readonly value?: RemoteValue;
}

interface RemoteProperties {
  readonly result: readonly RemoteProperty[];
  readonly internalProperties?: readonly RemoteProperty[];
}

interface Session {
  connect(): void;
  disconnect(): void;
  on(
    event: string,
    listener: (message: { params: { scriptId: string; url: string } }) => void,
  ): void;
  post(method: string, params: object, done: (error: unknown, result: unknown) => void): void;
}

interface Process {
  nextTick: (fn: (...args: unknown[]) => void, ...args: unknown[]) => void;
}

/** Where the function is passed to the engine, for the length of one call. */
const SLOT = "__batteries_concurrent_wanted__";

/** Where a function was written, or `undefined` when the engine may not or cannot be asked. */
export function originOf(fn: object): Origin | undefined {
  if (Deno.permissions.querySync({ name: "sys" }).state !== "granted") return undefined;
  const inspector = builtin<{ Session: new () => Session }>("node:inspector");
  if (inspector === undefined) return undefined;
  try {
    const session = new inspector.Session();
    session.connect();
    try {
      return new Inquiry(session).originOf(fn);
    } finally {
      session.disconnect();
    }
  } catch {
    return undefined;
  }
}

class Inquiry {
  readonly #session: Session;
  readonly #urls = new Map<string, string>();

  constructor(session: Session) {
    this.#session = session;
    session.on("Debugger.scriptParsed", ({ params }) => {
      this.#urls.set(params.scriptId, params.url);
    });
  }

  originOf(fn: object): Origin | undefined {
    const handle = this.#handleOf(fn);
    if (handle === undefined) return undefined;
    const { internalProperties = [] } = this.#propertiesOf(handle);
    const internal = (name: string) =>
      internalProperties.find((property) => property.name === name)?.value;
    const location = internal("[[FunctionLocation]]")?.value as { scriptId?: string } | undefined;
    const scopesHandle = internal("[[Scopes]]")?.objectId;
    if (location?.scriptId === undefined || scopesHandle === undefined) return undefined;
    const url = this.#urlOf(location.scriptId);
    if (url === undefined) return undefined;
    const scopes = this.#propertiesOf(scopesHandle).result
      .flatMap(({ value }) => value === undefined ? [] : [value]);
    const module = scopes.find((scope) => scope.description === "Module");
    return {
      url,
      closure: scopes.some(({ description }) =>
        !/^(?:Module|Global|Script)\b/.test(description ?? "")
      ),
      inModule: module?.objectId !== undefined,
      bindings: module?.objectId === undefined ? [] : this.#bindingsIn(module.objectId, handle),
    };
  }

  #handleOf(fn: object): string | undefined {
    const holder = globalThis as unknown as Record<string, unknown>;
    Object.defineProperty(holder, SLOT, { value: fn, configurable: true, enumerable: false });
    try {
      const { result } = this.#post<{ result: RemoteValue }>("Runtime.evaluate", {
        expression: `globalThis.${SLOT}`,
      });
      return result.objectId;
    } finally {
      delete holder[SLOT];
    }
  }

  #propertiesOf(objectId: string): RemoteProperties {
    return this.#post("Runtime.getProperties", { objectId, ownProperties: true });
  }

  /** The engine tells the URLs of all scripts when the debugger is switched on; left on, it would make every `await` slow. */
  #urlOf(scriptId: string): string | undefined {
    this.#post("Debugger.enable", {});
    this.#post("Debugger.disable", {});
    return this.#urls.get(scriptId);
  }

  /** Compares each variable of the module, and each data property one level down, with the function: inside the engine. */
  #bindingsIn(scope: string, fn: string): string[][] {
    const names: string[] = [];
    const values: { objectId: string }[] = [];
    for (const { name, value } of this.#propertiesOf(scope).result) {
      if (value?.objectId === undefined) continue;
      names.push(name);
      values.push({ objectId: value.objectId });
    }
    const found = this.#post<{ result: RemoteValue }>("Runtime.callFunctionOn", {
      objectId: fn,
      functionDeclaration: String(function (this: unknown, ...held: object[]) {
        const paths: [number, string?][] = [];
        held.forEach((value, at) => {
          if (value === this) paths.push([at]);
          if (Array.isArray(value) || ArrayBuffer.isView(value)) return;
          try {
            for (const key of Object.getOwnPropertyNames(value)) {
              if (Object.getOwnPropertyDescriptor(value, key)!.value === this) {
                paths.push([at, key]);
              }
            }
          } catch {
            // A binding of an imported namespace that is not initialized yet.
          }
        });
        return paths;
      }),
      arguments: values,
      returnByValue: true,
    });
    const paths = (found.result.value ?? []) as [number, string?][];
    return paths
      .sort((a, b) => a.length - b.length)
      .map(([at, key]) => key === undefined ? [names[at]] : [names[at], key]);
  }

  /** `Session.post` without waiting for the next tick. */
  #post<T>(method: string, params: object): T {
    const { process } = globalThis as unknown as { process: Process };
    const { nextTick } = process;
    const deferred: (() => void)[] = [];
    let error: unknown;
    let result: unknown;
    process.nextTick = (fn, ...args) => deferred.push(() => fn(...args));
    try {
      this.#session.post(method, params, (failure, value) => {
        error = failure;
        result = value;
      });
    } finally {
      process.nextTick = nextTick;
    }
    for (const run of deferred) run();
    if (error) throw error;
    if (result === undefined) throw new Error(`No answer to ${method}`);
    return result as T;
  }
}
