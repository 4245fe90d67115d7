/**
 * Where listeners listen.
 *
 * @module
 */

/** A place in the network. */
export interface NetAddress {
  /** A name or an IP address. */
  readonly hostname: string;
  /** 0 lets the system choose one, where a listener is made. */
  readonly port: number;
}

/** Where a `Listener` listens: a place in the network, or the path of a Unix socket; `"\0name"` is an abstract one on Linux. */
export type Address = NetAddress | string;

/** What kind of address it is, by Python's names. */
export type Family = "AF_INET" | "AF_UNIX";

/** Sockets of the file system are the faster ones, where there are any. */
const UNIX = Deno.build.os !== "windows";

/**
 * Checks an address and a family, either of which may be left out.
 *
 * @throws {TypeError} when one has the wrong type.
 * @throws {RangeError} when they do not fit each other or the system.
 */
export function familyOf(address: unknown, family: unknown, act: string): Family {
  const own = address === undefined ? undefined : addressFamily(address, act);
  if (family === undefined) return own ?? (UNIX ? "AF_UNIX" : "AF_INET");
  if (family !== "AF_INET" && !(family === "AF_UNIX" && UNIX)) {
    throw new RangeError(
      `Cannot ${act}: family must be ${
        UNIX ? '"AF_INET" or "AF_UNIX"' : '"AF_INET" on this system'
      }, got ${typeof family === "string" ? `"${family}"` : typeof family}`,
    );
  }
  if (own !== undefined && own !== family) {
    throw new RangeError(
      `Cannot ${act}: family is "${family}", and the address one of "${own}"; leave the family out`,
    );
  }
  return family;
}

function addressFamily(address: unknown, act: string): Family {
  if (typeof address === "string") {
    if (address.startsWith("\\\\")) {
      throw new RangeError(
        `Cannot ${act}: named pipes of Windows are not supported, got ${address}; use { hostname, port }`,
      );
    }
    if (!UNIX) {
      throw new RangeError(
        `Cannot ${act}: this system has no Unix sockets for Deno; use { hostname, port }`,
      );
    }
    if (address === "") {
      throw new RangeError(`Cannot ${act}: the path of the address is empty`);
    }
    return "AF_UNIX";
  }
  const { hostname, port } = (address ?? {}) as Partial<NetAddress>;
  if (typeof hostname !== "string" || typeof port !== "number") {
    throw new TypeError(
      `Cannot ${act}: the address must be { hostname, port } or the path of a socket, got ${
        address === null ? "null" : typeof address
      }`,
    );
  }
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot ${act}: the port must be from 0 to 65535, got ${port}`);
  }
  return "AF_INET";
}
