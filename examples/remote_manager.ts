/**
 * A remote manager in the manner of Python's "Using a remote manager": one program has a queue, others use it over the network.
 *
 * ```sh
 * deno run -A examples/remote_manager.ts serve 50000      # in one terminal
 * deno run -A examples/remote_manager.ts put 50000 hello  # in another, or on another computer with its host name
 * deno run -A examples/remote_manager.ts get 50000
 * deno run -A examples/remote_manager.ts stop 50000
 * ```
 *
 * @module
 */
import { BaseManager } from "@batteries/concurrent/multiprocessing/managers";
import { Queue } from "@batteries/concurrent/queue";

/** Client and server prove to each other that they know it; it is not sent. */
const authkey = new TextEncoder().encode(Deno.env.get("QUEUE_KEY") ?? "abracadabra");

const queue = new Queue<string>();

/** The server's queue, the same for all. */
export function getQueue(): Queue<string> {
  return queue;
}

const { promise: stopped, resolve: stop } = Promise.withResolvers<void>();

/** What clients may do with the server. */
export class Control {
  /** Ends the server, once this call is answered. */
  stop(): void {
    setTimeout(stop, 0);
  }
}

/** The server's manager knows how things are made. */
class QueueServer extends BaseManager {}
QueueServer.register("getQueue", { callable: getQueue });
QueueServer.register("Control", { callable: Control });

/** The clients' manager knows only what there is, and its types. */
class QueueClient extends BaseManager<{ getQueue: typeof getQueue; Control: typeof Control }> {}
QueueClient.register("getQueue");
QueueClient.register("Control");

/** Serves until a client stops it; `ready` is told the port. */
export async function serve(port: number, ready: (port: number) => void): Promise<void> {
  const manager = new QueueServer({ address: { hostname: "127.0.0.1", port }, authkey });
  await using server = await manager.getServer();
  ready((server.address as Deno.NetAddr).port);
  await stopped;
}

/** A client. */
export async function connect(port: number, hostname = "127.0.0.1"): Promise<QueueClient> {
  const manager = new QueueClient({ address: { hostname, port }, authkey });
  await manager.connect();
  return manager;
}

if (import.meta.main) {
  const [what, port, text = "hello"] = Deno.args;
  if (what === "serve") {
    await serve(Number(port), (port) => console.log(`Serving at port ${port}`));
  } else {
    await using manager = await connect(Number(port));
    const queue = await manager.create("getQueue");
    if (what === "put") await queue.put(text);
    else if (what === "get") console.log(await queue.get());
    else if (what === "stop") await (await manager.create("Control")).stop();
    else console.log("What to do: serve, put, get or stop");
  }
}
