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
atThreadChange(() => values = new WeakMap());

/** The Locals that came from other threads, by identifier, so that the same one arrives as the same object. */
const arrived = new Map<string, WeakRef<Local>>();
const identifiers = new WeakMap<Local, string>();

/** The Local whose constructor is being run again for this thread. */
let adopting: Local | undefined;

const handler: ProxyHandler<Local> = {
  get: (target, key, receiver) => Reflect.get(own(target), key, receiver),
  set: (target, key, value) => Reflect.set(own(target), key, value),
  has: (target, key) => Reflect.has(own(target), key),
  deleteProperty: (target, key) => Reflect.deleteProperty(own(target), key),
  ownKeys: (target) => Reflect.ownKeys(own(target)),
  getOwnPropertyDescriptor: (target, key) => {
    const descriptor = Reflect.getOwnPropertyDescriptor(own(target), key);
    // The target of the proxy has no own properties, so it may not promise any that cannot go away.
    return descriptor && { ...descriptor, configurable: true };
  },
  defineProperty: (target, key, descriptor) =>
    Reflect.defineProperty(own(target), key, { ...descriptor, configurable: true }),
  getPrototypeOf: (target) => Reflect.getPrototypeOf(target),
};

/** The calling thread's values; made at its first use, by the constructor of the subclass if it is one. */
function own(target: Local): Values {
  const found = values.get(target);
  if (found !== undefined) return found;
  const made: Values = Object.create(Reflect.getPrototypeOf(target));
  values.set(target, made);
  const type = target.constructor as LocalClass;
  if (type !== Local && built.has(target)) {
    adopting = target;
    try {
      new type();
    } catch (error) {
      values.delete(target);
      throw error;
    } finally {
      adopting = undefined;
    }
  }
  return made;
}

/** Locals whose first constructor has run or must not run: from then on each further thread runs its own. */
const built = new WeakSet<Local>();
const proxies = new WeakMap<Local, Local>();

function enclose(target: Local): Local {
  const proxy = new Proxy(target, handler);
  proxies.set(target, proxy);
  vouchFor(proxy);
  return proxy;
}

/**
 * Values of one's own in each thread: every thread that uses the object sees only what it has set itself.
 *
 * Handed to a thread it is the same Local there, with no values yet. A subclass's constructor runs once in each thread that uses the
 * object, without arguments; the subclass has to be exported when its instances travel.
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
    if (adopting !== undefined) {
      const proxy = proxies.get(adopting)!;
      adopting = undefined;
      return proxy;
    }
    const proxy = enclose(this);
    values.set(this, Object.create(Reflect.getPrototypeOf(this)));
    built.add(this);
    identifiers.set(proxy, crypto.randomUUID());
    return proxy;
  }

  static {
    register(Local, {
      name: "Local",
      module: import.meta.url,
      reduce: (local): Sent => {
        const id = identifiers.get(local)!;
        if (!arrived.has(id)) arrived.set(id, new WeakRef(local));
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
  const known = arrived.get(id)?.deref();
  if (known !== undefined) return known;
  const prototype = type === undefined
    ? Local.prototype
    : (resolveSync(type) as unknown as LocalClass).prototype;
  const target = Object.create(prototype) as Local;
  const proxy = enclose(target);
  built.add(target);
  identifiers.set(proxy, id);
  arrived.set(id, new WeakRef(proxy));
  return proxy;
}
