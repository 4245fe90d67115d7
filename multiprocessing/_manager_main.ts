/**
 * What runs in the process of a manager's server; the far side of `_manager_process.ts`.
 *
 * @module
 */
import { decode, importingModules } from "../threading/_core/mod.ts";
import type { ManagerAddress } from "./_manager_hold.ts";
import { received, type SentType } from "./_manager_own_types.ts";
import { ObjectServer } from "./_manager_server.ts";
import { type Handle, redeem } from "./_tree.ts";

/** What a server is to be. */
export interface Setup {
  readonly types: readonly SentType[];
  readonly address: ManagerAddress;
  readonly authkey: Uint8Array;
  readonly initializer: ((...args: unknown[]) => unknown) | undefined;
  readonly initargs: readonly unknown[];
  /** Whether it keeps track of shared memory. */
  readonly segments: boolean;
}

/** Becomes a server, says so to whoever waits for it, and serves until it is shut down. */
export async function serve(report: string, setup: string): Promise<void> {
  // Ctrl-C reaches every process of the terminal; the objects are wanted until those who use them have ended.
  Deno.addSignalListener("SIGINT", () => {});
  const parent = redeem(JSON.parse(report) as Handle);
  let server: ObjectServer;
  try {
    server = await open(Uint8Array.fromBase64(setup));
  } catch (error) {
    await parent.call("failed", [error]);
    return;
  }
  await parent.call("ready", [server.address, server.id]);
  parent.let();
  await server.serveForever();
}

async function open(bytes: Uint8Array): Promise<ObjectServer> {
  const from = "the modules of the types of a manager";
  const setup = await importingModules(from, () => decode(bytes)) as Setup;
  await setup.initializer?.(...setup.initargs);
  const { types, address, authkey } = setup;
  // Loaded only where it is needed.
  const desk = setup.segments ? new (await import("./_manager_segments.ts")).Segments() : undefined;
  return await ObjectServer.open({ registry: received(types), address, authkey, desk });
}
