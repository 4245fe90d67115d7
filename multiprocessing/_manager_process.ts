/**
 * The process of a manager's server, as the one that started it has it; the near side of `_manager_main.ts`.
 *
 * It is a child like those of `Process`, but the program does not wait for it: it ends with the program.
 *
 * @module
 */
import { encode, importInProgress } from "../threading/_core/mod.ts";
import { makeFolder, removeFolder, sweep } from "./_folder.ts";
import { launchChild } from "./_launch.ts";
import type { ManagerAddress } from "./_manager_hold.ts";
import type { Setup } from "./_manager_main.ts";
import { moduleInImport } from "./_self.ts";
import { currentMethod, type StartMethod } from "./_settings.ts";
import type { Child } from "./_spawn.ts";
import { offer, type Service } from "./_tree.ts";
import { ProcessError } from "./errors.ts";
import { currentProcess, showChild } from "./process.ts";

/** A server that runs in a process of its own. */
export interface ServerProcess {
  readonly child: Child;
  readonly address: ManagerAddress;
  /** The server's own name. */
  readonly server: string;
}

const module = new URL("./_manager_main.ts", import.meta.url).href;
let started = 0;

/**
 * Starts a server and waits until it serves.
 *
 * @throws {PicklingError} when something that is registered, or the initializer, cannot travel.
 * @throws What the initializer throws, and whatever keeps the server from listening.
 */
export async function startServer(
  name: string,
  setup: Omit<Setup, "address"> & { address: ManagerAddress | undefined },
  door: (...args: never[]) => unknown,
  method: StartMethod = currentMethod(),
): Promise<ServerProcess> {
  mayStart(name);
  const ready = Promise.withResolvers<{ address: ManagerAddress; server: string }>();
  // What fails before anybody waits for it is told to who waits.
  ready.promise.catch(() => {});
  const service: Service = {
    call(method, [first, second]) {
      if (method === "ready") {
        ready.resolve({ address: first as ManagerAddress, server: second as string });
      } else ready.reject(first);
    },
  };
  const folder = setup.address === undefined ? makeFolder("manager", `start a ${name}`) : undefined;
  // A server that is killed leaves its folder behind, so this side removes it.
  const remove = () => folder !== undefined && removeFolder(folder);
  let child: Child;
  try {
    const address = setup.address ?? `${folder}/socket`;
    const bytes = encode({ ...setup, address }, "start a manager with", door, { root: name });
    const args = [JSON.stringify(offer(service).handle()), bytes.toBase64()];
    const parent = currentProcess();
    child = launchChild({
      name: `${name}-${++started}`,
      identity: `${name}-${started}`,
      daemon: false,
      authkey: parent.authkey.toHex(),
      permissions: "inherit",
      parentName: parent.name,
      method,
      references: [{ how: "export", module, path: ["serve"] }],
      parcel: undefined,
      simple: { module, path: ["serve"], source: undefined, args },
      start: undefined,
    });
  } catch (error) {
    remove();
    throw error;
  }
  showChild(child, `${name}-${started}`, false);
  child.ended.then(() => {
    remove();
    ready.reject(
      new ProcessError(
        `Cannot start the ${name}: its process ended with exit code ${child.code} before it served`,
      ),
    );
  });
  child.hold();
  try {
    const { address, server } = await ready.promise;
    return { child, address, server };
  } catch (error) {
    await child.ended;
    throw error;
  } finally {
    child.unhold();
  }
}

function mayStart(name: string): void {
  const url = moduleInImport() ?? importInProgress();
  if (url !== undefined) {
    throw new ProcessError(
      `Cannot start a ${name} while a process imports ${url}: what a script does has to be guarded: if (import.meta.main) { … }`,
    );
  }
  const { name: parent, daemon } = currentProcess();
  if (daemon) {
    throw new ProcessError(
      `Cannot start a ${name}: ${parent} is a daemon, and daemons may not start processes`,
    );
  }
}

/** A folder for a server of this process, and what removes it. */
export function folderHere(): { readonly path: string; readonly remove: () => void } {
  const path = makeFolder("manager", "serve a manager");
  sweep(path);
  return { path, remove: () => removeFolder(path) };
}
