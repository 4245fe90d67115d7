/**
 * How locks travel: as a place in shared memory, for whoever can map it, and as an object to call, for whoever cannot.
 *
 * A handle to call is kept by its home until it is redeemed, so it goes along only when it may be needed: when there is no memory to
 * map, or when this program has started a process that may not map any (see `_restricted.ts`). A receiver that can map lets go
 * of it.
 *
 * @module
 */
import type { PlaceHandle } from "./_arena.ts";
import { hasPlatform, platform } from "../threading/_core/platform/mod.ts";
import { type Far, farOf, handleOf, seatOf } from "./_sync_far.ts";
import { hasRestricted } from "./_restricted.ts";
import { type Home, reduceSeat, reviveSeat } from "./_sync_seat.ts";
import {
  address,
  cameHome,
  discardHandle,
  type Handle,
  redeem,
  type Remote,
  type Service,
} from "./_tree.ts";

/** A lock, as data. */
export interface Parts {
  readonly place: PlaceHandle | undefined;
  readonly call: Handle | undefined;
  /** What else the class wants to know on the other side. */
  readonly extra: unknown;
}

/** One kind of lock. */
export interface Kind<Near, F extends Far> {
  /** For messages: "Lock". */
  readonly name: string;
  near(seat: Home): Near;
  readonly far: new (remote: Remote) => F;
  serve(seat: Home): Service;
}

/** The lock behind `port`, as data. */
export function reduce<Near, F extends Far>(
  kind: Kind<Near, F>,
  port: (Near & { seat: Home }) | F,
  extra?: unknown,
): Parts {
  if (port instanceof kind.far) return { place: undefined, call: port.handle(), extra };
  const { seat } = port as { seat: Home };
  const place = reduceSeat(seat);
  const call = place === undefined || hasRestricted() ? handleOf(seat, kind.serve) : undefined;
  return { place, call, extra };
}

/** What was made for the way of a lock is taken back. */
export function discard(parts: unknown): void {
  const { call } = parts as Parts;
  if (call !== undefined) discardHandle(call);
}

/** The lock of which the data was made. */
export function revive<Near, F extends Far>(kind: Kind<Near, F>, parts: Parts): Near | F {
  const { place, call } = parts;
  if (place !== undefined && (hasPlatform() || call === undefined)) {
    if (call !== undefined) redeem(call).let();
    return kind.near(reviveSeat(place, `receive a ${kind.name}`));
  }
  if (call === undefined) platform(`receive a ${kind.name}`);
  if (call!.home === address()) {
    const service = cameHome(call!);
    const seat = service && seatOf(service);
    if (seat !== undefined) return kind.near(seat);
  }
  return farOf(kind.far, call!);
}
