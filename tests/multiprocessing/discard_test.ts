/** Handles that were made for a way and never arrive: whoever waits for the end of what they hold is told. */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type Connection,
  EOFError,
  Pipe,
  Process,
  Queue,
} from "@batteries/concurrent/multiprocessing";
import { PicklingError } from "@batteries/concurrent/threading";
import { Full } from "@batteries/concurrent/queue";
import { never, sleeps } from "../fixtures/multiprocessing/thread_parties.ts";

/** Nobody holds the other end any more. */
async function ends(end: Connection): Promise<void> {
  await assertRejects(() => end.recv(), EOFError);
  end.close();
}

Deno.test("discard: an end in a message that cannot travel, is not on its way", async () => {
  const [carrier, other] = Pipe();
  const [a, b] = Pipe();
  await assertRejects(() => carrier.send([b, () => 1]), PicklingError);
  await assertRejects(
    () => carrier.send(new Map<unknown, unknown>([[{ b }, Symbol()]])),
    PicklingError,
  );
  b.close();
  await ends(a);
  for (const end of [carrier, other]) end.close();
});

Deno.test("discard: an end that hangs on an error and is left out with what cannot travel, is not on its way", async () => {
  const [carrier, other] = Pipe<Error>();
  const [a, b] = Pipe();
  await carrier.send(Object.assign(new Error("with"), { ends: [b, () => 1] }));
  b.close();
  const error = await other.recv();
  assertEquals([error.message, Object.keys(error)], ["with", []]);
  await ends(a);
  for (const end of [carrier, other]) end.close();
});

Deno.test("discard: an end in a message that nobody can receive, is not on its way", async () => {
  const [carrier, other] = Pipe();
  const [a, b] = Pipe();
  other.close();
  await assertRejects(() => carrier.send(b), Deno.errors.BrokenPipe);
  b.close();
  await ends(a);
  carrier.close();
});

Deno.test("discard: an end in a message that nobody has received, is not on its way any more", async () => {
  const [carrier, other] = Pipe();
  const [a, b] = Pipe();
  await carrier.send([b]);
  await carrier.sendBytes(Uint8Array.of(12, 1, 2, 3));
  b.close();
  other.close();
  await ends(a);
  carrier.close();
});

Deno.test("discard: a message that was received, has arrived, whatever is discarded later", async () => {
  const [carrier, other] = Pipe<Connection>();
  const [a, b] = Pipe();
  await carrier.send(b);
  b.close();
  const arrived = await other.recv();
  for (const end of [carrier, other]) end.close();
  await arrived.send("still here");
  assertEquals(await a.recv(), "still here");
  arrived.close();
  await ends(a);
});

Deno.test("discard: an end in an item that finds no room, is not on its way", async () => {
  const queue = new Queue<unknown>(1);
  await queue.put(1);
  const [a, b] = Pipe();
  await assertRejects(() => queue.put(b, { timeout: 0 }), Full);
  assertThrows(() => queue.putNowait(b), Full);
  assertThrows(() => queue.putSync(b, { timeout: 0 }), Full);
  await assertRejects(
    () => queue.put(b, { signal: AbortSignal.abort(new Error("no")) }),
    Error,
    "no",
  );
  await assertRejects(() => queue.put([b, () => 1]), PicklingError);
  b.close();
  await ends(a);
});

Deno.test("discard: an end in the arguments of a process that is not started, is not on its way", async () => {
  const [a, b] = Pipe();
  const process = new Process<unknown[]>({
    target: never as unknown as (...args: unknown[]) => unknown,
    args: [b, () => 1],
  });
  assertThrows(() => process.start(), PicklingError);
  b.close();
  await ends(a);
});

Deno.test("discard: an end that a process was killed before it took it, is not on its way any more", async () => {
  for (let i = 0; i < 3; i++) {
    const [a, b] = Pipe();
    const process = new Process({ target: never, args: [b] });
    process.start();
    b.close();
    process.kill();
    await ends(a);
    await process.join();
  }
});

Deno.test("discard: an end that went on to a process, which did not take what it had to, lives as long as its holders", async () => {
  const [carrier, other] = Pipe<Connection>();
  const [a, b] = Pipe();
  const process = new Process({ target: sleeps, args: [other] });
  process.start();
  other.close();
  await carrier.send(b);
  b.close();
  process.kill();
  await process.join();
  await ends(a);
  carrier.close();
});
