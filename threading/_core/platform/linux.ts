/**
 * Linux, through the C library. Tested on x86-64.
 *
 * Relies on: `errno` being read right after the call that failed, on the same thread; what a nonblocking call leaves in it is lost.
 *
 * @module
 */
import type { Ground, Mapping, Platform, Wanted } from "./contract.ts";
import {
  type Codes,
  cstring,
  failure,
  type Functions,
  groundOf,
  intsAt,
  MAPPING,
  mappingOf,
  openShut,
  retried,
} from "./posix.ts";

const LIBRARY = "libc.so.6";

// Addresses and sizes are numbers: nothing here is beyond 2 ** 53.
const FUNCTIONS = {
  getpid: { parameters: [], result: "i32" },
  gettid: { parameters: [], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  shm_open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  shm_unlink: { parameters: ["buffer"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i64" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i64" },
  close: { parameters: ["i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  posix_fallocate: { parameters: ["i32", "i64", "i64"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  ...MAPPING,
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  prctl: { parameters: ["i32", "i64", "i64", "i64", "i64"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  syscall: {
    parameters: ["i64", "usize", "i64", "i64", "usize", "i64", "i64"],
    result: "i64",
  },
  // Its address, for calls on another thread: those of a library need it open.
  syscall_address: { name: "syscall", type: "pointer" },
} as const;

const LATER = { ...FUNCTIONS.syscall, nonblocking: true } as const;

type Libc = Functions<typeof FUNCTIONS>;
type Syscall = (...args: Parameters<Libc["syscall"]>) => Promise<unknown>;

const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const MFD_CLOEXEC = 1;
const OWNER_ONLY = 0o600;
const SEEK_END = 2;
const AT_EMPTY_PATH = 0x1000;
const STATX_NLINK_INO = 0x104;
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const POLLIN = 1;
const PR_SET_PDEATHSIG = 1;
const CLOCK_MONOTONIC = 1;
const RLIMIT_NOFILE = 7;
const SYS_PIDFD_OPEN = 434;
const PIDFD_THREAD = O_EXCL;
const SYS_FUTEX_WAITV = 449;
const SYS_FUTEX = Deno.build.arch === "aarch64" ? 98 : 202;
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
/** 32 bits, shared between processes. */
const FUTEX2_SIZE_U32 = 2;
/** `struct futex_waitv`: value, address, flags, nothing; 8, 8, 4 and 4 bytes. */
const WAITER = 24;

const ESRCH = 3;
const ENOENT = 2;
const EMFILE = 24;
const NAMES: Record<number, string> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  12: "ENOMEM",
  13: "EACCES",
  17: "EEXIST",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  28: "ENOSPC",
  36: "ENAMETOOLONG",
};

/** Places in /proc/…/stat, counted from the state. */
const STAT_PARENT = 1;
const STAT_START = 19;

/** So many descriptors are left to others: a Deno that has none ends with a panic, whatever it does next. */
const SPARE = 64;

/** How many processes are watched at a time, each for one descriptor. */
const MOST_WATCHED = 64;

/** How long a wait that only one word can end goes without a look at the others, in milliseconds. */
const GLANCE = 5;

/** Opens the C library. */
export function openLinux(): Platform {
  const libc = openShut(LIBRARY, FUNCTIONS, (libc) => libc.getpid());
  const address = libc.syscall_address as unknown as Deno.PointerObject<typeof LATER>;
  const later = new Deno.UnsafeFnPointer(address, LATER);
  return new Linux(libc, (...args) => later.call(...args as bigint[] as Args));
}

type Args = [bigint, bigint, bigint, bigint, bigint, bigint, bigint];

class Linux implements Platform {
  readonly longestName = 254;
  readonly folder = "/dev/shm";
  readonly waitsForAll: boolean;
  readonly #libc: Libc;
  readonly #later: Syscall;
  readonly #codes: Codes;
  /** A `struct timespec`, for calls that return before the next one is made. */
  readonly #time = new BigInt64Array(2);
  readonly #timeAddress: number;
  readonly #watched = new Map<string, number>();
  readonly #poll = new Int32Array(2);
  #most: number | undefined;

  constructor(libc: Libc, later: Syscall) {
    this.#libc = libc;
    this.#later = later;
    this.#codes = {
      errno: () => intsAt(libc.__errno_location())[0],
      names: NAMES,
      anonymous: 0x20,
    };
    this.#timeAddress = addressOf(this.#time.buffer);
    // Refused for having no words by a kernel that knows the call; unknown before 5.16 and in some sandboxes.
    libc.syscall(SYS_FUTEX_WAITV, 0, 0, 0, 0, 0, 0);
    this.waitsForAll = this.#codes.names[this.#codes.errno()] === "EINVAL";
  }

  createAnonymous(bytes: number): number {
    const fd = this.#open("make shared memory", () => {
      return this.#libc.memfd_create(cstring("batteries-concurrent"), MFD_CLOEXEC);
    });
    try {
      this.#do("make shared memory", () => this.#libc.ftruncate(fd, bytes));
      return fd;
    } catch (error) {
      this.close(fd);
      throw error;
    }
  }

  /** Runs a call that gives a descriptor, the smallest number that is free. */
  #open(act: string, call: () => number): number {
    const fd = this.#do(act, call);
    try {
      this.#mustLeaveSome(fd, act);
      return fd;
    } catch (error) {
      this.close(fd);
      throw error;
    }
  }

  #mustLeaveSome(fd: number, act: string): void {
    if (fd >= this.#mostOpen()) throw failure(this.#codes, act, EMFILE);
  }

  #mostOpen(): number {
    if (this.#most !== undefined) return this.#most;
    // The limit, and what root could make of it.
    const limits = new BigUint64Array(2);
    this.#do("look at the limits", () => this.#libc.getrlimit(RLIMIT_NOFILE, limits));
    const limit = Number(limits[0]);
    return this.#most = limit - Math.min(SPARE, Math.floor(limit / 4));
  }

  ticketOf(fd: number): string {
    return `${Deno.pid}/${fd}`;
  }

  openTicket(ticket: string): number {
    const found = /^(\d{1,10})\/(\d{1,10})$/.exec(ticket);
    if (found === null) throw new TypeError(`Cannot open shared memory: '${ticket}' names none`);
    // O_NONBLOCK: should the number be a pipe's by now, opening it must not wait for its other end.
    const flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    const path = cstring(`/proc/${found[1]}/fd/${found[2]}`);
    return this.#open(`open shared memory of process ${found[1]}`, () => {
      return this.#libc.open(path, flags);
    });
  }

  createNamed(name: string, bytes: number): number {
    const act = `create shared memory '${name}'`;
    const path = cstring(`/${name}`);
    const flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
    const fd = this.#do(act, () => this.#libc.shm_open(path, flags, OWNER_ONLY));
    try {
      this.#mustLeaveSome(fd, act);
      this.#do(act, () => this.#libc.ftruncate(fd, bytes));
      // Reserves: the room is there or it is not, now. A sparse file would end the process at a later write, when there is none left.
      this.#do(act, () => this.#reserve(fd, bytes));
      return fd;
    } catch (error) {
      this.#libc.shm_unlink(path);
      this.close(fd);
      throw error;
    }
  }

  /** posix_fallocate returns the error instead of leaving it in errno. */
  #reserve(fd: number, bytes: number): number {
    const errno = this.#libc.posix_fallocate(fd, 0, bytes);
    intsAt(this.#libc.__errno_location())[0] = errno;
    return errno === 0 ? 0 : -1;
  }

  openNamed(name: string): number {
    const path = cstring(`/${name}`);
    return this.#open(`open shared memory '${name}'`, () => {
      return this.#libc.shm_open(path, O_RDWR | O_CLOEXEC, OWNER_ONLY);
    });
  }

  unlinkNamed(name: string): void {
    const path = cstring(`/${name}`);
    this.#do(`unlink shared memory '${name}'`, () => this.#libc.shm_unlink(path));
  }

  listNamed(prefix: string): string[] {
    const folder = this.#libc.opendir(cstring("/dev/shm"));
    if (folder === null) return [];
    const names: string[] = [];
    while (true) {
      const entry = this.#libc.readdir(folder);
      if (entry === null) break;
      // struct dirent: 8 bytes number, 8 offset, 2 length, 1 kind, then the name.
      const name = new Deno.UnsafePointerView(entry).getCString(19);
      if (name.startsWith(prefix)) names.push(name);
    }
    this.#libc.closedir(folder);
    return names;
  }

  sizeOf(fd: number): number {
    return this.#do("tell the size of shared memory", () => {
      return Number(this.#libc.lseek(fd, 0, SEEK_END));
    });
  }

  inodeOf(fd: number): number | undefined {
    // struct statx: the count of names, 4 bytes, is at 16, the number, 8 bytes, at 32.
    const found = new Uint8Array(256);
    this.#do("look at shared memory", () => {
      return this.#libc.statx(fd, cstring(""), AT_EMPTY_PATH, STATX_NLINK_INO, found);
    });
    const view = new DataView(found.buffer);
    return view.getUint32(16, true) === 0 ? undefined : Number(view.getBigUint64(32, true));
  }

  ground(fd: number, bytes: number, from = 0): Ground {
    return groundOf(this.#libc, this.#codes, fd, bytes, from);
  }

  map(fd: number, bytes: number): Mapping {
    return mappingOf(this.#libc, this.#codes, fd, bytes);
  }

  close(fd: number): void {
    this.#libc.close(fd);
  }

  pipe(): [read: number, write: number] {
    const fds = new Int32Array(2);
    this.#do("make a pipe", () => this.#libc.pipe2(fds, O_CLOEXEC));
    return [fds[0], fds[1]];
  }

  write(fd: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#do("write to a pipe", () => Number(this.#libc.write(fd, bytes, bytes.length)));
  }

  lockShared(fd: number): boolean {
    return this.#libc.flock(fd, LOCK_SH | LOCK_NB) === 0;
  }

  tryLockExclusive(fd: number): boolean {
    return this.#libc.flock(fd, LOCK_EX | LOCK_NB) === 0;
  }

  wait(address: number, value: number, ms: number): void {
    if (!(ms > 0)) return;
    this.#setTime(ms);
    this.#libc.syscall(SYS_FUTEX, address, FUTEX_WAIT, value, this.#timeAddress, 0, 0);
  }

  async waitAny(words: readonly Wanted[], ms: number): Promise<void> {
    if (!(ms > 0)) return;
    if (!this.waitsForAll) return await this.#waitFirst(words[0], Math.min(ms, GLANCE));
    // The deadline first, then the words; the kernel reads both before it sleeps, on another thread, so they are this call's own.
    const block = new ArrayBuffer(16 + words.length * WAITER);
    const view = new DataView(block);
    this.#setDeadline(view, ms);
    words.forEach(({ address, value }, i) => {
      const at = 16 + i * WAITER;
      view.setBigUint64(at, BigInt(value >>> 0), true);
      view.setBigUint64(at + 8, BigInt(address), true);
      view.setUint32(at + 16, FUTEX2_SIZE_U32, true);
    });
    const start = addressOf(block);
    await this.#later(
      SYS_FUTEX_WAITV,
      start + 16,
      words.length,
      0,
      start,
      CLOCK_MONOTONIC,
      0,
    );
    keep(block);
  }

  async #waitFirst({ address, value }: Wanted, ms: number): Promise<void> {
    const block = new BigInt64Array(2);
    spell(block, ms);
    const time = addressOf(block.buffer);
    await this.#later(SYS_FUTEX, address, FUTEX_WAIT, value, time, 0, 0);
    keep(block.buffer);
  }

  wake(address: number, count: number): void {
    this.#libc.syscall(SYS_FUTEX, address, FUTEX_WAKE, count, 0, 0, 0);
  }

  #setTime(ms: number): void {
    spell(this.#time, ms);
  }

  #setDeadline(view: DataView, ms: number): void {
    this.#libc.clock_gettime(CLOCK_MONOTONIC, this.#time);
    const nanoseconds = this.#time[1] + BigInt(Math.ceil(Math.min(ms, LONGEST) * 1e6));
    view.setBigInt64(0, this.#time[0] + nanoseconds / 1_000_000_000n, true);
    view.setBigInt64(8, nanoseconds % 1_000_000_000n, true);
  }

  threadId(): number {
    return this.#libc.gettid();
  }

  startOf(id: number): number | undefined {
    const found = this.#statOf(id)?.[STAT_START];
    return found === undefined ? undefined : Number(BigInt.asUintN(32, BigInt(found)));
  }

  parentOf(id: number): number | undefined {
    const found = this.#statOf(id)?.[STAT_PARENT];
    return found === undefined ? undefined : Number(found);
  }

  /** What /proc tells of a live process or thread, from its state on. */
  #statOf(id: number): string[] | undefined {
    const fd = this.#libc.open(cstring(`/proc/${id}/stat`), O_CLOEXEC);
    if (fd < 0) {
      const errno = this.#codes.errno();
      if (errno === ENOENT || errno === ESRCH) return undefined;
      throw failure(this.#codes, `look at process ${id}`, errno);
    }
    const bytes = new Uint8Array(1024);
    const read = Number(this.#libc.read(fd, bytes, bytes.length));
    this.close(fd);
    if (read <= 0) return undefined; // ended between the two
    // "42 (any ) name) S 1 …": the name may hold anything, so count from the last parenthesis.
    const text = new TextDecoder().decode(bytes.subarray(0, read));
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields;
  }

  hasEnded(id: number, start: number): boolean {
    const key = `${id} ${start}`;
    const watched = this.#watched.get(key) ?? this.#watch(id, start, key);
    if (watched === undefined) return this.startOf(id) !== start;
    this.#poll[0] = watched;
    this.#poll[1] = POLLIN;
    return this.#libc.poll(this.#poll, 1, 0) > 0;
  }

  /** A descriptor that becomes readable when the process or thread has ended; `undefined` where the kernel has none for it. */
  #watch(id: number, start: number, key: string): number | undefined {
    let fd = Number(this.#libc.syscall(SYS_PIDFD_OPEN, id, PIDFD_THREAD, 0, 0, 0, 0));
    if (fd < 0) fd = Number(this.#libc.syscall(SYS_PIDFD_OPEN, id, 0, 0, 0, 0, 0));
    if (fd < 0) return undefined;
    // The descriptor is fixed to whoever has the number now. Only if that is the one meant, is it worth keeping.
    if (this.startOf(id) !== start) {
      this.close(fd);
      return undefined;
    }
    if (this.#watched.size === MOST_WATCHED) {
      const [oldest, itsFd] = this.#watched.entries().next().value!;
      this.#watched.delete(oldest);
      this.close(itsFd);
    }
    this.#watched.set(key, fd);
    return fd;
  }

  dieWithParent(signal: number): void {
    this.#libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
  }

  #do(act: string, call: () => number): number {
    return retried(this.#codes, act, call);
  }
}

/** The longest time that is asked of the kernel at once, in milliseconds: a day. Whoever waits longer looks again. */
const LONGEST = 86_400_000;

/** Writes a length of time as a `struct timespec`. */
function spell(time: BigInt64Array, ms: number): void {
  const nanoseconds = BigInt(Math.ceil(Math.min(ms, LONGEST) * 1e6));
  time[0] = nanoseconds / 1_000_000_000n;
  time[1] = nanoseconds % 1_000_000_000n;
}

function addressOf(block: ArrayBufferLike): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(block))));
}

/** Keeps a block of memory alive until here: another thread has been reading it by its address. */
function keep(block: ArrayBufferLike): void {
  if (block.byteLength === 0) throw new Error("Cannot happen: the block was detached");
}
