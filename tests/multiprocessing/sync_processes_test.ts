/** What holds for the locks of `threading` between threads holds for those of `multiprocessing` between processes. */

import { Context } from "@batteries/concurrent/contextvars";
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
} from "@batteries/concurrent/multiprocessing";
import { BrokenBarrierError, ThreadError } from "@batteries/concurrent/threading";
import { testBarrier } from "../contracts/barrier.ts";
import { testCondition } from "../contracts/condition.ts";
import { testEvent } from "../contracts/event.ts";
import { testLock } from "../contracts/lock.ts";
import { testRLock } from "../contracts/rlock.ts";
import { testSemaphore } from "../contracts/semaphore.ts";
import type { World } from "../contracts/world.ts";
import { processes } from "./_processes_world.ts";

const between: World = {
  ...processes,
  name: "multiprocessing, processes,",
  errors: {
    notHeld: ThreadError,
    notOwner: ThreadError,
    withoutLock: ThreadError,
    timeout: processes.errors.timeout,
    broken: BrokenBarrierError,
  },
};

testLock(between, () => new Lock());
testRLock(between, () => new RLock(), (task) => new Context().run(task));
testCondition(between, {
  condition: (lock) => new Condition(lock as Lock | RLock | undefined),
  lock: () => new Lock(),
  rlock: () => new RLock(),
});
testSemaphore(between, "Semaphore", (value) => new Semaphore(value));
testSemaphore(between, "BoundedSemaphore", (value) => new BoundedSemaphore(value));
testEvent(between, () => new Event());
testBarrier(between, (parties, options) => new Barrier(parties, options));
