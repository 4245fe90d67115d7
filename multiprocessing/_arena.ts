/**
 * Words in memory that processes share, and who lives among those that share it.
 *
 * Each thread that makes shared objects has arenas of its own: nameless shared memory, cut into blocks by whoever made it and by nobody
 * else, so that the allotting is plain JavaScript. A {@linkcode Place} is a block as one thread sees it. What travels is a
 * {@linkcode PlaceHandle}: where to open the arena, and where in it the block begins.
 *
 * Guarantees:
 * - The words of a place can be looked at for as long as anything refers to them; they never dangle (see `Ground`).
 * - A block is used again only when its maker's place was collected, every handle that was made of it was redeemed, and every place
 *   that came of one was collected or its process ended by itself. A handle that comes too late is refused, never mistaken for the
 *   block's next use. What a killed process held is not used again before the maker ends.
 * - Large blocks have an arena each. Its memory is free when the last process that maps it is done with it, killed or not.
 * - An identity means one thread of one process for ever: numbers are not used again.
 *
 * Relies on: JavaScript's atomics being exact on these words, between processes too; a handle being redeemed while its sender or its
 * maker lives.
 *
 * @module
 */
import { ended } from "../threading/_core/life.ts";
import { type Cas, casOn } from "./_quick.ts";
import { type Platform, platform } from "../threading/_core/platform/mod.ts";

/** Words of an arena, from the first on: */
const ARENA = {
  /** Four words nobody could guess, to know the arena by. */
  NONCE: 0,
  /** How many identities were given out. Only ever added to. */
  IDENTITIES: 4,
  WORDS: 16,
} as const;

/** Words of a block, before those of its place: */
const BLOCK = {
  /** How often the block was used, twice; odd while it is being freed. Written by the arena's maker. */
  USE: 0,
  /** Handles made minus handles redeemed. Below 0 when one was redeemed more than once. */
  TRANSIT: 1,
  /** Places that came of handles and were not collected. */
  HELD: 2,
  WORDS: 4,
} as const;

/** An identity's entry: the system's number of the thread, when it began, and whether it is known to have ended. */
const ENTRY = { ID: 0, START: 1, GONE: 2, WORDS: 4 } as const;

/** The page of V8's shared memory: arenas and the pieces of their directories are made of these. */
const STEP = 65_536;
const ENTRIES_PER_PIECE = STEP / 4 / ENTRY.WORDS;
/** How many threads can have an identity in an arena. Their entries are pages only where they are written. */
const MOST_IDENTITIES = 1 << 22;
const DIRECTORY = MOST_IDENTITIES * ENTRY.WORDS * 4;

const SMALLEST_ARENA = 4 * STEP;
const LARGEST_ARENA = 256 * STEP;
/** From so many bytes on, a block has an arena of its own. */
const LARGE = STEP;

/** A block of words as this thread sees it. */
export interface Place {
  readonly arena: Arena;
  /** The words of the block and no others. While this array is reachable, the block is this place's. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Where the first word is, in words from the beginning of the arena. */
  readonly at: number;
  /** Where the word is in this process's address space, for sleeping on it. */
  address(word: number): number;
}

/** A place, as data. Redeem it once. */
export interface PlaceHandle {
  /** Where the arena is open: at the sender's, and at the maker's. */
  readonly tickets: readonly string[];
  readonly nonce: string;
  readonly bytes: number;
  readonly at: number;
  readonly words: number;
  readonly use: number;
}

/** A thread's identity in an arena; 0 until it has one. The same object as long as the arena is known here. */
export interface Identity {
  readonly number: number;
}

/** An arena as this thread sees it: mapped once, however many of its blocks are known here. */
export class Arena {
  readonly memory: SharedArrayBuffer;
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Where the arena begins in this process's address space. */
  readonly address: number;
  readonly fd: number;
  readonly nonce: string;
  /** Where its maker has it open. */
  readonly makersTicket: string;
  readonly system: Platform;
  /** For those who look often: see {@linkcode Arena.identity}, which is what claims it. */
  readonly known: Identity;
  readonly #wasm: WebAssembly.Memory | undefined;
  #cas: Cas | undefined;
  readonly #pieces: Int32Array<SharedArrayBuffer>[] = [];
  readonly #identity = { number: 0 };

  constructor(
    system: Platform,
    fd: number,
    bytes: number,
    makersTicket: string,
    fresh = false,
  ) {
    const { memory, address, wasm } = system.ground(fd, bytes);
    this.#wasm = wasm;
    this.system = system;
    this.memory = memory;
    this.words = new Int32Array(memory);
    this.address = address;
    this.fd = fd;
    this.makersTicket = makersTicket;
    this.known = this.#identity;
    if (fresh) this.words.set(crypto.getRandomValues(new Int32Array(4)), ARENA.NONCE);
    this.nonce = nonceOf(this.words);
  }

  /** This thread's identity, 1 or more: claimed at the first call. */
  get identity(): number {
    return this.#identity.number ||= this.#claim();
  }

  #claim(): number {
    // A thread's worker may become another thread.
    ended.add(forsakeIdentities);
    const id = this.system.threadId();
    const start = this.system.startOf(id) ?? 0;
    const identity = Atomics.add(this.words, ARENA.IDENTITIES, 1) + 1;
    if (identity >= MOST_IDENTITIES) {
      throw new Error(
        `Cannot share memory with another process: ${identity} have shared this memory already`,
      );
    }
    // Nobody looks at an entry before its identity stands in some word, and that is written after these.
    const { piece, at } = this.#entry(identity);
    Atomics.store(piece, at + ENTRY.START, start);
    Atomics.store(piece, at + ENTRY.ID, id);
    return identity;
  }

  /** The quickest compare-exchange on this arena's words. */
  get cas(): Cas {
    return this.#cas ??= casOn({ words: this.words, wasm: this.#wasm });
  }

  /** Whether the thread with that identity has ended, by itself or not. */
  isGone(identity: number): boolean {
    if (identity === this.#identity.number) return false;
    const { piece, at } = this.#entry(identity);
    if (Atomics.load(piece, at + ENTRY.GONE) !== 0) return true;
    const id = Atomics.load(piece, at + ENTRY.ID);
    const start = Atomics.load(piece, at + ENTRY.START) >>> 0;
    if (id === 0 || !this.system.hasEnded(id, start)) return false;
    Atomics.store(piece, at + ENTRY.GONE, 1);
    return true;
  }

  /** Says that this thread's identity is gone; the next one is another. */
  forsake(): void {
    const { number } = this.#identity;
    if (number === 0) return;
    const { piece, at } = this.#entry(number);
    Atomics.store(piece, at + ENTRY.GONE, 1);
    this.#identity.number = 0;
  }

  #entry(identity: number): { piece: Int32Array; at: number } {
    const number = Math.floor(identity / ENTRIES_PER_PIECE);
    const from = this.memory.byteLength + number * STEP;
    const piece = this.#pieces[number] ??= new Int32Array(
      this.system.ground(this.fd, STEP, from).memory,
    );
    return { piece, at: (identity % ENTRIES_PER_PIECE) * ENTRY.WORDS };
  }

  place(at: number, words: number): Place {
    return new BlockPlace(this, new Int32Array(this.memory, at * 4, words), at);
  }
}

class BlockPlace implements Place {
  readonly arena: Arena;
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly at: number;

  constructor(arena: Arena, words: Int32Array<SharedArrayBuffer>, at: number) {
    this.arena = arena;
    this.words = words;
    this.at = at;
  }

  address(word: number): number {
    return this.arena.address + (this.at + word) * 4;
  }
}

/** This thread's identity in an arena, 1 or more, below 2 ** 22. */
export function identityIn(arena: Arena): number {
  return arena.identity;
}

/** Whether the process, or its thread, with that identity has ended, by itself or not. Exact, and under a microsecond as a rule. */
export function isGone(arena: Arena, identity: number): boolean {
  return arena.isGone(identity);
}

/** Says that this thread lets go of everything it owns: its identities are gone, and it claims others when it needs some. */
export function forsakeIdentities(): void {
  for (const known of arenas.values()) known.deref()?.forsake();
}

/** The arenas that this thread has mapped, by nonce. */
const arenas = new Map<string, WeakRef<Arena>>();

const arenaCollected = new FinalizationRegistry<{ system: Platform; fd: number; nonce: string }>(
  ({ system, fd, nonce }) => {
    system.close(fd);
    if (arenas.get(nonce)?.deref() === undefined) arenas.delete(nonce);
  },
);

function know(arena: Arena): Arena {
  arenas.set(arena.nonce, new WeakRef(arena));
  const { system, fd, nonce } = arena;
  arenaCollected.register(arena, { system, fd, nonce });
  return arena;
}

function nonceOf(words: Int32Array): string {
  return Array.from(words.subarray(ARENA.NONCE, ARENA.NONCE + 4), (word) => word >>> 0).join(".");
}

function makeArena(system: Platform, bytes: number): Arena {
  const fd = system.createAnonymous(bytes + DIRECTORY);
  return know(new Arena(system, fd, bytes, system.ticketOf(fd), true));
}

/** What this thread cuts small blocks from. */
interface Store {
  readonly arena: Arena;
  /** The first word that no block has had. */
  next: number;
}

const stores: Store[] = [];

/** Freed blocks by their size in words: stores that have them, and where. */
const free = new Map<number, { arena: Arena; at: number }[]>();

/** Blocks whose maker's place was collected while handles or other places of it were about. */
let lingering: Block[] = [];

interface Block {
  readonly arena: Arena;
  readonly at: number;
  /** In words, with those of {@linkcode BLOCK}. */
  readonly size: number;
  readonly large: boolean;
}

const collected = new FinalizationRegistry<Block>((block) => {
  if (!tryFree(block)) lingering.push(block);
});

/**
 * Words of this thread's making, all 0, for it and others to share.
 *
 * @param words How many; their beginning is aligned to 16 bytes.
 * @param what For the message, should that be impossible: "make a Lock".
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 * @throws {Error} when there is no memory.
 */
export function allot(words: number, what: string): Place {
  const system = platform(what);
  const size = BLOCK.WORDS + Math.ceil(words / 4) * 4;
  const block = words * 4 >= LARGE ? largeBlock(system, size) : smallBlock(system, size);
  const place = block.arena.place(block.at + BLOCK.WORDS, words);
  collected.register(place.words, block);
  return place;
}

function largeBlock(system: Platform, size: number): Block {
  sweep();
  const bytes = Math.ceil((ARENA.WORDS + size) * 4 / STEP) * STEP;
  return { arena: makeArena(system, bytes), at: ARENA.WORDS, size, large: true };
}

function smallBlock(system: Platform, size: number): Block {
  const used = free.get(size)?.pop();
  if (used !== undefined) return { ...used, size, large: false };
  let store = stores.at(-1);
  if (store === undefined || store.next + size > store.arena.words.length) {
    // Before more memory is asked for, what has become free meanwhile.
    sweep();
    const swept = free.get(size)?.pop();
    if (swept !== undefined) return { ...swept, size, large: false };
    const last = store?.arena.memory.byteLength;
    const bytes = last === undefined ? SMALLEST_ARENA : Math.min(last * 2, LARGEST_ARENA);
    store = { arena: makeArena(system, bytes), next: ARENA.WORDS };
    stores.push(store);
  }
  const at = store.next;
  store.next += size;
  return { arena: store.arena, at, size, large: false };
}

function sweep(): void {
  lingering = lingering.filter((block) => !tryFree(block));
}

/**
 * Frees a block whose maker's place was collected, if nobody else may come for it.
 *
 * A handle that was redeemed twice may still be on its way when all the counts say otherwise. So that it finds the block or finds out:
 * 1. The maker makes USE odd, then reads HELD. Who redeems adds to HELD, then reads USE.
 * 2. One of the two sees the other. The maker who sees a holder takes USE back; the holder who sees another USE than its handle's
 *    lets go and is refused (while USE is odd, it looks again).
 */
function tryFree({ arena, at, size, large }: Block): boolean {
  const { words } = arena;
  if (Atomics.load(words, at + BLOCK.TRANSIT) > 0) return false;
  // Whoever has a large block mapped keeps its memory by that, and it is not used again.
  if (large) return true;
  const use = Atomics.add(words, at + BLOCK.USE, 1);
  const busy = Atomics.load(words, at + BLOCK.HELD) > 0 ||
    Atomics.load(words, at + BLOCK.TRANSIT) > 0;
  if (busy) {
    Atomics.store(words, at + BLOCK.USE, use);
    return false;
  }
  words.fill(0, at + BLOCK.TRANSIT, at + size);
  Atomics.store(words, at + BLOCK.USE, use + 2);
  const list = free.get(size);
  if (list === undefined) free.set(size, [{ arena, at }]);
  else list.push({ arena, at });
  return true;
}

/** A place as data, for one receiver: another process, or another thread of this one. Keeps the block until it is redeemed. */
export function reducePlace(place: Place): PlaceHandle {
  const { arena, at, words } = place;
  const block = at - BLOCK.WORDS;
  Atomics.add(arena.words, block + BLOCK.TRANSIT, 1);
  const own = arena.system.ticketOf(arena.fd);
  return {
    tickets: own === arena.makersTicket ? [own] : [own, arena.makersTicket],
    nonce: arena.nonce,
    bytes: arena.memory.byteLength,
    at,
    words: words.length,
    use: Atomics.load(arena.words, block + BLOCK.USE),
  };
}

/**
 * The place that a handle was made of.
 *
 * @param what For the message, should that be impossible: "receive a Lock".
 * @throws {Deno.errors.NotCapable} without `--allow-ffi`.
 * @throws {Deno.errors.NotFound} when its sender and its maker have ended.
 */
export function revivePlace(handle: PlaceHandle, what: string): Place {
  const { at, words, use } = handle;
  const arena = arenas.get(handle.nonce)?.deref() ?? openArena(handle, what);
  const block = at - BLOCK.WORDS;
  hold(arena, block);
  let now = Atomics.load(arena.words, block + BLOCK.USE);
  // The maker is in the middle of freeing it: a few steps, unless it was killed there.
  for (let spins = 0; now === use + 1 && spins < 1e6; spins++) {
    now = Atomics.load(arena.words, block + BLOCK.USE);
  }
  if (now !== use) {
    letGo({ arena, block });
    throw new Deno.errors.NotFound(
      `Cannot ${what}: it was received before, and nobody has it any more`,
    );
  }
  Atomics.sub(arena.words, block + BLOCK.TRANSIT, 1);
  const place = arena.place(at, words);
  letGoOf.register(place.words, { arena, block });
  return place;
}

function openArena(handle: PlaceHandle, what: string): Arena {
  const system = platform(what);
  for (const ticket of handle.tickets) {
    let fd: number;
    try {
      fd = system.openTicket(ticket);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    // By now the number may be another file's: the nonce tells.
    if (isArena(system, fd, handle)) {
      return know(new Arena(system, fd, handle.bytes, handle.tickets.at(-1)!));
    }
    system.close(fd);
  }
  throw new Deno.errors.NotFound(
    `Cannot ${what}: the process that sent it and the one that made it have ended, or let go of it`,
  );
}

function isArena(system: Platform, fd: number, { bytes, nonce }: PlaceHandle): boolean {
  try {
    if (system.sizeOf(fd) < bytes) return false;
    return nonceOf(new Int32Array(system.ground(fd, STEP).memory)) === nonce;
  } catch {
    return false; // a file of another kind
  }
}

interface Holding {
  readonly arena: Arena;
  readonly block: number;
}

const letGoOf = new FinalizationRegistry<Holding>(letGo);

/** How often each block is held here, for the end of this thread: nothing is collected then. */
const holdings = new Map<Arena, Map<number, number>>();

function hold(arena: Arena, block: number): void {
  if (holdings.size === 0) addEventListener("unload", letGoOfAll);
  let blocks = holdings.get(arena);
  if (blocks === undefined) holdings.set(arena, blocks = new Map());
  blocks.set(block, (blocks.get(block) ?? 0) + 1);
  Atomics.add(arena.words, block + BLOCK.HELD, 1);
}

function letGo({ arena, block }: Holding): void {
  const blocks = holdings.get(arena);
  const times = blocks?.get(block);
  if (blocks === undefined || times === undefined) return;
  if (times > 1) blocks.set(block, times - 1);
  else blocks.delete(block);
  if (blocks.size === 0) holdings.delete(arena);
  if (holdings.size === 0) removeEventListener("unload", letGoOfAll);
  Atomics.sub(arena.words, block + BLOCK.HELD, 1);
}

function letGoOfAll(): void {
  for (const [arena, blocks] of holdings) {
    for (const [block, times] of blocks) Atomics.sub(arena.words, block + BLOCK.HELD, times);
  }
  holdings.clear();
}

/**
 * A view of a place's bytes for a user, who may do with it what they like: make others of its buffer, and keep those only.
 *
 * A block of a common arena is used again when its place is collected, and a view does not keep the place. So it gets a buffer of its
 * own, over the same pages, and the place lives as long as that buffer.
 */
export function exposed(place: Place): { buffer: SharedArrayBuffer; byteOffset: number } {
  const { arena, at, words } = place;
  if (words.byteLength >= LARGE) return { buffer: arena.memory, byteOffset: at * 4 };
  const from = Math.floor(at * 4 / STEP) * STEP;
  const { memory } = arena.system.ground(arena.fd, at * 4 + words.byteLength - from, from);
  keptByBuffer.register(memory, place);
  return { buffer: memory, byteOffset: at * 4 - from };
}

const keptByBuffer = new FinalizationRegistry<Place>(() => {});
