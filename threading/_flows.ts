/**
 * Flows, the owners of reentrant locks within one thread, and what they hold while some of their tasks wait for a condition.
 *
 * @module
 */
import { type Context, currentContext } from "../contextvars/context.ts";

/** No flow. */
export const NO_FLOW = 0;
/** The flow of all `Sync` calls of a thread. */
export const BLOCKING = 1;

const flows = new WeakMap<Context, number>();
let last = BLOCKING;

/** The number of the calling asynchronous flow, which is its context. */
export function currentFlow(): number {
  const context = currentContext();
  let flow = flows.get(context);
  if (flow === undefined) flows.set(context, flow = ++last);
  return flow;
}

/** Of one flow. Invariant: `0 < waiters <= holds`. */
interface Suspended {
  holds: number;
  waiters: number;
}

/**
 * The holds of flows of which some tasks wait for a condition. The first that waits gives the lock up for all of its flow, for a count
 * does not say whose holds it counts; from then on it is as if each other task still had its own:
 *
 * - it may wait, notify and release on the strength of it, as long as there are more holds than waiters: one is to spare;
 * - whoever comes back from waiting takes one hold with it, the last one what is left.
 */
export class SuspendedHolds {
  readonly #byFlow = new Map<number, Suspended>();

  #spare(flow: number): Suspended | undefined {
    const suspended = this.#byFlow.get(flow);
    return suspended && suspended.holds > suspended.waiters ? suspended : undefined;
  }

  /** Whether some holds of the flow are of tasks that do not wait. */
  hasSpare(flow: number): boolean {
    return this.#spare(flow) !== undefined;
  }

  /** A task that does not wait gives its hold back; `false` when there is none to spare. */
  release(flow: number): boolean {
    const suspended = this.#spare(flow);
    if (suspended === undefined) return false;
    suspended.holds--;
    return true;
  }

  /** A task of the flow that owns the lock will wait; `holds` are those that the lock has counted. */
  suspend(flow: number, holds: number): void {
    const suspended = this.#byFlow.get(flow) ?? { holds: 0, waiters: 0 };
    suspended.holds += holds;
    suspended.waiters++;
    this.#byFlow.set(flow, suspended);
  }

  /** A task whose hold is one of those to spare will wait. */
  join(flow: number): void {
    this.#spare(flow)!.waiters++;
  }

  /** A task has waited and holds the lock again; gives how many holds it has, 1 or more. */
  resume(flow: number): number {
    const suspended = this.#byFlow.get(flow)!;
    const taken = suspended.waiters === 1 ? suspended.holds : 1;
    suspended.holds -= taken;
    suspended.waiters--;
    if (suspended.waiters === 0) this.#byFlow.delete(flow);
    return taken;
  }
}
