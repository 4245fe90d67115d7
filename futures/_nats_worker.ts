/**
 * {@linkcode natsWorker}: runs the calls of a queue on NATS.
 *
 * Guarantees
 * - No code of a task runs in the thread that speaks with the server: a call may compute for hours, and its lease is renewed.
 * - A result is stored before its call leaves the queue. So a worker that dies in between makes another one run the call again, and the
 *   server refuses the second result.
 * - Only modules of the list are imported, whatever a message says.
 *
 * @module
 */
import { refuse } from "../threading/_core/mod.ts";
import { PoisonTaskError } from "./_nats_errors.ts";
import { Link, type NatsOptions, number, settingsOf } from "./_nats_link.ts";
import { TaskModules } from "./_nats_names.ts";
import { Publisher } from "./_nats_publish.ts";
import { Places } from "./_nats_places.ts";
import { type Delivery, Puller } from "./_nats_pull.ts";
import { notAllowed, prepare } from "./_nats_run.ts";
import { encodeErrorFor } from "./_nats_values.ts";
import { awayIn, type Call, FAILED, openCall, sealAway, sealResult } from "./_nats_wire.ts";
import { BrokenExecutor, RuntimeError } from "./errors.ts";

/** Options of {@linkcode natsWorker}. */
export interface NatsWorkerOptions extends NatsOptions {
  /** The modules whose exported functions may be called, by the names that submitters have for them. Nothing else is ever imported. */
  tasks: Readonly<Record<string, string | URL>>;
  /** What calls run in: threads (the default) or processes of their own. */
  isolate?: "thread" | "process";
  /** How many calls run at a time; by default as many as the machine has processors. */
  concurrency?: number;
  /** Called with `false` when the server is lost, and with `true` when it is there again. In between the worker goes on trying. */
  onConnection?: (connected: boolean) => void;
}

/** Options of {@linkcode NatsWorker.stop}. */
export interface NatsWorkerStopOptions {
  /** Milliseconds for which calls that run may go on; then they are ended, and given back. For ever by default. */
  timeout?: number;
}

/** A call that runs here. */
interface Running {
  reply: string;
  readonly controller: AbortController;
}

const CANCELLED = Symbol("cancelled");
const GIVEN_BACK = Symbol("given back");
/** Milliseconds between two rounds of what is done now and then. */
const ROUND = 250;
/** How often the object store is asked to take a result. */
const TRIES = 10;
/** What the server is told of a call: the four words of its protocol. */
const [ACK, NAK, WORKING, TERM] = ["+ACK", "-NAK", "+WPI", "+TERM"];

/** A worker of a queue. Made by {@linkcode natsWorker}. */
export interface NatsWorker extends AsyncDisposable {
  /** Its name, as errors and the server's monitoring show it. */
  readonly id: string;
  /** How many calls it runs now. */
  readonly busy: number;
  /** Takes no more calls, lets those that run end, and closes the connection. */
  stop(options?: NatsWorkerStopOptions): Promise<void>;
}

/**
 * Starts a worker: connects, and runs calls of the queue until it is stopped.
 *
 * Needs `--allow-net` for the servers and `--allow-read` for the modules; with `isolate: "process"` what
 * `ProcessPoolExecutor` needs.
 *
 * @param options Where the server is, and what may be run.
 * @returns The worker, which is connected.
 * @throws {TypeError} When an option has the wrong type.
 * @throws {RangeError} When a number or a name is out of range.
 * @throws {RuntimeError} When the server cannot be reached in time, or refuses.
 */
export async function natsWorker(options: NatsWorkerOptions): Promise<NatsWorker> {
  const what = "start a worker";
  const settings = settingsOf(options, what);
  const { tasks, isolate = "thread", onConnection = () => {} } = options;
  if (typeof tasks !== "object" || tasks === null || Object.keys(tasks).length === 0) {
    throw new TypeError(
      'Cannot start a worker: tasks must name at least one module, such as { tasks: import.meta.resolve("./tasks.ts") }',
    );
  }
  if (isolate !== "thread" && isolate !== "process") {
    throw new RangeError(
      `Cannot start a worker: isolate must be "thread" or "process", got ${
        JSON.stringify(isolate)
      }`,
    );
  }
  if (onConnection !== undefined && typeof onConnection !== "function") {
    throw new TypeError(
      `Cannot start a worker: onConnection must be a function, got ${typeof onConnection}`,
    );
  }
  const modules = new TaskModules(tasks, what);
  const concurrency = number(
    options.concurrency,
    navigator.hardwareConcurrency,
    1,
    "concurrency",
    what,
  );
  const id = `worker ${crypto.randomUUID().slice(0, 8)}`;
  const link = await Link.open(settings, id);
  // Submitters do not load what they do not need.
  const threads = isolate === "thread";
  const Pool = threads
    ? (await import("./thread_pool_executor.ts")).ThreadPoolExecutor
    : (await import("./process_pool_executor.ts")).ProcessPoolExecutor;
  const initargs = [Object.fromEntries(modules.urls), id];
  const make = () => new Pool({ maxWorkers: 1, initializer: prepare, initargs });
  const places = new Places(make, threads);
  return new QueueWorker(link, id, modules, places, concurrency, onConnection);
}

class QueueWorker implements NatsWorker {
  readonly id: string;
  readonly #link: Link;
  readonly #modules: TaskModules;
  readonly #publisher: Publisher;
  readonly #puller: Puller;
  /** By key. */
  readonly #running = new Map<string, Running>();
  /** Deliveries that something is being done with. */
  #work = 0;
  readonly #places: Places;
  /** Calls that were begun in this turn, by client. */
  readonly #begun = new Map<string, number[]>();
  readonly #timers: ReturnType<typeof setInterval>[];
  #stopped: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  static {
    refuse(QueueWorker, "a worker belongs to the thread that started it");
  }

  constructor(
    link: Link,
    id: string,
    modules: TaskModules,
    places: Places,
    count: number,
    onConnection: (connected: boolean) => void,
  ) {
    this.id = id;
    this.#link = link;
    this.#modules = modules;
    this.#places = places;
    this.#publisher = new Publisher(link);
    link.nc.subscribe(link.names.cancel, {
      callback: (error, msg) => {
        if (error === null) this.#running.get(msg.string())?.controller.abort(CANCELLED);
      },
    });
    this.#puller = new Puller(link, count, (delivery) => void this.#take(delivery));
    this.#timers = [
      setInterval(() => {
        this.#publisher.tend();
        this.#puller.tend();
      }, ROUND),
      setInterval(() => {
        for (const { reply } of this.#running.values()) this.#say(reply, WORKING);
      }, Math.floor(link.lease / 3)),
    ];
    void this.#watch(onConnection);
  }

  get busy(): number {
    return this.#running.size;
  }

  async #watch(onConnection: (connected: boolean) => void): Promise<void> {
    let connected = true;
    const tell = (now: boolean) => {
      if (now === connected || this.#stopped !== undefined) return;
      connected = now;
      // What it throws is its program's, and ends nothing here.
      queueMicrotask(() => onConnection(now));
    };
    for await (const { type } of this.#link.nc.status()) {
      if (type === "disconnect") tell(false);
      if (type !== "reconnect") continue;
      tell(true);
      // The server may have come back without what it had.
      await this.#link.ensure().catch(() => {});
      this.#publisher.tend(true);
      this.#puller.tend(true);
    }
  }

  #say(reply: string, word: string): void {
    try {
      this.#link.nc.publish(reply, word);
    } catch {
      // Closed: the lease ends by itself.
    }
  }

  /** A delivery has come. */
  async #take(delivery: Delivery): Promise<void> {
    this.#work++;
    try {
      const { reply, data } = delivery;
      const name = awayIn(data);
      const message = name === undefined ? data.slice() : await this.#fetch(name, reply);
      if (message !== undefined) await this.#handle(message, delivery);
    } catch {
      // Nothing can be done about it here: when its lease ends, the call is handed to somebody else.
    } finally {
      this.#work--;
      this.#puller.free();
      if (this.#work === 0) this.#idle?.();
    }
  }

  /** Fetches a call that is too long for a message. */
  async #fetch(name: string, reply: string): Promise<Uint8Array | undefined> {
    // Its lease is renewed meanwhile; nobody knows it by this key.
    const entry = { reply, controller: new AbortController() };
    this.#running.set(name, entry);
    try {
      const message = await this.#link.fetchAway(name);
      // Its submitter has taken it back, or it is too old for the store.
      if (message === undefined) this.#say(reply, TERM);
      return message;
    } finally {
      this.#running.delete(name);
    }
  }

  async #handle(message: Uint8Array, { times, reply }: Delivery): Promise<void> {
    let call: Call;
    try {
      call = openCall(message).call;
    } catch {
      // Not from this library: nobody waits for it.
      return this.#say(reply, TERM);
    }
    const { key } = call;
    const known = this.#running.get(key);
    if (known !== undefined) {
      // This worker was not heard of for longer than its lease, and goes on.
      known.reply = reply;
      return;
    }
    const entry: Running = { reply, controller: new AbortController() };
    this.#running.set(key, entry);
    try {
      if (times > 1 && await this.#hasResult(key)) return this.#say(entry.reply, ACK);
      const result = times - 1 > call.losses
        ? this.#poisoned(call, times)
        : await this.#run(call, message, entry);
      if (result instanceof Uint8Array) {
        if (await this.#store(key, result)) this.#say(entry.reply, ACK);
      } else this.#say(entry.reply, result === CANCELLED ? ACK : NAK);
    } finally {
      this.#running.delete(key);
    }
  }

  async #hasResult(key: string): Promise<boolean> {
    return await this.#link.resultOf(key).then((found) => found !== undefined, () => false);
  }

  #poisoned({ alias, path, losses }: Call, times: number): Uint8Array {
    const error = new PoisonTaskError(
      `The call of ${alias}.${path.join(".")} was given to ${
        times - 1
      } workers, and none of them finished it: they were lost, or it ended them; maxWorkerLosses is ${losses}`,
    );
    return this.#failed(error);
  }

  #failed(error: unknown): Uint8Array {
    return sealResult(FAILED, 0, encodeErrorFor(this.#modules, error, this.id));
  }

  /** Makes the call. Gives its result, or why there is none. */
  async #run(
    call: Call,
    message: Uint8Array,
    { controller }: Running,
  ): Promise<Uint8Array | typeof CANCELLED | typeof GIVEN_BACK> {
    const { alias, key } = call;
    if (!this.#modules.urls.has(alias)) return this.#failed(notAllowed(alias, this.#modules));
    this.#tellBegun(key);
    try {
      return await this.#places.run(call, message, controller.signal);
    } catch (error) {
      // Its thread or process is gone. Who gets the call next counts that.
      if (error instanceof BrokenExecutor) return GIVEN_BACK;
      if (error === CANCELLED || error === GIVEN_BACK) return error as typeof CANCELLED;
      return this.#failed(error);
    }
  }

  /** Tells the submitter, together with whatever else was begun in this turn. */
  #tellBegun(key: string): void {
    const [client, number] = key.split(".");
    const begun = this.#begun.get(client);
    if (begun !== undefined) return void begun.push(Number(number));
    if (this.#begun.size === 0) queueMicrotask(() => this.#sendBegun());
    this.#begun.set(client, [Number(number)]);
  }

  #sendBegun(): void {
    for (const [client, numbers] of this.#begun) {
      try {
        const note = JSON.stringify({ w: this.id, n: numbers });
        this.#link.nc.publish(`${this.#link.names.note}.${client}`, note);
      } catch {
        // Closed. It is only a note.
      }
    }
    this.#begun.clear();
  }

  /** Stores a result, or the error that it could not be stored. `false`: neither is certain, and the call stays in the queue. */
  async #store(key: string, result: Uint8Array): Promise<boolean> {
    const subject = `${this.#link.names.result}.${key}`;
    let away: string | undefined;
    let message = result;
    if (result.length > this.#link.room) {
      away = `result.${key}.${crypto.randomUUID().slice(0, 8)}`;
      message = await this.#putAway(away, result);
    }
    let fate = await this.#publisher.store(subject, message, undefined, Infinity);
    if (fate.is === "failed") {
      const error = new RuntimeError(
        `Cannot store the result of ${result.length} bytes: ${fate.why}`,
      );
      fate = await this.#publisher.store(subject, this.#failed(error), undefined, Infinity);
    }
    if (away !== undefined && fate.is === "refused") await this.#link.dropAway(away);
    return fate.is === "stored" || fate.is === "refused";
  }

  /** Gives the message that says where it is, or that it could not be put away. */
  async #putAway(name: string, result: Uint8Array): Promise<Uint8Array> {
    for (let tries = 1;; tries++) {
      try {
        await this.#link.putAway(name, result);
        return sealAway(name);
      } catch (cause) {
        if (tries < TRIES) {
          await new Promise((resolve) => setTimeout(resolve, 500));
          continue;
        }
        return this.#failed(
          new RuntimeError(
            `Cannot store the result: its ${result.length} bytes are too many for a message (${this.#link.room}), and the object store failed (${
              (cause as Error).message
            })`,
            { cause },
          ),
        );
      }
    }
  }

  async stop(options: NatsWorkerStopOptions = {}): Promise<void> {
    const { timeout } = options;
    if (timeout !== undefined) number(timeout, 0, 0, "timeout", "stop the worker");
    const timer = timeout === undefined
      ? undefined
      : setTimeout(() => void this.#giveBack(), timeout);
    try {
      await (this.#stopped ??= this.#stop());
    } finally {
      clearTimeout(timer);
    }
  }

  async #giveBack(): Promise<void> {
    // Not before there can be no more: what is given back would come back here.
    await this.#puller.stop();
    for (const { controller } of this.#running.values()) controller.abort(GIVEN_BACK);
    // Results that the server does not take now are given up: their calls run again.
    this.#publisher.close();
  }

  async #stop(): Promise<void> {
    await this.#puller.stop();
    if (this.#work > 0) await new Promise<void>((resolve) => this.#idle = resolve);
    for (const timer of this.#timers) clearInterval(timer);
    await this.#places.close();
    await this.#link.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
