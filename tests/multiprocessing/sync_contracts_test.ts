/** What holds for the locks of `threading` holds for those of `multiprocessing`, within a process and between its threads. */

import { Context } from "@batteries/concurrent/contextvars";
import {
  Barrier,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  RLock,
  Semaphore,
} from "../../multiprocessing/synchronize.ts";
import { testBarrier } from "../contracts/barrier.ts";
import { testCondition } from "../contracts/condition.ts";
import { testConditionFlows } from "../contracts/condition_flows.ts";
import { testEvent } from "../contracts/event.ts";
import { testLock } from "../contracts/lock.ts";
import { testRLock } from "../contracts/rlock.ts";
import { testBounded, testSemaphore, testUnbounded } from "../contracts/semaphore.ts";
import { inThreads } from "./_threads_world.ts";

testLock(inThreads, () => new Lock());
testRLock(inThreads, () => new RLock(), (task) => new Context().run(task));
testCondition(inThreads, {
  condition: (lock) => new Condition(lock as Lock | RLock | undefined),
  lock: () => new Lock(),
  rlock: () => new RLock(),
});
testConditionFlows(inThreads, () => new Condition(), (task) => new Context().run(task));
testSemaphore(inThreads, "Semaphore", (value) => new Semaphore(value));
testUnbounded(inThreads, (value) => new Semaphore(value));
testSemaphore(inThreads, "BoundedSemaphore", (value) => new BoundedSemaphore(value));
testBounded(inThreads, (value) => new BoundedSemaphore(value));
testEvent(inThreads, () => new Event());
testBarrier(inThreads, (parties, options) => new Barrier(parties, options));
