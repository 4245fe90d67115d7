/** Waiting for several objects. CPython's: `TestWait`. */

import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import { type Connection, EOFError, Pipe, Process } from "@batteries/concurrent/multiprocessing";
import {
  Client,
  Listener,
  ready,
  wait,
  type Waitable,
} from "@batteries/concurrent/multiprocessing/connection";
import { KINDS } from "../fixtures/multiprocessing/pairs.ts";
import { count, keep } from "../fixtures/multiprocessing/pipe_parties.ts";

const FOREVER = { timeout: 60_000 };

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
  return settled;
}

for (const { name, pair } of KINDS) {
  Deno.test(`wait for a ${name}, gives those with something to receive`, async () => {
    const [a, b] = await pair();
    const [c, d] = await pair();
    assertEquals(await wait([a, c], { timeout: 0 }), []);
    assertEquals(await wait([a, c], { timeout: -1 }), []);
    assertEquals(await wait([a, c], { timeout: 5 }), []);
    const waiting = wait([a, c], FOREVER);
    assertFalse(await isSettled(waiting));
    await d.send("x");
    assertEquals(await waiting, [c]);
    await b.send("y");
    // Over a socket it need not have come at once.
    assert(await a.poll(FOREVER));
    // In the order of the list, and as often as asked: nothing is received.
    assertEquals(await wait([c, a]), [c, a]);
    assertEquals(await wait([a, c]), [a, c]);
    assertEquals(await a.recv(), "y");
    assertEquals(await wait(new Set([a, c])), [c]);
    for (const end of [a, b, c, d]) end.close();
  });

  Deno.test(`wait for a ${name}, the end is something to receive`, async () => {
    const [a, b] = await pair();
    const [c, d] = await pair();
    const waiting = wait([a, c], FOREVER);
    d.close();
    assertEquals(await waiting, [c]);
    await assertRejects(() => c.recv(), EOFError);
    assertEquals(await wait([a, c]), [c]);
    for (const end of [a, b, c]) end.close();
  });

  Deno.test(`wait for a ${name}, that is aborted leaves nothing behind`, async () => {
    const [a, b] = await pair();
    const aborting = new AbortController();
    const waiting = wait([a], { signal: aborting.signal });
    aborting.abort(new Error("enough"));
    await assertRejects(() => waiting, Error, "enough");
    await assertRejects(() => wait([a], { signal: aborting.signal }), Error, "enough");
    await b.send(1);
    assertEquals(await a.recv(), 1);
    a.close();
    b.close();
  });

  Deno.test(`wait for a ${name}, a closed one is an error`, async () => {
    const [a, b] = await pair();
    const waiting = wait([a], FOREVER);
    a.close();
    await assertRejects(() => waiting, Deno.errors.BadResource);
    await assertRejects(() => wait([a, b]), Deno.errors.BadResource);
    b.close();
  });
}

Deno.test("wait, refuses what cannot be waited for", async () => {
  const [reader, writer] = Pipe({ duplex: false });
  await assertRejects(() => wait([writer]), Deno.errors.BadResource);
  for (const object of [null, 5, {}, Promise.resolve()]) {
    await assertRejects(() => wait([object as never]), TypeError);
  }
  await assertRejects(() => wait([reader], { timeout: NaN }), RangeError);
  await assertRejects(() => wait([reader], 5 as never), TypeError);
  reader.close();
  writer.close();
});

Deno.test("wait for nothing, takes no time", async () => {
  assertEquals(await wait([]), []);
  assertEquals(await wait([], FOREVER), []);
});

Deno.test("wait for a listener, until there is somebody to accept", async () => {
  using listener = new Listener();
  assertEquals(await wait([listener], { timeout: 1 }), []);
  const waiting = wait([listener], FOREVER);
  using client = await Client(listener.address);
  assertEquals(await waiting, [listener]);
  using server = await listener.accept({ timeout: 0 });
  assertEquals(await wait([listener], { timeout: 0 }), []);
  void [client, server];
});

Deno.test("wait for a listener, that is closed meanwhile is an error", async () => {
  const listener = new Listener();
  const waiting = wait([listener], FOREVER);
  listener.close();
  await assertRejects(() => waiting, Deno.errors.BadResource);
});

Deno.test("wait for an object of one's own, asks its [ready]", async () => {
  const event = Promise.withResolvers<boolean>();
  let asked = 0;
  const mine: Waitable = {
    [ready](limit) {
      asked++;
      return limit.deadline === -Infinity ? Promise.resolve(asked > 2) : event.promise;
    },
  };
  const waiting = wait([mine]);
  event.resolve(true);
  assertEquals([await waiting, asked], [[mine], 3]);
});

Deno.test("wait for readers of several processes, brings every message and every end", async () => {
  const processes: Process[] = [];
  const readers = new Set<Connection<[number, number]>>();
  for (let i = 0; i < 4; i++) {
    const [reader, writer] = Pipe<[number, number]>({ duplex: false });
    const process = new Process({ target: count, args: [writer] });
    process.start();
    writer.close();
    processes.push(process);
    readers.add(reader);
  }
  const messages: string[] = [];
  while (readers.size > 0) {
    for (const reader of await wait(readers)) {
      try {
        const [i, pid] = await reader.recv();
        messages.push(`${pid} ${i}`);
      } catch (error) {
        assert(error instanceof EOFError, String(error));
        readers.delete(reader);
        reader.close();
      }
    }
  }
  const expected = processes.flatMap(({ pid }) =>
    Array.from({ length: 10 }, (_, i) => `${pid} ${i}`)
  );
  assertEquals(messages.toSorted(), expected.toSorted());
  for (const process of processes) await process.join();
});

Deno.test("wait for a sentinel, until the process has ended", async () => {
  const [a, b] = Pipe();
  const process = new Process({ target: keep, args: [b] });
  process.start();
  assertEquals(await a.recv(), "here");
  const { sentinel } = process;
  assertEquals(await wait<Waitable>([a, sentinel, b], { timeout: 1 }), []);
  const waiting = wait<Waitable>([a, sentinel, b], FOREVER);
  process.terminate();
  assertEquals(await waiting, [sentinel]);
  await a.send(null);
  assertEquals(await wait<Waitable>([a, sentinel, b], FOREVER), [sentinel, b]);
  await b.send(null);
  assertEquals(await wait<Waitable>([a, sentinel, b], FOREVER), [a, sentinel, b]);
  await process.join();
  a.close();
  b.close();
});

Deno.test("wait, given no iterable, says so", async () => {
  for (const wrong of [5, null, undefined, {}] as unknown as Waitable[][]) {
    await assertRejects(() => wait(wrong), TypeError, "Cannot wait: objects must be an array");
  }
});
