/**
 * The far side of `Thread.start`: the handler of a thread's job, run by the worker's entry.
 *
 * @module
 */
import { runInContext } from "../contextvars/context.ts";
import {
  importingModules,
  modulesOf,
  type Parcel,
  type Reference,
  resolve,
  type ThreadEntry,
  unpack,
} from "./_core/mod.ts";
import { type ContextEntry, contextFrom } from "./_context.ts";
import { type ExceptHook, hookFor, inheritHook, reportException } from "./except_hook.ts";
import { becomeThread, currentThread, type Thread } from "./thread.ts";
import { inheritTrace, traced, type TraceFunction, type TraceReferences } from "./trace.ts";

/** What a thread is told to do. */
export interface StartMessage {
  readonly thread: ThreadEntry;
  readonly target: Reference | undefined;
  readonly args: Parcel;
  /** For instances of subclasses: the class and the own fields. */
  readonly self: { readonly type: Reference; readonly fields: Parcel } | undefined;
  readonly context: readonly ContextEntry[];
  readonly excepthook: Reference | undefined;
  readonly trace: TraceReferences;
}

type AnyFunction = (...args: unknown[]) => unknown;

/** Runs a thread from beginning to end. */
export async function run(message: unknown): Promise<void> {
  const start = message as StartMessage;
  // Until its class is known, the thread is a plain one: errors while loading are its own, too.
  becomeThread(start.thread);
  hookFor(start.thread);
  inheritTrace({}, start.trace);
  const loaded = await importingModules(importedBy(start), () => load(start));
  const thread = becomeThread(start.thread, loaded.type, {
    target: loaded.target,
    args: loaded.args,
  });
  Object.assign(thread, loaded.fields);
  const frame = {
    name: start.target === undefined ? "run" : loaded.target!.name,
    thread: thread.name,
  };
  await runInContext(loaded.context, () => traced(frame, () => thread.run()));
}

/** Reports an error that left the thread. */
export function report(error: unknown): Promise<void> {
  return reportException(error, currentThread());
}

function importedBy({ target, self }: StartMessage): string {
  const reference = target ?? self?.type;
  if (reference === undefined) return "the modules of its arguments";
  return modulesOf(reference)[0];
}

interface Loaded {
  readonly type: typeof Thread | undefined;
  readonly target: AnyFunction | undefined;
  readonly args: unknown[];
  readonly fields: unknown;
  readonly context: Awaited<ReturnType<typeof contextFrom>>;
}

async function load(start: StartMessage): Promise<Loaded> {
  // The hooks first: they are told when the rest does not load.
  const hook = await optional<ExceptHook>(start.excepthook);
  inheritHook(hook, start.excepthook);
  const trace = await optional<TraceFunction>(start.trace.trace);
  const profile = await optional<TraceFunction>(start.trace.profile);
  inheritTrace({ trace, profile }, start.trace);
  return {
    target: await optional<AnyFunction>(start.target),
    type: await optional<typeof Thread>(start.self?.type),
    args: await unpack(start.args) as unknown[],
    fields: start.self && await unpack(start.self.fields),
    context: await contextFrom(start.context),
  };
}

async function optional<F>(reference: Reference | undefined): Promise<F | undefined> {
  return reference === undefined ? undefined : await resolve(reference) as F;
}
