/**
 * Shared memory as 32-bit words: the ground that every agent of this process stands on, its small heap, and the layout of the
 * records that lie in it. The only place that allocates shared memory.
 *
 * An *agent* is one JavaScript thread of execution with its own heap (ECMAScript's word): the main thread or a worker. Each has a
 * record here, and so has each waiter. A *pointer* is the index of a record's first word; 0 points to nothing. Pointers mean the
 * same in every agent that shares the ground, so records can be linked to each other.
 *
 * @module
 */

/** Words that several agents share, and the way to sleep on one of them. */
export class Ground {
  /** The words themselves. JavaScript's atomics are exact on them from every agent. */
  readonly words: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
  }

  /** The memory, to be handed to another agent. */
  get buffer(): SharedArrayBuffer {
    return this.words.buffer;
  }
}

const MAGIC = 1;
/** Words of the header, at the start of the ground. The heap's lock word. */
export const HEAP_LOCK = 2;
/** First word that was never allocated. */
export const HEAP_TOP = 3;
/** First of the free lists, one per power of two. */
export const HEAP_FREE = 4;
/** How many there are. */
export const HEAP_CLASSES = 24;
/** The identifier that the next thread gets. */
export const NEXT_IDENT = 28;
/** Pointer to the record of the main thread's agent. */
export const MAIN_AGENT = 29;
/** The list of threads that have started and not finished: its lock word and its first record. */
export const THREADS_LOCK = 30;
/** See {@linkcode THREADS_LOCK}. */
export const THREADS_HEAD = 31;
/** Records of finished threads, to be used again: they never become anything else, so a stale pointer to one stays harmless. */
export const THREADS_FREE = 32;
/** The number of the next thread without a name. */
export const NEXT_NAME = 33;
/** The same for records of agents that are gone. Under the heap's lock. */
export const AGENTS_FREE = 34;
/** The number of the next deposit; see depot in bootstrap.ts. */
export const NEXT_DEPOSIT = 35;
/** Pointer to the table of what the operating system calls threads; see threads.ts. */
export const NATIVES = 36;
/** How many agents were killed that may hold locks. */
export const DEATHS = 37;
const HEADER_WORDS = 64;

const MAGIC_NUMBER = 0x62617474;
/**
 * Address space of the ground in bytes. Pages that were never written cost nothing, so this bounds how much can be in use at once
 * (two million waiters), not what a program pays. A fixed buffer is twice as fast as a growable one.
 */
export const GROUND_BYTES = 64 * 1024 * 1024;

/** A waiter: one call, of either form, that waits for something. Size {@linkcode WAITER_WORDS}. */
export const W_STATE = 0;
/** Next waiter of the same lot; while the record is unused, next of the agent's unused ones. */
export const W_NEXT = 1;
/** Previous waiter of the same lot. */
export const W_PREV = 2;
/** Pointer to the agent that waits. Never changes. */
export const W_AGENT = 3;
/** {@linkcode SYNC} or {@linkcode ASYNC}. Never changes. */
export const W_FORM = 4;
/** What the granter tells the waiter: a barrier's index, for instance. */
export const W_DATA = 5;
/** Next waiter on the agent's stack of granted waiters. */
export const W_STACKED_NEXT = 6;
/** 1 while the waiter is on that stack, so that nobody puts it there twice. */
export const W_STACKED = 7;
/** Size of a waiter's record. */
export const WAITER_WORDS = 8;

/** Status of a worker that is starting or has a job. */
export const BUSY = 0;
/** Status of a worker that waits for a job. */
export const PARKED = 1;
/** Status of a worker that has ended, or is about to without touching anything of ours any more. */
export const GONE = 2;
/** Status of a worker that is about to end, runs no more of the user's code, and has still to say that its thread has finished. */
export const LEAVING = 4;

/** Status of a worker that was killed. Its record is never used again, since locks may name it as their holder. */
export const DEAD = 3;

/** Form of a waiter whose thread is blocked until it is granted. */
export const SYNC = 0;
/** Form of a waiter that is a promise. */
export const ASYNC = 1;

/** State of a waiter that waits for nothing. */
export const IDLE = 0;
/** State of a waiter in a lot. It leaves this state under the lot's lock only. */
export const WAITING = 1;
/** State of a waiter that was given what it waits for. States above it are grants too, with a meaning of the primitive's. */
export const GRANTED = 2;

/** An agent's record. Word that a blocked agent sleeps on; everybody who wants its attention adds 1 and wakes it. */
export const A_PARK = 0;
/** The same for its asynchronous waiters: its event loop listens to this word. */
export const A_BELL = 1;
/** First of its granted asynchronous waiters, linked by {@linkcode W_STACKED_NEXT}. */
export const A_STACK = 2;
/** 1 while the agent is in a `Sync` call: its event loop stands still, and so do its asynchronous waiters. */
export const A_BLOCKED = 3;
/** How many permits asynchronous waiters of this agent were given and have not picked up yet. */
export const A_UNCLAIMED = 4;
/** 1 when somebody passed over one of its asynchronous waiters because the agent was blocked. */
export const A_SKIPPED = 5;
/** First of its unused waiter records. Touched by the agent alone, and by whoever frees the agent. */
export const A_SPARE = 6;
/** A worker's: how many of its messages to the main agent have not been read. */
export const A_REQUESTS = 7;
/** A worker's: {@linkcode BUSY}, {@linkcode PARKED}, {@linkcode LEAVING} or {@linkcode GONE}. */
export const A_STATUS = 8;
/** The main agent's: counts what its workers want it to look at. */
export const A_NEWS = 9;
/** A killable worker's: not 0 while it is in a stretch that must not be torn, or imports modules; see section.ts. */
export const A_SECTION = 10;
/** A killable worker's: not 0 when it is to end; see section.ts. */
export const A_STOP = 11;
/** A killable worker's: how many asynchronous waiters it has. */
export const A_PENDING = 12;
/** 1 when the agent has had a handle on a lock, which may therefore name it as its holder. */
export const A_LOCKS = 13;
/** A killable worker's: it waits for this word as long as it exists, and writes 1 when it does; see park.ts. */
export const A_ALIVE = 14;
/** The record of its blocking waiter: an agent is in one `Sync` call at a time. */
export const A_WAITER = 15;
/** Size of an agent's record. */
export const AGENT_WORDS = A_WAITER + WAITER_WORDS;

/** Makes the ground of this process. Called once, in the main thread. */
export function layGround(): Ground {
  const ground = new Ground(new SharedArrayBuffer(GROUND_BYTES));
  const { words } = ground;
  words[HEAP_TOP] = HEADER_WORDS;
  words[NEXT_IDENT] = 2;
  words[MAGIC] = MAGIC_NUMBER;
  return ground;
}

/** Stands on the ground that another agent laid. */
export function standOn(buffer: SharedArrayBuffer): Ground {
  const ground = new Ground(buffer);
  if (ground.words[MAGIC] !== MAGIC_NUMBER) throw new TypeError("Not a ground of this library");
  return ground;
}
