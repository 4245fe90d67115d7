/**
 * Messages between two processes over `Pipe`, and over a connection of `Listener` and `Client`, beside CPython's `Pipe`, in turns.
 *
 * @module
 */
import { type Connection, Pipe, Process } from "@batteries/concurrent/multiprocessing";
import { type Address, Client, Listener } from "@batteries/concurrent/multiprocessing/connection";
import { beside, elsewhere, figure, type Group, print, type Row, takeTurns } from "./_measure.ts";

const TRIPS = 5_000;
const BIG = 200;
const MIB = new Uint8Array(1 << 20);

/** The other process: sends everything back. */
export async function echoBytes(connection: Connection): Promise<void> {
  for (;;) {
    const message = await connection.recvBytes();
    if (message.length === 0) return;
    await connection.sendBytes(message);
  }
}

/** The same for objects, up to `null`. */
export async function echo(connection: Connection): Promise<void> {
  for (;;) {
    const value = await connection.recv();
    if (value === null) return;
    await connection.send(value);
  }
}

/** Receives {@linkcode BIG} messages, and says so. */
export async function sink(connection: Connection): Promise<void> {
  for (;;) {
    for (let i = 0; i < BIG; i++) {
      if ((await connection.recvBytes()).length === 0) return;
    }
    await connection.sendBytes(Uint8Array.of(1));
  }
}

/** Sends {@linkcode BIG} messages whenever it is told to. */
export async function source(connection: Connection): Promise<void> {
  while ((await connection.recvBytes()).length > 0) {
    for (let i = 0; i < BIG; i++) await connection.sendBytes(MIB);
  }
}

/** Goes to an address and does one of the above there. */
export async function dial(address: Address, what: Party): Promise<void> {
  using connection = await Client(address);
  await parties[what](connection);
}

const parties = { echoBytes, echo, sink, source };
type Party = keyof typeof parties;

interface Peer {
  readonly connection: Connection;
  readonly process: Process;
}

function overPipe(what: Party): Peer {
  const [connection, there] = Pipe();
  const process = new Process({ target: parties[what], args: [there] });
  process.start();
  there.close();
  return { connection, process };
}

async function overSocket(what: Party): Promise<Peer> {
  using listener = new Listener();
  const process = new Process({ target: dial, args: [listener.address, what] });
  process.start();
  return { connection: await listener.accept(), process };
}

async function leave({ connection, process }: Peer, object: boolean): Promise<void> {
  if (object) await connection.send(null);
  else await connection.sendBytes(new Uint8Array());
  await process.join();
  connection.close();
}

/** Microseconds per turn. */
async function time(count: number, body: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await body();
  return (performance.now() - start) * 1000 / count;
}

const MESSAGE = new Uint8Array(64);
const VALUE = { id: 1, text: "hello" };

const subjects = {
  trip: {
    title: "round trip of 64 bytes",
    party: "echoBytes",
    target: { atMost: 1 },
    run: ({ connection }: Peer) =>
      time(TRIPS, async () => {
        for (let i = 0; i < TRIPS; i++) {
          await connection.sendBytes(MESSAGE);
          await connection.recvBytes();
        }
      }),
  },
  object: {
    title: "round trip of a small object",
    party: "echo",
    target: { atMost: 1 },
    run: ({ connection }: Peer) =>
      time(TRIPS, async () => {
        for (let i = 0; i < TRIPS; i++) {
          await connection.send(VALUE);
          await connection.recv();
        }
      }),
  },
  there: {
    title: "1 MiB to the other process",
    party: "sink",
    target: { atMost: 1 / 1.5 },
    run: ({ connection }: Peer) =>
      time(BIG, async () => {
        for (let i = 0; i < BIG; i++) await connection.sendBytes(MIB);
        await connection.recvBytes();
      }),
  },
  back: {
    title: "1 MiB from the other process",
    party: "source",
    target: { atMost: 1 / 1.5 },
    run: ({ connection }: Peer) =>
      time(BIG, async () => {
        await connection.sendBytes(Uint8Array.of(1));
        for (let i = 0; i < BIG; i++) await connection.recvBytes();
      }),
  },
} as const;

/** Runs the benchmark. */
export async function run(): Promise<Group[]> {
  const groups: Group[] = [];
  for (const [what, { title, party, target, run }] of Object.entries(subjects)) {
    const pipe = overPipe(party);
    const socket = await overSocket(party);
    const [byPipe, bySocket] = await takeTurns([() => run(pipe), () => run(socket)]);
    for (const peer of [pipe, socket]) await leave(peer, what === "object");
    const script = new URL("peers/python_pipe.py", import.meta.url).pathname;
    const python = await elsewhere("python3", [script, what]);
    const floor: Row | undefined = python && figure("CPython's Pipe", "us", python);
    const rows = [figure("Pipe", "us", byPipe), figure("Listener and Client", "us", bySocket)];
    groups.push({
      group: `Connection, ${title}`,
      rows: floor === undefined ? rows : [...rows.map((row) => beside(row, floor, target)), floor],
    });
  }
  return groups;
}

if (import.meta.main) print(await run());
