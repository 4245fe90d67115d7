/**
 * What proxies of containers can do, as it is done in the server: the names of JavaScript's `Map`, `Array` and `Set`, and those of
 * Python's `dict`, `list` and `set` where they differ.
 *
 * @module
 */
import { BaseProxy, holdOf } from "./_proxy.ts";
import { type Kind, kindOf, methods } from "./_manager_kind.ts";

/** The object itself, of a proxy of one that lives in this server. */
export function bare(value: unknown): unknown {
  return value instanceof BaseProxy ? (holdOf(value).referent?.object ?? value) : value;
}

/** What `value` gives one by one, whether it is a proxy or not. */
export function items(value: unknown, act: string): unknown[] {
  const object = bare(value);
  if (object === null || object === undefined || !(Symbol.iterator in Object(object))) {
    throw new TypeError(
      `Cannot ${act}: an iterable is needed, such as an array, got ${
        value === null ? "null" : typeof value
      }`,
    );
  }
  return [...object as Iterable<unknown>];
}

/** Whether two items are the same: equal as in a `Map`, or proxies of one object. */
function same(a: unknown, b: unknown): boolean {
  if (a === b || Number.isNaN(a) && Number.isNaN(b)) return true;
  if (!(a instanceof BaseProxy && b instanceof BaseProxy)) return false;
  const [{ token: one }, { token: two }] = [holdOf(a), holdOf(b)];
  return one.server === two.server && one.object === two.object;
}

// ---- dict ----------------------------------------------------------------------------------------------------------------------------

/** The entries of what a dict can be made of: a `Map`, a proxy of one, pairs, or a plain object. */
export function entriesOf(source: unknown, act: string): [unknown, unknown][] {
  const object = bare(source);
  if (object === undefined) return [];
  if (object instanceof Map) return [...object];
  if (object !== null && typeof object === "object" && !(Symbol.iterator in object)) {
    return Object.entries(object);
  }
  return items(object, act).map((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new TypeError(`Cannot ${act}: each item must be a pair [key, value]`);
    }
    return pair as [unknown, unknown];
  });
}

function missing(key: unknown): RangeError {
  return new RangeError(
    `Cannot take ${
      typeof key === "string" ? `'${key}'` : String(key)
    } out: the dict has no such key`,
  );
}

type Dict = Map<unknown, unknown>;

/** A `Map`. */
export const dict: Kind = kindOf("dict", (object) => object instanceof Map, Map.prototype, {
  get: (map: Dict, [key, fallback]) => map.has(key) ? map.get(key) : fallback,
  set: (map: Dict, [key, value]) => void map.set(key, value),
  has: (map: Dict, [key]) => map.has(key),
  delete: (map: Dict, [key]) => map.delete(key),
  clear: (map: Dict) => map.clear(),
  size: (map: Dict) => map.size,
  length: (map: Dict) => map.size,
  keys: (map: Dict) => [...map.keys()],
  values: (map: Dict) => [...map.values()],
  entries: (map: Dict) => [...map],
  items: (map: Dict) => [...map],
  copy: (map: Dict) => new Map(map),
  pop(map: Dict, args) {
    const [key, fallback] = args;
    if (!map.has(key)) {
      if (args.length < 2) throw missing(key);
      return fallback;
    }
    const value = map.get(key);
    map.delete(key);
    return value;
  },
  popitem(map: Dict) {
    const last = [...map].at(-1);
    if (last === undefined) throw new RangeError("Cannot take an item out: the dict is empty");
    map.delete(last[0]);
    return last;
  },
  setdefault(map: Dict, [key, value]) {
    if (!map.has(key)) map.set(key, value);
    return map.get(key);
  },
  update(map: Dict, [source]) {
    for (const [key, value] of entriesOf(source, "update a dict")) map.set(key, value);
  },
  fromkeys: (_map: Dict, [keys, value = null]) =>
    new Map(items(keys, "make a dict of keys").map((key) => [key, value])),
});

// ---- list ----------------------------------------------------------------------------------------------------------------------------

type List = unknown[];

/** The place of an index, from the end if it is negative. */
function placeIn({ length }: ArrayLike<unknown>, index: unknown, act: string): number {
  if (typeof index !== "number" || !Number.isInteger(index)) {
    throw new TypeError(`Cannot ${act}: the index must be an integer, got ${String(index)}`);
  }
  const place = index < 0 ? length + index : index;
  if (place < 0 || place >= length) {
    throw new RangeError(`Cannot ${act} ${index}: there are ${length} items`);
  }
  return place;
}

function indexOf(list: List, item: unknown, from: number | undefined, to?: number): number {
  const start = from ?? 0;
  for (let i = start < 0 ? Math.max(0, list.length + start) : start; i < (to ?? list.length); i++) {
    if (i in list && same(list[i], item)) return i;
  }
  return -1;
}

function position(list: List, item: unknown, act: string): number {
  const index = indexOf(list, item, 0);
  if (index === -1) throw new RangeError(`Cannot ${act}: the list has no such item`);
  return index;
}

/** Numbers by size, dates by time, everything else as `Array.prototype.sort` does it. */
function sort(list: List, reverse: boolean): void {
  const numeric = list.every((item) =>
    typeof item === "number" || typeof item === "bigint" || item instanceof Date
  );
  if (numeric) {
    list.sort((a, b) => (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0);
  } else list.sort();
  if (reverse) list.reverse();
}

function wantsReverse(options: unknown): boolean {
  return (options as { reverse?: boolean } | undefined)?.reverse === true;
}

/** An array. */
export const list: Kind = kindOf("list", Array.isArray, Array.prototype, {
  // What an array does by itself, with arguments that are no functions.
  ...methods<List>("at", "flat", "join", "push", "shift", "slice", "splice", "unshift", "with"),
  ...methods<List>("toReversed", "toSpliced", "toString"),
  // Those that give the array itself.
  reverse: (list: List) => void list.reverse(),
  fill: (list: List, [value, start, end]) => void list.fill(value, start as number, end as number),
  copyWithin: (list: List, [target, start, end]) =>
    void list.copyWithin(target as number, start as number, end as number),
  sort: (list: List, [options]) => sort(list, wantsReverse(options)),
  toSorted(list: List, [options]) {
    const copy = [...list];
    sort(copy, wantsReverse(options));
    return copy;
  },
  // Those whose arguments may be proxies.
  concat: (list: List, others) => list.concat(...others.map((other) => bare(other) as List)),
  includes: (list: List, [item, from]) => indexOf(list, item, from as number) !== -1,
  indexOf: (list: List, [item, from]) => indexOf(list, item, from as number),
  lastIndexOf: (list: List, [item]) => list.findLastIndex((other) => same(other, item)),
  // Those that are iterators, or no methods, of an array.
  keys: (list: List) => [...list.keys()],
  values: (list: List) => [...list],
  entries: (list: List) => [...list.entries()],
  length: (list: List) => list.length,
  size: (list: List) => list.length,
  // Python's.
  get: (list: List, [index]) => list[placeIn(list, index, "get item")],
  set(list: List, [index, value]) {
    list[placeIn(list, index, "set item")] = value;
  },
  delete(list: List, [index]) {
    list.splice(placeIn(list, index, "delete item"), 1);
  },
  pop(list: List, args) {
    if (args.length === 0 || args[0] === undefined) return list.pop();
    return list.splice(placeIn(list, args[0], "pop item"), 1)[0];
  },
  append: (list: List, [item]) => void list.push(item),
  extend(list: List, [source]) {
    // One by one: so many arguments of one call may be too many.
    for (const item of items(source, "extend a list")) list.push(item);
  },
  insert: (list: List, [index, item]) => void list.splice(index as number, 0, item),
  remove: (list: List, [item]) => void list.splice(position(list, item, "remove an item"), 1),
  count: (list: List, [item]) => list.filter((other) => same(other, item)).length,
  index(list: List, [item, from, to]) {
    const index = indexOf(list, item, from as number, to as number);
    if (index === -1) throw new RangeError("Cannot tell the index: the list has no such item");
    return index;
  },
  clear(list: List) {
    list.length = 0;
  },
  copy: (list: List) => [...list],
});

// ---- set -----------------------------------------------------------------------------------------------------------------------------

type Group = Set<unknown>;

function group(value: unknown, act: string): Group {
  const object = bare(value);
  return object instanceof Set ? object : new Set(items(object, act));
}

function replace(set: Group, by: Group): void {
  set.clear();
  for (const item of by) set.add(item);
}

function removeFrom(set: Group, item: unknown): void {
  if (!set.delete(item)) throw new RangeError("Cannot remove an item: the set has no such item");
}

/** A `Set`. */
export const set: Kind = kindOf("set", (object) => object instanceof Set, Set.prototype, {
  add: (set: Group, [item]) => void set.add(item),
  has: (set: Group, [item]) => set.has(item),
  delete: (set: Group, [item]) => set.delete(item),
  clear: (set: Group) => set.clear(),
  size: (set: Group) => set.size,
  length: (set: Group) => set.size,
  keys: (set: Group) => [...set],
  values: (set: Group) => [...set],
  entries: (set: Group) => [...set.entries()],
  copy: (set: Group) => new Set(set),
  union: (set: Group, [other]) => set.union(group(other, "unite sets")),
  intersection: (set: Group, [other]) => set.intersection(group(other, "intersect sets")),
  difference: (set: Group, [other]) => set.difference(group(other, "subtract a set")),
  symmetricDifference: (set: Group, [other]) =>
    set.symmetricDifference(group(other, "compare sets")),
  isSubsetOf: (set: Group, [other]) => set.isSubsetOf(group(other, "compare sets")),
  isSupersetOf: (set: Group, [other]) => set.isSupersetOf(group(other, "compare sets")),
  isDisjointFrom: (set: Group, [other]) => set.isDisjointFrom(group(other, "compare sets")),
  // Python's.
  issubset: (set: Group, [other]) => set.isSubsetOf(group(other, "compare sets")),
  issuperset: (set: Group, [other]) => set.isSupersetOf(group(other, "compare sets")),
  isdisjoint: (set: Group, [other]) => set.isDisjointFrom(group(other, "compare sets")),
  discard: (set: Group, [item]) => void set.delete(item),
  remove: (set: Group, [item]) => removeFrom(set, item),
  pop(set: Group) {
    const [first] = set;
    if (set.size === 0) throw new RangeError("Cannot take an item out: the set is empty");
    set.delete(first);
    return first;
  },
  update(set: Group, others) {
    for (const other of others) for (const item of items(other, "update a set")) set.add(item);
  },
  intersectionUpdate: (set: Group, [other]) =>
    replace(set, set.intersection(group(other, "intersect sets"))),
  differenceUpdate: (set: Group, [other]) =>
    replace(set, set.difference(group(other, "subtract a set"))),
  symmetricDifferenceUpdate: (set: Group, [other]) =>
    replace(set, set.symmetricDifference(group(other, "compare sets"))),
});

// ---- Namespace, Value, Array ---------------------------------------------------------------------------------------------------------

/** The referent of a `Namespace`. */
export class Fields {
  readonly map: Map<string, unknown>;

  /** With these fields. */
  constructor(fields?: unknown) {
    this.map = new Map();
    for (const [key, value] of entriesOf(fields, "make a Namespace")) {
      this.map.set(nameOf(key), value);
    }
  }
}

function nameOf(key: unknown): string {
  if (typeof key === "string") return key;
  throw new TypeError(`Cannot name a field of a Namespace: a string is needed, got ${typeof key}`);
}

/** A `Namespace`. */
export const namespace: Kind = kindOf(
  "Namespace",
  (object) => object instanceof Fields,
  Fields.prototype,
  {
    get({ map }: Fields, args) {
      const name = nameOf(args[0]);
      if (!map.has(name) && args.length < 2) return undefined;
      return map.has(name) ? map.get(name) : args[1];
    },
    set: ({ map }: Fields, [name, value]) => void map.set(nameOf(name), value),
    has: ({ map }: Fields, [name]) => map.has(nameOf(name)),
    delete: ({ map }: Fields, [name]) => map.delete(nameOf(name)),
    keys: ({ map }: Fields) => [...map.keys()],
    values: ({ map }: Fields) => [...map.values()],
    entries: ({ map }: Fields) => [...map],
  },
  ({ map }: Fields) => Object.fromEntries(map),
);

/** The referent of a `Value`. */
export class Box {
  value: unknown;

  /** Python's typecode is not looked at. */
  constructor(_type?: unknown, value?: unknown) {
    this.value = value;
  }
}

/** A `Value`. */
export const value: Kind = kindOf("Value", (object) => object instanceof Box, Box.prototype, {
  get: (box: Box) => box.value,
  set(box: Box, [value]) {
    box.value = value;
  },
}, (box: Box) => box.value);

type Numbers = Float64Array;

/** A typed array. */
export const array: Kind = kindOf(
  "Array",
  (object) => ArrayBuffer.isView(object) && !(object instanceof DataView),
  Object.getPrototypeOf(Uint8Array.prototype),
  {
    ...methods<Numbers>("at", "includes", "indexOf", "join", "lastIndexOf", "slice"),
    ...methods<Numbers>("toReversed", "toSorted", "toString"),
    length: (array: Numbers) => array.length,
    size: (array: Numbers) => array.length,
    get: (array: Numbers, [index]) => array[placeIn(array, index, "get item")],
    set(array: Numbers, [index, value]) {
      array[placeIn(array, index, "set item")] = fitting(array, value);
    },
    fill: (array: Numbers, [value, start, end]) =>
      void array.fill(fitting(array, value), start as number, end as number),
    reverse: (array: Numbers) => void array.reverse(),
    sort: (array: Numbers) => void array.sort(),
    keys: (array: Numbers) => [...array.keys()],
    values: (array: Numbers) => [...array],
    entries: (array: Numbers) => [...array.entries()],
  },
);

/** The value itself, if an item of that array can be it. */
function fitting(array: Numbers, value: unknown): number {
  const type = array.constructor as Float64ArrayConstructor;
  const big = ArrayBuffer.isView(array) && Object.prototype.toString.call(array).includes("Big");
  if (big ? typeof value !== "bigint" : typeof value !== "number") {
    throw new TypeError(
      `Cannot put ${String(value)} into a ${type.name}: a ${big ? "bigint" : "number"} is needed`,
    );
  }
  const stored = type.of(value as number)[0];
  if (stored !== value && !type.name.startsWith("Float")) {
    throw new RangeError(`Cannot put ${String(value)} into a ${type.name}: it is out of range`);
  }
  return value as number;
}

const ARRAYS: Readonly<
  Record<string, { from(items: Iterable<never>): unknown; new (length: number): unknown }>
> = {
  b: Int8Array,
  B: Uint8Array,
  c: Uint8Array,
  u: Uint16Array,
  h: Int16Array,
  H: Uint16Array,
  i: Int32Array,
  I: Uint32Array,
  l: BigInt64Array,
  L: BigUint64Array,
  q: BigInt64Array,
  Q: BigUint64Array,
  f: Float32Array,
  d: Float64Array,
};

/** The referent of an `Array`: its type by code, and its items or how many there are. */
export function makeArray(code: unknown, source: unknown): unknown {
  if (typeof code !== "string" || !Object.hasOwn(ARRAYS, code)) {
    throw new RangeError(
      `Cannot make an Array of type ${String(code)}: use one of ${
        Object.keys(ARRAYS).join(" ")
      }, or the constructor of a typed array`,
    );
  }
  const type = ARRAYS[code];
  if (typeof source === "number") {
    if (!Number.isInteger(source) || source < 0) {
      throw new RangeError(`Cannot make an Array of ${source} items: use an integer of 0 or more`);
    }
    return new type(source);
  }
  const list = items(source, "make an Array");
  const made = new type(list.length) as Numbers;
  list.forEach((item, i) => made[i] = fitting(made, item));
  return made;
}
