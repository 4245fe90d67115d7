/**
 * The store of a queue in memory that processes share: items as bytes in a ring, and the counts that go with them.
 *
 * What it is. Control words, and a {@linkcode RingMemory} whose bytes are the ring. All that says what is in the queue (where the ring
 * lies, its first item, how many there are, how many are not done) is a *state* of a few words, and there are two places for it. TURN
 * says by its lowest bit which of the two counts.
 *
 * Guarantees
 * - Every operation happens whole or not at all, whenever its process is killed:
 *   1. it writes bytes of the ring that no item of the state that counts lies in,
 *   2. it writes the whole next state over the one that does not count,
 *   3. it adds 1 to TURN. That is the operation; before it nothing has happened, after it all has.
 *   So who takes the lock over from a dead holder has nothing to mend, and an item is never seen in part, doubled or lost.
 * - {@linkcode Ring.size} and its like are right without the lock: they look at TURN again after they have read, and a state is not
 *   written over before TURN has moved on.
 *
 * Relies on: whoever calls {@linkcode Ring.push}, {@linkcode Ring.pop} or {@linkcode Ring.done} holds the queue's lock.
 *
 * @module
 */

/** The memory that items lie in. Lengths and places are in pages. */
export interface RingMemory {
  /** The bytes of some pages, to be used until it is asked for others twice. */
  reach(at: number, pages: number): Uint8Array;
  /**
   * Makes it `pages` long, which were `before`: takes the room for them, or gives the rest back.
   *
   * @throws when there is no room; then it is as before.
   */
  resize(pages: number, before: number): void;
}

/** A page of {@linkcode RingMemory}: as much as can be mapped by itself. */
export const PAGE = 65_536;
/** The ring that a queue begins with, which it keeps, and which it comes back to; in pages. */
export const BASE_PAGES = 1;
/** A ring up to this size is kept when it becomes empty; a larger one is given back. */
const KEPT_PAGES = 128;
/** No more: V8's optimized code is not safe with indices of typed arrays from 2 GiB on. */
export const MOST_PAGES = 2 ** 31 / PAGE - 1;

const UNIT = 8;
const UNITS_PER_PAGE = PAGE / UNIT;
/** Bytes before an item: its length. */
const HEADER = 4;

/** Where the lowest bit says which state counts. */
const TURN = 0;
/** The two states. */
const STATES = 16;
const STATE_WORDS = 16;
/** How many control words there are; from 1 to 15 they are the caller's. */
export const RING_WORDS = STATES + 2 * STATE_WORDS;

/** The fields of a state. HEAD and USED are in units of 8 bytes. */
const HEAD = 0;
const USED = 1;
const COUNT = 2;
const UNFINISHED = 3;
/** How often UNFINISHED has become 0. */
const ZEROS = 4;
const AT = 5;
const PAGES = 6;
/** How many units have been taken out, as 32 bits. */
const TAKEN = 7;
const FIELDS = 8;

/** See the head of this file. */
export class Ring {
  /** What {@linkcode Ring.taken} counts in, in bytes. */
  static readonly UNIT = UNIT;

  readonly #words: Int32Array;
  readonly #memory: RingMemory;
  /** The next state, while it is made. */
  readonly #next = new Int32Array(FIELDS);

  /** A ring over `words` that are all 0, or are those of another ring. */
  constructor(words: Int32Array, memory: RingMemory) {
    this.#words = words;
    this.#memory = memory;
  }

  /** Makes an empty ring, before anybody else knows of it. */
  begin(): void {
    this.#memory.resize(BASE_PAGES, 0);
    this.#words[STATES + PAGES] = BASE_PAGES;
  }

  #look(field: number): number {
    const words = this.#words;
    for (;;) {
      const turn = Atomics.load(words, TURN);
      const value = Atomics.load(words, stateOf(turn) + field);
      if (Atomics.load(words, TURN) === turn) return value;
    }
  }

  /** How many items there are. */
  get size(): number {
    return this.#look(COUNT);
  }

  /** How many items were put in and are not done. */
  get unfinished(): number {
    return this.#look(UNFINISHED);
  }

  /** How often {@linkcode Ring.unfinished} has become 0, as 32 bits. */
  get zeros(): number {
    return this.#look(ZEROS);
  }

  /** How many bytes the ring has. */
  get capacity(): number {
    return this.#look(PAGES) * PAGE;
  }

  /** What changes when an item goes. */
  get head(): number {
    return this.#look(HEAD);
  }

  /** How much has been taken out, in units, as 32 bits: see {@linkcode Ring.mark}. */
  get taken(): number {
    return this.#look(TAKEN);
  }

  /** What {@linkcode Ring.taken} will be when all that is in it now was taken out. Under the lock. */
  get mark(): number {
    const now = this.#now();
    return this.#words[now + TAKEN] + this.#words[now + USED] | 0;
  }

  /** Whether an item of that many bytes can be put in without a ring larger than is kept, or it is no use to wait for that. */
  hasRoom(length: number): boolean {
    const pages = this.#look(PAGES);
    if (pages < KEPT_PAGES) return true;
    const used = this.#look(USED);
    return used === 0 || used + unitsOf(length) <= pages * UNITS_PER_PAGE;
  }

  /**
   * Puts an item in behind the others; or before them, with `back`, as one that was taken out and comes back. `head`, if any, is the
   * beginning of the item. Under the lock.
   */
  push(item: Uint8Array, back = false, head: Uint8Array = NOTHING): void {
    const units = unitsOf(head.length + item.length);
    let now = this.#now();
    if (this.#words[now + USED] + units > this.#words[now + PAGES] * UNITS_PER_PAGE) {
      this.#grow(now, units);
      now = this.#now();
    }
    const next = this.#begin(now);
    const capacity = next[PAGES] * UNITS_PER_PAGE;
    const at = (next[HEAD] + (back ? capacity - units : next[USED])) % capacity;
    write(this.#memory.reach(next[AT], next[PAGES]), at * UNIT, head, item);
    if (back) {
      next[HEAD] = at;
      next[TAKEN] -= units;
    } else next[UNFINISHED]++;
    next[USED] += units;
    next[COUNT]++;
    this.#commit(now);
  }

  /**
   * Takes the first item out; `undefined` when there is none. Its memory is used again for the next one, unless it is to be the caller's
   * `own`. Under the lock.
   */
  pop(own = false): Uint8Array<ArrayBuffer> | undefined {
    const now = this.#now();
    if (this.#words[now + COUNT] === 0) return undefined;
    const next = this.#begin(now);
    const item = read(this.#memory.reach(next[AT], next[PAGES]), next[HEAD] * UNIT, own);
    const units = unitsOf(item.length);
    next[HEAD] = (next[HEAD] + units) % (next[PAGES] * UNITS_PER_PAGE);
    next[USED] -= units;
    next[TAKEN] += units;
    next[COUNT]--;
    this.#leave(now, next);
    return item;
  }

  /** Drops all items; they do not count as taken out. `each` sees them before, in memory that is used again. Under the lock. */
  clear(each: (item: Uint8Array<ArrayBuffer>) => void): void {
    const now = this.#now();
    const next = this.#begin(now);
    const ring = this.#memory.reach(next[AT], next[PAGES]);
    let at = next[HEAD];
    for (let n = 0; n < next[COUNT]; n++) {
      const item = read(ring, at * UNIT, false);
      at = (at + unitsOf(item.length)) % (next[PAGES] * UNITS_PER_PAGE);
      each(item);
    }
    next[USED] = next[COUNT] = 0;
    this.#leave(now, next);
  }

  /** The end of an operation that takes something out. */
  #leave(now: number, next: Int32Array): void {
    const before = next[AT] + next[PAGES];
    if (next[COUNT] === 0) this.#rest(next);
    this.#commit(now);
    // The last thing: should this process be killed before it, the room is given back when the ring grows and shrinks again.
    if (next[AT] + next[PAGES] < before) this.#memory.resize(next[AT] + next[PAGES], before);
  }

  /** One item is done; `false` when none was left to be done. Under the lock. */
  done(): boolean {
    const now = this.#now();
    if (this.#words[now + UNFINISHED] === 0) return false;
    const next = this.#begin(now);
    if (--next[UNFINISHED] === 0) next[ZEROS]++;
    this.#commit(now);
    return true;
  }

  /** An empty ring goes back to where a ring begins: the same few pages, which are in the cache. A large one becomes small. */
  #rest(next: Int32Array): void {
    next[HEAD] = 0;
    if (next[PAGES] <= KEPT_PAGES) return;
    next[AT] = 0;
    next[PAGES] = BASE_PAGES;
  }

  /** Where the state is that counts. Under the lock. */
  #now(): number {
    return stateOf(this.#words[TURN]);
  }

  #begin(now: number): Int32Array {
    const next = this.#next;
    for (let field = 0; field < FIELDS; field++) next[field] = this.#words[now + field];
    mustBeSound(next);
    return next;
  }

  /** Steps 2 and 3 of the head of this file. */
  #commit(now: number): void {
    const other = 2 * STATES + STATE_WORDS - now;
    for (let field = 0; field < FIELDS; field++) {
      Atomics.store(this.#words, other + field, this.#next[field]);
    }
    Atomics.add(this.#words, TURN, 1);
  }

  /**
   * Moves to a larger ring: an operation of its own. The new ring never lies over items of the old one; it lies where nothing is, or
   * behind it. Sizes at least double, so the pages left behind are never more than those that are used.
   */
  #grow(now: number, units: number): void {
    const next = this.#begin(now);
    const [head, used, at, pages] = [next[HEAD], next[USED], next[AT], next[PAGES]];
    const needed = Math.ceil((used + units) / UNITS_PER_PAGE);
    let wanted = 2 * pages;
    while (wanted < needed && wanted < KEPT_PAGES) wanted *= 2;
    wanted = Math.max(wanted, needed);
    if (wanted > MOST_PAGES) {
      throw new RangeError(
        `Cannot put an item of ${units * UNIT} bytes: the queue holds ${
          used * UNIT
        } bytes already, and has room for ${MOST_PAGES * PAGE}; take items out first`,
      );
    }
    const to = used === 0 || at >= BASE_PAGES + wanted ? BASE_PAGES : at + pages;
    const before = at + pages;
    if (to + wanted > before) this.#memory.resize(to + wanted, before);
    const from = this.#memory.reach(at, pages);
    const into = this.#memory.reach(to, wanted);
    const front = Math.min(used * UNIT, from.length - head * UNIT);
    into.set(from.subarray(head * UNIT, head * UNIT + front));
    into.set(from.subarray(0, used * UNIT - front), front);
    next[HEAD] = 0;
    next[AT] = to;
    next[PAGES] = wanted;
    this.#commit(now);
  }
}

/**
 * Whoever shares the memory can write into it: numbers that no ring has must not lead anywhere.
 *
 * @throws {Deno.errors.InvalidData} when there are such.
 */
function mustBeSound(state: Int32Array): void {
  const pages = state[PAGES];
  const units = pages * UNITS_PER_PAGE;
  const head = state[HEAD];
  const used = state[USED];
  const count = state[COUNT];
  const sound = pages > 0 && pages <= MOST_PAGES && state[AT] >= 0 &&
    head >= 0 && head < units && used >= 0 && used <= units && count >= 0 && count <= used;
  if (!sound) throw damaged();
}

function damaged(): Error {
  return new Deno.errors.InvalidData(
    "Cannot use a queue or pipe: the memory that its processes share holds what none of them has written; make a new one",
  );
}

function stateOf(turn: number): number {
  return STATES + (turn & 1) * STATE_WORDS;
}

/** How much of the ring an item takes. */
function unitsOf(length: number): number {
  return Math.ceil((HEADER + length) / UNIT);
}

const NOTHING = new Uint8Array();
/** Copying so few bytes one by one costs less than asking for it. */
const FEW = 48;

/** Writes an item, which is two parts, and its length, around the end of the ring if need be. */
function write(ring: Uint8Array, at: number, head: Uint8Array, item: Uint8Array): void {
  const length = head.length + item.length;
  ring[at] = length;
  ring[at + 1] = length >>> 8;
  ring[at + 2] = length >>> 16;
  ring[at + 3] = length >>> 24;
  const body = at + HEADER;
  if (head.length > 0) copyIn(ring, body, head);
  copyIn(ring, (body + head.length) % ring.length, item);
}

function copyIn(ring: Uint8Array, at: number, bytes: Uint8Array): void {
  const { length } = bytes;
  const room = ring.length - at;
  if (length > room) {
    ring.set(bytes.subarray(0, room), at);
    ring.set(bytes.subarray(room), 0);
  } else if (length > FEW) {
    ring.set(bytes, at);
  } else {
    for (let i = 0; i < length; i++) ring[at + i] = bytes[i];
  }
}

/** Items up to this length are copied into memory that is kept: new memory costs more than the copy. */
const KEPT_BYTES = 4 * 1024 * 1024;
let kept = new Uint8Array(1024);
/** The beginnings of some memory, by their length: to make a view costs more than to fill it. */
const short: Uint8Array<ArrayBuffer>[] = [];
const shortest = new Uint8Array(512);

function memoryFor(length: number): Uint8Array<ArrayBuffer> {
  if (length <= shortest.length) return short[length] ??= shortest.subarray(0, length);
  if (length > KEPT_BYTES) return new Uint8Array(length);
  if (length > kept.length) kept = new Uint8Array(Math.min(KEPT_BYTES, 2 * length));
  return kept.subarray(0, length);
}

/** A copy of the item that begins there. */
function read(ring: Uint8Array, at: number, own: boolean): Uint8Array<ArrayBuffer> {
  const length = (ring[at] | ring[at + 1] << 8 | ring[at + 2] << 16 | ring[at + 3] << 24) >>> 0;
  if (length > ring.length - HEADER) throw damaged();
  const item = own ? new Uint8Array(length) : memoryFor(length);
  const body = at + HEADER;
  const room = ring.length - body;
  if (length > room) {
    item.set(ring.subarray(body));
    item.set(ring.subarray(0, length - room), room);
  } else if (length > FEW) {
    item.set(ring.subarray(body, body + length));
  } else {
    for (let i = 0; i < length; i++) item[i] = ring[body + i];
  }
  return item;
}
