/**
 * The slow path of packing: rebuilds a value that structured clone would refuse or spoil, with `null` in the slots of its specials
 * and a table of what belongs there (see `parcel.ts`).
 *
 * Guarantees:
 * - The user's value is not changed. Each accessor, `[getState]()` and `reduce` runs once per object and per parcel; what was reduced for
 *   a parcel that comes to nothing is discarded.
 * - Identity and cycles are kept, whatever stands between two occurrences.
 * - No recursion: depth is limited by memory only. Every container gets one slot, where it is first met, and becomes a root of its own
 *   every {@linkcode DEPTH} levels; further slots wait for a link. So structured clone never recurses deeper than that either.
 * - Errors always travel. Their properties are packed after everything else, each in a transaction: one that cannot travel is undone,
 *   to the last memo entry, and left out. What the rest of the value needs never hangs on such an attempt, as it was packed before.
 *
 * @module
 */

import { formOf, isHidden, ownKeys } from "./error_form.ts";
import { PicklingError } from "./errors.ts";
import type {
  AnyFunction,
  EntriesSpecial,
  ErrorSpecial,
  InstanceSpecial,
  LinkSpecial,
  Parcel,
  Place,
  ShareableSpecial,
  Special,
} from "./parcel.ts";
import {
  classOf,
  entriesOf,
  getState,
  itemsOf,
  kindOf,
  reducerOf,
  setState,
  staysInProcess,
} from "./pickle_kinds.ts";
import { orderOf, type Waiting } from "./pickle_order.ts";
import {
  circularRefusal,
  describe,
  nameOf,
  noSetState,
  processRefusal,
  refusalOf,
  symbolRefusal,
} from "./pickle_refusals.ts";
import { DEPTH } from "./pickle_scan.ts";
import { locate } from "./reference.ts";

/** Who packs, for messages and for `locate`. */
export interface Sender {
  /** The act, such as `"start a thread with"`. */
  readonly what: string;
  /** What the value is called in paths, such as `"args"`. */
  readonly root: string;
  readonly door: AnyFunction;
  readonly transfer?: ReadonlySet<object>;
  /** Whether the value goes to another process. */
  readonly away?: boolean;
}

/** How one gets from the root to a value; rendered only for a message. */
interface Path {
  readonly parent: Path | undefined;
  /** Its text, or a plain key. */
  readonly step: string;
  readonly isKey: boolean;
}

/** A value that waits to be put in its slot. */
interface Pending {
  readonly holder: object;
  readonly key: string | number;
  readonly value: object | symbol;
  readonly path: Path;
  /** Levels below the last root on the wire. */
  readonly depth: number;
}

/** A special that other slots can wait for. */
type Shared = Exclude<Special, EntriesSpecial>;

type Known = KnownContainer | { readonly special: Shared };

interface KnownContainer {
  readonly copy: object;
  link: LinkSpecial | undefined;
}

/**
 * Rebuilds `value`.
 *
 * @throws {PicklingError} when something in it cannot travel, saying where and what to do.
 */
export function build(value: unknown, sender: Sender): Parcel {
  return new Builder(sender).parcel(value);
}

class Builder {
  readonly #sender: Sender;
  readonly #specials: Special[] = [];
  /** The slots that wait for them. */
  readonly #slots: Waiting[] = [];
  readonly #known = new Map<object, Known>();
  /** Every container made here, with its source's entries on the wire if it has some. */
  readonly #containers = new Map<object, EntriesSpecial | undefined>();
  /** Last in, first out; children are pushed in reverse, so that the first fault in reading order is the one reported. */
  readonly #work: Pending[] = [];
  /** Errors whose properties are still to be packed, first in, first out. */
  readonly #errors: {
    readonly error: Error;
    readonly special: ErrorSpecial;
    readonly path: Path;
  }[] = [];
  /** What takes back that something was reduced, in the order of that. */
  readonly #reduced: (() => void)[] = [];
  /** How to undo what was done since the transaction began; undefined outside of one. */
  #undo: (() => void)[] | undefined;
  /** Whether some special must be revived from parts that may hold another. */
  #needsOrder = false;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  parcel(value: unknown): Parcel {
    try {
      return this.#parcel(value);
    } catch (error) {
      for (const takeBack of this.#reduced) takeBack();
      throw error;
    }
  }

  #parcel(value: unknown): Parcel {
    const box: { value: unknown } = { value };
    const path: Path = { parent: undefined, step: this.#sender.root, isKey: false };
    this.#slot(box, "value", value, path, 0);
    this.#drain();
    for (let i = 0; i < this.#errors.length; i++) this.#properties(this.#errors[i]);
    const specials = this.#needsOrder ? this.#order() : this.#specials;
    if (specials.length === 0) return box;
    const indexes = new Map<Special, number>(specials.map((special, index) => [special, index]));
    const places: Place[] = [];
    let root: number | undefined;
    for (const { special, holder, key } of this.#slots) {
      const index = indexes.get(special)!;
      if (holder === box) root = index;
      else places.push([index, holder, key]);
    }
    return root === undefined
      ? { value: box.value, specials, places }
      : { value: null, specials, places, root };
  }

  #order(): Special[] {
    return orderOf(this.#specials, this.#slots, this.#containers, this.#refuseCircle);
  }

  /** Puts a primitive in its slot, or has an object wait its turn. */
  #slot(holder: object, key: string | number, value: unknown, path: Path, depth: number): void {
    if (isPrimitive(value)) return put(holder, key, value);
    put(holder, key, null);
    this.#work.push({ holder, key, value: value as object | symbol, path, depth });
  }

  #drain(): void {
    for (let next = this.#work.pop(); next !== undefined; next = this.#work.pop()) this.#take(next);
  }

  #take(pending: Pending): void {
    const { value, path } = pending;
    if (typeof value === "symbol") throw this.#error(path, symbolRefusal(value));
    const known = this.#known.get(value);
    if (known !== undefined) {
      this.#place("special" in known ? known.special : this.#linkTo(known), pending);
    } else if (typeof value === "function") {
      const reference = locate(value, `${this.#sender.what} ${render(path)},`, this.#sender.door);
      this.#enter(value, { kind: "function", reference }, pending);
    } else {
      this.#object(value, pending);
    }
  }

  #object(value: object, pending: Pending): void {
    const kind = kindOf(value, this.#sender.transfer);
    if (this.#sender.away && staysInProcess(value, kind)) {
      throw this.#error(pending.path, processRefusal(value));
    }
    switch (kind) {
      case "leaf":
        return put(pending.holder, pending.key, value);
      case "plain":
        return this.#plain(value, pending);
      case "array":
        return this.#array(value as unknown[], pending);
      case "map":
        return this.#map(value as Map<unknown, unknown>, pending);
      case "set":
        return this.#set(value as Set<unknown>, pending);
      case "error":
        return this.#errorValue(value as Error, pending);
      case "shareable":
        return this.#shareable(value, pending);
      case "instance":
        return this.#instance(value, pending);
      case "refused":
        throw this.#error(pending.path, refusalOf(value));
    }
  }

  #plain(source: object, pending: Pending): void {
    const copy = {};
    const depth = this.#container(source, copy, pending);
    this.#reversed(() => this.#copyKeys(source, copy, Object.keys(source), pending.path, depth));
  }

  #array(source: unknown[], pending: Pending): void {
    const copy: unknown[] = [];
    copy.length = source.length; // holes stay holes
    const depth = this.#container(source, copy, pending);
    this.#reversed(() => this.#copyKeys(source, copy, Object.keys(source), pending.path, depth));
  }

  #copyKeys(source: object, copy: object, keys: string[], path: Path, depth: number): void {
    for (const key of keys) {
      const step = { parent: path, step: key, isKey: true };
      this.#slot(copy, key, this.#read(source, key, step), step, depth);
    }
  }

  #map(source: Map<unknown, unknown>, pending: Pending): void {
    const { path } = pending;
    const entries = entriesOf(source);
    this.#entries(
      source,
      new Map(),
      entries,
      pending,
      (i) =>
        i % 2 === 0
          ? { parent: path, step: `.keys()[${i / 2}]`, isKey: false }
          : { parent: path, step: `.get(${keyText(entries[i - 1])})`, isKey: false },
    );
  }

  #set(source: Set<unknown>, pending: Pending): void {
    const { path } = pending;
    this.#entries(source, new Set(), itemsOf(source), pending, (i) => (
      { parent: path, step: `.values()[${i}]`, isKey: false }
    ));
  }

  /** A `Map` or `Set` travels empty in its slots, and its content, whose slots may have to wait, in the table. */
  #entries(
    source: Map<unknown, unknown> | Set<unknown>,
    copy: Map<unknown, unknown> | Set<unknown>,
    entries: readonly unknown[],
    pending: Pending,
    pathOf: (index: number) => Path,
  ): void {
    if (entries.every(isPrimitive)) return put(pending.holder, pending.key, source);
    const special: EntriesSpecial = { kind: "entries", of: copy, list: [] };
    this.#container(source, copy, pending, special);
    this.#keep(special);
    this.#own(special);
    this.#own(special.list);
    this.#reversed(() => {
      entries.forEach((entry, i) => this.#slot(special.list, i, entry, pathOf(i), 1));
    });
  }

  #shareable(value: object, pending: Pending): void {
    const reducer = reducerOf(value);
    const { name, module } = reducer;
    const special: ShareableSpecial = { kind: "shareable", name, module, parts: null };
    const parts = reducer.reduce(value);
    if (reducer.discard !== undefined) {
      const takeBack = () => reducer.discard!(parts);
      this.#reduced.push(takeBack);
      this.#undo?.push(() => this.#reduced.pop(), takeBack);
    }
    this.#enter(value, special, pending);
    this.#partsOf(special, "parts", parts, pending.path);
  }

  #instance(value: object, pending: Pending): void {
    const type = classOf(value) as unknown as
      | Record<PropertyKey, unknown> & AnyFunction
      | undefined;
    if (typeof type?.[setState] !== "function") throw this.#error(pending.path, noSetState(value));
    const reference = locate(
      type,
      `${this.#sender.what} ${render(pending.path)}, an instance of`,
      this.#sender.door,
    );
    const special: InstanceSpecial = { kind: "instance", reference, state: null };
    const state = (value as { [getState](): unknown })[getState]();
    this.#enter(value, special, pending);
    this.#partsOf(special, "state", state, {
      parent: pending.path,
      step: "[getState]()",
      isKey: false,
    });
  }

  #partsOf(
    special: ShareableSpecial | InstanceSpecial,
    key: "parts" | "state",
    parts: unknown,
    path: Path,
  ): void {
    this.#own(special);
    if (typeof parts === "object" && parts !== null) this.#needsOrder = true;
    this.#slot(special, key, parts, path, 1);
  }

  #errorValue(error: Error, pending: Pending): void {
    const special: ErrorSpecial = {
      kind: "error",
      form: formOf(error, this.#sender.door),
      shown: {},
      hidden: {},
    };
    this.#enter(error, special, pending);
    this.#own(special);
    this.#own(special.shown);
    this.#own(special.hidden);
    this.#errors.push({ error, special, path: pending.path });
    this.#undo?.push(() => this.#errors.pop());
  }

  /** Packs what hangs on an error, property by property; nothing that goes wrong here gets out. */
  #properties({ error, special, path }: { error: Error; special: ErrorSpecial; path: Path }): void {
    for (const key of ownKeys(error)) {
      try {
        const bag = isHidden(error, key) ? special.hidden : special.shown;
        const value = (error as unknown as Record<string, unknown>)[key];
        if (key === "errors" && Array.isArray(value)) {
          const list: unknown[] = [];
          this.#own(list);
          bag[key] = list;
          for (let i = 0; i < value.length; i++) {
            if (!this.#attempt(list, i, value[i], path)) list[i] = describe(value[i]);
          }
        } else if (!this.#attempt(bag, key, value, path)) delete bag[key];
      } catch {
        // A getter or a trap that throws: the property stays behind.
      }
    }
  }

  /** Packs one value whole or leaves no trace of it. */
  #attempt(holder: object, key: string | number, value: unknown, path: Path): boolean {
    if (isPrimitive(value)) {
      put(holder, key, value);
      return true;
    }
    const undo: (() => void)[] = this.#undo = [];
    const needsOrder = this.#needsOrder;
    try {
      this.#slot(holder, key, value, { parent: path, step: String(key), isKey: true }, 1);
      this.#drain();
      // A circle through this value alone is the fault of this value alone.
      if (this.#needsOrder) this.#order();
      return true;
    } catch {
      this.#work.length = 0;
      this.#needsOrder = needsOrder;
      while (undo.length > 0) undo.pop()!();
      return false;
    } finally {
      this.#undo = undefined;
    }
  }

  /** Registers the copy of a container and puts it in its one slot; answers the depth of its own slots. */
  #container(source: object, copy: object, pending: Pending, entries?: EntriesSpecial): number {
    const known: KnownContainer = { copy, link: undefined };
    this.#remember(source, known);
    this.#own(copy, entries);
    if (pending.depth < DEPTH) {
      put(pending.holder, pending.key, copy);
      return pending.depth + 1;
    }
    this.#place(this.#linkTo(known), pending);
    return 1;
  }

  #linkTo(known: KnownContainer): LinkSpecial {
    if (known.link === undefined) {
      const link: LinkSpecial = { kind: "link", value: known.copy };
      known.link = link;
      this.#undo?.push(() => known.link = undefined);
      this.#own(link);
      this.#keep(link);
    }
    return known.link;
  }

  /** A new special, for the slot in which it was met. */
  #enter(source: object, special: Shared, pending: Pending): void {
    this.#remember(source, { special });
    this.#keep(special);
    this.#place(special, pending);
  }

  #place(special: Shared, { holder, key }: Pending): void {
    this.#slots.push({ special, holder, key });
    this.#undo?.push(() => this.#slots.pop());
  }

  #remember(source: object, known: Known): void {
    this.#known.set(source, known);
    this.#undo?.push(() => this.#known.delete(source));
  }

  #keep(special: Special): void {
    this.#specials.push(special);
    this.#undo?.push(() => this.#specials.pop());
  }

  #own(container: object, entries?: EntriesSpecial): void {
    this.#containers.set(container, entries);
    this.#undo?.push(() => this.#containers.delete(container));
  }

  /** Turns round what `push` puts on the stack. */
  #reversed(push: () => void): void {
    const work = this.#work;
    const from = work.length;
    push();
    for (let i = from, j = work.length - 1; i < j; i++, j--) {
      [work[i], work[j]] = [work[j], work[i]];
    }
  }

  #read(source: object, key: string, path: Path): unknown {
    try {
      return (source as Record<string, unknown>)[key];
    } catch (cause) {
      throw this.#error(
        path,
        `reading it threw ${describe(cause)}; make it a plain property`,
        cause,
      );
    }
  }

  #refuseCircle = (special: Special): never => {
    for (const [source, known] of this.#known) {
      if ("special" in known && known.special === special) {
        throw this.#error(undefined, circularRefusal(nameOf(source)));
      }
    }
    throw this.#error(undefined, "an object is part of its own state");
  };

  #error(path: Path | undefined, why: string, cause?: unknown): PicklingError {
    const where = path === undefined ? this.#sender.root : render(path);
    const message = `Cannot ${this.#sender.what} ${where}: ${why}`;
    const error = cause === undefined
      ? new PicklingError(message)
      : new PicklingError(message, { cause });
    const { stack } = error;
    Error.captureStackTrace(error, this.#sender.door);
    if (!error.stack?.includes("\n    at ")) error.stack = stack; // the door is not on the stack
    return error;
  }
}

/** Whether structured clone carries `value`, and nothing hangs on it. */
function isPrimitive(value: unknown): boolean {
  return value === null ||
    typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol";
}

/** Sets an own property, one called `__proto__` too. */
function put(holder: object, key: string | number, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(holder, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else (holder as Record<PropertyKey, unknown>)[key] = value;
}

/** The path as one would write it: `args[0].handlers.onDone`. */
function render(path: Path): string {
  const steps: string[] = [];
  for (let at: Path | undefined = path; at !== undefined; at = at.parent) {
    if (steps.length === 20) {
      steps.push("…"); // the end tells more than the way there
      break;
    }
    steps.push(
      !at.isKey
        ? at.step
        : /^(?:0|[1-9]\d*)$/.test(at.step)
        ? `[${at.step}]`
        : /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(at.step)
        ? `.${at.step}`
        : `[${JSON.stringify(at.step)}]`,
    );
  }
  return steps.reverse().join("");
}

function keyText(key: unknown): string {
  return typeof key === "object" || typeof key === "function" ? "…" : describe(key);
}
