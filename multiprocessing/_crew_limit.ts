/**
 * What calls of processes may take: time and memory.
 *
 * @module
 */
import { now, remaining, TimeoutError } from "../threading/_core/mod.ts";
import type { Ending } from "./_crew_protocol.ts";
import type { RunOptions } from "./_terms.ts";
import { MemoryError } from "./errors.ts";

/** Limits of calls that run now. */
const running = new Set<TimeLimit>();

/** Stops a call in time: by its signal from the time it is submitted, by its time-out from the time when its run begins. */
export class TimeLimit {
  readonly #terms: RunOptions;
  readonly #stop: (why: unknown) => void;
  readonly #aborted = () => this.#stop(this.#terms.signal!.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When it is over, on the clock of `now`. */
  deadline = Infinity;

  constructor(terms: RunOptions, stop: (why: unknown) => void) {
    this.#terms = terms;
    this.#stop = stop;
  }

  start(): void {
    const { signal } = this.#terms;
    if (signal?.aborted) this.#aborted();
    else signal?.addEventListener("abort", this.#aborted, { once: true });
  }

  began(): void {
    const { timeout } = this.#terms;
    if (timeout === undefined) return;
    clearTimeout(this.#timer);
    this.deadline = now() + timeout;
    running.add(this);
    if (timeout <= LONGEST_TIMER) {
      this.#timer = setTimeout(() => this.#late(), Math.max(0, timeout));
    }
  }

  #look(): void {
    if (remaining(this.deadline) <= 0) this.#late();
  }

  /** For who is blocked, and whose timers therefore stand still: stops what is out of time, and says when there is more to stop. */
  static lookAtAll(): number {
    let next = Infinity;
    for (const limit of [...running]) limit.#look();
    for (const { deadline } of running) next = Math.min(next, deadline);
    return next;
  }

  #late(): void {
    running.delete(this);
    this.#stop(new TimeoutError(`The call did not end within ${this.#terms.timeout} ms`));
  }

  end(): void {
    running.delete(this);
    clearTimeout(this.#timer);
    this.#terms.signal?.removeEventListener("abort", this.#aborted);
  }
}

/** Beyond that it is as good as for ever: 24 days. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Flags for `deno run` that keep the heap of a process below so many MiB. */
export function heapFlags(memoryLimit: number | undefined): string[] | undefined {
  return memoryLimit === undefined ? undefined : [`--v8-flags=--max-old-space-size=${memoryLimit}`];
}

/** The error of the call whose process has ended like that, if it was out of memory. */
export function outOfMemory(
  { exitcode }: Ending,
  memoryLimit: number | undefined,
): MemoryError | undefined {
  // How V8 ends a process whose heap is full.
  if (memoryLimit === undefined || exitcode !== -5 && exitcode !== -6) return undefined;
  return new MemoryError(`Cannot finish the call: it needs more than ${memoryLimit} MiB`);
}
