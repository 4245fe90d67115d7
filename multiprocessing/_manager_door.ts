/**
 * The door of a manager's server: who may come in, and how a client knocks.
 *
 * 1. The client says, in one byte, which key it has: the authkey, or a pass, which the server makes of the authkey and its own name and
 *    which goes along with proxies. A pass opens this one server to whoever was given a proxy. It does not tell the authkey, and with it
 *    nothing can be created or shut down. A program that has started a process with fewer permissions gives its proxies a "wary" pass,
 *    made of the other: what its bearer says, the server reads as `_manager_wary.ts` has it.
 * 2. Each side has the other prove that it knows the key (`_auth.ts`).
 * 3. From then on both speak over a `Wire` (`_manager_socket.ts`). Each side waits for the other in every step, so none of its bytes is read too early.
 *
 * Guarantees
 * - Before a peer has proved itself, a few fixed messages of bounded size are received from it, and nothing is decoded.
 * - A peer has {@linkcode PATIENCE} for this, and {@linkcode MOST} may be at it at once: with one more the oldest is dropped. So nobody
 *   keeps others out by knocking and waiting.
 *
 * @module
 */
import { answerChallenge, type ByteChannel, deliverChallenge } from "./_auth.ts";
import { isWary } from "../threading/_core/trust.ts";
import type { ManagerAddress, Way } from "./_manager_hold.ts";
import { AuthenticationError, EOFError, TimeoutError } from "./errors.ts";

/** Milliseconds that a handshake may take. */
const PATIENCE = 10_000;
/** Handshakes at once. */
const MOST = 128;

/** What a client proves itself with. */
export interface Key {
  readonly kind: "authkey" | "pass" | "wary";
  readonly bytes: Uint8Array;
}

/** The first byte of a client. */
const KINDS = ["authkey", "pass", "wary"] as const;

/** A connection that has been let in. */
export type Conn = Deno.TcpConn | Deno.UnixConn;

/** What goes along with the proxies of one server. */
export interface Passes {
  /** Absent where only the other is known. */
  readonly pass: Uint8Array | undefined;
  readonly wary: Uint8Array;
}

/** The passes of a server, as far as who has the key can know them. */
export async function passesOf({ kind, bytes }: Key, server: string): Promise<Passes> {
  if (kind === "wary") return { pass: undefined, wary: bytes };
  const pass = kind === "pass" ? bytes : await derived(bytes, `proxies of manager ${server}`);
  return { pass, wary: await derived(pass, "in other hands") };
}

/** What a proxy takes along of them. */
export function passFor(passes: Passes | undefined): Pick<Way, "pass" | "wary"> {
  if (passes === undefined) return { pass: undefined };
  const { pass, wary } = passes;
  return pass === undefined || isWary() ? { pass: wary, wary: true } : { pass };
}

async function derived(from: Uint8Array, what: string): Promise<Uint8Array> {
  // HMAC fills a short key up with zeros, so a zero is the same key as none, which Web Crypto refuses.
  const raw = from.length === 0 ? new Uint8Array(1) : new Uint8Array(from);
  const key = await crypto.subtle.importKey(
    "raw",
    raw,
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(what)));
}

/** Where a server listens. */
export function listenAt(address: ManagerAddress): Deno.Listener<Conn> {
  return typeof address === "string"
    ? Deno.listen({ transport: "unix", path: address })
    : Deno.listen({ hostname: address.hostname, port: address.port });
}

/** The address that clients use. */
export function addressOf(listener: Deno.Listener): ManagerAddress {
  const addr = listener.addr as Deno.NetAddr | Deno.UnixAddr;
  return "path" in addr ? addr.path : { hostname: addr.hostname, port: addr.port };
}

/**
 * Connects to a server.
 *
 * @throws {AuthenticationError} when the keys differ.
 * @throws What `Deno.connect` throws when nobody listens there.
 */
export async function knock(address: ManagerAddress, key: Key): Promise<Conn> {
  const conn = typeof address === "string"
    ? await Deno.connect({ transport: "unix", path: address })
    : await Deno.connect({ hostname: address.hostname, port: address.port });
  return await inTime(conn, async (bytes) => {
    await bytes.sendBytes(Uint8Array.of(KINDS.indexOf(key.kind)));
    await answerChallenge(bytes, key.bytes);
    await deliverChallenge(bytes, key.bytes);
    return ready(conn);
  });
}

/** Lets clients in. */
export class Door {
  readonly #listener: Deno.Listener<Conn>;
  readonly #keyOf: (kind: Key["kind"]) => Uint8Array;
  readonly #admit: (conn: Conn, kind: Key["kind"]) => void;
  /** Who is at the handshake, the oldest first. */
  readonly #knocking = new Set<Conn>();
  #closed = false;

  /** Opens the door; `admit` gets the connection of each client that has proved itself. */
  constructor(
    listener: Deno.Listener<Conn>,
    keyOf: (kind: Key["kind"]) => Uint8Array,
    admit: (conn: Conn, kind: Key["kind"]) => void,
  ) {
    this.#listener = listener;
    this.#keyOf = keyOf;
    this.#admit = admit;
    this.#accept();
  }

  /** Lets nobody in any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    for (const conn of this.#knocking) close(conn);
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      let conn: Conn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        // Otherwise a peer that was gone before it was accepted, or too many open files: others may have more luck.
        if (this.#closed || error instanceof Deno.errors.BadResource) return;
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      this.#greet(conn);
    }
  }

  async #greet(conn: Conn): Promise<void> {
    const [oldest] = this.#knocking;
    if (this.#knocking.size >= MOST) {
      this.#knocking.delete(oldest);
      close(oldest);
    }
    this.#knocking.add(conn);
    try {
      const kind = await inTime(conn, async (bytes) => {
        const kind = KINDS[(await bytes.recvBytes(1))[0]];
        if (kind === undefined) throw new AuthenticationError("Cannot accept: not a client");
        const key = this.#keyOf(kind);
        await deliverChallenge(bytes, key);
        await answerChallenge(bytes, key);
        return kind;
      });
      this.#admit(ready(conn), kind);
    } catch {
      // A stranger, or somebody with another key, who has been told.
    } finally {
      this.#knocking.delete(conn);
    }
  }
}

/** The longest message of a handshake. */
const LONGEST = 256;

/** The messages of a handshake: two bytes of length, and so many. It takes not one byte more from the connection than they have. */
class Messages implements ByteChannel {
  readonly #conn: Conn;

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    const message = new Uint8Array(2 + bytes.length);
    message[0] = bytes.length >> 8;
    message[1] = bytes.length;
    message.set(bytes, 2);
    for (let at = 0; at < message.length;) at += await this.#conn.write(message.subarray(at));
  }

  async recvBytes(longest = LONGEST): Promise<Uint8Array> {
    const [high, low] = await this.#exactly(2);
    const length = high << 8 | low;
    if (length > longest) throw new Deno.errors.InvalidData("Cannot receive: not a handshake");
    return await this.#exactly(length);
  }

  async #exactly(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await this.#conn.read(bytes.subarray(at));
      if (count === null) throw new EOFError("Cannot receive: the other end was closed");
      at += count;
    }
    return bytes;
  }
}

/** The conversation, or its end: the connection is closed when it fails or lasts too long. */
async function inTime<R>(conn: Conn, talk: (bytes: ByteChannel) => Promise<R>): Promise<R> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    close(conn);
  }, PATIENCE);
  try {
    return await talk(new Messages(conn));
  } catch (error) {
    close(conn);
    throw late
      ? new TimeoutError(`Cannot connect: the manager did not answer within ${PATIENCE} ms`)
      : error;
  } finally {
    clearTimeout(timer);
  }
}

function close(conn: Conn): void {
  try {
    conn.close();
  } catch {
    // Closed already.
  }
}

function ready(conn: Conn): Conn {
  if ("setNoDelay" in conn) conn.setNoDelay(true);
  return conn;
}
