/** What holds for `queue.Queue` between threads holds for the queues of `multiprocessing` between threads, and between processes. */

import { Empty, Full, ShutDown } from "@batteries/concurrent/queue";
import { JoinableQueue, Queue } from "../../multiprocessing/queues.ts";
import { testJoin, testQueue } from "../contracts/queue.ts";
import { processes } from "./_processes_world.ts";
import { inThreads } from "./_threads_world.ts";

const errors = { Empty, Full, ShutDown };
const asPut = (items: readonly number[]) => [...items];

for (const world of [inThreads, processes]) {
  const kind = world === processes ? "Queue of processes" : "Queue";
  testQueue(world, kind, (maxsize) => new Queue<number>(maxsize), asPut, errors);
  testJoin(world, `Joinable${kind}`, (maxsize) => new JoinableQueue<number>(maxsize));
}
