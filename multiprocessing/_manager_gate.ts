/**
 * Proxies in processes that may not connect to the manager: a child with narrowed permissions can talk to its parent only. Its calls go
 * along the tree of processes to the one that sent it the proxy, and from there over that one's link.
 *
 * A proxy gets such a gate on its way only in programs that have started a restricted process (`_restricted.ts`). Who can connect by
 * himself lets go of it at once.
 *
 * Relies on: the sender living as long as the receiver, as a parent does. What is different here: a call that is aborted rejects at once,
 * so what it took at that very moment is lost.
 *
 * @module
 */
import type { CallHow, Hold, ManagerAddress, Token, Travel } from "./_manager_hold.ts";
import { hasRestricted } from "./_restricted.ts";
import {
  address,
  cameHome,
  type Handle,
  type Offer,
  offer,
  redeem,
  type Remote,
  type Service,
} from "./_tree.ts";

/** Calls for others. */
class Gate implements Service {
  readonly hold: Hold;
  readonly #offer: Offer = offer(this);
  /** Whether somebody has it, or is about to. */
  #held = false;

  constructor(hold: Hold) {
    this.hold = hold;
  }

  /** For one more receiver. From now on until nobody has it, it counts as a proxy here. */
  handle(): Handle {
    if (!this.#held) this.hold.take();
    this.#held = true;
    return this.#offer.handle();
  }

  call(name: string, args: unknown[], _from: string, signal: AbortSignal): Promise<unknown> {
    const [list, signalAt, exact] = args as [unknown[], number | undefined, boolean];
    return this.hold.call(name, list, { signal, signalAt, exact });
  }

  unheld(): void {
    this.#held = false;
    this.hold.drop();
  }
}

const gates = new WeakMap<Hold, Gate>();

/** A gate for a proxy that is about to be sent; `undefined` where all processes can connect. */
export function gateTo(hold: Hold): Handle | undefined {
  if (!hasRestricted()) return undefined;
  let gate = gates.get(hold);
  if (gate === undefined) gates.set(hold, gate = new Gate(hold));
  return gate.handle();
}

/** The hold on the object of a proxy that came in, if it has to go through a gate. */
export function holdThrough({ token, way }: Travel): Hold | undefined {
  const gate = way?.gate;
  if (gate === undefined) return undefined;
  if (way!.ticket !== undefined && canReach(way!.address)) {
    redeem(gate).let();
    return undefined;
  }
  if (gate.home === address()) {
    const service = cameHome(gate);
    if (service instanceof Gate) return service.hold;
  }
  return new GateHold(token, way!.address, redeem(gate));
}

/** Whether this process may connect there; nobody is asked. */
function canReach(address: ManagerAddress): boolean {
  const wanted: Deno.PermissionDescriptor[] = typeof address === "string"
    ? [{ name: "net" }, { name: "read", path: address }, { name: "write", path: address }]
    : [{ name: "net", host: `${address.hostname}:${address.port}` }];
  return wanted.every((permission) => Deno.permissions.querySync(permission).state === "granted");
}

/** A hold on an object through a gate. */
class GateHold implements Hold {
  readonly token: Token;
  readonly #address: ManagerAddress;
  readonly #remote: Remote;
  #proxies = 0;

  constructor(token: Token, address: ManagerAddress, remote: Remote) {
    this.token = token;
    this.#address = address;
    this.#remote = remote;
  }

  call(name: string, args: readonly unknown[], how: CallHow = {}): Promise<unknown> {
    const { signal, signalAt, exact = false } = how;
    return this.#remote.call(name, [args, signalAt, exact], { signal });
  }

  travel(): Travel {
    const way = {
      address: this.#address,
      ticket: undefined,
      pass: undefined,
      gate: this.#remote.handle(),
    };
    return { token: this.token, way };
  }

  take(): void {
    this.#proxies++;
  }

  drop(): void {
    if (--this.#proxies === 0) this.#remote.let();
  }
}
