/** Pipes between processes. CPython's: `_TestConnection`, `_TestPoll`, `_TestPicklingConnections`. */

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import {
  BufferTooShort,
  type Connection,
  EOFError,
  Pipe,
  Process,
} from "@batteries/concurrent/multiprocessing";
import { Thread } from "@batteries/concurrent/threading";
import { pattern, utf8 } from "../fixtures/multiprocessing/pairs.ts";
import {
  count,
  echo,
  echoBytes,
  flood,
  keep,
  leave,
  pollOnly,
  relay,
  say,
  sendAll,
  sendAndExit,
  take,
  useEnds,
} from "../fixtures/multiprocessing/pipe_parties.ts";

const { BrokenPipe } = Deno.errors;

function start<A extends unknown[]>(target: (...args: A) => unknown, ...args: A): Process {
  const process = new Process({ target: target as (...args: unknown[]) => unknown, args });
  process.start();
  return process;
}

Deno.test("Pipe to a process, carries objects and bytes both ways", async () => {
  const [a, b] = Pipe();
  const child = start(echo, b);
  b.close();
  for (const value of [1, "two", { three: [3n, new Map([[4, new Date(5)]])] }, undefined]) {
    await a.send(value);
    assertEquals(await a.recv(), value);
  }
  assertFalse(await a.poll());
  assertFalse(await a.poll({ timeout: 1 }));
  a.close();
  await child.join();
  assertEquals(child.exitcode, 0);
});

Deno.test("Pipe to a process, messages of all sizes come back whole", async () => {
  const [a, b] = Pipe();
  const child = start(echoBytes, b);
  b.close();
  for (const size of [1, 100, 65_531, 65_536, 1_000_000, 16 * 1024 * 1024]) {
    const bytes = pattern(size);
    await a.sendBytes(bytes);
    const back = await a.recvBytes();
    assert(back.length === size && back.every((byte, i) => byte === bytes[i]), `${size}`);
  }
  await a.sendBytes(utf8("hello world"));
  const error = await assertRejects(() => a.recvBytesInto(new Uint8Array(4)), BufferTooShort);
  assertEquals(error.data, utf8("hello world"));
  await a.sendBytes(new Uint8Array());
  await assertRejects(() => a.recv(), EOFError);
  await assertRejects(() => a.recvBytes(), EOFError);
  a.close();
  await child.join();
});

Deno.test("Pipe to a process, messages in flight keep their order", async () => {
  const [a, b] = Pipe<number>();
  const child = start(echo, b);
  b.close();
  const sends = Array.from({ length: 1000 }, (_, i) => a.send(i));
  for (let i = 0; i < 1000; i++) assertEquals(await a.recv(), i);
  await Promise.all(sends);
  a.close();
  await child.join();
});

Deno.test("Pipe to a process, closed here right after start, is the process's alone", async () => {
  const [a, b] = Pipe();
  const child = start(echoBytes, b);
  b.close();
  await a.sendBytes(utf8("hello"));
  assertEquals(await a.recvBytes(), utf8("hello"));
  await a.sendBytes(new Uint8Array());
  await child.join();
  await assertRejects(() => a.sendBytes(utf8("anybody")), BrokenPipe);
  a.close();
});

Deno.test("Pipe to a process, what a process leaves unread is gone with it", async () => {
  const [a, b] = Pipe();
  const child = start(leave, b);
  b.close();
  // Never read: the process does not look.
  const sending = a.sendBytes(pattern(10_000_000));
  await assertRejects(() => sending, BrokenPipe);
  await assertRejects(() => a.recv(), EOFError);
  a.close();
  await child.join();
});

Deno.test("Pipe to a process, one that is killed while it sends leaves no half message", async () => {
  for (const size of [1000, 300_000, 5_000_000]) {
    const [reader, writer] = Pipe({ duplex: false });
    const child = start(flood, writer, size);
    writer.close();
    const bytes = pattern(size);
    for (let i = 0; i < 5; i++) assertEquals((await reader.recvBytes()).length, size);
    child.kill();
    for (let left = 0;; left++) {
      let message: Uint8Array;
      try {
        message = await reader.recvBytes();
      } catch (error) {
        assert(error instanceof EOFError, String(error));
        break;
      }
      assertEquals(message.length, size);
      assert(message.every((byte, i) => byte === bytes[i]));
    }
    reader.close();
    await child.join();
    assertEquals(child.exitcode, -9);
  }
});

Deno.test("Pipe to a process, one that is killed while it receives takes no more than its own", async () => {
  const [a, b] = Pipe<string>();
  const child = start(keep, b);
  assertEquals(await a.recv(), "here");
  child.kill();
  await child.join();
  // This process still holds the end.
  await a.send("for whoever is left");
  assertEquals(await b.recv(), "for whoever is left");
  b.close();
  await assertRejects(() => a.recv(), EOFError);
  a.close();
});

Deno.test("Pipe to a process, send waits while it does not read", async () => {
  const [a, b] = Pipe();
  const child = start(keep, b);
  b.close();
  assertEquals(await a.recv(), "here");
  let sent = 0;
  const sending = (async () => {
    for (;;) {
      await a.sendBytes(new Uint8Array(10_000));
      sent++;
    }
  })();
  const failing = assertRejects(() => sending, BrokenPipe);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  assert(sent < 100, `${sent} messages went without a reader`);
  child.kill();
  await failing;
  a.close();
  await child.join();
});

Deno.test("Pipe between two processes, is relayed by the one that made it", async () => {
  const [a, b] = Pipe();
  const [c, d] = Pipe();
  const [e, f] = Pipe();
  const first = start(relay, b, c);
  const second = start(relay, d, e);
  for (const end of [b, c, d, e]) end.close();
  const sends = Array.from({ length: 100 }, (_, i) => a.send({ i, bytes: pattern(i * 100) }));
  for (let i = 0; i < 100; i++) assertEquals(await f.recv(), { i, bytes: pattern(i * 100) });
  await Promise.all(sends);
  a.close();
  await assertRejects(() => f.recv(), EOFError);
  f.close();
  await Promise.all([first.join(), second.join()]);
  assertEquals([first.exitcode, second.exitcode], [0, 0]);
});

Deno.test("Pipe, ends travel in messages of another", async () => {
  const [a, b] = Pipe<unknown>();
  const child = start(useEnds, b);
  b.close();
  const [r, w] = Pipe<string>({ duplex: false });
  await a.send(w);
  w.close();
  assertEquals(await r.recv(), "all is well");
  await assertRejects(() => r.recv(), EOFError);
  r.close();
  const [r2, w2] = Pipe<string>({ duplex: false });
  await a.send({ nested: [r2] }.nested[0]);
  r2.close();
  await w2.send("foobar");
  assertEquals(await a.recv(), "foobarfoobar");
  await assertRejects(() => w2.send("nobody"), BrokenPipe);
  w2.close();
  a.close();
  await child.join();
});

Deno.test("Pipe, an end that comes back from a process is the same end", async () => {
  const [a, b] = Pipe<unknown>();
  const child = start(echo, b);
  b.close();
  const [c, d] = Pipe<string>();
  await a.send([c]);
  c.close();
  const [again] = await a.recv() as [Connection<string>];
  await d.send("round trip");
  assertEquals(await again.recv(), "round trip");
  a.close();
  await child.join();
  const receiving = d.recv();
  again.close();
  await assertRejects(() => receiving, EOFError);
  d.close();
});

Deno.test("Pipe, polling in a process takes nothing", async () => {
  const [reader, writer] = Pipe<string>({ duplex: false });
  const child = start(pollOnly, reader);
  for (const text of ["first", "second"]) await writer.send(text);
  writer.close();
  await child.join();
  assertEquals([await reader.recv(), await reader.recv()], ["first", "second"]);
  reader.close();
});

Deno.test("Pipe with several readers, each message goes to one of them", async () => {
  const [reader, writer] = Pipe<number>({ duplex: false });
  const [back, results] = Pipe<[number, number]>({ duplex: false });
  const children = [start(take, reader, results, 50), start(take, reader, results, 50)];
  reader.close();
  results.close();
  const sends = Array.from({ length: 100 }, (_, i) => writer.send(i));
  const seen: number[] = [];
  for await (const [i] of back) seen.push(i);
  await Promise.all(sends);
  assertEquals(seen.toSorted((x, y) => x - y), Array.from({ length: 100 }, (_, i) => i));
  await Promise.all(children.map((child) => child.join()));
  writer.close();
  back.close();
});

Deno.test("Pipe with several writers, ends when the last has gone", async () => {
  const [reader, writer] = Pipe<[number, number]>({ duplex: false });
  const children = Array.from({ length: 3 }, () => start(count, writer));
  writer.close();
  const messages: string[] = [];
  for await (const [i, pid] of reader) messages.push(`${pid} ${i}`);
  const expected = children.flatMap(({ pid }) =>
    Array.from({ length: 10 }, (_, i) => `${pid} ${i}`)
  );
  assertEquals(messages.toSorted(), expected.toSorted());
  await Promise.all(children.map((child) => child.join()));
  reader.close();
});

Deno.test("Pipe, what waits is received after the sender has ended", async () => {
  const [reader, writer] = Pipe({ duplex: false });
  const values = [1, { two: "2".repeat(20_000) }, [3]];
  const child = start(sendAll, writer, values);
  writer.close();
  await child.join();
  const seen: unknown[] = [];
  for await (const value of reader) seen.push(value);
  assertEquals(seen, values);
  reader.close();
});

Deno.test("Pipe, what a process has sent arrives though it leaves by Deno.exit at once", async () => {
  for (const count of [1, 2, 50, 301]) {
    const [reader, writer] = Pipe<number>({ duplex: false });
    const child = start(sendAndExit, writer, count);
    writer.close();
    for (let i = 0; i < count; i++) assertEquals(await reader.recv(), i);
    await assertRejects(() => reader.recv(), EOFError);
    reader.close();
    await child.join();
    assertEquals(child.exitcode, 4);
  }
});

Deno.test("Pipe to a thread, carries messages and ends with the thread", async () => {
  const [a, b] = Pipe();
  const thread = new Thread({ target: echo, args: [b] });
  thread.start();
  b.close();
  for (let i = 0; i < 100; i++) {
    await a.send({ i });
    assertEquals(await a.recv(), { i });
  }
  const big = pattern(1_000_000);
  const sending = a.send(big);
  assertEquals(await a.recv(), big);
  await sending;
  a.close();
  await thread.join();

  const [reader, writer] = Pipe({ duplex: false });
  const leaving = new Thread({ target: say, args: [writer, "and leaves it open"] });
  leaving.start();
  writer.close();
  assertEquals(await reader.recv(), "and leaves it open");
  await assertRejects(() => reader.recv(), EOFError);
  reader.close();
  await leaving.join();
});

Deno.test({
  name: "Pipe, a long message leaves no memory behind once it was received",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const program = import.meta.resolve("../fixtures/multiprocessing/pipe_memory.ts");
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", program],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stderr));
    const { length, waiting, received } = JSON.parse(text.decode(stdout));
    assertEquals(length, 100_000_000);
    assert(waiting > length / 4, `${waiting} bytes while it waits: this is not where it lies`);
    assert(received < waiting / 4, `${received} bytes of ${waiting} are left`);
  },
});
