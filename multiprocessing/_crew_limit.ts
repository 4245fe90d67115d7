/**
 * What calls of processes may take: time and memory.
 *
 * @module
 */
import { now, remaining, TimeoutError } from "../threading/_core/mod.ts";
import { ended } from "../threading/_core/life.ts";
import type { Ending } from "./_crew_protocol.ts";
import type { RunOptions } from "./_terms.ts";
import { MemoryError } from "./errors.ts";

/**
 * Milliseconds that a worker may take to begin a call, beyond the time of the call itself: it imports what that needs. One that does not
 * begin, because it was stopped or is held by what an earlier call has left behind, would keep the call for ever.
 */
const LONGEST_START = 10_000;
/**
 * They are counted in parts, one after the other, each of which ends in another turn of the event loop: while this process was itself
 * stopped, or its thread blocked, no more than one of them has passed, and what was said meanwhile is heard before the last.
 */
const PARTS = 8;

/** Limits of calls that a worker has now. */
const running = new Set<TimeLimit>();
/** Those of a thread that has ended are nobody's. */
const forget = () => running.clear();

/** Stops a call in time: by its signal from the time it is submitted, by its time-out from the time when its run begins. */
export class TimeLimit {
  readonly #terms: RunOptions;
  readonly #stop: (why: unknown) => void;
  readonly #aborted = () => this.#stop(this.#terms.signal!.reason);
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Parts of the time to begin that are left; 0 when it has begun. */
  #parts = 0;
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

  /** A worker has it. */
  sent(): void {
    if (this.#terms.timeout === undefined) return;
    ended.add(forget);
    this.#parts = PARTS;
    this.#arm();
  }

  /** Its function is being called. */
  began(): void {
    if (this.#terms.timeout === undefined) return;
    this.#parts = 0;
    this.#arm();
  }

  #arm(): void {
    const timeout = Math.max(0, this.#terms.timeout!);
    const time = this.#parts === 0 ? timeout : (timeout + LONGEST_START) / PARTS;
    clearTimeout(this.#timer);
    this.deadline = now() + time;
    running.add(this);
    if (time <= LONGEST_TIMER) this.#timer = setTimeout(() => this.#passed(), time);
  }

  #look(): void {
    if (remaining(this.deadline) <= 0) this.#passed();
  }

  #passed(): void {
    if (this.#parts <= 1) return this.#late();
    this.#parts--;
    this.#arm();
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
    const { timeout } = this.#terms;
    this.#stop(
      new TimeoutError(
        this.#parts === 0
          ? `The call did not end within ${timeout} ms`
          : `The call was stopped before it ran: its worker took more than ${
            LONGEST_START / 1000
          } s longer to begin it than the ${timeout} ms that it may run`,
      ),
    );
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
