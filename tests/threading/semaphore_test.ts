import { BoundedSemaphore, Semaphore } from "@batteries/concurrent/threading";
import { testBounded, testSemaphore, testUnbounded } from "../contracts/semaphore.ts";
import { threads } from "./_world.ts";

testSemaphore(threads, "Semaphore", (value) => new Semaphore(value));
testUnbounded(threads, (value) => new Semaphore(value));
testSemaphore(threads, "BoundedSemaphore", (value) => new BoundedSemaphore(value));
testBounded(threads, (value) => new BoundedSemaphore(value));
