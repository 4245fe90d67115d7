/**
 * What a pool knows of a task that has not ended.
 *
 * @module
 */
import type { EncodedError, Limit } from "../threading/_core/mod.ts";
import type { Letter } from "./_payload.ts";
import { type ERROR, isRunning, type RESULT } from "./_protocol.ts";
import { B_STATE, type Ring } from "./_ring.ts";
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

/** A task that has not ended. */
export class Item implements Origin {
  readonly host: Host;
  readonly ring: Ring;
  readonly block: number;
  /** Its place in the pool's table. */
  readonly index: number;
  readonly serial: number;
  readonly key: number;
  readonly future: Future<unknown>;
  readonly submitted: number = performance.now();
  readonly terms: RunOptions | undefined;
  /** When it is to be stopped, once that is known. */
  deadline = Infinity;
  /** Forgets its timer and its signal. */
  release: (() => void) | undefined;
  /** Present where another thread has submitted it. */
  readonly forward: Forward | undefined;
  /** The tasks of this pool that it waits for. */
  waits: Set<Item> | undefined;
  /** Whether the pool has forgotten it: its block may be another's. */
  over = false;

  constructor(
    host: Host,
    ring: Ring,
    block: number,
    numbers: { index: number; serial: number; key: number },
    future: Future<unknown>,
    terms: RunOptions | undefined,
    forward: Forward | undefined,
  ) {
    this.host = host;
    this.ring = ring;
    this.block = block;
    this.index = numbers.index;
    this.serial = numbers.serial;
    this.key = numbers.key;
    this.future = future;
    this.terms = terms;
    this.forward = forward;
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
