/**
 * {@linkcode ShareableList}.
 *
 * The bytes are laid out as CPython lays them out, so that a Python program may open the list by its name, or we one of Python's:
 *
 * | bytes | what |
 * | --- | --- |
 * | 8 | how many items, N |
 * | 8 (N + 1) | where each item begins, from the first; and where the last ends |
 * | as that says | the items, each on a multiple of 8 bytes |
 * | 8 N | each item's format, as text: "q" an integer, "d" a number, "xxxxxxx?" a boolean, "xxxxxx?x" null, "16s" 16 bytes |
 * | N | how to read it: {@linkcode AS} |
 *
 * @module
 */
import { register } from "../threading/_core/mod.ts";
import { SharedMemory } from "./_shared_memory.ts";
import { showAs } from "./_show.ts";

/** What a {@linkcode ShareableList} can hold. */
export type Shareable = string | number | bigint | boolean | null | Uint8Array;

/** What a {@linkcode ShareableList} is made with. */
export interface ShareableListOptions {
  /** The name of its memory. Absent: a new one. */
  name?: string;
}

/** How an item is read. Python knows the first four; the others are what JavaScript has beside. */
const AS = {
  ITSELF: 0,
  TEXT: 1,
  BYTES: 2,
  NULL: 3,
  /** A `bigint`, where Python has but one kind of integer. */
  BIG: 4,
  /** Text and bytes whose last byte is 0: their length is in the format, while Python pads with zeros and takes them off again. */
  EXACT_TEXT: 5,
  EXACT_BYTES: 6,
} as const;

const WORD = 8;
/** A format has 8 characters. */
const LONGEST = 9_999_992;

const INTEGER = "q";
const FLOAT = "d";
const BOOLEAN = "xxxxxxx?";
const NULL = "xxxxxx?x";

/** An item as it lies in memory. */
interface Item {
  readonly format: string;
  readonly as: number;
  readonly bytes: Uint8Array;
}

interface Parts {
  readonly name: string;
}

/**
 * A list of fixed length in shared memory: texts, numbers, integers, booleans, bytes and `null`. Every process that has it reads and
 * writes the same items.
 *
 * - Its length, and the room of each item, are those of the sequence it was made of: a text has room for itself rounded up to the next
 *   multiple of 8 bytes. An item may be replaced by one of another type that fits.
 * - A list made of another has the same room for each item.
 * - `get` and `set` count from the end when the index is negative, as in Python.
 * - One item is written after the other, and none of it under a lock: use one where two processes write the same item.
 * - It travels to processes and threads; `list.shm` is its memory, to be closed and unlinked.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.shared_memory.html#multiprocessing.shared_memory.ShareableList | ShareableList},
 * and lies in memory as Python's does.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { ShareableList } from "@batteries/concurrent/multiprocessing/shared-memory";
 *
 * const list = new ShareableList(["howdy", -273.154, 100, null, true]);
 * const same = new ShareableList(undefined, { name: list.shm.name });
 * same.set(2, 42);
 * assertEquals([...list], ["howdy", -273.154, 42, null, true]);
 *
 * same.shm.close();
 * list.shm.close();
 * list.shm.unlink();
 * ```
 */
export class ShareableList implements Iterable<Shareable>, Disposable {
  /** The memory that the list lies in. */
  readonly shm: SharedMemory;
  readonly #view: DataView;
  /** Where each item begins, and where the last ends, from the first. */
  readonly #offsets: readonly number[];

  /**
   * Makes a list of what `sequence` has, or opens the one of that name when there is no sequence. With neither, it makes an empty one.
   *
   * @throws {TypeError} When an item is of a type that a list cannot hold.
   * @throws {RangeError} When a `bigint` needs more than 64 bits, a text or bytes more than 9,999,992; or when memory of that name holds
   *   no list.
   * @throws {Deno.errors.AlreadyExists} When the name of a new list is taken.
   * @throws {Deno.errors.NotFound} When nothing has the name of the list to be opened.
   * @throws {Deno.errors.NotCapable} Without `--allow-ffi`.
   */
  constructor(sequence?: Iterable<Shareable> | null, options: ShareableListOptions = {}) {
    const { name } = options;
    const opens = (sequence === undefined || sequence === null) && name !== undefined;
    if (opens) {
      this.shm = new SharedMemory({ name });
      this.#view = new DataView(this.shm.buf.buffer);
      this.#offsets = readOffsets(this.#view, this.shm);
      return;
    }
    const items = Array.from(sequence ?? [], (value, i) => itemOf(value, `make item ${i} of`));
    // A copy of a list has its rooms, which may be more, or less, than a new list would have for what is in them now.
    const like = sequence instanceof ShareableList ? sequence.#offsets : undefined;
    this.#offsets = offsetsOf(items, like);
    const size = codesAt(this.#offsets) + items.length;
    this.shm = new SharedMemory({ name, create: true, size });
    this.#view = new DataView(this.shm.buf.buffer);
    this.#view.setBigInt64(0, BigInt(items.length), true);
    this.#offsets.forEach((offset, i) =>
      this.#view.setBigInt64((i + 1) * WORD, BigInt(offset), true)
    );
    items.forEach((item, i) => this.#write(i, item));
  }

  static {
    showAs(ShareableList, (list) => ({ items: [...list] }));
    register(ShareableList, {
      name: "multiprocessing.ShareableList",
      module: import.meta.url,
      spans: "processes",
      reduce: (list): Parts => ({ name: list.shm.name }),
      revive: (parts) => new ShareableList(undefined, { name: (parts as Parts).name }),
    });
  }

  /**
   * How many items it has.
   *
   * @throws {Deno.errors.BadResource} When `shm` is closed.
   */
  get length(): number {
    void this.shm.buf;
    return this.#offsets.length - 1;
  }

  /**
   * The item at an index; from the end, when that is negative.
   *
   * @throws {RangeError} When there is none.
   * @throws {Deno.errors.BadResource} When `shm` is closed.
   */
  get(index: number): Shareable {
    return this.#read(this.#place(index, "get"));
  }

  /**
   * Replaces the item at an index; from the end, when that is negative.
   *
   * @throws {RangeError} When there is none, or when `value` exceeds the room of the item: nothing changes then.
   * @throws {TypeError} When a list cannot hold `value`.
   * @throws {Deno.errors.BadResource} When `shm` is closed.
   */
  set(index: number, value: Shareable): void {
    const place = this.#place(index, "set");
    const item = itemOf(value, `set item ${index} of`);
    const room = this.#room(place);
    if (item.bytes.length > room) {
      throw new RangeError(
        `Cannot set item ${index} of a ShareableList: the value exceeds the available storage, ${room} bytes, with ${item.bytes.length}`,
      );
    }
    this.#write(place, item);
  }

  /** How many items equal `value`; bytes by what is in them. */
  count(value: Shareable): number {
    let found = 0;
    for (const item of this) if (isEqual(item, value)) found++;
    return found;
  }

  /** Where the first item is that equals `value`; -1 when there is none. */
  indexOf(value: Shareable): number {
    let index = 0;
    for (const item of this) {
      if (isEqual(item, value)) return index;
      index++;
    }
    return -1;
  }

  /** How the items are packed, in the notation of Python's `struct`. */
  get format(): string {
    return Array.from({ length: this.length }, (_, place) => {
      const format = this.#formatAt(place);
      return format.endsWith("s") ? `${this.#room(place)}s` : format;
    }).join("");
  }

  /** The items, one after another, each read when its turn comes. */
  *[Symbol.iterator](): IterableIterator<Shareable> {
    for (let place = 0; place < this.length; place++) yield this.#read(place);
  }

  /** Closes `shm`. */
  [Symbol.dispose](): void {
    this.shm.close();
  }

  /** The items and the name, for people. */
  toString(): string {
    const items = [...this].map((item) => typeof item === "bigint" ? `${item}n` : show(item));
    return `ShareableList([${items.join(", ")}], name='${this.shm.name}')`;
  }

  #place(index: number, act: string): number {
    const { length } = this;
    const place = index < 0 ? index + length : index;
    if (Number.isInteger(place) && place >= 0 && place < length) return place;
    throw new RangeError(
      `Cannot ${act} item ${index} of a ShareableList: it has ${length} items`,
    );
  }

  #room(place: number): number {
    return this.#offsets[place + 1] - this.#offsets[place];
  }

  #formatAt(place: number): string {
    const at = formatsAt(this.#offsets) + place * WORD;
    return text.decode(this.shm.buf.slice(at, at + WORD)).replace(/\0+$/, "");
  }

  #read(place: number): Shareable {
    const { buf } = this.shm;
    const at = dataAt(this.#offsets) + this.#offsets[place];
    const format = this.#formatAt(place);
    const as = buf[codesAt(this.#offsets) + place];
    if (as === AS.NULL) return null;
    if (format === FLOAT) return this.#view.getFloat64(at, true);
    if (format === BOOLEAN) return buf[at + 7] !== 0;
    if (format === INTEGER) {
      const integer = this.#view.getBigInt64(at, true);
      const number = Number(integer);
      return as === AS.BIG || !Number.isSafeInteger(number) ? integer : number;
    }
    const length = Math.min(parseInt(format) || 0, this.#room(place));
    const bytes = buf.slice(at, at + length);
    switch (as) {
      case AS.TEXT:
        return text.decode(stripped(bytes));
      case AS.BYTES:
        return stripped(bytes).slice();
      case AS.EXACT_TEXT:
        return text.decode(bytes);
      default:
        return bytes;
    }
  }

  #write(place: number, { format, as, bytes }: Item): void {
    const { buf } = this.shm;
    const [at, room] = [dataAt(this.#offsets) + this.#offsets[place], this.#room(place)];
    const padded = as === AS.TEXT || as === AS.BYTES;
    const formatBytes = encoder.encode((padded ? `${room}s` : format).padEnd(WORD, "\0"));
    buf.set(formatBytes, formatsAt(this.#offsets) + place * WORD);
    buf[codesAt(this.#offsets) + place] = as;
    buf.fill(0, at + bytes.length, at + room);
    buf.set(bytes, at);
  }
}

const text = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

function dataAt(offsets: readonly number[]): number {
  return (offsets.length + 1) * WORD;
}

function formatsAt(offsets: readonly number[]): number {
  return dataAt(offsets) + offsets.at(-1)!;
}

function codesAt(offsets: readonly number[]): number {
  return formatsAt(offsets) + (offsets.length - 1) * WORD;
}

/** Where items begin that have the room that they have at `like`, if that is enough, or what they need, as Python reckons it. */
function offsetsOf(items: readonly Item[], like?: readonly number[]): number[] {
  const offsets = [0];
  items.forEach(({ format, bytes }, i) => {
    const given = like === undefined ? 0 : like[i + 1] - like[i];
    const needed = format.endsWith("s") ? (Math.floor(bytes.length / WORD) + 1) * WORD : WORD;
    offsets.push(offsets[i] + (given > 0 && given >= bytes.length ? given : needed));
  });
  return offsets;
}

/** Reads where the items of somebody's list begin, and finds out whether it is one. */
function readOffsets(view: DataView, shm: SharedMemory): number[] {
  const offsets: number[] = [];
  const count = view.byteLength < 2 * WORD ? -1 : Number(view.getBigInt64(0, true));
  let sound = count >= 0 && (count + 2) * WORD <= view.byteLength;
  for (let i = 0; sound && i <= count; i++) {
    const offset = Number(view.getBigInt64((i + 1) * WORD, true));
    sound = offset % WORD === 0 && (i === 0 ? offset === 0 : offset > offsets[i - 1]);
    offsets.push(offset);
  }
  if (sound && codesAt(offsets) + count <= view.byteLength) return offsets;
  shm.close();
  throw new RangeError(
    `Cannot open ShareableList '${shm.name}': the memory of that name holds none`,
  );
}

/** A value as it will lie in memory. */
function itemOf(value: unknown, what: string): Item {
  switch (typeof value) {
    case "string":
      return bytesItem(encoder.encode(value), AS.TEXT, AS.EXACT_TEXT);
    case "number": {
      const integer = Number.isSafeInteger(value) && !Object.is(value, -0);
      return integer ? integerItem(BigInt(value), AS.ITSELF) : floatItem(value);
    }
    case "bigint":
      if (BigInt.asIntN(64, value) === value) return integerItem(value, AS.BIG);
      throw new RangeError(
        `Cannot ${what} a ShareableList: an integer has at most 64 bits, got ${value}`,
      );
    case "boolean":
      return { format: BOOLEAN, as: AS.ITSELF, bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, +value) };
  }
  if (value === null) return { format: NULL, as: AS.NULL, bytes: new Uint8Array(WORD) };
  if (value instanceof Uint8Array) return bytesItem(value, AS.BYTES, AS.EXACT_BYTES);
  throw new TypeError(
    `Cannot ${what} a ShareableList: items are strings, numbers, bigints, booleans, null and Uint8Arrays, got ${
      typeof value === "object" ? value.constructor?.name ?? "an object" : typeof value
    }`,
  );
}

function bytesItem(bytes: Uint8Array, as: number, exact: number): Item {
  if (bytes.length >= LONGEST) {
    throw new RangeError(
      `Cannot put ${bytes.length} bytes into a ShareableList: a text or bytes have less than ${LONGEST}; use a SharedMemory`,
    );
  }
  const padded = bytes.length === 0 || bytes.at(-1) !== 0;
  return { format: `${bytes.length}s`, as: padded ? as : exact, bytes };
}

function integerItem(value: bigint, as: number): Item {
  const bytes = new Uint8Array(WORD);
  new DataView(bytes.buffer).setBigInt64(0, value, true);
  return { format: INTEGER, as, bytes };
}

function floatItem(value: number): Item {
  const bytes = new Uint8Array(WORD);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return { format: FLOAT, as: AS.ITSELF, bytes };
}

function stripped(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

function isEqual(a: Shareable, b: Shareable): boolean {
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function show(item: Exclude<Shareable, bigint>): string {
  return item instanceof Uint8Array ? `Uint8Array [${item.join(", ")}]` : JSON.stringify(item);
}
