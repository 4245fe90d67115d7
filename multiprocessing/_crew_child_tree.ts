/**
 * A worker of a crew that is reached over the tree: what its process runs. It redeems the handle that it was started with, and calls
 * `work` with a handle of its own, which holds its event loop open.
 *
 * @module
 */
import { Hand } from "./_crew_child.ts";
import type { Bytes } from "./_crew_wire.ts";
import { whoAmI } from "./_self.ts";
import { type Handle, offer, redeem } from "./_tree.ts";

/** Runs a worker. `text` is the handle of its crew, as JSON. */
export async function workOverTree(text: string): Promise<void> {
  const crew = redeem(JSON.parse(text) as Handle);
  const worker: Hand = new Hand({
    eager: false,
    async say(reports) {
      crew.tell("reports", [reports]);
      await whoAmI().up?.flush();
    },
    push: () => whoAmI().up?.push(),
  });
  const own = offer({
    call: (_, args) => worker.hear(args[0] as Bytes),
    hear: (_, bytes) => worker.hear(bytes),
  });
  // Answered when the worker is to end.
  await Promise.all([worker.over, crew.call("work", [own.handle()])]);
}
