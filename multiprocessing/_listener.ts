/**
 * Waiting for peers, and going to one.
 *
 * A listener takes peers in as they come and shakes hands with all of them at once; `accept` gets them in the order in which that ends.
 * So a peer that is slow, or no peer at all, keeps nobody else waiting, and a `Client` need not wait for `accept`.
 *
 * Guarantees
 * - Each peer comes out of one `accept`, as a connection or as the error that its handshake ended with. An `accept` that times out or is
 *   aborted loses nobody.
 * - A handshake takes at most {@linkcode PATIENCE}. At most {@linkcode CROWD} peers are in hand (or the backlog, if that is more), the
 *   others wait in the system's queue.
 * - Only `accept` and `wait` hold the event loop open.
 *
 * @module
 */
import { type Address, type Family, familyOf } from "./_address.ts";
import { checkKey, greet, introduce } from "./_auth.ts";
import { AuthenticationError, TimeoutError } from "./errors.ts";
import { BOTH, connect, type Connection } from "./_connection.ts";
import { makeFolder, removeFolder, sweep } from "./_folder.ts";
import { Fifo } from "./_fifo.ts";
import { expire, ready, type Waitable } from "./_ready.ts";
import { SocketChannel } from "./_channel_socket.ts";
import {
  bagOf,
  type Limit,
  limitOf,
  opened,
  refuse,
  type WaitOptions,
} from "../threading/_core/mod.ts";
import { showAs } from "./_show.ts";

/** How long a handshake may take, in milliseconds: as long as CPython waits for a connection to be made. */
const PATIENCE = 20_000;
/** How many peers may be in hand: those that shake hands, and those that nobody has accepted yet. */
const CROWD = 256;

/** Options of {@linkcode Listener}. */
export interface ListenerOptions {
  /** Where to listen. Left out: a free place of that family. */
  address?: Address;
  /** Left out: that of the address; without either `"AF_UNIX"`, and `"AF_INET"` on Windows. */
  family?: Family;
  /**
   * How many peers may at least wait for an `accept`. There is room for 256 anyway: a peer whom the system forgets in a queue that is
   * too short would wait for ever.
   */
  backlog?: number;
  /** The key that peers have to know, and have to be shown to be known here. Without it anybody is let in. */
  authkey?: Uint8Array;
}

/** Options of {@linkcode Client}. */
export interface ClientOptions extends WaitOptions {
  /** Left out: that of the address. */
  family?: Family;
  /** The key of the listener. Left out: it has none. */
  authkey?: Uint8Array;
}

/** A peer, after its handshake. */
interface Arrival {
  /** Undefined if the handshake failed. */
  readonly channel: SocketChannel | undefined;
  readonly error: unknown;
  readonly peer: Address;
}

interface Accepting {
  resolve(arrival: Arrival): void;
  reject(error: unknown): void;
}

/** Paths of listeners that are closed and that Deno still has. */
const leaving = new Set<string>();

type Socket = Deno.TcpConn | Deno.UnixConn;

/**
 * Waits for peers that call `Client`. Stands for `multiprocessing.connection.Listener`.
 *
 * Needs `--allow-net`, and for a Unix socket `--allow-read` and `--allow-write`.
 *
 * @example
 * ```ts
 * import { Client, Listener } from "@batteries/concurrent/multiprocessing/connection";
 * import { assertEquals } from "@std/assert";
 *
 * const authkey = new TextEncoder().encode("a secret");
 * using listener = new Listener({ authkey });
 * using client = await Client<string>(listener.address, { authkey });
 * using server = await listener.accept<string>();
 * await client.send("hello");
 * assertEquals(await server.recv(), "hello");
 * ```
 */
export class Listener implements Disposable, Waitable {
  readonly #listener: Deno.TcpListener | Deno.UnixListener;
  readonly #address: Address;
  /** The private folder of a socket that we named ourselves. */
  readonly #folder: string | undefined;
  readonly #authkey: Uint8Array | null;
  readonly #crowd: number;
  readonly #ended: () => void;
  #lastAccepted: Address | null = null;
  readonly #arrivals = new Fifo<Arrival>();
  readonly #accepting = new Fifo<Accepting>();
  readonly #watching = new Set<() => void>();
  /** Peers that shake hands. */
  readonly #greeted = new Set<SocketChannel>();
  #isTaking = false;
  #isClosed = false;

  static {
    showAs(Listener, ({ address }) => ({ address }));
    refuse(Listener, "a Listener belongs to the process that made it; send its address");
  }

  /**
   * Begins to listen.
   *
   * @throws {Deno.errors.AddrInUse} when somebody else listens there.
   * @throws {TypeError} when an option has the wrong type.
   * @throws {RangeError} when the family is unknown, or a number out of range.
   */
  constructor(options: ListenerOptions = {}) {
    const act = "make a Listener";
    bagOf(options, act, "{ address, authkey }");
    const { address, backlog = CROWD, authkey } = options;
    const family = familyOf(address, options.family, act);
    if (typeof backlog !== "number") {
      throw new TypeError(`Cannot ${act}: backlog must be a number, got ${typeof backlog}`);
    }
    if (!Number.isInteger(backlog) || backlog < 0) {
      throw new RangeError(`Cannot ${act}: backlog must be a whole number, got ${backlog}`);
    }
    this.#authkey = keyOf(authkey, act);
    this.#crowd = Math.max(backlog, CROWD);
    if (family === "AF_INET") {
      const { hostname, port } = address as { hostname: string; port: number } ??
        { hostname: "127.0.0.1", port: 0 };
      const listener = at(
        "listen at",
        { hostname, port },
        () => Deno.listen({ hostname, port, tcpBacklog: this.#crowd }),
      );
      this.#listener = listener;
      this.#address = { hostname: listener.addr.hostname, port: listener.addr.port };
    } else {
      this.#folder = address === undefined ? makeFolder("listener", act) : undefined;
      const path = address as string | undefined ?? `${this.#folder}/socket`;
      if (leaving.has(path)) throw stillThere(path);
      try {
        this.#listener = at("listen at", path, () => Deno.listen({ transport: "unix", path }));
      } catch (error) {
        if (this.#folder !== undefined) removeFolder(this.#folder);
        throw error;
      }
      this.#address = path;
      if (this.#folder !== undefined) sweep(this.#folder);
    }
    this.#ended = opened(`Listener ${show(this.#address)}`, Listener);
    this.#listener.unref();
    this.#take();
  }

  /**
   * The next peer, as a connection.
   *
   * @throws {AuthenticationError} when its handshake failed: it has another key, one side has none, or it is no `Client`. The listener
   * goes on.
   * @throws {TimeoutError} when none came in time.
   * @throws {Deno.errors.BadResource} when the listener is closed, or is closed meanwhile.
   * @throws The reason of the signal.
   */
  async accept<T = unknown>(options?: WaitOptions): Promise<Connection<T>> {
    const limit = limitOf(options, "Listener.accept");
    this.#mustBeOpen();
    const { channel, error, peer } = await this.#next(limit);
    if (channel === undefined) throw error;
    this.#lastAccepted = peer;
    return connect<T>(channel, BOTH, this.accept);
  }

  /** Where it listens: what `Client` takes. */
  get address(): Address {
    return this.#address;
  }

  /** Where the last peer that was accepted came from; `null` before the first. A peer on a Unix socket has an empty path. */
  get lastAccepted(): Address | null {
    return this.#lastAccepted;
  }

  /**
   * Stops listening, as leaving its `using` block does. Peers that were not accepted are turned away, the socket's file is removed.
   * Closing twice does nothing. The address is free again once the event loop has come round twice.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#ended();
    this.#listener.close();
    this.#removeFile();
    for (const channel of this.#greeted) channel.close();
    for (const { channel } of this.#arrivals.drain()) channel?.close();
    for (const { reject } of this.#accepting.drain()) reject(listenerClosed());
    for (const wake of [...this.#watching]) wake();
  }

  /** The same as `close()`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** For `wait`: ready when `accept` would not wait. */
  [ready](limit: Limit): Promise<boolean> {
    this.#mustBeOpen();
    return new Promise((resolve, reject) => {
      if (this.#arrivals.length > 0) return resolve(true);
      let over = false;
      let stop = () => {};
      const settle = (act: () => void) => {
        over = true;
        this.#watching.delete(wake);
        stop();
        this.#hold();
        act();
      };
      const wake = () => settle(() => this.#isClosed ? reject(listenerClosed()) : resolve(true));
      this.#watching.add(wake);
      this.#hold();
      stop = expire(
        limit,
        () => settle(() => resolve(this.#arrivals.length > 0)),
        (reason) => settle(() => reject(reason)),
      );
      if (over) stop();
    });
  }

  #next(limit: Limit): Promise<Arrival> {
    return new Promise((resolve, reject) => {
      const arrival = this.#arrivals.shift();
      if (arrival !== undefined) {
        resolve(arrival);
        this.#take();
        return;
      }
      let over = false;
      let stop = () => {};
      const settle = (act: () => void) => {
        over = true;
        stop();
        act();
        this.#hold();
      };
      const accepting: Accepting = {
        resolve: (arrival) => settle(() => resolve(arrival)),
        reject: (error) => settle(() => reject(error)),
      };
      this.#accepting.push(accepting);
      this.#hold();
      const giveUp = (error: unknown) => {
        if (this.#accepting.remove(accepting)) accepting.reject(error);
      };
      stop = expire(limit, () => giveUp(nobodyCame()), giveUp);
      if (over) stop();
    });
  }

  /**
   * Deno removes the file as well, when the accept that was under way has ended: by its path, whoever has it by then. So nobody in this
   * process may have it.
   */
  #removeFile(): void {
    const path = this.#address;
    if (this.#folder !== undefined) {
      removeFolder(this.#folder);
    } else if (typeof path === "string" && !path.startsWith("\0")) {
      if (this.#isTaking) leaving.add(path);
      try {
        Deno.removeSync(path);
      } catch {
        // Somebody else has removed it, or Deno.
      }
    }
  }

  /** The event loop waits for peers while somebody does. */
  #hold(): void {
    if (this.#isClosed) return;
    if (this.#accepting.length + this.#watching.size > 0) this.#listener.ref();
    else this.#listener.unref();
  }

  /** Takes in peers as long as there is room for them. */
  async #take(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      while (!this.#isClosed && this.#greeted.size + this.#arrivals.length < this.#crowd) {
        const taking = this.#listener.accept();
        this.#hold();
        const socket = await taking as Socket;
        this.#greet(socket);
      }
    } catch (error) {
      // Closed; or the process has no more descriptors, say: who accepts is told, and the next accept tries again.
      if (!this.#isClosed) this.#arrive({ channel: undefined, error, peer: "" });
    }
    this.#isTaking = false;
    if (this.#isClosed && typeof this.#address === "string") leaving.delete(this.#address);
  }

  /** Shakes hands. */
  async #greet(socket: Socket): Promise<void> {
    const peer = addressOf(socket.remoteAddr);
    const channel = new SocketChannel(socket);
    this.#greeted.add(channel);
    try {
      await patiently(channel, (bytes) => greet(bytes, this.#authkey));
      this.#greeted.delete(channel);
      if (this.#isClosed) channel.close();
      else this.#arrive({ channel, error: undefined, peer });
    } catch (error) {
      channel.close();
      this.#greeted.delete(channel);
      if (!this.#isClosed) this.#arrive({ channel: undefined, error, peer });
    }
  }

  #arrive(arrival: Arrival): void {
    const accepting = this.#accepting.shift();
    if (accepting !== undefined) {
      accepting.resolve(arrival);
      this.#take();
      return;
    }
    this.#arrivals.push(arrival);
    for (const wake of [...this.#watching]) wake();
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw listenerClosed();
  }
}

/**
 * Connects to a `Listener`, in this process or another, and shakes hands with it. Stands for `multiprocessing.connection.Client`.
 *
 * Needs `--allow-net`, and for a Unix socket `--allow-read` and `--allow-write`.
 *
 * @typeParam T What the messages are.
 *
 * @throws {AuthenticationError} when the listener has another key, or only one side has any.
 * @throws {Deno.errors.ConnectionRefused | Deno.errors.NotFound} when nobody listens there.
 * @throws {TimeoutError} when that is not done in time.
 * @throws {TypeError} when the address or an option has the wrong type.
 * @throws {RangeError} when the family is unknown, or not the address's.
 *
 * @example
 * ```ts
 * import { AuthenticationError } from "@batteries/concurrent/multiprocessing";
 * import { Client, Listener } from "@batteries/concurrent/multiprocessing/connection";
 * import { assertRejects } from "@std/assert";
 *
 * const key = (text: string) => new TextEncoder().encode(text);
 * using listener = new Listener({ authkey: key("right") });
 * await assertRejects(
 *   () => Client(listener.address, { authkey: key("wrong") }),
 *   AuthenticationError,
 * );
 * await assertRejects(() => listener.accept(), AuthenticationError);
 * ```
 */
export async function Client<T = unknown>(
  address: Address,
  options: ClientOptions = {},
): Promise<Connection<T>> {
  const act = "connect to a Listener";
  const limit = limitOf(options, "Client");
  if (address === undefined) {
    throw new TypeError(`Cannot ${act}: give the address of the Listener`);
  }
  const family = familyOf(address, options.family, act);
  const authkey = keyOf(options.authkey, act);
  const socket = await dial(address, family, limit);
  const channel = new SocketChannel(socket);
  try {
    await within(channel, limit, (bytes) => introduce(bytes, authkey));
  } catch (error) {
    channel.close();
    throw error;
  }
  return connect<T>(channel, BOTH, Client);
}

/** A socket to that address. One that comes too late is closed. */
function dial(address: Address, family: Family, limit: Limit): Promise<Socket> {
  const dialing: Promise<Socket> = family === "AF_INET"
    ? Deno.connect(address as { hostname: string; port: number })
    : Deno.connect({ transport: "unix", path: address as string });
  return new Promise((resolve, reject) => {
    let over = false;
    let stop = () => {};
    const settle = (act: () => void) => {
      over = true;
      stop();
      act();
    };
    dialing.then(
      (socket) => over ? socket.close() : settle(() => resolve(socket)),
      (error) => over || settle(() => reject(told(error, "connect to", address))),
    );
    stop = expire(
      limit,
      () => settle(() => reject(tooSlow())),
      (reason) => settle(() => reject(reason)),
    );
    if (over) stop();
  });
}

/** A channel as a handshake sees it. */
interface Bytes {
  sendBytes(bytes: Uint8Array): Promise<void>;
  recvBytes(maxlength: number): Promise<Uint8Array>;
}

/** Does the client's handshake within the limit. */
async function within(
  channel: SocketChannel,
  limit: Limit,
  shake: (bytes: Bytes) => Promise<void>,
): Promise<void> {
  let late: { readonly error: unknown } | undefined;
  const giveUp = (error: unknown) => {
    late = { error };
    channel.close();
  };
  const stop = expire(limit, () => giveUp(tooSlow()), giveUp);
  try {
    await shake(bytesOver(channel));
  } catch (error) {
    throw late === undefined ? failed(error) : late.error;
  } finally {
    stop();
  }
}

/** Does the listener's handshake in the time that it may take, without holding the event loop open. */
async function patiently(
  channel: SocketChannel,
  shake: (bytes: Bytes) => Promise<void>,
): Promise<void> {
  let isLate = false;
  channel.idle(true);
  const timer = setTimeout(() => {
    isLate = true;
    channel.close();
  }, PATIENCE);
  Deno.unrefTimer(timer);
  try {
    await shake(bytesOver(channel));
  } catch (error) {
    throw isLate
      ? new AuthenticationError(
        `Cannot accept: a peer did not finish its handshake within ${PATIENCE} ms`,
      )
      : failed(error);
  } finally {
    clearTimeout(timer);
    channel.idle(false);
  }
}

function bytesOver(channel: SocketChannel): Bytes {
  return {
    sendBytes: (bytes) => channel.send(bytes),
    recvBytes: (maxlength) => channel.receive(maxlength),
  };
}

/** Whatever ends a handshake, nobody was authenticated. */
function failed(cause: unknown): Error {
  if (cause instanceof AuthenticationError) return cause;
  return new AuthenticationError(
    "Cannot authenticate: the other end closed the connection, or does not speak as a Client or a Listener does",
    { cause },
  );
}

function keyOf(authkey: unknown, act: string): Uint8Array | null {
  if (authkey === undefined || authkey === null) return null;
  checkKey(authkey, act);
  return authkey.slice();
}

function addressOf(addr: Deno.Addr): Address {
  if (addr.transport === "tcp") return { hostname: addr.hostname, port: addr.port };
  return (addr as Deno.UnixAddr).path ?? "";
}

function show(address: Address): string {
  return typeof address === "string" ? address : `${address.hostname}:${address.port}`;
}

/** What `act` gives; its error says what was asked, which the system's do not. */
function at<R>(what: string, address: Address, act: () => R): R {
  try {
    return act();
  } catch (error) {
    throw told(error, what, address);
  }
}

/** An error of the system, in its own class, with what was asked. One about a permission names that, and stays. */
function told(error: unknown, what: string, address: Address): unknown {
  if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) return error;
  const type = error.constructor as ErrorConstructor;
  return new type(`Cannot ${what} ${show(address)}: ${error.message}`, { cause: error });
}

function stillThere(path: string): Error {
  return new Deno.errors.AddrInUse(
    `Cannot listen at ${path}: a listener there was closed in this very turn of the event loop; let it come round`,
  );
}

function listenerClosed(): Error {
  return new Deno.errors.BadResource("Cannot accept: the listener is closed");
}

function nobodyCame(): Error {
  return new TimeoutError("Cannot accept: no peer came before the timeout");
}

function tooSlow(): Error {
  return new TimeoutError("Cannot connect: the listener did not answer before the timeout");
}
