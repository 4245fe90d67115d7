import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { Process } from "@batteries/concurrent/multiprocessing";
import {
  address,
  attach,
  cameHome,
  type Handle,
  HomeGoneError,
  offer,
  redeem,
  type Service,
  TAG,
} from "../../multiprocessing/_tree.ts";
import { type Link, type Receive, SocketLink, u32 } from "../../multiprocessing/_link.ts";
import {
  count,
  echo,
  fails,
  giveBack,
  giveUp,
  hang,
  hold,
  intrude,
  letGo,
  many,
  nest,
  serve,
  visit,
} from "../fixtures/multiprocessing/tree_parties.ts";

/** An object of this process that keeps what it is told, in order. */
class Board implements Service {
  readonly said: unknown[] = [];
  readonly offer = offer(this);
  readonly taken: Handle[] = [];
  readonly aborted: unknown[] = [];
  #changed = Promise.withResolvers<void>();

  call(method: string, args: unknown[], from: string, signal: AbortSignal): unknown {
    switch (method) {
      case "echo":
        return args[0];
      case "say":
        return this.#add(args.length === 1 ? args[0] : args);
      case "take":
        this.taken.push(args[0] as Handle);
        return this.#add("taken");
      case "fail":
        throw args[0];
      case "hang":
        this.#add("hanging");
        signal.addEventListener("abort", () => {
          this.aborted.push(signal.reason.message);
          this.#add(`aborted ${from}`);
        });
        return new Promise(() => {});
      default:
        throw new TypeError(`no method ${method}`);
    }
  }

  arrived(): void {
    this.#add("arrived");
  }

  gone(): void {
    this.#add("gone");
  }

  #add(what: unknown): void {
    this.said.push(what);
    this.#changed.resolve();
  }

  /** Until that was said. The children that say it hold the event loop. */
  async until(what: unknown): Promise<void> {
    while (!this.said.includes(what)) {
      this.#changed = Promise.withResolvers();
      await this.#changed.promise;
    }
  }
}

async function play<A extends unknown[]>(
  target: (...args: A) => Promise<void>,
  ...args: A
): Promise<void> {
  const process = new Process({ target, args });
  process.start();
  await process.join();
  assertEquals(process.exitcode, 0);
}

Deno.test("tree: the first process, has the empty address", () => {
  assertEquals(address(), "");
});

Deno.test("tree: a child's calls, arrive and are answered, whatever the value", async () => {
  const board = new Board();
  const big = new Uint8Array(3_000_000).fill(7);
  await play(echo, board.offer.handle(), new Map([["a", [1n, undefined]]]));
  await play(echo, board.offer.handle(), big);
  assertEquals(board.said.length, 6);
  assertEquals(board.said[0], "arrived");
  assert(String(board.said[1]).endsWith(': Map(1) { "a" => [ 1n, undefined ] }'));
  assertEquals(board.said.slice(2, 4), ["gone", "arrived"]);
  assert(String(board.said[4]).includes("Uint8Array(3000000) [\n"));
});

Deno.test("tree: tells and calls of one node, are begun in order", async () => {
  const board = new Board();
  await play(count, board.offer.handle(), 1000);
  assertEquals(board.said, ["arrived", ...Array.from({ length: 1000 }, (_, i) => i), "gone"]);
});

Deno.test("tree: what a method throws, is thrown at the caller", async () => {
  const board = new Board();
  await play(fails, board.offer.handle());
  assertEquals(board.said, ["arrived", [true, "no such thing"], "gone"]);
});

Deno.test("tree: a thousand calls at once, are all answered", async () => {
  const board = new Board();
  await play(many, board.offer.handle(), 1000);
  assertEquals(board.said, ["arrived", true, "gone"]);
});

Deno.test("tree: a handle handed on to a grandchild's child, reaches home", async () => {
  const board = new Board();
  await play(nest, board.offer.handle(), 3);
  const said = board.said.filter((what) => typeof what === "string" && what.startsWith("/"));
  const [top] = said.slice(-1) as string[];
  assertEquals(said, [`${top}/0/0/0`, `${top}/0/0`, `${top}/0`, top]);
});

Deno.test("tree: an object of a child, is called from here and from another child, which is told when its home dies", async () => {
  const board = new Board();
  const server = new Process({ target: serve, args: [board.offer.handle()] });
  server.start();
  await board.until("taken");
  const remote = redeem(board.taken[0]);
  const { home } = remote;
  assertEquals(await remote.call("hello", []), [home, "", "hello"]);
  board.said.length = 0;
  await play(visit, board.offer.handle(), remote.handle());
  const guest = board.said.find((what) => Array.isArray(what)) as string[];
  assertEquals([guest[0], guest[2], guest[3] as unknown], [home, "hello", 1]);
  // It is told that the visitor has gone, though it did not say goodbye.
  await board.until(`${home} gone ${guest[1]}`);
  const hanging = assertRejects(() => remote.call("hang", []), HomeGoneError, home);
  const dying = assertRejects(() => remote.call("die", []), HomeGoneError);
  await hanging;
  await dying;
  await server.join();
  assertEquals(server.exitcode, 3);
  await assertRejects(() => remote.call("hello", []), HomeGoneError, "that process has ended");
  remote.tell("hello", []);
});

Deno.test("tree: a child that is killed, lets go of what it held, and its calls are aborted", async () => {
  const board = new Board();
  const holder = new Process({ target: hold, args: [board.offer.handle()] });
  holder.start();
  await board.until("holding");
  holder.kill();
  await holder.join();
  assertEquals(board.said, ["arrived", "holding", "gone"]);
  const caller = new Process({ target: hang, args: [board.offer.handle()] });
  caller.start();
  await board.until("hanging");
  caller.kill();
  await caller.join();
  assertEquals(board.aborted, ["The caller has ended"]);
  assertEquals(board.said.slice(-1), ["gone"]);
});

Deno.test("tree: a call that is given up, rejects there and is aborted here", async () => {
  const board = new Board();
  await play(giveUp, board.offer.handle());
  assertEquals(board.aborted, ["The caller has given up"]);
  assertEquals(board.said.at(-2), "enough");
});

Deno.test("tree: who lets go, is heard with what it had told before, and cannot call any more", async () => {
  const [first, second] = [new Board(), new Board()];
  await play(letGo, first.offer.handle(), second.offer.handle());
  assertEquals(first.said, ["arrived", "before", "gone"]);
  assertEquals(second.said, [
    "arrived",
    "after",
    "Cannot call an object of another process: it was let go",
    "gone",
  ]);
});

Deno.test("tree: who has no handle, reaches nothing", async () => {
  const [board, secret] = [new Board(), new Board()];
  const { home, id } = secret.offer.handle();
  await play(intrude, board.offer.handle(), home, id);
  assertEquals(secret.said, []);
  assertEquals(board.said, ["arrived", "HomeGoneError", "gone"]);
});

Deno.test("tree: a handle that comes home, is the object itself", async () => {
  const [board, mine] = [new Board(), new Board()];
  await play(giveBack, board.offer.handle(), mine.offer.handle());
  assertEquals(mine.said, ["arrived", "gone"]);
  // The giver has ended: its transit with it, and nobody holds the object.
  assertEquals(cameHome(board.taken[0]), undefined);
  assertStrictEquals(cameHome(mine.offer.handle()), mine);
  const near = redeem(mine.offer.handle());
  assertEquals(await near.call("echo", ["here"]), "here");
  near.tell("say", ["told"]);
  near.let();
  assertEquals(mine.said.slice(2), ["arrived", "told", "gone"]);
});

Deno.test("tree: an object that nobody holds, is forgotten", async () => {
  const board = new Board();
  const handle = board.offer.handle();
  redeem(handle).let();
  assertEquals(cameHome(handle), undefined);
  await assertRejects(() => redeem(handle).call("echo", [1]), HomeGoneError);
});

Deno.test("tree: calls of an address that never was, reject", async () => {
  const nobody = redeem({ home: "/4711", id: 1, transit: "/4711!1.x" });
  await assertRejects(() => nobody.call("echo", []), HomeGoneError, "process /4711");
  const below = redeem({ home: "/4711/2", id: 1, transit: "/4711!1.x" });
  await assertRejects(() => below.call("echo", []), HomeGoneError);
});

Deno.test("link: a frame that is sent at any moment around the end of a write, is written", async () => {
  for (let turns = 0; turns < 20; turns++) {
    const written: Uint8Array[] = [];
    const conn = {
      unref() {},
      ref() {},
      close() {},
      read: () => new Promise<null>(() => {}),
      write: async (bytes: Uint8Array) => {
        await Promise.resolve();
        written.push(bytes.slice());
        return bytes.length;
      },
    };
    const link = new SocketLink(conn as unknown as Deno.Conn);
    link.send(Uint8Array.of(1));
    for (let i = 0; i < turns; i++) await Promise.resolve();
    link.send(Uint8Array.of(2));
    for (let i = 0; i < 50; i++) await Promise.resolve();
    const bytes = written.flatMap((chunk) => [...chunk]);
    assertEquals(bytes, [1, 0, 0, 0, 1, 1, 0, 0, 0, 2], `after ${turns} turns`);
  }
});

Deno.test("link: frames of every length, arrive whole however the stream is cut", async () => {
  const path = `${await Deno.makeTempDir()}/link`;
  const listener = Deno.listen({ transport: "unix", path });
  const [far, conn] = await Promise.all([
    Deno.connect({ transport: "unix", path }),
    listener.accept(),
  ]);
  listener.close();
  const lengths = [0, 1, 3, 65_531, 65_532, 65_533, 16_384, 16_385, 1_000_000, 2, 0, 200_000];
  const arrived: number[] = [];
  const link = new SocketLink(conn);
  link.open((frame) => {
    arrived.push(frame.length);
    assertEquals(frame.every((byte) => byte === frame.length % 251), true);
  });
  const stream = new Uint8Array(lengths.reduce((sum, length) => sum + 4 + length, 0));
  let at = 0;
  for (const length of lengths) {
    stream.set(u32(length), at);
    stream.fill(length % 251, at + 4, at + 4 + length);
    at += 4 + length;
  }
  for (let from = 0, cut = 1; from < stream.length; from += cut, cut = cut * 3 % 70_001) {
    const part = stream.subarray(from, from + cut);
    let rest = part;
    while (rest.length > 0) rest = rest.subarray(await far.write(rest));
  }
  // Half a frame: nothing is seen of it.
  await far.write(Uint8Array.of(9, 0, 0, 0, 1, 2));
  far.close();
  link.ref();
  await link.ended;
  assertEquals(arrived, lengths);
  await Deno.remove(path.slice(0, -5), { recursive: true });
});

/** A neighbour that says what the test tells it to. */
class Puppet implements Link {
  readonly #ended = Promise.withResolvers<void>();
  readonly heard: number[] = [];
  readonly #address: string;
  #receive: Receive | undefined;
  held = 0;

  constructor(number: number) {
    this.#address = `/${number}`;
    attach(number, this);
  }

  /** Sends a frame to the first process. */
  say(tag: number, ...body: Uint8Array[]): void {
    this.sayAs(this.#address, tag, ...body);
  }

  sayAs(from: string, tag: number, ...body: Uint8Array[]): void {
    const head = new TextEncoder().encode(String.fromCharCode(tag, 0, from.length) + from);
    this.#receive!(new Uint8Array([head, ...body].flatMap((part) => [...part])));
  }

  send(head: Uint8Array): void {
    this.heard.push(head[0]);
  }

  push(): void {}
  flush = () => Promise.resolve();
  open(receive: Receive | undefined): void {
    this.#receive = receive;
  }
  ref(): void {
    this.held++;
  }
  unref(): void {
    this.held--;
  }
  close(): void {
    this.#ended.resolve();
  }
  get ended(): Promise<void> {
    return this.#ended.promise;
  }
}

const text = (words: string) => new TextEncoder().encode(words);
/** `say("x")`, as a node sends it. */
const sayX = [Uint8Array.of(0, 3), text("say"), u32(6), text('\x07["x"]')];

Deno.test("tree: a handle that is redeemed before its sender has registered it, works when it has", async () => {
  const board = new Board();
  const [giver, taker] = [new Puppet(9001), new Puppet(9002)];
  const { id, transit } = board.offer.handle();
  giver.say(TAG.REDEEM, u32(0), u32(id), text(transit));
  assertEquals(board.said, ["arrived"]);
  taker.say(TAG.REDEEM, u32(0), u32(id), text("/9001!1.abc"));
  taker.say(TAG.TELL, u32(0), u32(id), ...sayX);
  taker.say(TAG.CALL, u32(1), u32(id), ...sayX);
  assertEquals(board.said, ["arrived"]);
  // The giver tells, and lets go of its own.
  giver.say(TAG.TRANSIT, u32(0), u32(id), text("/9001!1.abc"));
  giver.say(TAG.LET, u32(0), u32(id), u32(1));
  assertEquals(board.said, ["arrived", "arrived", "gone"]);
  await board.until("x");
  while (!taker.heard.includes(TAG.RESULT)) await Promise.resolve();
  assertEquals(board.said, ["arrived", "arrived", "gone", "x", "x"]);
  // A transit is good once.
  const thief = new Puppet(9003);
  thief.say(TAG.REDEEM, u32(0), u32(id), text("/9001!1.abc"));
  thief.say(TAG.CALL, u32(1), u32(id), ...sayX);
  assertEquals(thief.heard, [TAG.NOBODY]);
  for (const puppet of [giver, taker, thief]) puppet.close();
  await Promise.resolve();
  assertEquals(board.said.slice(5), ["gone"]);
});

Deno.test("tree: a handle whose sender dies before it has registered it, is worth nothing", async () => {
  const board = new Board();
  const [giver, taker] = [new Puppet(9011), new Puppet(9012)];
  const { id, transit } = board.offer.handle();
  giver.say(TAG.REDEEM, u32(0), u32(id), text(transit));
  taker.say(TAG.REDEEM, u32(0), u32(id), text("/9011!1.abc"));
  taker.say(TAG.CALL, u32(1), u32(id), ...sayX);
  giver.close();
  while (!taker.heard.includes(TAG.NOBODY)) await Promise.resolve();
  assertEquals(board.said, ["arrived", "gone"]);
  taker.close();
  await taker.ended;
});

Deno.test("tree: a node that speaks for another, is not heard", async () => {
  const board = new Board();
  const [honest, liar] = [new Puppet(9021), new Puppet(9022)];
  const { id, transit } = board.offer.handle();
  honest.say(TAG.REDEEM, u32(0), u32(id), text(transit));
  liar.sayAs("/9021", TAG.LET, u32(0), u32(id), u32(1));
  liar.sayAs("", TAG.TELL, u32(0), u32(id), ...sayX);
  liar.say(TAG.GONE, text("/9021"));
  assertEquals(board.said, ["arrived"]);
  for (const puppet of [honest, liar]) puppet.close();
  await Promise.resolve();
  await Promise.resolve();
  assertEquals(board.said, ["arrived", "gone"]);
});
