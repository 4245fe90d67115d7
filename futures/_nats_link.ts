/**
 * A connection to NATS, and what of a queue of ours lies on the server.
 *
 * | on the server | is |
 * | --- | --- |
 * | stream `batteries_Q_tasks`, subject `batteries.Q.task` | calls that have no result, each once; full means refused |
 * | its consumer `workers` | hands a call to one worker for the time of a lease |
 * | stream `batteries_Q_results`, `batteries.Q.res.CLIENT.N` | one result for a call: the first; others are refused |
 * | `batteries.Q.out.CLIENT.N` | results once they are stored, as the server tells them on |
 * | `batteries.Q.note.CLIENT` | which calls a worker has begun |
 * | `batteries.Q.cancel` | which calls are to be stopped |
 * | object store `batteries_Q` | what is too long for a message |
 *
 * @module
 */
import type { Authenticator, NatsConnection } from "npm:@nats-io/nats-core@3.4.0";
import type {
  ConsumerConfig,
  JetStreamClient,
  JetStreamManager,
  StreamConfig,
} from "npm:@nats-io/jetstream@3.4.0";
import type { ObjectStore } from "npm:@nats-io/obj@3.4.0";
import { bagOf } from "../threading/_core/mod.ts";
import { wholeNumber } from "./_terms.ts";
import { RuntimeError } from "./errors.ts";

/** Who connects. */
export type NatsAuth =
  | { readonly user: string; readonly password: string }
  | { readonly token: string }
  /** What a file of credentials holds. */
  | { readonly creds: string }
  /** A seed. */
  | { readonly nkey: string };

/** Files for TLS. */
export interface NatsTls {
  /** Certificates of those whose servers are trusted. */
  readonly caFile?: string;
  /** The own certificate, for servers that ask for one. */
  readonly certFile?: string;
  /** Its key. */
  readonly keyFile?: string;
}

/** How a server is reached, and which queue is meant. */
export interface NatsOptions {
  /** Where servers are; `"nats://127.0.0.1:4222"` by default. Of a cluster, name several. */
  servers?: string | readonly string[];
  /** The name of the queue that submitters and workers share: 1 to 32 of `A-Z a-z 0-9 _ -`; `"default"` by default. */
  name?: string;
  /** Who connects; nobody in particular by default. */
  auth?: NatsAuth;
  /** Files for TLS; `{}` asks for TLS with what the machine trusts. */
  tls?: NatsTls;
  /**
   * Milliseconds without a sign of life after which a call is taken from its worker; 30,000 by default, 1,000 at least. It belongs to the
   * queue: who makes the queue decides.
   */
  lease?: number;
  /** How many calls the queue may hold; a million by default. It belongs to the queue. */
  maxQueued?: number;
  /** Milliseconds for which results are kept; an hour by default. It belongs to the queue. */
  resultTtl?: number;
  /** On how many servers of a cluster everything is kept: 1 (the default), 3 or 5. It belongs to the queue. */
  replicas?: number;
  /** Whether the queue may be made when it is not there; `true` by default. */
  create?: boolean;
  /** Milliseconds within which the first connection has to stand; 10,000 by default. */
  connectTimeout?: number;
}

/** {@linkcode NatsOptions}, checked. */
export interface Settings {
  readonly servers: string[];
  readonly name: string;
  readonly auth: NatsAuth | undefined;
  readonly tls: NatsTls | undefined;
  readonly lease: number;
  readonly maxQueued: number;
  readonly resultTtl: number;
  readonly replicas: number;
  readonly create: boolean;
  readonly connectTimeout: number;
}

/** Checks the options. `what` is the act, for messages. */
export function settingsOf(options: NatsOptions, what: string): Settings {
  const wrong = (text: string) => new TypeError(`Cannot ${what}: ${text}`);
  bagOf(options, what, '{ servers: "nats://127.0.0.1:4222" }');
  const { servers = "nats://127.0.0.1:4222", name = "default", auth, tls, create = true } = options;
  const list = typeof servers === "string" ? servers.split(",") : servers;
  if (
    !Array.isArray(list) || list.length === 0 ||
    !list.every((each) => typeof each === "string" && each !== "")
  ) {
    throw wrong("servers must be a URL or an array of URLs");
  }
  if (typeof name !== "string") throw wrong(`name must be a string, got ${typeof name}`);
  if (!/^[\w-]{1,32}$/.test(name)) {
    throw new RangeError(
      `Cannot ${what}: name must be 1 to 32 of A-Z a-z 0-9 _ -, got ${JSON.stringify(name)}`,
    );
  }
  if (auth !== undefined) mustBeAuth(auth, wrong);
  if (tls !== undefined && (typeof tls !== "object" || tls === null)) {
    throw wrong("tls must be an object");
  }
  if (typeof create !== "boolean") throw wrong(`create must be a boolean, got ${typeof create}`);
  return {
    servers: list,
    name,
    auth,
    tls,
    create,
    lease: number(options.lease, 30_000, 1_000, "lease", what),
    maxQueued: number(options.maxQueued, 1_000_000, 1, "maxQueued", what),
    resultTtl: number(options.resultTtl, 3_600_000, 1_000, "resultTtl", what),
    replicas: number(options.replicas, 1, 1, "replicas", what),
    connectTimeout: number(options.connectTimeout, 10_000, 1, "connectTimeout", what),
  };
}

function mustBeAuth(auth: NatsAuth, wrong: (text: string) => TypeError): void {
  const shapes = [["user", "password"], ["token"], ["creds"], ["nkey"]];
  const fits = typeof auth === "object" && auth !== null &&
    shapes.some((keys) =>
      keys.every((key) => typeof (auth as Record<string, unknown>)[key] === "string")
    );
  if (!fits) {
    throw wrong("auth must be { user, password }, { token }, { creds } or { nkey }, of strings");
  }
}

/** A whole number of at least that, or what is meant by default. */
export function number(
  value: number | undefined,
  standard: number,
  least: number,
  name: string,
  what: string,
): number {
  return wholeNumber(value, name, what, { least, most: 2 ** 40 }) ?? standard;
}

/** What things are called on the server. */
export interface Names {
  readonly tasks: string;
  readonly results: string;
  readonly durable: string;
  readonly store: string;
  readonly task: string;
  readonly result: string;
  readonly out: string;
  readonly note: string;
  readonly cancel: string;
}

function namesOf(queue: string): Names {
  const subject = `batteries.${queue}`;
  return {
    tasks: `batteries_${queue}_tasks`,
    results: `batteries_${queue}_results`,
    durable: "workers",
    store: `batteries_${queue}`,
    task: `${subject}.task`,
    result: `${subject}.res`,
    out: `${subject}.out`,
    note: `${subject}.note`,
    cancel: `${subject}.cancel`,
  };
}

/** The client. It is loaded when it is needed: to import it touches globals of the runtime, and takes its time. */
async function load() {
  const [transport, core, jetstream, obj] = await Promise.all([
    import("npm:@nats-io/transport-node@3.4.0"),
    import("npm:@nats-io/nats-core@3.4.0"),
    import("npm:@nats-io/jetstream@3.4.0"),
    import("npm:@nats-io/obj@3.4.0"),
  ]);
  return { transport, core, jetstream, obj };
}

/** What {@linkcode load} gives. */
export type NatsLibrary = Awaited<ReturnType<typeof load>>;

const nanos = (milliseconds: number) => milliseconds * 1e6;
/** Milliseconds for which a stream remembers ids. More than messages are sent again for. */
const REMEMBERED = 120_000;
/** Milliseconds between two questions to a cluster that is being started. */
const FORMING = 250;
/** Room in a message beside its payload. */
const MARGIN = 1024;

/** A connection, with the queue that it is for. */
export class Link {
  readonly nats: NatsLibrary;
  readonly nc: NatsConnection;
  readonly names: Names;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** Bytes that a message may have. Kept: the client forgets it while it is not connected. */
  readonly room: number;
  /** The queue's, in milliseconds. */
  lease: number;
  readonly #settings: Settings;
  #store: Promise<ObjectStore> | undefined;

  private constructor(
    nats: NatsLibrary,
    nc: NatsConnection,
    jsm: JetStreamManager,
    settings: Settings,
  ) {
    this.nats = nats;
    this.nc = nc;
    this.jsm = jsm;
    this.js = nats.jetstream.jetstream(nc);
    this.names = namesOf(settings.name);
    this.room = (nc.info?.max_payload ?? 2 ** 20) - MARGIN;
    this.lease = settings.lease;
    this.#settings = settings;
  }

  /** Connects, and sees to it that the queue is there. */
  static async open(settings: Settings, client: string): Promise<Link> {
    const nats = await load();
    const until = performance.now() + settings.connectTimeout;
    const nc = await connectTo(nats, settings, client, until);
    try {
      const jsm = await nats.jetstream.jetstreamManager(nc, { checkAPI: false });
      const link = new Link(nats, nc, jsm, settings);
      await link.#ensureBy(until);
      return link;
    } catch (cause) {
      await nc.close();
      if (cause instanceof RuntimeError) throw cause;
      throw new RuntimeError(
        `Cannot make the queue ${settings.name} on NATS (${
          (cause as Error).message
        }); the server needs JetStream: nats-server -js`,
        { cause },
      );
    }
  }

  /** {@linkcode ensure}, while a cluster that has just been started finds together. */
  async #ensureBy(until: number): Promise<void> {
    for (;;) {
      try {
        return await this.ensure();
      } catch (error) {
        const { cause = error } = error as Error;
        const has = this.nc.info?.jetstream === true;
        if (!has || !isForming(cause) || performance.now() + FORMING >= until) throw error;
        await new Promise((resolve) => setTimeout(resolve, FORMING));
      }
    }
  }

  /** Makes the queue where it is not there, or not there any more. */
  async ensure(): Promise<void> {
    const { names, jsm } = this;
    const { AckPolicy, DiscardPolicy, RetentionPolicy } = this.nats.jetstream;
    const { lease, maxQueued, resultTtl, replicas, create } = this.#settings;
    if (create) {
      await this.#stream({
        name: names.tasks,
        subjects: [names.task],
        retention: RetentionPolicy.Workqueue,
        discard: DiscardPolicy.New,
        max_msgs: maxQueued,
        duplicate_window: nanos(REMEMBERED),
        num_replicas: replicas,
      });
      await this.#stream({
        name: names.results,
        subjects: [`${names.result}.>`],
        retention: RetentionPolicy.Limits,
        max_age: nanos(resultTtl),
        duplicate_window: nanos(Math.min(REMEMBERED, resultTtl)),
        max_msgs_per_subject: 1,
        discard: DiscardPolicy.New,
        discard_new_per_subject: true,
        allow_direct: true,
        republish: { src: `${names.result}.>`, dest: `${names.out}.>` },
        num_replicas: replicas,
      });
      const consumer: Partial<ConsumerConfig> = {
        durable_name: names.durable,
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(lease),
        max_ack_pending: -1,
        max_waiting: 16_384,
        max_deliver: -1,
      };
      const there = await jsm.consumers.info(names.tasks, names.durable).catch(() => undefined);
      if (there === undefined) {
        await jsm.consumers.add(names.tasks, consumer).catch(async (error) => {
          // Somebody was quicker, and wanted another lease.
          await jsm.consumers.info(names.tasks, names.durable).catch(() => {
            throw error;
          });
        });
      }
    }
    const info = await jsm.consumers.info(names.tasks, names.durable).catch((cause) => {
      throw new RuntimeError(
        `Cannot use the queue ${this.#settings.name}: it is not on the server, or may not be looked at (${
          (cause as Error).message
        }); let a submitter make it first`,
        { cause },
      );
    });
    this.lease = (info.config.ack_wait ?? nanos(lease)) / 1e6;
  }

  async #stream(config: Partial<StreamConfig> & { name: string }): Promise<void> {
    const there = () => this.jsm.streams.info(config.name).then(() => true, () => false);
    if (await there()) return;
    try {
      await this.jsm.streams.add({ storage: this.nats.jetstream.StorageType.File, ...config });
    } catch (error) {
      if (!await there()) throw error; // else somebody was quicker, and wanted other limits
    }
  }

  /** The object store, made at first use. */
  store(): Promise<ObjectStore> {
    return this.#store ??= this.#openStore().catch((error) => {
      this.#store = undefined;
      throw error;
    });
  }

  async #openStore(): Promise<ObjectStore> {
    const { create, resultTtl, replicas } = this.#settings;
    const { store } = this.names;
    const { StorageType } = this.nats.jetstream;
    const objects = new this.nats.obj.Objm(this.js);
    if (!create) return await objects.open(store);
    const ttl = nanos(resultTtl);
    return await objects.create(store, { ttl, storage: StorageType.File, replicas });
  }

  /** Puts something away, under a name that nothing else has. */
  async putAway(name: string, bytes: Uint8Array): Promise<void> {
    await (await this.store()).putBlob({ name }, bytes);
  }

  /** What was put away; `undefined` when it is not there. */
  async fetchAway(name: string): Promise<Uint8Array | undefined> {
    return await (await this.store()).getBlob(name) ?? undefined;
  }

  /** Lets go what was put away. */
  async dropAway(name: string): Promise<void> {
    await (await this.store()).delete(name).catch(() => {});
  }

  /** The message that the results' stream has under a key, asked of the one server that knows. */
  async resultOf(key: string): Promise<Uint8Array | undefined> {
    const { names } = this;
    try {
      const found = await this.jsm.streams.getMessage(names.results, {
        last_by_subj: `${names.result}.${key}`,
      });
      return found?.data;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Sends what was published, and closes. */
  async close(): Promise<void> {
    if (this.nc.isClosed()) return;
    await Promise.race([
      this.nc.flush().catch(() => {}),
      new Promise((resolve) => this.nc.closed().then(resolve)),
    ]);
    await this.nc.close();
  }
}

/** Whether the server has answered that there is no such stream, consumer or message. */
export function isMissing(error: unknown): boolean {
  const { code, status } = error as { code?: number; status?: number };
  return [10037, 10059, 10014].includes(code ?? 0) || status === 404;
}

/** Whether a cluster has answered that it has no leader yet, or too few servers; or nobody has. */
function isForming(error: unknown): boolean {
  const { code, status, name } = error as { code?: number; status?: number; name?: string };
  // JetStream is not enabled for the account, or anywhere.
  if (code === 10039 || code === 10076) return false;
  return status === 503 || code === 10005 || name === "TimeoutError" ||
    name === "NoRespondersError" || name === "RequestError";
}

async function connectTo(
  { transport, core }: NatsLibrary,
  settings: Settings,
  client: string,
  until: number,
): Promise<NatsConnection> {
  const { servers, auth, tls, connectTimeout } = settings;
  for (let wait = 50;; wait = Math.min(wait * 2, 1000)) {
    try {
      return await transport.connect({
        servers,
        name: client,
        authenticator: auth === undefined ? undefined : authenticatorOf(core, auth),
        tls,
        timeout: Math.max(1, Math.min(5_000, until - performance.now())),
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        pingInterval: 5_000,
        maxPingOut: 2,
        ignoreAuthErrorAbort: true,
      });
    } catch (cause) {
      const { message, name } = cause as Error;
      const refused = /auth/i.test(name) || /authoriz|authentic/i.test(message);
      if (refused || performance.now() + wait >= until) {
        throw new RuntimeError(
          refused
            ? `Cannot connect to NATS at ${
              servers.join(", ")
            }: the server refused the credentials (${message})`
            : `Cannot connect to NATS at ${
              servers.join(", ")
            } within ${connectTimeout} ms (${message}); start a server with nats-server -js -a 127.0.0.1`,
          { cause },
        );
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

function authenticatorOf(core: NatsLibrary["core"], auth: NatsAuth): Authenticator {
  const bytes = (text: string) => new TextEncoder().encode(text);
  if ("user" in auth) return core.usernamePasswordAuthenticator(auth.user, auth.password);
  if ("token" in auth) return core.tokenAuthenticator(auth.token);
  if ("creds" in auth) return core.credsAuthenticator(bytes(auth.creds));
  return core.nkeyAuthenticator(bytes(auth.nkey.trim()));
}
