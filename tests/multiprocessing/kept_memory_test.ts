/** Short items are encoded in memory that is used again: whoever has to wait with one in hand keeps it. */
import { assertEquals } from "@std/assert";
import { Pipe, Process, Queue } from "@batteries/concurrent/multiprocessing";
import { Client, Listener } from "@batteries/concurrent/multiprocessing/connection";
import { sendAll } from "../fixtures/multiprocessing/short_items.ts";

const items = Array.from(
  { length: 40 },
  (_, n) => [n, { n, text: `item ${n}` }, `text ${n}`, n % 2 === 0, null][n % 5],
);

Deno.test("Queue: puts that wait for room at the same time, arrive as they were put", async () => {
  const queue = new Queue<unknown>(1);
  const putting = items.map((item) => queue.put(item));
  const got = [];
  for (const _ of items) got.push(await queue.get());
  await Promise.all(putting);
  assertEquals(got, items);
  queue.close();
});

Deno.test("Pipe: messages that nobody has received yet, arrive as they were sent", async () => {
  const [reader, writer] = Pipe({ duplex: false });
  // More than the pipe takes in without waiting.
  const many = Array.from({ length: 3000 }, (_, n) => ({ n, filler: `${n}`.repeat(80) }));
  const sending = many.map((item) => writer.send(item));
  for (const item of many) assertEquals(await reader.recv(), item);
  await Promise.all(sending);
  reader.close();
  writer.close();
});

Deno.test("Listener and Client: messages sent one after the other without waiting, arrive as they were sent", async () => {
  using listener = new Listener();
  const [server, client] = await Promise.all([listener.accept(), Client(listener.address)]);
  const sending = items.map((item) => client.send(item));
  for (const item of items) assertEquals(await server.recv(), item);
  await Promise.all(sending);
  server.close();
  client.close();
});

Deno.test("a process without shared memory: what it sends without waiting, arrives as it was sent", async () => {
  const queue = new Queue<unknown>();
  const [reader, writer] = Pipe({ duplex: false });
  const process = new Process({
    target: sendAll,
    args: [queue, writer, items],
    permissions: "none",
  });
  process.start();
  const got = [];
  for (const _ of items) got.push(await queue.get());
  assertEquals(got, items);
  for (const item of items) assertEquals(await reader.recv(), item);
  await process.join();
  assertEquals(process.exitcode, 0);
  reader.close();
  writer.close();
});
