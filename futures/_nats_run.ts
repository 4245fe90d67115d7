/**
 * What a worker's thread or process does with a call: it imports the module, makes the call, and gives the result as a message.
 *
 * Nothing of NATS is loaded here, and what hands calls over runs no code of theirs: heartbeats go on, whatever a call does.
 *
 * @module
 */
import { importingModules, resolve, task, unpack } from "../threading/_core/mod.ts";
import { TaskModules, type TaskName } from "./_nats_names.ts";
import { UnknownTaskError } from "./_nats_errors.ts";
import { arrivedIn, encodeErrorFor, encodeFor, encodeListFor } from "./_nats_values.ts";
import { type Call, FAILED, openCall, sealChunk, sealResult, VALUE } from "./_nats_wire.ts";

type AnyFunction = (...args: unknown[]) => unknown;

let modules = new TaskModules({}, "run calls");
let worker = "a worker";
const functions = new Map<string, AnyFunction>();

/** What each thread or process does first. */
export function prepare(urls: Record<string, string>, name: string): void {
  modules = new TaskModules(urls, "run calls");
  worker = name;
}

/** Makes the call of a message. Gives the message of its result, or of its error. */
export async function runCall(message: Uint8Array): Promise<Uint8Array> {
  const begun = performance.now();
  const ran = () => performance.now() - begun;
  try {
    const { call, args } = openCall(message);
    const fn = functions.get(nameText(call)) ?? await load(call);
    const arrived = arrivedIn(modules, args);
    const list = "value" in arrived
      ? arrived.value
      : await importingModules(modules.urls.get(call.alias)!, () => opened(arrived));
    if (!Array.isArray(list)) throw new TypeError("Cannot make a call: its arguments are no list");
    return call.chunk === 0
      ? await runOne(fn, list, ran)
      : await runChunk(fn, list, call.chunk, ran);
  } catch (error) {
    return sealResult(FAILED, ran(), told(error));
  }
}

task(import.meta, prepare);
task(import.meta, runCall);

async function opened(arrived: Exclude<ReturnType<typeof arrivedIn>, { value: unknown }>) {
  return await unpack("parcel" in arrived ? arrived.parcel : arrived.error);
}

function nameText({ alias, path, named }: TaskName): string {
  return `${named ? "task" : "export"} ${alias} ${
    path.length === 1 ? path[0] : JSON.stringify(path)
  }`;
}

async function load(call: Call): Promise<AnyFunction> {
  const { alias, path } = call;
  const reference = modules.referenceOf(call);
  if (reference === undefined) throw notAllowed(alias, modules);
  const url = modules.urls.get(alias)!;
  let fn: unknown;
  // An error of the module itself comes through as it is.
  await importingModules(url, () => import(url));
  try {
    fn = await importingModules(url, () => resolve(reference));
  } catch (cause) {
    throw new UnknownTaskError(
      `Cannot find the task ${shown(path.join("."))}: the worker's module ${
        shown(alias)
      } does not export a function of that name`,
      { cause },
    );
  }
  functions.set(nameText(call), fn as AnyFunction);
  return fn as AnyFunction;
}

/** The error of a call whose module has no name here. */
export function notAllowed(alias: string, { urls }: TaskModules): UnknownTaskError {
  const known = [...urls.keys()];
  return new UnknownTaskError(
    `Cannot run a task of ${shown(alias)}: the worker allows ${
      known.length === 0 ? "no modules" : known.join(", ")
    }; start it with --tasks ${shown(alias)}=PATH`,
  );
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

async function runOne(fn: AnyFunction, args: unknown[], ran: () => number): Promise<Uint8Array> {
  const value = await fn(...args);
  return sealResult(VALUE, ran(), encodeFor(modules, value, "return", "result", runCall));
}

/** A chunk of `map`: a call after the other, up to the first that fails. `arity` of the arguments belong to each. */
async function runChunk(
  fn: AnyFunction,
  args: unknown[],
  arity: number,
  ran: () => number,
): Promise<Uint8Array> {
  const values: unknown[] = [];
  let error: Uint8Array | undefined;
  try {
    for (let i = 0; i < args.length; i += arity) {
      const value = arity === 1 ? fn(args[i]) : fn(...args.slice(i, i + arity));
      values.push(isThenable(value) ? await value : value);
    }
  } catch (thrown) {
    error = told(thrown);
  }
  return sealChunk(ran(), encodeListFor(modules, values, "return", "results", runCall), error);
}

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

function told(error: unknown): Uint8Array {
  return encodeErrorFor(modules, error, worker);
}
