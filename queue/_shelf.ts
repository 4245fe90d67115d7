/**
 * Where the items of a queue lie, in the order in which they come out. Everything here happens under the gate's lock.
 *
 * A shelf of one thread holds the items themselves. Once a queue is handed to another thread, its items lie in shared memory as
 * records one behind the other, and each thread reads and writes them through views of its own; the shelf's words, which the gate
 * keeps for it, say where:
 *
 * | word | meaning |
 * | ---- | ------- |
 * | START | where the oldest record begins (FIFO); what lies before it is free |
 * | TOP | where the next record will begin |
 * | CAPACITY | bytes of the memory, which grows by doubling |
 * | ENTRIES | records of the heap (priority) |
 * | USED | bytes of the records that are in use (priority) |
 * | MEMORY | which memory it is: 0 is the first, else 1 more than the number of a deposit with the main thread |
 * | ORDER | number of the next record, a double: what decides among equals (priority) |
 *
 * A record: bytes of its payload (u32), tag (u32), order (f64, priority only), payload, padding to 8; its whole length (u32, then
 * 4 bytes of nothing) at the end, for LIFO. When TOP reaches the end, the records move to the start of the memory if that frees half
 * of it, else the memory grows. An empty shelf starts at 0 again.
 *
 * Shared memory can grow but not shrink. So when a large one is all but empty, whoever took the last record moves what is left to a
 * small one, deposits that, and writes its number into MEMORY; the large one goes when all threads that worked with it have noticed,
 * which they do at their next call. What is to become large moves too, so that who does not use it does not hold it. Whoever finds a
 * number that he does not know must not wait for the main thread there, since it may be waiting for the lock: he throws an
 * {@linkcode Absent}, having changed nothing, and comes again when he has fetched what he lacks.
 *
 * @module
 */
import { deposit, discard } from "../threading/_core/mod.ts";
import {
  type Cargo,
  COMPACT,
  DEPOSIT,
  dump,
  FRESH,
  hasBytes,
  hasNumber,
  NUMBER,
  opened,
  peek,
  widthOf,
} from "./_cargo.ts";
import { expand, integers as compacted } from "./_compact.ts";
import { readText, writeText } from "./_text.ts";
import { Heap, popNode, pushNode, type Slots } from "./_heap.ts";
import { OFFERED, STORE } from "./_gate.ts";

/** How items are ordered. */
export type Order = "fifo" | "lifo" | "priority";

/** The items of a queue, of type `I`: as they are, or as cargo. */
export interface Shelf<I> {
  push(item: I): void;
  pop(): I;
  clear(): void;
}

/** The shelf of a queue that one thread knows. */
export function localShelf<T>(
  order: Order,
  compare: (a: T, b: T) => number,
): Shelf<T> & Iterable<T> {
  switch (order) {
    case "fifo":
      return new Fifo();
    case "lifo":
      return new Lifo();
    case "priority":
      return new Sorted(compare);
  }
}

/** A queue of items in two stacks' clothing: an array whose front is cut off once half of it is used up. */
class Fifo<T> implements Shelf<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T {
    const item = this.#items[this.#first] as T;
    this.#items[this.#first++] = undefined;
    if (this.#first === this.#items.length) {
      this.#items.length = 0;
      this.#first = 0;
    } else if (this.#first >= 1024 && this.#first * 2 > this.#items.length) {
      this.#items.splice(0, this.#first);
      this.#first = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#first = 0;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = this.#first; i < this.#items.length; i++) yield this.#items[i] as T;
  }
}

class Lifo<T> implements Shelf<T> {
  #items: T[] = [];

  push(item: T): void {
    this.#items.push(item);
  }

  pop(): T {
    return this.#items.pop() as T;
  }

  clear(): void {
    this.#items = [];
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]();
  }
}

class Sorted<T> implements Shelf<T> {
  readonly #heap: Heap<T>;
  readonly #compare: (a: T, b: T) => number;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
    this.#heap = new Heap(compare);
  }

  push(item: T): void {
    // Alone in the queue it would be compared with nothing, and refused only later.
    if (this.#heap.size === 0) this.#compare(item, item);
    this.#heap.push(item);
  }

  pop(): T {
    return this.#heap.pop() as T;
  }

  clear(): void {
    this.#heap.clear();
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#heap.toSorted()[Symbol.iterator]();
  }
}

const START = STORE;
const TOP = STORE + 1;
const CAPACITY = STORE + 2;
const ENTRIES = STORE + 3;
const USED = STORE + 4;
const MEMORY = STORE + 5;
/** Index of a double, in words 6 and 7 of the store's. */
const ORDER = (STORE + 6) / 2;

const FIRST_BYTES = 64 * 1024;
const MOST_BYTES = 2 ** 30;
const FIRST_ENTRIES = 1024;
/** Up to here, memory is kept however little of it is in use. */
const KEEP_BYTES = 8 * 1024 * 1024;
/** Memory that is larger is left when no more than this part of it is in use. */
const TOO_LARGE = 16;

/** The memory of a shared shelf. */
export interface SharedMemory {
  readonly records: SharedArrayBuffer;
  /** Pointers to records, in the order of a heap; of a priority queue only. */
  readonly entries: SharedArrayBuffer | undefined;
  /** Its number in MEMORY. */
  readonly id: number;
}

/** Thrown under the gate's lock by whoever lacks something that is deposited with the main thread. See the head of this file. */
export class Absent {
  /** The number of the deposit. */
  readonly id: number;
  /** The memory, or the cargo of an item that has to be compared. */
  readonly what: "memory" | Cargo;

  constructor(id: number, what: "memory" | Cargo) {
    this.id = id;
    this.what = what;
  }
}

/** Makes memory for a shared shelf. */
export function makeMemory(
  order: Order,
  bytes = FIRST_BYTES,
  entries = FIRST_ENTRIES,
): SharedMemory {
  return {
    records: new SharedArrayBuffer(bytes, { maxByteLength: Math.max(bytes, KEEP_BYTES) }),
    entries: order === "priority"
      ? new SharedArrayBuffer(entries * 4, { maxByteLength: MOST_BYTES / 8 })
      : undefined,
    id: 0,
  };
}

/** The shelf of a queue that several threads know. `words` are the gate's. */
export function sharedShelf(
  order: Order,
  compare: (a: unknown, b: unknown) => number,
  words: Int32Array<SharedArrayBuffer>,
  memory: SharedMemory,
): SharedShelf {
  if (words[CAPACITY] === 0) words[CAPACITY] = memory.records.byteLength;
  switch (order) {
    case "fifo":
      return new SharedFifo(words, memory);
    case "lifo":
      return new SharedLifo(words, memory);
    case "priority":
      return new SharedSorted(words, memory, compare);
  }
}

/** Thrown by {@linkcode SharedShelf.offer} to itself. */
const STAYS = {};

const NONE_SHARED = new Uint8Array(new SharedArrayBuffer(0));

/** What the three kinds have in common: records in memory that grows. */
export abstract class SharedShelf implements Shelf<Cargo> {
  protected readonly words: Int32Array<SharedArrayBuffer>;
  protected bytes: Uint8Array<SharedArrayBuffer> = NONE_SHARED;
  protected integers: Int32Array<SharedArrayBuffer> = new Int32Array(NONE_SHARED.buffer);
  protected doubles: Float64Array<SharedArrayBuffer> = new Float64Array(NONE_SHARED.buffer);
  #view: DataView = new DataView(NONE_SHARED.buffer);
  #memory: SharedMemory;
  /** Whether the records must not be moved to other memory now. */
  #stays = false;
  /** Bytes of a record before its payload. */
  protected abstract readonly header: number;

  constructor(words: Int32Array<SharedArrayBuffer>, memory: SharedMemory) {
    this.words = words;
    this.#memory = memory;
  }

  /** The memory, as this thread knows it. */
  get memory(): SharedMemory {
    return this.#memory;
  }

  /** What this thread lacks to work with the queue, if anything. */
  get lack(): Absent | undefined {
    const id = this.words[MEMORY];
    return id === this.#memory.id ? undefined : new Absent(id - 1, "memory");
  }

  /** Takes what was {@linkcode Absent}. Not under the lock. */
  learn(absent: Absent, value: unknown): void {
    if (absent.what === "memory") this.adopt({ ...value as SharedMemory, id: absent.id + 1 });
  }

  protected adopt(memory: SharedMemory): void {
    const left = this.#memory.records.byteLength;
    this.#memory = memory;
    this.bytes = NONE_SHARED;
    this.integers = new Int32Array(NONE_SHARED.buffer);
    this.doubles = new Float64Array(NONE_SHARED.buffer);
    this.#view = new DataView(NONE_SHARED.buffer);
    if (left > KEEP_BYTES && left > memory.records.byteLength) stir();
  }

  abstract push(cargo: Cargo): void;
  abstract pop(): Cargo;

  /** Stores an item behind those that are in the queue, unless all would have to be moved for that. See _gate.ts. */
  offer(cargo: Cargo): boolean {
    this.#stays = true;
    try {
      this.push(cargo);
      return true;
    } catch (error) {
      if (error !== STAYS) throw error;
      return false;
    } finally {
      this.#stays = false;
    }
  }

  /** Takes `count` items back, the last of which is followed by `behind` others. */
  retract(count: number, behind: number): void {
    this.refresh();
    const top = this.words[TOP];
    const end = this.#back(top, behind);
    const start = this.#back(end, count);
    this.bytes.copyWithin(start, end, top);
    this.words[TOP] = top - (end - start);
    if (this.words[TOP] === this.words[START]) this.reset();
  }

  /** Where the last `count` records before `at` begin. */
  #back(at: number, count: number): number {
    for (let i = 0; i < count; i++) at -= this.integers[(at - 8) >> 2];
    return at;
  }
  /** Moves the records that are in use to the start of the memory. */
  protected abstract compact(): void;
  /** Bytes that {@linkcode compact} would free. */
  protected abstract free(): number;
  protected abstract readonly order: Order;

  clear(): void {
    this.refresh();
    while (this.words[TOP] > this.words[START] || this.words[ENTRIES] > 0) dump(this.pop());
  }

  /** Views of the memory as it is now: of fixed length, which are twice as fast as those that follow a growing buffer. */
  protected look(): void {
    const capacity = this.words[CAPACITY];
    const { records } = this.#memory;
    this.bytes = new Uint8Array(records, 0, capacity);
    this.integers = new Int32Array(records, 0, capacity / 4);
    this.doubles = new Float64Array(records, 0, capacity / 8);
    this.#view = new DataView(records, 0, capacity);
  }

  /** Sees to it that the views are those of the memory as it is now. */
  protected refresh(): void {
    if (this.words[MEMORY] !== this.#memory.id) throw this.lack;
    if (this.bytes.length !== this.words[CAPACITY]) this.look();
  }

  /** Writes a record at the top and gives its place. */
  protected append(cargo: Cargo): number {
    this.refresh();
    const { tag } = cargo;
    if (tag === FRESH) return this.#appendFresh(cargo.number);
    const width = widthOf(tag);
    const size = width !== 0
      ? cargo.text.length * width
      : hasBytes(tag)
      ? cargo.bytes.length
      : hasNumber(tag)
      ? 8
      : 0;
    const at = this.#begin(size, tag);
    const payload = at + this.header;
    if (width !== 0) writeText(cargo.text, width, this.bytes, payload);
    else if (hasBytes(tag)) this.bytes.set(cargo.bytes, payload);
    else if (size === 8) this.doubles[payload >> 3] = cargo.number;
    return at;
  }

  /** A record around `size` bytes, which the caller writes. */
  #begin(size: number, tag: number): number {
    const length = this.header + ((size + 7) & ~7) + 8;
    this.makeRoom(length);
    const at = this.words[TOP];
    this.integers[at >> 2] = size;
    this.integers[(at >> 2) + 1] = tag;
    this.integers[(at + length - 8) >> 2] = length;
    this.words[TOP] = at + length;
    return at;
  }

  #appendFresh(size: number): number {
    const at = this.#begin(size, COMPACT);
    const { integers } = this;
    // By fours: for so few bytes that is four times as fast as set().
    for (let from = 0, to = (at + this.header) >> 2; from << 2 < size;) {
      integers[to++] = compacted[from++];
    }
    return at;
  }

  protected read(at: number): Cargo {
    const size = this.integers[at >> 2];
    const tag = this.integers[(at >> 2) + 1];
    const payload = at + this.header;
    if (tag === NUMBER) return { tag, number: this.doubles[payload >> 3], text: "", bytes: NONE };
    if (tag === COMPACT) return opened(expand(this.bytes, this.#view, payload));
    const width = widthOf(tag);
    if (width !== 0) {
      return { tag, number: 0, text: readText(this.bytes, width, payload, size), bytes: NONE };
    }
    if (hasBytes(tag)) {
      const bytes = new Uint8Array(size);
      bytes.set(this.bytes.subarray(payload, payload + size));
      return { tag, number: 0, text: "", bytes };
    }
    return { tag, number: hasNumber(tag) ? this.doubles[payload >> 3] : 0, text: "", bytes: NONE };
  }

  protected lengthOf(at: number): number {
    return this.header + ((this.integers[at >> 2] + 7) & ~7) + 8;
  }

  private makeRoom(length: number): void {
    const capacity = this.words[CAPACITY];
    if (this.words[TOP] + length <= capacity) return;
    if (this.free() >= capacity / 2 && this.words[TOP] - this.free() + length <= capacity) {
      return this.compact();
    }
    let larger = capacity * 2;
    while (this.words[TOP] + length > larger) larger *= 2;
    if (larger > MOST_BYTES) {
      throw new RangeError(`The queue is full: its items take ${MOST_BYTES / 2 ** 20} MiB already`);
    }
    if (larger > KEEP_BYTES) {
      if (this.#stays) throw STAYS;
      return this.#move(larger);
    }
    this.#memory.records.grow(larger);
    this.words[CAPACITY] = larger;
    this.look();
  }

  /** The last record is gone. */
  protected reset(): void {
    this.words[START] = 0;
    this.words[TOP] = 0;
  }

  /** Records have gone: memory that is by far too large for the rest is left for a smaller one. */
  protected shrink(): void {
    const capacity = this.words[CAPACITY];
    // Who has offered something must find it where it is.
    if (capacity <= KEEP_BYTES || this.words[OFFERED] > 0) return;
    const used = this.words[TOP] - this.free();
    if (used * TOO_LARGE > capacity) return;
    let smaller = FIRST_BYTES;
    while (smaller < used * 2) smaller *= 2;
    this.#move(smaller);
  }

  /** Moves everything to other memory, and tells the others. */
  #move(capacity: number): void {
    this.compact();
    const used = this.words[TOP];
    const entries = this.words[ENTRIES];
    const memory = makeMemory(this.order, capacity, Math.max(FIRST_ENTRIES, entries * 2));
    new Uint8Array(memory.records).set(this.bytes.subarray(0, used));
    if (memory.entries !== undefined) {
      new Int32Array(memory.entries).set(new Int32Array(this.#memory.entries!, 0, entries));
    }
    const id = deposit({ records: memory.records, entries: memory.entries }) + 1;
    if (this.#memory.id !== 0) discard(this.#memory.id - 1);
    this.words[MEMORY] = id;
    this.words[CAPACITY] = capacity;
    this.adopt({ ...memory, id });
    this.refresh();
  }
}

/**
 * Makes the garbage collector look: it sees how large plain buffers are, but not shared ones, and would leave them lying. Memory that
 * nobody writes to is not really there. Measured: with less it often looks and does not finish.
 */
function stir(): void {
  try {
    for (let i = 0; i < 8; i++) new ArrayBuffer(2 ** 28);
  } catch {
    // No room for the trick: what was left stays until the collector comes by itself.
  }
}

const NONE = new Uint8Array(0);

class SharedFifo extends SharedShelf {
  protected readonly header = 8;
  protected readonly order = "fifo";

  push(cargo: Cargo): void {
    this.append(cargo);
  }

  pop(): Cargo {
    this.refresh();
    const at = this.words[START];
    const cargo = this.read(at);
    const next = at + this.lengthOf(at);
    if (next === this.words[TOP]) this.reset();
    else this.words[START] = next;
    this.shrink();
    return cargo;
  }

  protected free(): number {
    return this.words[START];
  }

  protected compact(): void {
    const start = this.words[START];
    this.bytes.copyWithin(0, start, this.words[TOP]);
    this.words[TOP] -= start;
    this.words[START] = 0;
  }
}

class SharedLifo extends SharedShelf {
  protected readonly header = 8;
  protected readonly order = "lifo";

  push(cargo: Cargo): void {
    this.append(cargo);
  }

  pop(): Cargo {
    this.refresh();
    const top = this.words[TOP];
    const at = top - this.integers[(top - 8) >> 2];
    const cargo = this.read(at);
    this.words[TOP] = at;
    this.shrink();
    return cargo;
  }

  protected free(): number {
    return 0;
  }

  protected compact(): void {}
}

/** How many items a thread keeps to compare. The way up or down the heap of any queue is far shorter. */
const MOST_KNOWN = 256;

/** The records lie in the order in which they were put; a heap of pointers says in which they come out. */
class SharedSorted extends SharedShelf {
  protected readonly header = 16;
  protected readonly order = "priority";
  readonly #compare: (a: unknown, b: unknown) => number;
  readonly #slots: Slots<number>;
  #entries!: Int32Array<SharedArrayBuffer>;
  #orders: Float64Array<SharedArrayBuffer>;
  /** Items that lie with the main thread and had to be compared here, by number. */
  readonly #known = new Map<number, unknown>();

  constructor(
    words: Int32Array<SharedArrayBuffer>,
    memory: SharedMemory,
    compare: (a: unknown, b: unknown) => number,
  ) {
    super(words, memory);
    this.#compare = compare;
    this.#orders = new Float64Array(words.buffer, 0, words.length >> 1);
    this.adopt(memory);
    this.#slots = {
      size: () => words[ENTRIES],
      at: (index) => this.#entries[index],
      put: (index, at) => {
        this.#entries[index] = at;
        if (index >= words[ENTRIES]) words[ENTRIES] = index + 1;
      },
      drop: () => {
        words[ENTRIES]--;
      },
      before: (a, b) => this.#before(a, b),
    };
  }

  protected override adopt(memory: SharedMemory): void {
    super.adopt(memory);
    this.#entries = new Int32Array(memory.entries!);
  }

  override learn(absent: Absent, value: unknown): void {
    if (absent.what === "memory") return super.learn(absent, value);
    if (this.#known.size === MOST_KNOWN) this.#known.clear();
    this.#known.set(absent.id, value);
  }

  /** The item of a cargo that stays where it is. */
  #peek(cargo: Cargo): unknown {
    if (cargo.tag < DEPOSIT) return peek(cargo);
    if (!this.#known.has(cargo.number)) throw new Absent(cargo.number, cargo);
    return this.#known.get(cargo.number);
  }

  #before(a: number, b: number): boolean {
    const order = this.#compare(this.#peek(this.read(a)), this.#peek(this.read(b)));
    return order < 0 || (order === 0 && this.doubles[(a >> 3) + 1] < this.doubles[(b >> 3) + 1]);
  }

  push(cargo: Cargo): void {
    const { words } = this;
    this.refresh();
    if (words[ENTRIES] === 0) {
      const item = this.#peek(cargo);
      this.#compare(item, item);
    }
    const entries = this.memory.entries!;
    if ((words[ENTRIES] + 1) * 4 > entries.byteLength) entries.grow(entries.byteLength * 2);
    const at = this.append(cargo);
    this.doubles[(at >> 3) + 1] = this.#orders[ORDER];
    try {
      pushNode(this.#slots, at);
    } catch (error) {
      // Nothing has moved in the heap, and the record is the last.
      words[TOP] = at;
      throw error;
    }
    this.#orders[ORDER]++;
    words[USED] += this.lengthOf(at);
  }

  pop(): Cargo {
    this.refresh();
    const at = popNode(this.#slots)!;
    const cargo = this.read(at);
    this.words[USED] -= this.lengthOf(at);
    this.#known.delete(cargo.number);
    if (this.words[ENTRIES] === 0) this.reset();
    this.shrink();
    return cargo;
  }

  override clear(): void {
    this.refresh();
    for (let i = 0; i < this.words[ENTRIES]; i++) dump(this.read(this.#entries[i]));
    this.words[ENTRIES] = 0;
    this.words[USED] = 0;
    this.reset();
    this.shrink();
  }

  protected free(): number {
    return this.words[TOP] - this.words[USED];
  }

  protected compact(): void {
    const count = this.words[ENTRIES];
    const byPlace = Array.from({ length: count }, (_, index) => index)
      .sort((a, b) => this.#entries[a] - this.#entries[b]);
    let to = 0;
    for (const index of byPlace) {
      const from = this.#entries[index];
      const length = this.lengthOf(from);
      this.bytes.copyWithin(to, from, from + length);
      this.#entries[index] = to;
      to += length;
    }
    this.words[TOP] = to;
  }
}
