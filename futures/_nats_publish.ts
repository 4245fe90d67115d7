/**
 * Messages that a stream must store: sent again until the server says that it has, or has refused.
 *
 * 1. The server stores a message. 2. The connection breaks before its answer is here. 3. The message is sent again. A stream drops what
 * has the id of a message of the last two minutes, and says where that one is; one that takes a single message for a subject refuses
 * the second. So nothing is stored twice, if whoever sends gives a subject of its own or an id, and gives up before those two minutes.
 *
 * The client's own `publish` would do the same at twice the price: a promise and a timer for each message.
 *
 * @module
 */
import type { Msg } from "npm:@nats-io/nats-core@3.4.0";
import type { Link } from "./_nats_link.ts";

/** What has become of a message. */
export type Fate =
  | { readonly is: "stored"; readonly seq: number }
  /** The stream is full, or has a message for the subject. */
  | { readonly is: "refused" }
  | { readonly is: "failed"; readonly why: string }
  /** No answer in time. It may be stored. */
  | { readonly is: "unknown" };

interface Sent {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly id: string | undefined;
  readonly told: (fate: Fate) => void;
  readonly until: number;
  /** When to send it again. */
  again: number;
}

/** Milliseconds without an answer after which a message is sent again. */
const ANSWER = 5_000;
/** Milliseconds after which it is sent again when nobody was there to store it: the cluster elects a leader. */
const NOBODY = 250;
/** Milliseconds after which it is given up; less than what streams remember ids for. */
export const PATIENCE = 60_000;

/** The server's error for what a stream has no room for. */
const NO_ROOM = 10077;

interface Answer {
  seq?: number;
  error?: { code?: number; err_code?: number; description?: string };
}

/** Sends what has to be stored. */
export class Publisher {
  readonly #link: Link;
  readonly #inbox: string;
  readonly #sent = new Map<string, Sent>();
  #next = 0;
  #closed = false;

  constructor(link: Link) {
    this.#link = link;
    this.#inbox = link.nats.core.createInbox();
    link.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, msg) => {
        if (error === null) this.#answered(msg);
      },
    });
  }

  /** Messages whose fate is not known. */
  get open(): number {
    return this.#sent.size;
  }

  /** Sends a message, as often as need be. `told` is called once, later. */
  publish(
    subject: string,
    data: Uint8Array,
    id: string | undefined,
    told: (fate: Fate) => void,
    patience: number = PATIENCE,
  ): void {
    if (this.#closed) return queueMicrotask(() => told({ is: "unknown" }));
    const token = String(this.#next++);
    const sent: Sent = { subject, data, id, told, until: performance.now() + patience, again: 0 };
    this.#sent.set(token, sent);
    this.#send(token, sent);
  }

  /** {@linkcode publish} as a promise. */
  store(subject: string, data: Uint8Array, id?: string, patience?: number): Promise<Fate> {
    return new Promise((resolve) => this.publish(subject, data, id, resolve, patience));
  }

  #send(token: string, sent: Sent): void {
    sent.again = performance.now() + ANSWER;
    const reply = `${this.#inbox}.${token}`;
    const { nc, nats } = this.#link;
    try {
      if (sent.id === undefined) return nc.publish(sent.subject, sent.data, { reply });
      const list = nats.core.headers();
      list.set("Nats-Msg-Id", sent.id);
      nc.publish(sent.subject, sent.data, { reply, headers: list });
    } catch (error) {
      // Closed, or larger than the server takes now.
      this.#sent.delete(token);
      queueMicrotask(() => sent.told({ is: "failed", why: (error as Error).message }));
    }
  }

  #answered(msg: Msg): void {
    const token = msg.subject.slice(this.#inbox.length + 1);
    const sent = this.#sent.get(token);
    if (sent === undefined) return; // answered before
    if (msg.headers?.code === 503) {
      sent.again = performance.now() + NOBODY;
      return;
    }
    let answer: Answer;
    try {
      answer = msg.json<Answer>();
    } catch {
      return; // no answer of a stream
    }
    const { error, seq } = answer;
    if (error?.code === 503 && error.err_code !== NO_ROOM) {
      // No leader, no quorum, no resources at the moment.
      sent.again = performance.now() + NOBODY;
      return;
    }
    this.#sent.delete(token);
    if (error === undefined) sent.told({ is: "stored", seq: seq ?? 0 });
    else if (error.err_code === NO_ROOM) sent.told({ is: "refused" });
    else sent.told({ is: "failed", why: error.description ?? "the server refused it" });
  }

  /** To be called now and then: sends again what has had no answer. `all`: whatever was sent before the connection broke. */
  tend(all: boolean = false): void {
    const now = performance.now();
    for (const [token, sent] of this.#sent) {
      if (now >= sent.until) {
        this.#sent.delete(token);
        sent.told({ is: "unknown" });
      } else if (all || now >= sent.again) this.#send(token, sent);
    }
  }

  /** Gives up what has had no answer. */
  close(): void {
    this.#closed = true;
    for (const sent of this.#sent.values()) sent.told({ is: "unknown" });
    this.#sent.clear();
  }
}
