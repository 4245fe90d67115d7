/**
 * Messages between processes: pipes, and sockets that other programs can connect to. Python's `multiprocessing.connection`.
 *
 * | | |
 * | --- | --- |
 * | {@linkcode Pipe} | two connected ends, for processes of this program |
 * | {@linkcode Listener}, {@linkcode Client} | for programs that know an address |
 * | {@linkcode Connection} | what sends and receives |
 * | {@linkcode wait} | for several of them, and for processes to end |
 *
 * Where Python raises an `OSError`, the class is one of `Deno.errors`: `BrokenPipe` when nobody can receive any more, `BadResource` for
 * what is closed, or goes the other way only.
 *
 * @example Two programs that share a key.
 * ```ts
 * import { Client, Listener } from "@batteries/concurrent/multiprocessing/connection";
 * import { assertEquals } from "@std/assert";
 *
 * const authkey = new TextEncoder().encode("a secret");
 *
 * async function serve(listener: Listener) {
 *   using connection = await listener.accept<string>();
 *   for await (const text of connection) await connection.send(text.toUpperCase());
 * }
 *
 * using listener = new Listener({ address: { hostname: "127.0.0.1", port: 0 }, authkey });
 * const serving = serve(listener);
 *
 * const client = await Client<string>(listener.address, { authkey });
 * await client.send("hello");
 * assertEquals(await client.recv(), "HELLO");
 * client.close();
 * await serving;
 * ```
 *
 * @module
 */
export { Connection, Pipe } from "./_connection.ts";
export { Client, type ClientOptions, Listener, type ListenerOptions } from "./_listener.ts";
export type { Address, Family, NetAddress } from "./_address.ts";
export { answerChallenge, type ByteChannel, deliverChallenge } from "./_auth.ts";
export { wait } from "./_wait.ts";
export { ready, type Waitable } from "./_ready.ts";
export type { Limit, WaitOptions } from "../threading/_core/mod.ts";
