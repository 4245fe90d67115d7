/**
 * A process that lets in who knows the key: two visitors come, one of them has guessed.
 *
 * The chapter's "Listeners and Clients": whatever can be sent, bytes as they are, and an authkey that both sides prove to know.
 *
 *     deno run -A examples/secret_visitors.ts
 *
 * @module
 */
import { AuthenticationError, Process } from "@batteries/concurrent/multiprocessing";
import {
  type Address,
  Client,
  type Connection,
  Listener,
} from "@batteries/concurrent/multiprocessing/connection";

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** A process of its own, which need not belong to the same program. */
export async function visit(address: Address, key: string): Promise<void> {
  try {
    using conn = await Client(address, { authkey: bytesOf(key) });
    console.log("visitor gets", await conn.recv());
    console.log("visitor gets", new TextDecoder().decode(await conn.recvBytes()));
    const numbers = new Int32Array(5);
    const length = await conn.recvBytesInto(numbers);
    console.log("visitor gets", length, "bytes:", numbers.join(" "));
  } catch (error) {
    if (!(error instanceof AuthenticationError)) throw error;
    console.log("visitor is not let in");
  }
}

async function greet(conn: Connection): Promise<void> {
  using _closed = conn;
  await conn.send([2.25, null, "junk", new Map([["float", 1.5]])]);
  await conn.sendBytes(bytesOf("hello"));
  await conn.sendBytes(new Uint8Array(Int32Array.of(42, 1729).buffer));
}

if (import.meta.main) {
  // Port 0: any that is free.
  const address = { hostname: "127.0.0.1", port: 0 };
  using listener = new Listener({ address, authkey: bytesOf("secret password") });
  for (const key of ["secret passw0rd", "secret password"]) {
    await using visitor = new Process({ target: visit, args: [listener.address, key] });
    visitor.start();
    try {
      await greet(await listener.accept({ timeout: 60_000 }));
      console.log("host served", listener.lastAccepted !== null ? "somebody" : "nobody");
    } catch (error) {
      console.log("host:", (error as Error).name);
    }
    await visitor.join();
  }
}
