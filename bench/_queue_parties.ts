/**
 * What the threads and the bare workers of queue_bench.ts do.
 *
 * @module
 */
import type { Queue, SimpleQueue } from "@batteries/concurrent/queue";

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

/** What a party is asked to do: to put so many items of a kind, or to take them. */
export interface Task {
  readonly puts: boolean;
  readonly queue: Queue<unknown>;
  readonly kind: Kind;
  readonly count: number;
  readonly gate: Int32Array;
  /** Told when it is done. */
  readonly done: SimpleQueue<unknown>;
}

/** A thread that is there for all rounds, as the bare workers are. It ends when it is given nothing to do. */
export function party(tasks: SimpleQueue<Task | undefined>): void {
  for (let task = tasks.getSync(); task !== undefined; task = tasks.getSync()) {
    (task.puts ? produce : consume)(task);
    task.done.put(0);
  }
}

/** Puts items, as soon as `gate` says go. */
function produce({ queue, kind, count, gate }: Task): void {
  ready(gate);
  for (let n = 0; n < count; n++) queue.putSync(itemOf(kind, n));
}

/** Takes items, as soon as `gate` says go. */
function consume({ queue, count, gate }: Task): void {
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

/** What a bare worker is asked to do with a word of shared memory: to answer `count` times. */
export interface Rally {
  readonly word: Int32Array;
  readonly count: number;
  /** 0 or 1: at which values of the word it is this worker's turn. */
  readonly turn: number;
  readonly gate: Int32Array;
}

function rally({ word, count, turn, gate }: Rally): void {
  ready(gate);
  for (let n = 0; n < count; n++) {
    for (let seen = Atomics.load(word, 0); (seen & 1) !== turn; seen = Atomics.load(word, 0)) {
      Atomics.wait(word, 0, seen);
    }
    Atomics.add(word, 0, 1);
    Atomics.notify(word, 0);
  }
  self.postMessage("done");
}

declare const self: Worker & { onmessage: unknown };

/** This module is also the worker that is measured beside the queue. */
if (typeof WorkerGlobalScope !== "undefined" && location.hash === "#bare") {
  addEventListener("message", (event) => {
    const order = (event as MessageEvent<Order & Rally>).data;
    if (order.word !== undefined) return rally(order);
    if (order.send !== undefined) send(order.send, order);
    if (order.receive !== undefined) receive(order.receive, order);
  });
}

declare const WorkerGlobalScope: unknown;
