/** The queues of this package keep the contract of queues, between tasks and between threads. */

import {
  Empty,
  Full,
  LifoQueue,
  PriorityQueue,
  Queue,
  ShutDown,
} from "@batteries/concurrent/queue";
import { type Order, testJoin, testQueue, testShutdown } from "../contracts/queue.ts";
import { threads } from "../threading/_world.ts";

const errors = { Empty, Full, ShutDown };
const world = { ...threads, name: "queue" };

const kinds: [string, (maxsize?: number) => Queue<number>, Order][] = [
  ["Queue", (maxsize) => new Queue(maxsize), (items) => [...items]],
  ["LifoQueue", (maxsize) => new LifoQueue(maxsize), (items) => items.toReversed()],
  [
    "PriorityQueue",
    (maxsize) => new PriorityQueue(maxsize),
    (items) => items.toSorted((a, b) => a - b),
  ],
];

for (const [kind, make, order] of kinds) {
  testQueue(world, kind, make, order, errors);
  testJoin(world, kind, make);
  testShutdown(world, kind, make, errors);
}
