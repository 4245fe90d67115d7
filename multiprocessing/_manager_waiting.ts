/**
 * What proxies of locks, queues and iterators can do, as it is done in the server: calls that may wait.
 *
 * A caller who gives up or ends has nothing: his wait is withdrawn. Where something was given to him in the very moment in which he
 * ended, it is given back.
 *
 * @module
 */
import { Queue, SimpleQueue } from "../queue/mod.ts";
import { Barrier, Event, Lock, RLock, Semaphore } from "../threading/mod.ts";
import {
  type AcquireOptions,
  type Limit,
  limitOf,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import type { Caller } from "./_manager_caller.ts";
import { type Kind, kindOf, type Method, methods } from "./_manager_kind.ts";
import { ClientCondition, ClientRLock } from "./_manager_rlock.ts";

/** The caller's options, with the caller's way to give up. */
function patience(options: AcquireOptions | undefined, { signal }: Caller): AcquireOptions {
  return { ...options, signal };
}

function limitFor(options: WaitOptions | undefined, caller: Caller, what: string): Limit {
  return limitOf(patience(options, caller), what);
}

/** Acquires; gives back what was given to somebody who is gone. */
async function acquire(
  lock: Lock | RLock | Semaphore,
  options: AcquireOptions | undefined,
  caller: Caller,
): Promise<boolean> {
  const acquired = await lock.acquire(patience(options, caller));
  if (acquired && caller.gone) lock.release();
  return acquired;
}

const holdable: Record<string, Method> = {
  acquire: (lock: Lock, [options], caller) => acquire(lock, options, caller),
  release: (lock: Lock) => lock.release(),
  locked: (lock: Lock) => lock.locked(),
};

/** `threading.Lock`. */
export const lock: Kind = kindOf(
  "Lock",
  (object) => object instanceof Lock,
  Lock.prototype,
  holdable,
);

/** `threading.RLock` of a user's own callable: its flows are those of the server. */
export const flowRLock: Kind = kindOf(
  "RLock",
  (object) => object instanceof RLock,
  RLock.prototype,
  holdable,
);

/** An RLock, whose owner is the client. */
export const rlock: Kind = kindOf(
  "RLock",
  (object) => object instanceof ClientRLock,
  ClientRLock.prototype,
  {
    acquire: (lock: ClientRLock, [options], caller) =>
      lock.acquire(caller, limitFor(options, caller, "RLock.acquire")),
    release: (lock: ClientRLock, _, caller) => lock.release(caller),
    locked: (lock: ClientRLock) => lock.locked(),
  },
);

/** `threading.Semaphore`, bounded or not. */
export const semaphore: Kind = kindOf(
  "Semaphore",
  (object) => object instanceof Semaphore,
  Semaphore.prototype,
  {
    acquire: (semaphore: Semaphore, [options], caller) => acquire(semaphore, options, caller),
    release: (semaphore: Semaphore, [n]) => semaphore.release(n),
  },
);

/** A condition, whose lock belongs to the client. */
export const condition: Kind = kindOf(
  "Condition",
  (object) => object instanceof ClientCondition,
  ClientCondition.prototype,
  {
    acquire: (condition: ClientCondition, [options], caller) =>
      condition.acquire(caller, limitFor(options, caller, "Condition.acquire")),
    release: (condition: ClientCondition, _, caller) => condition.release(caller),
    locked: (condition: ClientCondition) => condition.locked(),
    wait: (condition: ClientCondition, [options], caller) =>
      condition.wait(caller, limitFor(options, caller, "Condition.wait")),
    notify: (condition: ClientCondition, [n], caller) => condition.notify(caller, n),
    notifyAll: (condition: ClientCondition, _, caller) => condition.notify(caller, Infinity),
  },
);

/** `threading.Event`. */
export const event: Kind = kindOf("Event", (object) => object instanceof Event, Event.prototype, {
  ...methods<Event>("isSet", "set", "clear"),
  wait: (event: Event, [options], caller) => event.wait(patience(options, caller)),
});

/** `threading.Barrier`. */
export const barrier: Kind = kindOf(
  "Barrier",
  (object) => object instanceof Barrier,
  Barrier.prototype,
  {
    ...methods<Barrier>("reset", "abort"),
    wait: (barrier: Barrier, [options], caller) => barrier.wait(patience(options, caller)),
    parties: (barrier: Barrier) => barrier.parties,
    nWaiting: (barrier: Barrier) => barrier.nWaiting,
    broken: (barrier: Barrier) => barrier.broken,
  },
);

/** Takes an item; puts it back when whoever took it is gone. */
async function take(
  queue: Queue<unknown> | SimpleQueue<unknown>,
  options: WaitOptions | undefined,
  caller: Caller,
): Promise<unknown> {
  const item = await queue.get(patience(options, caller));
  if (caller.gone) putBack(queue, item);
  return item;
}

function putBack(queue: Queue<unknown> | SimpleQueue<unknown>, item: unknown): void {
  try {
    queue.putNowait(item);
    if (queue instanceof Queue) queue.taskDone();
  } catch {
    // Full again, or shut down: it is lost with its taker.
  }
}

/** `queue.Queue` and its kin. */
export const queue: Kind = kindOf("Queue", (object) => object instanceof Queue, Queue.prototype, {
  ...methods<Queue<unknown>>("putNowait", "getNowait", "qsize", "empty", "full", "taskDone"),
  ...methods<Queue<unknown>>("shutdown"),
  put: (queue: Queue<unknown>, [item, options], caller) =>
    queue.put(item, patience(options, caller)),
  get: (queue: Queue<unknown>, [options], caller) => take(queue, options, caller),
  join: (queue: Queue<unknown>, [options], caller) => queue.join(patience(options, caller)),
  maxsize: (queue: Queue<unknown>) => queue.maxsize,
  isShutdown: (queue: Queue<unknown>) => queue.isShutdown,
});

/** `queue.SimpleQueue`. */
export const simpleQueue: Kind = kindOf(
  "SimpleQueue",
  (object) => object instanceof SimpleQueue,
  SimpleQueue.prototype,
  {
    ...methods<SimpleQueue<unknown>>("put", "putNowait", "getNowait", "qsize", "empty"),
    get: (queue: SimpleQueue<unknown>, [options], caller) => take(queue, options, caller),
  },
);

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

function isIterator(object: unknown): boolean {
  return typeof object === "object" && object !== null && "next" in object &&
    typeof object.next === "function" &&
    (Symbol.iterator in object || Symbol.asyncIterator in object);
}

/** Iterators and generators, asynchronous ones too. */
export const iterator: Kind = kindOf("Iterator", isIterator, Object.prototype, {
  next: (iterator: AnyIterator, args) => iterator.next(...args as []),
  return: (iterator: AnyIterator, [value]) =>
    iterator.return === undefined ? { done: true, value } : iterator.return(value),
  throw(iterator: AnyIterator, [error]) {
    if (iterator.throw === undefined) throw error;
    return iterator.throw(error);
  },
});
