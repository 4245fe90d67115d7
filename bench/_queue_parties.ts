/**
 * What the threads and the bare workers of queue_bench.ts do.
 *
 * @module
 */
import type { Queue } from "@batteries/concurrent/queue";

/** What travels. */
export type Kind = "number" | "object" | "bytes";

const bytes = new Uint8Array(64 * 1024);

/** The n-th item of a kind. */
export function itemOf(kind: Kind, n: number): unknown {
  switch (kind) {
    case "number":
      return n;
    case "object":
      return { id: n, name: "a small object", done: false, at: [n, n + 1] };
    case "bytes":
      return bytes;
  }
}

/** Puts items, as soon as `gate` says go. */
export function produce(queue: Queue<unknown>, kind: Kind, count: number, gate: Int32Array): void {
  ready(gate);
  for (let n = 0; n < count; n++) queue.putSync(itemOf(kind, n));
}

/** Takes items, as soon as `gate` says go. */
export function consume(queue: Queue<unknown>, count: number, gate: Int32Array): void {
  ready(gate);
  for (let n = 0; n < count; n++) queue.getSync();
}

/** Word 0: go. Word 1: how many are ready. */
function ready(gate: Int32Array): void {
  Atomics.add(gate, 1, 1);
  Atomics.wait(gate, 0, 0);
}

/** What a bare worker is asked to do with ports. */
export interface Order {
  readonly send?: MessagePort;
  readonly receive?: readonly MessagePort[];
  readonly kind: Kind;
  readonly count: number;
  /** Whether the next item is sent only when the last has been answered. */
  readonly answered: boolean;
  readonly gate: Int32Array;
}

function send(port: MessagePort, { kind, count, answered, gate }: Order): void {
  ready(gate);
  if (!answered) {
    for (let n = 0; n < count; n++) port.postMessage(itemOf(kind, n));
    return;
  }
  let n = 0;
  const next = () => {
    if (n < count) port.postMessage(itemOf(kind, n++));
    else port.close();
  };
  port.onmessage = next;
  next();
}

function receive(ports: readonly MessagePort[], { count, answered, gate }: Order): void {
  ready(gate);
  let left = count;
  for (const port of ports) {
    port.onmessage = () => {
      if (answered) port.postMessage(0);
      if (--left === 0) self.postMessage("done");
    };
  }
}

declare const self: Worker & { onmessage: unknown };

/** This module is also the worker that is measured beside the queue. */
if (typeof WorkerGlobalScope !== "undefined" && location.hash === "#bare") {
  addEventListener("message", (event) => {
    const order = (event as MessageEvent<Order>).data;
    if (order.send !== undefined) send(order.send, order);
    if (order.receive !== undefined) receive(order.receive, order);
  });
}

declare const WorkerGlobalScope: unknown;
