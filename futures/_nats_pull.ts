/**
 * Takes calls from a queue on NATS, never more than there are free places for: what lies in a buffer would use up its lease.
 *
 * The client's own consumer would do, at the price of a subscription for each request and a wait before it. Here there are a few
 * subscriptions for good, each for one request at a time. A request ends when all it asked for has come, when the server says so, or
 * when the server cannot have it any more. What comes has the subject that it was published to: only the subscription tells for which
 * request it came, and the subject of a word of the server's own.
 *
 * @module
 */
import type { Msg } from "npm:@nats-io/nats-core@3.4.0";
import type { Link } from "./_nats_link.ts";

/** A call as the server hands it over. */
export interface Delivery {
  readonly data: Uint8Array;
  /** How often it has been handed over, this time included. */
  readonly times: number;
  /** Where to say what becomes of it. */
  readonly reply: string;
}

/** Where requests are made, one at a time. */
interface Counter {
  readonly inbox: string;
  request: Request | undefined;
}

interface Request {
  readonly subject: string;
  left: number;
  readonly until: number;
}

/** Milliseconds for which the server keeps a request. A worker that stops waits that long: what comes until then is run. */
const KEPT = 1_000;
/** Milliseconds after which a request is given up that the server has not ended. */
const LATE = 2_000;
/** Milliseconds before the next request when the server had no answer: the cluster elects a leader. */
const PAUSE = 250;
/** Requests at a time. */
const COUNTERS = 4;

/** Takes calls, as places become free. */
export class Puller {
  readonly #link: Link;
  readonly #take: (delivery: Delivery) => void;
  readonly #counters: Counter[] = [];
  #next = 0;
  #free: number;
  #pausedUntil = 0;
  #stopping = false;
  #asking = false;
  #stopped: PromiseWithResolvers<void> | undefined;

  constructor(link: Link, places: number, take: (delivery: Delivery) => void) {
    this.#link = link;
    this.#take = take;
    this.#free = places;
    for (let i = 0; i < COUNTERS; i++) {
      const counter: Counter = { inbox: link.nats.core.createInbox(), request: undefined };
      this.#counters.push(counter);
      link.nc.subscribe(`${counter.inbox}.*`, {
        callback: (error, msg) => {
          if (error === null) this.#came(counter, msg);
        },
      });
    }
    this.#ask();
  }

  /** A place is free again. */
  free(): void {
    this.#free++;
    if (this.#asking) return;
    // What becomes free in one turn is asked for together.
    this.#asking = true;
    queueMicrotask(() => {
      this.#asking = false;
      this.#ask();
    });
  }

  #ask(): void {
    if (this.#stopping || this.#free <= 0 || performance.now() < this.#pausedUntil) return;
    const counter = this.#counters.find(({ request }) => request === undefined);
    if (counter === undefined) return;
    const { nc, names } = this.#link;
    const batch = this.#free;
    const subject = `${counter.inbox}.${this.#next++}`;
    try {
      nc.publish(
        `$JS.API.CONSUMER.MSG.NEXT.${names.tasks}.${names.durable}`,
        JSON.stringify({ batch, expires: KEPT * 1e6 }),
        { reply: subject },
      );
    } catch {
      return; // closed
    }
    this.#free = 0;
    counter.request = { subject, left: batch, until: performance.now() + KEPT + LATE };
  }

  #came(counter: Counter, msg: Msg): void {
    const { request } = counter;
    const { reply } = msg;
    const code = msg.headers?.code ?? 0;
    if (code !== 0 || !reply) {
      // A word of the server, perhaps on a request that was given up.
      if (request?.subject !== msg.subject || code === 100) return;
      this.#end(counter, request);
      // 404 and 408: nothing there. Else nobody who could answer, or a consumer that is gone or moves.
      if (code !== 404 && code !== 408) this.#pausedUntil = performance.now() + PAUSE;
      this.#ask();
      return;
    }
    // Without a request: it was given up, and its place asked for again; there is one too many for a moment.
    if (request === undefined) this.#free--;
    else if (--request.left === 0) this.#end(counter, request);
    this.#take({ data: msg.data, times: timesOf(reply), reply });
    this.#ask();
  }

  #end(counter: Counter, request: Request): void {
    counter.request = undefined;
    this.#free += request.left;
    if (this.#isQuiet()) this.#stopped?.resolve();
  }

  #isQuiet(): boolean {
    return this.#counters.every(({ request }) => request === undefined);
  }

  /** To be called now and then. `all`: the connection was broken, and the server has forgotten all requests. */
  tend(all: boolean = false): void {
    const now = performance.now();
    for (const counter of this.#counters) {
      const { request } = counter;
      if (request !== undefined && (all || now > request.until)) this.#end(counter, request);
    }
    this.#ask();
  }

  /** Asks for no more, and waits for what may still come. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#isQuiet()) return;
    this.#stopped ??= Promise.withResolvers();
    await this.#stopped.promise;
  }
}

/** How often a message was delivered: `$JS.ACK.STREAM.CONSUMER.TIMES…`, or the same with domain and account before the stream. */
function timesOf(reply: string): number {
  const tokens = reply.split(".");
  const times = Number(tokens[tokens.length >= 11 ? 6 : 4]);
  return Number.isInteger(times) && times > 0 ? times : 1;
}
