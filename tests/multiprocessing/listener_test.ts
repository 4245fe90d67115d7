/** Listeners and clients. CPython's: `_TestListener`, `_TestListenerClient`, `TestInvalidFamily`. */

import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { AuthenticationError, EOFError, TimeoutError } from "../../multiprocessing/errors.ts";
import {
  type Address,
  Client,
  Listener,
  Pipe,
} from "@batteries/concurrent/multiprocessing/connection";
import { PicklingError } from "@batteries/concurrent/multiprocessing";
import { pattern } from "../fixtures/multiprocessing/pairs.ts";
import { Stranger } from "../fixtures/multiprocessing/stranger.ts";
import { ownHost } from "./_world.ts";

const { AddrInUse, BadResource, ConnectionRefused, InvalidData, NotFound } = Deno.errors;
const FAMILIES = ["AF_UNIX", "AF_INET"] as const;
const FOREVER = { timeout: 60_000 };

/** A program that does `act` at that address. */
function peer(address: Address, act: string, key = ""): Deno.ChildProcess {
  const script = new URL("../fixtures/multiprocessing/peer.ts", import.meta.url).href;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, JSON.stringify(address), key, act],
    stdin: "null",
  }).spawn();
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Until the system has closed what was closed in this turn. A timer that is due already fires before the event loop looks at that: only
 * the second is sure to come after it.
 */
async function closed(): Promise<void> {
  for (const _turn of [1, 2]) await new Promise((resolve) => setTimeout(resolve, 0));
}

for (const family of FAMILIES) {
  const test = (what: string, body: () => Promise<void> | void) =>
    Deno.test(`Listener of ${family}: ${what}`, body);

  test("a place that is taken, is refused to a second", () => {
    using listener = new Listener({ family });
    const { address } = listener;
    assertThrows(() => new Listener({ address, family }), AddrInUse);
    assertThrows(() => new Listener({ address }), AddrInUse);
  });

  test("errors of the system, say which address was asked for", async () => {
    using listener = new Listener({ family });
    const show = (address: Address) =>
      typeof address === "string" ? address : `${address.hostname}:${address.port}`;
    const { address } = listener;
    assertThrows(() => new Listener({ address }), AddrInUse, `Cannot listen at ${show(address)}: `);
    const former = Deno.listen({ hostname: ownHost(3), port: 0 });
    former.close();
    const { hostname, port } = former.addr;
    const nobody: Address = family === "AF_INET" ? { hostname, port } : `${address}-of-nobody`;
    await assertRejects(
      () => Client(nobody),
      family === "AF_INET" ? ConnectionRefused : NotFound,
      `Cannot connect to ${show(nobody)}: `,
    );
  });

  test("travels nowhere, and the error says what does", async () => {
    using listener = new Listener({ family });
    const [a, b] = Pipe<unknown>();
    await assertRejects(() => a.send(listener), PicklingError, "send its address");
    a.close();
    b.close();
  });

  test("a client, is there before accept is called", async () => {
    using listener = new Listener({ family });
    assertEquals(listener.lastAccepted, null);
    using client = await Client<number>(listener.address);
    using server = await listener.accept<number>();
    await client.send(1729);
    assertEquals(await server.recv(), 1729);
    if (family === "AF_INET") {
      const { hostname, port } = listener.lastAccepted as { hostname: string; port: number };
      assertEquals([hostname, typeof port], ["127.0.0.1", "number"]);
    } else {
      assertEquals(listener.lastAccepted, "");
    }
  });

  test("accept, is there before a client", async () => {
    using listener = new Listener({ family });
    const accepting = listener.accept();
    using client = await Client(listener.address, { family });
    using server = await accepting;
    await server.send("x");
    assertEquals(await client.recv(), "x");
  });

  test("a client that has sent and closed, is accepted all the same", async () => {
    using listener = new Listener({ family });
    const client = await Client(listener.address);
    await client.send("hello");
    client.close();
    using server = await listener.accept();
    assertEquals(await server.recv(), "hello");
    await assertRejects(() => server.recv(), EOFError);
  });

  test("a message of a server that closes at once, can be polled", async () => {
    using listener = new Listener({ family });
    using client = await Client(listener.address);
    const server = await listener.accept();
    await server.sendBytes(new Uint8Array(5));
    assert(await client.poll(FOREVER));
    server.close();
    assertEquals(await client.recvBytes(), new Uint8Array(5));
  });

  test("programs of their own, connect and exchange", async () => {
    using listener = new Listener({ family });
    const child = peer(listener.address, "hello");
    using hello = await listener.accept<[string, number]>();
    assertEquals(await hello.recv(), ["hello", child.pid]);
    assertEquals((await child.status).code, 0);

    const echo = peer(listener.address, "echo");
    const server = await listener.accept();
    const values = [{ deep: [1n, new Map([[1, 2]])] }, "x".repeat(100_000), pattern(3_000_000)];
    for (const value of values) {
      await server.send(value);
      assertEquals(await server.recv(), value);
    }
    server.close();
    assertEquals((await echo.status).code, 0);
  });

  test("a message that is sent, arrives though its sender leaves at once", async () => {
    using listener = new Listener({ family });
    const child = peer(listener.address, "leave");
    using server = await listener.accept();
    assertEquals((await child.status).code, 3);
    assertEquals(await server.recv(), "written");
    await assertRejects(() => server.recv(), EOFError);
  });

  test("a peer that is killed in the middle of a message, leaves none of it", async () => {
    using listener = new Listener({ family });
    const child = peer(listener.address, "half");
    using server = await listener.accept();
    assertEquals(await server.recv(), "whole");
    const receiving = server.recvBytes();
    child.kill("SIGKILL");
    await assertRejects(() => receiving, EOFError);
    await assertRejects(() => server.recv(), EOFError);
    assertEquals((await child.status).signal, "SIGKILL");
  });

  test("many clients at once, are accepted each", async () => {
    using listener = new Listener({ family });
    const clients = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const client = await Client<number>(listener.address);
        await client.send(i);
        return client;
      }),
    );
    const seen = new Set<number>();
    for (const client of clients) {
      using server = await listener.accept<number>();
      seen.add(await server.recv());
      client.close();
    }
    assertEquals(seen.size, 50);
  });

  test("accept with a timeout, loses nobody", async () => {
    using listener = new Listener({ family });
    await assertRejects(() => listener.accept({ timeout: 1 }), TimeoutError);
    await assertRejects(() => listener.accept({ timeout: 0 }), TimeoutError);
    const aborting = new AbortController();
    const accepting = listener.accept({ signal: aborting.signal });
    aborting.abort(new Error("enough"));
    await assertRejects(() => accepting, Error, "enough");
    await assertRejects(() => listener.accept({ timeout: NaN }), RangeError);
    using client = await Client(listener.address);
    using server = await listener.accept({ timeout: 0 });
    await client.send(1);
    assertEquals(await server.recv(), 1);
  });

  test("close, ends accept, turns away who waits and can be repeated", async () => {
    const listener = new Listener(
      family === "AF_UNIX" ? { family } : { address: { hostname: ownHost(5), port: 0 } },
    );
    const client = await Client(listener.address);
    const accepted = await listener.accept();
    const waiting = await Client(listener.address);
    const { address } = listener;
    const accepting = [listener.accept(), listener.accept()];
    const first = await accepting[0];
    listener.close();
    listener.close();
    await assertRejects(() => accepting[1], BadResource);
    await assertRejects(() => listener.accept(), BadResource);
    await closed();
    await assertRejects(() => Client(address), family === "AF_INET" ? ConnectionRefused : NotFound);
    await accepted.send("what was accepted lives on");
    assertEquals(await client.recv(), "what was accepted lives on");
    for (const connection of [client, accepted, waiting, first]) connection.close();
  });

  test("clients that nobody accepted, see the end when it closes", async () => {
    const listener = new Listener({ family });
    using client = await Client(listener.address);
    listener.close();
    await assertRejects(() => client.recv(), EOFError);
  });

  test("strangers and garbage, harm nobody", async () => {
    using listener = new Listener({ family });
    const address = listener.address as never;
    // One that says nothing, one that hangs up, one that sends anything.
    using silent = await Stranger.to(address);
    (await Stranger.to(address))[Symbol.dispose]();
    using garbage = await Stranger.to(address);
    await garbage.raw(crypto.getRandomValues(new Uint8Array(1000)));
    using client = await Client(listener.address);
    const outcomes = [];
    for (let i = 0; i < 3; i++) outcomes.push(await listener.accept().catch((error) => error));
    assertEquals(outcomes.filter((error) => error instanceof AuthenticationError).length, 2);
    const [server] = outcomes.filter((outcome) => !(outcome instanceof Error));
    await client.send("through");
    assertEquals(await server.recv(), "through");
    server.close();
    void silent;
  });

  test("a frame too long for a handshake, is refused before there is memory for it", async () => {
    using listener = new Listener({ family });
    using stranger = await Stranger.to(listener.address as never);
    const header = new Uint8Array(12);
    new DataView(header.buffer).setInt32(0, -1);
    new DataView(header.buffer).setBigUint64(4, 2n ** 31n);
    await stranger.raw(header);
    const error = await assertRejects(() => listener.accept(), AuthenticationError);
    assert((error.cause as Error) instanceof InvalidData);
    // Its challenge or greeting, and then the end: the stranger is turned away.
    await stranger.receive();
    assertEquals(await stranger.receive(), null);
  });

  test("random bytes after the greeting, are the messages that they spell and then the end", async () => {
    using listener = new Listener({ family });
    for (let round = 0; round < 60; round++) {
      using stranger = await Stranger.to(listener.address as never);
      await stranger.send((await stranger.receive())!);
      using server = await listener.accept();
      const bytes = crypto.getRandomValues(new Uint8Array(1 + round * 30));
      // Short messages first, by turns.
      if (round % 2 === 0) {
        for (let at = 0; at + 4 < bytes.length; at += 40) bytes.set([0, 0, 0], at);
      }
      const { messages, isDamaged } = spelled(bytes);
      await stranger.raw(bytes);
      await stranger.end();
      for (const message of messages) assertEquals(await server.recvBytes(), message);
      const error = await assertRejects(() => server.recvBytes());
      assert(error instanceof (isDamaged ? InvalidData : EOFError), `${error}`);
    }
  });

  test("messages that were announced and never came, have no memory", async () => {
    const program = import.meta.resolve("../fixtures/multiprocessing/listener_memory.ts");
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", program, family],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, text.decode(stderr));
    const { told, grown } = JSON.parse(text.decode(stdout));
    assertEquals(told, ["EOFError"]);
    assert(grown < 200e6, `${grown} bytes more`);
  });
}

/** What `bytes` say, read the simple way. */
function spelled(bytes: Uint8Array): { messages: Uint8Array[]; isDamaged: boolean } {
  const view = new DataView(bytes.buffer);
  const messages: Uint8Array[] = [];
  for (let at = 0;;) {
    if (bytes.length - at < 4) return { messages, isDamaged: false };
    const length = view.getInt32(at);
    if (length < 0) return { messages, isDamaged: true };
    if (bytes.length - at - 4 < length) return { messages, isDamaged: false };
    messages.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
}

Deno.test("Listener without an address, has a private socket that goes with it", () => {
  const listener = new Listener();
  const path = listener.address as string;
  const folder = path.slice(0, path.lastIndexOf("/"));
  assertEquals(Deno.statSync(folder).mode! & 0o777, 0o700);
  listener.close();
  assertFalse(exists(folder));
});

Deno.test("Listener with a path, removes the socket's file and nothing else", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/here`;
  const listener = new Listener({ address: path });
  assertEquals([listener.address, exists(path)], [path, true]);
  listener.close();
  assertFalse(exists(path));
  Deno.removeSync(folder);
});

for (const family of FAMILIES) {
  Deno.test(`Listener of ${family}, its address is free again once the event loop has come round twice`, async () => {
    const folder = Deno.makeTempDirSync();
    const listener = new Listener(
      { address: family === "AF_UNIX" ? `${folder}/here` : { hostname: ownHost(4), port: 0 } },
    );
    const { address } = listener;
    listener.close();
    assertThrows(() => new Listener({ address }), AddrInUse);
    await closed();
    {
      using again = new Listener({ address });
      await new Promise((resolve) => setTimeout(resolve, 0));
      using client = await Client(again.address);
      (await again.accept()).close();
      void client;
    }
    Deno.removeSync(folder, { recursive: true });
  });
}

Deno.test({
  name: "Listener with an abstract address, leaves nothing in the file system",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const address = `\0listener-test-${crypto.randomUUID()}`;
    using listener = new Listener({ address });
    using client = await Client(listener.address);
    using server = await listener.accept();
    await client.send(1);
    assertEquals(await server.recv(), 1);
  },
});

Deno.test("Listener and Client, refuse what they cannot take", async () => {
  for (
    const [options, type] of [
      [{ family: "AF_PIPE" }, RangeError],
      [{ family: 1 }, RangeError],
      [{ family: "AF_INET", address: "/path" }, RangeError],
      [{ family: "AF_UNIX", address: { hostname: "localhost", port: 0 } }, RangeError],
      [{ address: "\\\\.\\test" }, RangeError],
      [{ address: "" }, RangeError],
      [{ address: 5 }, TypeError],
      [{ address: ["localhost", 0] }, TypeError],
      [{ address: { hostname: "localhost", port: -1 } }, RangeError],
      [{ address: { hostname: "localhost", port: 65536 } }, RangeError],
      [{ backlog: -1 }, RangeError],
      [{ backlog: "1" }, TypeError],
      [{ authkey: "text" }, TypeError],
      ["/path", TypeError],
      [null, TypeError],
    ] as const
  ) {
    assertThrows(() => new Listener(options as never), type);
  }
  for (
    const [address, options, type] of [
      [undefined, {}, TypeError],
      [null, {}, TypeError],
      [5, {}, TypeError],
      ["/path", { family: "AF_INET" }, RangeError],
      ["/path", { family: "AF_PIPE" }, RangeError],
      ["/path", { authkey: "text" }, TypeError],
      ["/path", { timeout: NaN }, RangeError],
      ["/path", null, TypeError],
    ] as const
  ) {
    await assertRejects(() => Client(address as never, options as never), type);
  }
});

Deno.test("Client with a timeout, gives up on a listener that does not answer", async () => {
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = deaf.addr;
  await assertRejects(() => Client({ hostname, port }, { timeout: 5 }), TimeoutError);
  const aborting = new AbortController();
  const calling = Client({ hostname, port }, { signal: aborting.signal });
  aborting.abort(new Error("enough"));
  await assertRejects(() => calling, Error, "enough");
});

Deno.test("Listener, an open one does not hold the program; accept does", async () => {
  const run = async (code: string) => {
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--quiet", code],
      cwd: new URL("../../", import.meta.url),
      env: { NO_COLOR: "1" },
    }).output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  };
  const head = `import { Client, Listener } from "@batteries/concurrent/multiprocessing/connection";
    const listener = new Listener({ family: "AF_INET" });`;
  assertEquals(
    await run(`${head} const client = await Client(listener.address); client.poll({ timeout: 1 });
      addEventListener("unload", () => console.log("ended"));`),
    "ended\n",
  );
  const accepting = await run(`${head} addEventListener("unload", () => console.log("ended"));
    Deno.unrefTimer(setTimeout(() => { console.log("still here"); listener.close(); }, 20));
    listener.accept().catch((error) => console.log(error.name));`);
  assertEquals(accepting, "still here\nBadResource\nended\n");
});
