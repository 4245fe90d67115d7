/**
 * Calls that other threads submit to a pool, and what waits for what among them.
 *
 * @module
 */
import { encodeError } from "../threading/_core/mod.ts";
import type { Forward, Item } from "./_item.ts";
import {
  type Address,
  type Call,
  ERROR,
  isRunning,
  type Mail,
  send,
  type Visit,
  type Waits,
} from "./_protocol.ts";
import { RuntimeError } from "./errors.ts";

/** The pool that is visited. */
export interface Visited {
  readonly maxWorkers: number;
  /** Tasks that have not ended. */
  items(): Iterable<Item>;
  /** @throws when it takes no calls. */
  accept(visit: Visit, forward: Forward): Item;
  takeBack(item: Item): boolean;
  stop(item: Item, error: unknown): void;
}

/** See the head of this file. */
export class Visitors {
  readonly #pool: Visited;
  readonly #guests = new Map<number, Address>();
  /** Their calls, by thread and number. */
  readonly #visits = new Map<string, Item>();
  /** Which of them a task waits for. */
  readonly #waits = new WeakMap<Item, Set<Item>>();

  constructor(pool: Visited) {
    this.#pool = pool;
  }

  /** Another thread submits a call. */
  visit(visit: Visit): void {
    if (visit.guest !== undefined) this.#guests.set(visit.thread, visit.guest);
    const guest = this.#guests.get(visit.thread)!;
    const name = `${visit.thread} ${visit.id}`;
    const forward: Forward = (...ended) => {
      this.#visits.delete(name);
      send(guest, [visit.id, ...ended] as Mail);
    };
    try {
      this.#visits.set(name, this.#pool.accept(visit, forward));
    } catch (error) {
      forward(ERROR, encodeError(error));
    }
  }

  /** It wants the call no more. What it says that its future fails with stays there. */
  stop({ thread, id }: Call): void {
    const item = this.#visits.get(`${thread} ${id}`);
    if (item !== undefined) this.#pool.stop(item, new RuntimeError("The call was stopped"));
  }

  /** A task waits for another of this pool. */
  waits({ thread, id, within }: Waits): void {
    const awaited = this.#visits.get(`${thread} ${id}`);
    if (awaited === undefined || awaited.over) return;
    for (const item of this.#pool.items()) {
      if (item.serial !== within) continue;
      const waits = this.#waits.get(item);
      if (waits === undefined) this.#waits.set(item, new Set([awaited]));
      else waits.add(awaited);
    }
    this.#breakDeadlock();
  }

  /**
   * Ends the wait of a task for another that will never start: all workers there may be run tasks that wait for tasks of this pool.
   * The one that would wait for ever goes on with an error.
   */
  #breakDeadlock(): void {
    const { maxWorkers } = this.#pool;
    const running = [...this.#pool.items()].filter(({ state }) => isRunning(state));
    if (running.length < maxWorkers) return;
    const waiting = running.map((item) =>
      [...this.#waits.get(item) ?? []].filter(({ over }) => !over)
    );
    if (waiting.some((items) => items.length === 0)) return;
    for (const item of waiting.flat()) {
      if (!this.#pool.takeBack(item)) continue;
      const error = new RuntimeError(
        `Deadlock: a call waits for another of its own executor, which cannot start: all ${maxWorkers} threads run calls that wait so; give the executor more maxWorkers, or do not wait in the call`,
      );
      item.extras?.forward?.(ERROR, encodeError(error));
      return;
    }
  }
}
