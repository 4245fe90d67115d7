/** What every connection does. CPython's: `_TestConnection`, `_TestPoll`, as far as one process will do. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { BufferTooShort, EOFError } from "../../multiprocessing/errors.ts";
import { Connection, Pipe } from "@batteries/concurrent/multiprocessing/connection";
import { Lock, PicklingError, TIMEOUT_MAX } from "@batteries/concurrent/threading";
import { KINDS, pattern, utf8 } from "../fixtures/multiprocessing/pairs.ts";

const { BadResource, BrokenPipe, InvalidData } = Deno.errors;

/** Whether a promise is settled once the event loop has come round a few times. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
  return settled;
}

for (const { name, pair } of KINDS) {
  const test = (what: string, body: () => Promise<void>) =>
    Deno.test(`Connection over a ${name}: ${what}`, body);

  test("objects of all kinds, arrive as copies", async () => {
    const [a, b] = await pair();
    const cyclic: Record<string, unknown> = { list: [1, "two", 3n, null, undefined] };
    cyclic.self = cyclic;
    const values = [
      1,
      "text \ud800 😀",
      null,
      undefined,
      true,
      -0,
      NaN,
      2n ** 70n,
      [1, 2.25, null],
      { a: { b: [] } },
      new Map([["k", new Set([1])]]),
      new Date(0),
      /x/g,
      new Uint8Array([1, 2]),
      new Float64Array([0.5]),
      new ArrayBuffer(3),
    ];
    for (const value of values) {
      await a.send(value);
      assertEquals(await b.recv(), value);
    }
    await b.send(cyclic);
    const copy = await a.recv() as typeof cyclic;
    assert(copy.self === copy && copy !== cyclic);
    a.close();
    b.close();
  });

  test("errors, arrive as errors of their class", async () => {
    const [a, b] = await pair();
    await a.send(new RangeError("too far", { cause: 1 }));
    const error = await b.recv() as Error;
    assert(error instanceof RangeError);
    assertEquals([error.message, error.cause], ["too far", 1]);
    await a.send(new EOFError("gone"));
    assert(await b.recv() instanceof EOFError);
    a.close();
    b.close();
  });

  test("what cannot travel, is refused at the call and loses nothing", async () => {
    const [a, b] = await pair();
    const first = a.send("before");
    await assertRejects(() => a.send(() => 1), PicklingError);
    await assertRejects(() => a.send({ deep: [new Lock()] }), PicklingError, "deep[0]");
    await assertRejects(() => a.send(new SharedArrayBuffer(1)), PicklingError);
    await a.send("after");
    await first;
    assertEquals([await b.recv(), await b.recv()], ["before", "after"]);
    a.close();
    b.close();
  });

  test("bytes that are no object, spoil their own message only", async () => {
    const [a, b] = await pair();
    await a.sendBytes(new Uint8Array([255, 1, 2]));
    await a.sendBytes(new Uint8Array());
    await a.send("after");
    await assertRejects(() => b.recv(), PicklingError);
    await assertRejects(() => b.recv(), PicklingError);
    assertEquals(await b.recv(), "after");
    a.close();
    b.close();
  });

  test("sendBytes with offset and size, sends that part", async () => {
    const [a, b] = await pair();
    const bytes = utf8("abcdefghijklmnopqrstuvwxyz");
    await a.sendBytes(bytes);
    assertEquals(await b.recvBytes(), bytes);
    await a.sendBytes(bytes, 5);
    assertEquals(await b.recvBytes(), bytes.slice(5));
    await a.sendBytes(bytes, 7, 8);
    assertEquals(await b.recvBytes(), bytes.slice(7, 15));
    await a.sendBytes(bytes, 26);
    assertEquals(await b.recvBytes(), new Uint8Array());
    await a.sendBytes(bytes, 26, 0);
    assertEquals(await b.recvBytes(), new Uint8Array());
    for (const [offset, size] of [[27], [22, 5], [26, 1], [-1], [4, -1], [1.5], [0, NaN]]) {
      await assertRejects(() => a.sendBytes(bytes, offset, size), RangeError);
    }
    await assertRejects(() => a.sendBytes("text" as never), TypeError);
    await assertRejects(() => a.sendBytes([1] as never), TypeError);
    await assertRejects(() => a.sendBytes(bytes, "1" as never), TypeError);
    assertFalse(await b.poll());
    a.close();
    b.close();
  });

  test("sendBytes, takes what holds bytes, as it was at the call", async () => {
    const [a, b] = await pair();
    const words = Uint16Array.of(1, 2, 3);
    const sending = a.sendBytes(words, 2);
    words.fill(9);
    await sending;
    assertEquals(await b.recvBytes(), new Uint8Array(Uint16Array.of(2, 3).buffer));
    await a.sendBytes(new DataView(new ArrayBuffer(4), 1, 2));
    assertEquals(await b.recvBytes(), new Uint8Array(2));
    await a.sendBytes(new SharedArrayBuffer(3));
    assertEquals(await b.recvBytes(), new Uint8Array(3));
    a.close();
    b.close();
  });

  test("recvBytesInto, fills the buffer from the offset", async () => {
    const [a, b] = await pair();
    const sent = Int32Array.of(0, 1, 2, 3);
    const numbers = new Int32Array(10);
    await a.sendBytes(sent);
    assertEquals(await b.recvBytesInto(numbers), 16);
    assertEquals([...numbers], [0, 1, 2, 3, 0, 0, 0, 0, 0, 0]);
    numbers.fill(0);
    await a.sendBytes(sent);
    assertEquals(await b.recvBytesInto(numbers, 3 * 4), 16);
    assertEquals([...numbers], [0, 0, 0, 0, 1, 2, 3, 0, 0, 0]);
    await a.sendBytes(new Uint8Array());
    assertEquals(await b.recvBytesInto(numbers, 40), 0);
    a.close();
    b.close();
  });

  test("recvBytesInto without room, throws BufferTooShort with the message", async () => {
    const [a, b] = await pair();
    const message = utf8("hello world".repeat(10));
    const buffer = new Uint8Array(40).fill(32);
    await a.sendBytes(message);
    const error = await assertRejects(() => b.recvBytesInto(buffer), BufferTooShort);
    assertEquals(error.data, message);
    assertEquals(buffer, new Uint8Array(40).fill(32));
    await a.sendBytes(message);
    await assertRejects(() => b.recvBytesInto(buffer, 41), RangeError);
    await assertRejects(() => b.recvBytesInto(buffer, -1), RangeError);
    await assertRejects(() => b.recvBytesInto([] as never), TypeError);
    assertEquals(await b.recvBytes(), message);
    a.close();
    b.close();
  });

  test("recvBytes of a message longer than maxlength, ends receiving", async () => {
    const [a, b] = await pair();
    await a.sendBytes(new Uint8Array(5));
    assertEquals((await b.recvBytes(5)).length, 5);
    await assertRejects(() => b.recvBytes(-1), RangeError);
    await assertRejects(() => b.recvBytes("5" as never), TypeError);
    await a.sendBytes(new Uint8Array(6));
    await assertRejects(() => b.recvBytes(5), InvalidData);
    assertEquals([b.readable, b.writable, b.closed], [false, true, false]);
    await assertRejects(() => b.recvBytes(), BadResource);
    await assertRejects(() => b.poll(), BadResource);
    await b.send("still writable");
    assertEquals(await a.recv(), "still writable");
    a.close();
    b.close();
  });

  test("poll, tells whether a message is there and leaves it", async () => {
    const [a, b] = await pair();
    assertFalse(await b.poll());
    assertFalse(await b.poll({ timeout: 0 }));
    assertFalse(await b.poll({ timeout: -1 }));
    assertFalse(await b.poll({ timeout: 10 }));
    await a.sendBytes(new Uint8Array());
    // What was sent need not have come at once.
    assert(await b.poll({ timeout: TIMEOUT_MAX }));
    assert(await b.poll());
    assert(await b.poll({ signal: new AbortController().signal }));
    assertEquals(await b.recvBytes(), new Uint8Array());
    assertFalse(await b.poll());
    a.close();
    b.close();
  });

  test("poll, waits until a message comes", async () => {
    const [a, b] = await pair();
    const polls = [b.poll({ timeout: 60_000 }), b.poll({ signal: new AbortController().signal })];
    assertFalse(await isSettled(polls[1]));
    await a.send("x");
    assertEquals(await Promise.all(polls), [true, true]);
    assertEquals(await b.recv(), "x");
    a.close();
    b.close();
  });

  test("poll that is aborted, leaves nothing behind", async () => {
    const [a, b] = await pair();
    const aborting = new AbortController();
    const poll = b.poll({ signal: aborting.signal });
    aborting.abort(new Error("enough"));
    await assertRejects(() => poll, Error, "enough");
    await assertRejects(() => b.poll({ signal: aborting.signal }), Error, "enough");
    await assertRejects(() => b.poll({ timeout: NaN }), RangeError);
    await assertRejects(() => b.poll(5 as never), TypeError);
    await a.send(1);
    assertEquals(await b.recv(), 1);
    a.close();
    b.close();
  });

  test("messages, are not merged and keep their order", async () => {
    const [a, b] = await pair();
    const texts = ["hello", "", "a", "b", "", "bye", "", "lop"];
    for (const text of texts) await a.sendBytes(utf8(text));
    for (const text of texts) {
      assert(await b.poll({ timeout: 60_000 }));
      assert(await b.poll());
      assertEquals(await b.recvBytes(), utf8(text));
    }
    assertFalse(await b.poll());
    a.close();
    b.close();
  });

  test("messages of all sizes in flight both ways, arrive whole and in order", async () => {
    const [a, b] = await pair();
    const sizes = [0, 1, 3, 4, 5, 16_380, 16_384, 16_385, 65_531, 65_532, 65_533, 65_536, 300_000];
    const order = [...sizes, ...sizes.toReversed(), ...sizes];
    const exchange = async (from: Connection, to: Connection) => {
      const sends = order.map((size) => from.sendBytes(pattern(size)));
      for (const size of order) assertEquals(await to.recvBytes(), pattern(size));
      await Promise.all(sends);
    };
    await Promise.all([exchange(a, b), exchange(b, a)]);
    a.close();
    b.close();
  });

  test("concurrent receivers, get the messages in the order of their calls", async () => {
    const [a, b] = await pair();
    const receiving = Array.from({ length: 100 }, () => b.recv());
    const sending = Array.from({ length: 100 }, (_, i) => a.send(i));
    assertEquals(await Promise.all(receiving), Array.from({ length: 100 }, (_, i) => i));
    await Promise.all(sending);
    a.close();
    b.close();
  });

  test("a message of 16 MiB, arrives", async () => {
    const [a, b] = await pair();
    const big = pattern(16 * 1024 * 1024);
    const sending = a.sendBytes(big);
    const received = await b.recvBytes();
    await sending;
    assertEquals(received.length, big.length);
    assert(received.every((byte, i) => byte === big[i]));
    a.close();
    b.close();
  });

  test("send, waits while the other side does not read", async () => {
    const [a, b] = await pair();
    let sent = 0;
    const sending = (async () => {
      for (; sent < 1000; sent++) await a.sendBytes(new Uint8Array(64 * 1024));
    })();
    assertFalse(await isSettled(sending));
    const held = sent;
    assert(held < 100, `${held} messages went without a reader`);
    for (let i = 0; i < 1000; i++) await b.recvBytes();
    await sending;
    a.close();
    b.close();
  });

  test("receiving, sees what is left after the other end is closed, and then EOFError", async () => {
    const [a, b] = await pair();
    await a.send(1);
    await a.send(2);
    a.close();
    assert(await b.poll({ timeout: 60_000 }));
    assertEquals([await b.recv(), await b.recv()], [1, 2]);
    assert(await b.poll({ timeout: 60_000 }));
    assert(await b.poll());
    await assertRejects(() => b.recv(), EOFError);
    await assertRejects(() => b.recvBytes(), EOFError);
    await assertRejects(() => b.recvBytesInto(new Uint8Array(1)), EOFError);
    assert(await b.poll({ timeout: 60_000 }));
    b.close();
  });

  test("receivers and pollers that wait, are told when the other end is closed", async () => {
    const [a, b] = await pair();
    const receiving = [b.recv(), b.recvBytes()];
    const poll = b.poll({ timeout: 60_000 });
    a.close();
    for (const call of receiving) await assertRejects(() => call, EOFError);
    assert(await poll);
    b.close();
  });

  test("what was given to send before close, is still delivered", async () => {
    const [a, b] = await pair();
    const sends = [a.send("first"), a.sendBytes(pattern(500_000)), a.send("last")];
    a.close();
    assertEquals(await b.recv(), "first");
    assertEquals(await b.recvBytes(), pattern(500_000));
    assertEquals(await b.recv(), "last");
    await Promise.all(sends);
    await assertRejects(() => b.recv(), EOFError);
    b.close();
  });

  test("sending when the other end is closed, throws BrokenPipe", async () => {
    const [a, b] = await pair();
    b.close();
    const sends = async () => {
      // The kernel may take a message or two over TCP before it knows.
      for (let i = 0; i < 100; i++) await a.sendBytes(new Uint8Array(64 * 1024));
    };
    await assertRejects(sends, BrokenPipe, "the other end was closed");
    await assertRejects(() => a.send(1), BrokenPipe);
    a.close();
  });

  test("a sender that waits, is told when the other end is closed", async () => {
    const [a, b] = await pair();
    const sending = a.sendBytes(new Uint8Array(20 * 1024 * 1024));
    const failing = assertRejects(() => sending, BrokenPipe);
    assertFalse(await isSettled(sending));
    b.close();
    await failing;
    a.close();
  });

  test("a closed end, refuses everything and can be closed again", async () => {
    const [a, b] = await pair();
    const receiving = a.recv();
    const poll = a.poll({ timeout: 60_000 });
    assertFalse(a.closed);
    a.close();
    a.close();
    assert(a.closed);
    await assertRejects(() => receiving, BadResource, "closed");
    await assertRejects(() => poll, BadResource);
    await assertRejects(() => a.send(1), BadResource);
    await assertRejects(() => a.sendBytes(new Uint8Array()), BadResource);
    await assertRejects(() => a.recv(), BadResource);
    await assertRejects(() => a.recvBytes(), BadResource);
    await assertRejects(() => a.recvBytesInto(new Uint8Array()), BadResource);
    await assertRejects(() => a.poll(), BadResource);
    assertThrows(() => a.fileno(), BadResource);
    b.close();
  });

  test("using, closes both ends", async () => {
    const [a, b] = await pair();
    {
      using _a = a;
      using _b = b;
      await a.send(1729);
      assertEquals(await b.recv(), 1729);
      assertFalse(a.closed || b.closed);
    }
    assert(a.closed && b.closed);
  });

  test("fileno, is a number of its own", async () => {
    const [a, b] = await pair();
    assertEquals(typeof a.fileno(), "number");
    assertEquals(a.fileno(), a.fileno());
    assertNotEquals(a.fileno(), b.fileno());
    a.close();
    b.close();
  });

  test("for await, gives the objects up to the end", async () => {
    const [a, b] = await pair<number>();
    const sending = (async () => {
      for (let i = 0; i < 5; i++) await a.send(i);
      a.close();
    })();
    const seen: number[] = [];
    for await (const item of b) {
      seen.push(item);
      if (item === 2) break;
    }
    for await (const item of b) seen.push(item);
    assertEquals(seen, [0, 1, 2, 3, 4]);
    await sending;
    b.close();
  });

  test("10,000 small messages, flow through", async () => {
    const [a, b] = await pair<number>();
    const sending = (async () => {
      for (let i = 0; i < 10_000; i += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, k) => a.send(i + k)));
      }
    })();
    for (let i = 0; i < 10_000; i++) assertEquals(await b.recv(), i);
    await sending;
    a.close();
    b.close();
  });
}

Deno.test("Pipe with duplex false, gives a reader and a writer", async () => {
  const [reader, writer] = Pipe<number>({ duplex: false });
  assertEquals([reader.readable, reader.writable], [true, false]);
  assertEquals([writer.readable, writer.writable], [false, true]);
  await writer.send(1);
  assertEquals(await reader.recv(), 1);
  await assertRejects(() => reader.send(2), BadResource);
  await assertRejects(() => reader.sendBytes(new Uint8Array()), BadResource);
  await assertRejects(() => writer.recv(), BadResource);
  await assertRejects(() => writer.recvBytes(), BadResource);
  await assertRejects(() => writer.poll(), BadResource);
  reader.close();
  await assertRejects(() => writer.send(2), BrokenPipe);
  writer.close();
});

Deno.test("Pipe with duplex false, a message that is too long closes the reader", async () => {
  const [reader, writer] = Pipe({ duplex: false });
  await writer.sendBytes(new Uint8Array(10));
  await assertRejects(() => reader.recvBytes(9), InvalidData);
  assert(reader.closed);
  writer.close();
});

Deno.test("Pipe, checks its options", () => {
  assertThrows(() => Pipe({ duplex: "yes" as never }), TypeError);
  assertThrows(() => Pipe(true as never), TypeError);
});

Deno.test("Connection, cannot be made by hand", () => {
  const Open = Connection as unknown as new (...args: unknown[]) => unknown;
  assertThrows(() => new Open(), TypeError, "Pipe()");
});

Deno.test("Connection over a pipe, an end that goes through another pipe of the process is the same end", async () => {
  const [a, b] = Pipe<Connection<string>>();
  const [c, d] = Pipe<string>();
  await a.send(c);
  c.close();
  const again = await b.recv();
  assert(again instanceof Connection && again !== c);
  await d.send("to the end that travelled");
  assertEquals(await again.recv(), "to the end that travelled");
  const receiving = d.recv();
  again.close();
  await assertRejects(() => receiving, EOFError);
  for (const end of [a, b, d]) end.close();
});

Deno.test("Connection over a pipe, an end is held while it is on its way", async () => {
  const [a, b] = Pipe<Connection<string>>();
  const [c, d] = Pipe<string>();
  await a.send(c);
  c.close();
  await d.send("kept");
  const receiving = d.recv().catch(() => {});
  assertFalse(await isSettled(receiving));
  const again = await b.recv();
  assertEquals(await again.recv(), "kept");
  again.close();
  for (const end of [a, b, d]) end.close();
  await receiving;
});

Deno.test("Connection over a socket, does not travel", async () => {
  const [pipe, other] = Pipe();
  for (const { name, pair } of KINDS) {
    if (name === "pipe") continue;
    const [a, b] = await pair();
    await assertRejects(() => pipe.send({ inside: a }), PicklingError, "Listener");
    a.close();
    b.close();
  }
  pipe.close();
  await assertRejects(() => other.send(pipe), BadResource, "closed");
  other.close();
});
