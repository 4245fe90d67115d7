/**
 * The decoders of the library, each with bytes that are sound for it and with what has to hold whatever it is fed.
 *
 * A target fails by throwing {@linkcode Broken}, by ending the process, by not coming back, or by keeping memory; see `main.ts`. That
 * bytes are refused is none of these.
 *
 * @module
 */
import { decode, decodeSync, encode } from "../../threading/_core/bytes.ts";
import { PicklingError } from "../../threading/_core/errors.ts";
import { serialize } from "../../threading/_core/plain.ts";
import { bytes as compacted, compact, expandBytes } from "../../queue/_compact.ts";
import {
  answerChallenge,
  deliverChallenge,
  greet,
  introduce,
} from "../../multiprocessing/_auth.ts";
import { Incoming } from "../../multiprocessing/_channel_socket.ts";
import { AuthenticationError } from "../../multiprocessing/errors.ts";
import { SocketLink } from "../../multiprocessing/_link.ts";
import { BUFFER, WAKE_TAG, Wire } from "../../multiprocessing/_manager_socket.ts";
import * as wire from "../../multiprocessing/_manager_wire.ts";
import { PAGE, Ring, RING_WORDS, type RingMemory } from "../../multiprocessing/_ring.ts";
import { ShareableList, SharedMemory } from "../../multiprocessing/shared_memory.ts";
import { Point } from "../fixtures/pickle/points.ts";
import { double } from "../fixtures/pickle/tasks.ts";
import { damaged, type Dice, joined } from "./bytes.ts";
import { framesOf, LITTLE, NETWORK, Script } from "./streams.ts";

/** Something that had to hold does not. */
export class Broken extends Error {
  override name = "Broken";
}

/** See the head of this file. */
export interface Target extends Partial<Disposable> {
  readonly name: string;
  /** Feeds it input number so-and-so; `dice` are that input's own. */
  feed(dice: Dice): void | Promise<void>;
}

/** Every decoder, made anew. */
export function targets(): Target[] {
  return [
    values(),
    compactValues(),
    treeFrames(),
    messages(),
    handshakes(),
    managerFrames(),
    lists(),
    rings(),
  ];
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}

const utf8 = (text: string) => new TextEncoder().encode(text);

function encoded(value: unknown): Uint8Array {
  return encode(value, "send", encoded);
}

/** A value for which a module has to be imported that tells when it is: only `decode` may do that, with bytes of somebody known. */
const TRIPWIRE = joined(
  Uint8Array.of(12),
  serialize({
    value: null,
    specials: [{
      kind: "function",
      reference: {
        how: "export",
        module: import.meta.resolve("../fixtures/fuzz/tripwire.ts"),
        path: ["work"],
      },
    }],
    places: [],
    root: 0,
  }),
);

/** Fails when a module was run for the sake of bytes. */
export function mustNotHaveTripped(): void {
  must(!("tripped" in globalThis), "a module was imported for the sake of bytes of a stranger");
}

/** Values of every form that the codec has. */
const SOUND_VALUES = [
  undefined,
  1.5,
  "text",
  "half \ud800",
  10n ** 40n,
  new Uint8Array(40),
  new Float64Array([1, 2]),
  { id: 1, list: [1, "two", null], deep: { a: { b: true } } },
  { number: -0.5, wide: "\u1234 \ud800", no: undefined, rest: [[], [{ id: 2 }]] },
  { id: 1, large: ["x".repeat(600), { a: null }] },
  new Map<unknown, unknown>([[1, new Set([1, "a"])], ["date", new Date(5)]]),
  [new Int16Array(4), new DataView(new ArrayBuffer(8)), /a/gi, new RangeError("no")],
  new Point(1, { other: new Point(2) }),
  { fn: double, points: [new Point(3)], error: new TypeError("x", { cause: new Point(4) }) },
].map(encoded);

function values(): Target {
  return {
    name: "values",
    async feed(dice) {
      const bytes = damaged(dice.pick(SOUND_VALUES), SOUND_VALUES, dice);
      const before = bytes.slice();
      const PARCEL = 12;
      let sync: unknown;
      let refused = false;
      try {
        sync = decodeSync(bytes);
      } catch (error) {
        refused = true;
        must(error instanceof Error, "something else than an error is thrown");
        must(
          error instanceof PicklingError || bytes[0] === PARCEL,
          `${error.name} is thrown: ${error.message}`,
        );
      }
      try {
        const value = await decode(bytes);
        must(!refused || bytes[0] === PARCEL, "decodeSync refuses what decode takes");
        must(typeof sync === typeof value || refused, "decode and decodeSync differ");
        if (ArrayBuffer.isView(value)) bytes.fill(0);
        must(
          !ArrayBuffer.isView(value) || value.buffer !== bytes.buffer,
          "the value lies in the message",
        );
      } catch (error) {
        if (error instanceof Broken) throw error;
        must(refused || bytes[0] === PARCEL, "decode refuses what decodeSync takes");
      }
      must(bytes.length === before.length, "the message is changed");
    },
  };
}

function compactValues(): Target {
  const sound = [
    [1, -1, 2.5, "ascii", "wide \u1234", true, false, undefined, null],
    { id: 1, name: "a", deep: { list: [[], [1, [2, [3]]]], text: "x".repeat(300) } },
    Array.from({ length: 100 }, (_, i) => i),
  ].map((value) => compacted.slice(0, compact(value)));
  return {
    name: "compact values",
    feed(dice) {
      const bytes = damaged(dice.pick(sound), sound, dice);
      try {
        expandBytes(bytes);
      } catch (error) {
        must(
          error instanceof TypeError || error instanceof RangeError,
          `${(error as Error).name} is thrown`,
        );
      }
    },
  };
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

/** Some frames one after another, of which few are long, and damages. */
function stream(dice: Dice, frame: (body: Uint8Array) => Uint8Array): Uint8Array<ArrayBuffer> {
  const frames = Array.from({ length: dice.below(6) }, () =>
    frame(
      dice.once(12)
        ? new Uint8Array(66_000 + dice.below(9))
        : dice.once(4)
        ? TRIPWIRE
        : dice.bytes(dice.below(40)),
    ));
  const sound = joined(...frames);
  return dice.once(4) ? sound : damaged(sound, [sound], dice) as Uint8Array<ArrayBuffer>;
}

function mustBeFrames(got: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  must(got.length === expected.length, `${got.length} frames instead of ${expected.length}`);
  got.forEach((frame, i) => {
    must(
      frame.length === expected[i].length && frame.every((byte, at) => byte === expected[i][at]),
      `frame ${i} is not what was sent`,
    );
  });
}

function treeFrames(): Target {
  return {
    name: "frames of the tree",
    async feed(dice) {
      const bytes = stream(dice, (body) => joined(u32(body.length), body));
      const script = new Script(bytes, dice);
      const link = new SocketLink(script.conn);
      const got: Uint8Array[] = [];
      if (dice.once(2)) await Promise.resolve();
      link.open((frame) => got.push(frame));
      await link.ended;
      must(script.closed, "the socket is left open");
      mustBeFrames(got, framesOf(bytes, LITTLE(0)));
    },
  };
}

function messages(): Target {
  return {
    name: "messages of connections",
    async feed(dice) {
      const bytes = stream(dice, (body) => {
        const header = new DataView(new ArrayBuffer(12));
        if (!dice.once(4)) {
          header.setInt32(0, body.length);
          return joined(new Uint8Array(header.buffer, 0, 4), body);
        }
        header.setInt32(0, -1);
        header.setBigUint64(4, BigInt(body.length));
        return joined(new Uint8Array(header.buffer), body);
      });
      // Beyond it the engine's compiled code is wrong about lengths (Deno 2.9.6: `array.length > 0` may be false).
      const most = 2 ** 31 - 1;
      const longest = dice.pick([256, 100_000, most]);
      const script = new Script(bytes, dice);
      const incoming = new Incoming();
      const got: Uint8Array[] = [];
      try {
        for (;;) {
          for (let next = incoming.next(longest); next !== undefined;) {
            got.push(next);
            next = incoming.next(longest);
          }
          const room = incoming.room();
          must(room.length > 0, "there is no room to read to");
          must(
            longest === most || room.buffer.byteLength <= Math.max(longest, 64 * 1024),
            `${room.buffer.byteLength} bytes are kept for a message of at most ${longest}`,
          );
          const count = await script.read(room);
          if (count === null) break;
          incoming.add(count);
        }
      } catch (error) {
        must(
          error instanceof Deno.errors.InvalidData || (error as Error).name === "BufferTooShort" ||
            /too long|at most/.test((error as Error).message),
          `${(error as Error).name} is thrown: ${(error as Error).message}`,
        );
      }
      const { refuses } = NETWORK;
      const header = { ...NETWORK, refuses: (n: number) => n > longest || refuses(n) };
      mustBeFrames(got, framesOf(bytes, header));
    },
  };
}

function handshakes(): Target {
  const KEY = utf8("a key");
  const OPEN = utf8("#OPEN#");
  const sound = [
    OPEN,
    utf8("#WELCOME#"),
    utf8("#FAILURE#"),
    utf8(`#CHALLENGE#{sha256}${"r".repeat(40)}`),
    utf8(`{sha256}${"m".repeat(32)}`),
    utf8(`{sha384}${"m".repeat(48)}`),
    TRIPWIRE,
  ];
  const roles = [
    { keyed: true, play: (peer: Peer) => greet(peer, KEY) },
    { keyed: true, play: (peer: Peer) => introduce(peer, KEY) },
    { keyed: true, play: (peer: Peer) => deliverChallenge(peer, KEY) },
    // Who only answers asks for no proof: any welcome will do.
    { keyed: undefined, play: (peer: Peer) => answerChallenge(peer, KEY) },
    { keyed: false, play: (peer: Peer) => greet(peer, null) },
    { keyed: false, play: (peer: Peer) => introduce(peer, null) },
  ];
  /** A peer that says what it likes, and then what it was told, which is as near as it gets. */
  class Peer {
    readonly told: Uint8Array[] = [];
    readonly said: Uint8Array[] = [];
    constructor(readonly dice: Dice) {}
    sendBytes(bytes: Uint8Array): void {
      this.told.push(bytes.slice());
    }
    recvBytes(longest?: number): Uint8Array {
      must(longest !== undefined && longest <= 256, "a stranger may send any length");
      const { dice } = this;
      must(this.said.length < 8, "it goes on for ever");
      const known = [...sound, ...this.told];
      const message = dice.once(3) ? dice.pick(known) : damaged(dice.pick(known), known, dice);
      if (message.length > longest) throw new AuthenticationError("too long");
      this.said.push(message);
      return message;
    }
  }
  return {
    name: "handshakes",
    async feed(dice) {
      const { keyed, play } = dice.pick(roles);
      const peer = new Peer(dice);
      let accepted = true;
      try {
        await play(peer);
      } catch (error) {
        if (error instanceof Broken) throw error;
        accepted = false;
        must(error instanceof AuthenticationError, `${(error as Error).name} is thrown`);
      }
      must(!(accepted && keyed), "a peer without the key is let in");
      const [first] = peer.said;
      const isOpen = first?.length === OPEN.length && first.every((byte, i) => byte === OPEN[i]);
      if (keyed === false) must(accepted === isOpen, "a peer is let in that said something else");
      const secret = String.fromCharCode(...KEY);
      must(
        peer.told.every((message) => !String.fromCharCode(...message).includes(secret)),
        "the key is told",
      );
    },
  };
}

/** What a manager and its clients send each other, as bytes. */
async function managerTalk(): Promise<Uint8Array[]> {
  const sent: Uint8Array[] = [];
  const sink = {
    read: () => new Promise<null>(() => {}),
    write(bytes: Uint8Array) {
      sent.push(bytes.slice());
      return Promise.resolve(bytes.length);
    },
    close() {},
    ref() {},
    unref() {},
  };
  const out = new Wire(sink as unknown as Deno.UnixConn, () => {});
  const each = async (send: () => void) => {
    send();
    await out.flush();
  };
  const args = [{ list: [1, "two"] }, null];
  await each(() => wire.sendCall(out, 7, 3, "append", wire.NO_SIGNAL, wire.jsonBody(args)!));
  await each(() =>
    wire.sendCall(out, 8, 3, "put", 1, wire.encodedBody(args, "call", each, "arguments"))
  );
  await each(() => wire.sendCancel(out, 7));
  await each(() => wire.sendRelease(out, 3, 2));
  await each(() => wire.sendTicket(out, wire.REDEEM, 3, crypto.randomUUID()));
  await each(() => wire.sendHello(out, { server: "s", session: "t" }));
  await each(() => wire.sendAnswer(out, wire.RESULT, 7, wire.jsonBody("result")!));
  out.close();
  return sent;
}

function managerFrames(): Target {
  let talk: Uint8Array[] | undefined;
  return {
    name: "frames of managers",
    async feed(dice) {
      talk ??= await managerTalk();
      const sound = joined(...Array.from({ length: 1 + dice.below(4) }, () => dice.pick(talk!)));
      const bytes = dice.once(8)
        ? joined(u32(70_000), new Uint8Array(70_000).fill(dice.below(9)), sound)
        : damaged(sound, talk, dice) as Uint8Array<ArrayBuffer>;
      const script = new Script(bytes, dice);
      const got: Uint8Array[] = [];
      const end = new Wire(script.conn, (frame) => got.push(frame.slice()));
      await end.ended;
      must(script.closed, "the socket is left open");
      // What only wakes somebody is for the socket's user alone, unless it is longer than such a frame ever is.
      const isWake = (frame: Uint8Array) => frame[0] === WAKE_TAG && frame.length + 4 <= BUFFER;
      mustBeFrames(got, framesOf(bytes, LITTLE(5)).filter((frame) => !isWake(frame)));
      for (const frame of got) await readManagerFrame(frame);
    },
  };
}

/** As server and client read it, whatever its tag. */
async function readManagerFrame(frame: Uint8Array): Promise<void> {
  must(Number.isInteger(wire.tagOf(frame)) && Number.isInteger(wire.numberOf(frame)), "no numbers");
  const { name, args } = wire.readCall(frame);
  must(name.length <= wire.LONGEST_NAME, "a name is longer than it can be");
  const reads = [() => wire.readHello(frame), () => wire.valueIn(wire.restOf(frame))];
  for (const read of [...reads, () => wire.valueIn(args)]) {
    try {
      await read();
    } catch (error) {
      must(error instanceof Error, "something else than an error is thrown");
    }
  }
  must(typeof wire.ticketIn(frame) === "string", "no ticket");
  wire.countIn(frame);
}

function lists(): Target {
  let sound: Uint8Array[] = [];
  let memory: SharedMemory | undefined;
  const begin = () => {
    const items = ["howdy", new Uint8Array(20), -273.154, 100, null, true, 2n ** 60n];
    const list = new ShareableList(items);
    sound = [list.shm.buf.slice()];
    list.shm.close();
    list.shm.unlink();
    return new SharedMemory({ create: true, size: sound[0].length });
  };
  return {
    name: "headers of ShareableList",
    feed(dice) {
      memory ??= begin();
      const bytes = damaged(sound[0], sound, dice);
      memory.buf.fill(0);
      memory.buf.set(bytes.subarray(0, memory.size));
      let list: ShareableList;
      try {
        list = new ShareableList(undefined, { name: memory.name });
      } catch (error) {
        must(error instanceof RangeError, `${(error as Error).name} is thrown`);
        return;
      }
      using _ = list;
      const items = [...list];
      must(
        items.length === list.length && list.length < 100,
        "it has more items than there is room",
      );
      void [list.format, `${list}`, list.indexOf("howdy"), list.count(null)];
      for (let i = 0; i < list.length; i++) {
        try {
          list.set(i, dice.pick(["", "text", 7, null, new Uint8Array(9)]));
        } catch (error) {
          must(error instanceof RangeError, `${(error as Error).name} is thrown by set`);
        }
      }
    },
    [Symbol.dispose]() {
      memory?.close();
      memory?.unlink();
    },
  };
}

/** Memory of a ring, which has an end. */
class Pages implements RingMemory {
  bytes = new Uint8Array(PAGE);
  reach(at: number, pages: number): Uint8Array {
    const [from, to] = [at * PAGE, (at + pages) * PAGE];
    if (!(from >= 0 && to <= this.bytes.length)) throw new RangeError("outside of the memory");
    return this.bytes.subarray(from, to);
  }
  resize(pages: number): void {
    if (!(pages > 0 && pages <= 64)) throw new RangeError("no room");
    const bytes = new Uint8Array(pages * PAGE);
    bytes.set(this.bytes.subarray(0, bytes.length));
    this.bytes = bytes;
  }
}

/** The words of a ring that say where it lies, in both states; see `_ring.ts`. */
const PLACES = [16 + 5, 16 + 6, 32 + 5, 32 + 6];

/**
 * A ring believes where it lies: who can write that has the memory of all who use it mapped, and needs no ring to do harm. The rest of
 * its words, and the lengths of its items, are damaged.
 */
function rings(): Target {
  return {
    name: "control words of rings",
    feed(dice) {
      const words = new Int32Array(RING_WORDS);
      const pages = new Pages();
      const ring = new Ring(words, pages);
      ring.begin();
      for (let left = dice.below(6); left > 0; left--) ring.push(dice.bytes(dice.below(50)));
      const bytes = dice.once(2)
        ? new Uint8Array(words.buffer)
        : pages.bytes.subarray(0, 256) as Uint8Array<ArrayBuffer>;
      const places = PLACES.map((place) => words[place]);
      bytes.set(damaged(bytes, [bytes], dice).subarray(0, bytes.length));
      PLACES.forEach((place, i) => words[place] = places[i]);
      // Both states are sound but for their numbers.
      for (const place of [16 + 6, 32 + 6]) words[place] ||= 1;
      for (let step = 0; step < 8; step++) {
        try {
          if (dice.once(3)) ring.push(dice.bytes(5), dice.once(4));
          else if (dice.once(5)) ring.done();
          else ring.pop(dice.once(2));
          void [ring.size, ring.unfinished, ring.capacity, ring.hasRoom(9)];
        } catch (error) {
          must(
            error instanceof Deno.errors.InvalidData || error instanceof RangeError,
            `${(error as Error).name} is thrown`,
          );
        }
      }
    },
  };
}
