/**
 * Proxies: {@linkcode BaseProxy}, and the classes that are made for the methods of an object.
 *
 * @module
 */
import { register } from "../threading/_core/mod.ts";
import { type CallHow, type Hold, homeOf, type Token, type Travel } from "./_manager_hold.ts";
import { holdThrough } from "./_manager_gate.ts";
import { holdOn } from "./_manager_link.ts";
import type { AnyClass } from "./_manager_registry.ts";
import { LONGEST_NAME } from "./_manager_wire.ts";
import { processAuthkey } from "./_manager_authkey.ts";
import { showAs } from "./_show.ts";

/** What a proxy is made with. Only this package makes one. */
export interface ProxyParts {
  /** Its way to the object. */
  readonly hold: object;
}

/** Gives references back that nobody has let go by hand. */
const forgotten = new FinalizationRegistry<Hold>((hold) => hold.drop());

/** What a proxy stands on. */
export let holdOf: (proxy: BaseProxy) => Hold;
/** Calls a method, as the proxies of this package do. */
export let callVia: (
  proxy: BaseProxy,
  name: string,
  args: readonly unknown[],
  how?: CallHow,
) => Promise<unknown>;

/**
 * A stand-in for an object that lives in the server of a manager. Its methods, which are all asynchronous, call those of the object.
 *
 * - It can be sent to other processes and threads, in arguments, through queues and connections, and put into other objects of the
 *   manager: they then refer to the same object.
 * - Calls of one thread are begun in the order in which they were made; many can be under way at once.
 * - The object is freed when its last proxy is: collected, disposed of (`using`), or ended with its process.
 * - When the server ends, calls reject with an `EOFError`.
 *
 * Subclass it for `proxytype` of `BaseManager.register`: methods of the subclass call `this.callmethod(name, args)`; the static
 * `exposed` lists the names that may be called, the static `methodToTypeid` those whose results stay in the server.
 *
 * Stands for Python's {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.managers.BaseProxy | BaseProxy}.
 *
 * @example
 * ```ts
 * import { Manager } from "@batteries/concurrent/multiprocessing";
 * import { assertEquals } from "@std/assert";
 *
 * await using manager = await Manager();
 * const list = await manager.list([1, 2, 3]);
 * assertEquals(await list.callmethod("slice", [1]), [2, 3]);
 * assertEquals(await list.getvalue(), [1, 2, 3]);
 * ```
 */
export class BaseProxy implements Disposable {
  readonly #hold: Hold;
  #open = true;

  /** Proxies are made by managers; a subclass for `proxytype` has no constructor of its own, or passes its argument on. */
  constructor(parts: ProxyParts) {
    const hold = parts?.hold as Hold | undefined;
    if (typeof hold?.take !== "function") {
      throw new TypeError(
        `Cannot make a ${new.target.name}: proxies are made by the methods of a manager`,
      );
    }
    this.#hold = hold;
    hold.take();
    forgotten.register(this, hold, this);
  }

  static {
    showAs(BaseProxy, (proxy) => {
      const { typeid, object, server } = proxy.#hold.token;
      return { typeid, object, manager: server.slice(0, 8) };
    });
    register(BaseProxy, {
      name: "multiprocessing.Proxy",
      // With it come the proxy classes of all kinds.
      module: new URL("./_proxy_pool.ts", import.meta.url).href,
      spans: "processes",
      reduce: (proxy) => proxy.#held("send").travel(),
      revive: (parts) => arrived(parts as Travel),
    });
    holdOf = (proxy) => proxy.#held("use");
    callVia = (proxy, name, args, how) => proxy.#call(name, args, how);
  }

  #held(act: string): Hold {
    if (!this.#open) {
      throw new Error(`Cannot ${act} the ${this.#hold.token.typeid}: its proxy was disposed of`);
    }
    return this.#hold;
  }

  #call(name: string, args: readonly unknown[], how?: CallHow): Promise<unknown> {
    if (this.#open) return this.#hold.call(name, args, how);
    return new Promise(() => this.#held("call"));
  }

  /**
   * Calls a method of the referent and gives the result, or a proxy of it where the method was registered so.
   *
   * An `AbortSignal` as the `signal` of one of the arguments, such as in `callmethod("get", [{ signal }])`, arrives as a signal there.
   *
   * @param methodname The method.
   * @param args Its arguments; they are copied.
   * @throws {RemoteError} When the referent has no such method, or does not expose it.
   * @throws {PicklingError} When an argument, or the result, cannot travel.
   * @throws {EOFError} When the server has ended.
   * @throws What the method throws, with its own stack.
   */
  async callmethod(methodname: string, args: readonly unknown[] = []): Promise<unknown> {
    checkCall(methodname, args);
    const signalAt = args.findIndex((arg) => signalIn(arg) !== undefined);
    if (signalAt === -1) return await this.#call(methodname, args);
    const { signal, ...rest } = args[signalAt] as { signal: AbortSignal };
    signal.throwIfAborted();
    return await this.#call(methodname, args.with(signalAt, rest), { signal, signalAt });
  }

  /**
   * A copy of the referent. Of a dict it is a `Map`.
   *
   * @throws {PicklingError} When the referent cannot be copied.
   * @throws {EOFError} When the server has ended.
   */
  async getvalue(): Promise<unknown> {
    return await this.#call("#getvalue", []);
  }

  /** What it is a proxy of; nothing is asked of the server. */
  toString(): string {
    const { typeid, object, server } = this.#hold.token;
    return `<${this.constructor.name}, typeid '${typeid}', object ${object} of manager ${
      server.slice(0, 8)
    }>`;
  }

  /** Lets go of the referent now, not when the proxy is collected. Later calls of this proxy reject; of others they do not. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    forgotten.unregister(this);
    this.#hold.drop();
  }
}

function checkCall(name: unknown, args: unknown): void {
  if (typeof name !== "string" || new TextEncoder().encode(name).length > LONGEST_NAME) {
    throw new TypeError(
      `Cannot call a method: its name must be a string of at most ${LONGEST_NAME} bytes, got ${typeof name}`,
    );
  }
  if (!Array.isArray(args)) {
    throw new TypeError(
      `Cannot call ${name}: args must be an array, got ${typeof args}; write callmethod("${name}", [argument])`,
    );
  }
}

function signalIn(arg: unknown): AbortSignal | undefined {
  if (typeof arg !== "object" || arg === null || Array.isArray(arg)) return undefined;
  const signal = Object.getOwnPropertyDescriptor(arg, "signal")?.value;
  return signal instanceof AbortSignal ? signal : undefined;
}

// ---- Which class a proxy gets --------------------------------------------------------------------------------------------------------

/** A class of proxies. */
export type ProxyClass = new (parts: ProxyParts) => BaseProxy;

const classes = new Map<string, ProxyClass>();

/** Enters the proxy class of a kind of object. */
export function proxiesOf(kind: string, type: ProxyClass): void {
  classes.set(kind, type);
}

/** A proxy that came in. */
function arrived(travel: Travel): BaseProxy {
  const { token, session, way } = travel;
  // What came over a session is counted there, even if the server is in this thread.
  const home = session === undefined ? homeOf(token.server) : undefined;
  const resident = home?.resident(token.object, way?.ticket);
  return proxyOn(resident ?? holdThrough(travel) ?? holdOn(travel, processAuthkey));
}

/** A new proxy on a hold; `type`: of this class, whatever its token says. */
export function proxyOn(hold: Hold, type: AnyClass | undefined = hold.token.type): BaseProxy {
  return new (type as ProxyClass ?? classFor(hold.token))({ hold });
}

const madeClasses = new Map<string, ProxyClass>();

/** The class of the kind, with the methods that the object has beside those of its kind. */
function classFor({ kind, methods }: Token): ProxyClass {
  const base = classes.get(kind) ?? AutoProxy;
  if (methods.length === 0) return base;
  const key = `${kind} ${JSON.stringify(methods)}`;
  let made = madeClasses.get(key);
  if (made === undefined) madeClasses.set(key, made = withMethods(base, methods));
  return made;
}

function withMethods(base: ProxyClass, methods: readonly string[]): ProxyClass {
  const made = class extends base {};
  Object.defineProperty(made, "name", { value: base.name });
  for (const name of methods) {
    // One that is called `then` would make a promise of the proxy, and what every object has is to stay what it is. `callmethod`
    // reaches them all.
    if (name === "then" || name in made.prototype) continue;
    Object.defineProperty(made.prototype, name, {
      value: {
        [name](this: BaseProxy, ...args: unknown[]) {
          return this.callmethod(name, args);
        },
      }[name],
      writable: true,
      configurable: true,
    });
  }
  return made;
}

/**
 * The proxy of an object of a class of its own: it has the methods that the object exposes. Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.managers.AutoProxy | AutoProxy}.
 */
export class AutoProxy extends BaseProxy {}
