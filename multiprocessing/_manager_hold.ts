/**
 * Referents, as the processes have them: what a proxy stands on.
 *
 * A referent lives in one server. A {@linkcode Token} says which one and where. A {@linkcode Hold} is this process's way to it: over a
 * link (`_manager_link.ts`), or at hand where the server runs in this very thread (`_manager_server.ts`).
 *
 * @module
 */
import type { AnyClass } from "./_manager_registry.ts";
import type { Handle } from "./_tree.ts";

/** Where a server is: a host and a port, or the path of a Unix socket. */
export type ManagerAddress = { readonly hostname: string; readonly port: number } | string;

/** Which referent, and what it is: plain data, but for `type`. */
export interface Token {
  /** The server's own name, as in its `HELLO`. */
  readonly server: string;
  /** Its number there. */
  readonly object: number;
  /** What it is registered as. */
  readonly typeid: string;
  /** The kind of object, which has a proxy class of its own: `"dict"`, `"Lock"` …, or `"object"`. */
  readonly kind: string;
  /** The methods that the kind's proxy class has not. */
  readonly methods: readonly string[];
  /** The proxy class that it was registered with, if it was. */
  readonly type: AnyClass | undefined;
}

/** What a proxy becomes on its way. */
export interface Travel {
  readonly token: Token;
  /** From the server to a client: the session in which the server has counted the reference. */
  readonly session?: string;
  /** How to get there; absent between the server and its clients, who are there already. */
  readonly way?: Way;
}

/** How a process that meets a proxy gets at its referent. */
export interface Way {
  readonly address: ManagerAddress;
  /** Under which name the server keeps the reference that is on its way; absent where only the gate leads there. */
  readonly ticket: string | undefined;
  /** What opens the server's door to holders of its proxies; absent where it must not be seen. */
  readonly pass: Uint8Array | undefined;
  /** Whether that is the wary pass; see `_manager_door.ts`. */
  readonly wary?: boolean;
  /** For who may not connect; see `_manager_gate.ts`. */
  readonly gate?: Handle;
}

/** How to make one call. */
export interface CallHow {
  /** The caller's way to give up. */
  readonly signal?: AbortSignal;
  /** Which argument it belonged to, as its `signal`. */
  readonly signalAt?: number;
  /**
   * Whether giving up waits for the server's word, because the call may already have taken something; otherwise it rejects at once.
   */
  readonly exact?: boolean;
}

/** This process's hold on a referent. One for all of its proxies. */
export interface Hold {
  readonly token: Token;
  /** Calls a method of the referent. */
  call(name: string, args: readonly unknown[], how?: CallHow): Promise<unknown>;
  /** What goes to another process, with a reference for it. */
  travel(): Travel;
  /** One more proxy stands on it. */
  take(): void;
  /** One proxy less. After the last, the reference is given back. */
  drop(): void;
  /** The referent, where it lives in this thread. */
  readonly referent?: { readonly object: unknown };
}

/** A server of this thread. */
export interface Home {
  /** The hold on an object that lives here; `ticket`: under which a reference to it was on its way. */
  resident(object: number, ticket: string | undefined): Hold | undefined;
}

const homes = new Map<string, Home>();

/** Enters a server of this thread. */
export function settle(server: string, home: Home): void {
  homes.set(server, home);
}

/** Takes a server of this thread out again. */
export function unsettle(server: string): void {
  homes.delete(server);
}

/** The server of that name, if it runs in this thread. */
export function homeOf(server: string): Home | undefined {
  return homes.get(server);
}

/** Where a value goes that is being encoded: to the other end of a link between a server and a client. */
export interface Destination {
  /** The server. */
  readonly server: string;
  /** At the server: the client gets a reference to this object. Gives the session; `undefined` when that is the server itself. */
  give?(object: object): string | undefined;
  /** Whether others may read what goes there. */
  readonly open: boolean;
}

let destination: Destination | undefined;

/** Encodes, synchronously, something that goes to `to`: proxies on the way there need no ticket for their own server. */
export function encodeTo<R>(to: Destination, encode: () => R): R {
  const before = destination;
  destination = to;
  try {
    return encode();
  } finally {
    destination = before;
  }
}

/** Where what is being encoded goes, if it goes to a server or its client. */
export function destinationNow(): Destination | undefined {
  return destination;
}
