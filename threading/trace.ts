/**
 * Trace and profile functions: called around the targets of threads that are started later.
 *
 * @module
 */
import { locate, type Reference } from "./_core/mod.ts";

/** Where a trace function is called: the target of a thread. */
export interface TraceFrame {
  /** The name of the function. */
  readonly name: string;
  /** The name of the thread. */
  readonly thread: string;
}

/**
 * A trace or profile function. `arg` is the result of a `"return"` and the error of an `"exception"`.
 */
export type TraceFunction = (
  frame: TraceFrame,
  event: "call" | "return" | "exception",
  arg: unknown,
) => void;

interface Hook {
  readonly fn: TraceFunction;
  readonly reference: Reference;
}

let trace: Hook | undefined;
let profile: Hook | undefined;

function hookOf(fn: TraceFunction | null, what: string, door: () => void): Hook | undefined {
  if (fn === null) return undefined;
  if (typeof fn !== "function") {
    throw new TypeError(`Cannot ${what}: it must be a function or null, got ${typeof fn}`);
  }
  return { fn, reference: locate(fn, what, door) };
}

/**
 * Sets a function that is called in each thread that is started later, as `fn(frame, event, arg)` around its target: `"call"` before
 * it, then `"return"` or `"exception"`. It has to be exported, as a target has.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.settrace | threading.settrace}; there is
 * no tracing line by line.
 *
 * @param fn The function; `null` for none.
 * @throws {TypeError} When `fn` is neither a function nor `null`.
 * @throws {PicklingError} When `fn` is not exported.
 */
export function settrace(fn: TraceFunction | null): void {
  trace = hookOf(fn, "use as a trace function", settrace as () => void);
}

/**
 * The function that {@linkcode settrace} has set, or `null`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.gettrace | threading.gettrace}.
 */
export function gettrace(): TraceFunction | null {
  return trace?.fn ?? null;
}

/**
 * As {@linkcode settrace}. Threads that are running go on as they are: their targets have been called already.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.settrace_all_threads | threading.settrace_all_threads}.
 *
 * @param fn The function; `null` for none.
 * @throws {TypeError} When `fn` is neither a function nor `null`.
 * @throws {PicklingError} When `fn` is not exported.
 */
export function settraceAllThreads(fn: TraceFunction | null): void {
  trace = hookOf(fn, "use as a trace function", settraceAllThreads as () => void);
}

/**
 * Sets a second function of the kind of {@linkcode settrace}, for profilers.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.setprofile | threading.setprofile}.
 *
 * @param fn The function; `null` for none.
 * @throws {TypeError} When `fn` is neither a function nor `null`.
 * @throws {PicklingError} When `fn` is not exported.
 */
export function setprofile(fn: TraceFunction | null): void {
  profile = hookOf(fn, "use as a profile function", setprofile as () => void);
}

/**
 * The function that {@linkcode setprofile} has set, or `null`.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.getprofile | threading.getprofile}.
 */
export function getprofile(): TraceFunction | null {
  return profile?.fn ?? null;
}

/**
 * As {@linkcode setprofile}. Threads that are running go on as they are: their targets have been called already.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.setprofile_all_threads | threading.setprofile_all_threads}.
 *
 * @param fn The function; `null` for none.
 * @throws {TypeError} When `fn` is neither a function nor `null`.
 * @throws {PicklingError} When `fn` is not exported.
 */
export function setprofileAllThreads(fn: TraceFunction | null): void {
  profile = hookOf(fn, "use as a profile function", setprofileAllThreads as () => void);
}

/** What a thread that is started now is told of both. */
export interface TraceReferences {
  readonly trace: Reference | undefined;
  readonly profile: Reference | undefined;
}

/** See {@linkcode TraceReferences}. */
export function traceReferences(): TraceReferences {
  return { trace: trace?.reference, profile: profile?.reference };
}

/** Takes over the functions of whoever started this thread. */
export function inheritTrace(
  fns: { readonly trace?: TraceFunction; readonly profile?: TraceFunction },
  references: TraceReferences,
): void {
  trace = fns.trace && { fn: fns.trace, reference: references.trace! };
  profile = fns.profile && { fn: fns.profile, reference: references.profile! };
}

/** Runs a thread's body between the calls of its trace and profile functions. */
export async function traced<R>(
  frame: TraceFrame,
  body: () => R | Promise<R>,
): Promise<R> {
  const hooks = [trace, profile].filter((hook) => hook !== undefined);
  const tell = (event: "call" | "return" | "exception", arg: unknown) => {
    for (const { fn } of hooks) fn(frame, event, arg);
  };
  tell("call", undefined);
  let result: R;
  try {
    result = await body();
  } catch (error) {
    tell("exception", error);
    throw error;
  }
  tell("return", result);
  return result;
}
