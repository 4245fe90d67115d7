/**
 * Whole messages that have come, and who waits for them: the receiving half of every channel.
 *
 * Guarantees
 * - Messages go to receivers in the order of both. A receiver that gives up takes nothing with it.
 * - Who polls sees a message that no receiver is waiting for, and takes nothing.
 * - After the end, what came before it can still be received; then everybody is told.
 *
 * @module
 */
import { Fifo } from "./_fifo.ts";
import { expire } from "./_ready.ts";
import type { Limit } from "../threading/_core/mod.ts";

/** A message that waits. */
interface Message {
  readonly bytes: Uint8Array;
  /** Told when it is received. */
  readonly taken: (() => void) | undefined;
}

interface Receiver {
  /** A message of more bytes is an error. */
  readonly longest: number;
  readonly owner: object | undefined;
  resolve(bytes: Uint8Array): void;
  reject(error: Error): void;
}

interface Poller {
  readonly owner: object | undefined;
  wake(): void;
  fail(error: Error): void;
}

/** See the head of this file. */
export class Inbox {
  readonly #messages = new Fifo<Message>();
  readonly #receivers = new Fifo<Receiver>();
  readonly #pollers = new Set<Poller>();
  readonly #changed: (() => void) | undefined;
  #end: (() => Error) | undefined;
  #broken = false;

  /** `changed` is called whenever somebody begins to wait, or gives up. */
  constructor(changed?: () => void) {
    this.#changed = changed;
  }

  /** Whether a receiver or a poller waits. */
  get wanted(): boolean {
    return this.#receivers.length > 0 || this.#pollers.size > 0;
  }

  /** Whether it has come to its end, however many messages are left. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Whether receiving would not wait. */
  get ready(): boolean {
    return this.#messages.length > 0 || this.ended;
  }

  /** How many bytes the next message may have. */
  get longest(): number {
    return this.#receivers.first?.longest ?? Infinity;
  }

  /** A message has come. Gives whether it was received at once. After the end it is dropped. */
  put(bytes: Uint8Array, taken?: () => void): boolean {
    if (this.ended) return false;
    const message = { bytes, taken };
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) {
      this.#give(message, receiver);
      return true;
    }
    this.#messages.push(message);
    this.#wakePollers();
    return false;
  }

  /** Nothing more will come: once the messages are gone, receivers are told `why`. Only the first call counts. */
  end(why: () => Error): void {
    if (this.ended) return;
    this.#end = why;
    for (const receiver of this.#receivers.drain()) receiver.reject(why());
    this.#wakePollers();
  }

  /** Ends it now: what is left is gone, who receives or polls is told `why`. */
  abandon(why: () => Error): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#end = why;
    this.#messages.drain();
    for (const receiver of this.#receivers.drain()) receiver.reject(why());
    for (const poller of [...this.#pollers]) poller.fail(why());
  }

  /**
   * The next message; an error in its place when it has more than `longest` bytes. `owner` is who can be {@linkcode withdraw}n.
   */
  receive(longest: number, owner?: object): Promise<Uint8Array> {
    const message = this.#messages.shift();
    if (message === undefined && this.#end !== undefined) return Promise.reject(this.#end());
    return new Promise((resolve, reject) => {
      const receiver = { longest, owner, resolve, reject };
      if (message !== undefined) return this.#give(message, receiver);
      this.#receivers.push(receiver);
      this.#changed?.();
    });
  }

  /** Whether receiving would not wait, at once or within the limit. */
  poll(limit: Limit, owner?: object): Promise<boolean> {
    if (this.#broken) return Promise.reject(this.#end!());
    if (this.ready) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      let over = false;
      let stop = () => {};
      const settle = (act: () => void) => {
        over = true;
        this.#pollers.delete(poller);
        stop();
        act();
      };
      const giveUp = (act: () => void) => {
        settle(act);
        this.#changed?.();
      };
      const poller = {
        owner,
        wake: () => settle(() => resolve(true)),
        fail: (error: Error) => settle(() => reject(error)),
      };
      this.#pollers.add(poller);
      stop = expire(
        limit,
        () => giveUp(() => resolve(false)),
        (reason) => giveUp(() => reject(reason)),
      );
      // Microtasks may have run.
      if (over) stop();
      else this.#changed?.();
    });
  }

  /** Whoever receives or polls for `owner` is told `why` instead. */
  withdraw(owner: object, why: () => Error): void {
    for (const receiver of this.#receivers.drain()) {
      if (receiver.owner === owner) receiver.reject(why());
      else this.#receivers.push(receiver);
    }
    for (const poller of [...this.#pollers]) if (poller.owner === owner) poller.fail(why());
  }

  #give(message: Message, receiver: Receiver): void {
    const { bytes, taken } = message;
    taken?.();
    if (bytes.length <= receiver.longest) {
      receiver.resolve(bytes);
    } else {
      receiver.reject(tooLong(bytes.length, receiver.longest));
    }
  }

  #wakePollers(): void {
    for (const poller of [...this.#pollers]) poller.wake();
  }
}

/** The error for a message of `size` bytes where `longest` are taken: the end of receiving. */
export function tooLong(size: number, longest: number): Error {
  return new Deno.errors.InvalidData(
    `Cannot receive a message of ${size} bytes: this call takes at most ${longest}, and the connection cannot be read any more`,
  );
}
