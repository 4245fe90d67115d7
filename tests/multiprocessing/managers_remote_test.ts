import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { AuthenticationError, EOFError, Process } from "@batteries/concurrent/multiprocessing";
import {
  AcquirerProxy,
  BaseManager,
  type ListProxy,
  type ManagerAddress,
  QueueProxy,
  RemoteError,
  SyncManager,
} from "@batteries/concurrent/multiprocessing/managers";
import { Empty } from "@batteries/concurrent/queue";
import { Lock } from "@batteries/concurrent/threading";
import { type Key, knock, passesOf } from "../../multiprocessing/_manager_door.ts";
import { Wire } from "../../multiprocessing/_manager_socket.ts";
import {
  ERROR,
  NO_SIGNAL,
  readHello,
  restOf,
  sendCall,
  SERVER,
  tagOf,
  valueIn,
} from "../../multiprocessing/_manager_wire.ts";
import { decodeError, encode, type Parcel } from "../../threading/_core/mod.ts";
import {
  appendOne,
  Maths,
  putRemotely,
  QueueManager,
  QueueUser,
  sumLater,
} from "../fixtures/multiprocessing/manager_parties.ts";
import { ownHost } from "./_world.ts";

const key = (text: string) => new TextEncoder().encode(text);
const anywhere = { hostname: ownHost(2), port: 0 };

async function run<A extends unknown[]>(
  target: (...args: A) => unknown,
  ...args: A
): Promise<void> {
  const process = new Process({ target, args });
  process.start();
  await process.join();
  assertEquals(process.exitcode, 0);
}

Deno.test("remote manager: a queue over TCP, is used by who knows the key", async () => {
  const authkey = key("abracadabra");
  await using manager = new QueueManager({ address: anywhere, authkey });
  await manager.start();
  const address = manager.address!;
  const values = [
    "hello",
    null,
    true,
    2.25,
    "hall\u00e5",
    "\u043f\u0440",
    new Uint8Array([1]),
    new Map(),
  ];
  await run(putRemotely, address, "abracadabra", values);
  await using user = new QueueUser({ address, authkey });
  await user.connect();
  const queue = await user.create("getQueue");
  assertInstanceOf(queue, QueueProxy);
  assertEquals(await queue.get(), values);
  // It is the same queue every time.
  await queue.put(5);
  assertEquals(await (await user.create("getQueue")).get(), 5);
  await assertRejects(() => queue.get({ timeout: 1 }), Empty);
  await assertRejects(() => queue.put(setTimeout));
});

Deno.test("remote manager: getServer, serves in this process", async () => {
  const authkey = key("k");
  const server = await new QueueManager({ address: anywhere, authkey }).getServer();
  const serving = server.serveForever();
  await using user = new QueueUser({ address: server.address, authkey });
  await user.connect();
  const queue = await user.create("getQueue");
  await run(putRemotely, server.address, "k", "from a process");
  assertEquals(await queue.get(), "from a process");
  await server.shutdown();
  await serving;
  await assertRejects(() => queue.get(), EOFError);
  await assertRejects(
    () => new QueueUser({ address: server.address, authkey }).connect(),
    Deno.errors.ConnectionRefused,
  );
});

Deno.test("remote manager: getServer without an address, makes one and removes it", async () => {
  const manager = new QueueManager();
  const server = await manager.getServer();
  const path = server.address as string;
  assert(Deno.statSync(path).isSocket);
  await server.shutdown();
  const folder = path.slice(0, path.lastIndexOf("/"));
  await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
});

Deno.test("remote manager: an address, can be used again at once", async () => {
  const authkey = key("k");
  const manager = new QueueManager({ address: anywhere, authkey });
  await manager.start();
  const address = manager.address!;
  await run(putRemotely, address, "k", "hello");
  assertEquals(await (await manager.create("getQueue")).get(), "hello");
  await manager.shutdown();
  const again = new QueueManager({ address, authkey });
  await again.start();
  await again.shutdown();
});

Deno.test("remote manager: who has another key, is turned away and disturbs nobody", async () => {
  await using manager = new QueueManager({ address: anywhere, authkey: key("right") });
  await manager.start();
  const { address } = manager;
  await assertRejects(
    () => new QueueUser({ address, authkey: key("wrong") }).connect(),
    AuthenticationError,
  );
  await assertRejects(() => new QueueUser({ address }).connect(), AuthenticationError);
  assertEquals(await (await manager.create("getQueue")).empty(), true);
});

Deno.test("remote manager: strangers and garbage, are dropped without harm", async () => {
  await using manager = new SyncManager({ address: anywhere, authkey: key("k") });
  await manager.start();
  const list = await manager.list([1]);
  const address = manager.address as { hostname: string; port: number };
  const messages = [
    [],
    [0],
    [0, 1],
    [0, 1, 0],
    [0, 1, 1],
    [0, 1, 9],
    [255, 255, 0],
    [0, 1, 0, 255, 255],
    [0, 1, 0, 0, 3, 1, 2, 3],
    ...Array.from({ length: 40 }, () => [...crypto.getRandomValues(new Uint8Array(300))]),
  ];
  const strangers = await Promise.all(messages.map(async (bytes) => {
    const conn = await Deno.connect(address);
    await conn.write(new Uint8Array(bytes)).catch(() => {});
    return conn;
  }));
  assertEquals(await list.getvalue(), [1]);
  for (const conn of strangers) conn.close();
  // More than are let in at a time: the oldest are dropped, and who knows the key gets in.
  const crowd = await Promise.all(Array.from({ length: 200 }, () => Deno.connect(address)));
  await using user = new SyncManager({ address, authkey: key("k") });
  await user.connect();
  await list.append(2);
  assertEquals(await list.getvalue(), [1, 2]);
  for (const conn of crowd) conn.close();
});

Deno.test("remote manager: garbage behind a call that is still being read, is dropped without harm", async () => {
  const authkey = key("k");
  await using manager = new SyncManager({ authkey });
  await manager.start();
  const list = await manager.list([1]);
  const peer = await Peer.at(manager.address!, { kind: "authkey", bytes: authkey });
  await peer.next();
  // What is not plain data takes the server a moment; the second comes along with it.
  const args = encode(["list", [new Map([[1, 2n]])]], "a call", () => {});
  sendCall(peer.wire, 1, SERVER, "create", NO_SIGNAL, args);
  sendCall(peer.wire, 2, SERVER, "create", NO_SIGNAL, "{nonsense");
  await peer.wire.ended;
  assertEquals(await list.getvalue(), [1]);
});

Deno.test("remote manager: a type that the server has not, is a RemoteError", async () => {
  class Server extends BaseManager {}
  await using manager = new Server();
  await manager.start();
  class User extends BaseManager {}
  User.register("Maths", { callable: Maths });
  await using user = new User({ address: manager.address });
  await user.connect();
  await assertRejects(() => user.create("Maths"), RemoteError, "Maths");
});

Deno.test("remote manager: a type without callable, takes the object itself", async () => {
  class Shelf extends BaseManager {}
  Shelf.register("shelf");
  await using manager = new Shelf();
  await manager.start();
  const list = await manager.create("shelf", [1, 2]);
  assertEquals(await list.length(), 2);
  await assertRejects(() => manager.create("shelf"), TypeError);
  await assertRejects(() => manager.create("shelf", 1, 2), TypeError);
});

Deno.test("remote manager: a lock of the server's own, is found by its kind", async () => {
  class Locks extends BaseManager {}
  Locks.register("own", { callable: Lock });
  const server = await new Locks().getServer();
  await using user = new Locks({ address: server.address });
  await user.connect();
  const lock = await user.create("own");
  assert(await lock.acquire());
  assert(!await lock.acquire({ timeout: 1 }));
  assertInstanceOf(lock, AcquirerProxy);
  await server.shutdown();
});

Deno.test("remote manager: proxies, reach processes that do not know the key", async () => {
  await using manager = new SyncManager({ authkey: key("nobody else has this") });
  await manager.start();
  const list = await manager.list<number>();
  // In its arguments, and through another object of another manager.
  await run(appendOne, list);
  await using other = new SyncManager();
  await other.start();
  const queue = await other.Queue<ListProxy<number>>();
  await queue.put(list);
  await run(sumLater, queue);
  assertEquals(await list.getvalue(), [1, 1]);
});

/** Somebody who speaks to a server frame by frame. */
class Peer {
  readonly wire: Wire;
  readonly #inbox: Uint8Array[] = [];
  #told = () => {};

  constructor(conn: Deno.TcpConn | Deno.UnixConn) {
    this.wire = new Wire(conn, (frame) => {
      this.#inbox.push(frame.slice());
      this.#told();
    });
    this.wire.ref();
  }

  static async at(address: ManagerAddress, key: Key): Promise<Peer> {
    return new Peer(await knock(address, key));
  }

  async next(): Promise<Uint8Array> {
    while (this.#inbox.length === 0) await new Promise<void>((resolve) => this.#told = resolve);
    return this.#inbox.shift()!;
  }
}

Deno.test("remote manager: who was only given a proxy, creates and ends nothing", async () => {
  const authkey = key("nobody else has this");
  await using manager = new SyncManager({ authkey });
  await manager.start();
  const address = manager.address!;
  const first = await Peer.at(address, { kind: "authkey", bytes: authkey });
  const { server } = readHello(await first.next());
  first.wire.close();
  await using other = new SyncManager({ authkey });
  await other.start();
  const list = await manager.list([1]);
  // What goes along with proxies.
  const { pass, wary } = await passesOf({ kind: "authkey", bytes: authkey }, server);
  for (const key of [{ kind: "pass", bytes: pass! }, { kind: "wary", bytes: wary }] as Key[]) {
    const peer = await Peer.at(address, key);
    assertEquals(readHello(await peer.next()).server, server);
    for (const [name, args] of [["create", ["list", []]], ["shutdown", []], ["debugInfo", []]]) {
      sendCall(peer.wire, 1, SERVER, name as string, NO_SIGNAL, JSON.stringify([args]));
      const answer = await peer.next();
      assertEquals(tagOf(answer), ERROR);
      const error = await decodeError(await valueIn(restOf(answer)) as Parcel);
      assertInstanceOf(error, RemoteError);
      assertStringIncludes(error.message, "authkey");
    }
    // Nor does it reach what others hold.
    for (let object = 1; object < 10; object++) {
      sendCall(peer.wire, object, object, "clear", NO_SIGNAL, "[[]]");
      assertEquals(tagOf(await peer.next()), ERROR);
    }
    assertEquals(await list.getvalue(), [1]);
    // Of another server it opens nothing, nor is one taken for the other.
    await assertRejects(() => knock(other.address!, key), AuthenticationError);
    const kind = key.kind === "pass" ? "wary" : "pass";
    await assertRejects(() => knock(address, { ...key, kind }), AuthenticationError);
    peer.wire.close();
  }
});
