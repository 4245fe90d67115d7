/**
 * What the four queues have in common: a gate and a shelf. The gate says who may put and get, the shelf has the items.
 *
 * Nobody waits for the main thread while he has the gate's lock, since it may be waiting for that lock itself. Whoever finds under
 * the lock that he lacks something which lies there throws an {@linkcode Absent}; the lock is given back, nothing has changed, and
 * here he fetches it and tries again. One who had waited may find another in his place, and waits again: that happens when a queue
 * shrinks, and with items that have to be compared and are not bytes.
 *
 * @module
 */
import { type Limit, limitOf, ONCE, type WaitOptions, withdraw } from "../threading/_core/mod.ts";
import { type Cargo, type Door, dump, keep, peek, stow, unstow, unstowSync } from "./_cargo.ts";
import { CLOSED, DONE, Gate, type Offer, type Passed } from "./_gate.ts";
import {
  Absent,
  localShelf,
  makeMemory,
  type Order,
  type SharedMemory,
  type SharedShelf,
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
  | { readonly shared: true; readonly shelf: SharedShelf };

/** A gate and a shelf: all that a queue does, under names of their own. */
export class Core<T> {
  readonly gate: Gate;
  readonly #order: Order;
  readonly #compare: Compare;
  #place: Place<T>;

  constructor(maxsize: number, order: Order, compare: Compare, sent?: Sent) {
    this.#order = order;
    this.#compare = compare;
    this.gate = new Gate(maxsize, sent && new Int32Array(sent.gate), (count, behind) => {
      (this.#place.shelf as SharedShelf).retract(count, behind);
    });
    this.#place = sent === undefined
      ? { shared: false, shelf: localShelf(order, compare as (a: T, b: T) => number) }
      : { shared: true, shelf: this.#sharedShelf(sent.memory) };
  }

  #sharedShelf(memory: SharedMemory): SharedShelf {
    const compare = this.#compare as (a: unknown, b: unknown) => number;
    return sharedShelf(this.#order, compare, this.gate.words, memory);
  }

  /**
   * The queue is about to be handed to another thread: its items move into shared memory, all or none.
   *
   * @throws {PicklingError} when one of them cannot travel.
   */
  share(): Sent {
    const place = this.#place.shared ? this.#place : this.#moveIn(this.#place);
    for (let lack = place.shelf.lack; lack !== undefined; lack = place.shelf.lack) {
      this.#fetch(lack);
    }
    return { gate: this.gate.words.buffer, memory: place.shelf.memory };
  }

  #moveIn(local: Place<T> & { shared: false }): Place<T> & { shared: true } {
    const place = { shared: true, shelf: this.#sharedShelf(makeMemory(this.#order)) } as const;
    // First, since the queue may hold itself.
    this.#place = place;
    const stowed: Cargo[] = [];
    try {
      for (const item of local.shelf) stowed.push(keep(stow(item, this.share)));
      for (const cargo of stowed) this.#resolving(() => place.shelf.push(cargo));
    } catch (error) {
      this.#place = local;
      for (const cargo of stowed) dump(cargo);
      throw error;
    }
    return place;
  }

  /** Does something that may be {@linkcode Absent}. */
  #resolving<R>(act: () => R): R {
    for (;;) {
      try {
        return act();
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        this.#fetch(error);
      }
    }
  }

  #fetch(absent: Absent): void {
    const { shelf } = this.#place as { shelf: SharedShelf };
    const value = absent.what === "memory" ? withdraw(absent.id, true) : peek(absent.what);
    // When it is gone, the shelf has another number by now, or the item has been taken.
    if (value !== undefined) shelf.learn(absent, value);
  }

  async put(
    item: T,
    options: WaitOptions | undefined,
    what: string,
    door: Door,
  ): Promise<void> {
    const limit = limitOf(options, what);
    const tried = this.#tryPut(item, door, limit.deadline === -Infinity);
    if (tried === DONE) return;
    if (typeof tried === "number") throw refused(tried, "put", limit);
    for (;;) {
      try {
        return tried.conclude(await this.gate.put(limit, tried.push, tried.offer), limit);
      } catch (error) {
        tried.resolve(error);
      }
    }
  }

  putSync(item: T, options: WaitOptions | undefined, what: string, door: Door): void {
    const limit = limitOf(options, what);
    const tried = this.#tryPut(item, door, limit.deadline === -Infinity);
    if (tried === DONE) return;
    if (typeof tried === "number") throw refused(tried, "put", limit);
    for (;;) {
      try {
        return tried.conclude(this.gate.putSync(limit, tried.push, tried.offer), limit);
      } catch (error) {
        tried.resolve(error);
      }
    }
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
    // Kept where comparing may run the user's code, which may put something into a queue.
    const cargo = this.#order === "priority" ? keep(stow(item, door)) : stow(item, door);
    let passed: Passed;
    for (;;) {
      try {
        passed = gate.tryPut(() => place.shelf.push(cargo));
        break;
      } catch (error) {
        if (error instanceof Absent) this.#fetch(error);
        else {
          dump(cargo);
          throw error;
        }
      }
    }
    if (passed === DONE) return passed;
    if (passed !== CLOSED && !final) return this.#putLater(item, keep(cargo), door);
    dump(cargo);
    return passed;
  }

  #putLater(item: T, stowed: Cargo | undefined, door: Door): PutLater {
    let cargo = stowed;
    return {
      offer: () => {
        const place = this.#place;
        if (!place.shared || this.#order !== "fifo") return false;
        return place.shelf.offer(cargo ??= keep(stow(item, door)));
      },
      push: () => {
        const place = this.#place;
        if (!place.shared) return place.shelf.push(item);
        // The queue may have been handed to a thread while the item waited.
        place.shelf.push(cargo ??= keep(stow(item, door)));
      },
      conclude: (passed, limit) => {
        if (passed !== DONE) throw refused(passed, "put", limit);
      },
      resolve: (error) => {
        if (error instanceof Absent) return this.#fetch(error);
        if (cargo !== undefined) dump(cargo);
        throw error;
      },
    };
  }

  async get(options: WaitOptions | undefined, what: string): Promise<T> {
    const limit = limitOf(options, what);
    const taking = new Taking<T>(this);
    let passed = this.#tryGet(taking);
    while (passed !== DONE && limit.deadline !== -Infinity) {
      try {
        passed = await this.gate.get(limit, taking.take);
        break;
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        this.#fetch(error);
      }
    }
    if (passed !== DONE) throw refused(passed, "get", limit);
    return (taking.cargo === undefined ? taking.item : await unstow(taking.cargo)) as T;
  }

  getSync(options: WaitOptions | undefined, what: string): T {
    const limit = limitOf(options, what);
    const taking = new Taking<T>(this);
    let passed = this.#tryGet(taking);
    if (passed !== DONE && limit.deadline !== -Infinity) {
      passed = this.#resolving(() => this.gate.getSync(limit, taking.take));
    }
    if (passed !== DONE) throw refused(passed, "get", limit);
    return taking.unstow();
  }

  getNowait(): T {
    const taking = new Taking<T>(this);
    const passed = this.#tryGet(taking);
    if (passed !== DONE) throw refused(passed, "get", ONCE);
    return taking.unstow();
  }

  #tryGet(taking: Taking<T>): Passed {
    for (;;) {
      try {
        return this.gate.tryGet(taking.take);
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        this.#fetch(error);
      }
    }
  }

  /** Takes the next item off the shelf. Under the lock. */
  pop(taking: Taking<T>): void {
    const place = this.#place;
    if (place.shared) taking.cargo = place.shelf.pop();
    else taking.item = place.shelf.pop();
  }

  shutdown(immediate: boolean): void {
    const clear = immediate ? () => this.#place.shelf.clear() : undefined;
    this.#resolving(() => this.gate.shutdown(clear));
  }
}

/** One call that gets an item. */
class Taking<T> {
  item: T | undefined;
  cargo: Cargo | undefined;
  readonly take: () => void;

  constructor(core: Core<T>) {
    this.take = () => core.pop(this);
  }

  unstow(): T {
    return (this.cargo === undefined ? this.item : unstowSync(this.cargo)) as T;
  }
}

/** A call that waits to put an item. */
interface PutLater {
  readonly offer: Offer;
  readonly push: () => void;
  /** Ends the call, when the wait has ended. */
  readonly conclude: (passed: Passed, limit: Limit) => void;
  /** Fetches what was absent; ends the call with any other error. */
  readonly resolve: (error: unknown) => void;
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
