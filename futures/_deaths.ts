/**
 * Workers of thread pools that have died on their own, out of memory: the engine room says so in a letter, which arrives here and is
 * passed on to the pool.
 *
 * @module
 */
import type { Death } from "../threading/_core/mod.ts";

/** This module, as letters are addressed. */
export const DEATHS: string = import.meta.url;

const pools = new Map<number, WeakRef<Mourner>>();

/** What is told. */
export interface Mourner {
  /** A worker has died. */
  died(death: Death): void;
  /** A worker whose memory is capped has ended, and there was no letter yet; it may have ended as it should. */
  vanished(ident: number): void;
}

/** From now on `mourner` is told when the thread dies. */
export function watchForDeath(ident: number, mourner: Mourner): void {
  pools.set(ident, new WeakRef(mourner));
}

/** The thread has ended as it should. */
export function ended(ident: number): void {
  pools.delete(ident);
}

/** A letter. */
export function receive(death: Death): void {
  const mourner = pools.get(death.ident)?.deref();
  pools.delete(death.ident);
  mourner?.died(death);
}
