/**
 * A queue whose words another process has: served there, and called from here over the tree.
 *
 * Guarantees
 * - Who gives up has put or taken nothing: he says so to the server and waits for its answer, which is that the call was withdrawn, or
 *   that it had been carried out. In that case it counts.
 * - An item on its way to a process that ends goes back to where it was. The receiver says that he has it before his caller sees it;
 *   should he be killed between the two, it is lost with him.
 * - What one process puts is put in that order, whether or not it waits for the answer.
 * - How many items there are is answered from the last news, and asking brings fresh ones: who asks again and again sees every change.
 * - Putting into a queue without a size does not wait for the answer, unless there is more than {@linkcode WINDOW} on its way. What
 *   goes wrong is told at the next call. A process does not end before its answers have come.
 *
 * @module
 */
import type { PlaceHandle } from "./_arena.ts";
import { type Limit, ONCE, timerUntil } from "../threading/_core/mod.ts";
import type { Near } from "./_queue_memory.ts";
import { type Later, NONE, type Store } from "./_queue_store.ts";
import { endings } from "./_self.ts";
import type { Address, Handle, Remote, Service } from "./_tree.ts";

/** Bytes on their way to the server without an answer, before a `put` waits. */
const WINDOW = 1024 * 1024;
/** What an item counts beside its bytes. */
const OVERHEAD = 256;

/** Why a call was ended by its own caller. */
const WITHDRAWN = Symbol("withdrawn");

/** A queue as it travels. */
export interface Sent {
  readonly maxsize: number;
  /** What its service is known by, should it come home. */
  readonly key: string;
  /** How many items there were. */
  readonly size: number;
  /** The words, for whoever can map them. */
  readonly place: PlaceHandle | undefined;
  /** The queue as it is served, for whoever cannot; there is one whenever there are no words. */
  readonly handle: Handle | undefined;
}

/** Serves a queue. */
export class QueueService implements Service {
  /** The queue, for handles that come home, and what they know it by. */
  readonly near: Near;
  readonly key: string = crypto.randomUUID();
  readonly store: Store;
  /** Calls that wait, by caller and ticket. */
  readonly #waiting = new Map<string, AbortController>();
  /** Items on their way, by caller and ticket, the oldest first. */
  readonly #leaving = new Map<Address, Map<number, Uint8Array>>();

  constructor(near: Near) {
    this.near = near;
    this.store = near.store;
  }

  call(method: string, args: unknown[], from: Address, signal: AbortSignal): unknown {
    const { store } = this;
    const [ticket, waits, item] = args as [ticket: number, waits: boolean, item: Uint8Array];
    switch (method) {
      case "add":
        return store.tryPut(item);
      case "put":
        return this.#wait(from, ticket, waits, signal, (limit) => store.put(item, limit), false);
      case "get":
        return this.#get(from, ticket, waits, signal);
      case "took":
        return this.#took(from, ticket);
      case "done":
        return store.taskDone();
      case "join":
        return this.#wait(from, ticket, waits, signal, (limit) => store.join(limit), false);
      case "size":
        return store.ring.size;
      case "withdraw":
        return this.#waiting.get(`${from} ${ticket}`)?.abort(WITHDRAWN);
      default:
        throw new TypeError(`A queue has no method '${method}'`);
    }
  }

  gone(from: Address): void {
    const items = this.#leaving.get(from);
    this.#leaving.delete(from);
    for (const item of [...items?.values() ?? []].reverse()) this.store.tryPut(item, true);
  }

  async #get(
    from: Address,
    ticket: number,
    waits: boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    const get = (limit: Limit) => this.store.get(limit, (bytes) => bytes.slice());
    const item = await this.#wait(from, ticket, waits, signal, get, NONE);
    if (item === NONE) return undefined;
    if (signal.aborted) {
      this.store.tryPut(item, true);
      return undefined;
    }
    let items = this.#leaving.get(from);
    if (items === undefined) this.#leaving.set(from, items = new Map());
    items.set(ticket, item);
    return item;
  }

  #took(from: Address, ticket: number): void {
    const items = this.#leaving.get(from);
    items?.delete(ticket);
    if (items?.size === 0) this.#leaving.delete(from);
  }

  /** Something that waits until it is done, withdrawn (then it gives `none`), or its caller has ended. */
  async #wait<R>(
    from: Address,
    ticket: number,
    waits: boolean,
    signal: AbortSignal,
    act: (limit: Limit) => Later<R>,
    none: NoInfer<R>,
  ): Promise<R> {
    if (!waits) return await act(ONCE);
    const key = `${from} ${ticket}`;
    const controller = new AbortController();
    const end = () => controller.abort(WITHDRAWN);
    this.#waiting.set(key, controller);
    signal.addEventListener("abort", end);
    try {
      return await act({ deadline: Infinity, signal: controller.signal });
    } catch (error) {
      if (error === WITHDRAWN) return none;
      throw error;
    } finally {
      signal.removeEventListener("abort", end);
      this.#waiting.delete(key);
    }
  }
}

let nextTicket = 0;

/** A queue that is served elsewhere. */
export class Far {
  readonly remote: Remote;
  readonly maxsize: number;
  #under = 0;
  /** Those who wait for less to be on its way, and how little. */
  readonly #waiting = new Set<{ most: number; go: () => void }>();
  #late: { error: unknown } | undefined;
  readonly #flush = (): Promise<void> => this.drained(0);

  /** As it came, or as it is sent on: the words are for a receiver that can map them. */
  readonly sent: Omit<Sent, "handle">;
  #size: number;
  #asking = false;

  constructor(remote: Remote, sent: Omit<Sent, "handle">) {
    this.remote = remote;
    this.sent = sent;
    this.maxsize = sent.maxsize;
    this.#size = sent.size;
  }

  /** How many items there were according to the last news; asks for newer ones. */
  get size(): number {
    if (!this.#asking) {
      this.#asking = true;
      this.remote.call("size", [])
        .then((size) => this.#size = size as number, () => {})
        .finally(() => this.#asking = false);
    }
    return this.#size;
  }

  /** A handle for one more receiver. */
  handle(): Handle {
    return this.remote.handle();
  }

  /** Throws what went wrong in a call that nobody has waited for. */
  check(): void {
    const late = this.#late;
    this.#late = undefined;
    if (late !== undefined) throw late.error;
  }

  /** Puts without waiting for the answer: only into a queue without a size. */
  add(item: Uint8Array): void {
    this.check();
    this.#post("add", [0, false, item], item.length + OVERHEAD);
  }

  async put(item: Uint8Array, limit: Limit): Promise<boolean> {
    if (this.maxsize !== 0) return await this.#ask("put", limit, false, item);
    this.add(item);
    await this.drained(WINDOW);
    return true;
  }

  async get(limit: Limit): Promise<Uint8Array | undefined> {
    return await this.#ask("get", limit, undefined);
  }

  taskDone(): void {
    this.check();
    this.#post("done", [], OVERHEAD);
  }

  async join(limit: Limit): Promise<boolean> {
    const joined = await this.#ask("join", limit, false);
    // What was told before has been answered by now.
    this.check();
    return joined;
  }

  /** This process need not wait at its end for what is on its way. */
  leave(): void {
    endings.delete(this.#flush);
  }

  /** Waits until no more than that many bytes are on their way. */
  async drained(most: number): Promise<void> {
    if (this.#under <= most) return;
    await new Promise<void>((go) => this.#waiting.add({ most, go }));
  }

  async #post(method: string, args: unknown[], weight: number): Promise<void> {
    if (this.#under === 0) endings.add(this.#flush);
    this.#under += weight;
    try {
      if (await this.remote.call(method, args) !== false) return;
      throw new RangeError(
        "Cannot mark a task as done: taskDone was called for every item already",
      );
    } catch (error) {
      this.#late ??= { error };
    } finally {
      this.#under -= weight;
      for (const waiting of this.#waiting) {
        if (this.#under > waiting.most || !this.#waiting.delete(waiting)) continue;
        waiting.go();
      }
      if (this.#under === 0) endings.delete(this.#flush);
    }
  }

  /** Calls something that may wait, until its limit; `none` is what it gives when it was withdrawn. */
  async #ask<R>(method: string, limit: Limit, none: R, ...more: unknown[]): Promise<R> {
    this.check();
    const ticket = nextTicket = (nextTicket + 1) >>> 0;
    const waits = limit.deadline !== -Infinity;
    const { signal } = limit;
    const answer = this.remote.call(method, [ticket, waits, ...more]);
    const withdraw = () => this.remote.tell("withdraw", [ticket]);
    const stop = waits ? timerUntil(limit.deadline, withdraw) : undefined;
    signal?.addEventListener("abort", withdraw);
    let result: R;
    try {
      result = await answer as R;
    } finally {
      stop?.();
      signal?.removeEventListener("abort", withdraw);
    }
    if (result === none) signal?.throwIfAborted();
    else if (method === "get") this.remote.tell("took", [ticket]);
    return result;
  }
}
