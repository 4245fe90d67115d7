/**
 * What the four queues have in common.
 *
 * @module
 */
import { type Limit, limitOf, ONCE, type WaitOptions } from "../threading/_core/mod.ts";
import { type Cargo, type Door, dump, keep, stow, unstow, unstowSync } from "./_cargo.ts";
import { CLOSED, DONE, Gate, type Passed } from "./_gate.ts";
import {
  localShelf,
  makeMemory,
  type Order,
  type SharedMemory,
  sharedShelf,
  type Shelf,
} from "./_shelf.ts";
import { Empty, Full, ShutDown } from "./errors.ts";

/** A queue as it travels. */
export interface Sent {
  readonly gate: SharedArrayBuffer;
  readonly memory: SharedMemory;
}

type Compare = (a: never, b: never) => number;

/** Where the items are: with this thread, or in memory that others know, too. */
type Place<T> =
  | { readonly shared: false; readonly shelf: Shelf<T> & Iterable<T> }
  | { readonly shared: true; readonly shelf: Shelf<Cargo>; readonly memory: SharedMemory };

/** A gate and a shelf: all that a queue does, under names of their own. */
export class Core<T> {
  readonly gate: Gate;
  readonly #order: Order;
  readonly #compare: Compare;
  #place: Place<T>;

  constructor(maxsize: number, order: Order, compare: Compare, sent?: Sent) {
    this.#order = order;
    this.#compare = compare;
    this.gate = new Gate(maxsize, sent && new Int32Array(sent.gate));
    this.#place = sent === undefined
      ? { shared: false, shelf: localShelf(order, compare as (a: T, b: T) => number) }
      : this.#sharedPlace(sent.memory);
  }

  #sharedPlace(memory: SharedMemory): Place<T> {
    const compare = this.#compare as (a: unknown, b: unknown) => number;
    return {
      shared: true,
      shelf: sharedShelf(this.#order, compare, this.gate.words, memory),
      memory,
    };
  }

  /**
   * The queue is about to be handed to another thread: its items move into shared memory, all or none.
   *
   * @throws {PicklingError} when one of them cannot travel.
   */
  share(): Sent {
    if (!this.#place.shared) {
      const stowed: Cargo[] = [];
      try {
        for (const item of this.#place.shelf) stowed.push(keep(stow(item, this.share)));
      } catch (error) {
        for (const cargo of stowed) dump(cargo);
        throw error;
      }
      const place = this.#sharedPlace(makeMemory(this.#order));
      for (const cargo of stowed) place.shelf.push(cargo as T & Cargo);
      this.#place = place;
    }
    return {
      gate: this.gate.words.buffer,
      memory: (this.#place as { memory: SharedMemory }).memory,
    };
  }

  put(
    item: T,
    options: WaitOptions | undefined,
    what: string,
    door: Door,
  ): Promise<void> | void {
    const limit = limitOf(options, what);
    const passed = this.#tryPut(item, door, limit === ONCE || limit.deadline === -Infinity);
    if (passed === DONE) return;
    if (typeof passed === "number") throw refused(passed, "put", limit);
    return this.gate.put(limit, passed.push).then((late) => passed.conclude(late, limit));
  }

  putSync(item: T, options: WaitOptions | undefined, what: string, door: Door): void {
    const limit = limitOf(options, what);
    const passed = this.#tryPut(item, door, limit.deadline === -Infinity);
    if (passed === DONE) return;
    if (typeof passed === "number") throw refused(passed, "put", limit);
    passed.conclude(this.gate.putSync(limit, passed.push), limit);
  }

  putNowait(item: T, door: Door): void {
    const passed = this.#tryPut(item, door, true);
    if (passed !== DONE) throw refused(passed as Passed, "put", ONCE);
  }

  /** Puts if it can be done now; else says why not, or, unless it is `final`, what to wait with. */
  #tryPut(item: T, door: Door, final: boolean): Passed | PutLater {
    const place = this.#place;
    const { gate } = this;
    if (!place.shared) {
      const passed = gate.tryPut(() => place.shelf.push(item));
      return passed === DONE || passed === CLOSED || final
        ? passed
        : this.#putLater(item, undefined, door);
    }
    const cargo = stow(item, door);
    let passed: Passed;
    try {
      passed = gate.tryPut(() => place.shelf.push(cargo));
    } catch (error) {
      dump(cargo);
      throw error;
    }
    if (passed === DONE) return passed;
    if (passed !== CLOSED && !final) return this.#putLater(item, keep(cargo), door);
    dump(cargo);
    return passed;
  }

  #putLater(item: T, stowed: Cargo | undefined, door: Door): PutLater {
    let cargo = stowed;
    return {
      push: () => {
        const place = this.#place;
        if (!place.shared) return place.shelf.push(item);
        // The queue may have been handed to a thread while the item waited.
        place.shelf.push(cargo ??= stow(item, door));
      },
      conclude: (passed, limit) => {
        if (passed === DONE) return;
        if (cargo !== undefined) dump(cargo);
        throw refused(passed, "put", limit);
      },
    };
  }

  async get(options: WaitOptions | undefined, what: string): Promise<T> {
    const limit = limitOf(options, what);
    const { taken, take } = this.#taking();
    let passed = this.gate.tryGet(take);
    if (passed !== DONE && limit.deadline !== -Infinity) passed = await this.gate.get(limit, take);
    if (passed !== DONE) throw refused(passed, "get", limit);
    return (taken.cargo === undefined ? taken.item : await unstow(taken.cargo)) as T;
  }

  getSync(options: WaitOptions | undefined, what: string): T {
    const limit = limitOf(options, what);
    const { taken, take } = this.#taking();
    let passed = this.gate.tryGet(take);
    if (passed !== DONE && limit.deadline !== -Infinity) passed = this.gate.getSync(limit, take);
    if (passed !== DONE) throw refused(passed, "get", limit);
    return (taken.cargo === undefined ? taken.item : unstowSync(taken.cargo)) as T;
  }

  getNowait(): T {
    const { taken, take } = this.#taking();
    const passed = this.gate.tryGet(take);
    if (passed !== DONE) throw refused(passed, "get", ONCE);
    return (taken.cargo === undefined ? taken.item : unstowSync(taken.cargo)) as T;
  }

  #taking(): { taken: { item?: T; cargo?: Cargo }; take: () => void } {
    const taken: { item?: T; cargo?: Cargo } = {};
    const take = () => {
      const place = this.#place;
      if (place.shared) taken.cargo = place.shelf.pop();
      else taken.item = place.shelf.pop();
    };
    return { taken, take };
  }

  shutdown(immediate: boolean): void {
    this.gate.shutdown(immediate ? () => this.#place.shelf.clear() : undefined);
  }
}

interface PutLater {
  readonly push: () => void;
  readonly conclude: (passed: Passed, limit: Limit) => void;
}

function refused(passed: Passed, what: "put" | "get", limit: Limit): Error {
  if (passed === CLOSED) {
    return new ShutDown(
      what === "put"
        ? "Cannot put: the queue was shut down"
        : "Cannot get: the queue was shut down and is empty",
    );
  }
  const when = limit.deadline === -Infinity ? "now" : "in time";
  return what === "put"
    ? new Full(`Cannot put: the queue is full, and no item was taken out ${when}`)
    : new Empty(`Cannot get: the queue is empty, and no item was put in ${when}`);
}
