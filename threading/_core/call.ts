/**
 * The two colours of a waiting call: takes a waiter into service, drives the slow path, puts the waiter out of service and turns an
 * abort into the signal's reason. Everything above this line is written once for both.
 *
 * @module
 */
import type { Limit } from "./clock.ts";
import { runAsync, runSync, type Slow } from "./drive.ts";
import { ABANDONED, block, discharge, engage, type Settled, unblock } from "./lot.ts";
import type { Revocable, Site } from "./park.ts";
import { ASYNC, SYNC } from "./words.ts";

/** A slow path that wants a waiter. */
export type Body = (waiter: number) => Slow<Settled>;

/**
 * The whole of a call that waits on the calling thread. While it does, this agent's asynchronous waiters do not count.
 */
export function* attendSync(site: Site, limit: Limit, body: Body): Slow<Settled> {
  const waiter = engage(site, SYNC);
  const waits = limit.deadline !== -Infinity;
  try {
    if (waits) yield* block(site);
    return yield* body(waiter);
  } finally {
    if (waits) yield* unblock(site);
    discharge(site, waiter);
  }
}

/**
 * The whole of a call that waits without blocking.
 *
 * The waiter is put out of service in the same turn in which it picks up what it was granted. Were it done by an awaiting caller:
 * 1. the waiter of a task T1 picks up its permit, and T1's promise is resolved;
 * 2. before T1 goes on, another task of the agent blocks in a `Sync` call and finds some other permit unclaimed;
 * 3. it takes back what its waiters were granted, T1's permit with the others, which T1 then uses all the same.
 */
export function* attendAsync(site: Site, body: Body, revocable?: Revocable): Slow<Settled> {
  const waiter = engage(site, ASYNC, revocable);
  try {
    return yield* body(waiter);
  } finally {
    discharge(site, waiter);
  }
}

/** Waits on the calling thread. */
export function callSync(site: Site, limit: Limit, body: Body): Settled {
  if (site.pending.size > 0) return runSync(site, attendSync(site, limit, body));
  // This agent has no asynchronous waiters to pass over, and can get none while it is blocked.
  const waiter = engage(site, SYNC);
  try {
    return runSync(site, body(waiter));
  } finally {
    discharge(site, waiter);
  }
}

/**
 * Waits without blocking. The slow path's first part, up to the point where it has to wait, runs before this returns.
 *
 * @throws The signal's reason, when it was aborted before there was a grant.
 */
export async function callAsync(
  site: Site,
  limit: Limit,
  body: Body,
  revocable?: Revocable,
): Promise<Settled> {
  const settled = await runAsync(site, attendAsync(site, body, revocable));
  if (settled === ABANDONED) throw limit.signal!.reason;
  return settled;
}
