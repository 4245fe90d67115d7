/**
 * The server of a manager: keeps the objects, and calls them for its clients.
 *
 * Guarantees
 * - What one client sends is begun in that order. Calls that wait do not hold up others, of the same client or another.
 * - An object is kept while somebody has a reference to it: a client that holds proxies of it, or a reference on its way. What a client
 *   held is given back when it ends, however it ended.
 * - A reference on its way whose sender has ended is kept for {@linkcode GRACE}: it may lie in a queue.
 * - A client reaches the objects that it has references to, and of those the exposed methods.
 *
 * A proxy that a client puts into an object of this server becomes a resident here: a proxy that stands on the object itself. It counts
 * as no reference; it keeps the object as everything in memory does, and gives it a place in the table again when it is sent to a client.
 *
 * @module
 */
import { decode, encode, encodeError, nameIt, registerError } from "../threading/_core/mod.ts";
import { Caller } from "./_manager_caller.ts";
import { acceptLane, hasLanes, type LaneHandle } from "./_crew_lane.ts";
import { bare } from "./_manager_containers.ts";
import {
  addressOf,
  type Conn,
  Door,
  type Key,
  listenAt,
  type Passes,
  passesOf,
  passFor,
} from "./_manager_door.ts";
import {
  type Destination,
  destinationNow,
  encodeTo,
  type Hold,
  type Home,
  type ManagerAddress,
  settle,
  type Token,
  type Travel,
  unsettle,
} from "./_manager_hold.ts";
import type { Kind } from "./_manager_kind.ts";
import { CancelledByCaller } from "./_manager_link.ts";
import { kindFor, methodOf, publicMethods } from "./_manager_objects.ts";
import { make, type Registry } from "./_manager_registry.ts";
import { Wire } from "./_manager_socket.ts";
import {
  CALL,
  CANCEL,
  countIn,
  encodedBody,
  ERROR,
  jsonBody,
  LANE,
  LANE_TAKEN,
  LANE_USED,
  laneIn,
  NO_SIGNAL,
  numberOf,
  readCall,
  REDEEM,
  RELEASE,
  RESULT,
  sendAnswer,
  sendHello,
  sendLane,
  SERVER,
  tagOf,
  ticketIn,
  TRANSIT,
  valueIn,
} from "./_manager_wire.ts";
import { proxyOn } from "./_proxy.ts";

/** Milliseconds that a reference is kept whose sender ended before its receiver took it. */
const GRACE = 60_000;

/** Milliseconds that a client has, at the server's end, to take its last answers. */
const FAREWELL = 1000;

/**
 * Raised by a call of a proxy that the server of the manager refuses: the method is not exposed, or the object is there no longer.
 * Stands for `multiprocessing.managers.RemoteError`.
 */
export class RemoteError extends Error {
  static {
    nameIt(this, "RemoteError");
  }
}

registerError(RemoteError, import.meta.url);

/** What a kind of manager's server does beside keeping objects. */
export interface Desk {
  /** Called by clients that have the authkey. */
  readonly services: ReadonlyMap<string, (args: unknown[]) => unknown>;
  /** At the server's end. */
  close(): void;
}

/** An object of the server. */
class Entry implements Hold {
  readonly object: number;
  readonly referent: { readonly object: unknown };
  readonly kind: Kind;
  readonly token: Token;
  /** The methods that may be called; `undefined`: all that the table of its kind has. */
  readonly exposed: ReadonlySet<string> | undefined;
  readonly methodToTypeid: Readonly<Record<string, string>>;
  /** References that clients have, and that are on their way. */
  references = 0;
  readonly #server: ObjectServer;

  constructor(server: ObjectServer, number: number, typeid: string, object: unknown) {
    const type = server.registry.get(typeid);
    const kind = kindFor(object);
    const results = type?.methodToTypeid ?? {};
    const own = type?.exposed?.filter((name) => !kind.methods.has(name)) ??
      publicMethods(object, kind);
    const methods = [...new Set([...own, ...Object.keys(results)])]
      .filter((name) => !kind.methods.has(name));
    this.#server = server;
    this.object = number;
    this.referent = { object };
    this.kind = kind;
    this.methodToTypeid = results;
    this.exposed = type?.exposed === undefined && kind.name !== "object"
      ? (methods.length === 0 ? undefined : new Set([...kind.methods.keys(), ...methods]))
      : new Set([...type?.exposed ?? [], ...methods]);
    this.token = {
      server: server.id,
      object: number,
      typeid,
      kind: kind.name,
      methods,
      type: type?.proxytype,
    };
  }

  // As a hold: what a resident stands on. ------------------------------------------------------------------------------------------

  async call(
    name: string,
    args: readonly unknown[],
    how?: { signal?: AbortSignal },
  ): Promise<unknown> {
    const caller = new Caller(this.#server);
    how?.signal?.addEventListener("abort", () => caller.cancel(how.signal!.reason), { once: true });
    const given = await this.#copy(args, name) as unknown[];
    return await this.#copy(await this.#server.perform(this, name, given, caller), name);
  }

  /** Copied, as over a link. */
  async #copy(value: unknown, name: string): Promise<unknown> {
    const server = this.#server;
    const passing: Entry[] = [];
    const to: Destination = {
      server: server.id,
      open: false,
      give(object) {
        passing.push(object as Entry);
        server.keep(object as Entry);
        return undefined;
      },
    };
    try {
      return await decode(encodeTo(to, () => encode(value, `call ${name} with`, this.call)));
    } finally {
      for (const entry of passing) server.free(entry, 1);
    }
  }

  travel(): Travel {
    return this.#server.travelOf(this);
  }

  take(): void {}
  drop(): void {}
}

/** A client, as the server has it. */
class Session implements Destination {
  readonly id: string = crypto.randomUUID();
  readonly open: boolean;
  readonly #server: ObjectServer;
  readonly #wire: Wire;
  /** Whether the client may create objects and shut the server down. */
  readonly #full: boolean;
  /** Whether the client may have fewer permissions than this process. */
  readonly #wary: boolean;
  /** References that the client has. */
  readonly #references = new Map<number, { readonly entry: Entry; count: number }>();
  readonly #calls = new Map<number, Caller>();
  /** What was received while something was being decoded, which may take a while. */
  readonly #inbox: Uint8Array[] = [];
  #lane: ReturnType<typeof acceptLane>["lane"] | undefined;
  #decoding = false;

  constructor(server: ObjectServer, conn: Conn, kind: Key["kind"]) {
    this.#server = server;
    this.#full = kind === "authkey";
    this.#wary = kind === "wary";
    this.open = typeof server.address !== "string";
    this.#wire = new Wire(conn, (frame) => {
      if (this.#decoding) this.#inbox.push(frame.slice());
      else this.#take(frame);
    });
    this.#wire.ref();
    sendHello(this.#wire, { server: server.id, session: this.id });
    this.#wire.ended.then(() => this.#leave());
  }

  get server(): string {
    return this.#server.id;
  }

  #take(frame: Uint8Array): void {
    const number = numberOf(frame);
    switch (tagOf(frame)) {
      case CALL:
        return this.#begin(number, frame);
      case CANCEL:
        return this.#calls.get(number)?.cancel(new CancelledByCaller());
      case RELEASE:
        return this.#release(number, countIn(frame));
      case REDEEM:
        return this.#redeem(number, ticketIn(frame));
      case TRANSIT:
        return this.#announce(number, ticketIn(frame));
      case LANE:
        if (this.#full) return this.#takeLane(laneIn(frame) as LaneHandle);
        return this.#wire.close();
      case LANE_USED:
        if (this.#lane !== undefined) return this.#wire.takeFrom(this.#lane);
        return this.#wire.close();
      default:
        // No client of ours.
        this.#wire.close();
    }
  }

  /** The client is trusted with everything, so also with our memory. */
  #takeLane(handle: LaneHandle): void {
    if (!hasLanes() || this.#lane !== undefined) return;
    try {
      const { lane, bell } = acceptLane(handle);
      this.#lane = lane;
      void this.#wire.sendBy(lane.out, () => sendLane(this.#wire, LANE_TAKEN, bell));
    } catch {
      // It is elsewhere: over the socket, then.
    }
  }

  #begin(call: number, frame: Uint8Array): void {
    const { object, name, signalAt, args } = readCall(frame);
    const caller = new Caller(this);
    this.#calls.set(call, caller);
    const value = valueIn(args, this.#wary);
    if (!(value instanceof Promise)) {
      return this.#perform(call, object, name, signalAt, value as unknown[], caller);
    }
    this.#decoding = true;
    value.then(
      (args) => this.#perform(call, object, name, signalAt, args, caller),
      (error) => this.#fail(call, error),
    ).then(() => this.#goOn());
  }

  /** Begins what came meanwhile. */
  #goOn(): void {
    this.#decoding = false;
    try {
      while (!this.#decoding) {
        const frame = this.#inbox.shift();
        if (frame === undefined) return;
        this.#take(frame);
      }
    } catch {
      // No client of ours, as for what comes while nothing is being decoded.
      this.#wire.close();
    }
  }

  #perform(
    call: number,
    object: number,
    name: string,
    signalAt: number,
    args: unknown[],
    caller: Caller,
  ): void {
    let result: unknown;
    try {
      if (signalAt !== NO_SIGNAL && Object(args[signalAt]) === args[signalAt]) {
        (args[signalAt] as { signal?: AbortSignal }).signal = caller.signal;
      }
      result = object === SERVER
        ? this.#server.serve(name, args, caller, this.#full)
        : this.#server.perform(this.#mine(object), name, args, caller);
    } catch (error) {
      return this.#fail(call, error);
    }
    if (!(result instanceof Promise)) return this.#answer(call, name, result);
    result.then((value) => this.#answer(call, name, value), (error) => this.#fail(call, error));
  }

  #mine(object: number): Entry {
    const found = this.#references.get(object);
    if (found !== undefined) return found.entry;
    throw new RemoteError(
      "Cannot call the object of a proxy: the manager has it no longer; it was freed when its last proxy was",
    );
  }

  #answer(call: number, name: string, value: unknown): void {
    const json = jsonBody(value);
    if (json === undefined) return this.#answerEncoded(call, name, value);
    sendAnswer(this.#wire, RESULT, call, json);
    this.#calls.delete(call);
  }

  #answerEncoded(call: number, name: string, value: unknown): void {
    const given: Entry[] = [];
    this.#given = given;
    try {
      const body = encodeTo(
        this,
        () => encodedBody(value, `return from ${name}`, this.#answer, "result"),
      );
      sendAnswer(this.#wire, RESULT, call, body);
      this.#calls.delete(call);
    } catch (error) {
      for (const entry of given) this.#release(entry.object, 1);
      this.#fail(call, error);
    } finally {
      this.#given = undefined;
    }
  }

  #fail(call: number, thrown: unknown): void {
    this.#calls.delete(call);
    const from = `manager process ${Deno.pid}`;
    const body = encodeTo(
      this,
      () => encode(encodeError(thrown, { from, away: true }), "throw", this.#fail),
    );
    sendAnswer(this.#wire, ERROR, call, body);
  }

  #given: Entry[] | undefined;

  /** The client gets a reference. */
  give(object: object): string {
    const entry = object as Entry;
    this.#count(entry);
    this.#given?.push(entry);
    return this.id;
  }

  #count(entry: Entry): void {
    const found = this.#references.get(entry.object);
    if (found === undefined) this.#references.set(entry.object, { entry, count: 1 });
    else found.count++;
    this.#server.keep(entry);
  }

  #release(object: number, count: number): void {
    const found = this.#references.get(object);
    if (found === undefined) return;
    const given = Math.min(count, found.count);
    found.count -= given;
    if (found.count === 0) this.#references.delete(object);
    this.#server.free(found.entry, given);
  }

  #redeem(object: number, ticket: string): void {
    const entry = this.#server.redeem(object, ticket);
    if (entry !== undefined) this.#count(entry);
  }

  #announce(object: number, ticket: string): void {
    const found = this.#references.get(object);
    if (found !== undefined) this.#server.announce(found.entry, ticket, this);
  }

  /** Ends the session. */
  close(): void {
    this.#wire.close();
  }

  /** Sends what waits, and ends the session. */
  async finish(): Promise<void> {
    const late = Promise.withResolvers<void>();
    // For a client that does not read.
    const timer = setTimeout(late.resolve, FAREWELL);
    await Promise.race([this.#wire.flush(), late.promise]);
    clearTimeout(timer);
    this.#wire.close();
  }

  #leave(): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#inbox.length = 0;
    for (const caller of calls) caller.leave(new CancelledByCaller());
    for (const { entry, count } of this.#references.values()) this.#server.free(entry, count);
    this.#references.clear();
    this.#server.left(this);
  }
}

/** What a server is made with. */
export interface ServerOptions {
  readonly registry: Registry;
  readonly address: ManagerAddress;
  readonly authkey: Uint8Array;
  readonly desk?: Desk;
  /** The last thing that the server does. */
  readonly atEnd?: () => void;
}

/**
 * The server of a manager, in the process that it was made in: what `BaseManager.getServer` gives. Stands for the `Server` object of
 * Python's `BaseManager.get_server`.
 */
export interface Server extends AsyncDisposable {
  /** Where clients connect to. */
  readonly address: ManagerAddress;
  /** Serves until the server is shut down: by the manager that started it, or by {@linkcode Server.shutdown}. */
  serveForever(): Promise<void>;
  /** Ends the server: its clients' calls reject, its objects are freed. */
  shutdown(): Promise<void>;
  /** The same as {@linkcode Server.shutdown}. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** See the head of this file. */
export class ObjectServer implements Server, Home {
  /** The name by which proxies know it. */
  readonly id: string;
  /** What it can make. */
  readonly registry: Registry;
  readonly #address: ManagerAddress;
  readonly #desk: Desk | undefined;
  readonly #atEnd: (() => void) | undefined;
  readonly #passes: Passes;
  readonly #door: Door;
  readonly #sessions = new Set<Session>();
  /** Objects that somebody has references to. */
  readonly #entries = new Map<number, Entry>();
  #lastObject = SERVER;
  /** References on their way, by ticket, and who sent them. */
  readonly #transits = new Map<string, { readonly entry: Entry; readonly sender: object }>();
  /** Tickets that were redeemed before they were announced. */
  readonly #early = new Set<string>();
  readonly #graces = new Set<ReturnType<typeof setTimeout>>();
  readonly #ended = Promise.withResolvers<void>();
  #closed = false;

  private constructor(
    options: ServerOptions,
    listener: ReturnType<typeof listenAt>,
    id: string,
    passes: Passes,
  ) {
    const { registry, authkey, desk, atEnd } = options;
    this.id = id;
    this.registry = registry;
    this.#address = addressOf(listener);
    this.#desk = desk;
    this.#atEnd = atEnd;
    this.#passes = passes;
    this.#door = new Door(
      listener,
      (kind) => kind === "authkey" ? authkey : passes[kind]!,
      (conn, kind) => this.#admit(conn, kind),
    );
    settle(id, this);
  }

  /** Begins to listen. */
  static async open(options: ServerOptions): Promise<ObjectServer> {
    const listener = listenAt(options.address);
    try {
      const id = crypto.randomUUID();
      const passes = await passesOf({ kind: "authkey", bytes: options.authkey }, id);
      return new ObjectServer(options, listener, id, passes);
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  /** Where clients connect to. */
  get address(): ManagerAddress {
    return this.#address;
  }

  #admit(conn: Conn, kind: Key["kind"]): void {
    if (this.#closed) return conn.close();
    this.#sessions.add(new Session(this, conn, kind));
  }

  /**
   * Serves until the server is shut down: by the manager that started it, or by {@linkcode Server.shutdown}.
   */
  async serveForever(): Promise<void> {
    await this.#ended.promise;
  }

  /** Ends the server: its clients' calls reject, its objects are freed. */
  async shutdown(): Promise<void> {
    if (this.#closed) return await this.#ended.promise;
    this.#closed = true;
    this.#door.close();
    this.#desk?.close();
    await Promise.all([...this.#sessions].map((session) => session.finish()));
    for (const grace of this.#graces) clearTimeout(grace);
    this.#transits.clear();
    this.#entries.clear();
    unsettle(this.id);
    this.#atEnd?.();
    this.#ended.resolve();
  }

  /** The same as {@linkcode Server.shutdown}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  // ---- Calls -------------------------------------------------------------------------------------------------------------------------

  /** Calls the server itself. */
  serve(name: string, args: unknown[], caller: Caller, full: boolean): unknown {
    if (!full) {
      throw new RemoteError(
        `Cannot ask the manager for ${name}: this process has proxies of it, but not its authkey; connect to it with a manager of your own`,
      );
    }
    switch (name) {
      case "create":
        return this.#create(args[0] as string, args[1] as unknown[], caller);
      case "shutdown":
        // The answer is sent before the sessions end.
        queueMicrotask(() => this.shutdown());
        return undefined;
      case "numberOfObjects":
        return this.#entries.size;
      case "debugInfo":
        return this.#debugInfo();
    }
    const service = this.#desk?.services.get(name);
    if (service === undefined) throw new RemoteError(`Cannot ask the manager for ${name}`);
    return service(args);
  }

  async #create(typeid: string, args: unknown[], caller: Caller): Promise<unknown> {
    const type = this.registry.get(typeid);
    if (type === undefined) {
      throw new RemoteError(
        `Cannot create '${typeid}': it is not registered where the server runs; registered are ${
          [...this.registry.keys()].join(", ") || "none"
        }`,
      );
    }
    const { callable } = type;
    if (callable === undefined && args.length !== 1) {
      throw new TypeError(
        `Cannot create '${typeid}': it was registered without a callable, so it takes one argument, the object, got ${args.length}`,
      );
    }
    // Only promises are awaited: an object of the user's may have a method that is called `then`.
    const made = callable === undefined ? args[0] : make(callable, args);
    const object = made instanceof Promise ? await made : made;
    if (caller.gone) return undefined;
    return proxyOn(this.#enter(typeid, object));
  }

  #enter(typeid: string, object: unknown): Entry {
    // A resident is what it stands on.
    return new Entry(this, ++this.#lastObject, typeid, bare(object));
  }

  /** Calls a method of an object. */
  perform(entry: Entry, name: string, args: unknown[], caller: Caller): unknown {
    const { object } = entry.referent;
    if (name === "#getvalue") return entry.kind.copy(object);
    const allowed = entry.exposed === undefined || entry.exposed.has(name);
    const method = allowed ? methodOf(object, entry.kind, name) : undefined;
    if (method === undefined) {
      const names = [...entry.exposed ?? entry.kind.methods.keys()].join(", ");
      throw new RemoteError(
        `Cannot call ${name} of a '${entry.token.typeid}': it is not exposed; exposed are ${
          names || "none"
        }`,
      );
    }
    const result = method(object, args, caller);
    const typeid = Object.hasOwn(entry.methodToTypeid, name)
      ? entry.methodToTypeid[name]
      : undefined;
    if (typeid === undefined) return result;
    if (result instanceof Promise) {
      return result.then((value) => proxyOn(this.#enter(typeid, value)));
    }
    return proxyOn(this.#enter(typeid, result));
  }

  #debugInfo(): string {
    return [...this.#entries.values()].map(({ object, references, token, referent }) => {
      const text = Deno.inspect(referent.object, {
        depth: 1,
        breakLength: Infinity,
        colors: false,
      });
      return `  ${object}: ${token.typeid}, references=${references}\n    ${text.slice(0, 75)}`;
    }).join("\n");
  }

  // ---- References --------------------------------------------------------------------------------------------------------------------

  /** One reference more. */
  keep(entry: Entry): void {
    entry.references++;
    this.#entries.set(entry.object, entry);
  }

  /** So many references less. */
  free(entry: Entry, count: number): void {
    entry.references -= count;
    if (entry.references === 0) this.#entries.delete(entry.object);
  }

  /** The object of that number; `ticket`: a reference to it was on its way here. */
  resident(object: number, ticket: string | undefined): Hold | undefined {
    return ticket === undefined ? this.#entries.get(object) : this.redeem(object, ticket);
  }

  /** What a resident becomes on its way. */
  travelOf(entry: Entry): Travel {
    const { token } = entry;
    const to = destinationNow();
    if (to?.server === this.id) {
      return { token, session: to.give?.(entry) };
    }
    const ticket = crypto.randomUUID();
    this.announce(entry, ticket, this);
    const pass = passFor(to?.open === true ? undefined : this.#passes);
    return { token, way: { address: this.#address, ticket, ...pass } };
  }

  /** A reference is on its way. */
  announce(entry: Entry, ticket: string, sender: object): void {
    if (this.#early.delete(ticket)) return;
    this.keep(entry);
    this.#transits.set(ticket, { entry, sender });
  }

  /**
   * A reference has arrived. It may come before it was announced, for that comes another way; then the sender still has his own, and the
   * object is there. Or for a second time, when what carried it was decoded twice.
   */
  redeem(object: number, ticket: string): Entry | undefined {
    const transit = this.#transits.get(ticket);
    if (transit === undefined) {
      this.#early.add(ticket);
      if (this.#early.size > 1000) this.#early.delete(this.#early.values().next().value!);
      return this.#entries.get(object);
    }
    this.#transits.delete(ticket);
    // The receiver counts it in this same turn.
    queueMicrotask(() => this.free(transit.entry, 1));
    return transit.entry;
  }

  /** A client has ended. */
  left(session: Session): void {
    this.#sessions.delete(session);
    const tickets = [...this.#transits]
      .flatMap(([ticket, { sender }]) => sender === session ? [ticket] : []);
    if (tickets.length === 0 || this.#closed) return;
    const grace = setTimeout(() => {
      this.#graces.delete(grace);
      for (const ticket of tickets) {
        const transit = this.#transits.get(ticket);
        if (transit !== undefined && this.#transits.delete(ticket)) this.free(transit.entry, 1);
      }
    }, GRACE);
    Deno.unrefTimer(grace);
    this.#graces.add(grace);
  }
}
