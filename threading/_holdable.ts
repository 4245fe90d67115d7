/**
 * What everything that can be acquired and released has in common: `hold` and `holdSync`.
 *
 * @module
 */
import { TimeoutError, type WaitOptions } from "./_core/mod.ts";

/** Something to acquire and release. */
export interface Acquirable {
  /** Waits without blocking. */
  acquire(options?: WaitOptions): Promise<boolean>;
  /** Waits on the calling thread. */
  acquireSync(options?: WaitOptions): boolean;
  /** Gives back. */
  release(): void;
}

/** A guard that releases once, at the end of the `using` block. */
export function guard(lock: Acquirable): Disposable {
  let held = true;
  return {
    [Symbol.dispose]() {
      if (!held) return;
      held = false;
      lock.release();
    },
  };
}

/** The body of every `hold`. */
export async function hold(lock: Acquirable, options?: WaitOptions): Promise<Disposable> {
  if (!await lock.acquire(options)) throw outOfTime(lock, options);
  return guard(lock);
}

/** The body of every `holdSync`. */
export function holdSync(lock: Acquirable, options?: WaitOptions): Disposable {
  if (!lock.acquireSync(options)) throw outOfTime(lock, options);
  return guard(lock);
}

function outOfTime(lock: Acquirable, options?: WaitOptions): TimeoutError {
  const after = options?.timeout === undefined ? "at once" : `within ${options.timeout} ms`;
  return new TimeoutError(
    `Cannot hold the ${lock.constructor.name}: it did not become free ${after}`,
  );
}
