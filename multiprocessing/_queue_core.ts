/**
 * What the three queues have in common, under names of their own: a queue that is {@linkcode Near} or {@linkcode Far}, its items as
 * values, and whether this process has closed it.
 *
 * Items are encoded before the queue is touched and decoded after it has been given back: neither can hold anybody up, and what fails
 * fails for one caller and one item.
 *
 * @module
 */
import {
  decode,
  decodeSync,
  discardEncoded,
  encode,
  encodeBriefly,
  hasObjects,
  type Limit,
  limitOf,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { hasPlatform, platform } from "../threading/_core/platform/mod.ts";
import { Empty, Full } from "../queue/mod.ts";
import { Far, QueueService, type Sent } from "./_queue_far.ts";
import { makeNear, type Near, reduceNear, reviveNear } from "./_queue_memory.ts";
import { hasRestricted } from "./_restricted.ts";
import { type Later, NONE } from "./_queue_store.ts";
import { isRawBytes, rawBytesHead } from "./_raw_bytes.ts";
import { cameHome, type Offer, offer, redeem } from "./_tree.ts";

/** The function of this library that the user called: stacks in errors begin above it. */
type Door = (...args: never[]) => unknown;

type Back = { readonly near: Near; readonly far?: undefined } | {
  readonly near?: undefined;
  readonly far: Far;
};

/** What an item is called in messages. */
const ROOT = { root: "item" };

/** See the head of this file. */
export class Core<T> {
  readonly maxsize: number;
  /** The class, for messages. */
  readonly #kind: string;
  readonly #act: string;
  readonly #back: Back;
  #service: QueueService | undefined;
  #offer: Offer | undefined;
  #closed = false;
  /** Whether something was put here. */
  #used = false;

  /** A queue of that class: a new one, or one that was sent here. */
  constructor(kind: string, maxsize: number, sent?: Sent) {
    this.#kind = kind;
    this.#act = `put into a ${kind}`;
    this.maxsize = maxsize;
    this.#back = sent === undefined
      ? { near: makeNear(maxsize, `make a ${kind}`) }
      : revive(kind, sent);
  }

  /** What travels. */
  send(): Sent {
    const { near, far } = this.#back;
    if (far !== undefined) return { ...far.sent, handle: far.remote.handle() };
    const place = reduceNear(near);
    const sent = { maxsize: this.maxsize, size: near.store.ring.size, place };
    // A handle is kept until it is redeemed, so it goes along only when somebody may need it.
    if (place !== undefined && !hasRestricted()) return { ...sent, key: "", handle: undefined };
    this.#service ??= new QueueService(near);
    this.#offer ??= offer(this.#service);
    return { ...sent, key: this.#service.key, handle: this.#offer.handle() };
  }

  async put(item: T, options: WaitOptions | undefined, what: string, door: Door): Promise<void> {
    const limit = limitOf(options, what);
    this.#mustBeOpen("put");
    this.#used = true;
    const { near, far } = this.#back;
    if (near !== undefined && isRawBytes(item)) {
      const put = near.store.put(item, limit, rawBytesHead());
      if (put !== true && !await put) throw this.#full();
      return;
    }
    const bytes = near === undefined ? this.#encode(item, door) : this.#encodeBriefly(item, door);
    try {
      const put = near === undefined ? far.put(bytes, limit) : near.store.put(bytes, limit);
      if (put !== true && !await put) throw this.#full();
    } catch (error) {
      discardEncoded(bytes);
      throw error;
    }
  }

  putSync(item: T, options: WaitOptions | undefined, what: string, door: Door): void {
    const limit = limitOf(options, what);
    const store = this.#waitable("putSync");
    this.#mustBeOpen("putSync");
    this.#used = true;
    if (isRawBytes(item)) {
      if (!store.putSync(item, limit, rawBytesHead())) throw this.#full();
      return;
    }
    const bytes = this.#encodeBriefly(item, door);
    if (store.putSync(bytes, limit)) return;
    discardEncoded(bytes);
    throw this.#full();
  }

  putNowait(item: T, door: Door): void {
    this.#mustBeOpen("putNowait");
    this.#used = true;
    const { near, far } = this.#back;
    if (far !== undefined) {
      if (this.maxsize !== 0) throw this.#cannot("putNowait");
      return far.add(this.#encode(item, door));
    }
    if (near.store.full) throw this.#full();
    const bytes = this.#encodeBriefly(item, door);
    if (near.store.tryPut(bytes)) return;
    discardEncoded(bytes);
    throw this.#full();
  }

  async get(options: WaitOptions | undefined, what: string): Promise<T> {
    const limit = limitOf(options, what);
    this.#mustBeOpen("get");
    const { near, far } = this.#back;
    if (near !== undefined) {
      const item = near.store.get(limit, opened);
      const value = item instanceof Promise ? await item : item;
      if (value === NONE) throw this.#empty();
      return value as T;
    }
    const bytes = await far.get(limit);
    if (bytes === undefined) throw this.#empty();
    return await decode(bytes) as T;
  }

  getSync(options: WaitOptions | undefined, what: string): T {
    const limit = limitOf(options, what);
    const store = this.#waitable("getSync");
    this.#mustBeOpen("getSync");
    const item = store.getSync(limit, decodeSync);
    if (item === NONE) throw this.#empty();
    return item as T;
  }

  getNowait(): T {
    this.#mustBeOpen("getNowait");
    const { near } = this.#back;
    if (near === undefined) throw this.#cannot("getNowait");
    const item = near.store.tryGet(decodeSync);
    if (item === NONE) throw this.#empty();
    return item as T;
  }

  qsize(): number {
    return this.#size;
  }

  empty(): boolean {
    // As in CPython, where only a queue that something was put into has anything to close.
    if (this.#used) this.#mustBeOpen("empty");
    return this.#size === 0;
  }

  full(): boolean {
    return this.maxsize !== 0 && this.#size >= this.maxsize;
  }

  get #size(): number {
    const { near, far } = this.#back;
    return near === undefined ? far.size : near.store.ring.size;
  }

  /** `false` when it was called too often; of a queue that is served elsewhere, the next call tells. */
  taskDone(): boolean {
    const { near, far } = this.#back;
    if (near !== undefined) return near.store.taskDone();
    far.taskDone();
    return true;
  }

  join(limit: Limit): Later<boolean> {
    const { near, far } = this.#back;
    return near === undefined ? far.join(limit) : near.store.join(limit);
  }

  joinSync(limit: Limit): boolean {
    return this.#waitable("joinSync").joinSync(limit);
  }

  close(): void {
    this.#closed = true;
  }

  async joinThread(): Promise<void> {
    if (!this.#closed) {
      throw new RangeError(
        `Cannot call ${this.#kind}.joinThread: the ${this.#kind} is not closed; call close() first`,
      );
    }
    const { far } = this.#back;
    await far?.drained(0);
    far?.check();
  }

  cancelJoinThread(): void {
    this.#back.far?.leave();
  }

  #encode(item: T, door: Door): Uint8Array<ArrayBuffer> {
    return encode(item, this.#act, door, ROOT);
  }

  /** For the store, which has copied the bytes before anything else is encoded. */
  #encodeBriefly(item: T, door: Door): Uint8Array<ArrayBuffer> {
    return encodeBriefly(item, this.#act, door, ROOT);
  }

  #mustBeOpen(method: string): void {
    if (!this.#closed) return;
    throw new RangeError(
      `Cannot call ${this.#kind}.${method}: the ${this.#kind} is closed in this process`,
    );
  }

  #full(): Full {
    return new Full(`Cannot put an item: the ${this.#kind} is full`);
  }

  #empty(): Empty {
    return new Empty(`Cannot get an item: the ${this.#kind} is empty`);
  }

  /** The queue, for a call that blocks. */
  #waitable(method: string): Near["store"] {
    const { near } = this.#back;
    if (near === undefined || !near.seat.sleeps) throw this.#cannot(method);
    return near.store;
  }

  #cannot(method: string): Error {
    const what = `call ${this.#kind}.${method}`;
    try {
      if (!hasPlatform()) platform(what);
    } catch (error) {
      return error as Error;
    }
    return new Deno.errors.NotCapable(
      `Cannot ${what}: the process that made the ${this.#kind} runs without --allow-ffi; grant it there, or await the async form`,
    );
  }
}

/** What an item is, or will be when its modules are there. The bytes have been read when this returns. */
function opened(bytes: Uint8Array): unknown {
  if (!hasObjects(bytes)) return decodeSync(bytes);
  const value = decode(bytes);
  // It may fail before it gets to who waits for it.
  value.catch(() => {});
  return value;
}

function revive(kind: string, { handle, ...sent }: Sent): Back {
  const what = `receive a ${kind}`;
  if (sent.place !== undefined && (handle === undefined || hasPlatform())) {
    try {
      return { near: reviveNear(sent.place, what) };
    } finally {
      // The words are held now, or nobody has them any more.
      if (handle !== undefined) redeem(handle).let();
    }
  }
  const home = cameHome(handle!);
  if (home instanceof QueueService && home.key === sent.key) return { near: home.near };
  return { far: new Far(redeem(handle!), sent) };
}
