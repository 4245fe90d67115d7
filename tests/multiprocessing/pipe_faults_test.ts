/** Processes that are killed while they send and receive, at whatever moment, and pipes whose maker is killed. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type Connection,
  EOFError,
  Event,
  Pipe,
  Process,
} from "@batteries/concurrent/multiprocessing";
import { pattern } from "../fixtures/multiprocessing/pairs.ts";
import {
  check,
  drain,
  flood,
  makeAndFlood,
  makeAndKeep,
} from "../fixtures/multiprocessing/pipe_parties.ts";

const { BrokenPipe } = Deno.errors;

function start<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Process {
  const process = new Process({ target: target as (...args: unknown[]) => unknown, args });
  process.start();
  return process;
}

/** Sizes below and above what a pipe holds, and one for which its memory has to grow each time. */
const SIZES = [64, 10_000, 300_000, 1_000_000, 9_000_000];

/** Kills the process once so many messages have come, and gives how many came in all, each of them whole. */
async function receiveUntilKilled(
  reader: Connection,
  size: number,
  process: Process,
  killAfter: number,
): Promise<number> {
  const bytes = pattern(size);
  for (let count = 0;; count++) {
    if (count === killAfter) process.kill();
    let message: Uint8Array;
    try {
      message = await reader.recvBytes();
    } catch (error) {
      assert(error instanceof EOFError, String(error));
      return count;
    }
    assertEquals(message.length, size);
    // Its beginning, its end, and what lies around the end of the ring.
    for (let at = 0; at < size; at += size > 10_000 ? 997 : 1) assertEquals(message[at], bytes[at]);
    assertEquals(message[size - 1], bytes[size - 1]);
  }
}

Deno.test("Pipe: a sender that is killed at any moment, leaves whole messages and then the end", async () => {
  for (let round = 0; round < 15; round++) {
    const size = SIZES[round % SIZES.length];
    const [reader, writer] = Pipe({ duplex: false });
    const child = start(flood, writer, size);
    writer.close();
    await receiveUntilKilled(reader, size, child, 1 + (round * 7) % 23);
    reader.close();
    await child.join();
    assertEquals(child.exitcode, -9);
  }
});

Deno.test("Pipe: a reader that is killed at any moment, is noticed by who sends, and by no other reader", async () => {
  for (let round = 0; round < 15; round++) {
    const size = SIZES[round % SIZES.length];
    const bytes = pattern(size);
    const [reader, writer] = Pipe({ duplex: false });
    const [begun, alsoBegun] = [new Event(), new Event()];
    const killed = start(drain, reader, begun);
    const others = round % 2 === 0 ? [] : [start(check, reader, size, alsoBegun)];
    reader.close();
    await begun.wait();
    if (others.length > 0) await alsoBegun.wait();
    const sendSome = async (count: number) => {
      for (let i = 0; i < count; i++) await writer.sendBytes(bytes);
    };
    await sendSome(1 + (round * 5) % 17);
    killed.kill();
    await killed.join();
    if (others.length > 0) await sendSome(10);
    for (const other of others) other.kill();
    await assertRejects(() => sendSome(1e9), BrokenPipe);
    for (const other of others) {
      await other.join();
      assertEquals(other.exitcode, -9);
    }
    writer.close();
  }
});

Deno.test("Pipe: of several senders some are killed, what the others send arrives whole", async () => {
  const [reader, writer] = Pipe({ duplex: false });
  const size = 200_000;
  const bytes = pattern(size);
  const senders = Array.from({ length: 3 }, () => start(flood, writer, size));
  writer.close();
  let count = 0;
  for await (
    const message of {
      async *[Symbol.asyncIterator]() {
        for (;;) yield await reader.recvBytes().catch(() => undefined);
      },
    }
  ) {
    if (message === undefined) break;
    assertEquals(message.length, size);
    for (let at = 0; at < size; at += 499) assertEquals(message[at], bytes[at]);
    count++;
    if (count % 100 === 0) senders[count / 100 - 1]?.kill();
  }
  assert(count >= 300);
  await assertRejects(() => reader.recv(), EOFError);
  reader.close();
  for (const sender of senders) await sender.join();
});

Deno.test("Pipe: whose maker is killed while it sends, gives what is whole and then the end", async () => {
  for (const size of [1000, 1_000_000]) {
    const [a, b] = Pipe<Connection>();
    const maker = start(makeAndFlood, b, size);
    b.close();
    const end = await a.recv();
    assert(await receiveUntilKilled(end, size, maker, 5) >= 5);
    // Found out by now: it is told at once.
    await assertRejects(() => end.sendBytes(new Uint8Array(1)), BrokenPipe);
    end.close();
    a.close();
    await maker.join();
  }
});

Deno.test("Pipe: whose maker is killed, ends for those who wait, poll and send", async () => {
  for (const way of ["recv", "poll", "ask", "send"] as const) {
    const [a, b] = Pipe<Connection>();
    const maker = start(makeAndKeep, b);
    b.close();
    const end = await a.recv();
    assertEquals(await end.recv(), "here" as unknown);
    const noticed = {
      recv: () => assertRejects(() => end.recv(), EOFError),
      poll: async () => assert(await end.poll({ timeout: 60_000 })),
      ask: async () => {
        while (!await end.poll());
      },
      send: () => assertRejects(() => end.sendBytes(pattern(1_000_000)), BrokenPipe),
    }[way]();
    maker.kill();
    await noticed;
    end.close();
    a.close();
    await maker.join();
  }
});

/** Lets go of an end, and says so by something that is faster than the tree. */
export function closeAndTell(end: Connection, closed: Event): void {
  end.close();
  closed.set();
  // And stays.
  setTimeout(() => {}, 600_000);
}

Deno.test("Pipe: whose last other holder has closed it, is closed for whoever hears of that", async () => {
  for (let round = 0; round < 5; round++) {
    const [a, b] = Pipe();
    const closed = new Event();
    const child = start(closeAndTell, b, closed);
    b.close();
    await closed.wait();
    await assertRejects(() => a.send(1), BrokenPipe);
    await assertRejects(() => a.recv(), EOFError);
    a.close();
    child.kill();
    await child.join();
  }
});

/** Sends an answer for every message, as fast as can be. */
export async function answer(connection: Connection): Promise<void> {
  for await (const value of connection) await connection.send(value);
}

Deno.test("Pipe: two that never have to wait, leave the event loop its turns", async () => {
  const [a, b] = Pipe<number>();
  const child = start(answer, b);
  b.close();
  // The process is up.
  await a.send(-1);
  assertEquals(await a.recv(), -1);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 10);
  // Timers do not end this if the event loop never gets a turn.
  const end = performance.now() + 60_000;
  let trips = 0;
  while ((ticks < 5 || trips < 200) && performance.now() < end) {
    await a.send(trips);
    assertEquals(await a.recv(), trips++);
  }
  clearInterval(timer);
  assert(ticks >= 5 && trips >= 200, `${ticks} ticks in ${trips} trips`);
  a.close();
  await child.join();
});

Deno.test("Pipe: messages that are always there, leave the event loop its turns", async () => {
  const [reader, writer] = Pipe<number>({ duplex: false });
  let isOver = false;
  setTimeout(() => isOver = true, 50);
  for (let i = 0; !isOver; i++) {
    await writer.send(i);
    assertEquals(await reader.recv(), i);
  }
  isOver = false;
  setTimeout(() => isOver = true, 50);
  while (!isOver) assert(!await reader.poll());
  reader.close();
  writer.close();
});
