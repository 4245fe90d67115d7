/**
 * {@linkcode BaseManager}.
 *
 * @module
 */
import { bagOf, limitOf, opened, refuse, type WaitOptions } from "../threading/_core/mod.ts";
import { familyOf } from "./_address.ts";
import { checkKey } from "./_auth.ts";
import { processAuthkey } from "./_manager_authkey.ts";
import { quiet } from "./_crew_post.ts";
import type { ManagerAddress } from "./_manager_hold.ts";
import { closeLinksTo, ManagerLink } from "./_manager_link.ts";
import { folderHere, type ServerProcess, startServer } from "./_manager_process.ts";
import type { AnyClass, Maker, TypeEntry } from "./_manager_registry.ts";
import { type Desk, ObjectServer, type Server } from "./_manager_server.ts";
import type { Made, MakerArgs, ManagerClass, ProxyOf, Registered } from "./_manager_types.ts";
import { sendable } from "./_manager_own_types.ts";
import { SERVER } from "./_manager_wire.ts";
import { BaseProxy, holdOf, proxyOn } from "./_proxy.ts";
import { happens } from "./_ready.ts";
import type { StartMethod } from "./_settings.ts";
import { ProcessError } from "./errors.ts";
import { showAs } from "./_show.ts";

/** Options of {@linkcode BaseManager}. */
export interface ManagerOptions {
  /**
   * Where the server listens, or is to be found: `{ hostname, port }` (port 0: any that is free) or the path of a Unix socket. By default
   * a Unix socket in a private folder.
   */
  address?: ManagerAddress;
  /** The key that the server and its clients prove to each other that they know; `currentProcess().authkey` by default. */
  authkey?: Uint8Array;
  /** Milliseconds that the server's process has, in `shutdown()`, before it is terminated; 1000 by default. */
  shutdownTimeout?: number;
  /** What `getContext` gives: how the server's process starts. */
  context?: { getStartMethod(): StartMethod };
}

/** Options of {@linkcode BaseManager.start}. */
export interface StartOptions {
  /** An exported function that the server's process calls first. */
  initializer?: (...args: never[]) => unknown;
  /** Its arguments. */
  initargs?: readonly unknown[];
}

/** Options of {@linkcode BaseManager.register}. */
export interface RegisterOptions<F extends Maker = Maker, P = undefined> {
  /**
   * Makes the objects of the type, in the server: an exported class or function. Managers that only connect to a server do without. A
   * server without it takes the object itself as the one argument of `create`.
   */
  callable?: F;
  /** The methods that proxies may call; by default what `proxytype.exposed` says, or the public ones: those not beginning with `_`. */
  exposed?: readonly string[];
  /** Methods whose results stay in the server: the name of each, and of the type that its results are proxies of. */
  methodToTypeid?: Readonly<Record<string, string>>;
  /** Whether managers get a method of the name of the type, beside `create(typeid)`; `true` by default. */
  createMethod?: boolean;
  /** The class of the type's proxies, an exported subclass of `BaseProxy`; by default one that fits the object. */
  proxytype?: P;
}

type State =
  | { readonly is: "initial" | "busy" }
  | { readonly is: "started"; readonly process: ServerProcess; readonly link: ManagerLink }
  | { readonly is: "connected"; readonly link: ManagerLink }
  | { readonly is: "ended"; readonly process: ServerProcess; readonly end: Promise<void> };

/** What each class of managers registered itself. */
const registered = new WeakMap<object, Map<string, TypeEntry>>();

/** What a class of managers knows, from its bases too. */
function registryOf(type: object): Map<string, TypeEntry> {
  const base = Object.getPrototypeOf(type);
  const inherited = base === null || base === Function.prototype ? [] : registryOf(base);
  return new Map([...inherited, ...registered.get(type) ?? []]);
}

/** Gives a class of managers the types that come with this package. */
export function registerOwn(type: object, types: ReadonlyMap<string, TypeEntry>): void {
  registered.set(type, new Map(types));
}

/** Managers that were connected and forgotten. */
const forgotten = new FinalizationRegistry<ManagerLink>((link) => link.leave());

/**
 * Keeps objects in one process, the server, for others to use through proxies.
 *
 * - `start()` starts a process for the server; it ends with `shutdown()`, with an `await using` block, or with the program.
 *   `getServer()` serves in this process instead, and `connect()` uses a server that somebody else has started, on another computer
 *   perhaps.
 * - `register()` says which types the manager knows; `create()` makes an object of a type and gives its proxy.
 * - Client and server prove to each other that they know the same `authkey`. What they then say is neither secret nor signed: on a network
 *   that others can write to, use a tunnel.
 *
 * Stands for Python's
 * {@link https://docs.python.org/3.14/library/multiprocessing.html#multiprocessing.managers.BaseManager | BaseManager}.
 *
 * @example
 * ```ts no-eval
 * import { BaseManager } from "@batteries/concurrent/multiprocessing/managers";
 *
 * export class Maths {
 *   add(a: number, b: number): number {
 *     return a + b;
 *   }
 * }
 *
 * class MyManager extends BaseManager {}
 * // What register gives is MyManager again, and TypeScript knows its new type.
 * const MathsManager = MyManager.register("Maths", { callable: Maths });
 *
 * if (import.meta.main) {
 *   await using manager = new MathsManager();
 *   await manager.start();
 *   const maths = await manager.create("Maths");
 *   console.log(await maths.add(4, 3)); // 7
 * }
 * ```
 *
 * @typeParam Types The types that TypeScript is to know, as `{ Maths: typeof Maths }`, where the result of `register` is not used.
 */
export class BaseManager<Types extends object = Record<never, never>> implements AsyncDisposable {
  readonly #authkey: Uint8Array;
  readonly #shutdownTimeout: number;
  readonly #context: ManagerOptions["context"];
  /** The address that was asked for: its port may be 0, for any. */
  readonly #asked: ManagerAddress | undefined;
  /** The one that the server has, as soon as there is one. */
  #address: ManagerAddress | undefined;
  #state: State = { is: "initial" };
  #closed: () => void = () => {};

  static {
    showAs(BaseManager, (manager) => ({ address: manager.#address, state: manager.#state.is }));
    refuse(
      BaseManager,
      "a manager belongs to the process that made it; send its proxies, or its address, and connect() there",
    );
  }

  /**
   * Makes a manager that has neither been started nor connected.
   *
   * @param options Where its server is, and the key.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When an option is out of range.
   */
  constructor(options: ManagerOptions = {}) {
    const act = `make a ${new.target.name}`;
    bagOf(options, act, "{ address, authkey }");
    const { address, authkey, shutdownTimeout = 1000, context } = options;
    if (address !== undefined) familyOf(address, undefined, act);
    if (authkey !== undefined) checkKey(authkey, act);
    if (typeof shutdownTimeout !== "number") {
      throw new TypeError(
        `Cannot ${act}: shutdownTimeout must be a number of milliseconds, got ${typeof shutdownTimeout}`,
      );
    }
    if (!(shutdownTimeout >= 0)) {
      throw new RangeError(
        `Cannot ${act}: shutdownTimeout must be 0 or more, got ${shutdownTimeout}`,
      );
    }
    this.#asked = this.#address = address;
    this.#authkey = new Uint8Array(authkey ?? processAuthkey());
    if (context !== undefined && typeof context?.getStartMethod !== "function") {
      throw new TypeError(`Cannot ${act}: context must be what getContext() gives`);
    }
    this.#shutdownTimeout = shutdownTimeout;
    this.#context = context;
  }

  /**
   * Makes a type known to this class of managers, and to its subclasses.
   *
   * @param typeid The name of the type.
   * @param options How objects of the type are made and what their proxies can do.
   * @returns The class itself; as a type it knows `create(typeid)` with its arguments and its proxies.
   * @throws {TypeError} When an option has the wrong type.
   * @throws {RangeError} When a method of the manager itself has the name of the type.
   */
  static register<
    M extends ManagerClass,
    const K extends string,
    F extends Maker,
    P extends ProxyType | undefined = undefined,
  >(
    this: M,
    typeid: K,
    options: RegisterOptions<F, P> = {},
  ): Registered<M, K, F, P extends ProxyType ? InstanceType<P> : undefined> {
    const act = `register '${typeid}'`;
    checkRegistration(typeid, options, act);
    const { callable, createMethod = true } = options;
    const proxytype = options.proxytype as ProxyType | undefined;
    const own = proxytype as
      | Partial<Pick<RegisterOptions, "exposed" | "methodToTypeid">>
      | undefined;
    const exposed = options.exposed ?? own?.exposed;
    const methodToTypeid = options.methodToTypeid ?? own?.methodToTypeid;
    if (createMethod) {
      if (typeid in BaseManager.prototype) {
        throw new RangeError(
          `Cannot ${act}: every manager has a method of that name; choose another, or set createMethod: false`,
        );
      }
      Object.defineProperty(this.prototype, typeid, {
        value(this: BaseManager, ...args: unknown[]) {
          return this.create(typeid, ...args);
        },
        writable: true,
        configurable: true,
      });
    }
    let types = registered.get(this);
    if (types === undefined) registered.set(this, types = new Map());
    types.set(typeid, {
      callable,
      exposed,
      methodToTypeid,
      proxytype: proxytype as AnyClass | undefined,
    });
    return this as never;
  }

  /** Where the server is; `undefined` until that is known. */
  get address(): ManagerAddress | undefined {
    return this.#address;
  }

  /**
   * Starts the server in a process of its own, and waits until it serves.
   *
   * @param options What the process calls first.
   * @throws {ProcessError} When it was started or connected already, this process is a daemon, or a module is being imported for a
   * process: a script has to guard what it does with `if (import.meta.main)`.
   * @throws {TypeError} When `initializer` is not a function, or `initargs` not an array.
   * @throws {PicklingError} When a callable, or an argument, cannot travel.
   * @throws What the initializer throws.
   */
  async start(options: StartOptions = {}): Promise<void> {
    const name = this.constructor.name;
    bagOf(options, `start the ${name}`, "{ initializer }");
    const { initializer, initargs = [] } = options;
    if (initializer !== undefined && typeof initializer !== "function") {
      throw new TypeError(
        `Cannot start the ${name}: initializer must be a function, got ${typeof initializer}`,
      );
    }
    if (!Array.isArray(initargs)) {
      throw new TypeError(
        `Cannot start the ${name}: initargs must be an array, got ${typeof initargs}`,
      );
    }
    await this.#leaveInitial("start", async () => {
      const process = await startServer(
        name,
        {
          types: sendable(registryOf(this.constructor)),
          address: this.#asked,
          authkey: this.#authkey,
          initializer: initializer as ((...args: unknown[]) => unknown) | undefined,
          initargs,
          segments: this._keepsSegments(),
        },
        this.start,
        this.#context?.getStartMethod(),
      );
      let link: ManagerLink;
      try {
        link = await ManagerLink.connect(process.address, this.#authkey);
      } catch (error) {
        process.child.kill("SIGKILL");
        throw error;
      }
      this.#address = process.address;
      const closed = opened(`${name} (pid ${process.child.pid})`, this.start);
      this.#closed = closed;
      process.child.ended.then(closed);
      return { is: "started", process, link };
    });
  }

  /**
   * Connects to a server that runs already, at the manager's `address`, with its `authkey`.
   *
   * @throws {ProcessError} When it was started or connected already.
   * @throws {TypeError} When it has no address.
   * @throws {AuthenticationError} When the server has another key.
   * @throws {Deno.errors.ConnectionRefused | Deno.errors.NotFound} When nobody listens there.
   */
  async connect(): Promise<void> {
    const address = this.#address;
    if (address === undefined) {
      throw new TypeError(
        `Cannot connect the ${this.constructor.name}: it has no address; give it one, new ${this.constructor.name}({ address, authkey })`,
      );
    }
    await this.#leaveInitial("connect", async () => {
      const link = await ManagerLink.connect(address, this.#authkey);
      forgotten.register(this, link, this);
      return { is: "connected", link };
    });
  }

  /**
   * A server for this process, which serves until its `shutdown()`.
   *
   * @returns The server: it listens already; `serveForever()` waits for its end.
   * @throws {ProcessError} When the manager was started or connected.
   * @throws {Deno.errors.AddrInUse} When somebody else listens at the address.
   */
  async getServer(): Promise<Server> {
    if (this.#state.is !== "initial") throw this.#wrong("get a server of");
    const folder = this.#asked === undefined ? folderHere() : undefined;
    try {
      const server = await ObjectServer.open({
        registry: registryOf(this.constructor),
        address: this.#asked ?? `${folder!.path}/socket`,
        authkey: this.#authkey,
        desk: await deskOf(this),
        atEnd: folder?.remove,
      });
      this.#address = server.address;
      return server;
    } catch (error) {
      folder?.remove();
      throw error;
    }
  }

  /** Makes an object of a type that TypeScript knows, and gives its proxy. See the last form. */
  create<K extends keyof Types & string>(
    typeid: K,
    ...args: MakerArgs<Types[K]>
  ): Promise<ProxyOf<Made<Types[K]>>>;
  /** Makes an object of a type that TypeScript does not know, and gives its proxy. See the last form. */
  // deno-lint-ignore no-explicit-any -- nobody has said what it is
  create(typeid: string, ...args: unknown[]): Promise<any>;
  /**
   * Makes an object in the server, by the callable of its type, and gives its proxy. `create<Maths>("Maths")` says what it is.
   *
   * @param typeid The name of a registered type.
   * @param args What the callable is called with. They are copied; proxies refer to their objects.
   * @throws {ProcessError} When the manager has been neither started nor connected, or was shut down.
   * @throws {RangeError} When this class of managers has no such type.
   * @throws {RemoteError} When the server has none.
   * @throws {PicklingError} When an argument cannot travel.
   * @throws What the callable throws.
   */
  create<T extends object>(typeid: string, ...args: unknown[]): Promise<ProxyOf<T>>;
  async create(typeid: string, ...args: unknown[]): Promise<unknown> {
    const type = registryOf(this.constructor).get(typeid);
    if (type === undefined) {
      const names = [...registryOf(this.constructor).keys()].join(", ");
      throw new RangeError(
        `Cannot create '${String(typeid)}': ${this.constructor.name} has no such type; it has ${
          names || "none, register one"
        }`,
      );
    }
    const what = () => `${this.constructor.name}.create('${typeid}')`;
    const proxy = await this.#link("create an object of")
      .call(SERVER, what, "create", [typeid, args]) as BaseProxy;
    return withType(proxy, type.proxytype);
  }

  /** How many objects clients have proxies of, or that are on their way to one. */
  async numberOfObjects(): Promise<number> {
    return await this._ask("numberOfObjects", []) as number;
  }

  /** A text about each of these objects, to look for what keeps it. */
  async debugInfo(): Promise<string> {
    return await this._ask("debugInfo", []) as string;
  }

  /** Asks the server itself. @internal */
  async _ask(name: string, args: unknown[]): Promise<unknown> {
    return await this.#link(`ask for ${name} of`)
      .call(SERVER, () => `${this.constructor.name}.${name}`, name, args);
  }

  /** Whether its server keeps track of shared memory. @internal */
  _keepsSegments(): boolean {
    return false;
  }

  /**
   * Ends the server that `start()` started. Calls of proxies that are under way reject with an `EOFError`, and so do later ones. A second
   * call does nothing.
   *
   * @throws {ProcessError} When the manager has not been started: only who started a server ends it.
   */
  async shutdown(): Promise<void> {
    const state = this.#state;
    if (state.is === "ended") return await state.end;
    if (state.is !== "started") throw this.#wrong("shut down");
    const { process, link } = state;
    const end = this.#end(process, link);
    this.#state = { is: "ended", process, end };
    await end;
  }

  async #end({ child, server }: ServerProcess, link: ManagerLink): Promise<void> {
    child.hold();
    try {
      await link.call(SERVER, () => "shutdown", "shutdown", []);
    } catch {
      // It has ended by itself.
    }
    link.end("the manager was shut down");
    closeLinksTo(server);
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const deadline = performance.now() + this.#shutdownTimeout;
      if (await happens(child.ended, { deadline, signal: undefined })) break;
      child.kill(signal);
    }
    await child.ended;
    child.unhold();
    await quiet();
    this.#closed();
  }

  /**
   * Waits until the server's process has ended, or time has run out. It returns at once when there is none.
   *
   * @param options How long to wait.
   * @throws The signal's reason, when it is aborted.
   */
  async join(options?: WaitOptions): Promise<void> {
    const limit = limitOf(options, `${this.constructor.name}.join`);
    const state = this.#state;
    if (state.is !== "started" && state.is !== "ended") return;
    const { child } = state.process;
    child.hold();
    try {
      await happens(child.ended, limit);
    } finally {
      child.unhold();
    }
  }

  /** Shuts down the server if this manager started it; lets go of it if it connected. */
  async [Symbol.asyncDispose](): Promise<void> {
    const state = this.#state;
    if (state.is === "started" || state.is === "ended") return await this.shutdown();
    if (state.is !== "connected") return;
    this.#state = { is: "initial" };
    forgotten.unregister(this);
    state.link.leave();
  }

  async #leaveInitial(act: string, reach: () => Promise<State>): Promise<void> {
    if (this.#state.is !== "initial") throw this.#wrong(act);
    this.#state = { is: "busy" };
    try {
      this.#state = await reach();
    } catch (error) {
      this.#state = { is: "initial" };
      throw error;
    }
  }

  #link(act: string): ManagerLink {
    const state = this.#state;
    if (state.is === "started" || state.is === "connected") return state.link;
    throw this.#wrong(act);
  }

  #wrong(act: string): ProcessError {
    const is = {
      initial: "it has not been started; await start() or connect() first",
      busy: "it is being started; await start() or connect() first",
      started: "it has been started already",
      connected: "it is connected to a server that somebody else has started",
      ended: "it has been shut down",
    }[this.#state.is];
    return new ProcessError(`Cannot ${act} the ${this.constructor.name}: ${is}`);
  }
}

async function deskOf(manager: BaseManager): Promise<Desk | undefined> {
  if (!manager._keepsSegments()) return undefined;
  // Loaded only where it is needed.
  return new (await import("./_manager_segments.ts")).Segments();
}

/** A class of proxies that a user can register. */
type ProxyType = abstract new (...args: never[]) => BaseProxy;

/** The proxy itself, or one of that class on the same object. */
function withType(proxy: BaseProxy, type: AnyClass | undefined): BaseProxy {
  if (type === undefined || proxy.constructor === type) return proxy;
  const typed = proxyOn(holdOf(proxy), type);
  proxy[Symbol.dispose]();
  return typed;
}

function checkRegistration(typeid: unknown, options: unknown, act: string): void {
  const wrong = (what: string) => new TypeError(`Cannot ${act}: ${what}`);
  if (typeof typeid !== "string") throw wrong(`the typeid must be a string, got ${typeof typeid}`);
  const { callable, exposed, methodToTypeid, proxytype } = bagOf(
    options as RegisterOptions<Maker, unknown>,
    act,
    "{ callable: Maths }",
  );
  if (callable !== undefined && typeof callable !== "function") {
    throw wrong(`callable must be a function or a class, got ${typeof callable}`);
  }
  if (exposed !== undefined && !areStrings(exposed)) {
    throw wrong(`exposed must be an array of names`);
  }
  if (
    methodToTypeid !== undefined &&
    (typeof methodToTypeid !== "object" || methodToTypeid === null ||
      !areStrings(Object.values(methodToTypeid)))
  ) {
    throw wrong(
      `methodToTypeid must be an object of names of types, such as { items: "Iterator" }`,
    );
  }
  if (
    proxytype !== undefined &&
    !(typeof proxytype === "function" && proxytype.prototype instanceof BaseProxy)
  ) throw wrong("proxytype must be a subclass of BaseProxy");
}

function areStrings(list: unknown): boolean {
  return Array.isArray(list) && list.every((name) => typeof name === "string");
}
