/**
 * What this library asks of an operating system, whichever it is: memory that processes share, sleeping on a word of it, and whether
 * another process still lives. One implementation per system; `mod.ts` chooses.
 *
 * @module
 */

/** Memory of a shared object that belongs to JavaScript's collector: it is there for as long as anything refers to it. */
export interface Ground {
  /** The bytes themselves. Workers may be given it. */
  readonly memory: SharedArrayBuffer;
  /** Where it begins in this process's address space. */
  readonly address: number;
  /** The same memory as WebAssembly has it, where it is of that kind. */
  readonly wasm?: WebAssembly.Memory;
}

/** Memory of a shared object that its user gives back. */
export interface Mapping {
  /** The bytes themselves; detached by {@linkcode Mapping.unmap}. */
  readonly buffer: ArrayBuffer;
  /** Where it begins in this process's address space. */
  readonly address: number;
  /**
   * Detaches the buffer and gives the memory back. Views made before throw or read `undefined` from then on. Twice is once. When the
   * buffer is collected instead, the memory is given back without this.
   */
  unmap(): void;
}

/** A word to sleep on, and what it holds while sleeping is right. */
export interface Wanted {
  /** The word's place in this process's address space. */
  readonly address: number;
  /** Sleep only while the word holds this. */
  readonly value: number;
}

/** How many words {@linkcode Platform.waitAny} takes at most. */
export const MOST_WORDS = 128;

/** One operating system. A shared object is named by a descriptor, a number of this process. */
export interface Platform {
  /** Makes nameless memory of that many bytes, all 0. Its pages are taken when they are first touched. */
  createAnonymous(bytes: number): number;
  /** What another process, or this one, gives to {@linkcode Platform.openTicket} to reach an anonymous object while this process lives and keeps it open. */
  ticketOf(fd: number): string;
  /**
   * Opens what another process has open.
   *
   * @throws {Deno.errors.NotFound} when that process, or its descriptor, is gone.
   */
  openTicket(ticket: string): number;

  /**
   * Makes a named object of that many bytes, all 0, whose pages are taken now: no later write can fail for want of room.
   *
   * @throws {Deno.errors.AlreadyExists} when the name is taken.
   * @throws {Error} with `code` "ENOSPC" when there is no room.
   */
  createNamed(name: string, bytes: number): number;
  /** @throws {Deno.errors.NotFound} when nothing has that name. */
  openNamed(name: string): number;
  /** Takes the name away; whoever has the object open keeps it. @throws {Deno.errors.NotFound} when nothing has that name. */
  unlinkNamed(name: string): void;
  /** The names of objects that begin so; empty where a system cannot tell. */
  listNamed(prefix: string): string[];
  /** The longest name, in bytes. */
  readonly longestName: number;
  /** The folder where named objects are files, so that a program that is not ours can remove them; `undefined` where they are none. */
  readonly folder: string | undefined;
  /** The number of the file that an object is; `undefined` when its name was taken away. Only where there is a {@linkcode Platform.folder}. */
  inodeOf(fd: number): number | undefined;

  /** The size of an object in bytes. */
  sizeOf(fd: number): number;
  /** Maps the first `bytes` of an object, or those from `from` on, for JavaScript's collector to give back. Both in 64 KiB steps. */
  ground(fd: number, bytes: number, from?: number): Ground;
  /** Maps the first `bytes` of an object for the caller to give back. */
  map(fd: number, bytes: number): Mapping;
  /** Forgets the descriptor; mappings stay. */
  close(fd: number): void;

  /** A pipe: the descriptors to read from and to write to. Other programs do not inherit them. */
  pipe(): [read: number, write: number];
  /** Writes all of a short text to a pipe, or nothing. */
  write(fd: number, text: string): void;

  /** Says that this process uses the object, until `fd` is closed or the process has ended. False while somebody holds it exclusively. */
  lockShared(fd: number): boolean;
  /** Whether nobody else uses the object; from then on until `fd` is closed, nobody can say that they do. */
  tryLockExclusive(fd: number): boolean;

  /**
   * Sleeps while the word holds `value`, at most `ms` milliseconds. May return early for no reason: look again. Blocks the thread.
   */
  wait(address: number, value: number, ms: number): void;
  /**
   * Resolves when one of the words was woken or does not hold its value, or after `ms` milliseconds, or earlier for no reason. Occupies
   * one of the few threads that Deno keeps for such calls, so there should be one at a time; keeps the program open.
   *
   * Where only {@linkcode Platform.waitsForAll} is false, the first word alone wakes it, and the others are looked at every few
   * milliseconds.
   */
  waitAny(words: readonly Wanted[], ms: number): Promise<void>;
  /** Whether {@linkcode Platform.waitAny} is woken by each of its words. */
  readonly waitsForAll: boolean;
  /** Wakes up to `count` of those who sleep on a word. */
  wake(address: number, count: number): void;

  /** This thread's identifier for the two below; that of the main thread is the process's. */
  threadId(): number;
  /**
   * When a live process or thread began, in some unit of this machine, as 32 bits; `undefined` when none has that identifier, or it has
   * ended and was not yet waited for.
   */
  startOf(id: number): number | undefined;
  /** The process that started a live one; `undefined` when that has ended or the system does not tell. */
  parentOf(id: number): number | undefined;
  /** Whether the process or thread with that identifier and beginning has ended. Exact, and cheap enough for each slice of a wait. */
  hasEnded(id: number, start: number): boolean;
  /**
   * Asks for `signal` when the thread that started this process ends, where the system can. When that has happened already, nothing
   * comes: look at `Deno.ppid` afterwards.
   */
  dieWithParent(signal: number): void;
}
