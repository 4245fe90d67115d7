/**
 * What happens to an error that leaves a thread: {@linkcode excepthook}, {@linkcode setExcepthook}, {@linkcode ExceptHookArgs}.
 *
 * @module
 */
import { locate, MAIN_IDENT, type Reference, type ThreadKey } from "./_core/mod.ts";
import type { Thread } from "./thread.ts";

/**
 * What an excepthook is told.
 *
 * Stands for the `args` of Python's {@link https://docs.python.org/3.14/library/threading.html#threading.excepthook | threading.excepthook}.
 */
export class ExceptHookArgs {
  /** The class of the error; `undefined` for a thrown value that has none. */
  readonly excType: (abstract new (...args: never[]) => unknown) | undefined;
  /** What was thrown. */
  readonly excValue: unknown;
  /** The stack of the error, where it has one. */
  readonly excTraceback: string | undefined;
  /** The thread that failed, where it is known. */
  readonly thread: Thread | null;

  /** Collects what an excepthook is told. */
  constructor(
    excType: unknown,
    excValue: unknown,
    excTraceback: string | undefined,
    thread: Thread | null,
  ) {
    this.excType = typeof excType === "function" ? excType as never : undefined;
    this.excValue = excValue;
    this.excTraceback = excTraceback;
    this.thread = thread;
  }
}

/** A function that is told of errors that leave threads. */
export type ExceptHook = (args: ExceptHookArgs) => unknown;

/** Ends a thread silently. What `_thread.exit` throws. */
export class ThreadExit extends Error {}

/**
 * The default hook: prints `Exception in thread NAME:` and the stack to standard error.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#threading.excepthook | threading.excepthook}.
 *
 * @param args What happened.
 */
export function excepthook(args: ExceptHookArgs): void {
  if (args.excValue instanceof ThreadExit) return;
  print(
    `Exception in thread ${args.thread?.name ?? ident}:`,
    args.excValue,
    args.excTraceback,
  );
}

function print(title: string, value: unknown, stack?: string): void {
  let shown: string;
  try {
    shown = Deno.inspect(value, { colors: false });
  } catch {
    shown = stack ?? "an error that cannot be shown";
  }
  write(`${title}\n${shown}\n`);
}

function write(text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // There is nobody to tell when standard error is closed.
  }
}

/** The number of the thread that runs here, for who reports without a Thread. */
let ident = MAIN_IDENT;
let hook: { readonly fn: ExceptHook; readonly reference: Reference } | undefined;

/**
 * Sets the hook for errors that leave threads which are started later; threads that are running keep theirs. It runs in the thread
 * that failed, so it has to be exported, as a target has. The thread ends when an async hook has. An error in the hook is printed and
 * ends nothing.
 *
 * Stands for assigning to Python's {@link https://docs.python.org/3.14/library/threading.html#threading.excepthook | threading.excepthook}.
 *
 * @param fn The hook; `null` for the default again.
 * @throws {TypeError} When `fn` is neither a function nor `null`.
 * @throws {PicklingError} When `fn` is not exported.
 */
export function setExcepthook(fn: ExceptHook | null): void {
  if (fn !== null && typeof fn !== "function") {
    throw new TypeError(
      `Cannot set the excepthook: it must be a function or null, got ${typeof fn}`,
    );
  }
  hook = fn === null || fn === excepthook
    ? undefined
    : { fn, reference: locate(fn, "use as an excepthook", setExcepthook) };
}

/** The hook, as a thread that is started now is told. */
export function hookReference(): Reference | undefined {
  return hook?.reference;
}

/** This worker becomes a thread, which has the default hook at first. */
export function hookFor(thread: ThreadKey): void {
  ident = thread.ident;
  hook = undefined;
}

/** Takes over the hook of whoever started this thread. */
export function inheritHook(fn: ExceptHook | undefined, reference: Reference | undefined): void {
  hook = fn === undefined ? undefined : { fn, reference: reference! };
}

/** An error left `thread`: calls the hook, and waits for it if it is asynchronous. Never rejects. */
export async function reportException(value: unknown, thread: Thread | null): Promise<void> {
  if (value instanceof ThreadExit) return;
  const stack = lookAt(() => value instanceof Error ? value.stack : undefined);
  const type = lookAt(() => (value as { constructor?: unknown } | null | undefined)?.constructor);
  const args = new ExceptHookArgs(type, value, stack, thread);
  try {
    // Without awaiting what is not a promise: the thread may be on its way out.
    const told: unknown = (hook?.fn ?? excepthook)(args);
    if (told instanceof Promise) await told;
  } catch (error) {
    print("Exception in threading.excepthook:", error);
  }
}

/** What was thrown may be anything, with getters that throw. */
function lookAt<R>(look: () => R): R | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
