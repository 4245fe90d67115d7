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

/** Waits on the calling thread. While it does, this agent's asynchronous waiters do not count. */
export function callSync(site: Site, limit: Limit, body: Body): Settled {
  const waiter = engage(site, SYNC);
  const waits = limit.deadline !== -Infinity;
  if (waits) runSync(site, block(site));
  try {
    return runSync(site, body(waiter));
  } finally {
    if (waits) runSync(site, unblock(site));
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
  const waiter = engage(site, ASYNC, revocable);
  let settled: Settled;
  try {
    settled = await runAsync(site, body(waiter));
  } finally {
    discharge(site, waiter);
  }
  if (settled === ABANDONED) throw limit.signal!.reason;
  return settled;
}
