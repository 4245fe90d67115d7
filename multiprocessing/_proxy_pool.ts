/**
 * The proxies of pools and of what they give.
 *
 * @module
 */
import { BaseProxy, callVia, proxiesOf } from "./_proxy.ts";
import { type IteratorProxy, sendable, waiting } from "./_proxy_types.ts";
import type { WaitOptions } from "../threading/_core/mod.ts";
import type { ChunkOptions } from "./pool.ts";

/** Functions, arguments and items travel twice: to the server, and from there to a worker. */
type Call = readonly [fn: unknown, argsOrItems: unknown, options?: unknown];

/**
 * The proxy of a pool. Functions are passed by reference, as to a pool of one's own; what they give stays in the server until it is asked
 * for. Callbacks are not offered: they could only be called in the server.
 */
export class PoolProxy extends BaseProxy implements AsyncDisposable {
  /** Calls a function in a worker and waits for its result. */
  async apply<A extends unknown[], R>(
    fn: (...args: A) => R,
    args: A = [] as unknown[] as A,
  ): Promise<Awaited<R>> {
    return await this.#call("apply", [fn, args]) as Awaited<R>;
  }

  /** Has a function called in a worker, and gives the proxy of the result that is on its way. */
  async applyAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    args: A = [] as unknown[] as A,
  ): Promise<AsyncResultProxy<Awaited<R>>> {
    return await this.#call("applyAsync", [fn, args]) as AsyncResultProxy<Awaited<R>>;
  }

  /** Calls a function for each item and waits for all results. */
  async map<A, R>(
    fn: (item: A) => R,
    iterable: Iterable<A>,
    options?: ChunkOptions,
  ): Promise<Awaited<R>[]> {
    return await this.#call("map", [fn, sendable(iterable), options]) as Awaited<R>[];
  }

  /** {@linkcode PoolProxy.map} that gives the proxy of the results, on their way, at once. */
  async mapAsync<A, R>(
    fn: (item: A) => R,
    iterable: Iterable<A>,
    options?: ChunkOptions,
  ): Promise<AsyncResultProxy<Awaited<R>[]>> {
    return await this.#call("mapAsync", [fn, sendable(iterable), options]) as AsyncResultProxy<
      Awaited<R>[]
    >;
  }

  /** {@linkcode PoolProxy.map} for items that are lists of arguments. */
  async starmap<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: Iterable<Readonly<A>>,
    options?: ChunkOptions,
  ): Promise<Awaited<R>[]> {
    return await this.#call("starmap", [fn, sendable(iterable), options]) as Awaited<R>[];
  }

  /** {@linkcode PoolProxy.starmap} that gives the proxy of the results, on their way, at once. */
  async starmapAsync<A extends unknown[], R>(
    fn: (...args: A) => R,
    iterable: Iterable<Readonly<A>>,
    options?: ChunkOptions,
  ): Promise<AsyncResultProxy<Awaited<R>[]>> {
    return await this.#call("starmapAsync", [fn, sendable(iterable), options]) as AsyncResultProxy<
      Awaited<R>[]
    >;
  }

  /** Calls a function for each item and gives the results one by one, in the order of the items. */
  imap<A, R>(
    fn: (item: A) => R,
    iterable: Iterable<A>,
    options?: ChunkOptions,
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#iterate("imap", [fn, sendable(iterable), options]);
  }

  /** {@linkcode PoolProxy.imap} that gives each result as soon as it is there. */
  imapUnordered<A, R>(
    fn: (item: A) => R,
    iterable: Iterable<A>,
    options?: ChunkOptions,
  ): AsyncIterableIterator<Awaited<R>> {
    return this.#iterate("imapUnordered", [fn, sendable(iterable), options]);
  }

  async *#iterate<R>(name: string, call: Call): AsyncGenerator<R, void> {
    using results = await this.#call(name, call) as IteratorProxy<R>;
    for await (const result of results) yield result;
  }

  async #call(name: string, [fn, args, options]: Call): Promise<unknown> {
    return await callVia(this, name, options === undefined ? [fn, args] : [fn, args, options]);
  }

  /** Lets the workers end when all calls have. */
  async close(): Promise<void> {
    await callVia(this, "close", []);
  }

  /** Ends the workers now. */
  async terminate(): Promise<void> {
    await callVia(this, "terminate", []);
  }

  /** Waits until the workers have ended. */
  async join(): Promise<void> {
    await callVia(this, "join", []);
  }

  /** The same as {@linkcode PoolProxy.terminate}, as for a pool of one's own. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }
}

/**
 * The proxy of the result of a call of a pool.
 *
 * @typeParam T The result.
 */
// deno-lint-ignore no-explicit-any -- nobody has said what it is
export class AsyncResultProxy<T = any> extends BaseProxy {
  /**
   * Waits for the result.
   *
   * @throws {TimeoutError} When time ran out.
   * @throws What the function has thrown.
   */
  async get(options?: WaitOptions): Promise<T> {
    return await waiting(this, "get", [], options) as T;
  }

  /** Waits until the call has ended, or time has run out. */
  async wait(options?: WaitOptions): Promise<void> {
    await waiting(this, "wait", [], options);
  }

  /** Whether the call has ended. */
  async ready(): Promise<boolean> {
    return await callVia(this, "ready", []) as boolean;
  }

  /** Whether the call has ended without an error; a `RangeError` when it has not ended. */
  async successful(): Promise<boolean> {
    return await callVia(this, "successful", []) as boolean;
  }
}

proxiesOf("Pool", PoolProxy);
proxiesOf("AsyncResult", AsyncResultProxy);
