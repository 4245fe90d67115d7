/**
 * What pools and executors are asked for: what `with(…)` takes, and numbers among their options.
 *
 * @module
 */
import { bagOf, deadlineOf, PicklingError } from "../threading/_core/mod.ts";

/** Options of `executor.with` and `pool.with`. */
export interface RunOptions {
  /**
   * Stops each call when it is aborted: one that runs is ended for good, whatever it does; one that has not started never will. Its
   * future fails with `signal.reason`.
   */
  signal?: AbortSignal;
  /**
   * Milliseconds that each call may run, from its start. Then it is ended for good, whatever it does, and its future fails with a
   * `TimeoutError`. So does a call that has a worker, which has not begun it within ten seconds more.
   */
  timeout?: number;
  /** What is moved with the arguments instead of being copied, such as `ArrayBuffer`s: nothing is left of it here. */
  transfer?: Transferable[];
}

/**
 * Checks the options.
 *
 * @throws {TypeError} when one has the wrong type.
 * @throws {RangeError} when `timeout` is `NaN` or too large.
 */
export function termsOf(options: RunOptions, door = "executor.with"): RunOptions {
  const wrong = (what: string) => new TypeError(`Cannot use ${door}: ${what}`);
  bagOf(options, `use ${door}`, "{ timeout: 500 }");
  const { signal, timeout, transfer } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw wrong(`signal must be an AbortSignal, got ${typeof signal}`);
  }
  if (timeout !== undefined) deadlineOf(timeout, door);
  if (transfer !== undefined && !Array.isArray(transfer)) {
    throw wrong(`transfer must be an array, got ${typeof transfer}`);
  }
  return { signal, timeout, transfer };
}

/** Whether calls must be stoppable. */
export function mayStop(terms: RunOptions | undefined): boolean {
  return terms?.signal !== undefined || terms?.timeout !== undefined;
}

/**
 * An option that is a whole number, or was left out.
 *
 * @throws {TypeError} when it is no number.
 * @throws {RangeError} when it is not whole, or out of range.
 */
export function wholeNumber<T>(
  value: T,
  name: string,
  what: string,
  { least = 1, most = Infinity }: { least?: number; most?: number } = {},
): T {
  if (value === undefined) return value;
  if (typeof value !== "number") {
    const kind = value === null ? "null" : typeof value;
    throw new TypeError(`Cannot ${what}: ${name} must be a number, got ${kind}`);
  }
  if (!Number.isInteger(value) || value < least) {
    throw new RangeError(
      `Cannot ${what}: ${name} must be an integer of at least ${least}, got ${value}`,
    );
  }
  if (value > most) {
    throw new RangeError(`Cannot ${what}: ${name} must be ${most} at most, got ${value}`);
  }
  return value;
}

/**
 * Refuses a class as what is to be called: only `new` calls it. `what`: the act, `"submit"`.
 *
 * @throws {TypeError} when it is one.
 */
export function mustBeCalled(fn: (...args: never[]) => unknown, what: string): void {
  if (typeof fn !== "function" || !/^class\b/.test(Function.prototype.toString.call(fn))) return;
  const name = fn.name || "a class";
  throw new TypeError(
    `Cannot ${what} ${name}: it is a class, which only new can call; export a function that makes one and does what is to be done`,
  );
}

/** @throws {PicklingError} when something is to be moved that can be moved to another thread at most. `where`: `"to another process"`. */
export function mustMove(transfer: Transferable[] | undefined, where: string): void {
  if (transfer === undefined) return;
  for (const each of transfer) {
    if (each instanceof ArrayBuffer) continue;
    const kind = Object.prototype.toString.call(each).slice(8, -1);
    throw new PicklingError(
      `Cannot transfer ${kind} ${where}: only ArrayBuffers can be moved there`,
    );
  }
  if (new Set(transfer).size === transfer.length) return;
  throw new PicklingError(`Cannot transfer an ArrayBuffer twice: transfer must have it once`);
}

/** Bytes of a page of WebAssembly's memory. */
const PAGE = 65536;

/**
 * Takes away what was to be moved and was copied. What is gone already went with another call on the same terms.
 *
 * @throws {PicklingError} when one of them can never be taken from whoever has it: the memory of a WebAssembly module. Then nothing is
 * gone, unless there were several of whole pages.
 */
export function takeAway(buffers: Transferable[] | undefined): void {
  const transfer = (buffers as ArrayBuffer[] | undefined)?.filter(({ detached }) => !detached);
  if (transfer === undefined || transfer.length === 0) return;
  // They go one after the other, and whether one can go is known when it is its turn: those that may not are first.
  const isSuspect = ({ byteLength }: ArrayBuffer) => byteLength % PAGE === 0;
  transfer.sort((a, b) => Number(isSuspect(b)) - Number(isSuspect(a)));
  try {
    structuredClone(null, { transfer });
  } catch (cause) {
    throw new PicklingError(
      "Cannot transfer the memory of a WebAssembly module: it cannot leave it; slice() gives a copy that can",
      { cause },
    );
  }
}
