/**
 * macOS, through its C library. Written from Apple's headers and NOT TESTED.
 *
 * What differs from Linux:
 * - There is no nameless shared memory: an anonymous object has a name until this process ends, which is its ticket.
 * - Objects are no files: they cannot be listed or locked, and sizes are whole pages.
 * - One call waits for one word, so {@linkcode Platform.waitAny} looks at the others every few milliseconds.
 * - On arm64, arguments in the place of `...` lie on the stack: eight registers are filled before them.
 *
 * @module
 */
import type { Ground, Mapping, Platform, Wanted } from "./contract.ts";
import {
  type Codes,
  cstring,
  type Functions,
  groundOf,
  intsAt,
  MAPPING,
  mappingOf,
  openShut,
  retried,
} from "./posix.ts";

const LIBRARY = "/usr/lib/libSystem.B.dylib";
const ARM = Deno.build.arch === "aarch64";
const FILL = ARM ? ["u64", "u64", "u64", "u64", "u64", "u64"] as const : [] as const;
const ZEROS: number[] = FILL.map(() => 0);

const FUNCTIONS = {
  getpid: { parameters: [], result: "i32" },
  __error: { parameters: [], result: "pointer" },
  shm_open: { parameters: ["buffer", "i32", ...FILL, "u64"], result: "i32" },
  shm_unlink: { parameters: ["buffer"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  pipe: { parameters: ["buffer"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fstat: { name: ARM ? "fstat" : "fstat$INODE64", parameters: ["i32", "buffer"], result: "i32" },
  ...MAPPING,
  pthread_threadid_np: { parameters: ["pointer", "buffer"], result: "i32" },
  proc_pidinfo: { parameters: ["i32", "i32", "u64", "buffer", "i32"], result: "i32" },
  __ulock_wait: { parameters: ["u32", "usize", "u64", "u32"], result: "i32" },
  __ulock_wake: { parameters: ["u32", "usize", "u64"], result: "i32" },
  wait_address: { name: "__ulock_wait", type: "pointer" },
} as const;

const LATER = { ...FUNCTIONS.__ulock_wait, nonblocking: true } as const;

type System = Functions<Omit<typeof FUNCTIONS, "shm_open">> & {
  shm_open(path: BufferSource, flags: number, ...rest: number[]): number;
};

const O_RDWR = 2;
const O_CREAT = 0x200;
const O_EXCL = 0x800;
const OWNER_ONLY = 0o600;
/** Where `struct stat` has the size, and how long it is. */
const ST_SIZE = 96;
const STAT = 144;
const UL_COMPARE_AND_WAIT_SHARED = 3;
const ULF_WAKE_ALL = 0x100;
const ULF_NO_ERRNO = 0x1000000;
/** `proc_pidinfo`'s `struct proc_bsdinfo`: status at 4, seconds and microseconds of the start at 120 and 128. */
const PROC_PIDTBSDINFO = 3;
const BSDINFO = 136;
const SZOMB = 5;

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
  63: "ENAMETOOLONG",
};

const GLANCE = 5;
const LONGEST = 86_400_000;

/** Opens the system's library. */
export function openDarwin(): Platform {
  const found = openShut(LIBRARY, FUNCTIONS as Deno.ForeignLibraryInterface, (system) => {
    (system as unknown as System).getpid();
  });
  return new Darwin(found as unknown as System);
}

class Darwin implements Platform {
  readonly longestName = 29;
  readonly folder = undefined;
  readonly waitsForAll = false;
  readonly #system: System;
  readonly #codes: Codes;
  readonly #later: (...args: number[]) => Promise<unknown>;
  /** The names of anonymous objects that this process has open. */
  readonly #names = new Map<number, string>();

  constructor(system: System) {
    this.#system = system;
    this.#codes = { errno: () => intsAt(system.__error())[0], names: NAMES, anonymous: 0x1000 };
    const address = system.wait_address as unknown as Deno.PointerObject<typeof LATER>;
    const pointer = new Deno.UnsafeFnPointer(address, LATER);
    this.#later = (op, at, value, us) => pointer.call(op, BigInt(at), BigInt(value), us);
  }

  createAnonymous(bytes: number): number {
    const name = `bc-${Deno.pid.toString(36)}-${crypto.randomUUID().slice(0, 13)}`;
    const fd = this.createNamed(name, bytes);
    if (this.#names.size === 0) addEventListener("unload", () => this.#forgetNames());
    this.#names.set(fd, name);
    return fd;
  }

  #forgetNames(): void {
    for (const name of this.#names.values()) this.#system.shm_unlink(cstring(`/${name}`));
  }

  ticketOf(fd: number): string {
    return this.#names.get(fd) ?? "";
  }

  openTicket(ticket: string): number {
    return this.openNamed(ticket);
  }

  createNamed(name: string, bytes: number): number {
    const act = `create shared memory '${name}'`;
    const path = cstring(`/${name}`);
    const flags = O_RDWR | O_CREAT | O_EXCL;
    const fd = this.#do(act, () => this.#system.shm_open(path, flags, ...ZEROS, OWNER_ONLY));
    try {
      this.#do(act, () => this.#system.ftruncate(fd, bytes));
      return fd;
    } catch (error) {
      this.#system.shm_unlink(path);
      this.close(fd);
      throw error;
    }
  }

  openNamed(name: string): number {
    const path = cstring(`/${name}`);
    return this.#do(`open shared memory '${name}'`, () => {
      return this.#system.shm_open(path, O_RDWR, ...ZEROS, OWNER_ONLY);
    });
  }

  unlinkNamed(name: string): void {
    const path = cstring(`/${name}`);
    this.#do(`unlink shared memory '${name}'`, () => this.#system.shm_unlink(path));
  }

  listNamed(): string[] {
    return [];
  }

  sizeOf(fd: number): number {
    const stat = new Uint8Array(STAT);
    this.#do("tell the size of shared memory", () => this.#system.fstat(fd, stat));
    return Number(new DataView(stat.buffer).getBigInt64(ST_SIZE, true));
  }

  inodeOf(): undefined {}

  ground(fd: number, bytes: number, from = 0): Ground {
    return groundOf(this.#system, this.#codes, fd, bytes, from);
  }

  map(fd: number, bytes: number): Mapping {
    return mappingOf(this.#system, this.#codes, fd, bytes);
  }

  close(fd: number): void {
    const name = this.#names.get(fd);
    if (name !== undefined) this.#system.shm_unlink(cstring(`/${name}`));
    this.#names.delete(fd);
    this.#system.close(fd);
  }

  pipe(): [read: number, write: number] {
    const fds = new Int32Array(2);
    this.#do("make a pipe", () => this.#system.pipe(fds));
    return [fds[0], fds[1]];
  }

  write(fd: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#do("write to a pipe", () => Number(this.#system.write(fd, bytes, bytes.length)));
  }

  lockShared(): boolean {
    return true;
  }

  tryLockExclusive(): boolean {
    return false;
  }

  wait(address: number, value: number, ms: number): void {
    if (!(ms > 0)) return;
    const op = UL_COMPARE_AND_WAIT_SHARED | ULF_NO_ERRNO;
    this.#system.__ulock_wait(op, address, value >>> 0, microseconds(ms));
  }

  async waitAny(words: readonly Wanted[], ms: number): Promise<void> {
    if (!(ms > 0)) return;
    const [{ address, value }] = words;
    const op = UL_COMPARE_AND_WAIT_SHARED | ULF_NO_ERRNO;
    const most = words.length === 1 ? ms : Math.min(ms, GLANCE);
    await this.#later(op, address, value >>> 0, microseconds(most));
  }

  wake(address: number, count: number): void {
    const op = UL_COMPARE_AND_WAIT_SHARED | ULF_NO_ERRNO;
    if (count > 1) this.#system.__ulock_wake(op | ULF_WAKE_ALL, address, 0);
    else this.#system.__ulock_wake(op, address, 0);
  }

  /** Threads cannot be looked up from another process, so a thread answers for its process. */
  threadId(): number {
    return Deno.pid;
  }

  startOf(id: number): number | undefined {
    const info = new Uint8Array(BSDINFO);
    const got = this.#system.proc_pidinfo(id, PROC_PIDTBSDINFO, 0, info, BSDINFO);
    if (got < BSDINFO) return undefined;
    const view = new DataView(info.buffer);
    if (view.getUint32(4, true) === SZOMB) return undefined;
    const [seconds, more] = [view.getBigUint64(120, true), view.getBigUint64(128, true)];
    return Number(BigInt.asUintN(32, seconds * 1_000_000n + more));
  }

  parentOf(): undefined {}

  hasEnded(id: number, start: number): boolean {
    return this.startOf(id) !== start;
  }

  dieWithParent(): void {}

  #do(act: string, call: () => number): number {
    return retried(this.#codes, act, call);
  }
}

function microseconds(ms: number): number {
  return Math.ceil(Math.min(ms, LONGEST / 100) * 1000);
}
