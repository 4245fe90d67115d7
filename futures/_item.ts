/**
 * What a pool knows of a task that has not ended.
 *
 * @module
 */
import type { EncodedError, Limit } from "../threading/_core/mod.ts";
import type { Letter } from "./_payload.ts";
import { type ERROR, isRunning, type RESULT } from "./_protocol.ts";
import { B_INDEX, B_KEY, B_SERIAL, B_STATE, type Ring } from "./_ring.ts";
import type { RunOptions } from "./_terms.ts";
import type { Future, Origin } from "./future.ts";

/** Tells a thread that has submitted a call to the pool of another how it has ended. */
export type Forward = (
  ...ended: [kind: typeof RESULT, letter: Letter] | [kind: typeof ERROR, error: EncodedError]
) => void;

/** The pool, for its tasks. */
export interface Host {
  takeBack(item: Item): boolean;
  pump(limit: Limit): boolean;
}

/** What few tasks have. */
export interface Extras {
  readonly terms: RunOptions | undefined;
  /** Present where another thread has submitted it. */
  readonly forward: Forward | undefined;
  /** Forget its timer and its signal. */
  forgetTime: (() => void) | undefined;
  forgetSignal: (() => void) | undefined;
}

/** What such a task has; `undefined` for most. */
export function extrasOf(terms: RunOptions | undefined, forward?: Forward): Extras | undefined {
  if (terms === undefined && forward === undefined) return undefined;
  return { terms, forward, forgetTime: undefined, forgetSignal: undefined };
}

/** A task that has not ended. There may be many thousands of them, so they are small. */
export class Item implements Origin {
  readonly host: Host;
  readonly ring: Ring;
  readonly block: number;
  readonly future: Future<unknown>;
  readonly submitted: number = performance.now();
  readonly extras: Extras | undefined;
  /** Whether the pool has forgotten it: its block may be another's. */
  over = false;

  constructor(
    host: Host,
    ring: Ring,
    block: number,
    future: Future<unknown>,
    extras: Extras | undefined,
  ) {
    this.host = host;
    this.ring = ring;
    this.block = block;
    this.future = future;
    this.extras = extras;
  }

  /** Its place in the pool's table. As what follows it is in the block, until the task is over. */
  get index(): number {
    return this.ring.words[this.block + B_INDEX];
  }

  get serial(): number {
    return this.ring.words[this.block + B_SERIAL];
  }

  /** The number of its function. */
  get key(): number {
    return this.ring.words[this.block + B_KEY];
  }

  /** See _protocol.ts. */
  get state(): number {
    return Atomics.load(this.ring.words, this.block + B_STATE);
  }

  /** Whether the state was `from`, and is now `to`. */
  change(from: number, to: number): boolean {
    return Atomics.compareExchange(this.ring.words, this.block + B_STATE, from, to) === from;
  }

  running(): boolean {
    return !this.over && isRunning(this.state);
  }

  cancel(): boolean {
    return !this.over && this.host.takeBack(this);
  }

  pump(limit: Limit): boolean {
    return this.host.pump(limit);
  }
}
