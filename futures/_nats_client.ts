/**
 * The submitter's side of a queue on NATS: hands calls over, and settles their futures.
 *
 * Guarantees
 * - A future is settled once, with the first result that the server has stored, or by who submitted it, whichever is first here.
 * - While the server can be reached no future is left behind: what is told of a result is a hint; what is stored is asked for whenever
 *   it may have been missed, and a call that is neither on the server nor has a result is lost, and fails.
 *
 * How a result comes: 1. A worker publishes it to the results' stream, which takes one for each call and refuses others. 2. The server
 * tells it on once it is stored ({@linkcode Client.#told}). That may be missed: the connection broke, or another server became the
 * leader. 3. Now and then ({@linkcode Client.#look}) the list of what is stored is asked for; what was missed is fetched, and then all
 * that is listed leaves the server, since it is known here.
 *
 * @module
 */
import type { Msg } from "npm:@nats-io/nats-core@3.4.0";
import { type Ended, PicklingError } from "../threading/_core/mod.ts";
import { received, receivedSoon } from "./_decode.ts";
import { QueueFullError, TaskLostError } from "./_nats_errors.ts";
import { isMissing, Link, type Settings } from "./_nats_link.ts";
import type { TaskModules, TaskName } from "./_nats_names.ts";
import { type Fate, PATIENCE, Publisher } from "./_nats_publish.ts";
import { arrivedIn, errorIn } from "./_nats_values.ts";
import {
  awayIn,
  CHUNK,
  FAILED,
  openResult,
  sealAway,
  sealCall,
  sealResult,
  STOPPED,
} from "./_nats_wire.ts";
import type { ChunkResult } from "./_protocol.ts";
import { type ExecutorStats, Tally } from "./_stats.ts";
import type { RunOptions } from "./_terms.ts";
import { CancelledError, RuntimeError } from "./errors.ts";
import { bind, conclude, Future, type Origin } from "./future.ts";

/** What a client is made with, beside the queue. */
export interface ClientOptions {
  readonly settings: Settings;
  readonly modules: TaskModules;
  /** The most calls that are handed over and have no result. */
  readonly maxPending: number;
  readonly whenFull: "wait" | "fail";
  readonly maxWorkerLosses: number;
}

/** A call that has no result. */
interface Task {
  readonly number: number;
  readonly key: string;
  readonly future: Future<unknown>;
  /** Empty once the server has it. */
  message: Uint8Array;
  readonly submitted: number;
  /** Where it stands: kept here, handed over, or ended. */
  at: "here" | "sent" | "over";
  /** Its place in the tasks' stream, once the server has told. */
  seq: number | undefined;
  /** The worker that has begun it. */
  worker: string | undefined;
  /** The name in the object store of what was too long for a message. */
  away: string | undefined;
  release: (() => void) | undefined;
  /** Why it is being stopped. */
  stopping: { readonly error: unknown } | undefined;
}

/** Milliseconds between two rounds of what is done now and then. */
const ROUND = 250;
/** Milliseconds without news, with calls that have no result, after which it is looked for; doubled while there is none. */
const QUIET = 3_000;
const MOST_QUIET = 30_000;
/** Milliseconds after which a full queue is asked again. */
const FULL = 100;
const NOTHING = new Uint8Array(0);
/** Results that are kept on the server before they are let go. */
const KEPT = 4_000;
/** How many calls are asked for in one round, and how many at a time. */
const ASKED = 256;
const AT_A_TIME = 32;
/** Milliseconds within which the server has to say whether a stop was in time. */
const STOPPING = 5_000;

/** A submitter. */
export class Client {
  readonly #options: ClientOptions;
  readonly #id = crypto.randomUUID().replaceAll("-", "").slice(0, 12);
  readonly #tally = new Tally();
  /** By their number. */
  readonly #tasks = new Map<number, Task>();
  /** Those that are here, in the order in which they came; some are over. */
  #waiting: Task[] = [];
  #head = 0;
  #count = 0;
  /** Handed over, without a result. */
  #sent = 0;
  #running = 0;
  readonly #workers = new Set<string>();
  /** Results that have come and are still on the server. */
  #stored = 0;
  /** Deletions and other errands that the end waits for. */
  #errands = 0;
  #closed = false;
  #link: Link | undefined;
  #publisher: Publisher | undefined;
  #opening: Promise<void> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Those of them that the server had no room for. */
  readonly #refusals: Task[] = [];
  /** How many may be handed over at present: fewer than `maxPending` while the queue is full. */
  #limit: number;
  /** No room on the server until then, as far as is known. */
  #fullUntil = 0;
  #heard = 0;
  #patience = QUIET;
  #looked = 0;
  #looking = false;
  /** Whether calls may be gone from the server: it was away. */
  #suspect = false;
  #connected = true;
  #ending = false;
  #ended = false;
  #over: PromiseWithResolvers<void> | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#limit = options.maxPending;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** How the executor does. */
  stats(): ExecutorStats {
    const counts = { running: this.#running, pending: this.#tasks.size };
    return this.#tally.told(this.#workers.size, counts);
  }

  /** Takes a call. */
  submit(
    name: TaskName,
    args: Uint8Array,
    chunk: number,
    terms: RunOptions | undefined,
  ): Future<unknown> {
    const future = new Future<unknown>();
    const { maxPending, whenFull, maxWorkerLosses } = this.#options;
    const signal = terms?.signal;
    if (signal?.aborted) {
      conclude(future, { error: signal.reason });
      return future;
    }
    if (whenFull === "fail" && this.#tasks.size >= maxPending) {
      conclude(future, { error: this.#noRoom(`the executor has ${maxPending} calls pending`) });
      return future;
    }
    const number = this.#count++;
    const key = `${this.#id}.${number}`;
    const call = { key, ...name, chunk, timeout: terms?.timeout, losses: maxWorkerLosses };
    const task: Task = {
      number,
      key,
      future,
      message: sealCall(call, args),
      submitted: performance.now(),
      at: "here",
      seq: undefined,
      worker: undefined,
      away: undefined,
      release: undefined,
      stopping: undefined,
    };
    this.#tasks.set(number, task);
    this.#waiting.push(task);
    bind(future, this.#originOf(task));
    if (signal !== undefined) {
      const onAbort = () => this.#stop(task, signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      task.release = () => signal.removeEventListener("abort", onAbort);
    }
    this.#handOver();
    return future;
  }

  #noRoom(why: string): QueueFullError {
    return new QueueFullError(
      `Cannot submit: ${why}; submit later, or make the executor with whenFull: "wait"`,
    );
  }

  #originOf(task: Task): Origin {
    return {
      running: () => task.worker !== undefined,
      cancel: () => this.#cancel(task),
      pump: () => {
        throw new RuntimeError(
          "Cannot wait for the future by blocking: the results of a cluster come in through the event loop; await it",
        );
      },
    };
  }

  // ---- Handing over --------------------------------------------------------------------------------------------------------------

  #handOver(): void {
    const publisher = this.#publisher;
    if (publisher === undefined) return void this.open().catch(() => {});
    while (this.#sent < this.#limit && this.#fullUntil <= performance.now()) {
      const task = this.#refusals.pop() ?? this.#waiting[this.#head++];
      if (task === undefined) {
        this.#head = this.#waiting.length;
        break;
      }
      if (task.at === "here") this.#send(publisher, task);
    }
    if (this.#head === this.#waiting.length || this.#head > 4096) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  #send(publisher: Publisher, task: Task): void {
    task.at = "sent";
    this.#sent++;
    const link = this.#link!;
    if (task.message.length <= link.room) return this.#publish(publisher, task, task.message);
    const name = `call.${task.key}`;
    task.away = name;
    void this.#errand(async () => {
      try {
        await link.putAway(name, task.message);
      } catch (cause) {
        return this.#end(task, {
          error: new RuntimeError(
            `Cannot submit: the arguments of ${task.message.length} bytes could not be put into the object store (${
              (cause as Error).message
            })`,
            { cause },
          ),
        });
      }
      if (task.at === "over") await link.dropAway(name);
      else this.#publish(publisher, task, sealAway(name));
    });
  }

  #publish(publisher: Publisher, task: Task, message: Uint8Array): void {
    const { names } = this.#link!;
    publisher.publish(names.task, message, task.key, (fate) => this.#handedOver(task, fate));
  }

  #handedOver(task: Task, fate: Fate): void {
    switch (fate.is) {
      case "stored":
        task.seq = fate.seq;
        task.message = NOTHING;
        if (this.#limit < this.#options.maxPending) {
          this.#limit++;
          this.#handOver();
        }
        // It was taken back in the meantime.
        if (task.at === "over" && task.worker === undefined) this.#takeAway(task);
        return;
      case "refused":
        return this.#refused(task);
      case "failed":
        return this.#end(task, {
          error: new RuntimeError(`Cannot submit: the server refused the call (${fate.why})`),
        });
      case "unknown":
        if (this.#link?.nc.isClosed()) return;
        return this.#end(task, {
          error: new TaskLostError(
            `Cannot submit: the server did not take the call within ${
              PATIENCE / 1000
            } s; it may have it all the same, and run it`,
          ),
        });
    }
  }

  /** The queue is full. */
  #refused(task: Task): void {
    if (task.at !== "sent") return;
    if (this.#options.whenFull === "fail") {
      const { maxQueued, name } = this.#options.settings;
      const error = this.#noRoom(
        `the queue ${name} is full, as it was made for ${maxQueued} calls or fewer`,
      );
      return this.#end(task, { error });
    }
    task.at = "here";
    this.#sent--;
    this.#refusals.push(task);
    // As many as have found room; one more for each that finds some.
    this.#limit = Math.max(1, this.#sent);
    this.#fullUntil = performance.now() + FULL;
  }

  // ---- Coming back ---------------------------------------------------------------------------------------------------------------

  /** The server tells of a result that it has stored. */
  #told(msg: Msg): void {
    this.#heard = performance.now();
    this.#patience = QUIET;
    this.#stored++;
    const task = this.#tasks.get(Number(msg.subject.slice(msg.subject.lastIndexOf(".") + 1)));
    if (task !== undefined) this.#come(task, msg.data);
  }

  /** The first result of a task has come. */
  #come(task: Task, message: Uint8Array): void {
    if (task.at === "over") return;
    const name = awayIn(message);
    if (name === undefined) return this.#arrive(task, message);
    this.#forget(task);
    this.#errand(async () => {
      const link = this.#link!;
      let ended: Ended | undefined;
      for (let tries = 0; ended === undefined; tries++) {
        try {
          const bytes = await link.fetchAway(name);
          ended = bytes === undefined
            ? {
              error: new TaskLostError("The result of the call is no longer in the object store"),
            }
            : await this.#decode(task, bytes);
        } catch (cause) {
          // The server is away, or another becomes the leader.
          if (tries < 20 && !link.nc.isClosed()) {
            await new Promise((resolve) => setTimeout(resolve, 500));
            continue;
          }
          ended = {
            error: new TaskLostError(
              `The result of the call could not be read from the object store (${
                (cause as Error).message
              })`,
              { cause },
            ),
          };
        }
      }
      this.#conclude(task, ended);
      await link.dropAway(name);
    });
  }

  #arrive(task: Task, message: Uint8Array): void {
    const ended = this.#decode(task, message);
    this.#forget(task);
    if (!(ended instanceof Promise)) return this.#conclude(task, ended);
    this.#errand(async () => this.#conclude(task, await ended));
  }

  /** Never rejects. */
  #decode(task: Task, message: Uint8Array): Ended | Promise<Ended> {
    const { modules } = this.#options;
    try {
      const { form, ran, body, error } = openResult(message);
      if (form === STOPPED) {
        return task.stopping ?? { error: new CancelledError("The call was stopped") };
      }
      this.#tally.took(task.submitted, ran);
      const arrived = form === FAILED
        ? { error: errorIn(modules, body) }
        : arrivedIn(modules, body);
      const ended = "value" in arrived ? arrived : receivedSoon(arrived) ?? received(arrived);
      if (form !== CHUNK) return ended;
      const failed = error === undefined ? undefined : errorIn(modules, error);
      return ended instanceof Promise
        ? ended.then((ended) => chunkOf(ended, failed))
        : chunkOf(ended, failed);
    } catch (error) {
      return { error };
    }
  }

  /** The task is not ours to look after any more. */
  #forget(task: Task): void {
    if (task.at === "over") return;
    if (task.at === "sent") this.#sent--;
    if (task.worker !== undefined) this.#running--;
    task.at = "over";
    task.release?.();
    this.#tasks.delete(task.number);
    const { away } = task;
    if (away !== undefined) void this.#errand(() => this.#link!.dropAway(away));
    this.#handOver();
  }

  #conclude(task: Task, ended: Ended): void {
    this.#tally.ended("value" in ended);
    conclude(task.future, ended);
    this.#mayEnd();
  }

  #end(task: Task, ended: Ended): void {
    if (task.at === "over") return;
    this.#forget(task);
    this.#conclude(task, ended);
  }

  /** A worker tells which calls it has begun. */
  #noted(msg: Msg): void {
    let note: { w: string; n: number[] };
    try {
      note = msg.json();
    } catch {
      return;
    }
    if (typeof note?.w !== "string" || !Array.isArray(note.n)) return;
    this.#heard = performance.now();
    this.#workers.add(note.w);
    for (const number of note.n) {
      const task = this.#tasks.get(number);
      if (task === undefined || task.at !== "sent") continue;
      if (task.worker === undefined) this.#running++;
      task.worker = note.w;
    }
  }

  // ---- Taking back ---------------------------------------------------------------------------------------------------------------

  /** Takes back a call that no worker has begun, as far as is known here. */
  #cancel(task: Task): boolean {
    if (task.at === "over" || task.worker !== undefined) return false;
    const sent = task.at === "sent";
    this.#forget(task);
    if (sent && task.seq !== undefined) this.#takeAway(task);
    // Its future is about to say so.
    queueMicrotask(() => this.#mayEnd());
    return true;
  }

  /** Cancels whatever can be. */
  cancelAll(): void {
    for (const { future } of [...this.#tasks.values()]) future.cancel();
  }

  /** A call that was taken back leaves the server; a worker that was just taking it stops. */
  #takeAway({ key, seq }: Task): void {
    const { names, jsm, nc } = this.#link!;
    void this.#errand(async () => {
      await jsm.streams.deleteMessage(names.tasks, seq!, false).catch(() => {});
      if (!nc.isClosed()) nc.publish(names.cancel, key);
    });
  }

  /**
   * Ends a call for good, unless it has a result. The server decides: a result is stored that says that the call was stopped. If it is
   * taken, no other will be.
   */
  #stop(task: Task, reason: unknown): void {
    if (task.at === "over") return;
    if (task.at === "here") return this.#end(task, { error: reason });
    const { names, nc } = this.#link!;
    const publisher = this.#publisher!;
    const stopped = (fate: Fate) => {
      if (fate.is === "refused") {
        // It has ended: its result is on its way, or was missed.
        this.#heard = -Infinity;
        return;
      }
      // What is stored may have been told here before this answer came.
      this.#end(task, { error: reason });
      if (task.seq !== undefined) this.#takeAway(task);
      else if (!nc.isClosed()) nc.publish(names.cancel, task.key);
    };
    task.stopping = { error: reason };
    const message = sealResult(STOPPED, 0);
    publisher.publish(`${names.result}.${task.key}`, message, undefined, stopped, STOPPING);
  }

  // ---- The connection ------------------------------------------------------------------------------------------------------------

  /** Connects. What waits fails when that cannot be. */
  open(): Promise<void> {
    return this.#opening ??= this.#open().catch((error) => {
      this.#opening = undefined;
      for (const task of [...this.#tasks.values()]) this.#end(task, { error });
      this.#mayEnd();
      throw error;
    });
  }

  async #open(): Promise<void> {
    const link = this.#link = await Link.open(this.#options.settings, `submitter ${this.#id}`);
    const { nc, names } = link;
    this.#publisher = new Publisher(link);
    const hears = (subject: string, take: (msg: Msg) => void) =>
      nc.subscribe(subject, {
        callback: (error, msg) => {
          if (error === null) take(msg);
        },
      });
    hears(`${names.out}.${this.#id}.*`, (msg) => this.#told(msg));
    hears(`${names.note}.${this.#id}`, (msg) => this.#noted(msg));
    await nc.flush();
    this.#heard = this.#looked = performance.now();
    this.#timer = setInterval(() => this.#round(), ROUND);
    void this.#watch(link);
    void nc.closed().then((why) => this.#lost(why));
    this.#handOver();
    this.#mayEnd();
  }

  async #watch(link: Link): Promise<void> {
    for await (const { type } of link.nc.status()) {
      if (type === "disconnect") this.#connected = false;
      if (type === "reconnect") {
        this.#connected = true;
        // The server may have come back without what it had.
        await link.ensure().catch(() => {});
        this.#suspect = true;
        this.#patience = QUIET;
        this.#publisher!.tend(true);
        void this.#look();
      }
    }
  }

  /** The connection is closed for good, which it never is by itself but for credentials that cannot be read any more. */
  #lost(why: Error | void): void {
    if (this.#ending) return;
    this.#connected = false;
    for (const task of [...this.#tasks.values()]) {
      const error = new RuntimeError(
        `Cannot wait for the call: the connection was closed (${
          why?.message ?? "no reason given"
        })`,
      );
      this.#end(task, { error });
    }
  }

  /** What is done now and then. */
  #round(): void {
    this.#publisher!.tend();
    const now = performance.now();
    if (this.#fullUntil !== 0 && this.#fullUntil <= now) {
      this.#fullUntil = 0;
      this.#handOver();
    }
    if (this.#sent > 0 && now - this.#heard > this.#patience) {
      this.#patience = Math.min(this.#patience * 2, MOST_QUIET);
      void this.#look();
    } else if (
      this.#stored > KEPT ||
      (this.#stored > 0 || this.#sent > 0) && now - this.#looked > 4 * QUIET
    ) void this.#look();
    else this.#mayEnd();
  }

  /** Asks the server what it has for this client: results that were missed, and calls that are gone. */
  async #look(): Promise<void> {
    if (this.#looking || !this.#connected) return;
    this.#looking = true;
    const { names, jsm } = this.#link!;
    try {
      const filter = `${names.result}.${this.#id}.>`;
      const counted = this.#stored;
      const quiet = performance.now() - this.#heard > QUIET || this.#suspect;
      // First how far the stream goes, then what is in it: the server does it in this order too.
      const { state } = await jsm.streams.info(names.results, { subjects_filter: filter });
      const keys = Object.keys(state.subjects ?? {}).map((subject) =>
        subject.slice(names.result.length + 1)
      );
      const missed = keys.flatMap((key) =>
        this.#tasks.get(Number(key.slice(key.lastIndexOf(".") + 1))) ?? []
      );
      await inTurns(missed, (task) => this.#fetch(task));
      if (keys.length > 0) {
        await jsm.streams.purge(names.results, { filter, seq: state.last_seq + 1 });
      }
      this.#stored -= counted;
      if (quiet) await this.#askForTasks();
      this.#heard = this.#looked = performance.now();
    } catch (error) {
      this.#heard = performance.now();
      if (isMissing(error)) {
        this.#suspect = true;
        await this.#link!.ensure().catch(() => {});
      }
      // Else the next round asks again.
    } finally {
      this.#looking = false;
    }
    this.#mayEnd();
  }

  async #fetch(task: Task): Promise<boolean> {
    const message = await this.#link!.resultOf(task.key);
    if (message !== undefined) this.#come(task, message);
    return message !== undefined;
  }

  /** Whether the server still has the calls that it was given. */
  async #askForTasks(): Promise<void> {
    const all = this.#suspect;
    this.#suspect = false;
    const { names, jsm } = this.#link!;
    let asked = [...this.#tasks.values()].filter(({ at, seq }) =>
      at === "sent" && seq !== undefined
    );
    if (!all) asked = asked.slice(0, ASKED);
    if (asked.length === 0) return;
    try {
      const { state } = await jsm.streams.info(names.tasks);
      await inTurns(asked, async (task) => {
        if (task.at === "over") return;
        const seq = task.seq!;
        // A stream that was made anew may have another call there.
        const there = seq >= state.first_seq && seq <= state.last_seq &&
          await jsm.streams.getMessage(names.tasks, { seq }).then(
            (found) => found?.header.get("Nats-Msg-Id") === task.key,
            (error) => {
              if (isMissing(error)) return false;
              throw error;
            },
          );
        // In this order: a call leaves the server when its result is stored.
        if (there || await this.#fetch(task)) return;
        this.#end(task, {
          error: new TaskLostError(
            `The call is no longer on the server, and has left no result: the storage of queue ${this.#options.settings.name} was lost or emptied, or the result came later than it keeps results`,
          ),
        });
      });
    } catch (error) {
      this.#suspect ||= all;
      throw error;
    }
  }

  // ---- The end -------------------------------------------------------------------------------------------------------------------

  /** Takes no more calls; the connection is closed once those that are there have ended. */
  close(): void {
    this.#closed = true;
    this.#mayEnd();
  }

  /** Waits until all is over. */
  async join(): Promise<void> {
    if (this.#ended) return;
    this.#over ??= Promise.withResolvers();
    await this.#over.promise;
  }

  #errand(run: () => Promise<void>): void {
    this.#errands++;
    void run().catch(() => {}).finally(() => {
      this.#errands--;
      this.#mayEnd();
    });
  }

  #mayEnd(): void {
    if (!this.#closed || this.#ending || this.#tasks.size > 0) return;
    if (this.#errands > 0 || this.#connected && (this.#publisher?.open ?? 0) > 0) return;
    // It is still connecting: that ends here, or in an error.
    if (this.#opening !== undefined && this.#publisher === undefined) return;
    this.#ending = true;
    void this.#finish();
  }

  async #finish(): Promise<void> {
    const link = this.#link;
    if (link !== undefined) {
      clearInterval(this.#timer);
      const { names, jsm, nc } = link;
      if (this.#connected && !nc.isClosed()) {
        const filter = `${names.result}.${this.#id}.>`;
        await jsm.streams.purge(names.results, { filter }).catch(() => {});
      }
      this.#publisher?.close();
      await link.close();
    }
    this.#ended = true;
    this.#over?.resolve();
  }
}

/** Some at a time. */
async function inTurns<T>(items: readonly T[], run: (item: T) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < items.length; i += AT_A_TIME) {
    await Promise.all(items.slice(i, i + AT_A_TIME).map(run));
  }
}

/** What `map` takes for a chunk. */
function chunkOf(ended: Ended, error: ChunkResult["error"]): Ended {
  if (!("value" in ended)) return ended;
  const { value } = ended;
  if (!Array.isArray(value)) {
    return { error: new PicklingError("Cannot read the results of a chunk: they are no list") };
  }
  const result: ChunkResult = error === undefined ? { values: value } : { values: value, error };
  return { value: result };
}
