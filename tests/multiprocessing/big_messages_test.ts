/** Messages of a GiB. */

import { assertEquals } from "@std/assert";
import { type Connection, Pipe, Process } from "@batteries/concurrent/multiprocessing";
import { Client, Listener } from "@batteries/concurrent/multiprocessing/connection";

const GIB = 2 ** 30;
const authkey = new TextEncoder().encode("key");

/** Tells of what has come: how long it is, and some of its bytes. */
function digest(bytes: Uint8Array): number[] {
  return [bytes.length, bytes[0], bytes[GIB / 2], bytes[GIB - 1]];
}

export async function bytesOf(connection: Connection): Promise<void> {
  await connection.send(digest(await connection.recvBytes()));
}

export async function objectOf(address: string): Promise<void> {
  using connection = await Client<unknown>(address, { authkey });
  const { bytes, ...rest } = await connection.recv() as { bytes: Uint8Array };
  await connection.send({ ends: digest(bytes), ...rest });
}

function marked(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(GIB);
  bytes[0] = 1;
  bytes[GIB / 2] = 2;
  bytes[GIB - 1] = 3;
  return bytes;
}

// Each side needs its own copy, and another while it is made.
const ignore = Deno.systemMemoryInfo().available < 6 * GIB;

Deno.test({ name: "Pipe: a GiB of bytes, arrives whole in another process", ignore }, async () => {
  const [here, there] = Pipe<unknown>();
  using _ = here;
  const process = new Process({ target: bytesOf, args: [there] });
  process.start();
  await here.sendBytes(marked());
  assertEquals(await here.recv(), [GIB, 1, 2, 3]);
  await process.join();
  assertEquals(process.exitcode, 0);
});

Deno.test({ name: "Client: an object with a GiB in it, arrives whole", ignore }, async () => {
  using listener = new Listener({ family: "AF_UNIX", authkey });
  const process = new Process({ target: objectOf, args: [listener.address as string] });
  process.start();
  using connection = await listener.accept();
  await connection.send({ name: "big", bytes: marked() });
  assertEquals(await connection.recv(), { ends: [GIB, 1, 2, 3], name: "big" });
  await process.join();
  assertEquals(process.exitcode, 0);
});
