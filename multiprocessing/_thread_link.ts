/**
 * The links between the main thread of a process and its other threads: nodes of the tree like processes, see `_tree.ts`.
 *
 * A thread stands below its main thread, with the address `<main thread's>/t<identifier>`, from its start to its end: the next thread of
 * the same worker is another node. Frames go as messages of the engine room. They hold no event loop: a thread lives as long as its
 * target runs, and the main thread is held, as by all links, while it waits for an answer.
 *
 * @module
 */
import { type Carrier, carrier } from "../threading/_core/values.ts";
import type { Link, Receive } from "./_link.ts";

/** A way to another thread. What comes by it is handed over by `takeFrame` of `_tree.ts`. */
export class ThreadLink implements Link {
  readonly #carrier: Carrier;
  readonly #send: (frame: Uint8Array<ArrayBuffer>) => void;
  readonly #ended = Promise.withResolvers<void>();
  #receive: Receive = () => {};

  /** `send` has the carrier send a frame. */
  constructor(carrier: Carrier, send: (frame: Uint8Array<ArrayBuffer>) => void) {
    this.#carrier = carrier;
    this.#send = send;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  send(...parts: Uint8Array[]): void {
    let length = 0;
    for (const part of parts) length += part.length;
    const frame = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      frame.set(part, at);
      at += part.length;
    }
    this.#send(frame);
  }

  /** A frame has come. */
  take(frame: Uint8Array<ArrayBuffer>): void {
    this.#receive(frame);
  }

  open(receive: Receive | undefined): void {
    this.#receive = receive ?? (() => {});
  }

  push(): void {}

  flush(): Promise<void> {
    return Promise.resolve();
  }

  ref(): void {
    this.#carrier.hold();
  }

  unref(): void {
    this.#carrier.unhold();
  }

  /** The other side has ended. */
  close(): void {
    this.#ended.resolve();
  }
}

/** From a thread to its main thread. `module`: see `FrameTaker`. */
export function linkUp(module: string): ThreadLink {
  const by = carrier()!;
  return new ThreadLink(by, (frame) => by.up(module, frame));
}

/** From the main thread to a thread. */
export function linkDown(ident: number, module: string): ThreadLink {
  const by = carrier()!;
  return new ThreadLink(by, (frame) => by.down(ident, module, frame));
}

/** On the main thread: whether there is a running thread of that identifier. */
export function canReach(ident: number): boolean {
  return carrier()?.reaches(ident) ?? false;
}

/** The identifier in the part of an address that means a thread. */
export function identIn(part: string): number | undefined {
  return part.startsWith("t") ? Number(part.slice(1)) : undefined;
}
