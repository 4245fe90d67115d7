/**
 * Windows, through kernel32. Written from Microsoft's documentation and NOT TESTED.
 *
 * What differs from Linux:
 * - Every object has a name, which is its ticket, and is gone with its last handle: there is nothing to unlink and nothing to sweep.
 * - Sleeping on a word works inside one process only. A wait sleeps a millisecond and looks again.
 * - A {@linkcode Ground} lies outside V8's memory and is given back when the process ends.
 *
 * @module
 */
import type { Ground, Mapping, Platform, Wanted } from "./contract.ts";
import { type Functions, openShut } from "./posix.ts";

const FUNCTIONS = {
  GetCurrentProcessId: { parameters: [], result: "u32" },
  CreateFileMappingW: {
    parameters: ["usize", "usize", "u32", "u32", "u32", "buffer"],
    result: "usize",
  },
  OpenFileMappingW: { parameters: ["u32", "i32", "buffer"], result: "usize" },
  MapViewOfFile: { parameters: ["usize", "u32", "u32", "u32", "usize"], result: "usize" },
  UnmapViewOfFile: { parameters: ["usize"], result: "i32" },
  VirtualQuery: { parameters: ["usize", "buffer", "usize"], result: "usize" },
  OpenProcess: { parameters: ["u32", "i32", "u32"], result: "usize" },
  GetProcessTimes: {
    parameters: ["usize", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  WaitForSingleObject: { parameters: ["usize", "u32"], result: "u32" },
  CloseHandle: { parameters: ["usize"], result: "i32" },
  Sleep: { parameters: ["u32"], result: "void" },
} as const;

type Kernel = Functions<typeof FUNCTIONS>;

const INVALID_HANDLE = 0xffff_ffff_ffff_ffffn;
const PAGE_READWRITE = 4;
const FILE_MAP_WRITE_READ = 6;
const SYNCHRONIZE = 0x100000;
const QUERY_LIMITED = 0x1000;
const WAIT_OBJECT_0 = 0;
const GLANCE = 1;

/** Opens kernel32. */
export function openWindows(): Platform {
  return new Windows(openShut("kernel32.dll", FUNCTIONS, (kernel) => kernel.GetCurrentProcessId()));
}

class Windows implements Platform {
  readonly longestName = 200;
  readonly folder = undefined;
  readonly waitsForAll = false;
  readonly #kernel: Kernel;
  readonly #names = new Map<number, string>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  createAnonymous(bytes: number): number {
    return this.createNamed(`batteries-${crypto.randomUUID()}`, bytes);
  }

  ticketOf(fd: number): string {
    return this.#names.get(fd) ?? "";
  }

  openTicket(ticket: string): number {
    return this.openNamed(ticket);
  }

  createNamed(name: string, bytes: number): number {
    // Whether it exists is asked first: the last error is not to be had through a second call.
    const there = this.#kernel.OpenFileMappingW(FILE_MAP_WRITE_READ, 0, wide(name));
    if (there !== 0n) {
      this.#kernel.CloseHandle(there);
      throw new Deno.errors.AlreadyExists(
        `Cannot create shared memory '${name}': the name is taken`,
      );
    }
    const [high, low] = [Math.floor(bytes / 2 ** 32), bytes >>> 0];
    const handle = this.#kernel.CreateFileMappingW(
      INVALID_HANDLE,
      0,
      PAGE_READWRITE,
      high,
      low,
      wide(name),
    );
    if (handle === 0n) {
      throw new Error(`Cannot create shared memory '${name}': the operating system refuses`);
    }
    this.#names.set(Number(handle), name);
    return Number(handle);
  }

  openNamed(name: string): number {
    const handle = this.#kernel.OpenFileMappingW(FILE_MAP_WRITE_READ, 0, wide(name));
    if (handle === 0n) {
      throw new Deno.errors.NotFound(
        `Cannot open shared memory '${name}': there is nothing of that name`,
      );
    }
    this.#names.set(Number(handle), name);
    return Number(handle);
  }

  unlinkNamed(): void {}

  listNamed(): string[] {
    return [];
  }

  sizeOf(fd: number): number {
    const address = this.#view(fd, 0, 0);
    const info = new Uint8Array(48);
    this.#kernel.VirtualQuery(address, info, info.length);
    this.#kernel.UnmapViewOfFile(address);
    return Number(new DataView(info.buffer).getBigUint64(24, true));
  }

  #view(fd: number, bytes: number, from: number): bigint {
    const [high, low] = [Math.floor(from / 2 ** 32), from >>> 0];
    const address = this.#kernel.MapViewOfFile(fd, FILE_MAP_WRITE_READ, high, low, bytes);
    if (address === 0n) {
      throw new Error("Cannot map shared memory: the operating system refuses");
    }
    return address;
  }

  ground(fd: number, bytes: number, from = 0): Ground {
    const address = this.#view(fd, bytes, from);
    const pointer = Deno.UnsafePointer.create(address)!;
    const buffer: unknown = Deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
    return { memory: buffer as SharedArrayBuffer, address: Number(address) };
  }

  map(fd: number, bytes: number): Mapping {
    const address = this.#view(fd, bytes, 0);
    const pointer = Deno.UnsafePointer.create(address)!;
    const buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
    let mapped = true;
    const unmap = (): void => {
      if (!mapped) return;
      mapped = false;
      // Moved by somebody, who still reaches here: it stays.
      if (buffer.detached) return;
      buffer.transfer(0);
      this.#kernel.UnmapViewOfFile(address);
    };
    return { buffer, address: Number(address), unmap };
  }

  close(fd: number): void {
    this.#names.delete(fd);
    this.#kernel.CloseHandle(fd);
  }

  inodeOf(): undefined {}

  pipe(): never {
    throw new Deno.errors.NotSupported("Cannot make a pipe: not on Windows");
  }

  write(): void {}

  lockShared(): boolean {
    return true;
  }

  tryLockExclusive(): boolean {
    return false;
  }

  wait(_address: number, _value: number, ms: number): void {
    if (ms > 0) this.#kernel.Sleep(Math.min(Math.ceil(ms), GLANCE));
  }

  async waitAny(_words: readonly Wanted[], ms: number): Promise<void> {
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(ms, GLANCE)));
  }

  wake(): void {}

  /** A thread answers for its process. */
  threadId(): number {
    return Deno.pid;
  }

  startOf(id: number): number | undefined {
    const handle = this.#kernel.OpenProcess(SYNCHRONIZE | QUERY_LIMITED, 0, id);
    if (handle === 0n) return undefined;
    const [start, end, kernel, user] = [0, 0, 0, 0].map(() => new BigUint64Array(1));
    const told = this.#kernel.GetProcessTimes(handle, start, end, kernel, user);
    const ended = this.#kernel.WaitForSingleObject(handle, 0) === WAIT_OBJECT_0;
    this.#kernel.CloseHandle(handle);
    if (told === 0 || ended) return undefined;
    return Number(BigInt.asUintN(32, start[0] / 10_000n));
  }

  parentOf(): undefined {}

  hasEnded(id: number, start: number): boolean {
    return this.startOf(id) !== start;
  }

  dieWithParent(): void {}
}

/** UTF-16 with a 0 at the end, in this session's own names. */
function wide(name: string): Uint8Array<ArrayBuffer> {
  const text = `Local\\${name}\0`;
  const units = Uint16Array.from(text, (letter) => letter.charCodeAt(0));
  return new Uint8Array(units.buffer);
}
