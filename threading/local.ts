/**
 * {@linkcode Local}.
 *
 * @module
 */
import { locate, type Reference, register, resolveSync, vouchFor } from "./_core/mod.ts";
import { atThreadChange } from "./thread.ts";

type Values = Record<PropertyKey, unknown>;
type LocalClass = new () => Local;

/** The values of each Local in the thread that this worker runs now. */
let values = new WeakMap<Local, Values>();
/** The Locals that came from other threads, by identifier, so that the same one arrives as the same object. */
let arrived = new Map<string, WeakRef<Local>>();
/** The Locals that were made here and have been sent: they arrive as themselves, whichever thread the worker runs then. */
const sentAway = new Map<string, WeakRef<Local>>();
const collected = new FinalizationRegistry<string>((id) => sentAway.delete(id));
const identifiers = new WeakMap<Local, string>();

/** The thread that this worker is. */
let tenant = 0;

atThreadChange((ident) => {
  // What modules set while they are loaded is not the thread's either: the next one of this worker would not see it.
  values = new WeakMap();
  if (ident === tenant) return;
  tenant = ident;
  arrived = new Map();
});

/** The Local whose constructor is being run for this thread, until it has got as far as `super()`. */
let adopting: Local | undefined;
/** What a Local's constructor has been run on in this worker. */
const constructed = new WeakSet<Local>();

const handler: ProxyHandler<Local> = {
  get: (target, key, receiver) => Reflect.get(own(target), key, receiver),
  set: (target, key, value, receiver) => Reflect.set(own(target), key, value, receiver),
  has: (target, key) => Reflect.has(own(target), key),
  deleteProperty: (target, key) => Reflect.deleteProperty(own(target), key),
  ownKeys: (target) => Reflect.ownKeys(own(target)),
  getOwnPropertyDescriptor: (target, key) => {
    const descriptor = Reflect.getOwnPropertyDescriptor(own(target), key);
    // The target of the proxy has no own properties, so it may not promise any that cannot go away.
    return descriptor && { ...descriptor, configurable: true };
  },
  defineProperty: (target, key, descriptor) =>
    descriptor.configurable !== false &&
    Reflect.defineProperty(own(target), key, { ...descriptor, configurable: true }),
  getPrototypeOf: (target) => Reflect.getPrototypeOf(target),
  // What is closed here would be closed for all threads, with the values of none.
  setPrototypeOf: () => false,
  preventExtensions: () => false,
};

/** The calling thread's values; made at its first use, by the constructor of the subclass if it is one. */
function own(target: Local): Values {
  const found = values.get(target);
  if (found !== undefined) return found;
  const made: Values = Object.create(Reflect.getPrototypeOf(target));
  values.set(target, made);
  const type = target.constructor as LocalClass;
  if (type === Local) return made;
  const outer = adopting;
  adopting = target;
  try {
    new type();
  } catch (error) {
    values.delete(target);
    throw error;
  } finally {
    adopting = outer;
  }
  return made;
}

/** What the constructor of a subclass runs on. */
function adopt(target: Local): Local {
  const proxy = proxies.get(target)!;
  // A `#private` field can be put on an object once, so when this worker is a further thread the constructor runs on another proxy
  // of the same values.
  if (constructed.has(proxy)) return new Proxy(target, handler);
  constructed.add(proxy);
  return proxy;
}

const proxies = new WeakMap<Local, Local>();

function enclose(target: Local, id: string): Local {
  const proxy = new Proxy(target, handler);
  proxies.set(target, proxy);
  identifiers.set(proxy, id);
  vouchFor(proxy);
  return proxy;
}

/**
 * Values of one's own in each thread: every thread that uses the object sees only what it has set itself.
 *
 * Handed to a thread it is the same Local there, with no values yet. A subclass's constructor runs once in each thread that uses the
 * object, without arguments; the subclass has to be exported when its instances travel. A `#private` field is the object's, not the
 * thread's: write plain fields.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/threading.html#thread-local-data | threading.local}.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Local } from "@batteries/concurrent/threading";
 *
 * const mine = new Local();
 * mine.user = "Ada";
 * assertEquals(mine.user, "Ada");
 * ```
 */
export class Local {
  /** The calling thread's value of that name. */
  [name: string]: unknown;

  /** Makes a Local without values. */
  constructor() {
    // Not for another Local that a subclass makes before its `super()`.
    if (adopting !== undefined && new.target === adopting.constructor) {
      const target = adopting;
      adopting = undefined;
      return adopt(target);
    }
    values.set(this, Object.create(Reflect.getPrototypeOf(this)));
    const proxy = enclose(this, crypto.randomUUID());
    constructed.add(proxy);
    return proxy;
  }

  static {
    register(Local, {
      name: "Local",
      module: import.meta.url,
      reduce: (local): Sent => {
        const id = identifiers.get(local)!;
        if (!arrived.has(id) && !sentAway.has(id)) {
          sentAway.set(id, new WeakRef(local));
          collected.register(local, id);
        }
        const type = local.constructor;
        return {
          id,
          type: type === Local
            ? undefined
            : locate(type, "send to a thread an instance of", register),
        };
      },
      revive: (sent) => revive(sent as Sent),
    });
  }
}

interface Sent {
  readonly id: string;
  readonly type: Reference | undefined;
}

function revive({ id, type }: Sent): Local {
  const known = (sentAway.get(id) ?? arrived.get(id))?.deref();
  if (known !== undefined) return known;
  const prototype = type === undefined
    ? Local.prototype
    : (resolveSync(type) as unknown as LocalClass).prototype;
  const proxy = enclose(Object.create(prototype) as Local, id);
  arrived.set(id, new WeakRef(proxy));
  return proxy;
}
