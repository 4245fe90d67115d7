/**
 * Says why something cannot travel and what to send instead.
 *
 * @module
 */

import { classOf, getState, isErrorLike, whyRefused } from "./pickle_kinds.ts";
import { isProxy } from "./proxies.ts";

/** What to do about each class, by name. */
const MENDS: Readonly<Record<string, string>> = {
  URL: "send its href",
  URLSearchParams: "send its text, String(params)",
  Headers: "send its entries, [...headers]",
  FormData: "send its entries, [...form]",
  Request: "send its url and what else is needed of it",
  Response: "send its body, such as await response.bytes()",
  AbortSignal: "share an Event, or pass the signal to the call that waits",
  AbortController: "share an Event",
  Event: "send its type and its data",
  EventTarget: "send the data that it holds",
  Promise: "await it first",
  WeakMap: "send a Map",
  WeakSet: "send a Set",
  WeakRef: "send what deref() gives",
  MessagePort: "put it in the transfer list",
  MessageChannel: "send one of its ports, and put it in the transfer list",
  ReadableStream: "put it in the transfer list",
  WritableStream: "put it in the transfer list",
  TransformStream: "put it in the transfer list",
  ArrayBuffer: "its memory was given away, send it before that",
  Memory: "make it with shared: true",
  Instance: "send its Module and instantiate that on the other side",
  Generator: "send its items, [...items]",
  AsyncGenerator: "collect its items first",
  Iterator: "send its items, [...items]",
  Symbol: "send its description",
};

/** The end of a message about `value`, an object of kind `"refused"`: "a URL cannot be copied; send its href". */
export function refusalOf(value: object): string {
  if (isProxy(value)) {
    return "a Proxy cannot be copied; send the object behind it, or a copy such as { ...proxy }";
  }
  const why = whyRefused(value);
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  const own = nameOf(value);
  const name = own === "Object" || own === "Iterator" ? tag : own;
  if (why !== undefined) return `${withArticle(name)} cannot travel: ${why}`;
  if (tag === "Module") {
    return "a module namespace cannot be copied; send its exports one by one, or the module's URL";
  }
  if (tag === "Arguments") {
    return "an arguments object cannot be copied; send the array [...arguments]";
  }
  if (value === globalThis) return "the global object cannot be copied; send what is needed of it";
  if (ArrayBuffer.isView(value)) {
    return `${
      withArticle(name)
    } over memory that was given away or shortened cannot be copied; send it before that`;
  }
  if (tag.startsWith("Temporal.")) {
    return `${withArticle(tag)} cannot be copied; send its text, String(value)`;
  }
  if (tag.startsWith("Intl.")) {
    return `${withArticle(tag)} cannot be copied; send its resolvedOptions()`;
  }
  const mend = mendOf(value, tag);
  return mend === undefined
    ? `${
      withArticle(name)
    } would arrive empty, because it has no enumerable properties of its own; define [getState]() and static [setState](state) on its exported class, or send a plain object`
    : `${withArticle(name)} cannot be copied; ${mend}`;
}

/** What to use between processes, by the name of what only threads can share. */
const FAR_MENDS: Readonly<Record<string, string>> = {
  SharedArrayBuffer: "use SharedMemory of multiprocessing, or send a copy of its bytes",
  Memory: "use SharedMemory of multiprocessing",
  Blob: "send its bytes, await blob.bytes()",
  File: "send its bytes, await file.bytes()",
  CryptoKey: "send what crypto.subtle.exportKey() gives",
  Module: "send its bytes and compile them on the other side",
  PriorityQueue: "use Queue of multiprocessing",
  LifoQueue: "use Queue of multiprocessing",
  Local: "send its values",
  SerializedIterator: "send its items",
  MessagePort: "use Pipe of multiprocessing",
  ThreadPoolExecutor: "make one in the other process",
  InterpreterPoolExecutor: "make one in the other process",
};

/** What multiprocessing has under the name that it has in threading or queue. */
const NAMESAKES: ReadonlySet<string> = new Set([
  "Lock",
  "RLock",
  "Condition",
  "Semaphore",
  "BoundedSemaphore",
  "Event",
  "Barrier",
  "Queue",
  "SimpleQueue",
]);

/** The end of a message about `value`, which the threads of one process can share and two processes cannot. */
export function processRefusal(value: object): string {
  const view = ArrayBuffer.isView(value);
  const name = nameOf(view ? value.buffer : value);
  const mend = Object.hasOwn(FAR_MENDS, name)
    ? FAR_MENDS[name]
    : NAMESAKES.has(name)
    ? `use ${name} of multiprocessing instead`
    : "use what multiprocessing has, or send plain data";
  return `${view ? "a view over " : ""}${
    withArticle(name)
  } is shared by the threads of one process and cannot go to another; ${mend}`;
}

/** The end of a message about an instance whose class has `[getState]` and nothing to make it again. */
export function noSetState(value: object): string {
  return classOf(value) === undefined
    ? `it has [getState]() but no class that made it; define it in an exported class with static [setState](state)`
    : `class ${
      nameOf(value)
    } has [getState]() but no static [setState](state); define it, so that the other side can make an instance`;
}

/** The end of a message about `key`, which is a symbol. */
export function symbolRefusal(value: symbol): string {
  return `${String(value)} cannot be copied, since every symbol is its own; ${MENDS.Symbol}`;
}

/** The end of a message about an object that is part of its own state. */
export function circularRefusal(name: string): string {
  return `${
    withArticle(name)
  } is part of its own state, and could not be made before itself; leave the way back out of what [${getState.description}]() gives`;
}

/** The name of the class of `value`, for messages; never throws. */
export function nameOf(value: object): string {
  try {
    for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) {
      const name = Object.getOwnPropertyDescriptor(at, "constructor")?.value?.name;
      if (typeof name === "string" && name !== "") return name;
    }
    return "Object";
  } catch {
    return "object";
  }
}

/** "a URL", "an Event". */
export function withArticle(name: string): string {
  return `${/^(?:[AEIOaeio]|U(?!RL|int))/.test(name) ? "an" : "a"} ${name}`;
}

function mendOf(value: object, tag: string): string | undefined {
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) {
    const name = Object.getOwnPropertyDescriptor(at, "constructor")?.value?.name;
    if (typeof name === "string" && name !== "Object" && Object.hasOwn(MENDS, name)) {
      return MENDS[name];
    }
  }
  if (tag.endsWith("Iterator") || tag === "Iterator Helper") return MENDS.Iterator;
  return Object.hasOwn(MENDS, tag) ? MENDS[tag] : undefined;
}

/** A value in a few words, for messages; never throws. */
export function describe(value: unknown): string {
  try {
    if (typeof value === "string") {
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
    }
    if (typeof value === "function") {
      return value.name === "" ? "a function" : `function '${value.name}'`;
    }
    if (isErrorLike(value)) return `${value.name}: ${value.message}`;
    if (typeof value === "object" && value !== null) {
      return withArticle(isProxy(value) ? "Proxy" : nameOf(value));
    }
    return String(value);
  } catch {
    return typeof value === "object" ? "an object" : typeof value;
  }
}
